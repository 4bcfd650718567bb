"""Weighted products of irreps: equivariant, those of e3nn weight by weight, normalised, and differentiable in every way."""

from contextlib import contextmanager

import pytest
import torch

import erlangen as er
from erlangen.errors import ArgumentError
from erlangen.nn import IrrepProduct

D = torch.float64
O3 = er.O(3)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def irreps(top, channels):
    return "+".join(f"{channels}x{l}{'eo'[l % 2]}" for l in range(top + 1))


@contextmanager
def in_double():
    """e3nn keeps its coefficients in the default dtype of the moment."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(D)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


def inputs(product, batch, shared=False):
    sizes = (
        (batch, product.left.dim),
        (batch, product.right.dim),
        (product.weight_numel,) if shared else (batch, product.weight_numel),
    )
    return [torch.randn(*size, generator=seeded(n), dtype=D) for n, size in enumerate(sizes)]


@pytest.mark.parametrize("connect", ["full", "channel"])
@pytest.mark.parametrize(
    ("group", "left", "right", "target"),
    [
        (O3, "3x0e+2x1o+2x1e", "2x1o+0e+2x0o", "2x1e+0o+4x1o+2e"),
        (er.SO(3), "2x1+2x0", "1x1+1x2", "2x0+2x1+3x3"),
        (O3, "V + 2·det", "V", "1e + 2e + 2·0e"),
    ],
    ids=str,
)
def test_they_commute_with_the_group(group, left, right, target, connect):
    product = IrrepProduct(group.rep(left), group.rep(right), group.rep(target), connect=connect, own_weights=False)
    x, y, w = inputs(product, 6, shared=True)
    g = group.sample(6, generator=seeded(5), dtype=D)
    moved = product(product.left.act(g, x), product.right.act(g, y), w)
    torch.testing.assert_close(moved, product.output_rep.act(g, product(x, y, w)), atol=1e-11, rtol=0)
    assert float(moved.abs().max()) > 0.1


@pytest.mark.parametrize(("top", "second"), [(2, 1), (3, 1), (1, 4)])
@pytest.mark.parametrize("shared", [True, False])
def test_full_products_are_those_of_e3nn(top, second, shared):
    o3 = pytest.importorskip("e3nn.o3")
    a, b = irreps(top, 4), irreps(top, second)
    product = IrrepProduct(O3.rep(a), O3.rep(b), O3.rep(a), own_weights=False)
    with in_double():
        peer = o3.FullyConnectedTensorProduct(a, b, a, internal_weights=False, shared_weights=shared)
    assert product.weight_numel == peer.weight_numel
    x, y, w = inputs(product, 5, shared)
    torch.testing.assert_close(product(x, y, w), peer(x, y, w), atol=1e-10, rtol=0)


@pytest.mark.parametrize(("top", "second"), [(2, 1), (3, 1), (1, 3)])
def test_channel_products_are_those_of_e3nn(top, second):
    o3 = pytest.importorskip("e3nn.o3")
    a, b = o3.Irreps(irreps(top, 4)), o3.Irreps(irreps(top, second))
    product = IrrepProduct(O3.rep(str(a)), O3.rep(str(b)), O3.rep(str(a)), connect="channel", own_weights=False)
    paths = [(i, j, kind) for _, kind in a for i, (_, p) in enumerate(a) for j, (_, q) in enumerate(b) if kind in p * q]
    out = o3.Irreps([(4, kind) for *_, kind in paths])
    instructions = [(i, j, n, "uvu", True) for n, (i, j, _) in enumerate(paths)]
    with in_double():
        peer = o3.TensorProduct(a, b, out, instructions, shared_weights=False, internal_weights=False)
    assert o3.Irreps(product.output_rep.symbol) == out.simplify()
    x, y, w = inputs(product, 5)
    torch.testing.assert_close(product(x, y, w), peer(x, y, w), atol=1e-10, rtol=0)


def test_copies_of_unequal_number_are_kept_apart():
    """Runs of different lengths on both sides give what the runs give alone, put together."""
    a, b = "2x0e+3x1o+2x1o", "1x1o+2x0e"
    product = IrrepProduct(O3.rep("3x1o+2x0e"), O3.rep(b), O3.rep("2x0e+2x1o"), own_weights=False)
    x, y, w = inputs(product, 4, shared=True)
    # Paths: (1o,1o->0e), (1o,0e->1o), (0e,1o->1o), (0e,0e->0e); the dot product is over the root of 3, and is one for variance one.
    w1, w2, w3, w4 = (t.view(s) for t, s in zip(w.split([6, 12, 4, 8]), [(3, 1, 2), (3, 2, 2), (2, 1, 2), (2, 2, 2)]))
    v, s, p, q = x[:, :9].view(4, 3, 3), x[:, 9:], y[:, :3].view(4, 1, 3), y[:, 3:]
    zeros = (torch.einsum("nua,nva,uvw->nw", v, p, w1) / 3**0.5 + torch.einsum("nu,nv,uvw->nw", s, q, w4)) / 7**0.5
    ones = (torch.einsum("nua,nv,uvw->nwa", v, q, w2) + torch.einsum("nu,nva,uvw->nwa", s, p, w3)) / 8**0.5
    torch.testing.assert_close(product(x, y, w), torch.cat([zeros, ones.flatten(1)], 1), atol=1e-12, rtol=0)
    kept = IrrepProduct(O3.rep(a), O3.rep(b), connect="channel", own_weights=False)
    assert kept.weight_numel == sum(u * v for u in (2, 5) for v in (1, 2)) + 2 * 5 * 1


def test_variance_one_stays_one():
    product = IrrepProduct(O3.rep(irreps(2, 8)), O3.rep(irreps(2, 1)), O3.rep(irreps(2, 8)), own_weights=False)
    x, y, w = inputs(product, 2000)
    assert float(product(x, y, w).var()) == pytest.approx(1, abs=0.05)


@pytest.mark.parametrize("connect", ["full", "channel"])
def test_differentiation_vmap_compile_and_precision(connect):
    text = "2x0e+2x1o"
    product = IrrepProduct(O3.rep(text), O3.rep("0e+1o"), O3.rep(text), connect=connect, own_weights=False)
    x, y, w = (t.requires_grad_() for t in inputs(product, 2))
    assert torch.autograd.gradcheck(product, (x, y, w))
    assert torch.autograd.gradgradcheck(product, (x, y, w))
    x, y, w = (t.detach() for t in (x, y, w))
    torch.testing.assert_close(torch.vmap(product)(x, y, w), product(x, y, w))
    torch.testing.assert_close(product(x, y[:1], w[0])[1], product(x[1], y[0], w[0]))  # leading axes are matched
    own = IrrepProduct(O3.rep(text), O3.rep("0e+1o"), O3.rep(text), connect=connect, generator=seeded(), dtype=D)
    torch.compiler.reset()
    torch.testing.assert_close(torch.compile(own, fullgraph=True, backend="aot_eager")(x, y), own(x, y))
    program = torch.export.export(own, (x, y), dynamic_shapes=({0: torch.export.Dim("n", min=2)},) * 2).module()
    more = torch.randn(7, 8, generator=seeded(3), dtype=D), torch.randn(7, 4, generator=seeded(4), dtype=D)
    torch.testing.assert_close(program(*more), own(*more))
    low = own.to(torch.bfloat16)(x.bfloat16(), y.bfloat16())
    assert low.dtype == torch.bfloat16
    assert float((low - own.double()(x, y)).detach().norm()) < 0.05 * float(low.detach().norm())


@pytest.mark.parametrize(
    ("build", "argument"),
    [
        (lambda V: IrrepProduct(V, V), "target"),
        (lambda V: IrrepProduct(V, V, V), "target"),
        (lambda V: IrrepProduct(V, V, O3.rep("3o"), connect="channel"), "target"),
        (lambda V: IrrepProduct(V, V, V, connect="uvw"), "connect"),
        (lambda V: IrrepProduct(V**2, V, V), "left"),
        (lambda V: IrrepProduct(V, er.SO(3).vector, V), "right"),
        (lambda V: IrrepProduct(V, V, O3.scalar)(torch.ones(3), torch.ones(4)), "y"),
        (lambda V: IrrepProduct(V, V, O3.scalar)(torch.ones(3), torch.ones(3), torch.ones(1)), "weight"),
        (lambda V: IrrepProduct(V, V, O3.scalar, own_weights=False)(torch.ones(3), torch.ones(3)), "weight"),
        (lambda V: IrrepProduct(V, V, O3.scalar, own_weights=False)(torch.ones(3), torch.ones(3), torch.ones(2)), "weight"),
    ],
)
def test_bad_input(build, argument):
    with pytest.raises(ArgumentError, match=f"'{argument}'"):
        build(O3.vector)
    with pytest.raises(ArgumentError, match="'rep'"):
        IrrepProduct(er.O(2).vector, er.O(2).vector, er.O(2).scalar)
