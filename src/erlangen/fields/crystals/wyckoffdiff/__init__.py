"""WyckoffDiff: diffusion over which elements stand on which Wyckoff positions (Ekström Kelvinius et al., ICML 2025), and what becomes of
its samples: crystals, and numbers of how good they are."""

from erlangen.fields.crystals.wyckoffdiff.baselines import independent_positions, known_crystals, other_elements
from erlangen.fields.crystals.wyckoffdiff.encoder import EnergyEncoder
from erlangen.fields.crystals.wyckoffdiff.frechet import frechet_distance
from erlangen.fields.crystals.wyckoffdiff.metrics import Judge, ProtostructureMetrics, space_group_distances
from erlangen.fields.crystals.wyckoffdiff.model import WyckoffDiff
from erlangen.fields.crystals.wyckoffdiff.network import WyckoffGNN
from erlangen.fields.crystals.wyckoffdiff.realise import Realisation, atomic_volumes, realise, relax

__all__ = [
    "EnergyEncoder",
    "Judge",
    "ProtostructureMetrics",
    "Realisation",
    "WyckoffDiff",
    "WyckoffGNN",
    "atomic_volumes",
    "frechet_distance",
    "independent_positions",
    "known_crystals",
    "other_elements",
    "realise",
    "relax",
    "space_group_distances",
]
