"""Flows on a periodic square: two-dimensional Navier-Stokes in vorticity form, shallow water, random initial fields.

torch only: spectral in space, an integrating factor and Runge-Kutta of order 4 in time, batched.
"""

from erlangen.fields.flows.gaussian import GaussianRandomField
from erlangen.fields.flows.navier_stokes import FORCINGS, forcing_of, ns2d, velocity
from erlangen.fields.flows.shallow_water import shallow_water
from erlangen.fields.flows.spectral import Plane, integrate

__all__ = ["FORCINGS", "GaussianRandomField", "Plane", "forcing_of", "integrate", "ns2d", "shallow_water", "velocity"]
