"""Detection by keras_shiftguard on the draws of `shifts.py`.

A draw is tested in two ways: by one comparison at each sample size, and as in a fit, by a
comparison at every doubling of the size. `detection_power.py` calls this script.

The expensive numbers of a sample (image attributes, thumbnail, the model's outputs and features)
are the same in every draw. So the package's functions compute these numbers once for each image and
corruption. The package's sketches turn the numbers of a draw into a profile, which
`detection.look.compare_profiles` and `detection.monitor.ShiftMonitor` test. `check` compares such a
profile with `profile(images, model=...)`. These rows measure every sample. The row `BY_RULE` is
made by a `Stream` that gets the samples in batches of `BATCH`, and measures as many as in a fit.
"""

import hashlib
import json
import time
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import shifts
from keras import ops
from peers.bench_data import FEATURE_LAYER, NUM_FEATURES, open_images

import keras_shiftguard
from keras_shiftguard.detection.look import compare_profiles
from keras_shiftguard.detection.monitor import ShiftMonitor
from keras_shiftguard.instrument.measure import profile
from keras_shiftguard.profiles import InputProfile
from keras_shiftguard.statistics.batch import InputSpec
from keras_shiftguard.statistics.schedule import samples_per_step, stride_for
from keras_shiftguard.statistics.sketch import Sketch
from keras_shiftguard.statistics.sketches import attributes
from keras_shiftguard.statistics.sketches.outputs import OutputSketch
from keras_shiftguard.statistics.sketches.vectors import thumbnail
from keras_shiftguard.statistics.stream import Stream

LEVEL = 0.05
CHUNK = 1000
# The sample sizes at which the in-fit monitor tests: every doubling of 10, and all samples.
LOOKS = (10, 20, 40, 80, 160, 320, 640, 1280, 2560, 5120, 10_000)
ONE_LOOK, IN_FIT = "ours, one look", "ours, in fit"
MATTERS = "ours, one look, not negligible"
OUTPUTS_ONLY = "ours, outputs only"  # what the peers see: no image attributes
BY_RULE = "ours, one look, measured as in a fit"
BATCH = 128
SPEC = InputSpec("input", "channels_last", 1, (28, 28))


def code_version(rooms):
    """Returns a digest of the package's files that match the patterns `rooms`.

    Results of code with another digest are not reused.
    """
    root = Path(keras_shiftguard.__file__).parent
    files = sorted(path for room in rooms for path in root.glob(f"{room}"))
    return hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()[:12]


class Samples:
    """The numbers of every held-out image under every corruption."""

    def __init__(self, cache):
        with np.load(cache / "features.npz") as data:
            self.labels = data["labels"]
            self.softmax, self.penultimate = data["softmax"], data["penultimate"]
        self.images = open_images(cache)
        version = code_version(
            ["statistics/sketches/attributes.py", "statistics/sketches/vectors.py"]
        )
        path = cache / f"attributes-{version}.npz"
        if not path.exists():
            print("measuring 350,000 images once", flush=True)
            np.savez(path, **self._measured())
        with np.load(path) as data:
            self.attributes, self.thumbnails = data["attributes"], data["thumbnails"]

    def _measured(self):
        found = {"attributes": [], "thumbnails": []}
        for images in self.images:
            rows = [_of_images(images[i : i + CHUNK]) for i in range(0, len(images), CHUNK)]
            found["attributes"].append(np.concatenate([row[0] for row in rows]))
            found["thumbnails"].append(np.concatenate([row[1] for row in rows]))
        return {name: np.stack(parts) for name, parts in found.items()}

    def pixels(self, version, index):
        out = np.empty((len(index), 28, 28, 1), "float32")
        for v in np.unique(version):
            here = version == v
            out[here] = self.images[v][index[here]]
        return out


def _of_images(images):
    x = ops.convert_to_tensor(np.ascontiguousarray(images))
    both = attributes.attributes(x, SPEC), thumbnail(x, SPEC)
    return [ops.convert_to_numpy(tensor) for tensor in both]


