"""What an ensemble, or a mixture of experts, gains when the symmetries of its members' parameter space are broken."""

from erlangen.studies.asymmetric_ensembles.study import STUDY, Config

__all__ = ["STUDY", "Config"]
