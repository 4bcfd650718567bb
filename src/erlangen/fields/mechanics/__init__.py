"""Mechanics: exact orbits of two and three bodies, and charged bodies in space. NumPy, SciPy and torch only."""

from erlangen.fields.mechanics.charged import ChargedBodies, n_body
from erlangen.fields.mechanics.gravity import angular_momentum, energy, trajectories
from erlangen.fields.mechanics.kepler import circular_speed, kepler
from erlangen.fields.mechanics.nbody import bodies, nbody
from erlangen.fields.mechanics.orbits import (
    three_body,
    three_body_orbits,
    two_body,
    two_body_forecast,
    two_body_orbits,
)

__all__ = [
    "ChargedBodies",
    "angular_momentum",
    "bodies",
    "circular_speed",
    "energy",
    "kepler",
    "n_body",
    "nbody",
    "three_body",
    "three_body_orbits",
    "trajectories",
    "two_body",
    "two_body_forecast",
    "two_body_orbits",
]
