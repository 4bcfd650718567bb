"""Robustness of explanations on outlines of leaves and on shifted images: the study of system 7."""

from erlangen.studies.explain.study import STUDY, Config

__all__ = ["STUDY", "Config"]
