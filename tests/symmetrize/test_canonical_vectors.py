"""Learned canonicalization for rotations and rigid motions."""

import warnings

import pytest
import torch
from torch import nn

import erlangen as er
from erlangen.actions import Images
from erlangen.errors import ArgumentError
from erlangen.groups import SO, O
from erlangen.nn import VectorNeurons
from erlangen.symmetrize import ImageVectors, Vectors
from erlangen.symmetrize.canonical_vectors import orthonormal
from erlangen.symmetrize.symmetrized import canonical
from erlangen.testing import check_frame


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def cloud(count: int = 6, points: int = 7, d: int = 3) -> torch.Tensor:
    return torch.randn(count, points, d, generator=rng(3), dtype=torch.float64)


def vn(inputs: int = 1, outputs: int = 3, **options) -> VectorNeurons:
    torch.manual_seed(0)
    return VectorNeurons(inputs, outputs, **options).double()


GROUPS = [er.O(3), er.SO(3), er.E(3), er.SE(3), er.O(2), er.SE(2), er.SO(4)]


@pytest.mark.parametrize("method", ["gram-schmidt", "polar"])
@pytest.mark.parametrize("group", GROUPS, ids=str)
def test_moves_along_with_the_cloud(group, method):
    act = group.point
    d = act.data_shape[-1]
    frame = Vectors(vn(1, d), method=method)
    x = cloud(d=d)
    assert check_frame(frame, act, x, atol=1e-9, scale=10.0)
    h = frame(act, x).elements
    seen = canonical(act, x, h)
    assert torch.allclose(act.act(h[:, 0], seen), x, atol=1e-12)  # x = h x_can
    again = frame(act, seen).elements[:, 0]
    assert torch.allclose(again, group.identity(6, dtype=torch.float64), atol=1e-9)  # idempotent


@pytest.mark.parametrize("group", [er.E(3), er.SE(3)], ids=str)
def test_a_hundred_elements_far_away_in_training_too(group):
    frame = Vectors(vn(1, 3, dropout=0.2)).train()
    x = cloud(1).expand(100, 7, 3)
    g = group.sample(100, generator=rng(1), dtype=torch.float64)
    g[:, :3, 3] *= 10
    torch.manual_seed(4)
    h = frame(group.point, x).elements[:, 0]
    torch.manual_seed(4)  # the same vectors are dropped
    moved = group.point.act(g, x)
    there = frame(group.point, moved).elements
    assert (there[:, 0] - group.multiply(g, h)).abs().max() < 1e-9
    assert (canonical(group.point, moved, there) - canonical(group.point, x, h.unsqueeze(1))).abs().max() < 1e-9


