"""Outlines of leaves: closed curves as series whose starting point is arbitrary, so that cyclic shifts are a true symmetry."""

from erlangen.fields.outlines.leaves import leaves, resample

__all__ = ["leaves", "resample"]
