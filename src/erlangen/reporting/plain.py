"""Plain JSON of anything a study measures: tensors, arrays, exact numbers, dataclasses, NaN and infinities."""

from __future__ import annotations

import dataclasses
import datetime
import enum
import json
import math
import numbers
from collections.abc import Mapping, Sequence, Set
from pathlib import Path
from typing import Any

from erlangen.errors import ArgumentError


def plain(value: Any) -> Any:
    """``value`` as nothing but dict, list, str, int, float, bool and None, so that strict JSON can hold it.

    JSON has no NaN and no infinity, so these become the strings ``"NaN"``, ``"Infinity"`` and ``"-Infinity"``, which
    ``float()`` reads back. Tensors and arrays become nested lists, a complex number ``{"re": .., "im": ..}``, an exact
    fraction ``"3/7"``, a dataclass or named tuple a dict, an object with ``as_dict()`` that dict, and anything else its
    ``str``.

    Raises:
        ArgumentError: if two keys of one mapping have the same text (``1`` and ``"1"``): one number would be lost.

    >>> from fractions import Fraction
    >>> plain({"auc": (0.5, float("nan")), "exact": Fraction(3, 7), "z": 1 + 2j})
    {'auc': [0.5, 'NaN'], 'exact': '3/7', 'z': {'re': 1.0, 'im': 2.0}}
    >>> import torch
    >>> plain(torch.eye(2))
    [[1.0, 0.0], [0.0, 1.0]]
    """
    if value is None or type(value) in (bool, str):
        return value
    if isinstance(value, enum.Enum):
        return value.name
    if isinstance(value, numbers.Number):
        return _number(value)
    if callable(getattr(value, "as_dict", None)) and not isinstance(value, type):
        return plain(value.as_dict())
    if isinstance(value, Mapping):
        return _mapping(value)
    if callable(getattr(value, "_asdict", None)):  # a named tuple
        return _mapping(value._asdict())
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if callable(getattr(value, "tolist", None)):  # tensors, arrays and their scalars
        return plain(value.tolist())
    if isinstance(value, (datetime.date, datetime.datetime)):
        return value.isoformat()
    if isinstance(value, (Path, bytes, str)):
        return str(value)
    if isinstance(value, Set):
        return sorted((plain(v) for v in value), key=repr)
    if isinstance(value, Sequence):
        return [plain(v) for v in value]
    return str(value)


def _number(value: Any) -> Any:
    if isinstance(value, numbers.Integral):
        return int(value)
    if isinstance(value, numbers.Rational):
        return f"{int(value.numerator)}/{int(value.denominator)}"
    if isinstance(value, numbers.Real):
        x = float(value)
        if math.isnan(x):
            return "NaN"
        if math.isinf(x):
            return "Infinity" if x > 0 else "-Infinity"
        return x
    if isinstance(value, numbers.Complex):
        return {"re": _number(float(value.real)), "im": _number(float(value.imag))}
    return str(value)  # decimal.Decimal: exact as text


def _mapping(value: Mapping[Any, Any]) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for key, entry in value.items():
        text = key if isinstance(key, str) else str(plain(key))
        if text in result:
            raise ArgumentError("value", "keys with different texts", f"{text!r} twice")
        result[text] = plain(entry)
    return result


def to_json(value: Any) -> str:
    """Strict, readable JSON text of :func:`plain` of ``value``, ending in a newline.

    >>> print(to_json({"loss": float("inf"), "seeds": [0, 1]}), end="")
    {
      "loss": "Infinity",
      "seeds": [
        0,
        1
      ]
    }
    """
    return json.dumps(plain(value), indent=2, allow_nan=False, ensure_ascii=False) + "\n"
