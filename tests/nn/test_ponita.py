"""PONITA: exact under its grid's symmetries, approximate beyond; equal to plain sums; gradients of two orders; what is refused."""

import copy

import pytest
import torch

import erlangen as er
from erlangen.actions.orientations import orientations
from erlangen.errors import ArgumentError
from erlangen.nn import PNITA, PONITA
from erlangen.nn.ponita_kernels import Invariants, across, polynomials, window
from erlangen.nn.ponita_layers import AllTurns, Edges, Points, ZonalTurns

F64 = torch.float64
VERTICES = ("tetra", "octa", "cube", "ico", "dodeca")


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def net_of(seed=0, kind=PONITA, **options):
    torch.manual_seed(seed)
    out = {} if kind is PNITA else {"in_vectors": 1, "out_vectors": 2}
    return kind(**{"in_scalars": 2, "hidden": 12, "out_scalars": 1, "layers": 2, "task": "node", **out, **options}).double()


def cloud(batch=6, n=5, dim=3, seed=0):
    shapes = [(batch, n, dim), (batch, n, 2), (batch, n, 1, dim)]
    return tuple(torch.randn(*shape, generator=seeded(seed + k), dtype=F64) for k, shape in enumerate(shapes))


def edges_of(graphs, n):
    of = torch.arange(graphs).repeat_interleave(n)
    return of, ((of.unsqueeze(0) == of.unsqueeze(1)).fill_diagonal_(False)).nonzero().T


@torch.no_grad()
def change(net, act, parts, moved):
    """The largest change of scalars and of vectors moved back, relative to their size."""
    (s, v), (s2, v2) = net(*parts), net(*moved)
    return max(float((s2 - s).abs().max() / s.abs().max()), float((v2 - act(v)).abs().max() / v.abs().max()))


# ---- symmetry ----


@pytest.mark.parametrize("grid", VERTICES)
def test_exact_under_the_grids_group(grid):
    net, (pos, x, vec) = net_of(grid=grid), cloud(3)
    group = net.orientations.group
    for g in group.elements():
        assert change(net, lambda v, g=g: v @ g.T, (pos, x, vec), (pos @ g.T, x, vec @ g.T)) < 1e-12
    order = torch.tensor([3, 0, 4, 1, 2])
    (s, v), (s2, v2) = net(pos, x, vec), net(pos[:, order] + torch.tensor([7.0, -5, 3], dtype=F64), x[:, order], vec[:, order])
    assert torch.allclose(s2, s[:, order], rtol=0, atol=1e-12 * float(s.detach().abs().max()))
    assert torch.allclose(v2, v[:, order], rtol=0, atol=1e-12 * float(v.detach().abs().max()))


@pytest.mark.parametrize(
    "options",
    [
        {"grid": "ico"},
        {"grid": "tetra", "separable": False},
        {"grid": "octa", "separable": False, "attributes": "complete"},
        {"grid": "octa", "separable": False, "attributes": "complete", "group": "SE(3)"},
        {"dim": 2},
        {"dim": 2, "grid": "circle(5)", "attributes": "complete", "group": er.SE(2)},
        {"dim": 2, "grid": "circle(5)", "attributes": "complete", "separable": False},
        {"grid": "cube", "radius": 1.5, "task": "graph"},
        {"kind": PNITA},
        {"kind": PNITA, "dim": 2, "task": "graph", "radius": 2.0},
    ],
    ids=str,
)
def test_every_kind_says_its_symmetry_and_keeps_it(options):
    net = net_of(**options)
    assert er.assert_equivariant(net)["worst"] < 1e-11


def test_the_story_runs():
    net = er.nn.PONITA(in_scalars=1, hidden=32, out_scalars=1, out_vectors=1, layers=3, grid="ico")
    of, edges = edges_of(2, 4)
    scalars, vectors = net(torch.randn(8, 3), torch.randn(8, 1), edge_index=edges, batch=of)
    assert (scalars.shape, vectors.shape) == ((2, 1), (2, 1, 3))
    assert er.assert_equivariant(net)


