"""BGR network of others: is a line of text upside down? From the package `rapidocr-onnxruntime`.

    pip download --no-deps rapidocr-onnxruntime && unzip -d FOLDER rapidocr_onnxruntime-*.whl

Set `NETWORKS` to FOLDER; `onnx` reads the file. The network was trained on images that OpenCV read,
in [-1, 1], so it expects BGR.
"""

import os
from pathlib import Path

import keras
import numpy as np
from keras import layers, ops

SIZE, TRUE, HAS_BN, CLASSES = 96, ("tf", "bgr"), True, True
FILE = "rapidocr_onnxruntime/models/ch_ppocr_mobile_v2.0_cls_infer.onnx"


def build():
    import onnx

    path = Path(os.environ.get("NETWORKS", ".")) / FILE
    graph = onnx.load(path).graph
    known = {each.name: onnx.numpy_helper.to_array(each) for each in graph.initializer}
    tensors = {graph.input[0].name: keras.Input((None, None, 3))}
    first, weights = tensors[graph.input[0].name], []
    for node in graph.node:
        options = {each.name: onnx.helper.get_attribute_value(each) for each in node.attribute}
        names, name = list(node.input), node.output[0]
        if node.op_type == "Constant":
            known[name] = onnx.numpy_helper.to_array(options["value"])
        elif node.op_type == "Reshape" and names[0] in known:
            known[name] = known[names[0]]
        elif node.op_type == "GlobalAveragePool" and len(tensors[names[0]].shape) == 4:
            tensors[name] = layers.GlobalAveragePooling2D(keepdims=True)(tensors[names[0]])
        elif node.op_type in ("Conv", "BatchNormalization"):
            arrays = [known[each] for each in names[1:]]
            make = _convolution if node.op_type == "Conv" else _batch_norm
            layer, own, before = make(arrays, options)
            x = tensors[names[0]]
            tensors[name] = layer(x if before is None else before(x))
            weights.append((layer, own))
        elif node.op_type == "MatMul":
            head = layers.Dense(2, activation="softmax")
            outputs = head(layers.Flatten()(tensors["pool2d_10.tmp_0"]))
            weights.append((head, [known["fc_0.w_0"], known["fc_0.b_0"]]))
            break
        elif node.op_type in OPERATIONS:
            parts = [tensors[each] if each in tensors else _channels(known[each]) for each in names]
            tensors[name] = OPERATIONS[node.op_type](*parts, **options)
    model = keras.Model(first, outputs, name="ppocr_direction")
    for layer, own in weights:
        layer.set_weights(own)
    return model


def _convolution(arrays, options):
    kernel, pads = arrays[0], options["pads"]
    pad = layers.ZeroPadding2D(((pads[0], pads[2]), (pads[1], pads[3])))
    if options["group"] == 1:
        layer = layers.Conv2D(
            len(kernel), options["kernel_shape"], options["strides"], use_bias=False
        )
        return layer, [kernel.transpose(2, 3, 1, 0)], pad
    layer = layers.DepthwiseConv2D(options["kernel_shape"], options["strides"], use_bias=False)
    return layer, [kernel.transpose(2, 3, 0, 1)], pad


def _batch_norm(arrays, options):
    return layers.BatchNormalization(epsilon=options["epsilon"]), arrays, None


def _channels(value):
    """Returns a constant as a number, or as an array along the channels."""
    return np.float32(value).reshape(1, 1, 1, -1) if np.size(value) > 1 else float(value)


OPERATIONS = {
    "Add": lambda x, y: x + y,
    "Mul": lambda x, y: x * y,
    "Div": lambda x, y: x / y,
    "Clip": ops.clip,
    "Relu": ops.relu,
    "HardSigmoid": lambda x, alpha, beta: ops.clip(x * alpha + beta, 0, 1),
    "MaxPool": lambda x, kernel_shape, strides, **_: ops.max_pool(x, kernel_shape, strides),
}
