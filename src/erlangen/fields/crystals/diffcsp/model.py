"""`DiffCSP`: crystals by diffusion of lattice, coordinates and types of atoms together."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

from erlangen.errors import ArgumentError, ErlangenError
from erlangen.fields.crystals.composition import composition as read_composition
from erlangen.fields.crystals.crystal import Crystal
from erlangen.fields.crystals.dataset import CrystalDataset
from erlangen.fields.crystals.diffcsp.network import CSPNet
from erlangen.fields.crystals.diffcsp.record import check_elements, crystals, empty, record
from erlangen.fields.crystals.niggli import niggli
from erlangen.generate import Diffusion, Gaussian, Together, WrappedNormal, cosine
from erlangen.generate.sampling import Order
from erlangen.groups import O
from erlangen.serialization import read_json, write_json
from erlangen.training import History, TrainingConfig
from erlangen.training.modes import evaluating

Task = Literal["csp", "generate"]
#: A log-density of noisy records at steps ``t``: what is liked.
Guide = Callable[[dict[str, Tensor], Tensor], Tensor]

#: How often a cell without volume is drawn anew.
TRIES = 10
#: Pairs of atoms at once while sampling: some hundred megabytes for each layer of 256 features.
PAIRS = 120_000


@dataclass(frozen=True)
class Settings:
    """What decides a model.

    Attributes:
        task: ``"csp"``: compositions are given. ``"generate"``: types of atoms are noisy, too, as one-hot vectors.
        width, layers, frequencies: of the network; the source has 512, 6 and 128.
        steps: of the chain of noise.
        wrapped: ``False`` puts normal noise on coordinates as if they were no angles: an ablation.
        inner_product, fourier, chirality: see :class:`CSPNet`.
        max_atoms: in a cell.
        average: how much of the running average of weights is kept at every step; 0 for none.
    """

    task: Task = "csp"
    width: int = 256
    layers: int = 4
    frequencies: int = 64
    steps: int = 1000
    wrapped: bool = True
    inner_product: bool = True
    fourier: bool = True
    chirality: bool = False
    max_atoms: int = 52
    average: float = 0.999

    def __post_init__(self) -> None:
        if self.task not in ("csp", "generate"):
            raise ArgumentError("task", "'csp' or 'generate'", repr(self.task))
        if not isinstance(self.max_atoms, int) or self.max_atoms < 1:
            raise ArgumentError("max_atoms", "a positive number of atoms", repr(self.max_atoms))


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
        held = validation if validation is None or isinstance(validation, int | float) else self.record(validation, "validation")
        self.sizes = torch.bincount(data.sizes, minlength=self.settings.max_atoms + 1)
        learn = record(data, self.noisy_types, self._dtype)
        self.history = self.diffusion.fit(learn, config, validation=held, checkpoint=checkpoint, description="DiffCSP", quiet=quiet)
        return self

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
        rng, data = torch.Generator().manual_seed(seed), self._here(self.record(structures))
        process, totals = self.diffusion.process, dict.fromkeys(self.diffusion.process.parts, 0.0)
        rows = process.rows(data)
        with evaluating(self.diffusion):
            for _ in range(repeats):
                t = torch.randint(1, process.steps + 1, (process.size(data),), generator=rng).to(self._device)
                x_t, targets = process.noise(data, t, generator=rng)
                said = self.diffusion(x_t, t)
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
        lattice: Tensor | None = None,
        fractional: Tensor | None = None,
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
            guide: a log-density of noisy records whose gradient is followed; see :class:`Energy`.
            tabulated: read the network's waves from tables; see :class:`TabulatedTrunk`.
            batch_size: crystals at once, at most; large ones are fewer, for their pairs of atoms fill the memory.
            seed, generator: source of randomness; one of them.

        Returns:
            ``n_samples`` crystals for each composition, one after another, in right-handed cells; with something held in the cells as
            they came, of either hand, for what is held must stay.

        Raises:
            ArgumentError: a composition that cannot be read or is too large; a model whose types are noisy; what is held does not fit.
        """
        if self.noisy_types:
            raise ArgumentError("composition", "a model of task 'csp'", "one of task 'generate', which draws its compositions")
        if not isinstance(n_samples, int) or n_samples < 1:
            raise ArgumentError("n_samples", "a positive number of crystals", repr(n_samples))
        atoms = [self._atoms(one) for one in _each(composition) for _ in range(n_samples)]
        held: dict[str, Tensor] = {}
        for name, known, shape in (("lattice", lattice, (3, 3)), ("frac", fractional, (len(atoms[0]), 3))):
            if known is not None:
                if len({len(one) for one in atoms}) > 1 and name == "frac":
                    raise ArgumentError("fractional", "compositions with one number of atoms", "several")
                if not isinstance(known, Tensor) or known.shape != shape:
                    argument = "lattice" if name == "lattice" else "fractional"
                    raise ArgumentError(argument, f"a tensor {list(shape)}", repr(getattr(known, "shape", known)))
                held[name] = known.to(self._dtype)
        way = {"steps": steps, "corrector": self._corrector(gamma), "order": order, "guide": guide}
        return self._drawn(atoms, held, way, tabulated, batch_size, source_of(seed, generator))

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
        if not isinstance(n, int) or n < 1:
            raise ArgumentError("n", "a positive number of crystals", repr(n))
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
        made = self.diffusion.sample(
            self._here(self.record(structures)),
            start=t0,
            steps=steps,
            corrector=self._corrector(gamma),
            guide=guide,
            generator=source,
        )
        found = crystals({name: part.cpu() for name, part in made.items()})
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
        model = self._tabulated() if tabulated else self.diffusion
        found: list[Crystal | None] = [None] * len(atoms)
        for _ in range(TRIES):
            missing = sorted((i for i, one in enumerate(found) if one is None), key=lambda i: len(atoms[i]))
            for chosen in _batches(missing, [len(one) for one in atoms], batch_size):
                like = empty([atoms[i] for i in chosen], self.noisy_types, self._dtype)
                like |= {name: known.expand(len(chosen), *known.shape).clone() for name, known in held.items()}
                made = model.sample(self._here(like), fixed=dict.fromkeys(held, True), generator=generator, **way)
                for i, one in zip(chosen, crystals({name: part.cpu() for name, part in made.items()}, as_is=bool(held))):
                    found[i] = one
            if None not in found:
                return [one for one in found if one is not None]
        raise ErlangenError(f"{found.count(None)} of {len(found)} cells had no volume, {TRIES} times: train the model for longer")

    def _tabulated(self) -> Diffusion:
        diffusion = self.diffusion
        network = diffusion.network if diffusion.averaged is None or not int(diffusion._updates) else diffusion.averaged
        return Diffusion(diffusion.process, network.tabulated(), average=0.0)  # type: ignore[operator]

    def _corrector(self, gamma: float) -> dict[str, float]:
        if not gamma:
            return {}
        process = self.diffusion.process.parts["frac"]
        if not isinstance(process, WrappedNormal):
            return {"frac": gamma}
        return {"frac": gamma / float(process.sigma[1]) ** 2}

    def _atoms(self, one: Any) -> list[int]:
        counts = read_composition(one)
        total, most = sum(counts.values()), self.settings.max_atoms
        if total > most:
            raise ArgumentError("composition", f"at most {most} atoms in a cell (max_atoms)", f"{total}, {one!r}")
        check_elements(counts, "composition")
        return [number for number, count in counts.items() for _ in range(count)]

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
        folder = Path(folder)
        self.diffusion.save(folder / "model.safetensors")
        write_json(folder / "model.json", {"diffcsp": asdict(self.settings), "sizes": self.sizes.tolist()})
        return folder

    @classmethod
    def load(cls, folder: str | os.PathLike[str]) -> DiffCSP:
        """The model that :meth:`save` wrote.

        Raises:
            ArgumentError: there is none, or its files are damaged.
        """
        path = Path(folder) / "model.json"
        if not path.is_file():
            raise ArgumentError("folder", "a folder with a saved DiffCSP (model.json, model.safetensors)", repr(str(folder)))
        about = read_json(path, "folder")
        try:
            model = cls(**about["diffcsp"])
            sizes = torch.tensor(about["sizes"], dtype=torch.int64)
        except (KeyError, TypeError, ValueError) as problem:
            raise ArgumentError("folder", "a folder with a saved DiffCSP", f"'{path}', which is damaged ({problem})") from None
        if sizes.shape != model.sizes.shape:
            raise ArgumentError("folder", f"numbers of crystals of 0 to {len(model.sizes) - 1} atoms", f"{tuple(sizes.shape)}")
        model.sizes = sizes
        model.diffusion.load(path.with_name("model.safetensors"))
        return model

    def __repr__(self) -> str:
        s = self.settings
        return f"DiffCSP({s.task!r}, width={s.width}, layers={s.layers}, frequencies={s.frequencies})"


def _batches(chosen: Sequence[int], sizes: Sequence[int], most: int) -> Iterator[list[int]]:
    """Crystals in the order of their sizes, so many at once that their pairs of atoms fit into memory."""
    batch: list[int] = []
    for i in chosen:
        if batch and (len(batch) >= most or (len(batch) + 1) * sizes[i] ** 2 > PAIRS):
            yield batch
            batch = []
        batch.append(i)
    if batch:
        yield batch


def _each(given: Any) -> list[Any]:
    """The compositions of a list of them; one composition may be a list itself, of elements."""
    if not isinstance(given, list | tuple):
        return [given]
    if not given:
        raise ArgumentError("composition", "at least one", "none")
    if all(isinstance(one, int) for one in given):
        return [given]
    return list(given)


def source_of(seed: int | None, generator: torch.Generator | None) -> torch.Generator:
    """The source of randomness that is meant: one's own, a seeded one, or one that nobody knows."""
    if seed is not None and generator is not None:
        raise ArgumentError("seed", "a seed or a generator", "both")
    if generator is not None:
        return generator
    made = torch.Generator()
    if seed is None:
        made.seed()
    return made if seed is None else made.manual_seed(seed)
