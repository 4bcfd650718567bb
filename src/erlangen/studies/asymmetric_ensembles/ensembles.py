"""Deep ensembles of plain and of asymmetric networks on tables: gains, disagreement, averaged weights."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from erlangen.errors import ArgumentError
from erlangen.parallel import run_jobs
from erlangen.reporting import Claim, Line, PlusMinus, Rival, Section, Table, bars_with_error, format_number, lines_with_band, plain
from erlangen.studies.asymmetric_ensembles.arms import FAMILIES, Arm, learn, score
from erlangen.studies.asymmetric_ensembles.gains import draws, improvement, scores, with_error
from erlangen.studies.asymmetric_ensembles.study import SOURCE, Config
from erlangen.studies.base import Part

PLAIN, SHARED, OWN = FAMILIES
PAPER = "arXiv:2502.17391, figures, five tables, hidden width 64, 16 members"
#: Points of accuracy by which a single asymmetric network may be ahead and still be called no better; of an RMSE, percent.
SLACK = 0.3


@dataclass(frozen=True)
class Measured:
    """All arms of one table at one width, and what follows from them.

    Attributes:
        arms: by family.
        boosted: of boosted trees.
        weights: rows drawn anew, the same for all.
    """

    name: str
    arms: dict[str, dict[str, Any]]
    boosted: dict[str, Any]
    weights: np.ndarray

    @property
    def task(self) -> str:
        return str(self.arms[PLAIN]["task"])

    def gain(self, family: str, kept: str = "last") -> np.ndarray:
        """Percent by which the ensemble is better than its members, for all draws."""
        arm = self.arms[family][kept]
        return improvement(arm["members"], arm["ensemble"], self.task, self.weights)

    def whole(self, family: str) -> np.ndarray:
        """Scores of the ensemble, the larger the better, for all draws."""
        return self._up(scores(self.arms[family]["last"]["ensemble"], self.task, self.weights))

    def single(self, family: str) -> np.ndarray:
        """Scores of its members on average."""
        return self._up(scores(self.arms[family]["last"]["members"], self.task, self.weights).mean(1))

    def trees(self) -> np.ndarray:
        return self._up(scores(self.boosted["errors"], self.task, self.weights))

    def disagreement(self, family: str) -> float:
        return float(self.arms[family]["last"]["curve"][-1]["disagreement"])

    def averaged(self, family: str, way: str = "as they are") -> np.ndarray:
        """Scores of the averages of two members, pair by pair."""
        return self._up(np.array(self.arms[family]["averages"][way]["two"]))

    def _up(self, values: np.ndarray) -> np.ndarray:
        return values if self.task == "classification" else -values


def run(config: Config, quiet: bool) -> Part:
    """Train every family on every table."""
    if config.members < 2:
        raise ArgumentError("members", "at least 2", repr(config.members))
    if config.pairs < 1:
        raise ArgumentError("pairs", "at least 1", repr(config.pairs))
    if not config.tables:
        raise ArgumentError("tables", "at least one table", "none")
    widths = (64, 128, 256) if config.full else (config.width,)
    jobs = [Arm(name, family, width, config) for width in widths for name in config.tables for family in (*FAMILIES, None)]
    found = run_jobs(learn, jobs, jobs=config.jobs, description="" if quiet else "ensembles")
    every = []
    for width in widths:
        for name in config.tables:
            here = {job.family: result for job, result in zip(jobs, found) if (job.table, job.width) == (name, width)}
            boosted = here.pop(None)
            label = name if len(widths) == 1 else f"{name}, h = {width}"
            every.append(Measured(label, {str(k): v for k, v in here.items()}, boosted, draws(len(boosted["errors"]), config.seed)))
    members = every[0].arms[PLAIN]["sizes"][-1]
    scale = f"{len(every)} tables, {members} members, width {'/'.join(map(str, widths))}, one division each"
    sections = [_scores(every, members), _curves(every), _averages(every)]
    gains: dict[str, float] = {family: float(np.mean([m.gain(family)[0] for m in every])) for family in FAMILIES}
    answer = (
        f"Over {len(every)} tables an ensemble of {members} is {gains[PLAIN]:.2f} % better than its members for plain networks, "
        f"{gains[SHARED]:.2f} % with a shared mask, {gains[OWN]:.2f} % with own masks. In absolute terms the best ensemble is "
        + ", ".join(f"{max(FAMILIES, key=lambda f: m.whole(f)[0])} on {m.name}" for m in every)
        + "."
    )
    return Part(_claims(every, gains, scale), sections, _numbers(every), answer, rivals=[_rival(m, scale) for m in every])


def _rival(m: Measured, scale: str) -> Rival:
    """The best ensemble of a table beside boosted trees, with standard errors over test rows."""
    family = max(FAMILIES, key=lambda f: float(m.whole(f)[0]))
    sign = 1 if m.task == "classification" else -1
    # Both see the same rows: what counts is the spread of the difference.
    level = with_error(m.whole(family) - m.trees())[1]
    return Rival(
        f"boosted trees on {m.name}",
        f"the best ensemble ({family})",
        "test accuracy" if sign > 0 else "test RMSE",
        float(sign * m.whole(family)[0]),
        float(sign * m.trees()[0]),
        "higher" if sign > 0 else "lower",
        seconds=m.arms[family]["seconds"],
        rival_seconds=m.boosted["seconds"],
        settings=f"{m.boosted['trees']} trees, their number chosen on the validation rows",
        scale=scale,
        note="the best of three families on the test rows, which favours it; level within a standard error over test rows",
        level=level,
    )


def _claims(every: list[Measured], gains: dict[str, float], scale: str) -> list[Claim]:
    most = min(3, len(every))
    claims = []
    for family in (SHARED, OWN):
        differences = {m.name: with_error(m.gain(family) - m.gain(PLAIN)) for m in every}
        larger = sum(d > 0 for d, _ in differences.values())
        claims.append(
            Claim(
                f"{family}: the ensemble gains more over its members than that of plain ones on at least {most} of {len(every)} tables",
                "2.04 % against 1.17 %, mean of five tables", f"{larger} of {len(every)}, {gains[family]:.2f} % on average",
                larger >= most, f"{gains[PLAIN]:.2f} %", scale, note=_beyond(differences, " %"), source=PAPER, key="gain",
            )
        )  # fmt: skip
    single = {m.name: with_error(m.single(SHARED) - m.single(PLAIN)) for m in every}
    slack = {m.name: SLACK / 100 * (1 if m.task == "classification" else abs(m.single(PLAIN)[0])) for m in every}
    claims.append(
        Claim(
            "a single network with a shared mask is no better than a plain one (0.3 points of accuracy or 0.3 % of the RMSE allowed)",
            "worse on all five", f"{sum(d <= slack[n] for n, (d, _) in single.items())} of {len(every)}",
            all(d <= slack[n] for n, (d, _) in single.items()), scale=scale, note=_beyond(single), source=PAPER, key="single",
        )
    )  # fmt: skip
    for family in (SHARED, OWN):
        whole = {m.name: with_error(m.whole(family) - m.whole(PLAIN)) for m in every}
        better = sum(d > 0 for d, _ in whole.values())
        claims.append(
            Claim(
                f"{family}: the ensemble is better in absolute terms on some tables, and not on all",
                "better on 3 of 5", f"{better} of {len(every)}", 0 < better < len(every), scale=scale, note=_beyond(whole),
                source=PAPER, key="absolute",
            )
        )  # fmt: skip
    apart = sum(min(m.disagreement(SHARED), m.disagreement(OWN)) > m.disagreement(PLAIN) for m in every)
    claims.append(
        Claim(
            "members with masks disagree more than plain ones on every table, shared or own",
            None, f"{apart} of {len(every)}", apart == len(every), scale=scale, key="disagreement",
        )
    )  # fmt: skip
    claims += _claims_of_averages(every, most, scale)
    shrunk = {f"{m.name}, {family}": with_error(m.gain(family) - m.gain(family, "best")) for m in every for family in FAMILIES}
    larger = sum(d > 0 for d, _ in shrunk.values())
    claims.append(
        Claim(
            "the gain is larger with the last weights than with those of the lowest validation loss, on most tables and families",
            None, f"{larger} of {len(shrunk)}", larger > len(shrunk) / 2, scale=scale, note=_beyond(shrunk, " %"), key="last",
        )
    )  # fmt: skip
    best = {m.name: max(((f, with_error(m.whole(f) - m.trees())) for f in FAMILIES), key=lambda pair: pair[1][0]) for m in every}
    ahead = sum(d >= 0 for _, (d, _) in best.values())
    note = "the best of three families, chosen on the test rows, which favours it; " + _beyond({n: v for n, (_, v) in best.items()})
    claims.append(
        Claim(
            "the best ensemble is at least as good as boosted trees on every table",
            None, f"{ahead} of {len(every)}", ahead == len(every), scale=scale, note=note, key="boosting",
        )
    )  # fmt: skip
    return claims


def _claims_of_averages(every: list[Measured], most: int, scale: str) -> list[Claim]:
    def over_pairs(
        better: Callable[[Measured], np.ndarray], worse: Callable[[Measured], np.ndarray]
    ) -> dict[str, tuple[float, float]]:
        found = {}
        for m in every:
            a, b = better(m), worse(m)
            spread = float(np.sqrt((a.var(ddof=1) + b.var(ddof=1)) / len(a))) if len(a) > 1 else float("nan")
            found[m.name] = (float(a.mean() - b.mean()), spread)
        return found

    masks = over_pairs(lambda m: m.averaged(SHARED), lambda m: m.averaged(PLAIN))
    matched = over_pairs(lambda m: m.averaged(PLAIN, "weights matched"), lambda m: m.averaged(SHARED))
    counts = [sum(d >= 0 for d, _ in found.values()) for found in (masks, matched)]
    return [
        Claim(
            f"the mean of two members' weights is at least as good with a shared mask as of plain ones, on {most} of {len(every)} tables",
            None, f"{counts[0]} of {len(every)}", counts[0] >= most, scale=scale, note=_beyond(masks), key="average",
        ),
        Claim(
            f"that of plain members whose weights are matched first is at least as good, on {most} of {len(every)} tables",
            None, f"{counts[1]} of {len(every)}", counts[1] >= most, scale=scale, note=_beyond(matched), key="matching",
        ),
    ]  # fmt: skip


def _beyond(differences: dict[str, tuple[float, float]], unit: str = "") -> str:
    """The differences with their standard errors, and how many are more than two of these from zero.

    Of a single repetition (one pair of members) there is no standard error, and nothing is counted.
    """
    known = [(d, e) for d, e in differences.values() if not math.isnan(e)]
    clear = sum(abs(d) > 2 * e for d, e in known)
    words = f"{clear} of {len(known)} beyond two standard errors" if known else "of one pair each, without standard errors"
    if len(differences) > 6:
        return words
    shown = (
        f"{name} {'+' * (d > 0)}{format_number(d) if math.isnan(e) else PlusMinus(d, e)}{unit}"
        for name, (d, e) in differences.items()
    )
    return f"{', '.join(shown)}; {words}"


def _scores(every: list[Measured], members: int) -> Section:
    rows = []
    sizes = sorted({1, 2, members})
    for m in every:
        for family in FAMILIES:
            arm = m.arms[family]
            for kept in ("last", "best"):
                curve = arm[kept]["curve"]
                gain = with_error(m.gain(family, kept))
                rows.append(
                    [m.name, family, kept, *(p["score"] for p in curve if p["size"] in sizes), PlusMinus(*gain),
                     curve[-1]["disagreement"], *(curve[-1][key] if m.task == "classification" else "" for key in ("nll", "ece"))]
                )  # fmt: skip
        rows.append([m.name, "boosted trees", "", score(m.boosted["errors"], m.task), *[""] * (len(sizes) + 3)])
    shown = [{1: "one", 2: "two"}.get(size, str(size)) for size in sizes]
    columns = ["table", "members", "weights", *shown, f"gain of {members}, %", "disagreement", "NLL", "calibration error"]
    caption = (
        "Accuracy, for diamonds the RMSE of the logarithm of the price. Gains relative to the members' mean, ± a standard error over "
        "test rows drawn anew. Disagreement: share of pairs that name different classes; of diamonds the members' spread."
    )
    text = f"Networks and recipe: {SOURCE}. Early stopping looks at validation rows, never at test rows."
    return Section("Ensembles", [text], [Table("Scores on test rows", columns, rows, caption)])


def _curves(every: list[Measured]) -> Section:
    figures = []
    for m in every:
        lines: dict[str, Line] = {}
        for family in FAMILIES:
            arm = m.arms[family]
            lines[family] = Line(arm["sizes"], [p["improvement"] for p in arm["last"]["curve"]])
        figures.append(
            lines_with_band(
                lines, title=f"What an ensemble gains on {m.name}", x_label="members", y_label="better than one member, %",
                caption="Last weights; means over groups of members.",
            )
        )  # fmt: skip
    return Section("Gains", [], [], figures)


def _averages(every: list[Measured]) -> Section:
    rows = []
    ways = [(PLAIN, way) for way in ("as they are", "weights matched", "activations matched")] + [
        (SHARED, "as they are"),
        (OWN, "as they are"),
    ]
    values: dict[str, list[float]] = {}
    errors: dict[str, list[float]] = {}
    for m in every:
        for family, way in ways:
            found = m.arms[family]["averages"][way]
            two, walls = np.array(found["two"]), np.array(found["barrier"])
            spread = float(two.std(ddof=1) / len(two) ** 0.5) if len(two) > 1 else float("nan")
            single = m.arms[family]["last"]["curve"][0]["score"]
            mean = float(two.mean())
            rows.append(
                [
                    m.name,
                    family,
                    way,
                    single,
                    PlusMinus(mean, spread) if len(two) > 1 else mean,
                    float(walls.mean()),
                    found["all"][0],
                ]
            )
            if m.task == "classification":
                name = f"{family}, {way}"
                values.setdefault(name, []).append(mean)
                errors.setdefault(name, []).append(spread)
    columns = ["table", "members", "brought together", "one member", "mean of two", "barrier", "mean of all"]
    caption = (
        "Scores of networks whose weights are means, ± a standard error over pairs of members; the barrier of the test loss on the line "
        "between two. Of members with masks of their own the weights they compute with are averaged: the mean keeps neither mask."
    )
    figures = []
    if values:
        names = [m.name for m in every if m.task == "classification"]
        title = "Accuracy of the mean of two networks"
        figures = [
            bars_with_error(names, values, errors, title=title, y_label="accuracy", caption="± a standard error over pairs.")
            if len(two) > 1
            else bars_with_error(names, values, title=title, y_label="accuracy", caption="One pair of members each.")
        ]
    return Section("Averaged weights", [], [Table("Means of weights", columns, rows, caption)], figures)


def _numbers(every: list[Measured]) -> dict[str, Any]:
    """Everything measured, without rows."""
    numbers: dict[str, Any] = plain(
        {
            m.name: {
                "boosted": score(m.boosted["errors"], m.task),
                "trees": m.boosted["trees"],
                **{
                    family: {
                        "epochs": arm["epochs"],
                        "averages": arm["averages"],
                        **{
                            kept: {"curve": arm[kept]["curve"], "gain": with_error(m.gain(family, kept))}
                            for kept in ("last", "best")
                        },
                    }
                    for family, arm in m.arms.items()
                },
            }
            for m in every
        }
    )
    return numbers
