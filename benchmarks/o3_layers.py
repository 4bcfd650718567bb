"""Linear layers and tensor products of O(3) beside e3nn (PyPI `e3nn`, extra `bench`): the same maps with the same weights, one thread.

* A linear layer on 64 copies of 0e, 1o, 2e, 3o, batch 1024, forward and backward, in the layout of e3nn and in ours (channels, then
  components); also beside the bare matrix products, once on operands that already stand as the products want them, once on
  `[batch, channels, components]`.
* A linear layer on tensors of order 0 to 3, 32 channels each, batch 256, forward. e3nn has no tensors; it gets the irreps of the same 1280
  numbers, as many copies of each as T0 + T1 + T2 + T3 contains.
* How long it takes to make these layers: the first of its kind, and the next ones, for which the maps are still in memory.
* Products of features with spherical harmonics and a weight for each path, to degree 2 and 3, 32 channels, 1024 edges: every channel with
  every one (`FullyConnectedTensorProduct`), and channel by channel with weights for each edge (`"uvu"`).
* Not of O(3): the layer between matrices of twenty things, one channel, beside the product with its matrix.

python benchmarks/o3_layers.py
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from _timing import compare, show
from e3nn import o3
from torch import Tensor

from erlangen.groups import O, Symmetric
from erlangen.nn import EquivariantLinear, IrrepProduct
from erlangen.nn import linear as linear_layers
from erlangen.reps import Rep, from_e3nn, to_e3nn

EDGES, CHANNELS = 1024, 32


def first(source: Rep, target: Rep, channels: tuple[int, int] | None) -> EquivariantLinear:
    """A layer whose maps are not in memory yet."""
    linear_layers._maps_between.cache_clear()
    linear_layers._mask_plan.cache_clear()
    return EquivariantLinear(source, target, channels)


def step(function: Callable[..., Tensor], inputs: Sequence[Tensor], ones: Tensor) -> Callable[[], object]:
    """Forward and backward."""
    return lambda: torch.autograd.grad(function(*inputs), inputs, ones)


def linear() -> None:
    """Equal layers on irreps, and the bare products."""
    batch, channels, sizes = 1024, 64, (1, 3, 5, 7)
    text = f"{channels}x0e+{channels}x1o+{channels}x2e+{channels}x3o"
    peer = o3.Linear(text, text, internal_weights=False)
    flat = EquivariantLinear(from_e3nn(text), from_e3nn(text), bias=False)
    split = from_e3nn("0e+1o+2e+3o")
    ours = EquivariantLinear(split, split, (channels, channels), bias=False)
    w = torch.randn(4, channels, channels)  # [kind, out, in]
    theirs = w.mT.flatten() * channels**0.5  # which divides by the root of the fan-in
    x = torch.randn(batch, flat.source.dim)
    mine = torch.cat([p.unflatten(1, (channels, d)) for p, d in zip(x.split([channels * d for d in sizes], 1), sizes)], 2)
    expected = peer(x, theirs)
    torch.testing.assert_close(flat.maps(w.reshape(-1, 1, 1), x[:, None])[:, 0], expected, rtol=1e-3, atol=1e-3)
    ones = torch.ones(batch, flat.source.dim)
    weights = [w.reshape(-1, 1, 1).clone().requires_grad_(), theirs.clone().requires_grad_(), w.clone().requires_grad_()]
    x.requires_grad_()
    mine.requires_grad_()
    run = step(lambda w, x: flat.maps(w, x[:, None])[:, 0], (weights[0], x), ones)
    here = step(ours.maps, (weights[2], mine), torch.ones_like(mine))
    there = step(lambda w, x: peer(x, w), (weights[1], x), ones)
    show("linear, 64 x (0e+1o+2e+3o), batch 1024, forward and backward", *compare(here, there), "e3nn Linear", "<= 0.8")
    show("the same in e3nn's layout", *compare(run, there), "e3nn Linear", "<= 0.8")
    for name, shape in (("on operands as they want them", None), ("on [batch, channels, components]", channels)):
        xs = [torch.randn(batch * d, channels) if shape is None else torch.randn(batch, channels, d) for d in sizes]
        inputs = [t.requires_grad_() for t in (*xs, *torch.randn(4, channels, channels).unbind(0))]

        def bare(inputs: list[Tensor] = inputs, flat: bool = shape is None) -> object:
            ys = [a @ b if flat else b @ a for a, b in zip(inputs[:4], inputs[4:])]
            return torch.autograd.grad(ys, inputs, [torch.ones_like(y) for y in ys])

        show("the same", *compare(here, bare), f"bare products {name}", "<= 1.5")
    for name, rep, wide in (("64 channels of irreps", split, channels), ("64 copies of irreps", flat.source, None)):
        pair = None if wide is None else (wide, wide)
        made = compare(lambda: EquivariantLinear(rep, rep, pair), lambda: o3.Linear(text, text))  # noqa: B023 - called here
        show(f"making the next layer on {name}", *made, "e3nn Linear", "<= 0.1")
        made = compare(lambda: first(rep, rep, pair), lambda: o3.Linear(text, text))  # noqa: B023 - called here
        show(f"making the first layer on {name}", *made, "e3nn Linear", "<= 0.1")


def tensors() -> None:
    """A layer on tensors beside one on the irreps of the same numbers."""
    vector, batch = O(3).vector, 256
    rep = O(3).scalar + vector + vector**2 + vector**3
    layer = EquivariantLinear(rep, rep, (CHANNELS, CHANNELS), bias=False)
    irreps = o3.Irreps([(CHANNELS * copies, kind) for copies, kind in o3.Irreps(to_e3nn(rep).labels).regroup()])
    assert irreps.dim == CHANNELS * rep.dim
    peer = o3.Linear(irreps, irreps)
    assert peer.weight_numel == layer.weight.numel()
    x, z = torch.randn(batch, CHANNELS, rep.dim), torch.randn(batch, irreps.dim)
    with torch.no_grad():
        show("linear, (T0..T3) x 32, batch 256, forward", *compare(lambda: layer(x), lambda: peer(z)), "e3nn Linear", "<= 1.0")
    pair = (CHANNELS, CHANNELS)
    for name, make in (("next", EquivariantLinear), ("first", first)):
        made = compare(lambda: make(rep, rep, pair), lambda: o3.Linear(irreps, irreps))  # noqa: B023 - called here
        show(f"making the {name} one", *made, "e3nn Linear", "<= 0.1")


def products(top: int) -> None:
    """Products with harmonics, full and channel by channel."""
    a, b = ("+".join(f"{n}x{l}{'eo'[l % 2]}" for l in range(top + 1)) for n in (CHANNELS, 1))
    left, right = from_e3nn(a), from_e3nn(b)
    x, y = torch.randn(EDGES, left.dim, requires_grad=True), torch.randn(EDGES, right.dim, requires_grad=True)
    kinds = [kind for _, kind in o3.Irreps(a)]
    paths = [(i, j, kind) for kind in kinds for i, p in enumerate(kinds) for j, q in enumerate(kinds) if kind in p * q]
    instructions = [(i, j, n, "uvu", True) for n, (i, j, _) in enumerate(paths)]
    out = [(CHANNELS, kind) for *_, kind in paths]
    cases = [
        ("full", o3.FullyConnectedTensorProduct(a, b, a, internal_weights=False, shared_weights=True), ()),
        ("channel", o3.TensorProduct(a, b, out, instructions, internal_weights=False, shared_weights=False), (EDGES,)),
    ]
    for connect, peer, lead in cases:
        ours = IrrepProduct(left, right, left, connect=connect, own_weights=False)
        w = torch.randn(*lead, ours.weight_numel, requires_grad=True)
        expected = peer(x, y, w)
        torch.testing.assert_close(ours(x, y, w), expected, rtol=1e-3, atol=1e-3)
        ones = torch.ones_like(expected)
        name = f"{connect} product, l <= {top}, 32 channels, 1024 edges"
        with torch.no_grad():
            show(f"{name}, forward", *compare(lambda: ours(x, y, w), lambda: peer(x, y, w)), "e3nn", "<= 0.5")  # noqa: B023
        show(f"{name}, with backward", *compare(step(ours, (x, y, w), ones), step(peer, (x, y, w), ones)), "e3nn", "<= 0.5")


def sets() -> None:
    """One channel of matrices of twenty things."""
    rep, batch = Symmetric(20).vector ** 2, 256
    layer = EquivariantLinear(rep, rep, bias=False)
    x = torch.randn(batch, rep.dim)
    with torch.no_grad():
        matrix = layer(torch.eye(rep.dim)).mT.contiguous()
        times = compare(lambda: layer(x), lambda: x @ matrix.mT)
    show("S_20, matrices to matrices, one channel, batch 256, forward", *times, "the product with its matrix", "<= 0.5")


def main() -> None:
    torch.set_num_threads(1)
    torch.manual_seed(0)
    linear()
    tensors()
    products(2)
    products(3)
    sets()


if __name__ == "__main__":
    main()
