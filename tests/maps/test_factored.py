"""Maps between two tensors as thin matrices and permuted axes: the same as the contractions, and chosen where they are cheaper."""

import pytest
import torch

import erlangen as er
from erlangen.maps.factored import Factored

D = torch.float64
CASES = [
    (er.Symmetric(6), 2, 2),
    (er.Symmetric(5), 2, 1),
    (er.Symmetric(7), 1, 2),
    (er.Symmetric(4), 3, 2),
    (er.Alternating(4), 2, 2),
    (er.O(4), 2, 2),
    (er.SO(3), 2, 2),
    (er.Sp(4), 2, 2),
    (er.O(1, 3), 2, 2),
]


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize(("group", "k", "l"), CASES, ids=str)
@pytest.mark.parametrize("normalize", ["sum", "sqrt"])
def test_they_are_the_contractions(group, k, l, normalize):
    V, W = group.vector**k, group.vector**l
    contracted = er.EquivariantMaps(V, W, normalize=normalize, strategy="contract").prepare()
    found = Factored(contracted._maps.maps)
    assert min(found.crossing) > 0
    for channels in ((1, 1), (3, 2)):
        w = torch.randn(contracted.dim, *channels, generator=seeded(), dtype=D)
        x = torch.randn(2, 3, channels[1], V.dim, generator=seeded(1), dtype=D)
        torch.testing.assert_close(found.apply(w, x), contracted(w, x), rtol=0, atol=1e-11)


def test_one_channel_of_twenty_things():
    V = er.Symmetric(20).vector
    maps = er.EquivariantMaps(V**2, V**2, normalize="sqrt").prepare()
    w, x = torch.randn(15, generator=seeded(), dtype=D), torch.randn(128, 400, generator=seeded(1), dtype=D)
    assert maps._maps._way(w[:, None, None], x[:, None]) == "factored"
    torch.testing.assert_close(maps(w, x), er.EquivariantMaps(V**2, V**2, normalize="sqrt", strategy="contract")(w, x))
    torch.testing.assert_close(torch.vmap(maps, in_dims=(None, 0))(w, x), maps(w, x))
    torch.testing.assert_close(maps(w.float(), x.float()), maps(w, x).float(), rtol=1e-4, atol=1e-4)


def test_they_differentiate_twice():
    V = er.Symmetric(5).vector
    found = Factored(er.EquivariantMaps(V**2, V**2, normalize="sqrt")._maps.maps)
    w = torch.randn(15, 1, 1, generator=seeded(), dtype=D, requires_grad=True)
    x = torch.randn(2, 1, 25, generator=seeded(1), dtype=D, requires_grad=True)
    assert torch.autograd.gradcheck(found.apply, (w, x))
    assert torch.autograd.gradgradcheck(found.apply, (w, x))


def test_nothing_thin_crosses_is_left_to_the_others():
    V = er.SO(3).vector
    assert er.EquivariantMaps(V**3, V**2)._maps._factored is None
    assert er.EquivariantMaps(V**2 + V, V**2)._maps._factored is None
