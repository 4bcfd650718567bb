"""Tensors as irreps of SO(3) and O(3): exact block form, known multiplicities, and e3nn's own bases and maps."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from erlangen.errors import ArgumentError
from erlangen.groups import SO, O, Sp, Symmetric
from erlangen.maps import EquivariantMaps
from erlangen.nn import EquivariantLinear
from erlangen.reps.irreps3 import from_irreps, to_irreps

F64 = torch.float64


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def vectors(group):
    return group.scalar, group.vector


@pytest.mark.parametrize("group", [SO(3), O(3)], ids=str)
@pytest.mark.parametrize("form", ["V", "V2", "V3", "sum", "twisted", "irreps"])
def test_the_blocks_are_those_of_the_labels(group, form):
    one, v = vectors(group)
    rep = {
        "V": v,
        "V2": v**2,
        "V3": v**3,
        "sum": v**2 + 3 * one + v + v**2,
        "twisted": (v**2) @ group.pseudoscalar + 2 * v,
        "irreps": group.irrep(2) @ group.irrep(1),
    }[form]
    found = to_irreps(rep)
    g = group.sample(6, generator=seeded(), dtype=F64)
    torch.testing.assert_close(found.matrix @ found.matrix.mT, torch.eye(rep.dim, dtype=F64), atol=1e-10, rtol=0)
    blocks = found.matrix @ rep(g) @ found.matrix.mT
    torch.testing.assert_close(blocks, from_irreps(group, found.labels)(g), atol=1e-10, rtol=0)


def test_labels_are_those_of_textbooks():
    v = O(3).vector
    assert to_irreps(v**2).labels == "1x0e+1x1e+1x2e"
    assert to_irreps(v**3).labels == "1x0o+3x1o+2x2o+1x3o"
    assert to_irreps(v**2 @ O(3).pseudoscalar).labels == "1x0o+1x1o+1x2o"
    w = SO(3).vector
    assert to_irreps(w**2).labels == "1x0e+1x1o+1x2e"  # no mirrors: the parity of polynomials
    assert to_irreps(w**3).labels == "1x0e+3x1o+2x2e+1x3o"
    torch.testing.assert_close(to_irreps(v).matrix, torch.eye(3, dtype=F64))


@settings(max_examples=20, deadline=None)
@given(st.lists(st.sampled_from(["0e", "2x0o", "1o", "3x1e", "2e", "4o"]), min_size=1, max_size=4))
def test_labels_come_back_sorted(terms):
    rep = from_irreps(O(3), " + ".join(terms))
    again = to_irreps(rep)
    assert from_irreps(O(3), again.labels).dim == rep.dim
    assert to_irreps(from_irreps(O(3), again.labels)).labels == again.labels


@pytest.mark.parametrize(("group", "k", "l"), [(O(3), 2, 2), (O(3), 3, 3), (SO(3), 2, 3), (SO(3), 1, 3)], ids=str)
def test_schur_counts_what_diagrams_count(group, k, l):
    def multiplicities(labels):
        return {kind: int(count) for count, kind in (term.split("x") for term in labels.split("+"))}

    a, b = (multiplicities(to_irreps(group.vector**order).labels) for order in (k, l))
    assert sum(count * b.get(kind, 0) for kind, count in a.items()) == EquivariantMaps(group.vector**k, group.vector**l).dim


def test_the_bases_are_those_of_e3nn():
    o3 = pytest.importorskip("e3nn.o3")
    v = O(3).vector
    found = to_irreps(v**3 + 2 * v**2 + O(3).scalar)
    g = O(3).sample(5, generator=seeded(), dtype=F64)
    theirs = o3.Irreps(found.labels)
    assert theirs.dim == len(found.matrix)
    expected = theirs.D_from_matrix(g.to(F64))
    torch.testing.assert_close(from_irreps(O(3), found.labels)(g), expected.to(F64), atol=1e-6, rtol=0)


def test_multiplicities_are_those_of_e3nn():
    o3 = pytest.importorskip("e3nn.o3")
    product = o3.ReducedTensorProducts("ij", i="1o", j="1o")
    assert to_irreps(O(3).vector ** 2).labels == "+".join(f"{mul}x{ir}" for mul, ir in product.irreps_out.sort()[0].simplify())
    cubes = o3.ReducedTensorProducts("ijk", i="1o", j="1o", k="1o").irreps_out
    assert o3.Irreps(to_irreps(O(3).vector ** 3).labels) == cubes.sort()[0].simplify()


def test_an_e3nn_layer_acts_on_our_tensors():
    """Through the change of basis a linear layer of e3nn is one of ours, and commutes with our tensors."""
    o3 = pytest.importorskip("e3nn.o3")
    torch.manual_seed(0)
    rep = O(3).vector ** 2 + O(3).vector
    q, labels = to_irreps(rep)
    layer = o3.Linear(labels, labels).double()
    matrix = (layer(torch.eye(rep.dim, dtype=F64) @ q.mT) @ q).mT.detach()  # columns: images of the axes
    maps = EquivariantMaps(rep, rep)
    assert layer.weight_numel == maps.dim
    torch.testing.assert_close(maps.project(matrix), matrix, atol=1e-6, rtol=0)
    ours = EquivariantLinear(rep, rep, bias=False, dtype=F64, generator=seeded(1))
    blocks = q @ ours(torch.eye(rep.dim, dtype=F64)).mT.detach() @ q.mT
    assert blocks[0, 1:].abs().max() < 1e-10  # 0e is alone of its kind


def test_bad_input_names_the_argument():
    with pytest.raises(ArgumentError, match=r"'rep'.*S_4"):
        to_irreps(Symmetric(4).vector)
    with pytest.raises(ArgumentError, match=r"'rep'"):
        to_irreps(Sp(4).vector)
    with pytest.raises(ArgumentError, match=r"'labels'.*1a"):
        from_irreps(O(3), "2x0e+1a")
    with pytest.raises(ArgumentError, match=r"'labels'"):
        from_irreps(O(3), "")
