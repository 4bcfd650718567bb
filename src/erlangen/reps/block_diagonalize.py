"""`block_diagonalize`: one change of basis that brings a whole set of matrices to their irreducible blocks, in closed form."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from erlangen.errors import ArgumentError
from erlangen.reps.balance import in_coordinates, units
from erlangen.reps.symmetric_solutions import SymmetricSolutions, symmetric_solutions

#: Matrices of noisy data: what is below this part of the largest singular value is not told from zero.
NOISE_FLOOR = 0.02
#: How often the form is averaged before the equations for it are solved; each time it is nearer to an invariant one.
AVERAGES = 40
#: Coordinates whose units differ by more than this are brought to one unit first.
UNITS = 100.0
#: Matrices farther from orthogonal than this, in the best coordinates, are no noisy motions.
FARTHEST = 0.25
#: Random commuting matrices that are tried.
DRAWS = 8


@dataclass(frozen=True)
class BlockDecomposition:
    """A basis in which matrices are block diagonal, each block irreducible.

    Attributes:
        P: ``[a, a]``, its columns are the new basis: ``inv(P) @ M @ P`` is block diagonal, with orthogonal blocks where the group is
            compact. A row of features ``h`` (for which ``h @ M`` is the motion) has the new coordinates ``h @ P``.
        sizes: of the blocks, in order, ascending.
        isotypes: for each block the number of its kind; equal numbers are equivalent blocks (equal traces), and stand together.
        residual: the largest share of a matrix's norm that lies outside of the blocks; 0 for exact representations.
        commutant_dim: of the symmetric matrices that commute with all (made orthogonal).
        gap: by what factor the equations for them told solutions from the rest.

    >>> turn = torch.tensor([[0.0, -1.0], [1.0, 0.0]])
    >>> found = block_diagonalize(torch.block_diag(torch.ones(1, 1), turn)[None])
    >>> found.sizes, found.isotypes, found.residual < 1e-12
    ((1, 2), (0, 1), True)
    """

    P: Float[Tensor, "a a"]
    sizes: tuple[int, ...]
    isotypes: tuple[int, ...]
    residual: float
    commutant_dim: int
    gap: float

    @property
    def slices(self) -> tuple[slice, ...]:
        """Where each block stands in the new coordinates."""
        ends = torch.tensor(self.sizes).cumsum(0).tolist()
        return tuple(slice(end - size, end) for end, size in zip(ends, self.sizes))

    def blocks(self, matrices: Float[Tensor, "*batch a a"]) -> list[Float[Tensor, "*batch d d"]]:
        """The diagonal blocks of matrices in the new basis."""
        moved = in_basis(matrices, self.P)
        return [moved[..., s, s] for s in self.slices]

    def amplitudes(self, rows: Float[Tensor, "*batch a"]) -> Float[Tensor, "*batch blocks"]:
        """The norm of each block's part of rows of features, which no orthogonal block changes."""
        moved = rows @ self.P.to(rows)
        return torch.stack([moved[..., s].norm(dim=-1) for s in self.slices], -1)

    def __str__(self) -> str:
        return f"blocks {'+'.join(map(str, self.sizes))}, {len(set(self.isotypes))} kinds, residual {self.residual:.1e}"


