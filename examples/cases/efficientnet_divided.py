"""EfficientNet fed values divided by 255 does not train (keras-io issue 1549).

EfficientNet of `keras.applications` divides by 255 itself. The pipeline of the thread divides
as well, so EfficientNet gets almost constant input. `diagnose` checks the network as built,
before any training. `explain_gap` checks a trained network with preprocessing inside, and shows
how much accuracy the second division costs.
"""

import case_photos
import keras
import numpy as np

import keras_shiftguard as sg

import lite0  # isort: skip

TF = sg.InputConvention("tf", "rgb")


def with_preprocessing_inside():
    """Returns a Lite0 that takes 0 to 255, as EfficientNet does."""
    x = inputs = keras.Input((224, 224, 3))
    x = keras.layers.Rescaling(1 / 127.5, -1.0)(x)
    return keras.Model(inputs, lite0.build(folded_to=TF)(x))


if __name__ == "__main__":
    x, y = case_photos.right(sg.InputConvention("raw", "rgb"))
    divided = x / np.float32(255)
    print(sg.diagnose(keras.applications.EfficientNetB0(weights=None), divided), "\n")
    report = sg.explain_gap(with_preprocessing_inside(), (divided, y), reference=(x, y))
    case_photos.answer(
        "https://github.com/keras-team/keras-io/issues/1549",
        "Problem training EfficientNetB0 on CIFAR-10 with a minimal code",
        report,
    )
