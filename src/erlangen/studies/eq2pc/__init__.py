"""Structures with one two-point correlation: how many there are, what they differ in, and real crystals among them."""

from erlangen.studies.eq2pc.study import STUDY, Config, run

__all__ = ["STUDY", "Config", "run"]
