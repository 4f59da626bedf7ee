"""The peers' permutation tests of MMD, with all permutations in one matrix product.

For each permutation, the libraries compute the same statistic by copying the kernel matrix
(alibi-detect, torchdrift) or by evaluating the kernel again (frouros). A check then takes seconds,
and twenty draws of all shifts would take days. Here the same generator draws the same permutations
as in the library. Only the sums are computed together, so the p-values equal those of the library;
`python permutations.py` compares them. The power table uses this file; the cost table times the
unchanged libraries.
"""

import sys
from pathlib import Path

import numpy as np


def statistics(kernel, first):
    """Returns the unbiased MMD^2 of many splits of the samples.

    Args:
        kernel: Kernel matrix of all samples, `(n, n)`, with the diagonal that the
            library uses.
        first: Whether a sample belongs to the first group, `(splits, n)` of 0 and 1.

    Returns:
        `(splits,)`; the same array type as `kernel`.
    """
    n = first.shape[1]
    to_first = first @ kernel  # for each sample, the sum over the first group
    inside = (to_first * first).sum(1)
    across = to_first.sum(1) - inside
    others = kernel.sum() - inside - 2 * across
    k = first.sum(1)
    m = n - k
    return inside / (k * (k - 1)) + others / (m * (m - 1)) - 2 * across / (k * m)


def alibi_mmd(detector):
    """Makes an `alibi_detect.cd.MMDDrift` (PyTorch) compute its permutations together."""
    import torch

    inner = detector._detector

    def score(x):
        x_ref, x = inner.preprocess(x)
        x_ref, x = torch.from_numpy(x_ref), torch.from_numpy(x)
        kernel = inner.kernel_matrix(x_ref, x)
        kernel = (kernel - torch.diag(kernel.diag())).double()
        size, m = len(kernel), len(x)
        splits = torch.zeros(inner.n_permutations + 1, size, dtype=kernel.dtype)
        splits[0, -m:] = 1
        for row in splits[1:]:
            row[torch.randperm(size)[-m:]] = 1
        found = statistics(kernel, splits)
        mmd2, permuted = found[0], found[1:]
        p_value = float((mmd2 <= permuted).double().mean())
        order = torch.sort(permuted, descending=True).values
        return p_value, float(mmd2), float(order[int(inner.p_val * len(permuted))])

    inner.score = score
    return detector


def torchdrift_kernel_mmd(x, y, n_perm, kernel):
    """Replaces `torchdrift.detectors.mmd.kernel_mmd`, with the same permutations."""
    import torch

    n, size = len(x), len(x) + len(y)
    both = torch.cat([x, y])
    matrix = kernel(torch.cdist(both, both, p=2.0)).double()
    splits = torch.zeros(n_perm + 1, size, dtype=matrix.dtype)
    splits[0, :n] = 1
    order = torch.arange(size)
    for row in splits[1:]:
        order = order[torch.randperm(size)]
        row[order[:n]] = 1
    found = statistics(matrix, splits)
    return found[0], (found[1:] > found[0]).double().mean()


def frouros_permutation(X, Y, statistic, statistical_args, num_permutations, **kwargs):  # noqa: N803
    """Replaces `frouros.utils.stats.permutation` for the statistic MMD."""
    from math import factorial

    np.random.seed(kwargs["random_state"])
    both = np.concatenate([X, Y])
    kernel = statistical_args["kernel"](both, both)
    np.fill_diagonal(kernel, 0.0)
    splits = np.zeros((num_permutations, len(both)))
    for row in splits:
        row[np.random.permutation(len(both))[: len(X)]] = 1
    return statistics(kernel, splits), factorial(len(both))


def faster():
    """Replaces the functions of torchdrift and frouros by the two functions above."""
    import frouros.callbacks.batch.permutation_test as frouros
    import torchdrift.detectors.mmd as torchdrift

    torchdrift.kernel_mmd = torchdrift_kernel_mmd
    frouros.permutation = frouros_permutation


def main():
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    import frouros.callbacks.batch.permutation_test as frouros
    import methods
    import torch
    import torchdrift.detectors.mmd as torchdrift

    methods.quiet()
    rng = np.random.default_rng(0)
    reference = rng.standard_normal((300, 32)).astype("float32")
    slow = torchdrift.kernel_mmd, frouros.permutation
    for n in (20, 100):
        for shift in (0.0, 0.05, 0.1, 0.2):
            x = (rng.standard_normal((n, 32)) + shift).astype("float32")
            p_values = []
            for fast in (False, True):
                torchdrift.kernel_mmd, frouros.permutation = slow
                if fast:
                    faster()
                made = (
                    methods.mmd(reference, fast),
                    methods.torchdrift_mmd(reference),
                    methods.frouros_mmd(reference),
                )
                for check in made:
                    torch.manual_seed(1)
                    p_values.append(check(x)[0])
            theirs, ours = p_values[:3], p_values[3:]
            print(f"n {n} shift {shift}: library {theirs}, together {ours}", flush=True)
            assert np.allclose(theirs, ours, atol=1e-9)
    print("equal")


if __name__ == "__main__":
    main()
