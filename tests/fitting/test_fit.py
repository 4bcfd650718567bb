"""The main job on small data: what it returns, what it writes, how it goes on after an interruption."""

import json

import pytest
import torch

from erlangen.data import DataSet
from erlangen.errors import ArgumentError
from erlangen.fitting import FitConfig, fit, load_fitted
from erlangen.fitting.store import group_from_dict, group_to_dict
from erlangen.groups import SE, SO, Isometries, MatrixGroup, O
from erlangen.groups.affine import AffineGroup, AffineSubgroup
from erlangen.training.lock import alone


def rotations(n=600, seed=0):
    """Points in the plane and their radius class: invariant under SO(2), three tokens."""
    x = torch.randn(n, 3, 2, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    angle = torch.atan2(x[:, 0, 1], x[:, 0, 0]) - torch.atan2(x[:, 1, 1], x[:, 1, 0])
    return DataSet("turns", x, (torch.sin(angle) > 0).long(), "class")


def skewed(n=600, seed=0):
    rng = torch.Generator().manual_seed(seed)
    u = torch.rand(n, 3, generator=rng, dtype=torch.float64).clamp_min(1e-9)
    x = torch.stack([-u[:, 0].log(), (-u[:, 1].log()) ** 2, torch.exp(torch.randn(n, generator=rng, dtype=torch.float64))], -1)
    # No scaling, shift or shear leaves these classes alone (of x_0 > x_1, dilations would be a symmetry).
    label = torch.sin(2 * x[:, 0]) + x[:, 1].sqrt() + 0.5 * x[:, 2].square() > 1.5
    return DataSet("skewed", x[:, None], label.long(), "class")


SMALL = {"seeds": 2, "steps": 60, "moves": 2, "width": 32}


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_test_samples_that_were_trained_on_are_told(dtype, tmp_path):
    data = rotations(60)
    seen = rotations(40, seed=1)
    test = DataSet("other", torch.cat([seen.x, data.x[[3, 5, 5]]]).to(dtype), torch.cat([seen.y, data.y[[3, 5, 5]]]), "class")
    # The group is refused after the data were looked at, and nothing is trained.
    with pytest.raises(ArgumentError, match="group"), pytest.warns(UserWarning, match="^3 of the 43 samples of other are among"):
        fit(data.to(dtype), test, FitConfig(group="nobody"), root=tmp_path, quiet=True)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A fit that nothing disturbed."""
    return fit(rotations(), config=FitConfig(group="SO(2)", **SMALL), root=tmp_path_factory.mktemp("whole"), quiet=True)


def test_a_given_group_is_enforced_and_kept_on_disk(whole):
    result = whole
    assert str(result.group) == "SO(2)"
    sym, plain = result.assessments["symmetrized"], result.assessments["plain"]
    assert sym.equivariance["float64"]["worst"] < 1e-10
    assert plain.equivariance["float64"]["worst"] > 1e-3
    assert sym.moved == pytest.approx(sym.scores, abs=1e-6)
    assert sym.explanations["worst_cosine"] > 0.999
    files = {p.name for p in result.directory.iterdir()}
    assert {"report.html", "metrics.json", "claims.json", "config.json", "model.safetensors", "model.json"} <= files
    numbers = json.loads((result.directory / "metrics.json").read_text())
    assert numbers["metrics"]["assessments"]["symmetrized"]["scores"] == sym.scores
    again = load_fitted(result.directory)
    x = rotations(20, 1).x
    assert torch.equal(again(x), result.model.eval()(x))


def test_data_without_a_symmetry_end_with_the_plain_model(tmp_path):
    result = fit(skewed(), config=FitConfig(discover_steps=300, **SMALL), root=tmp_path, quiet=True)
    assert not result.found
    assert result.group is None
    assert list(result.assessments) == ["plain", "boosting, raw"]
    assert "No symmetry found" in result.outcome.answer
    assert "no symmetry found" in (result.directory / "report.html").read_text()
    assert load_fitted(result.directory)(skewed(5, 1).x).shape == (5, 2)


def test_vectors_get_the_forecast_table(tmp_path):
    x = torch.randn(400, 2, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    y = x.flip(1) + torch.stack([-x[..., 1], x[..., 0]], -1)
    result = fit(DataSet("pairs", x, y, "vector"), config=FitConfig(group="SO(2)", **SMALL), root=tmp_path, quiet=True)
    assert list(result.assessments) == ["plain", "augerino", "augmented", "symmetrized"]
    assert result.assessments["symmetrized"].equivariance["float64"]["worst"] < 1e-10
    assert len(result.assessments["plain"].errors) == 2


def test_an_interrupted_fit_continues_to_the_same_numbers(whole, tmp_path, monkeypatch):
    config = FitConfig(group="SO(2)", **SMALL)

    import erlangen.fitting.members as members

    real, calls = members.train, []

    def interrupted(*args, **kwargs):
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return real(*args, **kwargs)

    monkeypatch.setattr(members, "train", interrupted)
    with pytest.raises(KeyboardInterrupt, match="^stopped; continue with resume="):
        fit(rotations(), config=config, root=tmp_path / "part", quiet=True)
    monkeypatch.setattr(members, "train", real)
    (directory,) = (tmp_path / "part" / "turns").iterdir()
    assert not (directory / "report.html").exists()
    resumed = fit(rotations(), config=config, resume=directory, quiet=True)
    for name in whole.assessments:
        assert resumed.assessments[name].scores == whole.assessments[name].scores
    with pytest.raises(ArgumentError, match="'resume'.*\\(steps=60 there, steps=70 here\\)"):
        fit(rotations(), config=FitConfig(group="SO(2)", **{**SMALL, "steps": 70}), resume=directory, quiet=True)
    # Other numbers of the same shape, in the training or in the test data.
    other = rotations(seed=1)
    with pytest.raises(ArgumentError, match="other training numbers; other test numbers"):
        fit(other, config=config, resume=directory, quiet=True)
    train, test = rotations().split(0.7, config.seed)
    with pytest.raises(ArgumentError, match="\\(other test numbers\\)"):
        fit(train, test.subset(slice(1, None)), config, resume=directory, quiet=True)
    with alone(directory), pytest.raises(ArgumentError, match="'resume'.*no other run works in"):
        fit(rotations(), config=config, resume=directory, quiet=True)
    (directory / "fit.json").write_text("{")
    with pytest.raises(ArgumentError, match="'resume'.*damaged"):
        fit(rotations(), config=config, resume=directory, quiet=True)


def test_bad_input_is_named_and_nothing_is_written(tmp_path):
    with pytest.raises(ArgumentError, match="'group'.*R\\^2"):
        fit(rotations(), config=FitConfig(group="SO(3)"), root=tmp_path, quiet=True)
    with pytest.raises(ArgumentError, match="'group'.*SO\\(n\\)"):
        fit(rotations(), config=FitConfig(group="banana"), root=tmp_path, quiet=True)
    with pytest.raises(ArgumentError, match="'target'"):
        fit(DataSet("bare", torch.randn(50, 1, 2)), root=tmp_path, quiet=True)
    with pytest.raises(ArgumentError, match="at least 46 samples, of which 70%, 32, are for training; got 33"):
        fit(rotations(33), config=FitConfig(group="SO(2)"), root=tmp_path, quiet=True)
    with pytest.raises(ArgumentError, match="'seeds'"):
        FitConfig(seeds=0)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "group",
    [
        SO(3),
        O(2),
        SE(3),
        SO(1, 3, connected=True),
        Isometries(torch.diag(torch.tensor([2.0, -1.0]))),
        MatrixGroup(algebra=SO(3).algebra.basis[:1], name="turn"),
        AffineGroup(Isometries(torch.diag(torch.tensor([2.0, -1.0])))),
        AffineSubgroup(torch.tensor([[[0.0, -1.0, 0.0], [1.0, 0.0, -1.0]]]), name="turns about (1, 0)"),
    ],
    ids=str,
)
def test_groups_survive_json(group):
    again = group_from_dict(json.loads(json.dumps(group_to_dict(group))))
    assert again == group
    assert again.point.data_shape == group.point.data_shape
