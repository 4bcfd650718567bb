"""Searching among all allocations, integer programs, and `solve`, each against going through everything."""

import itertools
import math
import types

import numpy as np
import pytest

from erlangen.errors import ArgumentError
from erlangen.fields import mechanisms
from erlangen.fields.mechanisms import location
from erlangen.fields.mechanisms.division import (
    RULES,
    Allocation,
    Instance,
    Relabelling,
    check_allocation,
    exists,
    max_nash_welfare,
    property_table,
    solve,
    utilitarian_ef1,
    weighted_welfare,
)
from erlangen.fields.mechanisms.division.efficiency import pareto_optimality
from erlangen.fields.mechanisms.division.programs import _by_tangents, better_allocation
from erlangen.fields.mechanisms.division.search import _most, _sizes, equal_agents, equal_items, representatives

NAMES = ("EF", "EFX0", "EFX", "EF1", "EFX3", "EF13", "PROP", "PROP1", "PO")


def some(rng, n, m):
    """Utilities with equal rows and equal columns now and then."""
    u = rng.integers(-3, 4, (n, m))
    if rng.random() < 0.5:
        u[-1] = u[0]
    if rng.random() < 0.5:
        u[:, -1] = u[:, 0]
    return u


def test_tables_of_all_allocations_are_what_one_check_each_says():
    rng = np.random.default_rng(0)
    for scale in (1, 10**25, 0.3):
        for _ in range(12):
            n, m = int(rng.integers(1, 4)), int(rng.integers(0, 4))
            u = some(rng, n, m) if n * m else rng.integers(-3, 4, (n, m))
            inst = Instance((u.astype(object) * scale).tolist()) if m else Instance([[]] * n)
            table = property_table(inst, NAMES)
            for k, owner in enumerate(itertools.product(range(n), repeat=m)):
                for name in NAMES:
                    assert table[name][k] == bool(check_allocation(Allocation(inst, owner), name)), (name, u, owner)


def test_what_exists_is_what_the_table_says():
    rng = np.random.default_rng(1)
    asked = [{"EFX"}, {"EFX0"}, {"EFX3"}, {"EF13", "PO"}, {"EFX", "PO"}, {"EF"}, {"PROP"}, {"PROP1", "EFX0", "PO"}, {"EFX^3", "po"}]
    counts = {True: 0, False: 0}
    for _ in range(150):
        n, m = int(rng.integers(2, 4)), int(rng.integers(1, 6))
        inst = Instance(some(rng, n, m))
        table = property_table(inst, NAMES)
        for names in asked:
            verdict = exists(inst, names)
            known = [{"EFX^3": "EFX3", "po": "PO"}.get(name, name) for name in names]
            assert bool(verdict) == bool(np.logical_and.reduce([table[name] for name in known]).any())
            counts[bool(verdict)] += 1
            assert verdict.how == "exhaustive"
            assert verdict.tried <= verdict["allocations"]
            if verdict:
                assert all(check_allocation(verdict.witness, name) for name in names)
    assert min(counts.values()) > 100


def test_representatives_meet_every_orbit():
    """By the library's own orbits of the exchanges of equal agents and items."""
    rng = np.random.default_rng(2)
    saved = 0
    for _ in range(40):
        n, m = int(rng.integers(2, 4)), int(rng.integers(1, 5))
        u = some(rng, n, m)
        inst = Instance(u)
        met = {tuple(owner) for block in representatives(inst) for owner in block.tolist()}
        act = Relabelling(n, m, agents=equal_agents(inst), items=equal_items(inst))
        for owner in itertools.product(range(n), repeat=m):
            assert met & set(act.orbit(owner))
        saved += n**m - len(met)
    assert saved > 200
    alike = Instance([[1] * 12] * 3)
    verdict = exists(alike, {"EF"})
    assert verdict["symmetries"] == math.factorial(12) * 6
    assert verdict
    assert exists(Instance([[1] * 11] * 3), {"EF"}).holds is False
    assert exists(Instance([[1] * 60] * 3), {"EF"}).holds  # 3^60 allocations, few up to exchanges
    with pytest.raises(ArgumentError, match="up to exchanges"):
        exists(Instance([list(range(1, 41)), list(range(2, 42))]), {"EF"})
    with pytest.raises(ArgumentError, match="'axiom'"):
        exists(alike, {"EFQ"})


