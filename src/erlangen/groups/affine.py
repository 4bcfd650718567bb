"""Affine groups: a linear group and all translations of ``R^n``, as homogeneous matrices ``[[A, t], [0, 1]]``."""

from __future__ import annotations

from collections.abc import Hashable
from functools import cache
from typing import TYPE_CHECKING, Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from erlangen.errors import ArgumentError
from erlangen.groups.algebra import LieAlgebra
from erlangen.groups.base import Group
from erlangen.groups.haar import drawn_in_single, normal
from erlangen.groups.matrix import MatrixGroup
from erlangen.groups.membership import decided_in_single, looks_cheap, tolerance
from erlangen.groups.orthogonal import SO, FormGroup, O
from erlangen.groups.recognise import recognised
from erlangen.groups.rotations import inverse_translation_factor, translation_factor
from erlangen.groups.size import check_basis
from erlangen.linalg import matrix_exp

if TYPE_CHECKING:
    from erlangen.reps.affine import Point
    from erlangen.reps.base import Rep


def linear_part(g: Float[Tensor, "*batch m m"]) -> Float[Tensor, "*batch n n"]:
    """The linear part ``A`` of homogeneous matrices ``[[A, t], [0, 1]]`` (or of their derivatives)."""
    return g[..., :-1, :-1]


class AffineMaps(MatrixGroup):
    """What groups of affine maps share: homogeneous matrices ``[[A, t], [0, 1]]`` that move the points of ``R^n``, ``n = space_dim``."""

    space_dim: int

    @property
    def translates(self) -> bool:
        return True

    @property
    def is_rotations(self) -> bool:
        return False

    def check_last_row(self, g: Tensor) -> None:
        """Raise ArgumentError where homogeneous matrices do not end in the row ``(0, ..., 0, 1)``, which no formula reads."""
        if not looks_cheap(g):
            return
        last = g.select(-2, -1)
        wanted = _last_row(g.shape[-1], g.dtype).expand(last.shape)
        if not torch.equal(last, wanted):
            off = (last - wanted).abs().amax(-1) > tolerance(g, None)
            if bool(off.any()):
                got = f"{int(off.sum())} of {off.numel()} with another"
                raise ArgumentError(
                    "g", f"matrices of {self}, whose last row is (0, ..., 0, 1)", got, "transposed ones have it as a column"
                )

    @property
    def point(self) -> Point:
        """Points of space: ``x -> A x + t``."""
        from erlangen.reps.affine import Point

        return Point(self)


