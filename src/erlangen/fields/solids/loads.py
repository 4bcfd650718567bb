"""What pulls at a body: gravity on lumped masses, forces on vertices, tractions on the surface, a potential of your own; and supports."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from erlangen.errors import ArgumentError
from erlangen.fields.solids.mesh import TetMesh

#: Vertices lower than this part of the body's height above its lowest one stand on the ground.
STANDING = 5e-3


@dataclass(frozen=True, eq=False)
class Loads:
    """External loads that do not follow the body's turning (dead loads), and a potential that may.

    Attributes:
        gravity: acceleration, m/s^2, ``[3]``; z points up.
        forces: on the vertices, N, ``[n, 3]``; see :func:`traction`.
        masses: of the vertices, kg, ``[n]``; by default a quarter of each tetrahedron's rest mass.
        potential: of each vertex in its place: a differentiable function of ``[n, 3]`` to joules ``[n]``, each of its own vertex alone
            (springs, buoyancy, fields).

    >>> Loads().gravity.tolist(), Loads(gravity=(0, 0, 0)).weightless
    ([0.0, 0.0, -9.8], True)
    """

    gravity: Any = (0.0, 0.0, -9.8)
    forces: Tensor | None = None
    masses: Tensor | None = None
    potential: Callable[[Tensor], Tensor] | None = None

    def __post_init__(self) -> None:
        shapes: tuple[tuple[str, int, str], ...] = (
            ("gravity", 1, "an acceleration [3] in m/s^2"),
            ("forces", 2, "a force for each vertex, [n, 3], in N"),
            ("masses", 1, "a mass for each vertex, [n], in kg"),
        )
        for name, ndim, expected in shapes:
            given = getattr(self, name)
            if given is None and name != "gravity":
                continue
            try:
                value = torch.as_tensor(given, dtype=torch.float64)
            except (TypeError, ValueError, RuntimeError) as no_numbers:
                raise ArgumentError(name, expected, repr(given)) from no_numbers
            if value.ndim != ndim or (name != "masses" and value.shape[-1] != 3):
                raise ArgumentError(name, expected, f"shape {tuple(value.shape)}")
            bad = ~value.detach().isfinite() | ((value.detach() < 0) if name == "masses" else torch.tensor(False))
            if bool(bad.any()):
                at = int(bad.nonzero()[0, 0])
                raise ArgumentError(name, f"{expected}, finite", f"{value[at].tolist()!r} at index {at}")
            object.__setattr__(self, name, value)
        if self.potential is not None and not callable(self.potential):
            raise ArgumentError("potential", "a function of positions [n, 3] to energies [n]", repr(self.potential))

    @property
    def weightless(self) -> bool:
        """Whether nothing pulls at all."""
        return not bool(self.gravity.any()) and self.forces is None and self.potential is None

    def replace(self, **parts: Any) -> Loads:
        """The same loads, others in part."""
        return replace(self, **parts)

    def fits(self, vertices: int) -> None:
        """Refuse loads of another number of vertices."""
        for name in ("forces", "masses"):
            value = getattr(self, name)
            if value is not None and len(value) != vertices:
                raise ArgumentError(name, f"one row for each of {vertices} vertices", f"{len(value)}")

    def dead(self, X: Float[Tensor, "n 3"], tets: Int[Tensor, "m 4"], rho: Tensor) -> Float[Tensor, "n 3"]:
        """The forces that do not depend on the position, N; differentiable by the rest shape and the density."""
        masses = lumped_masses(X, tets, rho) if self.masses is None else self.masses
        weight = masses.unsqueeze(1) * self.gravity
        return weight if self.forces is None else weight + self.forces

    def refuse_coupling(self, x: Float[Tensor, "n 3"]) -> None:
        """Refuse a potential in which a vertex's energy depends on other vertices: its second derivatives would be wrong.

        Raises:
            ArgumentError: it does; the message names a vertex.
        """
        if self.potential is None:
            return
        slope = self.potential_terms(x)[1]
        weights = torch.linspace(-1.0, 1.0, len(x), dtype=torch.float64)
        with torch.enable_grad():
            own = x.detach().requires_grad_()
            weighted = torch.autograd.grad((weights * self.potential(own)).sum(), own)[0]
        beside = (weighted - weights.unsqueeze(1) * slope).norm(dim=1)
        if float(beside.max()) > 1e-6 * max(float(slope.norm(dim=1).max()), float(weighted.norm(dim=1).max())):
            got = f"energies of other vertices that depend on vertex {int(beside.argmax())}"
            raise ArgumentError("potential", "an energy of each vertex in its own place alone", got)

    def potential_terms(self, x: Float[Tensor, "n 3"]) -> tuple[Tensor, Tensor, Tensor]:
        """The potential's energy, its derivatives ``[n, 3]`` and second derivatives ``[n, 3, 3]``.

        Raises:
            ArgumentError: the potential has another shape.
        """
        assert self.potential is not None
        with torch.enable_grad():
            own = x.detach().requires_grad_()
            energy = self.potential(own)
            if not isinstance(energy, Tensor) or energy.shape != x.shape[:1]:
                got = f"shape {tuple(energy.shape)}" if isinstance(energy, Tensor) else type(energy).__name__
                raise ArgumentError("potential", f"an energy for each vertex, [{len(x)}]", got)
            if not energy.requires_grad:
                raise ArgumentError("potential", "energies that autograd can follow back to positions", "some that it cannot")
            slope = torch.autograd.grad(energy.sum(), own, create_graph=True)[0]
            if not slope.requires_grad:
                return energy.sum().detach(), slope.detach(), x.new_zeros(len(x), 3, 3)
            curve = [torch.autograd.grad(slope[:, i].sum(), own, retain_graph=True, materialize_grads=True)[0] for i in range(3)]
        return energy.sum().detach(), slope.detach(), torch.stack(curve, 1)


def lumped_masses(X: Float[Tensor, "n 3"], tets: Int[Tensor, "m 4"], rho: Tensor | float) -> Float[Tensor, " n"]:
    """Masses of the vertices, kg: a quarter of each of their tetrahedra.

    >>> from erlangen.fields.solids import box
    >>> mesh = box((1.0, 1.0, 1.0), (2, 2, 2))
    >>> round(float(lumped_masses(mesh.vertices, mesh.tets, 1000.0).sum()), 9)
    1000.0
    """
    x0, x1, x2, x3 = X[tets].unbind(1)
    quarter = rho * ((x1 - x0) * torch.linalg.cross(x2 - x0, x3 - x0)).sum(1) / 24
    return torch.zeros(len(X), dtype=X.dtype).index_add(0, tets.flatten(), quarter.unsqueeze(1).expand(-1, 4).flatten())


def traction(mesh: TetMesh, force: Sequence[float] | Tensor, where: Bool[Tensor, " n"] | None = None) -> Float[Tensor, "n 3"]:
    """The forces on vertices of a traction on the surface: a third of each triangle's share to each of its vertices.

    Args:
        mesh: the body, in the shape in which the areas count.
        force: on an area, N/m^2, ``[3]``; a number is a pressure, positive inward.
        where: vertices; the triangles that have all three corners among them are loaded. By default all.

    >>> from erlangen.fields.solids import box
    >>> cube = box((1.0, 1.0, 1.0), (2, 2, 2))
    >>> traction(cube, (0, 0, -5.0), cube.vertices[:, 2] == 1).sum(0).tolist()
    [0.0, 0.0, -5.0]
    """
    triangles = mesh.surface()
    if where is not None:
        triangles = triangles[as_mask(where, mesh, "where")[triangles].all(1)]
        if not len(triangles):
            raise ArgumentError("where", "vertices with a triangle of the surface among them", "none: nothing would be loaded")
    a, b, c = mesh.vertices[triangles].unbind(1)
    normal = torch.linalg.cross(b - a, c - a) / 2
    try:
        value = torch.as_tensor(force, dtype=torch.float64)
    except (TypeError, ValueError, RuntimeError) as no_numbers:
        raise ArgumentError("force", "a traction [3] or a pressure, in N/m^2", repr(force)) from no_numbers
    if value.shape not in ((), (3,)) or not bool(value.isfinite().all()):
        raise ArgumentError("force", "a traction [3] or a pressure, in N/m^2", repr(force))
    each = -value * normal if value.ndim == 0 else normal.norm(dim=1, keepdim=True) * value
    return torch.zeros_like(mesh.vertices).index_add(0, triangles.flatten(), (each / 3).repeat_interleave(3, 0))


def supports(mesh: TetMesh, within: float = STANDING) -> Bool[Tensor, " n"]:
    """The vertices on the ground: those within a part of the body's height of its lowest one.

    >>> from erlangen.fields.solids import column
    >>> int(supports(column(0.2, 0.02, (2, 20))).sum())
    9
    """
    z = mesh.vertices[:, 2]
    return z <= z.min() + within * (z.max() - z.min())


def as_mask(which: Any, mesh: TetMesh, name: str) -> Bool[Tensor, " n"]:
    """Vertices given as a mask ``[n]`` or by their indices."""
    n = mesh.n_vertices
    try:
        value = torch.as_tensor(which).detach().cpu()
    except (TypeError, ValueError, RuntimeError) as no_numbers:
        raise ArgumentError(name, f"a mask of {n} vertices, or indices", repr(which)) from no_numbers
    if not value.numel() and value.ndim == 1:
        return torch.zeros(n, dtype=torch.bool)
    if value.dtype == torch.bool:
        if value.shape != (n,):
            raise ArgumentError(name, f"a mask of {n} vertices, or indices", f"shape {tuple(value.shape)}")
        return value
    if value.shape == (n,) and n > 2 and bool(((value == 0) | (value == 1)).all()):
        got = f"{value.dtype}, {n} noughts and ones: indices, or a mask?"
        raise ArgumentError(name, f"a mask of {n} vertices of dtype bool, or indices", got)
    if value.ndim != 1 or value.is_floating_point() or value.is_complex():
        raise ArgumentError(name, f"a mask of {n} vertices, or indices", f"{value.dtype}, shape {tuple(value.shape)}")
    bad = (value < 0) | (value >= n)
    if bool(bad.any()):
        at = int(bad.nonzero()[0, 0])
        raise ArgumentError(name, f"indices from 0 to {n - 1}", f"{int(value[at])} at index {at}")
    return torch.zeros(n, dtype=torch.bool).index_fill_(0, value.to(torch.int64), True)


def as_supports(fixed: Any, mesh: TetMesh) -> Bool[Tensor, " n"]:
    """The fixed vertices, by default those on the ground; each part of the body must be held so that it can neither move nor turn.

    Raises:
        ArgumentError: a part that is not held; the message names it.
    """
    mask = supports(mesh) if fixed is None else as_mask(fixed, mesh, "fixed")
    if not bool(mask.any()):
        raise ArgumentError("fixed", "at least three fixed vertices that are not on a line", "none", "fixed=None holds the lowest")
    parts = mesh.components()
    for part in range(int(parts.max()) + 1):
        held = mesh.vertices[mask & (parts == part)]
        spread = torch.linalg.svdvals(held - held.mean(0)) if len(held) > 2 else torch.zeros(2)
        if len(held) < 3 or float(spread[1]) <= 1e-9 * float(mesh.size().norm()):
            first = int((parts == part).nonzero()[0, 0])
            got = f"{len(held)} of part {part} (of {int(parts.max()) + 1}; its first vertex is {first})"
            raise ArgumentError("fixed", "three vertices of each part that are not on a line", got)
    if bool(mask.all()):
        raise ArgumentError("fixed", "vertices that are left to move", "all fixed")
    return mask
