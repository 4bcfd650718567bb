"""What members may be, what their training refuses, and that it goes on where it was interrupted."""

import os
import signal

import numpy as np
import pytest
import torch
from torch import nn

from erlangen.errors import ArgumentError
from erlangen.parameters import DeepEnsemble
from erlangen.parameters.ensembles import Stack, training
from erlangen.parameters.matching.result import weights_of
from erlangen.training import TrainingConfig, train


def data(n=60, steps=0, seed=0):
    generator = torch.Generator().manual_seed(seed)
    shape = (n, steps, 4) if steps else (n, 4)
    x = torch.randn(shape, generator=generator, dtype=torch.float64)
    return x, (x.reshape(n, -1, 4).sum(1)[:, :2]).argmax(1)


def plain(out=2, act=nn.GELU, dropout=0.0):
    return nn.Sequential(nn.Linear(4, 8), act(), nn.Dropout(dropout), nn.Linear(8, out)).double()


class Last(nn.Module):
    """The last hidden state of a recurrent layer."""

    def __init__(self, kind):
        super().__init__()
        self.cell, self.head = kind(4, 5, batch_first=True), nn.Linear(5, 2)

    def forward(self, x):
        return self.head(self.cell(x)[0][:, -1])


class Branching(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(4, 2)

    def forward(self, x):
        return self.layer(x) if x.mean() > 0 else self.layer(2 * x)


def normed():
    return nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 2))


@pytest.mark.parametrize(
    "build",
    [lambda: Last(nn.GRU), lambda: Last(nn.LSTM), Branching, normed],
    ids=["gru", "lstm", "branches", "batch norm"],
)
def test_members_that_cannot_be_mapped_are_trained_one_after_the_other(build):
    x, y = data(60, 3 if "Last" in build.__code__.co_names else 0) if hasattr(build, "__code__") else data()
    ensemble = DeepEnsemble(lambda: build().double(), 2, epochs=3, lr=0.01, batch_size=20, validation_fraction=0).fit(x, y)
    loss = lambda m, a, b: nn.functional.cross_entropy(m(a), b)  # noqa: E731
    for member, alone, seed in zip(ensemble.members, ensemble.build_members(), ensemble.seeds):
        train(alone, (x, y), loss, TrainingConfig(9, 20, 0.01, 0.03, "constant", seed=seed), quiet=True)
        for (name, t), (_, u) in zip(weights_of(member).items(), weights_of(alone).items(), strict=True):
            torch.testing.assert_close(t, u, rtol=1e-10, atol=1e-12, msg=name)
    with torch.no_grad():
        expected = torch.stack([m(x) for m in ensemble.members])
    torch.testing.assert_close(ensemble.outputs(x), expected, rtol=1e-12, atol=1e-12)
    assert Stack(ensemble.members)(x.expand(2, *x.shape)).shape == (2, 60, 2)


class Scaled(nn.Module):
    """A number that no tensor holds."""

    def __init__(self, scale):
        super().__init__()
        self.layer, self.scale = nn.Linear(4, 2).double(), scale

    def forward(self, x):
        return self.layer(x) * self.scale