class SmallTransformer(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.lift = nn.Linear(3, 8)
        self.block = nn.TransformerEncoderLayer(8, 2, 16, dropout=0.0, batch_first=True)
        self.last = nn.Linear(8, 3)

    def forward(self, x):
        return self.last(self.block(self.lift(x)))


class SmallGNN(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.message = nn.Sequential(nn.Linear(6, 16), nn.SiLU(), nn.Linear(16, 8))
        self.last = nn.Linear(11, 3)

    def forward(self, x):
        n = x.shape[1]
        pairs = torch.cat([x.unsqueeze(2).expand(-1, n, n, 3), x.unsqueeze(1).expand(-1, n, n, 3)], -1)
        return self.last(torch.cat([x, self.message(pairs).mean(2)], -1))


BACKBONES = [
    lambda: nn.Sequential(nn.Flatten(), nn.Linear(21, 32), nn.Tanh(), nn.Linear(32, 21), nn.Unflatten(1, (7, 3))),
    SmallGNN,
    SmallTransformer,
]


@pytest.mark.parametrize("build", BACKBONES, ids=["MLP", "GNN", "transformer"])
@pytest.mark.parametrize("group", [er.E(3), er.SE(3)], ids=str)
def test_any_backbone_becomes_equivariant(build, group):
    torch.manual_seed(1)
    f = build().double()
    x = cloud()
    model = er.symmetrize(f, group.point, group.point, frame=Vectors(vn()), example=x)
    g = group.sample(6, generator=rng(2), dtype=torch.float64)
    assert (model(group.point.act(g, x)) - group.point.act(g, model(x))).abs().max() < 1e-9
    energy = er.symmetrize(
        nn.Sequential(f, nn.Flatten(), nn.Linear(21, 1).double()), group.point, group.scalar, frame=Vectors(vn())
    )
    assert (energy(group.point.act(g, x)) - energy(x)).abs().max() < 1e-9
    mirror = x * torch.tensor([1.0, 1.0, -1.0], dtype=torch.float64)
    difference = (energy(mirror) - energy(x)).abs().max()
    assert difference < 1e-9 if group == er.E(3) else difference > 1e-3


def test_partial_canonicalization_keeps_the_backbones_own_symmetry():
    """A GNN under E(3) is symmetric under relabelling as well."""
    torch.manual_seed(1)
    model = er.symmetrize(SmallGNN().double(), er.E(3).point, er.E(3).point, frame=Vectors(vn()))
    x, order = cloud(), torch.randperm(7, generator=rng())
    assert (model(x[:, order]) - model(x)[:, order]).abs().max() < 1e-10


def test_velocities_are_channels():
    group = er.SE(3)
    act = {"pos": group.point, "vel": group.vector, "charge": er.frames.PerDatum(group)}
    x = {"pos": cloud(), "vel": cloud(points=7).flip(0), "charge": torch.ones(6, 7, 1)}
    frame = Vectors(vn(2), of="pos")
    model = er.symmetrize(nn.Identity(), act, act, frame=frame, check=False)
    g = group.sample(6, generator=rng(), dtype=torch.float64)
    moved = model.inp.act(g, x)
    h, there = frame(model.inp, x).elements[:, 0], frame(model.inp, moved).elements[:, 0]
    assert torch.allclose(there, group.multiply(g, h), atol=1e-10)
    other = x | {"vel": x["vel"] * torch.linspace(-1, 1, 7, dtype=torch.float64).unsqueeze(1)}
    assert not torch.allclose(frame(model.inp, other).elements[:, 0], h)
    with pytest.raises(ArgumentError, match="takes, 1; got 2: positions, vel"):
        Vectors(vn(1), of="pos")(model.inp, x)  # the network was made for one channel


@pytest.mark.parametrize("atoms", [2, 3, 4])
def test_a_cell_is_no_channel_whatever_the_number_of_atoms(atoms):
    group = er.SE(3)
    inp = er.Record({"pos": group.point, "cell": er.frames.PerDatum(group.vector)})
    x = {"pos": cloud(2, atoms), "cell": cloud(2, 3)}
    frame = Vectors(vn(1), of="pos", degenerate="ignore")
    alone = Vectors(frame.network, degenerate="ignore")
    assert torch.equal(frame(inp, x).elements, alone(group.point, x["pos"]).elements)


def test_a_cell_of_three_atoms_that_is_not_said_to_be_one():
    """As many rows as points: a default network knows that it has one channel, another one hears of it."""
    group = er.SE(3)
    inp, x = er.Record({"pos": group.point, "cell": group.vector}), {"pos": cloud(2, 3), "cell": cloud(2, 3)}
    with pytest.raises(ArgumentError, match="PerDatum") as caught:
        Vectors(vn(1), of="pos")(inp, x)
    assert caught.value.argument == "channels"

    class Mean(nn.Module):
        def forward(self, v):
            return (v * v.square().sum(2, keepdim=True)).mean((1, 3)).unsqueeze(-1) * torch.ones(3, dtype=v.dtype)

    with pytest.warns(UserWarning, match="'cell' counts as one vector for each of 3 points"):
        Vectors(Mean(), of="pos")(inp, x)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        Vectors(Mean(), of="pos")(inp, {"pos": cloud(2, 4), "cell": cloud(2, 3)})
        for wrapped in (er.frames.PerDatum, er.frames.PerNode):
            Vectors(Mean(), of="pos")(er.Record({"pos": group.point, "cell": wrapped(group.vector)}), x)


def test_masks_and_ragged_batches():
    group = er.E(3)
    x = cloud(2)
    frame = Vectors(vn(), of="pos", weights="mask")
    act = er.actions.as_action({"pos": group.point, "mask": er.frames.PerDatum(group)})
    padded = torch.cat([x, torch.full((2, 2, 3), 7.0, dtype=torch.float64)], 1)
    mask = torch.cat([torch.ones(2, 7), torch.zeros(2, 2)], 1).bool()
    here = Vectors(frame.network)(group.point, x).elements
    assert torch.allclose(frame(act, {"pos": padded, "mask": mask}).elements, here, atol=1e-12)
    act = er.actions.as_action({"pos": group.point, "vel": group.vector, "batch": er.frames.Segment(group)})
    net = Vectors(vn(2))
    nodes = {"pos": x.flatten(0, 1), "vel": x.flip(0).flatten(0, 1), "batch": torch.arange(2).repeat_interleave(7)}
    dense = er.actions.as_action({"pos": group.point, "vel": group.vector})
    wanted = net(dense, {"pos": x, "vel": x.flip(0)}).elements
    assert torch.allclose(net(act, nodes).elements, wanted, atol=1e-12)


# ---- orthonormalisation ----


@pytest.mark.parametrize("d", [2, 3, 4])
@pytest.mark.parametrize("group", [O, SO])
@pytest.mark.parametrize("method", ["gram-schmidt", "polar"])
def test_orthonormal(d, group, method):
    v = torch.randn(50, d, d, generator=rng(), dtype=torch.float64)
    G = group(d)
    q, margin = orthonormal(v, G, method)
    eye = torch.eye(d, dtype=torch.float64)
    assert (q.mT @ q - eye).abs().max() < 1e-12
    assert margin.min() >= 0
    if group is SO:
        assert (torch.linalg.det(q) - 1).abs().max() < 1e-12
    R = G.sample(50, generator=rng(1), dtype=torch.float64)
    assert (orthonormal(R @ v, G, method)[0] - R @ q).abs().max() < 1e-9
    if method == "gram-schmidt":
        upper = torch.triu(v, 1) + torch.diag_embed(v.diagonal(dim1=1, dim2=2).abs() + 0.1)
        assert (orthonormal(upper, G)[0] - eye).abs().max() < 1e-12
    else:
        symmetric = v @ v.mT + 0.1 * eye
        assert (orthonormal(symmetric / symmetric.norm(dim=1, keepdim=True), O(d), method)[0]).shape == (50, d, d)


def test_rows_are_not_columns():
    """The known fault of another implementation: orthonormalising coordinate rows is not equivariant; ours acts on vectors."""
    v = torch.randn(20, 3, 3, generator=rng(), dtype=torch.float64)
    R = O(3).sample(20, generator=rng(1), dtype=torch.float64)
    rows = orthonormal((R @ v).mT, O(3))[0].mT
    assert (rows - R @ orthonormal(v.mT, O(3))[0].mT).abs().max() > 0.1


def test_gradients_agree_with_differences():
    v = torch.randn(2, 3, 3, generator=rng(), dtype=torch.float64, requires_grad=True)
    for method in ("gram-schmidt", "polar"):
        for group in (O(3), SO(3)):
            assert torch.autograd.gradcheck(lambda v, g=group, m=method: orthonormal(v, g, m)[0], (v,))


# ---- degenerate clouds ----


def square() -> torch.Tensor:
    """A square about the origin, the same in every batch entry but the others random."""
    corners = torch.tensor([[1.0, 0.2], [-0.2, 1.0], [-1.0, -0.2], [0.2, -1.0]], dtype=torch.float64)
    return corners.unsqueeze(0)


TETRAHEDRON = torch.tensor([[1.0, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]], dtype=torch.float64).unsqueeze(0)


def rotations_of_tetrahedron() -> torch.Tensor:
    """The 24 orthogonal matrices that permute its corners."""
    found = []
    for p in er.Symmetric(4).elements():
        found.append(torch.linalg.lstsq(TETRAHEDRON[0], TETRAHEDRON[0][p]).solution.mT)
    return torch.stack(found)


@pytest.mark.parametrize("x", [square(), TETRAHEDRON], ids=["square", "tetrahedron"])
def test_symmetric_clouds(x):
    """Network vectors of a symmetric cloud vanish. Outputs of relabelling-invariant models: exact up to the cloud's symmetry."""
    d = x.shape[-1]
    group = er.O(d)
    torch.manual_seed(2)
    hidden = nn.Sequential(nn.Linear(d, 16), nn.Tanh(), nn.Linear(16, d)).double()

    class Pooled(nn.Module):
        def forward(self, x):
            return hidden(x).mean(1)

    with pytest.warns(UserWarning, match="dependent vectors"):
        Vectors(vn(1, d), degenerate="warn")(group.vector, x)
    weighted = er.symmetrize(Pooled(), group.vector, group.vector, frame=Vectors(vn(1, d), degenerate="weighted"), check=False)
    energy = er.symmetrize(
        nn.Sequential(Pooled(), nn.Linear(d, 1).double()),
        group.vector,
        group.scalar,
        frame=Vectors(vn(1, d), degenerate="weighted"),
        check=False,
    )
    g = group.sample(5, generator=rng(), dtype=torch.float64)
    many = x.expand(5, -1, -1)
    moved = group.vector.act(g, many)
    assert (energy(moved) - energy(many)).abs().max() < 1e-9
    assert (group.vector.act(g, weighted(many)) - weighted(moved)).abs().max() < 1e-9


def test_symmetry_of_the_input_is_broken_by_an_element_of_its_stabilizer():
    """A network that picks a corner of the tetrahedron: ``phi(g x) = g s phi(x)`` for some symmetry ``s`` of it."""

    class Corners(nn.Module):
        """The three corners that come first in a random order of the points' labels: right only up to the stabilizer."""

        def __init__(self) -> None:
            super().__init__()
            self.order = torch.arange(4)

        def forward(self, vectors):
            return vectors[:, self.order[:3], :, 0].mT

    corners, group = Corners(), er.O(3)
    hidden = nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 3)).double()

    class Pooled(nn.Module):
        def forward(self, x):
            return hidden(x).mean(1)

    model = er.symmetrize(Pooled(), group.vector, group.vector, frame=Vectors(corners), check=False)
    stabilizer = rotations_of_tetrahedron()
    y = model(TETRAHEDRON)
    g = group.sample(generator=rng(5), dtype=torch.float64)
    for seed in range(5):
        corners.order = torch.randperm(4, generator=rng(seed))
        there = model(group.vector.act(g, TETRAHEDRON))
        errors = (there - torch.einsum("sij,j->si", g @ stabilizer, y[0])).abs().amax(1)
        assert errors.min() < 1e-8
        assert errors.max() > 1e-3


