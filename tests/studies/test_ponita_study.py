"""The study of PONITA: its parts on small configurations, and what in them is exact."""

import pytest
import torch

from erlangen.fields.molecules import trajectory
from erlangen.studies.ponita import STUDY, Config, forces, nbody, rung


def test_bodies_keep_the_contract(checked):
    outcome = checked(STUDY, Config(part="nbody", seconds=0.3, samples=60, test=40, hidden=8, layers=1))
    assert outcome.metrics[nbody.OTHER]["turned"] == pytest.approx(outcome.metrics[nbody.OTHER]["error"], rel=1e-3)
    assert outcome.metrics[nbody.LINE]["time"] == pytest.approx(0.7, abs=0.15)


def test_forces_keep_the_contract(checked):
    outcome = checked(STUDY, Config(part="forces", seconds=0.3, samples=40, test=20, hidden=8, layers=1))
    claims = {claim.key: claim for claim in outcome.claims}
    assert claims["forces-conservative"].holds
    assert outcome.metrics["fitted"] < outcome.metrics["zero"]


def test_fitted_pair_potentials_find_their_own_forces():
    frames = trajectory("ethanol")[:40]
    fitted = forces.fit_pairs(frames)
    pair = type(frames)(frames.numbers, frames.positions, frames.energies, fitted(frames))
    assert torch.allclose(forces.fit_pairs(pair)(frames), pair.forces, atol=1e-6)
    assert pair.forces.sum(1).abs().max() < 1e-8
    # Along the line between two atoms alone, minus the slope of the energy.
    step, moved = 1e-6, frames.positions.clone()
    moved[0, 0, 0] += step
    assert (fitted(type(frames)(frames.numbers, moved, frames.energies, frames.forces)) - pair.forces)[1:].abs().max() < 1e-12


def test_the_rung_is_what_the_claims_say(checked):
    outcome = checked(STUDY, Config(part="rung", inits=3))
    assert all(claim.holds for claim in outcome.claims)
    assert rung.CHAINS == (2, 3, 4)
