"""`RobotSpec`: a robot with legs around a ball, as numbers and as MuJoCo's XML with every digit."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from numbers import Integral
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import numpy as np
import torch

from erlangen.design.designs import whole_number
from erlangen.errors import ArgumentError
from erlangen.fields.robots.physics import Physics, check_settings, mujoco
from erlangen.serialization import write_bytes

#: What the numbers of one limb are, in order: metres, and the ratio of torque (N m) to control.
ATTRIBUTES = ("x", "y", "z", "radius", "ext_start", "gear")
TORSO = 0.25
#: Joints turn by so much to either side, in radians.
RANGE = math.pi / 3
#: A limb shorter than this, in metres, is no limb.
SHORTEST = 1e-3
#: The lowest point of a robot at the start, in metres above the ground.
CLEARANCE = 0.01


@dataclass(frozen=True)
class RobotSpec:
    """A ball with legs, each a chain of limbs (capsules); the first joint of a leg turns about the vertical, the others about the
    horizontal normal of their limb.

    Args:
        values: float64 ``[n_legs, depth, 6]``: of each limb its offset ``x, y, z`` from joint to end in the robot's frame, its radius, the
            gap between joint and capsule (at most 0.9 of the limb), all in metres, and its motor's gear in N m. Numbers of single
            precision are taken with a warning: of symmetric bodies they are 3e-8 off, which grows to 1e-4 m in two seconds.
        x_axis_index: the x axis points this many times ``pi / n_legs`` past the first leg, as in ``RadialSpace``. It
            matters to the controller, which works in the frame of the leg, and to limbs that stand upright.
        depths: how many limbs each leg has; all of them by default. A leg of none is not there.
        physics: how it is simulated.

    Raises:
        ArgumentError: a wrong shape, NaN, a limb without length or thickness, legs of more limbs than there are.

    >>> robot = RobotSpec.regular(4)
    >>> model = robot.compile()
    >>> model.nu, model.nbody - 2
    (8, 8)
    >>> RobotSpec.from_xml(robot.to_xml()) == robot
    True
    """

    values: np.ndarray
    x_axis_index: int = 0
    depths: tuple[int, ...] | None = None
    physics: Physics = field(default_factory=Physics)

    def __post_init__(self) -> None:
        values = _doubles(self.values)
        if values.ndim != 3 or values.shape[-1] != len(ATTRIBUTES) or not values.size:
            hint = f"the last axis is {', '.join(ATTRIBUTES)}"
            raise ArgumentError("values", "shape (n_legs, depth, 6)", f"shape {values.shape}", hint)
        n, depth = values.shape[:2]
        depths = (depth,) * n if self.depths is None else tuple(whole_number(d, 0, "depths") for d in self.depths)
        if len(depths) != n or not all(0 <= d <= depth for d in depths):
            raise ArgumentError("depths", f"{n} numbers from 0 to {depth}, one for each leg", repr(self.depths))
        values[np.arange(depth) >= np.array(depths)[:, None]] = 0.0  # limbs that are not there have no numbers
        for leg, limb in self._limbs(depths):
            _check_limb(values[leg, limb], leg, limb)
        values.setflags(write=False)
        if isinstance(self.x_axis_index, bool) or not isinstance(self.x_axis_index, Integral):
            raise ArgumentError("x_axis_index", "a whole number of half steps between legs", repr(self.x_axis_index))
        object.__setattr__(self, "x_axis_index", int(self.x_axis_index))
        object.__setattr__(self, "values", values)
        object.__setattr__(self, "depths", depths)

    @classmethod
    def regular(cls, n_legs: int, depth: int = 2, *, x_axis_index: int = 0, physics: Physics | None = None) -> RobotSpec:
        """A robot with equal legs that reach outwards, then down: symmetric under the whole dihedral group.

        >>> RobotSpec.regular(6).n_legs
        6
        """
        n_legs, depth = whole_number(n_legs, 1, "n_legs"), whole_number(depth, 1, "depth")
        values = np.empty((n_legs, depth, len(ATTRIBUTES)))
        angle = leg_angles(n_legs, x_axis_index)
        for limb in range(depth):
            out, down = (0.45, 0.0) if limb == 0 else (0.25, -0.4 / max(1, depth - 1))
            values[:, limb] = np.stack(
                [out * np.cos(angle), out * np.sin(angle), *np.broadcast_arrays(down, 0.05, 0.05, 150.0, angle)[:4]], -1
            )
        return cls(values, x_axis_index, None, physics or Physics())

    @property
    def n_legs(self) -> int:
        return self.values.shape[0]

    @property
    def depth(self) -> int:
        """The most limbs that a leg can have."""
        return self.values.shape[1]

    @property
    def joints(self) -> list[tuple[int, int]]:
        """``(leg, limb)`` of each joint and motor, in the engine's order."""
        return list(self._limbs(self.depths or ()))

    @property
    def height(self) -> float:
        """Of the ball's centre at the start, in metres: so that the lowest point stands just above the ground."""
        low = -TORSO
        for leg, count in enumerate(self.depths or ()):
            at = 0.0
            for limb in self.values[leg, :count]:
                start, end = _capsule(limb)
                low = min(low, at + min(start[2], end[2]) - limb[3])
                at += end[2]
        return CLEARANCE - float(low)

    def capsules(self) -> list[tuple[np.ndarray, np.ndarray, float]]:
        """Of each limb, in the engine's order: where its capsule begins and ends, from its joint, and the radius; metres."""
        return [(*_capsule(self.values[leg, limb]), float(self.values[leg, limb, 3])) for leg, limb in self.joints]

    def to_xml(self) -> str:
        """MuJoCo's XML with 17 digits, which keeps a symmetric robot symmetric; the specification itself is kept in it."""
        motors, bodies = [], []
        angles = leg_angles(self.n_legs, self.x_axis_index)
        surface = f'friction="{_numbers(self.physics.friction)}" density="{self.physics.density!r}" contype="1" conaffinity="0"'
        for leg, count in enumerate(self.depths or ()):
            at = np.zeros(3)
            for limb in range(count):
                numbers = self.values[leg, limb]
                name, (start, end) = f"{leg}_{limb}", _capsule(numbers)
                bodies.append(
                    f'<body name="limb_{name}" pos="{_numbers(at)}">'
                    f'<joint name="joint_{name}" type="hinge" axis="{_numbers(_axis(numbers, limb, angles[leg]))}" limited="true"'
                    f' range="{-RANGE!r} {RANGE!r}" armature="{self.physics.armature!r}" damping="{self.physics.damping!r}"/>'
                    f'<geom name="capsule_{name}" type="capsule" fromto="{_numbers([*start, *end])}" size="{_numbers(numbers[3:4])}"'
                    f" {surface}/>"
                )
                motors.append(
                    f'<motor name="motor_{name}" joint="joint_{name}" gear="{float(numbers[5])!r}" ctrlrange="-1 1" ctrllimited="true"/>'
                )
                at = end
            bodies.append("</body>" * count)
        kept: dict[str, Any] = {
            "values": self.values.ravel(), "shape": self.values.shape, "depths": self.depths or (), "x_axis_index": [self.x_axis_index],
            "frame_skip": [self.physics.frame_skip],
        }  # fmt: skip
        custom = "".join(f'<numeric name="{name}" size="{len(data)}" data="{_numbers(data)}"/>' for name, data in kept.items())
        return (
            f'<mujoco model="{escape(f"robot with {self.n_legs} legs")}">{self.physics.as_xml()}<custom>{custom}</custom><worldbody>'
            '<light pos="0 0 6"/><geom name="ground" type="plane" size="60 60 1" contype="1" conaffinity="1"'
            f' friction="{_numbers(self.physics.friction)}"/>'
            f'<body name="torso" pos="0 0 {self.height!r}"><freejoint name="root"/>'
            f'<geom name="ball" type="sphere" size="{TORSO!r}" {surface}/>'
            f"{''.join(bodies)}</body></worldbody><actuator>{''.join(motors)}</actuator></mujoco>"
        )

    @classmethod
    def from_xml(cls, xml: str | Path) -> RobotSpec:
        """Read XML that :meth:`to_xml` wrote, to the bit, a text or a file.

        Raises:
            ArgumentError: it is other XML, or its model is not that of the specification that is kept in it.
        """
        mj = mujoco()
        text = xml.read_text() if isinstance(xml, Path) else xml
        try:
            spec = mj.MjSpec.from_string(text)
            model = spec.compile()
        except ValueError as error:
            hint = "" if "<" in text else "a file is given as a Path"
            raise ArgumentError("xml", "a model that MuJoCo reads", f"{str(error).splitlines()[0]}", hint) from None
        kept = {one.name: np.array(one.data)[: one.size] for one in spec.numerics}
        if not {"values", "shape", "depths", "x_axis_index", "frame_skip"} <= set(kept):
            raise ArgumentError("xml", "XML that a RobotSpec wrote", "a model without its numbers")
        option = model.opt
        cones, solvers = ("pyramidal", "elliptic"), ("PGS", "CG", "Newton")
        physics = Physics(
            timestep=float(option.timestep), frame_skip=int(kept["frame_skip"][0]), cone=cones[option.cone],  # type: ignore[arg-type]
            solver=solvers[option.solver],  # type: ignore[arg-type]
            armature=float(model.dof_armature[-1]) if model.nu else 1.0, damping=float(model.dof_damping[-1]) if model.nu else 1.0,
            density=float(spec.geom("ball").density), friction=tuple(model.geom("ball").friction.tolist()),
        )  # fmt: skip
        shape = tuple(int(s) for s in kept["shape"])
        made = cls(kept["values"].reshape(shape), int(kept["x_axis_index"][0]), tuple(int(d) for d in kept["depths"]), physics)
        differs = _differences(made.compile(), model)
        if differs:
            got = f"another in {', '.join(differs[:6])}: the file was changed by hand"
            raise ArgumentError("xml", "the model of the specification that is kept in it", got)
        return made

    def to_mjspec(self) -> Any:
        """The robot as a ``mujoco.MjSpec``, to add to or to compile."""
        return mujoco().MjSpec.from_string(self.to_xml())

    def compile(self) -> Any:
        """The robot as a ``mujoco.MjModel``."""
        return mujoco().MjModel.from_xml_string(self.to_xml())

    def check_symmetric_settings(self) -> None:
        """Refuse settings under which the engine itself breaks symmetry; see :func:`~erlangen.fields.robots.check_settings`."""
        check_settings(self.to_mjspec(), "physics")

    def save(self, path: str | Path) -> Path:
        """Write the XML."""
        return write_bytes(Path(path), self.to_xml().encode())

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, RobotSpec):
            return NotImplemented
        mine, its = ((r.x_axis_index, r.depths, r.physics) for r in (self, other))
        return mine == its and np.array_equal(self.values, other.values)

    def __hash__(self) -> int:
        return hash((self.values.tobytes(), self.x_axis_index, self.depths, self.physics))

    @staticmethod
    def _limbs(depths: Sequence[int]) -> list[tuple[int, int]]:
        return [(leg, limb) for leg, count in enumerate(depths) for limb in range(count)]


