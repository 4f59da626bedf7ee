"""Tail probabilities, right far out in the tail and never 0, without SciPy.

Every quadratic form of the detector (a sum of squares with weights) goes
through one contour integral: the Laplace inversion of `exp(K(s) - s x) / s`
along a parabola through the saddle point that opens around the branch cut. In
the tail the result is a product of a tiny factor and an integral of order 1, so
it keeps its relative accuracy down to the smallest float.

Reference: Kuonen, "Saddlepoint approximations for distributions of quadratic
forms in normal variables", Biometrika 1999; Weideman and Trefethen, "Parabolic
and hyperbolic contours for computing the Bromwich integral", 2007.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]

SMALLEST_P = 1e-300  # no p-value is ever reported below
NODES = 64  # of the trapezoid rule: relative errors below 1e-4, mostly 1e-8
_NEGLIGIBLE_LOG = 36.0  # e^-36 = 2e-16
_MOST_VALUES = 10**6  # of an exact sum; 8 MB a column


def log_gamma(x: ArrayLike) -> Floats:
    """Logarithm of the gamma function of positive numbers, any shape."""
    x = np.asarray(x, "float64")
    # Stirling's series is exact to 1e-12 from 10 up; smaller ones are lifted.
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
    """P(sum of weights * chi2 > x).

    Args:
        weights: Weights, not negative, `(k,)` or `(n, k)`. Zeros do not count.
        x: Values, `()` or `(n,)`.
        degrees: Degrees of freedom of each chi2, broadcast to `weights`.

    Returns:
        Probabilities, of the shape of `x`, in `[SMALLEST_P, 1]`. Where all
        weights are 0, or `x <= 0`: 1.
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
    """P(weighted share > x) for a direction drawn at random on a sphere.

    Args:
        weights: Of the squares of the first `k` coordinates, `(k,)`, not
            negative; the other coordinates have weight 0.
        dimension: Dimension of the space, at least `k`; need not be whole.
        x: Positive.

    Returns:
        P(sum of weights * g^2 / sum of all g^2 > x), `g` standard normal.
    """
    w = np.append(np.asarray(weights, "float64"), 0.0) - x
    k = np.append(np.ones(len(w) - 1), dimension - len(w) + 1)
    top = float(w.max())
    if top <= 0:
        return SMALLEST_P
    if w.min() >= 0:
        return 1.0
    # The same sums with weights of both signs, against 0.
    tail = _invert(w[None] / top, k[None], np.zeros(1), positive=False)
    return float(np.clip(tail[0], SMALLEST_P, 1.0))


def _invert(w: Floats, k: Floats, x: Floats, positive: bool = True) -> Floats:
    """The contour integral, for weights whose largest is 1."""
    if positive:
        k = np.where(w > 0, k, 0.0)
    cut = 0.5  # the first branch point, 1 / (2 max w)
    # A step away from the pole at 0: to its left below the mean (the residue is
    # then 1), to its right above; never nearer than a standard deviation.
    apart = 1 / np.sqrt((2 * k * w**2).sum(axis=1))
    saddle = _saddle(w, k, x, positive)
    # Left of 0 lie the branch points of negative weights.
    below = positive & (x < (k * w).sum(axis=1))
    c = np.where(below, np.minimum(saddle, -apart / 2), np.maximum(saddle, apart / 4))
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
    # How far along the contour the integrand lives.
    reach = np.broadcast_to(np.geomspace(1e-3, 12, 24), (len(x), 24))
    there, slope = log_integrand(reach)
    drop = there.real + np.log(np.abs(slope)) - peak
    alive = drop > -_NEGLIGIBLE_LOG
    last = np.where(alive.any(axis=1), 24 - np.argmax(alive[:, ::-1], axis=1), 0)
    end = reach[0, np.minimum(last, 23)]
    step = end / NODES
    v = step[:, None] * np.arange(NODES + 1)
    value, slope = log_integrand(v)
    terms = (np.exp(value - peak) * slope).real
    terms[:, 0] /= 2
    integral = terms.sum(axis=1) * step / np.pi
    # np.log of a negative s (left of the pole) has turned the sign already.
    tail = np.exp(peak[:, 0]) * integral
    return np.where(c < 0, 1 + tail, tail)