class Noisy(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(4, 2).double()

    def forward(self, x):
        return nn.functional.dropout(self.layer(x), 0.5, training=True)


@pytest.mark.parametrize(
    ("words", "builds"),
    [
        ("class of module at '1'", [plain, lambda: plain(act=nn.Tanh)]),
        ("float32", [plain, lambda: plain().float()]),
        ("'3.weight'", [plain, lambda: plain(3)]),
        ("trained", [plain, lambda: plain().requires_grad_(False)]),
        ("something else", [lambda: Scaled(1.0), lambda: Scaled(2.0)]),
    ],
)
def test_members_that_are_not_alike_are_refused(words, builds):
    """By the first one's code the others would compute something else."""
    x, y = data()
    turns = iter(builds)
    with pytest.raises(ArgumentError, match=words):
        DeepEnsemble(lambda: next(turns)(), 2).fit(x, y)


def test_members_may_have_infinite_buffers():
    class Causal(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(4, 2).double()
            self.register_buffer("mask", torch.full((4, 4), -torch.inf, dtype=torch.float64).triu(1))

        def forward(self, x):
            return self.layer((x.unsqueeze(-2) + self.mask).softmax(-1).sum(-2))

    x, y = data()
    assert DeepEnsemble(Causal, 2, epochs=2).fit(x, y).average_weights()(x).isfinite().all()


def test_members_may_draw_at_random_in_evaluation():
    x, y = data()
    torch.manual_seed(0)
    expected = torch.rand(3)
    torch.manual_seed(0)
    ensemble = DeepEnsemble(Noisy, 2, epochs=1).fit(x, y)
    assert torch.equal(torch.rand(3), expected)
    assert not torch.equal(ensemble.outputs(x), ensemble.outputs(x))


def test_inputs_that_members_change_in_place_stay_as_they_are():
    x, y = data()
    build = lambda: nn.Sequential(nn.ReLU(inplace=True), nn.Linear(4, 2)).double()  # noqa: E731
    before = x.clone()
    ensemble = DeepEnsemble(build, 2, epochs=2).fit(x, y)
    outputs = ensemble.outputs(x)
    assert torch.equal(x, before)
    torch.testing.assert_close(outputs[1], ensemble.members[1](x.clone()).detach())


@pytest.mark.parametrize("fraction", [0, 0.1])
def test_weights_that_have_blown_up_are_refused(fraction):
    """The loss of the only step is that before it."""
    x, y = data()
    settings = {"epochs": 1, "batch_size": 100, "validation_fraction": fraction}
    with pytest.raises(ArgumentError) as caught:
        DeepEnsemble(plain, 2, lr=1e305, **settings).fit(x, y).predict(1e10 * x)
    assert caught.value.argument == ("lr" if fraction else "x")


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32])
def test_scores_are_of_the_numbers_that_were_given(dtype):
    """Not of these in the precision of the members, in which 1000.3 is 1000."""
    x, _ = data()
    y = 1000 + x[:, 0] / 3
    build = lambda: plain(1).to(dtype)  # noqa: E731
    ensemble = DeepEnsemble(build, 2, epochs=2, task="regression").fit(x, y, validation=(x, y))
    predicted = torch.stack([m(x.to(dtype)).detach().double() for m in ensemble.members]).mean(0)[:, 0]
    expected = (predicted - y).square().mean().sqrt().item()
    assert ensemble.curve([2], x, y)[0].score == pytest.approx(expected, rel=2e-6)
    assert ensemble.curve([2])[0].score == pytest.approx(expected, rel=2e-6)
    assert ensemble.score(x, y) == pytest.approx(1 - expected**2 / y.var(unbiased=False).item(), rel=2e-6)


def test_settings_may_be_arrays_and_numbers_of_numpy(tmp_path):
    x, y = data()
    ensemble = DeepEnsemble(
        plain, np.int64(2), kind="w", n_fix=np.array([1, 2]), kappa=torch.tensor([1.0, 0.5]), epochs=np.int64(2), batch_size=np.int64(32),
        lr=np.float32(1e-3), validation_fraction=np.float32(0.1), seed=np.int64(3),
    ).fit(x, y)  # fmt: skip
    again = DeepEnsemble.load(ensemble.save(tmp_path / "e.safetensors"), plain)
    assert torch.equal(again.outputs(x), ensemble.outputs(x))
    assert again.n_fix == [1, 2]
    for size in (None, "2", float("nan"), 1.5):
        with pytest.raises(ArgumentError, match="size"):
            DeepEnsemble(plain, size)
    with pytest.raises(ArgumentError, match="sizes"):
        ensemble.curve(2, x, y)


def test_a_file_knows_the_classes_of_its_members(tmp_path):
    """Weights of the same shapes behind another activation would predict something else."""
    x, y = data()
    path = DeepEnsemble(plain, 2, kind="w", n_fix=1, epochs=1).fit(x, y).save(tmp_path / "e.safetensors")
    with pytest.raises(ArgumentError, match="'1' of class ReLU, which was GELU"):
        DeepEnsemble.load(path, lambda: plain(act=nn.ReLU))
    with pytest.raises(ArgumentError, match="fitted"):
        DeepEnsemble(plain, 2).save(tmp_path / "none.safetensors")


def test_inputs_of_other_shapes_and_kinds_are_refused():
    x, y = data()
    with pytest.raises(ArgumentError, match="'validation'"):
        DeepEnsemble(plain, 2).fit(x, y, validation=(x[:, :3], y))
    with pytest.raises(ArgumentError, match="'x'"):
        DeepEnsemble(plain, 2).fit({"a": x}, y)