def block_diagonalize(
    matrices: Float[Tensor, "n a a"], *, dim: int | None = None, noisy: bool | None = None, seed: int = 0
) -> BlockDecomposition:
    """Simultaneous block diagonalisation of matrices that represent elements of a compact group, exact or learned.

    Three eigenproblems, no iteration to convergence: a positive-definite form ``S`` with ``M^T S M = S`` makes all matrices orthogonal;
    the symmetric matrices that commute with all of them are a null space; a random one of these has the irreducible blocks as its
    eigenspaces. Symmetric solutions split blocks of real and of complex type and never split those of quaternionic type. The cost is
    O(n a^4 + a^6); a few dozen matrices say all there is to say.

    Args:
        matrices: a stack, of any scale of noise; at least one. Computed in float64.
        dim: how many independent commuting symmetric matrices there are, where that is known; by default the gap of singular values says.
        noisy: whether the gap may lie between noise and signal rather than at rounding. By default it may when there is no clear gap
            at rounding.
        seed: of the random commuting matrix.

    Raises:
        ArgumentError: no stack of square matrices, NaN or infinite entries, or no positive-definite form is kept (the group generated
            is not compact: growth, decay or shear).

    Source: T. Maehara and K. Murota, "Algorithm for error-controlled simultaneous block-diagonalization of matrices", SIAM J. Matrix
    Anal. Appl. 32 (2011), for the commutant and its random element.

    >>> from erlangen.groups import SO
    >>> V = SO(3).vector ** 2
    >>> found = block_diagonalize(V(SO(3).sample(8, dtype=torch.float64)))
    >>> found.sizes, found.commutant_dim, found.residual < 1e-10
    ((1, 3, 5), 3, True)
    """
    if not isinstance(matrices, Tensor) or matrices.ndim != 3 or matrices.shape[-1] != matrices.shape[-2] or not len(matrices):
        raise ArgumentError("matrices", "a stack [n, a, a] with n >= 1", tuple(getattr(matrices, "shape", ())))
    given = matrices.detach().to("cpu", torch.float64)
    if not bool(torch.isfinite(given).all()):
        raise ArgumentError("matrices", "finite entries", "NaN or infinity")
    frame = _orthogonalizing(given, noisy)
    orthogonal = frame @ given @ torch.linalg.inv(frame)
    if float((torch.linalg.svdvals(orthogonal) - 1).abs().max()) > FARTHEST:
        raise _not_compact()
    commuting = symmetric_solutions(orthogonal, "commuting", dim=dim, noisy=noisy, floor=NOISE_FLOOR)
    basis, sizes = _eigenspaces(commuting, orthogonal, torch.Generator().manual_seed(seed))
    P = torch.linalg.solve(frame, basis)
    order, sizes, isotypes = _sort(in_basis(given, P), sizes, commuting.tolerance)
    P = P[:, order]
    return BlockDecomposition(
        P.to(matrices.device), sizes, isotypes, off_block(in_basis(given, P), sizes), commuting.dim, commuting.gap
    )


def in_basis(matrices: Float[Tensor, "*batch a a"], P: Float[Tensor, "a a"]) -> Float[Tensor, "*batch a a"]:
    """``P^-1 M P``."""
    return torch.linalg.solve(P.to(matrices), matrices @ P.to(matrices))


def off_block(matrices: Float[Tensor, "n a a"], sizes: Sequence[int]) -> float:
    """The largest share of a matrix's Frobenius norm outside of diagonal blocks.

    >>> round(off_block(torch.tensor([[[3.0, 0.0], [4.0, 0.0]]]), (1, 1)), 6)
    0.8
    """
    inside = torch.block_diag(*[torch.ones(d, d, dtype=torch.bool) for d in sizes]).bool().to(matrices.device)
    outside = matrices.masked_fill(inside, 0).flatten(1).norm(dim=1)
    return float((outside / matrices.flatten(1).norm(dim=1).clamp_min(torch.finfo(matrices.dtype).tiny)).max())


def _orthogonalizing(matrices: Tensor, noisy: bool | None) -> Tensor:
    """``T`` for which every ``T M T^-1`` is orthogonal, as nearly as can be."""
    a = matrices.shape[-1]
    eye = torch.eye(a, dtype=torch.float64)
    sizes = units(matrices)
    if float(sizes.max() / sizes.min()) > UNITS:  # else noise is measured in the coordinates that were given
        scaled = torch.diag(sizes)
        return _orthogonalizing(in_coordinates(scaled, matrices), noisy) @ scaled
    # Averages of the identity over words in the matrices stay positive definite and converge; what is left is solved for exactly.
    form = eye
    for _ in range(AVERAGES):
        form = 0.5 * (form + (matrices.mT @ form @ matrices).mean(0))
        form = form / form.diagonal().mean()
        if not bool(torch.isfinite(form).all()):
            raise _not_compact()
    T = _root(form)
    kept = symmetric_solutions(T @ matrices @ torch.linalg.inv(T), "kept", noisy=noisy, floor=NOISE_FLOOR)
    if not kept.dim:
        return T
    try:
        return _root(kept.project(eye)) @ T
    except ArgumentError:
        if kept.tolerance < 1e-6:
            raise
        return T  # noise hides the form: the average stands for it


