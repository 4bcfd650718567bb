"""The study of PONITA: its parts on small configurations, and what in them is exact."""

import importlib.util

import pytest
import torch

import erlangen as er
from erlangen.fields.molecules import Molecule
from erlangen.reporting import RIVAL
from erlangen.studies.ponita import STUDY, Config, forces, molecules, nbody, rung


def test_bodies_keep_the_contract(checked):
    outcome = checked(STUDY, Config(part="nbody", seconds=0.2, samples=60, test=40, hidden=8, layers=1, seeds=2))
    assert len(outcome.metrics["runs"]) == 2
    assert outcome.metrics[nbody.OTHER]["turned"] == pytest.approx(outcome.metrics[nbody.OTHER]["error"], rel=1e-3)
    assert outcome.metrics[nbody.LINE]["time"] == pytest.approx(0.7, abs=0.15)
    # The law integrates what is left of the states in float32; the ridge lies between it and straight lines.
    law, ridge, line = (outcome.metrics[name]["error"] for name in (nbody.LAW, nbody.RIDGE, nbody.LINE))
    assert law < 1e-3 < ridge < 0.7 * line
    assert [rival.winner for rival in outcome.rivals] == ["rival", "rival"]
    assert outcome.answer.startswith("The law itself, integrated is better than PONITA")


def test_forces_keep_the_contract(checked):
    outcome = checked(STUDY, Config(part="forces", seconds=0.2, samples=40, test=20, hidden=8, layers=1, seeds=1))
    claims = {claim.key: claim for claim in outcome.claims}
    assert claims["forces-conservative"].holds
    errors = outcome.metrics["errors"]
    assert errors[forces.KERNEL] < 0.7 * errors[forces.FITTED] < 0.2 * errors[forces.ZERO]
    assert [rival.rival for rival in outcome.rivals] == [errors[forces.KERNEL], errors[forces.FITTED]]


def test_forces_over_the_number_of_frames(monkeypatch):
    monkeypatch.setattr(forces, "PLACES", (20, 40))
    found = forces.curve(Config(part="forces", seconds=0.05, test=20, hidden=8, layers=1, seeds=2), quiet=True)
    kernel, field = found.curves[forces.KERNEL], found.curves[forces.FITTED]
    assert [len(runs) for runs in kernel] == [2, 2]
    assert all(max(k) < min(f) for k, f in zip(kernel, field))
    assert sum(kernel[1]) < sum(kernel[0])


@pytest.mark.skipif(importlib.util.find_spec("qm9pack") is None, reason="qm9pack is not installed")
def test_molecules_keep_the_contract(checked):
    outcome = checked(STUDY, Config(part="molecules", seconds=0.2, samples=20, test=20, hidden=8, layers=1, seeds=1))
    assert outcome.metrics["composition"]["dipole moments"] > 0
    for rival in outcome.rivals:  # 60 molecules, and still it knows more than the composition
        assert rival.rival < outcome.metrics["composition"][rival.quantity.removeprefix("mean absolute error of ")]


def test_molecules_as_networks_see_them():
    """Methane: eight directed bonds, all of which see each other; all pairs; both numbers are those of each molecule by itself."""
    pos = torch.tensor([[0.0, 0, 0], [1, 1, 1], [-1, -1, 1], [-1, 1, -1], [1, -1, -1]], dtype=torch.float64) * 0.63
    methane = Molecule("", "C", [6, 1, 1, 1, 1], pos, 0.0, -0.388)
    shapes = [molecules.seen(methane, name) for name in (molecules.ALONG, molecules.ALL, molecules.LIFTED)]
    assert [(len(g.pos), g.edges.shape[1]) for g in shapes] == [(5, 8), (5, 20), (8, 8 * 7 - 4 * 3)]
    torch.manual_seed(0)
    for name in (molecules.LIFTED, molecules.ALONG):
        model = molecules.Properties(molecules.network(name, 8, 1)).double()
        turned = Molecule("", "C", methane.numbers, pos @ er.SO(3).sample(dtype=torch.float64).T + 3.0, 0.0, 0.0)
        graphs = [molecules.seen(m, name) for m in (methane, turned)]
        graphs = [
            molecules.Graph(*(part.double() if part is not None and part.is_floating_point() else part for part in g))
            for g in graphs
        ]
        pair = model(graphs)
        assert torch.allclose(pair[0], pair[1], atol=1e-5)
        assert torch.allclose(model(graphs[:1])[0], pair[0], atol=1e-10)
        # A tetrahedron has no dipole moment, whatever the weights; one of its bonds stretched gives it one.
        assert pair[0, 0] < 1.01 * molecules.SOFT**0.5
        graphs[0].pos[1] *= 1.3
        assert name == molecules.LIFTED or model(graphs[:1])[0, 0] > 1.1 * molecules.SOFT**0.5


def test_the_rung_is_what_the_claims_say(checked):
    outcome = checked(STUDY, Config(part="rung", inits=3))
    assert all(claim.holds for claim in outcome.claims if claim.key != RIVAL)
    assert rung.CHAINS == (2, 3, 4)
    assert (outcome.rivals[0].measured, outcome.rivals[0].rival) == (1, 3)
