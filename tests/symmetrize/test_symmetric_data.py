"""Frames on data that are symmetric themselves: what must vanish does, what crosses does not jump, what cannot be had is refused."""

import math

import pytest
import torch
from torch import nn

import erlangen as er
from erlangen.actions.clouds import AtomBatch
from erlangen.errors import ArgumentError
from erlangen.groups.axial import AxialE
from erlangen.nn import FAENet
from erlangen.symmetrize import Distinct, Lattice, Local, Pairs, Planar, Principal, SignFixed, Vectors, noise
from erlangen.symmetrize.cloud import cloud_of, rounding_of_moment
from erlangen.symmetrize.local import nearest
from erlangen.symmetrize.principal import SAFETY
from erlangen.symmetrize.robust import rotations
from erlangen.symmetrize.symmetrized import Batch

F64 = torch.float64


def cloud(*shape, seed=0, dtype=F64):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=F64).to(dtype)


class Forces(nn.Module):
    """A vector for each point, and one tensor of rank k for all, without any symmetry."""

    def __init__(self, d=3, rank=1):
        super().__init__()
        rng = torch.Generator().manual_seed(1)
        self.first = torch.randn(d, 9, generator=rng, dtype=F64)
        self.last = torch.randn(9, d**rank, generator=rng, dtype=F64)

    def forward(self, x):
        hidden = torch.tanh(x @ self.first.to(x) + 0.3)
        return hidden @ self.last.to(x)


EXACT = [Pairs(), Principal(degenerate="weighted"), Vectors()]


# ---- one point ----


@pytest.mark.parametrize("dtype", [torch.float32, F64], ids=str)
@pytest.mark.parametrize("frame", EXACT, ids=["Pairs", "weighted", "Vectors"])
@pytest.mark.parametrize("G", [er.SE(3), er.E(3), er.SE(2), er.E(2)], ids=str)
def test_the_force_on_one_atom_is_zero(G, frame, dtype):
    d = G.space_dim
    frame = Vectors(er.nn.VectorNeurons(1, d)) if isinstance(frame, Vectors) else frame
    model = er.symmetrize(Forces(d), G.point, G.vector, frame=frame, check=False)
    for x in (cloud(2, 1, d, dtype=dtype), cloud(2, 1, d, dtype=dtype).expand(2, 4, d) + 30):
        assert float(model(x).detach().abs().max()) < 40 * torch.finfo(dtype).eps
    # Without a frame, or with a single arbitrary element, there is a force.
    assert float(Forces(d)(torch.zeros(1, 1, d, dtype=dtype)).abs().max()) > 0.1


@pytest.mark.parametrize("rank", [0, 1, 2, 3, 4, 5])
def test_rotations_integrate_tensors_exactly(rank):
    """Against the projection on the invariant tensors, whose dimensions are 1, 0, 1, 1, 3, 6."""
    every, weights = rotations(rank)
    mean = torch.zeros(3**rank, 3**rank, dtype=F64)
    for g, w in zip(every, weights):
        power = torch.ones(1, 1, dtype=F64)
        for _ in range(rank):
            power = torch.kron(power, g)
        mean += w * power
    assert torch.allclose(mean @ mean, mean, atol=1e-13)
    assert torch.allclose(mean, mean.mT, atol=1e-13)
    assert round(float(mean.trace()), 9) == [1, 0, 1, 1, 3, 6][rank]


@pytest.mark.parametrize("rank", [2, 3, 4])
@pytest.mark.parametrize("points", [[[0.0, 0, 0]], [[0.3, 0.6, -0.6], [-0.2, -0.4, 0.4]]], ids=["point", "line"])
def test_tensors_of_a_point_and_of_a_line(points, rank):
    G = er.SO(3)
    x = torch.tensor(points, dtype=F64)[None].expand(4, -1, -1)
    model = er.symmetrize(nn.Sequential(Forces(3, rank)), G.vector, G.vector**rank, frame=Pairs(rank=rank), check=False)
    g = G.sample(4, dtype=F64, generator=torch.Generator().manual_seed(0))
    here, there = model(x), model(G.vector.act(g, x))
    assert torch.allclose(there, (G.vector**rank).act(g, here), atol=1e-12)
    assert float(here.abs().max()) > 1e-2 or (rank == 3 and len(points) == 1)  # an antisymmetric tensor may be small, but no other


