"""Designs under a finite group: which of its subgroups a design should have as its symmetry, and the design with it."""

from erlangen.design.evolution import Evolution, EvolutionTraining, Generation, evolve
from erlangen.design.ppo import PPO
from erlangen.design.result import Epoch, SearchResult
from erlangen.design.search import SubgroupSearch
from erlangen.design.states import State, States
from erlangen.design.symmetrizer import SoftSymmetrizer, Symmetrizer

__all__ = [
    "PPO",
    "Epoch",
    "Evolution",
    "EvolutionTraining",
    "Generation",
    "SearchResult",
    "SoftSymmetrizer",
    "State",
    "States",
    "SubgroupSearch",
    "Symmetrizer",
    "evolve",
]
