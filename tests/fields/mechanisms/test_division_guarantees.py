"""What the algorithms of fair division guarantee, on every class, and the checkers against literal definitions."""

import itertools
from collections import Counter
from fractions import Fraction

import numpy as np
import pytest
import torch
from scipy.optimize import linprog

from erlangen.errors import ArgumentError
from erlangen.fields.mechanisms.division import (
    Allocation,
    Instance,
    Relabelling,
    adjusted_winner,
    check_allocation,
    check_division,
    double_round_robin,
    greedy_magnitude,
    plain_double_round_robin,
    round_robin,
    utilitarian_greedy,
)
from erlangen.fields.mechanisms.division.classes import IMPLIED, closure
from erlangen.fields.mechanisms.division.enumeration import totals_of
from erlangen.testing import check_action

ALL = ("EF", "EFX0", "EFX", "EF1", "EFX3", "EF13", "PROP", "PROP1", "PO", "fPO")


def draw(rng, name, n, m):
    """Utilities of a class."""
    v = rng.integers(0, 6, m)
    if name == "identical":
        return np.tile(v * rng.choice([-1, 1], m), (n, 1))
    if name == "absolute identical":
        return v * rng.choice([-1, 1], (n, m))
    if name == "-alpha/0/alpha":
        return rng.integers(1, 4) * rng.integers(-1, 2, (n, m))
    if name == "-alpha/0/beta":
        alpha, beta = rng.integers(1, 6, 2)
        return np.choose(rng.integers(0, 3, (n, m)), [-alpha, 0, beta])
    return {"general": rng.integers(-5, 6, (n, m)), "goods": rng.integers(0, 6, (n, m)), "bads": rng.integers(-5, 1, (n, m))}[name]


def literal(u, owner, name):
    """The definitions word by word, on sets of items."""
    n, m = u.shape
    bundles = [{o for o in range(m) if owner[o] == i} for i in range(n)]

    def worth(i, items):
        return sum(int(u[i, o]) for o in items)

    def free(i, mine, theirs, kind):
        if worth(i, mine) >= worth(i, theirs):
            return True
        if kind == "EF1":
            return any(worth(i, mine - {o}) >= worth(i, theirs - {o}) for o in mine | theirs)
        if kind == "EF":
            return False
        zero = kind == "EFX0"
        bad = [o for o in mine if u[i, o] < 0 or (zero and u[i, o] == 0)]
        good = [o for o in theirs if u[i, o] > 0 or (zero and u[i, o] == 0)]
        return all(worth(i, mine - {o}) >= worth(i, theirs) for o in bad) and all(
            worth(i, mine) >= worth(i, theirs - {o}) for o in good
        )

    if name in ("PROP", "PROP1"):
        fair = [Fraction(worth(i, range(m)), n) for i in range(n)]
        one = [] if name == "PROP" else range(m)
        return all(worth(i, bundles[i]) >= fair[i] or any(worth(i, bundles[i] ^ {o}) >= fair[i] for o in one) for i in range(n))
    if name == "PO":
        here = [worth(i, bundles[i]) for i in range(n)]
        for other in itertools.product(range(n), repeat=m):
            there = [sum(int(u[i, o]) for o in range(m) if other[o] == i) for i in range(n)]
            if all(b >= a for a, b in zip(here, there)) and there != here:
                return False
        return True
    kind = {"EF13": "EF1", "EFX3": "EFX"}.get(name, name)
    for i, j in itertools.permutations(range(n), 2):
        mine, theirs = bundles[i], bundles[j]
        if not free(i, mine, theirs, kind):
            return False
        if name in ("EF13", "EFX3"):
            for part in ({o for o in range(m) if u[i, o] > 0}, {o for o in range(m) if u[i, o] < 0}):
                if not free(i, mine & part, theirs & part, kind):
                    return False
    return True


PROMISED = [
    (double_round_robin, "general", {"EF13"}),
    (double_round_robin, "-alpha/0/alpha", {"EFX3", "PO"}),
    (double_round_robin, "-alpha/0/beta", {"EF13", "PO"}),
    (double_round_robin, "absolute identical", {"EF13", "PO"}),
    (greedy_magnitude, "absolute identical", {"EFX", "PO"}),
    (greedy_magnitude, "identical", {"EFX", "PO"}),
    (greedy_magnitude, "-alpha/0/beta", {"EFX", "PO"}),
]


