"""The quadric that tokens lie on, in closed form: ``v^T J v`` the same for all of them, and the algebra that keeps ``J``."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from erlangen.errors import ArgumentError
from erlangen.groups.algebra import LieAlgebra
from erlangen.groups.algebra_forms import algebra_of_form

#: The largest relative residual at which data count as lying on a quadric: room for rounding and for masses that are small, not zero.
EXACT = 1e-4
#: Monomials of so many entries are held at once.
MOST_ENTRIES = 2**24


@dataclass(frozen=True)
class Quadric:
    """The quadratic form that varies least over the data.

    Attributes:
        form: ``J``, symmetric ``[n, n]`` of unit Frobenius norm.
        residual: the spread of ``v^T J v``, relative to that of a typical quadratic form: 0 when the data lie on the quadric.
        gap: the next form's residual over this one's.
        is_cone: whether ``v^T J v`` vanishes: then dilations keep the data, too.
        exact: whether the residual is at most 1e-4, no other form comes near, and the form is not degenerate.
    """

    form: Tensor
    residual: float
    gap: float
    is_cone: bool
    exact: bool

    def __bool__(self) -> bool:
        return self.exact

    def algebra(self) -> LieAlgebra:
        """``so(J)``, the algebra of the linear maps that keep the form."""
        p, q = self.signature
        return LieAlgebra(algebra_of_form(self.form), f"so({p},{q})" if q else f"so({p})")

    @property
    def signature(self) -> tuple[int, int]:
        """Numbers of positive and negative eigenvalues."""
        values = torch.linalg.eigvalsh(self.form)
        return int((values > 0).sum()), int((values < 0).sum())


def fit_quadric(x: Float[Tensor, "*samples n"]) -> Quadric:
    """Fit ``v^T J v ~ const`` to tokens by the singular values of their degree-2 monomials; zero tokens (padding) are left out.

    Tokens are scaled to unit length first, which a cone does not mind; if no cone fits exactly, a constant is allowed for.

    Args:
        x: tokens, in a tensor or an array.

    Raises:
        ArgumentError: fewer tokens than a form has coefficients, or NaN or infinite ones.

    >>> v = torch.randn(200, 3, dtype=torch.float64)
    >>> light = torch.cat([v.norm(dim=1, keepdim=True), v], 1)
    >>> quadric = fit_quadric(light)
    >>> quadric.exact, quadric.is_cone, quadric.signature
    (True, True, (1, 3))
    """
    x = torch.as_tensor(x)
    tokens = x.detach().reshape(-1, x.shape[-1]).to(torch.float64).cpu()
    broken = int((~tokens.isfinite()).any(1).sum())
    if broken:
        raise ArgumentError("x", "finite numbers", f"{broken} of {len(tokens)} tokens with NaN or infinity")
    tokens = tokens[tokens.norm(dim=1) > 0]
    n = tokens.shape[1]
    if len(tokens) <= n * (n + 1) // 2 + 1:
        raise ArgumentError("x", f"more than {n * (n + 1) // 2 + 1} non-zero tokens of dimension {n}", len(tokens))
    cone = _smallest(tokens / tokens.norm(dim=1, keepdim=True), constant=False)
    if cone.exact:
        return cone
    return _smallest(tokens / tokens.square().mean().sqrt(), constant=True)


def _smallest(tokens: Tensor, constant: bool) -> Quadric:
    n = tokens.shape[1]
    i, j = torch.triu_indices(n, n)
    root = torch.where(i == j, 1.0, 2.0**0.5).to(torch.float64)  # an orthonormal basis of symmetric matrices
    parts = tokens.split(max(len(i), MOST_ENTRIES // len(i)))
    mean = sum((part[:, i] * part[:, j] * root).sum(0) for part in parts) / len(tokens)
    # The triangular factor has the same singular values and right vectors, at a fraction of the cost; of many tokens, part by part.
    factor = tokens.new_zeros(0, len(i))
    for part in parts:
        monomials = part[:, i] * part[:, j] * root
        factor = torch.linalg.qr(torch.cat([factor, monomials - mean if constant else monomials]), mode="r").R
    _, values, right = torch.linalg.svd(factor, full_matrices=False)
    form = torch.zeros(n, n, dtype=torch.float64)
    form[i, j] = right[-1] / root
    form = form + form.T - torch.diag(form.diagonal())
    eigenvalues = torch.linalg.eigvalsh(form)
    # Timelike first: no more positive than negative directions; a definite form is positive.
    positive, negative = int((eigenvalues > 0).sum()), int((eigenvalues < 0).sum())
    if positive > negative > 0 or positive == 0:
        form = -form
    typical = float(values.square().mean().sqrt())
    residual = float(values[-1]) / typical if typical else 0.0
    regular = bool(eigenvalues.abs().min() > 1e-3 * eigenvalues.abs().max())
    # A constant beneath what counts as a residual is none: particles of tiny mass lie on the light cone.
    cone = not constant or abs(float(mean @ right[-1])) < EXACT * float(tokens.square().sum(1).mean())
    # Two vanishing forms leave the quadric undecided.
    alone = bool(values[-2] > 100 * values[-1]) and float(values[-2]) > EXACT * typical
    return Quadric(form, residual, float(values[-2] / values[-1].clamp_min(1e-300)), cone, residual < EXACT and regular and alone)
