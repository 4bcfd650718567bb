"""Actions on exact objects, records, axes, graphs and images."""

import dataclasses
from fractions import Fraction

import pytest
import torch

from erlangen.actions import Action, EdgeList, Images, OnAxes, Record, adjacency, as_action, graph, nodes
from erlangen.errors import ArgumentError, UnsupportedError
from erlangen.groups import SE, SO, Cyclic, Dihedral, MatrixGroup, O, Symmetric
from erlangen.testing import check_action

F64 = torch.float64


class Relabel(Action):
    """Permutations on exact tuples."""

    def act(self, g, x):
        out = [None] * len(x)
        for i, j in enumerate(g.tolist()):
            out[j] = x[i]
        return tuple(out)


def test_exact_orbits_stabilizers_and_representatives():
    S = Symmetric(4)
    act = Relabel(S)
    for x in [(1, 1, 2, 2), (Fraction(1, 3), 1, 1, 1), ("a", "b", "c", "d")]:
        orbit, stabilizer = act.orbit(x), act.stabilizer(x)
        assert len(orbit) * len(stabilizer) == 24
        assert len(set(orbit)) == len(orbit)
        canon = {act.representative(y)[0] for y in orbit}
        assert len(canon) == 1
        moved, g = act.representative(x)
        assert act.act(g, x) == moved
    check_action(act, [(1, 2, 3, 4), ("x", "x", "y", "z")])


def test_necklaces_are_counted_by_burnside():
    from itertools import product

    act = Relabel(Cyclic(6))
    orbits = {min(act.orbit(x)) for x in product((0, 1), repeat=6)}
    assert len(orbits) == 14  # binary necklaces of length 6
    act = Relabel(Dihedral(6))
    assert len({min(act.orbit(x)) for x in product((0, 1), repeat=6)}) == 13  # bracelets


def test_reynolds_average_is_exact_for_fractions_and_integers():
    act = Relabel(Cyclic(3))
    assert act.reynolds((1, 2, 6)) == (Fraction(3), Fraction(3), Fraction(3))
    x = torch.randn(5, dtype=F64)
    assert torch.allclose(Cyclic(5).vector.reynolds(x), x.mean().expand(5))


def test_infinite_groups_refuse_orbits_and_averages_say_what_to_do():
    with pytest.raises(UnsupportedError, match="sample the orbit"):
        SO(3).vector.orbit(torch.ones(3))
    with pytest.raises(ArgumentError, match="samples"):
        SO(3).vector.reynolds(torch.ones(3))
    with pytest.raises(UnsupportedError, match="compact"):
        SO(1, 3).vector.reynolds(torch.ones(4), samples=3)


def test_records_move_their_parts_and_keep_the_rest():
    @dataclasses.dataclass
    class State:
        pos: torch.Tensor

    G = SE(3)
    act = Record({"pos": G.point, "vel": G.vector, "charge": G.scalar, "name": None})
    g = G.sample(2, dtype=F64)
    x = {
        "pos": torch.randn(2, 5, 3, dtype=F64),
        "vel": torch.randn(2, 5, 3, dtype=F64),
        "charge": torch.ones(2, 5, dtype=F64),
        "name": "ion",
    }
    y = act.act(g, x)
    assert y["name"] == "ion"
    assert torch.equal(y["charge"], x["charge"])
    shift = y["pos"] - y["vel"] - (G.point.act(g, x["pos"]) - G.vector.act(g, x["vel"]))
    assert shift.abs().max() < 1e-12
    check_action(Record((G.point, [G.vector, G.scalar])))
    check_action(Record({"a": SO(3).vector, "b": SO(3).vector ** 2}))


def test_records_name_what_is_wrong():
    G = SO(3)
    with pytest.raises(ArgumentError, match="'x'.*pos"):
        Record({"pos": G.vector}).act(G.sample(2), {"position": torch.zeros(2, 3)})
    with pytest.raises(ArgumentError, match="one group"):
        Record({"a": G.vector, "b": SO(2).vector})
    with pytest.raises(ArgumentError, match="'inp'.*G.vector"):
        as_action(G, "inp")
    with pytest.raises(ArgumentError, match="'inp'"):
        as_action("SO(3)", "inp")


def test_axes():
    S = Symmetric(4)
    act = OnAxes({-2: S.vector, -1: S.vector})
    check_action(act)
    g, x = S.sample(1)[0], torch.randn(4, 4)
    P = S.vector(g).float()
    assert torch.equal(act.act(g, x), P @ x @ P.T)
    check_action(OnAxes({-3: SO(3).vector}))
    with pytest.raises(ArgumentError, match="counted from the end"):
        OnAxes({0: S.vector})


