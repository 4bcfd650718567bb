"""How numbers are written for people, in the terminal and on the page."""

from __future__ import annotations

import cmath
import math
import numbers
import re
import statistics
from collections.abc import Sequence
from typing import Any, NamedTuple

from erlangen.errors import ArgumentError

MISSING = "–"
_SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


class PlusMinus(NamedTuple):
    """A measured value with its spread; prints as ``0.9712 ± 0.0021`` with the digits that the spread supports.

    >>> str(PlusMinus(0.97123, 0.00214))
    '0.9712 ± 0.0021'
    """

    value: float
    spread: float

    @classmethod
    def of(cls, values: Sequence[float]) -> PlusMinus:
        """Mean and sample standard deviation of at least two repetitions (seeds, folds).

        >>> PlusMinus.of([1.0, 2.0, 3.0])
        PlusMinus(value=2.0, spread=1.0)
        """
        xs = [float(v) for v in values]
        if len(xs) < 2:
            raise ArgumentError("values", "at least two repetitions", f"{len(xs)}")
        return cls(statistics.fmean(xs), statistics.stdev(xs))

    def __str__(self) -> str:
        value, spread = float(self.value), float(self.spread)
        if not (math.isfinite(value) and math.isfinite(spread)) or spread <= 0:
            return f"{format_number(value)} ± {format_number(spread)}"
        decimals = 1 - math.floor(math.log10(spread))  # two significant digits of the spread
        largest = max(abs(value), spread)
        if largest < 1e-3 or largest >= 1e6:
            exponent = math.floor(math.log10(largest))
            unit = 10.0**exponent
            digits = max(0, decimals + exponent)
            return f"({value / unit:.{digits}f} ± {spread / unit:.{digits}f})e{exponent:+03d}"
        return f"{value:.{max(0, decimals)}f} ± {spread:.{max(0, decimals)}f}"


def repeated(values: Sequence[float]) -> PlusMinus | float:
    """What repetitions gave, for a table or a key number: mean and spread of several, the value itself of one.

    >>> repeated([1.0, 2.0, 3.0]), repeated([1.0])
    (PlusMinus(value=2.0, spread=1.0), 1.0)
    """
    return PlusMinus.of(values) if len(values) > 1 else values[0]


def seeds_said(count: int) -> str:
    """How many seeds something was measured over, in words.

    >>> seeds_said(3), seeds_said(1)
    ('3 seeds', 'one seed')
    """
    return f"{count} seeds" if count > 1 else "one seed"


def format_number(value: Any, digits: int = 4) -> str:
    """A number with ``digits`` significant digits, in ASCII; scientific, with one digit less, below 1e-3 and from 1e6.

    >>> [format_number(x) for x in (0.98765432, 3.2e-11, 1234567, 0.0, float("inf"), True)]
    ['0.9877', '3.2e-11', '1,234,567', '0', 'inf', 'yes']
    """
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, numbers.Integral):
        return f"{int(value):,}" if abs(int(value)) < 10**15 else f"{float(value):.{digits}g}"
    if isinstance(value, numbers.Rational):
        return str(value)
    x = float(value)
    if math.isnan(x):
        return "NaN"
    if x == 0:
        return "0"
    if math.isfinite(x) and not 1e-3 <= abs(x) < 1e6:
        return f"{x:.{max(1, digits - 1)}g}"
    return f"{x:,.0f}" if 1e4 <= abs(x) < 1e6 else f"{x:.{digits}g}"


def format_value(value: Any, unit: str = "") -> str:
    """A number, a :class:`PlusMinus`, a tensor of one element or a text, with its unit; nothing becomes a dash.

    >>> format_value(12.5, "ms"), format_value("so(1,3)", "ms"), format_value(None)
    ('12.5 ms', 'so(1,3)', '–')
    """
    if value is None:
        return MISSING
    if isinstance(value, str):
        return value
    value = _item(value)
    if isinstance(value, numbers.Complex) and not isinstance(value, numbers.Real):
        text = f"{format_number(value.real)} {'-' if complex(value).imag < 0 else '+'} {format_number(abs(value.imag))}i"
    elif isinstance(value, PlusMinus) or not isinstance(value, numbers.Real):
        text = str(value)
    else:
        text = format_number(value)
    return f"{text} {unit}" if unit else text


def format_column(values: Sequence[Any]) -> list[str]:
    """The cells of one table column; floats of like size share their number of decimals, to be compared at a glance.

    >>> format_column([0.5, 0.98, 0.91234]), format_column([1e-9, 0.5])
    (['0.5000', '0.9800', '0.9123'], ['1e-09', '0.5'])
    """
    cells = [_item(v) for v in values]
    sizes = [abs(v) for v in cells if isinstance(v, float) and math.isfinite(v) and v != 0]
    alike = bool(sizes) and all(v is None or isinstance(v, float) for v in cells) and max(sizes) < 100 * min(sizes)
    if not (alike and min(sizes) >= 1e-3 and max(sizes) < 1e5):
        return [format_value(v) for v in cells]
    decimals = max(0, 3 - math.floor(math.log10(max(sizes))))
    return [f"{v:,.{decimals}f}" if isinstance(v, float) and math.isfinite(v) else format_value(v) for v in cells]


def _item(value: Any) -> Any:
    """The Python number in a tensor or array of one element."""
    if not isinstance(value, (numbers.Number, PlusMinus)) and callable(getattr(value, "item", None)):
        return value.item()
    return value


def format_matrix(values: Sequence[Sequence[Any]], decimals: int) -> list[list[str]]:
    """Entries with a common number of decimals; scientific where fixed decimals would not show the largest one.

    >>> format_matrix([[0.0, -1.0004], [1.0, -1e-9]], 3)
    [['0', '-1.000'], ['1.000', '0.000']]
    """
    largest = max((abs(complex(v)) for row in values for v in row if cmath.isfinite(complex(v))), default=0.0)
    scientific = largest >= 1e5 or largest < 10.0**-decimals

    def entry(v: Any) -> str:
        if isinstance(v, numbers.Integral) or not isinstance(v, numbers.Real):
            return format_value(v)
        x = float(v)
        if not math.isfinite(x) or x == 0:
            return format_number(x)
        text = f"{x:.{decimals}e}" if scientific else f"{x:.{decimals}f}"
        return text.lstrip("-") if float(text) == 0 else text  # no "-0.000"

    return [[entry(v) for v in row] for row in values]


def typeset(text: str) -> str:
    """A formatted number as print sets it: a true minus sign and powers of ten.

    >>> typeset("-1.5e-11")
    '−1.5 ×\xa010⁻¹¹'
    """
    text = re.sub(
        r"(?<=[\d)])e([+-]?)0*(\d+)\b",
        lambda m: " ×\u00a010" + f"{m[1].strip('+')}{m[2]}".translate(_SUPERSCRIPT),
        text,
    )
    text = re.sub(r"^1 ×\u00a0(?=10)", "", text)
    return re.sub(r"(?<![\w-])-(?=[\d.(]|inf)", "−", text)
