"""A group is known by what it is, whichever class wrote it; and what only looks like a known group is not taken for it."""

import math

import pytest
import torch
from own_groups import F64, Forgetful, Heisenberg, LeftFirst, NotHaar, Permutations, Reversed, RigidMotions, Rotations, Views

import erlangen as er
from erlangen.errors import ArgumentError, UnsupportedError
from erlangen.groups import (
    SE,
    SL,
    SO,
    AffineGroup,
    Alternating,
    AxialE,
    AxialO,
    AxialSE,
    Cyclic,
    Dihedral,
    E,
    GLplus,
    IntegerMatrixGroup,
    Isometries,
    LieAlgebra,
    MatrixGroup,
    O,
    PermutationGroup,
    Scalings,
    Sp,
    Symmetric,
    Torus,
    Translations,
    recognised,
)
from erlangen.testing import check_group, check_rep

SKEW = torch.tensor([[1.0, 2.0, 0.0], [0.0, 1.0, 0.5], [0.3, 0.0, 1.0]], dtype=F64)
MIXED = torch.tensor([[2.0, 1, 0], [0, 1, 0], [1, 1, 1]], dtype=F64)
FLIP = torch.diag(torch.tensor([-1.0, 1.0, 1.0], dtype=F64))


def turn(angle):
    c, s = math.cos(angle), math.sin(angle)
    return torch.tensor([[c, -s], [s, c]], dtype=F64)


@pytest.mark.parametrize(
    ("own", "known"),
    [
        (Rotations(2), SO(2)),
        (Rotations(3), SO(3)),
        (Rotations(4), SO(4)),
        (Rotations(3, reflections=True), O(3)),
        (RigidMotions(), SE(3)),
        (MatrixGroup(algebra=SO(3).algebra.basis), SO(3)),
        (MatrixGroup(algebra=torch.tensordot(MIXED, SO(3).algebra.basis, 1)), SO(3)),
        (MatrixGroup([-torch.eye(3)], SO(3).algebra), O(3)),
        (MatrixGroup([FLIP, -torch.eye(3)], SO(3).algebra), O(3)),
        (MatrixGroup([turn(0.5)], SO(2).algebra), SO(2)),
        (MatrixGroup(algebra=SL(2).algebra), SL(2)),
        (MatrixGroup(algebra=Sp(4).algebra), Sp(4)),
        (MatrixGroup(algebra=Torus(2).algebra), Torus(2)),
        (MatrixGroup(algebra=SO(1, 3).algebra), SO(1, 3, connected=True)),
        (MatrixGroup(algebra=SO(2, axis="x").algebra), SO(2, axis="x")),
        (AffineGroup(SO(3)), SE(3)),
        (AffineGroup(O(2)), E(2)),
        (Permutations(1), Symmetric(1)),
        (Permutations(5), Symmetric(5)),
        (PermutationGroup(["(0 1)", "(0 1 2 3)"], degree=4), Symmetric(4)),
        (PermutationGroup(["(0 1 2)", "(1 2 3)"], degree=4), Alternating(4)),
        (PermutationGroup(["(0 1 2 3 4)(5 6)"], degree=7), None),
        (PermutationGroup(Symmetric(40).generators), Symmetric(40)),
        (PermutationGroup(Alternating(40).generators), Alternating(40)),
        (PermutationGroup(Cyclic(40).generators), Cyclic(40)),
        (PermutationGroup(Dihedral(40).generators.flip(0)), Dihedral(40)),
        (PermutationGroup(["(0 1 2 3 4 5)"], degree=6), Cyclic(6)),
    ],
    ids=str,
)
def test_known_by_what_it_is(own, known):
    assert recognised(own) == (known or own)
    assert type(recognised(own)) is type(known or own)
    assert hash(own) == hash(known or own)
    assert own == (known or own)


