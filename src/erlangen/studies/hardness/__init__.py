"""The study of the hardness of learning under symmetries."""

from erlangen.studies.hardness.study import STUDY, Config

__all__ = ["STUDY", "Config"]
