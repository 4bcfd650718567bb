"""What is told of a solid that was made to stand, or of a rest shape: an answer, numbers, drawings, and the files to print."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch

from erlangen.errors import MissingExtra
from erlangen.fields.solids.drawing import Shown, draw, draw_drop, draw_stance
from erlangen.fields.solids.drop import Drop, drop_test
from erlangen.fields.solids.files import write_surface, write_tets
from erlangen.fields.solids.mesh import TetMesh
from erlangen.fields.solids.prepare import Prepared, softness
from erlangen.fields.solids.rest import RestShape
from erlangen.fields.solids.standing import Stance, Stand, stance
from erlangen.fields.solids.stress import cauchy_stress, von_mises
from erlangen.fields.solids.substances import Substance
from erlangen.reporting import Figure, KeyNumber, Outcome, Section, Table

GLOSSARY = {
    "rest shape": "the shape without weight on it: what is printed or cast",
    "centre of mass": "the point on which weight acts; a body stands while it is over the base",
    "base": "the convex hull of the places that touch the ground",
    "tipping angle": "by how much the ground may be tilted before the body falls over; negative: it falls on level ground",
    "margin": "how far the centre of mass is inside of the nearest side of the base",
    "von Mises stress": "the size of the part of the stress that changes shape; materials yield where it exceeds their strength",
    "rho g L / E": "weight against stiffness: a body sags by about this part of its size, a slender one by more",
}
#: Displacements below this part of the size are not coloured.
UNSEEN = 1e-6
Files = Mapping[str, Callable[[Path], object]]


def drops(stand: Stand) -> tuple[Drop, Drop] | None:
    """Drop tests before and after, of the rigid shapes under their weight; None where MuJoCo is not installed."""
    try:
        return drop_test(stand.target), drop_test(stand.mesh)
    except MissingExtra:
        return None


def stand_outcome(
    prepared: Prepared, stand: Stand, of: Substance, config: Mapping[str, Any], seconds: float, tests: tuple[Drop, Drop] | None
) -> Outcome:
    """The report of ``erlangen stand``."""
    before, after = stand.before, stand.after
    if stand.status == "stopped":
        answer = (
            f"No shape that stands was found: {stand.steps} steps were used up, with the centre of mass {100 * stand.reached:.2g} % of the "
            "way to its place. A wider base (cut more off the bottom), a smaller angle or a coarser mesh needs fewer."
        )
    elif stand.steps == 0 and before.stands:
        answer = f"It stands as it is: the ground may be tilted by {before.tipping:.3g} degrees."
    else:
        fell = "It fell over" if not before.stands else f"It stood up to {before.tipping:.3g} degrees"
        answer = (
            f"{fell}; bent by up to {1000 * stand.moved[0]:.3g} mm, it stands up to {after.tipping:.3g} degrees, its volume changed by "
            f"{100 * stand.volume_change:+.2g} %."
        )
    if stand.rest is not None and stand.rest.status in ("failed", "unstable"):
        answer += f" But as a soft body it does not: {_verdict(stand.rest, of)[:1].lower()}{_verdict(stand.rest, of)[1:]}"
    if tests is not None:
        answer += f" In MuJoCo it {_fate(tests[0])} before and {_fate(tests[1])} after."
    numbers = [
        KeyNumber("tipping angle", after.tipping, "degrees", f"before: {before.tipping:.3g}"),
        KeyNumber("margin", 1000 * after.margin, "mm", f"before: {1000 * before.margin:.3g}"),
        KeyNumber("moved by at most", 1000 * stand.moved[0], "mm", f"on average {1000 * stand.moved[1]:.3g}"),
        KeyNumber("volume change", 100 * stand.volume_change, "%"),
        KeyNumber("rho g L / E", softness(stand.mesh, of.material()), note="a wrong unit would show here"),
    ]
    shift = (stand.mesh.vertices - stand.target.vertices).norm(dim=1) * 1000
    values = (torch.zeros_like(shift), shift) if _seen(shift, stand.mesh) else (None, None)
    sections = [
        Section(
            "Before and after",
            ["The base stays as it was; all else is bent as little as possible, measured by elastic energy."],
            figures=[
                draw(
                    {"before": Shown(stand.target, values[0]), "after": Shown(stand.mesh, values[1])},
                    title="The body before and after",
                    colour_label="moved, mm",
                ),
                draw_stance(stand.target, before, title="Before"),
                *([draw_stance(stand.mesh, after, title="After")] if stand.steps else []),
            ],
        )
    ]
    if tests is not None:
        pair = {"before": (stand.target, tests[0]), "after": (stand.mesh, tests[1])}
        words = ["Set on the ground and watched for three seconds (MuJoCo; contact is that of the convex hull)."]
        words += [f"{name}: {test.failure}." for name, (_, test) in pair.items() if test.failure]
        sections.append(Section("Drop test", words, figures=[draw_drop(pair, title="Before and after, let go")]))
    metrics: dict[str, Any] = {
        "status": stand.status,
        "reached": stand.reached,
        "before": _stance(before),
        "after": _stance(after),
        "moved": {"largest": stand.moved[0], "mean": stand.moved[1]},
        "volume change": stand.volume_change,
        "steps": stand.steps,
        "residual": stand.residual,
        "rho g L / E": softness(stand.mesh, of.material()),
    }
    if tests is not None:
        metrics["drop test"] = {
            name: {"upright": t.upright, "tilt": float(t.tilt[-1])} for name, t in zip(("before", "after"), tests)
        }
    if stand.rest is not None:
        sections.append(_rest_section(stand.rest, of))
        metrics["rest shape"] = _rest(stand.rest, of)
    sections.append(_model_section(prepared, of))
    metrics["model"] = _model(prepared)
    return Outcome("stand", "Does it stand?", config, metrics=metrics, sections=sections, seconds=seconds, answer=answer,
                   key_numbers=numbers, glossary=GLOSSARY)  # fmt: skip


def stand_files(stand: Stand) -> Files:
    """What to print (STL and 3MF in millimetres), and everything for other programs (VTU in metres); no print of what does not stand."""
    data = {"moved": stand.mesh.vertices - stand.target.vertices, "standing": stand.mesh.vertices}
    printed = _print_files(stand.printed) if stand.status == "stands" else {}
    return printed | {"standing.vtu": lambda path: write_tets(stand.mesh, path, "m", point_data=data)}


def rest_outcome(
    prepared: Prepared, rest: RestShape, naive: TetMesh | None, of: Substance, config: Mapping[str, Any], seconds: float
) -> Outcome:
    """The report of ``erlangen rest-shape``; ``naive`` is where the pictured shape itself would sag to."""
    change = rest.change.norm(dim=1) * 1000
    answer = _verdict(rest, of)
    held = stance(rest.target, rest.system.fixed)
    if not held.stands:
        outside = f"{-1000 * held.margin:.3g} mm outside of its base"
        answer += f" It is held as if glued to the ground: let go, it falls over, its centre of mass {outside}."
    figures = [_pair_figure(rest)]
    numbers = [
        KeyNumber("status", rest.status),
        KeyNumber("rest shape differs by at most", float(change.max()), "mm", f"on average {float(change.mean()):.3g}"),
        KeyNumber("rho g L / E", softness(rest.target, of.material()), note="a wrong unit would show here"),
    ]
    metrics: dict[str, Any] = {"rest shape": _rest(rest, of), "rho g L / E": softness(rest.target, of.material())}
    words = _words(rest, of)
    if naive is None:
        words.append("How far the wanted shape itself would sag is not known: it was not followed, or did not come to rest.")
    sections = [Section("Rest shape and equilibrium", words, figures=figures)]
    if naive is not None:
        sag = (naive.vertices - rest.target.vertices).norm(dim=1) * 1000
        numbers.insert(1, KeyNumber("would sag by", float(sag.max()), "mm", "printed as it is"))
        metrics["naive"] = {"largest": float(sag.max()) / 1000, "mean": float(sag.mean()) / 1000}
        values = (torch.zeros_like(sag), sag) if _seen(sag, naive) else (None, None)
        shown = {"wanted": Shown(rest.target, values[0]), "printed as it is": Shown(naive, values[1])}
        sections.append(
            Section(
                "Without it",
                ["The wanted shape itself, printed and left to its weight."],
                figures=[draw(shown, title="Sag of the wanted shape", colour_label="off by, mm")],
            )
        )
    sections += [_stress_section(rest, of), _model_section(prepared, of)]
    metrics["model"] = _model(prepared)
    return Outcome("rest-shape", "Which shape sags to the wanted one?", config, metrics=metrics, sections=sections, seconds=seconds,
                   answer=answer, key_numbers=numbers, glossary=GLOSSARY)  # fmt: skip


def rest_files(rest: RestShape) -> Files:
    """As :func:`stand_files`; nothing to print where no rest shape was found."""
    data = {"equilibrium": rest.equilibrium.vertices, "change": rest.change}
    printed = {} if rest.status == "failed" else _print_files(rest.mesh)
    return printed | {"rest.vtu": lambda path: write_tets(rest.mesh, path, "m", point_data=data)}


def _print_files(mesh: TetMesh) -> dict[str, Callable[[Path], object]]:
    return {"print.stl": lambda path: write_surface(mesh, path, "mm"), "print.3mf": lambda path: write_surface(mesh, path)}


def _verdict(rest: RestShape, of: Substance) -> str:
    change = 1000 * float(rest.change.norm(dim=1).max())
    if rest.status == "failed" and rest.reached == 0:
        return (
            "No rest shape was found, not even for a thousandth of its weight: it is far too soft for its weight or held by too little, "
            "or its mesh has nearly flat tetrahedra."
        )
    if rest.status == "failed":
        return f"It is too soft for its weight: a rest shape was found for {100 * rest.reached:.3g} % of the weight only."
    if rest.status == "unstable":
        kind = (
            ""
            if rest.stability is None
            else f" ({rest.stability.mode_type} mode, lowest eigenvalue {rest.stability.lambda_min:.3g} N/m)"
        )
        return f"A rest shape exists, and its equilibrium is unstable: it buckles or topples{kind}. Stiffer, thicker, or more supports."
    return f"Printed in {of.name} as the rest shape, which differs by up to {change:.3g} mm, it sags to the wanted shape, and stays there."


def _words(rest: RestShape, of: Substance) -> list[str]:
    return [f"{line[:1].upper()}{line[1:]}." for line in rest.report().splitlines()]


def _seen(moved: torch.Tensor, mesh: TetMesh) -> bool:
    """Whether displacements, in mm, are worth a scale of colours: not where they are a millionth of the size."""
    return float(moved.max()) > UNSEEN * 1000 * float(mesh.size().max())


def _pair_figure(rest: RestShape) -> Figure:
    change = rest.change.norm(dim=1) * 1000
    values = (change, torch.zeros_like(change)) if _seen(change, rest.mesh) else (None, None)
    shown = {"rest shape": Shown(rest.mesh, values[0]), "equilibrium": Shown(rest.equilibrium, values[1])}
    return draw(shown, title="The rest shape, and what gravity makes of it", colour_label="off the wanted shape, mm")


def _rest_section(rest: RestShape, of: Substance) -> Section:
    return Section("Rest shape", [_verdict(rest, of), *_words(rest, of)], figures=[_pair_figure(rest)])


def _stress_section(rest: RestShape, of: Substance) -> Section:
    stress = _stresses(rest)
    most = float(stress.max())
    if of.strength is None:
        words = [f"The largest von Mises stress is {most:.3g} Pa. What {of.name} bears is not known here; --strength says it."]
    else:
        part = 100 * most / of.strength
        words = [f"The largest von Mises stress is {most:.3g} Pa, {part:.2g} % of what {of.name} bears ({of.strength:.2g} Pa)."]
    shown = {"equilibrium": Shown(rest.equilibrium, stress)}
    return Section("Stress", words, figures=[draw(shown, title="Von Mises stress in the equilibrium", colour_label="Pa")])


def _stresses(rest: RestShape) -> torch.Tensor:
    return von_mises(cauchy_stress(rest.mesh, rest.equilibrium.vertices, rest.system.material))


def _model_section(prepared: Prepared, of: Substance) -> Section:
    size = prepared.mesh.size() * 1000
    rows: list[list[Any]] = [
        ["size", " x ".join(f"{float(v):.4g}" for v in size), "mm"],
        ["volume", 1e6 * prepared.mesh.volume(), "cm3"],
        ["mass, solid", 1000 * of.rho * prepared.mesh.volume(), "g"],
        ["tetrahedra", len(prepared.mesh), ""],
        ["vertices", prepared.mesh.n_vertices, ""],
    ]
    material: list[list[Any]] = [
        ["Young's modulus", of.E, "Pa"],
        ["Poisson's ratio", of.nu, ""],
        ["density", of.rho, "kg/m3"],
        ["strength", "not known" if of.strength is None else of.strength, "Pa"],
    ]
    words = [] if prepared.found is None else [f"In the file: {prepared.found}."]
    words += [f"{done[:1].upper()}{done[1:]}." for done in prepared.done]
    tables = [
        Table("The model", ["", "", "unit"], rows),
        Table(f"Material: {of.name}", ["", "", "unit"], material, f"Source: {of.source}."),
    ]
    return Section("The model", words, tables=tables)


def _fate(drop: Drop) -> str:
    return "could not be followed" if drop.failure else "stands" if drop.upright else "falls over"


def _stance(of: Stance) -> dict[str, Any]:
    return {"stands": of.stands, "margin": of.margin, "tipping angle": of.tipping, "centre of mass": of.centre}


def _rest(rest: RestShape, of: Substance) -> dict[str, Any]:
    change = rest.change.norm(dim=1)
    told: dict[str, Any] = {
        "status": rest.status,
        "reached": rest.reached,
        "residual": rest.residual,
        "steps": rest.steps,
        "largest change": float(change.max()),
        "mean change": float(change.mean()),
        "volume change": rest.volume_change,
    }
    if rest.stability is not None:
        told |= {"lambda_min": rest.stability.lambda_min, "mode": rest.stability.mode_type}
    if rest.status != "failed":
        stress = _stresses(rest)
        told["largest stress"] = float(stress.max())
        if of.strength is not None:
            told["stress over strength"] = float(stress.max()) / of.strength
    return told


def _model(prepared: Prepared) -> dict[str, Any]:
    return {
        "faults": [] if prepared.found is None else list(prepared.found.faults),
        "done": list(prepared.done),
        "size": prepared.mesh.size(),
        "volume": prepared.mesh.volume(),
        "tetrahedra": len(prepared.mesh),
    }
