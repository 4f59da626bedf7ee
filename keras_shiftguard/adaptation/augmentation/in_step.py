"""`StepAugmentation`: adaptive augmentation of the training batches of any model.

`ShiftGuard(adapt=True)` calls `apply` on training batches before the model sees them, and `update`
after each epoch.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras
import numpy as np

from keras_shiftguard.adaptation.augmentation.bank import Bank
from keras_shiftguard.adaptation.augmentation.controller import AugmentationController, Change
from keras_shiftguard.adaptation.augmentation.rehearsal import MAX_IMAGES, Rehearsal
from keras_shiftguard.adaptation.augmentation.selection import select_operations
from keras_shiftguard.adaptation.augmentation.value_range import value_range
from keras_shiftguard.operations.random_numbers import drawn_seed
from keras_shiftguard.profiles import InputProfile, InputSummary
from keras_shiftguard.statistics.batch import InputSpec
from keras_shiftguard.statistics.compiled import CompiledUpdate
from keras_shiftguard.statistics.kept_samples import KeptSamples
from keras_shiftguard.statistics.padding import Padding
from keras_shiftguard.statistics.sketches.attributes import names as attribute_names
from keras_shiftguard.statistics.state import State, assign, on_host

POOL_SIZE = 32  # images of the target in the pool. A convention.


class _InputAugmentation:
    """The augmentation of one image input, with the variables that the training step uses."""

    def __init__(
        self,
        spec: InputSpec,
        operations: Sequence[str] | None,
        pool: np.ndarray | None,
        generator: keras.random.SeedGenerator,
    ) -> None:
        self.spec = spec
        self.generator = generator
        channels_first = spec.layout == "channels_first"
        shape = (spec.channels, *spec.size) if channels_first else (*spec.size, spec.channels)
        if pool is not None and pool.shape[1:] != shape:
            pool = None  # images of another size cannot serve as a pool
        names = select_operations(operations, spec.channels, pool is not None)
        self.bank = Bank(names, spec.layout)
        self.controller = AugmentationController(names)
        self.first_images = KeptSamples(spec, MAX_IMAGES)
        self.first_images.spread(1)  # images of later batches are not copied
        self.state = State("shiftguard_augmentation")
        self.strengths = self.state.add("strengths", (len(names),))
        self.low = self.state.add("low", (spec.channels,))
        self.high = self.state.add("high", (spec.channels,), fill=1.0)
        self.target_images = None if pool is None else np.asarray(pool[:POOL_SIZE], "float32")
        self._rehearsal: Rehearsal | None = None
        self.pool = None
        if self.target_images is not None:
            self.pool = self.state.add("pool", self.target_images.shape)
            assign(self.pool, self.target_images)
        self._augment = CompiledUpdate(self._augmented, [*self.state.variables, generator.state])
        self._padding = Padding()

    def apply(self, x: Any) -> Any:
        """Returns the augmented batch `x`."""
        self.first_images.update(x)
        padded, _, rows = self._padding({"x": x})
        augmented = self._augment(padded["x"])
        is_padded = rows is not None and augmented.shape[0] != x.shape[0]
        return augmented[: x.shape[0]] if is_padded else augmented

    def _augmented(self, x: Any) -> Any:
        seed = drawn_seed(self.generator)
        pool = None if self.pool is None else self.pool.value
        strengths, low, high = (v.value for v in (self.strengths, self.low, self.high))
        return self.bank.apply(x, strengths, low, high, seed, pool)

    def update(self, train: InputSummary, target: InputSummary) -> list[Change]:
        """Updates the strengths after an epoch; returns the changes.

        Nothing changes if no images were seen, or if training and target have other attributes.
        """
        images, _ = self.first_images.read()
        if not len(images) or train.features.names != target.features.names:
            return []
        low, high = value_range(train, target)
        assign(self.low, low)
        assign(self.high, high)
        if self._rehearsal is None:  # made once, since the first images stay the same
            self._rehearsal = Rehearsal(self.bank, self.spec, images, self.target_images)
        self._rehearsal.set_range(low, high)
        changes = self.controller.update(train.features, target.features, self._rehearsal.measure)
        assign(self.strengths, self.controller.strengths)
        return changes

    def saved(self) -> dict[str, Any]:
        """Returns the state that `restore` needs, as plain values."""
        low, high = (on_host(v).tolist() for v in (self.low, self.high))
        return {**self.controller.state(), "range": [low, high]}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Restores the state of `saved()`."""
        self.controller.restore(state)
        assign(self.strengths, self.controller.strengths)
        for variable, value in zip((self.low, self.high), state["range"], strict=True):
            assign(variable, value)


