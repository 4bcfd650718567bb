"""Complete S_n layers on all graphs with seven nodes: the study of system 25."""

from erlangen.studies.partition_diagrams.study import STUDY, Config

__all__ = ["STUDY", "Config"]
