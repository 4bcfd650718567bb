"""Bases in which activations are admissible."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from erlangen.errors import ArgumentError, UnsupportedError
from erlangen.groups import SO, Alternating, Cyclic, Dihedral, Symmetric, subgroup_classes
from erlangen.reps import InBasis, Induced, admissible, admissible_forms, isotypic
from erlangen.reps.combine import direct_sum

S3 = Symmetric(3)
#: Columns: the vector of ones, and an orthonormal basis of its complement.
ADAPTED = torch.linalg.qr(torch.tensor([[1.0, 1.0, 1.0], [1.0, -1.0, 1.0], [1.0, 0.0, -2.0]], dtype=torch.float64))[0]


class Standard(InBasis):
    """The two-dimensional representation of S_3 in an orthonormal basis."""

    def __init__(self):
        super().__init__(S3.vector, ADAPTED)
        self.dim, self.symbol = 2, "std"

    def matrix(self, g):
        return super().matrix(g)[..., 1:, 1:]


def check(rep, f, forms):
    every = rep.group.elements()
    for form in forms:
        assert form.error < 1e-10
        moved = torch.linalg.solve(form.basis, rep.matrix(every).double() @ form.basis)
        assert torch.allclose(moved, form.blocks.matrix(every), atol=1e-9)
        assert admissible(form.rep, f)
        assert admissible(rep, f, basis=form.basis)
        assert admissible(form.blocks, f)


def test_standard_representation_of_s3():
    standard = Standard()
    assert not admissible(standard, "relu")
    assert admissible_forms(standard, "relu") == []
    both = standard + S3.scalar
    assert not admissible(both, "relu")
    forms = admissible_forms(both, "relu")
    assert [form.blocks.symbol for form in forms] == ["G/2"]
    check(both, "relu", forms)
    assert forms[0].blocks.matrix(S3.elements()).unique().tolist() == [0.0, 1.0]


def test_sign_of_s3():
    assert admissible(S3.pseudoscalar, "tanh")
    assert not admissible(S3.pseudoscalar, "relu")
    assert len(admissible_forms(S3.pseudoscalar, "tanh")) == 1
    assert admissible_forms(S3.pseudoscalar, "relu") == []


@pytest.mark.parametrize(("group", "k", "f", "count"), [
    (Dihedral(4), 1, "tanh", 2),        # the axes, and the diagonals
    (Dihedral(4), 1, "abs", 2),
    (Dihedral(4), 1, "relu", 0),
    (Cyclic(4), 1, "tanh", 1),
    (Cyclic(3), 1, "tanh", 0),          # the character is -1 at a generator
    (Cyclic(5), 1, "tanh", 0),
    (Cyclic(8), 1, "tanh", 0),
    (Dihedral(3), 1, "tanh", 0),
])  # fmt: skip
def test_planar_irreps(group, k, f, count):
    rep = group.irrep(k)
    forms = admissible_forms(rep, f)
    assert len(forms) == count
    check(rep, f, forms)


def test_several_solutions_are_all_different():
    rep = Symmetric(4).vector ** 2
    plain = admissible_forms(rep, "relu")
    signed = admissible_forms(rep, "tanh")
    assert len(plain) >= 1
    assert len(signed) > len(plain)
    check(rep, "tanh", signed)
    assert len({form.blocks for form in signed}) == len(signed)


def test_invariant_graph_networks_have_more_choices_than_tensors():
    group = Symmetric(4)
    orbits = [Induced(c.representative) for c in subgroup_classes(group)]
    assert len(orbits) == 11  # against 5 that occur in tensors: S_4 / S_(4-b)
    assert all(admissible(rep, "gelu").output_rep == rep for rep in orbits)
    tensors = group.vector**2
    assert [form.blocks.symbol for form in admissible_forms(tensors, "relu")] == ["G/2 + G/6"]


def test_a_representation_that_is_not_orthogonal():
    source = torch.Generator().manual_seed(0)
    rep = InBasis(Dihedral(6).regular, torch.randn(12, 12, generator=source, dtype=torch.float64))
    forms = admissible_forms(rep, "tanh", largest=3)
    assert len(forms) == 3
    check(rep, "tanh", forms)


def test_one_dimensional_parts_decide_disentangled_features():
    # In a basis adapted to irreps, exactly the one-dimensional ones survive: trivial for relu, with signs for tanh.
    for group in (Dihedral(5), Dihedral(6), Cyclic(6)):
        for rep in group.irreps() if hasattr(group, "irreps") else [group.scalar, group.irrep(1)]:
            trivial = torch.allclose(rep.matrix(group.elements()), torch.eye(rep.dim, dtype=torch.float64))
            assert bool(admissible(rep, "relu")) == trivial
            assert bool(admissible(rep, "tanh")) == (rep.dim == 1)


@settings(max_examples=15, deadline=None)
@given(st.sampled_from([Dihedral(3), Dihedral(4), Alternating(4), Symmetric(4)]), st.integers(0, 10_000))
def test_hidden_permutation_bases_are_found(group, seed):
    source = torch.Generator().manual_seed(seed)
    classes = [c for c in subgroup_classes(group) if c.representative.index <= 6]
    picked = [classes[int(torch.randint(len(classes), (1,), generator=source))] for _ in range(2)]
    hidden = direct_sum(*[Induced(c.representative) for c in picked])
    rep = InBasis(hidden, torch.randn(hidden.dim, hidden.dim, generator=source, dtype=torch.float64))
    forms = admissible_forms(rep, "relu")
    assert forms
    for form in forms:
        assert form.error < 1e-7
        assert admissible(form.rep, "relu", tol=1e-6)
    trivial = group.scalar
    counts = {round(float(torch.trace(isotypic(trivial, form.blocks)))) for form in forms}
    assert counts == {2}  # one invariant for each orbit


def test_wrong_questions():
    with pytest.raises(UnsupportedError, match="infinite"):
        admissible_forms(SO(2).vector, "relu")
    with pytest.raises(ArgumentError, match="not affine"):
        admissible_forms(S3.vector, "identity")
