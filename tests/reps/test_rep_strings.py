"""Representations from text: what is printed can be read, e3nn's strings are read, and what cannot be read is said."""

import pytest
import torch

import erlangen as er
from erlangen.errors import ArgumentError
from erlangen.reps import from_e3nn, to_e3nn
from erlangen.reps.strings import MAX_COPIES

D = torch.float64
#: For each group with named representations, what they are.
NAMED = [
    (er.SO(2), ["V", "det", *(0, 1, 5)]),
    (er.O(2), ["V", "det", *(0, 1, 3)]),
    (er.SO(3), ["V", "det", *(0, 1, 4)]),
    (er.O(3), ["V", "det", (0, 1), (0, -1), (1, 1), (2, -1), 3]),
    (er.E(3), ["V", "det", (0, 1), (1, 1), 2]),
    (er.SE(2), ["V", 0, 2]),
    (er.Cyclic(5), ["V", "sgn", "R[G]", 0, 1, 2]),
    (er.Cyclic(6), ["V", "R[G]", 0, 1, 3]),
    (er.Dihedral(4), ["V", "sgn", "R[G]", 0, 1, "flip", "turn", "turn-flip"]),
    (er.Dihedral(3), ["V", 0, 1, "flip"]),
    (er.U1(), ["V", 0, 2, -3]),
    (er.Torus(2), ["V", (0, 0), (1, -2), (0, 3)]),
    (er.Symmetric(4), ["V", "sgn", "R[G]"]),
    (er.Alternating(5), ["V"]),
    (er.Sp(4), ["V"]),
    (er.SO(1, 3), ["V"]),
    (er.O(4), ["V", "det"]),
    (er.SL(3), ["V"]),
]


def named(group, names):
    known = {
        "V": lambda: group.vector,
        "R[G]": lambda: group.regular,
        "det": lambda: group.pseudoscalar,
        "sgn": lambda: group.pseudoscalar,
    }
    return [group.scalar] + [
        known[name]() if name in known else group.irrep(*name) if isinstance(name, tuple) else group.irrep(name) for name in names
    ]


