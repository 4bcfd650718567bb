"""Data off a tie by 1e-14 to 1e-3 (float64) or 1e-6 to 1e-2 (float32): rounding, which depends on the pose, decides nothing.

Where a frame goes over from one choice to another, an output may be off by what rounding is over the width of that way, at most the root of
precision; where nothing but rows and pixels change places, by rounding alone.
"""

from __future__ import annotations

import warnings

import pytest
import torch

import erlangen as er
from erlangen.actions import Images, nodes
from erlangen.actions.graphs import adjacency
from erlangen.nn import Lifting
from erlangen.symmetrize import (
    Energy,
    GramSchmidt,
    InSequence,
    Lift,
    Local,
    Orbit,
    Ordered,
    Pairs,
    Reference,
    Shifted,
    SignFixed,
    Sorted,
    Spectral,
    Together,
)
from erlangen.symmetrize.generators import InOrder, Scalar
from erlangen.symmetrize.ordering import Columns, blended_orders

F32, F64 = torch.float32, torch.float64
OFF = {F32: (2, 3, 4, 5, 6), F64: (3, 5, 7, 9, 11, 13, 14)}
SEEDS = 200


def rng(seed):
    return torch.Generator().manual_seed(seed)


class Probe(torch.nn.Module):
    """A smooth function without any symmetry."""

    def __init__(self, numbers, out=1):
        super().__init__()
        self.a = 0.7 * torch.randn(numbers, 16, generator=rng(0), dtype=F64)
        self.b = torch.randn(16, out, generator=rng(1), dtype=F64)

    def forward(self, x):
        return (x.flatten(1).double() @ self.a + torch.linspace(-1, 1, 16, dtype=F64)).sin() @ self.b


def perceptron(inputs, out, dtype):
    torch.manual_seed(0)
    layers = torch.nn.Linear(inputs, 16), torch.nn.Tanh(), torch.nn.Linear(16, out)
    return torch.nn.Sequential(*layers).to(dtype)


def worst(frame, inp, out, tied, dtype, k, scale=None):
    """The largest error of equivariance over data that are off a tie by ``10^-k``."""
    exact = torch.stack([tied(seed) for seed in range(SEEDS)])
    x = (exact + 10.0**-k * torch.randn(exact.shape, generator=rng(k), dtype=F64)).to(dtype)
    model = er.symmetrize(Probe(x[0].numel(), sum(out.data_shape) or 1), inp, out, frame=frame, check=False).eval()
    options = {} if scale is None else {"scale": scale}
    g = inp.group.sample(SEEDS, generator=rng(7), dtype=dtype, **options)
    with torch.no_grad():
        return float((model(inp.act(g, x)) - out.act(g, model(x))).abs().max())


def coordinates_tie(G, n):
    """Clouds of which two points have the same coordinate along the first principal axis."""

    def tied(seed):
        x = torch.randn(n, 3, generator=rng(seed), dtype=F64) * torch.tensor([1.0, 2.0, 3.0])
        for _ in range(60):
            x = x - x.mean(0) if G.translates else x
            x = x @ torch.linalg.eigh(x.mT @ x).eigenvectors
            x[:2, 0] = x[:2, 0].mean()
        return x

    return tied


@pytest.mark.parametrize("second", ["Sorted", "Ordered"])
@pytest.mark.parametrize("dtype", [F32, F64], ids=str)
def test_orders_after_motions(dtype, second):
    for G in (er.SE(3), er.SO(3)):
        frame = InSequence(SignFixed(degenerate="ignore"), Sorted() if second == "Sorted" else Ordered(perceptron(3, 1, dtype)))
        act = Together(G.point if G.translates else G.vector, nodes(er.Symmetric(5)))
        out = Together(G.scalar, er.Symmetric(5).scalar)
        for k in OFF[dtype]:
            assert worst(frame, act, out, coordinates_tie(G, 5), dtype, k) < 50 * torch.finfo(dtype).eps ** 0.5, (G, k)


