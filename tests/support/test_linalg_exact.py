"""Exact ranks, null spaces and Smith forms against SymPy and against each other."""

from __future__ import annotations

from fractions import Fraction
from math import gcd

import numpy as np
import pytest
import sympy
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sympy import ZZ
from sympy.matrices.normalforms import smith_normal_form as sympy_smith

from erlangen.errors import ArgumentError
from erlangen.linalg import null_space_exact, numerical_rank, rank_mod_p, smith_normal_form


@st.composite
def integer_matrices(draw: st.DrawFn, bound: int = 9, side: int = 6) -> list[list[int]]:
    rows, columns = draw(st.integers(1, side)), draw(st.integers(1, side))
    row = st.lists(st.integers(-bound, bound), min_size=columns, max_size=columns)
    m = draw(st.lists(row, min_size=rows, max_size=rows))
    if draw(st.booleans()) and rows > 1:  # dependent rows are where the interesting cases are
        m[-1] = [2 * x - y for x, y in zip(m[0], m[1])]
    return m


@given(integer_matrices())
@settings(max_examples=100, deadline=None)
def test_null_space_and_rank_are_sympys(m: list[list[int]]) -> None:
    a = sympy.Matrix(m)
    basis = null_space_exact(m)
    assert len(basis) == a.cols - a.rank()
    for v in basis:
        assert all(x == 0 for x in a * sympy.Matrix(v))
        assert gcd(*v) == 1
        assert next(x for x in v if x) > 0
    if basis:
        assert sympy.Matrix(basis).rank() == len(basis)
    assert rank_mod_p(m) == a.rank() == numerical_rank(torch.tensor(m)).rank


@given(integer_matrices(), st.sampled_from([2, 3, 5, 7, 11]))
@settings(max_examples=60, deadline=None)
def test_rank_mod_p_counts_invariants_prime_to_p(m: list[list[int]], p: int) -> None:
    assert rank_mod_p(torch.tensor(m), p) == sum(x % p != 0 for x in smith_normal_form(m).invariants)


@given(integer_matrices(bound=12))
@settings(max_examples=100, deadline=None)
def test_smith_form(m: list[list[int]]) -> None:
    form = smith_normal_form(m)
    a, u, v, d = (sympy.Matrix(x) for x in (m, form.u, form.v, form.d))
    assert u * a * v == d
    assert abs(u.det()) == 1
    assert abs(v.det()) == 1
    assert u * sympy.Matrix(form.u_inverse) == sympy.eye(u.rows)
    assert v * sympy.Matrix(form.v_inverse) == sympy.eye(v.rows)
    reference = sympy_smith(a, domain=ZZ)
    assert form.invariants == [abs(reference[i, i]) for i in range(min(reference.shape))]


def test_smith_form_knows_groups() -> None:
    # Z/2 + Z/3 is Z/6; the Laplacian of the complete graph on 5 vertices has sandpile group (Z/5)^3.
    assert smith_normal_form([[2, 0], [0, 3]]).invariants == [1, 6]
    laplacian = (5 * np.eye(5) - 1).astype(int)
    assert smith_normal_form(laplacian).invariants == [1, 5, 5, 5, 0]
    assert smith_normal_form(torch.zeros(2, 3, dtype=torch.int64)).invariants == [0, 0]
    assert smith_normal_form(np.zeros((0, 3), dtype=int)).invariants == []


def test_large_entries_stay_exact() -> None:
    big = 10**40
    assert null_space_exact([[big, big + 1]]) == [[big + 1, -big]]
    assert smith_normal_form([[big, 0], [0, big + 1]]).invariants == [1, big * (big + 1)]


def test_fractions_and_sympy_numbers() -> None:
    m = [[Fraction(1, 2), Fraction(1, 3)], [Fraction(3, 2), 1]]
    assert null_space_exact(m) == [[2, -3]]
    assert rank_mod_p(m) == 1
    assert null_space_exact([[sympy.Rational(1, 2), sympy.Integer(1)]]) == [[2, -1]]
    assert null_space_exact(np.zeros((0, 2), dtype=int)) == [[1, 0], [0, 1]]


def test_refusals() -> None:
    half, third = Fraction(1, 2), Fraction(1, 3)
    for function, *arguments in (
        (null_space_exact, torch.ones(2, 2)),
        (null_space_exact, [[0.5]]),
        (null_space_exact, [[1, 2], [3]]),
        (null_space_exact, "no"),
        (null_space_exact, 3),
        (smith_normal_form, [[half]]),
        (smith_normal_form, torch.ones(3, dtype=torch.int64)),
        (rank_mod_p, [[1]], 4),
        (rank_mod_p, [[third]], 3),
    ):
        with pytest.raises(ArgumentError):
            function(*arguments)
