"""Reports: what was found of one structure or of two, with pictures."""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from erlangen.fields.microstructures.bounds import Bounds, bounds_conductivity, volume_fractions
from erlangen.fields.microstructures.conductivity import effective_conductivity
from erlangen.fields.microstructures.correlation import phase_pairs, two_point_differences
from erlangen.fields.microstructures.pair import Pair
from erlangen.fields.microstructures.relations import equivalent, related
from erlangen.fields.microstructures.search import RootSearch
from erlangen.fields.microstructures.spectra import distinguished
from erlangen.fields.microstructures.structure import phase_counts
from erlangen.reporting import Figure, KeyNumber, Outcome, Section, Table, heatmap, pictures, voxels
from erlangen.verdict import Verdict

GLOSSARY = {
    "two-point correlation": "how often phase b stands at p + r where phase a stands at p, for every shift r, counted periodically",
    "mate": "a structure with the same two-point correlations that no symmetry named takes to the first",
    "bispectrum": "a product of three Fourier components that shifts leave alone; it sees the phases that correlations lose",
    "relations": "symmetries of the grid that make no other structure of one: shifts, and those that were named",
    "motif": "a set of sites of which a structure is made by copies",
}

#: Classes that are drawn, and structures of each.
MOST_CLASSES, MOST_MEMBERS = 6, 4
NOTES = (
    "with these numbers of sites",
    "structures up to relations",
    "different ones, up to relations",
    "of these, that unrelated structures have",
    "of these, that no exchange of phases explains",
)


def draw(structures: Mapping[str, np.ndarray], title: str, caption: str = "") -> Figure:
    """Structures side by side: up to two axes as pictures, three as cubes without the commonest phase; of more a slice."""
    arrays = dict(structures)
    first = next(iter(arrays.values()))
    if first.ndim > 3:
        arrays = {name: array.reshape(*array.shape[:3], -1)[..., 0] for name, array in arrays.items()}
        caption = f"{caption} Of {first.ndim} axes, the first three at 0 of the others.".strip()
    if first.ndim >= 3:
        ground = int(np.bincount(first.reshape(-1)).argmax())
        return voxels(arrays, title=title, ground=ground, caption=f"{caption} Phase {ground} is not drawn.".strip())
    row = [np.atleast_2d(array).astype(float) for array in arrays.values()]
    return pictures({"phases": row}, list(arrays), title=title, colour_label="phase", caption=caption)


def mate_outcome(S: np.ndarray, verdict: Verdict, config: Mapping[str, Any], seconds: float) -> Outcome:
    """The report of :func:`find_mate`."""
    metrics: dict[str, Any] = {"verdict": verdict.as_dict(), "sites": list(phase_counts(S))}
    if not verdict:
        proved = "It has no mate: all structures with these numbers of sites were gone through."
        answer = proved if verdict.how == "exhaustive" else "No mate was found; that proves nothing."
        sections = [
            Section(
                "What was tried", [f"{verdict.reason[:1].upper()}{verdict.reason[1:]}."], figures=[draw({"S": S}, "The structure")]
            )
        ]
        return Outcome("microstructures-mate", "Is it known by its two-point correlations?", config, metrics=metrics, sections=sections,
                       seconds=seconds, answer=answer, glossary=GLOSSARY)  # fmt: skip
    pair = verdict.witness
    told = distinguished(pair.a, pair.b)
    metrics |= {"origin": dict(pair.origin), "bispectra": told.as_dict()}
    sections = [
        Section(
            "The mate",
            [
                f"The correlations of all {len(phase_pairs(int(S.max()), 'all'))} pairs of phases agree at each of {S.size} shifts; "
                "no relation takes one structure to the other.",
                f"Found by: {pair.origin['found by']}. " + "; ".join(f"{k} {v}" for k, v in pair.origin.items() if k != "found by"),
            ],
            figures=[draw({"the structure": pair.a, "its mate": pair.b}, "Two structures with the same two-point correlations")],
        ),
        Section(
            "What tells them apart",
            ["Third-order statistics do: the bispectrum is complete for signals whose spectrum vanishes nowhere."],
            tables=[
                Table(
                    "Relative differences",
                    ["", "largest"],
                    [["bispectra", told["bispectra"]], ["power spectra", told["power spectra"]]],
                )
            ],
        ),
    ]
    answer = f"It has a mate, {verdict.reason}: the same two-point correlations, and another structure."
    numbers = [KeyNumber("cases tried", verdict.tried), KeyNumber("bispectra differ by", told["bispectra"])]
    return Outcome("microstructures-mate", "It is not known by its two-point correlations", config, metrics=metrics, sections=sections,
                   seconds=seconds, answer=answer, glossary=GLOSSARY, key_numbers=numbers)  # fmt: skip