class StepAugmentation:
    """Adaptive augmentation of the training batches of a model.

    At zero strength, the values of a batch stay the same, but integers become float32.

    Args:
        operations: Names of the operations that may be used. None means all
            operations that cannot make a label wrong.
        pool: Unlabeled images of the target by the name of the input, on the
            scale and in the layout of the model's input. Images of another size
            than the input are not used.
        seed: The seed of the random numbers.
    """

    def __init__(
        self,
        operations: Sequence[str] | None = None,
        pool: Mapping[str, np.ndarray] | None = None,
        seed: int = 0,
    ) -> None:
        self.operations = operations
        self.pools = dict(pool or {})
        self.generator = keras.random.SeedGenerator(seed, name="shiftguard_augmentation")
        self.inputs: dict[str, _InputAugmentation] = {}
        self.is_built = False

    def build(self, specs: Sequence[InputSpec]) -> None:
        """Creates the variables of every image input of at least 8 x 8 pixels."""
        for spec in specs:
            if attribute_names(spec):
                pool = self.pools.get(spec.name)
                self.inputs[spec.name] = _InputAugmentation(
                    spec, self.operations, pool, self.generator
                )
        self.is_built = True

    def apply(self, name: str, x: Any) -> Any:
        """Returns a training batch of an input augmented; inputs without images stay."""
        return self.inputs[name].apply(x) if name in self.inputs else x

    def update(self, train: InputProfile, target: InputProfile) -> list[Change]:
        """Updates the strengths after an epoch, on the host; returns the changes.

        Args:
            train: The profile of the latest training epoch, before augmentation.
            target: The profile of the target, or of validation data.
        """
        return [
            change
            for name, part in self.inputs.items()
            if name in train.inputs and name in target.inputs
            for change in part.update(train.inputs[name], target.inputs[name])
        ]

    @property
    def specs(self) -> dict[str, InputSpec]:
        """The specifications of the inputs that are augmented, by name."""
        return {name: part.spec for name, part in self.inputs.items()}

    @property
    def strengths(self) -> dict[str, float]:
        """The strengths by operation; by `input/operation` if there are several image inputs."""
        return self._by_name(lambda part: part.named_strengths)

    @property
    def gaps(self) -> dict[str, float]:
        """The remaining shift of each attribute, in standard deviations.

        The keys are `attribute`, or `input/attribute` if there are several image inputs.
        """
        return self._by_name(lambda part: part.gaps)

    @property
    def gaps_before(self) -> dict[str, float]:
        """The shift of each attribute without augmentation; units and keys as in `gaps`."""
        return self._by_name(lambda part: part.gaps_before)

    def _by_name(
        self, read: Callable[[AugmentationController], dict[str, float]]
    ) -> dict[str, float]:
        return {
            name if len(self.inputs) == 1 else f"{input_name}/{name}": value
            for input_name, part in self.inputs.items()
            for name, value in read(part.controller).items()
        }

    def state(self) -> dict[str, Any]:
        """Returns the state that `restore` needs, as plain values for JSON."""
        return {
            "seed": on_host(self.generator.state).tolist(),
            "inputs": {name: part.saved() for name, part in self.inputs.items()},
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Restores a state of `state()`, to resume a fit."""
        dtype = self.generator.state.dtype
        assign(self.generator.state, np.asarray(state["seed"]).astype(dtype))
        for name, part in self.inputs.items():
            if name in state["inputs"]:
                part.restore(state["inputs"][name])
