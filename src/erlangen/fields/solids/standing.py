"""Bodies that stand: the centre of mass over the base, by the least deformation that puts it there."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from scipy.optimize import nnls
from scipy.sparse import csc_matrix
from scipy.sparse.linalg import splu

from erlangen.errors import ArgumentError
from erlangen.extras import engine
from erlangen.fields.solids.assembly import Elements
from erlangen.fields.solids.loads import Loads, supports
from erlangen.fields.solids.material import Material, NeoHookean
from erlangen.fields.solids.mesh import TetMesh
from erlangen.fields.solids.rest import RestShape, rest_shape
from erlangen.fields.solids.sparse import ACCURATE, diagonal_factors
from erlangen.fields.solids.surface import TriMesh
from erlangen.fields.solids.system import System
from erlangen.reporting import progress
from erlangen.reporting.progress import Advance

#: Constraints hold to this part of the body's height.
EXACT = 1e-12
#: The smallest share of the way that is tried.
SMALLEST = 1 / 64
#: Steps that one share may take.
PATIENCE = 60
#: Steps all together, by default.
STEPS = 150


@dataclass(frozen=True)
class Stance:
    """How a body stands on the plane of its lowest vertices.

    Attributes:
        centre: of mass, ``[3]``, metres, the height above the ground.
        hull: corners of the convex hull of the contact, ``[k, 2]``, counterclockwise; of a body that touches in a line or a point, fewer
            than 3.
        normals, offsets: of the hull's sides, ``[k, 2]`` and ``[k]``: inside, ``normals @ p <= offsets``.
        contacts: which vertices touch the ground, ``[n]``.
    """

    centre: np.ndarray
    hull: np.ndarray
    normals: np.ndarray
    offsets: np.ndarray
    contacts: torch.Tensor

    @property
    def margin(self) -> float:
        """How far the centre of mass is inside of the hull's nearest side, metres; negative outside."""
        if not len(self.normals):
            return -float(np.linalg.norm(self.hull - self.centre[:2], axis=1).min())
        return float((self.offsets - self.normals @ self.centre[:2]).min())

    @property
    def stands(self) -> bool:
        """The centre of mass is over the base."""
        return bool(len(self.normals)) and self.margin > 0

    @property
    def tipping(self) -> float:
        """The angle, in degrees, by which the ground may be tilted before the body falls over; negative: it falls on level ground."""
        return math.degrees(math.atan2(self.margin, self.centre[2]))

    @property
    def widest(self) -> float:
        """The largest margin that any place of the centre over this base could have, metres."""
        return _deepest(self.normals, self.offsets) if len(self.normals) else 0.0


@dataclass(frozen=True)
class Stand:
    """A body that was made to stand.

    Attributes:
        target: as it was given.
        mesh: the deformed body, which is what stands under gravity.
        before, after: how they stand.
        rest: the rest shape whose equilibrium is :attr:`mesh`; None where it was not asked for.
        moved: largest and mean displacement of vertices, metres.
        volume_change: relative, ``V / V_0 - 1``.
        steps: of the optimiser; 0 where it stood already.
        residual: of its conditions of optimality, relative to the elastic forces.
        reached: share of the way of the centre of mass; below 1 the steps were used up, and :attr:`mesh` is the least change that goes
            so far, without the margin.
    """

    target: TetMesh
    mesh: TetMesh
    before: Stance
    after: Stance
    rest: RestShape | None
    moved: tuple[float, float]
    volume_change: float
    steps: int
    residual: float
    reached: float = 1.0

    @property
    def status(self) -> Literal["stands", "stopped"]:
        """Whether it stands with the margin that was asked for, or the steps were used up on the way."""
        return "stands" if self.reached == 1 else "stopped"

    @property
    def printed(self) -> TetMesh:
        """What to print: the rest shape, or where there is none, or none was found, the body itself."""
        return self.mesh if self.rest is None or self.rest.status == "failed" else self.rest.mesh


