"""What a generated set must beat: positions by themselves, known prototypes with other elements, known crystals."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from erlangen.errors import ArgumentError
from erlangen.fields.crystals.protostructure import Protostructure
from erlangen.fields.crystals.wyckoffdiff.state import position_table


def independent_positions(
    n: int, training: Sequence[Protostructure], generator: torch.Generator | None = None
) -> list[Protostructure | None]:
    """What stands on each position copied from a training crystal of the group, from another one for each position.

    Groups are drawn as often as they occur. Crystals of a group that occurs once are copies of its one crystal.

    Args:
        n: how many.
        training: crystals.
        generator: source of randomness.

    Raises:
        ArgumentError: no crystals.
    """
    if not len(training):
        raise ArgumentError("training", "at least one crystal", "none")
    of_group: dict[int, list[Protostructure]] = {}
    for one in training:
        of_group.setdefault(one.space_group, []).append(one)
    number = position_table().number
    made: list[Protostructure | None] = []
    for i in torch.randint(len(training), (n,), generator=generator).tolist():
        group = training[i].space_group
        same = of_group[group]
        chosen = torch.randint(len(same), (int(number[group]),), generator=generator).tolist()
        sites = [site for at, k in enumerate(chosen) for site in same[k].sites if site[0] == at]
        made.append(Protostructure(group, tuple(sites)) if sites else None)
    return made


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
        raise ArgumentError("n", f"at most {len(training)}, the training crystals", repr(n))
    return [training[i] for i in torch.randperm(len(training), generator=generator)[:n].tolist()]
