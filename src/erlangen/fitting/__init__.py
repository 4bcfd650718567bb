"""The main job: from raw arrays to a symmetric, trained, audited model and a report."""

from erlangen.fitting.compare_frames import FrameComparison, FrameRow, compare_frames
from erlangen.fitting.config import FitConfig
from erlangen.fitting.kinds import actions_of
from erlangen.fitting.run import Fitted, fit
from erlangen.fitting.store import load_fitted
from erlangen.fitting.student import Curve, train_student

__all__ = [
    "Curve",
    "FitConfig",
    "Fitted",
    "FrameComparison",
    "FrameRow",
    "actions_of",
    "compare_frames",
    "fit",
    "load_fitted",
    "train_student",
]