def test_integer_programs_find_what_going_through_all_finds():
    rng = np.random.default_rng(3)
    for k in range(25):
        n, m = int(rng.integers(2, 4)), int(rng.integers(1, 6))
        inst = Instance((rng.integers(-5, 6, (n, m)).astype(object) * (1 if k % 2 else 10**20)).tolist())
        table = property_table(inst, ["EF1"])
        sums = [Allocation(inst, owner).utilitarian for owner in itertools.product(range(n), repeat=m)]
        answer, verdict = utilitarian_ef1(inst)
        assert verdict
        assert verdict.how == "search"
        assert answer.utilitarian == max(s for s, good in zip(sums, table["EF1"]) if good)
        assert check_allocation(answer, "EF1")
    assert utilitarian_ef1(Instance([[], []]))[1]
    assert utilitarian_ef1(Instance([[0, 0], [0, 0]]))[1]


def test_the_largest_product_of_utilities():
    rng = np.random.default_rng(4)
    for k in range(40):
        n, m = int(rng.integers(2, 4)), int(rng.integers(1, 7))
        u = rng.integers(0, 9, (n, m))
        inst = Instance(u if k % 3 else u.astype(object) * 10**30)
        answer = max_nash_welfare(inst)
        for name in ("EF1", "PO"):
            assert name in answer.guarantees
            assert check_allocation(answer, name)

        def rank(allocation):
            positive = [v for v in allocation.utilities.values() if v > 0]
            return len(positive), math.prod(positive)

        best = max(rank(Allocation(inst, owner)) for owner in itertools.product(range(n), repeat=m))
        assert rank(answer) == best
        tangents = rank(Allocation(inst, _by_tangents(inst, 60)))
        assert tangents[0] == best[0]
        if best[0] == n:
            assert tangents[1] == pytest.approx(best[1], rel=1e-6)
    with pytest.raises(ArgumentError, match="agent 2 dislikes 'item 1'"):
        max_nash_welfare(Instance([[1, 2], [-1, 2]]))
    large = max_nash_welfare(Instance(rng.integers(1, 50, (4, 16))))
    assert large.guarantees == ()
    assert check_allocation(large, "EF1")
    for n, m in ((5, 40), (3, 60)):  # the engine's default gap would keep bound and product apart
        large = max_nash_welfare(Instance(rng.integers(0, 21, (n, m))))
        assert check_allocation(large, "EF1")
        assert check_allocation(large, "PO")


def test_better_allocations_beyond_what_can_be_gone_through():
    rng = np.random.default_rng(5)
    counts = set()
    for _ in range(6):
        inst = Instance(rng.integers(1, 30, (3, 24)))
        poor = Allocation(inst, rng.integers(0, 3, 24))
        quick = pareto_optimality(poor)
        counts.add(quick.how)
        for better in (quick.witness, Allocation(inst, better_allocation(poor)[0])):  # an exchange of two, and an integer program
            gains = [better.utilities[a] - poor.utilities[a] for a in inst.agents]
            assert min(gains) >= 0 < max(gains)
        assert not quick
    assert counts == {"exact"}
    assert better_allocation(RULES["utilitarian_greedy"](inst))[0] is None
    # No two can be exchanged here, three can, around a circle; found by going through all.
    circle = Allocation(Instance([[2, 3, 0], [0, 2, 3], [3, 0, 2]]), [0, 1, 2])
    verdict = pareto_optimality(circle)
    assert (verdict.holds, verdict.how, verdict.witness.owner.tolist()) == (False, "exhaustive", [2, 0, 1])
    # The same beside ten items that nobody else wants: too many to go through.
    wide = Instance(np.block([[np.array([[2, 3, 0], [0, 2, 3], [3, 0, 2]]), np.kron(np.eye(3, dtype=int), np.ones(6, dtype=int))]]))
    verdict = pareto_optimality(Allocation(wide, [0, 1, 2, *[0] * 6, *[1] * 6, *[2] * 6]))
    assert (verdict.holds, verdict.how) == (False, "exact")
    assert verdict.witness.utilitarian == 27


