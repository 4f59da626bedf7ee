"""Tail probabilities of distributions, accurate far into the tail and never 0, without SciPy.

The tails of all weighted sums of squares (quadratic forms) are computed by one contour
integral: the Laplace inversion of `exp(K(s) - s x) / s` along a parabola through the saddle
point, which opens around the branch cut (`K` is the cumulant generating function). In the tail the
result is the product of a tiny factor and an integral of order 1, so it keeps its relative
accuracy down to the smallest float.

Reference: Kuonen, "Saddlepoint approximations for distributions of quadratic
forms in normal variables", Biometrika 1999; Weideman and Trefethen, "Parabolic
and hyperbolic contours for computing the Bromwich integral", 2007.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]

# Samples of each stream; with fewer, no feature or mix of classes is tested. A convention, checked
# in docs/benchmarks/false-alarms.md.
MIN_SAMPLES = 10
# So many standard errors are hardly chance, also in the many comparisons of a fit. A convention.
BEYOND_CHANCE = 4.0
# Standard errors to each side, for an interval of 95 %. Given by the normal distribution.
SIGMAS = 1.96
SMALLEST_P = 1e-300  # no p-value is smaller: float64 holds nothing below 2e-308. A convention.
# Nodes of the trapezoid rule; relative errors are below 1e-4, mostly 1e-8. A convention.
NODES = 64
# The integrand is negligible below e^-36 = 2e-16 of its peak. Given by float64.
_MAX_LOG_DROP = 36.0


def log_gamma(x: ArrayLike) -> Floats:
    """Returns the logarithm of the gamma function of positive numbers, any shape."""
    x = np.asarray(x, "float64")
    # Stirling's series is exact to 1e-12 from 10 on; smaller numbers are shifted up by the
    # recurrence of the gamma function.
    shift = np.zeros_like(x)
    lifted = np.array(x)
    for _ in range(10):
        small = lifted < 10
        shift += np.where(small, np.log(np.where(small, lifted, 1.0)), 0.0)
        lifted = lifted + small
    series = 1 / (12 * lifted) - 1 / (360 * lifted**3) + 1 / (1260 * lifted**5)
    series -= 1 / (1680 * lifted**7)
    return (lifted - 0.5) * np.log(lifted) - lifted + 0.5 * np.log(2 * np.pi) + series - shift


def weighted_chi2_sf(weights: ArrayLike, x: ArrayLike, degrees: ArrayLike = 1.0) -> Floats:
    """Returns P(sum of weights * chi2 > x), for independent chi2 variables.

    Args:
        weights: Weights, not negative, `(k,)` or `(n, k)`. Weights of 0 are ignored.
        x: Values, `()` or `(n,)`.
        degrees: Degrees of freedom of each chi2 variable, broadcast to `weights`.

    Returns:
        Probabilities, shaped like `x`, in `[SMALLEST_P, 1]`; 1 if all weights are 0
        or `x <= 0`.
    """
    x = np.asarray(x, "float64")
    shape = x.shape
    w = np.atleast_2d(np.asarray(weights, "float64"))
    k = np.broadcast_to(np.asarray(degrees, "float64"), w.shape)
    flat = np.atleast_1d(x)
    w, k = (np.broadcast_to(a, (len(flat), w.shape[1])) for a in (w, k))
    top = w.max(axis=1)
    result = np.ones(len(flat))
    live = (flat > 0) & (top > 0) & (k * w > 0).any(axis=1)
    if live.any():
        scaled = w[live] / top[live, None]  # the largest weight becomes 1
        result[live] = _invert(scaled, k[live], flat[live] / top[live])
    return np.clip(result, SMALLEST_P, 1.0).reshape(shape)


def share_sf(weights: ArrayLike, dimension: float, x: float) -> float:
    """Returns P(weighted sum of squares > x) for a random point on the unit sphere.

    Args:
        weights: Weights of the squares of the first `k` coordinates, `(k,)`, not
            negative; the other coordinates have weight 0.
        dimension: Dimension of the space, at least `k`; need not be whole.
        x: Value of the weighted sum, positive.

    Returns:
        P(sum of weights * g^2 / sum of all g^2 > x), with independent standard normal `g`.
    """
    w = np.append(np.asarray(weights, "float64"), 0.0) - x
    k = np.append(np.ones(len(w) - 1), dimension - len(w) + 1)
    top = float(w.max())
    if top <= 0:
        return SMALLEST_P
    if w.min() >= 0:
        return 1.0
    # This is the probability that a sum with the weights `w`, of both signs, is above 0.
    tail = _invert(w[None] / top, k[None], np.zeros(1), positive=False)
    return float(np.clip(tail[0], SMALLEST_P, 1.0))


def _invert(w: Floats, k: Floats, x: Floats, positive: bool = True) -> Floats:
    """Returns P(sum of weights * chi2 > x) by the contour integral, `(n,)`.

    `w` are the weights, `(n, k)`, with a maximum of 1 in each row, `k` their degrees of freedom and
    `x` the values, `(n,)`. `positive` tells whether no weight is negative.
    """
    if positive:
        k = np.where(w > 0, k, 0.0)
    cut = 0.5  # the first branch point, 1 / (2 max w)
    # The contour passes the pole at 0 on its left if x is below the mean (the residue is then
    # 1), else on its right. It crosses the real axis at c, whose distance from the pole is at
    # least about a quarter of 1 / standard deviation.
    distance = 1 / np.sqrt((2 * k * w**2).sum(axis=1))
    saddle = _saddle(w, k, x, positive)
    # The branch points of negative weights are left of 0: with such weights, c is on the right.
    below = positive & (x < (k * w).sum(axis=1))
    c = np.where(below, np.minimum(saddle, -distance / 2), np.maximum(saddle, distance / 4))
    c = np.minimum(c, np.where(saddle > 0.25, saddle, 0.25))
    mu = cut - c

    def log_integrand(v: Floats) -> tuple[NDArray[np.complex128], NDArray[np.complex128]]:
        root = 1 + 1j * np.sinh(v)
        z = mu[:, None] * root**2
        s = cut - z
        inner = (1 - w)[:, None, :] + 2 * w[:, None, :] * z[:, :, None]
        k_of_s = -0.5 * np.einsum("nk,njk->nj", k, np.log(inner))
        slope = 2 * mu[:, None] * root * np.cosh(v)  # dz/dv / i
        return k_of_s - s * x[:, None] - np.log(s), slope

    peak = log_integrand(np.zeros((len(x), 1)))[0].real
    # The part of the contour on which the integrand is not negligible.
    reach = np.broadcast_to(np.geomspace(1e-3, 12, 24), (len(x), 24))
    value, slope = log_integrand(reach)
    drop = value.real + np.log(np.abs(slope)) - peak
    alive = drop > -_MAX_LOG_DROP
    last = np.where(alive.any(axis=1), 24 - np.argmax(alive[:, ::-1], axis=1), 0)
    end = reach[0, np.minimum(last, 23)]
    step = end / NODES
    v = step[:, None] * np.arange(NODES + 1)
    value, slope = log_integrand(v)
    terms = (np.exp(value - peak) * slope).real
    terms[:, 0] /= 2
    integral = terms.sum(axis=1) * step / np.pi
    # Left of the pole, `integral` already has its minus sign, which comes from np.log of the
    # negative s. So only the residue 1 is added.
    tail = np.exp(peak[:, 0]) * integral
    return np.where(c < 0, 1 + tail, tail)


def _saddle(w: Floats, k: Floats, x: Floats, positive: bool) -> Floats:
    """Returns s where K'(s) = sum k w / (1 - 2 w s) equals x, by bisection in log(1 - 2 s)."""
    low, high = np.full(len(x), -40.0), np.zeros(len(x))  # log of 1 - 2 s
    if positive:
        high += np.maximum(np.log((k * w).sum(axis=1) / x) + 1, 1.0) + 40
    for _ in range(30):  # a rough solution is enough
        middle = (low + high) / 2
        s = (1 - np.exp(middle)) / 2
        slope = (k * w / (1 - 2 * w * s[:, None])).sum(axis=1)
        above = slope > x  # s is too near the branch cut: 1 - 2 s must grow
        low, high = np.where(above, middle, low), np.where(above, high, middle)
    return (1 - np.exp((low + high) / 2)) / 2


