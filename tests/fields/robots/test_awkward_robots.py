"""Robots on input that is valid but unusual, and on what must be refused; searches that go on, robots that are loaded."""

from __future__ import annotations

import dataclasses
import json
import re
import warnings

import numpy as np
import pytest
import torch

from erlangen.errors import ArgumentError
from erlangen.fields import robots
from erlangen.fields.robots import TASKS, LegController, Physics, RadialSpace, RobotSpec, Rollouts, Task, check_engine
from erlangen.fields.robots.controller import mirrored_signs

gymnasium = pytest.importorskip("gymnasium")
pytest.importorskip("mujoco")
SHORT = {name: dataclasses.replace(task, seconds=0.6) for name, task in TASKS.items()}
SMALL = {"budget": 80, "population": 4, "generations": 2}


def low(space: RadialSpace, name: str, seed: int, dtype: torch.dtype = torch.float64) -> np.ndarray:
    """A random symmetric body that stands on its legs."""
    design = space.random(generator=torch.Generator().manual_seed(seed), dtype=dtype)
    design[..., 2] = -design[..., 2].abs()
    design[:, -1, 2] -= 0.3
    return space.clamp(space.symmetrizer(name)(design)).numpy()


# ---- symmetry in the engine ----


@pytest.mark.parametrize("n", [1, 2, 3, 5, 6, 8])
def test_all_numbers_of_legs_and_limbs_keep_their_symmetry(n):
    for depth, index in ((1, 1), (2, 1), (3, 0), (4, 1)):
        space = RadialSpace(n, depth, index)
        for name in (space.lattice.names[-1], f"K_{n - 1}"):
            verdict = check_engine(RobotSpec(low(space, name, n + depth), index), name, seconds=1.0)
            assert verdict, (depth, index, name)
            assert verdict["blown"] == 0
            assert verdict.tried == space.subgroup(name).order


@pytest.mark.parametrize(("n", "depth", "index"), [(5, 2, 1), (3, 3, 0), (6, 2, 1)])
def test_the_environment_moves_along_with_turns_and_reflections(n, depth, index):
    space = RadialSpace(n, depth, index)
    env = gymnasium.make(robots.ID, body=RobotSpec(low(space, "H_1_0", 1), index)).unwrapped
    signs, answered = mirrored_signs(depth)
    asked, goal = np.random.default_rng(0).uniform(-1, 1, (20, n, depth)), np.array([3.0, 1.0])

    def seen(goal, actions):
        env.reset(seed=0, options={"goal": goal})
        steps = [env.step(action.ravel())[:2] for action in actions]
        return np.stack([o.reshape(n, -1) for o, _ in steps]), np.array([r for _, r in steps])

    first, rewards = seen(goal, asked)
    for g in space.subgroup("H_1_0").elements:
        matrix, legs = space.plane.matrix(g).to(torch.float64).numpy(), space.leg_permutation(g).numpy()
        mirrored = np.linalg.det(matrix) < 0
        actions = np.empty_like(asked)
        actions[:, legs] = asked * (answered if mirrored else 1.0)
        moved, its = seen(matrix @ goal, actions)
        assert np.abs(moved[:, legs] * (signs if mirrored else 1.0) - first).max() < 1e-9
        assert np.allclose(its, rewards, atol=1e-7)
    env.close()


def test_single_precision_is_told_and_is_not_symmetric_enough():
    space = RadialSpace(3)
    single = low(space, "H_1_0", 0, torch.float32)
    for values in (single, torch.from_numpy(single)):
        with pytest.warns(UserWarning, match="float64"):
            robot = RobotSpec(values)
    assert not check_engine(robot)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        again = RobotSpec(space.clamp(space.symmetrizer("H_1_0")(torch.tensor(robot.values))).numpy())
        RobotSpec(torch.from_numpy(again.values.copy()).requires_grad_())
        RobotSpec(np.ones((3, 1, 6), dtype=int))
    assert check_engine(again)


