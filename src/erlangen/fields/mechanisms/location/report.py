"""The answer for people: which place, what it costs, what is guaranteed, and who could gain where nothing is."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from html import escape
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from erlangen.fields.mechanisms.axioms import AXIOMS, axiom
from erlangen.fields.mechanisms.location.geography import SAID, Projection
from erlangen.fields.mechanisms.location.manipulation import search_manipulation
from erlangen.fields.mechanisms.location.mechanism import Mechanism
from erlangen.fields.mechanisms.location.optimum import LARGEST_GROUPING, Optimal, best_found
from erlangen.fields.mechanisms.location.order import EndPoint, Median
from erlangen.fields.mechanisms.location.pareto import LARGEST_PARTITION, dominated
from erlangen.fields.mechanisms.location.profiles import Objective, agent_costs, social_cost
from erlangen.fields.mechanisms.location.ratios import known_ratio
from erlangen.fields.mechanisms.location.witness import Dominated, Manipulation
from erlangen.reporting import Figure, KeyNumber, Outcome, Section, Table, scatter

#: People whose false reports are tried, and places for whom they are, so that an answer comes at once.
MOST_TRIED, MOST_GROUPED = 40, 7
GLOSSARY = {a.name: f"{a.title}: {a.says}" for a in AXIOMS if "location" in a.of}


@dataclass(frozen=True, eq=False)
class Located:
    """What was asked, and what was found.

    Attributes:
        names: of the people.
        columns: of the coordinates.
        x: where they are, ``[n, d]``, in kilometres where the table was in degrees.
        projection: of degrees, else None.
        objective, norm: as asked.
        rule: the rule that was used.
        honest: whether it is one under which nobody gains by a false report.
        places, best: the rule's places and the best ones, ``[k, d]``.
        costs: of each, with the rule's places.
        total, least: what all pay, by the objective: with the rule's places, and with the best.
        proven: whether the best are proven to be.
        better: another outcome that is worse for nobody, if there is one; ``optimal`` is None where that was not decided.
        gain: somebody who would gain by a false report if the best places were taken, if one was found.
        tried: how many reports were tried for that.
    """

    names: Sequence[str]
    columns: Sequence[str]
    x: np.ndarray
    projection: Projection | None
    objective: Objective
    norm: float
    rule: Mechanism
    honest: bool
    places: np.ndarray
    best: np.ndarray
    costs: np.ndarray
    total: float
    least: float
    proven: bool
    optimal: bool | None
    better: Dominated | None
    gain: Manipulation | None
    tried: int

    @property
    def unit(self) -> str:
        return " km" if self.projection is not None else ""

    def pays(self, *costs: float) -> tuple[str, ...]:
        """Costs with their unit, with as many digits as tell them apart."""
        nothing = 1e-9 * float(np.ptp(self.x, axis=0).max(initial=0.0))
        for digits in (6, 9, 12):
            said = tuple("nothing" if cost <= nothing else f"{cost:.{digits}g}{self.unit}" for cost in costs)
            if len(set(said)) == len(said):
                break
        return said

    def shown(self, place: np.ndarray) -> str:
        """A place as the table writes places."""
        values = self.projection.to_degrees(place) if self.projection is not None else place
        values = np.where(np.abs(values) < 1e-12 * np.abs(self.x).max(initial=1e-300), 0.0, values)
        digits = 4 if self.projection is not None else 6
        return ", ".join(
            f"{name} {value:.{digits}f}" if self.projection is not None else f"{name} {value:.{digits}g}"
            for name, value in zip(self.columns, values, strict=True)
        )


def located(
    x: Float[np.ndarray, "n d"],
    names: Sequence[str],
    columns: Sequence[str],
    k: int = 1,
    norm: float = 2,
    objective: Objective = "total",
    projection: Projection | None = None,
    seed: int = 0,
) -> Located:
    """The places of the rule that is honest, where one is known: the coordinate-wise median of one place, the end points of two on a line.

    Of several places elsewhere none is known, and the best are taken.
    """
    points = torch.from_numpy(np.asarray(x, dtype=np.float64))
    n, d = points.shape
    best, least, proven = best_found(points, k, objective, norm, seed=seed)
    if k == 1:
        rule: Mechanism = Median()
    elif k == 2 and d == 1:
        rule = EndPoint()
    else:
        rule = Optimal(k, objective, norm)
    honest = not isinstance(rule, Optimal) or k >= n
    places = best if isinstance(rule, Optimal) else rule(points)
    costs = agent_costs(points, places, norm)
    decided = k == 1 or n <= LARGEST_PARTITION
    bad, better = dominated(points[None], places[None], norm) if decided else (torch.tensor([False]), places[None])
    witness = None
    if bool(bad[0]):
        witness = Dominated(
            points.numpy(), places.numpy(), better[0].numpy(), costs.numpy(), agent_costs(points, better[0], norm).numpy()
        )
    gain, tried = None, 0
    planner: Mechanism = Optimal(k, objective, norm)
    if projection is not None:
        planner = _OnEarth(planner, projection)
    if k < n and n <= (MOST_TRIED if k == 1 else min(MOST_GROUPED, LARGEST_GROUPING)):
        gain, tried = search_manipulation(
            planner, points[None], norm, torch.Generator().manual_seed(seed), refine=2 if k == 1 else 0
        )
        if gain is not None and projection is not None:
            gain = replace(gain, reports=projection.on_earth(gain.reports))
    return Located(
        names, columns, points.numpy(), projection, objective, norm, rule, honest, places.numpy(), best.numpy(), costs.numpy(),
        float(social_cost(costs, objective)), least, proven, None if not decided else not bool(bad[0]), witness, gain, tried,
    )  # fmt: skip


class _OnEarth(Mechanism):
    """A rule that takes a report from beyond a pole, or from beyond half a turn, for one from there."""

    def __init__(self, rule: Mechanism, projection: Projection) -> None:
        self.rule, self.projection, self.name, self.k = rule, projection, rule.name, rule.k

    def locate(self, x: Float[Tensor, "*batch n d"]) -> Float[Tensor, "*batch k d"]:
        return self.rule.locate(torch.from_numpy(self.projection.on_earth(x.numpy())).to(x))


def in_words(found: Located) -> str:
    """The answer in sentences, the places first."""
    k, unit = len(found.places), found.unit
    where = "; ".join(dict.fromkeys(found.shown(place) for place in found.places))
    what = "all together go" if found.objective == "total" else "who goes farthest goes"
    possible = "the least possible" if found.proven else "the least found"
    far = int(found.costs.argmax())
    farthest = f"; {found.names[far]} goes farthest, {found.costs[far]:.6g}{unit}" if len(found.names) > 1 else ""
    if found.pays(found.costs[far])[0] == "nothing":
        price, farthest = "nobody has to go anywhere", ""
    elif found.total <= found.least * (1 + 1e-9):
        price = f"{what} {found.total:.6g}{unit}, which is {possible}"
    elif found.pays(found.least)[0] == "nothing":
        price = f"{what} {found.total:.6g}{unit}; {possible} is nothing"
    else:
        more = f"{100 * (found.total / found.least - 1):.3g}%"
        price = f"{what} {found.total:.6g}{unit}, {more} more than {possible}, {found.pays(found.least, found.total)[0]}"
    head = f"The place{'s' if k > 1 else ''}: {where}. {price[0].upper()}{price[1:]}{farthest}."
    return f"{head} {promise(found)} {efficiency(found)}{temptation(found)}".strip()


def promise(found: Located) -> str:
    """What is guaranteed, whoever is where."""
    n, d = found.x.shape
    if not found.honest:
        wide = "no rule is known here that is fair to all names, wastes nothing and rewards no false report"
        if d == 2 and found.norm == 2 and len(found.places) == 2:
            wide += " (for three people on a grid of 5 by 4 points it is proven that there is none)"
        best = "the best places" if found.proven else "the best places that were found"
        return f"These are {best} for what people report, and who is who does not matter; but {wide}."
    how = "the middle of all, coordinate by coordinate" if isinstance(found.rule, Median) else "the two ends"
    if len(found.places) >= n:
        return "Guaranteed: everybody has a place of their own."
    says = [axiom("SP").says, axiom("ANON").says]
    ratio = known_ratio(found.rule, n, d, found.objective, found.norm)
    limit = f"; and it never costs more than {ratio:.4g} times the least possible" if ratio is not None and ratio > 1 else ""
    return f"Guaranteed, whoever is where: {says[0]}; {says[1]}{limit}. The rule: {how}."


def efficiency(found: Located) -> str:
    """Whether another outcome would be better for somebody and worse for nobody."""
    if found.optimal is None:
        known = found.rule.properties.get("PO")
        taken = found.proven or not isinstance(found.rule, Optimal)
        if taken and known is not None and known.holds(len(found.x), found.x.shape[1], found.norm):
            return "Known of this rule: nothing else would be better for somebody and worse for nobody."
        return ""
    if found.optimal:
        return "Checked here: nothing else would be better for somebody and worse for nobody."
    assert found.better is not None
    gains = found.better.costs - found.better.better_costs
    who = int(gains.argmax())
    other = "; ".join(found.shown(place) for place in found.better.better)
    then, now = found.pays(found.better.better_costs[who], found.better.costs[who])
    return (
        f"What {'it does' if len(found.places) == 1 else 'they do'} not do: {other} would be worse for nobody, "
        f"and {found.names[who]} would pay {then} in place of {now}."
    )


def temptation(found: Located) -> str:
    """Who could gain by a false report, were the best places taken for what people report."""
    if found.gain is None:
        return ""
    best = "; ".join(found.shown(place) for place in found.best)
    (agent,) = found.gain.agents
    instead = f"The best place{'s' if len(found.best) > 1 else ''} ({best})" if found.honest else "These places"
    then, now = found.pays(found.gain.costs_after[0], found.gain.costs_before[0])
    return (
        f" {instead} cannot be had so safely: if {'it was' if len(found.best) == 1 else 'they were'} taken, "
        f"{found.names[agent]} could report {found.shown(found.gain.reports[0])} "
        f"and pay {then} in place of {now}."
    )


def on_a_plane(found: Located) -> str:
    """What kilometres mean, and how far they are off on the globe: between people, and from people to places."""
    assert found.projection is not None
    people, places = (found.projection.to_degrees(points) for points in (found.x, found.places))
    some = people[:: max(1, len(people) // 300)]
    off = max(found.projection.off(people, places), found.projection.off(some, some))
    more = f"; on the globe some differ by {100 * off:.2g}%" if off > SAID else ""
    return f"Latitudes and longitudes are taken for degrees; distances are kilometres on a plane through their middle{more}."


def locate_outcome(found: Located, config: Mapping[str, Any], seconds: float) -> Outcome:
    """The report of one table."""
    n, k = len(found.names), len(found.places)
    order = np.argsort(-found.costs)
    nearest = np.linalg.norm(found.x[:, None] - found.places, ord=found.norm, axis=-1).argmin(1)
    rows = [[found.names[i], *([f"place {nearest[i] + 1}"] if k > 1 else []), float(found.costs[i])] for i in order[:200]]
    distance = f"distance{f' in{found.unit}' if found.unit else ''}"
    unit = found.unit.strip()
    notes = [on_a_plane(found)] if found.projection is not None else []
    sections = [
        Section(
            "Where",
            notes,
            tables=[
                Table(
                    "Places",
                    ["place", *found.columns],
                    [
                        [f"place {i + 1}" if k > 1 else "the place", *map(float, row)]
                        for i, row in enumerate(_table(found, found.places))
                    ],
                ),
                Table(
                    "How far each goes", ["person", *(["to"] if k > 1 else []), distance], rows,
                    caption="" if n <= 200 else f"The 200 who go farthest, of {n}.",
                ),
            ],
            figures=[_map(found)],
        ),
        Section(
            "What is guaranteed",
            [
                promise(found),
                efficiency(found) or "Whether something else is worse for nobody was not decided.",
                temptation(found).strip()
                or (
                    f"No false report that pays was found among {found.tried} that were tried with the best places."
                    if found.tried
                    else "No false report was looked for."
                ),
            ],
        ),
    ]  # fmt: skip
    metrics = {
        "places": _table(found, found.places).tolist(),
        "best": _table(found, found.best).tolist(),
        "columns": list(found.columns),
        "cost": found.total,
        "least": found.least,
        "proven": found.proven,
        "costs": dict(zip(found.names, found.costs.tolist(), strict=True)),
        "rule": found.rule.name,
        "nobody gains by a false report": found.honest,
        "nothing else is worse for nobody": found.optimal,
        "false reports tried": found.tried,
        "manipulation": None
        if found.gain is None
        else {
            "who": found.names[found.gain.agents[0]],
            "reports": _table(found, found.gain.reports)[0].tolist(),
            "pays": float(found.gain.costs_after[0]),
            "in place of": float(found.gain.costs_before[0]),
        },
    }
    numbers = [
        KeyNumber("all together" if found.objective == "total" else "who goes farthest", found.total, unit),
        KeyNumber("the least possible" if found.proven else "the least found", found.least, unit),
        KeyNumber("who goes farthest", float(found.costs.max()), unit, note=str(found.names[int(found.costs.argmax())])),
    ]
    title = f"{'One place' if k == 1 else f'{k} places'} for {n} {'people' if n > 1 else 'person'}"
    return Outcome(
        "locate", title, config, metrics=metrics, sections=sections, seconds=seconds, key_numbers=numbers, glossary=GLOSSARY,
        answer=in_words(found),
    )  # fmt: skip


def _table(found: Located, places: np.ndarray) -> np.ndarray:
    """Places in the table's own coordinates."""
    return found.projection.to_degrees(places) if found.projection is not None else places


