"""The command `keras-shiftguard demo`: mistake, verdict and repair on generated pictures."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from keras_shiftguard_cli import arguments
from keras_shiftguard_cli.output import FOUND, OK, BadInput, Command, show, start_library

if TYPE_CHECKING:
    import keras

TRAIN, VALIDATION = 2000, 400  # numbers of pictures
EPOCHS = 8  # of the first training

# Printed at the end.
NEXT = """
The files are in {folder}. Commands to try on them:

  keras-shiftguard diagnose {folder}/model.keras {folder}/as_fed.npy
  keras-shiftguard diagnose {folder}/model.keras {folder}/as_fed.npy --bgr --rescale 1/255 0
  keras-shiftguard profile {folder}/day.npy -o {folder}/day.profile
  keras-shiftguard compare {folder}/day.profile {folder}/night.npy
  tensorboard --logdir {folder}/logs

The same on real photos and ImageNet weights: `make demo` in the repository."""


@click.command(cls=Command)
@click.option(
    "-o",
    "--output",
    default="shiftguard-demo",
    show_default=True,
    type=click.Path(file_okay=False),
    metavar="DIR",
    help="The folder for the model, the pictures and the log.",
)
@arguments.as_json
def demo(output: str, as_json: bool) -> int:
    """Show a mistake, the verdict on it and the repair.

    This takes about a minute and downloads nothing. It draws coloured shapes, trains a small
    network on them as RGB in [0, 1], and then feeds it the same pictures as OpenCV reads them:
    BGR, 0..255. It prints the lost accuracy, the verdict of `diagnose` and the accuracy after
    the repair. Then it watches a training whose validation pictures are dark. All files stay in
    a folder, so that you can try the other commands on them:

    \b
      keras-shiftguard demo
      keras-shiftguard demo -o shapes --json

    Exit status: 0 the mistake was found and named, 1 it was not, 2 bad input.
    """
    folder = Path(output)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadInput(f"The folder of the demo cannot be created: {error}.") from error
    start_library()
    import numpy as np

    import keras_shiftguard as sg
    from keras_shiftguard_cli.demo_pictures import CLASSES, pictures

    def say(text: Any) -> None:
        if not as_json:
            click.echo(text)

    x, y = pictures(TRAIN, seed=0)
    new, labels = pictures(VALIDATION, seed=1)
    say(f"Task: {len(CLASSES)} classes, {', '.join(CLASSES)}; {TRAIN} generated pictures.")
    model = _network(len(CLASSES))
    _fit(model, x / 255.0, y)
    model.save(folder / "model.keras")
    right = _accuracy(model, new / 255.0, labels)
    say(f"A small network learns them as RGB in [0, 1]: accuracy {right:.1%} on new pictures.")

    fed = new[..., ::-1].astype("float32")
    wrong = _accuracy(model, fed, labels)
    say(f"The same pictures as OpenCV reads them, BGR and 0..255: {wrong:.1%}. Nothing warns.\n")
    diagnosis = sg.diagnose(model, (fed, labels))
    say(f"print(sg.diagnose(model, (images, labels)))\n{_indented(diagnosis)}\n")
    repaired = wrong if diagnosis.fix is None else _accuracy(diagnosis.apply(model), fed, labels)
    say(f"diagnosis.apply(model) on the same input: {repaired:.1%}.\n")

    night = (new / 255.0 * 0.55).astype("float32")
    say("Training goes on with dark validation pictures (all pixels times 0.55).")
    guard = sg.ShiftGuard(log_dir=str(folder / "logs"), verbose=0, on_shift="ignore")
    _fit(model, x / 255.0, y, epochs=2, validation_data=(night, labels), callbacks=[guard])
    say(f"print(guard.verdict)\n{_indented(guard.verdict)}")
    for name, array in {
        "as_fed": fed,
        "day": (x / 255.0).astype("float32"),
        "night": night,
    }.items():
        np.save(folder / f"{name}.npy", array)
    say(NEXT.format(folder=folder))
    if as_json:
        accuracy = {"right": right, "wrong": wrong, "repaired": repaired}
        report = guard.report.to_dict() if guard.report else None
        verdicts = {"diagnosis": diagnosis.to_dict(), "report": report}
        show({"folder": str(folder), "accuracy": accuracy, **verdicts}, True)
    is_named = (diagnosis.expected.mode, diagnosis.observed.mode) == ("unit", "raw")
    return OK if is_named and diagnosis.observed.channel_order == "bgr" else FOUND


def _network(num_classes: int) -> "keras.Model":
    """Returns a compiled network of three convolutions with batch normalization."""
    import keras

    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((32, 32, 3))])
    for filters in (16, 32, 64):
        model.add(keras.layers.Conv2D(filters, 3, strides=2, padding="same", use_bias=False))
        model.add(keras.layers.BatchNormalization(momentum=0.9))
        model.add(keras.layers.ReLU())
    model.add(keras.layers.Flatten())
    model.add(keras.layers.Dense(num_classes, activation="softmax"))
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def _fit(model: "keras.Model", x: Any, y: Any, epochs: int = EPOCHS, **more: Any) -> None:
    model.fit(x.astype("float32"), y, batch_size=50, epochs=epochs, verbose=0, **more)


def _accuracy(model: "keras.Model", x: Any, y: Any) -> float:
    predicted = model.predict(x.astype("float32"), batch_size=100, verbose=0).argmax(axis=1)
    return float((predicted == y).mean())


def _indented(text: Any) -> str:
    return "\n".join(f"  | {line}" for line in str(text).splitlines())
