"""MobileNetV2: 71.8 % claimed, 61.6 % measured (keras issue 16982).

The pipeline of the thread is called `resize_with_crop`. Guides of the time used
`tf.image.resize_with_crop_or_pad` under that name. This function is rebuilt here in NumPy. It cuts
the middle 224 x 224 pixels out of a photo of any size, without making the photo smaller first.
The thread got no answer.
"""

import case_photos
import numpy as np

import keras_shiftguard as sg

import lite0  # isort: skip

TF = sg.InputConvention("tf", "rgb")  # what MobileNetV2 expects


def resize_with_crop_or_pad(image, side=224):
    out = np.zeros((side, side, 3), image.dtype)
    size = np.minimum(image.shape[:2], side)
    from_, to = (np.asarray(image.shape[:2]) - size) // 2, (side - size) // 2
    y, x = from_
    cut = image[y : y + size[0], x : x + size[1]]
    out[to[0] : to[0] + size[0], to[1] : to[1] + size[1]] = cut
    return out / np.float32(127.5) - 1


if __name__ == "__main__":
    model = lite0.build(folded_to=TF)
    data = case_photos.raw_folder(), resize_with_crop_or_pad
    report = sg.explain_gap(model, data, reference=case_photos.right(TF))
    case_photos.answer(
        "https://github.com/keras-team/keras/issues/16982",
        "Lower-than-expected ImageNet accuracy of pretrained MobileNetV2: 71.8 % and 61.6 %",
        report,
    )
