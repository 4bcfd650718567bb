"""The LieGAN studies keep the contract of studies, and the claims that decide them hold."""

import pytest
import torch

from erlangen.fields.jets import jets
from erlangen.fields.mechanics import two_body
from erlangen.studies import liegan_cyclic, liegan_jets, liegan_two_body, load_study, study_names
from erlangen.testing import check_study


def test_every_study_is_named_as_it_is_listed():
    for name in study_names():
        study = load_study(name)
        assert study.name == name
        assert study.claims


def test_a_study_keeps_the_contract():
    study = load_study("liegan-cyclic")
    assert check_study(study, study.config(steps=5, seeds=1, samples=100, width=8), quiet=True)


def test_orbits_beside_a_null_space_a_line_and_the_law(checked):
    study = load_study("liegan-two-body")
    outcome = checked(study, study.config(steps=5, seeds=1, forecast_steps=5))
    rotation, linear, law = [row for row in outcome.claims if row.key == "rival"]
    assert rotation.baseline > 1 - 1e-8
    assert linear.baseline < 1e-10
    assert law.baseline < 1e-25
    assert not any(row.holds for row in (rotation, linear, law))


def test_jets_beside_a_quadric_and_boosting(checked):
    study = load_study("liegan-jets")
    outcome = checked(study, study.config(steps=5, seeds=1, network_steps=2))
    quadric, boosted = [row for row in outcome.claims if row.key == "rival"]
    assert quadric.baseline == pytest.approx(1.0, abs=1e-9)
    assert boosted.baseline > 0.93


def test_jets_beside_what_learns_from_few(checked, monkeypatch):
    monkeypatch.setattr(liegan_jets, "PLACES", (60, 120))
    study = load_study("liegan-jets")
    found = checked(study, study.config(steps=5, seeds=2, network=False, network_steps=2, curve=True)).metrics["crossover"]
    assert found["places"] == [60, 120]
    assert all(len(runs) == 2 for curve in found["curves"].values() for runs in curve)
    assert min(found["curves"]["boosting on Minkowski products"][1]) > 0.8


def test_what_a_metric_sees_of_jets_does_not_change_when_they_are_moved():
    x = jets("test").x[:20]
    form = torch.diag(torch.tensor([1.0, -1.0, -1.0, -1.0], dtype=torch.float64))
    boost = torch.linalg.matrix_exp(torch.tensor([[0, 0.4, 0, 0.1], [0.4, 0, 0.3, 0], [0, -0.3, 0, 0], [0.1, 0, 0, 0]]).double())
    here, there = (liegan_jets.invariants(form, part) for part in (x, x @ boost.mT))
    assert here.shape == (20, 236)
    assert torch.allclose(here, there, atol=1e-5)  # masses of massless pairs cancel to rounding
    assert torch.equal(liegan_jets.invariants(-form, x), here)


def test_a_search_finds_the_seventh_of_a_turn():
    x, y = liegan_cyclic.make_data(liegan_cyclic.Config())
    n, axis = liegan_cyclic.searched(x, y, seed=0)
    assert n == 7
    assert abs(axis[2]) > 0.999


def test_the_null_space_of_a_fit_is_the_rotation():
    data = two_body("train")
    found, _ = liegan_two_body.null_space(data.x[::7], data.y[::7], seed=1, points=300)
    truth = torch.kron(torch.eye(4), torch.tensor([[0.0, -1.0], [1.0, 0.0]])).double()
    assert liegan_two_body.cosine(found, truth) > 1 - 1e-8


@pytest.mark.slow
def test_a_seventh_of_a_turn():
    study = load_study("liegan-cyclic")
    assert {claim.key for claim in study.run(study.config(seeds=1), quiet=True).claims.failing} <= {"rival"}