def stance(mesh: TetMesh, contacts: Any = None) -> Stance:
    """How a body stands, of one density.

    Args:
        mesh: the body.
        contacts: which vertices touch the ground, mask ``[n]``; by default those within 0.5 % of the height of the lowest.

    >>> from erlangen.fields.solids import box
    >>> found = stance(box((0.02, 0.02, 0.04), (2, 2, 4)))
    >>> found.stands, round(found.margin, 12), round(found.tipping, 9)
    (True, 0.01, 26.565051177)
    """
    touching = supports(mesh) if contacts is None else torch.as_tensor(contacts)
    if touching.shape != (mesh.n_vertices,) or touching.dtype != torch.bool or not bool(touching.any()):
        raise ArgumentError(
            "contacts", f"a mask [{mesh.n_vertices}] of at least one vertex", f"{touching.dtype} {tuple(touching.shape)}"
        )
    centre = mesh.centroid().numpy().copy()
    centre[2] -= float(mesh.vertices[touching, 2].min())
    hull = _hull(mesh.vertices[touching, :2].numpy())
    if len(hull) < 3:
        return Stance(centre, hull, np.empty((0, 2)), np.empty(0), touching)
    along = np.roll(hull, -1, 0) - hull
    normals = np.stack([along[:, 1], -along[:, 0]], 1) / np.linalg.norm(along, axis=1, keepdims=True)
    return Stance(centre, hull, normals, (normals * hull).sum(1), touching)


def make_stand(
    mesh: TetMesh,
    material: Material | None = None,
    *,
    margin: float | None = None,
    angle: float = 10.0,
    contacts: Any = None,
    invert: bool = True,
    mass: Any = "target",
    loads: Loads | None = None,
    steps: int = STEPS,
    quiet: bool = True,
) -> Stand:
    """The least change of a body after which it stands: its centre of mass inside of the base with a margin, the base as it was.

    With contact vertices held, the elastic energy of the change is minimised subject to one exact constraint for each side of the base:
    ``sum V_e (n . x_e - b) <= 0`` over tetrahedra, which is the condition on the centre of mass times the volume, and a polynomial of
    degree three. Sequential quadratic programming; the small quadratic programme of each step, in the multipliers, is solved by
    non-negative least squares. Then the rest shape is found, whose equilibrium under gravity is the result.

    Args:
        mesh: the body, z upwards, metres.
        material: its stiffness is needed for the rest shape alone; the minimiser does not depend on it, but on Poisson's ratio.
        margin: of the centre of mass to each side of the base, metres; by default ``angle`` says it.
        angle: in degrees, by which the ground may be tilted: the margin is the centre's height times its tangent.
        contacts: which vertices touch the ground, mask ``[n]``; by default those within 0.5 % of the height of the lowest.
        invert: find the rest shape, too.
        mass, loads: for the rest shape, as in :func:`~erlangen.fields.solids.rest_shape`.
        steps: of the optimiser, at most, all together. Where they are used up, the result says so by its status, with what was
            reached until then and without a rest shape.
        quiet: no line of progress.

    Raises:
        ArgumentError: it touches the ground in a line or a point, or its base is too narrow for the margin (flatten it first, see
            :func:`flatten_base`), or the deformation would turn a tetrahedron inside out.

    The least mean square displacement, which one might think of instead, has no limit on finer meshes. By the divergence theorem the
    condition is, to first order in displacements ``u``, an integral over the surface, ``int (n . x - b) u . normal dS``: a layer of
    thickness ``h`` below it can do all that is asked, at a cost of order ``h``, with slopes of order ``1 / h`` that invert tetrahedra.
    Elastic energy bounds the slopes.

    Source: R. Prévost, E. Whiting, S. Lefebvre, O. Sorkine-Hornung, "Make it stand", ACM TOG 32 (2013), for the task.
    """
    material = NeoHookean() if material is None else material
    if margin is not None and not 0 < margin < math.inf:
        raise ArgumentError("margin", "a positive length in metres", repr(margin))
    if not 0 < angle < 80:
        raise ArgumentError("angle", "degrees between 0 and 80", repr(angle))
    if steps < 1:
        raise ArgumentError("steps", "1 or more", repr(steps))
    before = stance(mesh, contacts)
    slope = 0.0 if margin is not None else math.tan(math.radians(angle))
    _refuse_narrow(before, margin, slope, angle)
    ground = float(mesh.vertices[before.contacts, 2].min())
    # n . c_xy + slope (c_z - ground) <= offset - margin, for each side.
    sides = np.column_stack(
        [before.normals, np.full(len(before.normals), slope), -(before.offsets - (margin or 0.0) + slope * ground)]
    )
    bent, share, count, residual = _least_change(mesh, material, before.contacts, sides, steps, quiet)
    after = stance(bent, before.contacts)
    rest = None
    if invert and share == 1:
        rest = rest_shape(bent, material=material, loads=loads, fixed=before.contacts, mass=mass, quiet=quiet)
    moved = (bent.vertices - mesh.vertices).norm(dim=1)
    change = bent.volume() / mesh.volume() - 1
    return Stand(mesh, bent, before, after, rest, (float(moved.max()), float(moved.mean())), change, count, residual, share)


