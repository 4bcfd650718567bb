"""Frames for slabs and crystals: about an axis, from the lattice, in data loaders; and draws without repetition."""

import math

import pytest
import torch
from torch import nn

import erlangen as er
from erlangen.errors import ArgumentError
from erlangen.groups.affine import AffineGroup
from erlangen.groups.axial import AxialE, AxialO, AxialSE, across
from erlangen.groups.orthogonal import SO
from erlangen.symmetrize.lattice import Lattice, reduced
from erlangen.symmetrize.planar import Planar
from erlangen.symmetrize.principal import Principal
from erlangen.symmetrize.sign_fixed import SignFixed
from erlangen.symmetrize.stochastic import Stochastic
from erlangen.symmetrize.transform import FrameTransform
from erlangen.testing import check_group

F64 = torch.float64
KEEPING_AN_AXIS = [
    (SO(2, axis="z"), 2),
    (AxialO("y"), 4),
    (AxialSE("z"), 2),
    (AxialE([1.0, 2.0, -1.0]), 4),
    (AffineGroup(SO(2, axis="x")), 2),
]


def cloud(*batch, seed=0, dtype=F64):
    return torch.randn(*batch, 3, generator=torch.Generator().manual_seed(seed), dtype=F64).to(dtype)


def network(seed=0):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Flatten(), nn.Linear(15, 32), nn.Tanh(), nn.Linear(32, 15), nn.Unflatten(1, (5, 3))).double()


def action(G):
    return G.point if isinstance(G, AffineGroup) else G.vector


@pytest.mark.parametrize("G", [AxialO("z"), AxialO([1.0, 1, 0]), AxialSE("x"), AxialE("z")])
def test_the_groups_that_keep_an_axis(G):
    assert check_group(G)
    axis = torch.tensor(G.axis, dtype=F64)
    g = G.sample(50, dtype=F64, generator=torch.Generator().manual_seed(0))
    linear = g[..., :3, :3]
    assert torch.allclose(linear @ axis, axis.expand(50, 3))
    proper = (torch.linalg.det(linear) > 0).sum()
    assert proper == 50 if type(G) is AxialSE else 10 < proper < 40
    if isinstance(G, AffineGroup):
        assert float((G.translation(g) @ axis).abs().max()) < 1e-12
        assert not G.contains(G.element(translation=axis))


@pytest.mark.parametrize(("G", "k"), KEEPING_AN_AXIS)
def test_planar_frames_are_exact(G, k):
    act, x = action(G), cloud(6, 5)
    model = er.symmetrize(network(), act, act, frame=Planar())
    assert model.frames(x).elements.shape[1] == k
    verdict = er.equivariance_error(model, x, act, act, scale=5.0)
    assert verdict["worst"] < 1e-10, verdict
    # The network alone is far from it.
    assert er.equivariance_error(network(), x, act, act, elements=4)["worst"] > 1e-2


def test_heights_and_shapes_stay():
    G = AxialE("z")
    x = cloud(4, 9)
    seen = er.symmetrize(nn.Identity(), G.point, G.point, frame=Planar()).canonical_inputs(x).unflatten(0, (4, 4))
    assert torch.allclose(seen[..., 2], x[:, None, :, 2].expand(4, 4, 9), atol=1e-14)
    assert torch.allclose(torch.cdist(seen, seen), torch.cdist(x, x).unsqueeze(1).expand(4, 4, 9, 9), atol=1e-10)
    assert float(seen[..., :2].mean(2).abs().max()) < 1e-14
    covariance = seen[..., :2].mT @ seen[..., :2]
    assert float(covariance[..., 0, 1].abs().max()) < 1e-10
    assert bool((covariance[..., 0, 0] > covariance[..., 1, 1]).all())


@pytest.mark.parametrize("dtype", [torch.float32, F64])
@pytest.mark.parametrize(("G", "k"), [(er.SE(3), 4), (AxialSE("z"), 2)])
def test_proper_frames_are_proper(G, k, dtype):
    frame = Principal() if k == 4 else Planar()
    g = frame(G.point, cloud(200, 6, dtype=dtype)).elements
    assert g.shape[:2] == (200, k)
    assert g.dtype == dtype
    assert torch.allclose(torch.linalg.det(g[..., :3, :3]), torch.ones(200, k, dtype=dtype), atol=1e-5)


def test_shadows_without_axes_get_robust_frames():
    square = torch.tensor([[[1.0, 0, 0.3], [0, 1, 0.1], [-1, 0, 0.7], [0, -1, 0.2], [0, 0, 5.0]]], dtype=F64)
    G = SO(2, axis="z")
    model = er.symmetrize(network(), G.vector, G.vector, frame=Planar(degenerate="weighted"), check=False)
    assert er.equivariance_error(model, square, G.vector, G.vector)["worst"] < 1e-10
    with pytest.raises(ArgumentError, match="principal"):
        er.symmetrize(network(), G.vector, G.vector, frame=Planar(degenerate="raise"), check=False)(square)


