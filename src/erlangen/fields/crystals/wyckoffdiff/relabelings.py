"""Equivalent descriptions: the maps that keep a group rename its Wyckoff positions, and a crystal's letters with them.

A crystal is drawn in one of its descriptions each time it is learnt from, so that the model learns the law of all of them; and what a
network says can be averaged over them, which makes it exactly invariant.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

import torch
from jaxtyping import Int
from torch import Tensor, nn
from torch.utils.data import Dataset

from erlangen.fields.crystals.wyckoffdiff.network import WyckoffGNN
from erlangen.fields.crystals.wyckoffdiff.state import GROUPS, Batch, States
from erlangen.groups import SpaceGroup
from erlangen.groups.normalizer import letter_maps


@lru_cache(maxsize=GROUPS)
@torch.inference_mode(False)
def maps_of(group: int) -> Int[Tensor, "M P"]:
    """How the affine normalizer renames the positions of a group, the identity first.

    >>> maps_of(225).tolist()[1]
    [1, 0, 2, 3, 4, 5, 6, 8, 7, 9, 10, 11]
    """
    return torch.tensor(letter_maps(SpaceGroup(group)))


class Relabelings:
    """The renamings of some groups in one table.

    Args:
        groups: their numbers.

    Attributes:
        number: of renamings of each group ``[231]``, 1 of groups that are not among them.
    """

    def __init__(self, groups: Iterable[int]) -> None:
        self.number = torch.ones(GROUPS, dtype=torch.int64)
        self._first, self._width = torch.zeros(GROUPS, dtype=torch.int64), torch.zeros(GROUPS, dtype=torch.int64)
        parts, length = [], 0
        for group in sorted(set(groups)):
            maps = maps_of(group)
            self.number[group], self._width[group], self._first[group] = len(maps), maps.shape[1], length
            parts.append(maps.flatten())
            length += maps.numel()
        self._flat = torch.cat(parts) if parts else torch.zeros(0, dtype=torch.int64)

    def moved(self, batch: Batch, which: Int[Tensor, " B"]) -> Batch:
        """The batch in the descriptions ``which``, numbers of the renamings of each crystal's group."""
        start = self._first[batch["group"]] + which * self._width[batch["group"]]
        names = (("points_at", "points_of"), ("counts_at", "counts_of"))
        return {**batch, **{at: self._flat[start[batch[of]] + batch[at]] for at, of in names}}

    def drawn(self, batch: Batch) -> Batch:
        """The batch with each crystal in a description drawn evenly, by torch's global random numbers."""
        number = self.number[batch["group"]]
        return self.moved(batch, (torch.rand(len(number)) * number).long().clamp(max=number - 1))


class Descriptions(Dataset[Batch]):
    """Crystals to learn from: batches in which each is in a description drawn anew.

    Args:
        states: the crystals.
        relabelings: of their groups; None leaves them as they are.
        context: further numbers of each crystal, by name, ``[n]``.
    """

    def __init__(self, states: States, relabelings: Relabelings | None, context: Batch | None = None) -> None:
        self.states, self.relabelings, self.context = states, relabelings, dict(context or {})

    def __len__(self) -> int:
        return len(self.states)

    def __getitem__(self, index: int) -> Batch:
        return self.__getitems__([index])[0]

    def __getitems__(self, index: list[int]) -> list[Batch]:
        """One batch."""
        chosen = torch.tensor(index, dtype=torch.int64)
        batch = self.states[chosen]
        batch = batch if self.relabelings is None else self.relabelings.drawn(batch)
        return [{**batch, **{name: values[chosen] for name, values in self.context.items()}}]


class OverDescriptions(nn.Module):
    """A network's logits averaged over all descriptions of a crystal: exactly invariant under renaming.

    It costs as many calls as the largest group of renamings in the batch has elements, each for the crystals that have so many.

    Args:
        network: of one description.
    """

    def __init__(self, network: WyckoffGNN) -> None:
        super().__init__()
        self.network = network

    def forward(self, *, t: Tensor, group: Tensor, **parts: Tensor) -> dict[str, Tensor]:
        """As of the network."""
        relabelings = Relabelings(group.tolist())
        number = relabelings.number[group]
        batch: Batch = {"group": group, **parts}
        total = self.network(t=t, **batch)
        for which in range(1, int(number.max()) if len(number) else 1):
            there = number > which
            some, rows = _restricted(batch, there)
            said = self.network(t=t[there], **relabelings.moved(some, torch.full((int(there.sum()),), which)))
            total = {name: total[name].index_add(0, rows[name], said[name]) for name in total}
        weight = number.to(total["points"].dtype).reciprocal()
        return {
            "points": total["points"] * weight[parts["points_of"]].unsqueeze(-1),
            "counts": total["counts"] * weight[parts["counts_of"]].view(-1, 1, 1),
        }


def _restricted(batch: Batch, there: Tensor) -> tuple[Batch, Batch]:
    """Some crystals of a batch, and the rows of both parts that are theirs."""
    renumbered = there.cumsum(0) - 1
    some, rows = {"group": batch["group"][there]}, {}
    for name in ("points", "counts"):
        of = batch[f"{name}_of"]
        rows[name] = there[of].nonzero().flatten()
        some[name], some[f"{name}_at"] = batch[name][rows[name]], batch[f"{name}_at"][rows[name]]
        some[f"{name}_of"] = renumbered[of[rows[name]]]
    if "shift" in batch:
        some["shift"] = batch["shift"][there]
    return some, rows
