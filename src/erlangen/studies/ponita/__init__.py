"""PONITA on charged bodies, on the forces of a molecule, and on graphs that are hard to tell apart: the study of system 18."""

from erlangen.studies.ponita.study import STUDY, Config

__all__ = ["STUDY", "Config"]
