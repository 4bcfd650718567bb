"""`Centred`, groups that anybody wrote, and what the public check of frames makes up."""

import pytest
import torch
from torch import nn

import erlangen as er
from erlangen.actions.axes import OnAxes
from erlangen.actions.graphs import adjacency
from erlangen.errors import ArgumentError
from erlangen.groups.axial import AxialSE
from erlangen.reps.basic import Defining
from erlangen.symmetrize import Centred, CloudFrame, Pairs, Phase, Planar, Principal, SignFixed, Vectors, Weighted
from erlangen.symmetrize.linear_parts import of_linear_part
from erlangen.testing import check_frame

F64 = torch.float64


def cloud(*shape, seed=0, dtype=F64):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=F64).to(dtype)


class Longest(er.Frame):
    """The turn of the plane that takes the first axis to the longest vector: a frame of vectors alone."""

    def forward(self, inp, x):
        v = x.gather(1, x.norm(dim=-1).argmax(1).view(-1, 1, 1).expand(-1, 1, 2)).squeeze(1)
        v = v / v.norm(dim=-1, keepdim=True)
        return Weighted(torch.stack([v, torch.stack([-v[:, 1], v[:, 0]], -1)], -1).unsqueeze(1))

    def refuse(self, inp):
        return "" if isinstance(inp, Defining) else "not vectors"


@pytest.mark.parametrize("frame", [Longest(), Phase(), Principal(), Pairs()], ids=lambda f: type(f).__name__)
def test_a_frame_of_vectors_serves_rigid_motions(frame):
    G = er.SE(2)
    assert check_frame(Centred(frame), G.point)
    x = cloud(5, 7, 2) + 100
    found = Centred(frame)(G.point, x)
    assert G.contains(found.elements).all()
    assert torch.allclose(G.translation(found.elements), x.mean(1, keepdim=True).expand(*found.elements.shape[:2], 2))
    inner = frame(er.SO(2).vector, x - x.mean(1, keepdim=True))
    assert torch.allclose(G.rotation(found.elements), inner.elements, atol=1e-12)


def test_what_centred_refuses():
    assert "does not translate" in Centred(Phase()).refuse(er.SO(2).vector)
    assert "moves as points" in Centred(Phase()).refuse(er.SE(2).vector)
    assert Centred(Longest()).refuse(er.SE(2).point) == ""
    assert Centred(Longest()).refuse(er.Translations(2).point) == ""  # nothing is left to ask it for
    with pytest.raises(ArgumentError, match="'frame'"):
        Centred(nn.Identity())
    found = Centred(Longest())(er.Translations(2).point, cloud(3, 4, 2))
    assert found.elements.shape == (3, 1, 3, 3)


def test_records_and_ragged_batches_are_seen_from_their_centre():
    """Points move, vectors, tensors and numbers do not; nodes by the centre of their own datum."""
    G = er.SE(3)
    seen = {}

    class Look(CloudFrame):
        of = "pos"

        def spanned(self, batch, cloud):
            seen.update(batch.x)
            return Weighted(batch.inp.group.identity(len(cloud.points), 1, dtype=F64))

        def refuse_linear(self, group):
            return ""

    x = {
        "pos": cloud(5, 3),
        "vel": cloud(5, 3, seed=1),
        "hom": torch.cat([cloud(2, 3, seed=3), torch.ones(2, 1, dtype=F64)], 1),
        "batch": torch.tensor([0, 1, 0, 1, 1]),
    }
    inp = er.Record({"pos": G.point, "vel": G.vector, "hom": G.homogeneous, "batch": er.frames.Segment(G)})
    Look()(inp, x)
    centre = torch.stack([x["pos"][[0, 2]].mean(0), x["pos"][[1, 3, 4]].mean(0)])
    assert torch.allclose(seen["pos"], x["pos"] - centre[x["batch"]])
    assert torch.equal(seen["vel"], x["vel"])
    assert torch.allclose(seen["hom"][:, :3], x["hom"][:, :3] - centre)
    linear = of_linear_part(inp)
    assert linear.group == er.SO(3)
    g = er.SO(3).sample(2, dtype=F64)
    assert torch.allclose(linear.parts["hom"].act(g, x["hom"])[:, :3], er.SO(3).vector.act(g, x["hom"][:, :3]))


