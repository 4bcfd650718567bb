"""What frames do at their edges: masks, chosen parts, ties, lightlike and rank-deficient data, gradients, compilation."""

import itertools
import math
import warnings

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

import erlangen as er
from erlangen.errors import ArgumentError
from erlangen.symmetrize import GramSchmidt, Pairs, PerDatum, Principal, SignFixed, Stochastic

F64 = torch.float64


def cloud(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=F64)


class Wave(nn.Module):
    """A smooth function of each point without any symmetry, [B, n, d] -> [B, n, d]."""

    def forward(self, x):
        d = x.shape[-1]
        mix = torch.linspace(-1, 1.3, d * d, dtype=x.dtype, device=x.device).view(d, d)
        return torch.tanh(x @ mix + 0.4) + 0.3 * x.roll(1, -1) ** 2


@settings(max_examples=25, deadline=None)
@given(
    d=st.integers(2, 4),
    extra=st.integers(0, 6),
    name=st.sampled_from(["O", "SO", "E", "SE"]),
    kind=st.sampled_from([Principal, SignFixed, GramSchmidt]),
    seed=st.integers(0, 10_000),
)
def test_any_generic_cloud_gets_an_exact_frame(d, extra, name, kind, seed):
    group = getattr(er, name)(d)
    x = cloud(3, d + 1 + extra, d, seed=seed)
    model = er.symmetrize(Wave(), group.point, group.point, frame=kind())
    gap = float(Principal().gaps(group.point, x).min())
    error = er.equivariance_error(model, x, group.point, group.point, elements=4, scale=10.0)
    assert error["worst"] < 1e-12 / min(gap, 1e-2)


# ---- masks and choices ----


@pytest.mark.parametrize("kind", [Principal, SignFixed, Pairs, GramSchmidt])
def test_masked_points_do_not_count(kind):
    G = er.SE(3)
    inp = {"pos": G.point, "mask": PerDatum(G)}

    class Sum(nn.Module):
        def forward(self, pos, mask):
            return (Wave()(pos) * mask[..., None]).sum(1)

    x, sizes = cloud(3, 8, 3), (8, 5, 3)
    mask = torch.arange(8) < torch.tensor(sizes)[:, None]
    x = torch.where(mask[..., None], x, 7.0)
    model = er.symmetrize(Sum(), inp, G.vector, frame=kind(weights="mask"))
    together = model(pos=x, mask=mask)
    for i, n in enumerate(sizes):
        alone = model(pos=x[i : i + 1, :n], mask=mask[i : i + 1, :n])
        assert torch.allclose(together[i], alone[0], atol=1e-12)
    for wrong in (mask[:, :5], "none"):
        with pytest.raises(ArgumentError, match="'mask'"):
            model(pos=x, mask=wrong)
    with pytest.raises(ArgumentError, match="not negative"):
        model(pos=x, mask=mask.double() - 0.5)


def test_another_part_can_span_the_frame():
    G = er.SE(3)
    inp = er.Record({"far": G.point, "near": G.point})
    data = {"far": cloud(2, 5, 3), "near": cloud(2, 4, 3, seed=1)}
    near = Principal(of="near")(inp, data).elements
    assert torch.equal(near, Principal()(G.point, data["near"]).elements)
    assert torch.equal(Principal()(inp, data).elements, Principal()(G.point, data["far"]).elements)
    with pytest.raises(ArgumentError, match="'other'"):
        Principal(of="other")(inp, data)


# ---- what degenerate clouds say ----


def test_gaps_tell_how_well_the_axes_are_defined():
    square = torch.tensor([[1.0, 1], [1, -1], [-1, 1], [-1, -1]], dtype=F64)
    oblong = square * torch.tensor([2.0, 1.0], dtype=F64)
    gaps = Principal().gaps(er.E(2).point, torch.stack([square, oblong]) + 5)
    assert torch.allclose(gaps, torch.tensor([0.0, 0.75], dtype=F64), atol=1e-12)


def test_weighted_replacements_serve_the_plane_and_space_only():
    assert "4 dimensions" in Principal(degenerate="weighted").refuse(er.SO(4).vector)
    with pytest.raises(ArgumentError, match="'degenerate'"):
        SignFixed(degenerate="weighted")


