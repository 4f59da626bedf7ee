"""`StepAugmentation`: the bank and its controller, for a model without the layer.

`ShiftGuard(adapt=True)` calls `apply` on training batches inside the compiled
step, before the model sees them, and `update` on the host after each epoch.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_shiftguard.adaptation.augmentation.bank import Bank
from keras_shiftguard.adaptation.augmentation.class_mix import ClassAttributes, with_mix_of
from keras_shiftguard.adaptation.augmentation.controller import AugmentationController, Change
from keras_shiftguard.adaptation.augmentation.draws import drawn_seed
from keras_shiftguard.adaptation.augmentation.labelled_attributes import LabelledAttributes
from keras_shiftguard.adaptation.augmentation.operations import chosen
from keras_shiftguard.adaptation.augmentation.rehearsal import MOST_ROWS, Rehearsal
from keras_shiftguard.conventions import LATTICES, MODES
from keras_shiftguard.profiles import InputProfile, InputSummary
from keras_shiftguard.statistics.attributes import names as attribute_names
from keras_shiftguard.statistics.batch import InputSpec
from keras_shiftguard.statistics.first_samples import FirstSamples
from keras_shiftguard.statistics.state import State, assign

POOL = 32  # images of the target that are kept
ON_LATTICE = 0.99  # share of values on an 8-bit grid that tells the convention


class _KeptImages(FirstSamples):
    """The first images of training, as many as a rehearsal looks at."""

    def __init__(self, spec: InputSpec) -> None:
        super().__init__(spec)
        capacity = int(np.clip(self.capacity * MOST_ROWS // 32, 4, MOST_ROWS))
        self.capacity = capacity
        shape = tuple(self.images.shape[1:])
        self.state = State("shiftguard_kept")
        self.images = self.state.add("images", (capacity, *shape))
        self.sizes = self.state.add("sizes", (capacity, 2))
        self.labels = self.state.add("labels", (capacity,), fill=-1.0)
        self.filled = self.state.add("filled", ())


class _InputAugmentation:
    """The augmentation of one image input, with the variables of the step."""

    def __init__(
        self, spec: InputSpec, operations: Sequence[str] | None, pool: np.ndarray | None
    ) -> None:
        self.spec = spec
        first = spec.layout == "channels_first"
        size = spec.size
        shape = (spec.channels, *size) if first else (*size, spec.channels)
        if pool is not None and pool.shape[1:] != shape:
            pool = None  # the target comes in another size: without what needs it
        names = chosen(operations, spec.channels, pool is not None)
        self.bank = Bank(names, spec.layout)
        self.controller = AugmentationController(names)
        self.kept = _KeptImages(spec)
        self.labelled = LabelledAttributes(spec)
        self.state = State("shiftguard_augmentation")
        self.strengths = self.state.add("strengths", (len(names),))
        self.low = self.state.add("low", (spec.channels,))
        self.high = self.state.add("high", (spec.channels,), fill=1.0)
        self.target_images = None if pool is None else np.asarray(pool[:POOL], "float32")
        self._rehearsal: Rehearsal | None = None
        self._classes: ClassAttributes | None = None
        self.pool = None
        if self.target_images is not None:
            self.pool = self.state.add("pool", self.target_images.shape)
            assign(self.pool, self.target_images)

    def apply(self, x: Any, y: Any, seed: Any) -> Any:
        self.kept.update(x)
        self.labelled.update(x, y)
        pool = None if self.pool is None else self.pool.value
        strengths, low, high = (v.value for v in (self.strengths, self.low, self.high))
        return self.bank.apply(x, strengths, low, high, seed, pool)

    def update(self, train: InputSummary, target: InputSummary) -> list[Change]:
        images, _ = self.kept.read()
        if not len(images) or train.features.names != target.features.names:
            return []
        low, high = value_range(train, target)
        assign(self.low, low)
        assign(self.high, high)
        if self._rehearsal is None:  # the images stay the same, so one is enough
            self._rehearsal = Rehearsal(self.bank, self.spec, images, self.target_images)
        self._rehearsal.set_range(low, high)
        if self._classes is None:
            self._classes = ClassAttributes.of(*self.labelled.read())
        features = with_mix_of(target.features, train.features, self._classes)
        changes = self.controller.update(features, target.features, self._rehearsal)
        assign(self.strengths, self.controller.strengths)
        return changes

    def saved(self) -> dict[str, Any]:
        """What `restore` needs, as plain values."""
        edges = (ops.convert_to_numpy(v.value).tolist() for v in (self.low, self.high))
        return {**self.controller.state(), "range": list(edges)}

    def restore(self, state: Mapping[str, Any]) -> None:
        self.controller.restore(state)
        assign(self.strengths, self.controller.strengths)
        for variable, value in zip((self.low, self.high), state["range"], strict=True):
            assign(variable, value)


class StepAugmentation(keras.metrics.Metric):
    """Adaptive augmentation of what a model is trained on, inside the step.

    A Metric because that is the state a compiled step may change on every
    backend, as `Stream` is; it adds nothing to the logs. At zero strength the
    batch passes unchanged.

    Args:
        operations: Names of the operations it may use. None means all that
            cannot change what a label says.
        pool: By input, unlabelled images of the target, as they are fed.
        seed: Makes the augmentation reproducible.
    """

    def __init__(
        self,
        operations: Sequence[str] | None = None,
        pool: Mapping[str, np.ndarray] | None = None,
        seed: int = 0,
    ) -> None:
        super().__init__(name="shiftguard_augmentation")
        self.operations = operations
        self.images = dict(pool or {})
        self.generator = keras.random.SeedGenerator(seed)
        self.inputs: dict[str, _InputAugmentation] = {}
        self.is_built = False

    def build(self, specs: Sequence[InputSpec]) -> None:
        """Creates the variables of every image input."""
        for spec in specs:
            if attribute_names(spec):
                pool = self.images.get(spec.name)
                self.inputs[spec.name] = _InputAugmentation(spec, self.operations, pool)
        states = [part.state for part in self.inputs.values()]
        states += [part.kept.state for part in self.inputs.values()]
        states += [part.labelled.state for part in self.inputs.values()]
        # Tracked through these attributes: on JAX they are state of the step.
        self.state_variables = [v for state in states for v in state.variables]
        self.seed_state = self.generator.state
        self.is_built = True

    def reset_state(self) -> None:
        """Nothing: Keras calls this at every epoch."""

    def update_state(self, *args: Any, **kwargs: Any) -> None:
        """Nothing: it measures nothing."""

    def result(self) -> dict[str, Any]:
        return {}

    def apply(self, name: str, x: Any, y: Any = None) -> Any:
        """Augments a training batch of one input. Runs inside the compiled step.

        Args:
            name: Of the input.
            x: The batch.
            y: Its labels, if there are any: they tell what the classes look like.
        """
        if name not in self.inputs:
            return x
        return self.inputs[name].apply(x, y, drawn_seed(self.generator))

    def update(self, train: InputProfile, target: InputProfile) -> list[Change]:
        """Moves the strengths after an epoch. Runs on the host.

        Args:
            train: The latest pass of training, measured before augmentation.
            target: The target, or validation where there is none.

        Returns:
            What changed, with reasons.
        """
        changes: list[Change] = []
        for name, part in self.inputs.items():
            if name in train.inputs and name in target.inputs:
                changes += part.update(train.inputs[name], target.inputs[name])
        return changes

    @property
    def strengths(self) -> dict[str, float]:
        """By operation; `input/operation` where a model has several image inputs."""
        return {
            self._named(name, operation): float(value)
            for name, part in self.inputs.items()
            for operation, value in zip(
                part.controller.names, part.controller.strengths, strict=True
            )
        }

    @property
    def gaps(self) -> dict[str, float]:
        """By attribute, what is left of the shift, in standard deviations."""
        return {
            self._named(name, attribute): gap
            for name, part in self.inputs.items()
            for attribute, gap in part.controller.gaps.items()
        }

    def _named(self, name: str, what: str) -> str:
        return what if len(self.inputs) == 1 else f"{name}/{what}"

    def state(self) -> dict[str, Any]:
        """All that `restore` needs to continue, as plain values for JSON."""
        return {
            "seed": ops.convert_to_numpy(self.generator.state.value).tolist(),
            "inputs": {name: part.saved() for name, part in self.inputs.items()},
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continues where `state()` was taken; for a resumed fit."""
        kind = self.generator.state.dtype
        assign(self.generator.state, np.asarray(state["seed"]).astype(kind))
        for name, part in self.inputs.items():
            if name in state["inputs"]:
                part.restore(state["inputs"][name])


def value_range(train: InputSummary, target: InputSummary) -> tuple[np.ndarray, np.ndarray]:
    """Black and white of each channel: of the 8-bit convention, else the extremes."""
    channels = train.num_channels
    seen = train.minimum, np.maximum(train.maximum, target.maximum)
    low, high = np.minimum(seen[0], target.minimum), seen[1]
    for name, (mode, order) in LATTICES.items():
        if train.lattice_values and train.lattice_share(name) > ON_LATTICE:
            scale, offset = (np.asarray(v) for v in MODES[mode])
            if order == "bgr":
                scale, offset = scale[::-1], offset[::-1]
            if channels not in (1, 3):
                continue
            black, white = offset[:channels], offset[:channels] + 255 * scale[:channels]
            # A grid may be shared by several conventions (0 and 1 lie on all
            # of them): the one whose range the data keeps to.
            slack = 0.01 * (white - black)
            if np.all(black - slack <= train.minimum) and np.all(train.maximum <= white + slack):
                if np.all(train.maximum - train.minimum > 0.2 * (white - black)):
                    return black, white
    flat = ~(high > low)
    return np.where(flat, 0.0, low), np.where(flat, 1.0, high)
