"""`JetTable`: jets stored so that every particle is exactly on its mass shell."""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from erlangen.data import DataSet
from erlangen.errors import ArgumentError

# Visible particles that live long enough to reach a detector, by |PDG id|; GeV (Particle Data Group, as in Pythia 8).
MASSES: dict[int, float] = {
    11: 0.000511,  # electron
    13: 0.10566,  # muon
    22: 0.0,  # photon
    130: 0.49761,  # long-lived neutral kaon
    211: 0.13957,  # charged pion
    321: 0.49368,  # charged kaon
    2112: 0.93957,  # neutron
    2212: 0.93827,  # proton
}


@dataclass(frozen=True, eq=False)
class JetTable:
    """Jets as the momenta of their particles, hardest particle first, padded with zeros.

    Energies are not stored. They follow from the momenta and the particles' masses in float64, so that
    ``E^2 - p^2 = m^2`` holds to rounding: a stored, rounded energy would break the very symmetry one looks for.

    Args:
        momenta: float32 ``[N, C, 3]``, ``(px, py, pz)`` of the ``C`` hardest particles in transverse momentum; GeV.
        particles: int16 ``[N, C]``, their PDG ids; 0 is padding.
        jets: float64 ``[N, 4]``, ``(E, px, py, pz)`` of the whole jet, all its particles counted; GeV.
        counts: int16 ``[N]``, how many particles the whole jet has (may exceed ``C``).
        labels: int8 ``[N]``, 1 for a top quark's jet, 0 for a light-quark or gluon (QCD) jet.
    """

    momenta: np.ndarray
    particles: np.ndarray
    jets: np.ndarray
    counts: np.ndarray
    labels: np.ndarray

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def masses(self) -> np.ndarray:
        """The particles' rest masses, float64 ``[N, C]``, 0 for padding; GeV."""
        masses = np.zeros(self.particles.shape)
        kinds = np.abs(self.particles.astype(np.int64))
        for kind, mass in MASSES.items():
            masses[kinds == kind] = mass
        return masses

    @property
    def jet_mass(self) -> np.ndarray:
        """The invariant mass of each whole jet, float64 ``[N]``; GeV."""
        energy, momentum = self.jets[:, 0], self.jets[:, 1:]
        return np.sqrt(energy**2 - (momentum**2).sum(-1))

    def four_momenta(self, constituents: int) -> Tensor:
        """``(E, px, py, pz)`` of the hardest ``constituents`` particles: float64 ``[N, constituents, 4]``; GeV.

        A jet with fewer particles is padded with zero four-vectors.
        """
        stored = self.momenta.shape[1]
        if not 1 <= constituents <= stored:
            hint = "More constituents need a live run: erlangen.fields.jets.generate(...)"
            raise ArgumentError("constituents", f"1 to {stored}, the number stored for each jet", repr(constituents), hint)
        p = self.momenta[:, :constituents].astype(np.float64)
        energy = np.sqrt((p**2).sum(-1) + self.masses[:, :constituents] ** 2)
        return torch.from_numpy(np.concatenate([energy[..., None], p], -1))

    def subset(self, index: np.ndarray) -> JetTable:
        """The jets at ``index`` (int or bool ``[M]``), in that order."""
        return JetTable(self.momenta[index], self.particles[index], self.jets[index], self.counts[index], self.labels[index])

    def data(self, constituents: int, source: str) -> DataSet:
        """The table as a labelled :class:`~erlangen.data.DataSet` of ``constituents`` four-vectors each."""
        return DataSet(
            "jets",
            self.four_momenta(constituents),
            torch.from_numpy(self.labels.astype(np.int64)),
            "class",
            names=("E", "px", "py", "pz"),
            units="GeV",
            source=source,
            about="particles of a jet, hardest first, zero-padded; label 1 top quark, 0 light quark or gluon",
        )

    def save(self, path: str | Path) -> None:
        """Write an ``.npz`` in one atomic step: a killed run leaves no half-written file."""
        path = Path(path)
        handle, draft = tempfile.mkstemp(dir=path.parent, suffix=".npz")
        try:
            with os.fdopen(handle, "wb") as stream:
                np.savez_compressed(
                    stream,
                    momenta=self.momenta,
                    particles=self.particles,
                    jets=self.jets,
                    counts=self.counts,
                    labels=self.labels,
                )
            os.chmod(draft, 0o644)  # mkstemp makes a private file; data packaged with the library must be readable
            os.replace(draft, path)
        except BaseException:
            os.unlink(draft)
            raise

    @classmethod
    def load(cls, path: str | Path) -> JetTable:
        """Read what :meth:`save` wrote."""
        with np.load(path, allow_pickle=False) as stored:
            return cls(stored["momenta"], stored["particles"], stored["jets"], stored["counts"], stored["labels"])
