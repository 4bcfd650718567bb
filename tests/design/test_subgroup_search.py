"""The search itself: hidden subgroups of random groups, noise, budgets, going on after a stop, workers, and what is refused."""

from __future__ import annotations

import json
import zlib
from itertools import pairwise

import pytest
import torch
from safetensors.torch import load_file

import erlangen as er
from erlangen.design import States, SubgroupSearch, Symmetrizer
from erlangen.errors import ArgumentError
from erlangen.groups import Alternating, Cyclic, Dihedral, FiniteAbelian, Symmetric, subgroup_lattice
from erlangen.parallel import JobError

D = torch.float64


class Hidden:
    """``-|x - x*|^2`` with ``x*`` of one subgroup, and noise that differs from state to state; trained nine tenths of the way."""

    def __init__(self, rep, subgroup, seed: int, noise: float = 0.0) -> None:
        draw = torch.Generator().manual_seed(seed)
        self.wanted = Symmetrizer(subgroup, rep)(3 * torch.randn(rep.dim, dtype=D, generator=draw))
        self.start = torch.randn(rep.dim, dtype=D, generator=draw)
        self.noise = noise

    def evaluate(self, x, symmetrize, seed):
        drawn = torch.Generator().manual_seed(seed + zlib.crc32(symmetrize.weights.numpy().tobytes()))
        return -float((x - self.wanted).square().sum()) + self.noise * float(torch.randn((), generator=drawn))

    def train(self, x, symmetrize, seed):
        for _ in range(2):
            x = x + 0.9 * symmetrize(self.wanted - symmetrize(x))
        return x

    def search(self, lattice, rep, **options):
        return SubgroupSearch(lattice, self.evaluate, self.train, action=rep, **options)


def moves(result) -> int:
    states = [epoch.state for epoch in result.history]
    return sum(a != b for a, b in pairwise(states))


@pytest.mark.parametrize("group", [Dihedral(6), Alternating(4), FiniteAbelian(4, 2)], ids=str)
def test_every_subgroup_is_found_where_it_is_hidden(group) -> None:
    lattice, rep = subgroup_lattice(group), group.regular  # of which each subgroup fixes other vectors
    for place, subgroup in enumerate(lattice.subgroups):
        task = Hidden(rep, subgroup, seed=place)
        result = task.search(lattice, rep, tolerance=0.05, soft_steps=2).run(task.start, budget=300)
        assert result.name == lattice.names[place]
        assert result.subgroup == subgroup
        assert torch.allclose(result.design, task.wanted, rtol=0, atol=0.1)
        assert torch.allclose(result.design, result.symmetrizer(result.design), rtol=0, atol=1e-12)


def reached(result, name: str) -> int | None:
    """How many evaluations there were when a state was first trained."""
    return next((epoch.evaluations for epoch in result.history if epoch.state == name), None)


@pytest.mark.parametrize("seeds", [20, pytest.param(100, marks=pytest.mark.slow)])
def test_under_noise_the_optimum_is_reached_in_few_moves_and_sooner_than_without_the_lattice(seeds: int) -> None:
    group = Dihedral(6)
    lattice, height = subgroup_lattice(group), 3
    found, structured, unstructured = 0, [], []
    for seed in range(seeds):
        place = int(torch.randint(len(lattice.subgroups), (1,), generator=torch.Generator().manual_seed(seed)))
        name = lattice.names[place]
        task = Hidden(group.regular, lattice.subgroups[place], seed, noise=0.01)
        search = task.search(lattice, group.regular, tolerance=0.1, soft_steps=1, rate=0.5, seed=seed)
        result = search.run(task.start, budget=120)
        found += result.name == name and moves(result) <= 2 * height
        structured.append(reached(result, name) or 120)
        unstructured.append(reached(search.run(task.start, budget=120, how="unstructured"), name) or 120)
    assert found >= 0.95 * seeds
    assert sum(structured) < sum(unstructured)