def test_collinear_clouds_have_exact_invariants():
    line = torch.tensor([1.0, 2.0, 2.0], dtype=torch.float64) * torch.tensor([[1.0], [0.5], [-2.0]], dtype=torch.float64)
    x = line.expand(4, 3, 3)
    f = nn.Sequential(nn.Flatten(), nn.Linear(9, 2).double())
    model = er.symmetrize(f, er.O(3).vector, er.O(3).scalar, frame=Vectors(vn()), check=False)
    g = er.O(3).sample(4, generator=rng(), dtype=torch.float64)
    assert (model(er.O(3).vector.act(g, x)) - model(x)).abs().max() < 1e-9
    found = model.frames(x)
    assert found.info["margin"].max() < 1e-6
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        Vectors(vn(), degenerate="warn")(er.O(3).vector, cloud())


# ---- images ----


@pytest.mark.parametrize("group", [er.SO(2), er.O(2)], ids=str)
def test_image_vectors_turn_with_the_image(group):
    torch.manual_seed(0)
    act = Images(group.vector)
    frame = ImageVectors(2).double()
    line = torch.linspace(-1, 1, 41, dtype=torch.float64)
    y, x = torch.meshgrid(-line, line, indexing="ij")
    spots = torch.rand(8, 2, 3, 2, generator=rng(), dtype=torch.float64) - 0.5

    def image(at):
        return torch.exp(-((x - at[..., 0, None, None]).square() + (y - at[..., 1, None, None]).square()) / 0.02).sum(2)

    g = group.sample(8, generator=rng(1), dtype=torch.float64)
    quarter = torch.tensor([[0.0, -1.0], [1.0, 0.0]], dtype=torch.float64).expand(8, 2, 2)
    here = frame(act, image(spots)).elements[:, 0]
    exact = frame(act, act.act(quarter, image(spots))).elements[:, 0]
    assert (exact - quarter @ here).abs().max() < 1e-10
    moved = frame(act, image(torch.einsum("bij,bcnj->bcni", g, spots))).elements[:, 0]
    assert (moved - g @ here).abs().max() < 0.01
    assert group.contains(moved).all()


