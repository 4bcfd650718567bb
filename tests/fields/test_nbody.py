"""The n-body benchmark as a data set: the scales of the source, the layout, and that splits do not share systems."""

import pytest
import torch

import erlangen as er
from erlangen.errors import ArgumentError
from erlangen.fields.mechanics import bodies, n_body, nbody


@pytest.fixture(scope="module")
def test_set():
    return nbody("test", count=2000)


class TestScales:
    """Known errors of predictions that need no model, from an independent simulation of 4000 systems."""

    @pytest.mark.parametrize(("time", "expected", "tolerance"), [(0.0, 0.27, 0.015), (0.715, 0.089, 0.006), (1.0, 0.115, 0.01)])
    def test_straight_lines(self, test_set, time, expected, tolerance):
        now, later = bodies(test_set.x), bodies(test_set.y)
        error = (now["pos"] + time * now["vel"] - later["pos"]).square().mean().item()
        assert error == pytest.approx(expected, abs=tolerance)

    def test_heavy_tail(self, test_set):
        now, later = bodies(test_set.x), bodies(test_set.y)
        errors = (now["pos"] + now["vel"] - later["pos"]).square().mean((1, 2))
        assert errors.median() < 0.4 * errors.mean()
        assert errors.quantile(0.99) > 8 * errors.mean()


class TestLayout:
    def test_agrees_with_the_simulator(self):
        data, simulated = nbody("test", count=3, seed=4), n_body(3, seed=9)
        now, later = bodies(data.x), bodies(data.y)
        assert torch.equal(now["pos"], simulated.position)
        assert torch.equal(now["vel"], simulated.velocity)
        assert torch.equal(later["pos"], simulated.target)
        assert torch.equal(later["vel"], simulated.target_velocity)
        assert torch.equal(now["charge"][..., 0], simulated.charge)
        assert torch.equal(later["charge"], now["charge"])

    def test_splits_and_seeds_differ(self):
        train, test, other = (nbody(split, count=2, seed=seed) for split, seed in (("train", 0), ("test", 0), ("train", 1)))
        assert not torch.equal(train.x, test.x)
        assert not torch.equal(train.x, other.x)
        assert not torch.equal(test.x, other.x)
        assert torch.equal(nbody("all", count=2).x, torch.cat([train.x, test.x]))

    def test_moves_as_points_vectors_and_scalars(self):
        G = er.E(3)
        act = er.actions.Record({"pos": G.point, "vel": G.vector, "charge": G.scalar})
        g = G.sample(2, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
        x = bodies(nbody("train", count=2).x)
        moved = act.act(g, x)
        assert torch.equal(moved["charge"], x["charge"])
        assert torch.allclose(moved["vel"].norm(dim=-1), x["vel"].norm(dim=-1))
        assert torch.allclose(torch.cdist(moved["pos"], moved["pos"]), torch.cdist(x["pos"], x["pos"]))

    @pytest.mark.parametrize(
        ("argument", "options"), [("split", {"split": "valid"}), ("seed", {"seed": -1}), ("simulations", {"count": 0})]
    )
    def test_refuses(self, argument, options):
        with pytest.raises(ArgumentError, match=f"argument '{argument}'"):
            nbody(**options)

    def test_refuses_other_states(self):
        with pytest.raises(ArgumentError, match="argument 'state'"):
            bodies(torch.zeros(4, 6))


def test_bodies_that_all_repel_keep_energy_and_momentum():
    """Equal charges never meet: in 4000 steps energy drifts by less than a thousandth (velocities are half a step off), momentum stays."""
    data = n_body(200, seed=3, input_frame=0, target_frame=40)
    alike = data.charge.sum(1).abs() == 5
    i, j = torch.triu_indices(5, 5, 1)

    def energy(pos, vel):
        products = data.charge[:, i] * data.charge[:, j]
        return vel.square().sum((1, 2)) / 2 + (products / (pos[:, i] - pos[:, j]).norm(dim=-1)).sum(1)

    before, after = energy(data.position, data.velocity)[alike], energy(data.target, data.target_velocity)[alike]
    assert len(before) >= 5
    assert ((after - before) / before).abs().max() < 1e-3
    assert (data.velocity.sum(1) - data.target_velocity.sum(1))[alike].abs().max() < 1e-9
