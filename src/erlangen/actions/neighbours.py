"""Neighbour lists of ragged batches of points, with periodic images: sorted bins, no loop over atoms, cells or structures."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from erlangen.errors import ArgumentError

#: Coordinates are taken to be right to so many units of their last place: what making, turning and shifting a structure leaves of them.
ROUNDINGS = 8
#: Rounding that may blur the cutoff by more than this share of it is refused.
BLUR = 0.05


def neighbours(
    pos: Float[Tensor, "N 3"],
    cutoff: float,
    *,
    batch: Int[Tensor, " N"] | None = None,
    cell: Float[Tensor, "B 3 3"] | None = None,
    pbc: Bool[Tensor, "B 3"] | None = None,
    max_neighbours: int | None = None,
) -> tuple[Int[Tensor, "2 E"], Int[Tensor, "E 3"]]:
    """All directed edges (j -> i) shorter than ``cutoff``, within each structure and to periodic images.

    The time grows with the number of edges, not with the square of the number of atoms: images of the atoms within reach are sorted into
    cubes as wide as the cutoff, and each atom looks at the 27 cubes around it. The same edges as ASE's ``neighbor_list("ijS")``, but
    for lengths that rounding cannot tell from the cutoff.

    **Exactly at the cutoff there is no edge**: what a potential with a cutoff gives there is zero. A length is at the cutoff when it is
    above it less the rounding of the two positions (eight units in the last place of the dtype they come in, at their distances from
    the origin), so that whole shells are in or out, the same in every orientation. Likewise atoms in one place to rounding have no edge.

    Args:
        pos: positions, any unit of length. Their dtype says how exact they are.
        cutoff: in the same unit.
        batch: the structure of each atom, from 0 up; by default all are one.
        cell: lattice vectors as rows; without it nothing is periodic.
        pbc: along which lattice vectors structures repeat; by default along those that are not zero.
        max_neighbours: keep the nearest so many of each atom, and those that are as near as the last of them (to rounding, and to 1e-6,
            relative): cutting through a shell of equal distances would depend on the orientation.

    Returns:
        ``edge_index``, rows ``j`` (source) and ``i`` (target), ordered by ``i``, and the integer images ``S``: the edge's vector is
        ``pos[j] + S @ cell - pos[i]``. Edges of length zero are left out.

    Raises:
        ArgumentError: coordinates that are not finite, or so far from the origin (or in so coarse a dtype) that their rounding is more than
            a twentieth of the cutoff; a singular cell, or sizes that do not fit.

    >>> edges, images = neighbours(torch.zeros(1, 3), 1.1, cell=torch.eye(3)[None])
    >>> edges.shape, sorted(images.tolist())[0]
    (torch.Size([2, 6]), [-1, 0, 0])
    >>> neighbours(torch.zeros(1, 3), 1.0, cell=torch.eye(3)[None])[0].shape      # exactly at the cutoff
    torch.Size([2, 0])
    """
    _check(pos, cutoff, max_neighbours)
    points = pos.detach().double()
    batch = torch.zeros(len(pos), dtype=torch.int64, device=pos.device) if batch is None else batch
    if not len(pos):
        return batch.new_zeros(2, 0), batch.new_zeros(0, 3)
    size = int(batch.max()) + 1
    lattice, periodic = complete_cells(cell, pbc, size, points)
    # Slack on what lies within reach; the distances decide in the end.
    reach = cutoff * (1 + 1e-9)
    fractional = (points.unsqueeze(1) @ torch.linalg.inv(lattice)[batch]).squeeze(1)
    wraps = (fractional.floor() * periodic[batch]).long()
    owner, image = _images(fractional - wraps, batch, lattice, periodic, reach)
    places = points[owner] + ((image - wraps[owner]).double().unsqueeze(1) @ lattice[batch[owner]]).squeeze(1)
    homes = points - (wraps.double().unsqueeze(1) @ lattice[batch]).squeeze(1)
    target, candidate = _within_bins(homes, batch, places, batch[owner], reach)
    distance = (places[candidate] - homes[target]).norm(dim=-1)
    source = owner[candidate]
    # How far rounding may have moved the two ends from one another; norms do not depend on the orientation.
    images = image[candidate] - wraps[source] + wraps[target]
    far, across = points.norm(dim=-1), (images.abs() * lattice.norm(dim=-1)[batch[target]]).sum(-1)
    margin = _unit(pos, cell) * (far[target] + far[source] + across + cutoff)
    if len(margin) and float(margin.max()) > BLUR * cutoff:
        raise ArgumentError(
            "pos",
            f"positions whose rounding is below {BLUR * cutoff:.3g}, a twentieth of the cutoff",
            f"rounding up to {float(margin.max()):.3g} in {str(pos.dtype).removeprefix('torch.')}",
            "Move the structures to the origin before they are rounded, or give float64",
        )
    near = (distance < cutoff - margin) & (distance > margin)
    target, source, images, distance, margin = target[near], source[near], images[near], distance[near], margin[near]
    order = _order(target, source, images)
    target, source, images = target[order], source[order], images[order]
    if max_neighbours is not None:
        kept = _nearest(target, distance[order], margin[order], max_neighbours, len(pos))
        target, source, images = target[kept], source[kept], images[kept]
    return torch.stack([source, target]), images


def complete_cells(
    cell: Tensor | None, pbc: Tensor | None, size: int, like: Tensor
) -> tuple[Float[Tensor, "B 3 3"], Bool[Tensor, "B 3"]]:
    """Invertible cells in float64, and along which rows they repeat: rows that do not are replaced by unit vectors across the others.

    Raises:
        ArgumentError: the rows that repeat are linearly dependent, or shapes do not fit.
    """
    if cell is None:
        eye = torch.eye(3, dtype=torch.float64, device=like.device)
        return eye.expand(size, 3, 3), torch.zeros(size, 3, dtype=torch.bool, device=like.device)
    if tuple(cell.shape) != (size, 3, 3):
        raise ArgumentError("cell", f"lattice vectors [{size}, 3, 3]", f"shape {tuple(cell.shape)}")
    if not bool(cell.isfinite().all()):
        raise ArgumentError("cell", "finite lattice vectors", "NaN or infinity")
    rows = cell.detach().double()
    periodic = (rows != 0).any(-1) if pbc is None else pbc.to(torch.bool)
    if tuple(periodic.shape) != (size, 3):
        raise ArgumentError("pbc", f"booleans [{size}, 3]", f"shape {tuple(periodic.shape)}")
    rows = torch.where(periodic.unsqueeze(-1), rows, 0.0)
    # An orthonormal basis of what the periodic rows do not span: the null space, from a full SVD.
    _, values, axes = torch.linalg.svd(rows)
    count = periodic.sum(-1)
    rank = (values > rank_tolerance(cell.dtype) * values[:, :1].clamp_min(1e-300)).sum(-1)
    if bool((rank != count).any()):
        bad = int((rank != count).nonzero()[0])
        raise ArgumentError("cell", "linearly independent lattice vectors where pbc is true", f"a singular cell in structure {bad}")
    slot = (~periodic).long().cumsum(-1) - 1 + count.unsqueeze(-1)
    fill = axes.gather(1, slot.clamp(0, 2).unsqueeze(-1).expand(-1, -1, 3))
    return torch.where(periodic.unsqueeze(-1), rows, fill), periodic


def rank_tolerance(dtype: torch.dtype) -> float:
    """Lattice vectors are dependent when what is left across the others is below this, relative: turned ones carry their rounding."""
    return max(1e-9, ROUNDINGS * torch.finfo(dtype).eps) if dtype.is_floating_point else 1e-9


def _check(pos: Tensor, cutoff: float, max_neighbours: int | None) -> None:
    if pos.ndim != 2 or pos.shape[-1] != 3:
        raise ArgumentError("pos", "positions [N, 3]", f"shape {tuple(pos.shape)}")
    if not bool(pos.isfinite().all()):
        raise ArgumentError("pos", "finite positions", "NaN or infinity")
    if not cutoff > 0:
        raise ArgumentError("cutoff", "a positive length", repr(cutoff))
    if max_neighbours is not None and max_neighbours < 1:
        raise ArgumentError("max_neighbours", "at least 1, or None", repr(max_neighbours))


def _expand(counts: Int[Tensor, " n"]) -> tuple[Tensor, Tensor]:
    """For ``counts[i]`` items of each ``i``: the ``i`` of every item, and its number among those of its own."""
    which = torch.repeat_interleave(torch.arange(len(counts), device=counts.device), counts)
    return which, torch.arange(len(which), device=counts.device) - (counts.cumsum(0) - counts)[which]


def _images(fractional: Tensor, batch: Tensor, lattice: Tensor, periodic: Tensor, reach: float) -> tuple[Tensor, Tensor]:
    """The periodic images (of which atom, which image) that lie in the cell or within reach of its walls."""
    # Column k of the inverse is perpendicular to the walls that row k crosses; its length is one over their distance.
    margin = reach * torch.linalg.inv(lattice).norm(dim=1)
    most = (margin.ceil() * periodic).long()
    span = 2 * most + 1
    owner, number = _expand(span.prod(-1)[batch])
    mine = span[batch[owner]]
    image = torch.stack([number % mine[:, 0], number // mine[:, 0] % mine[:, 1], number // (mine[:, 0] * mine[:, 1])], -1)
    image = image - most[batch[owner]]
    place, wide = fractional[owner] + image, margin[batch[owner]]
    inside = ((place >= -wide) & (place <= 1 + wide) | ~periodic[batch[owner]]).all(-1)
    return owner[inside], image[inside]


def _within_bins(homes: Tensor, batch: Tensor, places: Tensor, group: Tensor, reach: float) -> tuple[Tensor, Tensor]:
    """Pairs (home, place) of one structure in the same cube of width ``reach`` or in adjoining ones."""
    # The corner of each structure; one empty cube around keeps rows apart.
    low = places.new_full((int(group.max()) + 1, 3), torch.inf)
    low = low.scatter_reduce(0, group.unsqueeze(-1).expand_as(places), places, "amin")
    bins = ((places - low[group]) / reach).long() + 1
    home_bins = ((homes - low[batch]) / reach).long() + 1
    extent = torch.maximum(bins.amax(0), home_bins.amax(0)) + 2
    if float(len(low)) * float(extent[0]) * float(extent[1]) * float(extent[2]) > 2.0**62:
        raise ArgumentError(
            "pos", f"positions closer together than 2^62 cubes of width {reach:.3g}", "atoms that are astronomically far"
        )

    def key(number: Tensor, where: Tensor) -> Tensor:
        return ((number * extent[0] + where[:, 0]) * extent[1] + where[:, 1]) * extent[2] + where[:, 2]

    keys, order = key(group, bins).sort()
    steps = torch.cartesian_prod(*[torch.arange(-1, 2, device=homes.device)] * 2)
    columns = home_bins.unsqueeze(1) + torch.nn.functional.pad(steps, (0, 1))
    middle = key(batch.repeat_interleave(9), columns.flatten(0, 1))
    # Three cubes along the last axis are neighbours in the order, too.
    first = torch.searchsorted(keys, middle - 1)
    which, number = _expand(torch.searchsorted(keys, middle + 1, right=True) - first)
    return which // 9, order[first[which] + number]


def _order(target: Tensor, source: Tensor, images: Tensor) -> Tensor:
    """By target, then source, then image, so that the order of edges does not depend on how they were found."""
    columns = [*images.T.flip(0), source, target]
    order = torch.arange(len(target), device=target.device)
    for column in columns:
        order = order[column[order].argsort(stable=True)]
    return order


def _unit(pos: Tensor, cell: Tensor | None) -> float:
    """By how much of its size a coordinate may be wrong: as the coarser of positions and cell is."""
    kinds = [t.dtype for t in (pos, cell) if t is not None and t.is_floating_point()]
    return ROUNDINGS * max(torch.finfo(kind).eps for kind in (torch.float64, *kinds))


def _nearest(target: Tensor, distance: Tensor, margin: Tensor, most: int, count: int) -> Tensor:
    """Which edges are among the ``most`` shortest of their target, ties with the last included."""
    by_distance = distance.argsort(stable=True)
    by_distance = by_distance[target[by_distance].argsort(stable=True)]
    degree = torch.bincount(target, minlength=count)
    start = degree.cumsum(0) - degree
    full = degree >= most
    last = torch.full((count,), torch.inf, dtype=distance.dtype, device=distance.device)
    final = by_distance[(start + most - 1)[full]]
    last[full] = distance[final] * (1 + 1e-6) + margin[final]
    return distance - margin <= last[target]
