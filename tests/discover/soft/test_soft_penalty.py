"""The penalty in training loops: tuning, state, layers of every kind, bad input."""

from __future__ import annotations

import copy
import io
from typing import Any

import pytest
import torch
from torch import nn

import erlangen as er
from erlangen.discover.soft import Degenerate, SoftEquivariance, project, tuned_strengths
from erlangen.errors import ArgumentError, UnsupportedError
from erlangen.reps.layout import Layout, TensorType

F64 = torch.float64
GROUPS = [er.SO(3), er.SO(2, axis="z")]
S, V = er.SO(3).scalar, er.SO(3).vector


def perceptron(inputs: int = 6, outputs: int = 3, width: int = 24) -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(inputs, width), nn.SiLU(), nn.Linear(width, outputs))


def test_tuned_strengths_release_what_is_violated() -> None:
    full = torch.full((3,), 100.0)
    assert tuned_strengths(full, torch.tensor([1.0, 2.0, 4.0])).tolist() == [100.0, 25.0, 6.25]
    zero = tuned_strengths(full, torch.tensor([0.0, 1.0, 2.0]))
    assert torch.isfinite(zero).all()
    assert zero[0] == 100
    assert (zero[1:] < 1e-5).all()
    assert tuned_strengths(full, torch.zeros(3)).tolist() == [100.0] * 3
    watched = tuned_strengths(torch.tensor([0.0, 10.0, 10.0]), torch.tensor([1e-9, 1.0, 2.0]))
    assert watched.tolist() == [0.0, 10.0, 2.5]  # a group that is only watched sets no standard


def train(penalty: SoftEquivariance, weight: torch.Tensor, wanted: torch.Tensor, steps: int) -> None:
    optimizer = torch.optim.Adam([weight], 0.1)
    for _ in range(steps):
        optimizer.zero_grad()
        ((weight - wanted).square().sum() + penalty()).backward()
        optimizer.step()


def test_counted_calls_tune_the_strengths_once() -> None:
    wanted = torch.diag(torch.tensor([1.0, 1.0, 3.0]))  # SO(2) about z, not SO(3)
    weight = nn.Parameter(torch.randn(3, 3, generator=torch.Generator().manual_seed(0)))
    penalty = SoftEquivariance(weight, GROUPS, steps=400, warmup=0.1)
    train(penalty, weight, wanted, 99)
    assert penalty.strengths.tolist() == pytest.approx([0.1, 0.1])
    train(penalty, weight, wanted, 1)
    strength = dict(zip(penalty.names, penalty.strengths.tolist()))
    assert strength["SO(2) about z"] == 1.0
    assert strength["SO(3)"] < 1e-3
    train(penalty, weight, wanted, 300)
    assert dict(zip(penalty.names, penalty.strengths.tolist())) == strength
    degrees = penalty.degrees()
    assert degrees["SO(2) about z"] > 0.99
    assert degrees["SO(3)"] < 0.7
    assert "SO(2) about z" in str(degrees)


def test_exact_data_keep_the_strength_of_their_group() -> None:
    weight = nn.Parameter(torch.randn(3, 3, generator=torch.Generator().manual_seed(0)))
    penalty = SoftEquivariance(weight, GROUPS, steps=800, strengths=5.0)
    train(penalty, weight, 2 * torch.eye(3), 800)
    assert penalty.cosine_residuals()["SO(3)"] < 1e-2
    assert dict(zip(penalty.names, penalty.strengths.tolist()))["SO(2) about z"] == 5.0


def test_what_counts_as_a_step() -> None:
    model = perceptron()
    penalty = SoftEquivariance(model, GROUPS, steps=8)
    with torch.no_grad():
        penalty()
    model.eval()
    penalty()
    assert penalty.seen.item() == 0
    model.train()
    penalty()
    assert penalty.seen.item() == 1
    penalty.step(0.1)
    penalty()
    assert penalty.seen.item() == 1  # told: calls no longer count
    before = penalty.strengths.clone()
    penalty.step(3)
    assert penalty.seen.item() == 3
    assert not torch.equal(penalty.strengths, before)
    for bad in (-1, 1.5):
        with pytest.raises(ArgumentError, match="'progress'"):
            penalty.step(bad)