@pytest.mark.parametrize(("rule", "name", "axioms"), PROMISED)
def test_every_guarantee_holds(rule, name, axioms):
    """Acceptance 1 and 9: two thousand instances of each class, n up to 4 and m up to 7."""
    rng = np.random.default_rng(sum(map(ord, rule.__name__ + name)))
    for _ in range(2000):
        n, m = int(rng.integers(1, 5)), int(rng.integers(0, 8))
        inst = Instance(draw(rng, name, n, m).astype(np.int64))
        answer = rule(inst)
        assert name in inst.utility_classes
        assert axioms <= set(answer.guarantees)
        for axiom in axioms:
            assert check_allocation(answer, axiom), (axiom, inst.numbers, answer.owner)
        if name != "general":
            here, every = answer.values.diagonal(), totals_of(inst, range(m))
            assert not ((every >= here).all(1) & (every > here).any(1)).any()
            assert answer.utilitarian == (inst.numbers.max(0).sum() if m else 0)
        assert (np.array([inst.numbers[i, o] for o, i in enumerate(answer.owner)]) >= 0)[
            (inst.numbers.max(0) >= 0).nonzero()[0] if m else []
        ].all()


@pytest.mark.parametrize("name", ["general", "-alpha/0/beta", "absolute identical"])
def test_optimality_of_the_guarantees_by_going_through_all(name):
    """The proof that an allocation is PO (who values an item most has it) against all allocations."""
    rng = np.random.default_rng(5)
    for _ in range(60):
        n, m = int(rng.integers(2, 4)), int(rng.integers(1, 6))
        inst = Instance(draw(rng, name, n, m).astype(np.int64))
        for rule in (double_round_robin, greedy_magnitude, utilitarian_greedy):
            answer = rule(inst)
            assert bool(check_allocation(answer, "PO")) == literal(inst.numbers, answer.owner, "PO")


def test_the_two_impossibilities():
    """Acceptance 2 and 3: of the eight and the four allocations as many are EF1, EFX, ... as the spec counts."""
    for u, wanted in (
        ([[2, -1, -1]] * 2, {"EF1": 6, "EFX": 2, "EF13": 4, "PO": 8}),
        ([[1, 0]] * 2, {"EFX": 4}),
    ):
        inst, count = Instance(u), Counter()
        for owner in itertools.product(range(2), repeat=inst.m):
            for axiom in ("EF1", "EFX", "EF13", "EFX3", "PO", "EFX0"):
                count[axiom] += bool(check_allocation(Allocation(inst, owner), axiom))
        assert {axiom: count[axiom] for axiom in wanted} == wanted
        assert count["EFX3" if inst.m == 3 else "EFX0"] == 0


def test_checkers_are_the_definitions_word_by_word():
    """Acceptance 4, 5 and 7: all allocations of 200 instances; what implies what; a dummy more breaks nothing."""
    rng = np.random.default_rng(0)
    for k in range(200):
        n, m = [(2, 3), (2, 4), (3, 3), (1, 2), (3, 2)][k % 5]
        u = rng.integers(-3, 4, (n, m)) if k % 3 else draw(rng, "-alpha/0/beta", n, m).astype(np.int64)
        inst = Instance(u)
        with_dummy = Instance(np.column_stack([u, np.zeros(n, dtype=np.int64)]))
        for owner in itertools.product(range(n), repeat=m):
            answer = Allocation(inst, owner)
            held = {name for name in ALL if check_allocation(answer, name)}
            for name in ALL[:-1]:
                assert (name in held) == literal(u, owner, name), (name, u, owner)
            assert closure(held) == held
            more = Allocation(with_dummy, (*owner, int(rng.integers(n))))
            for name in {"EF1", "EFX"} & held:
                assert check_allocation(more, name)


def test_what_follows_is_what_is_said():
    assert {"EFX", "EF1", "EF13", "PROP1"} <= closure({"EFX3"})
    assert "EFX" in closure({"EFX0"})
    assert set(IMPLIED) <= set(ALL)


def test_witnesses_are_true():
    """The item of a witness, taken away, leaves envy; the better allocation is better."""
    rng = np.random.default_rng(1)
    seen = Counter()
    for _ in range(400):
        n, m = int(rng.integers(2, 4)), int(rng.integers(1, 6))
        inst = Instance(rng.integers(-4, 5, (n, m)), list("ABC")[:n], list("vwxyz")[:m])
        answer = Allocation(inst, rng.integers(0, n, m))
        for name in ("EF", "EF1", "EFX", "EFX0", "EF13", "EFX3"):
            verdict = check_allocation(answer, name)
            assert verdict.how == "exact"
            if verdict:
                assert verdict.witness is None
                continue
            seen[name] += 1
            i, j, item, part = verdict.witness
            row = inst.numbers[inst.agent(i)]
            keep = {"all": row == row, "liked": row > 0, "disliked": row < 0}[part]
            mine, theirs = ((answer.owner == inst.agent(a)) & keep for a in (i, j))
            assert (item is None) == (name == "EF")
            if item is not None:
                o = inst.item(item)
                assert mine[o] or theirs[o]
                mine[o] = theirs[o] = False
            assert row[mine].sum() < row[theirs].sum()
            assert i in verdict.reason
            assert j in verdict.reason
        verdict = check_allocation(answer, "PO")
        if not verdict:
            seen["PO"] += 1
            gains = np.array(list(verdict.witness.utilities.values())) - np.array(list(answer.utilities.values()))
            assert (gains >= 0).all()
            assert (gains > 0).any()
    assert min(seen.values()) > 20
    assert len(seen) == 7


