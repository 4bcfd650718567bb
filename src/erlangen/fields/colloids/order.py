"""How particles are arranged: neighbours, bond-orientational order, pair distribution, structure factor, clusters."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Complex, Float, Int
from torch import Tensor

from erlangen.actions.periodic import into_cell
from erlangen.errors import ArgumentError
from erlangen.fields.colloids.boxes import Box, Periodic, reduced
from erlangen.fields.colloids.neighbours import near_pairs

#: Distances that differ by less than this share are one distance, in float64 and in float32.
TIE = (1e-9, 1e-5)


@dataclass(frozen=True, eq=False)
class Bonds:
    """Who is whose neighbour.

    Attributes:
        i, j: particle and neighbour, each bond from both ends where both see it.
        vectors: from ``i`` to ``j``, ``[bonds, dim]``.
        weights: 1, or less where neighbours share a place.
        n: particles.
    """

    i: Int[Tensor, " bonds"]
    j: Int[Tensor, " bonds"]
    vectors: Float[Tensor, "bonds dim"]
    weights: Float[Tensor, " bonds"]
    n: int

    @property
    def counts(self) -> Float[Tensor, " n"]:
        """The neighbours of each, by weight."""
        return torch.zeros(self.n, dtype=self.weights.dtype).index_add(0, self.i, self.weights)


class Neighbours(ABC):
    """A rule that says who is a neighbour."""

    @abstractmethod
    def bonds(self, positions: Float[Tensor, "n dim"], box: Box) -> Bonds:
        """The bonds of one configuration."""


@dataclass(frozen=True)
class Cutoff(Neighbours):
    """All nearer than ``r``.

    A cutoff on a shell of a perfect lattice would let rounding decide. Particles within 1e-9 of it, relative, are refused (1e-5 where
    positions are float32).

    Raises:
        ArgumentError: the cutoff is not positive, too large for the box, or lies on a shell.
    """

    r: float

    def bonds(self, positions: Tensor, box: Box) -> Bonds:
        if not (math.isfinite(self.r) and self.r > 0):
            raise ArgumentError("r", "a positive length", repr(self.r))
        tie = TIE[positions.dtype == torch.float32]
        i, j, d = _within(positions, box, self.r * (1 + 2 * tie))
        rho = d.norm(dim=-1)
        if bool(((rho / self.r - 1).abs() < tie).any()):
            raise ArgumentError("r", "a cutoff between two shells of distances", repr(self.r), "particles lie exactly on it")
        inside = rho < self.r
        return Bonds(i[inside], j[inside], d[inside], torch.ones_like(rho[inside]), len(positions))


@dataclass(frozen=True)
class Nearest(Neighbours):
    """The ``k`` nearest. Several at the distance of the last share the places that are left, by weight.

    Six neighbours of a perfect square lattice are four and, of the next four, a half each: all symmetries of the lattice
    keep that, where libraries that break ties by rounding change from case to case.
    """

    k: int

    def bonds(self, positions: Tensor, box: Box) -> Bonds:
        n = len(positions)
        if isinstance(self.k, bool) or not isinstance(self.k, int) or not 1 <= self.k < n:
            raise ArgumentError("k", f"1 to {n - 1} neighbours", repr(self.k))
        tie = TIE[positions.dtype == torch.float32]
        i, j, d, rho = _enough(positions, box, self.k, tie)
        order = rho.argsort(stable=True)
        order = order[i[order].argsort(stable=True)]
        i, j, d, rho = i[order], j[order], d[order], rho[order]
        start = torch.searchsorted(i, torch.arange(n))
        last = rho[start + self.k - 1][i]
        nearer, tied = rho < last * (1 - tie), (rho - last).abs() <= tie * last
        none = torch.zeros(n, dtype=torch.float64)
        room, share = self.k - none.index_add(0, i, nearer.double()), none.index_add(0, i, tied.double())
        weight = torch.where(nearer, 1.0, (room / share)[i] * tied)
        kept = weight > 0
        return Bonds(i[kept], j[kept], d[kept], weight[kept], n)


@dataclass(frozen=True)
class Voronoi(Neighbours):
    """Those whose Voronoi cells share an edge, weighted by its share of the cell's outline times the number of edges where ``weighted``.

    Edges shorter than 1e-6 of the outline are touching corners and no edges: on a perfect square lattice there are four neighbours.
    In two dimensions; cells that are not closed (open boxes) are left with the neighbours they have, and their endless edges weigh as the
    outline's longest.

    Source of the weights: W. Mickel et al. (2013), arXiv:1209.6180.
    """

    weighted: bool = False

    def bonds(self, positions: Tensor, box: Box) -> Bonds:
        from scipy.spatial import Voronoi as Diagram

        if positions.shape[1] != 2:
            raise ArgumentError("positions", "two dimensions", f"{positions.shape[1]}")
        n = len(positions)
        points = positions.detach().double()
        owner = torch.arange(n)
        if isinstance(box, Periodic):
            # Half of a vector to a Voronoi neighbour lies in the Voronoi cell of the lattice, which reaches up to 2/3 in a reduced basis.
            cell = reduced(box.cell())
            shifts = torch.cartesian_prod(torch.arange(-2, 3), torch.arange(-2, 3)).double()
            shifts = shifts[shifts.abs().sum(1).argsort(stable=True)]
            part = (into_cell(points @ torch.linalg.inv(cell)) + shifts.unsqueeze(1)).reshape(-1, 2)
            near = ((part > -1.34) & (part < 2.34)).all(1)
            points, owner = part[near] @ cell, owner.repeat(len(shifts))[near]
        elif n < 4:
            raise ArgumentError("positions", "at least four particles", f"{n}")
        diagram = Diagram(points.numpy())
        ends = np.array([[*pair] for pair in diagram.ridge_points])
        lengths = np.array(
            [np.inf if -1 in ridge else np.linalg.norm(np.subtract(*diagram.vertices[ridge])) for ridge in diagram.ridge_vertices]
        )
        pairs = torch.from_numpy(np.concatenate([ends, ends[:, ::-1]])).long()
        size = torch.from_numpy(np.concatenate([lengths, lengths]))
        mine = pairs[:, 0] < n
        pairs, size = pairs[mine], size[mine]
        closed = size.isfinite()
        longest = float(size[closed].max()) if bool(closed.any()) else 1.0
        size = torch.where(closed, size, longest)
        i = pairs[:, 0]
        outline = torch.zeros(n, dtype=torch.float64).index_add(0, i, size)
        edge = size > 1e-6 * outline[i]
        i, size, far = i[edge], size[edge], pairs[edge, 1]
        number = torch.zeros(n, dtype=torch.float64).index_add(0, i, torch.ones_like(size))
        weights = size / outline[i] * number[i] if self.weighted else torch.ones_like(size)
        return Bonds(i, owner[far], points[far] - points[i], weights, n)


def bond_order(positions: Float[Tensor, "n two"], order: int, box: Box, neighbours: Neighbours | Bonds) -> Complex[Tensor, " n"]:
    """``psi_n(i) = sum_j w_ij exp(i n theta_ij) / sum_j w_ij``; 0 of particles without neighbours.

    Args:
        positions: of one configuration in two dimensions.
        order: ``n``.
        neighbours: a rule, or bonds that it made.

    >>> lattice = torch.cartesian_prod(torch.arange(4.0), torch.arange(4.0))
    >>> psi = bond_order(lattice.double(), 4, Periodic(4.0), Nearest(4))
    >>> bool((psi.abs() - 1).abs().max() < 1e-12)
    True
    """
    if isinstance(order, bool) or not isinstance(order, int) or order < 1:
        raise ArgumentError("order", "a whole number, at least 1", repr(order))
    bonds = neighbours if isinstance(neighbours, Bonds) else neighbours.bonds(positions, box)
    if bonds.vectors.shape[-1] != 2:
        raise ArgumentError("positions", "two dimensions", f"{bonds.vectors.shape[-1]}")
    angle = order * torch.atan2(bonds.vectors[:, 1], bonds.vectors[:, 0])
    parts = [
        torch.zeros(bonds.n, dtype=angle.dtype).index_add(0, bonds.i, bonds.weights.to(angle) * wave)
        for wave in (angle.cos(), angle.sin())
    ]
    return torch.complex(*parts) / bonds.counts.to(angle).clamp_min(1e-12)


def mean_order(positions: Float[Tensor, "n two"], order: int, box: Box, neighbours: Neighbours, least: int = 2) -> float:
    """The mean of ``|psi_n|`` over particles with at least ``least`` neighbours; NaN where there is none.

    A particle with a single neighbour has ``|psi_n| = 1``, whatever stands around.
    """
    bonds = neighbours.bonds(positions, box)
    inside = bonds.counts >= least - 1e-9
    return float(bond_order(positions, order, box, bonds)[inside].abs().mean())


def pair_distribution(
    positions: Float[Tensor, "frames n dim"], box: Periodic, most: float, bins: int = 100
) -> tuple[Tensor, Tensor]:
    """``g(r)`` in a periodic box: distances (middles of bins) and values.

    Args:
        positions: of one or several configurations.
        most: the largest distance, up to half the box.

    Raises:
        ArgumentError: no periodic box, or one that is too small.
    """
    frames = positions if positions.ndim == 3 else positions.unsqueeze(0)
    if not isinstance(box, Periodic) or not 0 < most <= box.reach * (1 + 1e-12):
        raise ArgumentError("most", "a distance up to half of a periodic box", repr(most))
    n, dim = frames.shape[1:]
    if n < 2:
        raise ArgumentError("positions", "at least two particles", f"{n}")
    counts = torch.zeros(bins, dtype=torch.float64)
    for frame in frames:
        _, _, d = _within(frame, box, most * (1 - 1e-12))
        counts += torch.histc(d.norm(dim=-1), bins, 0.0, most)
    edges = torch.linspace(0, most, bins + 1, dtype=torch.float64)
    ball = math.pi ** (dim / 2) / math.gamma(dim / 2 + 1)
    shell = ball * (edges[1:] ** dim - edges[:-1] ** dim)
    return (edges[1:] + edges[:-1]) / 2, counts / (len(frames) * n * (n - 1) / box.volume * shell)


def structure_factor(positions: Float[Tensor, "frames n dim"], box: Periodic, most: int) -> tuple[Tensor, Tensor]:
    """``S(k) = |sum_j exp(i k r_j)|^2 / n`` at the box's wave vectors with indices up to ``most``, without 0: ``k [m, dim]`` and values."""
    frames = positions if positions.ndim == 3 else positions.unsqueeze(0)
    dim = frames.shape[-1]
    index = torch.cartesian_prod(*[torch.arange(-most, most + 1)] * dim).view(-1, dim)
    index = index[(index != 0).any(1)].double()
    k = 2 * math.pi * index @ torch.linalg.inv(box.cell()).T
    phase = frames.double() @ k.T
    return k, (phase.cos().sum(1).square() + phase.sin().sum(1).square()).mean(0) / frames.shape[1]


