"""The study of frame averaging: its parts on small configurations, and what in them is exact."""

import importlib.util

import pytest
import torch

import erlangen as er
from erlangen.datasets.graphs import connected_graphs
from erlangen.errors import ArgumentError
from erlangen.studies.frame_averaging import STUDY, Config, graphs, nbody, normals
from erlangen.testing import check_outcome
from erlangen.training import steps_within


def test_charged_bodies_keep_the_contract(checked):
    outcome = checked(STUDY, Config(part="nbody", seconds=0.1, samples=100, seeds=2))
    numbers = outcome.metrics
    for name in (nbody.SFA, nbody.FIXED, nbody.FULL, "EGNN"):
        assert max(numbers[name]["equivariance"]) < 1e-5
        assert numbers[name]["moved"] == pytest.approx(numbers[name]["error"], rel=1e-3)
    assert min(numbers[nbody.GNN]["equivariance"]) > 1e-3
    for name in nbody.SEEDED:  # other systems and other weights
        first, second = numbers[name]["error"]
        assert first != second
        assert numbers[name]["rate"] in nbody.RATES
    assert "EGNN" in outcome.answer
    law, ridge = [claim.baseline for claim in outcome.claims if claim.key == "rival"]
    assert law.value < 1e-4  # close encounters make more of rounding to float32
    assert ridge.value < 1.0


def test_the_plain_predictor_is_not_equivariant_but_translation_moves_it_along():
    torch.manual_seed(0)
    model = nbody.Predictor(er.nn.PairGNN(vectors=2, pairs=2, width=12, layers=1)).double()
    pos, vel = torch.randn(2, 3, 5, 3, dtype=torch.float64)
    charge = torch.ones(3, 5, 1, dtype=torch.float64)
    assert torch.allclose(model(pos + 10, vel, charge), model(pos, vel, charge) + 10)
    assert not torch.allclose(model(pos.flip(-1), vel.flip(-1), charge), model(pos, vel, charge).flip(-1))


class TestGraphs:
    def test_message_passing_cannot_but_spectral_frames_can(self):
        """On connected graphs with six nodes, among which 1-WL leaves pairs."""
        a, rng = connected_graphs(6), torch.Generator().manual_seed(0)
        hard = graphs.alike(a)
        made = graphs.networks(6, 10, rng)
        torch.manual_seed(0)
        net = made[graphs.GIN]()
        for i, j in hard:
            assert torch.allclose(net(a[[i]]), net(a[[j]]), atol=1e-10)
        assert graphs.not_separated(made[graphs.GIN], a, 3, 0) >= len(hard) > 0
        assert graphs.not_separated(made[graphs.FA_GIN], a, 3, 0) == 0

    def test_pairs_are_counted_as_by_hand(self):
        a = connected_graphs(5)
        made = lambda: graphs.GIN3(5, numbered=False).double()  # noqa: E731
        torch.manual_seed(0)
        y = made()(a)
        near = torch.cdist(y, y, p=1) <= graphs.APART
        assert graphs.not_separated(made, a, 1, 0) == (int(near.sum()) - len(a)) // 2

    def test_labels_of_disjoint_pairs(self):
        a = connected_graphs(4)
        found, labels = graphs._labelled(a, [(0, 1), (0, 2), (3, 4)])
        assert torch.equal(found, a[[0, 1, 3, 4]])
        assert labels.tolist() == [0, 1, 0, 1]

    @pytest.mark.skipif(importlib.util.find_spec("networkx") is None, reason="networkx is not installed")
    def test_the_part_runs(self, monkeypatch):
        monkeypatch.setattr(graphs, "generated_graphs", lambda nodes: connected_graphs(6))
        outcome = STUDY.run(Config(part="graphs", inits=2, steps=2), quiet=True)
        assert check_outcome(STUDY, outcome)
        ours = [claim for claim in outcome.claims if claim.key != "rival"]
        assert all(claim.holds for claim in ours[:4])
        (rival,) = [claim for claim in outcome.claims if claim.key == "rival"]
        if importlib.util.find_spec("igraph") is not None:
            assert rival.baseline == 0
        assert outcome.metrics["accuracy"][graphs.GIN] == 0.5


@pytest.mark.skipif(
    importlib.util.find_spec("manifold3d") is None or importlib.util.find_spec("trimesh") is None, reason="needs erlangen[solids]"
)
class TestNormals:
    def test_parts_are_solid(self):
        parts = normals.machine_parts(6, points=400, seed=1)
        assert torch.allclose(parts.normals.norm(dim=-1), torch.ones(6, 400, dtype=torch.float64))
        assert torch.allclose(parts.points.square().sum(-1).mean(1), torch.ones(6, dtype=torch.float64))
        # Gauss: outward normals of a closed surface add up to zero, and the volume, their flux, is positive.
        assert parts.normals.mean(1).norm(dim=-1).max() < 0.25
        assert (parts.points * parts.normals).sum(-1).mean(1).min() > 0.1
        assert torch.equal(parts.points, normals.machine_parts(6, points=400, seed=1).points)
        with pytest.raises(ArgumentError, match="'count'"):
            normals.machine_parts(0)

    def test_networks_over_frames_turn_with_the_part(self):
        G, x = er.SO(3), normals.machine_parts(2, points=60, seed=0).points
        nets = normals.networks(0)
        for name, exact in ((normals.PLAIN, False), (normals.GLOBAL, True), (normals.LOCAL, True)):
            error = er.equivariance_error(nets[name].double().eval(), x, G.vector, G.tensor(2), elements=4)
            assert (error["worst"] < 1e-9) == exact

    def test_error_is_that_of_the_main_axis(self):
        n = torch.nn.functional.normalize(torch.randn(1, 9, 3, generator=torch.Generator().manual_seed(0)), dim=-1)

        class Known(torch.nn.Module):
            def forward(self, x):
                return normals.projector(x)

        assert normals.error(Known(), n, n) < 1e-6
        assert normals.error(Known(), n, -n) < 1e-6
        assert normals.error(Known(), n, n.roll(1, -1)) == pytest.approx(
            float(1 - (n * n.roll(1, -1)).sum(-1).square().mean()), abs=1e-5
        )

    def test_the_part_runs(self, monkeypatch):
        monkeypatch.setattr(normals, "steps_within", lambda *args, trial: steps_within(*args))
        outcome = STUDY.run(Config(part="normals", seconds=0.1, samples=12), quiet=True)
        assert check_outcome(STUDY, outcome)
        assert outcome.metrics["planes"][0] < 0.12
        # Trained for a tenth of a second, only what is exact can be asked: turned test parts change nothing over frames.
        for name in (normals.GLOBAL, normals.LOCAL):
            upright, turned, _ = outcome.metrics["error"][name]
            assert turned == pytest.approx(upright, rel=1e-2)
        assert len(outcome.metrics["error"][normals.PLAIN]) == 3


def test_refuses_other_parts():
    with pytest.raises(ArgumentError, match="'part'"):
        STUDY.run(Config(part="molecules"), quiet=True)
