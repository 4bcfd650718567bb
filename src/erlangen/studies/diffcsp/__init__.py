"""Crystal structures from compositions by diffusion, beside look-up, chance, and networks without one of its ideas."""

from erlangen.studies.diffcsp.study import STUDY, Config

__all__ = ["STUDY", "Config"]
