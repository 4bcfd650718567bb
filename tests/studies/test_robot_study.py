"""The study of robots designed under symmetry: its contract on a small budget."""

import pytest

from erlangen.studies.robot_design import ARMS, STUDY, Config

pytest.importorskip("mujoco")


def test_the_study_keeps_its_contract(checked):
    outcome = checked(STUDY, Config(task="forward", n_legs=3, budget=240, seeds=1))
    assert set(outcome.metrics["values"]) == set(ARMS)
    assert outcome.metrics["groups"]["no symmetry"] == ["H_3"]
    assert outcome.metrics["groups"]["D_n"] == ["H_1_0"]
    assert outcome.metrics["blown"] == 0
    assert {claim.key for claim in outcome.claims} == {"engine", "structure", "directed"}
    assert next(claim for claim in outcome.claims if claim.key == "engine").holds
