"""The study of the hardness of learning under symmetries."""

from erlangen.studies.hardness.study import STUDY

__all__ = ["STUDY"]