class AffineGroup(AffineMaps):
    """All maps ``x -> A x + t`` with ``A`` in a linear group and any ``t`` in ``R^n``: their semidirect product.

    Elements are homogeneous matrices ``[*batch, n + 1, n + 1]``. Its actions: :attr:`point` moves points (rotation
    and translation), :attr:`vector` moves directions (translations do nothing).

    Sampling draws ``A`` from the linear group's own measure and ``t ~ N(0, scale^2)``.

    Args:
        linear_group: any :class:`MatrixGroup` on ``R^n``; a finite one gives a group like ``p4``'s symmetries with
            free translations.

    >>> poincare = AffineGroup(O(1, 3))
    >>> poincare.dim, poincare.space_dim
    (10, 4)
    """

    def __init__(self, linear_group: MatrixGroup, name: str = "") -> None:
        if not isinstance(linear_group, MatrixGroup):  # somebody's own class, perhaps of one of ours
            linear_group = recognised(linear_group)  # type: ignore[assignment]
        if not isinstance(linear_group, MatrixGroup):
            raise ArgumentError("linear_group", "a MatrixGroup, or a class of the elements of one", type(linear_group).__name__)
        n = linear_group.n
        self.linear_group, self.space_dim = linear_group, n
        gens, lie = linear_group.generators, linear_group.algebra
        label = name or f"{linear_group} ⋉ R^{n}"
        check_basis(f"the algebra of {label}", n + (0 if lie is None else lie.dim), n + 1)
        shifts = torch.zeros(n, n + 1, n + 1, dtype=torch.float64)
        shifts[range(n), range(n), n] = 1.0
        turns = [] if lie is None else [_homogeneous(lie.basis, None, corner=0.0)]
        algebra = LieAlgebra(torch.cat([*turns, shifts]), name=f"algebra of {label}")
        super().__init__(None if gens is None else _homogeneous(gens, None), algebra, name=label)
        self.is_compact = False
        self.measure = f"{linear_group.measure} for the linear part, N(0, scale^2) for the translation"

    def equality_key(self) -> Hashable:
        return (self.linear_group, self.name)

    @property
    def linear_part(self) -> Group:
        return self.linear_group

    @property
    def is_proper(self) -> bool:
        return self.linear_group.is_proper

    # ---- parts of an element ----

    def element(
        self, rotation: Float[Tensor, "*batch n n"] | None = None, translation: Float[Tensor, "*batch n"] | None = None
    ) -> Float[Tensor, "*batch m m"]:
        """The element ``x -> rotation x + translation``; a part left out is the identity or zero, batches broadcast.

        >>> g = SE(3).element(translation=torch.tensor([1.0, 2.0, 3.0]))
        >>> SE(3).point.act(g, torch.zeros(3))
        tensor([1., 2., 3.])
        """
        n = self.space_dim
        if rotation is None and translation is None:
            return self.identity()
        if rotation is not None and tuple(rotation.shape[-2:]) != (n, n):
            raise ArgumentError("rotation", f"matrices [*batch, {n}, {n}]", f"shape {tuple(rotation.shape)}")
        if translation is not None and (translation.ndim < 1 or translation.shape[-1] != n):
            raise ArgumentError("translation", f"vectors [*batch, {n}]", f"shape {tuple(translation.shape)}")
        if rotation is None:
            assert translation is not None
            rotation = torch.eye(n, dtype=translation.dtype, device=translation.device)
        return _homogeneous(rotation, translation)

    def rotation(self, g: Tensor) -> Tensor:
        """The linear part ``[*batch, n, n]`` of elements."""
        return linear_part(g)

    def translation(self, g: Tensor) -> Tensor:
        """The translation ``[*batch, n]`` of elements.

        Raises:
            ArgumentError: matrices whose last row is not ``(0, ..., 0, 1)``: perhaps transposed, for rows on the left.
        """
        self.check_last_row(g)
        return g[..., :-1, -1]

    def modular(self, g: Float[Tensor, "*batch m m"]) -> Float[Tensor, "*batch"]:
        """The modular function ``Delta(g) = |det A|^-1``: what right multiplication multiplies the left Haar measure by,
        ``lambda(B g) = Delta(g) lambda(B)``.

        >>> AffineGroup(SO(2)).modular(AffineGroup(SO(2)).identity(3))
        tensor([1., 1., 1.])
        """
        self.check_last_row(g)
        return 1 / torch.linalg.det(linear_part(g)).abs()

    # ---- the group ----

    def inverse(self, g: Tensor) -> Tensor:
        self.check_last_row(g)
        back = self.linear_group.inverse(linear_part(g))
        return _homogeneous(back, -(back @ g[..., :-1, -1:]).squeeze(-1))

    def exp(self, a: Tensor) -> Tensor:
        if not self._is_rigid:
            return super().exp(a)
        turn = linear_part(a)
        return _homogeneous(self.linear_group.exp(turn), (translation_factor(turn) @ a[..., :-1, -1:]).squeeze(-1))

    def log(self, g: Tensor) -> Tensor:
        self.check_last_row(g)
        if not (isinstance(self.linear_group, FormGroup) and self.linear_group.is_compact and self.linear_group.dim):
            return super().log(g)
        turn = self.linear_group.log(linear_part(g))
        if not self._is_rigid:
            # exp(a, u) moves by (e^a - 1) / a u, the upper right block of exp([[a, 1], [0, 0]]).
            n = self.space_dim
            system = torch.cat(
                [torch.cat([turn, torch.eye(n).to(turn).expand_as(turn)], -1), turn.new_zeros(*turn.shape[:-1], 2 * n)], -2
            )
            return _homogeneous(turn, torch.linalg.solve(matrix_exp(system)[..., :n, n:], g[..., :-1, -1]), corner=0.0)
        return _homogeneous(turn, (inverse_translation_factor(turn) @ g[..., :-1, -1:]).squeeze(-1), corner=0.0)

    @property
    def _is_rigid(self) -> bool:
        return isinstance(self.linear_group, FormGroup) and self.linear_group.is_euclidean and self.space_dim in (2, 3)

    @decided_in_single
    def contains(self, g: Tensor, atol: float | None = None) -> Tensor:
        self.batch_shape(g)
        last = torch.eye(self.n, dtype=g.dtype, device=g.device)[-1]
        return self.linear_group.contains(linear_part(g), atol) & ((g[..., -1, :] - last).abs().amax(-1) <= tolerance(g, atol))

    @drawn_in_single
    def sample(
        self,
        *batch: int,
        generator: torch.Generator | None = None,
        dtype: torch.dtype | None = None,
        device: torch.device | None = None,
        scale: float = 1.0,
    ) -> Tensor:
        dtype = dtype or torch.get_default_dtype()
        turn = self.linear_group.sample(*batch, generator=generator, dtype=dtype, device=device, scale=scale)
        return _homogeneous(turn, scale * normal((*batch, self.space_dim), generator, dtype, device))

    # ---- how it acts ----

    def of_linear_part(self, rep: Rep) -> Rep:
        """A representation of the linear group as one of this group: translations do nothing.

        >>> E(3).of_linear_part(O(3).vector ** 2).dim
        9
        """
        from erlangen.reps.pullback import Pullback

        return Pullback(rep, self, linear_part)

    @property
    def vector(self) -> Rep:
        """Directions: the linear part, ``[n]``."""
        return self.of_linear_part(self.linear_group.vector)

    @property
    def pseudoscalar(self) -> Rep:
        """The determinant of the linear part."""
        return self.of_linear_part(self.linear_group.pseudoscalar)

    @property
    def homogeneous(self) -> Rep:
        """Homogeneous coordinates ``(x, 1)``: the defining matrices on ``R^(n+1)``."""
        from erlangen.reps.basic import Defining

        return Defining(self)

    def irrep(self, *label: Any) -> Rep:
        """The linear group's irreducible representation with this label; translations do nothing."""
        found = self.linear_group.irrep(*label)
        return self.scalar if found == self.linear_group.scalar else self.of_linear_part(found)

    @property
    def scalar_symbol(self) -> str:
        return self.linear_group.scalar_symbol

    @property
    def irrep_names(self) -> str:
        return self.linear_group.irrep_names


