"""The study of robots designed under symmetry: its contract on a small budget."""

import pytest

from erlangen.fields import robots
from erlangen.studies.robot_design import ARMS, STUDY, Config, _curve, without_structure

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
        assert outcome.rivals[0].rival == without_structure(config, 240, 0).value  # the same numbers each time
    assert next(claim for claim in outcome.claims if claim.key == "engine").holds


def test_the_curve_over_rollouts():
    pytest.importorskip("cma")
    config = Config(task="forward", n_legs=2, budget=1000, seeds=1)
    alone = without_structure(config, 1000, 0)
    assert [count for count, _ in alone.course] == [120, 240, 480, 720, 984]
    designs = {arm: [robots.design("forward", 2, search=search, budget=1000)] for arm, search in list(ARMS.items())[:3]}
    curve = _curve(designs, [alone], 1000)
    assert curve.places[-1] == 1000
    last = {name: runs[-1][0] for name, runs in curve.curves.items()}
    assert last["the search"] == designs["search"][0].search.history[-1].value
    assert last["CMA-ES without symmetry"] == alone.course[-1][1]
    assert _curve(designs, [alone], 240) is None
