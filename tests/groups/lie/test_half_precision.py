"""Samples in half precision are drawn in float32 and rounded; membership is decided in float32."""

import pytest
import torch
from lie_catalogue import GROUPS, IDS

from erlangen.groups import SO, AxialE, AxialO, AxialSE, MatrixGroup

MORE = [AxialO("x"), AxialSE("y"), AxialE("z"), MatrixGroup(algebra=SO(3).algebra), MatrixGroup([torch.eye(2)[[1, 0]]])]


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("group", [g for g, *_ in GROUPS] + MORE, ids=[*IDS, *map(str, MORE)])
def test_samples_are_the_rounded_ones_of_float32(group, dtype):
    g = group.sample(40, generator=torch.Generator().manual_seed(1), dtype=dtype, scale=0.5)
    exact = group.sample(40, generator=torch.Generator().manual_seed(1), dtype=torch.float32, scale=0.5)
    assert g.dtype == dtype
    assert torch.isfinite(g).all()
    assert torch.equal(g, exact.to(dtype))
    if type(group) is not MatrixGroup:
        assert group.contains(g).all()
    assert group.equal(g, exact).all()


@pytest.mark.parametrize("n", [2, 3, 5])
def test_half_precision_still_tells_members_from_others(n):
    g = SO(n).sample(8, generator=torch.Generator().manual_seed(0), dtype=torch.float16)
    assert SO(n).contains(g).all()
    assert not SO(n).contains(1.5 * g).any()
    assert not SO(n).contains(-g if n % 2 else g * torch.tensor([-1.0] + [1.0] * (n - 1)).half()).any()