@pytest.mark.parametrize(
    "group",
    [
        MatrixGroup(algebra=torch.cat([SO(3).algebra.basis, torch.eye(3, dtype=F64)[None]])),  # a dilation beside so(3)
        MatrixGroup(algebra=SO(3).algebra.basis[:2]),  # not closed
        MatrixGroup([2 * torch.eye(3)], SO(3).algebra),
        MatrixGroup([torch.diag(torch.tensor([1.0, 1.0, -2.0]))], SO(3).algebra),
        MatrixGroup([torch.diag(torch.tensor([1.0, 1.0, -1.0]))], SO(2, axis="z").algebra),
        MatrixGroup(algebra=torch.kron(torch.eye(2, dtype=F64), SO(3).algebra.basis)),  # two copies
        MatrixGroup([turn(1.0)]),  # an irrational rotation
        MatrixGroup(algebra=SO(3).algebra.basis + 1e-6 * torch.eye(3, dtype=F64)),
        MatrixGroup(algebra=(torch.tensor([1.0, math.sqrt(2)], dtype=F64) @ Torus(2).algebra.basis.flatten(1)).view(1, 4, 4)),
        MatrixGroup([torch.diag(torch.tensor([1.0, -1.0, 1.0, 1.0]))], SO(1, 3).algebra),
        AffineGroup(MatrixGroup([turn(math.pi / 2)])),
        Forgetful(3),
        Reversed(3),
        LeftFirst(4),
        Heisenberg(3),
        PermutationGroup(["(0 1)(2 3)", "(0 2)(1 3)"], degree=4),
        PermutationGroup(["(0 1 2)(3 4 5)(6 7 8)", "(0 3 6)(1 4 7)(2 5 8)", "(0 1)(3 4)(6 7)"], degree=9),
        PermutationGroup(["(0 1 2 3 4 5 6 7 8 9 10)", "(2 6 10 7)(3 9 4 5)"], degree=11),
    ],
    ids=lambda G: str(G),
)
def test_not_taken_for_what_it_is_not(group):
    assert recognised(group) is group
    for known in (SO(3), O(3), Symmetric(4), Alternating(4), Cyclic(4), Symmetric(11), Translations(2), SO(1, 3, connected=True)):
        assert group != known


def test_m11_is_not_the_alternating_group():
    # 4-transitive, even and primitive: only the cycles of its elements tell it from A_11.
    M11 = PermutationGroup(["(0 1 2 3 4 5 6 7 8 9 10)", "(2 6 10 7)(3 9 4 5)"], degree=11)
    assert M11.order == 7920
    assert Alternating(11) != M11


@pytest.mark.parametrize("own", [Rotations(3), MatrixGroup(algebra=SO(3).algebra.basis)], ids=str)
def test_an_own_class_of_rotations_beside_the_librarys(own):
    assert own.is_rotations
    assert own.is_proper
    assert own.has_haar
    assert own.linear_part is own or own.linear_part == SO(3)
    V = own.vector
    check_rep(V)
    check_rep(own.irrep(2))
    mixed = V @ SO(3).vector + SO(3).scalar + own.irrep(2)
    target = SO(3).irrep(1) + own.scalar
    maps = er.EquivariantMaps(mixed, target)
    # V⊗V holds each of l = 0, 1, 2 once.
    assert maps.dim == er.EquivariantMaps(SO(3).tensor(2) + SO(3).scalar + SO(3).irrep(2), SO(3).vector + SO(3).scalar).dim == 1 + 2
    g, x = SO(3).sample(6, dtype=F64, generator=torch.Generator().manual_seed(0)), torch.randn(6, mixed.dim, dtype=F64)
    m = maps.matrix(torch.tensor([0.3, -1.0, 0.7], dtype=F64))
    assert (target.act(g, x @ m.mT) - mixed.act(g, x) @ m.mT).abs().max() < 1e-12


def test_own_permutations_and_motions_beside_the_librarys():
    own = Permutations(4)
    assert er.EquivariantMaps(own.vector**2, Symmetric(4).vector ** 2).dim == 15
    assert own.pseudoscalar == Symmetric(4).pseudoscalar
    G = RigidMotions()
    assert G.translates
    assert not G.is_rotations
    assert G.linear_part == SO(3)
    g, x = G.sample(dtype=F64), torch.randn(5, 3, dtype=F64)
    assert torch.allclose(G.point.act(g, x), x @ g[:3, :3].mT + g[:3, 3])


def test_representations_of_own_groups_without_names_of_the_library():
    V = er.reps.Defining(Rotations(3))
    assert V.is_orthogonal
    assert SO(3).vector == V
    assert (V + SO(3).vector).dim == 6


# ---- Haar ----


@pytest.mark.parametrize("dtype", [torch.float32, F64])
def test_exponentials_of_normals_are_not_averaged_as_haar(dtype):
    rng = torch.Generator().manual_seed(0)
    x = torch.tensor([1.0, 0.0, 0.0], dtype=dtype)
    # The algebra of all rotations is recognised, and Haar is drawn.
    G = MatrixGroup(algebra=SO(3).algebra.basis)
    assert G.measure == "Haar"
    assert G.vector.reynolds(x, 4000, rng).abs().max() < 5 / math.sqrt(3 * 4000)  # it was (0.335, ...)
    # In a skewed basis, too.
    moved = MatrixGroup(algebra=torch.linalg.inv(SKEW) @ SO(3).algebra.basis @ SKEW)
    assert moved.is_compact
    assert moved.has_haar
    assert moved.vector.reynolds(x, 4000, rng).abs().max() < 5 * 4 / math.sqrt(4000)
    # A class that says Haar of what is not is found out.
    check_group(Rotations(3))
    with pytest.raises(AssertionError, match="Haar"):
        check_group(NotHaar(3))


