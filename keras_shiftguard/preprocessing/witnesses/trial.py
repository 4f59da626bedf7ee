"""Trial of a fix: tests whether a network recognizes its images better with the fix.

The trial computes the features of two views of each image, once as fed and once with the fix. The
result is the mean difference of their scores (`preference.py`), in standard errors over the images:
"sees better" means that the network reaches a higher score.

The trial needs no labels, no batch norm and no training data. It tests one suspected fix; a search
over many fixes would be wrong too often.
"""

from collections.abc import Mapping
from zlib import crc32

import numpy as np

from keras_shiftguard.instrument.network_features import FeatureReader, Features
from keras_shiftguard.preprocessing.expected.batch_norm import AS_FED, Transform
from keras_shiftguard.preprocessing.limits import (
    FIRST_IMAGES,
    MAX_TRIAL_IMAGES,
    MIN_TRIAL_IMAGES,
)
from keras_shiftguard.preprocessing.witnesses.preference import (
    LIKELY,
    STRONG,
    Preference,
    Seen,
    info_nce,
    information,
    preference,
)
from keras_shiftguard.statistics.classes import host_class_ids

CROP = 0.7  # side of the crop, as a share of the side of the image. A convention.
# Images up to this side are shifted instead, because a crop of them shows too little. A convention.
SMALL = 48
MAX_MOVE = 2  # pixels by which small images are shifted. A convention.


class Trial:
    """Trial of fixes on some images. The network does not run before a fix is tried.

    Features are cached, so that the network runs on each batch only once for each fix.

    Args:
        read: The reader of the network's features; trials of one network share it.
        inputs: Images as fed, by input name.
        name: Name of the image input to fix.
        axis: The channel axis of the image input.
        with_head: Whether the logits of the classifier, if there is one, are compared as well. The
            comparison is useful because a head on a frozen backbone may have been trained with an
            input that the backbone does not expect.
        labels: Labels of the images, if any, see `host_class_ids`. If the classifier has learned
            the labels, whether it names them is the score.
    """

    def __init__(
        self,
        read: FeatureReader,
        inputs: Mapping[str, np.ndarray],
        name: str,
        axis: int = -1,
        with_head: bool = True,
        labels: np.ndarray | None = None,
    ) -> None:
        self._read = read
        self._name, self._axis = name, axis
        self._with_head = with_head
        self.chosen = chosen = distinct_images(np.asarray(inputs[name]))  # indices of the images
        self.num_images = len(chosen)
        self._others = {
            key: np.asarray(value)[chosen] for key, value in inputs.items() if key != name
        }
        self._images = np.asarray(inputs[name])[chosen]
        ids = host_class_ids(labels[chosen]) if labels is not None else None
        self._labels = ids if ids is not None and len(ids) and ids.min() >= 0 else None
        self._views: tuple[np.ndarray, np.ndarray] | None = None
        self._seen: dict[tuple[Transform, int, int], Features | None] = {}

    @property
    def has_labels(self) -> bool:
        """Whether the images have class ids."""
        return self._labels is not None

    def of(self, fix: Transform, than: Transform = AS_FED) -> Preference:
        """Returns how much higher the network's scores are with `fix` than with another map.

        If the result of the first `FIRST_IMAGES` images is clear, no further images are used.

        Args:
            fix: The map from the images as fed to the suspected convention.
            than: The map to compare it with; by default, the images as fed.

        Raises:
            Exception: Any error that the user's own `call` raises.
        """
        n = self.num_images
        if n < MIN_TRIAL_IMAGES:
            return Preference(0.0, 0.0, n)
        some = self._compare(fix, than, min(FIRST_IMAGES, n))
        if n <= FIRST_IMAGES or some.sigmas < -LIKELY:
            return some
        if some.sigmas > STRONG and some.can_tell:
            return some
        return self._compare(fix, than, n)

    def against(self, other: "Trial") -> Preference:
        """Returns how much higher the scores of these images are than those of another trial.

        Args:
            other: A trial of the same images, before they were repaired. In both trials the images
                must be distinct: a trial drops duplicates, and the images of the two trials would
                then not correspond.

        Returns:
            The preference. If the features of the network are the images themselves, the preference
            has `can_tell=False`.
        """
        n = self.num_images
        if n < MIN_TRIAL_IMAGES or self._read.has_one_layer:
            return Preference(0.0, 0.0, n)
        return preference(other._seen_in(AS_FED, n), self._seen_in(AS_FED, n), n)

    def _compare(self, fix: Transform, than: Transform, n: int) -> Preference:
        """Returns how much higher the first `n` images score with `fix` than with `than`."""
        return preference(self._seen_in(than, n), self._seen_in(fix, n), n)

    def _seen_in(self, transform: Transform, n: int) -> Seen | None:
        """Returns the scores of the first `n` images; None without finite features."""
        first, second = (self._features(transform, view, n) for view in (0, 1))
        if first is None or second is None:
            return None
        found = Seen(info_nce(first.penultimate, second.penultimate))
        if first.logits is None or second.logits is None:
            return found
        if self._with_head:
            found.by_logits = info_nce(first.logits, second.logits)
            if np.isfinite(first.logits).all():
                found.by_classes = information(first.logits)
        classes = first.logits.shape[1]
        if self._labels is not None and 1 < classes and self._labels[:n].max() < classes:
            is_first = first.logits.argmax(axis=1) == self._labels[:n]
            found.of_labels, found.chance = is_first.astype("float64"), 1 / classes
        return found

    def _features(self, transform: Transform, view: int, n: int) -> Features | None:
        """Returns the features of one view of the first `n` images; None if they are not finite."""
        if self._views is None:
            x = np.moveaxis(self._images, self._axis, -1).astype("float32")
            self._views = x, second_view(x)
        parts = []
        for start in range(0, n, FIRST_IMAGES):
            key = transform, view, start
            if key not in self._seen:
                images = transform.apply(self._views[view][start : start + FIRST_IMAGES])
                others = {name: x[start : start + FIRST_IMAGES] for name, x in self._others.items()}
                self._seen[key] = self._read(
                    {**others, self._name: np.moveaxis(images, -1, self._axis)}
                )
            part = self._seen[key]
            if part is None or not np.isfinite(part.penultimate).all():
                return None
            parts.append(part)
        logits = [part.logits for part in parts if part.logits is not None]
        return Features(
            np.concatenate([part.penultimate for part in parts]),
            np.concatenate(logits) if len(logits) == len(parts) else None,
        )