def test_other_rotations_hold_better_with_more_orientations_and_with_averages():
    pos, x, vec = cloud(32)
    turn = er.SO(3).sample(32, dtype=F64, generator=seeded(4))

    def error(net):
        a, b = net(pos, x, vec)[0], net(pos @ turn.mT, x, (vec.squeeze(2) @ turn.mT).unsqueeze(2))[0]
        return float((a - b).norm() / (a - a.mean()).norm())

    mean = {g: sum(error(net_of(s, grid=g)) for s in range(3)) / 3 for g in ("tetra", "ico", "repulsion(50)", "repulsion(100)")}
    assert mean["tetra"] > mean["ico"] > mean["repulsion(50)"] > mean["repulsion(100)"]
    assert mean["tetra"] > 5 * mean["repulsion(100)"]

    net, G = net_of(grid="tetra"), er.SO(3)
    inp, out = (G.vector, 2 * G.scalar, G.vector), (G.scalar, G.vector)
    averaged = er.symmetrize(net, inp, out, frame=er.frames.Haar(16, seeded(1)), check=False)
    moved = pos @ turn.mT, x, (vec.squeeze(2) @ turn.mT).unsqueeze(2)
    with torch.no_grad():
        off = (averaged((pos, x, vec))[0] - averaged(moved)[0]).norm()
        assert off < (net(pos, x, vec)[0] - net(*moved)[0]).norm() / 3


@pytest.mark.parametrize("options", [{}, {"separable": False}, {"separable": False, "attributes": "complete"}])
def test_points_with_orientations_are_exact_under_all_motions(options):
    net, (pos, x, vec) = net_of(**options), cloud(4)
    ori = torch.randn(4, 5, 3, generator=seeded(9), dtype=F64)
    g = er.O(3).sample(4, dtype=F64, generator=seeded(3))
    assert (torch.linalg.det(g) < 0).any()
    s, v = net(pos, x, vec, ori=ori)
    s2, v2 = net(pos @ g.mT + 3, x, vec @ g.mT.unsqueeze(1), ori=2 * ori @ g.mT)
    assert torch.allclose(s2, s, rtol=0, atol=1e-12 * float(s.detach().abs().max()))
    assert torch.allclose(v2, v @ g.mT.unsqueeze(1), rtol=0, atol=1e-12 * float(v.detach().abs().max()))


def test_hands():
    """Mirror images are one to the paper's attributes, two to complete ones without reflections."""
    pos, x, vec = cloud(3)
    blind = net_of(task="graph")
    mirrored = -pos, x, -vec
    assert torch.allclose(blind(pos, x, vec)[0], blind(*mirrored)[0], rtol=1e-12)
    sees = net_of(task="graph", separable=False, attributes="complete", group="SE(3)", grid="octa")
    assert ((sees(pos, x, vec)[0] - sees(*mirrored)[0]).abs() > 1e-3 * sees(pos, x, vec)[0].abs()).all()
    e3 = net_of(task="graph", separable=False, attributes="complete", grid="octa")
    assert torch.allclose(e3(pos, x, vec)[0], e3(*mirrored)[0], rtol=1e-11)


# ---- the same by other means ----


@pytest.mark.parametrize(
    "options", [{}, {"grid": "tetra"}, {"radius": 1.4}, {"kind": PNITA}, {"separable": False, "grid": "tetra"}]
)
@pytest.mark.parametrize("task", ["node", "graph"])
def test_dense_ragged_and_along_edges_are_one(options, task):
    net, (pos, x, vec) = net_of(task=task, **options), cloud(3)
    parts = (pos, x) if isinstance(net, PNITA) else (pos, x, vec)
    flat = [part.flatten(0, 1) for part in parts]
    of, edges = edges_of(3, 5)
    wanted = [y if task == "graph" else y.flatten(0, 1) for y in net(*parts)]
    loops = torch.cat([edges, torch.arange(15).expand(2, -1)], 1)
    for options in ({"batch": of}, {"batch": of, "edge_index": edges}, {"batch": of, "edge_index": loops}):
        for y, expected in zip(net(*flat, **options), wanted):
            assert torch.allclose(y, expected, rtol=1e-12, atol=1e-13)
    order = torch.randperm(15, generator=seeded(8))
    shuffled = net(*(part[order] for part in flat), batch=of[order])
    for y, expected in zip(shuffled, wanted):
        assert torch.allclose(y, expected if task == "graph" else expected[order], rtol=1e-12, atol=1e-13)
    # Padding changes nothing, whatever it holds.
    mask = torch.ones(3, 7, dtype=torch.bool)
    mask[:, 5:] = False
    padded = [torch.cat([part, part.new_full((3, 2, *part.shape[2:]), torch.nan)], 1) for part in parts]
    for y, expected in zip(net(*padded, mask=mask), wanted):
        assert torch.allclose(y if task == "graph" else y[:, :5].flatten(0, 1), expected, rtol=1e-12, atol=1e-13)


