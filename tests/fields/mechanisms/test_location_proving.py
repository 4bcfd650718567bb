"""Proofs about mechanisms on finite domains: the table of what is possible, minimal cores, and what solvers do."""

import math

import numpy as np
import pytest
import torch

from erlangen.errors import ArgumentError
from erlangen.fields.mechanisms.location import (
    Dictator,
    Domain,
    Median,
    Optimal,
    Sat,
    Unsat,
    check_location,
    mechanisms_on,
    prove,
)
from erlangen.fields.mechanisms.location.encoding import Encoding, plain_pairs
from erlangen.fields.mechanisms.location.proving import _solver
from erlangen.fields.mechanisms.location.symmetry import reflections
from erlangen.verdict import Verdict

pytest.importorskip("pysat")
ALL = frozenset({"ANON", "PO", "SP"})


def test_no_mechanism_for_two_people_in_the_plane():
    answer = prove(Domain.grid(4, 3), n=2, k=1, norm=2)
    assert isinstance(answer, Unsat)
    assert isinstance(answer, Verdict)
    assert not answer
    assert answer.how == "exact"
    assert answer["variables"] == 256
    assert answer["profiles"] == math.comb(13, 2)
    assert answer.minimal
    assert answer.core.shape == (answer["core"], 2, 2)
    again = answer.recheck()
    assert again
    assert again.how == "exact"
    assert "cadical153" in again.reason
    # Minimal: every profile of the core is needed.
    encoding = answer.encoding
    for left_out in encoding.only:
        fewer = Encoding(encoding.domain, 2, 1, 2.0, ALL, None, tuple(i for i in encoding.only if i != left_out))
        least, pairs = fewer.clauses()
        with _solver("minisat22") as sat:
            sat.append_formula(least)
            sat.append_formula((-pairs).tolist())
            assert sat.solve()


def test_each_axiom_is_needed():
    grid = Domain.grid(4, 3)
    for dropped, known in (("ANON", Dictator()), ("PO", Median()), ("SP", Optimal(1, "total"))):
        kept = sorted(ALL - {dropped})
        answer = prove(grid, n=2, axioms=kept)
        assert isinstance(answer, Sat)
        assert all(check_location(answer.table, axiom) for axiom in kept)
        # A mechanism that people know does it, too.
        among = {"outcomes": grid.outcomes} if dropped != "SP" else {}
        assert all(check_location(known, axiom, grid, n=2, **(among if axiom == "PO" else {})) for axiom in kept)


def test_small_grids_have_one_by_accident():
    assert prove(Domain.grid(3, 3), n=2)
    assert prove(Domain.grid(4, 4), n=3, k=2)


def test_four_people_in_the_plane():
    answer = prove(Domain.grid(4, 3), n=4, minimal=False)
    assert not answer
    assert answer["variables"] == 7604
    assert not answer.minimal
    assert answer.recheck()


@pytest.mark.slow
def test_two_places_for_three_people():
    answer = prove(Domain.grid(5, 4), n=3, k=2, minimal=False)
    assert not answer
    assert answer["variables"] == 7468
    assert prove(Domain.grid(5, 4), n=3, k=2, norm=1)


def test_lines_and_manhattan_have_mechanisms():
    for domain, n, k, norm in ((Domain.grid(5), 2, 1, 2), (Domain.grid(5), 3, 2, 2), (Domain.grid(3, 3), 3, 1, 1)):
        answer = prove(domain, n=n, k=k, norm=norm)
        assert isinstance(answer, Sat)
        for axiom in ALL:
            verdict = check_location(answer.table, axiom, norm=norm)
            assert verdict.holds
            assert verdict.how == "exhaustive"
    assert answer["profiles"] == math.comb(9 + 2, 3)


def test_three_people_in_space():
    """The cube with the axes' unit vectors: an impossibility for three people in three dimensions needs more points than are quick."""
    axes = np.vstack([np.zeros(3), np.eye(3)])
    assert prove(axes, n=3, norm=1)
    assert not check_location(Median(), "PO", np.eye(3))


def test_equivariant_mechanisms():
    square = Domain(Domain.grid(3, 3).points - 1)
    mirrors = reflections(2).vector
    answer = prove(square, n=3, k=1, norm=1, equivariant=mirrors)
    assert isinstance(answer, Sat)
    assert answer["variables"] < prove(square, n=3, k=1, norm=1)["variables"]
    profiles = torch.from_numpy(square.points[square.orbits(3)])
    assert check_location(answer.table, "REFL", profiles)
    assert check_location(answer.table, "SP", norm=1)
    # Two people at mirrored points have no place of their own but the middle.
    assert not prove(Domain(np.array([[-1.0], [1.0]])), n=2, equivariant=reflections(1).vector)
    with pytest.raises(ArgumentError, match="equivariant"):
        prove(Domain.grid(3, 3), n=2, equivariant=mirrors)