def check_outcome(a: np.ndarray, b: np.ndarray, same: Verdict, relation: Verdict, config: Mapping[str, Any]) -> Outcome:
    """The report of :func:`equivalent` and :func:`related`."""
    if same and relation:
        answer = f"They are one structure: {relation.reason}."
    elif same:
        answer = "They are mates: the same two-point correlations, and not related."
    else:
        answer = f"Their two-point correlations differ: {same.reason}."
        if relation:
            answer += f" Yet a relation takes one to the other: {relation.reason}."
    figures = [draw({"A": a, "B": b}, "The two structures")]
    if not same and a.max() == b.max() and a.ndim == 2 and max(a.shape) <= 48:
        for (p, q), difference in itertools.islice(two_point_differences(a, b, phase_pairs(int(a.max()))), 1):
            title = f"Difference of the correlations of phases {p} and {q}"
            figures.append(heatmap(difference.astype(float), title=title, x_label="shift", y_label="shift"))
    metrics = {"equivalent": same.as_dict(), "related": relation.as_dict()}
    if same.witness is not None:
        metrics["differs at"] = same.witness._asdict()
    if relation:
        metrics["related by"] = {"linear": relation.witness.linear, "shift": relation.witness.shift}
    rows = [[v.claim, "yes" if v else "no", v.how, v.reason] for v in (same, relation)]
    sections = [Section("Answers", tables=[Table("Exact", ["question", "answer", "how", "why"], rows)], figures=figures)]
    return Outcome("microstructures-check", "Are two structures told apart by two-point correlations?", config, metrics=metrics,
                   sections=sections, answer=answer, glossary=GLOSSARY)  # fmt: skip


def search_outcome(found: RootSearch, config: Mapping[str, Any], seconds: float) -> Outcome:
    """The report of :func:`search_roots`."""
    grid, sites = " x ".join(map(str, found.sizes)), ", ".join(map(str, found.counts))
    answer = (
        f"{found.structures:,} structures on {grid} points, {sites} of each phase, are {found.orbits:,} up to relations, and have "
    )
    if found.shared:
        share = "one of these is" if found.shared == 1 else f"{found.shared:,} of these are"
        answer += f"{found.correlations:,} different two-point correlations: {share} shared by unrelated structures. "
        answer += (
            "An exchange of phases explains all of that."
            if not found.unexplained
            else "No exchange of phases explains that."
            if found.unexplained == found.shared
            else f"An exchange of phases explains {found.shared - found.unexplained:,} of them."
        )
    else:
        answer += "as many different two-point correlations: none has a mate."
    sections = []
    if found.roots:
        rows = [[f"{i}", len(root.members), "yes" if root.phase_swap else "no"] for i, root in enumerate(found.roots, start=1)]
        heads = ["class", "unrelated structures", "explained by an exchange of phases"]
        kept = Table(
            f"{len(rows)} classes", heads, rows, "Structures of a class have the same two-point correlations as they stand."
        )
        figures = [
            draw({f"{m}": S for m, S in enumerate(root.members[:MOST_MEMBERS], start=1)}, f"Class {i}")
            for i, root in enumerate(found.roots[:MOST_CLASSES], start=1)
        ]
        drawn = f"The first {MOST_CLASSES} classes. " if len(found.roots) > MOST_CLASSES else ""
        drawn += f"Of each at most {MOST_MEMBERS} structures." if any(len(r.members) > MOST_MEMBERS for r in found.roots) else ""
        sections = [Section("Classes", tables=[kept]), Section("Structures", [drawn] if drawn else [], figures=figures)]
    names = ("structures", "orbits", "correlations", "shared", "unexplained")
    metrics = {name: getattr(found, name) for name in names} | {"members": [len(root.members) for root in found.roots]}
    numbers = [KeyNumber(name, metrics[name], note=note) for name, note in zip(names, NOTES)]
    return Outcome("microstructures-search", "Structures that two-point correlations do not tell apart", config, metrics=metrics,
                   sections=sections, seconds=seconds, answer=answer, glossary=GLOSSARY, key_numbers=numbers)  # fmt: skip


