"""What geometric networks can tell apart, by exact tests and by probes: the study of system 4."""

from erlangen.studies.gwl.study import STUDY, Config

__all__ = ["STUDY", "Config"]