@pytest.mark.parametrize(
    ("n", "k", "axioms"), [(2, 1, ALL), (3, 2, ALL), (2, 1, frozenset({"PO", "SP"})), (2, 1, frozenset({"SP"}))]
)
def test_the_arrays_are_those_of_a_plain_loop(n, k, axioms):
    encoding = Encoding(Domain.grid(3, 2), n, k, 2.0, axioms)
    found = [tuple(sorted(pair)) for part in encoding.forbidden() for pair in part.tolist()]
    assert len(found) == len(set(found))
    assert set(found) == plain_pairs(encoding)


def test_all_mechanisms_on_three_points_of_a_line():
    """Moulin's three: the median of the reports and one phantom, at one of the points. Two more there are by accident: who is in the middle
    is as far from one end as from the other, so that (0, 1) -> 0 and (1, 2) -> 2 are safe beside (0, 2) -> either end."""
    found = list(mechanisms_on(Domain.grid(3), n=2))
    assert len(found) == 5
    for phantom in range(3):
        assert any(
            all(table(np.array([[a], [b]])).item() == sorted((a, b, phantom))[1] for a in (0.0, 1.0, 2.0) for b in (0.0, 1.0, 2.0))
            for table in found
        )


def test_a_solver_is_kept_while_its_models_are_listed():
    """python-sat lists no model at all of a solver that nobody holds."""
    from pysat.solvers import Solver

    def made():
        return Solver(name="g4", bootstrap_with=[[1, 2]])

    with _solver("g4") as sat:
        sat.append_formula([[1, 2]])
        assert len(list(sat.enum_models())) == 3
    kept = made()
    assert len(list(kept.enum_models())) == 3
    kept.delete()


def test_ctrl_c_is_heard(monkeypatch):
    from erlangen.fields.mechanisms.location import proving

    calls = []

    def stopped(sat, assumptions, quiet, what):
        calls.append(len(assumptions))
        if len(calls) > 3:
            raise KeyboardInterrupt
        return bool(sat.solve(assumptions=assumptions))

    monkeypatch.setattr(proving, "_solve", stopped)
    answer = prove(Domain.grid(4, 3), n=2)
    assert isinstance(answer, Unsat)
    assert not answer.minimal
    assert answer.recheck()
    with pytest.raises(KeyboardInterrupt):
        prove(Domain.grid(4, 3), n=2)


@pytest.mark.parametrize(
    ("argument", "options"),
    [
        ("n", {"n": 0}),
        ("k", {"k": 0}),
        ("norm", {"norm": 0.9}),
        ("axioms", {"axioms": ["GSP"]}),
        ("axiom", {"axioms": ["FAIR"]}),
        ("solver", {"solver": "guess"}),
        ("outcomes", {"outcomes": np.eye(3)}),
        ("equivariant", {"equivariant": "mirrors"}),
    ],
)
def test_bad_input(argument, options):
    with pytest.raises(ArgumentError) as problem:
        prove(Domain.grid(2, 2), **options)
    assert problem.value.argument == argument


def test_a_table_takes_its_own_profiles_alone():
    table = prove(Domain.grid(3), n=2).table
    assert table(torch.tensor([[[0.0], [2.0]], [[2.0], [0.0]]])).shape == (2, 1, 1)
    with pytest.raises(ArgumentError, match="points of Domain"):
        table(np.array([[0.5], [1.0]]))
    with pytest.raises(ArgumentError):
        table(np.zeros((3, 1)))
    assert len(table.rows()) == 6


def test_edges_of_the_domain():
    assert prove(Domain.grid(3), n=1)["profiles"] == 3
    assert prove(Domain.grid(3), n=1, axioms=["PO", "SP"])
    assert sum(1 for _ in mechanisms_on(Domain.grid(2), n=1, axioms=["SP"])) == 3  # two constants, and the report
    # Nobody can have a place of their own among these: a profile without any outcome is a core by itself.
    none = prove(Domain.grid(2), n=2, axioms=["UNAN"], outcomes=[[5.0]])
    assert isinstance(none, Unsat)
    assert none["core"] == 1
    assert none.recheck()
    assert prove(Domain.grid(2), n=2, axioms=[])
