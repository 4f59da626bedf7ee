"""`Scores`: the misfit between images in several conventions and the statistics of batch norm."""

import numpy as np

RESAMPLES = 50  # bootstrap draws. A convention.


class Scores:
    """How well each candidate fits the moving statistics.

    `misfit` holds the logarithm of the misfit of each candidate, `(candidates,)`; `resampled` holds
    those of bootstrap draws of the images, `(draws, candidates)`.

    Args:
        statistics: `(candidates, 2, images, channels)`: mean and mean square of each
            channel, for all channels of the compared layers.
        moving: `(2, channels)`: moving mean, and moving variance plus epsilon.
        floor: `(channels,)`: the epsilon of each channel's layer.
    """

    def __init__(self, statistics: np.ndarray, moving: np.ndarray, floor: np.ndarray) -> None:
        self.statistics = np.asarray(statistics, "float64")
        self.moving, self.floor = np.asarray(moving, "float64"), floor
        self.num_images = self.statistics.shape[2]
        self.misfit = self._misfit(np.ones((1, self.num_images)))[0]
        # Bootstrap: the misfits of resampled images show how much the misfit varies.
        draws = np.random.default_rng(0).multinomial(
            self.num_images, np.full(self.num_images, 1 / self.num_images), size=RESAMPLES
        )
        self.resampled = self._misfit(draws)

    def gap(self, worse: int, better: int) -> tuple[float, float]:
        """Returns by how much one candidate fits worse than another.

        Returns:
            `(gap, sigmas)`: the log ratio of the misfits, and this ratio in standard errors over
            the images (bootstrap). `sigmas` is 0 if the gap is the same in all draws.
        """
        gap = float(self.misfit[worse] - self.misfit[better])
        spread = float((self.resampled[:, worse] - self.resampled[:, better]).std())
        return gap, gap / spread if spread > 1e-9 else 0.0

    def progress(self, candidate: int) -> float | None:
        """Returns how far the moving statistics have moved towards the statistics of these images.

        Moving statistics start at mean 0 and variance 1. Every training step
        moves them by a fixed share of the remaining distance to the statistics
        of the batch. So after a few steps, the moving statistics lie on the straight line from the
        initial statistics to those of the batch, and all channels have moved by the same share.

        Args:
            candidate: Index of the candidate whose statistics are compared.

        Returns:
            The share of the distance, 0 to 1; None if the statistics are not on that line.
        """
        means, squares = self.statistics[candidate]
        mean = means.mean(axis=0)
        variance = np.maximum(squares.mean(axis=0) - mean**2, 0) + self.floor
        moving_mean, moving_variance = self.moving
        sd = np.sqrt(variance)
        by_mean = _common_share(mean / sd, moving_mean / sd)
        unit = np.maximum(variance, 1.0)
        by_variance = _common_share((variance - 1) / unit, (moving_variance - 1) / unit)
        if by_mean is None or by_variance is None or by_variance <= 0:
            return None
        return float(by_mean) if 0.7 < by_mean / by_variance < 1.4 else None

    def _misfit(self, counts: np.ndarray) -> np.ndarray:
        """Returns `(draws, candidates)`: log of the mean over channels of sqrt(KL).

        Args:
            counts: How often each draw holds each image, `(draws, images)`.
        """
        weights = counts / counts.sum(axis=-1, keepdims=True)
        moving_mean, moving_variance = self.moving
        columns = []
        for means, squares in self.statistics:
            mean = weights @ means
            variance = np.maximum(weights @ squares - mean**2, 0) + self.floor
            kl = np.log(moving_variance / variance) - 1
            kl += (variance + (mean - moving_mean) ** 2) / moving_variance
            columns.append(np.log(np.sqrt(np.maximum(kl / 2, 1e-12)).mean(axis=-1)))
        return np.stack(columns, axis=-1)


def _common_share(whole: np.ndarray, part: np.ndarray) -> float | None:
    """Returns the common ratio of `part` to `whole`; None if the channels have different ratios.

    The ratio is common if its least-squares fit leaves less than a tenth of the sum of squares.
    """
    share = float(part @ whole / max(whole @ whole, 1e-12))
    rest = part - share * whole
    return share if rest @ rest < 0.1 * (part @ part) else None
