"""MobileNetV2 of others, all of it trained on [0, 1]: the kind of a photo, from npm's `nsfwjs`.

    npm pack nsfwjs && tar xzf nsfwjs-*.tgz -C FOLDER

Set `NETWORKS` to FOLDER. Keras recognises the architecture, which is published for [-1, 1]; this
network was trained on images divided by 255. Ordinary photos are of its class 2, "neutral". The
weights are stored in 8 bits.
"""

import base64
import json
import os
import re
from pathlib import Path

import keras
import numpy as np
from keras.src.legacy.saving import saving_utils

SIZE, TRUE, HAS_BN, CLASSES = 224, ("unit", "rgb"), True, True


def build(name: str = "mobilenet_v2") -> keras.Model:
    folder = Path(os.environ.get("NETWORKS", ".")) / "package/dist/models" / name
    description = _json_in((folder / "model.min.js").read_text())
    parts = sorted(folder.glob("group1-*.js"))
    stored = b"".join(base64.b64decode(_string_in(path.read_text())) for path in parts)
    weights, begin = {}, 0
    for group in description["weightsManifest"]:
        for each in group["weights"]:
            kind = each.get("quantization", {"dtype": each["dtype"], "scale": 1.0, "min": 0.0})
            count, dtype = int(np.prod(each["shape"])), np.dtype(kind["dtype"])
            values = np.frombuffer(stored, dtype, count, begin).reshape(each["shape"])
            weights[each["name"]] = values * kind["scale"] + kind["min"]
            begin += count * dtype.itemsize
    model = saving_utils.model_from_config(description["modelTopology"]["model_config"])
    for layer in model.layers:
        names = [f"{layer.name}/{v.name}" for v in layer.weights]
        if isinstance(layer, keras.layers.DepthwiseConv2D):
            names = [name.replace("/kernel", "/depthwise_kernel") for name in names]
        layer.set_weights([weights[name] for name in names])
    return model


def _json_in(script: str) -> dict:
    """Returns the object that a minified script exports; its keys and numbers are no JSON."""
    text = script[script.index("{modelTopology:") : script.rindex("},{}]")]
    text = re.sub(r"([{,])([A-Za-z_]\w*):", r'\1"\2":', text)
    text = text.replace(":!0", ":true").replace(":!1", ":false")
    return json.loads(re.sub(r"(?<=[:,\[-])\.(?=\d)", "0.", text))


def _string_in(script: str) -> str:
    """Returns the base64 string that a minified script exports."""
    return max(re.findall(r'"([A-Za-z0-9+/=]+)"', script), key=len)
