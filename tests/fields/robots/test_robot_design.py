"""Designs of robots, their environment, and what is drawn of them."""

from __future__ import annotations

import dataclasses
import json
import warnings

import numpy as np
import pytest
import torch

from erlangen.errors import ArgumentError
from erlangen.fields import robots
from erlangen.fields.robots import RadialSpace, RobotSpec

gymnasium = pytest.importorskip("gymnasium")
pytest.importorskip("mujoco")
SMALL = {"budget": 160, "population": 4, "generations": 2}
SHORT = {name: dataclasses.replace(task, seconds=0.6) for name, task in robots.TASKS.items()}


@pytest.mark.parametrize("task", sorted(robots.TASKS))
def test_gymnasium_accepts_the_environment(task):
    from gymnasium.utils.env_checker import check_env

    env = gymnasium.make("erlangen/RadialRobot-v0", n_legs=3, task=task)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_env(env.unwrapped)
    env.close()


def episode(seed, **kwargs):
    env = gymnasium.make("erlangen/RadialRobot-v0", **kwargs)
    env.action_space.seed(seed)
    rows, (seen, info) = [], env.reset(seed=seed)
    rows.append([*seen, *info["goal"]])
    done = False
    while not done:
        seen, reward, terminated, truncated, info = env.step(env.action_space.sample())
        rows.append([*seen, reward, info["away"]])
        done = terminated or truncated
    env.close()
    return rows


def test_equal_seeds_give_equal_episodes():
    first, again, other = episode(3, n_legs=4), episode(3, n_legs=4), episode(4, n_legs=4)
    assert len(first) == 76
    assert first == again
    assert first != other


def test_the_environment_is_symmetric():
    """The first leg's commands given to the second, and the goal turned: what legs see is permuted, to rounding."""
    env = gymnasium.make("erlangen/RadialRobot-v0", n_legs=4).unwrapped
    rng = np.random.default_rng(0)
    actions = rng.uniform(-1, 1, (30, 4, 2))
    seen = []
    for turn, goal in ((0, (3.0, 1.0)), (1, (-1.0, 3.0))):
        env.reset(seed=0, options={"goal": goal})
        steps = [env.step(np.roll(a, turn, 0).ravel())[:2] for a in actions]
        seen.append((np.stack([np.roll(o.reshape(4, -1), -turn, 0) for o, _ in steps]), [r for _, r in steps]))
    assert np.abs(seen[0][0] - seen[1][0]).max() < 1e-9
    assert np.allclose(seen[0][1], seen[1][1], atol=1e-8)
    env.close()


def test_bad_words_for_the_environment():
    env = gymnasium.make("erlangen/RadialRobot-v0", body=RobotSpec.regular(3).to_xml()).unwrapped
    assert env.action_space.shape == (6,)
    env.reset(seed=0)
    with pytest.raises(ArgumentError, match="action"):
        env.step(np.full(6, np.nan))
    with pytest.raises(ArgumentError, match="goal"):
        env.reset(options={"goal": (1.0,)})
    env.close()
    with pytest.raises(ArgumentError, match="point-nav"):
        gymnasium.make("erlangen/RadialRobot-v0", task="swim")
    with pytest.raises(ArgumentError, match="n_legs"):
        gymnasium.make("erlangen/RadialRobot-v0", n_legs=5, body=RobotSpec.regular(3))


@pytest.mark.parametrize(
    ("search", "group"),
    [("none", "H_4"), ("H_2_1", "H_2_1"), ("K_1", "H_4_1"), ("structured", None), ("unstructured", None), ("bandit", None)],
)
def test_a_design_has_the_symmetry_it_names(search, group):
    best = robots.design(SHORT["point-nav"], search=search, **SMALL)
    space = RadialSpace(4)
    assert best.group == group or group is None
    assert best.rollouts <= SMALL["budget"]
    assert best.blown == 0
    values = np.array(best.spec.values)
    for g in space.subgroup(best.group).elements:
        assert float((space.action.act(g, torch.from_numpy(values)) - values).abs().max()) < 1e-12
    assert best.value == pytest.approx(best.run().values.mean(), abs=1e-6)  # one of each orbit, against all goals
    assert RobotSpec.from_xml(best.spec.to_xml()) == best.spec


def test_designs_follow_from_their_seed_and_go_on(tmp_path):
    first = robots.design(SHORT["forward"], seed=1, threads=1, **SMALL)
    again = robots.design(SHORT["forward"], seed=1, threads=2, **SMALL)
    assert first.spec == again.spec
    assert np.array_equal(first.parameters, again.parameters)
    assert robots.design(SHORT["forward"], seed=2, **SMALL).spec != first.spec
    robots.design(SHORT["forward"], seed=1, directory=tmp_path, **{**SMALL, "budget": 80})
    resumed = robots.design(SHORT["forward"], seed=1, directory=tmp_path, **SMALL)
    assert resumed.spec == first.spec
    assert 0 < resumed.rollouts < first.rollouts
    assert [e.state for e in resumed.search.history] == [e.state for e in first.search.history]


