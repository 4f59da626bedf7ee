"""Planted causes and cells of the account benchmark (`accounts.py`)."""

from dataclasses import dataclass, field
from typing import Any
from zlib import crc32

import numpy as np
from accounts_networks import NETWORKS
from scipy import ndimage

# Operations whose names say that the light was undone; of such an operation, half a win is enough.
LIGHT = (
    *("darker", "brighter", "less_contrast", "more_contrast", "gamma_up", "gamma_down", "gain"),
    *(
        "factor",
        "own moments",
        "stretch",
        "balance",
        "scale",
        "histogram",
        "to_symmetric",
        "from_symmetric",
        "channel_gain",
    ),
)
COLUMNS = ("unit", "units", "exchange", "exchange_unscaled", "reverse", "roll", "refill", "refills")
RARE = 0.15  # share that is kept of the samples of classes that are not among the hard ones


# --- causes --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Cause:
    """Something wrong that is planted.

    Args:
        kind: Kind of the row that names it.
        words: A regular expression that the row's operation or sentence matches.
        change: Function of inputs or labels, a strength, and random numbers. What it gets and
            gives depends on `stage`.
        stage: `"mix"` (labels and the hard classes, to the share kept of each sample), `"raw"`
            (inputs before the scaler), `"scale"` (these, labels and the hard classes, to inputs
            after it), `"fed"` (inputs after it), `"labels"`, or `"fit"`: nothing is changed but
            how the fit is made.
        strengths: Those that a cell may have.
        operations: Operations whose win also names it, where it is half of the truth.
        exact: Whether it can be undone without loss.
        side: Whether it is only a consequence of another cause: it is measured, and need not be
            named.
        fit: Settings of the fit: `train` (number of samples), `epochs`, `standardise`, and
            `momentum` of batch norm.
        sets: A setting of the fit that the strength is, or None.
    """

    kind: str
    words: str
    change: Any = None
    stage: str = "fed"
    strengths: tuple = (None,)
    operations: tuple[str, ...] = ()
    exact: bool = True
    side: bool = False
    fit: dict = field(default_factory=dict)
    sets: str | None = None


def light(change, words, strengths=(None,), **more):
    words = f"dark|bright|contrast|gamma|light|midtone|standardi|moments|{words}"
    return Cause("input", words, change, strengths=strengths, operations=LIGHT, **more)


def only(change):
    return lambda x, strength, rng: change(x)


def by_image(change):
    """Turns a function of an image, a strength and random numbers into one of a batch."""
    return lambda x, strength, rng: np.stack([change(image, strength, rng) for image in x])


def resized(image, factor, rng):
    side = len(image)
    at = (np.arange(side) - (side - 1) / 2) / factor + (side - 1) / 2
    grid = np.meshgrid(at, at, indexing="ij")
    channels = np.moveaxis(image, -1, 0)
    return np.stack([ndimage.map_coordinates(c, grid, order=1) for c in channels], axis=-1)


def noisy(x, sigma, rng):
    return np.clip(x + rng.normal(0, sigma, x.shape), 0, 1)


def blurred(image, sigma, rng):
    return ndimage.gaussian_filter(image, (sigma * len(image) / 28, sigma * len(image) / 28, 0))


