"""Polar factors and logarithms of 10,000 matrices: n = 2 beside the formulation by eigenvalues of g g^T, n = 3 to 6 beside one SVD.

python benchmarks/polar_logs.py
"""

from __future__ import annotations

import torch
from _timing import compare, show

from erlangen.groups import GLplus
from erlangen.groups.rotations import log_rotation

COUNT = 10_000


def by_eigenvalues(g: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """``log P`` and ``log R`` as Lie-group convolution was first published: from the eigenvalues of ``g g^T``."""
    values, vectors = torch.linalg.eigh(g @ g.mT)
    log_stretch = 0.5 * (vectors * values.log().unsqueeze(-2)) @ vectors.mT
    turn = (vectors * values.rsqrt().unsqueeze(-2)) @ vectors.mT @ g
    return log_stretch, log_rotation(turn)


def main() -> None:
    torch.set_num_threads(1)
    rng = torch.Generator().manual_seed(0)
    for dtype in (torch.float32, torch.float64):
        name = str(dtype)[6:]
        g = GLplus(2).sample(COUNT, generator=rng, dtype=dtype, scale=0.5)
        how = GLplus(2).decomposition("polar")

        def ours(how=how, g=g):
            x, turn = how.log_split(g)
            return x, how.compact.log(turn)

        show(f"polar and both logarithms, 2 x 2, {name}", *compare(ours, lambda g=g: by_eigenvalues(g)), "eigh of g g^T", "0.3")
        for n in range(3, 7):
            g = GLplus(n).sample(COUNT, generator=rng, dtype=dtype, scale=0.5)
            how = GLplus(n).decomposition("polar")
            times = compare(lambda how=how, g=g: how.split(g), lambda g=g: torch.linalg.svd(g), repeats=6)
            show(f"polar, {n} x {n}, {name}", *times, "torch.linalg.svd", "1.3")
            times = compare(lambda how=how, g=g: how.log_split(g), lambda g=g: torch.linalg.svd(g), repeats=6)
            show(f"with the logarithm of the stretch, {n} x {n}, {name}", *times, "torch.linalg.svd", "1.3")


if __name__ == "__main__":
    main()