@pytest.mark.parametrize("frame", EXACT, ids=["Pairs", "weighted", "Vectors"])
@pytest.mark.parametrize(
    ("out", "rank"),
    [
        (er.SO(3).vector ** 4, 4),
        (er.SO(3).irrep(5) + er.SO(3).scalar, 5),
        (er.SE(3).of_linear_part(er.SO(3).vector ** 4), 4),
        ({"energy": er.SO(3).scalar, "high": er.SO(3).irrep(4)}, 4),
    ],
    ids=["tensor", "harmonic", "rigid", "record"],
)
def test_outputs_of_a_higher_rank_than_the_turns_are_for_are_refused(frame, out, rank):
    G = next(iter(out.values())).group if isinstance(out, dict) else out.group
    with pytest.raises(ArgumentError, match=f"pass rank={rank}") as caught:
        er.symmetrize(nn.Identity(), G.point, out, frame=frame, check=False)
    assert caught.value.argument == "frame"
    er.symmetrize(nn.Identity(), G.point, out, frame=Principal(), check=False)  # has no such turns
    er.symmetrize(nn.Identity(), G.point, out, frame=Pairs(rank=rank), check=False)
    er.symmetrize(nn.Identity(), G.point, {"v": G.vector, "s": G.scalar, "p": G.point}, frame=frame, check=False)


@pytest.mark.parametrize("frame", EXACT, ids=["Pairs", "weighted", "Vectors"])
def test_derivatives_by_vmap(frame):
    G, x = er.SE(3), cloud(4, 5, 3)
    frame = Vectors(er.nn.VectorNeurons(1, 3)).double() if isinstance(frame, Vectors) else frame
    model = er.symmetrize(Forces(), G.point, G.vector, frame=frame, check=False)
    each = torch.func.vmap(lambda one: model(one.unsqueeze(0))[0])(x)
    assert torch.allclose(each, model(x), atol=1e-10)
    assert torch.func.jacrev(lambda one: model(one.unsqueeze(0)).sum())(x[0]).shape == (5, 3)


# ---- what helps to span a frame, and what does not ----


def test_velocities_span_the_frame_of_two_bodies():
    G = er.SE(3)
    inp = er.Record({"pos": G.point, "vel": G.vector})
    x = {"pos": cloud(1, 2, 3), "vel": cloud(1, 2, 3, seed=1)}
    found = Pairs(of="pos")(inp, x)
    assert found.elements.shape[1] == 10  # the pairs of two positions and two velocities but that of the positions, both ways
    line = {"pos": x["pos"], "vel": 0 * x["vel"]}
    assert Pairs(of="pos")(inp, line).elements.shape[1] == 2 * 4
    full = {"pos": cloud(1, 3, 3), "vel": cloud(1, 3, 3, seed=1)}
    assert Pairs(of="pos")(inp, full).elements.shape[1] == 6  # velocities are not asked where positions do


def test_a_batch_needs_what_its_most_symmetric_datum_needs():
    G = er.O(3)
    generic = cloud(1, 4, 3)
    flat = generic * torch.tensor([1.0, 0, 0], dtype=F64)
    frame = Pairs()
    assert [frame(G.vector, torch.cat(x)).elements.shape[1] for x in ([generic], [generic, flat], [flat], [0 * flat])] == [
        24,
        32,
        32,
        64,
    ]
    for x in ([generic, flat, 0 * flat],):
        together = frame(G.vector, torch.cat(x))
        assert torch.allclose(together.weights.sum(1), torch.ones(3, dtype=F64))


def test_a_tensor_that_turns_about_the_line_of_the_cloud_is_refused():
    G = er.SO(3)
    inp = {"pos": G.vector, "stress": G.vector**2}
    line = torch.tensor([[1.0, 2, 2], [-1, -2, -2]], dtype=F64)[None]

    class Both(nn.Module):
        def forward(self, data):
            return (data["pos"].sum(1) + data["stress"] @ torch.ones(9, 3, dtype=F64)).tanh()

    axial = (line[0, 0, :, None] * line[0, 0]).flatten()[None]
    for frame in (Pairs(of="pos"), Principal(degenerate="weighted", of="pos")):
        model = er.symmetrize(Both(), inp, G.vector, frame=frame, check=False)
        with pytest.raises(ArgumentError, match="one line") as caught:
            model({"pos": line, "stress": cloud(1, 9)})
        assert caught.value.argument == "stress"
        g = G.sample(1, dtype=F64, generator=torch.Generator().manual_seed(3))
        x = {"pos": line, "stress": axial}  # a tensor with the line's own symmetry is served
        assert torch.allclose(model(model.inp.act(g, x)), G.vector.act(g, model(x)), atol=1e-12)


