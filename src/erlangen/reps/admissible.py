"""`admissible`: whether an activation applied coordinate by coordinate is exactly equivariant.

Let ``rho`` be a representation in a basis and ``f`` a function of one number, ``f(x) = (f(x_1), ..., f(x_n))``. The question is whether
``f(rho(g) x) = rho'(g) f(x)`` for some representation ``rho'`` and all ``g`` and ``x``. If ``f`` is continuous and not affine, two non-zero
entries in a row of ``rho(g)`` would make it satisfy Cauchy's functional equation, hence every matrix must be monomial (one non-zero
entry in each row and column), and each entry ``lambda`` must be a multiplier of ``f``: ``f(lambda t) = c(lambda) f(t)``. Then
``rho'`` has the entries ``c(lambda)``. Monomial matrices with entries in the multiplier group are closed under products, so generators
decide; a Lie algebra must act by diagonal matrices. A connected compact group therefore acts trivially or not at all: networks with
point-wise activations that are equivariant to rotations are invariant.

Source: M. Pacini, X. Dong, B. Lepri, G. Santin, "A characterization theorem for equivariant networks with point-wise activations",
ICLR 2024, arXiv:2401.09235; J. Wood, J. Shawe-Taylor, Discrete Applied Mathematics 69 (1996) for permutations.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from erlangen.errors import ArgumentError
from erlangen.linalg import relative_error
from erlangen.reps.alternatives import Alternative, alternatives
from erlangen.reps.base import Rep
from erlangen.reps.basic import Permutation, Trivial
from erlangen.reps.classify import Activation, CoordinateFunctions
from erlangen.reps.combine import DirectSum, TensorProduct, direct_sum, multiple, tensor_product
from erlangen.reps.counterexamples import Witness, at_zero, counterexample
from erlangen.reps.finite import Regular
from erlangen.reps.monomial import EntryMap, InBasis, Induced, values_by_column
from erlangen.reps.multipliers import ActivationClass
from erlangen.reps.pullback import Pullback
from erlangen.verdict import Verdict


@dataclass(frozen=True)
class Admissibility(Verdict):
    """The answer of :func:`admissible`: a :class:`Verdict` with

    Attributes:
        output_rep: the representation that the output carries; ``None`` when it carries none.
        activation_class: what kind of function the activation is (a tuple when blocks or coordinates have different ones).
        alternatives: when the answer is no, what to use instead, best first.
        witness: when the answer is no, a :class:`~erlangen.reps.counterexamples.Witness` ``(g, x, error)``.
    """

    output_rep: Rep | None = None
    activation_class: ActivationClass | tuple[ActivationClass, ...] | None = None
    alternatives: tuple[Alternative, ...] = field(default=(), compare=False)

    def explain(self) -> str:
        """The verdict with its counterexample and the choices that are left, for a person."""
        lines = [str(self)]
        if self.witness is not None:
            x = ", ".join(f"{v:.3g}" for v in self.witness.x.tolist()[:8]) + (", ..." if len(self.witness.x) > 8 else "")
            lines.append(f"counterexample: x = ({x}), relative error {self.witness.error:.3g} whatever the output representation")
        if self.alternatives:
            lines += ["instead:", *(f"  - {choice}" for choice in self.alternatives)]
        return "\n".join(lines)


def admissible(
    rep: Rep,
    activation: Activation | Sequence[Activation],
    basis: Float[Tensor, "dim dim"] | None = None,
    tol: float = 1e-10,
) -> Admissibility:
    """Decide whether an activation applied to each coordinate commutes with a group, and with which representation on the output.

    Args:
        rep: how the group acts on the input, in its basis. A direct sum is decided block by block.
        activation: a torch module, a function of tensors or a name; for a direct sum also one for each block. A PReLU of ``dim``
            slopes has one for each coordinate.
        basis: decide in this basis instead: coordinates ``B^-1 x``.
        tol: entries below this part of a matrix's largest are zero, and multipliers are compared to it.

    Returns:
        an :class:`Admissibility`. The decision is exact up to ``tol``; a function that is in no table is classified numerically
        (``activation_class.how``).

    Raises:
        ArgumentError: the activation is not point-wise, not finite, randomised or overwrites its input; the representation is
            complex or a generator is singular; the number of activations does not fit the blocks.

    >>> from erlangen.groups import SO, Symmetric
    >>> admissible(Symmetric(5).vector, "relu").output_rep
    R^5 of S_5
    >>> verdict = admissible(SO(3).vector, "relu")
    >>> verdict.holds, verdict.witness.error > 0.1
    (False, True)
    >>> print(admissible(Symmetric(3).pseudoscalar, torch.abs))
    holds: abs acts on sgn of S_3 coordinate by coordinate (exact; every generator is monomial with entries in R*)
    """
    if not isinstance(rep, Rep):
        raise ArgumentError("rep", "a representation", type(rep).__name__)
    if not 0 < tol < 1e-2:
        raise ArgumentError("tol", "a small positive tolerance", repr(tol))
    if basis is not None:
        rep = InBasis(rep, basis)
    parts = rep.parts if isinstance(rep, DirectSum) else (rep,)
    functions = _functions(activation, parts)
    decided: dict[tuple[int, Any], _Decision] = {}
    results = []
    for part, f in zip(parts, functions):
        key = (id(part), f.classes)  # copies of one block are one object; hashing a large group would cost more than deciding
        if key not in decided:
            decided[key] = _decide(part, f, tol)
        results.append(decided[key])
    names = " / ".join(dict.fromkeys(f.name for f in functions))
    classes = tuple(dict.fromkeys(c for f in functions for c in f.classes))
    known: dict[str, Any] = {
        "claim": f"{names} acts on {rep!r} coordinate by coordinate",
        "how": "exact",
        "activation_class": classes[0] if len(classes) == 1 else classes,
    }
    bad = next((i for i, r in enumerate(results) if not r.holds), None)
    if bad is None:
        reason = "; ".join(dict.fromkeys(r.reason for r in results))
        return Admissibility(True, reason=reason, output_rep=direct_sum(*[r.output for r in results]), **known)
    result = results[bad]
    before = sum(p.dim for p in parts[:bad])
    witness = result.witness
    if len(parts) > 1:
        x = torch.zeros(rep.dim, dtype=torch.float64)
        x[before : before + parts[bad].dim] = witness.x
        witness = witness._replace(x=x)
    return Admissibility(
        False,
        reason=result.reason if len(parts) == 1 else f"block {bad} ({parts[bad].symbol}): {result.reason}",
        numbers={"error": witness.error},
        witness=witness,
        alternatives=result.alternatives,
        **known,
    )


class ApproximateError(NamedTuple):
    """How far from equivariant: ``worst`` and ``mean`` of ``|f(g x) - g f(x)| / rms |f|`` over elements and inputs."""

    worst: float
    mean: float


def approximate_error(
    rep: Rep,
    activation: Activation,
    output_rep: Rep | None = None,
    elements: int = 64,
    inputs: int = 256,
    seed: int = 0,
    scale: float = 1.0,
) -> ApproximateError:
    """Measure what using an inadmissible activation on purpose costs, over Haar samples and standard normal inputs.

    Args:
        rep: how the group acts on the input.
        activation: as for :func:`admissible`.
        output_rep: how it is meant to act on the output; by default as on the input.
        elements, inputs: how many to draw.
        seed: of both.
        scale: widens the sampling of groups that are not compact (:meth:`Group.sample`).

    >>> from erlangen.groups import SO
    >>> error = approximate_error(SO(2).vector, "relu")
    >>> 0.1 < error.mean < error.worst
    True
    """
    source = torch.Generator().manual_seed(seed)
    out = rep if output_rep is None else output_rep
    if out.dim != rep.dim or out.group != rep.group:
        raise ArgumentError("output_rep", f"a representation of {rep.group} of dimension {rep.dim}", out)
    f = CoordinateFunctions(activation, rep.dim)
    g = rep.group.sample(elements, generator=source, dtype=torch.float64, scale=scale)
    x = torch.randn(inputs, rep.dim, generator=source, dtype=torch.float64)
    wanted = torch.einsum("gij,bj->gbi", out.matrix(g).to(torch.float64), f(x))
    got = f(torch.einsum("gij,bj->gbi", rep.matrix(g).to(torch.float64), x))
    size, summed = (y.square().sum(-1).mean().sqrt() for y in (wanted, got))
    error = relative_error((got - wanted).norm(dim=-1), size, summed)
    return ApproximateError(float(error.max()), float(error.mean()))


class _Decision(NamedTuple):
    holds: bool
    reason: str
    output: Rep
    witness: Witness
    alternatives: tuple[Alternative, ...] = ()


def _functions(activation: Any, parts: tuple[Rep, ...]) -> list[CoordinateFunctions]:
    """The functions of each block."""
    if isinstance(activation, (list, tuple)):
        if len(activation) != len(parts):
            raise ArgumentError("activation", f"one activation, or {len(parts)}, one for each block", len(activation))
        return [CoordinateFunctions(a, p.dim) for a, p in zip(activation, parts)]
    whole = CoordinateFunctions(activation, sum(p.dim for p in parts))
    starts = [sum(p.dim for p in parts[:i]) for i in range(len(parts))]
    return [whole.part(start, start + p.dim) for start, p in zip(starts, parts)]


def _decide(rep: Rep, f: CoordinateFunctions, tol: float) -> _Decision:
    group, n = rep.group, rep.dim
    if len(f.classes) == 1:
        by_structure = _decide_by_structure(rep, f, tol)
        if by_structure is not None:
            return by_structure
    gens = group.generators
    tangents = group.tangents(torch.float64) if group.dim else None
    empty = torch.zeros(0, n, n, dtype=torch.float64)
    matrices = empty if gens is None else _real(rep.matrix(gens))
    directions = empty if tangents is None else _real(rep.algebra(tangents))
    one = f.classes[0]
    nothing = Witness(None, torch.zeros(n, dtype=torch.float64), 0.0)
    if all(c.is_linear for c in f.classes) and len(set(f.classes)) == 1:
        return _Decision(True, "a linear function commutes with every matrix", rep, nothing)
    if one.is_affine and len(f.classes) == 1 and _fixes_ones(matrices, directions, tol):
        return _Decision(True, "an affine function, and all matrices fix the vector of ones", rep, nothing)
    if one.is_constant:
        return _Decision(True, "a constant output carries the trivial representation", multiple(group.scalar, n), nothing)
    place = _Place(rep, f, matrices, directions, tol)
    if one.is_affine and len(f.classes) == 1:
        return place.refuse_bias()
    return place.decide()


def _fixes_ones(matrices: Tensor, directions: Tensor, tol: float) -> bool:
    size = tol * matrices.shape[-1]
    return bool(((matrices.sum(-1) - 1).abs() <= size).all()) and bool((directions.sum(-1).abs() <= size).all())


def _decide_by_structure(rep: Rep, f: CoordinateFunctions, tol: float) -> _Decision | None:
    """A yes that needs no matrices of the whole space, which may be far larger than its factors; ``None`` when they must be looked at."""
    nothing = Witness(None, torch.zeros(rep.dim, dtype=torch.float64), 0.0)
    if _permutes(rep):
        return _Decision(True, "the group permutes the coordinates", rep, nothing)
    if isinstance(rep, TensorProduct) and not f.classes[0].is_affine:
        # Products of monomial matrices are monomial, and c(lambda mu) = c(lambda) c(mu).
        factors = {id(p): _decide(p, f, tol) for p in rep.parts}
        if all(d.holds for d in factors.values()):
            reason = "; ".join(dict.fromkeys(d.reason for d in factors.values()))
            return _Decision(True, f"in each factor {reason}", tensor_product(*[factors[id(p)].output for p in rep.parts]), nothing)
    return None


def _permutes(rep: Rep) -> bool:
    """Whether a representation is made to permute coordinates."""
    if isinstance(rep, (TensorProduct, DirectSum)):
        return all(_permutes(p) for p in rep.parts)
    if isinstance(rep, Pullback):
        return _permutes(rep.rep)
    return isinstance(rep, (Trivial, Permutation, Regular)) or (isinstance(rep, Induced) and rep.signs is None)


class _Place:
    """One block with its matrices: where the theorem fails, or what the output carries."""

    def __init__(self, rep: Rep, f: CoordinateFunctions, matrices: Tensor, directions: Tensor, tol: float) -> None:
        self.rep, self.f, self.matrices, self.directions, self.tol = rep, f, matrices, directions, tol
        self.laws = tuple(c.multipliers for c in f.classes)
        self.linear = torch.tensor([c.is_linear for c in f.classes]).expand(rep.dim)

    def decide(self) -> _Decision:
        m, tol = self.matrices, self.tol
        present = m.abs() > tol * m.abs().amax((-2, -1), keepdim=True)
        _check_invertible(m, present)
        if self.f.slopes is not None:
            slopes = self.f.slopes
            mixed = present & (slopes[:, None] != slopes[None, :])
            if bool(mixed.any()):
                k, i = mixed.any(-1).nonzero()[0].tolist()
                return self._refuse_generator(k, [i], "slopes differ between coordinates that the group moves onto each other")
        several = (present.sum(-1) > 1) & ~self.linear
        if bool(several.any()):
            k = int(several.any(-1).nonzero()[0])
            second = m[k].abs().topk(2, -1).values[:, 1] * several[k]
            rows = [i for i in second.argsort(descending=True).tolist() if several[k, i]]
            why = f"generator {k} is not monomial: row {rows[0]} has {int(present[k, rows[0]].sum())} non-zero entries"
            return self._refuse_generator(k, rows, f"{why}, and {self.f.name} is not linear")
        images = self._images(m, present)
        outside = images.isnan()
        if bool(outside.any()):
            k = int(outside.flatten(1).any(1).nonzero()[0])
            # Negative entries first: they break more than sizes do.
            wrong = sorted(outside[k].nonzero().tolist(), key=lambda p: float(m[k, p[0], p[1]]))
            rows, entry = [p[0] for p in wrong], float(m[k, wrong[0][0], wrong[0][1]])
            why = f"generator {k} has the entry {entry:.6g}, and f({entry:.6g} t) is no multiple of f(t): {self._class()}"
            return self._refuse_generator(k, rows, why)
        return self._lie() or self._accept(images)

    def refuse_bias(self) -> _Decision:
        a, b = self.f.classes[0].affine or (0.0, 0.0)
        why = f"f(t) = {a:.6g} t + {b:.6g} needs every matrix to fix the vector of ones"
        for k, m in enumerate(self.matrices):
            if bool(((m.sum(-1) - 1).abs() > self.tol * self.rep.dim).any()):
                element = self.rep.group.take(self.rep.group.generators, k)
                return self._no(f"{why}; generator {k} does not", at_zero(self.f, m, element))
        k = int((self.directions.sum(-1).abs() > self.tol * self.rep.dim).any(-1).nonzero()[0])
        element, m = self._step(k)
        return self._no(f"{why}; Lie generator {k} does not", at_zero(self.f, m, element))

    def _lie(self) -> _Decision | None:
        """A refusal because of the continuous part, if there is one."""
        if not len(self.directions):
            return None
        d = self.directions
        size = d.abs().amax((-2, -1)).clamp_min(1.0)[:, None, None]
        moving = (d.abs() > self.tol * size) & ~self.linear[:, None]
        off = moving & ~torch.eye(self.rep.dim, dtype=torch.bool)
        compact = (
            "; the identity component is compact, so that only trivial representations are admissible"
            if self.rep.group.is_compact
            else ""
        )
        if bool(off.any()):
            k, i = off.any(-1).nonzero()[0].tolist()
            rows = [i, *[r for r in off[k].any(-1).nonzero().flatten().tolist() if r != i]]
            why = f"Lie generator {k} is not diagonal, so that exp(tA) is not monomial, and {self.f.name} is not linear{compact}"
            element, m = self._step(k)
            return self._no(why, counterexample(self.f, m, rows, element))
        unscaled = torch.tensor([law.power is None for law in self.laws]).expand(self.rep.dim)
        stretched = moving.diagonal(dim1=-2, dim2=-1) & unscaled
        if not bool(stretched.any()):
            return None
        k = int(stretched.any(-1).nonzero()[0])
        element, m = self._step(k)
        why = f"Lie generator {k} rescales coordinates by every positive number: {self._class()}"
        return self._no(why, counterexample(self.f, m, stretched[k].nonzero().flatten().tolist(), element))

    def _accept(self, images: Tensor) -> _Decision:
        m, rep = self.matrices, self.rep
        names = ", ".join(dict.fromkeys(law.symbol for law in self.laws))
        if len(m):
            self._check_products(images)
        reason = f"every generator is monomial with entries in {names}" if len(m) else "the group is trivial"
        if len(self.directions):
            reason = "the Lie algebra acts by diagonal matrices" + (f"; {reason}" if len(m) else "")
        unmoved = torch.equal(self.directions, self.directions * self._degrees())
        if unmoved and (not len(m) or bool(((images - m).abs() <= self.tol * m.abs().amax()).all())):
            return _Decision(True, reason, rep, Witness(None, torch.zeros(rep.dim), 0.0))
        present = images != 0
        signs = bool(((m.abs() - 1)[present].abs() <= self.tol).all()) and bool((self.directions.abs() <= self.tol).all())
        laws = tuple(law.on_signs() for law in self.laws) if signs else self.laws
        laws = laws[:1] if len(set(laws)) == 1 else laws
        return _Decision(True, reason, EntryMap(rep, laws), Witness(None, torch.zeros(rep.dim), 0.0))

    def _images(self, m: Tensor, present: Tensor) -> Tensor:
        """``c(lambda)`` of the entries that are present, ``nan`` where one is no multiplier, 0 elsewhere."""
        images = torch.zeros_like(m)
        if len(self.laws) == 1:
            images[present] = self.laws[0].values(m[present], self.tol)
            return images
        return torch.where(present, values_by_column(self.laws, m, self.tol), images)

    def _check_products(self, images: Tensor) -> None:
        """The image of a product is the product of images: a guard against a wrong numerical classification."""
        if len(self.laws) > 1:  # slopes, which are known
            return
        place = images.abs().argmax(-1)
        entries, values = (t.gather(-1, place.unsqueeze(-1)).squeeze(-1) for t in (self.matrices, images))
        # Row i of M N has the product of M's entry and of N's entry in the row that M's entry points to.
        product, wanted = (t * t.roll(1, 0).gather(-1, place) for t in (entries, values))
        gap = (self.laws[0].values(product, 100 * self.tol) - wanted).abs().amax()
        if not bool(gap <= 1e-6 * wanted.abs().amax()):
            raise ArgumentError(
                "activation", "a function whose multipliers form a group", f"{self._class()}, off by {float(gap):.2g}"
            )

    def _degrees(self) -> Tensor:
        return torch.tensor([0.0 if law.power is None else law.power for law in self.laws], dtype=torch.float64)

    def _class(self) -> str:
        return "; ".join(dict.fromkeys(str(c) for c in self.f.classes))

    def _step(self, k: int) -> tuple[Any, Tensor]:
        """A group element some way along a Lie generator, and its matrix."""
        group = self.rep.group
        length = 0.7 / float(self.directions[k].abs().max())
        tangent = group.take(group.tangents(torch.float64), k)
        element = group.exp(group.map(lambda leaf, shape: leaf * length, tangent))
        return element, self.rep.matrix(element).to(torch.float64)

    def _refuse_generator(self, k: int, rows: list[int], why: str) -> _Decision:
        element = self.rep.group.take(self.rep.group.generators, k)
        return self._no(why, counterexample(self.f, self.matrices[k], rows, element))

    def _no(self, why: str, witness: Witness) -> _Decision:
        return _Decision(False, why, self.rep, witness, alternatives(self.rep, self.matrices, self.directions, self.tol))


def _real(m: Tensor) -> Tensor:
    if m.is_complex():
        raise ArgumentError(
            "rep", "a real representation", f"matrices of {m.dtype}", "write each complex coordinate as two real ones"
        )
    if not bool(torch.isfinite(m).all()):
        raise ArgumentError("rep", "a representation by finite matrices", "nan or inf among their entries")
    return m.detach().to(torch.float64)


def _check_invertible(m: Tensor, present: Tensor) -> None:
    """Monomial patterns are invertible; of others the pivots tell."""
    monomial = (present.sum(-1) == 1).all(-1) & (present.sum(-2) == 1).all(-1)
    if bool(monomial.all()):
        return
    pivots = torch.linalg.lu_factor_ex(m[~monomial])[0].diagonal(dim1=-2, dim2=-1).abs()
    if bool((pivots.amin(-1) <= 1e-13 * pivots.amax(-1)).any()):
        raise ArgumentError("rep", "a representation by invertible matrices", "a generator with a singular matrix")
