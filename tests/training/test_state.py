"""What a training keeps and what it leaves alone: layouts in memory, random states, identity, numbers that are none, threads."""

from __future__ import annotations

import random
import signal
import threading
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import Dataset, Subset

from erlangen.errors import ArgumentError
from erlangen.training import TrainingConfig, train, train_members
from erlangen.training.interrupt import deferred_interrupt

CONFIG = TrainingConfig(steps=12, batch_size=8, lr=0.05, checkpoint_every=5, evaluate_every=4, seed=2)


def squared(model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
    return (model(x) - y).square().mean()


def table(seed: int = 0, n: int = 40) -> tuple[Tensor, Tensor]:
    x = torch.randn(n, 4, generator=torch.Generator().manual_seed(seed))
    return x, x.square().sum(1, keepdim=True)


def small(seed: int = 0) -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 1))


def stop_at(step: int, loss=squared):
    """The loss, and Ctrl-C in the step with this number."""
    calls = []

    def interrupting(model: nn.Module, *batch: Tensor) -> Tensor:
        if torch.is_grad_enabled():
            calls.append(1)
            if len(calls) == step:
                signal.raise_signal(signal.SIGINT)
        return loss(model, *batch)

    return interrupting


@pytest.fixture
def ctrl_c():
    """Ctrl-C as a terminal has it, also where the tests' parent ignores it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def resumed_weights(tmp_path: Path, make, data, loss=squared) -> tuple[list[Tensor], list[Tensor], list[float], list[float]]:
    """Weights and losses of an undisturbed training, and of one that was stopped and resumed in fresh objects."""
    whole = make()
    expected = train(whole, data(), loss, CONFIG, validation=data(), quiet=True)
    with pytest.raises(KeyboardInterrupt):
        train(make(), data(), stop_at(7, loss), CONFIG, validation=data(), checkpoint=tmp_path, quiet=True)
    again = make()
    history = train(again, data(), loss, CONFIG, validation=data(), checkpoint=tmp_path, quiet=True)
    return [*whole.parameters()], [*again.parameters()], expected.losses, history.losses


# ---- layouts in memory ----


def transposed() -> nn.Module:
    net = small()
    net[0].weight = nn.Parameter(net[0].weight.detach().T.contiguous().T)
    assert not net[0].weight.is_contiguous()
    return net


def channels_last() -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        net = nn.Sequential(
            nn.Unflatten(1, (1, 2, 2)), nn.Conv2d(1, 3, 2, padding=1), nn.Conv2d(3, 2, 2), nn.Flatten(), nn.Linear(8, 1)
        )
    return net.to(memory_format=torch.channels_last)


@pytest.mark.usefixtures("ctrl_c")
@pytest.mark.parametrize("make", [small, transposed, channels_last])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_weights_of_any_layout_resume_to_the_bit(tmp_path, make, dtype):
    def data():
        return [t.to(dtype) for t in table()]

    whole, again, losses, resumed = resumed_weights(tmp_path, lambda: make().to(dtype), data)
    assert losses == resumed
    assert all(torch.equal(a, b) and a.stride() == b.stride() for a, b in zip(whole, again))


# ---- random states ----


class Noisy(Dataset):
    """Data that draw from every generator that there is."""

    def __init__(self) -> None:
        self.x, self.y = table()
        self.numpy, self.python, self.torch = np.random.default_rng(3), random.Random(3), torch.Generator().manual_seed(3)

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, i: int) -> tuple[Tensor, Tensor]:
        noise = np.random.normal() + random.gauss(0, 1) + self.numpy.normal() + self.python.gauss(0, 1)  # noqa: NPY002
        return self.x[i] + 0.1 * noise + 0.1 * torch.randn(4) + torch.randn(4, generator=self.torch), self.y[i]


@pytest.mark.usefixtures("ctrl_c")
@pytest.mark.parametrize("data", [Noisy, lambda: Subset(Noisy(), range(30))])
def test_random_data_resume_to_the_bit(tmp_path, data):
    whole, again, losses, resumed = resumed_weights(tmp_path, small, data)
    assert losses == resumed
    assert all(torch.equal(a, b) for a, b in zip(whole, again))


def test_all_generators_are_left_as_they_were():
    data = Noisy()

    def draws():
        drawn = random.random(), float(np.random.rand()), float(torch.rand(())), float(data.numpy.normal())  # noqa: NPY002
        return *drawn, data.python.random(), float(torch.rand((), generator=data.torch))

    def reset():
        random.seed(1)
        np.random.seed(1)  # noqa: NPY002
        torch.manual_seed(1)
        data.__init__()  # type: ignore[misc]

    reset()
    expected = draws()
    reset()
    train(small(), data, squared, CONFIG, validation=data, quiet=True)
    assert draws() == expected


# ---- whose checkpoint it is ----


class Listed(Dataset):
    """Samples that are computed from what it keeps."""

    def __init__(self, x: Tensor, factor: float = 1.0) -> None:
        self.rows, self.factor = x.numpy().copy(), factor

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, i: int) -> tuple[Tensor, Tensor]:
        x = torch.from_numpy(self.rows[i])
        return x, self.factor * x.sum(0, keepdim=True)


def changed(x: Tensor) -> Tensor:
    other = x.clone()
    other[7, 2] += 1e-6  # none of the samples that are looked at
    return other


@pytest.mark.usefixtures("ctrl_c")
@pytest.mark.parametrize("finished", [False, True])
def test_checkpoints_of_other_data_or_another_loss_are_refused(tmp_path, finished):
    x = table(n=100)[0]

    def call(data, loss=squared, model=None, **rest):
        return train(model or small(), data, loss, CONFIG, checkpoint=tmp_path, quiet=True, **rest)

    if finished:
        call(Listed(x))
    else:
        with pytest.raises(KeyboardInterrupt):
            call(Listed(x), stop_at(5))
    for other in (Listed(changed(x)), Listed(x, 2.0), Listed(x.flip(0)), Subset(Listed(x), range(100))):
        with pytest.raises(ArgumentError, match="'checkpoint'.*data: checksum"):
            call(other)
    net = small(3)
    before = [p.clone() for p in net.parameters()]
    for loss in (lambda m, x, y: (m(x) - y).abs().mean(), lambda m, x, y: squared(m, x, y) + 0.1):
        with pytest.raises(ArgumentError, match=r"'checkpoint'.*loss: .* there, .* here"):
            call(Listed(x), loss, net)
    assert all(torch.equal(a, b) for a, b in zip(before, net.parameters()))
    # The same loss by another function is the same loss.
    assert len(call(Listed(x), lambda model, a, b: torch.nn.functional.mse_loss(model(a), b)).losses) == 12


def test_stacked_members_refuse_another_loss(tmp_path):
    call = {"data": table(), "config": CONFIG, "checkpoint": tmp_path, "quiet": True}
    train_members(small, [0, 1], loss=squared, **call)
    with pytest.raises(ArgumentError, match=r"'checkpoint'.*loss: "):
        train_members(small, [0, 1], loss=lambda m, x, y: (m(x) - y).abs().mean(), **call)
    assert len(train_members(small, [0, 1], loss=squared, **call)[1][0].losses) == 12


def test_losses_that_need_gradients_can_be_resumed(tmp_path):
    """What such a loss says without gradients is not known, and not compared."""

    def forces(model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
        x = x.clone().requires_grad_()
        (slope,) = torch.autograd.grad(model(x).sum(), x, create_graph=True)
        return (slope - x).square().mean()

    for _ in range(2):
        history = train(small(), table(), forces, CONFIG, checkpoint=tmp_path, quiet=True)
        assert len(history.losses) == 12


# ---- numbers that are none ----


@pytest.mark.parametrize("stacked", [False, True])
def test_a_loss_that_is_no_number_ends_the_training(tmp_path, stacked):
    def run(loss, data, **rest):
        if stacked:
            return train_members(small, [4, 9], data, loss, CONFIG, quiet=True, **rest)
        return train(small(), data, loss, CONFIG, quiet=True, **rest)

    x, y = table()
    spoiled = x.clone()
    spoiled[::2, 1] = torch.nan
    with pytest.raises(ArgumentError, match="'loss'.*nan at step 1.*the batch has NaN or infinity in its tensor 0"):
        run(squared, (spoiled, y))
    with pytest.raises(ArgumentError, match="'loss'.*inf at step 1"):
        run(lambda m, x, y: squared(m, x, y) / 0.0, (x, y))
    # A finite loss whose gradient is not: the root of zero. The checkpoint of the fifth step is not written.
    calls = []

    def root(m, x, y):
        if torch.is_grad_enabled():
            calls.append(1)
        return squared(m, x, y) + ((m(x) * 0.0).square().sum().sqrt() if len(calls) == 5 else 0.0)

    with pytest.raises(ArgumentError, match="'loss'.*finite gradients.*NaN or infinity after step 5"):
        run(root, (x, y), checkpoint=tmp_path)
    assert not list(tmp_path.iterdir())
    with pytest.raises(ArgumentError, match="'metric'"):
        run(squared, (x, y), validation=(x, y), metric=lambda m, x, y: float("nan"))


# ---- threads ----


def in_threads(jobs):
    found, failed = {}, []

    def run(name, job):
        try:
            found[name] = job()
        except Exception as error:
            failed.append(error)

    threads = [threading.Thread(target=run, args=item) for item in enumerate(jobs)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return [found.get(i) for i in range(len(jobs))], failed


def test_trainings_in_threads_draw_their_own_numbers():
    def network(seed: int) -> nn.Module:
        net = small(seed)  # seeds the global generator, so not within a thread
        net.insert(1, nn.Dropout(0.5))
        return net

    def job(seed: int, net: nn.Module):
        config = TrainingConfig(steps=40, batch_size=8, seed=seed)
        return train(net, table(seed), squared, config, quiet=True).losses

    torch.manual_seed(5)
    expected = [job(seed, network(seed)) for seed in range(3)]
    state = torch.get_rng_state()
    networks = [network(seed) for seed in range(3)]
    found, failed = in_threads([lambda s=seed: job(s, networks[s]) for seed in range(3)])
    assert not failed
    assert found == expected
    assert torch.equal(torch.get_rng_state(), state)


def test_trainings_at_one_time_agree_in_precision():
    inside = []

    def metric(model: nn.Module, *_: Tensor) -> float:
        if not inside:
            inside.append(1)
            with pytest.raises(ArgumentError, match="'mixed_precision'.*'no', as in the training that runs"):
                train(small(), table(), squared, TrainingConfig(steps=1, mixed_precision="bf16"), quiet=True)
            with torch.enable_grad():
                train(small(), table(), squared, TrainingConfig(steps=1), quiet=True)
        return 0.0

    train(small(), table(), squared, CONFIG, validation=table(), metric=metric, quiet=True)
    assert inside
    train(small(), table(), squared, TrainingConfig(steps=1, mixed_precision="bf16"), quiet=True)


# ---- Ctrl-C where it is ignored ----


def test_what_ignores_ctrl_c_goes_on_ignoring_it():
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with deferred_interrupt() as asked:
            signal.raise_signal(signal.SIGINT)
            assert not asked()
        assert len(train(small(), table(), stop_at(5), CONFIG, quiet=True).losses) == 12
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)
