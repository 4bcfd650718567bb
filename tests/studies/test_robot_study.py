"""The study of robots designed under symmetry: its contract on a small budget."""

import pytest

from erlangen.studies.robot_design import ARMS, STUDY, Config, without_structure

pytest.importorskip("mujoco")


def test_the_study_keeps_its_contract(checked):
    config = Config(task="forward", n_legs=3, budget=240, seeds=1)
    outcome = checked(STUDY, config)
    assert set(outcome.metrics["values"]) == set(ARMS)
    assert outcome.metrics["groups"]["no symmetry"] == ["H_3"]
    assert outcome.metrics["groups"]["D_n"] == ["H_1_0"]
    assert outcome.metrics["blown"] == 0
    assert {claim.key for claim in outcome.claims} | set(outcome.left_out) >= {"rival", "engine", "structure", "directed"}
    if outcome.rivals:
        assert outcome.rivals[0].rival == without_structure(config, 240, 0)  # the same numbers each time
    assert next(claim for claim in outcome.claims if claim.key == "engine").holds