def test_more_dimensions_than_three_are_refused_where_a_frame_fails():
    G = er.SO(4)
    frame = Vectors(er.nn.VectorNeurons(1, 4)).double()
    frame(G.vector, cloud(2, 6, 4))
    with pytest.raises(ArgumentError, match="independent vectors") as caught:
        frame(G.vector, cloud(2, 1, 4))
    assert caught.value.argument == "x"


@pytest.mark.parametrize("dtype", [torch.float32, F64], ids=str)
def test_energies_and_forces_of_linear_molecules_atoms_and_crystals_in_one_batch(dtype):
    """A network without any symmetry, ten angstrom from the origin: CO2, HCN, water, argon, and crystals with two atoms in a cell."""
    fcc = [[0.0, 1, 1], [1, 0, 1], [1, 1, 0]]
    batch = AtomBatch.concat(
        [
            AtomBatch.of(
                10 + torch.tensor(pos, dtype=F64), numbers, cell=None if cell is None else torch.tensor(cell, dtype=F64)[None]
            )
            for pos, numbers, cell in (
                ([[0.0, 0, 0], [0.7, 0.7, 0.6], [-0.7, -0.7, -0.6]], [6, 8, 8], None),
                ([[0.35, -0.7, 0.7], [-0.01, 0.02, -0.02], [-0.39, 0.78, -0.78]], [1, 6, 7], None),
                ([[0.0, 0, 0.12], [0, 0.76, -0.48], [0, -0.76, -0.48]], [8, 1, 1], None),
                ([[1.0, 2, 3]], [18], None),
                ([[0.0] * 3, [1.36] * 3], [14, 14], [[2.72 * x for x in row] for row in fcc]),
                ([[0.0] * 3, [2.06] * 3], [55, 17], [[4.12, 0, 0], [0, 4.12, 0], [0, 0, 4.12]]),
                ([[0.0] * 3, [0.0, 1.70, 2.34]], [22, 22], [[2.95, 0, 0], [-1.475, 2.5548, 0], [0, 0, 4.68]]),
            )
        ]
    )
    batch = batch.to(dtype).with_edges(3.5)
    torch.manual_seed(0)
    small = {"hidden_channels": 32, "num_filters": 16, "num_interactions": 2, "tag_hidden_channels": 0, "pg_hidden_channels": 8}
    net = FAENet(cutoff=3.5, regress_forces="direct", **small).to(dtype).eval()
    G = er.SE(3)
    model = er.symmetrize(net, *net.records(G), frame=Principal(degenerate="weighted"), check=False).eval()
    x = batch.record()
    g = G.sample(len(batch), dtype=dtype, generator=torch.Generator().manual_seed(1))
    turns, shifts = G.rotation(g)[batch.batch], G.translation(g)[batch.batch]
    moved = x | {"pos": torch.einsum("nij,nj->ni", turns, x["pos"]) + shifts, "cell": G.vector.act(g, x["cell"])}
    with torch.no_grad():
        here, there = model(x), model(moved)
    rounding = 1000 * torch.finfo(dtype).eps
    assert float((here["energy"] - there["energy"]).abs().max()) < rounding * float(here["energy"].abs().max())
    wanted, size = torch.einsum("nij,nj->ni", turns, here["forces"]), float(here["forces"].abs().max())
    assert float((there["forces"] - wanted).abs().max()) < rounding * size
    assert float(here["forces"][9].abs().max()) < 10 * torch.finfo(dtype).eps * max(size, 1.0)  # the lone atom
    along = x["pos"][1] - x["pos"][2]
    assert float(torch.linalg.cross(here["forces"][:3], along.expand(3, 3)).abs().max()) < rounding * size


# ---- no jumps ----