@pytest.mark.parametrize(("group", "names"), NAMED, ids=lambda value: str(value) if isinstance(value, er.Group) else "")
def test_what_is_printed_is_read(group, names):
    simple = named(group, names)
    V, one, last = group.vector, group.scalar, simple[-1]
    composed = [
        V + one,
        3 * one,
        V @ V,
        2 * last + V,
        (V + one) @ V,
        V.dual,
        (V @ V).dual + 2 * V.dual,
        (2 * last + one) @ last,
        last**3,
    ]
    composed += [sum(simple[1:], start=one), 2 * simple[-1] + 3 * simple[len(simple) // 2] + one]
    for rep in simple + composed:
        assert group.rep(str(rep)) == rep, rep
        assert group.rep(rep.symbol) == rep, rep
        assert group.rep(rep.symbol.replace(" ", "").replace("·", "x").replace("⊗", "@")) == rep, rep


def test_strings_of_e3nn():
    rep = er.O(3).rep("32x0e+32x1o+16x2e")
    assert (rep.dim, rep.symbol) == (32 + 96 + 80, "32x0e+32x1o+16x2e")
    assert er.SO(3).rep("32x0+32x1+16x2") == er.SO(3).rep("32x0e + 32x1o + 16x2e")
    assert er.SO(3).rep("1e") == er.SO(3).rep("1") == er.SO(3).irrep(1)  # without mirrors parities are the same law
    assert er.O(3).rep("1e") != er.O(3).rep("1o")
    assert er.O(3).rep("0o") == er.O(3).irrep(0, -1)
    assert er.U1().rep("2x1+-3+0") == 2 * er.U1().irrep(1) + er.U1().irrep(-3) + er.U1().scalar
    assert er.Symmetric(4).rep("V**2 + 2·1") == er.Symmetric(4).vector ** 2 + 2 * er.Symmetric(4).scalar


def test_a_group_of_ones_own_has_the_names_of_the_known_one():
    own = er.MatrixGroup(algebra=er.SO(3).algebra.basis)
    assert own.rep("2x1o") == 2 * er.SO(3).irrep(1)
    assert er.groups.PermutationGroup(["(0 1 2 3)"], degree=4).rep("ρ1 + ρ0").dim == 3


@pytest.mark.parametrize(
    ("group", "text", "said"),
    [
        (er.O(3), "32x0z", r"'\+', '⊗' or the end, at character 5; got 'z' in '32x0z'"),
        (er.O(3), "2x", r"2e and 1o.*at character 3; got the end"),
        (er.O(3), "", r"at character 1; got the end"),
        (er.O(3), "1o 2e", r"at character 4; got '2e'"),
        (er.O(3), "(1o", r"'\)', at character 4"),
        (er.O(3), "0x1o", f"from 1 to {MAX_COPIES} copies"),
        (er.O(3), "9x0e+999999999x0e", r"copies in all, at character 6"),
        (er.O(3), "1" * 5000, r"at character"),
        (er.O(3), "V**99", r"power from 1 to 32, at character 2"),
        (er.O(3), "(" * 999, r"nested parentheses"),
        (er.O(3), "__import__('os')", r"at character 1; got \"__import__"),
        (er.O(2), "1o", r"frequencies.*got '1o'"),
        (er.Cyclic(4), "ρ1+ρ3", r"frequency from 1 to 2.*at character 4"),
        (er.Dihedral(5), "turn", r"known|flip, frequencies 0 to 2"),
        (er.Symmetric(4), "2", r"1, R\^4, sgn, R\[G\]"),
        (er.Symmetric(4), "R^5", r"R\^4"),
        (er.Torus(2), "3", r"2 whole numbers"),
        (er.SO(3), "V of O(3)", r"representation of SO\(3\); got 'V of O\(3\)'"),
        (er.SO(3), 3, r"name of a representation"),
    ],
)
def test_errors_say_what_was_read_and_where(group, text, said):
    with pytest.raises(ArgumentError, match=r"'text'.*" + said if "|" not in said else said):
        group.rep(text)


def test_torus_irreps_are_representations():
    for group, charges in ((er.Torus(2), (1, -2)), (er.Torus(3), (0, 3, -1)), (er.U1(), (-2,))):
        er.testing.check_rep(group.irrep(*charges))
    angles = torch.tensor([0.3, 1.1], dtype=D)
    turned = er.Torus(2).irrep(1, -2)(er.Torus(2).element(angles))
    torch.testing.assert_close(turned, er.Torus(1).element(angles[:1] - 2 * angles[1:]))
    with pytest.raises(ArgumentError, match="'charges'"):
        er.Torus(2).irrep(1, 2, 3)


def test_e3nn_both_ways():
    o3 = pytest.importorskip("e3nn.o3")
    irreps = o3.Irreps("3x1o + 2x0e + 1x1o + 2x3e + 1x0o")
    rep = from_e3nn(irreps)
    found = to_e3nn(rep)
    assert o3.Irreps(found.labels) == irreps.simplify()
    assert torch.equal(found.matrix, torch.eye(irreps.dim, dtype=D))  # the same numbers in the same order
    assert from_e3nn(found.labels) == rep
    V = er.O(3).vector
    tensors = to_e3nn(V**2 + er.O(3).scalar + V**3)
    g = er.O(3).sample(4, dtype=D, generator=torch.Generator().manual_seed(0))
    moved = tensors.matrix @ (V**2 + er.O(3).scalar + V**3)(g) @ tensors.matrix.mT
    torch.testing.assert_close(moved, from_e3nn(tensors.labels)(g), atol=1e-12, rtol=0)
    with pytest.raises(ArgumentError, match="'labels'"):
        from_e3nn("3x1q")


@pytest.mark.parametrize("l", range(9))
def test_matrices_of_e3nn_to_degree_eight(l):
    o3 = pytest.importorskip("e3nn.o3")
    g = er.O(3).sample(3, dtype=D, generator=torch.Generator().manual_seed(l))
    default = torch.get_default_dtype()
    torch.set_default_dtype(D)
    try:
        for parity in (1, -1):
            theirs = o3.Irrep(l, parity).D_from_matrix(g)
            torch.testing.assert_close(er.O(3).irrep(l, parity)(g), theirs, atol=1e-10, rtol=0)
    finally:
        torch.set_default_dtype(default)


def test_field_types_of_escnn_are_sums_of_the_same_irreps():
    """Of a cyclic group escnn's irrep k is rotation by k times the angle, as here."""
    escnn = pytest.importorskip("escnn")
    space = escnn.gspaces.rot2dOnR2(N=8)
    group = er.Cyclic(8)
    for k in range(1, 5):
        theirs = space.fibergroup.irrep(k)
        for step in range(8):
            mine = group.irrep(k)(group.element(step))
            torch.testing.assert_close(torch.as_tensor(theirs(space.fibergroup.element(step)), dtype=D), mine, atol=1e-12, rtol=0)
