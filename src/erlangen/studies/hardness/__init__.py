"""The study of the hardness of learning under symmetries, with the students and the training it uses."""

from erlangen.studies.hardness.curves import Curve, train_student
from erlangen.studies.hardness.study import STUDY

__all__ = ["STUDY", "Curve", "train_student"]