def test_solve_takes_what_is_proven():
    """Acceptance 12, and the story."""
    rng = np.random.default_rng(6)
    two = Instance([[2, -1, -1]] * 2)
    none = solve(two, want={"EFX3"})
    assert (none.holds, none.how) == (False, "exhaustive")
    assert "none exists" in none.reason
    cases = [
        (rng.integers(-9, 10, (30, 80)), {"EF13"}, "double_round_robin"),
        (rng.integers(-1, 2, (30, 80)), {"EFX^3", "PO"}, "double_round_robin"),
        (np.tile(rng.integers(-9, 10, 80), (30, 1)), {"EFX", "PO"}, "greedy_magnitude"),
        (np.tile(rng.integers(-9, 10, 80), (30, 1)), {"EF13", "PO"}, "double_round_robin"),
        (rng.integers(-9, 10, (2, 80)), {"EF1", "PO"}, "adjusted_winner"),
        (rng.integers(-9, 10, (9, 80)), {"fPO"}, "utilitarian_greedy"),
        (rng.integers(0, 10, (3, 8)), {"EF1", "PO"}, "max_nash_welfare"),
        (rng.integers(-9, 10, (3, 7)), {"EF1", "PO"}, "exists"),
        ([[3, -4]], {"EF", "PO"}, "everything to the one"),
        ([[], []], {"EF1"}, "double_round_robin"),
    ]
    for u, want, algorithm in cases:
        answer = solve(Instance(u), want=want)
        assert answer.algorithm == algorithm
        assert all(check_allocation(answer, name) for name in want)
    assert solve(two).algorithm == "greedy_magnitude"
    assert solve(two, "EF1").algorithm in RULES
    large = Instance(rng.integers(-9, 10, (3, 40)))
    with pytest.raises(ArgumentError, match="no guarantee for class general. pass method='search'"):
        solve(large, want={"EFX", "PO"})
    found = solve(large, want={"EFX"}, method="search")
    assert check_allocation(found, "EFX")
    for bad, said in (
        ({"want": {"EFQ"}}, "'axiom'"),
        ({"want": {"SP"}}, "'axiom'"),
        ({"method": "luck"}, "'method'"),
        ({"want": 3}, "'want'"),
        ({"seconds": 0}, "'seconds'"),
    ):
        with pytest.raises(ArgumentError, match=said):
            solve(two, **bad)
    with pytest.raises(ArgumentError, match="'inst'"):
        solve([[1, 2]])


def test_a_search_that_finds_nothing_says_no_more():
    inst = Instance([[1000, *range(1, 40)], [1000, *range(39, 0, -1)]])
    found = solve(inst, want={"EF"}, method="search")
    assert (found.holds, found.how) == (False, "search")
    assert "says nothing" in found.reason


def test_one_check_for_both_families():
    """The story: an allocation, a rule that divides, a rule for locations."""
    answer = mechanisms.solve(mechanisms.Instance([[2, -1, -1]] * 2), want={"EFX", "PO"})
    verdict = mechanisms.check(answer, "EFX3")
    assert not verdict
    i, j, item, part = verdict.witness
    assert {i, j} == {"agent 1", "agent 2"}
    assert (item, part) == ("item 2", "disliked")
    assert not mechanisms.check(RULES["double_round_robin"], "ANON", [answer.instance])
    assert mechanisms.check(RULES["double_round_robin"], "EF13", answer.instance)
    assert mechanisms.check(location.Median(), "ANON", [[[0.0], [1.0], [5.0]]])
    with pytest.raises(ArgumentError, match="none exists"):
        mechanisms.check(mechanisms.solve(answer.instance, want="EFX3"), "EFX3")


def dominated(u, owner):
    """Of two agents, by the sums of all subsets."""
    sums = np.zeros((2, 1), dtype=np.int64)
    for first, second in u.T.tolist():
        sums = np.concatenate([sums + np.array([[first], [0]]), sums + np.array([[0], [second]])], 1)
    here = np.array([u[0][owner == 0].sum(), u[1][owner == 1].sum()])[:, None]
    return bool(((sums >= here).all(0) & (sums > here).any(0)).any())