def test_fractional_optimality_is_what_a_linear_program_says():
    """Acceptance 11, and the circles of exchanges against scipy's linear programming."""
    rng = np.random.default_rng(2)
    count = Counter()
    for k in range(300):
        n, m = int(rng.integers(2, 5)), int(rng.integers(1, 6))
        u = rng.integers(-6, 7, (n, m))
        inst = Instance(u)
        answer = utilitarian_greedy(Instance(u * rng.integers(1, 9, (n, 1)))) if k % 2 else Allocation(inst, rng.integers(0, n, m))
        answer = Allocation(inst, answer.owner)
        verdict = check_allocation(answer, "fPO")
        gains = np.array([[u[i, o] if i == a else 0 for a in range(n) for o in range(m)] for i in range(n)])
        here = answer.values.diagonal()
        whole = np.array([[float(o == p) for a in range(n) for p in range(m)] for o in range(m)])
        best = linprog(-gains.sum(0), A_ub=-gains, b_ub=-here, A_eq=whole, b_eq=np.ones(m), bounds=(0, 1))
        assert bool(verdict) == (-best.fun <= here.sum() + 1e-7), (u, answer.owner)
        count[bool(verdict)] += 1
        if verdict:
            assert check_allocation(answer, "PO")
        else:
            assert verdict.witness.gain < 1
            for giver, item, taker in verdict.witness.steps:
                assert answer.owner[inst.item(item)] == inst.agent(giver) != inst.agent(taker)
        # Large integers take another way, with the same answer.
        large = Allocation(Instance((u.astype(object) * 10**30).tolist()), answer.owner)
        assert large.instance.numbers.dtype == object or not u.any()
        assert bool(check_allocation(large, "fPO")) == bool(verdict)
        assert bool(check_allocation(Allocation(Instance(u * 0.1 + 0.0), answer.owner), "fPO")) == bool(verdict)
    assert min(count.values()) > 60


def test_for_two_adjusted_winner_is_fair_and_efficient():
    """Acceptance 10."""
    rng = np.random.default_rng(3)
    for k in range(600):
        m = int(rng.integers(0, 9))
        u = rng.integers(-9, 10, (2, m)) if k % 4 else rng.integers(0, 3, (2, m)) * rng.choice([-1, 1], m)
        inst = Instance(u)
        for order in ((0, 1), (1, 0)):
            answer = adjusted_winner(inst, order)
            assert check_allocation(answer, "EF1"), (u, answer.owner)
            assert check_allocation(answer, "fPO"), (u, answer.owner)
            assert {"EF1", "PO", "fPO", "PROP1"} <= set(answer.guarantees)
    with pytest.raises(ArgumentError, match="two agents"):
        adjusted_winner(Instance([[1], [1], [1]]))


def test_algorithms_move_with_the_names():
    """Acceptance 6: agents, items and the order of agents exchanged, the result is exchanged; another unit changes nothing."""
    rng = np.random.default_rng(4)
    instances = []
    for _ in range(12):
        n, m = int(rng.integers(2, 4)), int(rng.integers(2, 6))
        values = rng.permutation(np.arange(1, 200))[: n * m].reshape(n, m) * rng.choice([-1, 1], (n, m))
        instances.append(Instance(values))
    for rule in (double_round_robin, greedy_magnitude, round_robin, plain_double_round_robin, utilitarian_greedy):
        assert check_division(rule, "ANON", instances, ordered=True), rule
        assert check_division(rule, "NEUT", instances), rule
    assert check_division(double_round_robin, "NEUT", instances).how == "exhaustive"
    first = check_division(double_round_robin, "ANON", instances)
    assert not first  # who picks first is not anonymous
    assert first.witness.got != first.witness.wanted
    assert check_division(utilitarian_greedy, "ANON", instances)
    assert check_division(double_round_robin, "ROWS", instances)
    assert check_division(adjusted_winner, "ROWS", [inst for inst in instances if inst.n == 2])
    assert not check_division(greedy_magnitude, "ROWS", instances)
    assert not check_division(utilitarian_greedy, "ROWS", instances)
    assert check_division(double_round_robin, "EF13", instances)
    refuted = check_division(round_robin, "EF1", [*instances, Instance([[2, -3, -3, -3]] * 2)])
    assert not refuted
    assert not check_allocation(refuted.witness, "EF1")
    # Fairness does not depend on names or units.
    for inst in instances:
        act = Relabelling(inst.n, inst.m)
        answer = Allocation(inst, rng.integers(0, inst.n, inst.m))
        other = act.act(act.group.sample(generator=torch.Generator().manual_seed(1)), answer)
        scaled = Allocation(inst.scaled([Fraction(k + 1, 3) for k in range(inst.n)]), answer.owner)
        for name in ALL:
            assert (
                bool(check_allocation(answer, name)) == bool(check_allocation(other, name)) == bool(check_allocation(scaled, name))
            )


