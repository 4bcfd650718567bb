"""The study of Brauer diagrams: its contract, its models' symmetry, and what a short training must already show."""

from __future__ import annotations

import sys

import pytest
import torch

from erlangen.fields.beams import coupled_lattices, eigen_emittances, random_beams, transport
from erlangen.groups import O, Sp
from erlangen.studies.brauer_beam import STUDY, Config
from erlangen.studies.brauer_beam.beams import BeamNet, EntryNet, by_invariants, eigenvalues, known_maps, null_space
from erlangen.studies.brauer_beam.compare import fit, moved_by
from erlangen.studies.brauer_beam.vectors import BY_HAND, bodies, by_hand, crossover, mirrored, products, vectors
from erlangen.studies.rivals import ridges, simplest

F64 = torch.float64
SMALL = Config(steps=3, regression_steps=3, samples=40, sizes=(20, 30), seeds=2)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_it_keeps_the_contract(checked):
    pytest.importorskip("ase")
    outcome = checked(STUDY, SMALL)
    rows = {row.text.split(" is better than ")[1]: row for row in outcome.claims if row.key == "rival"}
    assert rows["the eigenvalues of Omega Sigma"].baseline.value < 1e-9
    assert rows["ridge regression on four tensors"].baseline.value < 1e-6
    assert rows["the null space of a dense matrix"].holds
    assert rows["ridge regression on lengths and cosine"].baseline.value < 1.0  # of 20 samples
    assert len(rows) == 6  # one for both sizes of the vectors


def test_rivals_are_exact_where_the_law_is_theirs():
    own = random_beams(300, generator=seeded())
    coupled = transport(coupled_lattices(300, generator=seeded(1)), random_beams(300, generator=seeded(2)))
    assert (eigenvalues(coupled) - eigen_emittances(coupled).log()).abs().max() < 1e-9
    assert by_invariants(own, coupled, 0)[0] < 0.1
    assert null_space(O(2), 6) == 20  # of the connected SO(2): six choose three
    assert null_space(Sp(4), 4) == 3
    x, y = vectors(300, seeded())
    x_test, y_test = vectors(300, seeded(1))
    found = simplest(ridges(degrees=(2, 4, 8), alphas=(1e-6, 1e-3)), by_hand(x), y)
    assert (found.predict(by_hand(x_test)) - y_test).square().mean() < 1e-4 * y_test.var()
    x = x[:20]
    moved = (2 * O(5).vector).act(O(5).sample(20, generator=seeded(2), dtype=F64), x)
    assert torch.allclose(products(moved), products(x))
    assert (products(x)[:, 2] ** 2 < products(x)[:, 0] * products(x)[:, 1]).all()
    g = O(5).sample(20, generator=seeded(), dtype=F64)
    assert torch.allclose(by_hand((2 * O(5).vector).act(g, x)), by_hand(x))


def test_without_ase_it_says_so_and_runs_the_rest(monkeypatch):
    monkeypatch.setitem(sys.modules, "ase.collections", None)
    outcome = STUDY.run(SMALL, quiet=True)
    left_out = [s for s in outcome.sections if "left out" in s.heading]
    assert len(left_out) == 1
    assert "erlangen[molecules]" in left_out[0].paragraphs[0]
    assert not any("molecule" in claim.text for claim in outcome.claims)
    assert outcome.metrics["beams"]["Sp(4)"]["transported"] > 0


def test_the_curve_has_every_size():
    config = Config(curve=True)
    assert config.every_size == (100, 300, 1000, 3000)
    assert Config().every_size == (100, 1000)
    numbers = {name: {"100": [0.5, 0.6], "300": [0.1, 0.2]} for name in ("O(5)", "augmented", BY_HAND)}
    curve = crossover({**numbers, "ridge regression on the three products": {"100": [0.7, 0.8], "300": [0.6, 0.7]}})
    assert tuple(curve.places) == (100, 300)
    assert curve.winners("ridge regression on the three products")[1] == "method"


def test_full_is_five_seeds_at_least():
    assert len(Config(full=True).every_seed) == 5
    assert len(Config(full=True, seeds=7).every_seed) == 7
    assert list(Config(seeds=2, seed=3).every_seed) == [3, 4]


