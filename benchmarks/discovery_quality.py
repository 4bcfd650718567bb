"""Every discoverer on the same data, with and without a symmetry: agreement with the truth, seconds, false positives.

    python benchmarks/discovery_quality.py [--seeds 3]

The cosine is the root mean square of the principal cosines between the algebra found and the true one, times the root of the ratio of
their dimensions where these differ, so that finding too much or too little costs alike; "-" where the discoverer does not apply.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from erlangen.discover import Finding, discover
from erlangen.fields.mechanics import two_body_forecast
from erlangen.groups import SO, LieAlgebra, Scalings
from erlangen.linalg import matrix_exp
from erlangen.parallel import one_thread

TURN = torch.tensor([[0.0, -1.0], [1.0, 0.0]], dtype=torch.float64)


class Case(NamedTuple):
    """Data, what follows from them, the true algebra of the tokens' space (``None``: there is none), and component names."""

    name: str
    x: Tensor
    y: Tensor | None
    truth: LieAlgebra | None
    names: tuple[str, ...] = ()
    sequences: bool | None = None


def cases(seed: int) -> list[Case]:
    """Four sets with a symmetry and five without."""
    rng = torch.Generator().manual_seed(seed)

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=rng, dtype=torch.float64)

    n = 3000
    ball, p = normal(n, 2, 3), normal(n, 2, 3)
    light = torch.cat([p.norm(dim=-1, keepdim=True), p], -1)
    a, b = ball[:, 0], ball[:, 1]
    lean = (a * b).sum(-1, keepdim=True) * a
    about_z = lean + 0.6 * a[:, 2:].square() * torch.tensor([0.0, 0, 1], dtype=torch.float64)
    frames = [normal(n, 4)]
    step = matrix_exp(torch.block_diag(0.5 * TURN, 1.3 * TURN))
    for _ in range(5):
        frames.append(frames[-1] @ step.mT)
    orbits, copies = two_body_forecast("train"), LieAlgebra(torch.kron(torch.eye(4), TURN)[None])
    skew = torch.stack([-torch.rand(n, generator=rng).log(), torch.rand(n, generator=rng), normal(n).exp()], -1).double()[:, None]
    mixed = torch.stack([skew[:, 0, 0] ** 2 - skew[:, 0, 1], skew[:, 0, 2].sqrt(), skew[:, 0, 1] * skew[:, 0, 0]], -1)[:, None]
    return [
        Case("vector field, so(3)", ball, lean[:, None], SO(3).algebra),
        Case("vector field, so(2) about z", ball, about_z[:, None], SO(2, axis="z").algebra),
        Case("light-like momenta, so(1,3)", light, None, SO(1, 3, connected=True).algebra),
        Case("two bodies, so(2) on 4 copies", orbits.x[:n], orbits.y[:n], copies, tuple(orbits.names)),
        Case("turning planes", torch.stack(frames, 1), None, LieAlgebra(torch.block_diag(0.5 * TURN, 1.3 * TURN)[None]), sequences=True),
        Case("none: skewed, no target", skew, None, None),
        Case("none: skewed, vector target", skew, mixed, None),
        Case("none: cube, random labels", 2 * torch.rand(n, 1, 3, generator=rng).double() - 1, normal(n), None),
        Case("none: noise as sequences", -torch.rand(n, 6, 4, generator=rng, dtype=torch.float64).log(), None, None, sequences=True),
    ]  # fmt: skip


def agreement(finding: Finding, truth: LieAlgebra) -> float:
    """How well the algebra of what was found agrees with the true one, from 0 to 1."""
    if finding.group is None or finding.group.algebra is None:
        return 0.0
    found = finding.group.algebra
    cosines = found.principal_cosines(truth)
    small, large = sorted((found.dim, truth.dim))
    return math.sqrt(float(cosines.square().sum()) / small) * math.sqrt(small / large)


def family(finding: Finding) -> str:
    """The discoverer without its options."""
    return finding.method.split(",")[0]


def scaling(finding: Finding) -> bool:
    """Homogeneous tasks are truly symmetric under scalings, whatever else they are."""
    return isinstance(finding.group, Scalings)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--steps", type=int, default=None, help="of LieGAN; by default its own")
    options = parser.parse_args()
    found_nothing: dict[str, list[bool]] = {}
    show: Callable[[str], None] = print
    show(f"{'data':32} {'discoverer':20} {'found':44} {'stands':7} {'cosine':7} {'confidence':10} seconds")
    for seed in range(options.seeds):
        for case in cases(seed):
            found = discover(case.x, case.y, names=case.names, steps=options.steps, sequences=case.sequences, seed=seed, quiet=True)
            for f in found.findings:
                cosine = "-" if case.truth is None or not f.holds else f"{agreement(f, case.truth):.4f}"
                sure = "-" if f.confidence is None else f"{f.confidence:.3f}"
                show(f"{case.name:32} {family(f):20} {f.found[:44]:44} {f.holds!s:7} {cosine:7} {sure:10} {f.seconds:.2f}")
                if case.truth is None:
                    found_nothing.setdefault(family(f), []).append(f.holds and not scaling(f))
    show("\nfalse positives on data without a symmetry")
    for name, wrong in found_nothing.items():
        show(f"  {name}: {sum(wrong)} of {len(wrong)}")


if __name__ == "__main__":
    with one_thread():
        main()