# ---- groups that anybody wrote ----


class OwnSO3(er.MatrixGroup):
    """All rotations of space, by somebody else."""

    def __init__(self):
        super().__init__(algebra=er.SO(3).algebra.basis, name="mine")


class FromScratch(er.Group):
    """The same by nothing but the base class."""

    name, element_shape, n = "mine too", (3, 3), 3
    algebra = er.SO(3).algebra

    def equality_key(self):
        return ()

    def identity(self, *batch, dtype=None, device=None):
        return torch.eye(3, dtype=dtype, device=device).expand(*batch, 3, 3)

    def multiply(self, g, h):
        return g @ h

    def inverse(self, g):
        return g.mT

    def exp(self, a):
        return torch.linalg.matrix_exp(a)

    def log(self, g):
        return er.SO(3).log(g)

    def sample(self, *batch, generator=None, dtype=None, device=None, scale=1.0):
        return er.SO(3).sample(*batch, generator=generator, dtype=dtype, device=device)

    def contains(self, g, atol=None):
        return er.SO(3).contains(g, atol)

    @property
    def vector(self):
        return Defining(self)


class WithMatrices(FromScratch):
    """One whose vectors are a function to matrices."""

    name = "mine by matrices"

    @property
    def vector(self):
        return er.reps.MatrixRep(self, lambda g: g, 3)


class WithoutVector(FromScratch):
    """One that says nothing of vectors."""

    name = "mine and bare"
    vector = er.Group.vector


OWN = [
    OwnSO3(),
    FromScratch(),
    WithMatrices(),
    WithoutVector(),
    er.MatrixGroup(algebra=er.SO(3).algebra.basis),
    er.MatrixGroup([-torch.eye(3)], algebra=er.SO(3).algebra.basis),
    er.AffineGroup(er.SO(3)),
]


@pytest.mark.parametrize(
    "G", OWN, ids=["own class", "from scratch", "by matrices", "no vector", "by algebra", "with inversion", "affine"]
)
@pytest.mark.parametrize(
    "frame",
    [Principal(), Principal(degenerate="weighted"), SignFixed(), Pairs(), Vectors().double()],
    ids=["Principal", "weighted", "SignFixed", "Pairs", "Vectors"],
)
def test_a_group_of_ones_own_gets_the_frames(G, frame):
    known = er.groups.recognised(G)
    x = cloud(4, 6, 3)
    frame = Vectors(er.nn.VectorNeurons(1, 3)).double() if isinstance(frame, Vectors) else frame
    assert not frame.refuse(G.point)
    here, there = frame(G.point, x), frame(known.point, x)
    assert torch.equal(here.elements, there.elements)
    assert here.elements.shape[1] == there.elements.shape[1] > 0
    net = nn.Sequential(nn.Flatten(), nn.Linear(18, 8), nn.Tanh(), nn.Linear(8, 2)).double()
    model = er.symmetrize(net, G.point, 2 * G.scalar, frame=frame, check=False)
    g = known.sample(4, dtype=F64, generator=torch.Generator().manual_seed(0))
    assert torch.allclose(model(known.point.act(g, x)), model(x), atol=1e-10)


def test_the_default_frame_of_a_group_of_ones_own():
    for G in (OwnSO3(), FromScratch(), WithMatrices(), WithoutVector()):
        assert isinstance(er.frames.choose_frame(G.vector), Principal)


def test_vectors_are_known_by_their_matrices():
    own, matrices = WithMatrices(), er.reps.MatrixRep
    known = [own.vector, er.SO(3).vector, er.O(1, 3).vector]
    others = [matrices(er.SO(3), lambda g: g @ g, 3), er.O(1, 3).vector.dual, er.Cyclic(3).vector, er.SO(1).scalar]
    assert [rep.is_defining for rep in known + others] == [True] * 3 + [False] * 4
    inp = {"pos": own.vector, "field": own.vector}
    x = {"pos": cloud(2, 1, 3), "field": cloud(2, 2, 3)}
    there = {"pos": er.SO(3).vector, "field": er.SO(3).vector}
    frame = Pairs(of="pos")  # one point: the field beside it spans the frame
    assert torch.equal(frame(er.Record(inp), x).elements, frame(er.Record(there), x).elements)