def test_dimensions_are_the_published_ones():
    claims, _, numbers, _ = known_maps()
    assert numbers["dense"] == 15
    assert claims[0].holds
    assert numbers["dimensions"] == {
        "O(3), 2 -> 2": 3,
        "O(2), 3 -> 3": 10,
        "O(3), 3 -> 3": 15,
        "Sp(4), 2 -> 2": 3,
        "Sp(4), 3 -> 3": 14,
        "SO(3), 2 -> 3": 6,
        "SO(2), 2 -> 2": 6,
    }


def test_the_beam_network_is_invariant_under_every_lattice_and_is_not_constant():
    torch.manual_seed(0)
    net, sigma = BeamNet(), random_beams(20, generator=seeded())
    moved = transport(coupled_lattices(20, generator=seeded(1)), sigma)
    torch.testing.assert_close(net(moved.flatten(1)), net(sigma.flatten(1)), atol=1e-10, rtol=0)
    assert net(sigma.flatten(1)).std(0).min() > 1e-4
    entries = EntryNet()
    assert (entries(moved.flatten(1)) - entries(sigma.flatten(1))).abs().max() > 1e-3


def test_without_products_nothing_of_a_covariance_is_seen():
    net, sigma = BeamNet(), random_beams(5, generator=seeded())
    trace = net.traces[0](net.first(sigma.flatten(1).unsqueeze(-2)))
    assert trace.abs().max() < 1e-12  # the trace of a symmetric matrix under Omega


def test_models_are_of_the_stated_sizes():
    count = {type(net): sum(p.numel() for p in net.parameters()) for net in (BeamNet(), EntryNet())}
    assert count == {BeamNet: 6618, EntryNet: 18178}


@pytest.mark.slow
def test_a_short_training_already_transfers_to_coupled_beams():
    own = random_beams(400, generator=seeded())
    coupled = transport(coupled_lattices(400, generator=seeded(1)), random_beams(400, generator=seeded(2)))
    errors = {}
    for make in (BeamNet, EntryNet):
        (net,), _ = fit(make, [(own.flatten(1), eigen_emittances(own).log())], 500, Config(), None, "", quiet=True)
        with torch.no_grad():
            errors[make] = (net(coupled.flatten(1)) - eigen_emittances(coupled).log()).square().mean().sqrt().item()
    assert errors[BeamNet] < 0.1
    assert errors[EntryNet] > 5 * errors[BeamNet]


def test_the_regression_task_is_invariant():
    x, y = vectors(50, seeded())
    a, b = x.unflatten(1, (2, 5)).unbind(1)
    expected = a.norm(dim=1).sin() - b.norm(dim=1) ** 3 / 2 + torch.nn.functional.cosine_similarity(a, b)
    torch.testing.assert_close(y[:, 0], expected)
    group = O(5)
    torch.manual_seed(0)
    moved, same = moved_by(2 * group.vector, group.scalar)(x, y)
    assert torch.equal(same, y)
    torch.testing.assert_close(moved.unflatten(1, (2, 5)).norm(dim=-1), x.unflatten(1, (2, 5)).norm(dim=-1))
    assert (moved - x).abs().max() > 0.1


def test_angular_momentum_keeps_its_sign_in_the_mirror():
    x, y = bodies(50, seeded())
    torch.manual_seed(0)
    other, same = mirrored(x, y)
    assert torch.equal(same, y)
    signs = (other[:, 3] / x[:, 3]).sign()
    assert set(signs.tolist()) == {1.0, -1.0}
    masses, places, velocities = other[:, :3], other[:, 3:12].unflatten(1, (3, 3)), other[:, 12:].unflatten(1, (3, 3))
    torch.testing.assert_close((masses.unsqueeze(-1) * torch.linalg.cross(places, velocities)).sum(1), y)


def test_lattices_are_symplectic_as_the_group_has_it():
    assert Sp(4).contains(coupled_lattices(20, generator=seeded())).all()
    assert coupled_lattices(1, generator=seeded()).dtype == F64


@pytest.mark.slow
def test_its_claims_hold():
    outcome = STUDY.run(Config(), quiet=True)
    assert {claim.key for claim in outcome.claims.failing} <= {"rival"}  # laws and invariants at hand are better
