"""`DomainAdaptationModel`: a Keras model that is trained on two domains at once."""

from collections.abc import Sequence
from typing import Any, Self

import keras

from keras_shiftguard.domains.alignment.methods import (
    NEED_VIEWS,
    make_methods,
    method_names,
    refuse_classes,
)
from keras_shiftguard.domains.arguments import check_options
from keras_shiftguard.domains.evidence import Evidence
from keras_shiftguard.domains.feature_split import (
    Split,
    structured_inputs,
    warn_of_own_methods,
)
from keras_shiftguard.domains.fitting import train
from keras_shiftguard.domains.outcome import Outcome
from keras_shiftguard.domains.pair_model import PairModel
from keras_shiftguard.domains.report import ALIGNING, Action, AlignmentReport
from keras_shiftguard.domains.views import Views, check_views
from keras_shiftguard.errors import BadInputError, warn
from keras_shiftguard.instrument.model_outputs import are_logits, is_classifier, last_activation
from keras_shiftguard.statistics.state import untrained


@keras.saving.register_keras_serializable(package="keras_shiftguard")
class DomainAdaptationModel(PairModel):
    """Wrapper that trains a model on a labelled source to work on an unlabelled target.

    The wrapper is used like the model that it wraps: `compile`, `fit`, `evaluate`,
    `predict`, `save`. It trains the weights of `model` itself, which is available as
    `adapted_model`. Each batch of `fit` holds samples of both domains. The loss of the method is
    added to the loss of the task from the first step on (with `"auto"`, from the second stage on;
    `"augmentation"` adds none).

    Args:
        model: A functional or sequential model with one output, compiled or not.
        feature_layer: Name of the layer whose output `"dann"`, `"cdan"`, `"mmd"` and
            `"coral"` align; with other methods, it is only measured for the report. Defaults to
            the layer that feeds the last layer with weights.
        method: One of these, or a tuple of them, whose losses are added. The methods follow the
            papers below; the class of each method lists how it differs from its paper.

            - `"dann"`: a domain head learns to tell the domains apart by their features,
              and its reversed gradient makes them alike.
            - `"cdan"`: as `"dann"`, with a head that also gets the class probabilities.
            - `"mmd"`: the maximum mean discrepancy of the features is minimized (DAN).
            - `"coral"`: the difference of the feature covariances is minimized (Deep CORAL).
            - `"adamatch"`: strongly augmented target samples get the labels that the model
              gives to weakly augmented ones, with aligned class shares.
            - `"augmentation"`: the source is trained on weakly and strongly augmented samples,
              as in AdaMatch; the target has no loss.

            Or `"auto"`: a first stage with `"augmentation"`, then AdaMatch. If the accuracy on the
            source falls in the second stage, or the predictions on the target collapse to a few
            classes, the weights of the first stage are restored, and AdaMatch is switched off.
            Other harm on the target is not seen, because its labels are not known.
        strength: Weight of the method. 0 switches the method off, and the training is then that of
            the plain model, bit for bit. For `"dann"` and `"cdan"`, `strength` is the largest
            factor of the reversed gradient.
        units: Numbers of units of the hidden layers of the domain head.
        entropy: Whether `"cdan"` weights samples by how clear their class is (CDAN+E).
        augmentation: Layer that augments a batch of inputs strongly, called with
            `training=True`. If None, the methods that need strong augmentation use a built-in
            one for images, vectors and signals. With any other method, if a layer is given, the
            source is also trained on strongly augmented samples.
        verbose: 0 is silent; 1 prints what is done and why. Before training, 1 also prints whether
            adaptation is likely to help. After training, if there is `validation_data`, it also
            prints the estimated accuracy on the target.

    Attributes:
        adapted_model: The plain model. After a fit it is compiled with the same loss and metrics,
            in place of those with which it was compiled before. It can be loaded where this
            package is not installed.
        alignment: `AlignmentReport` on both domains, in words.
        actions: List of `Action`: changes during training, with reasons.

    Raises:
        BadInputError: If an argument is invalid, or if the model cannot be split at
            `feature_layer`.

    Reference: Ganin et al., JMLR 17 (2016); Long et al., NeurIPS 2018 (CDAN) and ICML
    2015 (DAN); Sun and Saenko, ECCV workshops 2016; Berthelot et al., ICLR 2022.

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
        method: str | Sequence[str] = "dann",
        strength: float = 1.0,
        units: tuple[int, ...] = (100,),
        entropy: bool = False,
        augmentation: keras.layers.Layer | None = None,
        verbose: int = 1,
        **kwargs: Any,
    ) -> None:
        # Views are made in the dtype of the data; the layers of the network cast by themselves.
        super().__init__(autocast=False, **kwargs)
        names = method_names(method)
        check_options(names, strength, entropy, units, augmentation)
        self.split = Split(model, feature_layer)
        warn_of_own_methods(model)
        self.base = model
        self._has_compiled_base = False  # since the latest fit
        self.feature_layer = feature_layer
        self.method = method if isinstance(method, str) else names
        self.method_names = names
        self.initial_strength = float(strength)
        self.units = tuple(units)
        self.entropy = bool(entropy)
        self.augmentation = augmentation
        self.verbose = verbose
        self.looks: list[Evidence] = []
        self.actions: list[Action] = []
        self.expected = self.outcome = ""  # of the latest fit, see `AlignmentReport`
        self.judging: Outcome | None = None  # set during a fit
        self.num_classes = max(self.split.num_outputs, 2)
        sizes = self.split.width, self.num_classes
        self.methods = make_methods(names, *sizes, self.units, self.entropy)
        self.views = None
        if augmentation is not None or set(names) & set(NEED_VIEWS):
            self.views = Views(augmentation, name="views")
            self.views.build([tuple(tensor.shape) for tensor in model.inputs])
        self.strength = untrained(self, "strength", self.initial_strength)
        self.steps_done = untrained(self, "steps_done", 0.0)
        self.steps = untrained(self, "steps", 0.0)
        self.alignment_tracker = keras.metrics.Mean(name="alignment_loss")
        self.built = True
        if feature_layer is None and set(names) & set(ALIGNING):
            self.say(
                f"DomainAdaptationModel aligns the output of {self.split.name!r}, the input of the "
                "head. `feature_layer=` chooses another layer."
            )

    # --- training and results -------------------------------------------------

    def fit(self, x: Any = None, y: Any = None, target_data: Any = None, **kwargs: Any) -> Any:
        """Trains on both domains.

        Args:
            x: The source, in any form that `keras.Model.fit` takes: arrays,
                `tf.data.Dataset`, `keras.utils.PyDataset`, torch `DataLoader`,
                generator.
            y: Labels of the source, if `x` holds arrays.
            target_data: Unlabelled data of the target, in any of these forms. It
                may have another size than the source, since it is repeated.
                Labels are ignored. None trains on the source alone.
            **kwargs: The other arguments of `keras.Model.fit`. Class and sample weights weigh the
                loss of the task only.

        Returns:
            The `History`, with `alignment_loss` beside the metrics. Adversarial methods
            also have `domain_accuracy`, which is 0.5 if the head can only guess, and
            AdaMatch `pseudo_labelled`, the share of the target that is trained on.

        Raises:
            BadInputError: Before training starts, if the data, the model or its loss cannot
                be used.
        """
        if not self.compiled and getattr(self.base, "compiled", False):
            self.compile_from_config(self.base.get_compile_config())
        self._has_compiled_base = False
        self._read_loss()
        if target_data is None or self.initial_strength == 0:
            self.expected = self.outcome = ""
            return super().fit(x, y, **kwargs)
        if not self.base.trainable_variables:
            raise BadInputError(
                f"Nothing of {self.base.name!r} can be trained: all its layers are frozen. Set "
                "`trainable = True` on some of them, and compile again."
            )
        return train(self, super().fit, x, y, target_data, kwargs)

    @property
    def adapted_model(self) -> keras.Model:
        """The wrapped model with its new weights, ready to `evaluate` and `save`."""
        if self.compiled and not self._has_compiled_base:
            self._has_compiled_base = True
            try:
                self.base.compile_from_config(self.get_compile_config())
            except Exception as error:  # for example a custom loss that is not registered
                warn(
                    "`adapted_model` is not compiled with this loss and these metrics: "
                    f"{type(error).__name__}: {error} Call `compile` on it; `predict` works as it "
                    "is."
                )
        return self.base

    @property
    def alignment(self) -> AlignmentReport:
        """The report on the alignment; print it."""
        return AlignmentReport(
            method=" + ".join(self.method_names),
            feature_layer=self.split.name,
            looks=tuple(self.looks),
            actions=tuple(self.actions),
            strength=self.current_strength,
            expected=self.expected,
            outcome=self.outcome,
        )

    def judge(self) -> str:
        """Returns `outcome`, measured anew while a fit is running; "" if it is unknown."""
        if self.judging is not None:
            self.outcome = self.judging.worth().line
        return self.outcome

    # --- properties and configuration of a Keras model --------------------------

    @property
    def input(self) -> Any:
        """The inputs of the wrapped model."""
        return structured_inputs(self.base)

    @property
    def output_shape(self) -> tuple[int | None, ...]:
        """The output shape of the wrapped model."""
        return tuple(self.base.outputs[0].shape)

    def _read_loss(self) -> None:
        """Sets `num_classes` (0 if the loss is for regression); checks that the methods suit it."""
        is_for_classes = is_classifier(self.base, loss=self.loss)
        self.num_classes = max(self.split.num_outputs, 2) if is_for_classes else 0
        names, outputs = self.method_names, self.split.num_outputs
        if not self.num_classes:
            why = "class probabilities, but the loss is one for regression. Use"
            refuse_classes(names, f"{why} 'dann', 'mmd' or 'coral'.")
        if outputs > 1 and last_activation(self.base) == "sigmoid":
            refuse_classes(
                names,
                f"one class for each sample, and the model ends in {outputs} sigmoids, which are "
                "answers to as many questions. End it in a softmax, or use 'dann', 'mmd', 'coral' "
                "or 'augmentation'.",
            )
        # The values may mislead: logits of one column may all lie in [0, 1], and rows of
        # probabilities in half precision may miss the sum 1.
        self.are_logits = are_logits(self.base, self.loss)
        if self.views is not None and self.augmentation is None:
            check_views(self.base.inputs, self.method)

    def use_multi_label(self) -> None:
        """Prepares for a fit whose labels are several classes for each sample."""
        refuse_classes(
            self.method_names,
            "one class for each sample, and some samples have several classes or none. Use 'dann', "
            "'mmd', 'coral' or 'augmentation'.",
        )
        self.num_classes = 0  # the outputs are not measured as class probabilities

    def get_config(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "model": keras.saving.serialize_keras_object(self.base),
            "feature_layer": self.feature_layer,
            "method": self.method,
            "strength": self.initial_strength,
            "units": self.units,
            "entropy": self.entropy,
            "augmentation": keras.saving.serialize_keras_object(self.augmentation),
            "verbose": self.verbose,
            "actions": [(a.epoch, a.what, a.reason) for a in self.actions],
        }

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> Self:
        config = dict(config)
        verbose, actions = config.pop("verbose"), config.pop("actions", [])
        for part in ("model", "augmentation"):
            config[part] = keras.saving.deserialize_keras_object(
                config[part], custom_objects=custom_objects
            )
        loaded = cls(**config, verbose=0)  # prints no message on the feature layer
        loaded.verbose = verbose
        loaded.actions = [Action(*each) for each in actions]
        return loaded
