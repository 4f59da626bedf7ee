"""Structural expectation: what each input of a model must receive, read from its structure."""

from dataclasses import dataclass, replace
from typing import Any

from keras import layers

from keras_shiftguard.conventions import MODES
from keras_shiftguard.instrument.graph import has_graph, walk
from keras_shiftguard.instrument.model_outputs import cause_of
from keras_shiftguard.instrument.trained_weights import head_of, is_fresh
from keras_shiftguard.preprocessing.correction.convention import RAW, UNKNOWN, InputConvention
from keras_shiftguard.preprocessing.expected.architectures import Architecture
from keras_shiftguard.preprocessing.expected.front import FrontError, run_layers, run_model
from keras_shiftguard.preprocessing.expected.front_input import (
    before_own_layers,
    describe,
    invert,
    is_usual,
)
from keras_shiftguard.preprocessing.expected.hypothesis_names import same_numbers
from keras_shiftguard.preprocessing.expected.recognition import Recognition, recognise

SCALING = (layers.Rescaling, layers.Normalization)  # layers that scale their input


@dataclass(frozen=True)
class StructuralExpectation:
    """What one image input of a model must receive, according to the structure of the model."""

    name: str  # "input" for a model with one input, else the input layer's name
    convention: InputConvention = UNKNOWN  # of the input tensor
    # What the recognized network inside the model must receive: another convention than that of
    # the input if the model preprocesses its input.
    inner: InputConvention = UNKNOWN
    architecture: str | None = None  # name in `keras.applications`, if one network is recognized
    native_size: int | None = None  # height and width of the images of its publication
    published_top1: float | None = None  # its accuracy on ImageNet at that size
    fresh: bool = False  # whether the network's weights look untrained, see `is_fresh`
    head: str = "none"  # the kind of head at the end of the model, see `head_of`
    trainable: bool = False  # whether the network has trainable weights
    # Whether preprocessing layers inside the model show what its input must receive: they turn a
    # named convention into the published one, or into another named one if no network is known.
    speaks: bool = False
    scaling: tuple[str, ...] = ()  # names of the layers of the model that scale its input
    evidence: tuple[str, ...] = ()

    @property
    def has_own_head(self) -> bool:
        """Whether the user trained the head, maybe on other input than the network."""
        return self.head in ("own", "transferred")


def expect_from_structure(model: Any) -> tuple[StructuralExpectation, ...]:
    """Returns what each image input of a model must receive, in the order of `model.inputs`.

    The function recognizes the networks of `keras.applications` anywhere in the model, and includes
    all preprocessing that the model does in front of them. It does not run these networks or look
    at their weights. If the model was never called, the layers in front of the network are built.
    """
    inputs = _image_inputs(model)
    try:
        found = recognise(model)
        head = head_of(model, [layer for match in found for layer in match.layers])
        scaling = tuple(each.name for each in walk(model) if isinstance(each, SCALING))
        # No list: on JAX, an exception that was caught would keep it and this frame alive.
        return tuple(
            replace(_for_input(model, found, position, name, inputs), head=head, scaling=scaling)
            for position, name in inputs
        )
    except Exception as error:  # a model may be built in ways that were not foreseen
        text = f"The model's graph could not be read ({cause_of(error)})."
        return tuple(StructuralExpectation(name, evidence=(text,)) for _, name in inputs)


def _image_inputs(model: Any) -> list[tuple[int, str]]:
    """Returns position and name of each image input; the only input is called "input"."""
    if not has_graph(model):
        return [(0, "input")]
    images = [(i, t.name) for i, t in enumerate(model.inputs) if len(t.shape) in (4, 5)]
    return [(i, "input") for i, _ in images] if len(model.inputs) == 1 else images


def _for_input(
    model: Any, found: list[Recognition], position: int, name: str, inputs: list[tuple[int, str]]
) -> StructuralExpectation:
    """Returns what one input must receive."""
    answers = []
    for match in found:
        if position in match.inputs if match.graph is model else len(inputs) == 1:
            try:
                answers.append(_expect(model, match, position, name))
            except Exception as error:  # a layer of the user's own may raise anything
                text = (
                    f"The model contains {match.candidates[0].name}, but what it expects could "
                    f"not be read ({cause_of(error)})."
                )
                answers.append(StructuralExpectation(name, evidence=(text,)))
    if not answers:
        nested = sorted({c.name for m in found if m.graph is not model for c in m.candidates})
        return _of_unrecognized(model, nested, position, name)
    known = [a for a in answers if a.convention.is_known]
    first = (known or answers)[0]
    wanted = first.convention
    if all(
        same_numbers(wanted, other.convention)
        and wanted.channel_order == other.convention.channel_order
        for other in known
    ):
        return first
    names = " and ".join(str(a.architecture) for a in answers)
    text = f"The networks on this input, {names}, do not expect the same images."
    said = dict.fromkeys(s for a in answers for s in a.evidence)
    return StructuralExpectation(name, evidence=(text, *said))


