"""Molecules: the tetrahedral stereocentres of approved drugs as orbits of the alternating group A_4 (extra ``molecules``)."""

from erlangen.fields.molecules.chirality import (
    FEATURES,
    StereoOrbits,
    approved_drugs,
    by_molecule,
    chirality,
    mirrored,
    stereo_orbits,
)

__all__ = ["FEATURES", "StereoOrbits", "approved_drugs", "by_molecule", "chirality", "mirrored", "stereo_orbits"]
