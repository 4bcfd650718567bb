"""The main job: from raw arrays to a symmetric, trained, audited model and a report."""

from erlangen.fitting.config import FitConfig
from erlangen.fitting.run import Fitted, fit
from erlangen.fitting.store import load_fitted

__all__ = ["FitConfig", "Fitted", "fit", "load_fitted"]
