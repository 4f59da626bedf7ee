"""`DomainAdaptationModel`: a model trained on two domains at once."""

from typing import Any, Self

import keras
import numpy as np
from keras import ops

from keras_shiftguard.adaptation.domains.alignment import Alignment
from keras_shiftguard.adaptation.domains.arguments import check_arguments
from keras_shiftguard.adaptation.domains.evidence import Evidence
from keras_shiftguard.adaptation.domains.feature_split import Split
from keras_shiftguard.adaptation.domains.fitting import train
from keras_shiftguard.adaptation.domains.mixing import DomainMixing, is_image
from keras_shiftguard.adaptation.domains.pair_model import PairModel
from keras_shiftguard.adaptation.domains.report import Action, AlignmentReport
from keras_shiftguard.errors import BadInputError, warn
from keras_shiftguard.instrument.model_outputs import is_classifier
from keras_shiftguard.instrument.processes import is_first_process


@keras.saving.register_keras_serializable(package="keras_shiftguard")
class DomainAdaptationModel(PairModel):
    """Trains a model on a labelled source so that it works on an unlabelled target.

    The features that `feature_layer` puts out are made alike in both domains
    while the model learns its task on the source. It is used like the model
    that it wraps: `compile`, `fit`, `evaluate`, `predict`, `save`. The weights
    of `model` itself are trained: take it from `adapted_model` and ship it.

    After each epoch it looks at both domains, without labels of the target:
    where alignment harms what the model can do on the source, the alignment
    backs off, and in the end it switches itself off. `report` says what was
    done and why.

    Args:
        model: A functional or sequential model with one output, compiled or
            not.
        feature_layer: Name of the layer whose output is aligned. Defaults to
            the one before the last layer with weights.
        method: `"dann"`: a head learns to tell the domains apart, and its
            reversed gradient makes the features alike. `"cdan"`: the head sees
            the class probabilities as well. `"mmd"`: the maximum mean
            discrepancy is made small. `"coral"`: means and covariances are
            drawn together. `"auto"`: begins with `"mmd"`, and goes over to one
            distance for each class where the evidence allows it.
        strength: What alignment weighs beside the task. 0 switches it off, and
            `fit` is that of the plain model, bit for bit.
        source_first: Share of the epochs, before alignment starts, that go to
            the source alone. Where the target's classes lie is read at its end;
            a model that has not learned its task can tell nothing. 0 for one
            that has. Not for regression.
        warmup: Share of the rest over which the strength rises from 0.
        label_shift: Whether to estimate the mix of classes in the target, and
            to weight the source's classes accordingly where it differs.
        protect: Whether to act on what the looks show, and to end with the mean
            weights of the last epochs. Without it looks are taken, and nothing
            is done.
        mixing: Largest share of a target image that is blended into a source image
            in training, 0 to 0.5; inputs that are no images are never blended.
        units: Hidden layers of the domain head.
        verbose: 0 is silent, 1 says what is done, and why.

    Attributes:
        adapted_model: The plain model, compiled with the same loss and
            metrics, that loads where this package is not installed.
        alignment: `AlignmentReport`: does it work, in words.
        actions: List of `Action`: what was changed on the way, and why.

    Reference: Ganin et al., JMLR 17 (2016); Long et al., ICML 2015 and NeurIPS
    2018; Sun and Saenko, ECCV workshops 2016; Zhu et al., IEEE TNNLS 2021.

    Example:

    >>> inputs = keras.Input((2,))
    >>> features = keras.layers.Dense(4, activation="relu", name="features")(inputs)
    >>> model = keras.Model(inputs, keras.layers.Dense(2)(features))
    >>> adapted = DomainAdaptationModel(model, method="mmd", verbose=0)
    >>> loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    >>> adapted.compile("adam", loss)
    >>> x = np.random.default_rng(0).normal(size=(64, 2)).astype("float32")
    >>> _ = adapted.fit(x, np.arange(64) % 2, target_data=x + 1, verbose=0)
    >>> adapted.predict(x, verbose=0).shape
    (64, 2)
    """

    def __init__(
        self,
        model: keras.Model,
        feature_layer: str | None = None,
        method: str = "dann",
        strength: float = 1.0,
        source_first: float = 0.4,
        warmup: float = 0.5,
        label_shift: bool = True,
        protect: bool = True,
        mixing: float = 0.5,
        units: tuple[int, ...] = (128, 128),
        verbose: int = 1,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        check_arguments(method, strength, source_first, warmup, mixing)
        self.split = Split(model, feature_layer)
        self.base = model
        self.feature_layer = feature_layer
        self.method = method
        self.initial_strength = float(strength)
        self.source_first = float(source_first)
        self.warmup = float(warmup)
        self.label_shift = label_shift
        self.protect = protect
        self.mixing = float(mixing)
        self.units = tuple(units)
        self.verbose = verbose
        self.looks: list[Evidence] = []
        self.actions: list[Action] = []
        self.is_off = False
        n = self.split.num_outputs
        self.alignment_layer = Alignment(method, max(n, 2), self.units, name="alignment")
        self.alignment_layer.build((None, self.split.width))
        self.alignment_layer.strength.assign(self.initial_strength)
        self.mixing_layer = DomainMixing(self.mixing, name="mixing")
        self.num_classes = max(n, 2)
        self.built = True
        if feature_layer is None:
            self.say(
                f"DomainAdaptationModel aligns the output of {self.split.name!r}, the input of the "
                "head. `feature_layer=` chooses another layer."
            )

    # --- what the user calls --------------------------------------------------

    def fit(self, x: Any = None, y: Any = None, target_data: Any = None, **kwargs: Any) -> Any:
        """Trains on both domains.

        Args:
            x: The source, in any form that `keras.Model.fit` takes: arrays,
                `tf.data.Dataset`, `keras.utils.PyDataset`, torch `DataLoader`,
                generator.
            y: Its labels, if `x` holds arrays.
            target_data: Unlabelled data of the target, in any of these forms.
                Its size need not be that of the source: it begins again when
                it is over. Labels are left out. None trains on the source alone.
            **kwargs: As for `keras.Model.fit`.

        Returns:
            The `History`, with `alignment_loss` (and, for adversarial methods,
            `domain_accuracy`, of which 0.5 is chance) beside the metrics.

        Raises:
            BadInputError: before training starts, for streams that cannot be
                aligned; the message says how to fix it.
        """
        self._compile_if_needed()
        self._read_loss()
        if target_data is None or self.initial_strength == 0 or self.is_off:
            return super().fit(x, y, **kwargs)
        return train(self, super().fit, x, y, target_data, kwargs)

    @property
    def adapted_model(self) -> keras.Model:
        """The wrapped model with its new weights, ready to `evaluate` and `save`."""
        if self.compiled and not getattr(self.base, "compiled", False):
            try:
                self.base.compile_from_config(self.get_compile_config())
            except Exception as error:  # a loss of the user's that is not registered
                warn(
                    f"`adapted_model` is not compiled: {type(error).__name__}: {error} Call "
                    "`compile` on it; `predict` works as it is."
                )
        return self.base

    @property
    def alignment(self) -> AlignmentReport:
        """Whether alignment works, in words: print it."""
        off = self.is_off or self.initial_strength == 0
        return AlignmentReport(
            method="off" if off else self.method,
            feature_layer=self.split.name,
            looks=tuple(self.looks),
            actions=tuple(self.actions),
            strength=0.0 if off else self.current_strength,
        )

    # --- dials ------------------------------------------------------------------

    @property
    def blends(self) -> bool:
        """Whether source images are blended with those of the target in training."""
        return bool(self.mixing and self.num_classes) and any(map(is_image, self.base.inputs))

    @property
    def source_suffers(self) -> bool:
        """Whether the last look saw the source classified worse than the best one did."""
        best = max((look.source_accuracy for look in self.looks), default=0.0)
        return bool(self.looks) and self.looks[-1].source_fell(best)

    @property
    def current_strength(self) -> float:
        """Strength of the alignment after the ramp, as it is now."""
        return float(ops.convert_to_numpy(self.alignment_layer.strength))

    def set_strength(self, strength: float) -> None:
        """Sets the strength, at any time."""
        self.alignment_layer.strength.assign(float(strength))

    def switch_off(self, reason: str, epoch: int = 0) -> None:
        """Switches alignment off for good; a later `fit` is that of the plain model."""
        self.is_off = True
        self.set_strength(0.0)
        self.alignment_layer.class_weights.assign(
            np.ones(self.alignment_layer.class_weights.shape, "float32")
        )
        action = Action(epoch, "alignment switched off", reason)
        self.actions.append(action)
        self.say(str(action))

    def say(self, message: str) -> None:
        """Prints, if the user wants to hear it; of several processes one does."""
        if self.verbose and is_first_process():
            print(message)

    # --- what others ask of a model ---------------------------------------------

    @property
    def input(self) -> Any:
        """The inputs of the wrapped model."""
        return self.base.inputs[0] if isinstance(self.base, keras.Sequential) else self.base.input

    @property
    def output_shape(self) -> tuple[int | None, ...]:
        """Of the wrapped model."""
        return tuple(self.base.outputs[0].shape)

    def _compile_if_needed(self) -> None:
        if self.compiled or not getattr(self.base, "compiled", False):
            return
        self.compile_from_config(self.base.get_compile_config())

    def _read_loss(self) -> None:
        """Whether the outputs are classes is known once the loss is."""
        classes = max(self.split.num_outputs, 2) if is_classifier(self) else 0
        if not classes and self.method == "cdan":
            raise BadInputError(
                "method='cdan' needs class probabilities, and the loss is one of regression. Use "
                "'dann', 'mmd' or 'coral'."
            )
        self.num_classes = self.alignment_layer.num_classes = classes

    def get_config(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "model": keras.saving.serialize_keras_object(self.base),
            "feature_layer": self.feature_layer,
            "method": self.method,
            "strength": self.initial_strength,
            "source_first": self.source_first,
            "warmup": self.warmup,
            "label_shift": self.label_shift,
            "protect": self.protect,
            "mixing": self.mixing,
            "units": self.units,
            "verbose": self.verbose,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> Self:
        config = dict(config)
        verbose = config.pop("verbose")
        config["model"] = keras.saving.deserialize_keras_object(
            config["model"], custom_objects=custom_objects
        )
        loaded = cls(**config, verbose=0)
        loaded.verbose = verbose
        return loaded