def test_a_better_allocation_is_found_where_worths_differ_by_one_in_a_hundred_million():
    """The engine rounds such sums; 2^24 allocations are gone through beside it."""
    rng = np.random.default_rng(8)
    seen = set()
    for k in range(9):
        u = [0, 10**6, 10**8][k % 3] + rng.integers(0, 4, (2, 24))
        owner = (u[0] < u[1]).astype(int)
        for o in rng.integers(0, 24, k % 4):
            owner[o] = 1 - owner[o]
        found, said = better_allocation(Allocation(Instance(u), owner))
        wanted = dominated(u, owner)
        seen.add(wanted)
        assert (found is not None) == wanted
        assert wanted or "tolerances" in said
        assert bool(check_allocation(Allocation(Instance(u), owner), "PO")) != wanted
    assert seen == {True, False}


def test_what_time_does_not_decide_is_said(monkeypatch):
    # Three around a circle gain, no two: among so many that an integer program looks.
    wide = Instance(np.block([[np.array([[2, 3, 0], [0, 2, 3], [3, 0, 2]]), np.kron(np.eye(3, dtype=int), np.ones(6, dtype=int))]]))
    answer = Allocation(wide, [0, 1, 2, *[0] * 6, *[1] * 6, *[2] * 6])
    assert not check_allocation(answer, "PO")
    stopped = types.SimpleNamespace(x=None, status=1)
    monkeypatch.setattr("erlangen.fields.mechanisms.division.programs.milp", lambda *args, **options: stopped)
    verdict = check_allocation(answer, "PO", seconds=3)
    assert verdict.how == "search"
    assert verdict.reason == "undecided: integer programming found none that is better in 3 s"


def test_large_tables_are_fair_and_efficient_by_weights():
    rng = np.random.default_rng(10)
    for n, m, low, name in ((20, 300, -50, "EF"), (5, 40, -20, "EF"), (8, 30, 0, "EF1"), (10, 50, 0, "EF1")):
        inst = Instance(rng.integers(low, 51, (n, m)))
        answer = weighted_welfare(inst, [name, "fPO"])
        assert check_allocation(answer, name)
        assert check_allocation(answer, "fPO")
        scaled = weighted_welfare(inst.scaled([2**k for k in range(n)]), [name, "fPO"])  # units do not matter
        assert scaled.owner.tolist() == answer.owner.tolist()
    goods = Instance(rng.integers(0, 21, (8, 30)))
    answer = solve(goods, {"EF1", "PO"})  # of goods it exists always
    assert check_allocation(answer, "EF1")
    assert check_allocation(answer, "PO").how == "exact"
    assert weighted_welfare(Instance([[1], [1]]), ["EF"]) is None
    assert weighted_welfare(Instance([[5, 1], [1, 5]]), "EF").owner.tolist() == [0, 1]
    assert weighted_welfare(Instance([[], []]), ["EF", "PO"]).owner.tolist() == []
    assert weighted_welfare(Instance([[10**400, 1], [1, 10**400]]), ["EF", "PO"]).owner.tolist() == [0, 1]


def test_what_is_too_much_to_look_at_is_refused_at_once():
    """60 equal items among 20 equal people: few by the quotient of orders, 10^18 in truth."""
    with pytest.raises(ArgumentError, match="up to exchanges"):
        exists(Instance([[1] * 61] * 20), "EF")
    rng = np.random.default_rng(11)
    for _ in range(40):
        n, m = int(rng.integers(1, 5)), int(rng.integers(1, 6))
        inst = Instance(some(rng, n, m) if n > 1 else rng.integers(-1, 2, (n, m)))
        met = sum(len(block) for block in representatives(inst))
        sizes = [_sizes(group) for group in (equal_agents(inst), equal_items(inst))]
        assert met <= _most(n, m, *sizes, 0) <= n**m


def test_a_rule_without_an_allocation_is_refused():
    with pytest.raises(ArgumentError, match="'rule': expected a rule that makes an Allocation"):
        mechanisms.check(lambda inst: solve(inst, "EFX3"), "ANON", [Instance([[2, -1, -1]] * 2)])