def _of_unrecognized(
    model: Any, nested: list[str], position: int, name: str
) -> StructuralExpectation:
    """Returns what an input must receive if no network is recognized behind it.

    `nested` has the names of networks that are recognized inside layers of the user's own.
    """
    text = "The structure is that of no network of keras.applications."
    if nested:
        text = f"The model contains {', '.join(nested)}, but which input feeds it is not visible."
    answer = StructuralExpectation(
        name,
        fresh=is_fresh(walk(model)),
        trainable=bool(getattr(model, "trainable_weights", None)),
        evidence=(text,),
    )
    own = before_own_layers(model, position) if has_graph(model) and not nested else None
    if own is None:
        return answer
    text = f"The model's own layers compute {own[1]}: its input must receive {own[0]}."
    return replace(answer, convention=own[0], speaks=True, evidence=(text,))


def _expect(model: Any, match: Recognition, position: int, name: str) -> StructuralExpectation:
    """Returns what an input must receive so that one recognized network gets what it expects."""
    network = match.candidates[0]
    evidence = [_sentence(match)]
    is_whole = match.convolutions == match.signature.convolutions
    is_single = len(match.candidates) == 1
    answer = StructuralExpectation(
        name,
        architecture=network.name if is_single else None,
        native_size=network.size if len({c.size for c in match.candidates}) == 1 else None,
        published_top1=network.top1 if match.signature.variant is None and is_whole else None,
        fresh=is_fresh(match.layers),
        trainable=any(getattr(layer, "trainable_weights", None) for layer in match.layers),
    )
    channels = match.stem.kernel.shape[-2] if match.stem.built else 3
    if channels != 3:
        evidence.append(
            f"Its first convolution takes {channels} channel(s), not 3, so it does not hold "
            "the published weights, and their preprocessing does not apply."
        )
        return replace(answer, evidence=tuple(evidence))
    channels_first = match.stem.data_format == "channels_first"
    own = _own_front(network, match, channels_first)
    # Conventions that the network accepts; the last convention is the documented one.
    accepted = [RAW] if own else _stem_conventions(network)
    answer = replace(answer, inner=accepted[-1])
    family = network.name if is_single else f"The {network.family} family"
    evidence.append(
        f"{network.name} turns raw RGB 0..255 into what it needs by itself."
        if own
        else f"{family} wants {accepted[-1]}."
    )
    shape = tuple(match.graph.inputs[match.inputs[0]].shape)
    inner_shape = shape if len(shape) >= 4 else (None, None, None, 3)
    try:
        if any(isinstance(f, layers.BatchNormalization) and f.trainable for f in match.front):
            raise FrontError("a trainable batch normalisation there adapts itself to any input")
        stop = own[0] if own else match.stem
        tensors = match.tensors_to_stem if match.graph is model else None
        fronts = run_model(model, position, stop, tensors, inner_shape, channels_first)
        options = [invert(fronts, convention) for convention in accepted]
    except FrontError as error:
        evidence.append(
            f"What the model does in front of {network.name} cannot be taken into account: {error}."
        )
        return replace(answer, evidence=tuple(evidence))
    convention, front = next((o for o in options if o[0].mode != "custom"), options[0])
    evidence += describe(front, convention, accepted[-1], network.name, bool(own))
    answer = replace(answer, evidence=tuple(evidence))
    order = convention.channel_order
    is_near = any(same_numbers(convention, InputConvention(mode, order)) for mode in MODES)
    if front.channels in (1, 3) and not is_usual(front) and not is_near:
        # No usual images are in this convention. So the layers in front of the network were most
        # likely part of its training, and the published convention does not apply.
        return answer
    speaks = (bool(own) or not front.is_identity) and convention.mode != "custom"
    return replace(answer, convention=convention, speaks=speaks)


def _sentence(match: Recognition) -> str:
    """Returns the sentence that says which network was recognized, and how much of it."""
    count, total = match.convolutions, match.signature.convolutions
    all_of = f"All {count}" if count == total else f"The first {count} of {total}"
    text = f"{all_of} convolutions agree with {match.signature.name} of keras.applications"
    if match.signature.variant == "width":
        text += " in another width"
    elif match.signature.variant:
        text += f" in its {match.signature.variant} form"
    if len(match.candidates) > 1:
        others = ", ".join(c.name for c in match.candidates[1:])
        text += f"; so do those of {others}"
    return text + "."


def _stem_conventions(network: Architecture) -> list[InputConvention]:
    """Returns the convention of the first convolution, then the documented one if it differs."""
    if network.mode == "tf128":
        exact = InputConvention("custom", network.order, (1 / 128,) * 3, (-1.0,) * 3)
        return [exact, InputConvention("tf", network.order)]
    return [InputConvention(network.mode, network.order)]


def _own_front(network: Architecture, match: Recognition, channels_first: bool) -> list[Any]:
    """Returns the network's own preprocessing layers in call order; [] if there are none."""
    chain = [f for f in match.front if not isinstance(f, layers.ZeroPadding2D)]
    # EfficientNet has its last Rescaling only if built with ImageNet weights.
    for names in filter(None, (network.inside, network.inside[:-1])):
        own = chain[: len(names)][::-1]
        if [type(layer).__name__ for layer in own] != list(names):
            continue
        exact, checked = _stem_conventions(network)[0], own
        if network.family == "EfficientNet":
            # Without ImageNet weights, its Normalization changes nothing, so only the first layer
            # can be checked.
            exact, checked = InputConvention("unit"), own[:1]
        try:
            if invert(run_layers(checked, channels_first), exact)[0] == RAW:
                return own
        except FrontError:
            continue
    return []
