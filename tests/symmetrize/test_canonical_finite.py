"""Learned canonicalization for finite groups."""

import warnings

import pytest
import torch
from torch import nn

import erlangen as er
from erlangen.actions import Images
from erlangen.errors import ArgumentError
from erlangen.groups import Cyclic, Dihedral, Symmetric
from erlangen.nn import Lifting
from erlangen.symmetrize import AllElements, Energy, FiniteShift, Lift, Reference, Stochastic, Weighted
from erlangen.symmetrize.frames import Frame
from erlangen.symmetrize.symmetrized import canonical
from erlangen.testing import check_frame

C4, D4 = Images(Cyclic(4).irrep(1)), Images(Dihedral(4).irrep(1))


def images(size: int = 9, channels: int = 1, count: int = 6) -> torch.Tensor:
    return torch.randn(count, channels, size, size, generator=torch.Generator().manual_seed(size), dtype=torch.float64)


def cnn(channels: int, outputs: int) -> nn.Module:
    torch.manual_seed(outputs)
    return nn.Sequential(
        nn.Conv2d(channels, 8, 3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool2d(3), nn.Flatten(), nn.Linear(72, outputs)
    ).double()


def frames_for(act: Images, channels: int) -> list[Frame]:
    torch.manual_seed(0)
    lifting = Lifting(act, channels, width=4, kernel=3, padding=1, layers=1).double()
    return [Energy(cnn(channels, 1)), Reference(cnn(channels, 16), 16), Lift(lifting)]


@pytest.mark.parametrize("act", [C4, D4], ids=["C4", "D4"])
@pytest.mark.parametrize("size", [8, 9])
@pytest.mark.parametrize("channels", [1, 3])
def test_models_of_images_are_invariant(act, size, channels):
    x, group = images(size, channels), act.group
    for frame in frames_for(act, channels):
        model = er.symmetrize(cnn(channels, 5), act, group.scalar, frame=frame, example=x).eval()
        logits = model(x)
        for i in range(int(group.order)):
            g = group.take(group.elements(), slice(i, i + 1))
            assert (model(act.act(g, x)) - logits).abs().max() < 1e-9


def test_convention_and_idempotence():
    """``x = h x_can``; the whole orbit has one canonical image, whose own element is the identity."""
    x = images()
    for frame in frames_for(D4, 1):
        frame.eval()
        h = frame(D4, x).elements[:, 0]
        seen = canonical(D4, x, h.unsqueeze(1))
        assert torch.equal(D4.act(h, seen), x)
        again = frame(D4, seen)
        assert torch.equal(again.elements[:, 0], D4.group.identity(6))
        assert again.info["identity_metric"].mean() == 1
        g = D4.group.sample(6, generator=torch.Generator().manual_seed(1))
        moved = D4.act(g, x)
        assert torch.equal(canonical(D4, moved, frame(D4, moved).elements), seen)


@pytest.mark.parametrize("index", [0, 1], ids=["Energy", "Reference"])
def test_activations_are_left_translates(index):
    frame, x = frames_for(D4, 1)[index], images()
    a = frame(D4, x).info["activations"]
    for i in range(8):
        g = D4.group.take(D4.group.elements(), slice(i, i + 1))
        assert torch.allclose(frame(D4, D4.act(g, x)).info["activations"], D4.group.regular.act(g, a), atol=1e-12)


def test_energy_is_the_brute_force_minimum():
    network, x = cnn(1, 1), images()
    act = Images(Cyclic(8).irrep(1))
    chosen = Energy(network).eval()(act, x).elements[:, 0]
    for b in range(len(x)):
        energies = [network(act.act(act.group.element(-k % 8), x[b : b + 1])).item() for k in range(8)]
        assert int(act.group.exponent(chosen[b])) == min(range(8), key=energies.__getitem__)


def test_any_finite_group_on_anything():
    group = Symmetric(4)
    network = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 1)).double()
    assert check_frame(Energy(network).eval(), group.vector, torch.randn(6, 4, dtype=torch.float64))
    shift = nn.Sequential(nn.Linear(4, 24)).double()
    base = Energy(network, trick=None).eval()
    assert check_frame(FiniteShift(base, shift).eval(), group.vector, torch.randn(6, 4, dtype=torch.float64))


