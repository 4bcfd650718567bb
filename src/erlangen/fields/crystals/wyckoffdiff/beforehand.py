"""What is known of a crystal's positions before it is looked at: how often each element stands on each position of each group.

Positions are many and crystals of most groups few, so frequencies are smoothed, as strongly as held-out crystals want it: what occupies a
position towards how often it is occupied times how common each element is, and that towards the mean of all positions. By itself it is a
model, that of independent entries; a network that starts from its logarithms has only to learn how entries depend on one another.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from erlangen.errors import ArgumentError
from erlangen.fields.crystals.wyckoffdiff.relabelings import Relabelings, maps_of
from erlangen.fields.crystals.wyckoffdiff.state import Batch, States, position_table

#: Weights of the frequencies over all positions that are tried, in crystals.
WEIGHTS = (0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0)


class Frequencies(NamedTuple):
    """Probabilities of what stands on positions.

    Attributes:
        points: of the element on each of the 616 points ``[616, E + 1]``, or on all alike ``[1, E + 1]``.
        counts: of the count of each element on each other position, ``[1115, E, C + 1]`` or ``[1, E, C + 1]``.
    """

    points: Float[Tensor, "P K"]
    counts: Float[Tensor, "P E K"]


def frequencies(
    states: States, most: int, relabelings: Relabelings | None, kind: Literal["positions", "pooled"] = "positions", seed: int = 0
) -> Frequencies:
    """The frequencies in some crystals.

    Args:
        states: the crystals.
        most: ``C``.
        relabelings: of their groups, to count each crystal in all its descriptions alike; None for the one it has.
        kind: of each position, or pooled over all.
        seed: of the two halves by which the smoothing is chosen.

    Raises:
        ArgumentError: another kind.
    """
    if kind not in ("positions", "pooled"):
        raise ArgumentError("beforehand", "'positions' or 'pooled'", repr(kind))
    whole = _tallies(states[torch.arange(len(states))], most, relabelings)
    smoothed: dict[str, Callable[..., Tensor]] = {"points": _smoothed_points, "counts": _smoothed_counts}
    if kind == "pooled" or len(states) < 2:
        many = {part: tally.sum(0, keepdim=True) if kind == "pooled" else tally for part, tally in whole.items()}
        return Frequencies(_smoothed_points(many["points"]).float(), _smoothed_counts(many["counts"]).float())
    halves = torch.randperm(len(states), generator=torch.Generator().manual_seed(seed)).chunk(2)
    one, other = (_tallies(states[half], most, relabelings) for half in halves)
    made = []
    for part, smooth in smoothed.items():
        chosen = [WEIGHTS[len(WEIGHTS) // 2]] * (2 if part == "points" else 3)
        for i in 2 * list(range(len(chosen))):  # one after another, twice: all together they are too many
            scores = {}
            for value in WEIGHTS:
                table = smooth(one[part], *chosen[:i], value, *chosen[i + 1 :])
                scores[value] = float((other[part] * table.log()).sum())
            chosen[i] = max(scores, key=scores.__getitem__)
        made.append(smooth(whole[part], *chosen).float())
    return Frequencies(*made)


def _tallies(batch: Batch, most: int, relabelings: Relabelings | None) -> dict[str, Tensor]:
    """How often each class stands on each position."""
    table, elements, one = position_table(), batch["counts"].shape[1], torch.ones((), dtype=torch.float64)
    row = {name: table.row[batch["group"][batch[f"{name}_of"]], batch[f"{name}_at"]] for name in ("points", "counts")}
    points = torch.zeros(int((table.dof == 0).sum()), elements + 1, dtype=torch.float64)
    points.index_put_((row["points"], batch["points"]), one, accumulate=True)
    counts = torch.zeros(int((table.dof > 0).sum()), elements, most + 1, dtype=torch.float64)
    every = torch.arange(elements).expand_as(batch["counts"])
    counts.index_put_((row["counts"].unsqueeze(1), every, batch["counts"]), one, accumulate=True)
    if relabelings is not None:
        for group in batch["group"].unique().tolist():
            maps = maps_of(group)
            for tally, kind in ((points, table.dof[group] == 0), (counts, table.dof[group] > 0)):
                here = kind.nonzero().flatten()
                tally[table.row[group, here]] = tally[table.row[group, maps[:, here]]].mean(0)
    return {"points": points, "counts": counts}


def _smoothed_points(tally: Tensor, occupied: float = 1.0, kinds: float = 1.0) -> Tensor:
    """Whether a point is occupied, the mean of all as ``occupied`` crystals more; by what, the shares of all as ``kinds`` more."""
    filled, crystals = tally[:, 1:].sum(1, keepdim=True), tally.sum(1, keepdim=True)
    common = tally[:, 1:].sum(0) + 0.5  # what was not seen may be
    share = (filled + occupied * (filled.sum() + 0.5) / (crystals.sum() + 1)) / (crystals + occupied)
    elements = (tally[:, 1:] + kinds * common / common.sum()) / (filled + kinds)
    return torch.cat([1 - share, share * elements], 1)


def _smoothed_counts(tally: Tensor, occupied: float = 1.0, kinds: float = 1.0, orbits: float = 1.0) -> Tensor:
    """How many elements a position has; which, with ``kinds`` crystals more; how many orbits of each, with ``orbits`` cases more."""
    there, crystals = tally[..., 1:].sum(2), tally[:, 0].sum(1, keepdim=True)
    number, common, usual = there.sum(1, keepdim=True), there.sum(0) + 0.5, tally[..., 1:].sum((0, 1)) + 0.5
    mean = (number + occupied * (number.sum() + 0.5) / (crystals.sum() + 1)) / (crystals + occupied)
    share = (there + kinds * (mean * common / common.sum()).clamp(max=0.5)) / (crystals + kinds)
    here = (tally[..., 1:].sum(1) + orbits * usual / usual.sum()) / (number + orbits)
    each = (tally[..., 1:] + orbits * here.unsqueeze(1)) / (there + orbits).unsqueeze(2)
    return torch.cat([1 - share.unsqueeze(2), share.unsqueeze(2) * each], 2)


class Beforehand(nn.Module):
    """The logarithms of frequencies, kept with the weights, at the positions of a batch.

    Args:
        known: the frequencies.
    """

    def __init__(self, known: Frequencies) -> None:
        super().__init__()
        self.register_buffer("points", known.points.log())
        self.register_buffer("counts", known.counts.log())

    def forward(self, name: str, group: Int[Tensor, " N"], at: Int[Tensor, " N"]) -> Tensor:
        """Logits of a part, ``"points"`` or ``"counts"``, at positions of groups."""
        values: Tensor = getattr(self, name)
        return values if len(values) == 1 else values[position_table().row.to(at.device)[group, at]]