def test_graphs_of_different_sizes():
    net, (pos, x, vec) = net_of(task="graph"), cloud(1, 9)
    of = torch.tensor([0, 0, 0, 0, 1, 2, 2, 2, 2])
    s, v = net(pos[0], x[0], vec[0], batch=of, graphs=4)
    for k, part in enumerate((slice(0, 4), slice(4, 5), slice(5, 9))):
        one = net(pos[:, part], x[:, part], vec[:, part])
        assert torch.allclose(s[k], one[0][0], rtol=1e-12)
        assert torch.allclose(v[k], one[1][0], rtol=1e-11, atol=1e-13)
    assert (s.shape, v.shape) == ((4, 1), (4, 2, 3))
    assert not s[3].any()


def test_one_layer_by_plain_sums():
    """Separable kernels as the double sum over neighbours and orientations, edge by edge."""
    net = net_of(layers=1, grid="octa")
    pos, x, vec = (part[0] for part in cloud(1, 4))
    o, block = net.grid, net.blocks[0]
    h = net.embed(torch.cat([x.unsqueeze(1).expand(-1, 6, -1), (vec @ o.T).mT], -1))
    x2 = torch.zeros_like(h)
    for i in range(4):
        for j in range(4):
            d = pos[j] - pos[i]
            for n in range(6):
                a1 = o[n] @ d
                a2 = ((1 + 1e-4) * d @ d - a1**2).sqrt() if i != j else torch.zeros((), dtype=F64)
                k = block.conv.near(net.near(torch.stack([a1, a2])))
                for p in range(6):
                    angle = block.conv.turn(net.turn((o[n] @ o[p]).view(1)))
                    x2[i, p] += angle * k * h[j, n] / 6
    h = h + block.narrow(torch.nn.functional.gelu(block.widen(block.norm(x2 + block.conv.bias))))
    y = net.reads[0](h)
    s, v = net(pos, x, vec)
    assert torch.allclose(s, y[..., :1].mean(1), rtol=1e-12)
    assert torch.allclose(v, torch.einsum("inc,nd->icd", y[..., 1:], o) / 6, rtol=1e-12, atol=1e-14)


