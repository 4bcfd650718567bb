"""What a span of matrices is called, in whatever basis."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

from erlangen.groups.algebra import LieAlgebra
from erlangen.groups.algebra_forms import invariant_forms, orient
from erlangen.groups.nilpotent import NilpotentIdeal, nilpotent_ideal

#: What is smaller than this part of its kind is zero.
ZERO = 1e-7
#: Weights are said as whole numbers where a multiple up to this one makes them so.
MULTIPLES = 4


@dataclass(frozen=True)
class LinearName:
    """What a span of matrices is.

    Attributes:
        name: in the usual signs.
        form: the symmetric or antisymmetric form that it keeps, where that is unique up to scale.
        signature: of a symmetric form.
        shears: dimension of its nilpotent ideal.
        weights: ``[l, n]``, of a torus of scalings in reduced form: how much each axis (of its own, where it is not diagonal) is scaled.
    """

    name: str
    form: Tensor | None = None
    signature: tuple[int, int] | None = None
    shears: int = 0
    weights: Tensor | None = None


def linear_name(linear: Float[Tensor, "l n n"]) -> LinearName:
    """Name a closed span of independent matrices.

    >>> linear_name(torch.diag(torch.tensor([2.0, -1.0, 0.0], dtype=torch.float64))[None]).name
    'scaling (2,-1,0)'
    """
    l, n = len(linear), linear.shape[-1]
    if not l:
        return LinearName("")
    eye = torch.eye(n, dtype=linear.dtype)
    flat = linear.flatten(1)
    basis = torch.linalg.qr(flat.mT).Q.mT
    unit = eye.flatten() / n**0.5
    if l == n * n:
        return LinearName(f"gl({n})" if n > 1 else "dilation")
    near = nilpotent_ideal(linear, ZERO)
    if len(near.ideal):
        return _beside_shears(near)
    if (torus := _scalings(linear)) is not None:
        return torus
    if float((basis @ unit).norm()) > 1 - ZERO:
        rest = _complement(basis, unit)
        if not len(rest):
            return LinearName("dilation")
        inner = linear_name(rest.unflatten(1, (n, n)))
        return replace(inner, name=f"{inner.name} + dilation")
    traceless = float((basis @ unit).norm()) < ZERO
    if traceless and l == n * n - 1 and n > 1:
        # so(1,1), so(2,1) and sp(2) are seen below by their forms; all traceless matrices of the plane keep an area only.
        return LinearName(f"sl({n})")
    if l == 1:
        return _one_parameter(linear[0])
    blocks = _blocks(linear)
    if len(blocks) > 1:
        parts = [_restricted(linear, block) for block in blocks]
        if sum(len(part) for part in parts) == l:
            return LinearName(" + ".join(linear_name(part).name for part in parts if len(part)))
        moved = [part for part in parts if len(part)]
        if all(len(part) == l for part in moved):
            name = linear_name(moved[0]).name
            return LinearName(f"{name} on {len(moved)} parts" if len(moved) > 1 else name)
    if blocks and sum(block.shape[1] for block in blocks) < n:
        name = linear_name(_restricted(linear, blocks[0])).name if len(blocks) == 1 else ""
        if name:
            return LinearName(name)
    symmetric, skew = invariant_forms(linear, True), invariant_forms(linear, False)
    if len(symmetric) == 1 and l == n * (n - 1) // 2:
        form = orient(symmetric.forms[0])
        values = torch.linalg.eigvalsh(form)
        if float(values.abs().min()) > 1e-6 * float(values.abs().max()):
            p, q = int((values > 0).sum()), int((values < 0).sum())
            return LinearName(f"so({p},{q})" if q else f"so({p})", form, (p, q))
    if len(skew) == 1 and n % 2 == 0 and l == n * (n + 1) // 2:
        return LinearName(f"sp({n})", skew.forms[0])
    return LinearName(f"an algebra of dimension {l}{_killing(linear)}")


def _beside_shears(near: NilpotentIdeal) -> LinearName:
    """The reductive part, by what it does on the steps of the flag, and the nilpotent ideal."""
    q = len(near.ideal)
    shears = _nilpotent_name(near.ideal)
    if not len(near.rest):
        return LinearName(shears, shears=q)
    beside = linear_name(near.on_steps)
    if float(_brackets(near.rest, near.ideal).abs().max()) < ZERO:
        return replace(beside, name=f"{beside.name} + {shears}", form=None, signature=None, shears=q)
    acts = f"({beside.name})" if "+" in beside.name else beside.name
    ideal = f"R^{q}" if float(_brackets(near.ideal, near.ideal).abs().max()) < ZERO else shears
    return replace(beside, name=f"{acts} ⋉ {ideal}", form=None, signature=None, shears=q)


def _nilpotent_name(ideal: Float[Tensor, "q n n"]) -> str:
    q = len(ideal)
    products = torch.einsum("aij,bjk->abik", ideal, ideal)
    if float(products.abs().max()) < ZERO:
        return f"{q} shears" if q > 1 else "a shear"
    brackets = _brackets(ideal, ideal)
    if float(brackets.abs().max()) < ZERO:
        return f"R^{q}, nilpotent" if q > 1 else "a nilpotent one-parameter group"
    derived = int((torch.linalg.svdvals(brackets.flatten(0, 1).flatten(1)) > ZERO).sum())
    central = q - int((torch.linalg.svdvals(brackets.flatten(1)) > ZERO).sum())
    return f"heisenberg({q})" if derived == central == 1 else f"a nilpotent algebra of dimension {q}"


def _brackets(a: Float[Tensor, "k n n"], b: Float[Tensor, "l n n"]) -> Float[Tensor, "k l n n"]:
    return torch.einsum("aij,bjk->abik", a, b) - torch.einsum("bij,ajk->abik", b, a)


def _scalings(linear: Float[Tensor, "l n n"]) -> LinearName | None:
    """Commuting matrices with a common basis of eigenvectors, which they scale by real weights; ``None`` for all else, and for so(1,1)."""
    l, n = len(linear), linear.shape[-1]
    diagonal = linear.diagonal(dim1=1, dim2=2)
    size = linear.abs().amax((1, 2), keepdim=True)
    on_axes = bool(((linear - torch.diag_embed(diagonal)).abs() <= ZERO * size).all())
    if on_axes:
        weights = diagonal
    else:
        generic = torch.randn(l, generator=torch.Generator().manual_seed(0), dtype=linear.dtype)
        values, vectors = torch.linalg.eig(torch.einsum("l,lij->ij", generic, linear))
        # Of a pair that only rounding makes complex, the real and the imaginary part span the same plane.
        basis = torch.where(values.imag < 0, vectors.imag, vectors.real)
        if float(values.imag.abs().max()) > ZERO * float(values.abs().max()) or float(torch.linalg.cond(basis)) > 1e6:
            return None
        inside = torch.linalg.solve(basis, linear @ basis)
        weights = inside.diagonal(dim1=1, dim2=2)
        if float((inside - torch.diag_embed(weights)).abs().max()) > ZERO * float(inside.abs().max()):
            return None
        if l == 1 and float(weights.max()) < -float(weights.min()):
            weights = -weights
        weights = weights[:, weights[0].argsort(descending=True)]
    moved = int((weights.abs() > ZERO * size[:, 0]).any(0).sum())
    reduced = _echelon(weights)
    entries = reduced.abs()[reduced.abs() > ZERO]
    if l == 1:
        if float((reduced - 1).abs().max()) < ZERO:
            return LinearName("dilation", weights=reduced)
        if moved == 2 and float(reduced.sum().abs()) < ZERO:
            return None  # a boost has a form
        reduced = _whole(reduced / entries.min())
        said = ",".join(f"{float(w):.0f}" for w in reduced[0] + 0.0)
        whole = torch.equal(reduced, reduced.round())
        return LinearName(f"scaling ({said})" if whole else "a scaling", weights=reduced)
    if l == moved:
        # In the plane, those that are none on the given axes have a form up to scale.
        return LinearName(f"scalings({l})" if on_axes or n > 2 else "so(1,1) + dilation", weights=reduced)
    return LinearName(f"torus of {l} scalings", weights=reduced)


def _whole(weights: Float[Tensor, "l n"]) -> Float[Tensor, "l n"]:
    """The least multiple that is whole numbers; as it is where none of the first few is."""
    for times in range(1, MULTIPLES + 1):
        whole = (times * weights).round()
        if float((times * weights - whole).abs().max()) < ZERO * times:
            return whole
    return weights


def _echelon(weights: Float[Tensor, "l n"]) -> Float[Tensor, "l n"]:
    """The reduced row echelon form, with pivots from the left that are no rounding; what is rounding is zero."""
    rows = weights / weights.abs().amax(1, keepdim=True)
    done = 0
    for column in range(rows.shape[1]):
        if done == len(rows):
            break
        pivot = done + int(rows[done:, column].abs().argmax())
        if float(rows[pivot, column].abs()) < ZERO:
            continue
        rows[[done, pivot]] = rows[[pivot, done]]
        rows[done] = rows[done] / rows[done, column]
        others = torch.arange(len(rows)) != done
        rows[others] = rows[others] - rows[others, column : column + 1] * rows[done]
        done += 1
    return torch.where(rows.abs() < ZERO, 0.0, rows)


def _one_parameter(a: Float[Tensor, "n n"]) -> LinearName:
    n = len(a)
    a = a / a.norm()
    cube = a @ a @ a
    factor = float((cube * a).sum())
    if (
        float((cube - factor * a).norm()) < ZERO
        and int(torch.linalg.matrix_rank(a, rtol=1e-6)) == 2
        and abs(float(a.trace())) < ZERO
    ):
        name = "so(2)" if factor < 0 else "so(1,1)"
        forms = invariant_forms(a[None], True).forms
        if n > 2 or len(forms) != 1:
            return LinearName(name)
        return LinearName(name, orient(forms[0]), (2, 0) if factor < 0 else (1, 1))
    return LinearName("a one-parameter group")


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
    generic = (weights @ kernel).view(d, d)
    values = torch.linalg.eigvals(generic)
    blocks, left = [], torch.ones(d, dtype=torch.bool)
    while bool(left.any()):
        first = values[int(left.nonzero()[0])]
        near = left & ((values.real - first.real).abs() < 1e-5) & ((values.imag.abs() - first.imag.abs()).abs() < 1e-5)
        # Eigenvectors of equal eigenvalues may be nearly dependent; what the factor of the polynomial sends to zero is a subspace.
        factor = generic - first.real * eye
        if float(first.imag.abs()) >= 1e-5:
            factor = factor @ factor + first.imag.square() * eye
        blocks.append(image @ torch.linalg.svd(factor).Vh[d - int(near.sum()) :].mT)
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