def test_degenerate_clouds_do_not_spoil_the_gradients_of_others():
    cube = torch.tensor(list(itertools.product([-1.0, 1.0], repeat=3)), dtype=F64)
    x = torch.stack([cube, cloud(8, 3)]).requires_grad_()
    G = er.O(3)
    model = er.symmetrize(Wave(), G.vector, G.vector, frame=Principal(degenerate="weighted", grad=True))
    (both,) = torch.autograd.grad(model(x).square().sum(), x)
    (alone,) = torch.autograd.grad(model(x[1:]).square().sum(), x)
    assert both.isfinite().all()
    assert torch.allclose(both[1], alone[1], atol=1e-10)


def test_forces_of_a_differentiated_frame_have_no_resultant_and_no_torque():
    class Energy(nn.Module):
        def forward(self, x):
            return Wave()(x).sum((1, 2))[:, None]

    G, x = er.E(3), cloud(4, 6, 3).requires_grad_()
    for grad, exact in ((True, True), (False, False)):
        energy = er.symmetrize(Energy(), G.point, G.scalar, frame=Principal(grad=grad))
        (force,) = torch.autograd.grad(energy(x).sum(), x)
        assert (force.sum(1).abs().max() < 1e-12) == exact
        assert (torch.linalg.cross(x, force).sum(1).abs().max() < 1e-10) == exact


# ---- Lorentz ----


def jets(count, particles, opening, seed=0):
    """Massless momenta in GeV, 1 to 500 across the beam, opening angles of this size; zero-padded by three."""
    rng = torch.Generator().manual_seed(seed)
    pt = 500 ** torch.rand(count, particles, generator=rng, dtype=F64)
    axis = 2 * torch.rand(2, count, 1, generator=rng, dtype=F64) - 1
    eta, phi = axis + opening * torch.randn(2, count, particles, generator=rng, dtype=F64)
    p = torch.stack([pt * torch.cosh(eta), pt * phi.cos(), pt * phi.sin(), pt * torch.sinh(eta)], -1)
    return torch.cat([p, torch.zeros(count, 3, 4, dtype=F64)], 1)


def canonical_errors(x, y, group):
    model = er.symmetrize(Wave(), group.vector, group.scalar)
    a, b = model.canonical_inputs(x), model.canonical_inputs(y)
    return (a.double() - b.double()).flatten(1).norm(dim=1) / a.double().flatten(1).norm(dim=1)


@pytest.mark.parametrize("opening", [0.05, 0.2, 0.8])
def test_boosted_jets_have_the_same_canonical_form(opening):
    group, x = er.SO(1, 3, connected=True), jets(200, 17, opening)
    g = group.sample(200, dtype=F64, scale=math.acosh(5), generator=torch.Generator().manual_seed(1))
    y = group.vector.act(g, x)
    errors = canonical_errors(x, y, group)
    assert errors.max() < 1e-10
    # Single-precision data cannot do better than their own rounding, blown up by the boosts between jet and laboratory.
    assert canonical_errors(x.float(), y.float(), group).median() < 1e-4


def test_three_massless_particles_tie_and_the_tie_is_broken_by_invariants():
    group, x = er.SO(1, 3, connected=True), jets(50, 3, 0.5)[:, :3]
    assert (GramSchmidt().rank(group.vector, x) == 3).all()
    here = GramSchmidt()(group.vector, x)
    for order in itertools.permutations(range(3)):
        there = GramSchmidt()(group.vector, x[:, list(order)])
        # As sets: where invariants tie, too, to 5e-3, both give an element, in any order.
        off = (group.inverse(here.elements).unsqueeze(2) @ there.elements.unsqueeze(1) - torch.eye(4, dtype=F64)).abs().amax((3, 4))
        off, at = off.min(2)
        assert float((off * (here.weights > 0)).max()) < 1e-6
        assert torch.allclose(there.weights.gather(1, at)[here.weights > 0], here.weights[here.weights > 0], atol=1e-6)
    g = group.sample(50, dtype=F64, generator=torch.Generator().manual_seed(1))
    assert canonical_errors(x, group.vector.act(g, x), group).max() < 1e-10


