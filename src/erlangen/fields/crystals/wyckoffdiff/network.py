"""`WyckoffGNN`: a network on the Wyckoff positions of a crystal's group, every position beside every other one.

Source: Ekström Kelvinius et al., "WyckoffDiff - a generative diffusion model for crystal symmetry", ICML 2025, arXiv:2502.06485.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from erlangen.errors import ArgumentError
from erlangen.fields.crystals.wyckoffdiff.state import GROUPS, POSITIONS, position_table

#: The largest multiplicity of a position is 192.
MULTIPLICITIES = 193
#: Elements that are counted; more are as many.
KINDS = 9


class WyckoffGNN(nn.Module):
    """Logits of what stands on every position at step 0, from what stands on all of them at step ``t``.

    A node is a position; its first features are the element on it, or the counts of all elements. With its context (free coordinates,
    letter, group, step, multiplicity; the sum of learnt vectors) it sees all nodes of its crystal, itself too:
    ``h_i <- SiLU(h_i + sum_j a_ij MLP(y_j))``, ``y = [h, context]``, ``a_ij`` the softmax over ``j`` of ``MLP([y_i, y_j])``. The first
    layer of that last MLP is computed for nodes, not for pairs: it is linear in ``y_i`` and ``y_j``.

    Args:
        elements: ``E``, atomic numbers from 1 to this.
        most: ``C``, the largest count of an element on a position.
        steps: ``T``.
        hidden: ``H``, features of a node.
        layers: rounds of attention.
        context: features of a node's context.
        width: of hidden layers; ``2 (hidden + context)`` as the source by default.
        attention: widths of the hidden layers of pairs; the source's are ``(2 (H + 16), 2 (H + 16))``.
        norm: features are normalised before each round and each head, which the source's are not.
        rank: the head of counts gives each element so many numbers, which a matrix turns into logits; by default all of them. The first
            of them starts as whether the element is there, the next as powers of how many orbits more than one.
        company: every node is told which elements are seen in the whole crystal, and how many (means over nodes cannot count); and each
            of them adds to the logits of all others, wherever they stand and on its own position: tables of pairs, which are learnt
            faster than layers learn them. The source has none.

    Raises:
        ArgumentError: a size that is not positive.

    >>> from erlangen.fields.crystals.wyckoffdiff.state import vacant
    >>> net = WyckoffGNN(elements=20, most=3, steps=10, hidden=16)
    >>> said = net(t=torch.tensor([3, 7]), **vacant(torch.tensor([225, 62]), 20))
    >>> said["points"].shape, said["counts"].shape
    (torch.Size([6, 21]), torch.Size([10, 20, 4]))
    """

    def __init__(
        self,
        elements: int = 94,
        most: int = 8,
        steps: int = 1000,
        *,
        hidden: int = 256,
        layers: int = 3,
        context: int = 16,
        width: int | None = None,
        attention: Sequence[int] = (24,),
        norm: bool = False,
        rank: int | None = None,
        company: bool = False,
    ) -> None:
        super().__init__()
        width = 2 * (hidden + context) if width is None else width
        sizes = {"elements": elements, "most": most, "steps": steps, "hidden": hidden, "layers": layers, "context": context}
        for name, size in {**sizes, "width": width, "rank": 1 if rank is None else rank}.items():
            if not isinstance(size, int) or isinstance(size, bool) or size < 1:
                raise ArgumentError(name, "a positive whole number", repr(size))
        if not attention or min(attention) < 1:
            raise ArgumentError("attention", "positive widths of at least one layer", repr(attention))
        self.elements, self.most = elements, most
        self.element = nn.Embedding(elements + 1, hidden)
        self.count = nn.Embedding(most + 1, 1)
        self.counts = nn.Linear(elements, hidden)
        kinds = {"dof": 4, "letter": POSITIONS, "group": GROUPS, "time": steps + 1, "multiplicity": MULTIPLICITIES}
        self.context = nn.ModuleDict({name: nn.Embedding(number, context) for name, number in kinds.items()})
        self.layers = nn.ModuleList([_Round(hidden, context, width, attention, norm) for _ in range(layers)])
        self.norm = nn.LayerNorm(hidden) if norm else nn.Identity()
        self.head_points = mlp(hidden, width, width, elements + 1)
        per_element = most + 1 if rank is None else rank
        self.head_counts = mlp(hidden, width, width, elements * per_element)
        self.from_rank = None if rank is None else nn.Linear(rank, most + 1, bias=False)
        self.company = nn.ModuleList([nn.Linear(elements, elements, bias=False) for _ in range(2)]) if company else None
        self.whole = nn.Linear(elements, hidden) if company else None
        self.kinds = nn.Embedding(KINDS + 1, hidden) if company else None
        self._start()

    @torch.no_grad()
    def _start(self) -> None:
        """The first weights: what varies over crystals reaches the heads undiminished, and these say nothing yet."""
        for each in self.modules():
            if isinstance(each, nn.Linear):
                nn.init.kaiming_normal_(each.weight, nonlinearity="relu")
                if each.bias is not None:
                    each.bias.zero_()
        nn.init.normal_(self.counts.weight)  # one orbit of an element counts like one element on a point
        self.count.weight.copy_(torch.arange(self.most + 1.0).unsqueeze(-1))
        for head in (self.head_points, self.head_counts):
            last = head[-1]
            assert isinstance(last, nn.Linear)
            last.weight.zero_()
        # Steps beside each other start alike: a hundred vectors of their own would have to be learnt to be.
        time = self.context["time"]
        assert isinstance(time, nn.Embedding)
        waves = (torch.arange(4.0) * math.pi * torch.linspace(0, 1, time.num_embeddings).unsqueeze(1)).cos()
        time.weight.copy_(waves @ torch.randn(4, time.embedding_dim) / 2)
        for table in self.company or []:
            table.weight.zero_()  # type: ignore[operator, union-attr]
        if self.from_rank is not None:
            more = (torch.arange(self.most + 1.0) - 1) / max(1, self.most - 1)
            for power, column in enumerate(self.from_rank.weight.unbind(1)):
                column.copy_(torch.where(more < 0, 0.0, more**power))

    def forward(
        self,
        *,
        t: Int[Tensor, " B"],
        group: Int[Tensor, " B"],
        points: Int[Tensor, " N"],
        points_at: Int[Tensor, " N"],
        points_of: Int[Tensor, " N"],
        counts: Int[Tensor, "M E"],
        counts_at: Int[Tensor, " M"],
        counts_of: Int[Tensor, " M"],
        shift: Float[Tensor, "B H"] | None = None,
    ) -> dict[str, Tensor]:
        """Logits ``points`` ``[N, E + 1]`` and ``counts`` ``[M, E, C + 1]``.

        Args:
            t: steps.
            group: numbers of space groups.
            points, counts: what stands on positions without and with free coordinates, in any order.
            points_at, counts_at: which positions of their groups these are.
            points_of, counts_of: which crystals they belong to.
            shift: what a condition adds to the first features of each crystal's nodes.
        """
        at, of = torch.cat([points_at, counts_at]), torch.cat([points_of, counts_of])
        table = position_table()
        g = group[of]
        kinds = {
            "dof": table.dof.to(at.device)[g, at],
            "letter": at,
            "group": g,
            "time": t[of],
            "multiplicity": table.multiplicity.to(at.device)[g, at],
        }
        context = torch.stack([self.context[name](kind) for name, kind in kinds.items()]).sum(0)
        h = torch.cat([self.element(points), self.counts(self.count.weight[counts].squeeze(-1))])
        here = (counts > 0).to(h.dtype)
        there = here.new_zeros(len(group), self.elements + 1)
        there = there.index_put((points_of, points), here.new_ones(len(points)))[:, 1:].index_add(0, counts_of, here).clamp(max=1.0)
        if self.whole is not None and self.kinds is not None:
            h = h + (self.whole(there) + self.kinds(there.sum(1).long().clamp(max=KINDS)))[of]
        if shift is not None:
            h = h + shift[of]
        pairs = Pairs(of, at, len(group))
        for each in self.layers:
            h = each(h, context, pairs)
        h = self.norm(h)
        on_points, on_counts = self.head_points(h[: len(points)]), self.head_counts(h[len(points) :])
        on_counts = on_counts.view(len(counts), self.elements, on_counts.shape[-1] // self.elements)
        on_counts = on_counts if self.from_rank is None else self.from_rank(on_counts)
        if self.company is not None:
            far, near = self.company
            others = far(there)
            on_points = torch.cat([on_points[:, :1], on_points[:, 1:] + others[points_of]], 1)
            seen = (others[counts_of] + near(here)).unsqueeze(2)
            on_counts = torch.cat([on_counts[..., :1], on_counts[..., 1:] + seen], 2)
        return {"points": on_points, "counts": on_counts}


class Pairs:
    """Which nodes share a crystal.

    Attributes:
        left, right: the nodes of each pair ``[P]``, a node with itself too.
        slot: where a node stands in a table of crystals and positions ``[B * n]``.
        place: where a pair stands in a table ``[B, n, n]``, flat.
    """

    def __init__(self, of: Tensor, at: Tensor, size: int) -> None:
        self.size, self.n = size, int(at.max()) + 1 if len(at) else 1
        self.slot = of * self.n + at
        node = torch.full((size * self.n,), -1, dtype=torch.int64, device=at.device)
        node[self.slot] = torch.arange(len(at), device=at.device)
        there = (node >= 0).view(size, self.n)
        crystal, i, j = (there.unsqueeze(2) & there.unsqueeze(1)).nonzero().unbind(1)
        self.left, self.right = node[crystal * self.n + i], node[crystal * self.n + j]
        self.place = (crystal * self.n + i) * self.n + j

    def mixed(self, scores: Float[Tensor, " P"], values: Float[Tensor, "N H"]) -> Float[Tensor, "N H"]:
        """For each node the mean of all nodes' values, weighted by the softmax of its pairs' scores."""
        # Rows of what there is not are alike, so that their softmax is a number; nothing reads them.
        table = scores.new_full((self.size * self.n * self.n,), torch.finfo(scores.dtype).min)
        weights = table.index_put((self.place,), scores).view(self.size, self.n, self.n).softmax(-1)
        padded = values.new_zeros(self.size * self.n, values.shape[-1]).index_put((self.slot,), values)
        return (weights @ padded.view(self.size, self.n, -1)).view(self.size * self.n, -1)[self.slot]


class _Round(nn.Module):
    """One round of attention."""

    def __init__(self, hidden: int, context: int, width: int, attention: Sequence[int], norm: bool) -> None:
        super().__init__()
        first = attention[0]
        self.norm = nn.LayerNorm(hidden) if norm else nn.Identity()
        self.left, self.right = nn.Linear(hidden + context, first), nn.Linear(hidden + context, first, bias=False)
        self.score = nn.Sequential(nn.SiLU(), *_hidden(attention), nn.Linear(attention[-1], 1))
        self.message = mlp(hidden + context, width, width, hidden)

    def forward(self, h: Tensor, context: Tensor, pairs: Pairs) -> Tensor:
        y = torch.cat([self.norm(h), context], -1)
        scores = self.score(self.left(y)[pairs.left] + self.right(y)[pairs.right]).squeeze(-1)
        return nn.functional.silu(h + pairs.mixed(scores, self.message(y)))


def mlp(*sizes: int) -> nn.Sequential:
    """Linear layers with SiLU between them."""
    return nn.Sequential(*_hidden(sizes[:-1]), nn.Linear(sizes[-2], sizes[-1]))


def _hidden(sizes: Sequence[int]) -> list[nn.Module]:
    return [module for a, b in pairwise(sizes) for module in (nn.Linear(a, b), nn.SiLU())]
