"""Mechanisms of hidden symmetries against ranks, moves that keep the function and leave the orbit, and smaller networks that are equal."""

from __future__ import annotations

import pytest
import torch
from hidden_networks import DOUBLE, he, with_column, with_rows
from test_hidden_dimension import full_network, off, on

from erlangen.errors import ArgumentError
from erlangen.parameters.hidden import (
    ReluNetwork,
    apply_move,
    bounds,
    diagnose,
    functional_dimension,
    same_orbit,
    simplify,
)


def fresh(net, count=10_000):
    return torch.randn(count, net.widths[0], generator=torch.Generator().manual_seed(12345), **DOUBLE)


def difference(first, second, x):
    y = first(x)
    return float((second(x) - y).abs().max() / y.abs().max())


def parallel(net, layer=1, factor=2.0, columns=False):
    net = with_rows(net, layer, 1, factor * net.weights[layer - 1][0], factor * net.biases[layer - 1][0])
    return with_column(net, layer, 1, 3 * net.weights[layer][:, 0]) if columns else net


CASES = {
    "off": (lambda: off(full_network(), 0), "stably inactive", 7),
    "two off": (lambda: off(off(full_network(), 0), 3), "stably inactive", 14),
    "on": (lambda: on(full_network(), 0), "stably active", 1),
    "two on": (lambda: on(on(full_network(), 0), 1), "stably active", 8),
    "no outgoing": (lambda: with_column(full_network(), 2, 3, 0.0), "no effect", 6),
    "parallel": (lambda: parallel(he((3, 4, 1), 0)), "parallel", 4),
    "parallel in layer 2": (lambda: parallel(full_network(), 2), "parallel", 7),
    "parallel, three outputs": (lambda: parallel(he((3, 4, 3), 1)), "parallel", 3),
    "parallel, two outputs": (lambda: parallel(he((4, 5, 2), 1)), "parallel", 2),
    "parallel with columns": (lambda: parallel(he((3, 4, 3), 1), columns=True), "parallel", 6),
    "antipodal": (lambda: parallel(he((3, 4, 1), 0), factor=-2.0), "antipodal", 1),
}


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_single_mechanism_has_the_rank_it_says(case):
    make, name, expected = CASES[case]
    net = make()
    found = diagnose(net)
    assert {m.name for m in found.mechanisms} == {name}
    assert sum(m.contribution for m in found.mechanisms) == expected == found.dimension.deficit
    assert f"{name} (" in repr(found)
    assert all(m.moves for m in found.mechanisms) == (name != "antipodal")


RANDOM = [((1, 6, 6, 1), 3), ((2, 8, 8, 8, 1), 3), ((3, 5, 5, 5, 2), 1), ((5, 5, 5, 5, 5, 1), 7)]


ALL = {**{name: make for name, (make, _, _) in CASES.items()}, **{str(a[0]): (lambda a=a: he(*a)) for a in RANDOM}}


@pytest.mark.parametrize("case", ALL, ids=str)
def test_moves_keep_the_function_and_leave_the_orbit(case):
    net = ALL[case]()
    x = fresh(net)
    for move in diagnose(net).moves:
        for t in (0.1, 1.0):
            other = apply_move(net, move, t)
            assert difference(net, other, x) <= 1e-10, move
            assert not same_orbit(net, other), move


def test_deep_random_networks_have_moves():
    found = diagnose(he((2, 8, 8, 8, 1), 3))
    names = {m.name for m in found.mechanisms}
    assert {"never active together", "collapsed image", "stably inactive"} <= names
    assert len(found.moves) >= 10
    for m in found.of("never active together"):
        (below, i), (above, j) = m.neurons
        assert above == below + 1
        assert m.evidence == "sampled"
        assert max(i, j) < 8


def test_image_in_a_subspace():
    # Two first-layer neurons feed three: with n_0 = 1 a third of them is affine where the others are.
    rows = torch.tensor([[1.0], [1.0], [1.0]], **DOUBLE)
    first = (rows, torch.tensor([0.0, 1.0, 2.0], **DOUBLE))
    second = (torch.tensor([[1.0, 0.5, 0.25], [-1.0, 0.5, 1.0]], **DOUBLE), torch.tensor([-9.0, 0.7], **DOUBLE))
    net = ReluNetwork((first[0], second[0], torch.ones(1, 2)), (first[1], second[1], torch.zeros(1)))
    (collapsed,) = [m for m in diagnose(net).of("collapsed image") if m.neurons == ((2, 0),)]
    # It is active only where all three neurons are: [a; 1] has rank 2 of 4.
    assert collapsed.contribution == 2
    assert collapsed.evidence == "all regions"


def test_evidence():
    net = off(full_network(), 0)
    (one,) = diagnose(net).of("stably inactive")
    assert one.evidence == "bound"
    # In the first layer only a box of inputs can prove it.
    far = with_rows(he((2, 3, 1), 0), 1, 0, torch.tensor([1.0, 1.0]), -50.0)
    x = torch.rand(500, 2, generator=torch.Generator().manual_seed(0), **DOUBLE)
    assert diagnose(far, x).of("stably inactive")[0].evidence == "sampled"
    assert diagnose(far, x, box=(0, 1)).of("stably inactive")[0].evidence == "bound"
    (sampled,) = diagnose(far, x).of("stably inactive")
    assert "lower" in sampled.moves[0].text
    with pytest.raises(ArgumentError, match="'t'"):
        apply_move(far, sampled.moves[0], -1.0)
    with pytest.raises(ArgumentError, match="'move'"):
        apply_move(net, sampled.moves[0])


