"""The engine's settings: those under which MuJoCo keeps the symmetry of a body, and a guard for models that come from elsewhere."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any, Literal

import numpy as np

from erlangen.design.designs import real_number, whole_number
from erlangen.errors import ArgumentError
from erlangen.extras import engine

#: What a velocity may reach, in m/s or rad/s, before a simulation counts as blown up.
FASTEST = 200.0


def mujoco() -> ModuleType:
    """The engine, or an error that names the extra to install."""
    return engine("robots", "mujoco")


@dataclass(frozen=True)
class Physics:
    """How a robot is simulated.

    Attributes:
        timestep: of one step of physics, in seconds.
        frame_skip: steps of physics for one of control.
        cone: of friction; the engine's default ``"pyramidal"`` is symmetric under quarter turns only.
        solver: of contacts; ``"PGS"`` treats legs one after another, so that their order matters.
        armature, damping: of every joint, in kg m^2 and N m s / rad.
        density: in kg / m^3.
        friction: sliding, torsional, rolling.

    Raises:
        ArgumentError: a number is not positive (armature, damping and friction may be 0), or a word is not one of the engine's.

    >>> Physics().control_step
    0.04
    """

    timestep: float = 0.01
    frame_skip: int = 4
    cone: Literal["elliptic", "pyramidal"] = "elliptic"
    solver: Literal["Newton", "CG", "PGS"] = "Newton"
    armature: float = 1.0
    damping: float = 1.0
    density: float = 5.0
    friction: tuple[float, float, float] = (1.0, 0.5, 0.5)

    def __post_init__(self) -> None:
        # As Python's own numbers, for NumPy's are written otherwise in XML.
        object.__setattr__(self, "frame_skip", whole_number(self.frame_skip, 1, "frame_skip"))
        for name in ("timestep", "density", "armature", "damping"):
            positive = name in ("timestep", "density")
            number = real_number(getattr(self, name), 0.0, float("inf"), name, open_below=positive)
            object.__setattr__(self, name, number)
        friction = tuple(self.friction) if isinstance(self.friction, Sequence | np.ndarray) else ()
        if len(friction) != 3:
            raise ArgumentError("friction", "three numbers: sliding, torsional, rolling", repr(self.friction))
        object.__setattr__(self, "friction", tuple(real_number(f, 0.0, float("inf"), "friction") for f in friction))
        if self.cone not in ("elliptic", "pyramidal"):
            raise ArgumentError("cone", "'elliptic' or 'pyramidal'", repr(self.cone))
        if self.solver not in ("Newton", "CG", "PGS"):
            raise ArgumentError("solver", "'Newton', 'CG' or 'PGS'", repr(self.solver))

    @property
    def control_step(self) -> float:
        """Seconds from one control to the next."""
        return self.timestep * self.frame_skip

    def steps(self, seconds: float) -> int:
        """How many controls so many seconds take.

        Raises:
            ArgumentError: not even one.
        """
        count = round(seconds / self.control_step) if math.isfinite(seconds) else 0
        if count < 1:
            raise ArgumentError("seconds", f"at least one step of control, {self.control_step:g} s", repr(seconds))
        return count

    def as_xml(self) -> str:
        """The first elements of a model's XML.

        Automatic resets are off: with them a simulation that blows up begins anew, as if nothing had been.
        """
        return (
            '<compiler angle="radian" autolimits="true" inertiafromgeom="true"/>'
            f'<option timestep="{self.timestep!r}" integrator="implicitfast" cone="{self.cone}" solver="{self.solver}"'
            ' tolerance="1e-12" iterations="100"><flag autoreset="disable"/></option>'
        )


def check_settings(model: Any, argument: str = "model") -> None:
    """Refuse a model whose settings break the symmetry of bodies.

    Args:
        model: a ``mujoco.MjModel`` or, which also knows how meshes are weighed, a ``mujoco.MjSpec``.
        argument: its name for the message.

    Raises:
        ArgumentError: pyramidal friction cones, the PGS solver, or meshes that are not weighed exactly.

    >>> from erlangen.fields.robots import RobotSpec
    >>> check_settings(RobotSpec.regular(3).compile())
    """
    mj = mujoco()
    known = isinstance(model, mj.MjSpec)
    option = model.option if known else model.opt
    if option.cone != mj.mjtCone.mjCONE_ELLIPTIC:
        hint = "under pyramids robots whose legs are not a quarter turn apart leave their symmetry: set cone to elliptic"
        raise ArgumentError(argument, "elliptic friction cones", "pyramidal ones", hint)
    if option.solver == mj.mjtSolver.mjSOL_PGS:
        raise ArgumentError(
            argument, "the solver Newton or CG", "PGS", "it takes contacts in turn, so that the order of legs matters"
        )
    loose = [mesh.name for mesh in model.meshes if mesh.inertia != mj.mjtMeshInertia.mjMESH_INERTIA_EXACT] if known else []
    if loose:
        hint = "the default counts overlaps of a non-convex mesh twice"
        raise ArgumentError(argument, 'inertia="exact" of every mesh', f"another rule for {', '.join(map(repr, loose))}", hint)
