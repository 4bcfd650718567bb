"""Networks from Brauer diagrams on beams, vectors and molecules: the study of system 33."""

from erlangen.studies.brauer_beam.study import STUDY, Config

__all__ = ["STUDY", "Config"]