@pytest.mark.parametrize(
    "group",
    [
        MatrixGroup([turn(1.0)]),
        MatrixGroup(algebra=torch.kron(torch.eye(2, dtype=F64), SO(3).algebra.basis)),
        SO(3) * MatrixGroup([turn(1.0)]),
    ],
    ids=str,
)
def test_what_is_not_haar_is_not_called_so(group):
    assert "Haar" not in (group.measure, group.measure.removeprefix("product of "))
    assert not group.has_haar
    with pytest.raises(UnsupportedError, match="Haar"):
        group.scalar.reynolds(torch.ones(1), 10)


def test_haar_frames_refuse_what_is_not_haar():
    model = torch.nn.Linear(6, 6)
    copies = MatrixGroup(algebra=torch.kron(torch.eye(2, dtype=F64), SO(3).algebra.basis)).vector
    with pytest.raises((ArgumentError, UnsupportedError), match="Haar"):
        er.symmetrize(model, inp=copies, out=copies, frame=er.frames.Haar(4))


def test_finite_groups_are_compact_by_themselves_in_any_basis():
    quarter = torch.block_diag(turn(math.pi / 2), torch.eye(1, dtype=F64))
    G = MatrixGroup([torch.linalg.inv(SKEW) @ quarter @ SKEW])
    assert G.order == 4
    assert G.is_compact
    assert G.has_haar
    g = G.sample(8, dtype=F64)
    assert torch.allclose(G.multiply(g, G.inverse(g)), G.identity(8, dtype=F64), atol=1e-12)  # the transpose is no inverse here
    with pytest.raises(ArgumentError, match="'group'"):
        er.reps.SpatialIrrep(G, 2)  # harmonics need orthogonal matrices


# ---- components and determinants ----


def test_a_class_that_forgets_its_reflections_is_refused():
    with pytest.raises(AssertionError, match="generators and algebra reach the samples"):
        check_group(Forgetful(3))
    check_group(Rotations(3, reflections=True))


@pytest.mark.parametrize(
    ("group", "proper"),
    [
        (SO(1), True),
        (SO(3), True),
        (O(3), False),
        (SO(2, axis="z"), True),
        (AxialO("z"), False),
        (AxialSE("z"), True),
        (AxialE("z"), False),
        (SO(1, 3), True),
        (SO(1, 3, connected=True), True),
        (O(1, 3), False),
        (Isometries(torch.diag(torch.tensor([2.0, -1.0]))), True),
        (Sp(4), True),
        (SL(3), True),
        (Torus(2), True),
        (GLplus(2), False),
        (Scalings(2), False),
        (SE(3), True),
        (E(3), False),
        (Translations(2), True),
        (AffineGroup(SL(2)), True),
        (MatrixGroup([turn(1.0)]), True),
        (MatrixGroup([FLIP]), False),
        (MatrixGroup(algebra=SO(3).algebra), True),
        (IntegerMatrixGroup([torch.tensor([[0, -1], [1, 0]])]), True),
        (IntegerMatrixGroup([torch.tensor([[0, 1], [1, 0]])]), False),
        (IntegerMatrixGroup([torch.tensor([[1, 1], [0, 1]])], modulus=3), False),
        (Rotations(3), True),
        (Rotations(3, reflections=True), False),
        (Symmetric(3), False),
        (Alternating(4), False),
        (SO(3) * SO(2), False),
    ],
    ids=str,
)
def test_which_groups_consist_of_matrices_of_determinant_one(group, proper):
    assert group.is_proper is proper


def test_the_algebra_of_nothing_is_the_trivial_group():
    one = MatrixGroup(algebra=LieAlgebra(torch.zeros(0, 3, 3)))
    assert one.order == 1
    assert one.generators.tolist() == torch.eye(3)[None].tolist()


def test_an_identity_may_be_one_matrix_seen_many_times():
    class Vector(er.Rep):
        dim, is_orthogonal = 3, True

        def equality_key(self):
            return ()

        def matrix(self, g):
            return g

    V, known = Vector(Views(3)), SO(3).vector
    assert torch.equal(V.algebra(SO(3).algebra.basis), SO(3).algebra.basis)
    assert [er.EquivariantMaps(V @ V, W).dim for W in (V, known, SO(3).irrep(2))] == [1, 1, 1]


