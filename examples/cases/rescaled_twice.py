"""Rescaled twice: `preprocess_input`, then `rescale=1./255` (keras issue 13517).

The data generator of the thread has both steps. `ImageDataGenerator` applies
`preprocess_input` first and the factor afterwards, so the network sees nearly uniform gray.
"""

import case_photos
import numpy as np

import keras_shiftguard as sg

import lite0  # isort: skip

TF = sg.InputConvention("tf", "rgb")

if __name__ == "__main__":
    model = lite0.build(folded_to=TF)
    x, y = case_photos.right(TF)
    twice = x * np.float32(1 / 255)
    report = sg.explain_gap(model, (twice, y), reference=(x, y))
    case_photos.answer(
        "https://github.com/keras-team/keras/issues/13517",
        "Keras val_acc and model.evaluate acc not matching",
        report,
    )
