"""`AdaptConfig`: what decides a fine-tuning."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from erlangen.errors import ArgumentError
from erlangen.parameters.adapters import AdapterConfig
from erlangen.parameters.adapters.config import ALL_LINEAR

Tuning = Literal["lora", "dora", "bora", "magnitude", "full"]


@dataclass(frozen=True)
class AdaptConfig:
    """How a text model is fine-tuned.

    Attributes:
        method: the adapter, or ``"full"`` for all weights.
        r, alpha: rank and scale of the update.
        dropout: on the low-rank branch.
        target_modules: ends of layers' names, a regular expression, or ``"all-linear"``, as of
            :class:`~erlangen.parameters.adapters.AdapterConfig`.
        layers: numbers of the blocks to adapt; none for all. What stands below them is computed once.
        epochs: passes over the training texts.
        steps: of the optimiser, in place of ``epochs``; 0 goes by epochs.
        rates: learning rates, of which validation data choose one, by the first seed.
        batch_size: texts in a step.
        max_tokens: longer texts are cut.
        validation: fraction of the training texts that is held out, to choose rates and weights.
        patience: stop after so many evaluations (two in an epoch) in a row without a better one; 0 never stops early.
        seeds: trainings with the chosen rate.
        seed: of the first; the others follow.

    Raises:
        ArgumentError: a value out of range, by its name.

    >>> AdaptConfig(method="dora", r=4, layers=(4, 5)).adapter().layers_to_transform
    (4, 5)
    """

    method: Tuning = "bora"
    r: int = 8
    alpha: float = 16.0
    dropout: float = 0.0
    target_modules: str | Sequence[str] = ALL_LINEAR
    layers: tuple[int, ...] = ()
    epochs: int = 2
    steps: int = 0
    rates: tuple[float, ...] = (3e-4, 1e-3, 3e-3)
    batch_size: int = 32
    max_tokens: int = 128
    validation: float = 0.2
    patience: int = 0
    seeds: int = 2
    seed: int = 0

    def __post_init__(self) -> None:
        if self.method not in get_args(Tuning):
            raise ArgumentError("method", f"one of {', '.join(map(repr, get_args(Tuning)))}", repr(self.method))
        for name, least in (("epochs", 1), ("steps", 0), ("batch_size", 1), ("max_tokens", 3), ("patience", 0), ("seeds", 1)):
            if getattr(self, name) < least:
                raise ArgumentError(name, f"at least {least}", getattr(self, name))
        if not 0 < self.validation < 1:
            raise ArgumentError("validation", "a fraction between 0 and 1", repr(self.validation))
        if not self.rates or min(self.rates) <= 0:
            raise ArgumentError("rates", "positive learning rates", repr(self.rates))
        if any(layer < 0 for layer in self.layers):
            raise ArgumentError("layers", "numbers of blocks, from 0 on", repr(self.layers))
        if self.method != "full":
            self.adapter()

    def adapter(self) -> AdapterConfig:
        """The adapter's config."""
        if self.method == "full":
            raise ArgumentError("method", "that of an adapter", repr(self.method))
        try:
            return AdapterConfig(
                method=self.method,
                r=0 if self.method == "magnitude" else self.r,
                lora_alpha=self.alpha,
                lora_dropout=self.dropout,
                target_modules=self.target_modules,
                layers_to_transform=self.layers or None,
            )
        except ArgumentError as problem:  # by the names that stand here
            name = {"lora_alpha": "alpha", "lora_dropout": "dropout"}.get(problem.argument, problem.argument)
            raise ArgumentError(name, problem.expected, problem.got, problem.hint) from None


def module_names(text: str) -> str | list[str]:
    """What a user writes for ``target_modules``: names with commas between, a regular expression, or ``"all-linear"``.

    >>> module_names("query, value"), module_names(".*query"), module_names("all-linear")
    (['query', 'value'], '.*query', 'all-linear')
    """
    if text == ALL_LINEAR or re.search(r"[\\*+?()\[\]{}|^$]", text):
        return text
    return [word.strip() for word in text.split(",") if word.strip()]


def block_numbers(text: str) -> tuple[int, ...]:
    """Numbers of blocks with commas between.

    >>> block_numbers("4,5")
    (4, 5)
    """
    try:
        return tuple(int(word) for word in text.split(",") if word.strip())
    except ValueError:
        raise ArgumentError("layers", "numbers with commas between", repr(text)) from None
