"""Networks of points side by side: the contract on tiny trainings, and that each contender is what its row says."""

import importlib.util

import pytest
import torch

import erlangen as er
from erlangen.fields.molecules import trajectory
from erlangen.studies.clouds import STUDY, Config, forces, nbody
from erlangen.studies.clouds.contest import Contest
from erlangen.studies.clouds.tensors import all_pairs

TINY = {"seconds": 0.1, "samples": 40, "held": 10, "test": 20, "size": 0.4}
G = er.E(3)


@pytest.mark.parametrize("part", ["nbody", "forces"])
def test_both_tasks_keep_the_contract(checked, part):
    outcome = checked(STUDY, Config(part=part, **TINY))
    closed = outcome.metrics[nbody.LINE if part == "nbody" else forces.FITTED]
    assert closed["error"] == closed["moved"] > 0
    claims = {claim.key: claim for claim in outcome.claims}
    assert claims["moved-same"].holds
    assert ("peer" in claims) == (importlib.util.find_spec("e3nn") is not None)


def seeded(make):
    torch.manual_seed(0)
    return make().double().eval()


def test_exact_contenders_move_bodies_along():
    """Random motions, reflections among them, change nothing but rounding; PONITA alone is exact on its grid only."""
    generator = torch.Generator().manual_seed(0)
    x = {name: torch.randn(6, 5, 3, generator=generator, dtype=torch.float64) for name in ("pos", "vel")}
    x["charge"] = torch.randn(6, 5, 1, generator=generator, dtype=torch.float64).sign()
    inp = er.actions.Record({"pos": G.point, "vel": G.vector, "charge": G.scalar})
    g = G.sample(6, generator=generator, dtype=torch.float64)
    for one in nbody.contenders({name: part.float() for name, part in x.items()}, 0.4):
        model = seeded(one.make)
        with torch.no_grad():
            apart = (model(**inp.act(g, x)) - G.point.act(g, model(**x))).abs().max()
        assert (apart < 1e-9) == one.exact, one.name


def test_exact_contenders_turn_forces_along():
    frames = trajectory("ethanol")[:8]
    g = G.sample(8, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    for one in forces.contenders(frames, 0.4):
        model = seeded(one.make)
        there = model(pos=G.point.act(g, frames.positions)).detach()
        here = model(pos=frames.positions).detach()
        apart = (there - G.vector.act(g, here)).abs().max() / here.abs().max()
        assert (apart < 1e-7) == one.exact, one.name


def test_straight_lines_are_found_by_least_squares():
    x = {name: torch.randn(10, 5, 3, generator=torch.Generator().manual_seed(k)) for k, name in enumerate(("pos", "vel"))}
    data = (x, x["pos"] + 0.7 * x["vel"])
    inp = er.actions.Record({"pos": G.point, "vel": G.vector})
    row = nbody.straight(Contest(inp, G.point, data, data, data, 1.0, nbody.squared, 5, 0))
    assert row.error < 1e-12


def test_pairs_are_all_of_one_structure():
    assert all_pairs(torch.tensor([0, 0, 1, 1, 1])).T.tolist() == [[0, 1], [1, 0], [2, 3], [2, 4], [3, 2], [3, 4], [4, 2], [4, 3]]
