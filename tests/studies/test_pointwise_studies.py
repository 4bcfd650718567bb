"""The studies of point-wise activations keep the contract of studies; the table agrees with brute force on some of its rows."""

from __future__ import annotations

import pytest

from erlangen.reporting import RIVAL
from erlangen.studies import pointwise, pointwise_networks
from erlangen.testing import check_study


def test_forty_activations_and_more_representations():
    assert len(pointwise.activations()) == 40
    assert len(pointwise.representations()) >= 40


def test_the_decision_agrees_with_brute_force(monkeypatch):
    every = pointwise.representations()
    # Counted by hand: all; linear; also odd (13) and even (5); linear; homogeneous; signed homogeneous.
    expected = {"S4 vector": 40, "C3 ρ1": 1, "D4 ρ1": 19, "SO(3) l=1": 1, "SO(1,1) light cone": 11, "monomial ±": 6}
    some = {name: every[name] for name in expected}
    monkeypatch.setattr(pointwise, "representations", lambda: some)
    cells = pointwise.truth_table()
    assert len(cells) == 240
    assert all(c.holds == (c.fit <= 1e-9) for c in cells)
    assert max(c.error for c in cells if c.holds) <= 1e-12
    assert min(c.error for c in cells if not c.holds) > 1e-3
    assert {name: sum(c.holds for c in cells if c.representation == name) for name in expected} == expected


@pytest.mark.slow
def test_the_whole_table():
    study = pointwise.STUDY
    assert check_study(study, quiet=True)
    outcome = study.run(study.config(), quiet=True)
    assert all(claim.holds for claim in outcome.claims if claim.key != RIVAL)
    assert min(outcome.rivals[0].measured, outcome.rivals[0].rival) > 0


def test_networks_keep_the_contract():
    study = pointwise_networks.STUDY
    config = study.config(steps=3, samples=128, seeds=2)
    assert check_study(study, config, quiet=True)
    forces, distances = pointwise_networks.forces_by_hand, pointwise_networks.distances_by_hand
    nothing = [pointwise_networks.Trained(task, "", True, [1.0], [1.0], [0.0]) for task in ("forces, O(3)", "distances, S_5")]
    for by_hand, most in ((forces, 1e-2), (distances, 0.1)):
        assert by_hand(config, nothing).rival.value < most


@pytest.mark.slow
def test_admissible_networks_win():
    study = pointwise_networks.STUDY
    assert all(claim.holds for claim in study.run(study.config(), quiet=True).claims if claim.key != RIVAL)
