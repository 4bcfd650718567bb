"""Symmetries of a task: continuous ones by derivatives, discrete ones by moved held-out data."""

from erlangen.discover.task.answer import TaskSymmetries
from erlangen.discover.task.discrete import DiscreteSymmetries, discrete_symmetries
from erlangen.discover.task.kinds_symmetries import kinds_symmetries
from erlangen.discover.task.symmetries import task_symmetries, task_symmetries_of

__all__ = [
    "DiscreteSymmetries",
    "TaskSymmetries",
    "discrete_symmetries",
    "kinds_symmetries",
    "task_symmetries",
    "task_symmetries_of",
]
