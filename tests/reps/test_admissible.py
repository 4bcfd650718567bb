"""Admissible activations: the theorem's table, the named cases, and random groups against brute force."""

from __future__ import annotations

import itertools
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from erlangen.errors import ArgumentError
from erlangen.groups import SE, SO, Cyclic, Dihedral, LieAlgebra, MatrixGroup, O, Scalings, Symmetric, Torus
from erlangen.reps import EntryMap, InBasis, MatrixRep, admissible, approximate_error
from erlangen.reps.classify import CoordinateFunctions
from erlangen.testing import check_rep


def group(*matrices):
    return MatrixGroup([torch.tensor(m, dtype=torch.float64) for m in matrices])


B3 = group([[-1, 0, 0], [0, 1, 0], [0, 0, 1]], [[0, 1, 0], [1, 0, 0], [0, 0, 1]], [[0, 0, 1], [1, 0, 0], [0, 1, 0]])
STRETCH = group([[2.0, 0], [0, 0.5]])
MIXED = group([[0, -2.0], [3.0, 0]])
TWOS = group([[0, 2.0], [0.5, 0]], [[4.0, 0], [0, 1.0]])
LIGHT_CONE = MatrixGroup(algebra=LieAlgebra(torch.tensor([[[1.0, 0], [0, -1.0]]], dtype=torch.float64)))
LORENTZ = MatrixGroup(algebra=LieAlgebra(torch.tensor([[[0, 1.0], [1.0, 0]]], dtype=torch.float64)))
S4 = Symmetric(4)

LOG_PERIODIC = (
    lambda x: x.clamp(min=0) * (2 + torch.sin(2 * math.pi * torch.log2(x.clamp_min(1e-300)))),
    lambda x: x.clamp(min=0) ** 2 * (3 + torch.cos(2 * math.pi * torch.log2(x.clamp_min(1e-300)))),
)

#: The class, two activations, representations that are admissible and ones that are not.
TABLE = {
    "{1}": (("sigmoid", nn.GELU()), [S4.vector, S4.vector**2], [S4.pseudoscalar, STRETCH.vector, B3.vector]),
    "odd": (("tanh", torch.sin), [B3.vector, S4.pseudoscalar], [STRETCH.vector, Cyclic(3).irrep(1)]),
    "even": ((torch.cos, lambda x: torch.exp(-x * x)), [B3.vector, S4.pseudoscalar], [STRETCH.vector, Cyclic(3).irrep(1)]),
    "R>0": (("relu", nn.LeakyReLU(0.2)), [STRETCH.vector, TWOS.vector], [B3.vector, MIXED.vector]),
    "R>0, degree 2": ((lambda x: x.clamp(min=0) ** 2,) * 2, [STRETCH.vector, S4.vector], [B3.vector, S4.pseudoscalar]),
    "odd power": ((lambda x: x**3, lambda x: x.sign() * x.abs() ** 0.5), [MIXED.vector, B3.vector], [Dihedral(3).irrep(1), SO(2).vector]),
    "even power": (("abs", "square"), [MIXED.vector, B3.vector], [Dihedral(3).irrep(1), SO(2).vector]),
    "log-periodic": (LOG_PERIODIC, [TWOS.vector, S4.vector], [STRETCH.vector * 1 + STRETCH.scalar, B3.vector]),
    "affine": ((lambda x: 2 * x + 1, lambda x: 0.5 - x), [S4.vector, S4.vector**2], [S4.pseudoscalar, SO(3).vector]),
}  # fmt: skip
TABLE["log-periodic"][2][0] = group([[3.0, 0], [0, 1.0]]).vector