def gamma_sf(x: ArrayLike, shape: ArrayLike) -> Floats:
    """Returns P(gamma variable with the given shape and scale 1 > x), elementwise."""
    x, shape = np.broadcast_arrays(np.asarray(x, "float64"), np.asarray(shape, "float64"))
    flat = weighted_chi2_sf(np.full((x.size, 1), 0.5), x.ravel(), 2 * shape.reshape(-1, 1))
    return flat.reshape(x.shape)


def normal_sf(z: ArrayLike) -> Floats:
    """Returns P(standard normal variable > z), elementwise."""
    z = np.asarray(z, "float64")
    both = gamma_sf(z**2 / 2, 0.5) / 2  # z**2 is chi2 with one degree of freedom
    return np.maximum(np.where(z >= 0, both, 1 - both), SMALLEST_P)


def student_t_sf(t: ArrayLike, degrees: ArrayLike) -> Floats:
    """Returns P(variable with Student's t distribution > t), elementwise."""
    t, degrees = np.broadcast_arrays(np.asarray(t, "float64"), np.asarray(degrees, "float64"))
    # The square of the variable exceeds t^2 if g^2 - chi2 t^2 / degrees is above 0, g being normal.
    ratio = np.clip(np.minimum(np.abs(t), 1e100) ** 2 / degrees, 1e-12, 1e100).ravel()
    weights = np.stack([np.ones_like(ratio), -ratio], axis=1)
    freedom = np.stack([np.ones_like(ratio), degrees.ravel()], axis=1)
    both = _invert(weights, freedom, np.zeros(len(ratio)), positive=False).reshape(t.shape) / 2
    both = np.where(t == 0, 0.5, both)
    return np.clip(np.where(t >= 0, both, 1 - both), SMALLEST_P, 1.0)