def test_graphs_relabel_consistently():
    S = Symmetric(6)
    check_action(graph(S))
    check_action(EdgeList(S))
    rng = torch.Generator().manual_seed(0)
    A = (torch.rand(6, 6, generator=rng) < 0.4).float()
    edges = A.nonzero().T
    g = S.sample(generator=rng)
    moved = EdgeList(S).act(g, edges)
    B = torch.zeros(6, 6)
    B[moved[0], moved[1]] = 1
    assert torch.equal(adjacency(S).act(g, A), B)
    features = torch.randn(6, 2)
    assert torch.equal(nodes(S).act(g, features)[g], features)


@pytest.mark.parametrize("group", [Cyclic(4), Dihedral(4)])
@pytest.mark.parametrize("side", [5, 6])
def test_quarter_turns_and_flips_of_images_are_exact(group, side):
    space = group.irrep(1)
    for value in (None, space, group.irrep("flip") if isinstance(group, Dihedral) else None):
        action = Images(space, value)
        assert action.keeps_grid
        check_action(action, atol=0.0 if value is None else 1e-12)
    x = torch.randn(2, side, side, dtype=F64)
    turned = Images(Cyclic(4).irrep(1)).act(Cyclic(4).element(1), x)
    assert torch.equal(turned, torch.rot90(x, 1, (-2, -1)))


def test_octahedral_group_on_a_cube():
    a = torch.tensor([[0.0, -1, 0], [1, 0, 0], [0, 0, 1]])
    b = torch.tensor([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])
    G = MatrixGroup([a, b, -torch.eye(3)], name="O_h")
    assert G.order == 48
    check_action(Images(G.vector), atol=0.0)
    check_action(Images(G.vector, G.vector))
    x = torch.randn(1, 4, 4, 4)
    assert torch.equal(Images(G.vector).act(-torch.eye(3), x), x.flip(-1, -2, -3))


def test_interpolated_turns_agree_with_exact_ones_and_converge_on_smooth_fields():
    space = SO(2).vector
    x = torch.randn(3, 1, 6, 6, dtype=F64)
    quarter = torch.tensor([[0.0, -1.0], [1.0, 0.0]], dtype=F64)
    assert torch.equal(Images(space).act(quarter, x), torch.rot90(x, 1, (-2, -1)))
    errors = []
    for side in (48, 96, 192):
        line = torch.linspace(-1 + 1 / side, 1 - 1 / side, side, dtype=F64)
        yy, xx = torch.meshgrid(-line, line, indexing="ij")
        angle = torch.tensor(0.7, dtype=F64)
        c, s = angle.cos(), angle.sin()
        g = torch.stack([torch.stack([c, -s]), torch.stack([s, c])])

        def field(u, v):
            return torch.exp(-25 * ((u - 0.2) ** 2 + v**2))

        moved = Images(space).act(g, field(xx, yy)[None])
        exact = field(c * xx + s * yy, -s * xx + c * yy)
        errors.append(float((moved[0] - exact).abs().max()))
    assert errors[0] > 3 * errors[1] > 9 * errors[2]  # second order in the pixel size


def test_vector_fields_turn_their_values():
    """A radial field is its own image under every rotation; a constant wind is not."""
    side, space = 33, SO(2).vector
    line = torch.linspace(-1, 1, side, dtype=F64)
    yy, xx = torch.meshgrid(-line, line, indexing="ij")
    envelope = torch.exp(-9 * (xx**2 + yy**2))
    radial = torch.stack([xx, yy]) * envelope
    g = SO(2).exp(1.2 * SO(2).algebra.basis[0])
    wind = Images(space, space)
    assert (wind.act(g, radial) - radial).abs().max() < 5e-3
    assert (Images(space).act(g, radial) - radial).abs().max() > 5e-2


def test_images_say_what_is_wrong():
    with pytest.raises(ArgumentError, match="equal sides"):
        Images(SO(2).vector).act(torch.eye(2), torch.zeros(1, 4, 5))
    with pytest.raises(ArgumentError, match="dimension 2 or 3"):
        Images(O(4).vector)
    with pytest.raises(ArgumentError, match="interpolation"):
        Images(SO(2).vector, interpolation="cubic")


def test_images_differentiate_compile_and_vmap():
    action = Images(SO(2).vector)
    g, x = SO(2).sample(3, dtype=F64), torch.randn(3, 1, 4, 4, dtype=F64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda t: action.act(g, t), (x,))
    assert torch.allclose(torch.func.vmap(action.act)(g, x), action.act(g, x))
    compiled = torch.compile(action.act, fullgraph=True, backend="eager")
    assert torch.allclose(compiled(g, x), action.act(g, x))
