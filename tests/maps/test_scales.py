"""Units, skew coordinates and learned algebras: the dimension is that of the representation, or it is refused."""

import pytest
import torch

import erlangen as er
from erlangen.errors import ArgumentError, UnsupportedError
from erlangen.groups import LieAlgebra, MatrixGroup
from erlangen.maps import EquivariantMaps, numeric_basis
from erlangen.maps.numeric import violation_of
from erlangen.maps.subspaces import dimension
from erlangen.reps import MatrixRep, intertwiners
from erlangen.reps.balance import balancing, defect, in_coordinates
from erlangen.reps.characters import character, count_equivariant_maps
from erlangen.reps.layout import Layout, TensorType

D = torch.float64
QUARTER = torch.tensor([[0.0, -1.0], [1.0, 0.0]], dtype=D)


def skew(condition, n=3, seed=0):
    """A basis of this condition in general position."""
    generator = torch.Generator().manual_seed(seed)
    left, right = (torch.linalg.qr(torch.randn(n, n, generator=generator, dtype=D)).Q for _ in range(2))
    return left @ torch.diag(torch.logspace(0, torch.log10(torch.tensor(condition)).item(), n, dtype=D)) @ right


def moved(rep, basis, symbol="B"):
    inverse = torch.linalg.inv(basis)
    return MatrixRep(rep.group, lambda g: basis @ rep.matrix(g).to(D) @ inverse, rep.dim, symbol)


def orthonormal(found):
    flat = found.basis.flatten(1)
    return torch.allclose(flat @ flat.mT, torch.eye(found.dim, dtype=D), atol=1e-8)


@pytest.mark.parametrize("unit", [1e-4, 1.0, 1e3, 1e7])
def test_units_of_phase_space_do_not_make_maps(unit):
    """A quarter turn of (x, p): the identity and the turn, and 8 maps of matrices to matrices, whatever the unit of p."""
    units = torch.diag(torch.tensor([1.0, unit], dtype=D))
    V = MatrixGroup(generators=[units @ QUARTER @ torch.linalg.inv(units)]).vector
    for k, l, dim in ((1, 1, 2), (2, 2, 8), (1, 3, 8), (1, 2, 0)):
        if unit == 1e7 and k + l > 3:
            continue  # entries from 1e-28 to 1
        found = numeric_basis(V**k, V**l)
        assert (found.dim, found.clear) == (dim, True)
        assert found.residual < 1e-7
        assert orthonormal(found)
    maps = EquivariantMaps(V, V)
    assert maps.verify()
    turn = V.matrix(V.group.generators[0])
    assert maps.coefficients(turn)[1] < 1e-9
    assert len(intertwiners(V, V)) == 2


def test_a_wrong_map_fails_the_verification():
    units = torch.diag(torch.tensor([1.0, 1e-4], dtype=D))
    V = MatrixGroup(generators=[units @ QUARTER @ torch.linalg.inv(units)]).vector
    maps = EquivariantMaps(V, V)
    good = maps.basis().flatten(1).mT
    assert violation_of(V, V, good) < 1e-12
    wrong = torch.zeros(4, 1, dtype=D)
    wrong[3] = 1
    assert violation_of(V, V, wrong) > 0.1


@pytest.mark.parametrize(("condition", "accuracy"), [(10.0, 1e-13), (1e3, 1e-9), (1e6, 1e-3)])
def test_permutations_in_a_skew_basis(condition, accuracy):
    V = er.Symmetric(3).vector
    W = moved(V, skew(condition))
    for source, target in ((W, W), (W, V), (V, W), (W @ W, V)):
        found = numeric_basis(source, target)
        plain = count_equivariant_maps(V @ V if source.dim == 9 else V, V)
        assert found.dim == plain == {3: 2, 9: 5}[source.dim]
        assert found.clear
        assert found.residual <= accuracy


@pytest.mark.parametrize("condition", [10.0, 1e3])
def test_rotations_in_a_skew_basis(condition):
    basis = skew(condition)
    V = MatrixGroup(algebra=basis @ er.SO(3).algebra.basis @ torch.linalg.inv(basis)).vector
    for k, l, dim in ((1, 1, 1), (2, 1, 1), (2, 2, 3)):
        found = numeric_basis(V**k, V**l)
        assert found.dim == dim
        assert found.residual < 1e-5
    form = numeric_basis(V**2, V.group.scalar)
    assert form.dim == 1