def test_baselines_without_the_lattice_use_the_whole_budget_and_go_on_to_the_bit(tmp_path) -> None:
    for how, price in (("unstructured", 3), ("bandit", 1)):
        task, search = make()
        whole = search.run(task.start, budget=81, how=how)
        assert whole.how == how
        assert 81 - 2 * price < whole.evaluations <= 81
        for budget in (10, 81):
            part = make()[1].run(task.start, budget=budget, how=how, directory=tmp_path / how)
        assert part.as_dict() == whole.as_dict()
        assert {len(epoch.seen) for epoch in whole.history} == {price}
        assert whole.name == "H_2_1"
        with pytest.raises(ArgumentError, match=f"how '{how}', not 'structured'"):
            make()[1].run(task.start, budget=81, directory=tmp_path / how)
    states = [epoch.state for epoch in whole.history]
    lattice = subgroup_lattice(Dihedral(6))
    assert set(states[: len(lattice.subgroups)]) == set(lattice.names)  # a bandit first tries everything
    often = max(set(states), key=states.count)
    values = whole.values_of_subgroups()
    assert values[often] >= max(values.values()) - 0.1
    with pytest.raises(ArgumentError, match="'how'.*'bandit'"):
        search.run(task.start, budget=81, how="random")


def test_exhaustive_and_fixed_baselines() -> None:
    group = Dihedral(4)
    lattice = subgroup_lattice(group)
    task = Hidden(group.regular, lattice.subgroups[lattice.place("H_2_1")], seed=3)
    search = task.search(lattice, group.regular, tolerance=0.05)
    every = search.exhaustive(task.start, epochs=2)
    assert every.name == "H_2_1"
    assert every.evaluations == every.trainings == 2 * len(lattice.subgroups)
    assert set(every.values_of_subgroups()) == set(lattice.names)
    none, full = search.fixed(task.start, "H_4", epochs=2), search.fixed(task.start, "H_1_0", epochs=2)
    assert none.value == pytest.approx(every.values_of_subgroups()["H_4"], abs=1e-12)
    # Under the whole group what is reached is the projection of the wanted design.
    rest = task.wanted - Symmetrizer(lattice.subgroups[-1], group.regular)(task.wanted)
    assert full.value == pytest.approx(-float(rest.square().sum()), rel=1e-2)
    assert full.value < every.value


def test_conjugate_subgroups_count_as_one_where_nothing_has_a_direction() -> None:
    group = Symmetric(4)
    lattice, V = subgroup_lattice(group), group.vector

    def spread(x):
        return -((x.sort().values - torch.tensor([0.0, 0.0, 0.0, 4.0], dtype=D)).square().sum())

    def train(x, symmetrize, seed):
        x = x.clone().requires_grad_(True)
        for _ in range(60):
            (slope,) = torch.autograd.grad(spread(symmetrize(x)), x)
            x = (x + 0.2 * slope).detach().requires_grad_(True)
        return x.detach()

    search = SubgroupSearch(
        lattice, lambda x, s, seed: float(spread(x)), train, action=V, up_to_conjugacy=True, soft_steps=1, tolerance=1e-4
    )
    start = torch.randn(4, dtype=D, generator=torch.Generator().manual_seed(0))
    every = search.exhaustive(start, epochs=1)
    assert every.evaluations == len(lattice.classes) == 11
    found = search.run(start, budget=200)
    # Three equal numbers: the permutations of three points.
    assert found.subgroup.order == every.subgroup.order == 6
    assert len(found.as_dict()["values"]) <= 11
    assert found.figure().plotly_figure.layout.meta is not None


def test_soft_states_are_where_a_nearly_symmetric_design_stays() -> None:
    C2 = Cyclic(2)
    wanted = torch.tensor([1.0, 1.2], dtype=D)

    def evaluate(x, symmetrize, seed):
        # Who deviates from symmetry pays for it: half a deviation is best.
        return -float((x - wanted).square().sum() + (x[1] - x[0]).square() / 2)

    search = SubgroupSearch(subgroup_lattice(C2), evaluate, lambda x, s, seed: wanted, action=C2.vector, soft_steps=4)
    result = search.run(torch.zeros(2, dtype=D), budget=60)
    assert result.name == "1 + 2/4 of C_2"
    assert result.best.step == 2
    assert result.symmetrizer.dim == 1.5