def test_gradients_through_planar_axes():
    G = AxialSE("z")
    x = cloud(2, 5)
    net = nn.Sequential(network(), nn.Flatten(), nn.Linear(15, 1).double())
    model = er.symmetrize(net, G.point, G.scalar, frame=Planar(grad=True))
    assert torch.autograd.gradcheck(lambda x: model(x), x.requires_grad_())


def test_groups_without_an_axis_are_refused():
    for act in (er.SE(3).point, er.SO(2).vector, er.O(3).vector):
        with pytest.raises(ArgumentError, match="keeps no axis"):
            er.symmetrize(network(), act, act, frame=Planar())
    assert across((0.0, 1.0, 0.0)).T.tolist() == [[0.0, 0.0, 1.0], [1.0, 0.0, 0.0]]


# ---- lattices ----

CUBIC = 4 * torch.eye(3, dtype=F64)
FCC = 2 * (1 - torch.eye(3, dtype=F64))
UNIMODULAR = torch.tensor(
    [[[1.0, 2, 0], [0, 1, -3], [0, 0, 1]], [[0, 0, 1], [1, 0, 0], [5, 1, 0]], [[2, 1, 1], [1, 1, 0], [1, 1, 1]]]
)


class OfCell(nn.Module):
    """A function of the lattice vectors and the positions without any symmetry."""

    def forward(self, data):
        weights = torch.linspace(-1, 1, 9, dtype=F64).view(3, 3)
        return torch.tanh(data["cell"] @ weights).pow(2).sum(1) + torch.tanh(data["pos"] @ weights).sum(1)


def crystals():
    cell = torch.cat([CUBIC[None], FCC[None], cloud(3, 3, seed=3)])
    return {"cell": cell, "pos": cloud(5, 4, seed=4)}


@pytest.mark.parametrize(("G", "most"), [(er.SO(3), 120), (er.O(3), 240), (er.E(3), 240)])
def test_lattice_frames_are_exact_for_symmetric_crystals_too(G, most):
    inp = {"cell": G.vector, "pos": action(G)}
    model = er.symmetrize(OfCell(), inp, G.vector, frame=Lattice())
    assert model.frames(crystals()).elements.shape[1] == most
    assert er.equivariance_error(model, crystals(), inp, G.vector)["worst"] < 1e-10


def test_how_many_pairs_a_lattice_has():
    G = er.SO(3)
    inp = er.actions.as_action({"cell": G.vector})
    hexagonal = torch.tensor([[1.0, 0, 0], [-0.5, math.sqrt(3) / 2, 0], [0, 0, 1.6]], dtype=F64)
    weights = Lattice()(inp, {"cell": torch.stack([CUBIC, FCC, hexagonal, cloud(3, seed=3)])}).weights
    assert (weights > 0).sum(1).tolist() == [24, 120, 24, 4]
    assert torch.allclose(weights.sum(1), torch.ones(4, dtype=F64))


def test_the_basis_of_the_cell_does_not_matter():
    G = er.SO(3)
    inp = er.actions.as_action({"cell": G.vector})
    cell = torch.cat([FCC[None], cloud(1, 3, seed=5)])
    here = Lattice()(inp, {"cell": cell})
    for change in UNIMODULAR.double():
        assert round(abs(float(torch.linalg.det(change)))) == 1
        there = Lattice()(inp, {"cell": change @ cell})
        for a, b, w in zip(here.elements.flatten(2), there.elements.flatten(2), here.weights > 0):
            distance = torch.cdist(a[w], b, compute_mode="donot_use_mm_for_euclid_dist")
            assert float(distance.amin(1).max()) < 1e-10


def test_reduction_finds_the_shortest_vectors():
    cell = cloud(50, 3, seed=6)
    skewed = UNIMODULAR[0].double() @ UNIMODULAR[1].double() @ cell
    short = reduced(skewed)
    assert torch.allclose(torch.linalg.det(short).abs(), torch.linalg.det(cell).abs())
    whole = short @ torch.linalg.inv(cell)
    assert torch.allclose(whole, whole.round(), atol=1e-8)
    # Nothing shorter in a wide neighbourhood, and nothing off the first vector's line shorter than the second.
    steps = torch.cartesian_prod(*[torch.arange(-5.0, 6)] * 3).double()
    every = (steps[(steps != 0).any(1)] @ short).norm(dim=-1)
    assert torch.allclose(short[:, 0].norm(dim=-1), every.amin(1))
    off = (steps[(steps[:, 1:] != 0).any(1)] @ short).norm(dim=-1)
    assert torch.allclose(short[:, 1].norm(dim=-1), off.amin(1))


