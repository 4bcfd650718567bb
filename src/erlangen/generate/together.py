"""`Together`: noise on several parts of a record at once, at one time for each datum."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import torch
from jaxtyping import Float
from torch import Tensor

from erlangen.actions.base import Action
from erlangen.actions.records import Record
from erlangen.errors import ArgumentError
from erlangen.generate.process import Process
from erlangen.generate.rows import Rows

Batch = dict[str, Tensor]


class Together:
    """Processes on the parts of a record, a dict of tensors, that share the step ``t`` of each datum.

    What the record holds besides is context, which gets no noise and goes to the network as it is: a composition, a label, a mask. What
    a part is, is said and never guessed from its length: a part leads with the data, ``[B, ...]``, unless ``segments`` names the part
    that says which datum each of its rows belongs to.

    Args:
        parts: name -> process, all of as many steps.
        segments: name of a ragged part or context ``[N, ...]`` -> name of its segment in the record, int64 ``[N]`` from 0 up.
        masks: name of a dense part -> name of its mask in the record, bool ``[B, n]`` or of more of its leading axes.
        weights: of the parts' losses; 1 where none is given.
        average: what a datum's loss is: the weighted sum of the means over its ``"parts"``, the weighted mean over all its ``"entries"``,
            or, of ``"none"``, the weighted sum over all its entries, so that data with more of them weigh more.

    Raises:
        ArgumentError: no parts, of different numbers of steps, or names that are none of a part.

    >>> from erlangen.generate import Categorical, Gaussian
    >>> process = Together({"pos": Gaussian(schedule=50), "kind": Categorical(4, schedule=50)}, segments={"pos": "of", "kind": "of"})
    >>> data = {"pos": torch.randn(3, 3), "kind": torch.tensor([0, 1, 3]), "of": torch.tensor([0, 0, 1])}
    >>> x_t, target = process.noise(data, torch.tensor([20, 40]))
    >>> {name: tuple(part.shape) for name, part in x_t.items()}
    {'pos': (3, 3), 'kind': (3,), 'of': (3,)}
    """

    def __init__(
        self,
        parts: Mapping[str, Process],
        *,
        segments: Mapping[str, str] | None = None,
        masks: Mapping[str, str] | None = None,
        weights: Mapping[str, float] | None = None,
        average: Literal["parts", "entries", "none"] = "parts",
    ) -> None:
        if not parts or not all(isinstance(name, str) and isinstance(process, Process) for name, process in parts.items()):
            raise ArgumentError("parts", "a process for at least one name", repr(parts))
        steps = {name: process.steps for name, process in parts.items()}
        if len(set(steps.values())) != 1:
            raise ArgumentError("parts", "processes of as many steps, for they share the time", steps)
        if not all(0 <= weight < math.inf for weight in (weights or {}).values()):
            raise ArgumentError("weights", "finite numbers that are not negative", repr(weights))
        if average not in ("parts", "entries", "none"):
            raise ArgumentError("average", "'parts', 'entries' or 'none'", repr(average))
        self.parts = dict(parts)
        self.segments, self.masks, self.weights = dict(segments or {}), dict(masks or {}), dict(weights or {})
        for argument, named in (("masks", self.masks), ("weights", self.weights)):
            if foreign := set(named) - set(self.parts):
                raise ArgumentError(argument, f"names among {', '.join(self.parts)}", ", ".join(sorted(foreign)))
        if noised := {*self.segments.values(), *self.masks.values()} & set(self.parts):
            raise ArgumentError("segments", "segments and masks that get no noise", ", ".join(sorted(noised)))
        self.average = average
        self.steps = next(iter(steps.values()))

    @property
    def action(self) -> Action:
        """The action on the record's noised parts: what a network must commute with, that its samples may be invariant."""
        return Record({name: process.action for name, process in self.parts.items()})

    # ---- how a batch is laid out ----

    def size(self, data: Mapping[str, Tensor]) -> int:
        """``B``: the length of what leads with the data, or, where nothing does, the largest segment and one.

        Raises:
            ArgumentError: a part, mask or segment is missing or no tensor, or lengths differ.
        """
        for name in {*self.parts, *self.segments.values(), *self.masks.values()}:
            if not isinstance(data.get(name), Tensor):
                raise ArgumentError("data", f"a record with a tensor {name!r}", ", ".join(map(repr, data)) or "nothing")
        ragged = {*self.segments, *self.segments.values()}
        lengths = {}
        for name, part in data.items():
            if not isinstance(part, Tensor) or not part.ndim:
                raise ArgumentError("data", f"a tensor [B, ...] as {name!r}", type(part).__name__)
            if name not in ragged:
                lengths[name] = len(part)
        if len(set(lengths.values())) > 1:
            raise ArgumentError("data", "parts of one length", lengths, "Rows of nodes are named in segments")
        if lengths:
            return next(iter(lengths.values()))
        return max((int(data[name].max()) + 1 for name in set(self.segments.values()) if len(data[name])), default=0)

    def rows(self, data: Mapping[str, Tensor], size: int | None = None) -> dict[str, Rows]:
        """How each noised part of a batch is laid out."""
        size = self.size(data) if size is None else size
        return {name: self._rows(name, data, size) for name in self.parts}

    def _rows(self, name: str, data: Mapping[str, Tensor], size: int) -> Rows:
        segment = data[self.segments[name]] if name in self.segments else None
        rows = Rows(size, segment, data[self.masks[name]] if name in self.masks else None)
        rows.check(data[name], name)
        return rows

    def collate(self, data: Sequence[Mapping[str, Any]]) -> Batch:
        """One batch of single data: what has a segment is joined and its segment made, everything else stacked.

        Raises:
            ArgumentError: no data, of different names or numbers of rows, no numbers, or a last one of no rows with nothing that is
                stacked, which a batch cannot tell from none.

        >>> from erlangen.generate import Gaussian
        >>> process = Together({"pos": Gaussian(schedule=9)}, segments={"pos": "of"})
        >>> batch = process.collate([{"pos": torch.zeros(2, 3), "charge": 1}, {"pos": torch.zeros(1, 3), "charge": 0}])
        >>> batch["of"].tolist(), batch["charge"].tolist()
        ([0, 0, 1], [1, 0])
        """
        if not data:
            raise ArgumentError("data", "at least one datum", "none")
        for datum in data:
            if set(datum) != set(data[0]):
                raise ArgumentError("data", f"data with the same names, {list(data[0])}", f"one with {list(datum)}")
        if given := set(self.segments.values()) & set(data[0]):
            raise ArgumentError("data", "single data without segments, which a batch makes", ", ".join(sorted(given)))
        batch: Batch = {}
        for name in data[0]:
            try:
                each = [torch.as_tensor(datum[name]) for datum in data]
            except (TypeError, ValueError, RuntimeError) as error:
                raise ArgumentError("data", f"numbers as {name!r}", str(error)) from None
            batch[name] = torch.cat(each) if name in self.segments else torch.stack(each)
            if name in self.segments:
                counts = torch.tensor([len(part) for part in each], device=batch[name].device)
                segment = torch.repeat_interleave(torch.arange(len(data), device=counts.device), counts)
                if not torch.equal(batch.setdefault(self.segments[name], segment), segment):
                    raise ArgumentError("data", f"as many rows of {name!r} as of what shares its segment", counts.tolist())
        if (size := self.size(batch)) != len(data):
            raise ArgumentError("data", f"{len(data)} data that a batch can tell", f"{size}, for the last ones have no rows")
        return batch

    def there(self, data: Mapping[str, Tensor]) -> Batch:
        """A batch with 0 where masks say that there is nothing, whatever stands there."""
        return {**data, **{name: rows.blank(data[name]) for name, rows in self.rows(data).items()}}

    # ---- noise ----

    def noise(self, data: Mapping[str, Tensor], t: Tensor, *, generator: torch.Generator | None = None) -> tuple[Batch, Batch]:
        """The record at step ``t`` ``[B]``, context included, and what a network should say of each part."""
        x_t, targets = self.there(data), {}
        for name, rows in self.rows(data).items():
            x_t[name], targets[name] = self.parts[name].noise(x_t[name], t, rows=rows, generator=generator)
        return x_t, targets

    def prior(self, like: Mapping[str, Tensor], *, generator: torch.Generator | None = None) -> Batch:
        """The record at step ``T``, with the context of ``like``."""
        made = {name: self.parts[name].prior(like[name], rows=rows, generator=generator) for name, rows in self.rows(like).items()}
        return {**like, **made}

    def reverse(
        self,
        x_t: Mapping[str, Tensor],
        predictions: Mapping[str, Tensor],
        t: Tensor,
        s: Tensor,
        *,
        generator: torch.Generator | None = None,
        eta: float = 1.0,
    ) -> Batch:
        """The record at step ``s``."""

        def back(name: str, process: Process, rows: Rows) -> Tensor:
            return process.reverse(x_t[name], predictions[name], t, s, rows=rows, generator=generator, eta=eta)

        return {**x_t, **self._each(back, x_t)}

    # ---- learning ----

    def loss(self, predictions: Mapping[str, Tensor], targets: Batch, x_t: Mapping[str, Tensor], t: Tensor) -> Float[Tensor, " B"]:
        """What predictions cost, of each datum."""
        totals, counts = {}, {}
        for name, rows in self.rows(x_t).items():
            each = self.parts[name].loss(predictions[name], targets[name], x_t[name], t, rows=rows)
            totals[name], counts[name] = self.weights.get(name, 1.0) * rows.total(each), rows.count(each)
        if self.average == "none":
            return sum(totals.values())  # type: ignore[return-value]
        if self.average == "entries":
            return sum(totals.values()) / sum(counts.values()).clamp(min=1)  # type: ignore[union-attr, return-value]
        return sum(totals[name] / counts[name].clamp(min=1) for name in totals)  # type: ignore[return-value]

    def prior_nats(self, data: Mapping[str, Tensor]) -> Batch:
        """:meth:`Process.prior_nats` of each part."""
        return self._each(lambda name, process, rows: process.prior_nats(data[name], rows=rows), data)

    def step_nats(
        self,
        data: Mapping[str, Tensor],
        x_t: Mapping[str, Tensor],
        predictions: Mapping[str, Tensor],
        t: Tensor,
        s: Tensor,
        *,
        generator: torch.Generator | None = None,
    ) -> Batch:
        """:meth:`Process.step_nats` of each part."""

        def nats(name: str, process: Process, rows: Rows) -> Tensor:
            return process.step_nats(data[name], x_t[name], predictions[name], t, s, rows=rows, generator=generator)

        return self._each(nats, data)

    def settings(self) -> dict[str, Any]:
        """What decides the processes, ready for JSON."""
        return {name: process.settings() for name, process in self.parts.items()}

    def _each(self, function: Callable[[str, Process, Rows], Tensor], data: Mapping[str, Tensor]) -> Batch:
        return {name: function(name, self.parts[name], rows) for name, rows in self.rows(data).items()}

    def __repr__(self) -> str:
        return f"Together({self.parts!r})"
