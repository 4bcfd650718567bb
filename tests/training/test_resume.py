"""A training killed at any moment and started again ends with the bits of an undisturbed one; alone and stacked."""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import random
import signal
import time
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from torch import nn

from erlangen.errors import ArgumentError
from erlangen.serialization import weights_bytes
from erlangen.training import TrainingConfig, train, train_members
from erlangen.training.lock import alone

#: Children of a process that has loaded the library, which takes longer than the training.
CHILDREN = multiprocessing.get_context("forkserver")
CHILDREN.set_forkserver_preload(["torch", "accelerate", "erlangen.training"])


def trained(kind: str, checkpoint: str | None, pipe: Connection) -> None:
    """Say "ready", train, and say what came out to the bit."""
    torch.set_num_threads(1)
    x = torch.randn(300, 4, generator=torch.Generator().manual_seed(0))
    y = x.square().sum(1, keepdim=True)

    def make(seed: int) -> nn.Module:
        torch.manual_seed(seed)
        return nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Dropout(0.2), nn.Linear(16, 1))

    config = TrainingConfig(steps=600, batch_size=32, evaluate_every=20, checkpoint_every=7, seed=3, clip=5.0)
    rest: dict[str, Any] = {"validation": (x[250:], y[250:]), "checkpoint": checkpoint, "quiet": True}
    pipe.send("ready")
    if kind == "one":
        models = [make(1)]
        histories = [train(models[0], (x[:250], y[:250]), squared, config, **rest)]
    else:
        models, histories = train_members(make, [1, 2, 3], (x[:250], y[:250]), squared, config, **rest)
    bits = b"".join(weights_bytes(m.state_dict()) for m in models)
    told = [{k: v for k, v in h.as_dict().items() if k != "seconds"} for h in histories]
    pipe.send((hashlib.sha256(bits).hexdigest(), json.dumps(told)))


def start(kind: str, directory: str | None) -> tuple[BaseProcess, Connection]:
    ours, theirs = CHILDREN.Pipe(duplex=False)
    process = CHILDREN.Process(target=trained, args=(kind, directory, theirs))
    process.start()
    theirs.close()
    assert ours.recv() == "ready"
    return process, ours


def to_the_end(kind: str, directory: str | None) -> tuple[str, str]:
    process, pipe = start(kind, directory)
    told = pipe.recv()
    process.join(timeout=120)
    assert process.exitcode == 0
    return told


def progress_of(directory: Path) -> tuple[int, bool]:
    path = directory / "training.safetensors"
    if not path.exists():
        return 0, False
    with safe_open(path, framework="pt") as file:
        meta = json.loads(file.metadata()["state"])
    return meta["step"], meta["finished"]


@pytest.mark.parametrize(("kind", "kills"), [("one", 4), ("members", 2)])
def test_killed_and_started_again_it_ends_with_the_same_bits(tmp_path: Path, kind: str, kills: int) -> None:
    undisturbed = to_the_end(kind, None)
    directory = tmp_path / "checkpoint"
    pauses = random.Random(kind)
    reached = [0]
    for _ in range(kills):
        process, _ = start(kind, str(directory))
        deadline = time.monotonic() + 60
        while progress_of(directory)[0] <= reached[-1] and time.monotonic() < deadline:
            time.sleep(0.002)
        time.sleep(pauses.uniform(0.0, 0.1))
        process.kill()
        process.join()
        reached.append(progress_of(directory)[0])
    assert 0 < reached[1] < 600  # a kill that came before the end, or nothing was tested
    assert to_the_end(kind, str(directory)) == undisturbed
    assert not list(directory.glob("*.part"))
    assert [p.name for p in directory.iterdir()] == ["training.safetensors"]
    assert progress_of(directory) == (600, True)


def problem() -> tuple[nn.Module, tuple[torch.Tensor, torch.Tensor]]:
    g = torch.Generator().manual_seed(0)
    x = torch.randn(120, 3, dtype=torch.float64, generator=g)
    torch.manual_seed(5)
    return nn.Linear(3, 1).double(), (x, x.sum(1, keepdim=True))