def clusters(bonds: Bonds) -> Int[Tensor, " n"]:
    """The number of each particle's cluster, connected by bonds; 0 is the largest."""
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    graph = coo_matrix((np.ones(len(bonds.i)), (bonds.i.numpy(), bonds.j.numpy())), shape=(bonds.n, bonds.n))
    _, label = connected_components(graph, directed=False)
    rank = np.argsort(np.argsort(-np.bincount(label), kind="stable"), kind="stable")
    return torch.from_numpy(rank[label]).long()


def _within(positions: Tensor, box: Box, r: float) -> tuple[Tensor, Tensor, Tensor]:
    """All pairs nearer than ``r``, in both orders, with vectors from ``i`` to ``j``."""
    if positions.ndim != 2 or not bool(positions.isfinite().all()):
        raise ArgumentError("positions", "finite positions [n, dim]", f"shape {tuple(positions.shape)}")
    if r > box.reach * (1 + 1e-6):
        raise ArgumentError(
            "box", f"heights of at least {2 * r:.6g}", f"{2 * box.reach:.6g}", "a pair would see two images of each other"
        )
    x = positions.detach().double().T.contiguous()
    i, j = near_pairs(x, x, r, 1, len(positions), box)
    d = box.nearest(x[:, j] - x[:, i])
    inside = d.square().sum(0) < r * r
    return i[inside], j[inside], d.T[inside]


def _enough(positions: Tensor, box: Box, k: int, tie: float) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Pairs within a radius in which every particle has at least ``k``, ties included."""
    n, dim = positions.shape
    x = positions.detach().double()
    if isinstance(box, Periodic):
        r, most = (box.volume * (k + 3) / n) ** (1 / dim), box.reach
    else:
        most = float((x.amax(0) - x.amin(0)).norm()) * 1.01 + 1e-9
        r = most * ((k + 3) / n) ** (1 / dim)
    while True:
        r = min(r, most)
        i, j, d = _within(x, box, r)
        if int(torch.bincount(i, minlength=n).min() if len(i) else 0) >= k:
            # Whoever is as far as the last one must be among them.
            rho = d.norm(dim=-1)
            last = _kth(i, rho, k, n)
            if float(last) * (1 + 2 * tie) <= r:
                return i, j, d, rho
        if r >= most:
            raise ArgumentError("k", "so few neighbours that they lie within half of the box", repr(k))
        r *= 1.3


def _kth(i: Tensor, rho: Tensor, k: int, n: int) -> Tensor:
    order = rho.argsort(stable=True)
    order = order[i[order].argsort(stable=True)]
    return rho[order][torch.searchsorted(i[order], torch.arange(n)) + k - 1].max()