# ---- half precision ----


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize(
    ("frame", "act"),
    [
        (Principal(degenerate="ignore"), er.SO(3).vector),
        (SignFixed(degenerate="ignore"), er.SE(3).point),
        (Planar(degenerate="ignore"), AxialSE("z").point),
        (Pairs(), er.SE(3).point),
    ],
    ids=["Principal", "SignFixed", "Planar", "Pairs"],
)
def test_half_precision_is_decided_in_single(frame, act, dtype):
    x = cloud(4, 6, 3).to(dtype)
    found = frame(act, x)
    wide = frame(act, x.double())
    assert found.elements.dtype in (torch.float32, F64)
    if not isinstance(frame, SignFixed):  # which may average over more signs where less is known
        assert found.elements.shape == wide.elements.shape
        distance = torch.cdist(found.elements.double().flatten(2), wide.elements.flatten(2)).amin(2)
        counts = torch.ones_like(distance) if found.weights is None else found.weights  # what has no weight may be anything
        assert float(distance[counts > 0].max()) < 1e-5
        assert float((counts > 0).double().mean()) > 0.8
    turns = found.elements[..., :3, :3].double()
    assert torch.allclose(turns @ turns.mT, torch.eye(3, dtype=F64).expand_as(turns), atol=1e-6)


@pytest.mark.parametrize(("dtype", "share"), [(torch.float16, 0.1), (torch.bfloat16, 0.4)])
def test_generic_clouds_have_axes_in_half_precision(dtype, share):
    """Of clouds of twenty points few are refused, and of those that are not, no axis is off by more than a thirty-second."""
    G = er.SE(3)
    x = (cloud(200, 20, 3) * torch.tensor([1.0, 1.5, 2.2], dtype=F64)).to(dtype)
    g = G.sample(200, generator=torch.Generator().manual_seed(1), dtype=F64)
    moved = G.point.act(g, x.double()).to(dtype)
    axes = [Principal(degenerate="ignore")(G.point, data).elements[:, 0, :3, :3].double() for data in (x, moved)]
    refused = torch.zeros(200, dtype=torch.bool)
    for i in range(200):
        try:
            Principal(degenerate="raise")(G.point, x[i : i + 1])
        except ArgumentError:
            refused[i] = True
    assert float(refused.double().mean()) < share
    along = ((G.rotation(g) @ axes[0]).mT @ axes[1]).diagonal(dim1=1, dim2=2).abs().amin(1)
    assert float((2 * (1 - along[~refused])).clamp_min(0).sqrt().max()) < 1 / 32


# ---- the public check ----


def test_check_frame_makes_data_that_actions_on_axes_take():
    S = er.Symmetric(4)
    seen = []

    class Look(er.frames.AllElements):
        def forward(self, inp, x):
            seen.append(tuple(x.shape))
            if x.ndim != 3:
                raise ArgumentError("x", "matrices [B, 4, 4]", tuple(x.shape))
            return super().forward(inp, x)

    assert check_frame(Look(), OnAxes({-2: S.vector, -1: S.vector}))
    assert seen[0] == (8, 4, 4)
    seen.clear()
    assert check_frame(Look(), S.vector)
    assert seen[0] == (8, 7, 4)
    graph = torch.tensor([[0.0, 1, 0, 0], [1, 0, 1, 0], [0, 1, 0, 1], [0, 0, 1, 0]], dtype=F64).expand(3, 4, 4)
    with pytest.raises(ArgumentError, match="CanonicalLabelling takes") as caught:
        check_frame(er.frames.CanonicalLabelling(), adjacency(S))
    assert caught.value.argument == "x"
    assert check_frame(er.frames.CanonicalLabelling(), adjacency(S), graph)
