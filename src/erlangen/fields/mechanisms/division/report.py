"""The answer for people: who gets what, what that guarantees, what holds beyond it, and what shows where something does not."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from decimal import Decimal
from fractions import Fraction
from typing import Any

from erlangen.errors import ArgumentError
from erlangen.fields.mechanisms.axioms import AXIOMS, axiom
from erlangen.fields.mechanisms.division.allocation import Allocation
from erlangen.fields.mechanisms.division.checks import check_allocation
from erlangen.fields.mechanisms.division.classes import CLASSES
from erlangen.fields.mechanisms.division.instance import Instance
from erlangen.fields.mechanisms.division.solving import solve
from erlangen.fields.mechanisms.division.weights import weighted_welfare
from erlangen.reporting import Figure, KeyNumber, Outcome, Section, Table, heatmap, progress
from erlangen.verdict import Verdict

#: What each algorithm does, for people.
SAID = {
    "double_round_robin": "modified double round robin: disliked things are picked in turn, then liked ones in the reverse order",
    "greedy_magnitude": "greedy by magnitude: what matters most comes first, to who has least, or can best bear it",
    "adjusted_winner": "generalised adjusted winner, for two",
    "utilitarian_greedy": "each thing to who values it most",
    "max_nash_welfare": "the largest product of what everybody has",
    "weighted_welfare": "each thing to who values it most, weighted, with weights that are moved until envy is gone",
    "utilitarian_ef1": "the largest sum without envy beyond one thing, by integer programming",
    "exists": "a search through all divisions",
    "search": "a search",
}
#: What is asked where nothing is asked for, in this order: the last is reached for all tables.
STRONG_TO_WEAK = (("EF", "PO"), ("EFX3", "PO"), ("EFX", "PO"), ("EF1", "PO"), ("EF13",))
#: Seconds that the check of PO may take of large tables.
SECONDS = 20.0
#: Whole numbers are written out up to so many digits.
MOST_DIGITS = 15
#: The answer lists things up to so many people and things; beyond it counts them, and the table lists.
MOST_LISTED = (8, 60)
#: Tables are drawn up to so many items and people.
MOST_DRAWN = (80, 30)
GLOSSARY = {a.name: f"{a.title}: {a.says}" for a in AXIOMS if "allocation" in a.of}


def number(value: Any) -> str:
    """A number for people: decimals where they are exact and few, else a fraction.

    >>> number(Fraction(1, 8)), number(Fraction(1, 3)), number(-2), number(0.1), number(Fraction(10**401, 2))
    ('0.125', '1/3', '-2', '0.1', '5e+400')
    """
    if not isinstance(value, float) and max(abs(value.numerator), value.denominator) >= 10**MOST_DIGITS:
        digits, exponent = f"{Decimal(value.numerator) / Decimal(value.denominator):.5e}".split("e")
        return f"{digits.rstrip('0').rstrip('.')}e{exponent}"
    if isinstance(value, Fraction):
        if value.denominator == 1:
            return str(value.numerator)
        for places in range(1, 7):
            if (value * 10**places).denominator == 1:
                return f"{float(value):.{places}f}"
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def divided(
    inst: Instance, want: Sequence[str] = (), *, search: bool = False, quiet: bool = True
) -> tuple[Allocation | Verdict, tuple[str, ...]]:
    """An answer of :func:`~.solving.solve`, and what was asked: where nothing is, the strongest that is proven for such utilities, or found
    by going through all divisions, or, of large tables, among weighted sums."""
    if want:
        names = tuple(dict.fromkeys(axiom(name, "allocation").name for name in want))
        with progress(1, "looking for a division", quiet):
            return solve(inst, names, method="search" if search else "auto"), names
    with progress(len(STRONG_TO_WEAK), "looking for a division", quiet) as bar:
        for names in STRONG_TO_WEAK:
            answer: Allocation | Verdict | None
            # Of what both find the weighted one is more even: it does not stop at the first.
            answer = weighted_welfare(inst, names) if "EF" in names else None
            try:
                answer = answer or solve(inst, names)
            except ArgumentError:
                answer = None if "EF" in names else weighted_welfare(inst, names)
            if isinstance(answer, Allocation):
                return answer, names
            bar.advance()
    raise AssertionError("EF13 is reached of all utilities")


def divide_outcome(
    inst: Instance,
    answer: Allocation | Verdict,
    asked: Sequence[str],
    config: Mapping[str, Any],
    seconds: float,
    *,
    quiet: bool = True,
) -> Outcome:
    """The report of one table."""
    title = f"{inst.m} things among {inst.n} people" if inst.n > 1 else f"{inst.m} things for one"
    kind = f"In this table {CLASSES[inst.utility_class]}."
    if isinstance(answer, Verdict):
        return _without(inst, answer, asked, config, seconds, title, kind)
    verdicts: dict[str, Verdict] = {}
    names = [a.name for a in AXIOMS if "allocation" in a.of]
    with progress(len(names), "checking the division", quiet) as bar:
        for name in sorted(names, key="PO".__eq__):  # the one that may take long is the last
            verdicts[name] = check_allocation(answer, name, seconds=SECONDS)
            bar.advance()
    verdicts = {name: verdicts[name] for name in names}
    brief = inst.n > MOST_LISTED[0] or inst.m > MOST_LISTED[1]
    shares = [
        f"{agent} gets {f'{len(items)} things' if brief and len(items) > 1 else _listed(items)}, "
        f"worth {number(answer.utilities[agent])} to {agent}"
        for agent, items in answer.bundles.items()
    ]
    shown = "; ".join(shares[:12]) + (f"; and {len(shares) - 12} more" if len(shares) > 12 else "")
    strongest = _strongest(verdicts)
    promise = _promise(answer, asked, strongest)
    failing = [name for name in ("EF", "PO") if not verdicts[name]]
    beyond = "".join(f" What does not hold: {name}, for {verdicts[name].reason}." for name in failing)
    rows = [
        [a.name, a.title, _held(v), "proven for such tables" if a.name in answer.guarantees else v.how, v.reason or "–"]
        for a, v in ((axiom(name), v) for name, v in verdicts.items())
    ]
    sections = [
        Section(
            "Who gets what",
            [strongest, promise, kind],
            tables=[
                Table(
                    "Shares",
                    ["person", "gets", "worth to them", "their fair share is"],
                    [
                        [agent, _listed(items), number(answer.utilities[agent]), number(_part(inst, i))]
                        for i, (agent, items) in enumerate(answer.bundles.items())
                    ],
                    caption="The fair share is one part of what everything is worth to the person, in as many parts as there are people.",
                )
            ],
            figures=marked(answer),
        ),
        Section(
            "What holds",
            ["Each line was checked on this division by itself, whatever made it."],
            tables=[Table("Axioms", ["axiom", "in full", "holds", "how", "why, or what shows that it does not"], rows)],
        ),
    ]
    metrics = {
        "owner": {item: inst.agents[i] for item, i in zip(inst.items, answer.owner)},
        "utilities": {agent: number(v) for agent, v in answer.utilities.items()},
        "algorithm": answer.algorithm,
        "utility class": inst.utility_class,
        "guarantees": list(answer.guarantees),
        "asked": list(asked),
        "verdicts": {name: v.as_dict() for name, v in verdicts.items()},
    }
    numbers = [
        KeyNumber("axioms that hold", sum(map(bool, verdicts.values())), note=f"of {len(verdicts)} checked"),
        KeyNumber("the least that somebody has", number(answer.egalitarian)),
        KeyNumber("all together", number(answer.utilitarian)),
    ]
    return Outcome(
        "divide", title, config, metrics=metrics, sections=sections, seconds=seconds, key_numbers=numbers, glossary=GLOSSARY,
        answer=f"{strongest} {shown}. {promise}{beyond}",
    )  # fmt: skip


def _held(verdict: Verdict) -> str:
    if verdict.how == "search" and verdict:
        return "undecided" if verdict.reason.startswith("undecided") else "nothing against it found"
    return "yes" if verdict else "no"


def _strongest(verdicts: Mapping[str, Verdict]) -> str:
    """The strongest that holds of this division, in words; what no witness and no proof decides is not said."""
    sure = {name for name, v in verdicts.items() if v and v.how != "search"}
    fair = next((name for name in ("EF", "EFX3", "EFX0", "EFX", "EF13", "EF1", "PROP", "PROP1") if name in sure), None)
    says = [axiom(name).says for name in (fair, "PO" if "PO" in sure else None) if name]
    if not says:
        return "This division is neither fair nor efficient by any measure here."
    told = ", and ".join(says)
    return f"{told[0].upper()}{told[1:]}."


def _promise(answer: Allocation, asked: Sequence[str], told: str) -> str:
    """The guarantee in words, but for those that were told already."""
    by = SAID.get(answer.algorithm, answer.algorithm)
    parts = []
    for said, names in (
        ("Guaranteed", [name for name in asked if name in answer.guarantees]),
        ("Found and checked", [name for name in asked if name not in answer.guarantees]),
    ):
        if names:
            words = [name if axiom(name).says in told.lower() else f"{axiom(name).says} ({name})" for name in names]
            parts.append(f"{said}: {('; ' if any(' ' in w for w in words) else ' and ').join(words)}.")
    return " ".join([*parts, f"Made by {by}."])


def _without(
    inst: Instance, verdict: Verdict, asked: Sequence[str], config: Mapping[str, Any], seconds: float, title: str, kind: str
) -> Outcome:
    names = " and ".join(asked)
    if verdict.how == "exhaustive":
        answer = (
            f"There is no division with {names}: all {inst.n}^{inst.m} were looked at, or excluded by what their first items leave."
        )
    else:
        answer = f"No division with {names} was found among {verdict.tried} that were tried; that does not say that there is none."
    says = [f"{name} asks: {axiom(name).says}." for name in asked]
    section = Section("What was asked", [*says, kind, "Ask for less with --want, e.g. --want EF1 PO."], figures=[_picture(inst)])
    metrics = {"verdict": verdict.as_dict(), "asked": list(asked), "utility class": inst.utility_class}
    return Outcome("divide", title, config, metrics=metrics, sections=[section], seconds=seconds, answer=answer, glossary=GLOSSARY)


def _listed(items: Sequence[str]) -> str:
    if not items:
        return "nothing"
    if len(items) > 15:
        return f"{', '.join(items[:14])} and {len(items) - 14} more"
    return " and ".join(filter(None, (", ".join(items[:-1]), items[-1])))


def _part(inst: Instance, i: int) -> Any:
    total = inst.in_units(inst.totals[i])
    return total / inst.n if isinstance(total, float) else Fraction(total) / inst.n


def _picture(inst: Instance, title: str = "What each thing is worth to each person") -> Figure:
    items, agents = MOST_DRAWN
    top = max((abs(v) for row in inst.numbers.tolist() for v in row), default=0)
    beyond = inst.exact and top // inst.denominator >= 10**300  # more than floats hold: drawn relative to the largest
    unit = Fraction(top if beyond else inst.denominator)
    worth = [[float(v / unit if inst.exact else v) for v in column[:agents]] for column in inst.numbers.T[:items].tolist()]
    cut = "" if inst.m <= items and inst.n <= agents else f" The first {items} things and {agents} people are drawn."
    return heatmap(
        worth or [[0.0] * min(inst.n, agents)], title=title,
        row_labels=inst.items[:items] or ("no things",), column_labels=inst.agents[:agents],
        colour_label=f"worth{', relative to the largest' if beyond else ''}",
        caption=f"A frame and a tick mark who gets it.{cut}",
    )  # fmt: skip


def marked(answer: Allocation, title: str = "What each thing is worth to each person") -> list[Figure]:
    """The table with the allocation marked."""
    inst = answer.instance
    figure = _picture(inst, title)
    items, agents = MOST_DRAWN
    trace = figure.plotly_figure.data[0]
    if inst.m and trace.texttemplate:  # cells have numbers
        trace.text = [
            [f"{'✓ ' if i == who else ''}{number(inst.in_units(v))}" for i, v in enumerate(column)]
            for column, who in zip(inst.numbers.T, answer.owner)
        ]
    for row, column in enumerate(answer.owner[:items].tolist()):
        if column < agents:
            edge = {"x0": column - 0.47, "x1": column + 0.47, "y0": row - 0.46, "y1": row + 0.46}
            figure.plotly_figure.add_shape(type="rect", line={"width": 3, "color": "#d97706"}, **edge)
    return [figure]


def allocation_table(answer: Allocation) -> str:
    """Who gets what as the text of a CSV file: item, who gets it, what it is worth to them."""
    inst, stream = answer.instance, io.StringIO(newline="")
    writer = csv.writer(stream)
    writer.writerow(["item", "goes to", "worth to them"])
    for o, i in enumerate(answer.owner.tolist()):
        worth = inst.in_units(inst.numbers[i, o])
        writer.writerow([inst.items[o], inst.agents[i], worth if isinstance(worth, int) else number(worth)])
    return stream.getvalue()
