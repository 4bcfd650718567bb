"""What a generated set must beat: positions by themselves, known prototypes with other elements, known crystals."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from erlangen.errors import ArgumentError
from erlangen.fields.crystals.protostructure import Protostructure
from erlangen.fields.crystals.wyckoffdiff.beforehand import Frequencies
from erlangen.fields.crystals.wyckoffdiff.state import decode, position_table, vacant


def independent_positions(
    n: int, space_groups: Tensor, known: Frequencies, generator: torch.Generator | None = None
) -> list[Protostructure | None]:
    """What stands on each position drawn by itself, as often as in crystals of that group.

    Args:
        n: how many.
        space_groups: how often each group occurs, ``[231]``.
        known: see :func:`erlangen.fields.crystals.wyckoffdiff.beforehand.frequencies`; without renamings these are the letters as they are.
        generator: source of randomness.
    """
    groups = torch.multinomial(space_groups, n, replacement=True, generator=generator)
    batch, row = vacant(groups, known.counts.shape[1]), position_table().row
    for name, table in (("points", known.points), ("counts", known.counts)):
        chances = table[
            row[groups[batch[f"{name}_of"]], batch[f"{name}_at"]] if len(table) > 1 else torch.zeros_like(batch[f"{name}_at"])
        ]
        u = torch.rand(*chances.shape[:-1], 1, generator=generator, dtype=chances.dtype)
        batch[name] = (chances.cumsum(-1) < u * chances.sum(-1, keepdim=True)).sum(-1).clamp(max=chances.shape[-1] - 1)
    return decode(batch)


def other_elements(
    n: int, training: Sequence[Protostructure], generator: torch.Generator | None = None
) -> list[Protostructure | None]:
    """Training crystals whose elements are replaced by others, different ones, each as often as it occurs in crystals.

    Raises:
        ArgumentError: no crystals.
    """
    if not len(training):
        raise ArgumentError("training", "at least one crystal", "none")
    often = torch.zeros(119, dtype=torch.float64)
    for one in training:
        often[list(one.counts)] += 1
    made: list[Protostructure | None] = []
    for i in torch.randint(len(training), (n,), generator=generator).tolist():
        one = training[i]
        drawn = torch.multinomial(often, len(one.counts), generator=generator).tolist()
        names = dict(zip(one.counts, drawn))
        made.append(Protostructure(one.space_group, tuple((p, names[e], count) for p, e, count in one.sites)))
    return made


def known_crystals(
    n: int, training: Sequence[Protostructure], generator: torch.Generator | None = None
) -> list[Protostructure | None]:
    """Training crystals themselves, each at most once: the floor of distances, and no novelty.

    Raises:
        ArgumentError: fewer than ``n``.
    """
    if n > len(training):
        raise ArgumentError("n", f"at most {len(training)}, the training crystals", n)
    return [training[i] for i in torch.randperm(len(training), generator=generator)[:n].tolist()]
