"""Symmetries of a task by derivatives: a smooth predictor, its Jacobians, one linear problem, the exact algebra."""

from erlangen.discover.task.symmetries import TaskSymmetries, task_symmetries, task_symmetries_of

__all__ = ["TaskSymmetries", "task_symmetries", "task_symmetries_of"]
