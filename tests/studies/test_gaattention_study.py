"""The study of geometric-algebra attention runs, small, and what is exact in it holds without training; slowly, its first part in full."""

import importlib.util

import pytest

from erlangen.studies.gaattention import STUDY, Config, crystals
from erlangen.studies.gaattention.backmapping import NOTHING, TEMPLATE, TREES
from erlangen.studies.gaattention.forces import FIELD, KERNEL
from erlangen.testing import check_outcome

pytest.importorskip("pyriodic_aflow")


def claims(outcome):
    return {claim.key: claim for claim in outcome.claims}


def test_crystals_run_and_predictions_do_not_change_when_turned():
    outcome = STUDY.run(Config(steps=2, count=10, batch=4, width=4, seeds=2), quiet=True)
    assert check_outcome(STUDY, outcome)
    # From 192 atoms, and far above chance, one in eight.
    assert outcome.rivals[0].rival.value > 0.6
    assert outcome.rivals[0].winner == "rival"
    assert claims(outcome)["turned"].holds


def test_crystals_over_the_number_of_atoms(monkeypatch):
    monkeypatch.setattr(crystals, "PLACES", (100, 150))
    outcome = STUDY.run(Config(steps=2, count=10, batch=4, width=4, seeds=1, curve=True), quiet=True)
    found = outcome.metrics["crossover"]
    assert found["places"] == [100, 150, 192]
    assert found["curves"][crystals.SORTED][0] < found["curves"][crystals.SORTED][-1]
    assert found["curves"][found["method"]][-1] == [outcome.metrics["accuracy"][crystals.TWO]]


def test_forces_run_and_are_conservative():
    outcome = STUDY.run(Config(part="forces", seconds=0.01, frames=40, test=20, width=8, seeds=2), quiet=True)
    assert check_outcome(STUDY, outcome)
    assert claims(outcome)["conservative"].holds
    mean = outcome.metrics["mean"]
    assert mean[KERNEL] < mean[FIELD] < mean["no forces"]
    assert outcome.answer.startswith("A kernel on inverse distances is better than")


@pytest.mark.skipif(importlib.util.find_spec("MDAnalysisTests") is None, reason="the files of MDAnalysisTests are not there")
def test_backmapping_runs_and_atoms_turn_along():
    outcome = STUDY.run(Config(part="backmapping", seconds=0.01, proteins=3, width=8, seeds=2), quiet=True)
    assert check_outcome(STUDY, outcome)
    assert claims(outcome)["along"].holds
    errors = outcome.metrics["rmse"]
    assert errors[TREES] <= errors[TEMPLATE] < errors[NOTHING]


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_crystals_are_told_apart():
    found = claims(STUDY.run(Config(), quiet=True))
    assert all(found[key].holds for key in ("crystals", "angles", "turned"))
