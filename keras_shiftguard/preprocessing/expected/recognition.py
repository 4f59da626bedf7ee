"""Recognition of the networks of `keras.applications` in a model, by the structure of its graph.

Every step of the graph gets a fingerprint, which covers everything between the image and this step:
each convolution, normalization, pooling and merge, and the connections between them. Names, image
sizes, weights and later steps do not count. `architectures.py` has two fingerprints of each
network: that of the last step of its trunk, and that of the first merge after half of its
convolutions. A network is recognized if some step of the graph has one of the two fingerprints. One
different kernel size, stride or bias before the step changes the fingerprint, so networks that are
only similar do not match. A different number of filters changes the fingerprint as well, except for
a variant (`Signature.variant`). Fewer than twelve convolutions are no evidence, and have no
fingerprint in the table.
"""

import hashlib
from dataclasses import dataclass
from typing import Any

from keras import layers

from keras_shiftguard.instrument.graph import (
    Step,
    ancestors,
    flatten,
    has_graph,
    nested_models,
)
from keras_shiftguard.preprocessing.expected.architectures import (
    ARCHITECTURES,
    SIGNATURES,
    Architecture,
    Signature,
)

IMAGE = "image"  # the fingerprint of all steps before the first convolution

_CONVOLUTIONS = (
    layers.Conv2D,
    layers.DepthwiseConv2D,
    layers.SeparableConv2D,
    layers.Conv2DTranspose,
)
_POOLS = (layers.MaxPooling2D, layers.AveragePooling2D)
_COMMUTATIVE = ("add", "multiply", "maximum", "average")


@dataclass(frozen=True, eq=False)
class Recognition:
    """One network found in a model."""

    # One, unless the network was cut so early that several begin with the same layers.
    candidates: tuple[Architecture, ...]
    signature: Signature
    convolutions: int  # that agree
    layers: tuple[Any, ...]  # that agree, the stem first
    front: tuple[Any, ...]  # operations before the stem, nearest first, up to the first branch
    stem: Any  # the first convolution
    inputs: tuple[int, ...]  # positions of the inputs of `graph` that feed the stem
    graph: Any  # the outermost model in whose graph the network was found
    tensors_to_stem: tuple[Any, ...]  # tensors of `graph` that must be computed to reach the stem


def recognise(model: Any) -> list[Recognition]:
    """Returns every known network in `model`: as a whole, as a part of its graph, or nested."""
    found = _recognise_graph(model) if has_graph(model) else []
    # Nested models are searched separately. Models inside custom layers or subclassed models are
    # not in the graph of `model`. Models after a layer with weights have other fingerprints in the
    # graph of `model`.
    for inner in nested_models(model):
        seen = {id(match.stem) for match in found}
        found += [match for match in _recognise_graph(inner) if id(match.stem) not in seen]
    return found


def _recognise_graph(model: Any) -> list[Recognition]:
    """Returns the known networks in the graph of one model."""
    steps = flatten(model)
    matches = []
    # For published networks, the fingerprints include the numbers of filters; for variants they do
    # not.
    for exact, table in ((True, _EXACT), (False, _VARIANTS)):
        for index, fingerprint in enumerate(fingerprints(steps, filters=exact)):
            for signature, whole in table.get(fingerprint, ()):
                count = sum(is_convolution(steps[i]) for i in body(steps, index))
                matches.append((whole, exact, count, index, signature))
    found: dict[int, Recognition] = {}  # by index of the stem
    # Keeps the best match of each stem. A whole trunk is better than a part; then a published
    # network is better than a variant; then more convolutions are better.
    for whole, _, count, index, signature in sorted(matches, key=lambda m: m[:4])[::-1]:
        inside = body(steps, index)
        stem = min(inside)
        if stem in found:
            continue
        names = [signature.name, *(() if whole else signature.half_shared_with)]
        called = {id(steps[i].operation): steps[i].operation for i in sorted(inside)}
        origins = {steps[i].origin for i in ancestors(steps, stem)} - {-1}
        found[stem] = Recognition(
            candidates=tuple(ARCHITECTURES[n] for n in names),
            signature=signature,
            convolutions=count,
            layers=tuple(called.values()),
            front=tuple(_chain(steps, stem)),
            stem=steps[stem].operation,
            inputs=tuple(sorted(origins)),
            graph=model,
            tensors_to_stem=steps[stem].outermost,
        )
    return list(found.values())