def test_lightlike_data_are_told():
    group = er.SO(1, 3, connected=True)
    photon = torch.tensor([[[5.0, 3.0, 0.0, 4.0], [10.0, 6.0, 0.0, 8.0]]], dtype=F64)
    pair = torch.tensor([[[5.0, 3.0, 0.0, 4.0], [5.0, 0.0, 4.0, 3.0]]], dtype=F64)
    nothing = torch.zeros_like(pair)
    x = torch.cat([photon, pair, nothing])
    with pytest.warns(UserWarning, match="2 of 3 data have only lightlike"):
        found = GramSchmidt()(group.vector, x).elements
    assert group.contains(found).all()
    with pytest.raises(ArgumentError, match="lightlike"):
        GramSchmidt(degenerate="raise")(group.vector, x)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        GramSchmidt()(group.vector, x[1:2])
        GramSchmidt(degenerate="ignore")(group.vector, x)
    assert GramSchmidt().rank(group.vector, x).tolist() == [0, 2, 0]
    with pytest.raises(ArgumentError, match="'degenerate'"):
        GramSchmidt(degenerate="weighted")


# ---- the wrapper ----


@pytest.mark.parametrize(
    ("frame", "inp"),
    [
        (Principal(degenerate="ignore"), er.E(3).point),
        (Principal(grad=True), er.SO(3).vector),
        (SignFixed(), er.SE(3).point),
        (Pairs(), er.SE(2).point),
        (GramSchmidt(), er.E(3).point),
        (GramSchmidt(), er.SO(1, 3, connected=True).vector),
        (Stochastic(Principal()), er.SE(3).point),
    ],
    ids=lambda v: type(v).__name__ if isinstance(v, er.Frame) else str(v),
)
def test_every_frame_compiles_whole(frame, inp):
    x = torch.randn(3, 6, inp.data_shape[0], generator=torch.Generator().manual_seed(0))
    x[..., 0] += 3
    model = er.symmetrize(Wave(), inp, inp, frame=frame).eval()
    torch.compiler.reset()
    compiled = torch.compile(model, backend="aot_eager", fullgraph=True)
    a, b = x.clone().requires_grad_(), x.clone().requires_grad_()
    assert torch.allclose(compiled(a), model(b), atol=1e-5)
    compiled(a).square().sum().backward()
    model(b).square().sum().backward()
    assert torch.allclose(a.grad, b.grad, atol=1e-3 * float(b.grad.abs().max()))


def test_parts_without_an_action_come_back_for_each_element():
    G, x = er.SO(3), cloud(4, 5, 3)

    class Two(nn.Module):
        def forward(self, x):
            return {"out": Wave()(x), "hidden": x[:, 0], "note": "kept"}

    out = {"out": G.vector, "hidden": None, "note": None}
    whole = er.symmetrize(Two(), G.vector, out)(x)
    parts = er.symmetrize(Two(), G.vector, out, chunk=3)(x)
    assert whole["hidden"].shape == (4, 4, 3)
    assert whole["note"] == parts["note"] == "kept"
    assert torch.allclose(whole["hidden"], parts["hidden"])
    assert torch.allclose(whole["out"], parts["out"], atol=1e-14)


def test_integer_data_are_averaged_with_fractional_weights():
    S = er.Symmetric(3)

    class First(nn.Module):
        def forward(self, x):
            return x[:, :1].double()

    x = torch.tensor([[1, 2, 6], [0, 0, 3]])
    assert er.symmetrize(First(), S.vector, S.scalar)(x).squeeze(1).tolist() == pytest.approx([3.0, 1.0], rel=1e-6)


def test_dropout_is_symmetric_in_evaluation():
    G, x = er.SO(3), cloud(4, 5, 3)
    net = nn.Sequential(Wave(), nn.Dropout(0.5))
    model = er.symmetrize(net, G.vector, G.vector)
    assert er.equivariance_error(model.eval(), x, G.vector, G.vector)["worst"] < 1e-10
    assert er.equivariance_error(model.train(), x, G.vector, G.vector)["worst"] > 1e-2
