"""Which group a Lie algebra of affine maps belongs to, in whatever basis: its parts, its name, its invariant form."""

from __future__ import annotations

import re
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from erlangen.errors import ArgumentError
from erlangen.groups.affine import SE, AffineGroup, AffineSubgroup, Translations
from erlangen.groups.algebra import LieAlgebra
from erlangen.groups.base import Group
from erlangen.groups.linear import SL, GLplus
from erlangen.groups.linear_names import ZERO, linear_name
from erlangen.groups.matrix import MatrixGroup
from erlangen.groups.named_algebras import nearest_named
from erlangen.groups.orthogonal import SO, Isometries

#: Rounds in which the units of the components are balanced.
BALANCED = 20
#: What numbers lose that are differences of large ones, as a part of those.
ROUNDING = 1e-14


@dataclass(frozen=True)
class AffineAlgebra:
    """A closed span of affine generators ``x -> A x + b``, and what can be said of it.

    Attributes:
        generators: ``[k, n, n + 1]``, rows ``(A | b)``.
        linear: a basis of the linear parts, ``[l, n, n]``.
        translations: an orthonormal basis of the translations in it, ``[t, n]``.
        centre: ``[n]``, a point that all of it leaves where it is; ``None`` where there is none.
        linear_name: of the linear parts; empty without any.
        name: in the usual signs, e.g. ``"se(3)"``, ``"so(2,2)"``, ``"so(2) + so(3)"``.
        form: the symmetric (or, for sp, antisymmetric) form that the linear parts keep, where that is unique up to scale.
        signature: of a symmetric form.
        shears: how many of the linear parts are nilpotent.
        weights: ``[l, n]``, where the linear parts are scalings along axes: by how much each axis is scaled.
        units, origin: ``[n]`` each, in which sizes mean something.
    """

    generators: Tensor
    linear: Tensor
    translations: Tensor
    centre: Tensor | None
    linear_name: str
    name: str
    form: Tensor | None
    signature: tuple[int, int] | None
    shears: int
    weights: Tensor | None
    units: Tensor
    origin: Tensor

    @property
    def dim(self) -> int:
        """How many generators there are."""
        return len(self.generators)

    @property
    def n(self) -> int:
        """The dimension of the space."""
        return self.generators.shape[1]

    @property
    def words(self) -> str:
        """What its elements do, for a person."""
        said = []
        turns = len(self.linear) - self.shears
        if self.weights is not None and turns:
            by = ", ".join(f"({', '.join(f'{float(w):.3g}' for w in row)})" for row in self.weights)
            off = self.linear - torch.diag_embed(self.linear.diagonal(dim1=1, dim2=2))
            axes = "the axes" if not bool(off.any()) or bool((self.weights == 1).all()) else "axes of its own"
            said.append(f"scales {axes} with weights {by}")
        elif turns:
            kept = ""
            if self.form is not None and self.signature is not None:
                euclid = "a distance" if 0 in self.signature else "a form of signature ({},{})".format(*self.signature)
                kept = f" keeping {euclid}"
            elif self.form is not None:
                kept = " keeping an area form"
            said.append(f"{turns} linear {'move' if turns == 1 else 'moves'}{kept}")
        if self.shears:
            said.append(f"{self.shears} shear{'s' if self.shears > 1 else ''}")
        if len(self.translations):
            said.append(f"{len(self.translations)} translation{'s' if len(self.translations) > 1 else ''}")
        if self.centre is None and not len(self.translations):
            said.append("with no fixed point")
        if self.centre is not None and len(self.linear) and float(self.centre.abs().max()) > 0:
            said.append(f"about the point ({', '.join(f'{float(v):.3g}' for v in self.centre)})")
        return ", ".join(said)

    @property
    def linear_group(self) -> MatrixGroup | None:
        """The connected group of the linear parts; ``None`` without any."""
        return _linear_group(self.linear, self.linear_name, self.form, self.signature) if len(self.linear) else None

    @property
    def group(self) -> Group:
        """The connected group, with :attr:`~erlangen.Group.point` on ``R^n``: a class of the library where there is one."""
        n = self.n
        if len(self.translations) == n:
            linear = self.linear_group
            if linear is None:
                return Translations(n)
            return SE(n) if linear == SO(n) else AffineGroup(linear, name=_group_name(self.name, f"{linear} ⋉ R^{n}"))
        linear = self.linear_group
        if linear is not None and not len(self.translations) and self.centre is not None and not bool(self.centre.any()):
            return linear
        return AffineSubgroup(self.generators, name=f"exp {self.name}")