def flatten_base(surface: TriMesh, height: float) -> TriMesh:
    """Cut off what is lower than a height above the lowest point, so that a surface stands on a plane (manifold3d; extra ``solids``).

    Raises:
        ArgumentError: a height that is not positive or would leave nothing, or a surface that is not closed.
    """
    tall = float(surface.extents[2])
    if not 0 < height < tall:
        raise ArgumentError("height", f"metres between 0 and {tall:.4g}", repr(height))
    manifold = engine("solids", "manifold3d")
    body = manifold.Manifold(manifold.Mesh64(surface.vertices.numpy(), surface.triangles.numpy().astype(np.uint64)))
    if body.status() != manifold.Error.NoError:
        raise ArgumentError("surface", "a closed surface", str(body.status()), "solids.repair mends what it can")
    level = float(surface.vertices[surface.triangles.reshape(-1), 2].min()) + height
    made = body.trim_by_plane((0.0, 0.0, 1.0), level).to_mesh64()
    points = np.array(made.vert_properties[:, :3])
    points[np.abs(points[:, 2] - level) < 1e-9 * tall, 2] = level
    return TriMesh(torch.from_numpy(points), torch.from_numpy(np.array(made.tri_verts).astype(np.int64)))


def _refuse_narrow(before: Stance, margin: float | None, slope: float, angle: float) -> None:
    hint = "cut the base flat first: solids.flatten_base(surface, height), or --flatten at the prompt"
    if len(before.hull) < 3:
        where = "a point" if len(before.hull) == 1 else "a line"
        raise ArgumentError("mesh", "a body that touches the ground in an area", f"one that touches it in {where}", hint)
    wanted = margin if margin is not None else 0.2 * slope * before.centre[2]
    if before.widest > wanted:
        return
    if margin is not None:
        raise ArgumentError("margin", f"less than the {before.widest:.3g} m that the base allows", f"{margin!r} m", hint)
    raise ArgumentError("angle", f"one that a base with room for {before.widest:.3g} m allows", f"{angle!r} degrees", hint)


def _least_change(
    mesh: TetMesh, material: Material, fixed: torch.Tensor, sides: np.ndarray, steps: int, quiet: bool
) -> tuple[TetMesh, float, int, float]:
    """The deformed mesh, the share of the way, steps, and the residual of optimality. What lies far outside is led there by shares."""
    moments, _ = _moments(mesh.vertices, mesh.tets)
    missing = np.maximum(sides @ moments, 0) / moments[3]
    if not missing.any():
        return mesh, 1.0, 0, 0.0
    system = System(mesh, material, Loads(gravity=(0, 0, 0)), fixed)
    x, share, step, count = mesh.vertices, 0.0, 1.0, 0
    residual = 0.0
    with progress(None, "standing", quiet) as bar:
        while share < 1 and count < steps:
            aim = min(1.0, share + step)
            relaxed = sides.copy()
            relaxed[:, 3] -= (1 - aim) * missing
            there, took, left = _optimised(system, relaxed, x, min(PATIENCE, steps - count), bar, aim)
            count += took
            if there is None:
                step = (aim - share) / 2
                if step < SMALLEST:
                    said = f"one whose centre of mass gets {100 * share:.2g} % of the way of {missing.max():.3g} m"
                    raise ArgumentError(
                        "mesh", "a body that can be bent so far", said, "a wider base, or a smaller angle, needs less"
                    )
                continue
            step = 2 * (aim - share)
            x, share, residual = there, aim, left
    return TetMesh(x, mesh.tets), share, count, residual