# ---- training ----


@pytest.mark.parametrize("out", [C4.group.scalar, C4], ids=["logits", "images"])
def test_straight_through_has_the_value_of_the_choice_and_the_gradient_of_the_mixture(out):
    x = images(5, 1, 3)
    torch.manual_seed(3)
    energy = nn.Sequential(nn.Flatten(), nn.Linear(25, 1)).double()
    body = nn.Conv2d(1, 1, 3, padding=1).double()
    f = body if out is C4 else nn.Sequential(body, nn.Tanh(), nn.Flatten(), nn.Linear(25, 2).double())
    model = er.symmetrize(f, C4, out, frame=Energy(energy, temperature=0.7), check=False)
    trained, chosen = model.train()(x), model.eval()(x)
    assert torch.equal(trained, chosen)
    loss = model.train()(x).square().sum()
    (got,) = torch.autograd.grad(loss, energy[1].weight)
    # The same mixture with weights z = hard + (soft(w) - soft(w0)), in w: central differences.
    every = Cyclic(4).elements()
    copies = torch.stack([C4.act(C4.group.inverse(every[k]), x) for k in range(4)], 1)
    weight0 = energy[1].weight.detach().clone()

    def soft(weight: torch.Tensor) -> torch.Tensor:
        return torch.softmax(-(copies.flatten(2) @ weight[0] + energy[1].bias) / 0.7, 1)

    hard = nn.functional.one_hot(soft(weight0).argmax(1), 4)

    def value(weight: torch.Tensor) -> torch.Tensor:
        z = hard + soft(weight) - soft(weight0)
        y = f(torch.einsum("bk,bk...->b...", z, copies))
        if out is C4:
            back = torch.stack([C4.act(every[k], y) for k in range(4)], 1)
            y = torch.einsum("bk,bk...->b...", z, back)
        return y.square().sum()

    for place in (0, 7, 24):
        step = torch.zeros_like(weight0)
        step[0, place] = 1e-5
        with torch.no_grad():
            difference = (value(weight0 + step) - value(weight0 - step)) / 2e-5
        assert got[0, place] == pytest.approx(float(difference), rel=1e-5, abs=1e-7)


def test_gumbel_draws_by_the_softmax():
    energy = nn.Sequential(nn.Flatten(), nn.Linear(25, 1)).double()
    frame = Energy(energy, trick="gumbel", generator=torch.Generator().manual_seed(0))
    x = images(5, 1, 1).expand(4000, 1, 5, 5)
    found = frame(C4, x)
    assert found.mixed
    assert set(found.weights.detach().unique().tolist()) == {0.0, 1.0}
    wanted = torch.softmax(found.info["activations"][0], -1)
    assert torch.allclose(found.weights.detach().mean(0), wanted, atol=0.03)
    draws = Energy(energy, draws=3, generator=torch.Generator().manual_seed(0)).eval()
    index = C4.group.exponent(draws(C4, x).elements)
    assert torch.allclose(torch.bincount(index.flatten(), minlength=4) / 12000, wanted.float(), atol=0.03)
    assert not draws.is_exact


def test_a_frozen_network_and_no_trick_choose_in_training_too():
    x = images(5)
    for frame in (Energy(cnn(1, 1).requires_grad_(False)), Energy(cnn(1, 1), trick=None)):
        found = frame.train()(C4, x)
        assert not found.mixed
        assert found.elements.shape == (6, 1, 4)


