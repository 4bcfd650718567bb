"""The lifting network: exact on the grid, refused where the stride would break it."""

import pytest
import torch

from erlangen.actions import Images
from erlangen.errors import ArgumentError
from erlangen.groups import Cyclic, Dihedral
from erlangen.nn import Lifting

GEOMETRIES = [(k, s, p) for k in (3, 4) for s in (1, 2, 3) for p in (0, 1, 2)]


def images(size: int, channels: int = 1) -> torch.Tensor:
    return torch.randn(3, channels, size, size, generator=torch.Generator().manual_seed(size), dtype=torch.float64)


@pytest.mark.parametrize("space", [Cyclic(4).irrep(1), Dihedral(4).irrep(1)], ids=["C4", "D4"])
@pytest.mark.parametrize("channels", [1, 3])
def test_activations_are_translated_for_every_geometry_on_offer(space, channels):
    torch.manual_seed(0)
    act, group = Images(space), space.group
    every = group.elements()
    accepted = 0
    for size in (7, 8):
        x = images(size, channels)[:2]
        for kernel, stride, padding in GEOMETRIES:
            net = Lifting(act, channels, width=3, kernel=kernel, stride=stride, padding=padding, layers=1).double()
            if (size + 2 * padding - kernel) % stride:
                with pytest.raises(ArgumentError) as caught:
                    net(x)
                assert caught.value.argument == "stride"
                continue
            accepted += 1
            a = net(x)
            assert a.std() > 1e-4  # it does tell poses apart
            for i in range(int(group.order)):
                g = group.take(every, slice(i, i + 1))
                moved = net(act.act(g, x))
                assert (moved - group.regular.act(g, a)).abs().max() < 1e-12
    assert accepted > 12


def test_a_vector_field_is_lifted_too():
    group = Dihedral(4)
    act = Images(group.irrep(1), value=group.irrep(1))
    net = Lifting(act, 2, width=3, kernel=3).double()
    x, g = images(7, 2), group.sample(3, generator=torch.Generator().manual_seed(0))
    assert torch.allclose(net(act.act(g, x)), group.regular.act(g, net(x)), atol=1e-12)


def test_a_stride_that_does_not_fit_would_break_it():
    """Why the rule is there: the same network with the refusal switched off is not equivariant."""
    act = Images(Cyclic(4).irrep(1))
    net = Lifting(act, 1, kernel=9, stride=2).double()
    net._check = lambda x: None
    x = images(28)
    a, moved = net(x), net(torch.rot90(x, 1, (2, 3)))
    assert (moved - a.roll(1, 1)).abs().max() > 1e-3
    assert (net(torch.rot90(images(29), 1, (2, 3))) - net(images(29)).roll(1, 1)).abs().max() < 1e-12


def test_finer_rotations_keep_the_quarter_turns_exact_and_the_rest_nearly():
    torch.manual_seed(1)
    group = Cyclic(16)
    act = Images(group.irrep(1))
    net = Lifting(act, 1, kernel=9, padding=4).double()
    spots = 0.9 * (torch.rand(60, 3, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64) - 0.5)
    a = net(bumps(spots))
    with torch.no_grad():
        assert torch.allclose(net(torch.rot90(bumps(spots), 1, (2, 3))), a.roll(4, 1), atol=1e-12)
        same = []
        for k in (1, 2, 3, 7):
            # The image moved exactly, not by interpolation: what is measured is the network.
            moved = net(bumps(spots @ act.space.matrix(group.element(k)).mT)).roll(-k, 1)
            assert (moved - a).norm() < 0.06 * (a - a.mean(1, keepdim=True)).norm()
            same.append((moved.argmax(1) == a.argmax(1)).double().mean())
    assert torch.stack(same).mean() >= 0.9


def bumps(spots: torch.Tensor, side: int = 33) -> torch.Tensor:
    """Smooth images: Gaussian bumps at points ``[N, n, 2]`` (x to the right, y upwards)."""
    line = torch.linspace(-1, 1, side, dtype=spots.dtype)
    y, x = torch.meshgrid(-line, line, indexing="ij")
    away = (x - spots[..., 0, None, None]).square() + (y - spots[..., 1, None, None]).square()
    return (-away / 0.03).exp().sum(1, keepdim=True)


@pytest.mark.parametrize(
    ("build", "argument"),
    [
        (lambda: Lifting(Cyclic(4).vector, 1), "action"),
        (lambda: Lifting(Images(Cyclic(4).irrep(1), value=Cyclic(4).irrep(1)), 3), "channels"),
        (lambda: Lifting(Images(Cyclic(4).irrep(1)), 1, kernel=1), "kernel"),
        (lambda: Lifting(Images(Cyclic(4).irrep(1)), 1)(torch.randn(2, 3, 8, 8)), "images"),
        (lambda: Lifting(Images(Cyclic(4).irrep(1)), 1)(torch.randn(2, 1, 8, 9)), "images"),
        (lambda: Lifting(Images(Cyclic(4).irrep(1)), 1, kernel=5)(torch.randn(2, 1, 4, 4)), "stride"),
    ],
)
def test_bad_input_is_named(build, argument):
    with pytest.raises(ArgumentError) as caught:
        build()
    assert caught.value.argument == argument
