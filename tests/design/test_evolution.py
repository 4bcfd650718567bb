"""Evolution strategies: optima found, laws of ranks, going on to the bit, pytrees, inside a search; another optimiser there; refusals."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from erlangen.design import Evolution, EvolutionTraining, States, SubgroupSearch, Symmetrizer, evolve
from erlangen.design.evolution import ranks
from erlangen.errors import ArgumentError
from erlangen.groups import Cyclic, Dihedral, subgroup_lattice
from erlangen.parallel import JobError

D = torch.float64
WANTED = torch.tensor([1.0, -2.0, 0.5, 0.0], dtype=D)


def bowl(x, seed):
    return -(x - WANTED.to(x.dtype)).square().sum(-1)


def banana(x, seed):
    return -((1 - x[..., 0]).square() + 20 * (x[..., 1] - x[..., 0].square()).square())


def test_optima_are_found() -> None:
    found = evolve(bowl, torch.zeros(4, dtype=D), generations=300, rate=0.05)
    assert float((found.design - WANTED).abs().max()) < 0.05
    assert found.evaluations == 300 * 24
    curved = evolve(banana, torch.tensor([-1.0, 1.0], dtype=D), generations=600, sigma=0.05, rate=0.03)
    assert float((curved.design - 1).abs().max()) < 0.15
    means = [one.mean for one in curved.history]
    assert means[-1] > means[0]
    assert all(one.best >= one.mean for one in curved.history)


def test_only_the_order_of_values_counts() -> None:
    start = torch.zeros(4, dtype=D)
    plain = evolve(bowl, start, generations=20)
    bent = evolve(lambda x, seed: torch.exp(bowl(x, seed) / 3) * 1e6 - 5, start, generations=20)
    assert torch.equal(plain.design, bent.design)
    flat = evolve(lambda x, seed: torch.ones(24), start, generations=20)  # nothing to choose: nothing moves
    assert torch.equal(flat.design, start)
    values = torch.tensor([5.0, 5.0, -1.0, 2.0], dtype=D)
    assert float(ranks(values).sum()) == pytest.approx(0, abs=1e-15)
    assert torch.equal(ranks(-values), -ranks(values))
    assert ranks(torch.ones(1)).tolist() == [0.0]


def test_the_scale_is_the_unit_of_every_change() -> None:
    units = torch.tensor([1e-3, 1.0, 1e3, 10.0], dtype=D)
    plain = evolve(bowl, torch.zeros(4, dtype=D), generations=30)
    other = evolve(lambda x, seed: bowl(x / units, seed), torch.zeros(4, dtype=D), generations=30, scale=units)
    assert torch.allclose(other.design, plain.design * units, rtol=1e-9, atol=0)


def test_an_evolution_goes_on_to_the_bit(tmp_path) -> None:
    start = {"a": torch.zeros(4, dtype=D), "b": (torch.zeros((), dtype=torch.float32), torch.ones(2, 3))}

    def noisy(x, seed):
        draw = torch.Generator().manual_seed(seed)
        return bowl(x["a"], seed) - x["b"][0].square() - x["b"][1].square().sum((1, 2)) + torch.randn(24, generator=draw, dtype=D)

    whole = evolve(noisy, start, generations=12, seed=3)
    part = evolve(noisy, start, generations=5, seed=3)
    again = evolve(noisy, start, generations=12, seed=3, resume=part)
    for generations in (1, 4, 12, 12):
        kept = evolve(noisy, start, generations=generations, seed=3, path=tmp_path / "e.safetensors")
    loaded = Evolution.load(part.save(tmp_path / "part.safetensors"), start)
    other = evolve(noisy, start, generations=12, seed=3, resume=loaded)
    for one in (again, kept, other):
        assert one.history == whole.history
        assert torch.equal(one.design["a"], whole.design["a"])
        assert torch.equal(one.design["b"][1], whole.design["b"][1])
    assert len(part.history) == 5  # what goes on is another object
    assert whole.design["b"][0].dtype == torch.float32
    assert sorted(p.name for p in tmp_path.iterdir()) == ["e.safetensors", "part.safetensors"]
    assert evolve(noisy, start, generations=12, seed=4).history != whole.history
    with pytest.raises(ArgumentError, match="'path'.*seed 3, not 4"):
        evolve(noisy, start, generations=13, seed=4, path=tmp_path / "e.safetensors")
    with pytest.raises(ArgumentError, match="'resume'.*sigma"):
        evolve(noisy, start, generations=13, seed=3, sigma=0.1, resume=part)
    with pytest.raises(ArgumentError, match="'resume'.*scale"):
        evolve(noisy, start, generations=13, seed=3, scale=0.1, resume=part)
    with pytest.raises(ArgumentError, match="designs of"):
        Evolution.load(tmp_path / "part.safetensors", torch.zeros(3))
    (tmp_path / "e.safetensors").write_bytes(b"no")
    with pytest.raises(ArgumentError, match="damaged"):
        evolve(noisy, start, generations=13, seed=3, path=tmp_path / "e.safetensors")


def test_an_interrupted_evolution_loses_one_generation_at_most(tmp_path) -> None:
    calls = 0

    def stops(x, seed):
        nonlocal calls
        calls += 1
        if calls == 8:
            raise KeyboardInterrupt
        return bowl(x, seed)

    path = tmp_path / "e.safetensors"
    with pytest.raises(KeyboardInterrupt):
        evolve(stops, torch.zeros(4, dtype=D), generations=20, path=path)
    assert len(Evolution.load(path, WANTED).history) == 7
    on = evolve(stops, torch.zeros(4, dtype=D), generations=20, path=path)
    assert torch.equal(on.design, evolve(bowl, torch.zeros(4, dtype=D), generations=20).design)


def test_designs_stay_where_they_may_be() -> None:
    found = evolve(bowl, torch.zeros(4, dtype=D), generations=200, project=lambda x: x.clamp(-0.7, 0.7))
    assert found.design[:2].tolist() == [0.7, -0.7]
    assert float((found.design - WANTED)[2:].abs().max()) < 0.2


@pytest.mark.parametrize("soft", [0, 1])
def test_what_the_state_takes_away_does_not_drift(soft: int) -> None:
    group = Cyclic(4)
    lattice = subgroup_lattice(group)
    states = States(lattice, group.vector, steps=2)
    state = states.exact("C_2") if not soft else states.neighbours(states.exact("C_2"))[1]
    symmetrize = states.symmetrizer(state)
    P = Symmetrizer(lattice.subgroups[1], group.vector)
    start = torch.tensor([3.0, 0.0, 1.0, -5.0], dtype=D)
    train = EvolutionTraining(bowl, generations=200)
    found = train(start, symmetrize, 0)
    assert torch.allclose(found - P(found), start - P(start), rtol=0, atol=1e-12)
    best = P(WANTED)
    assert torch.allclose(symmetrize(found), symmetrize(start) + symmetrize(found - start), rtol=0, atol=1e-12)
    assert float((symmetrize(found) - best).abs().max()) < 0.15
    assert torch.equal(train(start, symmetrize, 0), found)


def hidden(group, name: str, seed: int):
    lattice = subgroup_lattice(group)
    rep = group.regular
    draw = torch.Generator().manual_seed(seed)
    wanted = Symmetrizer(lattice.subgroups[lattice.place(name)], rep)(2 * torch.randn(rep.dim, dtype=D, generator=draw))
    return lattice, rep, wanted


@pytest.mark.parametrize("name", ["H_4", "H_2_1", "H_1"])
def test_a_search_may_train_by_evolution(name: str) -> None:
    lattice, rep, wanted = hidden(Dihedral(4), name, 1)

    def value(x, seed):
        return -(x - wanted).square().sum(-1)

    train = EvolutionTraining(value, generations=120, rate=0.1)
    search = SubgroupSearch(lattice, lambda x, s, seed: value(x, seed), train, action=rep, tolerance=0.1, soft_steps=1)
    result = search.run(torch.zeros(8, dtype=D), budget=80)
    assert result.name == name
    assert float((result.design - wanted).abs().max()) < 0.2


def test_a_search_may_train_by_cma() -> None:
    """Any optimiser will do: here CMA-ES, in the coordinates of the design before it is made symmetric."""
    cma = pytest.importorskip("cma")
    lattice, rep, wanted = hidden(Dihedral(4), "H_2_0", 2)

    def value(x):
        return -float((x - wanted).square().sum())

    def train(x, symmetrize, seed):
        options = {"seed": seed % 2**31 + 1, "maxfevals": 600, "verbose": -9}
        engine = cma.CMAEvolutionStrategy(x.numpy(), 0.3, options)
        while not engine.stop():
            asked = engine.ask()
            engine.tell(asked, [-value(symmetrize(torch.from_numpy(np.asarray(one)))) for one in asked])
        best = torch.from_numpy(engine.result.xbest)
        return x + symmetrize(best) - symmetrize(x)

    search = SubgroupSearch(lattice, lambda x, s, seed: value(x), train, action=rep, tolerance=0.05, soft_steps=1)
    result = search.run(torch.zeros(8, dtype=D), budget=80)
    assert result.name == "H_2_0"
    assert torch.allclose(result.design, wanted, atol=0.05)


def test_what_cannot_be_evolved_is_refused() -> None:
    x = torch.zeros(4, dtype=D)
    for options, named in (
        ({"generations": 0}, "generations"), ({"generations": 2.0}, "generations"), ({"population": 7}, "even"),
        ({"population": 0}, "population"), ({"sigma": 0.0}, "sigma"), ({"sigma": float("inf")}, "sigma"), ({"rate": -1.0}, "rate"),
        ({"scale": torch.ones(3)}, "scale"), ({"scale": 0.0}, "scale"), ({"scale": {"a": 1.0}}, "scale"),
        ({"scale": float("nan")}, "scale"),
        ({"project": lambda x: x[:2]}, "project"),
    ):  # fmt: skip
        with pytest.raises(ArgumentError, match=named):
            evolve(bowl, x, **{"generations": 2, **options})
    for start in (
        torch.zeros(4, dtype=torch.int64),
        torch.full((4,), torch.nan),
        [1.0, 2.0],
        {},
        torch.zeros(2, dtype=torch.complex64),
    ):
        with pytest.raises(ArgumentError, match="'start'"):
            evolve(bowl, start, generations=2)
    for value in (1.0, torch.zeros(3), None, "no", torch.zeros(24, 1)):
        with pytest.raises(ArgumentError, match="'evaluate'.*24 numbers"):
            evolve(lambda x, seed, value=value: value, x, generations=2)
    for wrong in (torch.nan, torch.inf):
        with pytest.raises(ArgumentError, match="'evaluate'.*finite"):
            evolve(lambda x, seed, wrong=wrong: torch.full((24,), wrong), x, generations=2)
    train = EvolutionTraining(lambda x, seed: torch.zeros(3), generations=2)
    C = Cyclic(4)
    search = SubgroupSearch(subgroup_lattice(C), lambda x, s, seed: 0.0, train, action=C.vector)
    with pytest.raises(JobError, match="training under 1"):
        search.run(x, budget=9)
