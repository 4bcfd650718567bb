"""Leaning bodies, dropped before and after they are made to stand."""

from __future__ import annotations

import math
import time
from typing import Any

import torch

from erlangen.fields import solids
from erlangen.fields.solids.loads import Loads
from erlangen.fields.solids.system import System
from erlangen.reporting import Claim, PlusMinus, Rival, Section, Table, progress
from erlangen.studies.base import Part
from erlangen.studies.physical_compatibility.study import PARTS, SOURCE, Config

CLAIMS = PARTS["stand"].claims
#: Polylactide, as printed.
MATERIAL = solids.NeoHookean(E=3e9, nu=0.35, rho=1240.0)
WIDTH = 0.02


def bodies(full: bool) -> dict[str, solids.TetMesh]:
    """Bodies of one slant each, all with their centre outside of the base: 5, 15 and 25 % of its width, along a side or askew."""
    cells = 5 if full else 3
    outside = (0.02, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3) if full else (0.05, 0.15, 0.25)
    made = {}
    for part in outside:
        for form, tall in (("cube", 1.0), ("prism", 2.0), ("tower", 3.0)):
            made[f"{form}, {100 * part:.0f} % out"] = _leaning(cells, tall, part)
        made[f"cylinder, {100 * part:.0f} % out"] = _leaning(cells + 1, 2.0, part, round_=True)
        made[f"wedge, {100 * part:.0f} % out"] = _leaning(cells, 2.0, part, taper=0.4)
        made[f"prism askew, {100 * part:.0f} % out"] = _leaning(cells, 2.0, part, heading=30.0)
    return made


def _leaning(
    cells: int, tall: float, outside: float, *, round_: bool = False, taper: float = 0.0, heading: float = 0.0
) -> solids.TetMesh:
    """A box of a square base, made round or tapered, and sheared until its centre is so many widths outside of the base."""
    height = tall * WIDTH
    mesh = solids.box((WIDTH, WIDTH, height), (cells, cells, round(cells * tall)), (-WIDTH / 2, -WIDTH / 2, 0.0))
    x = mesh.vertices.clone()
    if round_:
        # The disc of F. Fong's elliptical map of the square; both are half a width in radius.
        u, v = (2 * x[:, :2] / WIDTH).unbind(1)
        x[:, 0], x[:, 1] = WIDTH / 2 * u * (1 - v**2 / 2).sqrt(), WIDTH / 2 * v * (1 - u**2 / 2).sqrt()
    x[:, :2] *= 1 - taper * x[:, 2:] / height
    upright = solids.TetMesh(x, mesh.tets)
    before = solids.stance(upright)
    along = torch.tensor([math.cos(math.radians(heading)), math.sin(math.radians(heading))], dtype=torch.float64)
    # Leaving the base through the side whose normal is nearest to the heading.
    rate = torch.from_numpy(before.normals) @ along
    room = torch.from_numpy(before.offsets - before.normals @ before.centre[:2])
    reach = (room / rate).where(rate > 1e-9, math.inf).min()
    shear = (reach + outside * WIDTH / rate.max()) / before.centre[2]
    x[:, :2] += shear * x[:, 2:] * along
    return solids.TetMesh(x, mesh.tets)


