"""`WyckoffDiff`: which elements stand on which Wyckoff positions of a space group, learnt and drawn; no coordinates."""

from __future__ import annotations

import hashlib
import json
import math
import operator
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import torch
from jaxtyping import Float
from torch import Tensor

from erlangen.errors import ArgumentError, unsupported
from erlangen.fields.crystals.composition import atomic_number
from erlangen.fields.crystals.protostructure import Protostructure
from erlangen.fields.crystals.wyckoffdiff.beforehand import Beforehand, Frequencies, frequencies
from erlangen.fields.crystals.wyckoffdiff.network import WyckoffGNN
from erlangen.fields.crystals.wyckoffdiff.posterior import Posterior
from erlangen.fields.crystals.wyckoffdiff.reading import protostructures
from erlangen.fields.crystals.wyckoffdiff.relabelings import Descriptions, OverDescriptions, Relabelings
from erlangen.fields.crystals.wyckoffdiff.state import GROUPS, SEGMENTS, Batch, States, decode, encode, vacant
from erlangen.generate import Bound, Categorical, Diffusion, Together
from erlangen.serialization import read_tensors, weights_bytes, write_bytes
from erlangen.training import History, TrainingConfig

#: The two parts of a record.
POINTS, COUNTS = "points", "counts"
#: What losses are multiplied by: means over entries that are nearly all vacant have gradients not far from AdamW's epsilon of 1e-8.
SCALE = 100.0
#: Of the settings in a file's metadata.
KEY = "wyckoffdiff"


