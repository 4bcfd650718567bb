"""Searches, projectors and optimisers under awkward input: tiny and larger groups, types, empty batches, interruptions, wrong settings."""

from __future__ import annotations

import math
import zlib
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from erlangen.actions import OnAxes
from erlangen.design import PPO, SoftSymmetrizer, SubgroupSearch, Symmetrizer, evolve
from erlangen.errors import ArgumentError
from erlangen.groups import Cyclic, Dihedral, Symmetric, subgroup_lattice
from erlangen.parallel import JobError
from erlangen.serialization import weights_bytes, write_bytes

D = torch.float64
C4 = Cyclic(4)
LATTICE = subgroup_lattice(C4)


class Hidden:
    """A design of one subgroup, to be found; ``stop`` interrupts at that call."""

    def __init__(self, rep, subgroup, seed: int = 0, stop: int = -1, dtype: torch.dtype = D) -> None:
        draw = torch.Generator().manual_seed(seed)
        self.wanted = Symmetrizer(subgroup, rep)(5 * torch.randn(rep.dim, dtype=dtype, generator=draw))
        self.calls, self.stop = 0, stop

    def count(self) -> None:
        self.calls += 1
        if self.calls == self.stop:
            raise KeyboardInterrupt

    def evaluate(self, x, symmetrize, seed):
        self.count()
        drawn = torch.Generator().manual_seed(seed + zlib.crc32(symmetrize.weights.numpy().tobytes()))
        return -float((x - self.wanted).abs().square().sum()) + 0.001 * float(torch.randn((), generator=drawn))

    def train(self, x, symmetrize, seed):
        self.count()
        for _ in range(3):
            x = x + 0.9 * symmetrize(self.wanted - symmetrize(x))
        return x


@pytest.mark.parametrize("group", [Cyclic(1), Cyclic(2), Dihedral(1), Dihedral(2), Symmetric(1), Symmetric(2)], ids=str)
@pytest.mark.parametrize("how", ["structured", "unstructured", "bandit"])
def test_groups_of_a_few_elements(group, how: str) -> None:
    lattice = subgroup_lattice(group)
    for place, subgroup in enumerate(lattice.subgroups):
        for dtype in (torch.float32, D):
            task = Hidden(group.regular, subgroup, seed=place + 1, dtype=dtype)
            search = SubgroupSearch(lattice, task.evaluate, task.train, action=group.regular, tolerance=0.01, soft_steps=1)
            result = search.run(torch.zeros(int(group.order), dtype=dtype), budget=40, how=how)
            assert result.name == lattice.names[place]
            assert result.design.dtype == dtype


@pytest.mark.parametrize("up_to_conjugacy", [False, True])
def test_a_group_of_twenty_four_elements(up_to_conjugacy: bool) -> None:
    group = Symmetric(4)
    lattice = subgroup_lattice(group)
    places = [members[0] for members in lattice.classes] if up_to_conjugacy else range(len(lattice.subgroups))
    for place in places:
        task = Hidden(group.regular, lattice.subgroups[place], seed=place)
        search = SubgroupSearch(
            lattice, task.evaluate, task.train, action=group.regular, tolerance=0.05, soft_steps=1, up_to_conjugacy=up_to_conjugacy
        )
        result = search.run(torch.zeros(24, dtype=D), budget=400)
        if up_to_conjugacy:  # where directions count after all, one of each class is looked at: what is found holds nevertheless
            assert torch.allclose(result.symmetrizer(result.design), result.design, rtol=0, atol=1e-12)
        else:
            assert result.name == lattice.names[place]


@pytest.mark.parametrize("stop", [1, 2, 9, 30])
def test_an_interrupted_search_goes_on_as_if_nothing_had_been(stop: int, tmp_path) -> None:
    group = Dihedral(6)
    lattice = subgroup_lattice(group)

    def search(stop: int = -1):
        task = Hidden(group.regular, lattice.subgroups[lattice.place("H_3_1")], seed=2, stop=stop)
        return SubgroupSearch(lattice, task.evaluate, task.train, action=group.regular, tolerance=0.05, seed=4)

    start = torch.zeros(12, dtype=D)
    whole = search().run(start, budget=120)
    with pytest.raises(KeyboardInterrupt):
        search(stop).run(start, budget=120, directory=tmp_path)
    (tmp_path / ".search.safetensors.0a0b0c0d.part").write_bytes(b"half")  # what a killed process may leave
    again = search().run(start, budget=120, directory=tmp_path)
    assert again.as_dict() == whole.as_dict()
    assert torch.equal(again.design, whole.design)