@pytest.mark.parametrize(
    ("own", "known"), [(MatrixGroup([-torch.eye(3)], SO(3).algebra), O(3)), (MatrixGroup(algebra=SE(3).algebra), SE(3))]
)
def test_what_is_recognised_has_a_test_of_membership(own, known):
    g = known.sample(5, generator=torch.Generator().manual_seed(0), dtype=F64)
    assert own.contains(g).all()
    assert not own.contains(2 * g).any()
    assert check_group(own).holds


def test_a_group_without_a_test_of_membership_is_checked_without_it():
    basis = SO(4).algebra.basis
    left = MatrixGroup(algebra=(basis[0] + 2**0.5 * basis[5])[None])  # winds about a torus, and never closes
    said = check_group(left).reason
    assert "members" not in said
    assert "log exp a = a" in said


def test_an_algebra_that_brackets_leave_is_refused():
    class Open(Rotations):
        @property
        def algebra(self):
            return LieAlgebra(SO(3).algebra.basis[:2])

    with pytest.raises(AssertionError, match="closed under brackets"):
        check_group(Open(3))


def test_generators_in_float32_are_refused():
    class Narrow(Rotations):
        @property
        def generators(self):
            return -torch.eye(3)[None]

    with pytest.raises(AssertionError, match="generators are in float64"):
        check_group(Narrow(3, reflections=True))


@pytest.mark.parametrize("group", [Cyclic(2) * SO(3), Symmetric(3) * O(2) * SO(2)])
def test_words_of_a_product_that_begins_with_integers_are_in_float64(group):
    parts = group.random_word(4, generator=torch.Generator().manual_seed(0))
    assert [p.dtype for p in parts if p.is_floating_point()] == [F64] * (len(parts) - 1)
    assert check_group(group).holds


@pytest.mark.parametrize("group", [E(1), SE(1)])
def test_motions_of_a_line_have_logarithms(group):
    g = group.element(torch.ones(1, 1, dtype=F64), torch.tensor([2.5], dtype=F64))
    assert group.log(g).tolist() == [[0.0, 2.5], [0.0, 0.0]]
    assert check_group(group).holds


def test_what_groups_keep_under_inference_mode_serves_training():
    from erlangen.groups import SpaceGroup

    perms, rotations, space = Symmetric(4), MatrixGroup([turn(math.pi / 2)]), SpaceGroup(221)
    own = PermutationGroup(["(0 1 2)"], degree=4)
    algebra = LieAlgebra(SO(3).algebra.basis)
    with torch.inference_mode():
        for group in (perms, rotations, own, space):
            _ = group.order, group.elements()
        algebra.coordinates(algebra.basis)
        algebra.orthonormal()
        _ = space.wyckoff_positions[3].representatives, space.point_group.elements()
    x = torch.randn(4, 4, dtype=F64, requires_grad=True)
    for kept in (perms._listed, own._listed, own._transversals[0]):
        x[kept].sum().backward()  # an index is saved for the way back
    (rotations._closure @ x[:2, :2]).sum().backward()
    algebra.coordinates(x[:3, :3]).square().sum().backward()
    position = space.wyckoff_positions[3]
    assert not position.representatives.is_inference()
    assert not position.representative.is_inference()
    assert not algebra._columns.is_inference()


def test_somebodys_kind_of_matrix_group_is_looked_at_too():
    class Mine(MatrixGroup):
        def __init__(self):
            super().__init__(algebra=SO(3).algebra, name="mine")

    class Reversed(Mine):
        def multiply(self, g, h):
            return h @ g

    assert recognised(Mine()) == SO(3)
    assert Mine().has_haar
    assert Mine().contains(SO(3).sample(3, dtype=F64)).all()
    assert recognised(Reversed()).multiply(FLIP @ MIXED, MIXED).equal(MIXED @ FLIP @ MIXED)
    assert not Reversed().has_haar


class WithoutExponential(Rotations):
    """Rotations that state their algebra, but not that its exponential is that of matrices."""

    exp, log = er.Group.exp, er.Group.log


def test_an_algebra_of_matrices_is_enough():
    G = WithoutExponential(3)
    assert er.SO(3) == G
    net = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(15, 3)).double()
    model = er.symmetrize(net, G.vector, G.vector)
    x = torch.randn(4, 5, 3, generator=torch.Generator().manual_seed(0), dtype=F64)
    assert er.equivariance_error(model, x, er.SO(3).vector, er.SO(3).vector)
