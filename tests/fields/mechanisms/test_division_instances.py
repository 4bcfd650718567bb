"""Instances of fair division from what people have, exactly, and what is refused."""

from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
import torch

from erlangen.data import read_labelled
from erlangen.errors import ArgumentError
from erlangen.fields.mechanisms.division import RULES, Allocation, Instance, check_allocation, solve, utilitarian_ef1


def test_one_instance_from_all_that_people_have(tmp_path):
    pandas = pytest.importorskip("pandas")
    rows, agents, items = [[2, -1, 0], [1, 3, -4]], ["Ann", "Bob"], ["cook", "clean", "shop"]
    (tmp_path / "t.csv").write_text("who,cook,clean,shop\nAnn,2,-1,0\nBob,1,3,-4\n")
    wanted = Instance(rows, agents, items)
    by_name = {a: dict(zip(items, row)) for a, row in zip(agents, rows)}
    assert Instance(by_name) == wanted
    assert Instance(pandas.DataFrame(rows, index=agents, columns=items)) == wanted
    assert Instance(read_labelled(tmp_path / "t.csv")) == wanted
    for dtype in (np.int8, np.int64, np.float32, np.float64, object):
        assert Instance(np.array(rows, dtype=dtype), agents, items) == wanted
    assert Instance(torch.tensor(rows), agents, items) == wanted
    assert Instance([tuple(row) for row in rows]).agents == ("agent 1", "agent 2")
    # Another order of items in the second dict is the same instance.
    assert Instance({"Ann": by_name["Ann"], "Bob": dict(reversed(by_name["Bob"].items()))}) == wanted


def test_exact_numbers_stay_exact():
    inst = Instance([[Fraction(1, 3), Decimal("0.1")], [1, -2.0]])
    assert inst.exact
    assert inst.denominator == 30
    assert inst.numbers.tolist() == [[10, 3], [30, -60]]
    assert inst.value(0, [0, 1]) == Fraction(13, 30)
    huge = Instance([[2**62, 2**62, -1], [2**62 + 1, 2**62, -1]])
    assert huge.numbers.dtype == object
    assert Allocation(huge, [0, 0, 1]).utilities == {"agent 1": 2**63, "agent 2": -1}
    nearly = np.array([[2**61, 2**61], [2**61, 1]])
    assert Instance(nearly).numbers.dtype == object
    assert Allocation(Instance(nearly), [0, 0]).utilitarian == 2**62
    assert Instance(np.array([[2**64 - 1, 1]], dtype=np.uint64)).value(0, [0]) == 2**64 - 1
    assert Instance(np.array([[-(2**63), 1]])).value(0, [0]) == -(2**63)
    # Beyond what floats hold: envy by one unit of 10^40.
    big = 10**40
    assert not check_allocation(Allocation(Instance([[big, big + 1]] * 2), [0, 1]), "EF")
    assert check_allocation(Allocation(Instance([[big, big + 1], [big, big]]), [1, 0]), "EF")


def test_fewer_digits_allow_more():
    """Of float32 0.1 + 0.2 and 0.3 differ by 2e-8 of all: rounding, as it is of float64 by 1e-16."""
    pandas = pytest.importorskip("pandas")
    u = np.array([[0.1, 0.2, 0.3]] * 2, dtype=np.float32)
    for given in (u, torch.tensor(u), pandas.DataFrame(u), list(u), [list(row) for row in u], torch.tensor(u).bfloat16()):
        inst = Instance(given)
        assert inst.tolerance >= 8 * np.finfo(np.float32).eps
        assert check_allocation(Allocation(inst, [0, 0, 1]), "EF")
    assert not check_allocation(Allocation(Instance(u, tolerance=1e-9), [0, 0, 1]), "EF")
    assert Instance(u.astype(float)).tolerance == 1e-9


