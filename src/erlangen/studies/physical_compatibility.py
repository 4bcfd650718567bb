"""Physical compatibility: shapes that are what gravity leaves of them, by four routes to the rest shape."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from erlangen.fields import solids
from erlangen.fields.solids.rest import distances
from erlangen.parallel import one_thread
from erlangen.reporting import (
    Claim,
    Claims,
    Figure,
    KeyNumber,
    Line,
    Outcome,
    Section,
    Surface,
    Table,
    lines_with_band,
    meshes,
    progress,
)
from erlangen.studies.base import Study

SOURCE = "Guo et al. 2024, arXiv:2405.20510"
METHODS = ("naive", "fixed point", "plastic", "direct")
#: Rest displacements of the cantilever that an independent program found, mm, by modulus in Pa.
KNOWN = {5e5: 4.571, 2e5: 11.400, 1e5: 22.675, 5e4: 44.60}


@dataclass(frozen=True)
class Config:
    """What is measured."""

    cells: int = 20
    """Of the cantilever, along; a fifth of it across."""
    plastic_steps: int = 40
    """Rest shapes that the plastic route tries (the source: up to 2000)."""
    full: bool = False
    """The plastic route tries 200 rest shapes at each modulus."""


def run(config: Config, *, quiet: bool = False) -> Outcome:
    """The rest shape of a cantilever that droops by 5 to 45 % of its length, found in four ways, and each left to its weight."""
    started = time.perf_counter()
    with one_thread():
        claims, section, numbers, keys = cantilever(config, quiet)
    return Outcome(
        STUDY.name,
        TITLE,
        config,
        Claims(claims),
        metrics=numbers,
        sections=[section],
        seconds=time.perf_counter() - started,
        key_numbers=keys,
        answer=keys[0].note,
    )


def cantilever(config: Config, quiet: bool) -> tuple[list[Claim], Section, dict[str, Any], list[KeyNumber]]:
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
                begin = time.perf_counter()
                limit = steps if method == "plastic" else 200
                found = solids.rest_shape(beam, solids.NeoHookean(E=E), fixed=root, method=method, max_steps=limit)  # type: ignore[arg-type]
                seconds = time.perf_counter() - begin
                # The independent check of every route: its rest shape, unloaded, is left to its weight.
                mean, most = distances(found.settle().mesh.vertices, beam.vertices)
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
                    descent[f"E = {E:.0e} Pa"] = Line(range(len(found.history)), [h**0.5 for h in found.history])
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
    note = f"beams that would droop by up to {1e3 * sag:.3g} mm are made so that they are straight to {worst:.1g} m"
    keys = [KeyNumber("largest error, direct", worst, "m", note), KeyNumber("largest sag, untreated", sag, "m")]
    return claims, section, numbers, keys


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
        colour_label="mm from the wanted shape",
        caption="Made upwards, the beam is straight under its weight; made straight, it droops.",
    )


TITLE = "Physical compatibility: rest shapes whose equilibrium is the picture"
CLAIMS = {
    "cured": "left to its weight, the rest shape of the direct route comes to the wanted shape within 1e-8 m",
    "steps": "the direct route needs at most 12 steps of Newton's method, also where the droop is 45 % of the length",
    "nearer": "the direct route's largest error is a thousandth of the plastic route's or less",
    "faster": "the direct route takes at most a fifth of the plastic route's time",
}
STUDY = Study("physical-compatibility", 17, TITLE, SOURCE, Config, run, CLAIMS)
