"""Orientations of white-dwarf binaries: four directions by gravitational waves, two with a timed phase."""

from erlangen.studies.lisa_orientations.claims import Config
from erlangen.studies.lisa_orientations.study import STUDY, run

__all__ = ["STUDY", "Config", "run"]