def _saddle(w: Floats, k: Floats, x: Floats, positive: bool) -> Floats:
    """Where K'(s) = sum k w / (1 - 2 w s) equals x: bisection in 1/(1 - 2s)."""
    low, high = np.full(len(x), -40.0), np.zeros(len(x))  # log of 1 - 2 s
    if positive:
        high += np.maximum(np.log((k * w).sum(axis=1) / x) + 1, 1.0) + 40
    for _ in range(30):  # roughly right is enough
        middle = (low + high) / 2
        s = (1 - np.exp(middle)) / 2
        slope = (k * w / (1 - 2 * w * s[:, None])).sum(axis=1)
        above = slope > x  # too near the cut: 1 - 2 s must grow
        low, high = np.where(above, middle, low), np.where(above, high, middle)
    return (1 - np.exp((low + high) / 2)) / 2


def chi2_sf(x: ArrayLike, degrees: ArrayLike) -> Floats:
    """P(chi2 > x), elementwise."""
    return gamma_sf(np.asarray(x) / 2, np.asarray(degrees) / 2)


def gamma_sf(x: ArrayLike, shape: ArrayLike) -> Floats:
    """P(gamma of that shape and scale 1 > x), elementwise."""
    x, shape = np.broadcast_arrays(np.asarray(x, "float64"), np.asarray(shape, "float64"))
    flat = weighted_chi2_sf(np.full((x.size, 1), 0.5), x.ravel(), 2 * shape.reshape(-1, 1))
    return flat.reshape(x.shape)


def normal_sf(z: ArrayLike) -> Floats:
    """P(standard normal > z), elementwise."""
    z = np.asarray(z, "float64")
    both = chi2_sf(z**2, 1.0) / 2
    return np.maximum(np.where(z >= 0, both, 1 - both), SMALLEST_P)


def student_t_sf(t: ArrayLike, degrees: ArrayLike) -> Floats:
    """P(Student's t > t), elementwise."""
    t, degrees = np.broadcast_arrays(np.asarray(t, "float64"), np.asarray(degrees, "float64"))
    x = degrees / (degrees + np.minimum(np.abs(t), 1e150) ** 2)
    both = _incomplete_beta(degrees / 2, 0.5, x) / 2
    return np.clip(np.where(t >= 0, both, 1 - both), SMALLEST_P, 1.0)


def _incomplete_beta(a: Floats, b: float, x: Floats) -> Floats:
    """The regularised incomplete beta function by Lentz's continued fraction."""
    swap = x > (a + 1) / (a + b + 2)
    p, q = np.where(swap, b, a), np.where(swap, a, b)
    y = np.where(swap, 1 - x, x)
    with np.errstate(divide="ignore"):
        front = np.exp(
            log_gamma(p + q) - log_gamma(p) - log_gamma(q) + p * np.log(y) + q * np.log1p(-y)
        )
    front = np.where(y > 0, front, 0.0)
    c, d = np.ones_like(y), 1 / (1 - (p + q) * y / (p + 1))
    fraction = d.copy()
    for i in range(1, 200):
        even = i * (q - i) * y / ((p + 2 * i - 1) * (p + 2 * i))
        odd = -(p + i) * (p + q + i) * y / ((p + 2 * i) * (p + 2 * i + 1))
        for term in (even, odd):
            d, c = 1 / (1 + term * d), 1 + term / c
            factor = c * d
            fraction = fraction * factor
        if np.all(np.abs(factor - 1) < 1e-14):
            break
    value = front * fraction / p
    return np.where(swap, 1 - value, value)


