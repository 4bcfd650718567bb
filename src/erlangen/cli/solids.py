"""``erlangen stand`` and ``erlangen rest-shape``: the commands, their flags, and what they do."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from tyro.conf import Positional

if TYPE_CHECKING:
    from erlangen.fields.solids import Substance, TriMesh
    from erlangen.fields.solids.prepare import Prepared
    from erlangen.reporting import Outcome

#: Newton's steps that are spent on how the wanted shape itself would sag.
SAG_STEPS = 60


@dataclass(frozen=True)
class _Body:
    """What both commands ask: the file, what it is made of, how it is meshed, where the answer goes."""

    model: Positional[Path]
    """A surface (.stl, .obj, .ply, .3mf, .off) or tetrahedra (.msh, .vtu, .vtk, .veg); broken surfaces are mended."""
    material: str = "pla"
    """What it is made of: pla, abs, petg, nylon, tpu, rubber, silicone, soft silicone, wood, aluminium, steel, soft, stiff."""
    young: float | None = None
    """Young's modulus of your own, in Pa; by default the material's, a typical value whose source the report names."""
    poisson: float | None = None
    """Poisson's ratio of your own."""
    density: float | None = None
    """Density of your own, in kg/m3: a part that is printed with 20 percent infill weighs less than the solid."""
    strength: float | None = None
    """The stress that it bears, in Pa."""
    units: Literal["mm", "cm", "m", "in"] | None = None
    """The unit of the file's lengths; 3MF files say theirs."""
    up: Literal["x", "y", "z"] = "z"
    """The file's axis that points upwards: z in printing, often y in computer graphics."""
    flatten: float = 0.0
    """Cut so many millimetres off the bottom first."""
    size: float = 0.0
    """Length of edge of the tetrahedra, in millimetres; by default so that there are about 8000."""
    triangles: int = 0
    """Simplify the surface to so many triangles; by default to 3000, or fewer where these ask for far more than 8000 tetrahedra."""
    cells: int = 0
    """Make a new surface around the model, on a grid of so many cells along its longest side; by default where mending leaves faults."""
    out: Path = Path("runs")
    """Where runs are kept: OUT/NAME/DATE."""
    json: bool = False
    """Print JSON."""
    quiet: bool = False
    """No progress: only the answer, and where the report is."""


@dataclass(frozen=True)
class Stand(_Body):
    """Bend a model as little as possible, so that it stands on its own; write it for printing, with a report and a drop test."""

    angle: float = 10.0
    """By how many degrees the ground may be tilted before it falls."""


@dataclass(frozen=True)
class RestShape(_Body):
    """The shape to print or cast, so that gravity makes the wanted one of it: of a model, or of a picture by its silhouette."""

    model: Positional[Path]
    """A surface (.stl, .obj, .ply, .3mf, .off) or tetrahedra (.msh, .vtu, .vtk, .veg) as it should be under its weight; or a picture
    (.png, .jpg, ...) of it before a plain ground."""
    material: str = "silicone"
    """What it is made of: pla, abs, petg, nylon, tpu, rubber, silicone, soft silicone, wood, aluminium, steel, soft, stiff."""
    height: float = 0.0
    """Of a picture: how tall the thing is, in millimetres."""
    how: Literal["inflate", "revolve", "extrude"] = "inflate"
    """Of a picture: what is assumed of the depth: round, front and back alike; a body of revolution; a plate."""
    depth: float = 10.0
    """Of a picture that is extruded: thickness of the plate, in millimetres."""
    method: Literal["direct", "plastic", "fixed point"] = "direct"
    """Exactly; by descent over plastic stretches, which follows stable equilibria; or by moving the rest shape by what is missing."""
    mass: Literal["rest", "target"] = "rest"
    """The weight is that of the rest shape, which a printed thing has, or of the wanted shape, as in the source."""


def run_stand(args: Stand) -> None:
    """``erlangen stand MODEL``."""
    from erlangen.fields import solids
    from erlangen.fields.solids import report
    from erlangen.reporting import check_folder, plain

    check_folder(args.out, "out")
    started = time.perf_counter()
    of = solids.substance(args.material, args.young, args.poisson, args.density, args.strength)
    prepared = _prepared(args, of)
    stand = solids.make_stand(prepared.mesh, of.material(), angle=args.angle, mass="rest", quiet=args.quiet or args.json)
    tests = report.drops(stand)
    outcome = report.stand_outcome(prepared, stand, of, plain(args), time.perf_counter() - started, tests)
    _tell(outcome, args.out, report.stand_files(stand), args.json)


