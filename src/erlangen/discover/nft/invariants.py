"""The blocks of motions of which each is seen on a few vectors only: from the quadratic forms that none of them changes."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from erlangen.errors import ArgumentError
from erlangen.reps.block_diagonalize import BlockDecomposition
from erlangen.reps.symmetric_solutions import SymmetricSolutions, invariant_forms

#: Alternating projections towards a positive-definite form.
PROJECTIONS = 200
#: Random combinations of forms that are tried.
DRAWS = 16


def blocks_of_pairs(before: Float[Tensor, "n a"], after: Float[Tensor, "n a"]) -> BlockDecomposition:
    """Irreducible blocks of motions ``after_i = before_i M_i``, each motion its own, all of one compact group.

    Every quadratic invariant is a linear equation per pair; the norms within the blocks are such invariants, and a random combination
    of them has the blocks as its eigenspaces. Frequencies that occur once are separated; copies of one frequency are as well, in some
    basis. All blocks are reported as different kinds, because equal kinds cannot be told from pairs.

    Raises:
        ArgumentError: too few pairs, or no positive-definite form is kept.

    >>> from erlangen.groups import SO
    >>> V = SO(2).irrep(1) + SO(2).irrep(4)
    >>> x = torch.randn(60, 4, dtype=torch.float64)
    >>> blocks_of_pairs(x, V.act(SO(2).sample(60, dtype=torch.float64), x)).sizes
    (2, 2)
    """
    forms = invariant_forms(before, after)
    form = _positive(forms)
    T = torch.linalg.cholesky(form).mT
    inverse = torch.linalg.inv(T)
    basis, sizes = _eigenspaces(forms, inverse)
    order = sorted(range(len(sizes)), key=lambda i: sizes[i])
    ends = torch.tensor(sizes).cumsum(0).tolist()
    columns = [c for i in order for c in range(ends[i] - sizes[i], ends[i])]
    # Rows: y = x P with |y|^2 in each block kept; x form x^T = |x T^T|^2.
    P = (T.mT @ basis)[:, columns]
    lengths = [torch.stack([(rows @ P)[:, part].norm(dim=1) for part in _slices(sizes, order)], 1) for rows in (before, after)]
    residual = float((lengths[0] - lengths[1]).norm() / lengths[0].norm())
    return BlockDecomposition(P, tuple(sizes[i] for i in order), tuple(range(len(sizes))), residual, forms.dim, forms.gap)


def _slices(sizes: tuple[int, ...], order: list[int]) -> list[slice]:
    ends = torch.tensor([sizes[i] for i in order]).cumsum(0).tolist()
    return [slice(end - sizes[i], end) for end, i in zip(ends, order)]


def _positive(forms: SymmetricSolutions) -> Tensor:
    """A positive-definite member, well inside, by projections between the space of forms and the cone."""
    form = forms.project(torch.eye(forms.size, dtype=torch.float64)) if forms.dim else torch.zeros(forms.size, forms.size)
    for _ in range(PROJECTIONS):
        values, vectors = torch.linalg.eigh(form)
        if float(values[0]) > 0.02 * float(values[-1]):
            break
        form = forms.project((vectors * values.clamp_min(0.05 * float(values.abs().max()))) @ vectors.mT)
    if float(torch.linalg.eigvalsh(form)[0]) <= 1e-9 * float(form.abs().max()):
        raise ArgumentError("sequences", "motions that keep some positive-definite form", "ones that keep none")
    return form


def _eigenspaces(forms: SymmetricSolutions, inverse: Tensor) -> tuple[Tensor, tuple[int, ...]]:
    """Eigenvectors of the clearest of some random forms, and how many belong together."""
    a = forms.size
    if forms.dim == 1:
        return torch.eye(a, dtype=torch.float64), (a,)
    generator = torch.Generator().manual_seed(0)
    best: tuple[float, Tensor, tuple[int, ...]] | None = None
    for _ in range(DRAWS):
        form = forms.combine(torch.randn(forms.dim, dtype=torch.float64, generator=generator))
        values, vectors = torch.linalg.eigh(inverse.mT @ form @ inverse)
        steps = values.diff() / (values[-1] - values[0])
        ordered = torch.cat([steps.sort(descending=True).values, steps.new_zeros(1)]).clamp_min(
            max(1e-10, 0.1 * forms.tolerance / a)
        )
        ratios = ordered[:-1] / ordered[1:]
        count = int(ratios.argmax()) + 1
        breaks = (steps.argsort(descending=True)[:count] + 1).sort().values.tolist()
        sizes = tuple(end - start for start, end in zip([0, *breaks], [*breaks, a]))
        if best is None or float(ratios.max()) > best[0]:
            best = (float(ratios.max()), vectors, sizes)
    assert best is not None
    return best[1], best[2]
