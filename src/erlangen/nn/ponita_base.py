"""`PointNetwork`: what PONITA and its invariant twin share: batches of points, dense or ragged, in; scalars and vectors out."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, Literal, get_args

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from erlangen.actions.neighbours import neighbours
from erlangen.actions.ragged import check_edges, to_dense
from erlangen.errors import ArgumentError
from erlangen.groups.membership import may_look
from erlangen.nn.ponita_kernels import unit, window
from erlangen.nn.ponita_layers import Block, Convolution, Neighbourhood
from erlangen.nn.precision import check_precision

Task = Literal["graph", "node"]


class PointNetwork(nn.Module):
    """Layers of convolutions over points with a few numbers at each, ``[N, ..., features]``; see :class:`~erlangen.nn.PONITA`."""

    def __init__(
        self,
        in_scalars: int,
        hidden: int,
        out_scalars: int,
        layers: int,
        *,
        in_vectors: int,
        out_vectors: int,
        dim: int,
        radius: float | None,
        task: Task,
        basis: int | None,
        widening: int,
        layer_scale: float | None,
        fibre: bool,
    ) -> None:
        super().__init__()
        counts = {"in_scalars": in_scalars, "out_scalars": out_scalars, "in_vectors": in_vectors, "out_vectors": out_vectors}
        for name, number in counts.items():
            if not isinstance(number, int) or number < 0:
                raise ArgumentError(name, "a whole number from 0 up", repr(number))
        for name, number in {
            "hidden": hidden,
            "layers": layers,
            "widening": widening,
            "basis": hidden if basis is None else basis,
        }.items():
            if not isinstance(number, int) or number < 1:
                raise ArgumentError(name, "a positive whole number", repr(number))
        if not in_scalars + in_vectors or not out_scalars + out_vectors:
            side = "out_scalars" if in_scalars + in_vectors else "in_scalars"
            raise ArgumentError(side, "at least one scalar or vector that comes in and one that goes out", 0)
        if radius is not None and (isinstance(radius, bool) or not isinstance(radius, (int, float)) or not radius > 0):
            raise ArgumentError("radius", "a positive length, or None", repr(radius))
        if layer_scale is not None and (isinstance(layer_scale, bool) or not 0 <= layer_scale < float("inf")):
            raise ArgumentError("layer_scale", "a number from 0 up, or None", repr(layer_scale))
        if dim not in (2, 3):
            raise ArgumentError("dim", "2 or 3", repr(dim))
        if task not in get_args(Task):
            raise ArgumentError("task", "'graph' or 'node'", repr(task))
        self.in_scalars, self.in_vectors = in_scalars, in_vectors
        self.out_scalars, self.out_vectors = out_scalars, out_vectors
        self.dim, self.radius, self.task, self.basis = dim, radius, task, hidden if basis is None else basis
        self.embed = nn.Linear(in_scalars + in_vectors, hidden, bias=False)
        self.blocks = nn.ModuleList(Block(hidden, self.basis, fibre, widening, layer_scale) for _ in range(layers))
        self.reads = nn.ModuleList(nn.Linear(hidden, out_scalars + out_vectors) for _ in range(layers))

    # ---- what each kind of network says ----

    @abstractmethod
    def lift(self, x: Tensor, vec: Tensor | None, ori: Tensor | None) -> Float[Tensor, "N *v C"]:
        """Features of nodes on the orientations, embedded."""

    @abstractmethod
    def read(self, y: Float[Tensor, "N *v o"], ori: Tensor | None) -> tuple[Tensor, Tensor]:
        """Scalars and vectors of nodes from features on the orientations."""

    @abstractmethod
    def dense(self, d: Float[Tensor, "B n n dim"], square: Tensor, weight: Tensor | None) -> Neighbourhood | None:
        """All pairs, weighted; ``None`` where the network works along edges only."""

    @abstractmethod
    def edges(self, edges: Tensor, d: Tensor, square: Tensor, weight: Tensor, ori: Tensor | None, nodes: int) -> Neighbourhood:
        """Pairs along edges, weighted."""

    # ---- forward ----

    def forward(
        self,
        pos: Any,
        x: Float[Tensor, "*nodes s"] | None = None,
        vec: Float[Tensor, "*nodes v dim"] | None = None,
        edge_index: Int[Tensor, "2 E"] | None = None,
        batch: Int[Tensor, " V"] | None = None,
        ori: Float[Tensor, "*nodes dim"] | None = None,
        edge_shift: Float[Tensor, "E dim"] | None = None,
        *,
        mask: Bool[Tensor, "*nodes"] | None = None,
        graphs: int | None = None,
    ) -> tuple[Float[Tensor, "*n s"], Float[Tensor, "*n v dim"]]:
        """Scalars ``[..., out_scalars]`` and vectors ``[..., out_vectors, dim]`` of nodes, or of graphs.

        Args:
            pos: positions: ``[V, dim]`` of the nodes of all graphs; or ``[*batch, n, dim]`` of graphs of ``n`` nodes each, without edges;
                or a PyG ``Data`` or ``Batch`` (anything with attributes of these names), alone.
            x: scalars of nodes ``[..., in_scalars]``; by default ones.
            vec: vectors of nodes ``[..., in_vectors, dim]``.
            edge_index: senders and receivers. By default the pairs nearer than the radius; without one, all pairs of a graph. Loops
                need not be among them: each node always sees itself.
            batch: the graph of each node; by default all are one.
            ori: an orientation of each node, ``[..., dim]``, any length.
            edge_shift: what is added to a sender's position to be where the receiver sees it (periodic images).
            mask: which places of a batch ``[*batch, n]`` are nodes.
            graphs: how many there are, where the last may be empty.

        Raises:
            ArgumentError: naming the argument.
        """
        if not isinstance(pos, Tensor):
            return self._of_data(pos)
        x = pos.new_ones(*pos.shape[:-1], self.in_scalars) if x is None else x
        self._check(pos, x, vec, edge_index, batch, ori, edge_shift, mask, graphs)
        if pos.ndim > 2:
            return self._of_batch(pos, x, vec, ori, mask)
        if ori is not None:
            ori = unit(ori)
        batch = torch.zeros(len(pos), dtype=torch.int64, device=pos.device) if batch is None else batch
        if edge_index is None and self.radius is None and ori is None and len(pos):
            y, points = self._all_pairs(pos, x, vec, batch)
        else:
            if edge_index is None:
                edge_index, edge_shift = self._near(pos, batch), None
            y, points = self._along(pos, x, vec, edge_index, edge_shift, ori), ori
        scalars, vectors = self.read(y, points)
        return self._pooled(scalars, vectors, batch, graphs)

    @torch.no_grad()
    def calibrate(self, *inputs: Any, **options: Any) -> None:
        """Scale the kernels once, layer by layer, such that features spread after each convolution as they did before.

        Args:
            inputs, options: of :meth:`forward`, a typical batch. Where sums go over many neighbours, networks start too steep without.

        Raises:
            ArgumentError: a batch whose features do not vary or are not finite; the kernels stay as they were.
        """
        convolutions = [module for module in self.modules() if isinstance(module, Convolution)]
        before = [{name: value.detach().clone() for name, value in conv.state_dict().items()} for conv in convolutions]
        try:
            for conv in convolutions:
                conv.calibrating = True
            self(*inputs, **options)
        except BaseException:
            for conv, state in zip(convolutions, before):
                conv.load_state_dict(state)
            raise
        finally:
            for conv in convolutions:
                conv.calibrating = False

    def _of_data(self, data: Any) -> tuple[Tensor, Tensor]:
        """A PyG object: its attributes by name."""
        names = ("pos", "x", "vec", "edge_index", "batch", "ori", "edge_shift")
        parts = {name: getattr(data, name, None) for name in names}
        if not isinstance(parts["pos"], Tensor):
            raise ArgumentError("pos", "a tensor of positions, or an object that has one as .pos", type(data).__name__)
        return self(**parts, graphs=getattr(data, "num_graphs", None))

    def _of_batch(
        self, pos: Tensor, x: Tensor, vec: Tensor | None, ori: Tensor | None, mask: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """Graphs of one size, ``[*batch, n, dim]``."""
        lead, n = pos.shape[:-2], pos.shape[-2]
        if mask is not None:
            pos, x = (torch.where(mask.unsqueeze(-1), part, 0) for part in (pos, x))
            vec = None if vec is None else torch.where(mask[..., None, None], vec, 0)
            ori = None if ori is None else torch.where(mask.unsqueeze(-1), ori, 1)  # any that is one
        pos, x = pos.reshape(_size(lead), n, self.dim), x.reshape(_size(lead), n, x.shape[-1])
        vec = None if vec is None else vec.reshape(_size(lead), n, *vec.shape[-2:])
        places = None if mask is None else mask.reshape(_size(lead), n)
        if ori is not None:
            ori = unit(ori.reshape(_size(lead), n, self.dim))
        around = None if ori is not None else self._dense(pos, places)
        if around is not None:
            scalars, vectors = self.read(self._layers(self.lift(x, vec, None), around), None)
        else:
            flat = torch.arange(len(pos), device=pos.device).repeat_interleave(n)
            edges = self._every_pair(flat, None if places is None else places.flatten())
            parts = (None if part is None else part.flatten(0, 1) for part in (vec, ori))
            v, o = parts
            y = self._along(pos.flatten(0, 1), x.flatten(0, 1), v, edges, None, o)
            scalars, vectors = (part.unflatten(0, (len(pos), n)) for part in self.read(y, o))
        if places is not None:
            scalars, vectors = torch.where(places[..., None], scalars, 0), torch.where(places[..., None, None], vectors, 0)
        if self.task == "graph":
            return scalars.sum(1).unflatten(0, lead), vectors.sum(1).unflatten(0, lead)
        return scalars.unflatten(0, lead), vectors.unflatten(0, lead)

    def _all_pairs(self, pos: Tensor, x: Tensor, vec: Tensor | None, batch: Tensor) -> tuple[Tensor, None]:
        """All pairs of each graph of a ragged batch, padded where that is possible."""
        padded, places = to_dense(pos, batch)
        around = self._dense(padded, places)
        if around is None:
            return self._along(pos, x, vec, self._every_pair(batch), None, None), None
        h = self.lift(to_dense(x, batch)[0], None if vec is None else to_dense(vec, batch)[0], None)
        order = batch.argsort(stable=True)
        y = self._layers(h, around)[:, places]
        return torch.zeros_like(y).index_copy(1, order, y), None

    def _dense(self, pos: Float[Tensor, "B n dim"], mask: Bool[Tensor, "B n"] | None) -> Neighbourhood | None:
        d = pos.unsqueeze(1) - pos.unsqueeze(2)
        square = d.square().sum(-1)
        weight = None if self.radius is None else window(square, self.radius)
        if mask is not None:
            both = (mask.unsqueeze(1) & mask.unsqueeze(2)).to(pos.dtype)
            weight = both if weight is None else weight * both
        return self.dense(d, square, weight)

    def _along(
        self, pos: Tensor, x: Tensor, vec: Tensor | None, edge_index: Tensor, shift: Tensor | None, ori: Tensor | None
    ) -> Tensor:
        """Along edges, and each node's loop after them."""
        nodes = torch.arange(len(pos), device=pos.device)
        edges = torch.cat([edge_index, nodes.expand(2, -1)], 1)
        d = pos[edge_index[0]] - pos[edge_index[1]]
        d = torch.cat([d if shift is None else d + shift, pos.new_zeros(len(pos), self.dim)])
        square = d.square().sum(-1)
        weight = torch.ones_like(square) if self.radius is None else window(square, self.radius)
        given = torch.arange(edges.shape[1], device=pos.device) < edge_index.shape[1]
        loops = given & (edges[0] == edges[1]) & (square == 0)  # a node's own is there already
        weight = torch.where(loops, 0.0, weight)
        return self._layers(self.lift(x, vec, ori), self.edges(edges, d, square, weight, ori, len(pos)))

    def _layers(self, h: Float[Tensor, "N *v C"], around: Neighbourhood) -> Float[Tensor, "N *v o"]:
        read = None
        for block, reader in zip(self.blocks, self.reads):
            h = block(h, around)
            read = reader(h) if read is None else read + reader(h)
        assert read is not None
        return read / len(self.blocks)

    def _pooled(self, scalars: Tensor, vectors: Tensor, batch: Tensor, graphs: int | None) -> tuple[Tensor, Tensor]:
        if self.task == "node":
            return scalars, vectors
        size = graphs if graphs is not None else int(batch.max()) + 1 if len(batch) else 0
        return tuple(t.new_zeros(size, *t.shape[1:]).index_add(0, batch, t) for t in (scalars, vectors))  # type: ignore[return-value]

    def _near(self, pos: Tensor, batch: Tensor) -> Tensor:
        if self.radius is None:
            return self._every_pair(batch)
        space = nn.functional.pad(pos, (0, 3 - self.dim))
        return neighbours(space, self.radius, batch=batch)[0]

    @staticmethod
    def _every_pair(batch: Int[Tensor, " V"], mask: Bool[Tensor, " V"] | None = None) -> Int[Tensor, "2 E"]:
        together = batch.unsqueeze(0) == batch.unsqueeze(1)
        if mask is not None:
            together = together & mask & mask.unsqueeze(1)
        return together.fill_diagonal_(False).nonzero().T

    # ---- checks ----

    def _check(
        self,
        pos: Tensor,
        x: Tensor,
        vec: Tensor | None,
        edge_index: Tensor | None,
        batch: Tensor | None,
        ori: Tensor | None,
        shift: Tensor | None,
        mask: Tensor | None,
        graphs: int | None,
    ) -> None:
        if pos.ndim < 2 or pos.shape[-1] != self.dim or not pos.is_floating_point():
            raise ArgumentError(
                "pos", f"real positions [V, {self.dim}] or [*batch, n, {self.dim}]", f"{pos.dtype} {list(pos.shape)}"
            )
        nodes = list(pos.shape[:-1])
        wanted: dict[str, tuple[Any, list[int]]] = {
            "x": (x, [*nodes, self.in_scalars]),
            "vec": (vec, [*nodes, self.in_vectors, self.dim]),
            "ori": (ori, [*nodes, self.dim]),
            "batch": (batch, nodes),
            "mask": (mask, nodes),
        }
        for name, (part, shape) in wanted.items():
            if part is not None and not isinstance(part, Tensor):
                raise ArgumentError(name, f"a tensor of shape {shape}", type(part).__name__)
            if part is not None and list(part.shape) != shape:
                raise ArgumentError(name, f"shape {shape}", f"shape {list(part.shape)}")
        for name, part in (("vec", vec), ("ori", ori), ("edge_shift", shift)):
            if part is not None and not part.is_floating_point():
                raise ArgumentError(name, "real numbers", str(part.dtype))
        for name, part in (("pos", pos), ("x", x), ("vec", vec)):
            if part is not None:
                check_precision(name, part, self)
        if batch is not None and batch.dtype not in (torch.int64, torch.int32):
            raise ArgumentError("batch", "whole numbers, int64", str(batch.dtype))
        if mask is not None and mask.dtype != torch.bool:
            raise ArgumentError("mask", "booleans", str(mask.dtype))
        if self.in_vectors and vec is None:
            raise ArgumentError("vec", f"{self.in_vectors} vectors of each node", "none")
        if vec is not None and not self.in_vectors:
            raise ArgumentError("vec", "none, for a network made with in_vectors=0", f"shape {list(vec.shape)}")
        flat = {"edge_index": edge_index, "batch": batch, "edge_shift": shift}
        if pos.ndim > 2 and (given := [name for name, part in flat.items() if part is not None]):
            raise ArgumentError(
                given[0], "none with positions [*batch, n, dim]", "some", "with edges, give the nodes of all graphs as [V, dim]"
            )
        if pos.ndim == 2 and mask is not None:
            raise ArgumentError("mask", "none with positions [V, dim]", "some")
        if edge_index is not None:
            check_edges(edge_index, len(pos), batch)
        if shift is not None and (edge_index is None or list(shift.shape) != [edge_index.shape[1], self.dim]):
            raise ArgumentError("edge_shift", f"[E, {self.dim}], a translation for each given edge", f"shape {list(shift.shape)}")
        if not may_look(pos):
            return  # what follows looks at values
        if batch is not None and batch.numel() and int(batch.min()) < 0:
            raise ArgumentError("batch", "numbers of graphs from 0 up", int(batch.min()))
        if batch is not None and batch.numel() and graphs is not None and int(batch.max()) >= graphs:
            raise ArgumentError("graphs", f"at least {int(batch.max()) + 1}, as batch has", repr(graphs))
        if ori is not None:
            none = (ori == 0).all(-1) if mask is None else (ori == 0).all(-1) & mask
            if bool(none.any()):
                raise ArgumentError("ori", "orientations that are not zero", f"{int(none.sum())} of length zero")


def _size(shape: torch.Size) -> int:
    size = 1
    for n in shape:
        size *= n
    return size
