"""Data that a frame is tried on when nobody gives an example: generic ones, and the special ones that people have."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from erlangen.actions.base import Action
from erlangen.actions.images import Images
from erlangen.actions.ragged import Edges, PerDatum, PerEdge, PerNode, Segment, bare
from erlangen.actions.records import Record
from erlangen.groups.affine import AffineGroup
from erlangen.reps.affine import Point
from erlangen.symmetrize.cloud import cloud_refusal
from erlangen.symmetrize.frames import Frame
from erlangen.symmetrize.lattice import Lattice
from erlangen.symmetrize.outline import is_cloud

#: So many data, of so many points each.
DATA, POINTS = 4, 7
#: How far from the origin points lie in single precision, in their own spread.
OFFSET = 10.0


def made_up(frame: Frame, inp: Action, dtype: torch.dtype, points: int = POINTS) -> Any:
    """Generic data for an action; in single precision, points of space lie away from the origin.

    Where the frame refuses those with several points for each datum (images, graphs), they have one.

    Raises:
        ArgumentError, RuntimeError, IndexError: the frame takes nothing of what could be made up.

    >>> from erlangen.groups import E
    >>> from erlangen.symmetrize import Principal
    >>> made_up(Principal(), E(3).point, torch.float32).shape
    torch.Size([4, 7, 3])
    """
    refused: Exception | None = None
    for spectators in ((points,), ()):
        for channels in (2, 1, 3) if any(isinstance(leaf, Images) for leaf in _leaves(inp)) else (None,):
            data = _Maker(frame, inp, dtype, spectators, channels).data()
            try:
                with torch.no_grad():
                    frame(inp, data)
            except (ValueError, RuntimeError, IndexError) as error:
                refused = refused or error
            else:
                return data
    assert refused is not None
    raise refused


def special(frame: Frame, inp: Action) -> Iterator[tuple[str, Any]]:
    """Data with a symmetry of their own or few points, in single precision: planar, collinear, one point, two.

    None for actions without points of space, nor for frames that were told to ignore degenerate data.
    """
    ignoring = any(getattr(module, "degenerate", None) == "ignore" for module in frame.modules())
    if ignoring or cloud_refusal(inp) or (isinstance(inp.group, AffineGroup) and not inp.group.linear_group.dim):
        return
    dimension = next(leaf.data_shape[-1] for leaf in _leaves(inp) if leaf is not None and is_cloud(inp, leaf))
    if dimension is None or dimension < 2 or not getattr(inp.group, "linear_group", inp.group).is_compact:
        return
    kinds = [("two bodies", 2, dimension), ("single points", 1, dimension), ("collinear points", 4, 1)]
    if dimension > 2:
        kinds.append(("planar points", 5, 2))
    for what, points, directions in kinds:
        yield what, _Maker(frame, inp, torch.float32, (points,), None, directions).data()


class _Maker:
    """One batch of data: the parts of a record, by what each of them is."""

    def __init__(
        self,
        frame: Frame,
        inp: Action,
        dtype: torch.dtype,
        spectators: tuple[int, ...],
        channels: int | None,
        directions: int | None = None,
    ) -> None:
        self.inp, self.dtype, self.spectators, self.channels, self.directions = inp, dtype, spectators, channels, directions
        self.rng = torch.Generator().manual_seed(0)
        modules = [module for module in frame.modules() if isinstance(module, Frame)]
        self.weights = {name for module in modules if isinstance(name := getattr(module, "weights", None), str)}
        self.cells = {module.of for module in modules if isinstance(module, Lattice)}
        self.ragged = any(isinstance(leaf, Segment) for leaf in _leaves(inp))
        counts = [points + (i % 2 if directions is None else 0) for i in range(DATA) for points in spectators or (1,)]
        self.segment = torch.arange(DATA).repeat_interleave(torch.tensor(counts))

    def data(self) -> Any:
        if not isinstance(self.inp, Record):
            return self._part(None, self.inp)
        names = sorted(self.inp.parts) if isinstance(self.inp.parts, dict) and len(self.inp.parts) == len(self.inp.leaves) else None
        return self.inp.unflatten([self._part(names[i] if names else None, leaf) for i, leaf in enumerate(self.inp.leaves)])

    def _part(self, name: str | None, action: Action | None) -> Any:
        lead = (len(self.segment),) if self.ragged else (DATA, *self.spectators)
        if name is not None and name in self.weights:
            return torch.ones(lead, dtype=self.dtype)
        if action is None:
            return None
        if name is not None and name in self.cells:
            return 4 * torch.eye(3, dtype=self.dtype) + self._normal(DATA, 3, 3)
        if isinstance(action, Segment):
            return self.segment
        if isinstance(action, Edges):
            ends = torch.arange(len(self.segment))
            return torch.stack([ends, ends])
        if isinstance(action, PerEdge):
            return self._normal(len(self.segment))
        if isinstance(action, PerDatum) and not isinstance(action, PerNode):
            lead = (DATA,)
        inner = bare(action)
        if inner is None:
            return self._normal(*lead)
        if isinstance(inner, Images):
            shape = [side or 6 for side in inner.data_shape]
            return self._normal(DATA, *(shape if inner.value is not None else [self.channels or 2, *shape[1:]]))
        x = inner.example(*lead, generator=self.rng, dtype=self.dtype)
        if not (isinstance(x, Tensor) and x.is_floating_point() and is_cloud(self.inp, inner)):
            return x
        if self.directions is not None:
            x = torch.cat([x[..., : self.directions], torch.zeros_like(x[..., self.directions :])], -1)
        return x + OFFSET * torch.linspace(0.5, 1, x.shape[-1], dtype=x.dtype) if self._is_far(inner) else x

    def _is_far(self, action: Action) -> bool:
        return isinstance(action, Point) and isinstance(self.inp.group, AffineGroup) and self.dtype == torch.float32

    def _normal(self, *shape: int) -> Tensor:
        return torch.randn(shape, generator=self.rng, dtype=self.dtype)


def _leaves(inp: Action) -> list[Any]:
    return inp.leaves if isinstance(inp, Record) else [inp]
