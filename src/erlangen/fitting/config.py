"""`FitConfig`: everything that decides a fit."""

from __future__ import annotations

import math
from dataclasses import dataclass

from erlangen.errors import ArgumentError


@dataclass(frozen=True)
class FitConfig:
    """How to fit.

    Attributes:
        group: a group by name, e.g. ``"SO(3)"``; ``None`` discovers one.
        soft: where the symmetry is only approximate for the task, use a soft penalty instead of the frame.
        seeds: networks of each kind, with different initialisations and shuffles.
        steps: largest number of training steps of each network; both kinds stop early on the same held-out part of the training data.
        batch_size, lr, weight_decay: of AdamW; steps on images and atoms see at most 64 samples.
        width, depth: of the network.
        dropout: of the network, for classes; numbers and vectors are learned without.
        discover_steps: training steps of the learned discoverer; ``None`` leaves them to it.
        spread: how far test data are moved by groups that are not compact: the largest rapidity of a boost (``acosh 5`` is a Lorentz
            factor of 5), the standard deviation of a translation.
        moves: how many times the test data are moved at random.
        validation: share of the training data held out for early stopping.
        seed: of everything random.
    """

    group: str | None = None
    soft: bool = False
    seeds: int = 3
    steps: int = 1500
    batch_size: int = 256
    lr: float = 1e-3
    weight_decay: float = 0.05
    width: int = 128
    depth: int = 2
    dropout: float = 0.2
    discover_steps: int | None = None
    spread: float = math.acosh(5)
    moves: int = 5
    validation: float = 0.15
    seed: int = 0

    def __post_init__(self) -> None:
        for name, least in (("seeds", 1), ("steps", 1), ("batch_size", 1), ("width", 1), ("depth", 1), ("moves", 1)):
            value = getattr(self, name)
            if not isinstance(value, int) or value < least:
                raise ArgumentError(name, f"an integer of at least {least}", repr(value))
        if not 0 < self.validation < 0.9:
            raise ArgumentError("validation", "a share between 0 and 0.9", repr(self.validation))
        if self.discover_steps is not None and self.discover_steps < 1:
            raise ArgumentError("discover_steps", "a positive number of steps", repr(self.discover_steps))
