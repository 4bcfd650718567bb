"""Part one: chains, turned stars and counterexamples."""

from __future__ import annotations

import math
import time
from typing import Any

import torch

from erlangen.measure.gwl import (
    GWL,
    GeometricGraph,
    Separation,
    counterexample,
    dodecahedron,
    first_visible_degree,
    kchain,
    probe,
    rotsym,
)
from erlangen.measure.gwl.networks import EQUIVARIANT, INVARIANT, WHOLE, Make
from erlangen.measure.gwl.probe import THRESHOLD
from erlangen.reporting import Claim, Figure, Line, Rival, Section, Table, lines_with_band
from erlangen.studies.base import Part
from erlangen.studies.gwl.fingerprints import differ, sorted_distances
from erlangen.studies.gwl.study import SOURCE, Config
from erlangen.studies.gwl.trained import accuracies
from erlangen.studies.gwl.words import in_words

CHAINS = (2, 3, 4, 6)
FOLDS = (2, 3, 5, 10)
ORDERS = ("2-body", "3-body", "4-body", "4-body-chiral")
EGNN, VECTORS, SQUARED = "displacements (E-GNN-like)", "vectors (GVP-like)", "tensors, order 2, squared"
PLAIN = ("tensors, order 1", "tensors, order 2")
#: First separating body order of each counterexample, O(3) and SO(3).
THEORY = {"2-body": (3, 3), "3-body": (4, 4), "4-body": (5, 5), "4-body-chiral": (None, 5)}