@pytest.mark.parametrize("dtype", [F32, F64], ids=str)
def test_orders_and_finite_choices(dtype):
    S, C = er.Symmetric(6), er.Cyclic(4)
    images = Images(C.irrep(1))

    def equal_rows(seed):
        x = torch.randn(6, 3, generator=rng(seed), dtype=F64)
        x[1] = x[0]
        return x

    def turned(seed):
        x = torch.randn(1, 6, 6, generator=rng(seed), dtype=F64)
        return x + x.rot90(2, (1, 2)) if seed % 2 else sum(x.rot90(i, (1, 2)) for i in range(4))

    def graph(seed):
        x = torch.rand(6, 6, generator=rng(seed), dtype=F64)
        x, swap = x + x.mT, torch.tensor([1, 0, 3, 2, 4, 5])
        return (x + x[swap][:, swap] * (seed % 2)).fill_diagonal_(0)

    flat = torch.nn.Flatten()
    cases = {
        "Sorted": (Sorted(), nodes(S), S.scalar, equal_rows),
        "Ordered": (Ordered(perceptron(3, 1, dtype)), nodes(S), S.scalar, equal_rows),
        "Spectral": (Spectral(max_frame=720), adjacency(S), S.scalar, graph),
        "Energy": (Energy(torch.nn.Sequential(flat, perceptron(36, 1, dtype))), images, C.scalar, turned),
        "Reference": (Reference(torch.nn.Sequential(flat, perceptron(36, 128, dtype))), images, C.scalar, turned),
        "Lift": (Lift(Lifting(images, 1, kernel=3).to(dtype)), images, C.scalar, turned),
    }
    for name, (frame, inp, out, tied) in cases.items():
        for k in OFF[dtype]:
            assert worst(frame, inp, out, tied, dtype, k) < 5 * torch.finfo(dtype).eps ** 0.5, (name, k)


@pytest.mark.parametrize("dtype", [F32, F64], ids=str)
def test_pivots_of_a_form(dtype):
    G = er.SO(1, 3, connected=True)

    def mirrored(seed):
        x = torch.randn(4, 3, generator=rng(seed), dtype=F64)
        x[1] = x[0] * torch.tensor([1.0, -1.0, 1.0])
        x[2:, 1] = 0
        return torch.cat([(x.square().sum(1, keepdim=True) + 1).sqrt(), x], 1)

    class Small(torch.nn.Module):
        def forward(self, x):
            return 0.3 * Probe(16, 6)(x).tanh()

    for frame in (GramSchmidt(), Shifted(GramSchmidt(), Small(), largest=1.0)):
        for k in OFF[dtype]:
            assert worst(frame, G.vector, G.scalar, mirrored, dtype, k, 1.5) < 20 * torch.finfo(dtype).eps ** 0.5, k


@pytest.mark.parametrize("dtype", [F32, F64], ids=str)
def test_neighbours_nearly_as_near(dtype):
    G = er.SO(3)
    local = Local(er.symmetrize(Probe(12), G.vector, G.scalar, frame=Pairs(), check=False), k=4)
    for k in (4, 5, 6) if dtype == F32 else (8, 11, 14):
        x = torch.randn(2000, 7, 3, generator=rng(k), dtype=F64)
        away = x[:, 1:] - x[:, :1]
        away = away / away.norm(dim=-1, keepdim=True) * torch.tensor([0.5, 0.8, 1.2, 1.2, 2.0, 3.0], dtype=F64).unsqueeze(-1)
        x = torch.cat([x[:, :1], x[:, :1] + away], 1)
        x = (x + 10.0**-k * torch.randn(x.shape, generator=rng(k + 1), dtype=F64)).to(dtype)
        g = G.sample(len(x), generator=rng(3), dtype=dtype)
        assert float((local(x) - local(G.vector.act(g, x))).abs().max()) < 5 * torch.finfo(dtype).eps ** 0.5, k


