"""EMT-OC: adsorption on metal surfaces with a real, fast simulator, for learning energies and forces.

Slabs and labels are made with ASE (A. Larsen et al., J. Phys. Condens. Matter 29 (2017) 273002); its effective-medium theory (K. Jacobsen,
P. Stoltze and J. Norskov, Surf. Sci. 366 (1996) 394) covers seven metals and, crudely, H, C, N and O. The task is shaped after OC20
(Chanussot et al., ACS Catal. 11 (2021) 6059); the adsorbates are molecules and radicals of the G2 set that ASE contains, for OC20's own
list is distributed as a pickle, which we do not load.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import torch

from erlangen.actions import AtomBatch
from erlangen.errors import ArgumentError
from erlangen.extras import engine
from erlangen.fields.surfaces.labelled import Labelled
from erlangen.parallel import run_jobs

#: Lattice constants of the face-centred cubic metals, angstrom.
METALS = {"Al": 4.05, "Cu": 3.61, "Ag": 4.09, "Au": 4.08, "Ni": 3.52, "Pd": 3.89, "Pt": 3.92}
#: Molecules and radicals of H, C, N and O with at most seven atoms, by their names in ASE's G2 set.
ADSORBATES = (
    "C", "H", "N", "O", "CH", "CN", "CO", "H2", "N2", "NH", "NO", "O2", "O3", "OH", "CCH", "CH3", "CH4", "CO2", "H2O", "HCN",
    "HCO", "N2O", "NH2", "NH3", "NO2", "C2H2", "C2H3", "C2H4", "C2H5", "CH3O", "H2CO", "H2O2", "N2H4", "NCCN", "CH3CN",
    "CH3CO", "CH3OH", "H2CCO", "H2COH", "HCOOH", "CH3CHO", "CH3NO2", "CH3ONO", "H3CNH2", "OCHCHO", "CH2OCH2", "H2CCHCN",
    "C3H4_C2v", "C3H4_C3v", "C3H4_D2d", "CH2_s1A1d", "CH2_s3B1d",
)  # fmt: skip
LARGEST_FORCE, LARGEST_ENERGY = 15.0, 60.0  # eV per angstrom, eV: beyond, atoms sit inside one another


def random_surface(rng: np.random.Generator, size: int = 2, layers: int = 3) -> tuple[Any, Any]:
    """A random slab with an adsorbate above it, and the slab alone, as ASE ``Atoms``.

    A (111), (100) or (110) surface of a metal, with none, a quarter or half of its atoms exchanged for a second metal, ``size x size``
    atoms wide; a molecule turned about the normal, at a random place 1.2 to 2.4 angstrom above; everything shaken by 0.08 angstrom and
    turned about the normal by any angle. Periodic in the plane. Tags: 2 adsorbate, 1 top layer, 0 below.

    Raises:
        MissingExtra: ASE is not installed.
    """
    build = engine("materials", "ase.build")
    one, other = rng.choice(list(METALS), 2, replace=False)
    share = rng.choice([0.0, 0.25, 0.5])
    constant = METALS[one] if share == 0 else (METALS[one] + METALS[other]) / 2
    facet = rng.choice(["fcc111", "fcc100", "fcc110"])
    slab = getattr(build, facet)(one, (size, size, layers), a=constant, vacuum=8.0)
    slab.pbc = (True, True, False)
    changed = rng.permutation(len(slab))[: round(share * len(slab))]
    symbols = np.array(slab.get_chemical_symbols(), dtype=object)
    symbols[changed] = other
    slab.set_chemical_symbols(list(symbols))
    slab.set_tags([1 if tag == 1 else 0 for tag in slab.get_tags()])

    adsorbate = build.molecule(str(rng.choice(ADSORBATES)))
    adsorbate.rotate(rng.uniform(0, 360), "z", center="COP")
    place = rng.uniform(size=2) @ slab.cell.array[:2]
    height = slab.positions[:, 2].max() + rng.uniform(1.2, 2.4) - adsorbate.positions[:, 2].min()
    above = np.array([0, 0, height]) - adsorbate.positions.mean(0) * [1, 1, 0]
    adsorbate.translate(place + above)
    adsorbate.set_tags([2] * len(adsorbate))
    both = slab + adsorbate
    both.positions += 0.08 * rng.normal(size=both.positions.shape)
    both.rotate(rng.uniform(0, 360), "z", rotate_cell=True)
    return both, both[: len(slab)]


def emt_oc(
    count: int, *, size: int = 2, layers: int = 3, seed: int = 0, jobs: int = 1, cache: bool = True, quiet: bool = True
) -> Labelled:
    """Labelled surfaces: energies of adsorption (with the adsorbate minus the slab alone) and forces, in float64.

    Structure ``i`` depends on ``seed`` and ``i`` alone: a larger set begins with the smaller one. Structures with a force above
    15 eV/angstrom or an energy beyond 60 eV are drawn again.

    Args:
        count: how many structures.
        size, layers: of the slabs.
        seed: the same seed gives the same structures.
        jobs: processes to compute them with.
        cache: keep them in the user's cache folder (``$XDG_CACHE_HOME/erlangen`` or ``~/.cache/erlangen``) and read them from there.
        quiet: without a progress bar.

    Raises:
        ArgumentError: a size is out of range.
        MissingExtra: ASE is not installed.
    """
    for name, value, least in (("count", count, 1), ("size", size, 1), ("layers", layers, 1), ("seed", seed, 0)):
        if value < least:
            raise ArgumentError(name, f"at least {least}", repr(value))
    folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "erlangen"
    path = folder / f"emt-oc-1-{size}x{size}x{layers}-{count}-seed{seed}.npz"
    if cache and path.is_file():
        return Labelled.load(path)
    for needed in ("ase.build", "ase.calculators.emt"):
        engine("materials", needed)
    items = [(first, min(first + 50, count), size, layers, seed) for first in range(0, count, 50)]
    blocks = run_jobs(_block, items, jobs=jobs, description="" if quiet else "surfaces")
    found = [one for several in blocks for one in several]
    batch = AtomBatch.from_ase([atoms for atoms, _, _ in found], dtype=torch.float64)
    energy = torch.tensor([e for _, e, _ in found], dtype=torch.float64)
    made = Labelled(batch, energy, torch.cat([torch.as_tensor(f) for _, _, f in found]))
    if cache:
        made.save(path)
    return made


def _block(item: tuple[int, int, int, int, int]) -> list[tuple[Any, float, np.ndarray]]:
    first, last, size, layers, seed = item
    return [_labelled(i, size, layers, seed) for i in range(first, last)]


def _labelled(i: int, size: int, layers: int, seed: int) -> tuple[Any, float, np.ndarray]:
    """A structure that passes the cuts, its energy of adsorption and its forces."""
    EMT = engine("materials", "ase.calculators.emt").EMT
    rng = np.random.default_rng([seed, i])
    while True:
        atoms, slab = random_surface(rng, size, layers)
        atoms.calc, slab.calc = EMT(), EMT()
        forces = atoms.get_forces()
        if not np.isfinite(forces).all() or np.linalg.norm(forces, axis=1).max() >= LARGEST_FORCE:
            continue
        energy = float(atoms.get_potential_energy() - slab.get_potential_energy())
        if abs(energy) < LARGEST_ENERGY:
            atoms.calc = None
            return atoms, energy, forces