def test_the_weighted_frame_does_not_jump_at_a_crossing():
    """Along a path through equal principal values the output changes by what the path's step allows, however small the step."""
    G = er.SO(3)
    x = cloud(7, 3, seed=3)
    values, axes = torch.linalg.eigh(x.T @ x)
    base = x @ axes * torch.tensor([1.0, 1.0, 2.0], dtype=F64) / values.sqrt()
    shear = torch.tensor([[0.0, 1, 0], [1, 0, 0], [0, 0, 0]], dtype=F64)
    model = er.symmetrize(Forces(), G.vector, G.vector, frame=Principal(degenerate="weighted"), check=False)

    def change(epsilon):
        y = model(torch.stack([base + epsilon * base @ shear, base - epsilon * base @ shear]))
        return float((y[0] - y[1]).norm())

    assert change(1e-6) < 1e-4
    assert change(1e-8) < 1e-6
    # Nor anywhere on the way from one frame to the other.
    steps = torch.linspace(-0.02, 0.02, 201, dtype=F64)
    path = model(base + steps[:, None, None] * (base @ shear))
    change_of_steps = path.diff(dim=0).flatten(1).norm(dim=1)
    assert float(change_of_steps.max()) < 20 * float(change_of_steps.mean())
    g = G.sample(201, dtype=F64, generator=torch.Generator().manual_seed(0))
    moved = model(G.vector.act(g, base + steps[:, None, None] * (base @ shear)))
    assert torch.allclose(moved, G.vector.act(g, path), atol=1e-9)


@pytest.mark.parametrize("frame", [Pairs(grad=True), Principal(degenerate="weighted", grad=True)], ids=["Pairs", "weighted"])
@pytest.mark.parametrize("kind", ["generic", "near a crossing"])
def test_gradients_of_an_averaged_energy(frame, kind):
    G = er.SE(3)
    x = cloud(1, 5, 3)
    if kind == "near a crossing":
        x = x[0] - x[0].mean(0)
        values, axes = torch.linalg.eigh(x.T @ x)
        x = (x @ axes * torch.tensor([1.0, 1.001, 2.0], dtype=F64) / values.sqrt())[None]
    net = nn.Sequential(nn.Flatten(), nn.Linear(15, 8), nn.Tanh(), nn.Linear(8, 1)).double()
    model = er.symmetrize(net, G.point, G.scalar, frame=frame, check=False)
    x.requires_grad_()
    assert torch.autograd.gradcheck(model, (x,))
    (force,) = torch.autograd.grad(model(x).sum(), x)
    assert float(force.sum(1).norm()) < 1e-12
    assert float(torch.linalg.cross(x, force).sum(1).norm()) < 1e-12


# ---- the scale of rounding ----


def test_noise_is_that_of_the_data_as_they_came():
    G = er.SE(3)
    for dtype, offset in ((torch.float32, 10.0), (F64, 1000.0), (torch.float16, 1.0)):
        x = (cloud(2, 4, 3) + offset).to(dtype)
        found = cloud_of(Batch(G.point, x))
        assert torch.allclose(found.noise, 4 * torch.finfo(dtype).eps * x.double().norm(dim=-1).amax(1), rtol=1e-6)
        assert torch.equal(found.minus(found.centre()).noise, found.noise)
    mask = torch.tensor([[True, True, True, False]])
    inp = er.Record({"pos": G.point, "mask": None})
    x = torch.cat([cloud(1, 3, 3), torch.full((1, 1, 3), 1e6, dtype=F64)], 1)
    assert float(cloud_of(Batch(inp, {"pos": x, "mask": mask}), weights="mask").noise) < 1e-14  # padding does not count