def distinct_images(images: np.ndarray) -> np.ndarray:
    """Returns the indices of the first 32 images that differ from all before them."""
    seen: dict[bytes, int] = {}
    for i, image in enumerate(images):
        seen.setdefault(np.ascontiguousarray(image).tobytes(), i)
        if len(seen) == MAX_TRIAL_IMAGES:
            break
    return np.asarray(list(seen.values()), int)


def second_view(images: np.ndarray) -> np.ndarray:
    """Returns another view of each image, of the same size.

    Photos get a random crop, and half of them are mirrored. Small images are shifted. The random
    numbers are seeded by the image itself, so that an image always gets the same view.

    Args:
        images: `(n, height, width, channels)`, float.
    """
    move = max(images.shape[1:3]) <= SMALL
    views = []
    for image in images:
        random = np.random.default_rng(crc32(np.ascontiguousarray(image).tobytes()))
        if move:
            down, right = random.choice([-MAX_MOVE, MAX_MOVE], size=2)
            views.append(_moved(image, int(down), int(right)))
            continue
        view = _along(_along(image, random.random(), 0), random.random(), 1)
        views.append(view[:, ::-1] if random.random() < 0.5 else view)
    return np.stack(views)


def _along(image: np.ndarray, place: float, axis: int) -> np.ndarray:
    """Returns a crop of the image along one axis, stretched linearly to the full length."""
    length = image.shape[axis]
    start = place * (1 - CROP) * length
    at = np.clip(start + (np.arange(length) + 0.5) * CROP - 0.5, 0, length - 1)
    low = np.minimum(at.astype(int), length - 2)
    share = (at - low).astype(image.dtype)
    share = share[:, None, None] if axis == 0 else share[None, :, None]
    below, above = np.take(image, low, axis), np.take(image, low + 1, axis)
    return below + share * (above - below)


def _moved(image: np.ndarray, down: int, right: int) -> np.ndarray:
    """Returns the image shifted by some pixels; the gap is filled by repeating the edge."""
    height, width = image.shape[:2]
    rows = np.clip(np.arange(height) - down, 0, height - 1)
    columns = np.clip(np.arange(width) - right, 0, width - 1)
    return image[rows][:, columns]
