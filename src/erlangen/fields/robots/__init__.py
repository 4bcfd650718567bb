"""Robots with legs around a torso: bodies and controllers designed under a dihedral group's subgroups, simulated by MuJoCo."""

from erlangen.fields.robots.controller import LegController
from erlangen.fields.robots.designing import RobotDesign, design
from erlangen.fields.robots.drawing import draw, film, strip, surface
from erlangen.fields.robots.engine_check import check_engine
from erlangen.fields.robots.physics import Physics, check_settings
from erlangen.fields.robots.registration import ID, register
from erlangen.fields.robots.rollouts import Rolled, Rollouts
from erlangen.fields.robots.skeleton import Skeleton
from erlangen.fields.robots.space import ATTRIBUTES, PaperSymmetrizer, RadialSpace, links
from erlangen.fields.robots.spec import RobotSpec
from erlangen.fields.robots.tasks import TASKS, Task, fundamental_goals, task_named

__all__ = [
    "ATTRIBUTES",
    "ID",
    "TASKS",
    "LegController",
    "PaperSymmetrizer",
    "Physics",
    "RadialSpace",
    "RobotDesign",
    "RobotSpec",
    "Rolled",
    "Rollouts",
    "Skeleton",
    "Task",
    "check_engine",
    "check_settings",
    "design",
    "draw",
    "film",
    "fundamental_goals",
    "links",
    "strip",
    "surface",
    "task_named",
]

register()
