"""A torch `DataLoader` with a `Dataset` that normalises as torchvision does."""

import keras
import torch
from keras import layers

from tutorials import mistakes, sources
from tutorials.tutorial import Tutorial

KIND = "data loader"
MEAN, STD = 0.286, 0.353  # of Fashion-MNIST


class Clothes(torch.utils.data.Dataset):
    """Images and classes, one by one."""

    def __init__(self, x, y):
        self.x, self.y = torch.from_numpy(x), torch.from_numpy(y).long()

    def __len__(self):
        return len(self.y)

    def __getitem__(self, index):
        return self.x[index], self.y[index]


def build(seed):
    x, y = sources.fashion(5000, seed)
    train, validation = sources.split((x - MEAN) / STD, y, 4000)
    model = keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            layers.Conv2D(16, 3, strides=2),
            layers.BatchNormalization(),
            layers.ReLU(),
            layers.Conv2D(32, 3, strides=2, activation="relu"),
            layers.Flatten(),
            layers.Dense(10),
        ]
    )
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("adam", loss, metrics=["accuracy"])

    def pipeline(data, training):
        order = torch.Generator().manual_seed(seed)
        return torch.utils.data.DataLoader(
            Clothes(*data), batch_size=64, shuffle=training, generator=order
        )

    plain = mistakes.of_inputs(
        "not normalised",
        lambda x: x * STD + MEAN,
        r"normali|scale|\[0, 1\]|mean",
        r"Normalize|- |/ ",
    )
    planted = (
        plain,
        mistakes.scaled(),
        mistakes.upside_down(),
        mistakes.transposed(),
        mistakes.half_flat(),
        mistakes.labels_exchanged(1, 3),
    )
    fit = {"epochs": 4}
    return Tutorial(model, train, validation, fit, "accuracy", planted, pipeline)