def test_complex_members_are_as_far_apart_as_their_weights():
    class Complex(nn.Module):
        def __init__(self):
            super().__init__()
            self.w = nn.Parameter(torch.randn(4, 2, dtype=torch.complex128))

        def forward(self, x):
            return (x.to(self.w.dtype) @ self.w).abs()

    x, y = data()
    ensemble = DeepEnsemble(Complex, 2, epochs=2).fit(x, y)
    one, two = (m.w.detach() for m in ensemble.members)
    assert ensemble.curve([2], x, y)[0].distance == pytest.approx((one - two).norm().item(), rel=1e-12)


SETTINGS = {"epochs": 9, "batch_size": 16, "lr": 0.1, "patience": 1}


def noisy(seed=0, **settings):
    return DeepEnsemble(lambda: plain(dropout=0.2), 4, kind="w", n_fix=1, seed=seed, **{**SETTINGS, **settings})


class Killed(Exception):
    pass


@pytest.mark.parametrize("epoch", [1, 4, 7])
def test_a_training_that_is_killed_goes_on_to_the_same_bits(tmp_path, monkeypatch, epoch):
    """Among members of which some have stopped, and with dropout."""
    x, y = data(90)
    held = data(40, seed=1)
    whole = noisy().fit(x, y, validation=held)
    epochs = [len(h.losses) // 5 for h in whole.histories]
    assert min(epochs) < 7 < max(epochs)
    monkeypatch.setattr(training, "SECONDS", 0.0)
    write, count = training.checkpoints.write, iter(range(100))

    def counted(*args):
        write(*args)
        if next(count) + 1 == epoch:
            raise Killed

    monkeypatch.setattr(training.checkpoints, "write", counted)
    with pytest.raises(Killed):
        noisy().fit(x, y, validation=held, checkpoint=tmp_path)
    resumed = noisy().fit(x, y, validation=held, checkpoint=tmp_path)
    done = noisy().fit(x, y, validation=held, checkpoint=tmp_path)
    for best in (True, False):
        for ensemble in (resumed, done):
            assert torch.equal(ensemble.restore(best).outputs(x), whole.restore(best).outputs(x))
    assert [h.losses for h in resumed.histories] == [h.losses for h in whole.histories]
    assert [h.evaluations for h in done.histories] == [h.evaluations for h in whole.histories]


def test_ctrl_c_finishes_an_epoch_and_says_how_to_go_on(tmp_path):
    x, y = data(90)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)

    class Interrupting(nn.Module):
        calls = 0

        def __init__(self):
            super().__init__()
            self.inner = plain()

        def forward(self, x):
            Interrupting.calls += 1
            if Interrupting.calls == 20:
                os.kill(os.getpid(), signal.SIGINT)
            return self.inner(x)

    try:
        with pytest.raises(KeyboardInterrupt, match="checkpoint="):
            DeepEnsemble(Interrupting, 2, **SETTINGS).fit(x, y, checkpoint=tmp_path)
    finally:
        signal.signal(signal.SIGINT, before)
    resumed = DeepEnsemble(Interrupting, 2, **SETTINGS).fit(x, y, checkpoint=tmp_path)
    assert torch.equal(resumed.outputs(x), DeepEnsemble(Interrupting, 2, **SETTINGS).fit(x, y).outputs(x))


@pytest.mark.parametrize(
    ("words", "other"),
    [
        ("lr", lambda x, y, path: noisy(lr=0.02).fit(x, y, checkpoint=path)),
        ("seeds", lambda x, y, path: noisy(1).fit(x, y, checkpoint=path)),
        ("data", lambda x, y, path: noisy().fit(x + 1, y, checkpoint=path)),
        ("loss", lambda x, y, path: DeepEnsemble(lambda: plain(act=nn.ReLU), 4, kind="w", n_fix=1, **SETTINGS).fit(x, y, checkpoint=path)),
    ],
)  # fmt: skip
def test_checkpoints_of_other_trainings_are_refused(tmp_path, words, other):
    x, y = data(90)
    noisy().fit(x, y, checkpoint=tmp_path)
    with pytest.raises(ArgumentError, match=words) as caught:
        other(x, y, tmp_path)
    assert caught.value.argument == "checkpoint"
