"""The numeric solver: published dimensions, five methods that must find one space, and what it refuses."""

from __future__ import annotations

from math import gcd, prod

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from erlangen.errors import ArgumentError, UnsupportedError
from erlangen.groups import SE, SL, SO, Alternating, Cyclic, Dihedral, E, O, Sp, Symmetric, Torus
from erlangen.groups.base import Group
from erlangen.maps.constraints import Constraints
from erlangen.maps.numeric import NumericBasis, numeric_basis
from erlangen.maps.orbits import find_orbits
from erlangen.maps.weights import weight_zero
from erlangen.reps import Defining, MatrixRep, Rep, Sign, intertwiners


def check(found: NumericBasis, source: Rep, target: Rep, atol: float = 1e-10) -> None:
    """Orthonormal, and commuting with group elements that the solver has never seen."""
    flat = found.basis.flatten(1)
    assert torch.allclose(flat @ flat.mT, torch.eye(found.dim, dtype=torch.float64), atol=1e-10, rtol=0)
    assert found.residual <= atol
    assert found.clear
    g = source.group.sample(3, generator=torch.Generator().manual_seed(1), dtype=torch.float64, scale=0.3)
    left, right = target(g).double()[:, None], source(g).double()[:, None]
    scale = float(torch.linalg.matrix_norm(left, 2).max() + torch.linalg.matrix_norm(right, 2).max())
    if found.dim:
        assert float((left @ found.basis - found.basis @ right).norm(dim=(-2, -1)).max()) <= atol * scale


def same_space(a: torch.Tensor, b: torch.Tensor) -> None:
    """Orthonormal bases of one subspace: all principal cosines are one."""
    assert len(a) == len(b)
    if len(a):
        cosines = torch.linalg.svdvals(a.flatten(1) @ b.flatten(1).mT)
        assert float((cosines - 1).abs().max()) < 1e-10


@pytest.mark.parametrize(
    ("group", "k", "l", "count"),
    [
        (SO(3), 3, 3, 15),
        (SO(3), 3, 4, 36),
        (O(3), 3, 3, 15),
        (O(3), 2, 3, 0),
        (Sp(4), 2, 2, 3),
        (O(1, 3), 2, 2, 3),
        (SO(1, 3), 2, 2, 4),  # and the Levi-Civita tensor
        (SO(2), 1, 1, 2),
        (O(2), 1, 1, 1),
        (SO(4), 2, 2, 4),
        (E(3), 2, 2, 3),  # translations do not move vectors
        (SE(3), 1, 2, 1),  # the cross product
        (Torus(2), 1, 1, 4),
        (Torus(2), 1, 2, 0),
        (Symmetric(3), 2, 2, 14),
        (Symmetric(4), 2, 2, 15),
        (Symmetric(2), 3, 3, 32),
        (Symmetric(1), 3, 3, 1),
        (Symmetric(50), 1, 1, 2),
        (Alternating(3), 1, 1, 3),
        (Alternating(4), 2, 2, 22),
    ],
    ids=str,
)
def test_dimensions(group: Group, k: int, l: int, count: int) -> None:
    source, target = group.vector**k, group.vector**l
    found = numeric_basis(source, target)
    assert found.basis.shape == (count, target.dim, source.dim)
    check(found, source, target)


def test_special_linear_maps_of_endomorphisms() -> None:
    """On V ⊗ V*: the identity and the trace."""
    V = SL(3).vector
    space = V @ V.dual
    found = numeric_basis(space, space)
    assert found.dim == 2
    check(found, space, space)
    trace = torch.eye(3, dtype=torch.float64).flatten()
    named = torch.stack([torch.eye(9, dtype=torch.float64) / 3, torch.outer(trace, trace) / 3])
    same_space(found.basis, torch.linalg.qr(named.flatten(1).mT).Q.mT.reshape(2, 9, 9))


