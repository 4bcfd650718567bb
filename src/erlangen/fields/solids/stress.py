"""Stress in a deformed body: Cauchy's, von Mises', and where it breaks."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from erlangen.errors import ArgumentError
from erlangen.fields.solids.assembly import Elements
from erlangen.fields.solids.material import Material
from erlangen.fields.solids.mesh import TetMesh


def cauchy_stress(rest: TetMesh, x: Float[Tensor, "n 3"], material: Material) -> Float[Tensor, "m 3 3"]:
    """``P F^T / J`` of each tetrahedron between its rest shape and positions ``x``, Pa.

    >>> from erlangen.fields.solids import NeoHookean, box
    >>> cube = box((1.0, 1.0, 1.0), (1, 1, 1))
    >>> pulled = cube.vertices * torch.tensor([1.0, 1.0, 1.001])
    >>> round(float(cauchy_stress(cube, pulled, NeoHookean(E=1e6, nu=0.0))[0, 2, 2]), -1)      # E times the strain
    1000.0
    """
    material.fits(len(rest))
    elements = Elements(rest.vertices, x, rest.tets, material)
    return elements.P @ elements.F.mT / elements.F.det().view(-1, 1, 1)


def von_mises(sigma: Float[Tensor, "*batch 3 3"]) -> Float[Tensor, "*batch"]:
    """``sqrt(3/2) |dev sigma|``, Pa: what yielding of ductile materials is judged by. Zero under pressure from all sides."""
    pressure = sigma.diagonal(dim1=-2, dim2=-1).mean(-1)
    deviator = sigma - pressure[..., None, None] * torch.eye(3, dtype=sigma.dtype)
    return (1.5 * deviator.square().sum((-1, -2))).sqrt()


def mean_stress(found: Any) -> float:
    """The mean von Mises stress of an :class:`Equilibrium` or a :class:`RestShape` under its loads, weighted by volume, Pa.

    Raises:
        ArgumentError: no equilibrium was found.
    """
    rest, x = _parts(found)
    stress = von_mises(cauchy_stress(rest, x, found.system.material))
    volumes = TetMesh(x, rest.tets).volumes()
    return float((stress * volumes).sum() / volumes.sum())


def fractured(found: Any, strength: float) -> Tensor:
    """Which tetrahedra of an :class:`Equilibrium` or a :class:`RestShape` carry more than a yield stress (Pa), ``[m]``.

    Raises:
        ArgumentError: a strength that is not positive; no equilibrium was found.
    """
    if not strength > 0:
        raise ArgumentError("strength", "a positive stress in Pa", repr(strength))
    rest, x = _parts(found)
    return von_mises(cauchy_stress(rest, x, found.system.material)) > strength


def _parts(found: Any) -> tuple[TetMesh, Tensor]:
    if found.status == "failed":
        raise ArgumentError("found", "an equilibrium, or a rest shape, that was found", f"status {found.status!r}")
    if hasattr(found, "equilibrium"):
        return found.mesh, found.equilibrium.vertices
    return found.rest, found.mesh.vertices