class Assembler:
    """Makes profiles of chosen samples with the package's own sketches."""

    def __init__(self, samples):
        self.samples = samples
        self.sketch = Sketch(SPEC)
        self.outputs = OutputSketch(10, True, FEATURE_LAYER, NUM_FEATURES)

    def profile(self, version, index):
        """Returns the profile of images `index`, each with the corruption `version` (a number)."""
        total = None
        for i in range(0, len(index), CHUNK):
            piece = self._chunk(version[i : i + CHUNK], index[i : i + CHUNK])
            total = piece if total is None else total + piece
        return total

    def _chunk(self, version, index):
        s, details = self.samples, self.sketch.details
        pixels = ops.convert_to_tensor(s.pixels(version, index))
        self.sketch.count(pixels)
        self.sketch.measure(pixels, details=False)
        details.features.update(ops.convert_to_tensor(s.attributes[version, index]))
        details.embedding.update(ops.convert_to_tensor(s.thumbnails[version, index]))
        self.outputs.update(
            ops.convert_to_tensor(s.softmax[version, index]),
            ops.convert_to_tensor(s.penultimate[version, index]),
        )
        return InputProfile(
            {"input": self.sketch.drain()}, outputs=self.outputs.sketch.drain("model")
        )

    def by_rule(self, version, index):
        """Returns the profile of these images as of the first pass of a fit."""
        s, stream = self.samples, Stream("validation")
        stream.build([SPEC])
        steps = -(-len(index) // BATCH)
        stride = stride_for(steps, BATCH)
        stream.measure_every(stride, samples_per_step(steps, stride, is_first=True))
        for i in range(0, len(index), BATCH):
            pixels = s.pixels(version[i : i + BATCH], index[i : i + BATCH])
            stream.update({"input": ops.convert_to_tensor(pixels)}, pixels)
        self.outputs.update(
            ops.convert_to_tensor(s.softmax[version, index]),
            ops.convert_to_tensor(s.penultimate[version, index]),
        )
        return replace(stream.drain(), outputs=self.outputs.sketch.drain("model"))

    def prefixes(self, version, index, sizes):
        """Returns the profile of the first n samples, for each n of ascending `sizes`."""
        total, last = None, 0
        for n in sizes:
            piece = self.profile(version[last:n], index[last:n])
            total = piece if total is None else total + piece
            last = n
            yield n, total


def check(cache, samples, assembler, n=300):
    """Checks on a mixed draw that an assembled profile is close to that of `profile`."""
    model = keras.models.load_model(cache / "model.keras")
    model = keras.Model(model.inputs, model.outputs[0])
    shift = shifts.all_shifts()["gn/medium/0.5"]
    _, test, corrupted = shifts.draw(shift, 0, samples.labels, n)
    version = np.where(corrupted, shifts.CORRUPTIONS.index(shift.corruption), 0)
    ours = assembler.profile(version, test)
    whole = profile(samples.pixels(version, test), model=model, feature_layer=FEATURE_LAYER)
    one, two = ours.inputs["input"], next(iter(whole.inputs.values()))
    moved = np.abs(one.features.counts - two.features.counts).sum() / two.features.counts.sum()
    pairs = (
        (one.features.moments.mean, two.features.moments.mean),
        (one.embedding.mean, two.embedding.mean),
        (ours.outputs.embedding.mean, whole.outputs.embedding.mean),
        (ours.outputs.features.moments.mean, whole.outputs.features.moments.mean),
    )
    worst = max(float(np.abs(a - b).max()) for a, b in pairs)
    if moved > 0.02 or worst > 1e-2:
        raise SystemExit(f"Profiles differ from the package's: {moved:.4f} of counts, {worst:.2g}")
    print(f"put together as profile() does: {moved:.4f} of counts moved, means within {worst:.1g}")


def run(cache, draws, null_draws, first_draw=0):
    """Runs the cases that `ours.jsonl` lacks; a row holds the version of the code."""
    samples = Samples(cache)
    assembler = Assembler(samples)
    check(cache, samples, assembler)
    version = code_version(["detection/*.py", "statistics/*.py", "profiles/*.py"])
    path = cache / "ours.jsonl"
    done = set()
    if path.exists():
        rows = map(json.loads, path.read_text().splitlines())
        done = {(row["shift"], row["draw"]) for row in rows if row["code"] == version}
    every, start = shifts.all_shifts(), time.process_time()
    with path.open("a") as file:
        for number in range(first_draw, max(draws, null_draws)):
            wanted = [shifts.NO_SHIFT] if number < null_draws else []
            wanted += list(every.values()) if number < draws else []
            wanted = [shift for shift in wanted if (shift.name, number) not in done]
            reference = None
            for shift in wanted:
                index, test, corrupted = shifts.draw(shift, number, samples.labels)
                if reference is None:
                    clean = np.zeros(len(index), int)
                    reference = assembler.profile(clean, index)
                    measured = assembler.by_rule(clean, index)
                v = np.where(corrupted, shifts.CORRUPTIONS.index(shift.corruption), 0)
                for method, found in _decide(assembler, reference, measured, v, test).items():
                    row = {"method": method, "shift": shift.name, "draw": number}
                    file.write(json.dumps({**row, "found": found, "code": version}) + "\n")
                file.flush()
            if wanted:
                spent = time.process_time() - start
                print(f"ours: draw {number} done, {spent:.0f} s cpu", flush=True)
    return version


def _decide(assembler, reference, measured, version, index):
    """Returns {method: {n: [smallest p-value, alarm, ...]}} of one draw.

    `measured` is the profile of the reference by the rule of a fit.
    """
    found = {ONE_LOOK: {}, BY_RULE: {}, MATTERS: {}, OUTPUTS_ONLY: {}, IN_FIT: {}}
    names = {"stream": "current", "against": "reference", "level": LEVEL}
    seen_by_peers = replace(reference, inputs={})
    monitor = ShiftMonitor(LEVEL, [("current", "reference")])
    alarmed = False
    for n, current in assembler.prefixes(version, index, sorted({*shifts.SIZES, *LOOKS})):
        if n in shifts.SIZES:
            look = compare_profiles(reference, current, **names)
            seen, p = look.findings, look.p_value
            what = [f"{finding.feature}" for finding in seen[:5]]
            found[ONE_LOOK][n] = [p, int(bool(seen)), what]
            found[MATTERS][n] = [p, int(any(finding.matters for finding in seen))]
            look = compare_profiles(seen_by_peers, replace(current, inputs={}), **names)
            found[OUTPUTS_ONLY][n] = [look.p_value, int(bool(look.findings))]
            look = compare_profiles(measured, assembler.by_rule(version[:n], index[:n]), **names)
            found[BY_RULE][n] = [look.p_value, int(bool(look.findings))]
        if n in LOOKS:
            monitor.compare("current", "reference", current, reference)
            alarmed = alarmed or bool(monitor.report().findings)
            found[IN_FIT][n] = [None, int(alarmed)]
    return found