def run(config: Config, quiet: bool) -> Part:
    """Exact tests, probes, harmonics."""
    exact, exact_table = exact_chains()
    probed, probe_tables = probed_chains(config)
    stars, star_table = counterexamples()
    shown, star_probe = probed_stars(config)
    degrees, degree_table = degrees_of_stars()
    claims = [
        Claim(
            "GWL separates chains of k bodies first at k // 2 + 1, under O(3) and SO(3); IGWL and IGWL(k) never do",
            "k // 2 + 1; never",
            "GWL " + ", ".join(str(row["GWL"]) for row in exact) + "; the others " + in_words(exact[-1]["IGWL"]),
            all(row["GWL"] == row["k"] // 2 + 1 and row["IGWL"] is row["IGWL(2)"] is row["IGWL(3)"] is None for row in exact),
            scale="k = 2 to 8, exact",
            source=SOURCE,
            key="chains",
        ),
        Claim(
            "the first body order that separates counterexamples is 3, 4, 5, and 5 for mirror images under SO(3)",
            "3; 4; 5; none, 5",
            "; ".join(f"{name}: {in_words(found)}" for name, found in stars.items()),
            stars == THEORY,
            scale="one iteration, the colour of the centre, exact; corrected pairs",
            source=SOURCE,
            key="body-order",
        ),
        Claim(
            "stars of L spokes are seen to be turned by features of degree L and by none below",
            "L",
            in_words(degrees),
            all(degrees[fold] == fold for fold in FOLDS),
            scale=f"{FOLDS} spokes, sums of spherical harmonics to degree 10",
            source=SOURCE,
            key="stars",
        ),
        *chain_claims(probed, config),
        consistency(probed, shown),
    ]
    sections = [
        Section(
            "Chains of k bodies: first iteration that separates", tables=[exact_table, *probe_tables], figures=[fading(probed)]
        ),
        Section("Counterexamples: stars that low body orders confuse", tables=[star_table, star_probe]),
        Section("Stars of L spokes: the degree that holds their orientation", tables=[degree_table]),
    ]
    numbers: dict[str, Any] = {
        "chains": exact,
        "separations": {f"{name}, k={k}, {layers} layers": s.median for (name, k, layers), s in probed.items()},
    }
    if config.full:
        table, trained = accuracies(config.seed, quiet)
        sections.append(Section("Networks trained on the chain of four bodies", tables=[table]))
        numbers["accuracies"] = trained
    answer = "No network saw what the test of its class cannot." if claims[-1].holds else "A network disagrees with its test."
    return Part(claims, sections, numbers, answer, rivals=[by_distances()])


def by_distances() -> Rival:
    """The test beside sorted distances, on all pairs of different clouds."""
    pairs = [kchain(k) for k in range(2, 9)] + [counterexample(name) for name in ORDERS]  # type: ignore[arg-type]
    started = time.process_time()
    found = sum(bool(GWL("SO(3)").compare(*pair)) for pair in pairs)
    between = time.process_time()
    simple = sum(differ(sorted_distances(a.pos, a.labels), sorted_distances(b.pos, b.labels), 1e-9) for a, b in pairs)
    return Rival(
        "sorting all distances",
        "GWL under SO(3)",
        "pairs of clouds told apart",
        found,
        simple,
        "higher",
        seconds=between - started,
        rival_seconds=time.process_time() - between,
        scale=f"{len(pairs)} pairs: chains of k = 2 to 8, four counterexamples",
        note="distances do not see mirror images, and do not say which network can follow",
    )


def exact_chains() -> tuple[list[dict[str, Any]], Table]:
    """First iterations of each test on each chain."""
    rows = []
    for k in range(2, 9):
        pair = kchain(k)
        row: dict[str, Any] = {"k": k}
        for name, options in (
            ("IGWL(2)", {"body_order": 2}),
            ("IGWL(3)", {"body_order": 3}),
            ("IGWL", {"invariant": True}),
            ("GWL", {}),
        ):
            found = {GWL(group, **options).compare(*pair).iteration for group in ("O(3)", "SO(3)")}  # type: ignore[arg-type]
            row[name] = found.pop() if len(found) == 1 else str(found)
        rows.append(row)
    head = list(rows[0])
    return rows, Table("First iteration, the same under O(3) and SO(3)", head, [[in_words(row[h]) for h in head] for row in rows])


def probed_chains(config: Config) -> tuple[dict[tuple[str, int, int], Separation], list[Table]]:
    """Separations of random networks of each kind, by depth."""
    found: dict[tuple[str, int, int], Separation] = {}
    tables = []
    for k in CHAINS:
        pair, depths, rows = kchain(k), range(1, k // 2 + 4), []
        for name, make in {**INVARIANT, **EQUIVARIANT}.items():
            for layers in depths:
                found[name, k, layers] = _probe(make, layers, pair, config)
            rows.append([name, *(found[name, k, layers].median for layers in depths)])
        whole = [_probe(make, 0, pair, config).median for make in WHOLE.values()]
        rows += [[name, *[value] * len(depths)] for name, value in zip(WHOLE, whole)]
        head = ["network", *(f"{layers} layer{'s' * (layers > 1)}" for layers in depths)]
        tables.append(Table(f"Separation of the chain of k = {k}; theory: from {k // 2 + 1} layers on", head, rows))
    return found, tables


def _probe(make: Make, layers: int, pair: tuple[GeometricGraph, GeometricGraph], config: Config) -> Separation:
    torch.manual_seed(config.seed)
    return probe(lambda: make(layers), {"pair": pair}, n_init=config.inits)["pair"]


def chain_claims(probed: dict[tuple[str, int, int], Separation], config: Config) -> list[Claim]:
    """What the probes say about the chains."""
    scale = f"{config.inits} random networks each, float64; k = 2, 3, 4"
    invariant = max(s.median for (name, _, _), s in probed.items() if name in INVARIANT)
    first = {name: {k: _first(probed, name, k) for k in CHAINS[:3]} for name in EQUIVARIANT}
    theory = {k: k // 2 + 1 for k in CHAINS[:3]}
    claims = [
        Claim(
            "invariant networks hold chains together at every depth",
            "50 %",
            invariant,
            invariant <= 1e-12,
            scale=scale,
            source=SOURCE,
            key="chains",
        )
    ]
    for name in (EGNN, VECTORS, SQUARED):
        claims.append(
            Claim(
                f"{name}: chains come apart from k // 2 + 1 layers on",
                in_words(theory),
                in_words(first[name]),
                first[name] == theory,
                scale=scale,
                note=f"first depth with separation above {THRESHOLD:.0e}",
                source=SOURCE,
                key="chains",
            )
        )
    for name in PLAIN:
        late = {k: None if found is None else found - theory[k] for k, found in first[name].items()}
        claims.append(Claim(f"{name}: products with edges alone need up to two layers more", "1 to 2 more", in_words(late),
                            all(d in (1, 2) for d in late.values()), scale=scale, source=SOURCE, key="chains"))  # fmt: skip
    near, far = (probed[EGNN, k, k // 2 + 1].median for k in (2, 6))
    claims.append(
        Claim(
            "what reaches the far end fades: E-GNN-like separation falls tenfold from k = 2 to k = 6",
            None,
            f"{near:.1e} to {far:.1e}",
            far < near / 10,
            note="at k // 2 + 1 layers: oversquashing as a number",
            key="bounded",
        )
    )
    return claims


def fading(probed: dict[tuple[str, int, int], Separation]) -> Figure:
    """Separation at the depth at which the test separates, by length of the chain."""
    lines = {}
    for name in (EGNN, VECTORS, SQUARED):
        shown = {k: sorted(probed[name, k, k // 2 + 1].values) for k in CHAINS if probed[name, k, k // 2 + 1].median > 0}
        runs = list(shown.values())
        lines[name] = Line(list(shown), [v[len(v) // 2] for v in runs], [v[0] for v in runs], [v[-1] for v in runs])
    return lines_with_band(
        lines,
        title="What reaches the other end",
        x_label="bodies k",
        y_label="separation",
        log_y=True,
        caption="After k // 2 + 1 layers; bands span all random networks. Networks that separate nothing there are left out.",
    )


def _first(probed: dict[tuple[str, int, int], Separation], name: str, k: int) -> int | None:
    return next((layers for layers in range(1, k // 2 + 4) if probed[name, k, layers]), None)


def counterexamples() -> tuple[dict[str, tuple[int | None, int | None]], Table]:
    """The first body order whose centre colour differs after one iteration."""
    found: dict[str, tuple[int | None, int | None]] = {}
    for name in ORDERS:
        pair = counterexample(name)  # type: ignore[arg-type]
        first = []
        for group in ("O(3)", "SO(3)"):
            colours = {k: GWL(group, body_order=k, max_iter=1).colors(pair) for k in range(2, 7)}
            first.append(next((k for k, (a, b) in colours.items() if a[0] != b[0]), None))
        found[name] = (first[0], first[1])
    rows = [[name, *map(in_words, pair)] for name, pair in found.items()]
    return found, Table("First k of IGWL(k) that separates the centres", ["pair", "O(3)", "SO(3)"], rows)


def probed_stars(config: Config) -> tuple[dict[tuple[str, str], Separation], Table]:
    """One layer of each kind of network on each pair of stars."""
    networks = {**INVARIANT, **EQUIVARIANT, **WHOLE}
    found = {
        (name, order): _probe(make, 1, counterexample(order), config)  # type: ignore[arg-type]
        for name, make in networks.items()
        for order in ORDERS
    }
    rows = [[name, *(found[name, order].median for order in ORDERS)] for name in networks]
    return found, Table("Separation by one layer, networks under O(3)", ["network", *ORDERS], rows)


def degrees_of_stars() -> tuple[dict[int, int | None], Table]:
    """The first degree whose summed harmonics differ between a star and the same star turned."""
    from scipy.special import sph_harm_y

    found: dict[int, int | None] = {}
    rows = []
    for fold in FOLDS:
        pair = rotsym(fold, generator=torch.Generator().manual_seed(fold))
        sums = []
        for graph in pair:
            azimuth = torch.atan2(graph.pos[1:, 1], graph.pos[1:, 0]).numpy()
            sums.append([[sph_harm_y(l, m, math.pi / 2, azimuth).sum() for m in range(-l, l + 1)] for l in range(11)])
        apart = [max(abs(x - y) for x, y in zip(*both)) for both in zip(*sums)]
        found[fold] = next((l for l, value in enumerate(apart) if value > 1e-9), None)
        rows.append([f"{fold} spokes", *apart[1:]])
    solids = {"cube": dodecahedron()[:8], "dodecahedron": dodecahedron()}
    rows += [[f"{name}, first degree {first_visible_degree(points)}", *[None] * 10] for name, points in solids.items()]
    return found, Table(
        "Largest change of a summed harmonic when the star is turned", ["star", *(f"l = {l}" for l in range(1, 11))], rows
    )


def consistency(chains: dict[tuple[str, int, int], Separation], stars: dict[tuple[str, str], Separation]) -> Claim:
    """No network separates what the test of its class does not, within as many iterations as it has layers."""
    tests = {"distances (SchNet-like)": {"body_order": 2}, "angles (DimeNet-like)": {"body_order": 3}}
    wrong = []
    for (name, k, layers), s in chains.items():
        if s and not GWL(max_iter=layers, **tests.get(name, {})).compare(*kchain(k)):  # type: ignore[arg-type]
            wrong.append(f"{name} on k = {k} with {layers} layers")
    for (name, order), s in stars.items():
        if s and not GWL(max_iter=1, **tests.get(name, {})).compare(*counterexample(order)):  # type: ignore[arg-type]
            wrong.append(f"{name} on {order}")
    total = len(chains) + len(stars)
    return Claim(
        "no network separates a pair that the test of its class does not",
        None,
        "; ".join(wrong) or f"none of {total}",
        not wrong,
        key="bounded",
    )