def _chain(steps: list[Step], stem: int) -> list[Any]:
    """Returns the operations before the stem, nearest first, up to the first branch."""
    chain, parents = [], steps[stem].parents
    while len(parents) == 1 and steps[parents[0]].operation is not None:
        chain.append(steps[parents[0]].operation)
        parents = steps[parents[0]].parents
    return chain


def body(steps: list[Step], index: int) -> set[int]:
    """Returns the indices of a step and its ancestors, from the first convolution on."""
    with_ancestors = ancestors(steps, index)
    inside: set[int] = set()
    for i in sorted(with_ancestors):  # parents come before children
        if is_convolution(steps[i]) or any(p in inside for p in steps[i].parents):
            inside.add(i)
    return inside


def is_convolution(step: Step) -> bool:
    """Whether the step is a 2D convolution of any kind."""
    return isinstance(step.operation, _CONVOLUTIONS)


def fingerprints(steps: list[Step], filters: bool = True) -> list[str]:
    """Returns the fingerprint of each step, made of the step and all steps that it depends on.

    Without the numbers of `filters`, all widths of a network have the same fingerprint.
    """
    prints: list[str] = []
    for step in steps:
        below = [prints[p] for p in step.parents]
        if not is_convolution(step) and all(b == IMAGE for b in below):
            prints.append(IMAGE)
            continue
        token = _token(step.operation, filters)
        if len(below) > 1:
            token = token or type(step.operation).__name__.lower()
            below = sorted(below) if token in _COMMUTATIVE else below
        if not token:
            prints.append(below[0])
            continue
        text = token + "(" + ",".join(below) + ")"
        prints.append(hashlib.blake2b(text.encode(), digest_size=6).hexdigest())
    return prints


def _token(operation: Any, filters: bool) -> str:
    """Returns the text that a step adds to the fingerprint; "" if it adds nothing.

    Padding, activation, dropout, reshaping and global pooling add nothing,
    because they change with the image size, the Keras version or options of
    the user.
    """
    if isinstance(operation, _CONVOLUTIONS):
        kind = next(c.__name__ for c in _CONVOLUTIONS if isinstance(operation, c))
        parts = [
            kind,
            operation.kernel_size,
            operation.strides,
            operation.dilation_rate,
            operation.use_bias,
            getattr(operation, "depth_multiplier", None),
        ]
        if filters:
            # The `groups` of a grouped convolution depend on the width as well.
            parts += [getattr(operation, "filters", None), getattr(operation, "groups", None)]
        return repr(parts)
    if isinstance(operation, _POOLS):
        return f"{type(operation).__name__}{operation.pool_size}{operation.strides}"
    for kind in (layers.BatchNormalization, layers.LayerNormalization):
        if isinstance(operation, kind):  # also a subclass of the user's own
            return kind.__name__
    if isinstance(operation, layers.Dense):
        return f"Dense{operation.units if filters else ''}"
    if isinstance(operation, layers.Layer) and operation.weights:
        return f"{type(operation).__name__}{len(operation.weights)}"
    return ""


def _signature_table(exact: bool) -> dict[str, list[tuple[Signature, bool]]]:
    """Returns, for each fingerprint, the signatures that have it, and whether of a whole trunk.

    With `exact`, the signatures are those of networks as published, else those of their variants.
    """
    table: dict[str, list[tuple[Signature, bool]]] = {}
    for signature in SIGNATURES:
        if (signature.variant is None) == exact:
            table.setdefault(signature.trunk, []).append((signature, True))
            if signature.half is not None:
                table.setdefault(signature.half, []).append((signature, False))
    return table


_EXACT, _VARIANTS = _signature_table(exact=True), _signature_table(exact=False)
