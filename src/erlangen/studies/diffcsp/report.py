"""The sections of the report: match rates as tables and bars, distances, and crystals beside the truth."""

from __future__ import annotations

import math
from collections.abc import Mapping

from erlangen.fields.crystals import draw
from erlangen.reporting import Section, Table, bars_with_error
from erlangen.studies.diffcsp.arms import FULL, LOOKUP, Score, Split


def split_section(name: str, split: Split, scores: Mapping[str, Score], samples: int, what: str) -> Section:
    """Every arm on one split, retrieval first."""
    rows = []
    for arm, score in scores.items():
        m = score.matched
        many = m.distances.shape[1] == samples
        rows.append(
            [
                arm,
                m.match_rate(1),
                _number(m.rmse(1)),
                m.match_rate() if many else None,
                _number(m.rmse()) if many else None,
                m.metre if many else None,
                m.crmse if many else None,
                m.match_rate(valid="prediction") if many else None,
                m.match_rate(1, valid="both"),
                _number(score.lattice),
                _number(score.coordinates),
                score.steps or None,
                score.seconds or None,
                score.sampling or None,
            ]
        )
    columns = [
        "arm", "match, k = 1", "RMSE", f"match, k = {samples}", "RMSE", "METRe", "cRMSE",
        f"valid, k = {samples}", "both valid, k = 1", "lattice loss", "coordinate loss", "steps", "CPU s", "CPU s, predicting",
    ]  # fmt: skip
    first = [score.matched.match_rate(1) for score in scores.values()]
    several = {arm: score.matched.match_rate() for arm, score in scores.items() if score.matched.distances.shape[1] == samples}
    return Section(
        f"Split by {name}",
        [
            f"{len(split.train)} crystals to learn from, {len(split.test)} to predict from their compositions. {what}",
            "A prediction matches where pymatgen's StructureMatcher(stol=0.5, ltol=0.3, angle_tol=10) says so. RMSE is over matched "
            "crystals only and compares between rows of about equal match rates; cRMSE counts the others with 0.5. METRe and cRMSE look "
            "at all predictions of a composition together.",
        ],
        tables=[Table("Match rates and distances", columns, rows)],
        figures=[
            bars_with_error(
                list(scores),
                {"first prediction": first},
                {"first prediction": [score.error for score in scores.values()]},
                title=f"Matched crystals, split by {name}",
                y_label="share matched",
                caption="Of first predictions. Bars: the binomial standard error.",
            ),
            bars_with_error(
                list(several),
                {f"best of {samples}": list(several.values())},
                title=f"Matched by the best of {samples}, split by {name}",
                y_label="share matched",
                caption="Of those that make several; ablations make one.",
            ),
        ],
    )


def crystal_section(split: Split, scores: Mapping[str, Score]) -> Section:
    """Predictions beside the truth."""
    figures = []
    for i in range(min(2, len(split.test))):
        truth = split.test[i]
        figures.append(draw(truth, title=f"{truth.formula}: the truth"))
        for arm in (FULL, LOOKUP):
            distance = scores[arm].matched.distances[i, 0]
            said = "no match" if math.isnan(distance) else f"distance {distance:.3f}"
            figures.append(draw(scores[arm].made[i], title=f"{truth.formula}: {arm}, {said}"))
    return Section(
        "Predictions beside the truth",
        ["The first test crystals, and for each the first prediction. Cells are primitive, and may be written in another basis."],
        figures=figures,
    )


def _number(value: float) -> float | None:
    return None if math.isnan(value) else value
