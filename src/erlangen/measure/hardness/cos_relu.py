"""Family B: the hard function of a hidden plane, averaged over a group of permutations; over Z_n, a convolutional network."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from erlangen.errors import ArgumentError
from erlangen.groups.base import Group
from erlangen.groups.permutation import PermutationGroup
from erlangen.groups.recognise import recognised
from erlangen.measure.hardness import alternating as phi
from erlangen.measure.hardness.base import Family, Target, check_count

#: Largest group whose elements are summed over.
LARGEST_ORDER = 10_000


class CosReLU(Family):
    """``F_A(x) = |G|^(-1/2) sum over g of phi_k(A g x) / ||phi_k||`` for standard Gaussian ``x`` in ``R^n``.

    ``phi_k`` is the alternating sum of ``2 k`` rectified half-planes (:func:`~erlangen.measure.hardness.alternating.alternating`), ``A``
    a uniform pair of orthonormal rows, its plane. With ``G = Z_n`` the function is a network of ``2 k`` circular filters, ReLU, and a sum
    with signs; without a group it is one hidden layer. Inner products are exact, by the arc-cosine kernel:
    ``<F_A, F_B> = sum over g of <f_A, f_(B g)>``. The squared norm is 1 plus the same sum without ``g = 1``, small for random planes.

    Source: Kiani, Le, Lawrence, Jegelka & Weber 2024, arXiv:2401.01869, on Diakonikolas, Kane, Kontonis & Zarifis 2020,
    arXiv:2006.12476.

    Args:
        n: dimension of the inputs.
        k: frequency: 1 (a linear function) or even.
        group: permutations of the ``n`` coordinates; None is the trivial group.

    Raises:
        ArgumentError: ``n`` is below 2, ``k`` is odd and above 1, or the group does not permute ``n`` points.

    >>> from erlangen.groups import Cyclic
    >>> family = CosReLU(20, 4, Cyclic(20))
    >>> targets = family.sample_targets(30, torch.Generator().manual_seed(0))
    >>> correlation = family.gram(targets).correlations().fill_diagonal_(0).abs()
    >>> float(correlation.max()) < 0.3, targets[0](torch.randn(5, 20)).shape
    (True, torch.Size([5]))
    """

    def __init__(self, n: int, k: int, group: Group | None = None) -> None:
        check_count("n", n, 2)
        phi.check_frequency(k)
        if group is None:
            group = PermutationGroup([list(range(n))], name="1")
        group = recognised(group)
        if not isinstance(group, PermutationGroup) or group.n != n:
            got = f"{group!r} on {group.n} points" if isinstance(group, PermutationGroup) else repr(group)
            raise ArgumentError("group", f"a group of permutations of {n} points", got)
        if group.order > LARGEST_ORDER:
            raise ArgumentError(
                "group", f"at most {LARGEST_ORDER} elements, over which functions are summed", f"{group!r} of order {group.order}"
            )
        self.n, self.k, self.group = n, k, group
        self.action = group.vector
        self.elements: Int[Tensor, "G n"] = group.elements()
        self.block = max(1, 2**20 // (len(self.elements) * k * k))
        self._scale = 1 / math.sqrt(phi.squared_norm(k) * len(self.elements))

    def __repr__(self) -> str:
        return f"CosReLU(n={self.n}, k={self.k}, group={self.group!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, CosReLU) and (other.n, other.k, other.group) == (self.n, self.k, self.group)

    def __hash__(self) -> int:
        return hash((self.n, self.k, self.group))

    def norm(self) -> float:
        """``||phi_k||``."""
        return math.sqrt(phi.squared_norm(self.k))

    def sample_labels(self, count: int, generator: torch.Generator | None = None) -> Float[Tensor, "count 2 n"]:
        """Uniform planes, as orthonormal rows."""
        return phi.random_planes(count, self.n, generator)

    def of(self, A: Float[Tensor, "2 n"]) -> Target:
        """The member with this plane.

        Raises:
            ArgumentError: ``A`` is not ``[2, n]`` with orthonormal rows.
        """
        A = torch.as_tensor(A, dtype=torch.float64)
        if tuple(A.shape) != (2, self.n):
            raise ArgumentError("A", f"a matrix [2, {self.n}]", f"shape {tuple(A.shape)}")
        error = float((A @ A.mT - torch.eye(2, dtype=torch.float64)).abs().max())
        if not error < 1e-6:
            raise ArgumentError("A", "orthonormal rows", f"A A^T off the identity by {error:.3g}")
        return Target(self, A)

    def evaluate(self, label: Tensor, x: Float[Tensor, "B n"]) -> Float[Tensor, " B"]:
        if x.ndim != 2 or x.shape[1] != self.n:
            raise ArgumentError("x", f"inputs [B, {self.n}]", f"shape {tuple(x.shape)}")
        half = phi.directions(self.k, torch.float64)[: self.k]
        filters = filter_bank(half @ label, self.elements).to(x)
        t = (x @ filters).unflatten(1, (len(self.elements), self.k)).transpose(1, 2)
        bumps = t if self.k == 1 else t.abs()  # two opposite rectified half-planes are one absolute value
        return self._scale * (bumps.sum(2) @ phi.signs(self.k).to(x))

    def sample_inputs(
        self, batch: int, generator: torch.Generator | None = None, dtype: torch.dtype = torch.float32
    ) -> Float[Tensor, "B n"]:
        """Standard Gaussian vectors."""
        return torch.randn(batch, self.n, generator=generator, dtype=dtype)

    # ---- inner products ----

    def products(self, left: Tensor, right: Tensor) -> Float[Tensor, "*batch"]:
        moved = right[..., self.elements].movedim(-2, -3)
        return self._summed(left.unsqueeze(-3) @ moved.mT)

    def gram_of(self, labels: Float[Tensor, "N 2 n"]) -> Float[Tensor, "N N"]:
        count, order = len(labels), len(self.elements)
        moved = labels[:, :, self.elements].transpose(1, 2).contiguous()  # [N, G, 2, n]: each plane, moved by each element
        values = torch.empty(count, count, dtype=torch.float64)
        rows = max(1, self.block // count)
        for start in range(0, count, rows):
            part = slice(start, min(start + rows, count))
            between = labels[part].flatten(0, 1) @ moved[start:].flatten(0, 2).mT
            found = self._summed(between.view(-1, 2, count - start, order, 2).permute(0, 2, 3, 1, 4))
            values[part, start:], values[start:, part] = found, found.mT
        return values

    def _summed(self, between: Float[Tensor, "*batch G 2 2"]) -> Float[Tensor, "*batch"]:
        return phi.inner_product(between, self.k).sum(-1) / phi.squared_norm(self.k)

    # ---- the easy partner ----

    def random_network(self, generator: torch.Generator | None = None) -> AveragedReLU:
        """The easy function of the same shape: ``2 k`` random unit filters with random signs, averaged over the group."""
        filters = torch.randn(2 * self.k, self.n, generator=generator, dtype=torch.float64)
        sign = 1.0 - 2.0 * torch.randint(2, (2 * self.k,), generator=generator).double()
        return AveragedReLU(torch.nn.functional.normalize(filters, dim=1), sign, self.elements)


class AveragedReLU(nn.Module):
    """``sum over g, i of s_i relu(w_i . g x)``, centred and divided by its deviation, both exact for standard Gaussian ``x``.

    Args:
        filters: unit vectors ``w [m, n]``.
        sign: the ``s_i``, ``[m]``.
        elements: permutations ``[G, n]``, a whole group.

    >>> f = AveragedReLU(torch.eye(3, dtype=torch.float64)[:1], torch.ones(1, dtype=torch.float64), torch.arange(3).unsqueeze(0))
    >>> x = torch.randn(100_000, 3, generator=torch.Generator().manual_seed(0))
    >>> abs(float(f(x).mean())) < 0.02, abs(float(f(x).var()) - 1) < 0.02
    (True, True)
    """

    def __init__(self, filters: Float[Tensor, "m n"], sign: Float[Tensor, " m"], elements: Int[Tensor, "G n"]) -> None:
        super().__init__()
        self.filters, self.sign, self.elements = filters, sign, elements
        c = torch.einsum("in,jgn->ijg", filters, filters[:, elements]).clamp(-1, 1)
        kernel = ((1 - c * c).sqrt() + (math.pi - c.acos()) * c) / (2 * math.pi)
        order = len(elements)
        self.mean = order * float(sign.sum()) / math.sqrt(2 * math.pi)
        second = order * float(torch.einsum("i,j,ijg->", sign, sign, kernel))
        self.deviation = math.sqrt(second - self.mean**2)

    def forward(self, x: Float[Tensor, "B n"]) -> Float[Tensor, " B"]:
        t = (x @ filter_bank(self.filters, self.elements).to(x)).relu().unflatten(1, (len(self.elements), len(self.filters)))
        return (t.sum(1) @ self.sign.to(x) - self.mean) / self.deviation


def filter_bank(filters: Float[Tensor, "m n"], elements: Int[Tensor, "G n"]) -> Float[Tensor, "n G*m"]:
    """Each filter moved by each element, as one matrix: ``x @ bank`` is every ``w . g x`` in one product, elements first.

    ``(g x)[g[i]] = x[i]``, so ``w . g x = sum over i of w[g[i]] x[i]``. Gradients flow to the filters.

    >>> from erlangen.groups import Cyclic
    >>> filter_bank(torch.tensor([[1.0, 2.0, 3.0]]), Cyclic(3).elements())
    tensor([[1., 2., 3.],
            [2., 3., 1.],
            [3., 1., 2.]])
    """
    # Whole rows are picked, so that the gradient adds whole rows.
    return filters.mT.contiguous().index_select(0, elements.mT.flatten()).view(elements.shape[1], -1)
