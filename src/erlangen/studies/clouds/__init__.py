"""Networks of points side by side on one task at equal CPU time: charged bodies, and the forces of a molecule."""

from erlangen.studies.clouds.study import STUDY, Config

__all__ = ["STUDY", "Config"]