def _root(form: Tensor) -> Tensor:
    """``T`` with ``T^T T = form``."""
    form = (form + form.mT) / 2
    values = torch.linalg.eigvalsh(form)
    if not float(values[0]) > 1e-10 * float(values[-1]):  # also of a form that overflowed or vanished
        raise _not_compact()
    return torch.linalg.cholesky(form).mT


def _not_compact() -> ArgumentError:
    return ArgumentError(
        "matrices",
        "matrices that keep some positive-definite form",
        "ones that keep none",
        "growth, decay or shear is no motion of a compact group; look at the absolute values of the eigenvalues",
    )


def _eigenspaces(commuting: SymmetricSolutions, matrices: Tensor, generator: torch.Generator) -> tuple[Tensor, tuple[int, ...]]:
    """Orthonormal eigenvectors of a random commuting matrix, and how many belong together."""
    a = commuting.size
    if commuting.dim <= 1:
        return torch.eye(a, dtype=torch.float64), (a,)
    best: tuple[int, float, Tensor, tuple[int, ...]] | None = None
    # Two eigenvalues may lie close by bad luck, and noise then mixes their blocks: of some random matrices the finest split counts.
    for _ in range(DRAWS):
        weights = torch.randn(commuting.dim, dtype=torch.float64, generator=generator)
        vectors = torch.linalg.eigh(commuting.combine(weights)).eigenvectors
        sizes, crossing = _split(vectors.mT @ matrices @ vectors, max(commuting.scale, 1e-3))
        if best is None or (len(sizes), -crossing) > best[:2]:
            best = (len(sizes), -crossing, vectors, sizes)
    assert best is not None
    return best[2], best[3]


def _split(moved: Tensor, scale: float) -> tuple[tuple[int, ...], float]:
    """Cut the coordinates, in the order of eigenvalues, wherever the matrices do not cross; and the largest crossing at a cut.

    A cut within an irreducible block is crossed by matrix elements of the size of the matrices, one between blocks by errors alone.
    """
    a = moved.shape[-1]
    squares = moved.square().mean(0)
    crossing = torch.stack([squares[:i, i:].sum() + squares[i:, :i].sum() for i in range(1, a)]).sqrt()
    ordered = torch.cat([crossing.sort().values, crossing.new_tensor([scale])]).clamp_min(1e-12)
    ratios = torch.where(ordered[:-1] < 0.5 * scale, ordered[1:] / ordered[:-1], torch.zeros_like(ordered[1:]))
    if not bool(ratios.any()):
        return (a,), float(crossing.max())
    limit = float(ordered[int(ratios.argmax())])
    breaks = ((crossing <= limit).nonzero().flatten() + 1).tolist()
    return tuple(end - start for start, end in zip([0, *breaks], [*breaks, a])), limit


def _sort(moved: Tensor, sizes: tuple[int, ...], tolerance: float) -> tuple[Tensor, tuple[int, ...], tuple[int, ...]]:
    """Blocks by size, equivalent ones together: the order of coordinates, the sizes, the kinds."""
    ends = torch.tensor(sizes).cumsum(0).tolist()
    ranges = [range(end - size, end) for end, size in zip(ends, sizes)]
    traces = [moved.diagonal(dim1=-2, dim2=-1)[:, list(r)].sum(1) for r in ranges]
    kinds: list[int] = []
    representatives: list[int] = []
    for i, trace in enumerate(traces):
        same = [
            k
            for k, j in enumerate(representatives)
            if sizes[j] == sizes[i] and float((traces[j] - trace).square().mean().sqrt()) < max(1e-8, 4 * tolerance) * sizes[i]
        ]
        if not same:
            representatives.append(i)
        kinds.append(same[0] if same else len(representatives) - 1)
    order = sorted(range(len(sizes)), key=lambda i: (sizes[i], -float(traces[representatives[kinds[i]]].mean()), kinds[i], i))
    names: dict[int, int] = {}
    labels = tuple(names.setdefault(kinds[i], len(names)) for i in order)
    coordinates = torch.tensor([c for i in order for c in ranges[i]])
    return coordinates, tuple(sizes[i] for i in order), labels
