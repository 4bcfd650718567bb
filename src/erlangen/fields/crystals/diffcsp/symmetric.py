"""`SymmetricDiffCSP`: crystals with a given space group, symmetric by construction."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from erlangen.errors import ArgumentError
from erlangen.fields.crystals.conventional import conventional
from erlangen.fields.crystals.crystal import Crystal
from erlangen.fields.crystals.dataset import CrystalDataset
from erlangen.fields.crystals.diffcsp import folders
from erlangen.fields.crystals.diffcsp.asked import corrector_of, count, source_of, warn_of_strangers
from erlangen.fields.crystals.diffcsp.batches import pieces
from erlangen.fields.crystals.diffcsp.network import ELEMENTS, Embedding, mean
from erlangen.fields.crystals.diffcsp.orbits import check_size, free_numbers, layout, over_orbits, protostructures
from erlangen.fields.crystals.diffcsp.settings import Settings
from erlangen.fields.crystals.diffcsp.trunk import Trunk
from erlangen.fields.crystals.lattice import from_log_polar
from erlangen.fields.crystals.protostructure import Protostructure
from erlangen.generate import Diffusion, Gaussian, Together, WrappedNormal, cosine
from erlangen.training import History, TrainingConfig

#: Settings that this model has.
OWN = ("width", "layers", "frequencies", "steps", "max_atoms", "average")


class SymmetricCSPNet(nn.Module):
    """What there is noise on the free numbers of symmetric crystals.

    The trunk sees the primitive cell: all its atoms, where their orbits' free coordinates put them, the lattice's coordinates and inner
    products. What it says of each atom's displacement is taken back to the free coordinates of its orbit, and averaged over the orbit.

    Args:
        width, layers, frequencies: of the :class:`Trunk`.
    """

    def __init__(self, width: int, layers: int, frequencies: int) -> None:
        super().__init__()
        self.trunk = Trunk(width, layers, frequencies, 6 + 6 + 9 + 1)
        self.embed = Embedding(width, False)
        self.lattice = nn.Linear(width, 6, bias=False)
        self.frac = nn.Linear(width, 3, bias=False)

    def forward(
        self,
        t: Int[Tensor, " B"],
        k: Float[Tensor, "B 6"],
        u: Float[Tensor, "B s 3"],
        k_there: Bool[Tensor, "B 6"],
        u_there: Bool[Tensor, "B s 3"],
        k_middle: Float[Tensor, "B 6"],
        k_spread: Float[Tensor, "B 6"],
        basis: Float[Tensor, "B 3 3"],
        linear: Float[Tensor, "B n 3 3"],
        shift: Float[Tensor, "B n 3"],
        back: Float[Tensor, "B n 3 3"],
        orbit: Int[Tensor, "B n"],
        numbers: Int[Tensor, "B n"],
        mask: Bool[Tensor, "B n"],
    ) -> dict[str, Tensor]:
        """Of ``k`` and ``u``; see :func:`~erlangen.fields.crystals.diffcsp.orbits.layout` for what the rest is."""
        own = u.gather(1, orbit.unsqueeze(-1).expand(-1, -1, 3))
        frac = (own.unsqueeze(2) @ linear).squeeze(2) + shift
        rows = basis @ from_log_polar(k_middle + k_spread * k)
        metric = rows @ rows.mT
        size = metric.diagonal(dim1=1, dim2=2).mean(1, keepdim=True)
        cell = torch.cat([k, k_there.to(k), metric.flatten(1) / size, size.log()], 1)
        h = self.trunk(self.embed(t, numbers, None), cell, frac, mask)
        return {"k": self.lattice(mean(h, mask)), "u": over_orbits(self.frac(h), back, orbit, mask, u)}


class SymmetricDiffCSP:
    """Crystals of a given space group and occupied Wyckoff positions, by diffusion of what these leave free.

    Noise is put on the log-polar coordinates of the lattice that its family leaves free, and, wrapped, on the free coordinates of each
    orbit: so all atoms of an orbit share their noise, and every crystal, noisy or made, has the group's symmetry to rounding. Training
    crystals are made symmetric first (:func:`~erlangen.fields.crystals.conventional`). The network predicts the velocity of the lattice's
    coordinates, not their noise as in the source: the way back then starts well whatever the network says.

    Args:
        width, layers, frequencies, steps, max_atoms, average: see :class:`Settings`.

    Source: Jiao et al., "Space group constrained crystal generation", ICLR 2024, arXiv:2402.03992.

    >>> salt = Crystal(5.64 * torch.eye(3) / 2 @ (1 - torch.eye(3)), torch.tensor([[0.0, 0, 0], [0.5, 0.5, 0.5]]), ["Na", "Cl"])
    >>> model = SymmetricDiffCSP(width=16, layers=1, frequencies=4)
    >>> model = model.fit([salt] * 4, TrainingConfig(steps=3), quiet=True)
    >>> model.predict("AB_cF8_225_a_b:Br-K", steps=5, seed=0)
    [Crystal('KBr', 2 atoms)]
    """

    def __init__(self, **settings: Any) -> None:
        self.settings = Settings(**settings)
        s = self.settings
        if s != Settings(**{name: getattr(s, name) for name in OWN}):
            raise ArgumentError("settings", ", ".join(OWN), repr(settings))
        parts = {"k": Gaussian(None, cosine(s.steps, smallest=1e-4), "velocity"), "u": WrappedNormal(schedule=s.steps)}
        network = SymmetricCSPNet(s.width, s.layers, s.frequencies)
        #: Of the last training.
        self.history: History | None = None
        self.diffusion = Diffusion(Together(parts, masks={"k": "k_there", "u": "u_there"}), network, average=s.average)
        #: How many training atoms there were of each element.
        self.elements = torch.zeros(ELEMENTS + 1, dtype=torch.int64)
        #: Middle and spread of the lattice's coordinates in training, the last less a third of the logarithm of the atoms of the cell.
        self.middle, self.spread = torch.zeros(6, dtype=torch.float64), torch.ones(6, dtype=torch.float64)

    def fit(
        self,
        structures: CrystalDataset | Sequence[Any],
        config: TrainingConfig | None = None,
        *,
        symprec: float = 0.01,
        checkpoint: str | Path | None = None,
        quiet: bool = False,
    ) -> SymmetricDiffCSP:
        """Learn from crystals; see :meth:`erlangen.generate.Diffusion.fit`. Returns the model; :attr:`history` says how it went.

        Args:
            structures: a :class:`CrystalDataset`, or crystals in a list (ours, ASE's, pymatgen's).
            config: of the training.
            symprec: how far atoms may be off their symmetric places, angstrom.
            checkpoint: a folder; a training that was interrupted goes on from there.
            quiet: no progress.

        Raises:
            ArgumentError: no crystals, too many atoms, elements beyond fermium, or a crystal in which no symmetry is found.
        """
        crystals = CrystalDataset.from_structures(structures)
        made = [conventional(one, symprec) for one in crystals]
        known = [free_numbers(one) for one in made]
        protos = [one.protostructure for one in made]
        check_size(protos, self.settings.max_atoms, "structures")
        k = torch.stack([one for one, _ in known])
        k[:, 5] -= _sizes(protos)
        free = torch.stack([layout(one)["lattice_free"] for one in protos])
        count = free.sum(0).clamp(min=1)
        self.middle = torch.where(free, k, 0).sum(0) / count
        off = torch.where(free, k - self.middle, 0)
        # A coordinate that never varies keeps the unit: then there is nothing to scale.
        spread = (off.square().sum(0) / count).sqrt()
        self.spread = torch.where(spread > 1e-3, spread, 1.0)
        data = self.record(protos)
        data["k"] = (off / self.spread).to(self._dtype)
        for i, (_, u) in enumerate(known):
            data["u"][i, : len(u)] = u.to(self._dtype)
        self.history = self.diffusion.fit(data, config, checkpoint=checkpoint, description="DiffCSP, symmetric", quiet=quiet)
        self.elements = torch.bincount(crystals.numbers, minlength=ELEMENTS + 1)
        return self

    def record(self, protos: Sequence[Protostructure]) -> dict[str, Tensor]:
        """What is known of crystals before their free numbers are, padded; these are 0."""
        each = [layout(one) for one in protos]
        n, s = max(len(one["numbers"]) for one in each), max(len(one["free"]) for one in each)

        def pad(name: str, length: int) -> Tensor:
            rows = [one[name] for one in each]
            made = rows[0].new_zeros(len(rows), length, *rows[0].shape[1:])
            for i, row in enumerate(rows):
                made[i, : len(row)] = row
            return made.to(self._dtype) if made.is_floating_point() else made

        free = torch.stack([one["lattice_free"] for one in each])
        middle = torch.where(free, self.middle, torch.stack([one["lattice_fixed"] for one in each]))
        middle[:, 5] += _sizes(protos)
        return {
            "k": torch.zeros(len(each), 6, dtype=self._dtype),
            "u": torch.zeros(len(each), s, 3, dtype=self._dtype),
            "k_there": free,
            "u_there": pad("free", s),
            "k_middle": middle.to(self._dtype),
            "k_spread": self.spread.expand(len(each), 6).to(self._dtype),
            "basis": torch.stack([one["basis"] for one in each]).to(self._dtype),
            **{name: pad(name, n) for name in ("linear", "shift", "back", "orbit", "numbers")},
            "mask": torch.arange(n) < torch.tensor([len(one["numbers"]) for one in each]).unsqueeze(1),
        }

    def predict(
        self,
        what: Any,
        n_samples: int = 1,
        *,
        spacegroup: int | None = None,
        steps: int = 200,
        gamma: float = 1e-5,
        batch_size: int = 256,
        seed: int | None = None,
        generator: torch.Generator | None = None,
    ) -> list[Crystal]:
        """Crystals of a protostructure, or of a composition in a space group.

        Args:
            what: a :class:`Protostructure`, its label, or a list of these; or, with ``spacegroup``, the atoms of one primitive cell,
                or of several in a list, as for :meth:`DiffCSP.predict`: each sample then has them on positions drawn from all ways to
                place them (:func:`~erlangen.fields.crystals.diffcsp.orbits.assignments`).
            n_samples: how many of each.
            spacegroup: 1 to 230, for compositions.
            steps, gamma, batch_size, seed, generator: see :meth:`DiffCSP.predict`.

        Returns:
            crystals in primitive cells, with the group's symmetry to rounding.

        Raises:
            ArgumentError: neither a protostructure nor a composition with a group; atoms that the group cannot place; too many.
            UserWarning: elements that were not in the training.
        """
        source = source_of(seed, generator)
        protos = protostructures(what, count("n_samples", n_samples), spacegroup, self.settings.max_atoms, source)
        warn_of_strangers({element for one in protos for element in one.counts}, (), self.elements, self.elements)
        corrector = corrector_of(self.diffusion.process.parts["u"], "u", gamma)
        made: list[Crystal | None] = [None] * len(protos)
        sizes = [one.n_atoms() for one in protos]
        for chosen in pieces(sorted(range(len(protos)), key=sizes.__getitem__), sizes, count("batch_size", batch_size)):
            like = {name: part.to(self._device) for name, part in self.record([protos[i] for i in chosen]).items()}
            got = self.diffusion.sample(like, steps=steps, corrector=corrector, generator=source)
            for i, k, u in zip(chosen, got["k"].cpu().double(), got["u"].cpu().double()):
                made[i] = self._placed(protos[i], k, u)
        return [one for one in made if one is not None]

    def _placed(self, proto: Protostructure, k: Tensor, u: Tensor) -> Crystal:
        facts = layout(proto)
        own = self.middle + self.spread * k
        own[5] += _sizes([proto])[0]
        # Fixed coordinates to the last bit, whatever the precision of the network.
        cell = from_log_polar(torch.where(facts["lattice_free"], own, facts["lattice_fixed"]))
        free = facts["free"]
        return proto.place(cell, u[: len(free)][free])

    @property
    def _dtype(self) -> torch.dtype:
        return next(self.diffusion.parameters()).dtype

    @property
    def _device(self) -> torch.device:
        return next(self.diffusion.parameters()).device

    def save(self, folder: str | os.PathLike[str]) -> Path:
        """Write ``model.safetensors`` and ``model.json`` into a folder."""
        about = {
            "symmetric_diffcsp": asdict(self.settings),
            **{name: getattr(self, name).tolist() for name in ("middle", "spread", "elements")},
        }
        return folders.write(folder, self.diffusion, about)

    @classmethod
    def load(cls, folder: str | os.PathLike[str]) -> SymmetricDiffCSP:
        """The model that :meth:`save` wrote, in the same precision.

        Raises:
            ArgumentError: there is none, or its files are damaged.
        """

        def made(about: Mapping[str, Any]) -> SymmetricDiffCSP:
            given = about["symmetric_diffcsp"]
            model = cls(**{name: given[name] for name in OWN})
            model.middle, model.spread = (
                torch.tensor(about[name], dtype=torch.float64).reshape(6) for name in ("middle", "spread")
            )
            model.elements = torch.tensor(about["elements"], dtype=torch.int64).reshape(ELEMENTS + 1)
            return model

        return folders.read(folder, "symmetric_diffcsp", "SymmetricDiffCSP", made, lambda model: model.diffusion)

    def __repr__(self) -> str:
        s = self.settings
        return f"SymmetricDiffCSP(width={s.width}, layers={s.layers}, frequencies={s.frequencies})"


def _sizes(protos: Sequence[Protostructure]) -> Float[Tensor, " B"]:
    """What the number of atoms of the conventional cell adds to the coordinate of its size."""
    return torch.tensor([one.n_atoms(primitive=False) for one in protos], dtype=torch.float64).log() / 3