class E(AffineGroup):
    """The isometries of Euclidean space ``R^n``: rotations, reflections and translations.

    >>> E(3).dim
    6
    >>> g = E(3).sample(8)
    >>> E(3).point.act(g, torch.randn(8, 5, 3)).shape           # 8 motions of 8 clouds of 5 points
    torch.Size([8, 5, 3])
    """

    def __init__(self, n: int) -> None:
        super().__init__(O(n), name=f"E({n})")


class SE(AffineGroup):
    """The rigid motions of ``R^n``: rotations and translations.

    >>> SE(2).dim
    3
    """

    def __init__(self, n: int) -> None:
        super().__init__(SO(n), name=f"SE({n})")


class Translations(AffineGroup):
    """The translations of ``R^n``.

    >>> Translations(3).dim
    3
    """

    def __init__(self, n: int) -> None:
        if not isinstance(n, int) or n < 1:
            raise ArgumentError("n", "a dimension of at least 1", repr(n))
        super().__init__(MatrixGroup(generators=[torch.eye(n)], name="1"), name=f"Translations({n})")
        self._generators = None  # the identity generates nothing


class AffineSubgroup(AffineMaps):
    """The connected group of affine maps that generators ``(A | b)`` make: some translations, or turns about a point that is not 0.

    Elements are homogeneous matrices ``[*batch, n + 1, n + 1]``; :attr:`point` moves points.

    Args:
        generators: ``[k, n, n + 1]``, a span that is closed under the bracket.

    Raises:
        ArgumentError: generators of another shape.

    >>> about_one = AffineSubgroup(torch.tensor([[[0.0, -1.0, 0.0], [1.0, 0.0, -1.0]]]), name="turns about (1, 0)")
    >>> bool(torch.allclose(about_one.point.act(about_one.sample(4), torch.tensor([1.0, 0.0])), torch.tensor([1.0, 0.0])))
    True
    """

    def __init__(self, generators: Float[Tensor, "k n c"], name: str = "") -> None:
        generators = torch.as_tensor(generators)
        if generators.ndim != 3 or generators.shape[2] != generators.shape[1] + 1:
            raise ArgumentError("generators", "affine generators [k, n, n + 1]", tuple(generators.shape))
        self.space_dim = generators.shape[1]
        label = name or f"an affine group of dimension {len(generators)}"
        basis = nn.functional.pad(generators.detach().to(torch.float64), (0, 0, 0, 1))
        super().__init__(algebra=LieAlgebra(basis, name=f"algebra of {label}"), name=label)
        self.is_compact = False

    @property
    def is_proper(self) -> bool:
        return self._is_special

    @property
    def linear_part(self) -> Group:
        turns = LieAlgebra.spanned_by(linear_part(self.algebra.basis)) if self.algebra is not None else None
        if turns is None or not turns.dim:
            return MatrixGroup(generators=[torch.eye(self.space_dim)], name="1")
        return MatrixGroup(algebra=turns, name=f"linear part of {self}")

    @property
    def vector(self) -> Rep:
        """Directions: the linear part, ``[n]``."""
        from erlangen.reps.pullback import Pullback

        return Pullback(self.linear_part.vector, self, linear_part)


@cache
def _last_row(size: int, dtype: torch.dtype) -> Float[Tensor, " size"]:
    """``(0, ..., 0, 1)`` on the CPU, to be compared with and nothing else."""
    return torch.eye(size, dtype=dtype, device="cpu")[-1]


def _homogeneous(linear: Tensor, translation: Tensor | None, corner: float = 1.0) -> Tensor:
    """``[[linear, translation], [0, corner]]``; the two broadcast."""
    shift = linear.new_zeros(*linear.shape[:-1], 1) if translation is None else translation.to(linear.dtype).unsqueeze(-1)
    if linear.shape[:-2] != shift.shape[:-2]:  # torch.broadcast_shapes would load SymPy
        linear, wide = torch.broadcast_tensors(linear, shift)
        shift = wide[..., :1]
    g = torch.constant_pad_nd(torch.cat([linear, shift], -1), (0, 0, 0, 1))
    g.select(-1, -1).select(-1, -1).fill_(corner)
    return g
