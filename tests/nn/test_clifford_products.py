"""Products of vectors by the recurrence against the Clifford algebra's own product; invariants, duals, norms and their derivatives."""

import functools

import pytest
import torch

import erlangen as er
from erlangen.groups import CliffordAlgebra
from erlangen.groups.clifford_space import multivector, parts, spatial_product
from erlangen.nn.clifford_products import MultivectorProducts, MultivectorTerm, VectorProducts, VectorTerm, safe_norm
from erlangen.nn.clifford_tuples import grid_blocks, pooled, unordered
from erlangen.reps import Multivectors

F64 = torch.float64
C = CliffordAlgebra(3)


def vectors(*shape, seed=0):
    return torch.randn(*shape, 3, generator=torch.Generator().manual_seed(seed), dtype=F64)


def as_multivector(term):
    zero1, zero3 = torch.zeros_like(term.vector[..., :1]), torch.zeros_like(term.vector)
    scalar = zero1 if term.scalar is None else term.scalar
    return multivector(zero1, term.vector, zero3, scalar) if term.odd else multivector(scalar, zero3, term.vector, zero1)


@pytest.mark.parametrize("rank", range(1, 7))
def test_the_recurrence_is_the_geometric_product(rank):
    r = list(vectors(rank, 5))
    (term,) = VectorProducts(3, "so3").terms(r, "single")
    expected = functools.reduce(C.product, [C.vector(x) for x in r])
    assert torch.allclose(as_multivector(term), expected, rtol=1e-12, atol=1e-12)
    whole = torch.stack([x.square().sum(-1) for x in r]).prod(0)
    assert torch.allclose(term.square().squeeze(-1), whole, rtol=1e-12)
    q = VectorProducts(3, "so3").invariants(term)
    assert torch.allclose(q.square().sum(-1), whole, rtol=1e-12)
    multi = MultivectorProducts(3, "so3").terms([C.vector(x) for x in r], "single")[0]
    assert torch.allclose(multi.x, expected, rtol=1e-12, atol=1e-12)


def test_the_closed_form_is_the_product_of_the_algebra_and_associative():
    x, y, z = torch.randn(3, 20, 8, dtype=F64, generator=torch.Generator().manual_seed(1))
    assert torch.allclose(spatial_product(x, y), C.product(x, y), atol=1e-13)
    one = spatial_product(spatial_product(x, y), z)
    assert torch.allclose(one, spatial_product(x, spatial_product(y, z)), atol=1e-12)
    basis = torch.eye(8, dtype=F64)
    assert torch.equal(spatial_product(basis[:, None], basis), C.product(basis[:, None], basis))


def test_worked_example():
    r = [torch.tensor(x, dtype=F64) for x in ([1, 0.2, -0.3], [-0.5, 0.8, 0.1], [0.3, -0.7, 1.1])]
    three, two, _ = VectorProducts(3, "so3").terms(r, "partial")
    assert torch.allclose(two.scalar, torch.tensor([-0.37], dtype=F64))
    assert torch.allclose(two.vector, torch.tensor([0.26, 0.05, 0.90], dtype=F64))
    assert three.scalar.item() == pytest.approx(1.033)
    assert three.scalar.item() == pytest.approx(float(r[0] @ torch.linalg.cross(r[1], r[2])))


def test_duals_are_products_with_the_pseudoscalar():
    names = ("1", "e1", "e2", "e3", "e12", "e13", "e23", "e123")
    basis = dict(zip(names, torch.eye(8, dtype=F64)))
    only_dual = torch.tensor([[0.0, 0.0, 1.0, 0.0]], dtype=F64)
    images = {"1": "e123", "e1": "e23", "e2": "-e13", "e3": "e12", "e12": "-e3", "e13": "e2", "e23": "-e1", "e123": "-1"}
    for name, image in images.items():
        sign, target = (-1, image[1:]) if image.startswith("-") else (1, image)
        got = MultivectorProducts(3, "so3").linear([MultivectorTerm(1, basis[name])], only_dual, 1).x
        assert torch.equal(got, sign * basis[target])
        assert torch.equal(got, C.product(basis[name], basis["e123"]))
    plus = torch.tensor([[1.0, 0.0]], dtype=F64)
    s, v, b, t = parts(torch.randn(8, dtype=F64))
    even_to_odd = VectorProducts(3, "so3").linear([VectorTerm(2, s, b)], plus, 3)
    expected = -C.product(multivector(s, 0 * v, b, 0 * t), basis["e123"])
    assert torch.allclose(as_multivector(even_to_odd), expected)
    odd_to_even = VectorProducts(3, "so3").linear([VectorTerm(3, t, v)], plus, 2)
    assert torch.allclose(as_multivector(odd_to_even), C.product(multivector(0 * s, v, 0 * b, t), basis["e123"]))


@pytest.mark.parametrize("rank", range(1, 6))
def test_how_many_invariants(rank):
    expected = {"single": 1 if rank == 1 else 2, "partial": 2 * rank - 1, "full": rank**2}
    for mode, count in expected.items():
        for normal in (False, True):
            for linear in (0, 3):
                layer = er.nn.VectorAttention(
                    4, rank=rank, invariant_mode=mode, include_normalized_products=normal, linear_terms=linear
                )
                assert layer.invariant_dims == count * (1 + normal) + (2 * linear if rank > 1 else 0)
                multi = er.nn.MultivectorAttention(
                    4, rank=rank, invariant_mode=mode, include_normalized_products=normal, linear_terms=linear
                )
                of_multi = {"single": 4, "partial": 4 * rank, "full": 2 * rank * (rank + 1)}[mode]
                assert multi.invariant_dims == of_multi * (1 + normal) + (4 * linear if rank > 1 else 0)


