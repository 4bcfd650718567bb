"""What things are made of: stiffness, density and strength of a few printing and casting materials."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from erlangen.errors import ArgumentError
from erlangen.fields.solids.material import NeoHookean


class Substance(NamedTuple):
    """A material as a handbook or data sheet has it; printed parts vary by a factor of two with their infill and direction.

    Attributes:
        name: in full.
        E: Young's modulus, Pa.
        nu: Poisson's ratio. Of rubbers it is nearer to 0.5 than linear tetrahedra can follow (they lock): 0.45 is taken instead.
        rho: density, kg/m^3, solid.
        strength: stress at which it yields or, of rubbers, tears, Pa.
        source: of the numbers.
    """

    name: str
    E: float
    nu: float
    rho: float
    strength: float
    source: str

    def material(self) -> NeoHookean:
        """As a :class:`~erlangen.fields.solids.NeoHookean` solid."""
        return NeoHookean(E=self.E, nu=self.nu, rho=self.rho)


_PRINT = "typical of makers' data sheets for filaments, printed solid"
_BOOK = "middle of the range in M. F. Ashby, Materials Selection in Mechanical Design, appendix of data"
_HARD = "A. N. Gent 1958, a rubber's modulus by its hardness; strength by makers' data sheets"
_SHEET = "100 % modulus on makers' data sheets (Smooth-On Ecoflex 00-30)"
#: By the name that ``--material`` takes.
SUBSTANCES: Mapping[str, Substance] = {
    "pla": Substance("polylactide (PLA)", 3.0e9, 0.36, 1240, 50e6, _PRINT),
    "abs": Substance("acrylonitrile butadiene styrene (ABS)", 2.1e9, 0.37, 1040, 38e6, _PRINT),
    "petg": Substance("glycol-modified polyester (PETG)", 2.0e9, 0.38, 1270, 45e6, _PRINT),
    "nylon": Substance("polyamide 12", 1.6e9, 0.40, 1010, 45e6, _PRINT),
    "tpu": Substance("thermoplastic polyurethane, Shore 95A", 3.0e7, 0.45, 1210, 2.5e7, _PRINT),
    "rubber": Substance("natural rubber", 1.5e6, 0.45, 930, 2.0e7, _BOOK),
    "silicone": Substance("casting silicone, Shore 30A", 1.0e6, 0.45, 1100, 4.0e6, _HARD),
    "soft silicone": Substance("casting silicone, Shore 00-30", 1.0e5, 0.45, 1070, 1.4e6, _SHEET),
    "soft": Substance("the soft default of Guo et al.", 5e5, 0.45, 1000, 5e5, "arXiv:2405.20510"),
    "stiff": Substance("the stiff default of Guo et al.", 1e8, 0.45, 1000, 1e7, "arXiv:2405.20510"),
    "wood": Substance("pine, along the grain", 9e9, 0.35, 500, 4.0e7, _BOOK),
    "aluminium": Substance("aluminium alloy", 7.0e10, 0.33, 2700, 2.0e8, _BOOK),
    "steel": Substance("mild steel", 2.05e11, 0.29, 7850, 2.5e8, _BOOK),
}  # fmt: skip


def substance(name: str) -> Substance:
    """One of :data:`SUBSTANCES` by its name.

    >>> substance("PLA").E
    3000000000.0
    """
    found = SUBSTANCES.get(name.strip().lower().replace("_", " ").replace("-", " "))
    if found is None:
        raise ArgumentError("material", f"one of {', '.join(SUBSTANCES)}", repr(name))
    return found
