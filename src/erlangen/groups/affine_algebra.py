"""Which group a Lie algebra of affine maps belongs to, in whatever basis: its parts, its name, its invariant form."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from erlangen.errors import ArgumentError
from erlangen.groups.affine import SE, AffineGroup, AffineSubgroup, Translations
from erlangen.groups.algebra import LieAlgebra
from erlangen.groups.algebra_forms import invariant_forms, orient
from erlangen.groups.base import Group
from erlangen.groups.linear import SL, GLplus
from erlangen.groups.matrix import MatrixGroup
from erlangen.groups.named_algebras import nearest_named
from erlangen.groups.orthogonal import SO, Isometries

#: What is smaller than this part of its kind is zero.
ZERO = 1e-7
#: Rounds in which the units of the components are balanced.
BALANCED = 20


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
    """

    generators: Tensor
    linear: Tensor
    translations: Tensor
    centre: Tensor | None
    linear_name: str
    name: str
    form: Tensor | None
    signature: tuple[int, int] | None

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
        turns = len(self.linear)
        if turns:
            kept = ""
            if self.form is not None and self.signature is not None:
                euclid = "a distance" if 0 in self.signature else "a form of signature ({},{})".format(*self.signature)
                kept = f" keeping {euclid}"
            elif self.form is not None:
                kept = " keeping an area form"
            said.append(f"{turns} linear {'move' if turns == 1 else 'moves'}{kept}")
        if len(self.translations):
            said.append(f"{len(self.translations)} translation{'s' if len(self.translations) > 1 else ''}")
        if self.centre is not None and turns and float(self.centre.abs().max()) > 0:
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


