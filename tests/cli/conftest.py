"""Fixtures: a model file, a folder of pictures, and a function that runs the command."""

import keras
import numpy as np
import pytest
from PIL import Image
from remembering import remember

from keras_shiftguard_cli import main


@pytest.fixture(scope="session")
def model_file(tmp_path_factory, folder):
    """A MobileNetV2 with random weights and the batch norm statistics of pictures in [-1, 1]."""
    keras.utils.set_random_seed(0)
    model = keras.applications.MobileNetV2(weights=None, input_shape=(96, 96, 3), alpha=0.35)
    pictures = [Image.open(path).resize((96, 96)) for path in sorted(folder.rglob("*.png"))]
    path = tmp_path_factory.mktemp("model") / "mobilenet.keras"
    remember(model, np.stack(pictures) / 127.5 - 1).save(path)
    return path


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    """Twelve pictures of 120x80 in two sub-folders, with values from 0 to 255."""
    rng = np.random.default_rng(0)
    root = tmp_path_factory.mktemp("photos")
    for i in range(12):
        coarse = rng.integers(0, 256, (8, 12, 3)).astype("uint8")
        coarse[0, 0], coarse[-1, -1] = 0, 255
        picture = Image.fromarray(coarse).resize((120, 80), Image.Resampling.BICUBIC)
        path = root / f"class{i % 2}" / f"{i}.png"
        path.parent.mkdir(exist_ok=True)
        picture.save(path)
    return root


@pytest.fixture
def run(capsys):
    """A function that runs the command and returns its exit status, output and error output."""

    def run(*arguments):
        status = main([str(argument) for argument in arguments])
        out, err = capsys.readouterr()
        assert "Traceback" not in err
        return status, out, err

    return run
