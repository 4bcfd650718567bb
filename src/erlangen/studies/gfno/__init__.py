"""Group-equivariant Fourier operators on turbulent flows whose symmetries are known, and measured."""

from erlangen.studies.gfno.study import STUDY, Config

__all__ = ["STUDY", "Config"]