def test_rounding_stays_below_the_noise_of_each_quantity():
    """What turning and shifting in single precision does to areas and moments, over many turns, against the bound."""
    G = er.SE(3)
    for offset in (0.0, 10.0, 1000.0):
        x = (cloud(1, 6, 3) + offset).float()
        y = G.point.act(G.sample(200, generator=torch.Generator().manual_seed(0)), x.expand(200, 6, 3))
        exact, seen = cloud_of(Batch(G.point, x)), cloud_of(Batch(G.point, y))
        exact, seen = (c._replace(points=c.points.double()) for c in (exact, seen))
        exact, seen = exact.minus(exact.centre()), seen.minus(seen.centre())

        def area(c):
            return torch.linalg.cross(c.points[:, 0], c.points[:, 1]).norm(dim=-1)

        lengths = exact.points.norm(dim=-1)
        bound = noise.of_area(lengths[:, 0], lengths[:, 1], seen.noise, seen.noise)
        assert bool(((area(seen) - area(exact)).abs() <= bound).all())
        values = torch.linalg.eigvalsh(exact.second_moment())
        square = exact.points.square().sum((1, 2))
        bound = SAFETY * rounding_of_moment(square, seen.noise)
        assert bool(((torch.linalg.eigvalsh(seen.second_moment()) - values).abs().amax(1) <= bound).all())


@pytest.mark.parametrize("offset", [0.0, 10.0, 1000.0])
def test_water_in_single_precision_keeps_its_mirror(offset):
    """An axis across which water is symmetric has no sign, however far rounding tilts the third moment."""
    G = er.E(3)
    water = torch.tensor([[0.0, 0.0, 0.12], [0.0, 0.76, -0.48], [0.0, -0.76, -0.48]]) + offset
    y = G.point.act(G.sample(50, generator=torch.Generator().manual_seed(0)), water.expand(50, 3, 3))
    assert SignFixed()(G.point, y).elements.shape[1] == 4  # across the plane and across the mirror; the third axis is skewed
    model = er.symmetrize(Forces(), G.point, G.vector, frame=SignFixed(), check=False)
    g = G.sample(50, generator=torch.Generator().manual_seed(1))
    wanted, got = G.vector.act(g.double(), model(y).double()), model(G.point.act(g, y)).double()
    assert float((got - wanted).abs().max()) < 100 * torch.finfo(torch.float32).eps * (1 + 3 * offset)


def test_planar_uses_the_rest_of_the_datum_where_a_shadow_is_a_point():
    G = AxialE("z")
    inp = er.Record({"pos": G.point, "cell": G.vector})
    upright = torch.tensor([[[0.3, 0.2, 0.0], [0.3, 0.2, 1.5]]], dtype=F64)
    cell = torch.tensor([[[3.0, 0.5, 0], [1.0, 4, 0], [0, 0, 20]]], dtype=F64)
    found = Planar(degenerate="weighted", of="pos")(inp, {"pos": upright, "cell": cell})
    assert found.elements.shape[1] == 4  # two lattice vectors have a shadow, each with both mirror images


def test_lattice_vectors_are_equally_long_up_to_the_rounding_of_a_skewed_cell():
    G = er.SO(3)
    inp = er.Record({"cell": G.vector})
    cubic = 4 * torch.eye(3, dtype=F64)
    skew = torch.tensor([[1.0, 0, 0], [7, 1, 0], [-9, 5, 1]], dtype=F64)
    g = G.sample(20, dtype=F64, generator=torch.Generator().manual_seed(0))

    def counts(change, dtype):
        cell = G.vector.act(g, (change @ cubic).expand(20, 3, 3)).to(dtype)
        found = Lattice()(inp, {"cell": cell})
        return {found.elements.shape[1]} if found.weights is None else set((found.weights > 0).sum(1).tolist())

    assert counts(torch.eye(3, dtype=F64), torch.float32) == counts(skew, torch.float32) == {24}
    far = torch.tensor([[1.0, 0, 0], [70, 1, 0], [-90, 50, 1]], dtype=F64)
    assert counts(far, F64) == {24}
    with pytest.raises(ArgumentError, match="too skewed") as caught:
        counts(far, torch.float32)
    assert caught.value.argument == "cell"


# ---- neighbours and equal rows ----


@pytest.mark.parametrize("dtype", [torch.float32, F64], ids=str)
def test_neighbours_of_a_ring_do_not_depend_on_its_pose(dtype):
    angle = torch.arange(6, dtype=F64) * math.pi / 3
    ring = torch.stack([angle.cos(), angle.sin(), 0 * angle], -1).to(dtype)
    G = er.SE(3)
    y = G.point.act(G.sample(100, dtype=dtype, generator=torch.Generator().manual_seed(0)), ring.expand(100, 6, 3))
    assert torch.equal(nearest(y, 2), nearest(ring[None], 2).expand(100, 6, 2))
    assert nearest(ring[None], 3)[0].tolist() == [[i, *sorted([(i - 1) % 6, (i + 1) % 6])] for i in range(6)]
    far = cloud(1, 40, 3, dtype=dtype)
    assert (nearest(far + 100, 5) != nearest(far, 5)).float().mean() < 0.01
    local = Local(er.symmetrize(nn.Flatten(), er.O(3).vector, 4 * er.O(3).vector, frame=Pairs(), check=False), k=4)
    assert local(y).shape == (100, 6, 12)


