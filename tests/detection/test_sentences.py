"""The sentences of all kinds of findings."""

import numpy as np
import pytest

from keras_shiftguard.detection.two_sample.frequencies import compare_frequencies
from keras_shiftguard.detection.words import sentences
from keras_shiftguard.detection.words.attribute_words import LABELS, heading
from keras_shiftguard.profiles import FeatureTable, Moments

ONE, MORE = ("target", "train"), ("validation", "train")


def table(name, mean, std):
    moments = Moments(np.array([100.0]), np.array([mean]), np.array([100.0 * std**2]))
    return FeatureTable((name,), 100, moments)


def differs(name, dominant, current, reference, what="images", effect=None):
    effect = effect or (1.234 if current[0] > reference[0] else -1.234)
    one, other = table(name, *current), table(name, *reference)
    return sentences.feature_differs(name, what, dominant, effect, one, other, *ONE).text


def test_location():
    assert differs("brightness", "location", (0.2, 0.1), (0.5, 0.1)) == (
        "Target images are darker: mean brightness 0.2 against 0.5 in training, effect size 1.2"
    )
    assert "are brighter" in differs("brightness", "location", (0.6, 0.1), (0.5, 0.1))
    assert differs("3", "location", (2.0, 1.0), (7.0, 1.0), what="samples") == (
        "Target samples are lower in column 3: mean 2 against 7 in training, effect size 1.2"
    )


@pytest.mark.parametrize("dominant", ["location", "spread", "shape"])
@pytest.mark.parametrize("name", LABELS)
def test_no_attribute_of_images_has_its_internal_name(name, dominant):
    text = differs(name, dominant, (0.2, 0.1), (0.5, 0.1))
    label = heading(LABELS[name])
    assert label in text
    assert "_" not in text
    if name not in label:  # such as `noise`, which is a plain word itself
        assert name.replace("_", " ") not in text.replace(label, "")
    assert dominant != "location" or f"mean {label} " in text


def test_class_mixes_name_the_classes_that_changed_most():
    few = compare_frequencies(np.array([900, 100]), np.array([500, 500]))
    sentence = sentences.classes_differ("labels", few, *MORE).text
    assert sentence.startswith(
        "Validation labels have another mix than in training: class 0 90 % against 50 %, "
        "class 1 10 % against 50 %; 40 % of the validation labels would have to be of another "
        "class to match training, effect size "
    )
    assert sentence.endswith(" (Cohen's w)")
    low, high = [20, 30, 40, 30], [400, 300, 500, 400]
    many = compare_frequencies(np.array([*high, 50, *low]), np.array([*low, 50, *high]))
    sentence = sentences.classes_differ("tokens", many, *MORE).text
    assert sentence.count(" against ") == 3 and " and 5 more; " in sentence


def test_classes_that_validation_lacks():
    test = compare_frequencies(np.array([0, 100]), np.array([500, 500]))
    words = sentences.lacks_classes(test, "validation", "train")
    assert words.startswith("validation lacks class 0: `validation_split` takes the last samples")
    assert sentences.lacks_classes(test, "target", "train") == ""
    both = compare_frequencies(np.array([10, 90]), np.array([500, 500]))
    assert sentences.lacks_classes(both, "validation", "train") == ""
