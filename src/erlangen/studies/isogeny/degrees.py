"""Minimal degrees between curves, beside an exhaustive search."""

from __future__ import annotations

import time
from collections.abc import Mapping

from sympy import primerange

from erlangen.fields import curves
from erlangen.fields.curves import Curve
from erlangen.reporting import Claim, Section, heatmap
from erlangen.studies.isogeny.settings import CLAIMS, MOST, SOURCE, Config, Found


def degrees(config: Config) -> Found:
    """Minimal degrees of all pairs of curves of some isogeny classes, by forms and by search."""
    checked = right = naive = 0
    table: list[list[int]] = []
    labels: list[str] = []
    exhaustive = formula = 0.0
    for p, t in [(67, 4), (109, 6), (113, 12), (59, 0)][: config.searched]:
        every = curves.curves_with_trace(p, t)
        started = time.perf_counter()
        steps = {
            (E, ell): [phi.codomain for phi in curves.isogenies(E, ell)]
            for E in every
            for ell in primerange(2, MOST + 1)
            if ell != p
        }
        searched = {E: _searched(E, steps) for E in every}
        exhaustive += time.perf_counter() - started
        started = time.perf_counter()
        for E1 in every:
            row = []
            for E2 in every:
                form = curves.degree_form(E1, E2)
                row.append(form.minimum)
                if E1 != E2 and (E2 in searched[E1] or form.minimum <= MOST):
                    found = searched[E1].get(E2)
                    checked, right = checked + 1, right + (form.minimum == found)
                    naive += form.form.a == found
            if p == 67:
                table.append(row)
                labels.append(f"{E1.j} ({E1.endomorphism_order().f})")
        formula += time.perf_counter() - started
    claims = [
        Claim(
            CLAIMS["minimum"],
            "equal",
            f"{right} of {checked} pairs equal to an exhaustive search",
            right == checked and checked > 0,
            f"without l/g: {naive} of {checked}",
            f"{config.searched} isogeny classes, degrees up to {MOST}",
            source=SOURCE,
            key="minimum",
        )
    ]
    figure = heatmap(
        table,
        title="Smallest degrees over the field of 67 elements, trace 4",
        row_labels=labels,
        column_labels=[label.split()[0] for label in labels],
        colour_label="degree",
        caption="Curves by j, with the conductor of their endomorphisms in brackets; 1 on the diagonal is the identity.",
    )
    section = Section("Minimal degrees", ["Every pair has its form; the search multiplies prime isogenies."], figures=[figure])
    return claims, section, {"degrees": {"pairs": checked, "right": right, "search seconds": exhaustive, "form seconds": formula}}


def _searched(E: Curve, steps: Mapping[tuple[Curve, int], list[Curve]]) -> dict[Curve, int]:
    """The smallest degrees that products of prime isogenies have, up to the largest of them."""
    found, queue, seen = {E: 1}, [(1, E)], {(1, E)}
    for n, here in queue:
        for ell in primerange(2, MOST // n + 1):
            for there in steps.get((here, ell), ()):
                pair = n * ell, there
                if pair not in seen:
                    seen.add(pair)
                    queue.append(pair)
                    found[there] = min(found.get(there, MOST + 1), n * ell)
    return found