def run_rest_shape(args: RestShape) -> None:
    """``erlangen rest-shape MODEL``."""
    from erlangen.fields import solids
    from erlangen.fields.solids import report
    from erlangen.reporting import check_folder, plain

    check_folder(args.out, "out")
    started = time.perf_counter()
    of = solids.substance(args.material, args.young, args.poisson, args.density, args.strength)
    prepared = _prepared(args, of)
    quiet = args.quiet or args.json
    rest = solids.rest_shape(prepared.mesh, of.material(), method=args.method, mass=args.mass, quiet=quiet)
    naive = None
    if rest.status != "failed":
        # What topples or collapses takes hundreds of steps; how far it sags is a number of interest, no more.
        sagged = solids.solve_static(prepared.mesh, of.material(), max_steps=SAG_STEPS, quiet=quiet)
        naive = sagged.mesh if sagged.status != "failed" else None
    outcome = report.rest_outcome(prepared, rest, naive, of, plain(args), time.perf_counter() - started)
    _tell(outcome, args.out, report.rest_files(rest), args.json)


def _prepared(args: Stand | RestShape, of: Substance) -> Prepared:
    from erlangen.fields.solids.prepare import CELLS, prepare, refuse_edge

    model, assumed = (args.model, "") if isinstance(args, Stand) else _of_picture(args)
    prepared = prepare(
        model,
        args.units,
        up=args.up if not assumed else "z",
        flatten=args.flatten / 1000 or None,
        size=args.size / 1000 or None,
        triangles=args.triangles or None,
        rewrap=True if args.cells else None,
        cells=args.cells or CELLS,
    )
    if isinstance(args, RestShape):
        refuse_edge(prepared.mesh)
    if not (args.quiet or args.json):
        _tell_size(prepared, of)
    return dataclasses.replace(prepared, done=(assumed, *prepared.done)) if assumed else prepared


def _tell_size(prepared: Prepared, of: Substance) -> None:
    """What is about to be solved, before the wait for it."""
    import sys

    from erlangen.fields.solids.prepare import softness

    mesh = prepared.mesh
    size = " x ".join(f"{1000 * float(v):.4g}" for v in mesh.size())
    weighs = f"{1000 * of.rho * mesh.volume():.3g} g of {of.name}"
    told = f"{len(mesh)} tetrahedra, {3 * mesh.n_vertices} unknowns; {size} mm, {weighs}; rho g L / E = {softness(mesh, of.material()):.3g}"
    print(told, file=sys.stderr, flush=True)


def _of_picture(args: RestShape) -> tuple[Path | TriMesh, str]:
    """A picture's body, and what was assumed; a file of a model as it is."""
    from erlangen.errors import ArgumentError
    from erlangen.fields.solids import pictures

    if args.model.suffix.lower() not in pictures.PICTURES:
        return args.model, ""
    if not args.height > 0:
        raise ArgumentError("height", "how tall the thing in the picture is, in millimetres", repr(args.height))
    if not args.model.is_file():
        raise ArgumentError("model", "an existing file", repr(str(args.model)))
    mask, height = pictures.silhouette(args.model), args.height / 1000
    if args.how == "revolve":
        body, axis = pictures.revolve(mask, height)
        said = f"revolved about its best mirror axis, at {axis.angle:.1f} degrees, whose score is {axis.score:.3f}"
        return body, f"{said}; that it is a body of revolution is assumed"
    if args.how == "extrude":
        return pictures.extrude(mask, height, args.depth / 1000), "extruded; that it is a plate is assumed"
    return pictures.inflate(mask, height), "inflated; that front and back are alike, and its roundness, are assumed"


def _tell(outcome: Outcome, out: Path, files: Mapping[str, Callable[[Path], object]], as_json: bool) -> None:
    from erlangen.cli.telling import tell
    from erlangen.reporting import run_directory

    path = outcome.save(run_directory(outcome.name, out), files)
    done = [f"the model: {line}" for line in outcome.metrics["model"]["done"]]
    to_print = [f"to print: {path.parent / 'print.3mf'} (and .stl, in mm)"] if "print.3mf" in files else []
    tell(outcome, path, as_json, *to_print, before=[*done, f"rho g L / E = {outcome.metrics['rho g L / E']:.3g}"])
