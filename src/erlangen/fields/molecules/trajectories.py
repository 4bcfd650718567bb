"""Molecular dynamics with forces from a tight-binding method (GFN2-xTB): what learned potentials are trained and judged on."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from erlangen.actions import AtomBatch
from erlangen.errors import ArgumentError
from erlangen.extras import engine
from erlangen.serialization import write_bytes

#: The molecules whose trajectories ship with the package, as SMILES.
SHIPPED = {"ethanol": "CCO", "malonaldehyde": "O=CCC=O"}
FRICTION = 0.01  # of the Langevin thermostat, per fs
SETTLING = 1000  # steps before the first frame


@dataclass(frozen=True, eq=False)
class Trajectory:
    """Frames of one molecule.

    Attributes:
        numbers: atomic numbers, int64 ``[n]``.
        positions: float64 ``[F, n, 3]``, angstrom.
        energies: float64 ``[F]``, eV.
        forces: float64 ``[F, n, 3]``, eV per angstrom: the negative gradient of the energy.

    Raises:
        ArgumentError: shapes do not fit.
    """

    numbers: Int[Tensor, " n"]
    positions: Float[Tensor, "F n 3"]
    energies: Float[Tensor, " F"]
    forces: Float[Tensor, "F n 3"]

    def __post_init__(self) -> None:
        shape = (len(self.energies), len(self.numbers), 3)
        for name in ("positions", "forces"):
            if tuple(getattr(self, name).shape) != shape:
                raise ArgumentError(name, f"shape {list(shape)}", f"shape {list(getattr(self, name).shape)}")

    def __len__(self) -> int:
        return len(self.energies)

    def __getitem__(self, frames: slice | Tensor) -> Trajectory:
        return Trajectory(self.numbers, self.positions[frames], self.energies[frames], self.forces[frames])

    def batch(self, dtype: torch.dtype | None = None) -> AtomBatch:
        """All frames as structures of one batch, without edges."""
        frames, atoms = self.positions.shape[:2]
        index = torch.arange(frames).repeat_interleave(atoms)
        return AtomBatch.of(self.positions.flatten(0, 1).to(dtype), self.numbers.repeat(frames), batch=index)

    def save(self, path: str | Path) -> None:
        """Write an ``.npz`` file, in full precision."""
        parts = {name: getattr(self, name).numpy() for name in self.__dataclass_fields__}
        memory = io.BytesIO()
        np.savez(memory, **parts)
        write_bytes(path, memory.getvalue())

    @classmethod
    def load(cls, path: str | Path) -> Trajectory:
        with np.load(path, allow_pickle=False) as parts:
            return cls(*(torch.from_numpy(parts[name]) for name in cls.__dataclass_fields__))


def trajectory(molecule: Literal["ethanol", "malonaldehyde"] = "ethanol") -> Trajectory:
    """1600 frames at 500 K, 5 fs apart, instantly and without any engine: made by ``python -m erlangen.fields.molecules``.

    Raises:
        ArgumentError: there is none of this molecule (:func:`simulate` makes one).

    >>> ethanol = trajectory("ethanol")
    >>> len(ethanol), ethanol.numbers.tolist()
    (1600, [6, 6, 8, 1, 1, 1, 1, 1, 1])
    """
    if molecule not in SHIPPED:
        raise ArgumentError("molecule", f"one of {', '.join(SHIPPED)}; simulate(smiles) makes others", repr(molecule))
    return Trajectory.load(Path(__file__).with_name(f"{molecule}.npz"))


def simulate(
    smiles: str,
    frames: int = 1600,
    *,
    every: int = 10,
    step: float = 0.5,
    temperature: float = 500.0,
    seed: int = 16,
    progress: Callable[[int, int], None] | None = None,
) -> Trajectory:
    """Langevin dynamics of a molecule with energies and forces by GFN2-xTB: 2 ms a step for nine atoms, on one thread.

    From a conformer of RDKit, relaxed, with velocities of the temperature; 1000 steps pass before the first frame. tblite 0.8 divides
    even such small molecules among all threads of OpenMP, at many times the cost where others use the cores: set ``OMP_NUM_THREADS=1``
    before Python starts.

    Args:
        smiles: the molecule.
        frames: how many are kept.
        every: steps from one to the next.
        step: of time, fs.
        temperature: K.
        seed: of conformer, velocities and thermostat.
        progress: called with frames done and frames in all.

    Raises:
        ArgumentError: the SMILES cannot be read, or a number is out of range.
        MissingExtra: an engine is not installed (extra ``xtb``).

    Source: Bannwarth, Ehlert & Grimme, "GFN2-xTB", JCTC 2019, doi:10.1021/acs.jctc.8b01176.
    """
    for name, value in (("frames", frames), ("every", every)):
        if value < 1:
            raise ArgumentError(name, "at least 1", repr(value))
    for name, number in (("step", step), ("temperature", temperature)):
        if not number > 0:
            raise ArgumentError(name, "a positive number", repr(number))
    units, md, langevin = (engine("xtb", f"ase.{name}") for name in ("units", "md.velocitydistribution", "md.langevin"))
    atoms = _relaxed(smiles, seed)
    rng = np.random.default_rng(seed)
    md.MaxwellBoltzmannDistribution(atoms, temperature_K=temperature, rng=rng)
    md.Stationary(atoms)
    run = langevin.Langevin(atoms, step * units.fs, temperature_K=temperature, friction=FRICTION / units.fs, fixcm=False, rng=rng)
    run.run(SETTLING)
    kept: list[tuple[np.ndarray, float, np.ndarray]] = []
    for done in range(frames):
        run.run(every)
        kept.append((atoms.get_positions(), float(atoms.get_potential_energy()), atoms.get_forces().copy()))
        if progress is not None:
            progress(done + 1, frames)
    positions, energies, forces = (torch.from_numpy(np.stack(part)) for part in zip(*kept))
    return Trajectory(torch.as_tensor(atoms.numbers).long(), positions, energies, forces)


def _relaxed(smiles: str, seed: int) -> Any:
    """The molecule as ASE atoms with its calculator, at a minimum of the energy."""
    chem, embed = engine("xtb", "rdkit.Chem"), engine("xtb", "rdkit.Chem.AllChem")
    ase, optimize, tblite = (engine("xtb", name) for name in ("ase", "ase.optimize", "tblite.ase"))
    read = chem.MolFromSmiles(smiles)
    if read is None or not read.GetNumAtoms():
        raise ArgumentError("smiles", "the SMILES of a molecule", repr(smiles))
    molecule = chem.AddHs(read)
    if embed.EmbedMolecule(molecule, randomSeed=seed):
        raise ArgumentError("smiles", "a molecule with a conformer", repr(smiles))
    numbers = [atom.GetAtomicNum() for atom in molecule.GetAtoms()]
    atoms = ase.Atoms(numbers, molecule.GetConformer().GetPositions())
    atoms.calc = tblite.TBLite(method="GFN2-xTB", verbosity=0)
    optimize.BFGS(atoms, logfile=None).run(fmax=0.05, steps=200)
    return atoms