def make(seed: int = 5, **options):
    group = Dihedral(6)
    lattice = subgroup_lattice(group)
    task = Hidden(group.regular, lattice.subgroups[lattice.place("H_2_1")], seed=1, noise=0.01)
    return task, task.search(lattice, group.regular, tolerance=0.1, repeats=2, rate=0.5, seed=seed, **options)


def test_a_search_goes_on_to_the_bit_where_it_stopped(tmp_path) -> None:
    task, search = make()
    whole = search.run(task.start, budget=200)
    for budget in (20, 60, 61, 200):
        part = make()[1].run(task.start, budget=budget, directory=tmp_path)
        assert part.evaluations <= budget
    assert part.as_dict() == whole.as_dict()
    assert torch.equal(part.design, whole.design)
    assert [p.name for p in tmp_path.iterdir()] == ["search.safetensors"]
    again = make()[1].run(task.start, budget=200, directory=tmp_path)
    assert again.evaluations == whole.evaluations


def test_workers_find_what_one_finds() -> None:
    task, search = make()
    alone = search.run(task.start, budget=60)
    together = search.run(task.start, budget=60, jobs=2, backend="threading")
    assert together.as_dict() == alone.as_dict()
    other = make(seed=6)[1].run(task.start, budget=60)
    assert other.history[0].seen != alone.history[0].seen


def test_what_goes_to_other_processes_can() -> None:
    cloudpickle = pytest.importorskip("cloudpickle")  # which joblib's processes use
    task, search = make()
    again = cloudpickle.loads(cloudpickle.dumps(search))
    assert again.run(task.start, budget=20).as_dict() == search.run(task.start, budget=20).as_dict()
    state = search.states.neighbours(search.start)[0]
    x, map_of_state = torch.ones(12, dtype=D), search.states.symmetrizer(state)
    assert torch.equal(cloudpickle.loads(cloudpickle.dumps(map_of_state))(x), map_of_state(x))


def test_another_search_is_not_taken_up(tmp_path) -> None:
    task, search = make()
    search.run(task.start, budget=20, directory=tmp_path)
    with pytest.raises(ArgumentError, match="seed 5, not 6"):
        make(seed=6)[1].run(task.start, budget=40, directory=tmp_path)
    (tmp_path / "search.safetensors").write_bytes(b"nothing")
    with pytest.raises(ArgumentError, match="'directory'"):
        make()[1].run(task.start, budget=40, directory=tmp_path)


def test_an_evaluation_that_writes_on_its_design_changes_no_other() -> None:
    group, wanted = Cyclic(4), torch.tensor([1.0, 3.0, 1.0, 3.0])

    def evaluate(x, symmetrize, seed):
        value = -float((x - wanted).square().sum())
        x.add_(100)
        return value

    start = torch.tensor([1.0, 2.0, 3.0, 4.0])
    search = SubgroupSearch(subgroup_lattice(group), evaluate, lambda x, s, seed: x, action=group.vector, soft_steps=1)
    assert search.run(start, budget=2).values_of_subgroups() == {"1": -6.0, "C_2": -2.0}
    assert start.tolist() == [1, 2, 3, 4]


def test_results_are_kept_and_shown(tmp_path) -> None:
    group = Dihedral(4)
    lattice = subgroup_lattice(group)
    action = {"phase": group.vector, "gain": None}

    def evaluate(x, symmetrize, seed):
        return -float((x["phase"] - torch.tensor([1.0, 2.0, 1.0, 2.0])).square().sum())

    def train(x, symmetrize, seed):
        return {"phase": torch.tensor([1.0, 2.0, 1.0, 2.0]), "gain": x["gain"] + 1}

    search = SubgroupSearch(lattice, evaluate, train, action=action, tolerance=1e-6)
    result = search.run({"phase": torch.zeros(4), "gain": torch.zeros(1)}, budget=200)
    assert result.name == "H_2_0"
    folder = result.save(tmp_path / "run")
    kept = json.loads((folder / "result.json").read_text())
    assert kept["subgroup"] == "H_2_0"
    assert kept["history"][-1]["evaluations"] == result.evaluations
    assert load_file(folder / "design.safetensors")["phase"].tolist() == [1.0, 2.0, 1.0, 2.0]
    assert len(result.table().rows) == result.trainings
    traces = result.figure().as_dict()["traces"]
    nodes = sum(len(trace["x"]) for trace in traces[1:])
    assert nodes == len(lattice.subgroups)
    assert traces[0]["x"].count(None) == len(lattice.covers())


