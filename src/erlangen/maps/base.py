"""`EquivariantMaps`: the space of all linear maps between two representations that commute with the group.

Read this file first. One call gives the dimension, a basis, coefficients of given matrices and a product without a matrix. Where the
group's maps are known as diagrams (S_n, A_n, O, SO, Sp, their products and tensor powers) these are used
(:mod:`erlangen.maps.closed_form`, which calls :mod:`erlangen.maps.contraction`); between sums of irreducible parts, Schur's lemma
(:mod:`erlangen.maps.irreps`); for any other group or representation the null space of the generators' equations
(:mod:`erlangen.maps.numeric`).
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from functools import cached_property
from typing import Literal, get_args

import torch
from jaxtyping import Float
from torch import Tensor

from erlangen.errors import ArgumentError
from erlangen.groups.lasting import Lasting
from erlangen.linalg import principal_angles
from erlangen.maps.closed_form import DiagramMaps, Strategy
from erlangen.maps.contraction import Normalize
from erlangen.maps.diagrams.enumeration import MAX_DIAGRAMS
from erlangen.maps.irreps import IrrepMaps, irrep_maps
from erlangen.maps.matrices import MatrixMaps, OrbitMaps
from erlangen.maps.numeric import Method, assemble, numeric_basis, solve, violation_of
from erlangen.maps.typed_axes import Copies, Space, copies_of
from erlangen.reps.base import Rep
from erlangen.reps.characters import count_equivariant_maps
from erlangen.verdict import Verdict

Basis = Literal["diagram", "orbit", "spanning", "orthonormal", "rational"]


class SymmetricOnly(UserWarning):
    """Maps of an alternating group that are those of the symmetric group, because their tensors have too few axes."""


class EquivariantMaps(metaclass=Lasting):
    """All linear maps ``V -> W`` that commute with the group of ``V`` and ``W``.

    Args:
        source, target: representations ``V`` and ``W`` of one group.
        basis: ``"diagram"`` (the closed form where there is one, by diagrams or by irreps, else orthonormal), ``"orbit"`` (permutation
            groups: entries that the group permutes), ``"spanning"`` (all diagrams of O, SO, Sp, also dependent ones), ``"orthonormal"``
            (the numeric null space, for any group) or ``"rational"`` (the same null space in exact arithmetic, as primitive integers; for
            rational generators).
        normalize: of diagrams, what a sum over n entries is divided by in the product ``maps(weights, x)``: ``"sum"`` 1, ``"sqrt"`` root n,
            ``"mean"`` n. :meth:`basis` itself is never normalised so.
        max_diagrams: refuse to list more diagrams than this between two tensors.
        strategy: of diagrams, how to multiply: ``"contract"`` without a matrix, ``"dense"`` with the written-out one, ``"auto"`` cheaper.
        method, tolerance: how the null space is found, and how inexact a learned Lie algebra may be; see
            :func:`erlangen.maps.numeric.numeric_basis`. Diagrams need neither.

    Raises:
        ArgumentError: the representations are of different groups, there are too many diagrams, or the basis does not exist.
        UnsupportedError: without diagrams, where the dimension is not clear; see :func:`erlangen.maps.numeric.numeric_basis`.

    Sources: E. Pearce-Crump, arXiv:2212.08648, arXiv:2301.10152, arXiv:2212.08630; A. Zhou et al., arXiv:2402.05232 (several groups);
    M. Finzi et al., arXiv:2104.09459 (null space).

    >>> from erlangen.groups import SO, Symmetric
    >>> V = Symmetric(10).vector
    >>> maps = EquivariantMaps(V ** 2, V ** 2)
    >>> maps.dim, maps.labels[:3]
    (15, ('1 2 3 4', '1 2 3|4', '1 2 4|3'))
    >>> maps(torch.randn(15), torch.randn(32, 100)).shape
    torch.Size([32, 100])
    >>> EquivariantMaps(SO(3).vector ** 2, SO(3).vector)
    EquivariantMaps(V⊗V -> V of SO(3), dim 1, diagrams)
    >>> EquivariantMaps(SO(3).rep("8x0e+4x1o+2x2e"), SO(3).rep("4x1o+1x2e"))
    EquivariantMaps(8x0e+4x1o+2x2e -> 4x1o+1x2e of SO(3), dim 18, irreps)
    """

    def __init__(
        self, source: Rep, target: Rep, *, basis: Basis = "diagram", normalize: Normalize = "sum", max_diagrams: int = MAX_DIAGRAMS,
        strategy: Strategy = "auto", method: Method = "auto", tolerance: float | None = None,
    ) -> None:  # fmt: skip
        for name, rep in (("source", source), ("target", target)):
            if not isinstance(rep, Rep):
                raise ArgumentError(name, "a representation", type(rep).__name__)
        if source.group != target.group:
            raise ArgumentError("target", f"a representation of {source.group}", f"one of {target.group}")
        if basis not in get_args(Basis):
            raise ArgumentError("basis", ", ".join(map(repr, get_args(Basis))), repr(basis))
        if strategy not in get_args(Strategy):
            raise ArgumentError("strategy", "'auto', 'contract' or 'dense'", repr(strategy))
        if basis == "orbit" and normalize != "sum":
            raise ArgumentError("normalize", "'sum' with basis='orbit'", repr(normalize))
        self.source, self.target, self.normalize = source, target, normalize
        parts = None if basis in ("orthonormal", "rational") else (copies_of(source), copies_of(target))
        self.tolerance = tolerance
        self._maps: DiagramMaps | IrrepMaps | OrbitMaps | MatrixMaps
        by_schur = irrep_maps(source, target) if basis == "diagram" and parts is not None and None in parts else None
        if by_schur is not None:
            self._maps = by_schur
        elif parts is None or parts[0] is None or parts[1] is None:
            if basis in ("orbit", "spanning"):
                raise ArgumentError(
                    "basis", f"'diagram' or 'orthonormal' for {source} -> {target}, which has no diagrams", repr(basis)
                )
            self._maps = _solved(source, target, "exact" if basis == "rational" else method, tolerance)
        else:
            self._maps = DiagramMaps(
                *(parts[0], parts[1]),
                orbits=basis == "orbit", spanning=basis == "spanning", normalize=normalize, max_diagrams=max_diagrams, strategy=strategy,
                by_irreps=lambda: irrep_maps(source, target),
            )  # fmt: skip
            _warn_if_symmetric(parts[0], parts[1])
        closed = isinstance(self._maps, DiagramMaps | IrrepMaps)
        self.basis_name: Basis = "orthonormal" if basis == "diagram" and not closed else basis

    @property
    def dim(self) -> int:
        """How many maps are independent (with ``basis="spanning"``: how many diagrams there are)."""
        return self._maps.dim

    def prepare(self) -> EquivariantMaps:
        """List the basis and plan the product now instead of at first use (``torch.compile`` wants that); returns itself."""
        self._maps.prepare()
        return self

    @property
    def has_diagrams(self) -> bool:
        """Whether the closed form by diagrams is used."""
        return isinstance(self._maps, DiagramMaps)

    @cached_property
    def labels(self) -> tuple[str, ...]:
        """A name for each basis element: a diagram (``"J:..."`` and stars mark heads), before it the copies it joins, or a number."""
        return self._maps.labels()

    @property
    def diagrams(self) -> Mapping[tuple[Space, Space], tuple]:
        """The diagrams from each source space to each target space; empty where there is no closed form."""
        if not isinstance(self._maps, DiagramMaps):
            return {}
        maps = self._maps.maps
        return {(maps.sources[m], maps.targets[l]): terms for (l, m), terms in maps.terms.items()}

    def basis(self) -> Float[Tensor, "dim out inp"]:
        """The basis as matrices, in float64: ``dim * out * in`` numbers."""
        return self._maps.dense()

    def matrix(self, weights: Float[Tensor, " dim"]) -> Float[Tensor, "out inp"]:
        """The matrix by which ``maps(weights, x)`` multiplies."""
        eye = torch.eye(self.source.dim, dtype=weights.dtype, device=weights.device)
        return self(weights, eye).mT

    def __call__(
        self, weights: Tensor, x: Float[Tensor, "*batch inp"], counts: Mapping | None = None
    ) -> Float[Tensor, "*batch out"]:
        """The weighted sum of all maps applied to ``x``, without forming it.

        Args:
            weights: ``[dim]``; or ``[dim, C_out, C_in]`` with ``x`` of shape ``[*batch, C_in, dim source]``, for channels.
            x: data, on the last axis.
            counts: of padded data, how many entries of each permuted axis are real; see :class:`erlangen.maps.LinearMaps`.
        """
        plain = weights.ndim == 1
        if weights.ndim not in (1, 3) or weights.shape[0] != self.dim:
            raise ArgumentError("weights", f"shape [{self.dim}] or [{self.dim}, C_out, C_in]", tuple(weights.shape))
        if plain:
            weights, x = weights[:, None, None], x.unsqueeze(-2)
        if x.ndim < 2 or x.shape[-1] != self.source.dim or x.shape[-2] != weights.shape[2]:
            got = tuple(x.squeeze(-2).shape) if plain else tuple(x.shape)
            expected = f"[*batch, {self.source.dim}]" if plain else f"[*batch, {weights.shape[2]}, {self.source.dim}]"
            raise ArgumentError("x", f"shape {expected}, the last axis being that of {self.source}", got)
        y = self._maps.apply(weights, x, counts)
        return y.squeeze(-2) if plain else y

    def coefficients(self, matrix: Float[Tensor, "out inp"]) -> tuple[Float[Tensor, " dim"], float]:
        """Coefficients in :meth:`basis` of the nearest equivariant matrix, and how far it is, relative to the norm of ``matrix``.

        >>> from erlangen.groups import Symmetric
        >>> maps = EquivariantMaps(Symmetric(3).vector, Symmetric(3).vector)
        >>> found, distance = maps.coefficients(torch.eye(3, dtype=torch.float64) + 2)
        >>> [round(c, 9) for c in found.tolist()], distance < 1e-12
        ([1.0, 2.0], True)
        """
        if tuple(matrix.shape) != (self.target.dim, self.source.dim):
            raise ArgumentError("matrix", f"shape [{self.target.dim}, {self.source.dim}]", tuple(matrix.shape))
        m = matrix.detach().to(torch.float64)
        found = self._maps.coefficients(m)
        distance = (m - self._maps.combine(found)).norm() / m.norm().clamp_min(torch.finfo(torch.float64).tiny)
        return found, float(distance)

    def project(self, matrix: Float[Tensor, "out inp"]) -> Float[Tensor, "out inp"]:
        """The nearest equivariant matrix in the Frobenius norm (of a compact group: the average over the group), in float64."""
        return self._maps.combine(self.coefficients(matrix)[0])

    def deviations(self) -> Float[Tensor, " dim"]:
        """Standard deviations of one-channel weights for which independent inputs of variance one give outputs of variance about one."""
        return self._maps.deviations()

    def verify(self) -> Verdict:
        """Whether this basis and the numeric null space of the generators span the same maps, whether these satisfy the equations (to 1e-6
        of their size, in balanced coordinates), and whether they are as many as the characters of a finite group count.

        >>> from erlangen.groups import SO
        >>> bool(EquivariantMaps(SO(3).vector ** 2, SO(3).vector ** 2).verify())
        True
        """
        other = numeric_basis(self.source, self.target, tolerance=self.tolerance).basis.flatten(1).mT
        mine = self.basis().flatten(1).mT
        violation, count = violation_of(self.source, self.target, mine), count_equivariant_maps(self.source, self.target)
        worst = float(principal_angles(mine, other).angles.max()) if mine.numel() and other.numel() else 0.0
        rank = int(torch.linalg.matrix_rank(mine, rtol=1e-8)) if mine.numel() else 0
        same = rank == other.shape[1] == (rank if count is None else count) and worst < 1e-6
        same = same and violation <= max(1e-6, 10 * (self.tolerance or 0.0))
        return Verdict(
            same and (self.basis_name == "spanning" or rank == self.dim),
            f"the basis of {self!r} is the null space of the generators' equations",
            how="exact",
            numbers={
                "dimension": self.dim,
                "rank": rank,
                "null space": other.shape[1],
                "largest angle": worst,
                "violation": violation,
            }
            | ({} if count is None else {"characters": count}),
        )

    def __repr__(self) -> str:
        how = {
            "diagram": "diagrams" if self.has_diagrams else "irreps",
            "orbit": "orbits",
            "spanning": "all diagrams",
            "orthonormal": "null space",
            "rational": "rational",
        }[self.basis_name]
        return f"EquivariantMaps({self.source.symbol} -> {self.target.symbol} of {self.source.group}, dim {self.dim}, {how})"


def _warn_if_symmetric(source: Mapping[Space, Copies], target: Mapping[Space, Copies]) -> None:
    """Say so where an alternating group has only the maps of the symmetric group."""
    groups = {a.label: a for space in (*source, *target) for a in space.axes if a.kind == "A" and a.n > 2}
    for label, axis in groups.items():
        most = max(sum(a.label == label for a in s.axes) + sum(a.label == label for a in t.axes) for s in source for t in target)
        if most < axis.n - 1:
            warnings.warn(
                f"these maps of {axis.group} are those of Symmetric({axis.n}): jellyfish need {axis.n - 1} axes in all, here are {most}",
                SymmetricOnly,
                stacklevel=4,  # the class of the class is called in between
            )


def _solved(source: Rep, target: Rep, method: Method, tolerance: float | None) -> OrbitMaps | MatrixMaps:
    """What the numeric solver finds, in its sparse form where there is one."""
    blocks = solve(source, target, method, tolerance=tolerance)
    orbits = [(rows, columns, block.orbits) for rows, columns, block in blocks if block.orbits is not None]
    if len(orbits) == len(blocks):
        return OrbitMaps(orbits, target.dim, source.dim)
    found = assemble(source, target, blocks, exact=method == "exact")
    return MatrixMaps(found.to(torch.float64))
