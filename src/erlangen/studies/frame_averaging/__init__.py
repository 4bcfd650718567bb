"""Frame averaging on charged bodies, graphs and solids: the study of system 11."""

from erlangen.studies.frame_averaging.study import STUDY, Config

__all__ = ["STUDY", "Config"]