def leg_angles(n_legs: int, x_axis_index: int = 0) -> np.ndarray:
    """The legs' own directions in radians, ``[n_legs]``.

    >>> leg_angles(4, 1).round(3).tolist()
    [-0.785, 0.785, 2.356, 3.927]
    """
    return (2 * np.arange(n_legs) - x_axis_index) * math.pi / n_legs


def _capsule(limb: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    end = limb[:3]
    length = float(np.linalg.norm(end))
    return end * (min(float(limb[4]), 0.9 * length) / length), end.copy()


def _axis(limb: np.ndarray, depth: int, angle: float) -> np.ndarray:
    """Of the joint: upwards for a leg's first, else the vertical times the limb; of an upright limb, times the leg's direction."""
    if depth == 0:
        return np.array([0.0, 0.0, 1.0])
    size = math.hypot(limb[0], limb[1])
    x, y = (limb[0] / size, limb[1] / size) if round(size, 12) > SHORTEST else (math.cos(angle), math.sin(angle))
    return np.array([-y, x, 0.0])


def _doubles(values: Any) -> np.ndarray:
    if isinstance(values, torch.Tensor):
        values = values.detach().cpu()
        single = values.is_floating_point() and values.dtype != torch.float64
        found = values.to(torch.float64).numpy() if single else values.numpy()
    else:
        found = np.asarray(values)
        single = found.dtype.kind == "f" and found.dtype.itemsize < 8
    if found.dtype.kind not in "fiu":
        raise ArgumentError("values", "real numbers", f"{found.dtype}")
    if single:
        warnings.warn(
            "a robot of single precision: a symmetric body is 3e-8 off, which grows to 1e-4 m in two seconds; make it symmetric in float64",
            stacklevel=4,
        )
    return np.array(found, dtype=np.float64) + 0.0  # no -0, which equals 0 but is another number to a hash


def _differences(a: Any, b: Any) -> list[str]:
    """In which numbers two models differ, those of the simulation's options as well."""
    found = []
    for one, other in ((a, b), (a.opt, b.opt)):
        for name in dir(one):
            mine: Any = None if name.startswith("_") else getattr(one, name)
            if isinstance(mine, np.ndarray | float | int) and not np.array_equal(mine, getattr(other, name)):
                found.append(name)
    return found


def _numbers(values: Any) -> str:
    return " ".join(map(repr, np.asarray(values, dtype=np.float64).tolist()))


def _check_limb(limb: np.ndarray, leg: int, number: int) -> None:
    where = f"limb {number} of leg {leg}"
    if not np.isfinite(limb).all():
        raise ArgumentError("values", "finite numbers", f"{limb.tolist()} for {where}")
    if not np.linalg.norm(limb[:3]) >= SHORTEST:
        raise ArgumentError(
            "values", f"limbs of at least {SHORTEST} m", f"{limb[:3].tolist()} for {where}", "space.clamp lengthens them"
        )
    if not (limb[3] > 0 and limb[4] >= 0 and limb[5] >= 0):
        raise ArgumentError("values", "a positive radius, no negative gap or gear", f"{limb[3:].tolist()} for {where}")