def _optimised(
    system: System, sides: np.ndarray, start: torch.Tensor, steps: int, bar: Advance, way: float
) -> tuple[torch.Tensor | None, int, float]:
    """Sequential quadratic programming from positions; None where it stalls."""
    mesh = system.mesh
    free = (~system.fixed).numpy().repeat(3)
    X, nothing = mesh.vertices, torch.zeros_like(mesh.vertices)
    scale = float(mesh.size().max()) * mesh.volume()

    def value(x: torch.Tensor) -> float:
        return system.energy(system.elements(X, x), nothing)

    x, multipliers, penalty, residual = start, np.zeros(len(sides)), 0.0, math.inf
    for count in range(steps + 1):
        moments, slopes = _moments(x, mesh.tets)
        g = sides @ moments
        elements = system.elements(X, x)
        energy, slope = system.energy(elements, nothing), system.residual(elements, nothing).numpy().reshape(-1)[free]
        J = slopes[:, free]
        lagrangian = slope + (sides @ J).T @ multipliers
        size = max(float(np.abs(slope).max()), 1e-300)
        residual = float(np.abs(lagrangian).max()) / size if slope.any() else 0.0
        if g.max() <= EXACT * scale and (residual < 1e-9 or not slope.any()):
            return x, count, residual
        if count == steps:
            break
        p, multipliers = _step(system, elements, slope, J, g, sides, multipliers)
        penalty = max(penalty, 2 * float(multipliers.max(initial=0.0)))
        merit = energy + penalty * float(np.maximum(g, 0).sum())
        full = np.zeros(len(free))
        full[free] = p
        direction = torch.from_numpy(full.reshape(-1, 3))
        share = 1.0
        while share > 1e-6:
            there = x + share * direction
            if float(_signed(there, mesh.tets).min()) > 0:
                violated = float(np.maximum(sides @ _moments(there, mesh.tets)[0], 0).sum())
                # Close to the answer rounding decides about the merit: whole steps are taken.
                if value(there) + penalty * violated <= merit + 1e-9 * abs(merit) or count > 8:
                    break
            share /= 2
        else:
            break
        x = x + share * direction
        bar.advance(1, way=way, residual=residual)
    return (x if g.max() <= 1e-9 * scale and residual < 1e-6 else None), count, residual


