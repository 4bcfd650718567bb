"""Family A: parities of how many nodes of a random graph have a degree in a set, as message-passing networks compute them."""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
from jaxtyping import Bool, Float, Int
from scipy import stats
from torch import Tensor, nn

from erlangen.actions.axes import OnAxes
from erlangen.errors import ArgumentError, unsupported
from erlangen.groups.permutation import Symmetric
from erlangen.measure.hardness.base import Family, Target, check_count

#: Most nodes for which all 2^(n+1) sets are listed or summed over.
MOST_NODES = 20


class DegreeParity(Family):
    """``g_S(A) = (-1)^(how many nodes of A have an out-degree in S)`` for random graphs with self-loops.

    Every entry of the adjacency matrix is an independent coin, so out-degrees of the ``n`` nodes are independent binomial numbers and
    ``<g_S, g_S'> = (1 - 2 P[Bin(n, p) in S xor S'])^n`` exactly. One layer that counts neighbours, an indicator of ``S`` and a read-out
    of ``O(n)`` pieces compute ``g_S`` (Kiani, Le, Lawrence, Jegelka & Weber 2024, arXiv:2401.01869).

    Args:
        n: nodes.
        p: probability of an edge.
        directed: False draws symmetric adjacency matrices. Their degrees are dependent, and only Monte Carlo gives products.

    Raises:
        ArgumentError: ``n`` is below 1 or ``p`` outside (0, 1).

    >>> family = DegreeParity(4)
    >>> f = family.of([1, 2])
    >>> f(torch.eye(4).unsqueeze(0))                 # four nodes of degree 1
    tensor([1.])
    >>> round(float(family.gram([f, family.of([1, 2, 3])]).values[0, 1]), 12)
    0.0625
    """

    def __init__(self, n: int, p: float = 0.5, directed: bool = True) -> None:
        check_count("n", n)
        if not 0 < p < 1:
            raise ArgumentError("p", "a probability strictly between 0 and 1", repr(p))
        self.n, self.p, self.directed = n, float(p), directed
        vector = Symmetric(n).vector
        self.action = OnAxes({-2: vector, -1: vector})
        self.law = torch.from_numpy(stats.binom.pmf(range(n + 1), n, p))
        self.block = max(1, 2**20 // (n + 1))

    def __repr__(self) -> str:
        return f"DegreeParity(n={self.n}, p={self.p:g}, directed={self.directed})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, DegreeParity) and repr(other) == repr(self)

    def __hash__(self) -> int:
        return hash(repr(self))

    # ---- members ----

    def mask(self, degrees: Iterable[int]) -> Bool[Tensor, " n+1"]:
        """A set of degrees as a mask.

        Raises:
            ArgumentError: a degree is not in ``0 .. n``.
        """
        chosen = sorted(set(degrees))
        if chosen and not (all(isinstance(i, int) for i in chosen) and chosen[0] >= 0 and chosen[-1] <= self.n):
            raise ArgumentError("S", f"degrees in 0 .. {self.n}", chosen)
        mask = torch.zeros(self.n + 1, dtype=torch.bool)
        mask[chosen] = True
        return mask

    def of(self, degrees: Iterable[int], b: int = 0) -> Target:
        """``(-1)^b g_S`` for the set ``S`` of degrees.

        Raises:
            ArgumentError: a degree is not in ``0 .. n``.
        """
        return Target(self, self.mask(degrees), (-1.0) ** b)

    def sample_labels(self, count: int, generator: torch.Generator | None = None) -> Bool[Tensor, "count n+1"]:
        """Uniform subsets of ``0 .. n``."""
        return torch.rand(count, self.n + 1, generator=generator) < 0.5

    def sample_target(self, generator: torch.Generator | None = None, half: bool = False) -> Target:
        """A uniform set, or with ``half`` one that holds half of the degrees, and a uniform sign."""
        if half:
            label = torch.zeros(self.n + 1, dtype=torch.bool)
            label[torch.randperm(self.n + 1, generator=generator)[: (self.n + 1) // 2]] = True
        else:
            label = self.sample_labels(1, generator)[0]
        return Target(self, label, 1.0 - 2.0 * int(torch.randint(2, (), generator=generator)))

    def all_labels(self) -> Bool[Tensor, "2^(n+1) n+1"]:
        """Every set, in the order of binary numbers: bit ``i`` is degree ``i``.

        Raises:
            UnsupportedError: more than 20 nodes.
        """
        self._few()
        return (torch.arange(2 ** (self.n + 1))[:, None] >> torch.arange(self.n + 1) & 1).bool()

    def evaluate(self, label: Tensor, x: Float[Tensor, "B n n"]) -> Float[Tensor, " B"]:
        return self.of_degrees(label, self.degrees(x)).to(x.dtype)

    def degrees(self, x: Float[Tensor, "*B n n"]) -> Int[Tensor, "*B n"]:
        """Out-degrees of adjacency matrices."""
        if x.ndim < 2 or tuple(x.shape[-2:]) != (self.n, self.n):
            raise ArgumentError("x", f"adjacency matrices [*batch, {self.n}, {self.n}]", f"shape {tuple(x.shape)}")
        return x.sum(-1).round().long()

    def of_degrees(self, label: Tensor, degrees: Int[Tensor, "*B n"]) -> Float[Tensor, "*B"]:
        """The parity from the degrees alone, +1 or -1."""
        return 1.0 - 2.0 * (label[degrees].sum(-1) % 2)

    # ---- inputs ----

    def sample_inputs(
        self, batch: int, generator: torch.Generator | None = None, dtype: torch.dtype = torch.float32
    ) -> Float[Tensor, "B n n"]:
        """Adjacency matrices, self-loops included."""
        a = torch.rand(batch, self.n, self.n, generator=generator) < self.p
        if not self.directed:
            upper = a.triu()
            a = upper | upper.mT
        return a.to(dtype)

    def sample_degrees(self, batch: int, generator: torch.Generator | None = None) -> Int[Tensor, "B n"]:
        """Degrees without their graphs, which is all a network of one round sees; directed graphs only."""
        if not self.directed:
            unsupported(self, "independent degrees", "draw graphs with sample_inputs")
        return torch.multinomial(self.law, batch * self.n, replacement=True, generator=generator).view(batch, self.n)

    # ---- inner products ----

    def products(self, left: Tensor, right: Tensor) -> Float[Tensor, "*batch"]:
        if not self.directed:
            unsupported(self, "closed form (degrees of undirected graphs are dependent)", "use gram(targets, exact=False)")
        return (1 - 2 * ((left ^ right).double() @ self.law)).pow(self.n)

    def mean_correlation(self) -> float:
        """``|<g_S, g_S'>|`` on average over all pairs of different sets (a set and its complement, equal up to sign, are such a pair).

        >>> [round(DegreeParity(n).mean_correlation(), 5) for n in (4, 6, 8)]
        [0.14226, 0.0788, 0.04521]
        """
        return float(self._row()[1:].abs().mean())

    def spectrum(self) -> Float[Tensor, " 2^(n+1)"]:
        """The eigenvalues of the Gram matrix of all ``2^(n+1)`` sets, descending, without making it.

        An entry depends on ``S xor S'`` alone, so the characters of ``Z_2^(n+1)`` diagonalise the matrix: the eigenvalues are the
        Walsh-Hadamard transform of its first row. The largest over the number of sets is :func:`gradient_signal` of the whole family.

        Raises:
            UnsupportedError: undirected, or more than 20 nodes.

        >>> float(DegreeParity(4).spectrum()[0])
        5.41015625
        """
        row = self._row()
        for bit in range(self.n + 1):
            pair = row.view(-1, 2, 2**bit)
            row = torch.stack([pair[:, 0] + pair[:, 1], pair[:, 0] - pair[:, 1]], 1).flatten()
        return row.sort(descending=True).values

    def _row(self) -> Float[Tensor, " 2^(n+1)"]:
        """The products of the empty set with all, by doubling: bit ``i`` adds the probability of degree ``i``."""
        self._few()
        if not self.directed:
            unsupported(self, "closed form (degrees of undirected graphs are dependent)", "use gram(targets, exact=False)")
        mass = torch.zeros(1, dtype=torch.float64)
        for q in self.law:
            mass = torch.cat([mass, mass + q])
        return (1 - 2 * mass).pow(self.n)

    def _few(self) -> None:
        if self.n > MOST_NODES:
            unsupported(self, f"list of its 2^{self.n + 1} sets", f"draw some, or take at most {MOST_NODES} nodes")

    # ---- the easy partner ----

    def linear(self, degrees: Iterable[int]) -> DegreeCount:
        """The easy function with the same first layer: the standardised number of nodes with a degree in ``S``.

        Raises:
            ArgumentError: a degree is not in ``0 .. n``, or the number is constant (no degree, or all).
        """
        return DegreeCount(self, self.mask(degrees))


class DegreeCount(nn.Module):
    """``(how many nodes have a degree in S - mean) / deviation``: what :class:`DegreeParity` takes the parity of, as a number.

    The deviation is that of independent degrees, exact for directed graphs.
    """

    def __init__(self, family: DegreeParity, label: Bool[Tensor, " n+1"]) -> None:
        super().__init__()
        self.family, self.label = family, label
        q = float(family.law[label].sum())
        if not 1e-12 < q < 1 - 1e-12:
            raise ArgumentError("S", "some of the degrees but not all", label.nonzero().flatten().tolist())
        self.mean, self.deviation = family.n * q, math.sqrt(family.n * q * (1 - q))

    def forward(self, x: Float[Tensor, "B n n"]) -> Float[Tensor, " B"]:
        count = self.label[self.family.degrees(x)].sum(-1)
        return ((count - self.mean) / self.deviation).to(x.dtype)
