"""Checks that a third party can run on its own group, representation, action, frame, decomposition, noise process or study.

Each draws random elements and data, compares what must be equal, and raises AssertionError with the law that failed and by how
much; each returns a :class:`~erlangen.verdict.Verdict` when all laws hold.
"""

from erlangen.equivariance.error import assert_equivariant
from erlangen.testing.actions import check_action
from erlangen.testing.decompositions import check_decomposition
from erlangen.testing.frames import check_frame
from erlangen.testing.groups import check_group
from erlangen.testing.processes import check_process
from erlangen.testing.reps import check_rep
from erlangen.testing.studies import check_outcome, check_study

__all__ = [
    "assert_equivariant",
    "check_action",
    "check_decomposition",
    "check_frame",
    "check_group",
    "check_outcome",
    "check_process",
    "check_rep",
    "check_study",
]
