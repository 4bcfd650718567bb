"""Hidden symmetries of ReLU networks: how often they are there at initialisation, and what training does to them."""

from erlangen.studies.hidden_symmetries.study import STUDY, Config

__all__ = ["STUDY", "Config"]
