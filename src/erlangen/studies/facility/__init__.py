"""Places that nobody can lie about: what is possible by proof, real cities and voters, worst cases, symmetries."""

from erlangen.studies.facility.study import STUDY, Config, run

__all__ = ["STUDY", "Config", "run"]