def affine_algebra(generators: Float[Tensor, "k n c"]) -> AffineAlgebra:
    """Take a closed span of generators ``(A | b)`` (or ``A`` alone) apart and name it.

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
    units = _units(generators)
    # Sizes mean something in units in which the components are alike; what is found there is said in the given ones.
    A, b = generators[..., :n] * units / units[:, None], generators[..., n] / units
    flat = torch.cat([A, b[..., None]], 2).flatten(1)
    flat = flat / flat.norm(dim=1, keepdim=True).clamp_min(1e-300)
    if k and int(torch.linalg.matrix_rank(flat, rtol=1e-12)) < k:
        raise ArgumentError("generators", "independent generators", "dependent ones")
    A, b = flat.unflatten(1, (n, n + 1))[..., :n], flat.unflatten(1, (n, n + 1))[..., n]
    left, sizes, right = torch.linalg.svd(A.flatten(1), full_matrices=k > n * n) if k else (A.new_zeros(0, 0), A.new_zeros(0), None)
    rank = int((sizes > ZERO).sum())
    translations = torch.linalg.qr(units[:, None] * (left[:, rank:].mT @ b).mT).Q.mT if k > rank else A.new_zeros(0, n)
    linear = right[:rank].unflatten(1, (n, n)) if rank and right is not None else A.new_zeros(0, n, n)
    centre = _centre(A, b, translations)
    name, form, signature = _linear_name(linear)
    linear = linear * units[:, None] / units
    linear = linear / linear.flatten(1).norm(dim=1)[:, None, None]
    if form is not None:
        form = form / units[:, None] / units
        form = form / form.norm()
    return AffineAlgebra(
        generators,
        linear,
        translations,
        None if centre is None else units * centre,
        name,
        _affine_name(name, n, len(translations)),
        form,
        signature,
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


def _centre(A: Tensor, b: Tensor, translations: Tensor) -> Tensor | None:
    if len(translations):
        return None
    if not len(A):
        return A.new_zeros(A.shape[-1])
    system, wanted = A.flatten(0, 1), -b.flatten()
    point = torch.linalg.pinv(system, rtol=1e-9) @ wanted
    missed = float((system @ point - wanted).norm())
    if missed > ZERO * max(float(wanted.norm()), float(system.norm()) * 1e-3):
        return None
    return torch.zeros_like(point) if float(point.abs().max()) < ZERO else point


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
    if linear.startswith("so(") and "," in linear and linear.endswith(")") and "+" not in linear:
        return "i" + linear
    return known.get(linear, f"{linear} + translations({n})")


def _group_name(algebra: str, otherwise: str) -> str:
    return f"exp {algebra}" if algebra.startswith(("sim", "saff", "aff", "iso")) else otherwise


def _linear_name(linear: Tensor) -> tuple[str, Tensor | None, tuple[int, int] | None]:
    """The name of a span of matrices, and its form where that is unique."""
    l, n = len(linear), linear.shape[-1]
    if not l:
        return "", None, None
    eye = torch.eye(n, dtype=linear.dtype)
    flat = linear.flatten(1)
    basis = torch.linalg.qr(flat.mT).Q.mT
    unit = eye.flatten() / n**0.5
    if l == n * n:
        return f"gl({n})" if n > 1 else "dilation", None, None
    if float((basis @ unit).norm()) > 1 - ZERO:
        rest = _complement(basis, unit)
        if not len(rest):
            return "dilation", None, None
        name, form, signature = _linear_name(rest.unflatten(1, (n, n)))
        return f"{name} + dilation", form, signature
    traceless = float((basis @ unit).norm()) < ZERO
    if traceless and l == n * n - 1 and n > 1:
        # so(1,1), so(2,1) and sp(2) are seen below by their forms; all traceless matrices of the plane keep an area only.
        return f"sl({n})", None, None
    if l == 1:
        return _one_parameter(linear[0])
    blocks = _blocks(linear)
    if len(blocks) > 1:
        parts = [_restricted(linear, block) for block in blocks]
        if sum(len(part) for part in parts) == l:
            return " + ".join(_linear_name(part)[0] for part in parts if len(part)), None, None
        moved = [part for part in parts if len(part)]
        if all(len(part) == l for part in moved):
            name = _linear_name(moved[0])[0]
            return (f"{name} on {len(moved)} parts" if len(moved) > 1 else name), None, None
    if blocks and sum(block.shape[1] for block in blocks) < n:
        name, _, _ = _linear_name(_restricted(linear, blocks[0])) if len(blocks) == 1 else ("", None, None)
        if name:
            return name, None, None
    symmetric, skew = invariant_forms(linear, True), invariant_forms(linear, False)
    if len(symmetric) == 1 and l == n * (n - 1) // 2:
        form = orient(symmetric.forms[0])
        values = torch.linalg.eigvalsh(form)
        if float(values.abs().min()) > 1e-6 * float(values.abs().max()):
            p, q = int((values > 0).sum()), int((values < 0).sum())
            return (f"so({p},{q})" if q else f"so({p})"), form, (p, q)
    if len(skew) == 1 and n % 2 == 0 and l == n * (n + 1) // 2:
        return f"sp({n})", skew.forms[0], None
    return f"an algebra of dimension {l}{_killing(linear)}", None, None


def _one_parameter(a: Tensor) -> tuple[str, Tensor | None, tuple[int, int] | None]:
    n = len(a)
    a = a / a.norm()
    square = a @ a
    if float(square.norm()) < ZERO:
        return "a shear", None, None
    cube = square @ a
    factor = float((cube * a).sum())
    if (
        float((cube - factor * a).norm()) < ZERO
        and int(torch.linalg.matrix_rank(a, rtol=1e-6)) == 2
        and abs(float(a.trace())) < ZERO
    ):
        name = "so(2)" if factor < 0 else "so(1,1)"
        forms = invariant_forms(a[None], True).forms
        if n > 2 or len(forms) != 1:
            return name, None, None
        return name, orient(forms[0]), ((2, 0) if factor < 0 else (1, 1))
    if float((a - a.diagonal().mean() * torch.eye(n, dtype=a.dtype)).norm()) < ZERO:
        return "dilation", None, None
    return "a one-parameter group", None, None


def _complement(basis: Tensor, unit: Tensor) -> Tensor:
    """The traceless part of a span that holds the identity."""
    rest = basis - (basis @ unit)[:, None] * unit
    _, sizes, right = torch.linalg.svd(rest, full_matrices=False)
    return right[sizes > 1e-6]


def _blocks(linear: Tensor) -> list[Tensor]:
    """Bases ``[n, d]`` of invariant subspaces of what is moved: eigenspaces of a generic matrix that commutes with all."""
    moved = torch.linalg.svd(linear.movedim(0, 1).flatten(1))
    image = moved.U[:, 1e-8 * moved.S[0] < moved.S]
    inside = torch.linalg.pinv(image) @ linear @ image
    d = image.shape[1]
    if d < linear.shape[-1] and float((linear @ image - image @ inside).norm()) > 1e-7 * float(linear.norm()):
        return []
    eye = torch.eye(d, dtype=linear.dtype)
    system = torch.cat([torch.kron(a, eye) - torch.kron(eye, a.mT.contiguous()) for a in inside])
    _, sizes, right = torch.linalg.svd(system, full_matrices=True)
    sizes = torch.cat([sizes, sizes.new_zeros(d * d - len(sizes))])
    kernel = right[sizes <= 1e-7 * max(float(sizes[0]), 1e-300)]
    weights = torch.randn(len(kernel), generator=torch.Generator().manual_seed(0), dtype=linear.dtype)
    values, vectors = torch.linalg.eig((weights @ kernel).view(d, d))
    blocks, left = [], torch.ones(d, dtype=torch.bool)
    while bool(left.any()):
        first = int(left.nonzero()[0])
        near = (
            left & ((values.real - values.real[first]).abs() < 1e-5) & ((values.imag.abs() - values.imag[first].abs()).abs() < 1e-5)
        )
        span = torch.cat([vectors[:, near].real, vectors[:, near].imag], 1)
        u, s, _ = torch.linalg.svd(span, full_matrices=False)
        blocks.append(image @ u[:, s > 1e-6 * s[0]])
        left &= ~near
    return sorted(blocks, key=lambda block: block.shape[1])


def _restricted(linear: Tensor, block: Tensor) -> Tensor:
    """The span of the matrices on an invariant subspace."""
    inside = (torch.linalg.pinv(block) @ linear @ block).flatten(1)
    _, sizes, right = torch.linalg.svd(inside, full_matrices=False)
    d = block.shape[1]
    return right[sizes > 1e-6 * max(float(sizes[0]), 1e-300)].unflatten(1, (d, d))


def _killing(linear: Tensor) -> str:
    algebra = LieAlgebra(linear)
    values = torch.linalg.eigvalsh(algebra.orthonormal().killing_form())
    scale = float(values.abs().max())
    if scale < ZERO:
        return ", nilpotent or abelian"
    plus, minus = int((values > 1e-6 * scale).sum()), int((values < -1e-6 * scale).sum())
    if plus + minus == len(linear):
        return f", semisimple, Killing form of signature ({plus},{minus})"
    return f" with a radical of dimension {len(linear) - plus - minus} or more"


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