def test_a_separable_layer_is_the_joint_one_with_the_product_of_kernels():
    """On a grid, and as oriented points: each node as many times as there are orientations."""
    torch.manual_seed(0)
    n, c = 4, 5
    _, edges = edges_of(1, n)
    edges = torch.cat([edges, torch.arange(n).expand(2, -1)], 1)
    near, turn = torch.randn(6, edges.shape[1], 3, dtype=F64), torch.randn(6, 6, 3, dtype=F64)
    one, other = torch.nn.Linear(3, c, bias=False).double(), torch.nn.Linear(3, c, bias=False).double()
    h = torch.randn(6, n, c, dtype=F64)
    around = Edges(edges, near, AllTurns(turn))
    separable = around.turn(other, around.near(one, h))
    product = one(near) * other(turn).unsqueeze(2)  # [receiver's, sender's, E, c]
    whole = torch.nn.Identity()
    assert torch.allclose(Edges(edges, product, None).near(whole, h), separable, rtol=1e-12, atol=1e-14)
    pairs = torch.cartesian_prod(torch.arange(edges.shape[1]), torch.arange(6), torch.arange(6))
    sender, receiver = pairs[:, 1] * n + edges[0][pairs[:, 0]], pairs[:, 2] * n + edges[1][pairs[:, 0]]
    points = Points(
        torch.stack([sender, receiver]),
        near[pairs[:, 1], pairs[:, 0]].unsqueeze(0),
        turn[pairs[:, 2], pairs[:, 1]].unsqueeze(0),
        6 * n,
    )
    spread = points.turn(other, points.near(one, h.flatten(0, 1).unsqueeze(0))) / 6
    assert torch.allclose(spread.view(h.shape), separable, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize(
    ("grid", "dim"),
    [*((grid, 3) for grid in VERTICES), ("fibonacci(8)", 3), ("repulsion(8)", 3), ("circle(7)", 2), ("circle(12)", 2)],
)
def test_kernels_of_angles_are_applied_by_the_modes_of_the_grid(grid, dim):
    net = net_of(grid=grid, dim=dim)
    kernel, y = net.blocks[0].conv.turn, torch.randn(len(net.grid), 3, 4, net.embed.out_features, dtype=F64)
    basis = net.turn((net.grid @ net.grid.T).unsqueeze(-1))
    plain = torch.einsum("pnc,n...c->p...c", kernel(basis), y) / len(net.grid)
    turns = net._turns()
    assert isinstance(turns, AllTurns if grid == "fibonacci(8)" else ZonalTurns)
    assert len(turns.basis) == len(net.grid) if grid == "fibonacci(8)" else len(turns.basis) < len(net.grid)
    for each in (turns, AllTurns(basis)):
        torch.testing.assert_close(each(kernel, y), plain, rtol=1e-12, atol=1e-13)


def test_modes_follow_the_grid_where_networks_go():
    for first, second in (("ico", "repulsion(12)"), ("octa", "fibonacci(12)"), ("fibonacci(12)", "dodeca"), ("ico", "cube")):
        net, other = net_of(grid=first).float(), net_of(1, grid=second).float()
        inputs = [part.float() for part in cloud()]
        if len(net.grid) == len(other.grid):
            other.load_state_dict(net.state_dict())
            assert torch.equal(other(*inputs)[0], net(*inputs)[0])
        assert "modes" not in net.state_dict()
    net = net_of()
    exact = net.modes.clone()
    assert torch.equal(net.float().double().modes, exact)


def test_lifting_and_reading_a_vector_is_a_third_of_it():
    for grid in VERTICES:
        net = net_of(grid=grid, out_vectors=1, out_scalars=0, in_scalars=0)
        vec = torch.randn(4, 1, 3, generator=seeded(2), dtype=F64)
        torch.nn.init.ones_(net.embed.weight)
        lifted = net.lift(vec.new_zeros(4, 0), vec, None)
        assert torch.allclose(net.read(lifted[..., :1], None)[1], vec / 3, rtol=0, atol=1e-14)


# ---- kernels ----


def test_numbers_of_polynomials():
    assert [polynomials(torch.zeros(m), 3).shape[-1] for m in (2, 1, 3)] == [14, 3, 39]
    x = torch.tensor([2.0, 3.0])
    assert polynomials(x, 2).tolist() == [2, 3, 4, 6, 6, 9]


@pytest.mark.parametrize("options", [{}, {"hidden": 8, "basis": 20, "layers": 3, "widening": 2, "layer_scale": 1e-6, "degree": 2}])
def test_number_of_parameters(options):
    net = net_of(**options)
    c, b, layers = options.get("hidden", 12), options.get("basis", 12), options.get("layers", 2)
    w, degree = options.get("widening", 4), options.get("degree", 3)
    p = [sum(m**k for k in range(1, degree + 1)) for m in (1, 2)]
    each = 2 * b * c + 3 * c + (2 * w * c + w + 1) * c + (c + 1) * 3 + ("layer_scale" in options) * c
    assert sum(t.numel() for t in net.parameters()) == c * 3 + sum(p) * c + 2 * c + 2 * (c * b + b) + layers * each


def test_window():
    radius = 2.5
    u = torch.linspace(0, 1.2, 25, dtype=F64)
    y = window((u * radius) ** 2, radius)
    expected = torch.where(u < 1, 1 - 28 * u**6 + 48 * u**7 - 21 * u**8, 0.0)
    assert torch.allclose(y, expected, rtol=0, atol=1e-14)
    at = torch.tensor(1 - 1e-9, dtype=F64)
    first = torch.func.grad(lambda r: window((r * radius) ** 2, radius))
    assert abs(float(first(at))) < 1e-12
    assert abs(float(torch.func.grad(first)(at))) < 1e-5


def test_invariants_are_those_of_the_space():
    """Of the rank that the theory says, the softened length too; and the paper's are flagged."""
    from erlangen.actions.spaces import check_complete, oriented_points

    cases = [
        (er.E(3), Invariants(3, False, True, True), True),
        (er.SE(3), Invariants(3, True, True, True), True),
        (er.E(3), Invariants(3, False, False, True), False),
        (er.E(2), Invariants(2, False, True, True), True),
        (er.SE(2), Invariants(2, True, True, True), True),
    ]
    for group, invariants, complete in cases:

        def attributes(a, b, invariants=invariants):
            d = b["position"] - a["position"]
            return invariants.all(d, a["orientation"], b["orientation"], d.square().sum(-1))

        verdict = check_complete(oriented_points(group), attributes)
        assert bool(verdict) is complete
        assert verdict["change"] < 1e-12
    assert float(across(torch.tensor(1.0), torch.tensor(2.0))) == pytest.approx(1, abs=2e-4)


# ---- gradients ----


def parallel():
    """Positions whose ways are parallel to orientations of the octahedron, and one far from all."""
    return torch.tensor([[0.0, 0, 0], [0, 0, 1], [0.3, -0.7, 0.4], [0, 2, 1]], dtype=F64)


@pytest.mark.parametrize("options", [{"grid": "octa"}, {"grid": "octa", "radius": 2.2}, {"grid": "tetra"}, {"kind": PNITA}])
def test_forces_are_gradients(options):
    net = net_of(task="graph", out_scalars=1, in_vectors=0, **({"out_vectors": 0} | options))
    pos = parallel().requires_grad_()
    x = torch.randn(4, 2, generator=seeded(1), dtype=F64)
    (forces,) = torch.autograd.grad(-net(pos, x)[0].sum(), pos)
    assert forces.sum(0).abs().max() < 1e-10
    step = 1e-4
    for i, k in ((0, 2), (1, 0), (2, 1), (3, 2)):
        moved = pos.detach().repeat(2, 1, 1)
        moved[0, i, k] += step
        moved[1, i, k] -= step
        with torch.no_grad():
            ends = net(moved, x.expand(2, -1, -1))[0].squeeze(1)
        assert float(-(ends[0] - ends[1]) / (2 * step)) == pytest.approx(float(forces[i, k]), abs=1e-6, rel=1e-5)


def test_derivatives_of_two_orders_where_ways_are_parallel_to_orientations():
    net = net_of(hidden=4, layers=1, grid="octa", in_vectors=0, in_scalars=1)
    x = torch.ones(4, 1, dtype=F64)

    def f(pos):
        s, v = net(pos, x)
        return s.sum() + (v * torch.arange(1, 4, dtype=F64)).sum()

    pos = parallel().requires_grad_()
    assert torch.autograd.gradcheck(f, pos, eps=1e-6, atol=1e-5)
    assert torch.autograd.gradgradcheck(f, pos, eps=1e-7, atol=1e-3, rtol=1e-3)


@pytest.mark.parametrize("options", [{}, {"kind": PNITA}, {"separable": False, "grid": "tetra", "attributes": "complete"}])
def test_coincident_and_collinear_points_have_finite_derivatives(options):
    net = net_of(task="graph", in_vectors=0, **({"out_vectors": 0} | options))
    pos = torch.tensor([[0.0, 0, 0], [0, 0, 0], [1, 0, 0], [3, 0, 0]], dtype=F64, requires_grad=True)
    (first,) = torch.autograd.grad(net(pos, torch.ones(4, 2, dtype=F64))[0].sum(), pos, create_graph=True)
    first.square().sum().backward()
    assert first.isfinite().all()
    assert pos.grad.isfinite().all()
    assert all(p.grad is None or p.grad.isfinite().all() for p in net.parameters())


# ---- shapes, states, precisions ----


@pytest.mark.parametrize("task", ["node", "graph"])
@pytest.mark.parametrize("kind", [PONITA, PNITA])
def test_empty_and_single(task, kind):
    net = net_of(kind=kind, task=task, **({} if kind is PNITA else {"in_vectors": 0}))
    for shape in ((0, 5, 3), (1, 1, 3), (2, 0, 3), (2, 3, 1, 3)):
        s, _ = net(torch.randn(*shape, dtype=F64))
        assert s.shape == ((*shape[:-2], 1) if task == "graph" else (*shape[:-1], 1))
        assert s.isfinite().all()
    none = torch.zeros(2, 0, dtype=torch.int64)
    single = net(torch.zeros(1, 3, dtype=F64), edge_index=none)[0]
    assert torch.allclose(single, net(torch.zeros(1, 1, 3, dtype=F64))[0].reshape(1, 1))
    assert net(torch.zeros(0, 3, dtype=F64), edge_index=none)[0].shape == (0, 1)
    assert net(torch.zeros(0, 3, dtype=F64))[0].shape == (0, 1)


def test_periodic_images_and_radius():
    """A cell repeated by hand sees what shifted edges see."""
    net = net_of(task="node", in_vectors=0, radius=1.2)
    cell = torch.eye(3, dtype=F64)
    pos = torch.tensor([[0.0, 0, 0], [0.4, 0.1, 0.2]], dtype=F64)
    edges, images = er.actions.neighbours(pos, 1.2, cell=cell[None])
    y = net(pos, edge_index=edges, edge_shift=images.to(F64) @ cell)
    far = torch.cartesian_prod(*[torch.arange(-2.0, 3)] * 3).to(F64)
    whole = (far.unsqueeze(1) + pos).flatten(0, 1)
    middle = int((far == 0).all(1).nonzero()) * 2
    nearby, _ = er.actions.neighbours(whole, 1.2)
    one = net_of(task="node", in_vectors=0, radius=1.2, layers=1)
    got, expected = one(pos, edge_index=edges, edge_shift=images.to(F64) @ cell)[0], one(whole, edge_index=nearby)[0]
    assert torch.allclose(got, expected[middle : middle + 2], rtol=1e-12)
    assert torch.allclose(one(whole)[0], expected, rtol=1e-12)  # edges by the radius
    assert y[0].isfinite().all()


def test_states_bring_grid_and_calibration_with_them(tmp_path):
    net, (pos, x, vec) = net_of(grid="repulsion(8)").float(), (part.float() for part in cloud())
    before = net(pos, x, vec)[0]
    net.calibrate(pos, x, vec)
    assert all(bool(block.conv.calibrated) for block in net.blocks)
    assert not torch.allclose(net(pos, x, vec)[0], before)
    other = net_of(1, grid=torch.randn(8, 3, generator=seeded(5))).float()
    other.load_state_dict(net.state_dict())
    for a, b in zip(net(pos, x, vec), other(pos, x, vec)):
        assert torch.equal(a, b)
    assert bool(other.blocks[0].conv.calibrated)
    same = copy.deepcopy(net)
    assert torch.equal(same(pos, x, vec)[0], net(pos, x, vec)[0])
    # A grid rounded to single precision and back is the exact one again.
    assert torch.equal(net.double().grid, orientations("repulsion(8)").vectors)
    half = PONITA(1, 8, 1, 1, grid="octa").to(torch.bfloat16)
    assert half(torch.randn(2, 4, 3, dtype=torch.bfloat16))[0].isfinite().all()


def test_calibration_keeps_the_spread():
    net, (pos, x, vec) = net_of(layers=1), cloud(20, 12)
    net.calibrate(pos, x, vec)
    seen = {}
    net.blocks[0].conv.register_forward_hook(lambda module, given, made: seen.update(h=given[0], y=made))
    net(pos, x, vec)
    assert float(seen["y"].std() / seen["h"].std()) == pytest.approx(1, abs=1e-12)


@pytest.mark.parametrize("spoil", [lambda pos, x, vec: (pos[:0], x[:0], vec[:0]), lambda pos, x, vec: (pos, x * float("nan"), vec)])
def test_calibration_refuses_a_batch_that_says_nothing(spoil):
    net, (pos, x, vec) = net_of(), cloud()
    before = {name: value.clone() for name, value in net.state_dict().items()}
    with pytest.raises(ArgumentError, match="'inputs': expected a batch of several nodes"):
        net.calibrate(*spoil(pos, x, vec))
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())
    assert not any(bool(block.conv.calibrated) for block in net.blocks)


