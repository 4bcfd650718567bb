"""Elements of other groups: a formula that reads only a part of an element refuses what does not belong; else a matrix is what it is."""

import pytest
import torch

import erlangen as er
from erlangen.errors import ArgumentError
from erlangen.groups import Torus, generated
from erlangen.groups.membership import looks_cheap

F64 = torch.float64
C, D, T, A, S = er.Cyclic(4), er.Dihedral(4), er.TableGroup([[0, 1], [1, 0]]), er.FiniteAbelian(2, 3), er.Symmetric(3)
H = generated(S, torch.tensor([[1, 2, 0]]))
SWAP = torch.tensor([1, 0, 2, 3])
TRANSPOSED = torch.tensor([[1.0, 0, 0], [0, 1, 0], [3, 4, 1]])  # a translation of rows, on the left
G = er.SE(2)


def whole(*numbers):
    return torch.tensor(numbers if len(numbers) > 1 else numbers[0])


GROUPS = (C, D, T, A, S, G, Torus(2), er.Scalings(3), er.SO(3), er.O(1, 3), er.SO(2) * C, er.E(3), er.AffineGroup(er.SL(2)))
REPS = (C.regular, C.irrep(1), D.regular, D.irrep(1), T.regular, A.regular, S.vector)

STRANGERS = {
    "regular, cyclic": lambda: C.regular.act(SWAP, torch.ones(4)),
    "irrep, cyclic": lambda: C.irrep(1)(torch.stack([C.element(1), SWAP])),
    "exponent": lambda: C.exponent(whole(4, 5, 6, 7)),
    "index, cyclic": lambda: C.index(SWAP),
    "regular, dihedral": lambda: D.regular(SWAP),
    "irrep, dihedral": lambda: D.irrep("flip")(SWAP),
    "parts": lambda: D.parts(whole(0, 1, 3, 2)),
    "no permutation": lambda: S.vector.act(whole(0, 0, 1), torch.ones(3)),
    "a float permutation": lambda: S.vector.act(torch.tensor([0.0, 1.0, 2.0]), torch.ones(3)),
    "table, negative": lambda: T.multiply(whole(-1), whole(1)),
    "table, negative on the right": lambda: T.multiply(whole(1), whole(-2)),
    "table, too large": lambda: T.inverse(whole(2)),
    "table, inverse of a negative": lambda: T.inverse(whole(-1)),
    "table, regular": lambda: T.regular.act(whole(-1), torch.ones(2)),
    "table, a mask": lambda: T.multiply(torch.tensor([True]), torch.tensor([True])),
    "table, bytes": lambda: T.inverse(torch.tensor([1], dtype=torch.uint8)),
    "embed, negative": lambda: H.embed(whole(-1)),
    "embed, too large": lambda: H.embed(whole(3)),
    "embed, a mask": lambda: H.embed(torch.tensor([True, False, True])),
    "residues, too few": lambda: A.multiply(whole(1)[None], whole(1, 1)),
    "residues, halves": lambda: A.multiply(torch.tensor([0.5, 1.0]), whole(1, 1)),
    "residues, index of halves": lambda: A.index(torch.tensor([0.5, 1.0])),
    "motions, point": lambda: G.point.act(TRANSPOSED, torch.zeros(2)),
    "motions, translation": lambda: G.translation(TRANSPOSED[None]),
    "motions, inverse": lambda: G.inverse(TRANSPOSED.double()),
    "motions, log": lambda: G.log(TRANSPOSED),
    "torus, angles": lambda: Torus(2).angles(2 * torch.eye(4)),
    "torus, log": lambda: Torus(2).log(torch.ones(4, 4)),
    "scalings, inverse": lambda: er.Scalings(2).inverse(torch.ones(2, 2)),
    "scalings, log": lambda: er.Scalings(2).log(torch.diag(torch.tensor([1.0, 2.0]))),
    "a product's part": lambda: (er.SO(2) * S).scalar.act((torch.eye(2), torch.ones(3)), torch.ones(1)),
    "check": lambda: er.SO(3).check(torch.stack([torch.eye(3), -torch.eye(3)])),
}


@pytest.mark.parametrize("name", STRANGERS)
def test_a_stranger_is_refused(name):
    with pytest.raises(ArgumentError, match="'[gh]'"):
        STRANGERS[name]()


def test_the_error_counts_and_places_them():
    with pytest.raises(ArgumentError, match=r"elements of C_4; got 1 of 6 that are not in it, the first at \[1, 2\]"):
        C.exponent(torch.cat([C.element(torch.zeros(5, dtype=torch.int64)), SWAP[None]]).view(2, 3, 4))


