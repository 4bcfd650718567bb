"""The chooser: what it compares, that it is fair, and that its numbers are those of an independent computation."""

import json
import time

import pytest
import torch
from torch import nn

import erlangen as er
from erlangen.errors import ArgumentError
from erlangen.fitting.compare_frames import compare_frames
from erlangen.symmetrize import Principal, SignFixed, Stochastic
from erlangen.training import TrainingConfig

G = er.SO(3)
FEW = TrainingConfig(steps=30, batch_size=32, lr=3e-3)


def made(n=96, seed=0):
    x = torch.randn(n, 5, 3, generator=torch.Generator().manual_seed(seed))
    return x, x.norm(dim=-1).sum(1, keepdim=True)


def network(outputs=1):
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(15, 24), nn.Tanh(), nn.Linear(24, outputs))


@pytest.fixture(scope="module")
def found():
    return compare_frames(network(), made(), G.vector, G.scalar, test=made(64, 1), config=FEW, quiet=True)


def test_every_frame_that_serves_is_there(found):
    assert [row.name for row in found.rows] == [
        "plain", "augmentation", "Principal", "Stochastic(Principal)", "SignFixed", "GramSchmidt",
    ]  # fmt: skip
    assert {row.steps for row in found.rows} == {30}
    assert [row.evaluations for row in found.rows] == [1, 1, 4, 4, 1, 2]  # some data lie near a tie of lengths: two bases


def test_numbers_are_right(found):
    x, y = made(64, 1)
    for row in found.rows:
        with torch.no_grad():
            error = (found.models[row.name](x) - y).square().mean()
        assert row.error == pytest.approx(float(error), rel=1e-5)
        assert row.latency > 0
        assert row.seconds > 0
    for name in ("Principal", "Stochastic(Principal)", "SignFixed", "GramSchmidt"):
        assert found[name].moved == pytest.approx(found[name].error, rel=1e-4)
        assert found[name].equivariance < 1e-5
    assert found["plain"].equivariance > 1e-2
    assert found["plain"].moved != found["plain"].error


def test_memory_counts_evaluations(found):
    """What is kept grows with the size of the frame; a drawn element costs about what the plain network does."""
    plain = found["plain"].memory
    assert 2.5 * plain < found["Principal"].memory < 6 * plain
    assert found["Stochastic(Principal)"].memory < 2 * plain


def test_the_model_is_left_alone_and_all_start_alike():
    net = network()
    before = {name: p.clone() for name, p in net.state_dict().items()}
    none = TrainingConfig(steps=1, lr=1e-12, weight_decay=0.0)
    out = compare_frames(net, made(), G.vector, G.scalar, test=made(64, 1), frames={"one": SignFixed()}, config=none, quiet=True)
    assert all(torch.equal(p, before[name]) for name, p in net.state_dict().items())
    for name in ("plain", "augmentation"):
        assert torch.allclose(out.models[name][1].weight, before["1.weight"], atol=1e-9)
    assert torch.allclose(out.models["one"].model[1].weight, before["1.weight"], atol=1e-9)


def test_frozen_statistics_stay_frozen():
    net = nn.Sequential(nn.Flatten(), nn.BatchNorm1d(15).eval(), nn.Linear(15, 1))
    x, y = made()
    few = TrainingConfig(steps=2, batch_size=32)
    frames = {"GramSchmidt": er.frames.GramSchmidt()}
    found = compare_frames(net, (3 + x, y), G.vector, G.scalar, frames=frames, test=(x, y), config=few, quiet=True)
    for model in found.models.values():
        (norm,) = (m for m in model.modules() if isinstance(m, nn.BatchNorm1d))
        assert not norm.training
        assert not norm.running_mean.any()
        assert int(norm.num_batches_tracked) == 0