def test_rounding_is_neither_good_nor_bad():
    noise = 0.1 + 0.2 - 0.3
    inst = Instance([[noise, 1.0, 0.5], [1, 1, 1]])
    assert inst.numbers[0, 0] == 0
    assert check_allocation(Allocation(inst, [1, 1, 0]), "EFX")  # noise taken away would leave envy
    assert not check_allocation(Allocation(inst, [1, 1, 0]), "EFX0")
    assert not check_allocation(Allocation(Instance([[noise, 1.0, 0.5], [1, 1, 1]], tolerance=0), [1, 1, 0]), "EFX")
    assert "goods" in Instance([[-noise, 0.5]]).utility_classes
    # 3e290 + 2e290 is not 5e290 in binary: beyond 2^53 a float is whole by its exponent only.
    large = Instance([[5e290, 3e290, 2e290]] * 2)
    assert not large.exact
    assert check_allocation(Allocation(large, [0, 1, 1]), "EF")
    assert not Instance(np.array([[2**25, 1]], dtype=np.float32)).exact
    assert Instance(np.array([[2.0**53, 1]])).exact


@pytest.mark.parametrize("top", [10**400, 1e300, 10.0**-300, 5e-324])
def test_scales_beyond_floats(top):
    """Both want the item that the other has, whatever the size; by hand."""
    small = 1 if top == 10**400 else top / 1e300 if top == 1e300 else 0.0
    inst = Instance([[top, small], [small, top]], tolerance=0)
    right, wrong = Allocation(inst, [0, 1]), Allocation(inst, [1, 0])
    for name in ("EF", "EFX0", "PROP", "PO", "fPO"):
        assert check_allocation(right, name)
    for name in ("EF", "PROP", "PO", "fPO"):
        assert not check_allocation(wrong, name)
    assert bool(check_allocation(wrong, "EF1"))
    for rule in RULES.values():
        assert sorted(rule(inst).owner.tolist()) == [0, 1]
    assert solve(inst, {"EF", "PO"}).owner.tolist() == [0, 1]
    near = Instance([[top, small], [small, top]])
    assert check_allocation(Allocation(near, [0, 1]), "fPO")
    assert not check_allocation(Allocation(near, [1, 0]), "fPO")
    assert utilitarian_ef1(inst)[0].owner.tolist() == [0, 1]


def test_fractional_optimality_where_rates_nearly_meet():
    """Thirty agents around a circle whose rates multiply to one, or to one less 1e-16: exact, beyond what logarithms tell apart."""
    n, big = 30, 10**16
    u = np.zeros((n, n), dtype=object)
    for k in range(n):
        u[k, k], u[(k + 1) % n, k] = big, big
    assert check_allocation(Allocation(Instance(u), range(n)), "fPO")
    u[0, n - 1] += 1
    verdict = check_allocation(Allocation(Instance(u), range(n)), "fPO")
    assert (verdict.holds, verdict.how) == (False, "exact")
    assert 1 - 1e-15 < verdict.witness.gain < 1
    u[n - 1, n - 1] += 1
    assert check_allocation(Allocation(Instance(u), range(n)), "fPO")


def test_names_that_are_numbers():
    """Of a pandas table whose index are numbers, {agent: items} goes by the index."""
    pandas = pytest.importorskip("pandas")
    inst = Instance(pandas.DataFrame([[5, 1], [1, 5]], index=[1, 0], columns=["a", "b"]))
    assert Allocation(inst, {1: ["a"], 0: ["b"]}).utilities == {"1": 5, "0": 5}
    with pytest.raises(ArgumentError, match="a list of items of 1"):
        Allocation(inst, {1: "a", 0: "b"})


def test_floats_are_compared_with_a_tolerance_or_exactly():
    u = [[0.1, 0.2, 0.3], [0.1, 0.2, 0.3]]  # 0.1 + 0.2 > 0.3 in binary
    near, sharp = Instance(u), Instance(u, tolerance=0)
    assert (near.exact, sharp.exact) == (False, True)
    assert check_allocation(Allocation(near, [0, 0, 1]), "EF")
    assert check_allocation(Allocation(sharp, [0, 0, 1]), "EF").witness.i == "agent 2"
    assert "relative 1e-09" in check_allocation(Allocation(near, [0, 0, 1]), "EF").reason
    assert Instance([[0.1, -0.3], [0.1, -0.3 * (1 + 1e-12)]]).utility_class == "-alpha/0/beta"


