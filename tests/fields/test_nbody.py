"""The n-body benchmark as a data set: the scales of the source, the layout, and that splits do not share systems."""

import pytest
import torch

import erlangen as er
from erlangen.errors import ArgumentError
from erlangen.fields.mechanics import bodies, n_body, nbody, vectors_of_bodies


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


class TestInitialState:
    """A simulation that starts from given states goes on as the one they are from."""

    def test_goes_on_as_it_was(self):
        data = n_body(4, seed=2)
        state = (data.position, data.velocity, data.charge)
        kept = [part.clone() for part in state]
        again = n_body(initial=state, input_frame=0, target_frame=9)
        assert (again.target - data.target).abs().max() < 1e-9
        assert (again.target_velocity - data.target_velocity).abs().max() < 1e-9
        assert all(torch.equal(a, b) for a, b in zip(state, kept))  # nothing was written into them

    def test_two_bodies_of_opposite_charges_circle(self):
        """Unit charges on unit masses at distance 2 r circle with speed v, v^2 = 1 / (4 r)."""
        r, v = 1.0, 0.5
        position = torch.tensor([[[r, 0, 0], [-r, 0, 0]]])
        velocity = torch.tensor([[[0, v, 0], [0, -v, 0]]])
        turned = n_body(initial=(position, velocity, torch.tensor([[1.0, -1.0]])), input_frame=0, target_frame=19).target
        angle = torch.tensor(2.0 * v / r)  # after 2000 steps of 1e-3
        assert torch.allclose(turned[0, 0], torch.tensor([angle.cos(), angle.sin(), 0.0]).double(), atol=2e-3)
        assert torch.allclose(turned[0].sum(0), torch.zeros(3).double(), atol=1e-12)

    @pytest.mark.parametrize("wrong", [
        (torch.zeros(2, 5, 3), torch.zeros(2, 5, 3), torch.ones(2, 5)),
        (torch.rand(2, 5, 3), torch.rand(2, 5, 3), torch.ones(2, 5, 1)),
        (torch.rand(2, 5, 3), torch.rand(2, 4, 3), torch.ones(2, 5)),
        (torch.full((2, 5, 3), torch.nan), torch.rand(2, 5, 3), torch.ones(2, 5)),
        (torch.rand(2, 5, 3), torch.rand(2, 5, 3)),
    ])  # fmt: skip
    def test_wrong_states_are_refused(self, wrong):
        with pytest.raises(ArgumentError, match="'initial'"):
            n_body(initial=wrong, input_frame=0, target_frame=1)
        with pytest.raises(ArgumentError, match="'simulations'"):
            n_body(3, initial=(torch.rand(2, 5, 3), torch.rand(2, 5, 3), torch.ones(2, 5)))
        with pytest.raises(ArgumentError, match="'simulations'"):
            n_body()


def test_vectors_of_bodies_turn_along():
    G = er.E(3)
    act = er.actions.Record({"pos": G.point, "vel": G.vector, "charge": G.scalar})
    g = G.sample(2, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    x = bodies(nbody("train", count=2).x)
    found = vectors_of_bodies(**x)
    assert torch.allclose(vectors_of_bodies(**act.act(g, x)), G.vector.act(g, found.flatten(1, 2)).reshape(found.shape), atol=1e-9)
    swap = torch.tensor([1, 0, 2, 3, 4])
    assert torch.allclose(vectors_of_bodies(**{name: part[:, swap] for name, part in x.items()}), found[:, swap], atol=1e-9)


def test_vectors_of_degree_two_turn_along_and_begin_with_those_of_degree_one():
    G, x = er.E(3), bodies(nbody("train", 4).x)
    act = er.actions.Record({"pos": G.point, "vel": G.vector, "charge": G.scalar})
    g = G.sample(4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    found = vectors_of_bodies(**x, degree=2)
    assert torch.equal(found[..., :65, :], vectors_of_bodies(**x))
    moved = vectors_of_bodies(**act.act(g, x), degree=2)
    assert torch.allclose(moved, G.vector.act(g, found.flatten(1, 2)).reshape(found.shape), atol=1e-8)
    with pytest.raises(ArgumentError, match="'degree'"):
        vectors_of_bodies(**x, degree=3)