def test_equal_seconds_give_full_frames_fewer_steps(monkeypatch):
    """By a clock that counts rows: 96 a step for one element, four times as many for the whole frame."""
    rows = [0]

    class Counting(nn.Sequential):
        def forward(self, x):
            rows[0] += len(x)
            return super().forward(x)

    monkeypatch.setattr(time, "process_time", lambda: float(rows[0]))
    frames = {"full": Principal(degenerate="ignore"), "drawn": Stochastic(Principal(degenerate="ignore"))}
    options = {
        "test": made(64, 1),
        "frames": frames,
        "baselines": ("plain",),
        "seconds": 96.0 * 40,
        "config": TrainingConfig(batch_size=96),
    }
    out = compare_frames(Counting(*network()), made(), G.vector, G.scalar, quiet=True, **options)
    assert [(row.name, row.steps, row.seconds) for row in out.rows] == [
        ("plain", 40, 3840.0), ("full", 10, 3840.0), ("drawn", 40, 3840.0),
    ]  # fmt: skip
    assert "CPU seconds" in out.budget


def test_rates_are_chosen_on_validation_data_for_each_way():
    """Fitting a constant within ten steps takes the large rate; on validation data that ask for what is there at the start, the small."""

    class Constant(nn.Module):
        def __init__(self):
            super().__init__()
            self.by = nn.Parameter(torch.zeros(1))

        def forward(self, x):
            return self.by.expand(len(x), 1)

    x, one = made()[0], torch.ones(96, 1)
    few = TrainingConfig(steps=50, batch_size=32, weight_decay=0.0)
    options = {"test": (x, one), "frames": {"one": SignFixed()}, "config": few, "rates": (1e-3, 0.1), "quiet": True}
    found = compare_frames(Constant(), (x, one), G.vector, G.scalar, validation=(x, one), **options)
    assert {row.lr for row in found.rows} == {0.1}
    assert {row.steps for row in found.rows} == {50}
    found = compare_frames(Constant(), (x, one), G.vector, G.scalar, validation=(x, 0 * one), **options)
    assert {row.lr for row in found.rows} == {1e-3}


def test_tables_and_dictionaries(found):
    text = str(found)
    assert all(word in text for word in ("Principal", "moved data", "30 steps each"))
    numbers = json.loads(json.dumps(found.as_dict()))
    assert [row["name"] for row in numbers["rows"]] == [row.name for row in found.rows]
    assert numbers["best"] == min(found.rows, key=lambda row: row.moved).name
    with pytest.raises(KeyError):
        found["nobody"]


def test_records_labels_vectors_and_finite_groups():
    E = er.E(3)

    class Step(nn.Module):
        def __init__(self):
            super().__init__()
            self.mix = nn.Linear(3, 3)

        def forward(self, pos, vel):
            return pos + self.mix(vel)

    x = {"pos": made()[0], "vel": made(seed=2)[0]}
    y = x["pos"] + x["vel"]
    few = TrainingConfig(steps=2, batch_size=32)
    record = {"pos": E.point, "vel": E.vector}
    out = compare_frames(Step(), (x, y), record, E.point, test=(x, y), frames={"one": SignFixed(of="pos")}, config=few, quiet=True)
    assert out["one"].equivariance < 1e-4 < out["plain"].equivariance

    C, x = er.Cyclic(4), torch.randn(64, 4)
    net = nn.Linear(4, 3)
    out = compare_frames(
        net, (x, torch.arange(64) % 3), C.vector, 3 * C.scalar, test=(x, torch.arange(64) % 3), config=few, quiet=True
    )
    assert out.measure == "error rate"
    assert 0 <= out["AllElements"].error <= 1
    assert out["AllElements"].evaluations == 4


def test_errors_name_what_is_wrong():
    options = {"test": made(8), "config": FEW, "quiet": True}
    for argument, more in (
        ("seconds", {"seconds": 0.0}),
        ("frames", {"frames": {"plain": Principal()}}),
        ("baselines", {"frames": {}, "baselines": ()}),
        ("baselines", {"baselines": ("nobody",)}),
        ("validation", {"rates": (1e-3, 1e-2)}),
        ("frame", {"frames": {"graphs": er.frames.Spectral()}}),
    ):
        with pytest.raises(ArgumentError, match=f"argument '{argument}'"):
            compare_frames(network(), made(8), G.vector, G.scalar, **options, **more)
    with pytest.raises(ArgumentError, match="argument 'frames'"):
        compare_frames(nn.Linear(3, 1), made(8), er.SL(3).vector, er.SL(3).scalar, **options)
