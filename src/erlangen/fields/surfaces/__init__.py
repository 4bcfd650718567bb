"""Small molecules on metal surfaces with energies and forces from effective-medium theory (ASE); extra ``materials``."""

from erlangen.fields.surfaces.emt import ADSORBATES, METALS, emt_oc, random_surface
from erlangen.fields.surfaces.labelled import Labelled

__all__ = ["ADSORBATES", "METALS", "Labelled", "emt_oc", "random_surface"]
