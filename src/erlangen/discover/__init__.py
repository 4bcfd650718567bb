"""Data in, a group out (or the answer that there is none)."""

from erlangen.discover.evidence import evidence
from erlangen.discover.finding import Finding
from erlangen.discover.found import Candidate, Discovered
from erlangen.discover.liegan import LieGAN
from erlangen.discover.polarisation import Polarised, polarise
from erlangen.discover.quadric import Quadric, fit_quadric
from erlangen.discover.search import discover

__all__ = [
    "Candidate",
    "Discovered",
    "Finding",
    "LieGAN",
    "Polarised",
    "Quadric",
    "discover",
    "evidence",
    "fit_quadric",
    "polarise",
]