def hypergeometric_tails(
    drawn: ArrayLike, size: ArrayLike, marked: ArrayLike, total: ArrayLike
) -> tuple[Floats, Floats]:
    """Tails of the number of marked among `size` drawn out of `total`.

    Exact, but for hundreds of millions: there the sum leaves out what lies 40 standard
    deviations away, or where that is no help is that of a normal variable. So memory has
    a bound, whatever the counts are.

    Args:
        drawn: How many of the drawn were marked, `(n,)`; whole numbers.
        size: How many were drawn, `(n,)`.
        marked: How many of all are marked, `(n,)`.
        total: How many there are, `(n,)`.

    Returns:
        P(at most `drawn`) and P(at least `drawn`).
    """
    of, draws, marks, all_of = (
        np.rint(np.atleast_1d(np.asarray(a, "float64"))) for a in (drawn, size, marked, total)
    )
    of, draws, marks, all_of = np.broadcast_arrays(of, draws, marks, all_of)
    lower, upper = np.ones(len(of)), np.ones(len(of))
    low, high = np.maximum(0, draws + marks - all_of), np.minimum(draws, marks)
    share = marks / np.maximum(all_of, 1)
    mean = draws * share
    std = np.sqrt(mean * (1 - share) * (all_of - draws) / np.maximum(all_of - 1, 1))
    many = high - low >= _MOST_VALUES
    low = np.where(many, np.maximum(low, np.floor(mean - 40 * std - 1000)), low)
    high = np.where(many, np.minimum(high, np.ceil(mean + 40 * std + 1000)), high)
    many = high - low >= _MOST_VALUES
    if many.any():
        apart, scale = (of - mean)[many], std[many]
        lower[many] = normal_sf(-(apart + 0.5) / scale)
        upper[many] = normal_sf((apart - 0.5) / scale)
    order = np.argsort(high - low)[: len(of) - int(many.sum())]
    start = 0
    while start < len(order):  # in pieces of a few MB
        longest = (high - low)[order[start:]] + 1
        pieces = np.arange(1, len(longest) + 1) * longest <= 1e6
        rows = order[start : start + max(int(pieces.sum()), 1)]
        lower[rows], upper[rows] = _hypergeometric(
            *(a[rows, None] for a in (of, draws, marks, all_of, low, high))
        )
        start += len(rows)
    return np.clip(lower, SMALLEST_P, 1.0), np.clip(upper, SMALLEST_P, 1.0)


def _hypergeometric(
    drawn: Floats, size: Floats, marked: Floats, total: Floats, low: Floats, high: Floats
) -> tuple[Floats, Floats]:
    """Both tails from the ratios of neighbouring probabilities; columns `(n, 1)`."""
    value = low + np.arange(int((high - low).max()) + 1)
    inside = value <= high
    before = np.where(inside & (value > low), value - 1, low)
    with np.errstate(divide="ignore"):
        ratio = np.log((marked - before) * (size - before)) - np.log(
            (before + 1) * (total - marked - size + before + 1)
        )
    log_p = np.cumsum(np.where(inside & (value > low), ratio, 0.0), axis=1)
    log_p = np.where(inside, log_p, -np.inf)
    p = np.exp(log_p - log_p.max(axis=1, keepdims=True))
    whole = p.sum(axis=1)
    lower = np.where(value <= drawn, p, 0.0).sum(axis=1) / whole
    upper = np.where(value >= drawn, p, 0.0).sum(axis=1) / whole
    return lower, upper


def hypergeometric_two_sided(
    drawn: ArrayLike, size: ArrayLike, marked: ArrayLike, total: ArrayLike
) -> Floats:
    """Fisher's exact test with twice the smaller tail, `(n,)`."""
    lower, upper = hypergeometric_tails(drawn, size, marked, total)
    return np.minimum(1.0, 2 * np.minimum(lower, upper))
