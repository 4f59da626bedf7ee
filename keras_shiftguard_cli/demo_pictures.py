"""Generated pictures for the demo: colored shapes on a blurred background in evening light."""

import numpy as np

SIZE = 32  # pixels a side
SHAPES = ("disc", "square", "triangle")
EVENING = (1.0, 0.8, 0.55)  # factors of red, green and blue in the background
COLOURS = {"red": (220, 50, 40), "blue": (40, 70, 220)}
CLASSES = tuple(f"{colour} {shape}" for colour in COLOURS for shape in SHAPES)


def pictures(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns generated pictures and their classes.

    Returns:
        `(images, labels)`: uint8 `(count, 32, 32, 3)`, RGB, and indices of `CLASSES`.
    """
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, len(CLASSES), count)
    # The background is made of squares of random brightness, which are then blurred.
    background = rng.uniform(30, 225, (count, 4, 4, 1)).repeat(8, 1).repeat(8, 2) * EVENING
    for axis in (1, 2):
        background = np.mean([np.roll(background, shift, axis) for shift in range(-4, 5)], axis=0)
    colours = np.asarray(list(COLOURS.values()))[labels // len(SHAPES)]
    colours = colours[:, None, None, :] + rng.normal(0, 25, (count, 1, 1, 3))
    mask = _mask(labels % len(SHAPES), rng)[..., None]
    images = np.where(mask, colours, background) + rng.normal(0, 6, background.shape)
    return images.clip(0, 255).round().astype("uint8"), labels


def _mask(shape: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Returns which pixels belong to the shape of each picture, bool `(count, 32, 32)`."""
    y, x = np.mgrid[:SIZE, :SIZE]
    centre = rng.uniform(11, 21, (2, len(shape), 1, 1))
    radius = rng.uniform(5, 9, (len(shape), 1, 1))
    down, right = (y - centre[0]) / radius, (x - centre[1]) / radius
    disc = down**2 + right**2 < 1.1
    square = np.maximum(abs(down), abs(right)) < 0.9
    triangle = (down < 0.9) & (2 * abs(right) < down + 1.1)
    return np.choose(shape[:, None, None], [disc, square, triangle])