def test_the_prior_alone_teaches_the_network():
    rng = torch.Generator().manual_seed(0)
    x = torch.randn(64, 1, 6, 6, generator=rng)
    x[:, :, :3] += 1  # upright: the upper half is brighter
    torch.manual_seed(0)
    frame = Energy(nn.Sequential(nn.Flatten(), nn.Linear(36, 1)), prior=1.0)
    model = er.symmetrize(nn.Sequential(nn.Flatten(), nn.Linear(36, 2)), C4, C4.group.scalar, frame=frame, check=False)
    optimizer = torch.optim.Adam(frame.parameters(), 0.05)
    before = frame(C4, x).info["identity_metric"].mean()
    for _ in range(60):
        _, losses = model.with_losses(x)
        optimizer.zero_grad()
        losses["prior"].backward()
        optimizer.step()
    assert frame.eval()(C4, x).info["identity_metric"].mean() > 0.95 > before


def test_reference_keeps_copies_apart():
    x = images(6, 1, 16)
    frame = Reference(cnn(1, 8), 8, distinct=1.0)
    optimizer = torch.optim.Adam(frame.parameters(), 0.01)
    losses = []
    for _ in range(40):
        loss = frame(C4, x).losses["distinct"]
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.7 * losses[0]


# ---- ties, several, records ----


def test_symmetric_images():
    """Invariant outputs stay exact; the choice breaks the symmetry of others, up to the stabilizer; weights keep it."""
    x = images(6, 1, 4)
    x[0] = (x[0] + x[0].flip(-1).flip(-2)) / 2  # a half turn does not change it
    half = Cyclic(4).element(torch.tensor([2]))
    conv = nn.Conv2d(1, 1, 3, padding=1).double()
    energy = cnn(1, 1)
    plain = er.symmetrize(conv, C4, C4, frame=Energy(energy), check=False).eval()
    g = Cyclic(4).element(torch.tensor([1, 1, 1, 1]))
    here, there = C4.act(g, plain(x)), plain(C4.act(g, x))
    assert torch.allclose(here[1:], there[1:], atol=1e-10)
    error = min(float((here[:1] - there[:1]).abs().max()), float((C4.act(half, here[:1]) - there[:1]).abs().max()))
    assert error < 1e-10
    with pytest.warns(UserWarning, match="several best"):
        Energy(energy, degenerate="warn").eval()(C4, x)
    weighted = er.symmetrize(conv, C4, C4, frame=Energy(energy, degenerate="weighted"), check=False).eval()
    assert weighted.frames(x).elements.shape[1] == 2
    assert torch.allclose(C4.act(g, weighted(x)), weighted(C4.act(g, x)), atol=1e-10)
    assert torch.allclose(weighted(x)[:1], C4.act(half, weighted(x)[:1]), atol=1e-10)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        Energy(energy, degenerate="warn").eval()(C4, x[1:])


class Constant(nn.Module):
    """A network that died: one value for everything, but for rounding."""

    def forward(self, x):
        rounding = torch.rand(len(x), 1, generator=torch.Generator().manual_seed(len(x)), dtype=x.dtype) - 0.5
        return 3 + 4 * torch.finfo(x.dtype).eps * rounding


class Pooled(nn.Module):
    """Blind to quarter turns that are half turns: an energy of two copies out of four is the lowest."""

    def forward(self, x):
        return (x.sum(-1) ** 2).sum((1, 2)).unsqueeze(1)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("options", [{}, {"top_k": 2}, {"top_k": 3, "temperature": 0.1}], ids=str)