@pytest.mark.parametrize("scale", [-1.0, float("nan"), True])
def test_a_layer_scale_is_not_negative(scale):
    with pytest.raises(ArgumentError, match="layer_scale"):
        PONITA(1, 8, 1, 1, layer_scale=scale)


def test_autocast_vmap_and_strides():
    net, (pos, x, vec) = net_of().float(), (part.float() for part in cloud())
    s, v = net(pos, x, vec)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.allclose(net(pos, x, vec)[0].float(), s, atol=0.1)
    each = torch.func.vmap(net)(pos, x, vec)
    assert torch.allclose(each[0], s, atol=1e-5)
    strided = [part.transpose(0, 1).contiguous().transpose(0, 1) for part in (pos, x, vec)]
    assert torch.allclose(net(*strided)[1], v, atol=1e-6)


@pytest.mark.slow
def test_compiles_in_one_graph():
    net, (pos, x, vec) = net_of().float(), (part.float() for part in cloud())
    compiled = torch.compile(net, fullgraph=True)
    assert torch.allclose(compiled(pos, x, vec)[0], net(pos, x, vec)[0], atol=1e-5)
    _, edges = edges_of(6, 5)
    flat = [part.flatten(0, 1) for part in (pos, x, vec)]
    assert torch.allclose(compiled(*flat, edge_index=edges)[0], net(*flat, edge_index=edges)[0], atol=1e-5)