class WyckoffDiff:
    """A diffusion model of protostructures: categorical noise on the Wyckoff positions of a crystal's space group.

    The space group of a sample is given, or drawn as often as it occurred. What stands on its positions then comes back from noise, which
    keeps or redraws each entry by itself; every sample is symmetric because nothing else can be said of it. Built as a
    :class:`~erlangen.generate.Diffusion` over two :class:`~erlangen.generate.Categorical` parts, ``diffusion`` once it is fitted.

    Two things beside the source: the network's logits are added to the logarithms of each position's frequencies in the training data and
    to what an entry's own noisy value tells (:class:`Posterior`), so that training starts from the exact model of independent positions;
    and the last step ends at a datum, without the noise of one step that the source's code leaves.

    Args:
        base: what noise redraws entries from: ``"zeros"`` (vacant, 0), ``"marginal"`` (the frequencies in the training data, of points
            and of counts) or ``"uniform"``.
        elements: ``E``: atomic numbers 1 to this are known.
        most: ``C``: so many orbits of one element on a position at most.
        steps: ``T``.
        hidden, layers, width, attention, norm, rank, company: of :class:`WyckoffGNN`.
        beforehand: ``"positions"``, or ``"pooled"`` for the frequencies over all positions, the source's scale of knowledge.
        evidence: whether an entry's own noisy value enters by Bayes' rule.
        relabel: whether a crystal is learnt in a description drawn anew each time; ``"canonical"`` takes its canonical one, so that
            nothing has to be learnt twice; False the one that it has.
        invariant: average over all descriptions in every call; exact, and as many times as slow.
        condition: whether a number of each crystal is learnt with (``fit(values=...)``), to ask for.
        cross_entropy, bound: weights of the losses of :class:`~erlangen.generate.Categorical`.
        normalised: the loss of a crystal is the mean over its entries, as the source's; else their sum, minus its log-probability, so that
            groups of many positions are not learnt last.
        average: of the running average of the weights, see :class:`~erlangen.generate.Diffusion`.
        seed: of the first weights.

    Raises:
        ArgumentError: another base, or a size that is not positive.

    Source: Ekström Kelvinius, Andersson, Parackal, Qian, Armiento & Lindsten, ICML 2025, arXiv:2502.06485.

    >>> from erlangen.fields.crystals import Protostructure
    >>> salt = [Protostructure.from_wyckoffs(225, [("a", x), ("b", y)]) for x in ("Na", "K") for y in ("Cl", "Br")]
    >>> model = WyckoffDiff(steps=20, hidden=16)
    >>> model = model.fit(salt, TrainingConfig(steps=10), quiet=True)
    >>> made = model.sample(5, elements=("Na", "Cl"), generator=torch.Generator().manual_seed(0))
    >>> len(made), {one.space_group for one in made if one}
    (5, {225})
    """

    def __init__(
        self,
        base: Literal["zeros", "marginal", "uniform"] = "zeros",
        *,
        elements: int = 94,
        most: int = 8,
        steps: int = 1000,
        hidden: int = 256,
        layers: int = 3,
        width: int | None = None,
        attention: Sequence[int] = (24,),
        norm: bool = False,
        rank: int | None = None,
        company: bool = False,
        beforehand: Literal["positions", "pooled"] = "positions",
        evidence: bool = True,
        relabel: bool | Literal["canonical"] = True,
        invariant: bool = False,
        condition: bool = False,
        cross_entropy: float = 1.0,
        bound: float = 0.0,
        normalised: bool = True,
        average: float = 0.999,
        seed: int = 0,
    ) -> None:
        if base not in ("zeros", "marginal", "uniform"):
            raise ArgumentError("base", "'zeros', 'marginal' or 'uniform'", repr(base))
        if not isinstance(elements, int) or not 1 <= elements <= 118:
            raise ArgumentError("elements", "a number from 1 to 118", repr(elements))
        if beforehand not in ("positions", "pooled"):
            raise ArgumentError("beforehand", "'positions' or 'pooled'", repr(beforehand))
        if relabel not in (True, False, "canonical"):
            raise ArgumentError("relabel", "True, False or 'canonical'", repr(relabel))
        self.settings: dict[str, Any] = {
            "base": base,
            "elements": elements,
            "most": most,
            "steps": steps,
            "hidden": hidden,
            "layers": layers,
            "width": width,
            "attention": list(attention),
            "norm": norm,
            "rank": rank,
            "company": company,
            "beforehand": beforehand,
            "evidence": evidence,
            "relabel": relabel,
            "invariant": invariant,
            "condition": condition,
            "cross_entropy": cross_entropy,
            "bound": bound,
            "normalised": normalised,
            "average": average,
            "seed": seed,
        }
        self._network()  # refuses sizes
        self._diffusion: Diffusion | None = None
        #: Of the last training.
        self.history: History | None = None
        #: How often each space group occurred in the training data, ``[231]``.
        self.space_groups: Float[Tensor, " 231"] = torch.zeros(GROUPS, dtype=torch.float64)
        #: Mean and deviation of the values of the condition.
        self.values = torch.tensor([0.0, 1.0], dtype=torch.float64)

    @property
    def diffusion(self) -> Diffusion:
        """The fitted process and network.

        Raises:
            UnsupportedError: the model is not fitted.
        """
        if self._diffusion is None:
            unsupported(self, "weights yet", "fit it, or WyckoffDiff.load(path)")
        return self._diffusion

    # ---- learning ----

    def fit(
        self,
        structures: Any,
        config: TrainingConfig | None = None,
        *,
        values: Sequence[float] | Tensor | None = None,
        validation: Any = None,
        checkpoint: str | Path | None = None,
        quiet: bool = False,
    ) -> WyckoffDiff:
        """Learn from crystals; a second call begins anew. Returns the model; :attr:`history` says how it went.

        Args:
            structures: protostructures; or crystals, ASE Atoms, pymatgen Structures or a ``CrystalDataset``, whose groups and positions
                are found first.
            config: see :class:`~erlangen.training.TrainingConfig`. Normalised losses are 100 times the mean over a crystal's
                entries.
            values: of the condition, one for each crystal.
            validation: crystals of the same kinds by whose loss the best weights are chosen.
            checkpoint: a directory; see :func:`erlangen.training.train`.
            quiet: no progress bar.

        Raises:
            ArgumentError: no crystals, an element beyond ``elements``, more than ``most`` orbits of one element on a position, values
                without a condition or the other way round.
        """
        states = States(self._encoded(structures))
        held = None
        if validation is not None:
            if self.settings["condition"]:
                raise ArgumentError("validation", "none of a model with a condition", "validation data without values")
            held = States(self._encoded(validation))
        context = self._values(values, len(states))
        present = states.group.unique().tolist() + ([] if held is None else held.group.unique().tolist())
        relabelings = Relabelings(present) if self.settings["relabel"] is True else None
        self.space_groups = torch.bincount(states.group, minlength=GROUPS).double() / len(states)
        known = frequencies(states, self.settings["most"], relabelings, self.settings["beforehand"], self.settings["seed"])
        self._diffusion = self._built(known, self._bases(states))
        self.history = self._diffusion.fit(
            Descriptions(states, relabelings, context),
            config,
            validation=None if held is None else Descriptions(held, None),
            checkpoint=checkpoint,
            description="WyckoffDiff",
            quiet=quiet,
        )
        return self

    def _encoded(self, structures: Any) -> Batch:
        crystals = protostructures(structures)
        if self.settings["relabel"] == "canonical":
            crystals = [one.canonical() for one in crystals]
        return encode(crystals, self.settings["elements"], self.settings["most"])

    def _values(self, values: Any, count: int) -> Batch:
        if (values is not None) != self.settings["condition"]:
            raise ArgumentError("values", "one number for each crystal just when the model has a condition", type(values).__name__)
        if values is None:
            return {}
        numbers = torch.as_tensor(values, dtype=torch.float64)
        if numbers.shape != (count,) or not bool(numbers.isfinite().all()) or count < 2 or float(numbers.std()) == 0:
            raise ArgumentError("values", f"{count} finite numbers that differ", f"shape {tuple(numbers.shape)}")
        self.values = torch.stack([numbers.mean(), numbers.std()])
        return {"value": ((numbers - self.values[0]) / self.values[1]).to(torch.get_default_dtype())}

    def _bases(self, states: States) -> dict[str, Tensor]:
        """What noise redraws from, ``[E + 1]`` and ``[C + 1]``."""
        sizes = {POINTS: self.settings["elements"] + 1, COUNTS: self.settings["most"] + 1}
        if self.settings["base"] == "marginal":
            tally = {name: torch.bincount(states.parts[name].flatten().long(), minlength=k).double() for name, k in sizes.items()}
            # Without one part (no group with a point, or none without) there is nothing that it could be used for.
            return {name: each / each.sum() if each.sum() else torch.full_like(each, 1 / len(each)) for name, each in tally.items()}
        zeros = self.settings["base"] == "zeros"
        return {
            name: torch.eye(k, dtype=torch.float64)[0] if zeros else torch.full((k,), 1 / k).double() for name, k in sizes.items()
        }

    def _network(self) -> WyckoffGNN:
        names = ("elements", "most", "steps", "hidden", "layers", "width", "attention", "norm", "rank", "company")
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.settings["seed"])
            return WyckoffGNN(**{name: self.settings[name] for name in names})

    def _built(self, known: Frequencies, bases: Mapping[str, Tensor]) -> Diffusion:
        weights = {name: self.settings[name] for name in ("cross_entropy", "bound")}
        processes = {
            name: Categorical(len(m), m if self.settings["base"] != "zeros" else 0, self.settings["steps"], **weights)
            for name, m in bases.items()
        }
        network = self._network()
        posterior = Posterior(
            OverDescriptions(network) if self.settings["invariant"] else network,
            processes,
            Beforehand(known),
            evidence=self.settings["evidence"],
            condition=self.settings["hidden"] if self.settings["condition"] else None,
        )
        if self.settings["normalised"]:
            process = Together(processes, segments=SEGMENTS, weights=dict.fromkeys(processes, SCALE), average="entries")
        else:
            process = Together(processes, segments=SEGMENTS, average="none")
        condition = ("value",) if self.settings["condition"] else ()
        return Diffusion(process, posterior, condition=condition, average=self.settings["average"])

    # ---- what it is for ----

    def sample(
        self,
        n: int,
        *,
        space_group: int | Sequence[float] | Tensor | None = None,
        elements: Sequence[str | int] | None = None,
        value: float | None = None,
        guidance: float = 1.0,
        steps: int | None = None,
        generator: torch.Generator | None = None,
        batch: int = 500,
    ) -> list[Protostructure | None]:
        """New protostructures; None in the place of one without an atom, for it was drawn as well.

        Args:
            n: how many.
            space_group: of all of them, or probabilities of groups 1 to 230; as in the training data by default.
            elements: the only ones that may occur, symbols or atomic numbers.
            value, guidance: of the condition, and how far beyond it; see :meth:`erlangen.generate.Diffusion.sample`.
            steps: strides over the chain, all steps by default.
            generator: source of randomness.
            batch: so many at a time.

        Raises:
            ArgumentError: no such group, probabilities of another shape or sum, an unknown element or none, a value without a condition.
        """
        if not isinstance(n, int) or isinstance(n, bool) or n < 1:
            raise ArgumentError("n", "a positive whole number", repr(n))
        if not isinstance(batch, int) or batch < 1:
            raise ArgumentError("batch", "a positive whole number", repr(batch))
        if value is not None and not self.settings["condition"]:
            raise ArgumentError("value", "none for a model without a condition", repr(value))
        diffusion = self.diffusion
        if value is not None and not math.isfinite(value):
            raise ArgumentError("value", "a finite number", repr(value))
        if (number := _number(space_group)) is None:
            groups = torch.multinomial(self._chances(space_group), n, replacement=True, generator=generator)
        else:
            groups = torch.full((n,), number)
        allowed = self._allowed(elements)
        made: list[Protostructure | None] = []
        for some in groups.split(batch):
            like = vacant(some, self.settings["elements"])
            if allowed is not None:
                like["allowed"] = allowed.expand(len(some), -1)
            w = guidance
            if self.settings["condition"]:
                like["value"] = torch.zeros(len(some)) + (
                    0.0 if value is None else (value - float(self.values[0])) / float(self.values[1])
                )
                w = 0.0 if value is None else guidance
            made += decode(diffusion.sample(like, steps=steps, guidance=w, generator=generator))
        return made

    def log_likelihood_bound(
        self, structures: Any, *, steps: int | None = None, samples: int | None = None, generator: torch.Generator | None = None
    ) -> Bound:
        """A bound on the log-probability of what stands on the positions of each crystal, given its group, in the description it has
        (in the canonical one of a model that learns these).

        See :meth:`erlangen.generate.Diffusion.log_likelihood_bound`.
        """
        data = self._encoded(structures)
        if self.settings["condition"]:
            unsupported(self, "bound without the values of its condition", "use one without")
        return self.diffusion.log_likelihood_bound(data, steps=steps, samples=samples, generator=generator)

    def _chances(self, space_group: Any) -> Tensor:
        """Of groups 0 to 230."""
        if space_group is None:
            return self.space_groups
        try:
            given = torch.as_tensor(space_group, dtype=torch.float64)
        except (TypeError, ValueError, RuntimeError):
            raise ArgumentError("space_group", "a number from 1 to 230, or 230 probabilities", repr(space_group)) from None
        if given.shape != (GROUPS - 1,) or not bool((given >= 0).all()) or abs(float(given.sum()) - 1) > 1e-6:
            raise ArgumentError(
                "space_group",
                "a number from 1 to 230, or 230 probabilities",
                f"shape {tuple(given.shape)}, sum {float(given.sum()):.6g}",
            )
        return torch.cat([given.new_zeros(1), given])

    def _allowed(self, elements: Sequence[str | int] | None) -> Tensor | None:
        if elements is None:
            return None
        allowed = torch.zeros(self.settings["elements"] + 1, dtype=torch.bool)
        for number in (atomic_number(one, "elements") for one in elements):
            if number > self.settings["elements"]:
                raise ArgumentError("elements", f"atomic numbers up to {self.settings['elements']}", number)
            allowed[number] = True
        if not bool(allowed.any()):
            raise ArgumentError("elements", "at least one element", "none")
        allowed[0] = True
        return allowed

    # ---- files ----

    def _bytes(self) -> bytes:
        tensors = {f"diffusion.{name}": t for name, t in self.diffusion.state_dict().items()}
        parts = self.diffusion.process.parts
        tensors |= {f"base.{name}": parts[name].m for name in (POINTS, COUNTS)}  # type: ignore[attr-defined]
        tensors |= {"space_groups": self.space_groups, "values": self.values}
        return weights_bytes(tensors, {KEY: json.dumps(self.settings, sort_keys=True)})

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the model as one safetensors file, in one step."""
        return write_bytes(path, self._bytes())

    def digest(self) -> str:
        """Of all that a file of the model holds: models of one digest make the same samples."""
        return hashlib.sha256(self._bytes()).hexdigest()

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> WyckoffDiff:
        """The model that :meth:`save` wrote.

        Raises:
            ArgumentError: there is no such file, or it is damaged or of something else.
        """
        if not Path(path).is_file():
            raise ArgumentError("path", "an existing .safetensors file", repr(str(path)))
        tensors, settings = read_tensors(path, KEY, "path")
        try:
            model = cls(**settings)
            model.space_groups, model.values = tensors.pop("space_groups"), tensors.pop("values")
            bases = {name: tensors.pop(f"base.{name}") for name in (POINTS, COUNTS)}
            state = {name.removeprefix("diffusion."): t for name, t in tensors.items()}
            known = Frequencies(*(state[f"network.beforehand.{name}"].exp() for name in (POINTS, COUNTS)))
            # In the precision that they were saved in, whatever the default is.
            precision = next(t.dtype for name, t in state.items() if name.startswith("network.network."))
            diffusion = model._built(known, bases).to(precision)
            diffusion.load_state_dict(state)
        except (KeyError, TypeError, RuntimeError) as problem:
            raise ArgumentError("path", "a file of a WyckoffDiff", f"'{path}' ({problem})") from None
        model._diffusion = diffusion.eval()
        return model

    def __repr__(self) -> str:
        kept = {name: self.settings[name] for name in ("base", "elements", "most", "steps", "hidden")}
        return f"WyckoffDiff({', '.join(f'{name}={value!r}' for name, value in kept.items())})"


def _number(space_group: Any) -> int | None:
    """A single whole number of any library; None for what is none."""
    if isinstance(space_group, bool) or (hasattr(space_group, "shape") and len(space_group.shape)):
        return None
    try:
        return operator.index(space_group)
    except TypeError:
        return None