def test_coordinates_too_skew_for_double_precision_are_refused():
    basis = skew(1e7)
    V = MatrixGroup(algebra=basis @ er.SO(3).algebra.basis @ torch.linalg.inv(basis)).vector
    with pytest.raises(UnsupportedError, match="dimension|coordinates"):
        numeric_basis(V**2, V**2)


def test_units_of_a_group_that_is_not_compact():
    units = torch.diag(torch.tensor([1.0, 1e-4], dtype=D))
    V = MatrixGroup(algebra=torch.linalg.inv(units) @ er.Sp(2).algebra.basis @ units).vector
    assert [numeric_basis(V**k, V**k).dim for k in (1, 2, 3)] == [1, 2, 5]


def test_algebra_elements_of_unlike_size_count_alike():
    """A basis element of so(3) as short as 1e-9 turns as well as the others."""
    lengths = torch.tensor([1.0, 1e-9, 1e5], dtype=D)[:, None, None]
    V = MatrixGroup(algebra=lengths * er.SO(3).algebra.basis).vector
    assert [numeric_basis(V**k, V**l).dim for k, l in ((1, 1), (2, 1), (2, 2))] == [1, 1, 3]


def test_balancing_finds_the_invariant_form():
    basis = skew(1e3)
    inverse = torch.linalg.inv(basis)
    none = torch.zeros(0, 3, 3, dtype=D)
    algebra = basis @ er.SO(3).algebra.basis @ inverse
    change = balancing(MatrixGroup(algebra=algebra).vector, algebra, none)
    assert defect(in_coordinates(change, algebra), none) < 1e-6
    V = moved(er.Symmetric(3).vector, basis)
    turns = V.matrix(er.Symmetric(3).generators)
    change = balancing(V, none, turns)
    assert defect(none, in_coordinates(change, turns)) < 1e-8
    assert balancing(er.SO(3).vector, er.SO(3).algebra.basis, none) is None
    # Nothing makes a shear orthogonal: units alone are chosen, and they stay finite.
    shear = torch.tensor([[[1.0, 1e6], [0.0, 1.0]]], dtype=D)
    change = balancing(MatrixGroup(generators=shear).vector, none[:, :2, :2], shear)
    assert change is None or bool(torch.isfinite(change).all())


# ---- characters ----


@pytest.mark.parametrize(
    ("rep", "expected"),
    [
        (er.Symmetric(4).vector ** 2, 15),
        (er.Dihedral(5).regular, 10),
        (er.Dihedral(5).irrep(1) + er.Dihedral(5).vector, 6),
        (er.Cyclic(7).irrep(2) @ er.Cyclic(7).irrep(1), 4),
        (er.groups.FiniteAbelian(3, 4).regular, 12),
        ((er.Cyclic(3) * er.Symmetric(3)).lift(1, er.Symmetric(3).vector), 2),
    ],
    ids=str,
)
def test_characters_count_the_maps(rep, expected):
    assert count_equivariant_maps(rep, rep) == numeric_basis(rep, rep).dim == len(intertwiners(rep, rep)) == expected
    g = rep.group.elements()
    assert torch.allclose(character(rep, g), rep.matrix(g).to(D).diagonal(dim1=-2, dim2=-1).sum(-1))


def test_infinite_groups_have_no_count():
    assert count_equivariant_maps(er.SO(3).vector, er.SO(3).vector) is None
    with pytest.raises(ArgumentError, match="'target'"):
        count_equivariant_maps(er.SO(3).vector, er.O(3).vector)


class Halved(er.groups.TableGroup):
    """A group whose generators do not generate it."""

    @property
    def generators(self):
        return super().generators[:0] if not len(super().generators) else torch.zeros(1, dtype=torch.int64)


def test_generators_that_do_not_generate_are_noticed():
    table = er.groups.finite.multiplication_table(er.Dihedral(4))
    V = Halved(table).regular
    with pytest.raises(UnsupportedError, match="characters count 8"):
        EquivariantMaps(V, V)


# ---- learned algebras ----