def test_complex_designs_are_averaged_as_their_parts_are() -> None:
    group = Dihedral(5)
    lattice = subgroup_lattice(group)
    for action in (group.vector, group.irrep(1), OnAxes({-2: group.vector, -1: group.irrep(1)})):
        x = torch.complex(*(action.example(7, generator=torch.Generator().manual_seed(i), dtype=D) for i in (0, 1)))
        low, high = Symmetrizer(lattice.subgroups[1], action), Symmetrizer(lattice.subgroups[-1], action)
        for P in (low, high, SoftSymmetrizer(low, high, 0.3)):
            assert torch.allclose(P(x), torch.complex(P(x.real), P(x.imag)), rtol=0, atol=1e-14)
    task = Hidden(group.vector, lattice.subgroups[1], dtype=torch.complex128)
    search = SubgroupSearch(lattice, task.evaluate, task.train, action=group.vector, tolerance=0.01, soft_steps=1)
    result = search.run(torch.zeros(5, dtype=torch.complex128), budget=60)
    assert result.name == lattice.names[1]
    assert torch.allclose(result.design, task.wanted, atol=1e-2)
    with pytest.raises(ArgumentError, match="NaN"):
        search.run(torch.full((5,), complex(0, math.nan)), budget=60)


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, D], ids=str)
def test_batches_of_none_and_one(dtype: torch.dtype) -> None:
    for action in (C4.vector, C4.irrep(1), OnAxes({-2: C4.vector, -1: C4.irrep(1)})):
        low, high = Symmetrizer(LATTICE.subgroups[1], action), Symmetrizer(LATTICE.subgroups[2], action)
        for P in (low, high, SoftSymmetrizer(low, high, 0.5)):
            for batch in ((0,), (1,), (3, 0), (2, 1)):
                x = torch.ones(*batch, *action.data_shape, dtype=dtype)
                assert P(x).shape == x.shape
                assert P(x).dtype == dtype
    y = torch.tensor([1.0, math.nan, 3.0, 4.0])
    assert Symmetrizer(LATTICE.subgroups[1], C4.vector)(y).isnan().tolist() == [False, True, False, True]  # only where it counts


def test_projectors_stay_exact_in_converted_networks_and_are_trained_with_wherever_they_were_made() -> None:
    group = Dihedral(6)
    lattice = subgroup_lattice(group)
    for action in (group.vector, OnAxes({-2: group.vector, -1: group.irrep(1)})):
        x = action.example(4, generator=torch.Generator().manual_seed(0), dtype=D)
        for subgroup in lattice.subgroups:
            exact = Symmetrizer(subgroup, action)(x)
            for convert in (nn.Module.float, nn.Module.half, nn.Module.bfloat16):
                network = nn.Sequential(Symmetrizer(subgroup, action))
                assert torch.equal(convert(network)(x), exact)
    with torch.inference_mode():
        P = SoftSymmetrizer(Symmetrizer(lattice.subgroups[3], action), Symmetrizer(lattice.subgroups[-1], action), 0.5)
        P(x)
    z = x.clone().requires_grad_(True)
    P(z).square().sum().backward()
    assert z.grad is not None


def test_settings_of_other_kinds_are_taken_or_refused(tmp_path) -> None:
    def search(**options):
        return SubgroupSearch(LATTICE, lambda x, s, seed: 0.0, lambda x, s, seed: x, **{"action": C4.vector, **options})

    zero = torch.zeros(4)
    fits = search(tolerance=torch.tensor(0.1), rate=np.float32(0.5), repeats=np.int64(2), seed=np.int64(3), soft_steps=np.int32(2))
    kept = fits.run(zero, budget=np.int64(20), directory=tmp_path)  # what is written there is JSON
    assert fits.run(zero, budget=20, directory=tmp_path).as_dict() == kept.as_dict()
    for options, named in (
        ({"seed": -1}, "seed"), ({"seed": None}, "seed"), ({"seed": 1.5}, "seed"), ({"tolerance": math.nan}, "tolerance"),
        ({"tolerance": math.inf}, "tolerance"), ({"tolerance": "0.1"}, "tolerance"), ({"rate": math.nan}, "rate"), ({"rate": 1.5}, "rate"),
        ({"repeats": True}, "repeats"), ({"start": 0}, "start"), ({"start": "C_3"}, "start"),
    ):  # fmt: skip
        with pytest.raises(ArgumentError, match=f"'{named}'"):
            search(**options)
    for budget in (math.nan, math.inf, "10", -3, 0):
        with pytest.raises(ArgumentError, match="'budget'"):
            search().run(zero, budget=budget)
    with pytest.raises(ArgumentError, match="'subgroup'.*C_2"):
        search().fixed(zero, "C_3", epochs=1)
    with pytest.raises(ArgumentError, match="'lattice'"):
        SubgroupSearch(C4, lambda x, s, seed: 0.0, lambda x, s, seed: x, action=C4.vector)
    with pytest.raises(ArgumentError, match="'evaluate'"):
        SubgroupSearch(LATTICE, 3, lambda x, s, seed: x, action=C4.vector)
    with pytest.raises(JobError, match="a number"):
        SubgroupSearch(LATTICE, lambda x, s, seed: "3", lambda x, s, seed: x, action=C4.vector).run(zero, budget=9)
    with pytest.raises(ArgumentError, match="'seed'"):
        evolve(lambda x, seed: torch.zeros(24), zero, generations=1, seed=-1)
    with pytest.raises(ArgumentError, match="'resume'"):
        evolve(lambda x, seed: torch.zeros(24), zero, generations=1, resume=3)
    assert evolve(lambda x, seed: torch.zeros(24), zero, generations=np.int64(1), sigma=np.float32(0.1)).evaluations == 24


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.complex64, torch.complex128], ids=str)
def test_designs_of_any_type_are_kept(dtype: torch.dtype, tmp_path) -> None:
    def search():
        return SubgroupSearch(
            LATTICE, lambda x, s, seed: -float(x.abs().square().sum()), lambda x, s, seed: x / 2, action=C4.vector
        )

    start = torch.tensor([1.0, 2.0, 3.0, 4.0]).to(dtype) * (1j if dtype.is_complex else 1)
    whole = search().run(start, budget=30)
    search().run(start, budget=9, directory=tmp_path / "kept")
    again = search().run(start, budget=30, directory=tmp_path / "kept")
    assert again.design.dtype == dtype
    assert torch.equal(again.design, whole.design)
    file = load_file(again.save(tmp_path / "result") / "design.safetensors")["design"]
    assert torch.equal(torch.view_as_complex(file) if dtype.is_complex else file, whole.design)


