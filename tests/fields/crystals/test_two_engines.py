"""Letters and labels of real crystals by two engines and by the file they come from: where groups agree, all agree."""

from __future__ import annotations

import pytest

from erlangen.fields.crystals import icsd, moyo_symmetry, spglib_symmetry, stored_protostructures

#: Tolerances (angstrom) over which spglib goes from the group that moyopy finds at 0.01, or a lower one, to a higher one or that: the
#: engines measure distances differently, and a crystal near a more symmetric one is told apart at another tolerance.
OTHERS = (1e-4, 1e-3, 3e-3, 0.02, 0.03, 0.05, 0.1, 0.2, 0.3)


@pytest.mark.parametrize("step", [160, pytest.param(6, marks=pytest.mark.slow)])
def test_labels_of_real_crystals(step: int) -> None:
    data = icsd(quiet=True)[::step]
    apart = as_stored = 0
    for crystal, stored in zip(data, stored_protostructures(data)):
        first, second = spglib_symmetry(crystal), moyo_symmetry(crystal)
        label = first.protostructure.canonical()
        if first.number == second.number:
            assert second.protostructure.canonical() == label
        else:
            apart += 1
            groups = [spglib_symmetry(crystal, tolerance).space_group for tolerance in OTHERS]
            orders = [group.point_group.order for group in groups]
            between = min(orders) < second.space_group.point_group.order < max(orders)
            assert between or second.number in {group.number for group in groups}, f"{crystal}: {first} but {second}"
        if stored.space_group == first.number and sum(stored.counts.values()) == sum(first.protostructure.counts.values()):
            as_stored += 1
            assert stored.canonical() == label
    assert apart <= 0.015 * len(data)
    assert as_stored > 0.9 * len(data)
