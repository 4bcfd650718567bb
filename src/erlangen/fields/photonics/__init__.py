"""Two-dimensional photonic crystals: random unit cells, band structures and densities of states. NumPy, SciPy and torch only."""

from erlangen.fields.photonics.bands import bands
from erlangen.fields.photonics.cells import PLANE_GROUPS, random_cells, symmetrize_coefficients
from erlangen.fields.photonics.density import counting, dos, dos_frequencies, empty_lattice_dos
from erlangen.fields.photonics.fourier import FourierCells, fourier, rods

__all__ = [
    "PLANE_GROUPS",
    "FourierCells",
    "bands",
    "counting",
    "dos",
    "dos_frequencies",
    "empty_lattice_dos",
    "fourier",
    "random_cells",
    "rods",
    "symmetrize_coefficients",
]
