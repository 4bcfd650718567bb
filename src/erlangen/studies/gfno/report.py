"""The sections of the report: which symmetries flows have, and forecasts as tables, pictures and curves."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from typing import Any

from erlangen.reporting import Line, Section, Table, bars_with_error, lines_with_band, pictures, repeated
from erlangen.studies.gfno.forecasts import WATER, Flows, Score, Simple

_COLUMNS: dict[str, Callable[[Score], float]] = {
    "rollout": lambda s: s.rollout,
    "one step": lambda s: s.one_step,
    "turned": lambda s: s.turned,
    "fine": lambda s: s.fine,
    "CPU seconds": lambda s: s.seconds,
}


def symmetry_section(real: dict[str, dict[str, list[float]]]) -> Section:
    """What the solver itself commutes with."""
    rows = [[forcing, kind, *errors] for forcing, of in real.items() for kind, errors in of.items()]
    return Section(
        "Which symmetries the flows have",
        [
            "A vorticity changes its sign in a mirror: it is a pseudoscalar. Whether a driven flow has mirrors is up to the force. Here "
            "the solver itself is asked, as any model is: does it commute with the turns and mirrors of the square? So it is for water, "
            "whose velocity is a vector."
        ],
        tables=[
            Table("Largest relative errors of the solver", ["flow", "vorticity or velocity as", "quarter turns", "mirrors"], rows)
        ],
    )


def flow_section(window: int, flows: Flows, runs: list[dict[str, Score]], nothing: float, simple: Simple) -> Section:
    """Forecasts of one flow by every network."""
    names, steps = list(runs[0]), flows.test.shape[1] - window

    def each(name: str, read: Callable[[Score], float]) -> list[float]:
        return [read(one[name]) for one in runs]

    rows: list[list[Any]] = [
        [
            name,
            runs[0][name].parameters,
            *(repeated(each(name, read)) for read in _COLUMNS.values()),
        ]
        for name in names
    ]
    rows.append(["nothing changes", 0, nothing, None, None, None, None])
    rows.append(["the best linear forecast", None, simple.linear, None, None, None, simple.linear_seconds])
    rows.append(["the law, on these points", None, simple.law, None, None, None, simple.law_seconds])
    shown = sorted({0, steps // 3, 2 * steps // 3, steps - 1})
    truth = flows.test[0, window:, 0]
    seen = {"truth": [truth[t] for t in shown]}
    seen |= {name: [runs[0][name].example[t, 0] for t in shown] for name in names}
    lines = {}
    for name in names:
        curves = [one[name].frames for one in runs]
        x = list(range(1, steps + 1))
        lines[name] = Line.of_runs(x, curves) if len(curves) > 1 else Line(x, curves[0])
    return Section(
        f"Forecasts of {flows.forcing}",
        [
            f"Every network sees {window} frames and learns the next one; then it goes on from its own forecasts for "
            f"{steps} frames. All have the same data and, but where a name says otherwise, "
            "as many steps, and about as many real parameters. Errors are relative, "
            "|forecast - truth| / |truth|, averaged over frames and trajectories."
            + (
                " One network of each kind: one seed."
                if len(runs) == 1
                else f" Means and spreads of {len(runs)} networks of each kind."
            )
        ],
        tables=[
            Table(
                "Relative errors, and CPU seconds of training",
                ["network", "parameters", *_COLUMNS],
                rows,
                caption=f"One step, turned and fine: of the first {len(flows.fine)} test trajectories. Turned: by quarter turns about grid "
                f"point 0. Fine: on {flows.fine.shape[-1]} points a side.",
            )
        ],
        figures=[
            pictures(
                seen,
                [f"t + {t + 1}" for t in shown],
                title=f"A rollout beside the truth: {flows.forcing}",
                colour_label="height above the mean" if flows.forcing == WATER else "vorticity",
                caption="The first trajectory of the test.",
            ),
            lines_with_band(
                lines,
                title=f"Errors grow along the rollout: {flows.forcing}",
                x_label="frame",
                y_label="relative error",
                caption="Bands: one sample standard deviation over networks." if len(runs) > 1 else "",
            ),
            bars_with_error(
                names,
                {"rollout": [statistics.mean(each(name, lambda s: s.rollout)) for name in names]},
                title=f"Rollout errors: {flows.forcing}",
                y_label="relative error",
                caption=f"That nothing changes has {nothing:.2f}.",
            ),
        ],
    )