def test_pyg_data():
    data_of = pytest.importorskip("torch_geometric.data")
    net, (pos, x, vec) = net_of(task="graph"), cloud(3)
    _, edges = edges_of(1, 5)
    graphs = [data_of.Data(pos=p, x=s, vec=v, edge_index=edges) for p, s, v in zip(pos, x, vec)]
    batch = data_of.Batch.from_data_list(graphs)
    for y, expected in zip(net(batch), net(pos, x, vec)):
        assert torch.allclose(y, expected, rtol=1e-12, atol=1e-13)


BAD = {
    "in_scalars": lambda: net_of(in_scalars=0, in_vectors=0),
    "out_scalars": lambda: net_of(out_scalars=0, out_vectors=0),
    "hidden": lambda: net_of(hidden=0),
    "layers": lambda: net_of(layers=0),
    "grid": lambda: net_of(grid="nope"),
    "radius": lambda: net_of(radius=0.0),
    "dim": lambda: net_of(dim=4),
    "task": lambda: net_of(task="edge"),
    "attributes": lambda: net_of(attributes="all"),
    "separable": lambda: net_of(attributes="complete"),
    "group": lambda: net_of(group="SO(3)"),
    "degree": lambda: net_of(degree=0),
    "in_vectors": lambda: PNITA(1, 8, 1, 1, in_vectors=1),
    "out_vectors": lambda: PNITA(1, 8, 1, 1, out_vectors=1),
    "pos": lambda: net_of()(torch.zeros(4, 2, dtype=F64)),
    "x": lambda: net_of()(torch.zeros(4, 3, dtype=F64), torch.zeros(4, 1, dtype=F64)),
    "vec": lambda: net_of()(torch.zeros(4, 3, dtype=F64)),
    "batch": lambda: net_of(in_vectors=0)(torch.zeros(4, 3, dtype=F64), batch=torch.zeros(3, dtype=torch.int64)),
    "mask": lambda: net_of(in_vectors=0)(torch.zeros(4, 3, dtype=F64), mask=torch.ones(4, dtype=torch.bool)),
    "edge_index": lambda: net_of(in_vectors=0)(torch.zeros(4, 3, dtype=F64), edge_index=torch.tensor([[0], [4]])),
    "edge_shift": lambda: net_of(in_vectors=0)(torch.zeros(4, 3, dtype=F64), edge_shift=torch.zeros(2, 3, dtype=F64)),
    "ori": lambda: net_of(in_vectors=0)(torch.zeros(4, 3, dtype=F64), ori=torch.zeros(4, 3, dtype=F64)),
}


