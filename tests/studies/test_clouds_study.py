"""Networks of points side by side: the contract on tiny trainings, and that each contender is what its row says."""

import importlib.util

import pytest
import torch

import erlangen as er
from erlangen.fields.molecules import trajectory
from erlangen.studies.clouds import STUDY, Config, forces, nbody
from erlangen.studies.clouds import curve as curves
from erlangen.studies.clouds.contest import RATES, Contender, Contest, Row
from erlangen.studies.clouds.tensors import all_pairs

TINY = {"seconds": 0.1, "samples": 40, "held": 10, "test": 20, "size": 0.4, "seeds": 2}
G = er.E(3)


@pytest.mark.parametrize("part", ["nbody", "forces"])
def test_both_tasks_keep_the_contract(checked, part):
    outcome = checked(STUDY, Config(part=part, **TINY))
    closed = outcome.metrics[nbody.LINE if part == "nbody" else forces.FITTED]
    assert closed["error"] == closed["moved"] > 0
    assert len(closed["errors"]) == 1
    egnn = outcome.metrics["EGNN"]
    first, second = egnn["errors"]
    assert egnn["error"] == pytest.approx((first + second) / 2)
    assert egnn["uncertainty"] == pytest.approx(abs(first - second) / 2)  # the standard error of the mean of two
    assert egnn["rate"] in RATES
    claims = {claim.key: claim for claim in outcome.claims}
    rivals = [claim.baseline for claim in outcome.claims if claim.key == "rival"]
    if part == "nbody":  # the law, and a ridge of vectors
        assert rivals[0] < 1e-4
        assert rivals[1] < closed["error"]
    else:
        assert len(rivals) == 1
        assert 0 < rivals[0] < 600  # of 40 frames; 89 of 1000
    assert claims["moved-same"].holds
    assert ("peer" in claims) == (importlib.util.find_spec("e3nn") is not None)


def test_the_curve_has_a_value_of_every_seed_at_every_place(monkeypatch):
    monkeypatch.setattr(curves, "PLACES", (20, 40))
    found = curves.curve(Config(**TINY), nbody.contest, nbody.contenders, 0.05, quiet=True)
    assert found.places == (20, 40)
    assert set(found.rivals) == {curves.EGNN, curves.RIDGE}
    assert all(len(set(values)) == 2 for curve in found.curves.values() for values in curve)


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


def test_an_error_is_below_another_by_two_standard_errors():
    def row(*errors):
        return Row("", "built in", errors, 0.0, 0.0, 0.0, 0.0, 0, 0, 0.0, 0.0, 0.0)

    assert row(1.0).below(row(1.1))
    one = row(1.0, 1.2)  # 1.1, and 0.1 for the standard error
    assert not one.below(row(1.29))
    assert one.below(row(1.31))
    assert not one.below(row(1.25, 1.45))  # 0.25 apart, 0.14 for the standard error of the difference
    assert one.below(row(1.29, 1.49))


class Times(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.by = torch.nn.Parameter(torch.zeros(()))

    def forward(self, pos):
        return self.by * pos


def test_rates_are_chosen_by_validation_and_those_that_go_astray_are_not():
    """A number that has to reach 1 within eight steps does so at the largest rate, and not where that makes the loss infinite."""

    class Fragile(Times):
        def forward(self, pos):
            return super().forward(pos) * torch.where(self.by.detach().abs() > 0.05, torch.inf, 1.0)

    x = {"pos": torch.randn(50, 4, 3, generator=torch.Generator().manual_seed(0))}
    task = Contest(
        er.actions.Record({"pos": G.point}), G.point, (x, x["pos"]), (x, x["pos"]), (x, x["pos"]), 1.0, nbody.squared, 10, 0
    )
    assert task.rate(Contender("", "built in", Times), 40, quiet=True) == RATES[-1]
    assert task.rate(Contender("", "built in", Fragile), 40, quiet=True) < RATES[-1]
