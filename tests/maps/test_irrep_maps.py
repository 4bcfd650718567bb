"""Maps by Schur's lemma: the numeric null space's, for every kind of irreducible part; and tensors of O(3) through them."""

import pytest
import torch

import erlangen as er
from erlangen.maps.irreps import _SHORT, irreducible_parts, irrep_maps
from erlangen.nn import EquivariantLinear

D = torch.float64

CASES = [
    (er.O(3), "2x0e+3x1o+2e+1o", "1o+2x2e+0e+3o"),
    (er.O(3), "V⊗V + det⊗V + 0o", "1e + 2·V + V⊗V"),
    (er.SO(3), "V⊗V + 2·1e", "V + 2e + det"),
    (er.SO(2), "2·ρ1 + ρ0 + V", "ρ1 + 2·ρ2 + det"),
    (er.O(2), "ρ1 + det + V + 2·ρ0", "V + det + ρ3"),
    (er.Cyclic(6), "ρ1 + ρ3 + 2·ρ2 + ρ0", "2·ρ1 + ρ3 + ρ2"),
    (er.Dihedral(6), "flip + 2·ρ1 + ρ2", "ρ1 + turn + flip"),
    (er.Torus(2), "ρ(1,-2) + ρ(-1,2) + ρ(0,1)", "ρ(-1,2) + ρ(0,1) + ρ(0,0)"),
    (er.U1(), "2·ρ1 + ρ-1 + ρ0", "ρ-1 + ρ0 + ρ2"),
]


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize(("group", "source", "target"), CASES, ids=str)
def test_they_are_the_null_space(group, source, target):
    V, W = group.rep(source), group.rep(target)
    maps = irrep_maps(V, W)
    numeric = er.EquivariantMaps(V, W, basis="orthonormal")
    assert maps.dim == numeric.dim
    basis = maps.dense()
    assert er.EquivariantMaps(V, W).verify() or er.EquivariantMaps(V, W).has_diagrams
    for m in basis[:: max(1, len(basis) // 4)]:
        assert numeric.coefficients(m)[1] < 1e-10
    weights = torch.randn(maps.dim, 3, 2, generator=seeded(), dtype=D)
    x = torch.randn(4, 5, 2, V.dim, generator=seeded(1), dtype=D)
    torch.testing.assert_close(maps.apply(weights, x), torch.einsum("koi,kpq,...iq->...op", weights, basis, x), rtol=0, atol=1e-12)
    c = torch.randn(maps.dim, generator=seeded(2), dtype=D)
    torch.testing.assert_close(maps.combine(c), torch.tensordot(c, basis, 1), rtol=0, atol=1e-12)
    torch.testing.assert_close(maps.coefficients(maps.combine(c)), c, rtol=0, atol=1e-12)
    assert len(maps.labels()) == len(set(maps.labels())) == maps.dim


@pytest.mark.parametrize("channels", [1, 3])
def test_long_axes_are_read_in_runs(channels):
    """Axes that are turned around as a whole and longer ones, which are not, give the same: runs that are torn apart and ones left out."""
    G = er.O(3)
    source, target = G.rep("9x0e+7x1o+3x2e+5x1o+2x1e"), G.rep("4x2e+6x1o+9x0e+3x3o+5x1o")
    assert min(source.dim, target.dim) > _SHORT
    maps = er.EquivariantMaps(source, target)
    w = torch.randn(maps.dim, 2, channels, generator=seeded(), dtype=D)
    x = torch.randn(6, channels, source.dim, generator=seeded(1), dtype=D)
    expected = torch.einsum("koi,kpq,biq->bop", w, maps.basis(), x)
    torch.testing.assert_close(maps(w, x), expected, rtol=0, atol=1e-11)
    small, large = G.rep("2x1o+0e"), target
    maps = er.EquivariantMaps(small, large)
    w, x = (
        torch.randn(maps.dim, 2, channels, generator=seeded(), dtype=D),
        torch.randn(6, channels, small.dim, generator=seeded(1), dtype=D),
    )
    torch.testing.assert_close(maps(w, x), torch.einsum("koi,kpq,biq->bop", w, maps.basis(), x), rtol=0, atol=1e-11)


@pytest.mark.parametrize("group", [er.O(3), er.SO(3)], ids=str)
def test_tensors_go_through_irreps_with_the_weights_of_diagrams(group):
    V = group.vector
    rep = group.scalar + V + V**2
    maps = er.EquivariantMaps(rep, rep, normalize="sqrt").prepare()
    other = er.EquivariantMaps(rep, rep, normalize="sqrt", strategy="contract")
    w = torch.randn(maps.dim, 3, 2, generator=seeded(), dtype=D)
    x = torch.randn(5, 2, rep.dim, generator=seeded(1), dtype=D)
    found, change = maps._maps._irreps
    torch.testing.assert_close(found.apply((change @ w.flatten(1)).unflatten(1, (3, 2)), x), other(w, x), rtol=0, atol=1e-11)
    large = er.EquivariantMaps(rep + V**3, rep + V**3).prepare()  # where it pays
    w, x = torch.empty(large.dim, 32, 32, device="meta"), torch.empty(256, 32, large.source.dim, device="meta")
    assert large._maps._way(w, x) == "irreps"


@pytest.mark.parametrize(("group", "text"), [(er.O(3), "0e+2x1o"), (er.SO(2), "ρ0 + 2·ρ1"), (er.O(3), "30x0e+10x1o")], ids=str)
def test_layers_differentiate_twice_and_run_under_vmap(group, text):
    V = group.rep(text)
    maps = er.EquivariantMaps(V, V).prepare()
    assert repr(maps).endswith("irreps)")
    if V.dim < 20:
        w = torch.randn(maps.dim, 2, 1, generator=seeded(), dtype=D, requires_grad=True)
        x = torch.randn(2, 1, V.dim, generator=seeded(1), dtype=D, requires_grad=True)
        assert torch.autograd.gradcheck(maps, (w, x))
        assert torch.autograd.gradgradcheck(maps, (w, x))
    w, x = torch.randn(3, maps.dim, 2, 1, generator=seeded(), dtype=D), torch.randn(3, 4, 1, V.dim, generator=seeded(1), dtype=D)
    torch.testing.assert_close(torch.vmap(maps)(w, x), torch.stack([maps(a, b) for a, b in zip(w, x)]))


@pytest.mark.parametrize("text", ["1o", "60x0e"])
def test_layers_compile_and_are_exported_with_a_free_batch(text):
    V = er.O(3).rep(text)
    net = EquivariantLinear(V, V, (1, 2), dtype=D, generator=seeded())
    x, more = (torch.randn(n, 1, V.dim, generator=seeded(n), dtype=D) for n in (4, 9))
    torch.compiler.reset()
    torch.testing.assert_close(torch.compile(net, fullgraph=True, backend="aot_eager")(x), net(x))
    program = torch.export.export(net, (x,), dynamic_shapes=({0: torch.export.Dim("batch", min=2)},)).module()
    torch.testing.assert_close(program(more), net(more))


def test_the_variance_is_kept_and_half_precision_is_summed_in_single():
    V = er.O(3).rep("16x0e+16x1o+16x2e")
    net = EquivariantLinear(V, V, bias=False, generator=seeded())
    x = torch.randn(500, V.dim, generator=seeded(1))
    y = net(x)
    assert 0.8 < float(y.detach().var()) < 1.2
    low = net.to(torch.bfloat16)(x.bfloat16())
    assert low.dtype == torch.bfloat16
    assert float((low.float() - y).detach().norm() / y.detach().norm()) < 0.02


def test_e3nn_linear_is_the_same_map():
    o3 = pytest.importorskip("e3nn.o3")
    text, other = "4x0e+3x1o+2x2e", "2x1o+5x0e+2x2e"
    peer = o3.Linear(text, other, shared_weights=True, internal_weights=False).double()
    ours = EquivariantLinear(er.O(3).rep(text), er.O(3).rep(other), bias=False, dtype=D)
    w = torch.randn(peer.weight_numel, generator=seeded(), dtype=D)
    blocks, start = {}, 0
    for ins in peer.instructions:  # theirs: [mul_in, mul_out] for each path; ours: for each kind target copy, source copy
        i, o = ins.path_shape
        blocks[ins.i_out] = (w[start : start + i * o].view(i, o).mT * ins.path_weight).flatten()
        start += i * o
    with torch.no_grad():
        ours.weight.copy_(torch.cat([blocks[k] for k in sorted(blocks)])[:, None, None])
    x = torch.randn(7, o3.Irreps(text).dim, generator=seeded(1), dtype=D)
    torch.testing.assert_close(ours(x), peer(x, w), rtol=0, atol=1e-10)


def test_parts_that_are_no_irreps_are_left_to_the_solver():
    assert irreducible_parts(er.Dihedral(4).regular) is None
    assert irreducible_parts(er.SO(3).vector.restrict(er.SO(2, axis="z"))) is None
    assert irreducible_parts(er.O(4).vector) is None
    none = er.EquivariantMaps(er.O(3).rep("1o"), er.O(3).rep("2e+1e"))
    assert none.dim == 0
    assert torch.equal(none(torch.zeros(0, 2, 1), torch.ones(3, 1, 3)), torch.zeros(3, 2, 8))