def coarse(x, factor, rng):
    """Means over blocks of pixels."""
    height, width = x.shape[1:3]
    below, right = -height % factor, -width % factor
    x = np.pad(x, ((0, 0), (0, below), (0, right), (0, 0)), mode="edge")
    blocks = x.reshape(len(x), -(-height // factor), factor, -(-width // factor), factor, -1)
    big = blocks.mean(axis=(2, 4)).repeat(factor, axis=1).repeat(factor, axis=2)
    return big[:, :height, :width]


def few_levels(x, levels, rng):
    return np.floor(x * (levels - 1) + 1e-6) / (levels - 1)


def augmented_too(image, share, rng):
    """An image that is turned and moved at random, as a layer of augmentation does it."""
    turn, size = rng.uniform(-share, share) * np.pi, np.array(image.shape[:2])
    matrix = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    centre = (size - 1) / 2
    offset = centre + rng.uniform(-share, share, 2) * size - matrix @ centre
    channels = np.moveaxis(image, -1, 0)
    turned = [ndimage.affine_transform(c, matrix, offset, order=1) for c in channels]
    return np.stack(turned, axis=-1)


def wide_columns(x):
    """Columns that have a unit: those with more than ten values."""
    return [i for i in range(x.shape[1]) if len(np.unique(x[:, i])) > 10]


def in_unit(x, strength, rng):
    """Puts a column, drawn at random, in another unit: a factor, or degrees Fahrenheit."""
    one, x = rng.choice(wide_columns(x)), x.copy()
    x[:, one] = x[:, one] * 1.8 + 32 if strength == "fahrenheit" else x[:, one] * strength
    return x


def exchanged(x, strength, rng):
    one, two = rng.choice(wide_columns(x), 2, replace=False)
    x = x.copy()
    x[:, [one, two]] = x[:, [two, one]]
    return x


def fitted_again(x, y, hard):
    """Scales with moments of validation as it is with another mix of classes."""
    classes = np.unique(y)
    weights = np.array([(y == c).mean() * (1.0 if c in hard else RARE) for c in classes])
    weights /= weights.sum()
    means = np.array([x[y == c].mean(axis=0) for c in classes])
    squares = np.array([(x[y == c].astype("float64") ** 2).mean(axis=0) for c in classes])
    mean = weights @ means
    deviation = np.sqrt(np.maximum(weights @ squares - mean**2, 1e-6))
    return (x - mean) / np.maximum(deviation, 1e-3)


def two_exchanged(y, strength, rng):
    """Two classes, the second and one after the middle, or two labels of several."""
    if y.ndim == 2:
        two = rng.choice(y.shape[1], 2, replace=False)
        order = np.arange(y.shape[1])
        order[two] = order[two[::-1]]
        return y[:, order]
    classes = int(y.max()) + 1
    one, two = 1, classes // 2 + 1 if classes > 2 else 0
    return np.where(y == one, two, np.where(y == two, one, y))


def all_renamed(y, strength, rng):
    if y.ndim == 2:
        return np.roll(y, 3, axis=1)
    return (y + 1) % (int(y.max()) + 1)


def partly_random(y, share, rng):
    hit = rng.random(len(y)) < share
    if y.ndim == 2:  # the labels of another sample
        return np.where(hit[:, None], y[rng.permutation(len(y))], y)
    return np.where(hit, rng.integers(0, int(y.max()) + 1, len(y)), y)


TURNED = "rotat|turn|transpos|rows and columns|lying|upright"
MOVED = "mov|shift|translat|pixel"
SMOOTH = "blur|sharp|resol|smooth|soft|detail|coars"
RANDOM = "random|fit nothing|wrong|do not fit|fits nothing"
RENAMED = r"renam|exchang|swap|lower|higher|stand|means|\bids?\b|named|mapp|shuffl|order"
SCALER = "scal|unit|column|moment|standardi|moved|fitted"
TARGETS = "unit|times|factor|scale|shift|target|offset|higher|lower|log|predict"
CAUSES = {
    "darker": light(lambda x, s, r: s * x, "gain|multipl", (0.6, 0.35)),
    "brighter": light(lambda x, s, r: x * (1 - s) + s, "haze|stretch", (0.3, 0.5)),
    "contrast": light(lambda x, s, r: (x - 0.5) * s + 0.5, "stretch", (0.4,)),
    "gamma": light(lambda x, s, r: x**s, "power|exponent", (2.5, 0.4)),
    "inverted": Cause("input", "inver|negativ|1 - ", only(lambda x: 1 - x)),
    "symmetric": light(only(lambda x: 2 * x - 1), r"\[-1|-1 to 1|symmetric|127\.5|rang"),
    "standardised": light(only(lambda x: (x - 0.3) / 0.35), "rang|scale|mean"),
    "not standardised": light(
        lambda x, y, hard: x, "rang|scale|mean", stage="scale", fit={"standardise": True}
    ),
    "x 255": light(only(lambda x: 255 * x), "255|127|divid|rang|scale|factor"),
    "/ 255": light(only(lambda x: x / 255), "255|127|divid|twice|rang|scale|factor"),
    "mirrored": Cause("input", "mirror|flip.*horiz|left to right", only(lambda x: x[:, :, ::-1])),
    "upside down": Cause("input", "upside|flip.*vert|180|turn|rotat", only(lambda x: x[:, ::-1])),
    "transposed": Cause("input", TURNED, only(lambda x: x.transpose(0, 2, 1, 3))),
    "turned 90": Cause("input", TURNED, only(lambda x: np.rot90(x, 1, (1, 2)))),
    "zoomed": Cause(
        "input", "zoom|enlarg|shr[iu]n|size|crop", by_image(resized), strengths=(0.65, 1.5),
        exact=False,
    ),
    "moved": Cause(
        "input", MOVED, lambda x, s, r: np.roll(x, round(s * x.shape[2]), 2), strengths=(0.12, 0.2)
    ),
    "channels": Cause(
        "input", "channel|rgb|bgr|colou?r|red", only(lambda x: x[..., ::-1])
    ),
    # damage: nothing undoes it, or only in part
    "noise": Cause("input", "nois|grain|median", noisy, strengths=(0.1, 0.2, 0.4), exact=False),
    "blurred": Cause("input", SMOOTH, by_image(blurred), strengths=(1, 1.7, 3), exact=False),
    "coarse": Cause("input", SMOOTH + "|pixel", coarse, strengths=(2, 4, 6), exact=False),
    "few levels": Cause(
        "input", "level|integer|quanti|divided|round", few_levels, strengths=(4, 3, 2), exact=False
    ),
    "augmented too": Cause(
        "input", f"augment|{TURNED}|{MOVED}", by_image(augmented_too), strengths=(0.06, 0.12, 0.25),
        exact=False,
    ),
    # columns
    "unit": Cause(
        "input", "unit|column", in_unit, "raw", (25.4, "fahrenheit", 0.01), COLUMNS,
    ),
    "two columns": Cause(
        "input", "column|exchang|swap", exchanged, "raw", (1, 2), COLUMNS
    ),
    "fitted again": Cause("input", SCALER, fitted_again, "scale"),
    "unscaled": Cause(
        "input", SCALER, lambda x, y, hard: x, "scale"
    ),
    # labels
    "class dropped": Cause("class mix", "", lambda y, hard: y != 3, "mix", side=True),
    "one lower": Cause(
        "labels", RENAMED, lambda y, s, r: np.where(y > 3, y - 1, y), "labels"
    ),
    "two exchanged": Cause("labels", RENAMED, two_exchanged, "labels"),
    "renamed": Cause("labels", RENAMED, all_renamed, "labels"),
    "random": Cause(
        "labels", RANDOM, partly_random, "labels", (0.1, 0.2, 0.4), exact=False
    ),
    "another order": Cause(
        "labels", "order|shuffl|random|fit nothing", lambda y, s, r: y[r.permutation(len(y))],
        "labels", exact=False,
    ),
    "targets in a unit": Cause("labels", TARGETS, lambda y, s, r: s * y, "labels", (10, 1.61)),
    "logarithm": Cause("labels", TARGETS, lambda y, s, r: np.log1p(y), "labels", exact=False),
    "shifted": Cause("labels", TARGETS, lambda y, s, r: y + s, "labels", (2, 0.7)),
    # what is no fault of validation's inputs or labels
    "mix": Cause(
        "class mix", "", lambda y, hard: np.where(np.isin(y, hard), 1.0, RARE), "mix",
    ),
    "mixed": Cause(
        "class mix", "", lambda y, hard: np.where(np.isin(y, hard), 1.0, RARE), "mix", side=True
    ),
    "young": Cause(
        "model", "batch norm|moving|statistics", None, "fit", (2, 3, 5),
        fit={"train": 500, "momentum": 0.99}, sets="epochs",
    ),
    "memorised": Cause(
        "memorised", "", None, "fit", (80, 150, 250), fit={"epochs": 60},
        sets="train",
    ),
}  # fmt: skip
SIDES = {"one lower": "class dropped", "fitted again": "mixed"}  # what comes with a cause


# --- cells ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Cell:
    """A fit: a network, what is planted, a seed, and settings of the fit that plant nothing."""

    network: str
    plants: tuple[tuple[str, Any], ...] = ()
    seed: int = 0
    variant: str = ""

    @property
    def name(self):
        words = [cause if strength is None else f"{cause} {strength}"
                 for cause, strength in self.plants]  # fmt: skip
        planted = " + ".join(words) or f"nothing {self.variant}".strip()
        return f"{self.network}: {planted}, {self.seed}"

    @property
    def part(self):
        """The half that the cell belongs to, from its name alone."""
        return "aside" if crc32(self.name.encode()) % 2 else "open"

    @property
    def group(self):
        if not self.plants:
            return "nothing"
        return "two causes" if len(self.plants) > 1 else CAUSES[self.plants[0][0]].kind


VARIANTS = {
    "small": {"validation": 120}, "large": {"validation": 3000}, "overfit": {"epochs": 25},
    "long": {"epochs": 12}, "few": {"train": 300},
}  # fmt: skip
IMAGES = ("plain", "norm", "dropout", "augmented", "colour", "digits", "garments", "colour flipped")
INPUTS = (
    *("darker", "brighter", "contrast", "gamma", "inverted", "symmetric", "standardised", "x 255"),
    *("/ 255", "not standardised", "mirrored", "upside down", "transposed", "turned 90", "zoomed"),
    "moved",
)
DAMAGES = ("noise", "blurred", "coarse", "few levels", "augmented too")
LABELS = ("one lower", "two exchanged", "renamed", "another order")
PAIRS = {
    "plain": "darker+renamed inverted+renamed mirrored+mix moved+darker noise+renamed "
    "blurred+random memorised+darker memorised+random memorised+mix transposed+one_lower "
    "two_exchanged+random",
    "norm": "random+young mix+young darker+young renamed+young upside_down+random",
    "dropout": "gamma+mirrored x_255+two_exchanged memorised+renamed",
    "augmented": "inverted+random upside_down+mix coarse+two_exchanged",
    "colour": "channels+darker channels+renamed mirrored+random noise+mix turned_90+two_exchanged",
    "colour norm": "channels+young random+young",
    "digits": "inverted+two_exchanged moved+random /_255+renamed memorised+mirrored",
    "garments": "darker+renamed inverted+random",
    "synthetic": "unit+renamed two_columns+random unscaled+two_exchanged memorised+unit",
    "cancer": "unit+random two_columns+mix",
    "digit rows": "two_columns+renamed unscaled+random memorised+random",
    "friedman": "unit+targets_in_a_unit two_columns+shifted memorised+shifted",
    "housing": "two_columns+targets_in_a_unit",
}


def strength_of(cause, network, number):
    """Returns one of the strengths of a cause, which depends on names and on the seed alone."""
    strengths = CAUSES[cause].strengths
    return strengths[(crc32(f"{network} {cause}".encode()) + number) % len(strengths)]


def planned():
    """Yields networks and the names of what is planted in each; None stands for any strength."""
    for i, network in enumerate(IMAGES):
        yield from ((network, (c,), None) for k, c in enumerate(INPUTS) if (i + k) % 2 == 0)
    for network in ("colour", "colour norm", "colour flipped"):
        yield network, ("channels",), None
    for i, network in enumerate(("plain", "norm", "dropout", "augmented", "colour", "digits")):
        for cause in DAMAGES[i % 2 :: 2]:
            yield from ((network, (cause,), s) for s in CAUSES[cause].strengths)
    for network in ("plain", "augmented", "colour", "digits", "digit rows"):
        yield from ((network, (cause,), None) for cause in LABELS)
        yield from ((network, ("random",), s) for s in CAUSES["random"].strengths)
    for network in ("garments", "synthetic"):
        yield from ((network, (c,), None) for c in (*LABELS[1:], "random"))
    yield from (("cancer", (c,), None) for c in ("two exchanged", "another order", "random"))
    mixed = ("plain", "norm", "dropout", "augmented", "colour", "digits", "digit rows", "cancer")
    yield from ((network, ("mix",), None) for network in mixed)
    for network in ("norm", "colour norm", "digits norm"):
        yield from ((network, ("young",), s) for s in CAUSES["young"].strengths)
    many = ("plain", "norm", "dropout", "garments", "digits", "digit rows", "synthetic", "friedman")
    yield from ((network, ("memorised",), None) for network in many)
    for network in ("synthetic", "cancer", "digit rows", "wine"):
        yield from ((network, ("unit",), s) for s in CAUSES["unit"].strengths)
        yield from ((network, (c,), None) for c in ("two columns", "fitted again", "unscaled"))
    for network in ("friedman", "housing"):
        yield from ((network, (c,), None) for c in ("unit", "two columns", "unscaled"))
        yield network, ("logarithm",), None
        for cause in ("targets in a unit", "shifted"):
            yield from ((network, (cause,), s) for s in CAUSES[cause].strengths)
    for network, pairs in PAIRS.items():
        for pair in pairs.split():
            yield network, tuple(c.replace("_", " ") for c in pair.split("+")), None


def cells(seeds=1):
    """Returns all cells; a network with nothing planted has two seeds for each."""
    found = []
    for seed in range(seeds):
        for network, causes, strength in planned():
            own = [strength if strength is not None else strength_of(c, network, seed)
                   for c in causes]  # fmt: skip
            found.append(Cell(network, tuple(zip(causes, own, strict=True)), seed))
        for network in NETWORKS:
            found += [Cell(network, (), 2 * seed + k) for k in range(2)]
        for network in ("plain", "norm", "dropout", "augmented", "colour"):
            found += [Cell(network, (), seed, v) for v in ("small", "large", "overfit", "few")]
        found += [Cell(n, (), seed, "long") for n in ("digits", "garments", "digit rows")]
    return found
