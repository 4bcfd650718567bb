"""Family C: sparse polynomials in the independent invariants of sign flips, or of rotations of blocks."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from scipy import special
from torch import Tensor, nn

from erlangen.actions.base import Action
from erlangen.errors import ArgumentError
from erlangen.groups.base import Group
from erlangen.groups.orthogonal import O
from erlangen.groups.products import DirectProduct
from erlangen.groups.recognise import recognised
from erlangen.measure.hardness.base import Family, check_count


def radial_polynomials(x: Float[Tensor, "*batch m"], degree: int) -> Float[Tensor, "*batch degree+1"]:
    """Polynomials ``h_0 .. h_degree`` of ``|x|^2`` for ``x`` uniform in the unit ball of ``R^m``, orthonormal under that law.

    They are Jacobi polynomials ``P_l^(0, m/2 - 1)(2 |x|^2 - 1)``; for ``m = 1`` the even Legendre polynomials.

    >>> x = torch.linspace(-1, 1, 5, dtype=torch.float64).unsqueeze(-1)
    >>> torch.allclose(radial_polynomials(x, 1)[:, 1], 5**0.5 * (3 * x[:, 0] ** 2 - 1) / 2)
    True
    """
    m = x.shape[-1]
    b = m / 2 - 1
    t = 2 * x.square().sum(-1) - 1
    found = [torch.ones_like(t), 1 + (b + 2) * (t - 1) / 2]
    for l in range(2, degree + 1):
        c = 2 * l + b
        lead = (c - 1) * (c * (c - 2) * t - b * b)
        found.append((lead * found[-1] - 2 * (l - 1) * (l + b - 1) * c * found[-2]) / (2 * l * (l + b) * (c - 2)))
    scale = torch.tensor([((2 * l + b + 1) / (b + 1)) ** 0.5 for l in range(degree + 1)], dtype=x.dtype, device=x.device)
    return torch.stack(found[: degree + 1], -1) * scale


def square_coefficient(degree: int, m: int = 1) -> float:
    """``kappa_l = E h_l^2 h_2l``: how much of ``h_2l`` the square of ``h_l`` holds; positive, the ratio of leading coefficients.

    >>> round(square_coefficient(1), 6)
    0.857143
    """
    nodes, weights = special.roots_jacobi(3 * degree + 2, 0, m / 2 - 1)
    radius = torch.from_numpy(((nodes + 1) / 2) ** 0.5)
    point = torch.zeros(len(radius), m, dtype=torch.float64)
    point[:, 0] = radius
    h = radial_polynomials(point, 2 * degree)
    return float((torch.from_numpy(weights / weights.sum()) * h[:, degree].square() * h[:, 2 * degree]).sum())


class Blocks(Action):
    """``G^n`` on ``n`` blocks: each factor moves its own row of ``[n, m]``.

    >>> act = Blocks(O(2), 3)
    >>> act.act(act.group.sample(8), torch.randn(8, 3, 2)).shape
    torch.Size([8, 3, 2])
    """

    def __init__(self, group: Group, n: int) -> None:
        super().__init__(DirectProduct(*[group] * n))
        self.factor = group
        self.data_shape = (n, group.vector.dim)

    def act(self, g: tuple[Tensor, ...], x: Tensor) -> Tensor:
        g, x = self.align(g, x)
        return torch.stack([self.factor.vector.act(part, x[..., i, :]) for i, part in enumerate(g)], -2)


class SparseInvariant(Family):
    """``H_S(x) = product over i in S of h_1(|x_i|^2)`` for the ``C(n, d)`` sets ``S`` of ``d`` blocks: exactly orthonormal.

    The inputs are ``n`` independent points, uniform in the unit ball of the group's space: numbers in ``[-1, 1]`` under sign flips
    ``O(1)^n``, or vectors under ``O(m)^n``. No correlational statistical query tells much about an orthonormal family, and yet
    :func:`~erlangen.measure.hardness.growing_basis.growing_basis` learns its sparse sums by asking about the square of the target.

    Source: Kiani et al. 2024, arXiv:2401.01869; Andoni, Panigrahy, Valiant & Zhang 2014.

    Args:
        n: blocks.
        d: how many of them a member multiplies.
        group: of one block; ``er.O(m)``, by default O(1).

    Raises:
        ArgumentError: ``d`` is not in ``1 .. n``, or the group is not an orthogonal group.

    >>> family = SparseInvariant(20, 3)
    >>> family.gram(family.sample_targets(5, torch.Generator().manual_seed(0))).values.eq(torch.eye(5)).all()
    tensor(True)
    """

    def __init__(self, n: int, d: int, group: Group | None = None) -> None:
        check_count("n", n)
        check_count("d", d)
        if d > n:
            raise ArgumentError("d", f"at most the number of blocks, {n}", repr(d))
        group = O(1) if group is None else recognised(group)
        if not (isinstance(group, O) and group.is_compact):
            raise ArgumentError("group", "an orthogonal group er.O(m)", repr(group))
        self.n, self.d, self.group, self.m = n, d, group, group.vector.dim
        self.action = Blocks(group, n)

    def __repr__(self) -> str:
        return f"SparseInvariant(n={self.n}, d={self.d}, group={self.group!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SparseInvariant) and (other.n, other.d, other.m) == (self.n, self.d, self.m)

    def __hash__(self) -> int:
        return hash((self.n, self.d, self.m))

    def sample_labels(self, count: int, generator: torch.Generator | None = None) -> Int[Tensor, "count n"]:
        """Degrees in each block: 1 on ``d`` random blocks, 0 elsewhere."""
        chosen = torch.rand(count, self.n, generator=generator).argsort(1)[:, : self.d]
        return torch.zeros(count, self.n, dtype=torch.int64).scatter(1, chosen, 1)

    def evaluate(self, label: Tensor, x: Float[Tensor, "B n m"]) -> Float[Tensor, " B"]:
        return products_of(label.unsqueeze(0), x)[:, 0]

    def sample_inputs(
        self, batch: int, generator: torch.Generator | None = None, dtype: torch.dtype = torch.float32
    ) -> Float[Tensor, "B n m"]:
        """Independent uniform points of the unit ball."""
        way = torch.nn.functional.normalize(torch.randn(batch, self.n, self.m, generator=generator, dtype=torch.float64), dim=-1)
        return (way * torch.rand(batch, self.n, 1, generator=generator, dtype=torch.float64).pow(1 / self.m)).to(dtype)

    def products(self, left: Tensor, right: Tensor) -> Float[Tensor, "*batch"]:
        return (left == right).all(-1).double()

    def polynomial(self, coefficients: Sequence[float], generator: torch.Generator | None = None) -> SparsePolynomial:
        """A random sum with these coefficients: terms of total degree ``d`` in the squares, i.e. ``2 d`` in ``x``, all different.

        A term spreads its ``d`` degrees over blocks at random, repetitions allowed, so ``h_2`` and ``h_3`` occur.
        """
        terms: list[list[int]] = []
        while len(terms) < len(coefficients):
            term = torch.randint(self.n, (self.d,), generator=generator).bincount(minlength=self.n).tolist()
            if term not in terms:
                terms.append(term)
        return SparsePolynomial(torch.tensor(terms), torch.tensor(list(coefficients), dtype=torch.float64))


class SparsePolynomial(nn.Module):
    """``sum over terms of coefficient * product over i of h_(degrees_i)(|x_i|^2)``.

    Args:
        degrees: ``[terms, n]``, the degree of each term in each block's squared length.
        coefficients: ``[terms]``.

    Raises:
        ArgumentError: the shapes differ, or a degree is negative.

    >>> p = SparsePolynomial(torch.tensor([[0, 0], [1, 0]]), torch.tensor([2.0, 0.0]))
    >>> p(torch.zeros(4, 2, 1))
    tensor([2., 2., 2., 2.])
    """

    def __init__(self, degrees: Int[Tensor, "terms n"], coefficients: Float[Tensor, " terms"]) -> None:
        super().__init__()
        if degrees.ndim != 2 or len(degrees) != len(coefficients):
            raise ArgumentError("degrees", f"[{len(coefficients)}, n], a row for each coefficient", f"shape {tuple(degrees.shape)}")
        if degrees.is_floating_point() or bool((degrees < 0).any()):
            raise ArgumentError("degrees", "integers that are not negative", degrees.tolist())
        self.degrees, self.coefficients = degrees, coefficients

    def forward(self, x: Float[Tensor, "B n m"]) -> Float[Tensor, " B"]:
        return products_of(self.degrees, x) @ self.coefficients.to(x)

    def terms(self) -> dict[tuple[tuple[int, int], ...], float]:
        """Coefficients by ``((block, degree), ...)``."""
        return {tuple((i, l) for i, l in enumerate(row) if l): float(a) for row, a in zip(self.degrees.tolist(), self.coefficients)}


def products_of(degrees: Int[Tensor, "terms n"], x: Float[Tensor, "B n m"]) -> Float[Tensor, "B terms"]:
    """The products ``H`` of one-block polynomials, at a batch of inputs.

    Raises:
        ArgumentError: the inputs are not ``[B, n, m]``.
    """
    if x.ndim != 3 or x.shape[1] != degrees.shape[1]:
        raise ArgumentError("x", f"inputs [B, {degrees.shape[1]}, m]", f"shape {tuple(x.shape)}")
    found = []
    for row in degrees:
        inside = row.nonzero().flatten()
        h = radial_polynomials(x[:, inside], int(row.max()) if len(row) else 0)
        found.append(h.gather(-1, row[inside].expand(len(x), -1).unsqueeze(-1)).squeeze(-1).prod(-1))
    return torch.stack(found, -1) if found else x.new_zeros(len(x), 0)
