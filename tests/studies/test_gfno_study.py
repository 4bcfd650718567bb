"""The study of Fourier operators on flows: its contract in a tiny run, its parts, and what a whole run shows."""

import importlib

import pytest
import torch

from erlangen.training import relative_l2

forecasts = importlib.import_module("erlangen.studies.gfno.forecasts")
study = importlib.import_module("erlangen.studies.gfno.study")

TINY = study.Config(
    train=3, odd_train=3, water_train=3, test=2, side=16, window=2, rollout=3, modes=4, batch=4,
    width=4, width_p4=2, width_p4m=2, steps=3, odd_steps=3, curve=True,
)  # fmt: skip


def test_the_contract_and_the_claims_that_need_no_training(checked):
    outcome = checked(study.STUDY, TINY)
    holds = {key: [c.holds for c in outcome.claims if c.key == key] for key in ("symmetries", "turned-data")}
    assert holds == {"symmetries": [True, True], "turned-data": [True]}
    real = outcome.metrics["symmetries"]
    assert real["NS-Sym"]["pseudoscalar"][1] > 0.1
    assert real["NS-A2"]["pseudoscalar"][1] < 1e-7
    assert real["water"]["vector"][1] < 1e-7 < real["water"]["scalar"][0]
    curve = outcome.metrics["crossover"]
    law = [sum(runs) / 3 for runs in curve["curves"]["the law with this force, integrated"]]
    assert law == sorted(law)
    assert all(len(runs) == 3 for of in curve["curves"].values() for runs in of)
    assert [rival.winner for rival in outcome.rivals if rival.name.startswith("the law")] == ["rival"] * 3


def test_the_law_is_nearest_and_linear_flows_are_found():
    flows = forecasts.make_flows("NS-Sym", 6, 3, 16, 2, 6, seed=0)
    simple = forecasts.without_network(flows, 3)
    assert simple.law < simple.linear < 1
    assert simple.law < 0.5 * forecasts.error_of(forecasts.still(1), flows.test, 3)
    # Waves that move on by themselves: the linear forecast knows them exactly.
    start = torch.randn(5, 1, 8, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    moving = torch.stack([start.roll(t, -1) for t in range(5)], 1)
    assert forecasts.error_of(forecasts.linear(moving[:3], 1, 1e-12), moving[3:], 1) < 1e-6


def test_windows_stand_before_their_next_frames():
    flows = torch.arange(2 * 5.0).view(2, 5, 1, 1, 1)
    x, y = forecasts.windows(flows, 3)
    assert x.flatten(1).tolist() == [[0, 1, 2], [5, 6, 7], [1, 2, 3], [6, 7, 8]]
    assert y.flatten().tolist() == [3, 8, 4, 9]


def test_the_coarse_flow_is_the_fine_one_where_both_are_and_tests_are_held_out():
    flows = forecasts.make_flows("NS-Sym", 2, 3, 8, 2, 2, seed=0)
    assert flows.train.shape == (2, 2, 1, 8, 8)
    assert flows.fine.shape == (3, 2, 1, 16, 16)
    assert torch.equal(flows.fine[..., ::2, ::2], flows.test)
    assert float(relative_l2(flows.train[:1], flows.test[:1])) > 0.1


def test_that_nothing_changes_is_a_forecast():
    flows = torch.stack([torch.ones(4, 4), torch.ones(4, 4), 2 * torch.ones(4, 4), 4 * torch.ones(4, 4)])[None, :, None]
    assert forecasts.error_of(forecasts.still(1), flows, 2) == pytest.approx((0.5 + 0.75) / 2)


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_what_a_whole_run_shows():
    outcome = study.run(study.Config(), quiet=True)
    verdicts = {key: all(c.holds for c in outcome.claims if c.key == key) for key in study.STUDY.claims}
    for key in ("symmetries", "turns", "augmentation", "right-mirrors", "turned-data", "learns"):
        assert verdicts[key], key
