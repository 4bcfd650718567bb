"""Colloids under computer-made interactions: delayed feedback, its exact laws, crystals at wish, and what measures them.

Lengths in particle diameters, energies in kT, times in diameter^2 / D, unless you say otherwise.
"""

from erlangen.fields.colloids.boxes import Box, Circle, Open, Periodic, Trap
from erlangen.fields.colloids.crystallites import Crystallite, crystallite, local_structure
from erlangen.fields.colloids.designing import Design, design
from erlangen.fields.colloids.dynamics import BrownianDynamics
from erlangen.fields.colloids.energies import Phonons, best_spacing, lattice_energy, phonons, program_energy
from erlangen.fields.colloids.exact import (
    annular_rotational_diffusion,
    annular_speed,
    effective_diffusion,
    green_function,
    hold_effective_diffusion,
    hold_increment_variance,
    msd_active_brownian,
    msd_delayed_harmonic,
    trap_variance,
)
from erlangen.fields.colloids.lattices import Lattice, named_lattice, orbit_lattice, plane_group
from erlangen.fields.colloids.measuring import (
    Displacements,
    autocorrelation,
    direct_mean_square_displacement,
    headings,
    mean_square_displacement,
    rotational_diffusion,
    speed,
    velocity_correlation,
)
from erlangen.fields.colloids.order import (
    Bonds,
    Cutoff,
    Nearest,
    Neighbours,
    Voronoi,
    bond_order,
    clusters,
    mean_order,
    pair_distribution,
    structure_factor,
)
from erlangen.fields.colloids.potentials import WCA, Annular, Harmonic, Hill, Potential, Ring, Sum, Table, rings
from erlangen.fields.colloids.programs import Bias, BondAngle, Coordination, Landscape, ManyBody, Program, Shell, Template, Timing
from erlangen.fields.colloids.simulating import Simulated, simulate
from erlangen.fields.colloids.trajectories import Trajectory, freud_box, freud_points, load_trajectory

__all__ = [
    "WCA",
    "Annular",
    "Bias",
    "BondAngle",
    "Bonds",
    "Box",
    "BrownianDynamics",
    "Circle",
    "Coordination",
    "Crystallite",
    "Cutoff",
    "Design",
    "Displacements",
    "Harmonic",
    "Hill",
    "Landscape",
    "Lattice",
    "ManyBody",
    "Nearest",
    "Neighbours",
    "Open",
    "Periodic",
    "Phonons",
    "Potential",
    "Program",
    "Ring",
    "Shell",
    "Simulated",
    "Sum",
    "Table",
    "Template",
    "Timing",
    "Trajectory",
    "Trap",
    "Voronoi",
    "annular_rotational_diffusion",
    "annular_speed",
    "autocorrelation",
    "best_spacing",
    "bond_order",
    "clusters",
    "crystallite",
    "design",
    "direct_mean_square_displacement",
    "effective_diffusion",
    "freud_box",
    "freud_points",
    "green_function",
    "headings",
    "hold_effective_diffusion",
    "hold_increment_variance",
    "lattice_energy",
    "load_trajectory",
    "local_structure",
    "mean_order",
    "mean_square_displacement",
    "msd_active_brownian",
    "msd_delayed_harmonic",
    "named_lattice",
    "orbit_lattice",
    "pair_distribution",
    "phonons",
    "plane_group",
    "program_energy",
    "rings",
    "rotational_diffusion",
    "simulate",
    "speed",
    "structure_factor",
    "trap_variance",
    "velocity_correlation",
]