def test_image_vectors_serve_a_model():
    act = Images(er.SO(2).vector)
    f = nn.Sequential(nn.Flatten(), nn.Linear(81, 3)).double()
    x = torch.randn(4, 1, 9, 9, generator=rng(), dtype=torch.float64)
    model = er.symmetrize(f, act, er.SO(2).scalar, frame=ImageVectors(1, prior=2.0).double(), example=x)
    assert torch.allclose(model(torch.rot90(x, 1, (2, 3))), model(x), atol=1e-10)
    y, losses = model.with_losses(x)
    (y.sum() + losses["prior"]).backward()
    assert all(p.grad is not None for p in model.parameters() if p.requires_grad)


# ---- prior, errors ----


def test_prior_is_the_distance_to_the_identity():
    found = Vectors(vn(), prior=3.0)(er.O(3).vector, cloud())
    q = found.elements[:, 0]
    assert torch.allclose(found.losses["prior"], 3 * (q - torch.eye(3, dtype=torch.float64)).square().mean())


class Biased(nn.Module):
    """A constant vector: the known fault of another implementation."""

    def forward(self, vectors):
        return vectors.mean(1).expand(-1, 3, 3) + torch.eye(3, dtype=vectors.dtype)


@pytest.mark.parametrize(
    ("build", "argument", "says"),
    [
        (lambda: Vectors(vn(1, 1))(er.SO(3).vector, cloud()), "network", "at least 2"),
        (lambda: Vectors(vn(1, 2))(er.O(3).vector, cloud()), "network", "at least 3"),
        (lambda: Vectors(vn(1, 2), method="polar")(er.SO(3).vector, cloud()), "network", "at least 3"),
        (lambda: Vectors(nn.Flatten())(er.SO(3).vector, cloud()), "network", "columns"),
        (lambda: Vectors(method="qr"), "method", "polar"),
        (lambda: Vectors(degenerate="raise"), "degenerate", "weighted"),
        (lambda: Vectors(prior=-1.0), "prior", "at least 0"),
        (lambda: ImageVectors(0), "channels", "at least 1"),
        (lambda: ImageVectors(1, method="qr"), "method", "polar"),
        (lambda: ImageVectors(1)(Images(er.SO(2).vector), torch.zeros(2, 1, 8, 9)), "x", "square"),
        (lambda: ImageVectors(1)(Images(er.SO(2).vector), torch.zeros(2, 2, 8, 8)), "x", "channels"),
        (lambda: er.symmetrize(nn.Identity(), er.SO(3).vector, er.SO(3).vector, frame=ImageVectors(1)), "frame", "SO"),
        (lambda: er.symmetrize(nn.Identity(), er.SO(1, 3).vector, er.SO(1, 3).vector, frame=Vectors()), "frame", "none of"),
        (
            lambda: er.symmetrize(nn.Identity(), er.SO(3).vector, er.SO(3).vector, frame=Vectors(Biased())),
            "frame",
            "relative error",
        ),
    ],
)
def test_bad_input_is_named(build, argument, says):
    with pytest.raises(ArgumentError, match=says) as caught:
        build()
    assert caught.value.argument == argument


def test_precision_compilation_and_export():
    x = cloud().float()
    model = er.symmetrize(SmallGNN(), er.E(3).point, er.E(3).point, frame=Vectors(), check=False).eval()
    exported = torch.export.export(model, (x,)).module()
    assert torch.allclose(exported(x), model(x), atol=1e-5)
    for method in ("gram-schmidt", "polar"):
        with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
            q = Vectors(method=method)(er.E(3).point, x).elements[:, 0, :3, :3]
        assert q.dtype == torch.float32
        assert (q.mT @ q - torch.eye(3)).abs().max() < 1e-5
    compiled = torch.compile(model, backend="eager", fullgraph=True)
    assert torch.allclose(compiled(x), model(x), atol=1e-5)
