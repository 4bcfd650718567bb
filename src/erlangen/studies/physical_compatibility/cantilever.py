"""A cantilever that droops by 5 to 45 % of its length: its rest shape by four routes, each left to its weight."""

from __future__ import annotations

import time
from typing import Any

from torch import Tensor

from erlangen.fields import solids
from erlangen.reporting import (
    Claim,
    Figure,
    Line,
    Rival,
    Section,
    Surface,
    Table,
    lines_with_band,
    meshes,
    progress,
)
from erlangen.studies.base import Part
from erlangen.studies.physical_compatibility.study import METHODS, PARTS, SOURCE, Config

CLAIMS = PARTS["cantilever"].claims
#: Rest displacements of the cantilever that an independent program found, mm, by modulus in Pa.
KNOWN = {5e5: 4.571, 2e5: 11.400, 1e5: 22.675, 5e4: 44.60}


def run(config: Config, quiet: bool) -> Part:
    """The cantilever of 0.1 x 0.02 x 0.02 m."""
    beam = solids.beam(0.1, 0.02, (config.cells, max(1, config.cells // 5)))
    root = beam.vertices[:, 0] == 0
    rows: list[list[Any]] = []
    numbers: dict[str, Any] = {}
    steps = 200 if config.full else config.plastic_steps
    shapes: dict[float, Any] = {}
    descent: dict[str, Line] = {}
    with progress(len(KNOWN) * len(METHODS), "rest shapes", quiet) as bar:
        for E in KNOWN:
            for method in METHODS:
                begin = time.process_time()
                limit = steps if method == "plastic" else 200
                found = solids.rest_shape(beam, solids.NeoHookean(E=E), fixed=root, method=method, max_steps=limit)  # type: ignore[arg-type]
                seconds = time.process_time() - begin
                # The independent check of every route: its rest shape, unloaded, is left to its weight.
                mean, most = found.matching
                change = float(found.change.norm(dim=1).max())
                row = {
                    "mean": mean,
                    "max": most,
                    "seconds": seconds,
                    "steps": found.steps,
                    "change": change,
                    "lambda": found.lambda_min,
                }
                numbers[f"{E:.0e} {method}"] = row | {"status": found.status}
                rows.append([E, method, found.status, found.steps, seconds, 1e3 * change, mean, most, found.lambda_min])
                if method == "direct":
                    shapes[E] = found
                elif method == "plastic":
                    descent[f"E = {E / 1e3:.0f} kPa"] = Line(range(len(found.history)), [h**0.5 for h in found.history])
                bar.advance(1, distance=most)
    claims = _claims(numbers, beam, steps)
    table = Table(
        "Four routes to the rest shape",
        [
            "E, Pa",
            "route",
            "status",
            "steps",
            "seconds",
            "rest shape, mm",
            "mean error, m",
            "largest error, m",
            "lowest eigenvalue",
        ],
        rows,
        caption="Rest shape: its largest distance from the wanted one. Errors: where it comes to rest, found from the unloaded shape, "
        "against the wanted shape. Eigenvalues in N/m.",
    )
    softest = min(KNOWN)
    figures = [
        _drawn(beam, shapes[softest], softest),
        lines_with_band(
            descent,
            title="The plastic route comes nearer step by step",
            x_label="rest shapes tried",
            y_label="root mean square distance, m",
            log_y=True,
            caption="No bands: one run each, nothing is random.",
        ),
    ]
    section = Section(
        "A cantilever",
        ["A beam of 0.1 x 0.02 x 0.02 m is held at one end and is to be straight under its own weight."],
        figures=figures,
        tables=[table],
    )
    worst = max(numbers[f"{E:.0e} direct"]["max"] for E in KNOWN)
    sag = max(numbers[f"{E:.0e} naive"]["max"] for E in KNOWN)
    note = f"Beams that would droop by up to {1e3 * sag:.3g} mm are made so that they are straight to {worst:.1g} m."
    return Part(claims, [section], numbers, note, rivals=_rivals(numbers, f"{len(beam)} tetrahedra, E = 50 to 500 kPa"))


def _rivals(numbers: dict[str, Any], scale: str) -> list[Rival]:
    """The fixed point, which any solver of equilibria gives: move the rest shape by what is wrong, and let it sag again."""

    def of(method: str, what: str) -> list[float]:
        return [numbers[f"{E:.0e} {method}"][what] for E in KNOWN]

    reached = sum(distance < 1e-8 for distance in of("fixed point", "max"))
    seconds, simple = sum(of("direct", "seconds")), sum(of("fixed point", "seconds"))
    none = "none; 200 equilibria at most"
    note = f"the fixed point comes within 1e-8 m for {reached} of {len(KNOWN)} stiffnesses"
    return [
        Rival("the fixed point", "the direct route", "CPU seconds for all stiffnesses", seconds, simple, "lower", unit="s", note=note,
              scale=scale, settings=none),
        Rival("the fixed point", "the direct route", "largest distance from the wanted shape", max(of("direct", "max")),
              max(of("fixed point", "max")), "lower", seconds=seconds, rival_seconds=simple, unit="m", note=note, level=1e-8,
              scale=scale, settings=none),
    ]  # fmt: skip


def _claims(numbers: dict[str, Any], beam: solids.TetMesh, steps: int) -> list[Claim]:
    def worst(method: str, what: str) -> float:
        return max(numbers[f"{E:.0e} {method}"][what] for E in KNOWN)

    def best(method: str, what: str) -> float:
        return min(numbers[f"{E:.0e} {method}"][what] for E in KNOWN)

    scale = f"{len(beam)} tetrahedra, E = 50 to 500 kPa"
    direct, plastic = worst("direct", "max"), worst("plastic", "max")
    claims = [
        Claim(CLAIMS["cured"], None, direct, direct < 1e-8, baseline=worst("naive", "max"), unit="m", scale=scale, source=SOURCE,
        key="cured"), Claim(
            CLAIMS["steps"], None, worst("direct", "steps"), worst("direct", "steps") <= 12, baseline=worst("fixed point", "steps"),
            scale=scale, note="Baseline: equilibria of the fixed point, each of several steps.", key="steps",
        ),
        Claim(CLAIMS["nearer"], None, direct, 1000 * direct <= best("plastic", "max"), baseline=plastic, unit="m",
              scale=f"{scale}; {steps} plastic steps at most", source=SOURCE, key="nearer"),
    ]  # fmt: skip
    ratio = max(numbers[f"{E:.0e} direct"]["seconds"] / numbers[f"{E:.0e} plastic"]["seconds"] for E in KNOWN)
    claims.append(Claim(CLAIMS["faster"], None, ratio, ratio <= 0.2, scale=scale, key="faster"))
    return claims


def _drawn(beam: solids.TetMesh, found: solids.RestShape, E: float) -> Figure:
    """The wanted shape, the rest shape that gives it, and what would become of the wanted shape."""
    sagged = solids.solve_static(beam, found.system.material, fixed=found.system.fixed, stability=False).mesh
    faces = beam.surface()

    def surface(x: Tensor, opacity: float) -> Surface:
        return Surface(x, faces, 1e3 * (x - beam.vertices).norm(dim=1), opacity)

    return meshes(
        {
            "wanted": surface(beam.vertices, 0.5),
            "rest shape": surface(found.mesh.vertices, 1.0),
            "wanted, left to its weight": surface(sagged.vertices, 1.0),
        },
        title=f"The beam of E = {E / 1e3:.0f} kPa",
        colour_label="moved, mm",
        caption="Made upwards, the beam is straight under its weight; made straight, it droops. Colours: distance from the wanted shape.",
    )