def learned(error, seed=0):
    noise = torch.randn(3, 3, 3, generator=torch.Generator().manual_seed(seed), dtype=D)
    return LieAlgebra(er.SO(3).algebra.basis + error * noise).group().vector


@pytest.mark.parametrize("error", [1e-2, 1e-3, 1e-5])
@pytest.mark.parametrize(("k", "l", "exact", "dim"), [(2, 1, 0, 1), (2, 2, 2, 3), (1, 3, 0, 3), (0, 2, 0, 1)])
def test_a_learned_algebra_is_not_answered_for_silently(error, k, l, exact, dim):
    V = learned(error)
    with pytest.raises(UnsupportedError, match=rf"{exact} satisfy .* {dim} to .*learned.*tolerance="):
        EquivariantMaps(V**k, V**l)
    found = numeric_basis(V**k, V**l, tolerance=5 * error)
    assert found.dim == EquivariantMaps(V**k, V**l, tolerance=5 * error).dim == dim
    assert orthonormal(found)
    assert found.residual < 3 * error
    # They are the maps of the exact algebra to the size of the error.
    named = numeric_basis(er.SO(3).vector ** k, er.SO(3).vector ** l).basis.flatten(1)
    cosines = torch.linalg.svdvals(found.basis.flatten(1) @ named.mT)
    assert float((1 - cosines).max()) < 30 * error**2 + 1e-12
    assert numeric_basis(V**k, V**l, tolerance=0).dim == exact


def test_a_single_learned_generator():
    turn = er.SO(3).algebra.basis[:1] + 1e-3 * torch.randn(1, 3, 3, generator=torch.Generator().manual_seed(1), dtype=D)
    V = MatrixGroup(algebra=turn).vector
    with pytest.raises(UnsupportedError, match="learned"):
        numeric_basis(V.group.scalar, V**2)
    assert numeric_basis(V.group.scalar, V**2, tolerance=0.01).dim == 3
    assert numeric_basis(V, V).dim == 3  # what commutes with a matrix, also with an inexact one


def test_exact_algebras_given_as_matrices_are_answered_for():
    V = MatrixGroup(algebra=er.SO(3).algebra.basis).vector
    pair = MatrixGroup(algebra=er.SO(3).algebra.basis[:2]).vector  # two rotations generate the third
    for W in (V, pair):
        assert [numeric_basis(W**k, W**l).dim for k, l in ((1, 1), (2, 1), (2, 2))] == [1, 1, 3]


def test_a_tolerance_within_the_noise_is_refused():
    V = learned(1e-3)
    with pytest.raises(UnsupportedError, match="no clear dimension at tolerance"):
        numeric_basis(V**3, V**3, tolerance=3e-4)
    for wrong in (-1.0, 1.0, float("nan")):
        with pytest.raises(ArgumentError, match="'tolerance'"):
            numeric_basis(V, V, tolerance=wrong)


def test_an_iteration_that_did_not_converge_is_refused(monkeypatch):
    import erlangen.maps.numeric as numeric
    from erlangen.linalg.krylov import krylov_null_space

    V = er.SO(3).vector
    monkeypatch.setattr(
        numeric, "null_space",
        lambda a, **options: krylov_null_space(a, rtol=None, dim=None, scale=None, iterations=1),
    )  # fmt: skip
    with pytest.raises(UnsupportedError, match="clear dimension"):
        numeric_basis(V**2, V**3, method="krylov")


def test_layers_of_a_learned_algebra():
    V = learned(1e-3)
    with pytest.raises(UnsupportedError, match="learned"):
        er.nn.EquivariantLinear(V**2, V)
    layer = er.nn.EquivariantLinear(V**2, V, tolerance=0.005)
    assert layer.weight.shape == (1, 1, 1)
    net = er.nn.EquivariantMLP(2 * V, V, hidden=V.group.scalar + V, channels=4, layers=1, tolerance=0.005)
    assert net(torch.randn(3, 6)).shape == (3, 3)
    assert dimension(V, Layout.of(2 * V, 3), Layout.of(3 * V, 3)) == 6
    square = Layout(3, [(TensorType(2), 2)])
    with pytest.raises(UnsupportedError, match="learned"):
        dimension(V, square, square)
    assert dimension(V, square, square, tolerance=0.005) == 12