def test_slabs_about_their_normal():
    G = AxialE("z")
    cell = torch.tensor([[5.0, 0, 0], [1.0, 4.0, 0], [0, 0, 20.0]], dtype=F64)[None]
    inp = {"cell": G.vector, "pos": G.point}
    frame = Lattice(periodic=(True, True, False))
    model = er.symmetrize(OfCell(), inp, G.vector, frame=frame, check=False)
    x = {"cell": cell, "pos": cloud(1, 4)}
    assert model.frames(x).elements.shape[1] == 4
    assert er.equivariance_error(model, x, inp, G.vector)["worst"] < 1e-10
    with pytest.raises(ArgumentError, match="periodic"):
        er.symmetrize(OfCell(), inp, G.vector, frame=Lattice())
    with pytest.raises(ArgumentError, match="'periodic'"):
        Lattice(periodic=(True, False, False))
    with pytest.raises(ArgumentError, match="singular"):
        model({"cell": torch.zeros(1, 3, 3, dtype=F64), "pos": cloud(1, 4)})


# ---- draws ----


def test_draws_do_not_repeat_and_all_of_them_are_the_average():
    act, x = er.E(3).point, cloud(6, 5)
    full = er.symmetrize(network(), act, act, frame=Principal())
    for k in (3, 8, 20):
        drawn = er.symmetrize(network(), act, act, frame=Stochastic(Principal(), k, generator=torch.Generator().manual_seed(k)))
        elements = drawn.train().frames(x).elements
        assert elements.shape[1] == min(k, 8)
        distance = torch.cdist(elements.flatten(2), elements.flatten(2)) + torch.eye(min(k, 8))
        assert float(distance.min()) > 0.1
    assert torch.allclose(drawn(x), full(x), atol=1e-12)
    assert torch.allclose(drawn.eval()(x), full(x), atol=1e-12)


def test_each_datum_has_its_own_draw():
    x = cloud(1, 6).expand(64, 6, 3).contiguous()
    frame = Stochastic(Principal(), generator=torch.Generator().manual_seed(0)).train()
    g = frame(er.E(3).point, x).elements.flatten(1)
    assert len({tuple(row.sign().tolist()) for row in g[:, :11]}) >= 5


def test_transform_is_one_draw_of_the_wrapped_model():
    G = er.E(3)
    x = {"pos": cloud(5), "cell": cloud(3, seed=1), "name": "any"}
    into = FrameTransform(Principal(), {"pos": G.point, "cell": G.vector, "name": None})
    torch.manual_seed(0)
    seen = into(x)
    assert seen["name"] == "any"
    g = seen["frame"]
    assert torch.allclose(G.point.act(g, seen["pos"]), x["pos"], atol=1e-12)
    assert torch.allclose(seen["cell"], x["cell"] @ g[:3, :3], atol=1e-12)
    assert torch.allclose(torch.linalg.det(seen["cell"]).abs(), torch.linalg.det(x["cell"]).abs())
    torch.manual_seed(0)
    assert torch.equal(into(x)["pos"], seen["pos"])
    frames = {tuple(into(x)["frame"].flatten().sign().tolist()) for _ in range(60)}
    assert len(frames) >= 5
    net = network()
    full = er.symmetrize(net, G.point, G.point, frame=Principal())(x["pos"][None])[0]
    each = {}
    for _ in range(100):
        seen = into(x)
        each[tuple(seen["frame"].flatten().round(decimals=6).tolist())] = into.back(
            G.point, net(seen["pos"][None])[0], seen["frame"]
        )
    assert len(each) == 8
    assert torch.allclose(torch.stack(list(each.values())).mean(0), full, atol=1e-12)


def test_workers_of_a_loader_draw_for_themselves():
    G = er.E(3)
    into = FrameTransform(Principal(), {"pos": G.point})
    data = [{"pos": cloud(5)}] * 24

    class Mapped(torch.utils.data.Dataset):
        def __len__(self):
            return len(data)

        def __getitem__(self, i):
            return into(data[i])["frame"]

    def epochs():
        loader = torch.utils.data.DataLoader(Mapped(), batch_size=12, num_workers=2, generator=torch.Generator().manual_seed(3))
        return [list(loader) for _ in range(2)]

    first, second = epochs()
    assert not torch.equal(first[0], first[1])  # two workers
    assert not torch.equal(first[0], second[0])  # two epochs
    again, _ = epochs()
    assert torch.equal(first[0], again[0])


def test_transforms_refuse():
    G = er.E(3)
    with pytest.raises(ArgumentError, match="'inp'"):
        FrameTransform(Principal(), G.point)
    with pytest.raises(ArgumentError, match="'frame'"):
        FrameTransform(Planar(), {"pos": G.point})
    with pytest.raises(ArgumentError, match="'datum'"):
        FrameTransform(SignFixed(), {"pos": G.point})({"x": cloud(5)})