def child_outcome(pair: Pair, child: Pair, relations: str, config: Mapping[str, Any]) -> Outcome:
    """The report of :meth:`Pair.child`: whether both pairs are mates, by the exact checks."""
    each = {"the pair": pair, "the children": child}
    same = {name: equivalent(one.a, one.b) for name, one in each.items()}
    relation = {name: related(one.a, one.b, relations) for name, one in each.items()}
    shape = " x ".join(map(str, child.a.shape))
    if not same["the pair"]:
        answer = f"The pair are no mates: {same['the pair'].reason}. "
        answer += "The children have" if same["the children"] else "Nor have the children"
        answer += " the same two-point correlations."
    elif relation["the children"]:
        answer = f"The children ({shape}) have the same two-point correlations, but are one structure: {relation['the children'].reason}."
    else:
        answer = f"The children ({shape}) are mates: the same two-point correlations, and not related."
    rows = [
        [name, " x ".join(map(str, one.a.shape)), ", ".join(map(str, phase_counts(one.a))), "yes" if same[name] else "no",
         "yes" if relation[name] else "no"]
        for name, one in each.items()
    ]  # fmt: skip
    heads = ["", "grid", "sites of each phase", "same correlations", "related"]
    steps = [[i, name, json.dumps(value)] for i, (name, value) in enumerate(child.recipe.steps, start=1)]
    tables = [Table("Exact", heads, rows), Table("The recipe, from the roots on", ["step", "operation", "values"], steps)]
    figures = [draw({"A": one.a, "B": one.b}, f"{name[:1].upper()}{name[1:]}") for name, one in each.items()]
    metrics = {
        "shape": list(child.a.shape),
        "equivalent": same["the children"].as_dict(),
        "related": relation["the children"].as_dict(),
        "recipe": child.recipe.steps,
        "origin": dict(child.origin),
    }
    return Outcome("microstructures-child", "Children of two structures", config, metrics=metrics,
                   sections=[Section("Answers", tables=tables, figures=figures)], answer=answer, glossary=GLOSSARY)  # fmt: skip


def conductivity_outcome(S: np.ndarray, k: Sequence[float], refine: int, method: Any, config: Mapping[str, Any]) -> Outcome:
    """The report of :func:`effective_conductivity`, with the bounds beside it."""
    found = bounds_conductivity(S, k)
    K = effective_conductivity(S, k, refine, method)
    axes = [f"axis {i}" for i in range(S.ndim)]
    # Rounding of what symmetry makes 0.
    shown = np.where(np.abs(K) < 1e-12 * np.abs(K).max(), 0.0, K)
    sections = [
        _bounds_section(found, S),
        Section(
            "Effective conductivity",
            [f"Bilinear elements, {refine} along each edge of a site: an upper bound that falls with finer elements."],
            tables=[Table("K", ["", *axes], [[name, *row] for name, row in zip(axes, shown.tolist())])],
        ),
    ]
    metrics = {"K": K.tolist(), "bounds": found._asdict()}
    told = ", ".join(f"{value:.6g}" for value in np.diag(K))
    answer = f"Along the axes {told}; between {found.reuss:.6g} (Reuss) and {found.voigt:.6g} (Voigt)."
    return Outcome("microstructures-keff", "Effective conductivity", config, metrics=metrics, sections=sections, answer=answer,
                   glossary=GLOSSARY)  # fmt: skip


def bounds_outcome(S: np.ndarray, k: Sequence[float], config: Mapping[str, Any]) -> Outcome:
    """The report of :func:`bounds_conductivity`."""
    found = bounds_conductivity(S, k)
    answer = (
        f"Between {found.reuss:.9g} and {found.voigt:.9g}; if isotropic, between {found.hs_lower:.9g} and {found.hs_upper:.9g}."
    )
    return Outcome("microstructures-bounds", "Bounds on the effective conductivity", config, metrics={"bounds": found._asdict()},
                   sections=[_bounds_section(found, S)], answer=answer, glossary=GLOSSARY)  # fmt: skip


def _bounds_section(found: Bounds, S: np.ndarray) -> Section:
    rows = [
        ["Reuss", found.reuss],
        ["Hashin-Shtrikman, lower", found.hs_lower],
        ["Hashin-Shtrikman, upper", found.hs_upper],
        ["Voigt", found.voigt],
    ]
    fractions = ", ".join(f"{v:.4g}" for v in volume_fractions(S))
    return Section(
        "Bounds",
        [f"They know the volume fractions ({fractions}) alone, and those of Hashin and Shtrikman that the structure is isotropic."],
        tables=[Table("Bounds", ["", "k"], rows)],
        figures=[draw({"S": S}, "The structure")],
    )