def test_saved_files(tmp_path):
    best = robots.design(SHORT["patrol"], search="H_1_0", **SMALL)
    path = best.save(tmp_path / "robot.xml")
    assert RobotSpec.from_xml(path) == best.spec
    kept = json.loads((tmp_path / "robot.json").read_text())
    assert kept["group"] == "H_1_0"
    assert kept["history"][0][1] == "H_1_0"
    assert kept["controller"]["parameters"] == best.parameters.tolist()
    page = (tmp_path / "robot.html").read_text()
    assert "H_1_0" in page
    assert "patrol" in page
    with pytest.raises(ArgumentError, match=r"\.xml"):
        best.save(tmp_path / "robot.png")


def test_bad_words_for_a_design():
    for name, kwargs in {
        "task": {"task": "swim"}, "search": {"search": "H_9"}, "budget": {"budget": 10}, "inner": {"inner": "cma"},
        "n_legs": {"n_legs": 0}, "population": {"population": 0},
    }.items():  # fmt: skip
        with pytest.raises(ArgumentError, match=f"'{name}'"):
            robots.design(**{"task": "forward", **kwargs})


def test_drawn_capsules_are_closed_and_where_the_engine_has_them():
    robot = RobotSpec.regular(3)
    shown = robots.surface(robot)
    a, b, c = (shown.points[shown.triangles[:, i]] for i in range(3))
    volume = (a * np.cross(b, c)).sum() / 6  # positive: triangles look outwards; every edge is used twice
    pairs = np.sort(np.concatenate([shown.triangles[:, [0, 1]], shown.triangles[:, [1, 2]], shown.triangles[:, [2, 0]]]), 1)
    assert (np.unique(pairs, axis=0, return_counts=True)[1] == 2).all()
    exact = 4 / 3 * np.pi * 0.25**3 + sum(np.pi * r**2 * (np.linalg.norm(e - s) + 4 / 3 * r) for s, e, r in robot.capsules())
    assert 0.7 * exact < volume < exact
    assert shown.points[:, 2].min() == pytest.approx(0.01, abs=0.01)
    moved = robots.surface(robot, np.array([1.0, 2.0, 3.0, 1, 0, 0, 0, *np.zeros(6)]))
    assert np.allclose(moved.points - shown.points, [1.0, 2.0, 3.0 - robot.height])


def test_many_robots_are_one_robot_many_times():
    many = gymnasium.make_vec(
        "erlangen/RadialRobot-v0", 3, vectorization_mode="vector_entry_point", n_legs=3, task=SHORT["forward"]
    )
    one = gymnasium.make("erlangen/RadialRobot-v0", n_legs=3, task=SHORT["forward"])
    rng = np.random.default_rng(0)
    seen, _ = many.reset(seed=0)
    alone, _ = one.reset(seed=0)
    assert np.array_equal(seen, np.stack([alone] * 3))
    for step in range(15):
        actions = rng.uniform(-1, 1, (3, 6)).astype(np.float32)
        seen, rewards, ended, cut, _ = many.step(actions)
        alone, reward, _, truncated, _ = one.step(actions[1])
        assert np.allclose(seen[1], alone, atol=1e-12)
        assert rewards[1] == pytest.approx(reward, abs=1e-9)
        assert cut[1] == truncated == (step == 14)
        assert not ended.any()
    fresh, rewards, _, cut, _ = many.step(actions)  # the next episode begins
    assert np.array_equal(fresh, np.stack([one.reset()[0]] * 3))
    assert not rewards.any()
    assert not cut.any()
    many.close()
    one.close()


def test_policy_optimisation_improves_a_fixed_body():
    from erlangen.design import PPO
    from erlangen.fields.robots.vector_env import RadialRobots

    env = RadialRobots(8, task="forward", threads=1)
    ppo = PPO(env, horizon=75, passes=8, deviation=0.5, seed=0, rate=1e-3)
    returns = [round_.mean_return for round_ in ppo.learn(20_000)]
    env.close()
    first, last = np.nanmean(returns[:5]), np.nanmean(returns[-5:])
    assert last > first + 20  # 0.2 m further


def test_designs_with_policy_optimisation():
    best = robots.design(SHORT["forward"], inner="ppo", search="H_4_0", budget=120, population=4, generations=2)
    assert best.group == "H_4_0"
    assert best.rollouts <= 120
    assert np.isfinite(best.value)
