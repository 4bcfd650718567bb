"""Networks on invariants beside those behind a frame: exactly symmetric, chosen by held-out data, kept on disk."""

import pytest
import torch

import erlangen as er
from erlangen.data import DataSet
from erlangen.fitting import FitConfig, fit, load_fitted
from erlangen.fitting.columns import Columns
from erlangen.fitting.invariant_network import InvariantNetwork
from erlangen.fitting.members import Kind, train_members
from erlangen.fitting.problem import Problem
from erlangen.fitting.ways import symmetrized_members, ways
from erlangen.maps import EquivariantVectors

CONFIG = FitConfig(seeds=2, steps=60, moves=1, width=16)


def numbers(n=400, seed=0):
    x = torch.randn(n, 4, 3, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return DataSet("gaps", x, (x[:, 0] - x[:, 1]).norm(dim=-1), "scalar")


@pytest.mark.parametrize("group", [er.SE(3), er.SO(3), er.O(3), er.SO(2, axis="z"), er.SL(3)], ids=str)
def test_networks_on_invariants_are_exactly_symmetric(group):
    x = torch.randn(64, 4, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    for vectors in (None, EquivariantVectors(group, 4)):
        shape = (2, 3) if vectors is not None else (5,)
        net = InvariantNetwork(Columns(4, 3, group), shape, vectors, dropout=0.0).double()
        net.standardise(x, torch.randn(64, *shape), torch.full((len(net.columns),), 1e-12))
        out = group.scalar if vectors is None else group.vector
        assert er.equivariance_error(net, x, group.point, out, scale=0.3)["worst"] < 1e-10
        assert net(x).shape == (64, *shape)
        assert torch.equal(net.over(*net.known(x)), net(x))


def test_columns_of_rounding_alone_are_not_seen():
    rng = torch.Generator().manual_seed(0)
    p = torch.randn(200, 2, 3, generator=rng, dtype=torch.float64)
    x = torch.cat([p.norm(dim=-1, keepdim=True), p], -1)  # lightlike: their squares are rounding's
    columns = Columns(2, 4, er.O(1, 3))
    problem = Problem.of(
        DataSet("light", x, (p[:, 0, 0] > 0).long(), "class"), DataSet("t", x, (p[:, 0, 0] > 0).long(), "class"), CONFIG
    )
    rounding = problem.rounding(columns, er.O(1, 3), CONFIG)
    net = InvariantNetwork(columns, (2,))
    net.standardise(x, problem.train.y, rounding)
    assert net.counts.unflatten(0, (-1, 3)).tolist() == [[0.0, 0.0, 1.0]] * 5


def test_held_out_data_choose_and_the_choice_gets_all_seeds(tmp_path):
    data = numbers()
    problem = Problem.of(data, numbers(100, 1), CONFIG)
    kinds = ways(problem, Kind("symmetrized", "behind a frame", "symmetrized", er.SE(3)))
    assert [kind.name for kind in kinds] == ["frame", "invariants-each", "invariants-pooled"]
    members, tried = symmetrized_members(kinds, problem, CONFIG, tmp_path, True)
    assert len(members.models) == len(members.histories) == 2
    assert members.kind.name == "symmetrized"
    assert [way.chosen for way in tried].count(True) == 1
    assert max(tried, key=lambda way: way.held).chosen
    # The first network is the one that was compared, the second one is what all seeds would have given.
    winner = next(kind for kind, way in zip(kinds, tried) if way.chosen)
    alone = train_members(winner, problem, CONFIG, None, True)
    assert [h.best for h in alone.histories] == [h.best for h in members.histories]


@pytest.mark.parametrize("target", ["scalar", "vector"])
def test_what_was_chosen_is_kept(target, tmp_path):
    data = numbers()
    if target == "vector":
        x = data.x
        data = DataSet("cross", x, torch.linalg.cross(x[:, 0] - x[:, 1], x[:, 2] - x[:, 1]).unsqueeze(1), "vector")
    result = fit(data, config=FitConfig(group="SE(3)", seeds=2, steps=300, moves=1, width=32), root=tmp_path, quiet=True)
    assert isinstance(result.model, InvariantNetwork) == result.assessments["symmetrized"].about.startswith("a perceptron on")
    assert result.assessments["symmetrized"].equivariance["float64"]["mean"] < 1e-10
    x = numbers(20, 3).x
    assert torch.equal(load_fitted(result.directory)(x), result.model.eval()(x))
    ours, plain = result.assessments["symmetrized"], result.assessments["plain"]
    assert ours.ensemble > max(plain.scores)
    assert "Ways to be symmetric" in (result.directory / "report.html").read_text()