def test_two_trainings_do_not_write_one_checkpoint(tmp_path: Path) -> None:
    net, data = problem()
    config = TrainingConfig(steps=2)
    with alone(tmp_path):
        with pytest.raises(ArgumentError, match="'checkpoint'.*no other run works in"):
            train(net, data, squared, config, checkpoint=tmp_path, quiet=True)
        with pytest.raises(ArgumentError, match="'checkpoint'.*no other run works in"):
            train_members(lambda seed: problem()[0], [0, 1], data, squared, config, checkpoint=tmp_path, quiet=True)
        assert not list(tmp_path.iterdir())
    assert len(train(net, data, squared, config, checkpoint=tmp_path, quiet=True).losses) == 2


def squared(model: nn.Module, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    return (model(x) - y).square().mean()


@pytest.mark.parametrize("at", [13, 40])
def test_ctrl_c_finishes_the_step_and_saves_it(tmp_path: Path, at: int, request: pytest.FixtureRequest) -> None:
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # what runs the tests may ignore it
    request.addfinalizer(lambda: signal.signal(signal.SIGINT, before))
    config = TrainingConfig(steps=40, evaluate_every=13)
    whole, data = problem()
    expected = train(whole, data, squared, config, validation=data, quiet=True)
    calls = []

    def interrupted(model: nn.Module, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        if model.training:
            calls.append(1)
            if len(calls) == at:
                signal.raise_signal(signal.SIGINT)
        return squared(model, x, y)

    model, data = problem()
    with pytest.raises(KeyboardInterrupt, match=rf"stopped after {at} steps; start again with checkpoint="):
        train(model, data, interrupted, config, validation=data, checkpoint=tmp_path, quiet=True)
    assert progress_of(tmp_path) == (at, at == 40)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    again, data = problem()
    resumed = train(again, data, squared, config, validation=data, checkpoint=tmp_path, quiet=True)
    assert (resumed.losses, resumed.evaluations, resumed.best) == (expected.losses, expected.evaluations, expected.best)
    assert torch.equal(again.weight, whole.weight)


def test_a_finished_training_answers_at_once(tmp_path: Path) -> None:
    model, data = problem()
    history = train(model, data, squared, TrainingConfig(steps=10), checkpoint=tmp_path, quiet=True)
    fresh, data = problem()

    def never(*batch: Any) -> torch.Tensor:
        if torch.is_grad_enabled():
            raise AssertionError("trained again")
        return squared(*batch)  # by its value a checkpoint knows its loss

    assert train(fresh, data, never, TrainingConfig(steps=10), checkpoint=tmp_path, quiet=True) == history
    assert torch.equal(fresh.weight, model.weight)


def test_foreign_checkpoints_are_refused_and_say_why(tmp_path: Path) -> None:
    model, (x, y) = problem()
    config = TrainingConfig(steps=10)
    train(model, (x, y), squared, config, checkpoint=tmp_path, quiet=True)
    for change, words in (
        ({"config": TrainingConfig(steps=10, lr=0.01)}, r"config: lr 0\.001 there, 0\.01 here"),
        ({"model": nn.Linear(3, 2).double()}, r"model: weight .*1, 3\] there, .*2, 3\] here"),
        ({"data": (x + 1, y)}, "data: checksum"),
        ({"data": (x[1:], y[1:])}, "data: samples 120 there, 119 here"),
        ({"validation": (x, y)}, "validation"),
    ):
        call = {"model": model, "data": (x, y), "loss": squared, "config": config, **change}
        with pytest.raises(ArgumentError, match=words):
            train(**call, checkpoint=tmp_path, quiet=True)
    with pytest.raises(ArgumentError, match="checkpoint"):
        train_members(lambda seed: nn.Linear(3, 1).double(), [0], (x, y), squared, config, checkpoint=tmp_path, quiet=True)
