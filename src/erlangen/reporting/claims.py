"""`Claim` and `Claims`: what a source reports, what a run measured, and whether it holds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, overload

from erlangen.errors import ArgumentError
from erlangen.reporting.formatting import format_value
from erlangen.reporting.plain import plain
from erlangen.verdict import Verdict

if TYPE_CHECKING:
    from rich.table import Table

HOLDS, FAILS = "holds", "does not hold"


@dataclass(frozen=True)
class Claim:
    """One claim and its outcome in this run.

    Args:
        text: the claim as a statement, e.g. ``"the symmetrized model keeps its AUC under random boosts"``.
        reported: what the source reports: a number, a text, or None where it gives no figure.
        measured: what this run measured: a number, a :class:`~erlangen.reporting.PlusMinus`, or a text.
        holds: the outcome; a :class:`~erlangen.verdict.Verdict` counts as its truth value.
        baseline: the same quantity for the baseline, from the same run.
        scale: the size at which it was measured, e.g. ``"3,000 jets, 3 seeds"``.
        unit: the unit of the three numbers; dimensionless when empty.
        note: one sentence for the reader.
        source: where it is reported: authors, year, identifier, table or figure.
        key: of the announced claim that it answers, where a study announced some; several may answer one.

    >>> c = Claim("AUC under boosts is kept", 0.95, 0.61, holds=False, unit="")
    >>> c.verdict, c.as_dict()["measured"]
    ('does not hold', 0.61)
    """

    text: str
    reported: Any
    measured: Any
    holds: bool | Verdict
    baseline: Any = None
    scale: str = ""
    unit: str = ""
    note: str = ""
    source: str = ""
    key: str = ""

    def __post_init__(self) -> None:
        if not self.text:
            raise ArgumentError("text", "a statement", "an empty text")
        object.__setattr__(self, "holds", bool(self.holds))

    @property
    def verdict(self) -> str:
        """``"holds"`` or ``"does not hold"``."""
        return HOLDS if self.holds else FAILS

    def as_dict(self) -> dict[str, Any]:
        """Every field, ready for JSON."""
        return {
            "text": self.text,
            "reported": plain(self.reported),
            "measured": plain(self.measured),
            "baseline": plain(self.baseline),
            "unit": self.unit,
            "holds": bool(self.holds),
            "scale": self.scale,
            "note": self.note,
            "source": self.source,
            "key": self.key,
        }


def claim_from(
    verdict: Verdict,
    text: str = "",
    *,
    measured: Any = None,
    reported: Any = None,
    baseline: Any = None,
    scale: str = "",
    unit: str = "",
    note: str = "",
    source: str = "",
    key: str = "",
) -> Claim:
    """The :class:`Claim` that a :class:`~erlangen.verdict.Verdict` answers.

    Args:
        verdict: the answer; it decides whether the claim holds.
        text: the statement; ``verdict.claim`` when empty.
        measured: a value, or the name of one of ``verdict.numbers``; the first of these when not given, and the verdict
            itself when there are none.
        scale, note: taken from the verdict's number of cases, interval and reason when empty.
        reported, baseline, unit, source, key: as in :class:`Claim`.

    >>> v = Verdict(True, "f is SO(3)-invariant", how="statistical", tried=64, numbers={"mean": 1e-12, "worst": 3e-12})
    >>> c = claim_from(v, measured="worst", baseline=0.4)
    >>> c.text, c.measured, c.scale, c.holds
    ('f is SO(3)-invariant', 3e-12, 'statistical, 64 tried', True)
    """
    if isinstance(measured, str) and measured in verdict.numbers:
        measured = verdict.numbers[measured]
    elif measured is None:
        measured = next(iter(verdict.numbers.values()), HOLDS if verdict else FAILS)
    if not scale:
        scale = f"{verdict.how}, {verdict.tried} tried" if verdict.tried else verdict.how
    if not note:
        parts = [verdict.reason]
        if verdict.interval is not None:
            low, high = (format_value(v) for v in verdict.interval)
            parts.append(f"{verdict.confidence:.0%} interval [{low}, {high}]")
        note = "; ".join(part for part in parts if part)
    return Claim(text or verdict.claim, reported, measured, bool(verdict), baseline, scale, unit, note, source, key)


class Claims(Sequence[Claim]):
    """Claims in the order in which they are shown. Immutable; ``+`` joins two.

    >>> claims = Claims([Claim("a", None, 1, True), Claim("b", None, 2, False)])
    >>> len(claims), claims.holds, [c.text for c in claims.failing]
    (2, False, ['b'])
    """

    def __init__(self, claims: Iterable[Claim] = ()) -> None:
        self._claims = tuple(claims)
        for claim in self._claims:
            if not isinstance(claim, Claim):
                raise ArgumentError("claims", "Claim objects", type(claim).__name__)

    @overload
    def __getitem__(self, index: int) -> Claim: ...
    @overload
    def __getitem__(self, index: slice) -> Claims: ...
    def __getitem__(self, index: int | slice) -> Claim | Claims:
        return Claims(self._claims[index]) if isinstance(index, slice) else self._claims[index]

    def __len__(self) -> int:
        return len(self._claims)

    def __iter__(self) -> Iterator[Claim]:
        return iter(self._claims)

    def __add__(self, other: Iterable[Claim]) -> Claims:
        return Claims((*self._claims, *other))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Claims) and self._claims == other._claims

    def __hash__(self) -> int:
        return hash(self._claims)

    def __repr__(self) -> str:
        return f"Claims({self.summary()})"

    @property
    def holds(self) -> bool:
        """Whether every claim holds (true of no claims)."""
        return not self.failing

    @property
    def failing(self) -> tuple[Claim, ...]:
        """The claims that do not hold."""
        return tuple(claim for claim in self._claims if not claim.holds)

    def summary(self) -> str:
        """One line: how many hold.

        >>> Claims([Claim("a", None, 1, True), Claim("b", None, 2, False)]).summary()
        '1 of 2 claims holds, 1 does not'
        """
        total, bad = len(self._claims), len(self.failing)
        if not total:
            return "no claims"
        if not bad:
            return "the one claim holds" if total == 1 else f"all {total} claims hold"
        if total == 1:
            return "the one claim does not hold"
        good = total - bad
        rest = "1 does not" if bad == 1 else f"{bad} do not"
        return f"{good or 'none'} of {total} claims {'holds' if good == 1 else 'hold'}, {rest}"

    def as_dict(self) -> dict[str, Any]:
        """All claims, ready for JSON."""
        return {
            "total": len(self._claims),
            "holding": len(self._claims) - len(self.failing),
            "claims": [claim.as_dict() for claim in self._claims],
        }

    def table(self) -> Table:
        """The claims as a ``rich`` table for the terminal; a failure is in capitals, so that it shows without colour.

        Columns that no claim has a number for are left out.

        >>> from rich.console import Console
        >>> Console(width=60).print(Claims([Claim("a", 0.9, 0.5, False)]).table())  # doctest: +ELLIPSIS
        <BLANKLINE>
         claim ... reported   measured   verdict ...
        ...DOES NOT HOLD...
        """
        from rich import box
        from rich.table import Table
        from rich.text import Text  # Text, not str: a "[bold]" in a user's words is not markup

        shown = [name for name in ("reported", "measured", "baseline") if any(getattr(c, name) is not None for c in self)]
        table = Table(box=box.SIMPLE, pad_edge=False, show_lines=False)
        table.add_column("claim", overflow="fold", ratio=1, min_width=16)
        for name in shown:
            table.add_column(name, justify="right", overflow="fold", style="bold" if name == "measured" else None)
        table.add_column("verdict", overflow="fold")
        for claim in self:
            statement = Text(claim.text)
            if details := "; ".join(detail for detail in (claim.note, claim.scale, claim.source) if detail):
                statement.append(f"\n{details}", style="dim")
            row = [statement, *(Text(format_value(getattr(claim, name), claim.unit)) for name in shown)]
            row.append(Text(HOLDS, style="green") if claim.holds else Text(FAILS.upper(), style="bold red"))
            table.add_row(*row)
        return table
