"""Robots with legs around a torso: bodies and controllers designed under a dihedral group's subgroups, simulated by MuJoCo."""

from erlangen.fields.robots.space import ATTRIBUTES, PaperSymmetrizer, RadialSpace, links

__all__ = ["ATTRIBUTES", "PaperSymmetrizer", "RadialSpace", "links"]