@pytest.mark.parametrize("dtype", [torch.float32, F64], ids=str)
def test_equal_rows_are_equal_on_their_own_scale(dtype):
    x = torch.tensor([[1.0], [1e-20], [2e-20], [1e-20], [0.0], [-0.0]], dtype=dtype)
    calls = []

    class Net(nn.Module):
        def forward(self, x):
            calls.append(len(x))
            return 3 * x

    assert torch.equal(Distinct(Net())(x), 3 * x)
    assert calls == [4]
    whole = torch.tensor([[2**60 + 1], [2**60 + 2]])
    assert torch.equal(Distinct(Net())(whole), 3 * whole)


# ---- nearly symmetric ----


@pytest.mark.parametrize("dtype", [torch.float32, F64], ids=str)
@pytest.mark.parametrize("frame", [Pairs(), Principal(degenerate="weighted")], ids=["Pairs", "weighted"])
def test_molecules_that_are_nearly_on_a_line(frame, dtype):
    """However near: what a turn changes is rounding, times the inverse of the share at which the average about the line comes in."""
    G, eps = er.SE(3), torch.finfo(dtype).eps
    line = torch.tensor([[0.0, 0, 0], [0.7, 0.7, 0.6], [-0.7, -0.7, -0.6]], dtype=F64)
    off = 10.0 ** -torch.arange(1, 15, dtype=F64)
    x = (line + off[:, None, None] * cloud(3, 3, seed=4)).to(dtype)
    model = er.symmetrize(Forces(), G.point, G.vector, frame=frame, check=False)
    g = G.sample(len(x), dtype=dtype, generator=torch.Generator().manual_seed(0))
    error = (model(G.point.act(g, x)) - G.vector.act(g, model(x))).abs().amax((1, 2))
    assert float(error.max()) < 100 * eps ** (2 / 3)


def test_pairs_do_not_jump_where_points_come_to_lie_on_a_line():
    G = er.SO(3)
    line = torch.tensor([[1.0, 2, 2], [-1, -2, -2], [0.5, 1, 1]], dtype=F64)
    step = cloud(3, 3, seed=4)
    model = er.symmetrize(Forces(), G.vector, G.vector, frame=Pairs(), check=False)
    for size in (1e-9, 1e-8, 1e-7):
        y = model(torch.stack([line + size * step, line, line - size * step]))
        assert float((y[0] - y[1]).abs().max()) < 1e3 * size**2 / torch.finfo(F64).eps ** (2 / 3) + 10 * size
    x = (line + 3e-6 * step)[None].requires_grad_()
    energy = er.symmetrize(
        nn.Sequential(Forces(), nn.Flatten(), nn.Linear(9, 1).double()), G.vector, G.scalar, frame=Pairs(grad=True)
    )
    (force,) = torch.autograd.grad(energy(x).sum(), x)
    assert float(torch.linalg.cross(x, force).sum(1).norm()) < 1e-9


def test_what_rounding_may_do_does_not_depend_on_the_pose():
    """The largest coordinate changes under rotations by up to the root of three, and with it what would count as zero."""
    G = er.SO(3)
    pair = torch.tensor([[10.0, 10, 10], [10.3, 9.1, 10.8]])
    g = G.sample(200, generator=torch.Generator().manual_seed(0))
    noise = cloud_of(Batch(G.vector, G.vector.act(g, pair.expand(200, 2, 3)))).noise
    assert torch.allclose(noise, noise[:1], rtol=1e-5)
    found = SignFixed()(G.vector, G.vector.act(g, pair.expand(200, 2, 3)))
    counts = torch.ones(200) if found.weights is None else (found.weights > 0).sum(1)
    assert len(set(counts.tolist())) == 1
