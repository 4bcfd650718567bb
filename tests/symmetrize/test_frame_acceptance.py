"""What frame averaging must do, item by item; what stands elsewhere is named.

1 here and tests/symmetrize/test_frames.py; 2-6, 9, 11-14 there; 7 tests/symmetrize/test_spectral.py; 8 here and test_frames.py;
10 test_frames.py and test_ragged.py.
"""

import math

import pytest
import torch
from torch import nn

import erlangen as er
from erlangen.actions.graphs import adjacency
from erlangen.errors import ArgumentError
from erlangen.nn import PairGNN
from erlangen.symmetrize import Pairs, Principal, SignFixed, Spectral

F64 = torch.float64


def cloud(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=F64)


class PointNet(nn.Module):
    """Invariant under permutations of the points, without any symmetry of space; one vector for each point or for all."""

    def __init__(self, d, each):
        super().__init__()
        torch.manual_seed(0)
        self.first, self.last, self.each = nn.Linear(d, 16), nn.Linear(32, d), each

    def forward(self, x):
        h = torch.tanh(self.first(x))
        h = torch.cat([h, h.amax(1, keepdim=True).expand_as(h)], -1)
        return self.last(h if self.each else h.mean(1))


class Moving(nn.Module):
    """A graph network on positions and velocities."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.net = PairGNN(vectors=2, pairs=1, width=12, layers=2)

    def forward(self, pos, vel):
        far = torch.cdist(pos, pos).unsqueeze(-1)
        return pos + self.net(torch.stack([pos - pos.mean(1, keepdim=True), vel], 2), far)


# ---- 1: exact for any backbone ----


@pytest.mark.parametrize("d", [2, 3, 4])
@pytest.mark.parametrize("name", ["E", "SE", "O", "SO"])
def test_point_networks_with_a_hundred_elements(d, name):
    G, x = getattr(er, name)(d), cloud(3, 8, d)
    for each in (True, False):
        model = er.symmetrize(PointNet(d, each).double(), G.point, G.vector, frame=Principal())
        assert er.equivariance_error(model, x, G.point, G.vector, elements=100, scale=10.0)["worst"] < 1e-10
        single = er.symmetrize(PointNet(d, each), G.point, G.vector, frame=Principal())
        error = er.equivariance_error(single, x.float(), G.point, G.vector, elements=100, scale=1.0, tolerance=2e-5)
        assert error["median"] < 2e-5


@pytest.mark.parametrize("frame", [Principal(), SignFixed()], ids=["full", "sign-fixed"])
def test_graph_networks_with_velocities(frame):
    G = er.E(3)
    inp = (G.point, G.vector)
    model = er.symmetrize(Moving().double(), inp, G.point, frame=frame)
    assert (
        er.equivariance_error(model, (cloud(4, 6, 3), cloud(4, 6, 3, seed=1)), inp, G.point, elements=100, scale=10.0)["worst"]
        < 1e-10
    )


def test_a_second_symmetry_comes_for_free():
    """Principal frames do not depend on the order of points: a permutation-equivariant network stays so."""
    G, x, order = er.E(3), cloud(4, 7, 3), torch.tensor([3, 0, 6, 1, 5, 2, 4])
    model = er.symmetrize(PointNet(3, True).double(), G.point, G.point)
    assert torch.allclose(model(x[:, order]), model(x)[:, order], atol=1e-12)


# ---- 8: degenerate clouds ----


def test_flat_symmetric_clouds_follow_the_policy_in_the_plane():
    angle = torch.arange(3, dtype=F64) * (2 * math.pi / 3)
    triangle = torch.stack([angle.cos(), angle.sin()], -1)[None]
    G = er.SE(2)
    with pytest.warns(UserWarning, match="1 of 1 clouds"):
        Principal()(G.point, triangle)
    with pytest.raises(ArgumentError, match="distinct"):
        Principal(degenerate="raise")(G.point, triangle)
    for frame in (Principal(degenerate="weighted"), Pairs()):
        model = er.symmetrize(PointNet(2, False).double(), G.point, G.vector, frame=frame)
        invariant = er.symmetrize(nn.Sequential(PointNet(2, False), nn.Tanh()).double(), G.point, 2 * G.scalar, frame=frame)
        assert er.equivariance_error(invariant, triangle, G.point, 2 * G.scalar)["worst"] < 1e-10
        assert model(triangle).abs().max() < 1e-12  # a vector that the triangle's own turns must fix


def test_principal_frames_jump_where_eigenvalues_cross_and_pairs_do_not():
    """Two clouds at a distance epsilon, on either side of a crossing: the jump does not shrink with epsilon, the change of pairs does."""
    G = er.SO(3)
    x = cloud(7, 3, seed=3)
    values, axes = torch.linalg.eigh(x.T @ x)
    base = x @ axes * torch.tensor([1.0, 1.0, 2.0], dtype=F64) / values.sqrt()  # generic, but two principal values are equal
    shear = torch.tensor([[0.0, 1, 0], [1, 0, 0], [0, 0, 0]], dtype=F64)

    def change(frame, epsilon):
        """Sheared either way, so that the axes of the plane are the diagonals in one order or the other."""
        model = er.symmetrize(PointNet(3, False).double(), G.vector, G.vector, frame=frame)
        y = model(torch.stack([base + epsilon * base @ shear, base - epsilon * base @ shear]))
        return float((y[0] - y[1]).detach().norm())

    jumps = [change(Principal(degenerate="ignore"), epsilon) for epsilon in (1e-3, 1e-6)]
    smooth = [change(Pairs(), epsilon) for epsilon in (1e-3, 1e-6)]
    assert min(jumps) > 1e-3
    assert smooth[1] < 1e-4
    assert smooth[1] < 0.01 * smooth[0]


# ---- 14: errors name what is wrong ----


def test_errors_of_shapes_and_graphs():
    G, S = er.E(3), er.Symmetric(4)
    model = er.symmetrize(Moving().double(), {"pos": G.point, "vel": G.vector}, G.point)
    with pytest.raises(ArgumentError, match=r"argument 'pos'.*shape \(2, 5, 2\)"):
        model(pos=cloud(2, 5, 2), vel=cloud(2, 5, 3))
    graphs = er.symmetrize(nn.Sequential(nn.Flatten(), nn.Linear(16, 1)).double(), adjacency(S), S.scalar, frame=Spectral())
    with pytest.raises(ArgumentError, match=r"shape \(2, 4, 3\)"):
        graphs(cloud(2, 4, 3))
    with pytest.raises(ArgumentError, match=r"max_frame = 6.*24"):
        Spectral(max_frame=6)(adjacency(S), 1 - torch.eye(4, dtype=F64)[None])
