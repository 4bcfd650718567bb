"""`Settings`: what decides a DiffCSP."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Literal

from erlangen.errors import ArgumentError

Task = Literal["csp", "generate"]


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
        if not isinstance(self.max_atoms, int) or isinstance(self.max_atoms, bool) or self.max_atoms < 1:
            raise ArgumentError("max_atoms", "a positive number of atoms", repr(self.max_atoms))
        for one in fields(self):
            if one.type == "bool" and not isinstance(value := getattr(self, one.name), bool):
                raise ArgumentError(one.name, "True or False", repr(value))
