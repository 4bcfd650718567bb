"""The network for atoms: messages between neighbours, by lengths alone or by directions as they stand in the file."""

from __future__ import annotations

import math
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from erlangen.actions import AtomBatch
from erlangen.fitting.kinds.base import Scaled
from erlangen.nn.perceptron import perceptron

Reads = Literal["lengths", "turns", "raw"]

#: Bumps that a length is written in.
BUMPS = 20
#: Atomic numbers that are known.
ELEMENTS = 119


def edges_of(x: dict[str, Tensor], cutoff: float, most: int) -> dict[str, Tensor]:
    """Structures as what the network sees: ``{"numbers" [B, n], "ends" int64 [B, 2, E], "arrows" [B, E, 3], "near" [B, E]}``.

    ``arrows`` go from an atom (second of the ``ends``) to its neighbours (first) in angstrom, ``near`` falls from 1 to 0 at the cutoff and
    is 0 where a structure has no more edges.

    >>> water = {"pos": torch.tensor([[[0.0, 0, 0], [0.76, 0.59, 0], [-0.76, 0.59, 0]]]), "numbers": torch.tensor([[8, 1, 1]]),
    ...          "cell": torch.zeros(1, 3, 3), "pbc": torch.zeros(1, 3, dtype=torch.bool)}
    >>> edges_of(water, 5.0, 32)["arrows"].shape
    torch.Size([1, 6, 3])
    """
    pos, numbers = x["pos"], x["numbers"]
    there = numbers > 0
    size, places = numbers.shape
    datum = torch.arange(size, device=numbers.device).unsqueeze(1).expand(size, places)[there]
    batch = AtomBatch(pos[there].detach(), numbers[there], datum, x["cell"].detach(), x["pbc"], torch.zeros_like(datum))
    batch = batch.with_edges(cutoff, most)
    edges, images = batch.edge_index, batch.cell_offsets
    assert edges is not None
    assert images is not None
    home = datum[edges[1]]
    counts = torch.bincount(home, minlength=size)
    order = home.argsort(stable=True)
    edges, images, home = edges[:, order], images[order], home[order]
    rank = torch.arange(len(home), device=home.device) - (counts.cumsum(0) - counts)[home]
    longest = max(int(counts.max()), 1)
    place = torch.arange(places, device=numbers.device).expand(size, places)[there]  # of an atom within its structure
    flat = pos[there]
    vector = flat[edges[0]] - flat[edges[1]] + torch.einsum("ei,eij->ej", images.to(pos.dtype), x["cell"].to(pos.dtype)[home])
    length = vector.norm(dim=-1)
    ends = numbers.new_zeros(size, 2, longest)
    ends[home, :, rank] = place[edges].T
    arrows = pos.new_zeros(size, longest, 3).index_put((home, rank), vector)
    near = pos.new_zeros(size, longest).index_put((home, rank), 0.5 * (1 + torch.cos(math.pi * length / cutoff)))
    return {"numbers": numbers, "ends": ends, "arrows": arrows, "near": near}


