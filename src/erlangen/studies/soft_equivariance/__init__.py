"""Soft equivariance at work: satellites over an oblate Earth, moments of inertia with a broken axis, a network for these."""

from erlangen.studies.soft_equivariance.study import STUDY, Config

__all__ = ["STUDY", "Config"]
