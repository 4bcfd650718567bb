"""Robots and their engine: exact files, settings that keep symmetry, equivariance of the simulation, masses, failures that are counted."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from erlangen.errors import ArgumentError
from erlangen.fields.robots import (
    TASKS,
    LegController,
    Physics,
    RadialSpace,
    RobotSpec,
    Rollouts,
    Skeleton,
    Task,
    check_engine,
    check_settings,
    fundamental_goals,
)  # fmt: skip
from erlangen.fields.robots.controller import mirrored_signs
from erlangen.fields.robots.simulation import Simulation, Threads

mujoco = pytest.importorskip("mujoco")


def symmetric(n: int, name: str, seed: int = 0, depth: int = 2, x_axis_index: int = 0, **kw) -> RobotSpec:
    space = RadialSpace(n, depth, x_axis_index)
    design = space.random(generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return RobotSpec(space.clamp(space.symmetrizer(name)(design)).numpy(), x_axis_index, **kw)


@pytest.mark.parametrize(("n", "depth", "index"), [(1, 1, 0), (3, 2, 0), (4, 2, 1), (6, 4, 0)])
def test_xml_is_read_back_to_the_bit(n, depth, index, tmp_path):
    robot = symmetric(n, f"H_{n}", depth=depth, x_axis_index=index)
    assert RobotSpec.from_xml(robot.to_xml()) == robot
    assert RobotSpec.from_xml(robot.save(tmp_path / "robot.xml")) == robot
    model, spec = robot.compile(), robot.to_mjspec().compile()
    assert np.array_equal(model.body_mass, spec.body_mass)
    ends = [end for _, end, _ in robot.capsules()]
    children = [i for i, (_, limb) in enumerate(robot.joints) if limb > 0]
    assert np.array_equal(model.body_pos[2:][children], np.array([ends[i - 1] for i in children]).reshape(-1, 3))


def test_legs_may_be_shorter_or_missing():
    robot = RobotSpec(RobotSpec.regular(4).values, depths=(2, 0, 1, 2))
    assert robot.joints == [(0, 0), (0, 1), (2, 0), (3, 0), (3, 1)]
    assert robot.compile().nu == 5
    assert RobotSpec.from_xml(robot.to_xml()) == robot
    assert RobotSpec(RobotSpec.regular(3).values, depths=(0, 0, 0)).compile().nu == 0


@pytest.mark.parametrize(("n", "name"), [(4, "H_2_0"), (3, "H_1_0"), (6, "H_3"), (4, "H_4")])
def test_every_edited_skeleton_compiles_and_stays_symmetric(n, name):
    space = RadialSpace(n, 4)
    draw = torch.Generator().manual_seed(n)
    skeleton = Skeleton((1,) * n)
    design = space.clamp(space.symmetrizer(name)(space.random(generator=draw, dtype=torch.float64)))
    seen = set()
    for _ in range(50):
        actions = torch.randint(3, (len(skeleton.bodies),), generator=draw)
        skeleton = skeleton.changed(actions, space, name)
        assert skeleton.is_symmetric(space, name)
        if skeleton.depths in seen:
            continue
        seen.add(skeleton.depths)
        robot = RobotSpec(design.numpy(), depths=skeleton.depths)
        model = robot.compile()
        assert model.nu == len(skeleton.bodies) - 1 == len(robot.joints)
    assert len(seen) > 2
    assert check_engine(robot, name, seconds=0.5)


def test_the_start_touches_nothing():
    for seed in range(5):
        model = symmetric(4, "H_4", seed).compile()
        data = mujoco.MjData(model)
        mujoco.mj_forward(model, data)
        assert data.ncon == 0
        data.qpos[2] -= 0.02  # but nearly
        mujoco.mj_forward(model, data)
        assert data.ncon > 0


@pytest.mark.parametrize("change", ["nan", "short", "radius", "shape", "depths"])
def test_bad_bodies_are_refused(change):
    values = np.array(RobotSpec.regular(4).values)
    depths = None
    if change == "nan":
        values[1, 0, 2] = np.nan
    elif change == "short":
        values[2, 1, :3] = 0.0
    elif change == "radius":
        values[0, 0, 3] = 0.0
    elif change == "shape":
        values = values[..., :5]
    else:
        depths = (2, 2)
    with pytest.raises(ArgumentError, match="depths" if change == "depths" else "values"):
        RobotSpec(values, depths=depths)


def test_other_xml_is_refused():
    with pytest.raises(ArgumentError, match="a model without its numbers"):
        RobotSpec.from_xml("<mujoco><worldbody><body><freejoint/><geom size='.1'/></body></worldbody></mujoco>")
    with pytest.raises(ArgumentError, match="that MuJoCo reads"):
        RobotSpec.from_xml("<mujoco><nothing/></mujoco>")
    with pytest.raises(ArgumentError, match="changed by hand"):
        RobotSpec.from_xml(RobotSpec.regular(3).to_xml().replace('size="0.05"', 'size="0.06"', 1))


# ---- the engine's symmetry ----


@pytest.mark.parametrize(("n", "name"), [(4, None), (3, None), (5, None), (6, "H_2_1")])
def test_the_engine_keeps_symmetry(n, name):
    verdict = check_engine(n, name)  # 200 steps of physics, contacts
    assert verdict
    assert max(verdict.witness.values()) < 1e-9
    assert len(verdict.witness) == verdict.tried
    assert verdict["contacts"] >= 4


@pytest.mark.parametrize(
    ("n", "physics"), [(3, Physics(cone="pyramidal")), (6, Physics(cone="pyramidal")), (4, Physics(solver="PGS"))]
)
def test_settings_that_break_symmetry_are_seen_and_refused(n, physics):
    assert not check_engine(n, physics=physics)  # mujoco 4.0
    with pytest.raises(ArgumentError, match=r"elliptic friction cones|Newton or CG"):
        check_settings(RobotSpec.regular(n, physics=physics).compile())
    with pytest.raises(ArgumentError):
        RobotSpec.regular(n, physics=physics).check_symmetric_settings()


def test_pyramids_are_symmetric_under_quarter_turns():
    assert check_engine(4, physics=Physics(cone="pyramidal"))


def test_meshes_must_be_weighed_exactly():
    spec = RobotSpec.regular(3).to_mjspec()
    corners = [0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1]
    mesh = spec.add_mesh(name="part", uservert=corners)
    with pytest.raises(ArgumentError, match="'part'"):
        check_settings(spec)
    mesh.inertia = mujoco.mjtMeshInertia.mjMESH_INERTIA_EXACT
    check_settings(spec)


def test_a_small_asymmetry_grows():
    values = np.array(symmetric(4, "H_1_0").values)
    values[1, 1, 3] += 1e-6
    verdict = check_engine(RobotSpec(values))
    assert not verdict
    assert max(verdict.witness.values()) > 1e-4
    assert check_engine(RobotSpec(symmetric(4, "H_1_0").values))


def test_rounding_to_six_digits_destroys_symmetry():
    values = np.array(symmetric(3, "H_1_0", 1).values)
    assert not check_engine(RobotSpec(np.round(values, 6)), tolerance=1e-6)
    assert check_engine(RobotSpec(values), tolerance=1e-6)


@pytest.mark.parametrize(
    ("n", "name", "index"), [(4, "H_1_0", 0), (4, "H_2_1", 0), (4, "K_1", 1), (6, "H_2_0", 0), (3, "H_3_1", 0)]
)
def test_mass_is_symmetric(n, name, index):
    robot, space = symmetric(n, name, x_axis_index=index), RadialSpace(n, 2, index)
    model = robot.compile()
    data = mujoco.MjData(model)
    mujoco.mj_forward(model, data)
    mass, at = model.body_mass[1:], data.xipos[1:]
    centre = (mass[:, None] * at).sum(0) / mass.sum()
    inertia = np.zeros((3, 3))
    for body in range(1, model.nbody):
        axes = data.ximat[body].reshape(3, 3)
        r = data.xipos[body] - centre
        inertia += axes @ np.diag(model.body_inertia[body]) @ axes.T
        inertia += model.body_mass[body] * (r @ r * np.eye(3) - np.outer(r, r))
    for plane in space.plane.matrix(space.subgroup(name).elements).to(torch.float64).numpy():
        g = np.eye(3)
        g[:2, :2] = plane
        assert np.abs(g @ centre - centre).max() < 1e-10
        assert np.abs(g @ inertia - inertia @ g).max() < 1e-10


# ---- controllers, goals, rollouts ----


def test_the_controller_moves_along_with_legs_and_reflections():
    rng = np.random.default_rng(0)
    controller = LegController(4, 3)
    ready = controller.prepared(controller.random(rng, 2.0)[None])
    seen = rng.standard_normal((1, 4, controller.inputs))
    signs, answered = mirrored_signs(3)
    out = ready(seen)
    assert np.abs(out).max() > 0.05
    assert np.abs(ready(seen[:, [2, 0, 1, 3]]) - out[:, [2, 0, 1, 3]]).max() < 1e-14
    assert np.abs(ready(signs * seen) - answered * out).max() < 1e-14


@pytest.mark.parametrize(("n", "name", "fewer"), [(4, "H_1_0", 8), (4, "H_2", 2), (4, "K_1", 2), (3, "H_1", 3)])
def test_goals_of_one_orbit_give_one_value(n, name, fewer):
    space, task = RadialSpace(n), TASKS["point-nav"]
    robot, controller = symmetric(n, name), LegController(n)
    numbers = controller.random(np.random.default_rng(3), 1.0)[None]
    goals = task.goals(n, 0, 2)
    chosen, shares = fundamental_goals(goals, space.plane.matrix(space.subgroup(name).elements))
    assert len(goals) == fewer * len(chosen)
    assert shares.sum() == pytest.approx(1.0)
    short = dataclasses.replace(task, seconds=1.5)
    with Rollouts(1) as rollouts:
        every = rollouts.run([robot], controller, numbers, short, goals).values[0]
        some = rollouts.run([robot], controller, numbers, short, chosen).values[0]
    assert every.std() > 1e-4 or fewer == 2 * n
    assert abs(every.mean() - some @ shares) < 1e-7


def test_goals_on_an_axis_are_saved_where_the_axis_is_kept():
    space = RadialSpace(4)
    goals = TASKS["patrol"].goals(4)
    for name, left in (("H_4", 2), ("H_2", 1), ("K_0", 2), ("K_2", 1), ("K_1", 2), ("H_1_0", 1)):
        assert len(fundamental_goals(goals, space.plane.matrix(space.subgroup(name).elements))[0]) == left


def test_rollouts_do_not_depend_on_threads_or_company():
    controller, task = LegController(3), dataclasses.replace(TASKS["patrol"], seconds=1.0)
    rng = np.random.default_rng(0)
    robots = [symmetric(3, "H_3", seed) for seed in range(4)]
    numbers = np.stack([controller.random(rng, 1.0) for _ in robots])
    goals = task.goals(3)
    with Rollouts(2) as two, Rollouts(1) as one:
        together = two.run(robots, controller, numbers, task, goals, paths=True)
        alone = one.run(robots[2:3], controller, numbers[2:3], task, goals, paths=True)
        assert two.count == 8
        assert one.count == 2
    assert np.array_equal(together.values[2:3], alone.values)
    assert np.array_equal(together.paths[:, 2:3], alone.paths)
    assert together.paths.shape == (26, 4, 2, 7 + 6)


def test_many_at_once_is_what_the_engine_does_alone():
    robot = symmetric(3, "H_3", 2)
    rng = np.random.default_rng(0)
    threads = Threads(1)
    here = Simulation(threads, [robot], np.zeros((1, 2)))
    model = robot.compile()
    data = mujoco.MjData(model)
    for _ in range(20):
        u = rng.uniform(-1, 1, (1, 6))
        here.step(u)
        data.ctrl[:] = u[0]
        data.qacc_warmstart[:] = 0.0  # a call begins without what the solver found before
        mujoco.mj_step(model, data, nstep=4)
    threads.close()
    assert np.abs(here.positions[0] - data.qpos).max() < 1e-12


def test_a_simulation_that_blows_up_is_counted_and_penalised(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # the engine writes MUJOCO_LOG.TXT where it stands
    values = np.array(RobotSpec.regular(3).values)
    values[..., 5] = 1e9
    wild = RobotSpec(values, physics=Physics(armature=1e-9, damping=0.0))
    calm = RobotSpec(np.array(RobotSpec.regular(3).values), physics=Physics(armature=1e-9, damping=0.0))
    controller = LegController(3)
    numbers = np.zeros((2, controller.size))
    numbers[:, -4:] = 3.0
    with Rollouts(1) as rollouts:
        rolled = rollouts.run([wild, calm], controller, numbers * [[1.0], [0.0]], TASKS["forward"], np.array([[1000.0, 0.0]]))
        assert rollouts.blown == 1
    assert rolled.blown.tolist() == [[True], [False]]
    assert np.isfinite(rolled.values).all()
    assert rolled.values[0, 0] <= -1.0


def test_words_and_numbers_that_are_not_there():
    controller = LegController(4)
    with Rollouts(1) as rollouts:
        with pytest.raises(ArgumentError, match="4 legs"):
            rollouts.run([RobotSpec.regular(3)], controller, np.zeros((1, controller.size)), TASKS["forward"], np.ones((1, 2)))
        with pytest.raises(ArgumentError, match="controller"):
            rollouts.run([RobotSpec.regular(4)], controller, np.zeros((1, 3)), TASKS["forward"], np.ones((1, 2)))
        with pytest.raises(ArgumentError, match="goals"):
            rollouts.run(
                [RobotSpec.regular(4)], controller, np.zeros((1, controller.size)), TASKS["forward"], np.full((1, 2), np.nan)
            )
    with pytest.raises(ArgumentError, match="H_1_0"):
        check_engine(4, "H_9")
    with pytest.raises(ArgumentError, match="cone"):
        Physics(cone="round")
    assert Task("mine", "here", distance=2.0).sample(3, np.random.default_rng(0)).shape == (3, 2)
