"""`Report`: what a soft penalty knows about each group, for people."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from erlangen.discover.soft.degrees import in_words
from erlangen.equivariance import equivariance_error
from erlangen.errors import ArgumentError

if TYPE_CHECKING:
    from erlangen.discover.soft.energy import Energy


@dataclass(frozen=True)
class Row:
    """One group.

    Attributes:
        name: of the group.
        strength: what multiplies its residual now, and ``full`` before any tuning.
        residual: half the squared distance of the weights from its equivariant subspace.
        cosine: ``1 - cos`` between weights and their projection.
        degree: from 0 to 1.
        error: mean relative equivariance error of the model on data; ``None`` without data.
    """

    name: str
    strength: float
    full: float
    residual: float
    cosine: float
    degree: float
    error: float | None = None


@dataclass(frozen=True)
class Report:
    """All groups; prints as a table.

    >>> print(Report((Row("SO(3)", 0.01, 1.0, 0.5, 0.02, 0.8, 0.11),)))
    group  strength  residual  1 - cos  degree  error
    SO(3)      0.01       0.5     0.02    0.80   0.11  nearly kept
    """

    rows: Sequence[Row]

    def __iter__(self) -> Iterator[Row]:
        return iter(self.rows)

    def __getitem__(self, name: str) -> Row:
        return next(row for row in self.rows if row.name == name)

    def as_dict(self) -> dict[str, dict[str, Any]]:
        """Every number, ready for JSON."""
        return {row.name: {k: v for k, v in asdict(row).items() if k != "name"} for row in self.rows}

    def __str__(self) -> str:
        heads = ["group", "strength", "residual", "1 - cos", "degree", "error"]
        cells = [
            [r.name, f"{r.strength:.3g}", f"{r.residual:.3g}", f"{r.cosine:.2g}", f"{r.degree:.2f}"]
            + (["-"] if r.error is None else [f"{r.error:.2g}"])
            for r in self.rows
        ]
        widths = [max(len(line[i]) for line in [heads, *cells]) for i in range(len(heads))]
        lines = [
            "  ".join(c.ljust(w) if i == 0 else c.rjust(w) for i, (c, w) in enumerate(zip(line, widths)))
            for line in [heads, *cells]
        ]
        return "\n".join([lines[0], *(f"{line}  {in_words(r.degree)}" for line, r in zip(lines[1:], self.rows))])


def report_on(
    model: Any,
    energy: Energy,
    strengths: Sequence[float],
    full: Sequence[float],
    x: Tensor | None,
    elements: int,
    generator: torch.Generator | None,
) -> Report:
    """Put the numbers of a penalty together and, with data, measure the model's equivariance under each group."""
    measured = energy.measure()
    errors: list[float | None] = [None] * len(energy.vectors)
    if x is not None:
        source = next((w.source for w in energy.weights if w.first), energy.weights[0].source)
        target = next((w.target for w in energy.weights if w.last), energy.weights[-1].target)
        if x.shape[-1] != source.dim:
            raise ArgumentError("x", f"data whose last axis is {source}", f"shape {tuple(x.shape)}")

        def function(batch: Tensor) -> Tensor:
            with torch.no_grad():
                return batch @ model.mT if isinstance(model, Tensor) else model(batch)

        for i, vector in enumerate(energy.vectors.values()):
            inp, out = source.rep(vector), target.rep(vector)
            found = equivariance_error(function, x, inp, out, elements=elements, generator=generator, tolerance=1.0)
            errors[i] = found["mean"]
    rows = zip(energy.vectors, strengths, full, measured.residuals, measured.cosines, measured.degrees, errors)
    return Report(tuple(Row(*row) for row in rows))
