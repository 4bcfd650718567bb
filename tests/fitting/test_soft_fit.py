"""A frame or a penalty: what is chosen, why, and that what was fitted softly is kept and read again."""

import json

import pytest
import torch

from erlangen.data import DataSet
from erlangen.discover.companions import task_belief
from erlangen.discover.samples import samples_of
from erlangen.fitting import FitConfig, fit, load_fitted
from erlangen.fitting.choice import choose
from erlangen.groups import SE, SO

SMALL = {"seeds": 1, "steps": 20, "moves": 1, "width": 40}


def lean(broken: float, n: int = 500) -> DataSet:
    """Vectors that follow from two vectors: equivariant under SO(3) but for a part that only turns about z leave alone."""
    x = torch.randn(n, 2, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    a, b = x[:, 0], x[:, 1]
    y = (a * b).sum(-1, keepdim=True) * a
    return DataSet("lean", x, (y + broken * a[:, 2:].square() * torch.tensor([0.0, 0, 1]))[:, None], "vector")


@pytest.fixture(scope="module")
def beliefs():
    made = {part: lean(part) for part in (0.0, 0.6)}
    return {part: task_belief(samples_of(d.x, d.y, d.target), [SO(3)]) for part, d in made.items()}


def test_an_exact_symmetry_is_imposed(beliefs):
    choice = choose(SO(3), beliefs[0.0], soft=True)
    assert choice.group == SO(3)
    assert not choice.penalised
    assert "looks exact" in choice.reason


def test_an_approximate_one_is_penalised_with_the_reason(beliefs):
    belief = beliefs[0.6]
    assert belief["SO(3)"].status == "approximate"
    choice = choose(SO(3), belief, soft=True)
    assert choice.group is None
    assert {"SO(3)", "SO(2) about z"} <= set(choice.penalised)
    assert "Scalings(3)" not in choice.penalised
    assert "SO(3) is approximate for the task" in choice.reason
    assert "SO(2) about z looks exact" in choice.reason


def test_without_being_asked_nothing_changes(beliefs):
    for belief in (*beliefs.values(), None):
        choice = choose(SO(3), belief, soft=False)
        assert (choice.group, dict(choice.penalised), choice.reason) == (SO(3), {}, "")


def test_without_a_group_the_belief_may_name_one(beliefs):
    exact = choose(None, beliefs[0.0], soft=True)
    assert exact.group is not None
    assert str(exact.group) in exact.reason
    assert choose(None, None, soft=True).group is None


def test_points_and_too_few_samples_keep_the_frame(beliefs):
    assert choose(SE(3), beliefs[0.6], soft=True).group == SE(3)
    few = lean(0.6, 40)
    assert task_belief(samples_of(few.x, few.y, few.target)) is None
    assert "Too few samples" in choose(SO(3), None, soft=True).reason


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A soft fit that nothing disturbed."""
    return fit(lean(0.6), config=FitConfig(group="SO(3)", soft=True, **SMALL), root=tmp_path_factory.mktemp("whole"), quiet=True)


def test_a_soft_fit_is_kept_on_disk_and_says_why(whole):
    result = whole
    assert list(result.assessments)[-2:] == ["symmetrized", "soft"]
    assert "takes the frame's place" in result.outcome.answer
    assert "the closed form is enough" in result.outcome.answer  # the target is a polynomial of degree 3
    numbers = json.loads((result.directory / "metrics.json").read_text())["metrics"]
    assert numbers["belief"]["groups"]["SO(2) about z"]["status"] == "exact"
    assert "Graded belief" in (result.directory / "report.html").read_text()
    texts = [claim.text for claim in result.outcome.claims]
    assert "the penalty is better than imposing the group" in texts
    again = load_fitted(result.directory)
    x = lean(0.6, 20).x
    assert torch.equal(again(x), result.model.eval()(x))


def test_an_exact_fit_shows_the_belief_too(tmp_path):
    result = fit(lean(0.0), config=FitConfig(group="SO(3)", **SMALL), root=tmp_path, quiet=True)
    assert "soft" not in result.assessments
    assert "Graded belief" in (result.directory / "report.html").read_text()


def test_a_soft_fit_goes_on_after_an_interruption(whole, tmp_path, monkeypatch):
    import erlangen.fitting.members as members

    config = FitConfig(group="SO(3)", soft=True, **SMALL)
    real, calls = members.train, []

    def interrupted(*args, **kwargs):
        calls.append(1)
        if len(calls) == 5:
            raise KeyboardInterrupt("stopped")
        return real(*args, **kwargs)

    monkeypatch.setattr(members, "train", interrupted)
    with pytest.raises(KeyboardInterrupt):
        fit(lean(0.6), config=config, root=tmp_path / "part", quiet=True)
    monkeypatch.undo()
    directory = next((tmp_path / "part" / "lean").iterdir())
    result = fit(lean(0.6), config=config, resume=directory, quiet=True)
    assert result.assessments["soft"].scores == whole.assessments["soft"].scores