class AtomNetwork(Scaled):
    """Messages between neighbouring atoms that carry numbers and vectors (Schuett et al., arXiv:2102.03150), summed over atoms.

    Filters read lengths alone, so that reflections and rotations turn the vectors and leave the numbers; with ``"turns"`` triple and
    cross products are read too, which reflections change; with ``"raw"`` the filters read directions as they stand in the file, which
    ends every symmetry but translations and the order of the atoms. Numbers start from a least-squares fit to the composition.

    Args:
        shape: of one output.
        vector: whether outputs are vectors of space.
        reads: ``"lengths"``, ``"turns"`` or ``"raw"``.
        cutoff, most: reach of the messages in angstrom, and how many neighbours an atom has at most.
        width, depth: half the width is the number of an atom's features; rounds of messages are one more than the depth.
        dropout: before the last layer.
    """

    def __init__(
        self,
        shape: tuple[int, ...],
        vector: bool,
        reads: Reads,
        cutoff: float,
        most: int,
        width: int = 128,
        depth: int = 2,
        dropout: float = 0.2,
    ) -> None:
        super().__init__(shape, width=width, depth=depth, dropout=dropout)
        self.vector, self.reads, self.cutoff, self.most = vector, reads, cutoff, most
        wide, outputs = max(width // 2, 1), math.prod(shape)
        self.composition: Tensor
        self.register_buffer("composition", torch.zeros(ELEMENTS, outputs))
        self.kind = nn.Embedding(ELEMENTS, wide)
        seen = BUMPS + 3 * (reads == "raw")
        self.filters = nn.ModuleList(perceptron(seen, wide, 3 * wide) for _ in range(depth + 1))
        self.send = nn.ModuleList(perceptron(wide, wide, 3 * wide) for _ in range(depth + 1))
        self.mix = nn.ModuleList(nn.Linear(wide, 3 * wide, bias=False) for _ in range(depth + 1))
        self.update = nn.ModuleList(perceptron((4 if reads == "turns" else 3) * wide, wide, 3 * wide) for _ in range(depth + 1))
        self.each = perceptron(wide, wide, outputs)
        self.all = perceptron(wide, wide, outputs, dropout=dropout)
        self.arrow = nn.Linear(wide, outputs // 3, bias=False) if vector else None

    def standardise(self, x: dict[str, Tensor], y: Tensor) -> None:
        """Fit numbers to the composition by least squares, and take the size of what is left."""
        if not y.is_floating_point() or self.vector:
            self.scale_outputs(y, self.vector)
            return
        counts = _counts(x["numbers"]).double()
        y = y.reshape(len(y), -1).double()
        present = counts.any(0)
        design = torch.cat([counts[:, present], counts.new_ones(len(y), 1)], 1)
        found = torch.linalg.lstsq(design, y, driver="gelsd").solution
        self.composition[present] = found[:-1].to(self.composition.dtype)
        self.out_shift.copy_(found[-1].reshape(self.shape))
        self.out_scale.fill_(float((y - design @ found).square().mean().sqrt()) or 1.0)

    def forward(self, x: dict[str, Tensor]) -> Tensor:
        seen = x if "arrows" in x else edges_of(x, self.cutoff, self.most)
        numbers, dtype = seen["numbers"], self.out_scale.dtype
        there, here = numbers > 0, seen["near"] > 0
        size, places = there.shape
        # All structures' atoms and edges one after another: no work is done on what is filled up.
        number = there.flatten().cumsum(0).reshape(size, places) - 1
        datum = torch.arange(size, device=there.device).unsqueeze(1).expand(size, places)[there]
        source, target = number.gather(1, seen["ends"].flatten(1)).unflatten(1, (2, -1)).transpose(1, 2)[here].T
        arrows, near = seen["arrows"][here], seen["near"][here].to(dtype).unsqueeze(1)
        length = arrows.norm(dim=-1, keepdim=True)
        way = (arrows / length).to(dtype)
        read = self._bumps(length).to(dtype)
        read = torch.cat([read, way], -1) if self.reads == "raw" else read
        h = self.kind(numbers[there])
        v = h.new_zeros(*h.shape, 3)
        for filters, send, mix, update in zip(self.filters, self.send, self.mix, self.update):
            plain, along, pass_on = (send(h)[source] * filters(read) * near).chunk(3, -1)
            vectors = along.unsqueeze(-1) * way.unsqueeze(1) + pass_on.unsqueeze(-1) * v[source]
            h = h + torch.zeros_like(h).index_add(0, target, plain)
            v = v + torch.zeros_like(v).index_add(0, target, vectors)
            a, b, c = mix(v.mT).mT.chunk(3, 1)
            invariants = [h, (a * b).sum(-1), (b.square().sum(-1) + 1e-12).sqrt()]
            if self.reads == "turns":
                turned = torch.linalg.cross(b, c)
                invariants.append((a * turned).sum(-1))
                c = c + turned
            more, gate, weight = update(torch.cat(invariants, -1)).chunk(3, -1)
            h, v = h + more, v + gate.unsqueeze(-1) * a + weight.unsqueeze(-1) * c
        if self.arrow is not None:
            return self.scaled(v.new_zeros(size, *v.shape[1:]).index_add(0, datum, v).mT @ self.arrow.weight.mT)
        count = h.new_zeros(size, 1).index_add(0, datum, h.new_ones(len(h), 1)).clamp_min(1)
        total = h.new_zeros(size, math.prod(self.shape)).index_add(0, datum, self.each(h))
        mean = h.new_zeros(size, h.shape[1]).index_add(0, datum, h) / count
        y = self.scaled(total + self.all(mean))
        return y + (_counts(numbers).to(dtype) @ self.composition).unflatten(-1, self.shape)

    def scaled(self, y: Tensor) -> Tensor:
        """Numbers as usual; vectors ``[B, 3, T]`` as outputs ``[B, T, 3]``."""
        return y.mT * self.out_scale if self.vector else super().scaled(y)

    def _bumps(self, length: Float[Tensor, "E 1"]) -> Float[Tensor, "E k"]:
        centres = torch.linspace(0, self.cutoff, BUMPS, dtype=length.dtype, device=length.device)
        return torch.exp(-((length - centres) * (BUMPS / self.cutoff)).square() / 2)


def _counts(numbers: Tensor) -> Tensor:
    """How many atoms of each element a structure has, ``[B, elements]``."""
    counts = numbers.new_zeros(len(numbers), ELEMENTS).scatter_add(1, numbers, torch.ones_like(numbers))
    counts[:, 0] = 0
    return counts