@pytest.mark.parametrize(
    ("u", "names", "said"),
    [
        ([[1, float("nan")]], {}, "'u': expected a finite number in every cell; got nan for 'agent 1' and 'item 2'"),
        ([[1, float("inf")]], {}, "'u': expected a finite number"),
        (np.array([[1.0, np.nan]]), {}, "'u': expected a finite number"),
        ([[1, None]], {}, "got None for 'agent 1' and 'item 2'"),
        ([[1, "2"]], {}, "got '2' for"),
        ([[1, 2], [1]], {}, "'u': expected 2 numbers in each row; got 1 in that of 'agent 2'"),
        ([], {}, "'u': expected at least one agent"),
        (np.zeros((0, 3)), {}, "'u': expected at least one agent"),
        (np.zeros(3), {}, "got shape (3,)"),
        ("ab", {}, "'u': expected rows of numbers"),
        ({"Ann": {"a": 1}, "Bob": {"b": 1}}, {}, "got no 'a' of 'Bob'"),
        ({"Ann": {"a": 1}, "Bob": {"a": 1, "b": 1}}, {}, "got no 'b' of 'Ann'"),
        ({"Ann": 3}, {}, "a dict of items for 'Ann'"),
        ([[1, 2]], {"agents": ["a", "b"]}, "'agents': expected 1 names"),
        ([[1, 2]], {"items": ["a", "a"]}, "'items': expected a name of its own for each item; got 'a' twice"),
        ([[1, 2]], {"items": "ab"}, "'items': expected a list of names"),
        ([[1, 2]], {"tolerance": -1}, "'tolerance'"),
        ([[1e308, 1e308, 0.5]], {}, "sums are finite"),
        ([[10**400, 0.5]], {}, "one beyond it beside floating-point numbers"),
    ],
)
def test_bad_tables_are_refused_by_cell(u, names, said):
    with pytest.raises(ArgumentError) as problem:
        Instance(u, **names)
    assert said in str(problem.value)


def test_bad_allocations_are_refused():
    inst = Instance([[1, 2], [2, 1]], ["Ann", "Bob"], ["a", "b"])
    for owner, said in (
        ([0, 2], "'owner': expected an agent as owner of 'b'"),
        ([0, -1], "an agent as owner of 'b'"),
        ([0], "2 owners"),
        ({"Ann": ["a"]}, "none of 'b'"),
        ({"Ann": ["a", "b"], "Bob": ["a"]}, "'a' twice"),
        ({"Eve": ["a", "b"]}, "'Eve'"),
        (3, "a list of owners"),
    ):
        with pytest.raises(ArgumentError) as problem:
            Allocation(inst, owner)
        assert said in str(problem.value)
    with pytest.raises(ArgumentError, match="'axiom'"):
        check_allocation(Allocation(inst, [0, 1]), "EFY")
    with pytest.raises(ArgumentError, match="'axiom'"):
        check_allocation(Allocation(inst, [0, 1]), "SP")
    assert Allocation(inst, ["Bob", "Ann"]) == Allocation(inst, {"Ann": ["b"], "Bob": ["a"]})
    assert str(Allocation(inst, [1, 1])) == "Ann: nothing; Bob: a, b"


def test_welfare():
    inst = Instance([[2, -1], [3, -2]])
    assert Allocation(inst, [0, 1]).utilitarian == 0
    assert Allocation(inst, [0, 1]).egalitarian == -2
    assert Allocation(inst, [0, 1]).nash is None
    assert Allocation(inst, [0, 0]).nash == 0
    assert Allocation(Instance([[-2, -1], [-3, -4]]), [0, 1]).disutility_nash == 8


@pytest.mark.parametrize(
    ("u", "classes"),
    [
        ([[3, -2, 0], [1, 1, 1]], ["general"]),
        ([[2, -1, -1]] * 2, ["-alpha/0/beta", "identical", "absolute identical", "general"]),
        ([[2, -1, 3], [-2, -1, 3]], ["absolute identical", "general"]),
        ([[2, -2, 0], [-2, 0, 2]], ["-alpha/0/alpha", "-alpha/0/beta", "general"]),
        ([[1, 0], [1, 1]], ["-alpha/0/alpha", "-alpha/0/beta", "goods", "general"]),
        ([[-1, -2], [0, -1]], ["bads", "general"]),
        ([[], []], ["-alpha/0/alpha", "-alpha/0/beta", "identical", "absolute identical", "goods", "bads", "general"]),
    ],
)
def test_classes_are_recognised(u, classes):
    assert list(Instance(u).utility_classes) == classes
