"""Binaries of white dwarfs: how their orbits are turned, what gravitational waves cannot tell of it, and what timing adds.

Angles are radians and numbers SI, in tensors of float64; coordinates, times and tables are those of astropy.
"""

from erlangen.fields.binaries.candidates import Candidates, candidate_vectors, candidates
from erlangen.fields.binaries.channels import CHANNELS, DegeneracyGroup, degeneracy_group
from erlangen.fields.binaries.detector import noise, spacecraft
from erlangen.fields.binaries.fisher import Fisher, fisher_matrix
from erlangen.fields.binaries.geometry import (
    amplitude,
    angular_momentum,
    chirp_mass,
    fdot_gravitational,
    from_peer_phase,
    orbital_phase,
    orientation,
    separation,
    sky_basis,
    strain,
    to_peer_phase,
    velocity_amplitude,
)
from erlangen.fields.binaries.likelihood import FourWaves, Grid, from_parts, inner, parts
from erlangen.fields.binaries.modes import Modes, Posterior, find_modes, sample_posterior
from erlangen.fields.binaries.population import Quadrupole, draw_directions, quadrupole, reynolds_projector
from erlangen.fields.binaries.report import Found, candidate_table, orientations, sky_map, usable_chart
from erlangen.fields.binaries.response import Waveform, waveform
from erlangen.fields.binaries.tables import Measured, Sources, example_table, read_table, sources_of
from erlangen.fields.binaries.timing import Ephemeris, barycentric, phase_log_weights, tcb_minus_tdb, wrong_pair_penalty
from erlangen.fields.binaries.verification import Binary, verification_binaries

__all__ = [
    "CHANNELS",
    "Binary",
    "Candidates",
    "DegeneracyGroup",
    "Ephemeris",
    "Fisher",
    "Found",
    "FourWaves",
    "Grid",
    "Measured",
    "Modes",
    "Posterior",
    "Quadrupole",
    "Sources",
    "Waveform",
    "amplitude",
    "angular_momentum",
    "barycentric",
    "candidate_table",
    "candidate_vectors",
    "candidates",
    "chirp_mass",
    "degeneracy_group",
    "draw_directions",
    "example_table",
    "fdot_gravitational",
    "find_modes",
    "fisher_matrix",
    "from_parts",
    "from_peer_phase",
    "inner",
    "noise",
    "orbital_phase",
    "orientation",
    "orientations",
    "parts",
    "phase_log_weights",
    "quadrupole",
    "read_table",
    "reynolds_projector",
    "sample_posterior",
    "separation",
    "sky_basis",
    "sky_map",
    "sources_of",
    "spacecraft",
    "strain",
    "tcb_minus_tdb",
    "to_peer_phase",
    "usable_chart",
    "velocity_amplitude",
    "verification_binaries",
    "waveform",
    "wrong_pair_penalty",
]