# Every group with the methods that must agree on it; krylov needs more than 80 unknowns.
S3, S4, A4 = Symmetric(3).vector, Symmetric(4).vector, Alternating(4).vector
MIXED = SO(3) * Symmetric(4)
CLOUD = MIXED.lift(0, SO(3).vector) @ MIXED.lift(1, S4)
POSE = Defining(SE(3))
AGREE = [
    ("S3 2->2", S3**2, S3**2, {"orbits", "dense", "krylov", "exact"}),
    ("S4 with a sign", S4**2, S4**2 @ Sign(Symmetric(4)), {"orbits", "dense", "krylov", "exact"}),
    ("A4 1->3", A4, A4**3, {"orbits", "dense", "krylov", "exact"}),
    ("D4 plane", Dihedral(4).irrep(1) ** 2, Dihedral(4).irrep(1) ** 2, {"orbits", "dense", "exact"}),
    ("D6 regular", Dihedral(6).regular, Dihedral(6).regular, {"orbits", "dense", "krylov", "exact"}),
    ("D6 regular -> plane", Dihedral(6).regular, Dihedral(6).irrep(1), {"dense"}),
    ("C5", Cyclic(5).irrep(1) ** 2, Cyclic(5).irrep(2), {"dense"}),
    ("C5 x S3", (Cyclic(5) * Symmetric(3)).lift(1, S3) ** 2, (Cyclic(5) * Symmetric(3)).lift(0, Cyclic(5).irrep(1)), {"dense"}),
    ("SO(3) 2->3", SO(3).vector ** 2, SO(3).vector ** 3, {"weights", "dense", "krylov", "exact"}),
    ("SO(3) irreps", SO(3).irrep(2) @ SO(3).irrep(1), SO(3).irrep(3), {"weights", "dense", "krylov"}),
    ("O(3) 2->2", O(3).vector ** 2, O(3).vector ** 2, {"weights", "dense", "krylov", "exact"}),
    ("O(3) axial", O(3).vector ** 2, O(3).vector @ O(3).pseudoscalar, {"weights", "dense", "exact"}),
    ("Sp(4) 2->2", Sp(4).vector ** 2, Sp(4).vector ** 2, {"weights", "dense", "krylov", "exact"}),
    ("O(1,3) 2->2", O(1, 3).vector ** 2, O(1, 3).vector ** 2, {"weights", "dense", "krylov", "exact"}),
    ("SL(2) 2->2", SL(2).vector ** 2, SL(2).vector.dual ** 2, {"weights", "dense", "exact"}),
    ("SE(3) poses", POSE**2, POSE, {"dense", "exact"}),  # translations are nilpotent: no weights
    ("SO(3) x S4", CLOUD, CLOUD, {"weights", "dense", "krylov", "exact"}),
    ("O(2) x O(3)", (O(2) * O(3)).lift(0, O(2).vector) @ (O(2) * O(3)).lift(1, O(3).vector), None, {"weights", "dense", "exact"}),
    ("sums", 2 * SO(3).vector + SO(3).vector ** 2, SO(3).vector + SO(3).scalar, {"weights", "dense", "exact"}),
]


@pytest.mark.parametrize(("source", "target", "methods"), [row[1:] for row in AGREE], ids=[row[0] for row in AGREE])
def test_methods_find_one_space(source: Rep, target: Rep | None, methods: set[str]) -> None:
    target = source if target is None else target
    expected = intertwiners(source, target)
    for method in ("auto", *sorted(methods)):
        found = numeric_basis(source, target, method=method)
        check(found, source, target)
        same_space(found.basis, expected)
        if method != "auto":
            assert found.method == method


@pytest.mark.parametrize(
    ("source", "target"), [(S3**2, S3), (O(3).vector ** 2, O(3).vector ** 2), (SL(2).vector ** 2, SL(2).vector ** 2)]
)
def test_exact_basis_is_rational_and_solves_the_equations_in_integers(source: Rep, target: Rep) -> None:
    found = numeric_basis(source, target, method="exact")
    assert found.exact is not None
    assert found.exact.dtype == torch.int64
    for equation in Constraints.of(target >> source):
        assert not equation(found.exact.flatten(1).mT.double()).any()  # small integers: float64 is exact on them
    for each in found.exact.flatten(1):
        assert gcd(*each.tolist()) == 1
    same_space(torch.linalg.qr(found.exact.flatten(1).mT.double()).Q.mT, numeric_basis(source, target).basis.flatten(1))


def test_exact_falls_back_on_elimination_where_fractions_are_not_simple(monkeypatch: pytest.MonkeyPatch) -> None:
    import erlangen.maps.rational as rational

    monkeypatch.setattr(rational, "_read_as_fractions", lambda basis: torch.arange(basis.size).view(basis.shape).numpy())
    found = numeric_basis(S3**2, S3, method="exact")
    assert found.dim == 5
    same_space(found.basis, intertwiners(S3**2, S3))


@given(st.integers(1, 5), st.integers(0, 3), st.integers(0, 2))
@settings(max_examples=25, deadline=None)
def test_orbits_are_as_many_as_partitions_with_at_most_n_blocks(n: int, k: int, l: int) -> None:
    stirling = [[1, *[0] * 8]]
    for row in range(1, 9):
        stirling.append([0, *[t * stirling[row - 1][t] + stirling[row - 1][t - 1] for t in range(1, 9)]])
    V = Symmetric(n).vector
    assert numeric_basis(V**k, V**l, method="orbits").dim == sum(stirling[k + l][: n + 1])