def affine_algebra(
    generators: Float[Tensor, "k n c"], units: Float[Tensor, " n"] | None = None, origin: Float[Tensor, " n"] | None = None
) -> AffineAlgebra:
    """Take a closed span of generators ``(A | b)`` (or ``A`` alone) apart and name it.

    Args:
        generators: independent ones.
        units: of the components, in which what is small beside other things counts as zero: the deviation of the data, where there are
            some. By default such that components are alike, as far as generators tell: shears then count, however small.
        origin: about which sizes are looked at: the mean of the data. By default zero.

    Raises:
        ArgumentError: not of that shape, or dependent.

    >>> turn = torch.tensor([[[0.0, -2.0], [0.5, 0.0]]])
    >>> found = affine_algebra(turn)
    >>> found.name, found.group, found.words
    ('so(2)', SO(2) of a form, '1 linear move keeping a distance')
    """
    generators = torch.as_tensor(generators).detach().to(torch.float64).cpu()
    if generators.ndim != 3 or generators.shape[2] - generators.shape[1] not in (0, 1):
        raise ArgumentError("generators", "affine generators [k, n, n + 1], or linear ones [k, n, n]", tuple(generators.shape))
    k, n = generators.shape[:2]
    if generators.shape[2] == n:
        generators = torch.cat([generators, generators.new_zeros(k, n, 1)], 2)
    units = _units(generators) if units is None else units
    origin = generators.new_zeros(n) if origin is None else origin
    # Sizes mean something in units in which the components are alike; what is found there is said in the given ones.
    A = generators[..., :n] * units / units[:, None]
    b = (generators[..., n] + generators[..., :n] @ origin) / units
    flat = torch.cat([A, b[..., None]], 2).flatten(1)
    flat = flat / flat.norm(dim=1, keepdim=True).clamp_min(1e-300)
    if k and int(torch.linalg.matrix_rank(flat, rtol=1e-12)) < k:
        raise ArgumentError("generators", "independent generators", "dependent ones")
    A, b = flat.unflatten(1, (n, n + 1))[..., :n], flat.unflatten(1, (n, n + 1))[..., n]
    left, sizes, right = torch.linalg.svd(A.flatten(1), full_matrices=k > n * n) if k else (A.new_zeros(0, 0), A.new_zeros(0), None)
    rank = int((sizes > ZERO).sum())
    translations = torch.linalg.qr(units[:, None] * (left[:, rank:].mT @ b).mT).Q.mT if k > rank else A.new_zeros(0, n)
    linear = right[:rank].unflatten(1, (n, n)) if rank and right is not None else A.new_zeros(0, n, n)
    centre = _centre(A, b, translations, origin / units)
    named = linear_name(linear)
    linear = linear * units[:, None] / units
    linear = linear / linear.flatten(1).norm(dim=1)[:, None, None]
    form = named.form
    if form is not None:
        form = form / units[:, None] / units
        form = form / form.norm()
    return AffineAlgebra(
        generators,
        linear,
        translations,
        None if centre is None else units * centre,
        named.name,
        _affine_name(named.name, n, len(translations)),
        form,
        named.signature,
        named.shears,
        named.weights,
        units,
        origin,
    )


def _units(generators: Float[Tensor, "k n m"]) -> Float[Tensor, " n"]:
    """A unit for each component, a power of two, in which no row of the linear parts is longer than its column, nor a shift than one."""
    n = generators.shape[1]
    size = generators.abs().amax(0) if len(generators) else generators.new_zeros(n, n + 1)
    coupled, shift = size[:, :n] - torch.diag(size[:, :n].diagonal()), size[:, n]
    units = torch.where(shift > 0, shift, 1.0)
    for _ in range(BALANCED):
        for i in range(n):
            row = (coupled[i] * units).norm() / units[i]
            column = (coupled[:, i] / units).norm() * units[i]
            if float(row) > 0 and float(column) > 0:
                units[i] *= (row / column).sqrt()
    if float(shift.max()) > 0:
        units *= (shift / units).max()
    return 2 ** units.log2().round()


def _centre(A: Tensor, b: Tensor, translations: Tensor, origin: Tensor) -> Tensor | None:
    """A point that stays where it is, zero where that does; shifts are those about ``origin``."""
    if len(translations):
        return None
    if not len(A):
        return A.new_zeros(A.shape[-1])
    system, wanted = A.flatten(0, 1), -b.flatten()
    # Shifts about a point far away are differences of large numbers.
    allowed = ZERO * float(system.norm()) * 1e-3 + ROUNDING * float((system.abs() @ origin.abs()).norm())
    for point in (-origin, torch.linalg.pinv(system, rtol=1e-9) @ wanted):
        if float((system @ point - wanted).norm()) <= max(ZERO * float(wanted.norm()), allowed):
            found = origin + point
            return torch.zeros_like(found) if float(found.abs().max()) < ZERO else found
    return None


def _affine_name(linear: str, n: int, translations: int) -> str:
    if not translations:
        return linear or "nothing"
    if translations < n:
        return (
            f"{linear} + {translations} translation{'s' if translations > 1 else ''}" if linear else f"translations({translations})"
        )
    if not linear:
        return f"translations({n})"
    known = {
        f"so({n})": f"se({n})",
        f"so({n}) + dilation": f"sim({n})",
        "dilation": f"dilations and translations({n})",
        f"sl({n})": f"saff({n})",
        f"gl({n})": f"aff({n})",
    }
    if re.fullmatch(r"so\(\d+,\d+\)", linear):
        return "i" + linear
    return known.get(linear, f"{linear} + translations({n})")


def _group_name(algebra: str, otherwise: str) -> str:
    return f"exp {algebra}" if algebra.startswith(("sim", "saff", "aff", "iso")) else otherwise


def _linear_group(linear: Tensor, name: str, form: Tensor | None, signature: tuple[int, int] | None) -> MatrixGroup:
    algebra = LieAlgebra(linear)
    n = algebra.n
    named = nearest_named(algebra)
    if named.overlap > 1 - 1e-9 and isinstance(named.group, MatrixGroup):
        return named.group
    if signature is not None and form is not None:
        return Isometries(form, connected=True)
    if len(linear) == n * n - 1:
        return SL(n)
    if len(linear) == n * n:
        return GLplus(n)
    return MatrixGroup(algebra=LieAlgebra(linear, name), name=f"exp {name}")
