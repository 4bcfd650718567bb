"""Jets of particle collisions, tops against QCD: cached, or made live (extra ``jets``)."""

from erlangen.fields.jets.cache import cached, jets
from erlangen.fields.jets.live import generate
from erlangen.fields.jets.table import MASSES, JetTable

__all__ = ["MASSES", "JetTable", "cached", "generate", "jets"]
