"""Composed representations against their explicit matrices."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from erlangen.errors import ArgumentError
from erlangen.groups import SO, Cyclic, Dihedral, O, Symmetric
from erlangen.reps import Dual, TensorProduct, Trivial
from erlangen.testing import check_rep

F64 = torch.float64


def build(group, word):
    """A representation from a word over sum, product and dual."""
    rep = group.vector
    for letter in word:
        rep = {
            "+": lambda r: r + group.vector,
            "s": lambda r: r + group.scalar,
            "x": lambda r: r @ group.vector,
            "d": lambda r: r.dual,
        }[letter](rep)
    return rep


@settings(max_examples=25, deadline=None)
@given(st.sampled_from([SO(2), SO(3), O(3), SO(1, 2), Symmetric(3), Cyclic(4)]), st.text("+sxd", max_size=3), st.integers(0, 999))
def test_words_of_constructions_are_representations(group, word, seed):
    rep = build(group, word)
    if rep.dim <= 200:
        check_rep(rep, seed=seed, trials=4)


def test_dimensions_and_symbols():
    V = SO(3).vector
    assert (V**3).dim == 27
    assert (2 * V + SO(3).scalar).dim == 7
    assert (V >> (V + V)).dim == 18
    assert repr(V @ V + 2 * SO(3).scalar) == "V⊗V + 2·0e of SO(3)"
    assert SO(3).scalar == V**0


def test_trivial_factors_vanish_and_nesting_is_flat():
    G = SO(3)
    V = G.vector
    assert V @ G.scalar == V
    assert (V @ V) @ V == V @ (V @ V)
    assert isinstance((V @ V) @ V, TensorProduct)
    assert len(((V @ V) @ V).parts) == 3


def test_orthogonal_representations_are_their_own_dual_and_others_are_not():
    assert SO(3).vector.dual is SO(3).vector or SO(3).vector.dual == SO(3).vector
    V = SO(1, 3).vector
    assert isinstance(V.dual, Dual)
    assert V.dual.dual == V


def test_restriction_to_a_subgroup_acts_alike():
    C4 = Cyclic(4)
    rho = C4.irrep(1)
    restricted = SO(2).vector.restrict(C4, embed=lambda g: rho(g))
    check_rep(restricted)
    g = C4.elements()
    assert torch.equal(restricted(g), rho(g))


def test_different_groups_do_not_mix():
    with pytest.raises(ArgumentError, match="representation of SO\\(3\\)"):
        SO(3).vector + SO(2).vector
    with pytest.raises(ArgumentError, match="representation"):
        SO(3).vector @ 3


def test_wrong_data_and_wrong_elements_name_the_shape():
    V = SO(3).vector
    with pytest.raises(ArgumentError, match=r"'x'.*got shape \(8, 4\)"):
        V.act(SO(3).sample(8), torch.randn(8, 4))
    with pytest.raises(ArgumentError, match="'g'"):
        V.act(torch.eye(4), torch.randn(8, 3))
    with pytest.raises(ArgumentError, match="batch"):
        V.act(SO(3).sample(7), torch.randn(8, 3))


def test_batch_rule():
    """Leading axes are matched from the left, axes between are spectators, missing ones are broadcast."""
    G = SO(3)
    V, g = G.vector, G.sample(4, dtype=F64)
    x = torch.randn(4, 5, 6, 3, dtype=F64)
    assert torch.allclose(V.act(g, x), torch.einsum("bij,bstj->bsti", g, x))
    v = torch.randn(3, dtype=F64)
    assert torch.allclose(V.act(g, v), g @ v)
    gg = G.sample(2, 4, dtype=F64)
    y = torch.randn(4, 3, dtype=F64)
    assert torch.allclose(V.act(gg, y), torch.einsum("abij,bj->abi", gg, y))
    one = G.sample(1, 4, dtype=F64)
    assert V.act(one, torch.randn(2, 1, 3, dtype=F64)).shape == (2, 4, 3)


@pytest.mark.parametrize("rep", [SO(3).vector ** 2 + SO(3).scalar, Symmetric(4).vector ** 2, Dihedral(8).regular])
def test_autograd_and_vmap(rep):
    g = rep.group.sample(3, dtype=F64)
    x = torch.randn(3, rep.dim, dtype=F64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda t: rep.act(g, t), (x,))
    one_by_one = torch.func.vmap(rep.act)(g, x)
    assert torch.allclose(one_by_one, rep.act(g, x))


@pytest.mark.parametrize("rep", [SO(3).vector ** 2 + SO(3).vector, Symmetric(4).vector ** 2, Dihedral(8).regular])
def test_compiles_whole(rep):
    compiled = torch.compile(rep.act, fullgraph=True, backend="eager")
    g, x = rep.group.sample(3), torch.randn(3, rep.dim)
    assert torch.allclose(compiled(g, x), rep.act(g, x))


def test_scalars_take_any_shape():
    G = SO(3)
    assert isinstance(G.scalar, Trivial)
    for shape in [(4,), (4, 1), (4, 7, 2)]:
        x = torch.randn(shape)
        assert torch.equal(G.scalar.act(G.sample(4), x), x)
