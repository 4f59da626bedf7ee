"""Levels: tests whether images as fed fit batch norm after a correction of their levels.

Batch norm stores statistics of ordinary images. A collection that is pale, dark, hazy or tinted
fits these statistics badly in every convention, also in the right one. Photo editors correct such
images by their levels: in each channel, the darkest values become black and the brightest white.
The correction stays within the convention that the images were fed in. So images in [0, 1] stay in
[0, 1], and still fit badly if the model expects [-1, 1].
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from keras_shiftguard.conventions import MODES
from keras_shiftguard.preprocessing.correction.convention import InputConvention
from keras_shiftguard.preprocessing.expected.batch_norm import BatchNormEvidence
from keras_shiftguard.preprocessing.expected.batch_norm_reading import compared_images
from keras_shiftguard.preprocessing.expected.hypotheses import hypotheses_for
from keras_shiftguard.preprocessing.limits import (
    BRIGHT,
    BRIGHTEST,
    DARK,
    DARKEST,
    MAX_CLEAR_FIT,
    MIN_IMAGES,
    MIN_LEVELS_SPAN,
    MIN_MODE_GAP,
    MIN_MODE_SIGMAS,
)
from keras_shiftguard.profiles import InputSummary


@dataclass(frozen=True)
class LevelledFit:
    """Fit of the images to batch norm after a correction of their levels, by convention.

    Args:
        misfit: Misfit of the convention as fed.
        rival: Misfit of the best convention in another mode.
        sigmas: By how many standard errors the rival fits worse.
        num_images: Number of images that were compared.
    """

    misfit: float
    rival: float
    sigmas: float
    num_images: int

    @property
    def is_clear(self) -> bool:
        """Whether the convention as fed fits well, and clearly better than all other modes fit."""
        return bool(
            self.num_images >= MIN_IMAGES
            and np.log(self.misfit) < MAX_CLEAR_FIT
            and np.log(self.rival / self.misfit) > MIN_MODE_GAP
            and self.sigmas > MIN_MODE_SIGMAS
        )

    def in_words(self) -> str:
        """Returns a sentence with the numbers."""
        return (
            "These images are unusually pale, dark, hazy or tinted. With the levels of ordinary "
            f"photos they fit batch norm best as fed: misfit {self.misfit:.2f}, next convention "
            f"{self.rival:.2f}."
        )


class Levels:
    """Correction of the levels of images. The network does not run before `fit` is called.

    Args:
        evidence: The model's batch norm.
        inputs: Images as fed, by input name.
        name: Name of the image input in question.
        observed: The convention of the images as fed.
        summary: The profile of that input.
    """

    def __init__(
        self,
        evidence: BatchNormEvidence,
        inputs: Mapping[str, np.ndarray],
        name: str,
        observed: InputConvention,
        summary: InputSummary,
    ) -> None:
        self._evidence, self._inputs, self._name = evidence, inputs, name
        self._observed, self._summary = observed, summary

    def fit(self) -> LevelledFit | None:
        """Returns the fit of the corrected images.

        The result is None if the images are not in color or in no named convention, if they reach
        dark and bright values in every channel, as ordinary photos do, or if they hardly vary.

        Raises:
            Exception: Any error that the user's own `call` raises.
        """
        correction = self.correction()
        if correction is None:
            return None
        hypotheses = [h for h in hypotheses_for(self._observed, self._summary, None) if not h.swap]
        transforms = [h.transform.after(*correction) for h in hypotheses]
        axis = 1 if self._summary.layout == "channels_first" else -1
        some, num_images = compared_images(self._inputs, self._name)
        scores = self._evidence.score(some, transforms, self._name, axis)
        fed = next(i for i, h in enumerate(hypotheses) if h.is_identity)
        others = [i for i, h in enumerate(hypotheses) if h.mode != hypotheses[fed].mode]
        rival = min(others, key=lambda i: scores.misfit[i])
        _, sigmas = scores.gap(rival, fed)
        misfits = np.exp(scores.misfit)
        return LevelledFit(float(misfits[fed]), float(misfits[rival]), sigmas, num_images)

    def correction(self) -> tuple[np.ndarray, np.ndarray] | None:
        """Returns gain and bias of each channel for the images as fed; for None see `fit`."""
        if self._summary.num_channels != 3 or self._observed.mode not in MODES:
            return None
        scale, offset = (
            np.broadcast_to(np.asarray(v, "float64"), 3)
            for v in (self._observed.scale, self._observed.offset)
        )
        low, high = (
            (np.asarray([self._summary.quantile(q, c) for c in range(3)]) - offset) / scale
            for q in (DARKEST, BRIGHTEST)
        )
        if np.all(low < DARK) and np.all(high > BRIGHT):
            return None
        if not np.all(high - low > MIN_LEVELS_SPAN):
            return None
        # In raw pixels: (raw - low) * stretch. In the convention as fed, `offset` is black.
        stretch = 255 / (high - low)
        return stretch, offset - stretch * (offset + scale * low)
