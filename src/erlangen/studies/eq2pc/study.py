"""The study of structures with one two-point correlation: counting, children, properties, crystals."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np

from erlangen.errors import ArgumentError, ErlangenError
from erlangen.fields import microstructures as micro
from erlangen.fields.microstructures.report import GLOSSARY, draw
from erlangen.parallel import one_thread
from erlangen.reporting import (
    RIVAL,
    RIVAL_CLAIM,
    Claim,
    Claims,
    Crossover,
    KeyNumber,
    Line,
    Outcome,
    Rival,
    Section,
    Table,
    lines_with_band,
    plain,
    repeated,
)
from erlangen.studies.base import Study
from erlangen.studies.eq2pc.bixbyites import Bixbyite, bixbyites
from erlangen.studies.eq2pc.counting import LOOKED_AT, RINGS, Brute, Child, Row, children, count, race
from erlangen.studies.eq2pc.properties import Annealed, Homogenised, Regression, annealed, conductivities, expansion, regression

SOURCE = "Fernandez & Fritzen, Proc. R. Soc. A 476 (2020) 20200568, arXiv:2002.01234"
PAULING = "Pauling & Shappell, Z. Krist. 75 (1930) 128"
#: What the table of searches shows.
COUNTED = (
    "Orbits of structures under the relations; different correlations among them, up to relations; those that several orbits share, and "
    "those of these that no exchange of phases explains. Of representatives: the correlations that are different when the least member of "
    "each orbit is looked at alone. Under reflections these are more, for a mirror image has another correlation."
)
#: What predicts conductivities, by the field of its error.
PREDICTED = {
    "nothing (the mean)": "mean",
    "two-point correlations, ridge": "second",
    "any function of them, at best": "floor",
    "bispectra as well, ridge": "third",
}


@dataclass(frozen=True)
class Config:
    """Everything the study computes is exact or deterministic but for annealing and the division of the regression."""

    full: bool = False
    """Searches of up to 20 million structures, and finer meshes."""
    samples: int = 20
    """Annealing runs on the small root."""
    crystals: int = 0
    """Bixbyites, at most; 0: all. They come from a file of 38 MB that is fetched once."""
    seeds: int = 3
    """Of kernels and divisions: claims hold with each."""
    seed: int = 0
    """The first of these, and that of annealing."""


def run(config: Config, *, quiet: bool = False) -> Outcome:
    """Count, make children, homogenise, anneal, regress; build the mates of real crystals."""
    if config.seeds < 1:
        raise ArgumentError("seeds", "at least one", repr(config.seeds))
    started = time.perf_counter()
    left_out: dict[str, str] = {}
    with one_thread():
        rows = count(config.full, quiet)
        curve, brute = race(LOOKED_AT)
        made = children(range(config.seed, config.seed + config.seeds))
        root = micro.search_roots((4, 3), (5,)).roots[0].members
        large = micro.factor_roots((16, 16), seed=config.seed)
        homogenised, orders = conductivities(root, config.full), expansion(root)
        walks = {
            "4 x 3, 5 sites": annealed(root, config.samples, 1000, config.seed),
            "16 x 16, by factors": annealed(np.stack(list(large)), 2, 4000, config.seed),
        }
        learned = regression((4, 4), 6, range(config.seed, config.seed + config.seeds), quiet)
        try:
            crystals = bixbyites(config.crystals or None, quiet)
        except (ErlangenError, OSError) as problem:  # no file, or an engine is missing
            crystals = []
            left_out |= dict.fromkeys(("homometric", "contacts", "energies"), f"{type(problem).__name__}: {problem}")
    if crystals and crystals[0].energy is None:
        left_out["energies"] = "CHGNet is not installed: pip install 'erlangen[chgnet]'"
    claims = [*_counting_claims(rows, made), *_property_claims(homogenised, orders, walks, learned), *_crystal_claims(crystals)]
    by_contrast = {h.contrast: h for h in homogenised if h.refine == 8}
    ratio = max(
        by_contrast[100.0].second[1] / by_contrast[100.0].first[1], by_contrast[100.0].first[1] / by_contrast[100.0].second[1]
    )
    return Outcome(
        name="eq2pc", title="Different structures with one two-point correlation", config=config, claims=Claims(claims), left_out=left_out,
        metrics=plain({
            "searches": [r._asdict() for r in rows], "children": [c._asdict() for c in made], "expansion": orders,
            "conductivities": [h._asdict() for h in homogenised], "annealing": {k: w._asdict() for k, w in walks.items()},
            "regression": [one._asdict() for one in learned], "bixbyites": [b._asdict() for b in crystals],
            "brute force": [one._asdict() for one in brute], "crossover": curve.as_dict(),
        }),
        sections=[*_sections(rows, made, root, homogenised, orders, walks, learned, crystals), curve.section()],
        seconds=time.perf_counter() - started,
        rivals=[_rival(brute[-1], curve)],
        answer=f"Two-point correlations do not determine a structure: at contrast 100 two that share them differ {ratio:.2g}-fold in "
        "their conductivity along one axis.",
        key_numbers=[
            KeyNumber("classes of Z_16 with several members", next(r.found[2] for r in rows if r.sizes == (16,))),
            KeyNumber("conductivities of mates, ratio", ratio, note="4 x 3 root, contrast 100"),
            KeyNumber("real crystals with a homometric mate", len(crystals)),
        ],
        glossary=GLOSSARY,
    )  # fmt: skip


def _rival(brute: Brute, curve: Crossover) -> Rival:
    n, sites = brute.ring
    seconds, simple = (repeated(curve.curves[name][-1]) for name in (curve.method, *curve.rivals))
    alike = "both find" if brute.found == brute.searched else f"it finds {brute.found}, the search"
    return Rival(
        "looking at every structure with NumPy", "the search", f"CPU seconds for all classes of Z_{n} with {sites} sites",
        seconds, simple, "lower", unit="s", settings="no settings to choose",
        note="{} {} orbits, {} correlations, {} shared".format(alike, *brute.searched),
    )  # fmt: skip


def _counting_claims(rows: list[Row], made: list[Child]) -> list[Claim]:
    rings = {(r.sizes[0], r.counts[0]): r.found for r in rows if r.relations == "inversion"}
    good = sum(rings[key] == known for key, known in RINGS.items())
    four = next(r for r in rows if r.sizes == (4, 3) and r.counts == (6,))
    timed = [r for r in rows if r.official is not None]
    slowest = min((r.official or 0) / r.seconds for r in timed)
    return [
        Claim("classes of rings are as many as known", len(RINGS), good, good == len(RINGS), key="rings",
              scale=", ".join(f"Z_{n}, {k} sites" for n, k in RINGS), source="set classes and Z-relations of music theory"),
        Claim("reflections of axes: pairs are missed when one structure of each orbit is compared alone", None,
              four.of_representatives - four.found[1], four.found[1] < four.of_representatives, key="reflections",
              scale="4 x 3, 6 sites: classes with mates that are missed",
              note="a structure may share its correlations with a mirror image of another only"),
        Claim("all classes are known at least 20 times sooner than the official search has its first pair", 20.0, slowest, slowest >= 20,
              key="speed", scale="the four cases of the official notebooks; their printed times, another machine", source=SOURCE),
        Claim("children of equivalent structures are equivalent, exactly", len(made), sum(c.equivalent for c in made),
              all(c.equivalent for c in made), key="children", scale=_of_children(made), source=SOURCE),
        Claim("these children are not related either", len(made), sum(not c.related for c in made), not any(c.related for c in made),
              key="children", note="reflections of axes and translations"),
    ]  # fmt: skip


def _of_children(made: list[Child]) -> str:
    sizes = dict.fromkeys("x".join(map(str, c.shape)) for c in made)
    return f"{', '.join(sizes)}; {len({c.seed for c in made})} seeds of kernels and factors"


def _property_claims(
    homogenised: list[Homogenised], orders: list[tuple[float, float]], walks: dict[str, Annealed], learned: list[Regression]
) -> list[Claim]:
    hard = next(h for h in homogenised if h.contrast == 100.0 and h.refine == 8)
    ratio = max(a / b if a > b else b / a for a, b in zip(hard.first, hard.second))
    slope = np.log(orders[-2][1] / orders[-1][1]) / np.log(2) + 3
    small = walks["4 x 3, 5 sites"]
    second, third, floor = (repeated([getattr(one, what) for one in learned]) for what in ("second", "third", "floor"))
    fewest, most = min(one.judged for one in learned), max(one.judged for one in learned)
    judged = f"{fewest} to {most} structures with mates of {learned[0].structures} on 4 x 4, {len(learned)} divisions"
    return [
        Claim("mates have different effective conductivities", None, ratio, ratio > 2, key="conductivity", source=SOURCE,
              scale="4 x 3 root, contrast 100, 8 elements a site", note="the larger ratio along an axis"),
        Claim("they differ from the third order of the contrast on", 3.0, float(slope), abs(slope - 3) < 0.1, key="third-order",
              scale="contrasts 1.05 and 1.025", source="Milton, The Theory of Composites (2002): second order is fixed by the correlation"),
        Claim("a reconstruction that reaches the correlations may be the mate", None, small.mate, small.mate > 0, key="annealing",
              baseline=small.original, scale=f"{small.runs} runs on the 4 x 3 root", note="baseline: those that end on the original"),
        Claim("no function of two-point correlations predicts the conductivity of mates", None, second, key="regression", baseline=floor,
              holds=all(one.second >= one.floor for one in learned), scale=judged,
              note="root mean square error of ridge regression; baseline: the least of any function; with every seed"),
        Claim("bispectra predict beyond what any function of two-point correlations can", None, third, key="regression", baseline=floor,
              holds=all(one.third < one.floor for one in learned), scale=judged,
              note="root mean square error of ridge regression; baseline: the least of any function of two-point correlations; with "
              "every seed"),
    ]  # fmt: skip


def _crystal_claims(crystals: list[Bixbyite]) -> list[Claim]:
    if not crystals:
        return []
    worst = max(b.intensities for b in crystals)
    closer = sum(b.mate_nearest < b.nearest for b in crystals)
    scale = f"{len(crystals)} bixbyites A2B3, space group 206"
    claims = [
        Claim("the cations of bixbyites have a homometric mate", 0.0, worst, worst < 1e-10, key="homometric", scale=scale, source=PAULING,
              note="largest difference of |F(h)| of 729 h; not congruent"),
        Claim("the mates bring cations and anions nearer to one another", len(crystals), closer, closer == len(crystals), key="contacts",
              scale=scale),
    ]  # fmt: skip
    gaps = [b.mate_energy - b.energy for b in crystals if b.energy is not None and b.mate_energy is not None]
    if gaps:
        lower = sum(gap > 0 for gap in gaps)
        claims.append(
            Claim("the real structure is the lower in energy", len(gaps), lower, lower >= len(gaps) - 1, key="energies", scale=scale,
                  note=f"CHGNet, unrelaxed; smallest gap {min(gaps):.3f} eV per atom")
        )  # fmt: skip
    return claims


def _sections(
    rows: list[Row], made: list[Child], root: np.ndarray, homogenised: list[Homogenised], orders: list[tuple[float, float]],
    walks: dict[str, Annealed], learned: list[Regression], crystals: list[Bixbyite],
) -> list[Section]:  # fmt: skip
    searches = [
        [
            "x".join(map(str, r.sizes)),
            ", ".join(map(str, r.counts)),
            r.relations,
            *r.found,
            r.of_representatives,
            r.structures,
            r.seconds,
            r.official,
        ]
        for r in rows
    ]
    finest = max(h.refine for h in homogenised)
    line = Line([d for d, _ in orders], [g for _, g in orders])
    heads = [
        "grid",
        "sites",
        "relations",
        "orbits",
        "correlations",
        "shared",
        "unexplained",
        "of representatives",
        "structures",
        "s",
        "official, s",
    ]
    said = {True: "yes", False: "no"}
    shapes = [["x".join(map(str, c.shape)), c.phases, c.seed, said[c.equivalent], said[c.related], c.made, c.checked] for c in made]
    difference = lines_with_band(
        {"difference over the cube": line}, title="Differences of mates at small contrast", log_x=True,
        caption="The largest difference of both conductivities over the cube of the contrast less one: it tends to a number.",
        x_label="contrast less one", y_label="largest difference / (contrast less one)^3",
    )  # fmt: skip
    along = ["contrast", "elements", "first, axis 0", "axis 1", "second, axis 0", "axis 1"]
    tables = [
        Table("Effective conductivity along both axes", along,
              [[h.contrast, h.refine, *h.first, *h.second] for h in homogenised if h.refine in (8, finest)]),
        Table("Annealing to the correlations of one mate", ["pair", "runs", "original", "mate", "neither", "residual of the rest"],
              [[name, *w] for name, w in walks.items()]),
        Table("Predicting the conductivity of structures with mates", ["from", "root mean square error"],
              [[name, repeated([getattr(one, what) for one in learned])] for name, what in PREDICTED.items()]),
    ]  # fmt: skip
    found = [
        Section("How many classes", [COUNTED], tables=[Table("Searches", heads, searches)]),
        Section(
            "Children",
            tables=[Table("Made", ["shape", "phases", "seed", "equivalent", "related", "made, s", "checked, s"], shapes)],
        ),
        Section(
            "Properties",
            figures=[
                draw(
                    {"first": root[0], "second": root[1]}, "The 4 x 3 root", "Two structures with the same two-point correlations."
                ),
                difference,
            ],
            tables=tables,
        ),
    ]
    if crystals:
        columns = ["compound", "|F| differ by", "nearest, A", "of the mate, A", "energy, eV/atom", "of the mate, eV/atom"]
        found.append(Section("Bixbyites", tables=[Table("Crystals and their mates", columns, [list(b) for b in crystals])]))
    return found


STUDY = Study(
    name="eq2pc",
    system=10,
    title="Different structures with one two-point correlation: counted, made, and told apart",
    source=SOURCE,
    config=Config,
    run=run,
    claims={
        RIVAL: RIVAL_CLAIM,
        "rings": "classes of rings are as many as known",
        "reflections": "under reflections of axes pairs are missed when one structure of each orbit is compared alone",
        "speed": "all classes are known at least 20 times sooner than the official search has its first pair",
        "children": "children of mates are mates, exactly",
        "conductivity": "mates have different effective conductivities",
        "third-order": "they differ from the third order of the contrast on",
        "annealing": "a reconstruction that reaches the correlations may be the mate",
        "regression": "no function of two-point correlations predicts the conductivity of mates; bispectra go beyond",
        "homometric": "the cations of bixbyites have a homometric mate",
        "contacts": "the mates of real crystals bring cations and anions nearer to one another",
        "energies": "the real structure is the lower in energy",
    },
)