def test_relabelling_is_an_action():
    inst = Instance([[1, 2, -3], [4, 0, 5]], ["Ann", "Bob"], ["x", "y", "z"])
    answer = Allocation(inst, [0, 1, 1])
    assert check_action(Relabelling(2, 3), [inst, answer, (0, 1, 1)])
    assert check_action(Relabelling(2, 3, agents=False), [inst])
    assert len(Relabelling(2, 3).orbit(answer)) == 12


@pytest.mark.parametrize("rule", [double_round_robin, greedy_magnitude, round_robin, plain_double_round_robin, utilitarian_greedy])
def test_small_and_odd_instances(rule):
    """Acceptance 8."""
    for u in (
        [[], []],
        [[3, -1]],
        [[1], [2], [0]],
        [[-1], [-2], [-3]],
        [[0, 0], [0, 0]],
        [[-1, -2, -3], [-3, -2, -1]],
        [[1, 2, 3], [3, 2, 1]],
        [[0, -1], [-2, 0]],
        [[0.5, -0.25], [-0.5, 1.5]],
        [[10**30, -1], [10**30, -2]],
    ):
        inst = Instance(u)
        answer = rule(inst)
        assert len(answer.owner) == inst.m
        for name in ALL:
            assert isinstance(check_allocation(answer, name).holds, bool)
        for name in answer.guarantees:
            assert check_allocation(answer, name)


def test_ties_are_decided_as_asked():
    inst = Instance([[1, 1, 1, 1]] * 2)
    assert double_round_robin(inst).owner.tolist() == [1, 0, 1, 0]
    drawn = {
        tuple(double_round_robin(inst, ties="random", generator=torch.Generator().manual_seed(s)).owner.tolist()) for s in range(40)
    }
    assert len(drawn) == 6
    assert all(sum(owner) == 2 for owner in drawn)
    one = Instance([[1]] * 3)
    assert {int(greedy_magnitude(one, ties="random", generator=torch.Generator().manual_seed(s)).owner[0]) for s in range(20)} == {
        0,
        1,
        2,
    }
    assert greedy_magnitude(one, ["agent 3", "agent 1", "agent 2"]).owner.tolist() == [2]
    nobody = Instance([[0, -1]] * 3)  # who has what nobody likes and all do not mind is a tie, and so is who values it most
    for rule in (double_round_robin, utilitarian_greedy):
        assert {int(rule(nobody, ties="random", generator=torch.Generator().manual_seed(s)).owner[0]) for s in range(20)} == {
            0,
            1,
            2,
        }
        assert rule(nobody).owner[0] == 0
    # One order for the whole run: who comes first in one tie comes first in all.
    two = Instance([[1, 1, 1, 1]] * 2)
    for s in range(10):
        owner = greedy_magnitude(two, ties="random", generator=torch.Generator().manual_seed(s)).owner
        assert sorted(owner.tolist()) == [0, 0, 1, 1]
    assert double_round_robin(inst, np.array([1, 0])).owner.tolist() == [0, 1, 0, 1]
    for options, said in (({"ties": "coin"}, "'ties'"), ({"order": [0, 0]}, "'order'"), ({"order": np.array([0, 7])}, "'agent'")):
        with pytest.raises(ArgumentError, match=said):
            double_round_robin(inst, **options)


def test_what_is_outside_the_guarantees_fails_as_reported():
    """Reported: Alg 2 misses EFX of 1.6 % of general utilities (here, of sizes up to 5, of 2.9 %), Alg 1 EFX of 3 % of absolute identical
    ones, Alg 2 EFX3 of 30 % of identical ones."""
    rng = np.random.default_rng(6)
    count, tried = Counter(), 1500
    for _ in range(tried):
        n, m = int(rng.integers(2, 4)), int(rng.integers(1, 7))
        general, absolute, same = (
            Instance(draw(rng, name, n, m).astype(np.int64)) for name in ("general", "absolute identical", "identical")
        )
        count["general"] += not check_allocation(greedy_magnitude(general), "EFX")
        count["absolute"] += not check_allocation(double_round_robin(absolute), "EFX")
        count["same"] += not check_allocation(greedy_magnitude(same), "EFX3")
    assert 0.01 * tried < count["general"] < 0.05 * tried
    assert 0.015 * tried < count["absolute"] < 0.045 * tried
    assert 0.23 * tried < count["same"] < 0.36 * tried