def test_networks_that_are_blind_to_the_pose(options, dtype):
    """By default all that tie are averaged over: a choice by rounding would be no symmetry at all."""
    x, model = images(6).to(dtype), cnn(1, 3).to(dtype)
    for energy in (Constant(), Pooled()):
        frames = [Energy(energy, **options)]
        if not options:
            frames.append(FiniteShift(Energy(energy, trick=None), nn.Sequential(nn.Flatten(), nn.Linear(36, 4).to(dtype))))
        for frame in frames:
            wrapped = er.symmetrize(model, C4, C4.group.scalar, frame=frame, check=False).eval()
            y = wrapped(x)
            for k in range(4):
                g = C4.group.element(torch.full((6,), k))
                assert (wrapped(C4.act(g, x)) - y).abs().max() < 50 * torch.finfo(dtype).eps
    assert Energy(Constant()).eval()(C4, x).elements.shape[1] == 4
    assert Energy(Pooled()).eval()(C4, x).elements.shape[1] == 2
    assert Energy(Pooled(), degenerate="ignore").eval()(C4, x).elements.shape[1] == 1
    assert Energy(Pooled()).eval()(C4, x[:0]).elements.shape[:2] == (0, 1)
    with pytest.warns(UserWarning, match="6 of 6 data have several best"):
        Energy(Pooled(), degenerate="warn").eval()(C4, x)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_dead_features_get_no_gradient(dtype):
    """A direction of zero length has none: not one of rounding over 1e-12, and no gradient of its inverse."""
    network = nn.Sequential(nn.Flatten(), nn.Linear(36, 8), nn.ReLU(), nn.Linear(8, 16, bias=False)).to(dtype)
    nn.init.constant_(network[1].bias, -100.0)
    frame = Reference(network, 16)
    found = frame(C4, images(6).to(dtype))
    (found.losses["distinct"] + found.info["activations"].sum()).backward()
    assert all(p.grad is None or float(p.grad.abs().max()) == 0 for p in network.parameters())
    model = er.symmetrize(cnn(1, 3).to(dtype), C4, C4.group.scalar, frame=frame, check=False).eval()
    assert model.frames(images(6).to(dtype)).elements.shape[1] == 4


def test_top_k():
    x = images(6)
    energy, f = cnn(1, 1), cnn(1, 3)
    all_of_them = er.symmetrize(f, C4, C4.group.scalar, frame=Energy(energy, top_k=9), check=False).eval()
    assert check_frame(Energy(energy, top_k=2).eval(), C4, x)
    a = all_of_them.frames(x).info["activations"]
    outputs = torch.stack([f(C4.act(C4.group.element(-k % 4), x)) for k in range(4)], 1)
    assert torch.allclose(all_of_them(x), torch.einsum("bk,bkc->bc", torch.softmax(a, 1), outputs), atol=1e-12)


def test_records_with_masks_and_labels():
    act = {"image": C4, "mask": C4, "label": er.frames.PerDatum(C4.group)}
    frame = Lift(Lifting(C4, 2, kernel=3).double(), of="image")

    class Overlap(nn.Module):
        def forward(self, data):
            ramp = torch.linspace(0, 1, 7, dtype=torch.float64)
            return (data["image"] * data["mask"] * ramp).sum((1, 2, 3), keepdim=False).unsqueeze(1) + data["label"]

    model = er.symmetrize(Overlap(), act, C4.group.scalar, frame=frame, check=False)
    x = {"image": images(7, 2), "mask": (images(7, 2) > 0).double(), "label": torch.arange(6.0).unsqueeze(1)}
    moved = model.inp.act(C4.group.sample(6), x)
    for mode in (True, False):
        model.train(mode)
        assert torch.allclose(model(moved), model(x), atol=1e-10)


def test_bad_records_are_named():
    group = Symmetric(3)
    frame = Energy(nn.Linear(3, 1).double())
    whole = er.symmetrize(nn.Identity(), group.vector, group.vector, frame=frame, check=False)
    assert whole(torch.randn(2, 3, dtype=torch.float64)).shape == (2, 3)
    edges = er.actions.EdgeList(group)
    model = er.symmetrize(nn.Identity(), edges, edges, frame=Energy(_SumOf()), check=False)
    with pytest.raises(ArgumentError) as caught:
        model.train()(torch.tensor([[[0, 1], [1, 2]]]))
    assert caught.value.argument == "x"


class _SumOf(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.arange(4.0))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return (x.flatten(1) * self.weight).sum(1)


# ---- bad input, and around the model ----


class _Blind(Frame):
    """Takes the first pixel's sign for a pose, which is none."""

    def forward(self, inp, x):
        k = (x[:, 0, 0, 0] > 0).long()
        return Weighted(inp.group.element(k.unsqueeze(1)))