def test_a_body_that_blows_up_everywhere_at_once_is_still_symmetric(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # the engine writes MUJOCO_LOG.TXT where it stands
    values = np.array(RobotSpec.regular(4).values)
    values[..., 5] = 1e9
    verdict = check_engine(RobotSpec(values, physics=Physics(armature=1e-9, damping=0.0)))
    assert verdict["blown"] == 8
    assert verdict["turns"] < 1e-9
    assert "8 of 8 blew up after" in verdict.reason


def test_scores_do_not_depend_on_threads_or_batches():
    controller, task = LegController(4), SHORT["patrol"]
    rng = np.random.default_rng(0)
    bodies = [RobotSpec(low(RadialSpace(4), "H_4", seed)) for seed in range(9)]
    numbers, goals = np.stack([controller.random(rng, 1.0) for _ in bodies]), task.goals(4)
    with Rollouts(1) as one, Rollouts(3) as three:
        every = three.run(bodies, controller, numbers, task, goals).values
        for count in (1, 2, 5, 9):
            assert np.array_equal(one.run(bodies[:count], controller, numbers[:count], task, goals).values, every[:count])
        assert np.array_equal(one.run(bodies[4:5], controller, numbers[4:5], task, goals[1:]).values, every[4:5, 1:])
        for seconds in (0.04, 0.3):
            named = dataclasses.replace(task, seconds=seconds)
            assert one.run(bodies[:1], controller, numbers[:1], named, goals).values.shape == (1, 2)
        assert np.array_equal(*(one.run(bodies[:1], controller, numbers[:1], t, goals).values for t in ("patrol", TASKS["patrol"])))


def test_settings_that_break_symmetry_are_refused_by_a_search_for_it():
    pyramids = Physics(cone="pyramidal")
    with pytest.raises(ArgumentError, match="elliptic"):
        robots.design(SHORT["forward"], 3, physics=pyramids, search="H_1_0", **SMALL)
    assert robots.design(SHORT["forward"], 3, physics=pyramids, search="none", **SMALL).group == "H_3"


# ---- files ----


@pytest.mark.parametrize(
    ("old", "new", "name"),
    [
        ("<option ", '<option gravity="0 0 -1" ', "gravity"),
        ('range="-1.04', 'range="-0.54', "jnt_range"),
        ("implicitfast", "Euler", "integrator"),
        ('iterations="100"', 'iterations="3"', "iterations"),
        ('ctrlrange="-1 1"', 'ctrlrange="-2 2"', "actuator_ctrlrange"),
        ('damping="1.0"', 'damping="3.0"', "dof_damping"),
        ('friction="1.0 0.5 0.5"', 'friction="0.2 0.5 0.5"', "geom_friction"),
        ('fromto="0.05 ', 'fromto="0.06 ', "geom_pos"),
    ],
)
def test_xml_that_was_changed_by_hand_is_refused(old, new, name):
    text = RobotSpec.regular(4).to_xml()
    assert old in text
    with pytest.raises(ArgumentError, match=rf"{name}.*changed by hand" if name != "geom_pos" else "changed by hand"):
        RobotSpec.from_xml(text.replace(old, new, 1))


def test_a_file_s_name_is_no_xml(tmp_path):
    path = RobotSpec.regular(3).save(tmp_path / "robot.xml")
    with pytest.raises(ArgumentError, match="a Path"):
        RobotSpec.from_xml(str(path))


def test_numpy_s_numbers_and_zeros_of_either_sign_are_read_back():
    physics = Physics(timestep=np.float64(0.005), density=np.float32(7), frame_skip=np.int64(2), friction=np.array([0.9, 0.1, 0.1]))
    values = np.array(RobotSpec.regular(3).values)
    values[0, :, 1] = -0.0
    robot = RobotSpec(values, np.int64(1), physics=physics)
    again = RobotSpec.from_xml(robot.to_xml())
    assert again == robot
    assert again.physics == physics
    values[0, :, 1] = 0.0
    assert hash(RobotSpec(values, 1, physics=physics)) == hash(robot)


def test_a_saved_robot_is_loaded_and_runs_as_before(tmp_path):
    best = robots.design(SHORT["patrol"], 3, x_axis_index=1, search="K_1", seed=3, **SMALL)
    again = robots.RobotDesign.load(best.save(tmp_path / "robot.xml"))
    assert (again.spec, again.task, again.group, again.value) == (best.spec, best.task, "H_3_1", best.value)
    first, second = best.run(paths=True), again.run(paths=True)
    assert np.array_equal(first.values, second.values)
    assert np.array_equal(first.paths, second.paths)
    assert again.as_dict() == json.loads(json.dumps(best.as_dict()))
    again.save(tmp_path / "copy.xml")
    assert (tmp_path / "copy.json").read_text() == (tmp_path / "robot.json").read_text()
    beside = tmp_path / "robot.json"
    for spoilt in (
        "{}",
        "no json",
        beside.read_text().replace('"H_3_1"', '"H_7"'),
        re.sub(r'"hidden": \d+', '"hidden": 3', beside.read_text()),
    ):
        beside.write_text(spoilt)
        with pytest.raises(ArgumentError, match="'path'"):
            robots.RobotDesign.load(tmp_path / "robot.xml")
    beside.unlink()
    with pytest.raises(ArgumentError, match="'path'"):
        robots.RobotDesign.load(tmp_path / "robot.xml")


def test_a_search_goes_on_only_with_the_same_arguments(tmp_path):
    first = robots.design(SHORT["forward"], directory=tmp_path, **SMALL)
    for words, other in {
        r"settings: task: seconds 0\.6, not 1\.2": {"task": dataclasses.replace(SHORT["forward"], seconds=1.2)},
        r"physics: density 5\.0, not 50\.0": {"physics": Physics(density=50.0)},
        "x_axis_index 0, not 1": {"x_axis_index": 1},
        "inner 'es', not 'ppo'": {"inner": "ppo"},
        "population 4, not 2": {"population": 2, "generations": 4},
        "seed 0, not 1": {"seed": 1},
    }.items():
        with pytest.raises(ArgumentError, match=f"'directory'.*{words}"):
            robots.design(**{"task": SHORT["forward"], **SMALL, **other}, directory=tmp_path)
    again = robots.design(SHORT["forward"], directory=tmp_path, **SMALL)
    assert again.rollouts == 0
    assert again.spec == first.spec
    assert again.value == first.value


# ---- numbers and words ----


def test_what_is_no_number_of_a_robot_is_refused():
    regular = RobotSpec.regular(4).values
    for name, make in {
        "frame_skip": lambda: Physics(frame_skip=2.5),
        "armature": lambda: Physics(armature=-1.0),
        "damping": lambda: Physics(damping=float("nan")),
        "friction": lambda: Physics(friction=(1.0, float("nan"), 0.5)),
        "x_axis_index": lambda: RobotSpec(regular, 0.5),
        "depths": lambda: RobotSpec(regular, depths=(1.7, 2, 2, 2)),
        "values": lambda: RobotSpec(regular + 0.1j),
        "n_legs": lambda: LegController(0),
        "depth": lambda: LegController(3, 0),
        "hidden": lambda: LegController(3, 2, 0),
        "seconds": lambda: Task("a", "b", seconds=float("nan")),
        "distance": lambda: Task("a", "b", distance=float("nan")),
        "margin": lambda: Task("a", "b", margin=-1.0),
        "directions": lambda: Task("a", "b", directions=()),
        "orbits": lambda: TASKS["point-nav"].goals(4, 0, 0),
        "count": lambda: TASKS["forward"].sample(0, np.random.default_rng(0)),
        "goals": lambda: robots.fundamental_goals(np.full((2, 2), np.nan), [np.eye(2)]),
        "matrices": lambda: robots.fundamental_goals(np.eye(2), np.eye(2)),
        "body": lambda: gymnasium.make(robots.ID, body=3),
        "population": lambda: robots.design("forward", population=3),
        "budget": lambda: robots.design("forward", budget=True),
        "threads": lambda: Rollouts(True),
        "num_envs": lambda: gymnasium.make_vec(robots.ID, True, vectorization_mode="vector_entry_point"),
        "action": lambda: gymnasium.make(robots.ID).unwrapped.step("north"),
        "actions": lambda: gymnasium.make_vec(robots.ID, 1, vectorization_mode="vector_entry_point").unwrapped.step("north"),
        "robots": lambda: robots.draw({}, "none"),
        "path": lambda: robots.film(RobotSpec(regular), np.empty((0, 15)), 0.04, "none"),
    }.items():
        with pytest.raises(ArgumentError, match=f"'{name}'"):
            make()
    with pytest.raises(ArgumentError, match="'friction'.*three"):
        Physics(friction=(1.0,))
    assert RobotSpec.regular(np.int64(3)).n_legs == 3
    assert robots.fundamental_goals([[1.0, 0.0], [-1.0, 0.0]], [np.eye(2), -np.eye(2)])[1].tolist() == [1.0]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_clamping_keeps_the_direction_of_offsets_whose_squares_are_infinite(dtype):
    space = RadialSpace(3, 1)
    design = space.random(generator=torch.Generator().manual_seed(0), dtype=dtype)
    design[0, 0, :2] = torch.tensor([0.3, -0.4], dtype=dtype) * torch.finfo(dtype).max
    design[1, 0, :2] = torch.tensor([3.0, -4.0], dtype=dtype)
    found = space.clamp(design)[:2, 0, :2]
    assert torch.allclose(found, torch.tensor([0.3, -0.4], dtype=dtype).expand(2, 2), rtol=1e-6)


def test_goals_and_legs_that_many_robots_are_asked_for():
    kwargs = {"vectorization_mode": "vector_entry_point", "task": SHORT["point-nav"]}
    many = gymnasium.make_vec(robots.ID, 2, n_legs=3, **kwargs).unwrapped
    one = gymnasium.make(robots.ID, n_legs=3, task=SHORT["point-nav"]).unwrapped
    for goal in ([2.0, 1.0], [[2.0, 1.0], [0.0, 3.0]]):
        seen, _ = many.reset(seed=0, options={"goal": goal})
        alone, _ = one.reset(seed=0, options={"goal": (2.0, 1.0)})
        assert np.array_equal(seen[0], alone)
    for env in (many, one):
        for options in ({"gaol": (1.0, 2.0)}, {"goal": "north"}, {"goal": (np.nan, 1.0)}, {"goal": [1.0, 2.0, 3.0]}):
            with pytest.raises(ArgumentError, match="'options'"):
                env.reset(options=options)
        env.close()
    for n_legs in (3, 4):
        with pytest.raises(ArgumentError, match="'n_legs'"):
            gymnasium.make_vec(robots.ID, 2, n_legs=n_legs, body=RobotSpec.regular(5), **kwargs)


def test_simulations_that_blow_up_while_learning_are_counted(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    body = RobotSpec(np.array(RobotSpec.regular(3).values) * [1, 1, 1, 1, 1, 1e7], physics=Physics(armature=1e-9, damping=0.0))
    env = gymnasium.make_vec(robots.ID, 2, vectorization_mode="vector_entry_point", body=body, task="forward").unwrapped
    env.reset(seed=0)
    counts = []
    for _ in range(4):
        seen, _, _, cut, _ = env.step(np.array([np.ones(6), np.zeros(6)], dtype=np.float32))
        assert np.isfinite(seen).all()
        assert not cut.any()
        counts.append(env.blown)
    assert counts == [1, 1, 2, 2]
    env.close()
    wild = robots.design(
        SHORT["forward"], 3, inner="ppo", search="H_1_0", physics=Physics(armature=0.0, damping=0.0, density=1e-6), **SMALL
    )
    assert wild.blown > 0
    assert wild.value <= 0


@pytest.mark.parametrize("n", [3, 5, 7, 11])
def test_limbs_that_are_just_upright_are_so_on_all_legs(n):
    """1 mm aside, to rounding, towards the ball: their joints turn about the legs' normals, on every leg."""
    values = np.array(RobotSpec.regular(n).values)
    angles = RadialSpace(n).angles.numpy()
    for off in (1 - 3e-16, 1.0, 1 + 3e-16):
        values[:, 1, 0], values[:, 1, 1] = -1e-3 * off * np.cos(angles), -1e-3 * off * np.sin(angles)
        axes = RobotSpec(values).compile().jnt_axis[2::2]  # the root is the first joint
        assert np.allclose(axes[:, :2], np.stack([-np.sin(angles), np.cos(angles)], -1), atol=1e-12)


def test_a_group_is_told_in_words():
    best = robots.design(SHORT["forward"], 6, search="H_2_1", **SMALL)
    assert "H_2_1 (turns by 120 degrees and 3 mirrors)" in best.outcome().answer
