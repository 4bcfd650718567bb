"""Satellites around an oblate Earth, by the standard analytic propagator (engine: sgp4)."""

from erlangen.fields.orbits.satellites import nodal_drift, orbit_normals, shipped_normals

__all__ = ["nodal_drift", "orbit_normals", "shipped_normals"]