def test_other_integers_stand_for_their_residues():
    g, reduced, x = whole(3, -1), whole(1, 2), torch.randn(6, dtype=F64, generator=torch.Generator().manual_seed(0))
    assert A.multiply(g, A.identity()).tolist() == reduced.tolist()
    assert A.index(g) == A.index(reduced) == 5
    assert torch.equal(A.regular.act(g, x), A.regular.act(reduced, x))
    assert not A.contains(g)


@pytest.mark.parametrize("batch", [(), (0,), (1,), (2, 3)])
@pytest.mark.parametrize("dtype", [F64, torch.float32, torch.bfloat16])
def test_members_are_accepted_in_all_types_and_batches(batch, dtype):
    draw = {"generator": torch.Generator().manual_seed(0), "dtype": dtype}
    for group in (
        C,
        D,
        T,
        A,
        S,
        G,
        Torus(2),
        er.Scalings(3),
        er.SO(3),
        er.O(1, 3),
        er.SO(2) * C,
        er.E(3),
        er.AffineGroup(er.SL(2)),
    ):
        g = group.sample(*batch, **draw)
        group.check(group.multiply(g, g))
        assert group.batch_shape(group.inverse(g)) == batch
    for rep in REPS:
        g = rep.group.sample(*batch, **draw)
        assert rep.act(g, torch.ones(*batch, rep.dim, dtype=dtype)).shape == (*batch, rep.dim)
        torch.testing.assert_close(rep(rep.group.inverse(g)), rep(g).mT, rtol=0, atol=1e-15)  # cosines are rounded
    assert G.point.act(G.sample(*batch, **draw), torch.ones(*batch, 2, dtype=dtype)).shape == (*batch, 2)
    if dtype != torch.bfloat16:
        g = Torus(2).sample(*batch, **draw)
        assert Torus(2).exp(Torus(2).log(g)).allclose(g, atol=1e-5)


def test_a_matrix_is_taken_at_its_word():
    twice = 2 * torch.eye(3)
    assert er.SO(3).vector.act(twice, torch.ones(3)).tolist() == [2.0, 2.0, 2.0]
    with pytest.raises(ArgumentError, match="'elements'"):  # asked for once, it is looked at
        er.equivariance_error(lambda x: x, torch.ones(1, 3), er.SO(3).vector, er.SO(3).vector, elements=twice[None])


def test_whole_numbers_are_not_turned_by_rounded_matrices():
    g, x = er.SO(2).exp(torch.tensor([[0.0, -0.5], [0.5, 0.0]])), torch.tensor([3, 4])
    for rep in (er.SO(2).vector, er.SO(2).vector ** 2, er.GLplus(2).vector.dual, er.SO(2).vector + er.SO(2).scalar):
        with pytest.raises(ArgumentError, match="'x'.*floating-point type"):
            rep.act(g, torch.ones(rep.dim, dtype=torch.int64))
    assert er.O(2).vector.act(torch.tensor([[0.0, -1.0], [1.0, 0.0]]), x).tolist() == [-4, 3]
    assert D.irrep("flip").act(D.element(1, 1), torch.tensor([3])).tolist() == [-3]
    assert S.vector.act(whole(1, 2, 0), torch.tensor([1, 2, 3])).tolist() == [3, 1, 2]


def test_a_look_stops_no_transformed_function():
    rep, irrep, table, points = C.regular, C.irrep(1), T.regular, G.point
    g, x, t, motions = C.sample(3), torch.randn(3, 4), T.sample(3), G.sample(3)
    torch.compiler.reset()
    for function, data in (
        (rep.act, (g, x)),
        (irrep, (g,)),
        (table.act, (t, x[:, :2])),
        (S.vector.act, (S.sample(3), x[:, :3])),
        (points.act, (motions, x[:, :2])),
    ):
        assert torch.equal(torch.compile(function, fullgraph=True, backend="aot_eager")(*data), function(*data))
        assert torch.allclose(torch.vmap(function)(*data), function(*data), atol=1e-6)
    turned = torch.func.jvp(lambda y: points.act(motions, y), (x[:, :2],), (x[:, :2],))[1]
    assert torch.allclose(turned, G.vector.act(motions, x[:, :2]), atol=1e-6)
    assert looks_cheap(g)
    assert not looks_cheap(torch.empty(3, device="meta"))