def measured(rep, f, out, seed=0):
    """The worst relative difference of ``f(g x)`` and ``g f(x)`` over random elements."""
    source = torch.Generator().manual_seed(seed)
    discrete = not rep.group.dim
    g = (
        rep.group.random_word(20, length=4, generator=source)
        if discrete
        else rep.group.sample(20, generator=source, dtype=torch.float64)
    )
    x = torch.randn(20, rep.dim, generator=source, dtype=torch.float64)

    def apply(x):
        if not isinstance(f, list):
            return CoordinateFunctions(f, rep.dim)(x)
        pieces = x.split([p.dim for p in rep.parts], -1)
        return torch.cat([CoordinateFunctions(a, p.dim)(b) for a, p, b in zip(f, rep.parts, pieces)], -1)

    moved = (rep.matrix(g).double() @ x.unsqueeze(-1)).squeeze(-1)
    wanted = (out.matrix(g).double() @ apply(x).unsqueeze(-1)).squeeze(-1)
    return float(((apply(moved) - wanted).abs() / wanted.abs().amax(-1, keepdim=True).clamp_min(1e-30)).max())


def best_fit_error(matrix, f, seed=0):
    """Whatever ``R`` is: the relative residual of the least-squares fit ``f(M x) = R f(x)``, over normal inputs."""
    x = torch.randn(400, len(matrix), generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    function = CoordinateFunctions(f, len(matrix))
    here, there = function(x), function(x @ matrix.mT)
    fit = torch.linalg.lstsq(here, there, driver="gelsd").solution
    return float((there - here @ fit).norm() / there.norm())


@pytest.mark.parametrize("row", TABLE)
def test_the_theorems_table(row):
    activations, good, bad = TABLE[row]
    for f in activations:
        for rep in good:
            verdict = admissible(rep, f)
            assert verdict.holds, verdict
            assert verdict.how == "exact"
            assert measured(rep, f, verdict.output_rep) <= 1e-12
        for rep in bad:
            verdict = admissible(rep, f)
            assert not verdict.holds, verdict
            assert verdict.output_rep is None
            assert verdict.witness.error > 1e-3
            assert verdict.alternatives
            assert best_fit_error(rep.matrix(verdict.witness.g).double(), f) > 1e-3


def test_linear_constant_and_zero_go_with_everything():
    for rep in (SO(3).vector, B3.vector, LORENTZ.vector, MIXED.vector):
        assert admissible(rep, "identity").output_rep == rep
        assert admissible(rep, lambda x: -2 * x).output_rep == rep
        assert admissible(rep, lambda x: 0 * x).output_rep == rep
        constant = admissible(rep, lambda x: 0 * x + 5)
        assert constant.output_rep == rep.dim * rep.group.scalar
        assert measured(rep, lambda x: 0 * x + 5, constant.output_rep) <= 1e-12


def test_hyperoctahedral_group():
    V = B3.vector
    assert B3.order == 48
    assert admissible(V, "tanh").output_rep == V
    assert admissible(V, lambda x: x**3).output_rep == V
    no = admissible(V, "relu")
    assert not no.holds
    assert torch.equal(no.witness.g, torch.diag(torch.tensor([-1.0, 1, 1], dtype=torch.float64)))
    absolute = admissible(V, "abs").output_rep
    every = B3.elements()
    assert torch.equal(absolute.matrix(every), every.abs())
    assert absolute == admissible(V, torch.cos).output_rep  # both forget signs
    assert admissible(absolute, "relu").output_rep == absolute
    check_rep(absolute)


def test_stretches():
    V = STRETCH.vector
    assert admissible(V, "relu").output_rep == V
    assert not admissible(V, "sigmoid")
    square = admissible(V, "square").output_rep
    assert torch.allclose(square(STRETCH.generators)[0], torch.diag(torch.tensor([4.0, 0.25], dtype=torch.float64)))
    dilations = admissible(Scalings(3).vector, "square")
    assert torch.equal(dilations.output_rep.algebra(Scalings(3).tangents(torch.float64))[0], 2 * torch.eye(3, dtype=torch.float64))
    check_rep(dilations.output_rep)
    assert not admissible(Scalings(3).vector, "tanh")


def test_large_spaces_are_decided_by_their_factors():
    V = Symmetric(40).vector ** 3
    assert admissible(V, "relu").output_rep == V
    W = B3.vector**2
    absolute = admissible(W, "abs").output_rep
    assert absolute == admissible(B3.vector, "abs").output_rep ** 2
    assert torch.equal(absolute.matrix(B3.elements()), W.matrix(B3.elements()).abs())
    assert not admissible(W, "relu")
    assert admissible(B3.pseudoscalar**2, "relu")  # the factors are refused, their product is trivial


def test_light_cone_basis():
    assert admissible(LIGHT_CONE.vector, "relu").output_rep == LIGHT_CONE.vector
    assert not admissible(LIGHT_CONE.vector, "tanh")
    assert not admissible(LORENTZ.vector, "relu")
    basis = torch.tensor([[1.0, 1.0], [1.0, -1.0]])
    assert admissible(LORENTZ.vector, "relu", basis=basis)
    assert not admissible(LORENTZ.vector, "tanh", basis=basis)


ACTIVATIONS = [
    *(nn.ReLU(), nn.LeakyReLU(), nn.PReLU(), nn.RReLU().eval(), nn.ELU(), nn.CELU(), nn.SELU(), nn.GELU(), nn.SiLU(), nn.Mish()),
    *(nn.Hardswish(), nn.Hardsigmoid(), nn.Sigmoid(), nn.LogSigmoid(), nn.Softplus(), nn.ReLU6(), nn.Tanh(), nn.Softsign()),
    *(nn.Tanhshrink(), nn.Softshrink(), nn.Hardshrink(), nn.Hardtanh(), nn.Threshold(0.1, 0.0), torch.sin, torch.cos, torch.abs),
    *(torch.square, torch.sign, torch.atan, torch.asinh),
]


def test_rotations_admit_nothing():
    reps = [*(SO(2).irrep(k) for k in range(1, 6)), *(SO(3).irrep(l) for l in range(1, 5))]
    assert len(ACTIVATIONS) == 30
    for rep in reps:
        assert admissible(rep, "identity")
        for f in ACTIVATIONS:
            verdict = admissible(rep, f)
            assert not verdict
            assert verdict.witness.error > 1e-3
            assert "compact" in verdict.reason
    assert admissible(5 * SO(3).scalar, "relu").output_rep == 5 * SO(3).scalar
    assert not admissible(SE(3).vector, "relu")
    assert not admissible(Torus(2).vector, "tanh")


def test_a_random_lie_generator_is_refused():
    source = torch.Generator().manual_seed(3)
    for n in (2, 3, 5):
        a = torch.randn(n, n, generator=source, dtype=torch.float64)
        G = MatrixGroup(algebra=LieAlgebra(a[None]))
        b = torch.randn(n, n, generator=source, dtype=torch.float64)
        for f in ("relu", "tanh", "abs", nn.GELU()):
            assert admissible(G.vector, f, basis=b).witness.error > 1e-3


def test_dihedral_irrep_in_two_bases():
    V = Dihedral(4).irrep(1)
    assert admissible(V, "tanh").output_rep == V
    assert not admissible(V, "relu")
    swap = admissible(V, "abs").output_rep
    assert torch.allclose(swap(Dihedral(4).elements()), V(Dihedral(4).elements()).abs())
    assert swap.matrix(Dihedral(4).elements()).unique().tolist() == [0.0, 1.0]
    angle = math.pi / 6
    turned = torch.tensor([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    for f in ("tanh", "relu", "abs"):
        verdict = admissible(V, f, basis=turned)
        assert not verdict
        assert best_fit_error(InBasis(V, turned).matrix(verdict.witness.g), f) > 1e-3


def test_cyclic_groups():
    C4 = Cyclic(4)
    assert all(admissible(C4.regular, f).output_rep == C4.regular for f in ACTIVATIONS)
    assert admissible(C4.irrep(1), "tanh")
    assert not admissible(C4.irrep(1), "relu")
    assert not admissible(Cyclic(3).irrep(1), "tanh")


def test_affine_functions():
    def f(x):
        return 2 * x + 1

    assert admissible(S4.vector, f).output_rep == S4.vector
    no = admissible(S4.pseudoscalar, f)
    assert not no.holds
    assert no.witness.error == pytest.approx(2.0)  # f(0) = 1 against -1
    assert admissible(SO(2).vector, lambda x: 2 * x).output_rep == SO(2).vector
    assert admissible(SO(2).vector, f).witness.error > 0.1
    fixes_ones = InBasis(SO(2).vector + SO(2).scalar, torch.tensor([[1.0, -1.0, 0.0], [1.0, 1.0, -2.0], [1.0, 1.0, 1.0]]).T)
    assert not admissible(fixes_ones, f)  # the invariant is the last vector, not the sum


def test_blocks_have_their_own_functions():
    V = S4.pseudoscalar + S4.vector
    verdict = admissible(V, ["tanh", "relu"])
    assert verdict.output_rep == V
    assert measured(V, ["tanh", "relu"], V) <= 1e-12
    swapped = admissible(V, ["relu", "tanh"])
    assert not swapped
    assert "block 0 (sgn)" in swapped.reason
    assert swapped.witness.x.shape == (5,)
    assert admissible(V, torch.abs).output_rep.parts[1] == S4.vector
    with pytest.raises(ArgumentError, match="2, one for each block"):
        admissible(V, ["relu"] * 3)


def test_slopes_for_each_coordinate():
    prelu = nn.PReLU(5)
    with torch.no_grad():
        prelu.weight.copy_(torch.tensor([-1.0, 0.2, 0.2, 0.2, 0.2]))
    V = S4.pseudoscalar + S4.vector
    verdict = admissible(V, prelu)
    assert verdict.holds  # the absolute value on the sign, one slope on the orbit
    assert measured(V, prelu, verdict.output_rep) <= 1e-12
    with torch.no_grad():
        prelu.weight[2] = 0.3
    broken = admissible(V, prelu)
    assert not broken
    assert "slopes differ" in broken.reason
    assert broken.witness.error > 1e-3
    with pytest.raises(ArgumentError, match="1 or 4 slopes"):
        admissible(S4.vector, prelu)


def test_products_with_rotations_need_trivial_factors():
    G = Symmetric(3) * SO(3)
    points = G.lift(0, Symmetric(3).vector)
    assert admissible(points, "gelu").output_rep == points
    assert not admissible(points @ G.lift(1, SO(3).vector), "relu")


def test_the_trivial_group():
    from erlangen.groups import TableGroup

    G = TableGroup([[0]])
    assert admissible(MatrixRep(G, lambda g: torch.eye(3, dtype=torch.float64).expand(*g.shape, 3, 3), 3), nn.GELU())


@st.composite
def monomial_case(draw):
    """An activation, and generators whose entries it takes as multipliers."""
    kind = draw(st.sampled_from(["{1}", "odd", "R>0", "R*"]))
    n, count = draw(st.integers(2, 5)), draw(st.integers(1, 3))
    f = {"{1}": nn.SiLU(), "odd": nn.Tanh(), "R>0": nn.LeakyReLU(0.3), "R*": torch.square}[kind]
    source = torch.Generator().manual_seed(draw(st.integers(0, 10_000)))
    matrices = []
    for _ in range(count):
        p = torch.eye(n, dtype=torch.float64)[torch.randperm(n, generator=source)]
        size = (0.5 * torch.randn(n, generator=source, dtype=torch.float64)).exp() if kind[0] == "R" else torch.ones(n).double()
        sign = torch.randint(2, (n,), generator=source) * 2 - 1 if kind in ("odd", "R*") else torch.ones(n)
        matrices.append(p * (size * sign))
    return f, torch.stack(matrices), source


def searched(matrix, f, source):
    """The worst relative error found by random search over pairs of coordinates and over all, one row at a time, as a witness counts it."""
    n, worst = len(matrix), 0.0
    function = CoordinateFunctions(f, n)
    for columns in [*itertools.combinations(range(n), 2), range(n)]:
        x = torch.zeros(300, n, dtype=torch.float64)
        x[:, list(columns)] = 2 * torch.randn(300, len(columns), generator=source, dtype=torch.float64)
        here, there = function(x), function(x @ matrix.mT)
        fit = here @ torch.linalg.lstsq(here, there, driver="gelsd").solution
        error = (there - fit).abs() / torch.maximum(there.norm(dim=1, keepdim=True), fit.abs())
        worst = max(worst, float(error.nan_to_num().max()))
    return worst


@settings(max_examples=30, deadline=None)
@given(monomial_case())
def test_random_monomial_groups_and_their_perturbations(case):
    f, matrices, source = case
    V = MatrixGroup(matrices).vector
    verdict = admissible(V, f)
    assert verdict.holds, verdict
    assert measured(V, f, verdict.output_rep) <= 1e-12
    n = matrices.shape[-1]
    k, i, j = (int(torch.randint(high, (1,), generator=source)) for high in (len(matrices), n, n))
    spoiled = matrices.clone()
    if f is torch.square or isinstance(f, nn.LeakyReLU):
        j = int((spoiled[k, i] == 0).nonzero()[0])  # a changed size would still be a multiplier
    spoiled[k, i, j] += 1e-3
    no = admissible(MatrixGroup(spoiled).vector, f)
    assert not no.holds
    assert no.witness.error > 0
    assert no.witness.error >= searched(spoiled[k], f, source) / 10


def test_wrong_input():
    with pytest.raises(ArgumentError, match="'rep'.*complex128"):
        admissible(MatrixRep(Cyclic(2), lambda g: torch.eye(2).to(torch.complex128).expand(*g.shape[:-1], 2, 2), 2), "relu")
    with pytest.raises(ArgumentError, match="'rep'.*invertible"):
        admissible(MatrixRep(Cyclic(2), lambda g: torch.ones(2, 2).expand(*g.shape[:-1], 2, 2), 2), "relu")
    with pytest.raises(ArgumentError, match="'rep'.*finite"):
        admissible(MatrixRep(Cyclic(2), lambda g: torch.full((*g.shape[:-1], 2, 2), math.nan), 2), "relu")
    with pytest.raises(ArgumentError, match="'activation'.*at 0"):
        admissible(S4.vector, torch.log)
    with pytest.raises(ArgumentError, match="'activation'.*keeps the shape"):
        admissible(S4.vector, lambda x: x.sum(-1))
    with pytest.raises(ArgumentError, match="'basis'"):
        admissible(S4.vector, "relu", basis=torch.ones(4, 4))
    with pytest.raises(ArgumentError, match="'rep'"):
        admissible(S4, "relu")
    with pytest.raises(ArgumentError, match="'tol'"):
        admissible(S4.vector, "relu", tol=-1.0)


def test_approximate_error_is_zero_where_admissible():
    assert approximate_error(S4.vector, "gelu").worst < 1e-12
    V = Dihedral(4).irrep(1)
    assert approximate_error(V, "abs", admissible(V, "abs").output_rep).worst < 1e-12
    off = approximate_error(SO(3).vector, "relu")
    assert 0.1 < off.mean < off.worst
    assert approximate_error(SO(3).vector, nn.LeakyReLU(0.9)).mean < off.mean / 3
    with pytest.raises(ArgumentError, match="output_rep"):
        approximate_error(S4.vector, "relu", S4.scalar)


def test_reflections_with_determinant():
    assert admissible(O(3).pseudoscalar, "tanh")
    assert not admissible(O(3).pseudoscalar, "relu")
    assert isinstance(admissible(O(3).pseudoscalar, "abs").output_rep, EntryMap)


def test_what_a_peer_accepts():
    # e3nn tells an odd function by points up to 10; these bounds differ farther out.
    peer, o3 = pytest.importorskip("e3nn.nn"), pytest.importorskip("e3nn.o3")
    f = nn.Hardtanh(-20, 30)
    accepted = peer.Activation(o3.Irreps("1x0o"), [f])
    x = torch.tensor([[25.0]])
    assert float((accepted(-x) + accepted(x)).abs()) > 1
    verdict = admissible(O(3).pseudoscalar, f)
    assert not verdict
    assert not admissible(O(3).pseudoscalar, lambda t: t.clamp(-20, 30))
