"""Noise processes that commute with an action, and the one model that goes back from noise to data."""

from erlangen.generate.bound import Bound
from erlangen.generate.categorical import Categorical
from erlangen.generate.diffusion import Diffusion
from erlangen.generate.gaussian import Gaussian
from erlangen.generate.process import Process
from erlangen.generate.rows import Rows
from erlangen.generate.schedules import cosine, geometric, linear, log_linear
from erlangen.generate.times import TimeFeatures
from erlangen.generate.together import Together
from erlangen.generate.wrapped_normal import WrappedNormal

__all__ = [
    "Bound",
    "Categorical",
    "Diffusion",
    "Gaussian",
    "Process",
    "Rows",
    "TimeFeatures",
    "Together",
    "WrappedNormal",
    "cosine",
    "geometric",
    "linear",
    "log_linear",
]
