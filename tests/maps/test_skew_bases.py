"""Groups that are not compact, and Lie algebras whose elements differ in size, in any basis: the right number of maps, or a refusal."""

import pytest
import torch

import erlangen as er
from erlangen.errors import ArgumentError, UnsupportedError
from erlangen.groups import MatrixGroup
from erlangen.maps import EquivariantMaps
from erlangen.maps.balance import balance
from erlangen.maps.constraints import Constraints
from erlangen.reps import intertwiners, invariants, multiplicity
from erlangen.reps.balance import balancing, in_coordinates

D = torch.float64


def skew(condition, n, seed):
    generator = torch.Generator().manual_seed(seed)
    left, right = (torch.linalg.qr(torch.randn(n, n, generator=generator, dtype=D)).Q for _ in range(2))
    return left @ torch.diag(torch.logspace(0, torch.log10(torch.tensor(condition)).item(), n, dtype=D)) @ right


def in_basis(algebra, basis):
    return MatrixGroup(algebra=basis @ algebra @ torch.linalg.inv(basis)).vector


def numbered(find):
    """A number, or why there is none."""
    try:
        return find(), ""
    except UnsupportedError as refused:
        return None, str(refused)


@pytest.mark.parametrize("condition", [1e4, 3e5])
@pytest.mark.parametrize(
    ("algebra", "dims"),
    [
        pytest.param(er.Sp(4).algebra.basis, (1, 0, 1), id="Sp(4)"),
        pytest.param(er.SO(1, 3).algebra.basis, (1, 0, 1), id="SO(1,3)"),
        pytest.param(er.SO(3).algebra.basis, (1, 1, 1), id="SO(3)"),
        pytest.param(er.SL(3).algebra.basis, (1, 0, 0), id="SL(3)"),
    ],
)
def test_algebras_in_skew_bases(algebra, dims, condition):
    """Maps V -> V, V^2 -> V and V^2 -> 1: their number, or that they cannot be written here; never another number."""
    V = in_basis(algebra, skew(condition, algebra.shape[-1], seed=1))
    assert EquivariantMaps(V, V).dim == len(intertwiners(V, V)) == dims[0]
    for find, expected in (
        (lambda: EquivariantMaps(V**2, V).dim, dims[1]),
        (lambda: EquivariantMaps(V**2, V.group.scalar).dim, dims[2]),
        (lambda: invariants(V.dual**2).shape[1], dims[2]),
    ):
        number, refused = numbered(find)
        assert number == expected or (condition == 3e5 and "cannot be written in these coordinates" in refused)


@pytest.mark.parametrize("sizes", [(1e-10, 1.0, 1e10), (1.0, 1e-13, 1e-26), (1e20, 1.0, 1e-20)], ids=str)
def test_no_element_of_an_algebra_is_too_small_to_count(sizes):
    lengths = torch.tensor(sizes, dtype=D)[:, None, None]
    V = MatrixGroup(algebra=lengths * er.SO(3).algebra.basis).vector
    assert [EquivariantMaps(V**k, V**l).dim for k, l in ((1, 1), (2, 1), (2, 2))] == [1, 1, 3]
    assert [invariants(V**k).shape[1] for k in (1, 2, 3)] == [0, 1, 1]
    P = V.group * MatrixGroup(generators=[-torch.eye(2)])
    W = P.lift(0, V)
    assert EquivariantMaps(W, W).dim == 1


def test_what_an_algebra_does_by_rounding_alone_is_nothing():
    """A representation that sends one generator to 1e-17 instead of zero is that of the others."""
    noise = 1e-17 * torch.ones(2, 2, dtype=D)

    class Turns(er.Rep):
        dim = 2

        def equality_key(self):
            return ()

        def matrix(self, g):
            raise NotImplementedError

        def algebra(self, a):
            return a[..., :2, :2] + a[..., 2:3, 3:4] * noise

    V = Turns(er.groups.Torus(2))
    constraints = balance(V, Constraints.of(V)).constraints
    assert constraints.algebra[0][0].norm() == pytest.approx(1)
    assert not constraints.algebra[0][1].any()


def test_the_shortest_matrices_of_a_group_closed_under_transposition_are_so_again():
    algebra = er.Sp(4).algebra.basis
    basis = skew(1e3, 4, 0)
    given = basis @ algebra @ torch.linalg.inv(basis)
    change = balancing(MatrixGroup(algebra=given).vector, given, torch.zeros(0, 4, 4, dtype=D))
    moved = in_coordinates(change, given)
    flat = torch.linalg.qr(moved.flatten(1).mT).Q
    transposed = moved.mT.flatten(1).mT
    assert (transposed - flat @ (flat.mT @ transposed)).norm() < 0.1 * transposed.norm()
    # Translations have no shortest form, and are left as their units are.
    shift = torch.zeros(2, 3, 3, dtype=D)
    shift[0, 0, 2] = shift[1, 1, 2] = 1
    V = MatrixGroup(algebra=shift).vector
    assert EquivariantMaps(V, V).dim == 3


def test_multiplicities_are_of_irreducible_representations():
    G = er.Dihedral(3)
    with pytest.raises(ArgumentError, match="irrep"):
        multiplicity(G.scalar + G.irrep("flip"), 2 * G.scalar)
    with pytest.raises(ArgumentError, match="irrep"):
        multiplicity(er.Symmetric(3).vector, er.Symmetric(3).vector)
    with pytest.raises(ArgumentError, match="irrep"):
        er.reps.isotypic(er.Symmetric(3).vector, er.Symmetric(3).vector)
    quaternions = MatrixGroup(
        generators=[
            torch.tensor([[0.0, -1, 0, 0], [1, 0, 0, 0], [0, 0, 0, -1], [0, 0, 1, 0]]),
            torch.tensor([[0.0, 0, -1, 0], [0, 0, 0, 1], [1, 0, 0, 0], [0, -1, 0, 0]]),
        ]
    )
    assert multiplicity(quaternions.vector, quaternions.regular) == 1
    assert [multiplicity(er.Cyclic(5).irrep(k), er.Cyclic(5).regular) for k in (1, 2)] == [1, 1]
