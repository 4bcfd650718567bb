"""Physical compatibility: shapes that are what gravity leaves of them, and bodies that stand."""

from erlangen.studies.physical_compatibility.study import STUDY, Config

__all__ = ["STUDY", "Config"]
