"""Five bodies and their moment of inertia, with an axis that breaks its symmetry by a chosen part."""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from erlangen.discover.soft import Layout, TensorType
from erlangen.groups import AxialO, Group, O

BODIES = 5
#: The candidates: everything, and what keeps one axis.
CANDIDATES: dict[str, Group] = {"O3": O(3), **{f"O2{axis}": AxialO(axis) for axis in "xyz"}}
_S, _V, _T2 = TensorType(), TensorType(1), TensorType(2)
#: Masses and positions; the same with the products m r (x) r; the moment of inertia.
INPUT = Layout(3, [(_S, BODIES), (_V, BODIES)])
FEATURES = INPUT + Layout(3, [(_T2, BODIES)])
TARGET = Layout(3, [(_T2, 1)])


class BrokenInertia(NamedTuple):
    """Masses and positions ``[N, 20]``, and the tensor ``[N, 9]``."""

    x: Float[Tensor, "N 20"]
    y: Float[Tensor, "N 9"]


def broken_inertia(count: int, broken: float, generator: torch.Generator, dtype: torch.dtype = torch.float64) -> BrokenInertia:
    """``I + broken (I e_z) e_z^T`` of masses ``softplus(N(0, 1))`` at positions ``N(0, 1)``."""
    masses = torch.nn.functional.softplus(torch.randn(count, BODIES, generator=generator, dtype=torch.float64))
    places = torch.randn(count, BODIES, 3, generator=generator, dtype=torch.float64)
    squares = places.square().sum(-1)[..., None, None] * torch.eye(3, dtype=torch.float64)
    inertia = (masses[..., None, None] * (squares - places[..., :, None] * places[..., None, :])).sum(1)
    inertia[..., :, 2] += broken * inertia[..., :, 2]
    return BrokenInertia(torch.cat([masses, places.flatten(1)], 1).to(dtype), inertia.flatten(1).to(dtype))


def features(x: Float[Tensor, "N 20"]) -> Float[Tensor, "N 65"]:
    """Masses, positions and ``m r (x) r``."""
    masses, places = x[:, :BODIES], x[:, BODIES:].unflatten(1, (BODIES, 3))
    products = masses[..., None, None] * places[..., :, None] * places[..., None, :]
    return torch.cat([x, products.flatten(1)], 1)