def test_in_the_plane_the_area_has_a_sign():
    r = [torch.tensor([1.0, 0.0, 0.0]), torch.tensor([0.0, 2.0, 0.0])]
    signed, unsigned = VectorProducts(2, "so3"), VectorProducts(2, "o3")
    (forward,), (back,) = signed.terms(r, "single"), signed.terms(r[::-1], "single")
    assert signed.invariants(forward).tolist() == [0.0, 2.0]
    assert signed.invariants(back).tolist() == [0.0, -2.0]
    assert unsigned.invariants(back).tolist() == [0.0, 2.0]


def test_norms_have_no_direction_at_zero_nor_of_rounding():
    x = torch.zeros(3, dtype=F64, requires_grad=True)
    (first,) = torch.autograd.grad(safe_norm(x).sum(), x, create_graph=True)
    (second,) = torch.autograd.grad(first.sum(), x, allow_unused=True)
    assert torch.equal(first, torch.zeros(3, dtype=F64))
    assert second is None or torch.equal(second, torch.zeros(3, dtype=F64))
    assert torch.autograd.gradgradcheck(lambda x: safe_norm(x), vectors(4).requires_grad_())
    a = vectors(1000)
    (term,) = VectorProducts(3, "so3").terms([a, -3.7 * a], "single")
    assert torch.equal(VectorProducts(3, "so3").invariants(term)[:, 1], torch.zeros(1000, dtype=F64))
    slightly = a + 1e-10 * vectors(1000, seed=1)
    (term,) = VectorProducts(3, "so3").terms([a, slightly], "single")
    direct = torch.linalg.cross(a, slightly - a).norm(dim=-1)
    # Positions are rounded to 2e-16, which is 2e-6 of what separates them.
    assert torch.allclose(VectorProducts(3, "so3").invariants(term)[:, 1], direct, rtol=1e-3, atol=1e-15)


@pytest.mark.parametrize(("n", "rank"), [(1, 2), (2, 2), (5, 2), (1, 3), (2, 3), (4, 3)])
@pytest.mark.parametrize("signed", [True, False])
def test_one_tuple_stands_for_its_orders(n, rank, signed):
    members, share, orders = unordered(n, rank, signed)
    assert int(orders.sum()) == n**rank
    assert torch.allclose(share.sum(1), torch.ones(len(share), dtype=F64))
    # Each tuple's invariants, counted with the orders it stands for, are those of all ordered tuples.
    r = vectors(n)
    products = VectorProducts(3, "so3" if signed else "o3")

    def invariants(index):
        (term,) = products.terms([r[i] for i in index], "single")
        return products.invariants(term)

    every = invariants(torch.cartesian_prod(*[torch.arange(n)] * rank).T)
    some = torch.repeat_interleave(invariants(members), orders.long(), 0)

    def ordered(q):
        return torch.tensor(sorted((round(a, 9), round(b, 9) + 0.0) for a, b in q.tolist()))

    assert torch.allclose(ordered(every), ordered(some), atol=1e-8)
    # How many orders begin with a point.
    firsts = torch.bincount(torch.cartesian_prod(*[torch.arange(n)] * rank).reshape(-1, rank)[:, 0], minlength=n)
    assert torch.allclose((orders.unsqueeze(1) * share).sum(0), firsts.double())


@pytest.mark.parametrize("chunk", [None, 1, 2, 5, 9, 100])
def test_blocks_cover_the_grid_once(chunk):
    seen = torch.zeros(3, 3, 3)
    for block in grid_blocks(3, 3, chunk):
        assert chunk is None or seen[block].numel() <= max(chunk, 1)
        seen[block] += 1
    assert torch.equal(seen, torch.ones(3, 3, 3))


def test_pooling_of_parts_is_that_of_the_whole():
    logits, values = torch.randn(2, 1, 9, dtype=F64), torch.randn(2, 9, 4, dtype=F64)
    logits[0, 0, :4] = -torch.inf
    whole, total = pooled(logits, values)
    found = [pooled(logits[..., s], values[:, s]) for s in (slice(0, 4), slice(4, 9))]
    y = pooled(torch.stack([t for _, t in found], -1), torch.cat([y for y, _ in found], 1))
    assert torch.allclose(y[0], whole, atol=1e-14)
    assert torch.allclose(y[1], total, atol=1e-14)
    assert not pooled(torch.full((1, 3), -torch.inf), torch.randn(3, 2))[0].any()


def test_multivectors_move_as_the_product_wants():
    for n in (2, 3, 4):
        algebra, G = CliffordAlgebra(n), er.O(n)
        rep = Multivectors(G)
        er.testing.check_rep(rep)
        g = G.sample(6, dtype=F64, generator=torch.Generator().manual_seed(0))
        x, y = torch.randn(2, 6, 2**n, dtype=F64)
        assert torch.allclose(algebra.product(rep.act(g, x), rep.act(g, y)), rep.act(g, algebra.product(x, y)), atol=1e-12)
        v = torch.randn(6, n, dtype=F64)
        assert torch.allclose(rep.act(g, algebra.vector(v)), algebra.vector(G.vector.act(g, v)), atol=1e-13)
    with pytest.raises(er.errors.ArgumentError, match="orthogonal"):
        Multivectors(er.GLplus(3))


def test_norms_too_large_for_their_dtype_are_not_zero():
    r = torch.tensor([[1e5, 0.0, 0.0], [0.0, 1e5, 0.0]])
    products = VectorProducts(3, "so3")
    (term,) = products.terms([r[0], r[1], r[0], r[0]], "single")
    assert products.invariants(term)[1].item() > 1e19
