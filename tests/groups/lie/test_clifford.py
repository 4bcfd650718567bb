"""Clifford algebras: the defining relations, a product computed in another way, and versors as isometries."""

from __future__ import annotations

import itertools
import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import erlangen as er
from erlangen.errors import ArgumentError
from erlangen.groups.clifford import CliffordAlgebra

SIGNATURES = [(1, 0, 0), (2, 0, 0), (3, 0, 0), (1, 3, 0), (3, 0, 1), (0, 2, 0), (2, 1, 2), (4, 1, 0)]


def random(C: CliffordAlgebra, *batch: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*batch, C.dim, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def sorted_word(word: list[int], metric: list[int]) -> tuple[int, tuple[int, ...]]:
    """A product of basis vectors brought to order by exchanging neighbours, one at a time: the sign, and the blade."""
    sign = 1
    done = False
    while not done:
        done = True
        for i in range(len(word) - 1):
            if word[i] == word[i + 1]:
                sign *= metric[word[i]]
                del word[i : i + 2]
                done = False
                break
            if word[i] > word[i + 1]:
                word[i], word[i + 1] = word[i + 1], word[i]
                sign, done = -sign, False
                break
    return sign, tuple(word)


@pytest.mark.parametrize("signature", SIGNATURES)
def test_the_table_is_that_of_words_sorted_by_hand(signature: tuple[int, int, int]) -> None:
    C = CliffordAlgebra(*signature)
    blades = [c for k in range(C.n + 1) for c in itertools.combinations(range(C.n), k)]
    unit = torch.eye(C.dim, dtype=torch.float64)
    table = C.product(unit[:, None], unit[None])
    wanted = torch.zeros_like(table)
    for i, a in enumerate(blades):
        for j, b in enumerate(blades):
            sign, blade = sorted_word([*a, *b], C.metric.tolist())
            wanted[i, j, blades.index(blade)] = sign
    assert torch.equal(table, wanted)
    outer = C.outer(unit[:, None], unit[None])
    disjoint = torch.tensor([[not set(a) & set(b) for b in blades] for a in blades])
    euclidean = CliffordAlgebra(C.n).product(unit[:, None], unit[None])
    assert torch.equal(outer, euclidean * disjoint[..., None])


@pytest.mark.parametrize("signature", SIGNATURES)
def test_laws(signature: tuple[int, int, int]) -> None:
    C = CliffordAlgebra(*signature)
    x, y, z = random(C, 3, 5)
    close = {"rtol": 1e-12, "atol": 1e-12}
    torch.testing.assert_close(C.product(C.product(x, y), z), C.product(x, C.product(y, z)), **close)
    torch.testing.assert_close(C.reverse(C.product(x, y)), C.product(C.reverse(y), C.reverse(x)), **close)
    torch.testing.assert_close(C.involute(C.product(x, y)), C.product(C.involute(x), C.involute(y)), **close)
    torch.testing.assert_close(C.scalar_product(x, y), C.product(C.reverse(x), y)[..., 0], **close)
    torch.testing.assert_close((C.left_matrix(x) @ y.unsqueeze(-1)).squeeze(-1), C.product(x, y), **close)
    v = torch.randn(5, C.n, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    square = torch.zeros(5, C.dim, dtype=torch.float64)
    square[:, 0] = (C.metric * v**2).sum(-1)
    torch.testing.assert_close(C.product(C.vector(v), C.vector(v)), square, **close)


def test_blades_and_duals_of_space() -> None:
    C = CliffordAlgebra(3)
    assert C.blades == ("1", "e1", "e2", "e3", "e12", "e13", "e23", "e123")
    unit = torch.eye(8, dtype=torch.float64)
    images = {name: C.dual(unit[i]) for i, name in enumerate(C.blades)}
    wanted = {"1": "+e123", "e1": "+e23", "e2": "-e13", "e3": "+e12", "e12": "-e3", "e13": "+e2", "e23": "-e1", "e123": "-1"}
    for name, image in images.items():
        sign, blade = (1 if wanted[name][0] == "+" else -1), wanted[name][1:]
        assert torch.equal(image, sign * unit[C.blades.index(blade)]), name


def test_products_of_vectors_are_scalar_and_cross_products() -> None:
    C = CliffordAlgebra(3)
    a, b, c = torch.randn(3, 10, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    two = C.product(C.vector(a), C.vector(b))
    torch.testing.assert_close(two[..., 0], (a * b).sum(-1))
    cross = torch.linalg.cross(a, b)
    torch.testing.assert_close(C.part(two, 2), torch.stack([cross[:, 2], -cross[:, 1], cross[:, 0]], -1))
    three = C.product(two, C.vector(c))
    torch.testing.assert_close(three[..., 7], (cross * c).sum(-1))


@pytest.mark.parametrize(("p", "q"), [(2, 0), (3, 0), (1, 3), (4, 1)])
def test_versors_are_isometries_and_multiply_as_they_act(p: int, q: int) -> None:
    C, G = CliffordAlgebra(p, q), er.O(p, q)
    rng = torch.Generator().manual_seed(0)
    n = p + q
    a, b, c = (v for v in torch.randn(3, 6, n, generator=rng, dtype=torch.float64) + torch.tensor([4.0] + [0.0] * (n - 1)))
    one, two = C.vector(a), C.product(C.vector(b), C.vector(c))
    for versor, determinant in ((one, -1.0), (two, 1.0), (C.product(one, two), -1.0)):
        m = C.matrix(versor)
        assert bool(G.contains(m, 1e-9).all())
        torch.testing.assert_close(torch.linalg.det(m), torch.full((6,), determinant, dtype=torch.float64))
    torch.testing.assert_close(C.matrix(C.product(one, two)), C.matrix(one) @ C.matrix(two))
    # A vector reflects in the plane across it.
    norm = (C.metric * a * a).sum(-1)[:, None, None]
    mirror = torch.eye(n, dtype=torch.float64) - 2 * a[:, :, None] * (C.metric * a)[:, None, :] / norm
    torch.testing.assert_close(C.matrix(one), mirror)
    x = random(C, 6, seed=3)
    moved = C.sandwich(two, x)
    torch.testing.assert_close(C.scalar_product(moved, moved), C.scalar_product(x, x))


@given(st.floats(-6, 6))
def test_rotors_turn_by_their_angle(angle: float) -> None:
    C = CliffordAlgebra(3)
    bivector = torch.zeros(8, dtype=torch.float64)
    bivector[C.blades.index("e12")] = -angle / 2
    c, s = math.cos(angle), math.sin(angle)
    wanted = torch.tensor([[c, -s, 0], [s, c, 0], [0, 0, 1]], dtype=torch.float64)
    torch.testing.assert_close(C.matrix(C.exp(bivector)), wanted, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_dtypes_batches_gradients_and_compilation(dtype: torch.dtype) -> None:
    C = CliffordAlgebra(3, 0, 1)
    x, y = random(C, 2, 4).to(dtype), random(C, 4, seed=1).to(dtype)
    assert C.product(x, y).dtype == dtype
    assert C.product(x, y).shape == (2, 4, 16)
    assert C.product(x[:0], y).shape == (0, 4, 16)
    compiled = torch.compile(C.product, fullgraph=True, backend="eager")
    torch.testing.assert_close(compiled(x, y), C.product(x, y))
    if dtype == torch.float64:
        a, b = x[0, :1].clone().requires_grad_(), y[:1].clone().requires_grad_()
        assert torch.autograd.gradcheck(C.product, (a, b))
    with torch.inference_mode():
        fresh = CliffordAlgebra(2)
        fresh.reverse(torch.zeros(4))
    weight = torch.ones(4, requires_grad=True)
    fresh.reverse(weight).sum().backward()
    assert weight.grad is not None
    assert weight.grad.tolist() == [1, 1, 1, -1]


def test_errors_name_the_argument() -> None:
    C = CliffordAlgebra(3)
    with pytest.raises(ArgumentError, match=r"q.*0 or more"):
        CliffordAlgebra(2, -1)
    with pytest.raises(ArgumentError, match="1 to 8"):
        CliffordAlgebra(9)
    with pytest.raises(ArgumentError, match=r"x.*8"):
        C.product(torch.zeros(3), torch.zeros(8))
    with pytest.raises(ArgumentError, match=r"v.*3"):
        C.vector(torch.zeros(8))
    with pytest.raises(ArgumentError, match="grade"):
        C.part(torch.zeros(8), 4)
    assert CliffordAlgebra(1, 3) == CliffordAlgebra(1, 3)
    assert repr(CliffordAlgebra(3, 0, 1)) == "Cl(3, 0, 1)"