def run(config: Config, quiet: bool) -> Part:
    """Drop, make to stand, drop again."""
    rows: list[list[Any]] = []
    numbers: dict[str, Any] = {}
    drops: dict[str, Any] = {}
    took = 0.0
    found = bodies(config.full)
    with progress(len(found), "bodies", quiet) as bar:
        for name, mesh in found.items():
            began = time.process_time()
            made = solids.make_stand(mesh, MATERIAL, angle=config.angle)
            took += time.process_time() - began
            before, after = solids.drop_test(mesh), solids.drop_test(made.printed)
            energy, sheared, far = _energies(mesh, made)
            numbers[name] = {
                "upright before": before.upright,
                "upright after": after.upright,
                "tipping before": made.before.tipping,
                "tipping after": made.after.tipping,
                "off the margin": _off_margin(made, config.angle) / float(mesh.size()[2]),
                "volume change": made.volume_change,
                "moved": made.moved[0],
                "energy": energy,
                "energy of shearing": sheared,
                "moved by shearing": far,
                "rest shape": made.rest.status if made.rest else "",
            }
            lean = math.degrees(math.atan2(math.hypot(*made.before.centre[:2]), made.before.centre[2]))
            rows.append(
                [
                    name,
                    lean,
                    made.before.tipping,
                    float(before.tilt[-1]),
                    made.after.tipping,
                    float(after.tilt[-1]),
                    1e3 * made.moved[0],
                    100 * made.volume_change,
                    energy / sheared,
                ]
            )
            drops[name] = (mesh, before, made, after)
            bar.advance(1, tilt=float(after.tilt[-1]))
    n = len(numbers)
    stood = sum(row["upright before"] for row in numbers.values())
    stand = sum(row["upright after"] for row in numbers.values())
    off = max(abs(row["off the margin"]) for row in numbers.values())
    costly = max(row["energy"] / row["energy of shearing"] for row in numbers.values())
    volume = max(abs(row["volume change"]) for row in numbers.values())
    scale = f"{n} bodies, 20 to 60 mm tall"
    claims = [
        Claim(
            CLAIMS["stand-rate"], 1.0, stand / n, stood == 0 and stand == n, baseline=stood / n, scale=scale, source=SOURCE,
            note="Baseline: the bodies as they are. MuJoCo, 3 s, upright: tilted by less than 10 degrees.", key="stand-rate",
        ),
        Claim(CLAIMS["margin"], None, off, off <= 1e-6, scale=scale, note="Relative to the height.", key="margin"),
        Claim(CLAIMS["least"], None, costly, costly < 1, scale=scale, note="The largest ratio of the two energies.", key="least"),
    ]  # fmt: skip
    table = Table(
        "Before and after",
        [
            "body", "leans, °", "tips at, °", "3 s later, °", "then tips at, °", "3 s later, °", "moved, mm", "volume, %", "energy",
        ],
        rows,
        caption="Leans: from the middle of the base to the centre of mass. Tips at: the tilt of the ground at which it falls over; "
        "negative: on level ground. 3 s later: its tilt in MuJoCo. All this as it is, and then as made to stand. Moved: the largest "
        "displacement. Volume: its change. Energy: elastic, of the change; that of shearing upright to the same margin is 1.",
    )  # fmt: skip
    name = next(name for name in drops if name.startswith("prism, ") and numbers[name]["tipping before"] < -5)
    mesh, before, made, after = drops[name]
    moved = (made.mesh.vertices - mesh.vertices).norm(dim=1)
    figures = [
        solids.draw_drop({"as it is": (mesh, before), "made to stand": (made.printed, after)}, title=f"Dropped: the {name}"),
        solids.draw(
            {"as it is": solids.Shown(mesh, torch.zeros_like(moved)), "made to stand": solids.Shown(made.mesh, 1e3 * moved)},
            title=f"The change of the {name}",
            colour_label="moved, mm",
            apart=1.6,
        ),
        solids.draw_stance(made.mesh, made.after, title="Made to stand"),
    ]
    answer = (
        f"Of {n} leaning bodies {stood} stand in MuJoCo as they are and {stand} after the least change; "
        f"volumes change by {100 * volume:.2g} % at most."
    )
    about = ["Sheared boxes, cylinders and wedges whose centre of mass is outside of their base are set on the ground."]
    ratios = [row["energy"] / row["energy of shearing"] for row in numbers.values()]
    moved_by = [row["moved"] / row["moved by shearing"] for row in numbers.values()]
    rival = Rival(
        "shearing it upright", "the least change", "elastic energy of the change, in that of shearing", PlusMinus.of(ratios), 1.0, "lower",
        seconds=took, settings="to the same margin, in closed form", scale=scale,
        note="both stand; shears are among the changes of which the least is taken; "
        f"it moves at most {sum(moved_by) / n:.2g} times as far as shearing in the mean; mean and spread over bodies",
    )  # fmt: skip
    return Part(claims, [Section("Leaning bodies", about, figures=figures, tables=[table])], numbers, answer, rivals=[rival])


def _off_margin(made: solids.Stand, angle: float) -> float:
    """How much the margin differs from the one asked for, the height of the centre times a tangent, m."""
    return made.after.margin - math.tan(math.radians(angle)) * float(made.after.centre[2])


def _energies(mesh: solids.TetMesh, made: solids.Stand) -> tuple[float, float, float]:
    """Of the change that was made, and of a shear that gives the centre of mass the same place, J; how far that moves, m."""
    system = System(mesh, MATERIAL, Loads(gravity=(0, 0, 0)), made.before.contacts)
    before, after = made.before.centre, made.after.centre
    back = mesh.vertices.clone()
    # A shear does not change the height, so it has to go as far as that of its own centre asks for.
    back[:, :2] += torch.from_numpy((after[:2] - before[:2]) / before[2]) * mesh.vertices[:, 2:]
    least, sheared = (float(system.elements(mesh.vertices, x).energy()) for x in (made.mesh.vertices, back))
    return least, sheared, float((back - mesh.vertices).norm(dim=1).max())