def massless(size, n, spread, equal=1):
    """Massless momenta, in all directions or within a cone."""
    u = torch.randn(size, n, 3, generator=rng(n), dtype=F64)
    u = u if spread is None else torch.tensor([0.0, 0.0, 1.0]) + spread * u
    u = u / u.norm(dim=-1, keepdim=True) * (0.5 + torch.rand(size, n, 1, generator=rng(n + 1), dtype=F64))
    u[:, :equal] = u[:, :1]
    return torch.cat([u.norm(dim=-1, keepdim=True), u], -1).float()


def error_and_warnings(frame, x, scale):
    """Of invariant and vector outputs, beside the size of the group element."""
    G = er.SO(1, 3, connected=True)

    class Net(torch.nn.Module):
        def forward(self, x):
            s, v = Probe(x[0].numel(), 5)(0.3 * x).split([1, 4], -1)
            return {"s": s, "v": v}

    model = er.symmetrize(Net(), G.vector, {"s": G.scalar, "v": G.vector}, frame=frame, check=False).eval()
    g = G.sample(len(x), generator=rng(1), dtype=F64, scale=scale)
    with warnings.catch_warnings(record=True) as caught, torch.no_grad():
        warnings.simplefilter("always")
        here, there = model(x), model(G.vector.act(g, x.double()).float())
    vectors = (there["v"] - G.vector.act(g, here["v"])).abs().amax(1) / g.abs().amax((1, 2))
    return float(torch.maximum(vectors, (there["s"] - here["s"]).abs().amax(1)).max()), [str(w.message) for w in caught]


@pytest.mark.parametrize("spread", [None, 0.3], ids=str)
@pytest.mark.parametrize("n", [4, 6])
def test_massless_momenta_in_single_precision(n, spread):
    """Sums of two nearly parallel ones were first axes, boosted by fifty: vectors were off by the order of one."""
    frame = Orbit(InOrder(er.SO(1, 3, connected=True), n))
    error, _ = error_and_warnings(frame, massless(2000, n, spread), 1.0)
    assert error < 1e-2


@pytest.mark.parametrize("spread", [0.3, 0.1, 0.03])
@pytest.mark.parametrize("kind", ["InOrder", "Scalar", "GramSchmidt"])
def test_what_rounding_took_away_is_told(kind, spread):
    G = er.SO(1, 3, connected=True)
    torch.manual_seed(0)
    frame = {
        "InOrder": lambda: Orbit(InOrder(G, 4)),
        "Scalar": lambda: Orbit(Scalar(G, 4).double()),
        "GramSchmidt": GramSchmidt,
    }[kind]()
    for equal in (1, 2, 3):
        error, told = error_and_warnings(frame, massless(1000, 4, spread, equal), 1.5)
        assert error < 0.1 or any("compute these data in float64" in text for text in told), (equal, error)


def test_orders_go_over_from_one_to_the_other():
    """Two rows whose first numbers come nearer: weight goes from the order by these to that by the second ones, smoothly."""
    gaps = torch.tensor([0.0, 0.01, 0.25, 0.5, 1.0, 2.0], dtype=F64)
    values = torch.zeros(6, 2, 2, dtype=F64)
    values[:, 1, 0], values[:, 0, 1] = gaps, 5.0  # the first numbers say 0, 1; the second ones 1, 0
    none, way = torch.zeros(6, 1, 2, dtype=F64), torch.tensor([1.0, 0.0], dtype=F64).expand(6, 1, 2)
    found = blended_orders([Columns("x", values, none, way)])
    first = (found.weights * (found.order == torch.tensor([0, 1])).all(-1)).sum(1)
    assert torch.allclose(first, gaps.clamp_max(1) ** 2 * (3 - 2 * gaps.clamp_max(1)))
    assert torch.allclose(found.weights.sum(1), torch.ones(6, dtype=F64))
