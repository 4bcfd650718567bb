"""What fine-tuning did to a model's matrices: how far rows and columns were stretched and how far turned."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from erlangen.errors import ArgumentError
from erlangen.parameters.adapters.model import AdaptedModel


class Change(NamedTuple):
    """The mean change of the vectors of one matrix.

    Attributes:
        magnitude: mean of ``| |w| - |w_0| |``.
        direction: mean of ``1 - cos(w, w_0)``.
    """

    magnitude: float
    direction: float


@dataclass(frozen=True)
class AdaptationReport:
    """Changes of the rows and of the columns of several matrices, or of one at several times.

    Attributes:
        names: of the matrices.
        rows, columns: the change of each.
    """

    names: tuple[str, ...]
    rows: tuple[Change, ...]
    columns: tuple[Change, ...]

    @property
    def row_correlation(self) -> float:
        """Pearson's correlation of the changes of magnitude and direction of rows; NaN of fewer than three, or where one is constant."""
        return _pearson(self.rows)

    @property
    def column_correlation(self) -> float:
        """The same of columns."""
        return _pearson(self.columns)

    @property
    def asymmetry(self) -> float:
        """How far the two correlations are apart: fine-tuning of the whole treats rows and columns alike, DoRA does not."""
        return abs(self.row_correlation - self.column_correlation)

    def __add__(self, other: AdaptationReport) -> AdaptationReport:
        """The changes of both: of other times, other layers."""
        return AdaptationReport(self.names + other.names, self.rows + other.rows, self.columns + other.columns)


def adaptation_report(
    before: Mapping[str, Tensor] | Tensor | AdaptedModel, after: Mapping[str, Tensor] | Tensor | None = None
) -> AdaptationReport:
    """How fine-tuning changed matrices ``[out, in]``, by rows and by columns.

    Args:
        before: the matrices by name, or one; or an adapted model, whose frozen and adapted matrices are compared.
        after: the same matrices afterwards.

    A row or column that is zero before or after has no direction: it is left out of the mean of directions.

    Raises:
        ArgumentError: other names or shapes.

    Sources: the analysis of S.-Y. Liu et al., "DoRA", arXiv:2402.09353, by both sides as in Q. Wang et al., "BoRA", arXiv:2412.06441.

    >>> w = torch.eye(3)
    >>> report = adaptation_report(w, 2 * w)
    >>> report.rows, report.columns == report.rows
    ((Change(magnitude=1.0, direction=0.0),), True)
    """
    if isinstance(before, AdaptedModel):
        if after is not None:
            raise ArgumentError("after", "nothing beside an adapted model", type(after).__name__)
        pairs = dict(_of_model(before))
        before, after = {n: p[0] for n, p in pairs.items()}, {n: p[1] for n, p in pairs.items()}
    before = {"weight": before} if isinstance(before, Tensor) else before
    after = {"weight": after} if isinstance(after, Tensor) else after or {}
    for name in [*before, *after]:
        if name not in before or name not in after or before[name].shape != after[name].shape or before[name].ndim != 2:
            came = [tuple(t[name].shape) if name in t else "none" for t in (before, after)]
            raise ArgumentError("after", f"matrices of the names and shapes of before, also '{name}'", f"{came[0]} and {came[1]}")
    rows = tuple(_change(before[n], after[n], 1) for n in before)
    columns = tuple(_change(before[n], after[n], 0) for n in before)
    return AdaptationReport(tuple(before), rows, columns)


def _of_model(model: AdaptedModel) -> Sequence[tuple[str, tuple[Tensor, Tensor]]]:
    found = []
    for layer in model.layers():
        names = layer.active
        adapted = layer.weights(names)
        for slot in {s.name: s for a in names for s in layer.slots[a]}.values():
            pair = (slot.matrix(layer.frozen(slot.name)), slot.matrix(adapted[slot.name].detach()))
            for i, (w0, w1) in enumerate(zip(*(m if slot.parts > 1 else m.unsqueeze(0) for m in pair))):
                end = ("" if slot.name == "weight" else f".{slot.name}") + (f"[{i}]" if slot.parts > 1 else "")
                found.append((layer.name + end, (w0, w1)))
    return found


@torch.no_grad()
def _change(w0: Tensor, w1: Tensor, axis: int) -> Change:
    w0, w1 = w0.double(), w1.double()
    n0, n1 = w0.norm(dim=axis), w1.norm(dim=axis)
    turned = (n0 > 0) & (n1 > 0)
    # 1 - cos = |u - v|^2 / 2 of unit vectors, exact where they are close
    apart = w0 / n0.clamp(min=1e-300).unsqueeze(axis) - w1 / n1.clamp(min=1e-300).unsqueeze(axis)
    angle = apart.square().sum(axis)[turned] / 2
    return Change(float((n1 - n0).abs().mean()), float(angle.mean()) if bool(turned.any()) else 0.0)


def _pearson(changes: Sequence[Change]) -> float:
    table = torch.tensor(changes, dtype=torch.float64).reshape(-1, 2)
    centred = table - table.mean(0)
    sizes = centred.norm(dim=0)
    if len(changes) < 3 or bool((sizes <= 1e-12 * table.norm(dim=0)).any()):
        return float("nan")
    return float((centred[:, 0] * centred[:, 1]).sum() / sizes.prod())
