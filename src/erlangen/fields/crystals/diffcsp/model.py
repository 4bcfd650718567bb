"""`DiffCSP`: crystals by diffusion of lattice, coordinates and types of atoms together."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from erlangen.errors import ArgumentError, ErlangenError
from erlangen.fields.crystals.crystal import Crystal
from erlangen.fields.crystals.dataset import CrystalDataset
from erlangen.fields.crystals.diffcsp import folders
from erlangen.fields.crystals.diffcsp.along import along
from erlangen.fields.crystals.diffcsp.asked import (
    atoms_of,
    check_elements,
    corrector_of,
    count,
    held_of,
    source_of,
    warn_of_strangers,
)
from erlangen.fields.crystals.diffcsp.batches import BySize, cut, pieces
from erlangen.fields.crystals.diffcsp.network import ELEMENTS, CSPNet
from erlangen.fields.crystals.diffcsp.orbits import is_protostructure, protostructures
from erlangen.fields.crystals.diffcsp.record import crystals, empty, has_volume, record
from erlangen.fields.crystals.diffcsp.settings import Settings
from erlangen.fields.crystals.niggli import niggli
from erlangen.generate import Diffusion, Gaussian, Together, WrappedNormal, cosine
from erlangen.generate.sampling import Order
from erlangen.groups import O
from erlangen.training import History, TrainingConfig
from erlangen.training.modes import evaluating

#: A log-density of noisy records at steps ``t``: what is liked.
Guide = Callable[[dict[str, Tensor], Tensor], Tensor]

#: How often a cell without volume is drawn anew.
TRIES = 10
#: Records whose padding makes more than this share of all pairs of atoms are trained on in batches of one size.
PADDED = 1.2


class DiffCSP:
    """Crystal structures from compositions, or from nothing, learned from examples.

    A crystal is a lattice, fractional coordinates and types of atoms. Noise is put on the lattice (normal, angstrom), on the coordinates
    (normal, wrapped around the torus) and, for ``task="generate"``, on the types (normal, on one-hot vectors), and :class:`CSPNet`
    learns what it is. The law of what is drawn is the same for crystals that are turned, mirrored, shifted, or written with their atoms
    in another order. It is *not* invariant under a change of the basis of the lattice, so training cells are Niggli-reduced first
    (:func:`~erlangen.fields.crystals.niggli.niggli`), and not under the rotations of a space group, for the noise on coordinates is alike
    in fractional and not in Cartesian directions.

    Args:
        settings: as keywords, see :class:`Settings`.

    Attributes:
        settings: those.
        diffusion: the :class:`~erlangen.generate.Diffusion` of lattice, coordinates and types.
        sizes: how many training crystals there were of each number of atoms, ``[max_atoms + 1]``.
        elements: how many training atoms there were of each element, ``[101]``.

    Source: Jiao et al., "Crystal structure prediction by joint equivariant diffusion", NeurIPS 2023, arXiv:2309.04475.

    >>> from erlangen.training import TrainingConfig
    >>> salt = Crystal(5.64 * torch.eye(3) / 2 @ (1 - torch.eye(3)), torch.tensor([[0.0, 0, 0], [0.5, 0.5, 0.5]]), ["Na", "Cl"])
    >>> model = DiffCSP(width=16, layers=1, frequencies=4)
    >>> model = model.fit([salt] * 8, TrainingConfig(steps=5), quiet=True)
    >>> model.predict("NaCl", 2, steps=10, seed=0)
    [Crystal('NaCl', 2 atoms), Crystal('NaCl', 2 atoms)]
    """

    def __init__(self, **settings: Any) -> None:
        self.settings = Settings(**settings)
        s = self.settings
        lattice = Gaussian(O(3).vector, cosine(s.steps, smallest=1e-4), "noise")
        coordinates = WrappedNormal(schedule=s.steps) if s.wrapped else Gaussian(None, cosine(s.steps, smallest=1e-4), "noise")
        parts = {"lattice": lattice, "frac": coordinates}
        masks, weights = {"frac": "mask"}, {}
        if s.task == "generate":
            parts["types"] = Gaussian(None, cosine(s.steps, smallest=1e-4), "noise")
            masks["types"], weights["types"] = "mask", 20.0
        network = CSPNet(
            s.width,
            s.layers,
            s.frequencies,
            types=s.task == "generate",
            inner_product=s.inner_product,
            fourier=s.fourier,
            chirality=s.chirality,
        )
        #: Of the last training.
        self.history: History | None = None
        self.diffusion = Diffusion(Together(parts, masks=masks, weights=weights), network, average=s.average)
        self.sizes = torch.zeros(s.max_atoms + 1, dtype=torch.int64)
        self.elements = torch.zeros(ELEMENTS + 1, dtype=torch.int64)

    # ---- learning ----

    def fit(
        self,
        structures: CrystalDataset | Sequence[Any],
        config: TrainingConfig | None = None,
        *,
        validation: CrystalDataset | Sequence[Any] | float | None = None,
        checkpoint: str | Path | None = None,
        quiet: bool = False,
    ) -> DiffCSP:
        """Learn from crystals; see :meth:`erlangen.generate.Diffusion.fit`. Returns the model; :attr:`history` says how it went.

        Args:
            structures: a :class:`CrystalDataset`, or crystals in a list (ours, ASE's, pymatgen's).
            config: of the training.
            validation: crystals by whose loss the best weights are chosen, or what share of ``structures``.
            checkpoint: a folder; a training that was interrupted goes on from there, bit by bit.
            quiet: no progress.

        Raises:
            ArgumentError: no crystals, too many atoms, or elements beyond fermium.
        """
        data = self.prepared(structures)
        learn = record(data, self.noisy_types, self._dtype)
        held: Any = validation
        if validation is not None and not isinstance(validation, int | float):
            held = self.record(validation, "validation")
        config = config or TrainingConfig()
        together: Any = learn
        if (held is None or isinstance(held, dict)) and self._is_ragged(data):
            # One window is a batch; with several processes each takes its own.
            world = int(os.environ.get("WORLD_SIZE", "1"))
            together = BySize(learn, max(1, config.batch_size // world))
            held = None if held is None else BySize(held, config.batch_size, shuffled=False)
            config = replace(config, batch_size=min(world, len(together)))
        self.history = self.diffusion.fit(
            together, config, validation=held, checkpoint=checkpoint, description="DiffCSP", quiet=quiet
        )
        self.sizes = torch.bincount(data.sizes, minlength=self.settings.max_atoms + 1)
        self.elements = torch.bincount(data.numbers, minlength=ELEMENTS + 1)
        return self

    @staticmethod
    def _is_ragged(data: CrystalDataset) -> bool:
        """Whether much of a batch of all sizes would be padding."""
        return int(data.sizes.max()) ** 2 > PADDED * float(data.sizes.double().square().mean())

    @property
    def noisy_types(self) -> bool:
        """Whether there is noise on types of atoms, too."""
        return self.settings.task == "generate"

    def prepared(self, structures: CrystalDataset | Sequence[Any], argument: str = "structures") -> CrystalDataset:
        """Crystals in the cells that the model knows: Niggli-reduced, right-handed, upright.

        Raises:
            ArgumentError: none, with too many atoms, or elements beyond fermium.
        """
        data = niggli(structures)
        largest = int(data.sizes.max())
        if largest > self.settings.max_atoms:
            raise ArgumentError(argument, f"cells of at most {self.settings.max_atoms} atoms (max_atoms)", f"one of {largest}")
        check_elements(data.numbers.tolist(), argument)
        return data

    def record(self, structures: CrystalDataset | Sequence[Any], argument: str = "structures") -> dict[str, Tensor]:
        """Crystals as the record that :attr:`diffusion` is trained on: ``lattice``, ``frac``, ``mask`` and ``numbers`` or ``types``."""
        return record(self.prepared(structures, argument), self.noisy_types, self._dtype)

    @torch.no_grad()
    def losses(self, structures: CrystalDataset | Sequence[Any], *, repeats: int = 1, seed: int = 0) -> dict[str, float]:
        """The mean squared error of each part, 1 where nothing is known of it; at random steps, ``repeats`` for each crystal."""
        count("repeats", repeats, "repeats")
        rng, data = source_of(seed, None), self._here(self.record(structures))
        process, totals = self.diffusion.process, dict.fromkeys(self.diffusion.process.parts, 0.0)
        rows = process.rows(data)
        sizes = data["mask"].sum(1).tolist()
        with evaluating(self.diffusion):
            for _ in range(repeats):
                t = torch.randint(1, process.steps + 1, (len(sizes),), generator=rng).to(self._device)
                x_t, targets = process.noise(data, t, generator=rng)
                said = {name: torch.zeros_like(targets[name]) for name in process.parts}
                for chosen in pieces(sorted(range(len(sizes)), key=sizes.__getitem__), sizes, len(sizes)):
                    for name, part in self.diffusion(cut({name: x[chosen] for name, x in x_t.items()}), t[chosen]).items():
                        said[name][chosen, : part.shape[1]] = part
                for name, part in process.parts.items():
                    each = part.loss(said[name], targets[name], x_t[name], t, rows=rows[name])
                    totals[name] += float(each.sum() / rows[name].count(each).sum()) / repeats
        return totals

    # ---- what it is for ----

    def predict(
        self,
        composition: Any,
        n_samples: int = 1,
        *,
        steps: int = 200,
        gamma: float = 1e-5,
        order: Order = "corrector-first",
        lattice: Any = None,
        fractional: Any = None,
        spacegroup: int | None = None,
        guide: Guide | None = None,
        tabulated: bool = False,
        batch_size: int = 256,
        seed: int | None = None,
        generator: torch.Generator | None = None,
    ) -> list[Crystal]:
        """Crystals of one composition, or of each in a list.

        Args:
            composition: the atoms of one cell (not of a formula unit): ``"BaTiO3"``, ``{"Ba": 1, "Ti": 1, "O": 3}``, pymatgen's
                ``Composition``, atomic numbers; or a list of these.
            n_samples: crystals of each.
            steps: strides of the sampler, evenly over the chain.
            gamma: size of the corrector's Langevin steps on the coordinates, ``gamma (sigma_t / sigma_1)^2``; 0 for no corrector, which
                halves the time.
            order: ``"corrector-first"`` is that of the source's code, ``"predictor-first"`` of its text.
            lattice: rows in angstrom, known and held.
            fractional: coordinates ``[n, 3]``, known and held; atoms are in the order of the composition.
            spacegroup: 1 to 230: crystals with this symmetry, to rounding. The atoms are put on its Wyckoff positions, for each crystal in
                one of all ways at random, and only what these leave free is drawn (:mod:`erlangen.fields.crystals.diffcsp.along`). The
                composition may then be a :class:`Protostructure`, its label or a list of these, too; cells are primitive, not reduced.
            guide: a log-density of noisy records whose gradient is followed; see :class:`Energy`.
            tabulated: read the network's waves from tables; see :class:`TabulatedTrunk`.
            batch_size: crystals at once, at most; large ones are fewer, for their pairs of atoms fill the memory.
            seed, generator: source of randomness; one of them.

        Returns:
            ``n_samples`` crystals for each composition, one after another, in right-handed cells; with something held in the cells as
            they came, of either hand, for what is held must stay.

        Raises:
            ArgumentError: a composition that cannot be read or is too large; a model whose types are noisy; what is held does not fit; a
                space group that cannot place the atoms.
            UserWarning: elements or numbers of atoms that were not in the training.
        """
        if self.noisy_types:
            raise ArgumentError("composition", "a model of task 'csp'", "one of task 'generate', which draws its compositions")
        n_samples = count("n_samples", n_samples)
        source = source_of(seed, generator)
        way = {"steps": steps, "corrector": self._corrector(gamma), "order": order, "guide": guide}
        if spacegroup is not None or is_protostructure(composition):
            if lattice is not None or fractional is not None:
                raise ArgumentError("spacegroup", "nothing held (lattice, fractional) beside it", repr(spacegroup))
            protos = protostructures(composition, n_samples, spacegroup, self.settings.max_atoms, source)
            self._warn(*([*one.counts] for one in protos), sizes=[one.n_atoms() for one in protos])
            return along(self._sampler(tabulated), protos, way, count("batch_size", batch_size), source)
        atoms = [one for one in atoms_of(composition, self.settings.max_atoms) for _ in range(n_samples)]
        self._warn(*atoms, sizes=map(len, atoms))
        held: dict[str, Tensor] = {}
        if lattice is not None:
            held["lattice"] = held_of("lattice", lattice, (3, 3))
            if not has_volume(held["lattice"]):
                raise ArgumentError("lattice", "rows that span a volume, above 0.1 cubic angstrom", repr(held["lattice"].tolist()))
        if fractional is not None:
            if len({len(one) for one in atoms}) > 1:
                raise ArgumentError("fractional", "compositions with one number of atoms", "several")
            held["frac"] = held_of("fractional", fractional, (len(atoms[0]), 3))
        return self._drawn(atoms, held, way, tabulated, batch_size, source)

    def generate(
        self,
        n: int,
        *,
        steps: int = 200,
        gamma: float = 5e-6,
        order: Order = "corrector-first",
        guide: Guide | None = None,
        tabulated: bool = False,
        batch_size: int = 256,
        seed: int | None = None,
        generator: torch.Generator | None = None,
    ) -> list[Crystal]:
        """New crystals, elements and all; numbers of atoms are drawn as they were in training. Arguments as for :meth:`predict`.

        Raises:
            ArgumentError: a model of task ``"csp"``, or one that was not trained.
        """
        if not self.noisy_types:
            raise ArgumentError("n", "a model of task 'generate'", "one of task 'csp': it wants compositions, see predict")
        n = count("n", n)
        if not int(self.sizes.sum()):
            raise ArgumentError("n", "a model that was trained", "one that has seen no crystals")
        source = source_of(seed, generator)
        sizes = torch.multinomial(self.sizes.double(), n, replacement=True, generator=source).tolist()
        way = {"steps": steps, "corrector": self._corrector(gamma), "order": order, "guide": guide}
        return self._drawn([[1] * size for size in sizes], {}, way, tabulated, batch_size, source)

    def refine(
        self,
        structures: CrystalDataset | Sequence[Any],
        t0: int,
        *,
        steps: int | None = None,
        gamma: float = 1e-5,
        guide: Guide | None = None,
        batch_size: int = 256,
        seed: int | None = None,
        generator: torch.Generator | None = None,
    ) -> list[Crystal]:
        """Crystals with the noise of step ``t0`` put on them and taken away again; arguments as for :meth:`predict`.

        Args:
            structures: what to start from; each is Niggli-reduced first.
            t0: how far back: 1 to ``settings.steps``.

        Raises:
            ArgumentError: as for :meth:`fit`, or ``t0`` out of range.
        """
        source = source_of(seed, generator)
        if not isinstance(t0, int) or isinstance(t0, bool) or not 1 <= t0 <= self.settings.steps:
            raise ArgumentError("t0", f"a step from 1 to {self.settings.steps}", repr(t0))
        data = self.record(structures)
        way: dict[str, Any] = {"start": t0, "steps": steps, "corrector": self._corrector(gamma), "guide": guide}
        sizes = data["mask"].sum(1).tolist()
        found: list[Crystal | None] = [None] * len(sizes)
        for chosen in pieces(sorted(range(len(sizes)), key=sizes.__getitem__), sizes, count("batch_size", batch_size)):
            some = self._here(cut({name: part[chosen] for name, part in data.items()}))
            made = self.diffusion.sample(some, generator=source, **way)
            for i, one in zip(chosen, crystals({name: part.cpu() for name, part in made.items()})):
                found[i] = one
        if None in found:
            raise ArgumentError(
                "t0", "an earlier step", f"{t0}, from which structure {found.index(None)} came back without a volume"
            )
        return [one for one in found if one is not None]

    def _drawn(
        self,
        atoms: list[list[int]],
        held: dict[str, Tensor],
        way: dict[str, Any],
        tabulated: bool,
        batch_size: int,
        generator: torch.Generator,
    ) -> list[Crystal]:
        model, most = self._sampler(tabulated), count("batch_size", batch_size)
        found: list[Crystal | None] = [None] * len(atoms)
        for _ in range(TRIES):
            missing = sorted((i for i, one in enumerate(found) if one is None), key=lambda i: len(atoms[i]))
            for chosen in pieces(missing, [len(one) for one in atoms], most):
                like = empty([atoms[i] for i in chosen], self.noisy_types, self._dtype)
                exact = {name: known.expand(len(chosen), *known.shape) for name, known in held.items()}
                like |= {name: known.to(self._dtype) for name, known in exact.items()}
                made = model.sample(self._here(like), fixed=dict.fromkeys(held, True), generator=generator, **way)
                # What is held comes back in double precision, whatever that of the network.
                for i, one in zip(chosen, crystals({name: part.cpu() for name, part in made.items()} | exact, as_is=bool(held))):
                    found[i] = one
            if None not in found:
                return [one for one in found if one is not None]
        raise ErlangenError(f"{found.count(None)} of {len(found)} cells had no volume, {TRIES} times: train the model for longer")

    def _sampler(self, tabulated: bool) -> Diffusion:
        """What samples: the model itself, or one with tables instead of waves."""
        if not tabulated:
            return self.diffusion
        if not self.settings.fourier:
            raise ArgumentError("tabulated", "False for a model without waves (fourier=False)", "True")
        diffusion = self.diffusion
        network = diffusion.network if diffusion.averaged is None or not int(diffusion._updates) else diffusion.averaged
        return Diffusion(diffusion.process, network.tabulated(), average=0.0)  # type: ignore[operator]

    def _corrector(self, gamma: float) -> Mapping[str, float]:
        return corrector_of(self.diffusion.process.parts["frac"], "frac", gamma)

    def _warn(self, *atoms: Sequence[int], sizes: Iterable[int]) -> None:
        warn_of_strangers((number for one in atoms for number in one), sizes, self.elements, self.sizes)

    @property
    def _dtype(self) -> torch.dtype:
        return next(self.diffusion.parameters()).dtype

    def _here(self, data: dict[str, Tensor]) -> dict[str, Tensor]:
        return {name: part.to(self._device) for name, part in data.items()}

    @property
    def _device(self) -> torch.device:
        return next(self.diffusion.parameters()).device

    # ---- files ----

    def save(self, folder: str | os.PathLike[str]) -> Path:
        """Write ``model.safetensors`` and ``model.json`` into a folder."""
        about = {"diffcsp": asdict(self.settings), "sizes": self.sizes.tolist(), "elements": self.elements.tolist()}
        return folders.write(folder, self.diffusion, about)

    @classmethod
    def load(cls, folder: str | os.PathLike[str]) -> DiffCSP:
        """The model that :meth:`save` wrote, in the same precision.

        Raises:
            ArgumentError: there is none, or its files are damaged.
        """

        def made(about: Mapping[str, Any]) -> DiffCSP:
            model = cls(**about["diffcsp"])
            for name in ("sizes", "elements"):
                counts = torch.tensor(about[name], dtype=torch.int64)
                if counts.shape != getattr(model, name).shape:
                    raise ValueError(f"{name}: {len(getattr(model, name))} numbers are expected, not {tuple(counts.shape)}")
                setattr(model, name, counts)
            return model

        return folders.read(folder, "diffcsp", "DiffCSP", made, lambda model: model.diffusion)

    def __repr__(self) -> str:
        s = self.settings
        return f"DiffCSP({s.task!r}, width={s.width}, layers={s.layers}, frequencies={s.frequencies})"
