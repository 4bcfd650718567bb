"""Molecules: stereocentres of drugs as orbits of A_4 (RDKit, datamol), measured geometries (ASE); extra ``molecules``."""

from erlangen.fields.molecules.chirality import (
    FEATURES,
    StereoOrbits,
    approved_drugs,
    by_molecule,
    chirality,
    mirrored,
    stereo_orbits,
)
from erlangen.fields.molecules.fragments import Fragments, g2_fragments, inertia_tensor

__all__ = [
    "FEATURES",
    "Fragments",
    "StereoOrbits",
    "approved_drugs",
    "by_molecule",
    "chirality",
    "g2_fragments",
    "inertia_tensor",
    "mirrored",
    "stereo_orbits",
]
