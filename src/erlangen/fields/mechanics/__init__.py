"""Mechanics: exact orbits of two and three bodies, charged bodies in space, moments of inertia, satellites around an oblate Earth.

NumPy, SciPy and torch only, and sgp4 for the satellites.
"""

from erlangen.fields.mechanics.charged import ChargedBodies, n_body
from erlangen.fields.mechanics.gravity import angular_momentum, energy, trajectories
from erlangen.fields.mechanics.inertia import BrokenInertia, broken_inertia
from erlangen.fields.mechanics.kepler import circular_speed, kepler
from erlangen.fields.mechanics.nbody import bodies, nbody, vectors_of_bodies
from erlangen.fields.mechanics.orbits import (
    three_body,
    three_body_orbits,
    two_body,
    two_body_forecast,
    two_body_orbits,
)
from erlangen.fields.mechanics.satellites import nodal_drift, orbit_normals, shipped_normals

__all__ = [
    "BrokenInertia",
    "ChargedBodies",
    "angular_momentum",
    "bodies",
    "broken_inertia",
    "circular_speed",
    "energy",
    "kepler",
    "n_body",
    "nbody",
    "nodal_drift",
    "orbit_normals",
    "shipped_normals",
    "three_body",
    "three_body_orbits",
    "trajectories",
    "two_body",
    "two_body_forecast",
    "two_body_orbits",
    "vectors_of_bodies",
]
