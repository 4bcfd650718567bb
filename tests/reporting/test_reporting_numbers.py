"""Plain JSON and numbers for people."""

from __future__ import annotations

import dataclasses
import json
import math
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from erlangen.errors import ArgumentError
from erlangen.reporting import PlusMinus, format_number, format_value, plain, to_json
from erlangen.reporting.formatting import format_column, format_matrix, typeset
from erlangen.verdict import Verdict

TREES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda children: st.lists(children, max_size=4) | st.dictionaries(st.text(), children, max_size=4),
    max_leaves=20,
)


def restored(tree):
    """The tree with the three words for non-finite numbers read back."""
    if isinstance(tree, dict):
        return {k: restored(v) for k, v in tree.items()}
    if isinstance(tree, list):
        return [restored(v) for v in tree]
    return float(tree) if tree in ("NaN", "Infinity", "-Infinity") else tree


def same(a, b) -> bool:
    if isinstance(a, float) and isinstance(b, float) and math.isnan(a) and math.isnan(b):
        return True
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(same(a[k], b[k]) for k in a)
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(same, a, b))
    return a == b and type(a) is type(b)


@given(TREES)
def test_json_of_any_tree_is_strict_and_loses_nothing(tree):
    def refuse(constant):
        raise AssertionError(f"{constant} is not JSON")

    assert same(restored(json.loads(to_json(tree), parse_constant=refuse)), restored(tree))


@dataclasses.dataclass
class Config:
    rate: float
    seeds: tuple[int, ...]
    where: Path


def test_every_kind_of_number():
    value = {
        "tensor": torch.tensor([[1.5, float("nan")]], requires_grad=True),
        "bfloat16": torch.tensor(0.5, dtype=torch.bfloat16),
        "array": np.array([1, 2], dtype=np.int32),
        "scalar": np.float32(0.25),
        "flag": np.bool_(True),
        "inf": -math.inf,
        "exact": Fraction(1, 3),
        "big": 2**80,
        "complex": np.complex128(1 - 2j),
        "config": Config(1e-3, (0, 1), Path("a/b")),
        "verdict": Verdict(False, "c", how="exact", witness=object()),
        "measured": PlusMinus(1.0, 0.5),
        "dtype": torch.float64,
        3: {"set"},
    }
    got = json.loads(to_json(value))
    assert got["tensor"] == [[1.5, "NaN"]]
    assert got["bfloat16"] == 0.5
    assert got["array"] == [1, 2]
    assert got["scalar"] == 0.25
    assert got["flag"] is True
    assert got["inf"] == "-Infinity"
    assert got["exact"] == "1/3"
    assert got["big"] == 2**80
    assert got["complex"] == {"re": 1.0, "im": -2.0}
    assert got["config"] == {"rate": 1e-3, "seeds": [0, 1], "where": "a/b"}
    assert got["verdict"]["holds"] is False
    assert "witness" not in got["verdict"]
    assert got["measured"] == {"value": 1.0, "spread": 0.5}
    assert got["dtype"] == "torch.float64"
    assert got["3"] == ["set"]


def test_two_keys_with_one_text_are_refused():
    with pytest.raises(ArgumentError, match="'1' twice"):
        plain({1: 0.5, "1": 0.7})


@given(st.floats(-1e300, 1e300))
def test_written_numbers_are_close_to_the_number(x):
    text = format_number(x).replace(",", "")
    assert float(text) == pytest.approx(x, rel=6e-3, abs=0)


def test_numbers_for_people():
    assert [format_value(v) for v in (True, np.bool_(False), torch.tensor(0.25), 12345.6, -0.98765432, None)] == [
        "yes",
        "no",
        "0.25",
        "12,346",
        "-0.9877",
        "–",
    ]
    assert format_value(1 - 2j) == "1 - 2i"
    assert format_value(3.25, "ms") == "3.25 ms"
    assert [typeset(t) for t in ("1e-06", "-2.5e+12", "so(1,-3)", "a-1", "-inf")] == [
        "10⁻⁶",
        "−2.5 ×\u00a010¹²",
        "so(1,−3)",
        "a-1",
        "−inf",
    ]


def test_spread_decides_the_digits():
    assert str(PlusMinus(0.97123, 0.00214)) == "0.9712 ± 0.0021"
    assert str(PlusMinus(12.3456, 1.234)) == "12.3 ± 1.2"
    assert str(PlusMinus(4e-5, 2e-5)) == "(4.0 ± 2.0)e-05"
    assert str(PlusMinus(1.0, 0.0)) == "1 ± 0"
    assert str(PlusMinus(float("nan"), 1.0)) == "NaN ± 1"
    assert PlusMinus.of([1.0, 2.0, 4.0]).spread == pytest.approx(np.std([1, 2, 4], ddof=1))
    with pytest.raises(ArgumentError):
        PlusMinus.of([1.0])


def test_columns_and_matrices_line_up():
    assert format_column([0.5, 0.98765, None, float("nan")]) == ["0.5000", "0.9877", "–", "NaN"]
    assert format_column([1e-9, 0.5]) == ["1e-09", "0.5"]
    assert format_column([3, 40]) == ["3", "40"]
    assert format_matrix([[0.0, -1e-9], [1.0, -2.34567]], 2) == [["0", "0.00"], ["1.00", "-2.35"]]
    assert format_matrix([[2e-7, 0.0]], 2) == [["2.00e-07", "0"]]
    assert format_matrix([[1, -1]], 2) == [["1", "-1"]]