@pytest.mark.parametrize("seed", range(4))
def test_bounds_hold_and_programs_sharpen_them(seed):
    net = he((3, 6, 6, 1), seed)
    wanted = tuple(torch.ones(6, dtype=torch.bool) for _ in range(2))
    x = 4 * torch.rand(20_000, 3, generator=torch.Generator().manual_seed(seed), **DOUBLE) - 2
    z = net.preactivations(x)[:2]
    for box in ((-2, 2), None):
        plain, sharp = bounds(net, box), bounds(net, box, wanted)
        for l in range(2):
            assert bool((plain.low[l] <= sharp.low[l] + 1e-9).all())
            assert bool((sharp.high[l] <= plain.high[l] + 1e-9).all())
            assert bool((sharp.low[l] <= z[l].amin(0) + 1e-9).all())
            assert bool((z[l].amax(0) <= sharp.high[l] + 1e-9).all())


def test_a_program_proves_what_intervals_do_not():
    # relu(x) + relu(2 - x) >= 2, so 1 minus their sum is never positive.
    first = (torch.tensor([[1.0], [-1.0]], **DOUBLE), torch.tensor([0.0, 2.0], **DOUBLE))
    net = ReluNetwork((first[0], -torch.ones(1, 2), torch.ones(1, 1)), (first[1], torch.ones(1), torch.zeros(1)))
    assert float(bounds(net).high[1]) == 1.0
    assert float(bounds(net, wanted=(torch.zeros(2) > 0, torch.ones(1) > 0)).high[1]) == pytest.approx(-1.0)
    assert diagnose(net).of("stably inactive")[0].evidence == "bound"


def wide_on(seed):
    """Five stably active neurons of layer 2, which two next neurons read: two signs of each are enough for none, rank does it."""
    net = he((2, 3, 7, 1), seed)
    for j in range(5):
        net = on(net, j)
    return net


SMALLER = {
    "off": (lambda: off(off(full_network(), 0), 3), (3, 6, 4, 1)),
    "no outgoing": (lambda: with_column(full_network(), 2, 3, 0.0), (3, 6, 5, 1)),
    "parallel": (lambda: parallel(he((3, 4, 3), 1)), (3, 3, 3)),
    "nothing": (full_network, (3, 6, 6, 1)),
    "folded by signs": (lambda: wide_on(0), (2, 3, 4, 1)),
    "all off": (lambda: _all(off, 6), (3, None, 1, 1)),
    "all on": (lambda: _all(on, 6), (3, 6, 2, 1)),
}


def _all(what, count):
    net = full_network()
    for j in range(count):
        net = what(net, j)
    return net


@pytest.mark.parametrize("case", SMALLER, ids=str)
def test_smaller_networks_are_equal(case):
    make, widths = SMALLER[case]
    net = make()
    found = simplify(net)
    assert all(a == b for a, b in zip(found.network.widths, widths) if b is not None)
    assert found.removed == sum(net.widths[1:-1]) - sum(found.network.widths[1:-1])
    x = fresh(net)
    assert difference(net, found.network, x) <= 1e-10
    for old, new, matrix in zip(net.preactivations(x)[:-1], found.network.preactivations(x)[:-1], found.maps):
        assert torch.allclose(old.relu() @ matrix.mT, new.relu(), atol=1e-9)
    before, after = functional_dimension(net).dim, functional_dimension(found.network).dim
    assert after <= before
    if case in ("off", "nothing", "all off"):
        assert after == before
    assert simplify(found.network).removed == 0


def test_parallel_neurons_of_one_output_lose_no_dimension():
    net = parallel(he((3, 4, 1), 0))
    found = simplify(net)
    assert found.network.widths == (3, 3, 1)
    assert functional_dimension(found.network).dim == functional_dimension(net).dim == 13


def test_constants_dependent_rows_and_silent_neurons_fold():
    net = he((3, 5, 5, 1), 2)
    net = with_rows(net, 1, 0, 0.0, 0.7)  # a constant
    net = with_rows(net, 1, 1, 0.0, 0.0)  # always zero, on a kink everywhere
    found = simplify(net)
    assert found.network.widths == (3, 3, 5, 1)
    assert difference(net, found.network, fresh(net)) <= 1e-12
    # Stably active rows in the plane of two others.
    net = he((2, 2, 6, 6, 1), 4)
    for j in range(5):
        net = on(net, j)
    found = simplify(net)
    assert found.network.widths[2] == 3
    assert difference(net, found.network, fresh(net)) <= 1e-10


def test_only_what_is_proved():
    net = he((2, 8, 8, 8, 1), 3)
    assert simplify(net).removed > simplify(net, proved=True).removed
    net = off(full_network(), 0)
    assert simplify(net, proved=True).removed == 1


def test_the_model_is_never_changed():
    module = off(full_network(), 0).module()
    before = [p.clone() for p in module.parameters()]
    move = diagnose(module).moves[0]
    apply_move(module, move)
    assert simplify(module).removed == 1
    assert all(torch.equal(p, q) for p, q in zip(module.parameters(), before))