def test_repeated_tuning_goes_half_the_way() -> None:
    weight = torch.eye(3) + torch.diag(torch.tensor([0.0, 0.0, 0.5]))
    weight[0, 2] = 0.05
    penalty = SoftEquivariance(weight, GROUPS, tune="repeat", steps=80, strengths=2.0)
    r = torch.tensor(list(penalty.residuals().values()))
    goal = tuned_strengths(torch.full((2,), 2.0), r)
    for _ in range(20):
        penalty()
    assert torch.allclose(penalty.strengths, goal, rtol=1e-4)
    weight[2, 2] = 1.1  # nearer now
    for _ in range(60):  # the window forgets the older residuals
        penalty()
    assert goal[0] < penalty.strengths[0] < 2.0


def test_no_tuning() -> None:
    model = perceptron()
    penalty = SoftEquivariance(model, GROUPS, tune="off", strengths={"SO(3)": 2.0, "SO(2) about z": 0.5}, steps=1)
    expected = 2 * penalty.residuals()["SO(3)"] + 0.5 * penalty.residuals()["SO(2) about z"]
    assert penalty().item() == pytest.approx(expected, rel=1e-5)
    assert not list(penalty.parameters())


def test_the_state_can_be_saved_and_goes_on() -> None:
    model = perceptron()
    first = SoftEquivariance(model, GROUPS, steps=40)
    for _ in range(7):
        first()
    file = io.BytesIO()
    torch.save(first.state_dict(), file)
    file.seek(0)
    second = SoftEquivariance(model, GROUPS, steps=40)
    second.load_state_dict(torch.load(file, weights_only=True))
    for _ in range(5):
        first()
        second()
    assert torch.equal(first.strengths, second.strengths)
    assert second.seen.item() == 12
    assert not any("weight" in name for name in first.state_dict())


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["float32", "float64"])
def test_the_weights_may_change_their_type_later(dtype: torch.dtype) -> None:
    model = perceptron()
    penalty = SoftEquivariance(model, GROUPS, tune="off")
    exact = sum(penalty.residuals().values())
    model.to(dtype)
    loss = penalty()
    loss.backward()
    assert loss.dtype == dtype
    assert loss.item() == pytest.approx(exact, rel=1e-12 if dtype == F64 else 1e-5)


def test_it_compiles() -> None:
    model = perceptron()
    plain, compiled = SoftEquivariance(model, GROUPS, steps=20), SoftEquivariance(model, GROUPS, steps=20)
    run = torch.compile(lambda: compiled(), backend="eager")
    for _ in range(8):
        a, b = plain(), run()
        assert torch.allclose(a, b)
    assert torch.allclose(plain.strengths, compiled.strengths)
    assert compiled.seen.item() == 8


def test_convolutions_and_attention_are_taken_apart_into_matrices() -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv1d(6, 9, 3)
            self.up = nn.ConvTranspose1d(9, 3, 2)
            self.attention = nn.MultiheadAttention(12, 1)

    net = Net().double()
    layers: dict[str, tuple[Any, Any]] = {
        "conv": (2 * V, 3 * V),
        "up": (3 * V, V),
        "attention": (4 * V, 4 * V),
        "attention.out_proj": (4 * V, 4 * V),
    }
    penalty = SoftEquivariance(net, [er.SO(3)], layers=layers, tune="off")

    def three(k: int) -> Layout:
        return Layout(3, [(TensorType(1), k)])

    matrices = [
        *((net.conv.weight[..., t], three(3), three(2)) for t in range(3)),
        *((net.up.weight[..., t].mT, three(1), three(3)) for t in range(2)),
        *((w, three(4), three(4)) for w in net.attention.in_proj_weight.chunk(3)),
        (net.attention.out_proj.weight, three(4), three(4)),
    ]
    expected = sum(0.5 * (w - project(w, V, out, inp)).square().sum().item() for w, out, inp in matrices)
    biases = (net.conv.bias, net.up.bias, net.attention.in_proj_bias, net.attention.out_proj.bias)
    expected += sum(0.5 * b.square().sum().item() for b in biases)  # no vector is left alone by all rotations
    assert penalty.residuals()["SO(3)"] == pytest.approx(expected, rel=1e-12)
    assert SoftEquivariance(net, [er.SO(3)], layers=layers, bias=False).residuals()["SO(3)"] < expected + 1e-12
    with pytest.raises(UnsupportedError, match="groups"):
        SoftEquivariance(nn.Conv1d(6, 6, 3, groups=6), [er.SO(3)])