def test_files_of_other_things_are_no_searches_evolutions_or_policies(tmp_path) -> None:
    zero = torch.zeros(4)
    search = SubgroupSearch(LATTICE, lambda x, s, seed: 0.0, lambda x, s, seed: x, action=C4.vector)
    for text in ("[]", "{}", '{"described": 3}', "3"):
        data = weights_bytes({"a": zero}, dict.fromkeys(("search", "evolution", "ppo"), text))
        write_bytes(tmp_path / "search.safetensors", data)
        with pytest.raises(ArgumentError, match="'directory'"):
            search.run(zero, budget=9, directory=tmp_path)
        with pytest.raises(ArgumentError, match="'path'"):
            evolve(lambda x, seed: x.sum(-1), zero, generations=2, path=tmp_path / "search.safetensors")
        with pytest.raises(ArgumentError, match="'path'"):
            PPO(Shapes((3,), (1,))).load(tmp_path / "search.safetensors")


class Shapes:
    """An environment with observations and actions of any shape that ends after four steps."""

    num_envs = 3

    def __init__(self, observed: tuple[int, ...], acted: tuple[int, ...], mode: str = "NEXT_STEP", tell: bool = True) -> None:
        self.observed, self.tell, self.metadata = observed, tell, {"autoreset_mode": mode}
        self.single_observation_space = SimpleNamespace(shape=observed, low=-np.ones(observed), high=np.ones(observed))
        self.single_action_space = SimpleNamespace(shape=acted, low=-np.ones(acted), high=np.full(acted, 3.0))

    def reset(self, *, seed=None, options=None):
        self.t = 0
        return np.zeros((self.num_envs, *self.observed)), {}

    def step(self, action):
        assert action.shape == (self.num_envs, *self.single_action_space.shape)
        assert (action >= -1).all()
        assert (action <= 3).all()
        self.t += 1
        over = np.full(self.num_envs, self.t % 5 == 4)
        seen = np.full((self.num_envs, *self.observed), self.t / 100)
        info = {"final_obs": list(seen)} if self.tell and over.any() else {}
        return seen, action.reshape(self.num_envs, -1).sum(1), over, ~over & False, info


@pytest.mark.parametrize("observed", [(), (3,), (2, 3)])
@pytest.mark.parametrize("acted", [(), (1,), (2, 2)])
def test_controllers_for_boxes_of_any_shape(observed, acted, tmp_path) -> None:
    agent = PPO(Shapes(observed, acted), horizon=16, passes=2)
    agent.learn(100)
    assert agent.act(np.zeros(observed)).shape == acted
    assert agent.act(np.zeros((5, *observed))).shape == (5, *acted)
    again = PPO(Shapes(observed, acted), horizon=16, passes=2, seed=1)
    again.load(agent.save(tmp_path / "p.safetensors"))
    assert np.array_equal(again.act(np.ones(observed)), agent.act(np.ones(observed)))


def test_controllers_that_break_say_so() -> None:
    with pytest.raises(ArgumentError, match="'env'.*final_obs"):
        PPO(Shapes((3,), (1,), "SAME_STEP", tell=False), horizon=16).learn(48)
    PPO(Shapes((3,), (1,), "SAME_STEP"), horizon=16).learn(48)
    broken = nn.Linear(3, 1)
    nn.init.constant_(broken.weight, math.nan)
    with pytest.raises(ArgumentError, match="'policy'.*NaN"):
        PPO(Shapes((3,), (1,)), policy=broken).learn(48)
    with pytest.raises(ArgumentError, match=r"'policy'.*\(3, 1\).*\(3, 2\)"):
        PPO(Shapes((3,), (1,)), policy=nn.Linear(3, 2)).learn(48)
    with pytest.raises(ArgumentError, match="'observation'"):
        PPO(Shapes((2, 3), (1,))).act(np.zeros((3, 2)))
    with pytest.raises(ArgumentError, match="'entropy'"):
        PPO(Shapes((3,), (1,)), entropy=math.nan)
    with pytest.raises(ArgumentError, match="'seed'"):
        PPO(Shapes((3,), (1,)), seed=-1)
