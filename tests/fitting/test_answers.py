"""Sentences that a stranger can reconcile: nothing learned is no victory, and what is not surely exact has no full confidence."""

import pytest
import torch

from erlangen.data import DataSet
from erlangen.discover.found import Candidate
from erlangen.discover.soft.belief import Belief, GroupBelief
from erlangen.discover.soft.degrees import Degrees
from erlangen.fitting.assess import Assessment
from erlangen.fitting.belief_report import closed_form_answer
from erlangen.fitting.companion_report import Comparison, companion_answer, standard_error
from erlangen.fitting.companions import INVARIANTS, RAW
from erlangen.fitting.config import FitConfig
from erlangen.fitting.problem import Problem
from erlangen.groups import SO
from erlangen.verdict import Verdict


def belief(status: str = "exact", lowest: float = 1.0, ridge: float = 0.2) -> Belief:
    group = GroupBelief("SO(2)", status, 1.0, lowest, 0.2, 3)
    return Belief(
        groups={"SO(2)": group},
        acting={"SO(2)": SO(2).vector},
        ridge=ridge,
        soft=ridge,
        soft_degrees=Degrees({"SO(2)": 1.0}),
        features=4,
        degree=2,
        samples=100,
        seconds=0.1,
    )


def problem(kind: str) -> Problem:
    x = torch.randn(80, 2, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    y = x[:, 0, 0] if kind == "scalar" else (x[:, 0, 0] > 0).long()
    data = DataSet("d", x, y, kind)
    return Problem.of(data, data, FitConfig())


@pytest.mark.parametrize(
    ("ridge", "score", "said"),
    [
        (0.2, 0.7, "the closed form is enough"),
        (0.4, 0.7, "plain is worth its training"),
        (0.98, 0.01, "neither has learned the target"),
        (0.999, -0.2, "neither has learned the target"),
    ],
)
def test_a_closed_form_is_enough_only_where_something_was_learned(ridge, score, said):
    answer = closed_form_answer({"plain": Assessment("plain", "", [score])}, belief(ridge=ridge), problem("scalar").task)
    assert said in answer


@pytest.mark.parametrize(
    ("network", "companion", "said"),
    [
        (0.9, 0.92, "boosting on invariants is enough"),
        (0.92, 0.8, "the network does better than boosting"),
        (0.51, 0.53, "neither is far from what knowing nothing reaches, 0.5000"),
    ],
)
def test_boosting_is_enough_only_where_something_was_learned(network, companion, said):
    rows = {name: Assessment(name, "boosting on numbers", [companion]) for name in (RAW, INVARIANTS)}
    assert said in companion_answer(problem("class"), rows, Comparison(network, companion, 0.01))


def test_what_is_not_surely_exact_has_the_confidence_that_the_data_leave_no_doubt_about():
    sure, unsure = belief("exact", 0.995).finding(), belief("approximate", 0.7).finding()
    assert (sure.holds, sure.confidence) == (True, 1.0)
    assert "a violation of less than 1% would show" in sure.note
    assert (unsure.holds, unsure.confidence) == (False, 0.7)
    assert "not surely exact is SO(2) to 1.00, surely to 0.70" in unsure.note
    assert "use the penalty" not in unsure.note
    assert "a violation of 30% would show" in belief("exact", 0.7).finding().note


@pytest.mark.parametrize(("holds", "confidence"), [(True, 0.95), (False, 0.5)])
def test_an_algebra_that_does_not_hold_has_no_full_confidence(holds, confidence):
    numbers = {"auc": 0.51, "auc_random": 0.7}  # told apart 0.01 of 0.2; at most, by the interval, 0.1 of 0.2
    verdict = Verdict(
        holds, "the data look the same", "statistical", 100, numbers, interval=(0.42, 0.6), reason="not enough data to tell"
    )
    finding = Candidate("LieGAN, 1 channel", "so(2)", verdict=verdict, note="planes").finding()
    assert finding.confidence == pytest.approx(confidence)
    assert finding.note == ("planes" if holds else "not enough data to tell; planes")


def test_the_standard_error_of_a_difference_of_accuracies():
    """Drawn within each class it has a closed form; classes with one test sample each are drawn, too, and leave nothing open."""
    y = torch.arange(90) % 3
    x = torch.randn(90, 2, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    data = DataSet("d", x, y, "class")
    of = Problem.of(data, data, FitConfig())
    right = torch.nn.functional.one_hot(y, 3).double()
    wrong = torch.where((torch.arange(90) < 30)[:, None], right.roll(1, 1), right)  # ten of thirty of each class
    expected = (3 * 30 * (1 / 3) * (2 / 3)) ** 0.5 / 90
    assert standard_error(of, right, wrong) == pytest.approx(expected, rel=0.2)
    rare = Problem(of.data, of.train, of.held, data.subset(slice(0, 3)), of.task, of.kind)
    assert standard_error(rare, right[:3], wrong[:3]) == 0


def test_among_equal_scores_of_classes_the_smaller_loss_is_progress():
    """Both sort the classes perfectly; the surer one is further."""
    task, y = problem("class").task, torch.tensor([0, 1, 0, 1])
    unsure, sure = (size * (2.0 * torch.nn.functional.one_hot(y, 2) - 1) for size in (0.1, 3.0))
    assert task.score(unsure, y) == task.score(sure, y) == 1.0
    assert task.progress(sure, y) > task.progress(unsure, y)
    numbers = problem("scalar").task
    assert numbers.progress(torch.tensor([[1.0], [2.0]]), torch.tensor([1.0, 3.0])) == 0.5  # R², nothing else
