"""The report page: one HTML file that needs no network.

Everything a user wrote is escaped by the template; figures travel as JSON in a data block that no browser runs.
The page's policy lets only its own scripts run, each named by its SHA-256, and lets nothing be fetched.
"""

from __future__ import annotations

import base64
import datetime
import hashlib
import itertools
import re
from collections.abc import Iterable, Iterator, Mapping
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from erlangen.reporting.claims import Claim
from erlangen.reporting.figures import Figure
from erlangen.reporting.formatting import MISSING, format_column, format_matrix, format_value, typeset
from erlangen.reporting.parts import KeyNumber, Matrix, Section, Table

if TYPE_CHECKING:
    from erlangen.reporting.outcome import Outcome

_NUMERIC = re.compile(r"[−+(]?(\d|inf)|NaN|" + MISSING)


def render(outcome: Outcome) -> str:
    """The whole report of ``outcome`` as the text of an HTML document."""
    import jinja2
    from markupsafe import Markup

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("erlangen.reporting"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    ids = (f"figure-{i}" for i in itertools.count(1))
    sections = [_section(section, ids) for section in outcome.sections]
    if outcome.figures or outcome.tables:
        rest = Section("Figures and tables" if outcome.sections else "Results", (), outcome.tables, outcome.figures)
        sections.append(_section(rest, ids))
    scripts = _scripts() if any(section["figures"] for section in sections) else []
    return environment.get_template("report.html.j2").render(
        outcome=outcome,
        created=_date(outcome.created),
        cost=_cost(outcome),
        cards=[_card(number) for number in outcome.key_numbers],
        claims=[_claim(claim) for claim in outcome.claims],
        claims_summary=_sentence(outcome.claims.summary()),
        columns={
            name: any(getattr(c, name) not in (None, "") for c in outcome.claims) for name in ("reported", "baseline", "scale")
        },
        sections=sections,
        glossary=_used(outcome, sections),
        config=list(_flat(outcome.config, formatted=False)),
        metrics=list(_flat(outcome.metrics, formatted=True)),
        versions=list(outcome.versions.items()),
        style=Markup(_template_file("report.css")),
        scripts=[Markup(script) for script in scripts],
        policy=_policy(scripts),
    )


def _used(outcome: Outcome, sections: list[dict[str, Any]]) -> dict[str, str]:
    """The words of the glossary that the page uses."""
    told = [outcome.title, outcome.answer, *(f"{n.label} {n.note}" for n in outcome.key_numbers)]
    told += [f"{claim.text} {claim.note}" for claim in outcome.claims]
    for section in sections:
        told += [section["heading"], *section["paragraphs"]]
        told += [f"{figure['title']} {figure['caption']}" for figure in section["figures"]]
        told += [f"{table['title']} {table['caption']} {table['heads']} {table['rows']}" for table in section["tables"]]
    text = " ".join(told).lower()
    return {word: meaning for word, meaning in outcome.glossary.items() if word.lower() in text}


def _template_file(name: str) -> str:
    return files("erlangen.reporting").joinpath("templates", name).read_text(encoding="utf-8").replace("\r\n", "\n")


def _scripts() -> list[str]:
    from plotly.offline import get_plotlyjs

    library = get_plotlyjs().replace("\r\n", "\n").replace("\r", "\n")  # as an HTML parser does before it hashes
    library = re.sub(r"</(?=script)", r"<\\/", library, flags=re.IGNORECASE).replace("<!--", r"<\!--")
    return [library, _template_file("report.js")]


def _policy(scripts: Iterable[str]) -> str:
    hashes = ["'sha256-" + base64.b64encode(hashlib.sha256(s.encode()).digest()).decode() + "'" for s in scripts]
    return "; ".join(
        (
            "default-src 'none'",
            f"script-src {' '.join(hashes) or chr(39) + 'none' + chr(39)}",
            "style-src 'unsafe-inline'",
            "img-src data: blob:",
            "base-uri 'none'",
            "form-action 'none'",
        )
    )


def inert(text: str) -> str:
    """The same JSON without a ``<``, so that no string in it can close the data block or open a comment there.

    In JSON this character occurs only inside strings, where its escape means the same.

    >>> inert('{"name": "</script>"}')
    '{"name": "\\\\u003c/script>"}'
    """
    return text.replace("<", r"\u003c")


def _figure(figure: Figure, identity: str) -> dict[str, Any]:
    from markupsafe import Markup
    from plotly.io import to_json

    text = inert(to_json(figure.plotly_figure, validate=False, engine="json"))
    square = figure.plotly_figure.layout.yaxis.scaleanchor is not None
    return {
        "id": identity,
        "title": figure.title,
        "caption": figure.caption,
        "alt": figure.alt or figure.title,
        "square": square,
        "tall": figure.plotly_figure.layout.height is not None,
        "json": Markup(text),
    }


def _table(table: Table) -> dict[str, Any]:
    columns = [[typeset(v) for v in format_column(list(column))] for column in zip(*table.rows, strict=True)]
    columns = columns or [[] for _ in table.columns]
    numeric = [bool(column) and all(_NUMERIC.match(cell) for cell in column) for column in columns]
    return {
        "title": table.title,
        "caption": table.caption,
        "heads": list(zip(table.columns, numeric, strict=True)),
        "rows": [list(zip(row, numeric, strict=True)) for row in zip(*columns, strict=True)],
    }


def _matrix(matrix: Matrix) -> dict[str, Any]:
    entries = format_matrix(matrix.rows(), matrix.decimals)
    return {
        "name": matrix.name,
        "caption": matrix.caption,
        "heads": list(matrix.column_labels),
        "rows": [
            {
                "label": matrix.row_labels[i] if matrix.row_labels else "",
                "cells": [(typeset(v), _shows_zero(v)) for v in row],
            }
            for i, row in enumerate(entries)
        ],
        "labelled": bool(matrix.row_labels),
    }


def _shows_zero(text: str) -> bool:
    """Whether a formatted entry shows no digit but zeros; such entries are greyed."""
    return not re.search(r"[1-9a-zA-Z∞]", text)


def _section(section: Section, ids: Iterator[str]) -> dict[str, Any]:
    return {
        "heading": section.heading,
        "paragraphs": list(section.paragraphs),
        "matrices": [_matrix(matrix) for matrix in section.matrices],
        "figures": [_figure(figure, next(ids)) for figure in section.figures],
        "tables": [_table(table) for table in section.tables],
    }


def _card(number: KeyNumber) -> dict[str, str]:
    value, sign, spread = typeset(format_value(number.value)).partition(" ± ")
    if isinstance(number.value, str) or value.startswith("("):  # words, or one power of ten for both
        value, sign, spread = value + sign + spread, "", ""
    rest = " ".join(part for part in (f"±\u00a0{spread}" if sign else "", number.unit) if part)
    return {"label": number.label, "value": value, "rest": rest, "note": number.note}


def _claim(claim: Claim) -> dict[str, Any]:
    values = {name: typeset(format_value(getattr(claim, name), claim.unit)) for name in ("reported", "measured", "baseline")}
    return {"text": claim.text, "holds": claim.holds, "verdict": claim.verdict, "scale": claim.scale} | {
        **values,
        "note": claim.note,
        "source": claim.source,
    }


def _flat(tree: Any, formatted: bool, path: str = "") -> Iterator[tuple[str, str]]:
    """``(dotted name, text)`` of every leaf; short lists stay in one line, long ones say how long they are."""
    if isinstance(tree, Mapping) and tree:
        for key, value in tree.items():
            yield from _flat(value, formatted, f"{path}.{key}" if path else str(key))
    elif callable(getattr(tree, "tolist", None)) and not callable(getattr(tree, "keys", None)):
        yield from _flat(tree.tolist(), formatted, path)
    elif isinstance(tree, (list, tuple)) and not hasattr(tree, "_fields"):
        if len(tree) > 12 or any(isinstance(v, (list, tuple, Mapping)) for v in tree):
            yield path, f"{len(tree)} entries; see the JSON"
        else:
            yield path, ", ".join(_leaf(v, formatted) for v in tree)
    elif path:
        yield path, _leaf(tree, formatted)


def _leaf(value: Any, formatted: bool) -> str:
    return typeset(format_value(value)) if formatted or value is None else str(value)


def _cost(outcome: Outcome) -> str:
    parts = []
    if outcome.seconds is not None:
        minutes, seconds = divmod(float(outcome.seconds), 60)
        parts.append(f"{minutes:.0f} min {seconds:.0f} s" if minutes else f"{seconds:.1f} s")
    parts.append(f"{outcome.peak_memory_mb:,.0f} MiB peak memory")
    return ", ".join(parts)


def _date(created: str) -> str:
    try:
        return f"{datetime.datetime.fromisoformat(created):%Y-%m-%d %H:%M}"
    except ValueError:
        return created


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:] + "."
