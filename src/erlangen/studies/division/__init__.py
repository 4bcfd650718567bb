"""Fair division of goods and chores: what exists, what algorithms reach, how fast, and the tasks of households."""

from erlangen.studies.division.study import STUDY, Config, run

__all__ = ["STUDY", "Config", "run"]