def _step(
    system: System, elements: Elements, slope: np.ndarray, J: np.ndarray, g: np.ndarray, sides: np.ndarray, multipliers: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The minimiser of the quadratic model under linear constraints, with the constraints' own curvature where the model stays convex."""
    for clamped in (False, True):
        blocks = elements.stiffness(clamped)
        if multipliers.any() and not clamped:
            blocks = blocks + _curvature(elements.x, system.tets, multipliers @ sides)
        solved = _solved(system.pattern.matrix(blocks), np.column_stack([J.T, slope]))
        Y, y = solved[:, :-1], solved[:, -1]
        S = J @ Y
        S = (S + S.T) / 2
        kinds = np.linalg.eigvalsh(S / np.abs(S).max())
        if kinds.min() > -1e-10 and slope @ y >= 0:
            break
    # In the space of the four moments: the least distance to a polyhedron (C. Lawson, R. Hanson, 1974, ch. 23).
    values, vectors = np.linalg.eigh(S)
    root = vectors * np.sqrt(np.maximum(values, 0))
    G, h = -(sides @ root), g - sides @ (J @ y)
    unit = np.abs(G).max(1, keepdims=True) + 1e-300
    length = np.abs(h / unit[:, 0]).max() + 1e-300
    E = np.vstack([(G / unit).T, (h / unit[:, 0] / length)[None]])
    u, _ = nnls(E, np.append(np.zeros(4), 1.0), maxiter=1000)
    r = E @ u - np.append(np.zeros(4), 1.0)
    found = u / unit[:, 0] * length / max(-r[-1], 1e-300)
    return -(y + Y @ (sides.T @ found)), found


def _solved(H: csc_matrix, right: np.ndarray) -> np.ndarray:
    """The solutions by diagonal pivots; by partial ones where these lose digits, as they may on an indefinite matrix."""
    try:
        with np.errstate(all="ignore"):
            x = diagonal_factors(H).solve(right)
            missed = np.linalg.norm(H @ x - right, axis=0)
        if (missed <= ACCURATE * np.linalg.norm(right, axis=0)).all():
            return x
    except RuntimeError:  # a pivot is exactly zero
        pass
    return splu(H).solve(right)


def _moments(x: torch.Tensor, tets: torch.Tensor) -> tuple[np.ndarray, np.ndarray]:
    """``sum V x``, ``sum V y``, ``sum V z`` and ``sum V`` over tetrahedra, ``[4]``, and their derivatives ``[4, 3n]``."""
    corners = x[tets]
    volume, gradients = _volume_gradients(corners)
    middle = corners.mean(1)
    slopes = torch.zeros(4, *x.shape, dtype=x.dtype)
    for k in range(3):
        rows = gradients * middle[:, k, None, None]
        rows[:, :, k] += volume[:, None] / 4
        slopes[k].index_add_(0, tets.reshape(-1), rows.reshape(-1, 3))
    slopes[3].index_add_(0, tets.reshape(-1), gradients.reshape(-1, 3))
    total = torch.cat([(volume[:, None] * middle).sum(0), volume.sum().reshape(1)])
    return total.numpy(), slopes.reshape(4, -1).numpy()


def _signed(x: torch.Tensor, tets: torch.Tensor) -> torch.Tensor:
    return _volume_gradients(x[tets])[0]


def _volume_gradients(corners: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    a, b, c = (corners[:, i] - corners[:, 0] for i in (1, 2, 3))
    rows = torch.stack([torch.linalg.cross(b, c), torch.linalg.cross(c, a), torch.linalg.cross(a, b)], 1) / 6
    return (a * rows[:, 0]).sum(1), torch.cat([-rows.sum(1, keepdim=True), rows], 1)


def _curvature(x: torch.Tensor, tets: torch.Tensor, weights: np.ndarray) -> torch.Tensor:
    """Second derivatives of ``weights @ moments`` by tetrahedra, ``[m, 12, 12]``: of ``V (w . middle + w_3)``."""
    w = torch.from_numpy(np.asarray(weights, dtype=float))
    corners = x[tets]
    _, gradients = _volume_gradients(corners)
    a, b, c = (_crossing(corners[:, i] - corners[:, 0]) / 6 for i in (1, 2, 3))
    nothing = torch.zeros_like(a)
    # The gradients of the volume by corners 1 to 3 are b x c, c x a and a x b over 6; all four gradients sum to 0.
    inner = torch.stack(
        [torch.stack(row, 1) for row in ((nothing, -c, b), (c, nothing, -a), (-b, a, nothing))],
        1,
    )
    lower = torch.cat([-inner.sum(2, keepdim=True), inner], 2)
    second = torch.cat([-lower.sum(1, keepdim=True), lower], 1).transpose(2, 3).reshape(-1, 12, 12)
    height = corners.mean(1) @ w[:3] + w[3]
    mixed = gradients.reshape(-1, 12, 1) * (w[:3].repeat(4) / 4)
    return second * height.view(-1, 1, 1) + mixed + mixed.mT


def _crossing(v: torch.Tensor) -> torch.Tensor:
    """The matrices of ``u -> v x u``, ``[m, 3, 3]``."""
    nothing = torch.zeros_like(v[:, 0])
    rows = [(nothing, -v[:, 2], v[:, 1]), (v[:, 2], nothing, -v[:, 0]), (-v[:, 1], v[:, 0], nothing)]
    return torch.stack([torch.stack(row, 1) for row in rows], 1)


def _hull(points: np.ndarray) -> np.ndarray:
    """Corners of the convex hull in the plane, counterclockwise; of points in a line its ends, of one point itself."""
    from scipy.spatial import ConvexHull, QhullError

    size = float(np.ptp(points, axis=0).max())
    if len(points) >= 3 and size > 0:
        try:
            hull = ConvexHull(points)
            corners = points[hull.vertices]
            # `hull.volume` is the area of a hull in the plane.
            if hull.volume > 1e-9 * size**2:
                return corners
        except QhullError:
            pass
    if size == 0:
        return points[:1]
    direction = points - points.mean(0)
    along = direction @ np.linalg.svd(direction, full_matrices=False)[2][0]
    return points[[along.argmin(), along.argmax()]]


def _deepest(normals: np.ndarray, offsets: np.ndarray) -> float:
    """The radius of the largest disc inside of a polygon."""
    from scipy.optimize import linprog

    found = linprog([0, 0, -1], np.column_stack([normals, np.ones(len(normals))]), offsets, bounds=[(None, None)] * 2 + [(0, None)])
    return float(found.x[2]) if found.status == 0 else 0.0
