"""Beams: linear optics of particle accelerators in closed form. torch only."""

from erlangen.fields.beams.optics import (
    compose,
    coupled_lattices,
    covariance,
    drift,
    eigen_emittances,
    quadrupole,
    random_beams,
    solenoid,
    symplectic_error,
    transport,
)

__all__ = [
    "compose",
    "coupled_lattices",
    "covariance",
    "drift",
    "eigen_emittances",
    "quadrupole",
    "random_beams",
    "solenoid",
    "symplectic_error",
    "transport",
]