@pytest.mark.parametrize("argument", BAD)
def test_refuses(argument):
    with pytest.raises(ArgumentError, match=f"argument '{argument}'"):
        BAD[argument]()


def test_more_that_is_refused():
    with pytest.raises(ArgumentError, match="argument 'group'.*blind to mirror images"):
        net_of(group="SE(3)")
    with pytest.raises(ArgumentError, match="argument 'ori'.*no orientations"):
        net_of(kind=PNITA)(torch.zeros(4, 3, dtype=F64), ori=torch.ones(4, 3, dtype=F64))
    with pytest.raises(ArgumentError, match="argument 'vec'.*in_vectors=0"):
        net_of(in_vectors=0)(torch.zeros(4, 3, dtype=F64), vec=torch.zeros(4, 0, 3, dtype=F64))
    with pytest.raises(ArgumentError, match="argument 'edge_index'.*none with positions"):
        net_of(in_vectors=0)(torch.zeros(2, 4, 3, dtype=F64), edge_index=torch.tensor([[0], [1]]))


def test_what_padding_holds_does_not_matter():
    net = net_of()
    pos, x, vec = cloud(2)
    ori = torch.randn(2, 5, 3, generator=seeded(9), dtype=F64)
    mask = torch.tensor([[True] * 5, [True] * 3 + [False] * 2])
    y = net(pos[1:, :3], x[1:, :3], vec[1:, :3], ori=ori[1:, :3])
    for empty in (0.0, torch.nan):
        for part in (pos, x, vec, ori):
            part[1, 3:] = empty
        net.zero_grad()
        z = net(pos, x, vec, ori=ori, mask=mask)
        sum(part.sum() for part in z).backward()
        for mine, alone in zip(z, y):
            torch.testing.assert_close(mine[1:, :3], alone, rtol=0, atol=1e-13)
            assert (mine[1, 3:] == 0).all()
        assert all(p.grad.isfinite().all() for p in net.parameters() if p.grad is not None)


