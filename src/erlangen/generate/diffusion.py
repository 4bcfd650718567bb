"""`Diffusion`: a process and a network that undoes it, as one module: fit, sample, and bound the likelihood."""

from __future__ import annotations

import copy
import json
import math
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn
from torch.utils.data import Dataset

from erlangen.errors import ArgumentError
from erlangen.generate.bound import Bound, likelihood_bound
from erlangen.generate.process import Process
from erlangen.generate.sampling import Guide, Order, Way, sample
from erlangen.generate.together import Batch, Together
from erlangen.serialization import load_weights, save_weights
from erlangen.training import History, TrainingConfig, train
from erlangen.training.modes import evaluating

Data = Tensor | Mapping[str, Tensor] | Sequence[Mapping[str, Any]] | Dataset[Any]

#: The one part of a process that is not a record.
BARE = "x"
#: The seed of the noise that validation data get: the same at every evaluation.
SEED = 0x5EED


class Diffusion(nn.Module):
    """A generative model: data become noise by a process, and a network learns the way back.

    A network for a single process is called ``network(x_t, t)`` and returns what :meth:`Process.loss` wants of it. One for a record
    (:class:`Together`) is called with the record's parts and context by name, ``network(t=t, **record)``, and returns a dict with what
    it says of each noised part. ``t`` is int64 ``[B]``. Where the network commutes with the process's action, the law of the samples
    is invariant.

    With a ``condition`` (names of context) the network is also given ``given``, bool ``[B]``: where it is false the condition is
    blanked to 0, as it is for a random ``drop`` of the training data, and ``sample(guidance=...)`` goes beyond what the condition
    alone does (Ho & Salimans, arXiv:2207.12598).

    In evaluation mode (and in :meth:`sample` and :meth:`log_likelihood_bound`) a running average of the weights answers. It follows the
    network with every :meth:`loss` in training mode, in :meth:`fit` or in a loop of one's own; until there was one the network answers.

    Args:
        process: a :class:`Process`, or :class:`Together` for a record of them.
        network: any module. :meth:`compile` compiles it.
        condition: names of context that may be missing.
        drop: how often it is in training.
        average: how much of the average is kept at every step, less at first; 0 for the last weights themselves.

    Raises:
        ArgumentError: a condition that is noised, is a segment or mask, or is named for a single process; numbers out of range.

    >>> from erlangen.generate import Gaussian
    >>> class Net(nn.Module):
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.inner = nn.Sequential(nn.Linear(3, 32), nn.SiLU(), nn.Linear(32, 2))
    ...     def forward(self, x, t):
    ...         return self.inner(torch.cat([x, t[:, None] / 50], 1))
    >>> model = Diffusion(Gaussian(schedule=50), Net())
    >>> history = model.fit(torch.randn(256, 2), TrainingConfig(steps=20), quiet=True)
    >>> made = model.sample(torch.empty(10, 2), steps=10, generator=torch.Generator().manual_seed(0))
    >>> made.shape, model.log_likelihood_bound(made, steps=10).nats.shape
    (torch.Size([10, 2]), torch.Size([10]))
    """

    def __init__(
        self,
        process: Process | Together,
        network: nn.Module,
        *,
        condition: Sequence[str] = (),
        drop: float = 0.1,
        average: float = 0.999,
    ) -> None:
        super().__init__()
        self.bare = isinstance(process, Process)
        self.process = Together({BARE: process}) if isinstance(process, Process) else process
        if not isinstance(self.process, Together):
            raise ArgumentError("process", "a Process or Together", type(process).__name__)
        if isinstance(condition, str):
            raise ArgumentError("condition", "a sequence of names", repr(condition))
        structure = {*self.process.parts, *self.process.segments.values(), *self.process.masks.values()}
        if condition and (self.bare or structure & set(condition)):
            raise ArgumentError("condition", "names of context of a record", f"{tuple(condition)} for {process!r}")
        for name, number, top in (("drop", drop, "at most 1"), ("average", average, "below 1")):
            if not 0 <= number <= 1 or (name == "average" and number == 1):
                raise ArgumentError(name, f"a number from 0, {top}", number)
        self.condition, self.drop, self.average = tuple(condition), drop, average
        self.network = network
        self.averaged = copy.deepcopy(network).requires_grad_(False).eval() if average else None
        self._updates: Tensor
        self.register_buffer("_updates", torch.zeros((), dtype=torch.int64))

    # ---- the network ----

    def forward(self, x_t: Any, t: Tensor, given: Tensor | None = None) -> Any:
        """What the network says of data at steps ``t``; ``given`` says where the condition is (by default everywhere)."""
        record = self._record(x_t)
        predictions = self._predict(record, t, given)
        return predictions[BARE] if self.bare else predictions

    def _predict(self, x_t: Batch, t: Tensor, given: Tensor | None = None) -> Batch:
        network = self.network if self.averaged is None or self.training or not int(self._updates) else self.averaged
        if self.bare:
            said: Any = {BARE: network(x_t[BARE], t)}
        elif self.condition:
            given = torch.ones_like(t, dtype=torch.bool) if given is None else given
            said = network(t=t, given=given, **self._blanked(x_t, given))
        else:
            said = network(t=t, **x_t)
        missing = [name for name in self.process.parts if not isinstance(said, Mapping) or not isinstance(said.get(name), Tensor)]
        if missing:
            raise ArgumentError(
                "network", f"a network that returns a tensor for each of {list(self.process.parts)}", f"none for {missing}"
            )
        return said  # type: ignore[return-value]

    def _blanked(self, x_t: Batch, given: Tensor) -> Batch:
        blanked = dict(x_t)
        for name in self.condition:
            if name not in x_t:
                raise ArgumentError("data", f"a record with the condition {name!r}", ", ".join(x_t))
            part = x_t[name]
            there = given if name not in self.process.segments else given[x_t[self.process.segments[name]]]
            blanked[name] = torch.where(there.reshape(-1, *(1,) * (part.ndim - 1)), part, torch.zeros_like(part))
        return blanked

    def train(self, mode: bool = True) -> Diffusion:
        super().train(mode)
        if self.averaged is not None:
            self.averaged.eval()
        return self

    def compile(self, *arguments: Any, **options: Any) -> None:
        """Compile the network and its average by ``torch.compile``; the loops around them stay as they are."""
        for network in (self.network, self.averaged):
            if network is not None:
                network.compile(*arguments, **options)

    # ---- learning ----

    def loss(self, data: Any, *, generator: torch.Generator | None = None) -> Tensor:
        """The mean loss of a batch, at a step and with noise of each datum's own.

        Steps are spread evenly over the batch: each is uniform, together they cover the chain, and the mean varies less.
        """
        record = self._record(data)
        if self.training and torch.is_grad_enabled():
            self._take_average()
        size = self.process.size(record)
        device = next(record[name].device for name in self.process.parts)
        source = device if generator is None else generator.device
        place = torch.randperm(size, generator=generator, device=source)
        shift = torch.rand((), generator=generator, device=source)
        t = (1 + (place + shift) * (self.process.steps / max(size, 1))).long().clamp(max=self.process.steps).to(device)
        x_t, target = self.process.noise(record, t, generator=generator)
        given = None
        if self.condition and self.training:
            given = (torch.rand(size, generator=generator, device=source) >= self.drop).to(device)
        return self.process.loss(self._predict(x_t, t, given), target, x_t, t).mean()

    def fit(
        self,
        data: Data,
        config: TrainingConfig | None = None,
        *,
        validation: Data | float | None = None,
        checkpoint: str | Path | None = None,
        description: str = "diffusion",
        quiet: bool = False,
    ) -> History:
        """Learn from data with :func:`erlangen.training.train`, which says what a checkpoint is and what can be resumed.

        Args:
            data: a tensor ``[n, ...]`` of a single process; a dict of dense tensors of one length; or a list of single data, dicts, which
                :meth:`Together.collate` makes batches of (ragged parts without their segments); or a data set whose ``__getitems__``
                makes one record of the data of the numbers it is asked for, ``[record]`` (with random changes of them, for instance).
            config: see :class:`~erlangen.training.TrainingConfig`.
            validation: data by whose loss the best weights are chosen (with the same noise at every evaluation), or what share of
                ``data`` is taken for it, at random by the config's seed.
            checkpoint: a directory.
            description, quiet: of the progress bar.

        Raises:
            ArgumentError: data that the process cannot make noise on, or as for ``train``.
        """
        config = config or TrainingConfig()
        learn, hold = _split(data, validation, config.seed) if isinstance(validation, int | float) else (data, validation)
        names, learned = self._training_data(learn, "data")
        held_names, held = (names, None) if hold is None else self._training_data(hold, "validation")
        if held_names != names:
            raise ArgumentError("validation", f"the same parts as data, {names}", held_names)

        def loss(model: Diffusion, *batch: Any) -> Tensor:
            record = {name: part[0] for name, part in batch[0].items()} if names is None else dict(zip(names, batch))
            data = record[BARE] if model.bare else record
            if not model.training:
                return model.loss(data, generator=torch.Generator().manual_seed(SEED))
            return model.loss(data)

        history = train(self, learned, loss, config, validation=held, checkpoint=checkpoint, description=description, quiet=quiet)
        if not history.best_step:  # the average has not seen the last step's weights; an evaluated one is kept as it was judged
            self._take_average()
        return history

    def _take_average(self) -> None:
        if self.averaged is None:
            return
        seen = int(self._updates)
        if any(mean.dtype in (torch.float16, torch.bfloat16) for mean in self.averaged.parameters()):
            hint = "keep the weights in float32, with mixed_precision in the TrainingConfig"
            raise ArgumentError(
                "average", "0 for weights in half precision, which small steps of an average do not move", repr(self.average), hint
            )
        share = 1 - min(self.average, (1 + seen) / (10 + seen))
        with torch.no_grad():
            for mean, now in zip(self.averaged.parameters(), self.network.parameters()):
                mean.lerp_(now, share)
            for kept, last in zip(self.averaged.buffers(), self.network.buffers()):
                kept.copy_(last)
            self._updates += 1

    # ---- what it is for ----

    @torch.no_grad()
    def sample(
        self,
        like: Any,
        *,
        steps: int | None = None,
        start: int | None = None,
        fixed: Any = None,
        guidance: float = 1.0,
        guide: Callable[[Any, Tensor], Tensor] | None = None,
        eta: float = 1.0,
        corrector: float | Mapping[str, float] = 0.0,
        order: Order = "corrector-first",
        generator: torch.Generator | None = None,
    ) -> Any:
        """New data of the shape, dtype, device and context of ``like``; else its values count only with ``start`` or ``fixed``.

        Args:
            like: a tensor of a single process, or a record. ``torch.empty(100, 3)`` asks for a hundred points.
            steps: how many strides, spread evenly over the chain; all ``T`` by default. As many as there are is the full chain, bit by
                bit.
            start: from this step on, from ``like`` with as much noise (to refine it), instead of from the prior.
            fixed: what of ``like`` is known and held: ``True`` or a bool mask of a single process's part, or a dict of these by name.
                At each step the known entries are as noisy as the rest, in the end they are those of ``like`` to the last bit. That is
                the usual approximation to the conditional law, not the law itself (Lugmayr et al., CVPR 2022, arXiv:2201.09865, draw
                it nearer).
            guidance: ``w`` in ``without + w (with - without)`` of what the network says with and without the condition; 1 is the
                condition alone, 0 goes without.
            guide: a function of a record (or tensor) and ``t`` that says how well each noisy datum is liked, a log-density ``[B]``;
                its gradient is added to the scores of parts of real numbers (Dhariwal & Nichol, NeurIPS 2021, arXiv:2105.05233).
            eta: 1 is ancestral sampling; 0 a deterministic map of what the prior draws, DDIM. Categories are always drawn.
            corrector: size of a Langevin step at every time, in units of the noise's variance there; a number, or a dict by name. For a
                step ``gamma (sigma_t / sigma_1)^2`` give ``gamma / sigma_1^2``.
            order: ``"corrector-first"`` takes it before each step back, ``"predictor-first"`` after it, where that does not end at 0.
            generator: source of randomness; numbers are drawn where it lives.

        Raises:
            ArgumentError: steps out of range; ``guidance`` without a condition; a guide, corrector or mask that does not fit its part.
        """
        if guidance != 1.0 and not self.condition:
            raise ArgumentError("guidance", "1 for a model without a condition", repr(guidance))
        if not math.isfinite(guidance):
            raise ArgumentError("guidance", "a finite number", repr(guidance))

        def predict(x_t: Batch, t: Tensor) -> Batch:
            if guidance == 1.0:
                return self._predict(x_t, t)
            without = self._predict(x_t, t, torch.zeros_like(t, dtype=torch.bool))
            if guidance == 0.0:
                return without
            with_it = self._predict(x_t, t)
            return {name: _beyond(without[name], with_it[name], guidance) for name in self.process.parts}

        if self.bare:
            fixed = None if fixed is None or fixed is False else {BARE: fixed}
        way = Way(steps, start, fixed, _of_record(guide) if self.bare and guide is not None else guide, eta, corrector, order)
        with evaluating(self):
            made = sample(self.process, predict, self._record(like, "like"), way, generator)
        return made[BARE] if self.bare else made

    @torch.no_grad()
    def log_likelihood_bound(
        self, data: Any, *, steps: int | None = None, samples: int | None = None, generator: torch.Generator | None = None
    ) -> Bound:
        """An unbiased estimate of the variational bound on the log-likelihood of each datum, below it in the mean.

        Args:
            data: as for :meth:`sample`.
            steps: of the chain whose likelihood is bounded, as in :meth:`sample`; all by default.
            samples: look at so many of the chain's steps, drawn uniformly and independently for each datum, and scale up, instead of at
                all of them; the last step is always looked at. Either way each is seen at one noisy datum.
            generator: source of randomness.

        Returns:
            a :class:`Bound`: nats or bits of each datum, by part and by term. Of real numbers it is a density (of fractional coordinates
            per volume of the cell, of centred points on centred configurations), of classes a probability.
        """
        with evaluating(self):
            return likelihood_bound(
                self.process, self._predict, self._record(data), steps=steps, samples=samples, generator=generator
            )

    # ---- files ----

    def settings(self) -> dict[str, Any]:
        """What weights belong to, ready for JSON."""
        return {"process": self.process.settings(), "condition": list(self.condition), "averaged": self.averaged is not None}

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write weights and settings as one safetensors file, in one step."""
        return save_weights(self, path, {"diffusion": json.dumps(self.settings(), sort_keys=True)})

    def load(self, path: str | os.PathLike[str]) -> None:
        """Read what :meth:`save` wrote into a model of the same process and network.

        Raises:
            ArgumentError: there is no such file, or its settings or weights are not this model's.
        """
        if not Path(path).is_file():
            raise ArgumentError("path", "an existing .safetensors file", path)
        try:
            with safe_open(path, framework="pt") as file:
                there = json.loads((file.metadata() or {}).get("diffusion", "null"))
        except SafetensorError as error:
            raise ArgumentError("path", "a .safetensors file", f"{path} ({error})") from None
        if there != self.settings():
            raise ArgumentError("path", f"weights of {self.settings()}", there)
        load_weights(self, path)

    # ---- data ----

    def _record(self, data: Any, argument: str = "data") -> Batch:
        if self.bare:
            if not isinstance(data, Tensor):
                raise ArgumentError(argument, "a tensor, for the process of one part", type(data).__name__)
            return {BARE: data}
        if not isinstance(data, Mapping):
            raise ArgumentError(argument, f"a record with {', '.join(self.process.parts)}", type(data).__name__)
        return dict(data)

    def _training_data(self, data: Data, argument: str) -> tuple[list[str] | None, Any]:
        """Names of parts and their tensors; of a list of data no names, and a data set of them."""
        if isinstance(data, Dataset):
            fetch = getattr(data, "__getitems__", None)
            if self.bare or fetch is None or not len(data):  # type: ignore[arg-type]
                raise ArgumentError(argument, "a data set of records with `__getitems__`, not empty", type(data).__name__)
            self._check(fetch([0])[0], argument)
            return None, data
        if isinstance(data, Sequence) and not isinstance(data, Tensor | Mapping):
            if self.bare or not data or not all(isinstance(datum, Mapping) for datum in data):
                raise ArgumentError(
                    argument, "a tensor, or a record, or a list of records, as the process has it", type(data).__name__
                )
            self._check(self.process.collate(data[:1]), argument)
            return None, _Listed(data, self.process)
        record = self._record(data, argument)
        if ragged := set(self.process.segments) & set(record):
            raise ArgumentError(argument, "a list of single data, for parts are ragged", f"one record with {sorted(ragged)}")
        self._check(record, argument)
        return list(record), tuple(record.values())

    def _check(self, record: Batch, argument: str) -> None:
        if not self.process.size(record):
            raise ArgumentError(argument, "at least one datum", "none")
        there = self.process.there(record)
        for name, process in self.process.parts.items():
            process.check(there[name], name)


class _Listed(Dataset[Any]):
    """Single data; asked for several, it gives one batch of them, made by the process."""

    def __init__(self, data: Sequence[Mapping[str, Any]], process: Together) -> None:
        self.data, self.process = list(data), process

    def __len__(self) -> int:
        return len(self.data)

    def __getitems__(self, index: list[int]) -> list[Batch]:
        return [self.process.collate([self.data[i] for i in index])]


def _beyond(without: Tensor, with_it: Tensor, guidance: float) -> Tensor:
    """On from one prediction past another; what both exclude (logits of minus infinity) stays excluded."""
    return torch.where(without == with_it, with_it, without + guidance * (with_it - without))


def _of_record(guide: Callable[[Tensor, Tensor], Tensor]) -> Guide:
    """A guide of a single part as one of the record that it is kept in."""
    return lambda record, t: guide(record[BARE], t)


def _split(data: Data, share: float, seed: int) -> tuple[Any, Any]:
    """Two parts, the second with about ``share`` of the data."""
    if isinstance(data, Dataset):
        raise ArgumentError("validation", "data of its own beside a data set", share)
    count = len(next(iter(data.values()))) if isinstance(data, Mapping) else len(data)
    held = round(share * count)
    if not 0 < held < count:
        raise ArgumentError("validation", f"a share that leaves both parts of {count} data filled", share)
    order = torch.randperm(count, generator=torch.Generator().manual_seed(seed))

    def part(index: Tensor) -> Any:
        if isinstance(data, Tensor):
            return data[index]
        if isinstance(data, Mapping):
            return {name: value[index] for name, value in data.items()}
        return [data[i] for i in index.tolist()]

    return part(order[held:]), part(order[:held])