def test_an_orbit_that_meets_its_negative_is_dropped() -> None:
    """The plane turned by quarters: of four index pairs two orbits, both signed; the sign representation has no invariant."""
    quarter = Cyclic(4).irrep(1)
    orbits = find_orbits(Constraints.of(quarter >> quarter))
    assert orbits is not None
    assert orbits.count == 2
    assert sorted(orbits.sizes().tolist()) == [2, 2]
    signed = find_orbits(Constraints.of(Sign(Symmetric(3))))
    assert signed is not None
    assert signed.count == 0
    assert signed.labels.tolist() == [-1]
    assert find_orbits(Constraints.of(SO(2).vector)) is None


def test_orbits_do_not_write_out_large_spaces() -> None:
    V = Symmetric(10).vector
    orbits = find_orbits(Constraints.of(V**3 >> V**2))
    assert orbits is not None
    assert orbits.count == 52
    assert int(orbits.sizes().sum()) == 10**5


def test_products_of_weight_zero() -> None:
    """SO(3) on seven vector axes: 393 of 2187 tensors; and they are annihilated by the element."""
    constraints = Constraints.of(SO(3).tensor(3) >> SO(3).tensor(4))
    element = constraints.random_element(torch.Generator().manual_seed(3))
    found = weight_zero(element)
    assert found is not None
    assert found[0].shape == (2187, 393)
    assert float(element(found[0]).abs().max()) < 1e-12
    assert weight_zero(Constraints.of(POSE).random_element(torch.Generator().manual_seed(0))) is None


def test_constraints_are_the_kronecker_products_that_are_never_formed() -> None:
    rep = O(3).tensor(2) >> O(3).vector
    constraints = Constraints.of(rep)
    x = torch.randn(27, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    dense = [*rep.algebra(O(3).tangents(torch.float64)), *(rep.matrix(O(3).generators.double()) - torch.eye(27))]
    assert prod(constraints.dims) == constraints.size == 27
    for equation, matrix in zip(constraints, dense, strict=True):
        assert torch.allclose(equation(x), matrix @ x, atol=1e-13)
        assert torch.allclose(equation.adjoint(x), matrix.mT @ x, atol=1e-13)
        assert float(torch.linalg.matrix_norm(matrix, 2)) <= equation.scale + 1e-12


def test_equal_blocks_are_shared_and_others_zero() -> None:
    V = SO(3).vector
    found = numeric_basis(4 * V + V**2, 3 * V)
    assert found.dim == 12 + 3
    check(found, 4 * V + V**2, 3 * V)
    same_space(found.basis, intertwiners(4 * V + V**2, 3 * V))
    support = found.basis.reshape(15, 3, 3, 21).abs().amax((2,)) > 1e-12
    assert bool((support.any(2).sum(1) == 1).all())  # each map reaches one block of the target


def test_deterministic_for_a_seed() -> None:
    V = SO(3).vector
    once, again, other = (numeric_basis(V**2, V**3, seed=seed).basis for seed in (0, 0, 1))
    assert torch.equal(once, again)
    same_space(once, other)


def test_wrong_arguments() -> None:
    V = SO(3).vector
    with pytest.raises(ArgumentError, match=r"'target'.*SO\(3\).*O\(3\)"):
        numeric_basis(V, O(3).vector)
    with pytest.raises(ArgumentError, match="'source'.*representation"):
        numeric_basis(3, V)  # type: ignore[arg-type]
    with pytest.raises(ArgumentError, match="'method'.*'orbits'"):
        numeric_basis(V, V, method="fast")  # type: ignore[arg-type]
    with pytest.raises(ArgumentError, match="'seed'"):
        numeric_basis(V, V, seed=0.5)  # type: ignore[arg-type]
    with pytest.raises(ArgumentError, match="signed permutations"):
        numeric_basis(V, V, method="orbits")
    with pytest.raises(ArgumentError, match="Lie algebra"):
        numeric_basis(S3, S3, method="weights")
    with pytest.raises(ArgumentError, match="Lie algebra.*dense"):
        numeric_basis(POSE, POSE, method="weights")
    with pytest.raises(ArgumentError, match="rational"):
        numeric_basis(Cyclic(5).irrep(1), Cyclic(5).irrep(1), method="exact")
    with pytest.raises(ArgumentError, match="80"):
        numeric_basis(V, V, method="krylov")


def test_too_large_a_basis_is_refused_before_memory_ends() -> None:
    V = Symmetric(50).vector
    with pytest.raises(UnsupportedError, match="entries"):
        numeric_basis(V**2, V**2, method="dense")


def test_an_unclear_dimension_is_an_error() -> None:
    """A 'representation' whose equation has singular values in steps of 30 down to rounding has no dimension of invariants."""
    ladder = torch.diag(1 + 30.0 ** -torch.arange(12, dtype=torch.float64))
    blurred = MatrixRep(Cyclic(2), lambda g: ladder.expand(*g.shape[:-1], 12, 12) if g.ndim else ladder, 12)
    with pytest.raises(UnsupportedError, match="clear dimension"):
        numeric_basis(blurred.group.scalar, blurred)