def test_parametrized_and_replaced_weights_are_seen() -> None:
    layer = nn.Linear(3, 3, bias=False).double()
    penalty = SoftEquivariance(layer, [er.SO(3)], tune="off")
    layer.weight = nn.Parameter(torch.eye(3, dtype=F64))
    assert penalty().item() < 1e-12


def test_the_report_reads_as_a_table() -> None:
    w = torch.diag(torch.tensor([1.0, 1.0, 3.0], dtype=F64))
    penalty = SoftEquivariance(w, GROUPS, tune="off")
    report = penalty.report(torch.randn(64, 3, dtype=F64), generator=torch.Generator().manual_seed(0))
    assert report["SO(2) about z"].error < 1e-12
    assert report["SO(3)"].error > 0.1
    assert report["SO(3)"].cosine == pytest.approx(1 - 5 / 3 / (11 / 3) ** 0.5, abs=1e-12)
    lines = str(report).splitlines()
    assert len(lines) == 3
    assert lines[0].split()[:2] == ["group", "strength"]
    assert report.as_dict()["SO(3)"]["strength"] == 1.0


def test_degenerate_groups_are_named() -> None:
    still = er.MatrixGroup(generators=[torch.eye(3)], name="nothing")
    with pytest.warns(Degenerate, match="nothing: its penalty is zero"):
        penalty = SoftEquivariance(nn.Linear(3, 3), [still, er.SO(3)], steps=4)
    for _ in range(2):
        penalty()
    assert penalty.strengths[1] == 1.0  # the trivial one sets no standard
    with pytest.warns(Degenerate, match="weight decay"):
        SoftEquivariance(torch.randn(3, 9), [er.Scalings(3)], inp=V**2, out=V)


def test_a_copy_follows_its_own_model() -> None:
    model = perceptron()
    pair = copy.deepcopy({"model": model, "penalty": SoftEquivariance(model, GROUPS, tune="off")})
    with torch.no_grad():
        for p in pair["model"].parameters():
            p.zero_()
    assert pair["penalty"]().item() == 0


@pytest.mark.parametrize(
    ("argument", "make"),
    [
        ("groups", lambda: SoftEquivariance(perceptron(), [er.SO(3), er.SO(2)])),
        ("groups", lambda: SoftEquivariance(perceptron(), {})),
        ("groups", lambda: SoftEquivariance(perceptron(), [er.SO(3), er.SO(3)])),
        ("inp", lambda: SoftEquivariance(perceptron(), GROUPS, inp=5 * V)),
        ("inp", lambda: SoftEquivariance(perceptron(7), GROUPS)),
        ("out", lambda: SoftEquivariance(perceptron(), GROUPS, out=V**2)),
        ("hidden", lambda: SoftEquivariance(perceptron(), GROUPS, hidden=5 * V)),
        ("layers", lambda: SoftEquivariance(perceptron(), GROUPS, layers={"0": (V, V)})),
        ("layers", lambda: SoftEquivariance(perceptron(), GROUPS, layers={"nowhere": (V, V)})),
        ("strengths", lambda: SoftEquivariance(perceptron(), GROUPS, strengths=-1.0)),
        ("strengths", lambda: SoftEquivariance(perceptron(), GROUPS, strengths=[1.0])),
        ("strengths", lambda: SoftEquivariance(perceptron(), GROUPS, strengths=float("inf"))),
        ("tune", lambda: SoftEquivariance(perceptron(), GROUPS, tune="always")),  # type: ignore[arg-type]
        ("steps", lambda: SoftEquivariance(perceptron(), GROUPS, steps=0)),
        ("warmup", lambda: SoftEquivariance(perceptron(), GROUPS, warmup=0.0)),
        ("model", lambda: SoftEquivariance(nn.ReLU(), GROUPS)),
    ],
)
def test_bad_input_is_named(argument: str, make: Any) -> None:
    with pytest.raises(ValueError, match=f"'{argument}'"):
        make()