@pytest.mark.parametrize(
    ("build", "argument"),
    [
        (lambda: Energy(cnn(1, 1), trick="reinforce"), "trick"),
        (lambda: Energy(cnn(1, 1), temperature=0.0), "temperature"),
        (lambda: Energy(cnn(1, 1), top_k=0), "top_k"),
        (lambda: Energy(cnn(1, 1), top_k=2, draws=2), "draws"),
        (lambda: Energy(cnn(1, 1), prior=-1.0), "prior"),
        (lambda: Energy(cnn(1, 1), degenerate="raise"), "degenerate"),
        (lambda: Energy(cnn(1, 2))(C4, images()), "network"),
        (lambda: Reference(cnn(1, 2), 3)(C4, images()), "network"),
        (lambda: Reference(cnn(1, 2), 3, distinct=-1.0), "distinct"),
        (lambda: Lift(cnn(1, 4)), "network"),
        (lambda: FiniteShift(AllElements(), cnn(1, 5))(C4, images()), "network"),
        (lambda: Energy(cnn(1, 1), tolerance=-1.0), "tolerance"),
        (lambda: FiniteShift(Energy(cnn(1, 1), trick=None), cnn(1, 3))(C4, images()), "network"),
        (lambda: er.symmetrize(cnn(1, 2), er.SO(2).vector, er.SO(2).scalar, frame=Energy(cnn(1, 1))), "frame"),
        (lambda: er.symmetrize(cnn(1, 2), D4, D4.group.scalar, frame=Lift(Lifting(C4, 1))), "frame"),
        (lambda: er.symmetrize(cnn(1, 2), C4, C4.group.scalar, frame=Energy(cnn(1, 1)))(torch.randn(2, 1, 8, 9)), "x"),
    ],
)
def test_bad_input_is_named(build, argument):
    with pytest.raises(ArgumentError) as caught:
        build()
    assert caught.value.argument == argument


def test_a_canonicalizer_that_is_wrong_is_refused_with_its_error():
    with pytest.raises(ArgumentError, match="relative error of") as caught:
        er.symmetrize(cnn(1, 2), C4, C4.group.scalar, frame=_Blind(), example=images(8))
    assert caught.value.argument == "frame"


def test_saving_compiling_and_other_precisions(tmp_path):
    frame = Lift(Lifting(C4, 1, kernel=3))
    model = er.symmetrize(cnn(1, 2).float(), C4, C4.group.scalar, frame=frame, check=False).eval()
    x = images(8).float()
    names = {name.split(".")[0] for name, _ in model.named_parameters()}
    assert names == {"model", "frame"}  # two groups of parameters, reached separately
    other = er.symmetrize(cnn(1, 2).float(), C4, C4.group.scalar, frame=Lift(Lifting(C4, 1, kernel=3)), check=False).eval()
    other.load_state_dict(model.state_dict())
    assert torch.equal(model(x), other(x))
    exported = torch.export.export(model, (x,)).module()
    assert torch.allclose(exported(x), model(x), atol=1e-6)
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        assert model(x).shape == (6, 2)
    doubled = model.double()
    assert doubled(x.double()).dtype == torch.float64
    stochastic = Stochastic(frame).eval()
    assert stochastic(C4, x.double()).elements.shape == (6, 1, 4)


@pytest.mark.parametrize("train", [True, False])
def test_compiles_whole(train):
    x = images(9).float()
    for frame in (Lift(Lifting(C4, 1)), Energy(cnn(1, 1).float())):
        model = er.symmetrize(cnn(1, 2).float(), C4, C4.group.scalar, frame=frame, check=False).train(train)
        assert torch.allclose(torch.compile(model, backend="eager", fullgraph=True)(x), model(x), atol=1e-6)


def test_finer_rotations_do_not_claim_to_be_exact():
    act = Images(Cyclic(16).irrep(1))
    frame = Lift(Lifting(act, 1, kernel=5))
    assert not frame.is_exact
    model = er.symmetrize(cnn(1, 2).float(), act, act.group.scalar, frame=frame, example=images(9).float()).eval()
    x = images(9).float()
    assert torch.allclose(model(torch.rot90(x, 1, (2, 3))), model(x), atol=1e-5)