@pytest.mark.parametrize("size", [1e-300, 1e-20, 1e20, 1e200])
def test_orientations_may_have_any_length(size):
    net = net_of()
    pos, x, vec = (part[0] for part in cloud(1))
    ori = torch.randn(5, 3, generator=seeded(9), dtype=F64)
    for mine, other in zip(net(pos, x, vec, ori=size * ori), net(pos, x, vec, ori=ori)):
        torch.testing.assert_close(mine, other, rtol=0, atol=1e-13)


def test_edges_between_graphs_and_other_dtypes_are_refused():
    net = net_of(task="graph")
    pos, x, vec = (part.flatten(0, 1) for part in cloud(2))
    of = edges_of(2, 5)[0]
    cases = {
        "edge_index": {"edge_index": torch.tensor([[0], [5]])},
        "batch": {"batch": of.double()},
        "graphs": {"graphs": 1},
        "ori": {"ori": torch.ones(10, 3, dtype=torch.int64)},
        "x": {"x": x.tolist()},
    }
    for name, wrong in cases.items():
        with pytest.raises(ArgumentError, match=f"'{name}'"):
            net(**{"pos": pos, "x": x, "vec": vec, "batch": of, **wrong})
    with pytest.raises(ArgumentError, match="'mask'"):
        net(*cloud(2), mask=torch.ones(2, 5))