def _map(found: Located) -> Figure:
    """People, the places, and the best ones: the first two coordinates."""
    groups = {"people": found.x, "the rule's place" + ("s" if len(found.places) > 1 else ""): found.places}
    if found.total > found.least * (1 + 1e-9):
        groups["least cost"] = found.best
    shown: dict[str, np.ndarray] = {}
    for name, points in groups.items():
        values = _table(found, points)
        if found.projection is not None:
            values = found.projection.to_plane(values)
        shown[name] = values[:, :2] if values.shape[1] > 1 else np.column_stack([values, np.zeros(len(values))])
    columns = ["kilometres to the east", "kilometres to the north"] if found.projection is not None else list(found.columns)
    figure = scatter(
        {name: (values[:, 0], values[:, 1]) for name, values in shown.items()}, title="Who is where",
        x_label=columns[0], y_label=columns[1] if len(columns) > 1 else "", equal=len(columns) > 1,
        caption="" if len(columns) <= 2 else f"The first two of {len(columns)} coordinates.",
    )  # fmt: skip
    drawn = figure.plotly_figure
    people = drawn.data[0]
    people.text = [escape(str(name), quote=False) for name in found.names[:: max(1, math.ceil(len(found.names) / len(people.x)))]]
    people.hovertemplate, people.cliponaxis = "%{text}<extra></extra>", False
    drawn.update_layout(height=460)
    if len(found.names) <= 30:
        people.mode, people.textposition, people.textfont = "markers+text", "top center", {"size": 11}
    for trace, size in zip(drawn.data[1:], (16, 12), strict=False):
        trace.marker.size, trace.marker.opacity = size, 0.95
    if found.x.shape[1] == 1:
        drawn.update_yaxes(visible=False)
        drawn.update_layout(height=220)
    return figure


def places_table(found: Located) -> str:
    """The places as the text of a CSV file, in the table's own coordinates."""
    stream = io.StringIO()
    writer = csv.writer(stream)
    writer.writerow(["place", *found.columns])
    for i, row in enumerate(_table(found, found.places)):
        writer.writerow([i + 1, *(repr(float(v)) for v in row)])
    return stream.getvalue()
