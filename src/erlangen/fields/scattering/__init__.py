"""Scattering of particles: matrix elements as functions of momenta, and what Lorentz transformations leave of them."""

from erlangen.fields.scattering.scattering import contraction, lorentz_elements, matrix_element, momenta

__all__ = ["contraction", "lorentz_elements", "matrix_element", "momenta"]
