"""`GeometricGraph`: nodes with positions, labels and vectors, joined by directed edges; and many of them as one."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from erlangen.errors import ArgumentError
from erlangen.measure.gwl.clusters import Floats, Ints, dense


@dataclass(frozen=True, eq=False)
class GeometricGraph:
    """A graph in the plane or in space.

    Args:
        pos: positions, ``[n, d]`` with ``d`` 2 or 3, any unit of length; kept in float64.
        edge_index: int64 ``[2, E]``, rows ``j`` and ``i``: ``j`` is a neighbour of ``i``. Edges have a direction (an undirected edge is
            two), may repeat and may be loops.
        labels: the kind of each node, integers ``[n]``; by default all alike.
        vectors: vectors of each node that turn with the graph but do not shift, ``[n, m, d]``.
        edge_vec: the vector of each edge, ``[E, d]``, from ``i`` to the image of ``j`` that is meant in a periodic graph; by default
            ``pos[j] - pos[i]``. Where it is given, positions are not looked at.
        periodic: the nodes are those of one cell of a pattern that repeats: tests count colours by their share, for another cell of the
            same pattern has more or fewer nodes.
        rounding: how far the vectors of edges may be wrong, in the unit of the positions; by default four units in the last place of
            the largest coordinate, in the dtype that it came in.

    Raises:
        ArgumentError: no node; shapes that do not fit; ``d`` is neither 2 nor 3; numbers that are not finite; edges to nodes that
            there are not.

    >>> path = GeometricGraph.of([[0, 0, 0], [1, 0, 0], [1, 2, 0]], [(0, 1), (1, 2)])
    >>> len(path), path.dim, path.edge_index.shape
    (3, 3, torch.Size([2, 4]))
    """

    pos: Float[Tensor, "n d"]
    edge_index: Int[Tensor, "2 E"]
    labels: Int[Tensor, " n"]
    vectors: Float[Tensor, "n m d"]
    edge_vec: Float[Tensor, "E d"]
    periodic: bool = False
    rounding: float = 0.0

    def __post_init__(self) -> None:
        pos, n = self.pos, len(self.pos)
        if pos.ndim != 2 or not n:
            raise ArgumentError("pos", "positions [n, d] of at least one node", f"shape {list(pos.shape)}")
        if self.dim not in (2, 3):
            raise ArgumentError("pos", "positions in 2 or 3 dimensions", f"{self.dim} dimensions")
        edges = self.edge_index
        if edges.ndim != 2 or edges.shape[0] != 2:
            raise ArgumentError("edge_index", "shape [2, E]", f"shape {list(edges.shape)}")
        if edges.numel() and (int(edges.min()) < 0 or int(edges.max()) >= n):
            raise ArgumentError("edge_index", f"nodes from 0 to {n - 1}", [int(edges.min()), int(edges.max())])
        for name, shape in (
            ("labels", (n,)),
            ("vectors", (n, self.vectors.shape[1] if self.vectors.ndim == 3 else "m", self.dim)),
            ("edge_vec", (edges.shape[1], self.dim)),
        ):
            if tuple(getattr(self, name).shape) != shape:
                raise ArgumentError(name, f"shape {list(shape)}", f"shape {list(getattr(self, name).shape)}")
        for name in ("pos", "vectors", "edge_vec"):
            if not bool(getattr(self, name).isfinite().all()):
                raise ArgumentError(name, "finite numbers", "NaN or infinity")

    def __len__(self) -> int:
        return len(self.pos)

    @property
    def dim(self) -> int:
        """2 or 3."""
        return self.pos.shape[-1]

    @classmethod
    def of(
        cls,
        pos: Any,
        edges: Any,
        *,
        labels: Any = None,
        vectors: Any = None,
        edge_vec: Any = None,
        directed: bool = False,
        periodic: bool = False,
    ) -> GeometricGraph:
        """A graph from lists, arrays or tensors.

        Args:
            pos: as in the class.
            edges: pairs of nodes ``[E, 2]``, or ``"complete"`` for all pairs.
            labels, vectors, edge_vec, periodic: as in the class. Edge vectors need ``directed=True``.
            directed: a pair ``(j, i)`` says only that ``j`` is a neighbour of ``i``; otherwise also the reverse.
        """
        rounding = rounding_of(pos, vectors, edge_vec)
        pos = _numbers("pos", pos)
        if pos.ndim != 2:
            raise ArgumentError("pos", "positions [n, d] of at least one node", f"shape {list(pos.shape)}")
        n = len(pos)
        if isinstance(edges, str):
            if edges != "complete":
                raise ArgumentError("edges", "pairs of nodes, or 'complete'", repr(edges))
            index = torch.ones(n, n).fill_diagonal_(0).nonzero().T
        else:
            index = torch.as_tensor(edges, dtype=torch.int64).reshape(-1, 2).T
            if not directed:
                if edge_vec is not None:
                    raise ArgumentError("edge_vec", "edge vectors of directed edges", "undirected ones", "Pass directed=True")
                index = torch.cat([index, index.flip(0)[:, index[0] != index[1]]], 1)
        return cls.from_index(pos, index, labels=labels, vectors=vectors, edge_vec=edge_vec, periodic=periodic, rounding=rounding)

    @classmethod
    def from_index(
        cls,
        pos: Any,
        edge_index: Any,
        *,
        labels: Any = None,
        vectors: Any = None,
        edge_vec: Any = None,
        periodic: bool = False,
        rounding: float | None = None,
    ) -> GeometricGraph:
        """A graph from an ``edge_index``, with what is not given filled in."""
        rounding = rounding_of(pos, vectors, edge_vec) if rounding is None else rounding
        pos, edge_index = _numbers("pos", pos), torch.as_tensor(edge_index).long().cpu()
        if pos.ndim != 2:
            raise ArgumentError("pos", "positions [n, d] of at least one node", f"shape {list(pos.shape)}")
        n = len(pos)
        if edge_vec is None:
            known = edge_index.ndim == 2 and len(edge_index) == 2
            known = known and (not edge_index.numel() or (int(edge_index.min()) >= 0 and int(edge_index.max()) < n))
            # Edges that are out of range are refused by the class, which says so.
            edge_vec = pos[edge_index[0]] - pos[edge_index[1]] if known else pos.new_zeros(0, pos.shape[-1])
        labels = torch.zeros(n, dtype=torch.int64) if labels is None else torch.as_tensor(labels).cpu()
        if labels.is_floating_point() or labels.is_complex():
            raise ArgumentError("labels", "integers", str(labels.dtype))
        vectors = pos.new_zeros(n, 0, pos.shape[-1]) if vectors is None else _numbers("vectors", vectors)
        if vectors.ndim == 2:
            vectors = vectors.unsqueeze(1)
        return cls(pos, edge_index, labels.long(), vectors, _numbers("edge_vec", edge_vec), periodic, rounding)

    def moved(self, matrix: Tensor | None = None, shift: Tensor | None = None, order: Tensor | None = None) -> GeometricGraph:
        """The same graph turned by a matrix, shifted, and with its nodes in another order (``new[k] = old[order[k]]``)."""
        turn = torch.eye(self.dim, dtype=torch.float64) if matrix is None else matrix.double()
        order = torch.arange(len(self)) if order is None else order
        pos = self.pos @ turn.T + (0.0 if shift is None else shift.double())
        place = torch.empty_like(order)
        place[order] = torch.arange(len(order))
        return dataclasses.replace(
            self,
            pos=pos[order],
            edge_index=place[self.edge_index],
            labels=self.labels[order],
            vectors=(self.vectors @ turn.T)[order],
            edge_vec=self.edge_vec @ turn.T,
        )  # in float64: nothing is rounded anew


def rounding_of(pos: Any, vectors: Any = None, edge_vec: Any = None) -> float:
    """By how much the vectors of edges may be wrong: four units in the last place of what they are made of.

    >>> rounding_of(torch.tensor([[1000.0, 0.0, 0.0]])) > 1e-4 > rounding_of([[1000.0, 0.0, 0.0]])
    True
    """
    parts = [vectors, pos if edge_vec is None else edge_vec]
    worst = 0.0
    for part in parts:
        if part is None:
            continue
        kind = getattr(part, "dtype", None)
        if not isinstance(part, Tensor):
            try:
                part = torch.as_tensor(np.asarray(part, dtype=None if kind is not None else np.float64))
            except (TypeError, ValueError, RuntimeError):
                continue  # the class says what is wrong with it
        if part.is_floating_point() and part.numel():
            size = float(part.detach().abs().nan_to_num(0.0, 0.0, 0.0).max())
            worst = max(worst, 4 * torch.finfo(part.dtype).eps * size)
    return worst


def _numbers(name: str, value: Any) -> Tensor:
    try:
        # Python's numbers are float64, and torch would round them to its default.
        return value.detach().cpu().double() if isinstance(value, Tensor) else torch.from_numpy(np.array(value, dtype=np.float64))
    except (TypeError, ValueError, RuntimeError) as problem:
        raise ArgumentError(name, "real numbers in a rectangular array", type(value).__name__) from problem


@dataclass(frozen=True)
class Batch:
    """Several graphs as one, in arrays: what the tests compute on. Plane graphs stand in the plane ``z = 0``.

    Attributes:
        dim: 2 or 3.
        label: kinds as 0, 1, 2, ..., ``[N]``.
        vectors: ``[N, m, 3]``.
        node, neighbour: of each edge, ordered by node, ``[E]``.
        edge_vec: ``[E, 3]``.
        degree, first: number of edges of each node, and where they start.
        graph: of each node.
        scale: the median length of edges that have one; 1 where there is none.
        rounding: how far vectors may be wrong.
        periodic: whether these are cells of patterns that repeat.
    """

    dim: int
    label: Ints
    vectors: Floats
    node: Ints
    neighbour: Ints
    edge_vec: Floats
    degree: Ints
    first: Ints
    graph: Ints
    scale: float
    rounding: float = 0.0
    periodic: bool = False

    @classmethod
    def of(cls, graphs: Sequence[GeometricGraph], bare: bool = False) -> Batch:
        """Join graphs; ``bare`` leaves all vectors out.

        Raises:
            ArgumentError: no graph, or graphs of different dimensions or numbers of vectors.
        """
        if not graphs:
            raise ArgumentError("graphs", "at least one graph", "none")
        dims, channels = sorted({g.dim for g in graphs}), sorted({g.vectors.shape[1] for g in graphs})
        if len(dims) > 1 and not bare:
            raise ArgumentError("graphs", "graphs of one dimension", f"dimensions {dims}")
        if len(channels) > 1 and not bare:
            raise ArgumentError("graphs", "graphs with the same number of vectors at each node", f"{channels} vectors")
        sizes = np.array([len(g) for g in graphs])
        shift = np.cumsum(sizes) - sizes
        edges = np.concatenate([g.edge_index.numpy() + s for g, s in zip(graphs, shift)], 1)
        order = np.argsort(edges[1], kind="stable")
        total, dim = int(sizes.sum()), dims[0]
        edge_vec, vectors = np.zeros((edges.shape[1], 3)), np.zeros((total, 0 if bare else channels[0], 3))
        if not bare:
            edge_vec[:, :dim] = np.concatenate([g.edge_vec.numpy() for g in graphs])[order]
            vectors[..., :dim] = np.concatenate([g.vectors.numpy() for g in graphs])
        degree = np.bincount(edges[1], minlength=total).astype(np.int64)
        length = np.linalg.norm(edge_vec, axis=-1)
        length = length[length > 0]
        return cls(
            dim,
            dense(np.concatenate([g.labels.numpy() for g in graphs])),
            vectors,
            edges[1][order],
            edges[0][order],
            edge_vec,
            degree,
            np.cumsum(degree) - degree,
            np.repeat(np.arange(len(graphs)), sizes),
            float(np.median(length)) if len(length) else 1.0,
            max(g.rounding for g in graphs),
            all(g.periodic for g in graphs),
        )

    def edges_of(self, nodes: Ints) -> tuple[Ints, Ints]:
        """The edges of some nodes: for each the place in ``nodes``, and the edge."""
        return expand(self.first[nodes], self.degree[nodes])


def expand(first: Ints, size: Ints) -> tuple[Ints, Ints]:
    """Ranges as one list: for each member the range it is of, and the member.

    >>> [a.tolist() for a in expand(np.array([5, 0]), np.array([2, 1]))]
    [[0, 0, 1], [5, 6, 0]]
    """
    which = np.repeat(np.arange(len(size)), size)
    inner = np.arange(int(size.sum())) - np.repeat(np.cumsum(size) - size, size)
    return which, np.repeat(first, size) + inner
