"""What things are made of: stiffness, density and strength of a few printing and casting materials."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

from erlangen.errors import ArgumentError
from erlangen.fields.solids.material import NeoHookean


class Substance(NamedTuple):
    """A material: single values that somebody published, not what your printer makes of your spool.

    Printed parts vary by a factor of two with their infill and direction. Measured values of your own belong in :func:`substance`.

    Attributes:
        name: in full.
        E: Young's modulus, Pa.
        nu: Poisson's ratio. Of rubbers it is nearer to 0.5 than linear tetrahedra can follow (they lock): 0.45 is taken instead.
        rho: density, kg/m^3, solid.
        strength: stress at which it yields or tears, Pa; None where no source for one was found.
        source: where the numbers are from, and which of them are round values that no source stands behind.
    """

    name: str
    E: float
    nu: float
    rho: float
    strength: float | None
    source: str

    def material(self) -> NeoHookean:
        """As a :class:`~erlangen.fields.solids.NeoHookean` solid."""
        return NeoHookean(E=self.E, nu=self.nu, rho=self.rho)


_ROUND = "Poisson's ratio is a round value for stiff plastics, without a source"
_LOCK = "Poisson's ratio lowered from nearly 0.5, because linear tetrahedra lock there"
#: By the name that ``--material`` takes. Read in November 2026.
SUBSTANCES: Mapping[str, Substance] = {
    "pla": Substance("polylactide (PLA)", 3.04e9, 0.35, 1264, 45e6,
        "printed specimens, XZ, modulus and yield by ASTM D638: pro3dcomposites.com/materials/pla (in XY they bear 26 MPa). "
        f"{_ROUND}"),
    "abs": Substance("acrylonitrile butadiene styrene (ABS)", 2.48e9, 0.35, 1050, 34.5e6,
        f"P400 in the Stratasys FDM 2000 manual, page M1-5: 360 ksi, 5 ksi, 1.05 g/cm3. {_ROUND}"),
    "petg": Substance("glycol-modified polyester (PETG)", 2.1e9, 0.35, 1270, 50e6,
        f"data sheet of CR-3D's PETG ESD, ISO 527 and 1183, of 17 June 2025. {_ROUND}"),
    "nylon": Substance("polyamide 12, laser sintered", 1.8e9, 0.4, 930, 48e6,
        "middle of the ranges 1.7 to 1.9 GPa (renato.design, ForMatter), 44 to 52 MPa and 0.88 to 0.96 g/cm3 (additive.tools, pa12). "
        "Poisson's ratio of nylon without a grade, academics.triton.edu, Strength of Materials"),
    "tpu": Substance("thermoplastic polyurethane, Shore 86A, laser sintered", 6.0e7, 0.45, 1220, 7e6,
        f"shapeways.com/materials/tpu-sls, ISO 527, in the layers (5 MPa across); density of Ultimaker's generic TPU. {_LOCK}"),
    "rubber": Substance("natural rubber, vulcanized", 1.5e6, 0.45, 950, 28e6,
        f"MatWeb, Natural Rubber, Vulcanized; its stress at 100 % strain stands for the modulus. {_LOCK}"),
    "silicone": Substance("casting silicone, Shore A 20 to 50", 1.0e6, 0.45, 1100, 7.1e6,
        "a round modulus within the 0.2 to 1.6 MPa of Sylgard 184, whose strength it is (PMC11019708, table 2); the density is a round "
        f"value without a source. {_LOCK}"),
    "soft silicone": Substance("very soft casting silicone", 1.0e5, 0.45, 1070, None,
        "round values without a source, to be replaced by your own"),
    "soft": Substance("the soft default of Guo et al.", 5e5, 0.45, 1000, None, "arXiv:2405.20510 and its code, which name no strength"),
    "stiff": Substance("the stiff default of Guo et al.", 1e8, 0.45, 1000, None, "arXiv:2405.20510 and its code, which name no strength"),
    "wood": Substance("Douglas fir, along the grain, taken for isotropic", 12.6e9, 0.29, 560, 47.6e6,
        "cci.one, wood density and strength, at 12 % moisture, the strength in compression; Poisson's ratio: academics.triton.edu"),
    "aluminium": Substance("aluminium 6061-T6", 6.89e10, 0.33, 2700, 2.76e8,
        "Aluminum Association's typical values, glemco.com, Aluminum 6061-T6"),
    "steel": Substance("structural steel, ASTM A36", 2.0e11, 0.29, 7850, 2.48e8,
        "ecoursesbook.com, appendix of material properties: 29e6 psi, 36 ksi; the density is a round value"),
}  # fmt: skip


def substance(
    name: str,
    young: float | None = None,
    poisson: float | None = None,
    density: float | None = None,
    strength: float | None = None,
) -> Substance:
    """One of :data:`SUBSTANCES` by its name, with values of your own where you have them.

    Args:
        name: of the material.
        young: Young's modulus, Pa.
        poisson: Poisson's ratio; linear tetrahedra lock above 0.45.
        density: kg/m^3.
        strength: stress that it bears, Pa. It is unknown where a modulus of your own is given without one: another grade is another thing.

    Raises:
        ArgumentError: no such material, or a value that no solid has.

    >>> substance("PLA").E, substance("pla", young=2.2e9).strength
    (3040000000.0, None)
    """
    found = SUBSTANCES.get(str(name).strip().lower().replace("_", " ").replace("-", " "))
    if found is None:
        raise ArgumentError("material", f"one of {', '.join(SUBSTANCES)}", repr(name))
    for what, value in (("young", young), ("density", density), ("strength", strength)):
        if value is not None and not 0 < value < math.inf:
            raise ArgumentError(what, "a positive number", repr(value))
    if poisson is not None and not -1 < poisson < 0.5:
        raise ArgumentError("poisson", "a number between -1 and 0.5", repr(poisson))
    own = {"Young's modulus": young, "Poisson's ratio": poisson, "density": density, "strength": strength}
    given = ", ".join(what for what, value in own.items() if value is not None)
    if not given:
        return found
    rest = "" if None not in own.values() else f"; the others: {found.source}"
    return Substance(
        f"{found.name}, with values of your own",
        found.E if young is None else float(young),
        found.nu if poisson is None else float(poisson),
        found.rho if density is None else float(density),
        (found.strength if young is None else None) if strength is None else float(strength),
        f"{given} as given{rest}",
    )
