"""OpenCV images fed straight into MobileNetV2: B, G, R from 0 to 255 (keras issue 13293).

The thread says "The accuracy is incredibly low (close to 0 % correct)" and asks whether "keras
trained mobilenetv2 properly". The network was trained properly.
"""

import case_photos
import numpy as np

import keras_shiftguard as sg

import lite0  # isort: skip

TF = sg.InputConvention("tf", "rgb")  # what MobileNetV2 expects

if __name__ == "__main__":
    model = lite0.build(folded_to=TF)
    x, y = case_photos.right(TF)
    as_opencv_reads = np.round((x + 1) * 127.5)[..., ::-1].astype("float32")
    report = sg.explain_gap(model, (as_opencv_reads, y), reference=(x, y))
    case_photos.answer(
        "https://github.com/keras-team/keras/issues/13293", "mobilenetv2 poor accuracy", report
    )
