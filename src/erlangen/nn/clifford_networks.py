"""Networks of geometric-algebra attention: classes of clouds, energies of atoms, atoms from the beads of a coarse model."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from erlangen.actions.ragged import PerDatum, check_edges, to_dense
from erlangen.actions.records import Record
from erlangen.errors import ArgumentError
from erlangen.groups import SE, SO, E, O
from erlangen.groups.membership import may_look
from erlangen.nn.clifford_attention import LabeledVectorAttention, Vector2VectorAttention, VectorAttention
from erlangen.nn.clifford_products import Mode, Parity, safe_norm
from erlangen.nn.clifford_running import MomentumNormalization
from erlangen.nn.perceptron import perceptron


class GAAClassifier(nn.Module):
    """Scores of classes (or any numbers that do not turn) of a cloud of points about an origin.

    Values of the points are mixed up to ``width`` numbers; ``blocks`` times attention and a perceptron add to them; a last attention
    pools; a perceptron gives the scores.

    Args:
        features: numbers of each point at the start.
        classes: numbers that come out.
        width, blocks: of the network.
        rank, invariant_mode, merge_fun, join_fun, parity, chunk: of the attention, see :class:`~erlangen.nn.VectorAttention`. With
            ``"mean"`` a step takes half the time, and learns more slowly than that.

    Source: M. Spellings, arXiv:2110.02393 (2021), the network that names crystals.

    >>> _ = torch.manual_seed(0)
    >>> net = GAAClassifier(features=2, classes=8)
    >>> net(torch.randn(16, 12, 3), torch.ones(16, 12, 2)).shape
    torch.Size([16, 8])
    """

    def __init__(
        self,
        features: int,
        classes: int,
        width: int = 32,
        blocks: int = 2,
        rank: int = 2,
        invariant_mode: Mode = "single",
        merge_fun: str = "concat",
        join_fun: str = "concat",
        *,
        parity: Parity = "so3",
        chunk: int | None = None,
    ) -> None:
        super().__init__()
        _check_sizes(features=features, classes=classes, width=width)

        def attention(reduce: bool) -> VectorAttention:
            return VectorAttention(
                width, None, None, reduce, merge_fun, join_fun, rank, invariant_mode, parity=parity, chunk=chunk
            )  # fmt: skip

        self.features = features
        self.up = nn.Linear(features, width)
        self.attend = nn.ModuleList([attention(False) for _ in range(blocks)])
        self.then = nn.ModuleList([perceptron(width, 2 * width, width) for _ in range(blocks)])
        self.pool = attention(True)
        self.last = perceptron(width, 2 * width, classes)
        group = self.pool.group
        self.inp = Record((group.vector, PerDatum(group)))
        self.out = PerDatum(group)

    def forward(
        self, r: Float[Tensor, "*batch n 3"], x: Float[Tensor, "*batch n f"], mask: Tensor | None = None
    ) -> Float[Tensor, "*batch classes"]:
        """Scores.

        Args:
            r: the points, relative to what the cloud is about.
            x: their features.
            mask: which are there.
        """
        v = self.up(_features(x, r, self.features, "point", mask))
        for attend, then in zip(self.attend, self.then):
            v = v + then(attend((r, v), mask=mask))
        return self.last(self.pool((r, v), mask=mask))

    def example(self, *batch: int, generator: torch.Generator | None = None, dtype: torch.dtype | None = None) -> Any:
        """Random clouds of four points."""
        make = lambda size: torch.randn(*batch, 4, size, generator=generator, dtype=dtype)  # noqa: E731
        return make(3), make(self.features)


class GAAEnergyModel(nn.Module):
    """A number for each atom from the cloud of its neighbours: the network of a :class:`~erlangen.nn.Potential`.

    The cloud of atom ``i`` holds the differences ``x_j - x_i`` to its neighbours, itself included, with the sums and differences of
    their features as values. It is attended to by ``blocks`` blocks that see all products of ``rank`` differences and the
    normalised ones, pooled, and read out. Without edges all atoms of a structure are neighbours; with a ``cutoff`` they fade
    towards it, so that energies and forces are continuous where atoms come and go. Invariants, whose units are powers of a length, are
    normalised by running numbers, which move in training mode.

    Args:
        features: numbers of each atom: of one-hot elements, how many there are.
        width, blocks, rank, invariant_mode: of the network.
        cutoff: where neighbours end; needed with edges, and without them it ends clouds that would hold all atoms.
        parity: ``"o3"``: mirror images have the same energy, as they have in nature.
        chunk: see :class:`~erlangen.nn.VectorAttention`.

    Source: M. Spellings, arXiv:2110.02393 (2021), the network of molecular forces.

    >>> from erlangen.actions import AtomBatch
    >>> from erlangen.nn import Potential
    >>> _ = torch.manual_seed(0)
    >>> model = Potential(GAAEnergyModel(2), [1, 8]).eval()
    >>> water = AtomBatch.of(torch.tensor([[0.0, 0, 0.12], [0, 0.76, -0.48], [0, -0.76, -0.48]]), [8, 1, 1])
    >>> y = model(water)
    >>> y["energy"].shape, y["forces"].shape
    (torch.Size([1, 1]), torch.Size([3, 3]))
    """

    def __init__(
        self,
        features: int,
        width: int = 32,
        blocks: int = 2,
        rank: int = 2,
        invariant_mode: Mode = "full",
        *,
        cutoff: float | None = None,
        parity: Parity = "o3",
        chunk: int | None = None,
    ) -> None:
        super().__init__()
        _check_sizes(features=features, width=width)
        if cutoff is not None and (isinstance(cutoff, bool) or not isinstance(cutoff, (int, float)) or not cutoff > 0):
            raise ArgumentError("cutoff", "a positive length, or None", repr(cutoff))
        self.features, self.cutoff = features, cutoff

        def attention(reduce: bool) -> VectorAttention:
            layer = VectorAttention(
                width, None, None, reduce, "concat", "concat", rank, invariant_mode, True, parity=parity, chunk=chunk
            )
            q = layer.invariant_dims
            layer.value_net = nn.Sequential(
                MomentumNormalization(q), nn.Linear(q, 2 * width), nn.SiLU(), nn.Linear(2 * width, width)
            )
            layer.score_net = perceptron(width, 2 * width, 1, activation=nn.SiLU)
            return layer

        self.up = nn.Linear(2 * features, width)
        self.attend = nn.ModuleList([attention(False) for _ in range(blocks)])
        self.then = nn.ModuleList([perceptron(width, 2 * width, width, activation=nn.SiLU) for _ in range(blocks)])
        self.pool = attention(True)
        self.last = perceptron(width + features, 2 * width, 1, activation=nn.SiLU)
        group = E(3) if parity == "o3" else SE(3)
        self.inp = Record((group.point, PerDatum(group)))
        self.out = PerDatum(group)

    def forward(
        self,
        pos: Float[Tensor, "N 3"],
        x: Float[Tensor, "N f"],
        edge_index: Int[Tensor, "2 E"] | None = None,
        batch: Int[Tensor, " N"] | None = None,
        edge_shift: Float[Tensor, "E 3"] | None = None,
    ) -> Float[Tensor, "N 1"]:
        """One number for each atom.

        Args:
            pos, x: positions and features.
            edge_index: directed edges from ``j`` to ``i``; by default all pairs of atoms of one structure. Loops need not be among
                them: each atom is in its own cloud once.
            batch: the structure of each atom; by default all are one.
            edge_shift: by what translation ``j`` is seen from ``i``.

        Raises:
            ArgumentError: edges without a cutoff: energies would jump where they come and go; shapes that do not fit; edges that
                are no pairs of atoms of one structure.
        """
        if pos.ndim != 2 or pos.shape[1] != 3 or not pos.is_floating_point():
            raise ArgumentError("pos", "real positions [N, 3]", f"{pos.dtype} {list(pos.shape)}")
        x = _features(x, pos, self.features, "atom", None)
        if batch is not None and batch.shape != pos.shape[:1]:
            raise ArgumentError("batch", f"shape {list(pos.shape[:1])}", f"shape {list(batch.shape)}")
        if edge_index is not None:
            check_edges(edge_index, len(pos), batch)
        if edge_shift is not None and (edge_index is None or list(edge_shift.shape) != [edge_index.shape[1], 3]):
            raise ArgumentError("edge_shift", "[E, 3], a translation for each given edge", f"shape {list(edge_shift.shape)}")
        if edge_index is not None and self.cutoff is None:
            raise ArgumentError("cutoff", "the length of the longest edge, where there are edges", None)
        if not len(pos):
            return pos.new_zeros(0, 1)
        j, i, shift = self._pairs(pos, edge_index, batch, edge_shift)
        r, v, there = self._clouds(pos, x, j, i, shift)
        for attend, then in zip(self.attend, self.then):
            v = v + then(attend((r, v), mask=there))
        return self.last(torch.cat([self.pool((r, v), mask=there), x], -1))

    def example(self, *batch: int, generator: torch.Generator | None = None, dtype: torch.dtype | None = None) -> Any:
        """One structure of random atoms, as many as a batch."""
        pos = torch.randn(*batch, 3, generator=generator, dtype=dtype)
        return pos, torch.randn(*batch, self.features, generator=generator, dtype=dtype)

    def _pairs(
        self, pos: Tensor, edge_index: Tensor | None, batch: Tensor | None, edge_shift: Tensor | None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Edges with each atom's to itself."""
        n = len(pos)
        if edge_index is None:
            same = pos.new_ones(n, n, dtype=torch.bool) if batch is None else batch.unsqueeze(1) == batch
            i, j = same.nonzero().T
            return j, i, pos.new_zeros(len(i), 3)
        itself = torch.arange(n, device=pos.device)
        shift = pos.new_zeros(edge_index.shape[1], 3) if edge_shift is None else edge_shift
        other = (edge_index[0] != edge_index[1]) | (shift != 0).any(1)  # an atom's own is there already
        edge_index, shift = edge_index[:, other], shift[other]
        return (
            torch.cat([edge_index[0], itself]),
            torch.cat([edge_index[1], itself]),
            torch.cat([shift, pos.new_zeros(n, 3)]),
        )

    def _clouds(self, pos: Tensor, x: Tensor, j: Tensor, i: Tensor, shift: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The clouds of all atoms side by side, padded: differences, values, and how much of each is there."""
        r, there = to_dense(pos[j] + shift - pos[i], i)
        v, _ = to_dense(self.up(torch.cat([x[j] - x[i], x[j] + x[i]], -1)), i)
        if self.cutoff is None:
            return r, v, there
        fade = (torch.cos(safe_norm(r).squeeze(-1).clamp_max(self.cutoff) * (torch.pi / self.cutoff)) + 1) / 2
        return r, v, torch.where(there, fade, 0)


class GAABackmapper(nn.Module):
    """Positions of atoms from the beads of a coarse model about them: for each label a point that turns with the beads.

    Blocks as of :class:`GAAClassifier` on the beads; a :class:`~erlangen.nn.LabeledVectorAttention` that puts one point for each
    label; and blocks of vector attention that move these points by what they see of each other.

    Args:
        features: numbers of each bead.
        labels: kinds of atoms that can be asked for.
        width, blocks, refinements, rank: of the network. Vectors of rank 1 are combinations of the beads' own.

    Source: M. Spellings, arXiv:2110.02393 (2021), the network that reverses coarse-graining.

    >>> _ = torch.manual_seed(0)
    >>> net = GAABackmapper(features=20, labels=37)
    >>> net(torch.randn(4, 5, 3), torch.randn(4, 5, 20), torch.randint(37, (4, 9))).shape
    torch.Size([4, 9, 3])
    """

    def __init__(
        self,
        features: int,
        labels: int,
        width: int = 32,
        blocks: int = 2,
        refinements: int = 2,
        rank: int = 2,
        *,
        parity: Parity = "so3",
    ) -> None:
        super().__init__()
        _check_sizes(features=features, labels=labels, width=width)
        self.features, self.labels = features, labels
        self.up, self.embed = nn.Linear(features, width), nn.Embedding(labels, width)
        self.attend = nn.ModuleList([VectorAttention(width, reduce=False, rank=rank, parity=parity) for _ in range(blocks)])
        self.then = nn.ModuleList([perceptron(width, 2 * width, width) for _ in range(blocks)])
        self.place = LabeledVectorAttention(width, rank=rank, invariant_mode="partial", join_fun="concat", parity=parity)
        self.move: Any = nn.ModuleList(
            [
                Vector2VectorAttention(width, reduce=False, rank=rank, invariant_mode="partial", parity=parity)
                for _ in range(refinements)
            ]
        )
        group = O(3) if parity == "o3" else SO(3)
        self.inp = Record((group.vector, PerDatum(group), PerDatum(group)))
        self.out = group.vector

    def forward(
        self,
        r: Float[Tensor, "*batch n 3"],
        x: Float[Tensor, "*batch n f"],
        labels: Int[Tensor, "*batch L"],
        mask: Tensor | None = None,
        label_mask: Tensor | None = None,
    ) -> Float[Tensor, "*batch L 3"]:
        """Points for the labels.

        Args:
            r, x: beads and their features.
            labels: numbers from 0 to ``labels - 1``.
            mask, label_mask: which beads and labels are there. What comes out for others has no meaning.

        Raises:
            ArgumentError: naming the argument.
        """
        v = self.up(_features(x, r, self.features, "bead", mask))
        if not isinstance(labels, Tensor) or labels.is_floating_point() or labels.shape[:-1] != r.shape[:-2]:
            got = f"{labels.dtype} {list(labels.shape)}" if isinstance(labels, Tensor) else type(labels).__name__
            raise ArgumentError("labels", f"whole numbers {[*r.shape[:-2], 'L']}", got)
        if label_mask is not None and label_mask.shape == labels.shape:
            labels = torch.where(label_mask > 0, labels, 0)
        if may_look(labels) and labels.numel() and not 0 <= int(labels.min()) <= int(labels.max()) < self.labels:
            raise ArgumentError("labels", f"numbers from 0 to {self.labels - 1}", [int(labels.min()), int(labels.max())])
        for attend, then in zip(self.attend, self.then):
            v = v + then(attend((r, v), mask=mask))
        c = self.embed(labels)
        atoms = self.place((c, (r, v)), mask=mask)
        for move in self.move:
            atoms = atoms + move((atoms, c), mask=label_mask)
        return atoms

    def example(self, *batch: int, generator: torch.Generator | None = None, dtype: torch.dtype | None = None) -> Any:
        """Four random beads and three labels."""
        r = torch.randn(*batch, 4, 3, generator=generator, dtype=dtype)
        x = torch.randn(*batch, 4, self.features, generator=generator, dtype=dtype)
        return r, x, torch.randint(self.labels, (*batch, 3), generator=generator)


def _features(x: Tensor, r: Tensor, features: int, of: str, mask: Tensor | None) -> Tensor:
    """Features, checked, and zero where nothing is: what padding holds may be no number, and reach the gradients of weights."""
    wanted = [*r.shape[:-1], features]
    if not isinstance(x, Tensor) or list(x.shape) != wanted or not x.is_floating_point():
        got = f"{x.dtype} {list(x.shape)}" if isinstance(x, Tensor) else type(x).__name__
        raise ArgumentError("x", f"{features} features of each {of}, real numbers {wanted}", got)
    return x if mask is None or mask.shape != x.shape[:-1] else torch.where((mask > 0).unsqueeze(-1), x, 0)


def _check_sizes(**sizes: int) -> None:
    for name, size in sizes.items():
        if not isinstance(size, int) or size < 1:
            raise ArgumentError(name, "a positive integer", repr(size))
