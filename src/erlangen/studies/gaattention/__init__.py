"""Geometric-algebra attention at work: crystals told apart by what their atoms see, forces of molecules, atoms from beads."""

from erlangen.studies.gaattention.study import STUDY, Config

__all__ = ["STUDY", "Config"]