def test_no_part_of_a_design_is_kept_over_another(tmp_path) -> None:
    group, design = Cyclic(2), {"a.b": torch.zeros(2), "a": {"b": torch.ones(2)}}
    search = SubgroupSearch(
        subgroup_lattice(group),
        lambda x, s, seed: 0.0,
        lambda x, s, seed: x,
        action={"a.b": group.vector, "a": {"b": group.vector}},
    )
    kept = load_file(search.run(design, budget=9).save(tmp_path) / "design.safetensors")
    assert {name: part.tolist() for name, part in kept.items()} == {"'a.b'": [0, 0], "'a'.'b'": [1, 1]}


def test_neighbours_are_covers_and_covered_subgroups() -> None:
    group = Dihedral(6)
    lattice = subgroup_lattice(group)
    states = States(lattice, group.vector, steps=1)
    covers = set(lattice.covers())
    for i, _ in enumerate(lattice.subgroups):
        around = {s.lower for s in states.neighbours(states.exact(lattice.names[i]))}
        assert around == {j for j in range(len(lattice.subgroups)) if (i, j) in covers or (j, i) in covers}
    soft = States(lattice, group.vector, steps=3)
    for s in soft.all_exact():
        for t in soft.neighbours(s):
            assert s in soft.neighbours(t)  # every step has its way back
    assert soft.asymmetry(soft.exact("H_6")) == 1
    assert soft.asymmetry(soft.exact("H_1_0")) == pytest.approx(1 / 12)


def test_what_cannot_be_searched_is_refused() -> None:
    group = Cyclic(4)
    lattice, V, zero = subgroup_lattice(group), group.vector, torch.zeros(4)

    def search(evaluate=lambda x, s, seed: 0.0, train=lambda x, s, seed: x, **options):
        return SubgroupSearch(lattice, evaluate, train, **{"action": V, **options})

    for options, named in (
        ({"start": "C_3"}, "one of 1, C_2, C_4"), ({"soft_steps": 0}, "soft_steps"), ({"tolerance": -1.0}, "tolerance"),
        ({"repeats": 0}, "repeats"), ({"rate": 0.0}, "rate"),
    ):  # fmt: skip
        with pytest.raises(ArgumentError, match=named):
            search(**options)
    with pytest.raises(ArgumentError, match="action of C_4"):
        search(action=Cyclic(3).vector).run(torch.zeros(3), budget=10)
    with pytest.raises(ArgumentError, match="'budget'"):
        search().run(zero, budget=1)
    with pytest.raises(ArgumentError, match="'patience'"):
        search().run(zero, budget=10, patience=0)
    with pytest.raises(ArgumentError, match="'design'"):
        search().run([1.0, 2.0], budget=10)
    with pytest.raises(ArgumentError, match="NaN"):
        search().run(torch.full((4,), torch.nan), budget=10)
    with pytest.raises(JobError, match=r"evaluation under 1 .*'x'"):
        search().run(torch.zeros(5), budget=10)
    with pytest.raises(JobError, match=r"evaluation under 1 .*finite"):
        search(evaluate=lambda x, s, seed: float("nan")).run(zero, budget=10)
    with pytest.raises(JobError, match=r"evaluation under 1 .*a number"):
        search(evaluate=lambda x, s, seed: None).run(zero, budget=10)
    with pytest.raises(JobError, match=r"training under 1 .*ZeroDivisionError"):
        search(train=lambda x, s, seed: 1 / 0).run(zero, budget=10)
    with pytest.raises(ArgumentError, match="'train'"):
        search(train=lambda x, s, seed: x[:2]).run(zero, budget=10)
    with pytest.raises(ArgumentError, match="'epochs'"):
        search().exhaustive(zero, epochs=0)
    assert er.design.SubgroupSearch is SubgroupSearch
