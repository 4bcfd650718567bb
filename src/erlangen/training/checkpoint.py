"""A checkpoint: one safetensors file that holds a training's whole state, replaced in one step.

Everything that is not a tensor travels as JSON in the file's metadata; nothing is pickled. A file is written beside the old one, flushed
to disk and moved over it, so at any moment there is one complete checkpoint or none.
"""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from torch import Tensor, nn

from erlangen.errors import ArgumentError
from erlangen.serialization import weights_bytes, write_bytes
from erlangen.training.config import History, TrainingConfig

FILE = "training.safetensors"


@dataclasses.dataclass
class State:
    """What a training needs to go on as if it had not stopped."""

    step: int
    history: History
    finished: bool
    model: dict[str, Tensor]
    best: dict[str, Tensor]
    optimizer: dict[str, Any]
    random: Tensor


def identity(config: TrainingConfig, model: nn.Module, samples: int) -> dict[str, Any]:
    """What must agree between a checkpoint and the training that wants to continue it."""
    shapes = {name: list(t.shape) for name, t in model.state_dict().items()}
    return {"config": dataclasses.asdict(config), "model": shapes, "samples": samples}


def write(directory: Path, state: State, who: dict[str, Any]) -> None:
    """Replace the checkpoint in ``directory``."""
    slots = {f"optimizer.{i}.{name}": t for i, s in state.optimizer["state"].items() for name, t in s.items()}
    tensors = {
        **{f"model.{name}": t for name, t in state.model.items()},
        **{f"best.{name}": t for name, t in state.best.items()},
        **{name: torch.as_tensor(t) for name, t in slots.items()},
        "random": state.random,
    }
    meta = {
        "step": state.step,
        "finished": state.finished,
        "history": state.history.as_dict(),
        "groups": state.optimizer["param_groups"],
        "who": who,
    }
    write_bytes(directory / FILE, weights_bytes(tensors, {"state": json.dumps(meta)}))


def read(directory: Path, who: dict[str, Any]) -> State | None:
    """The checkpoint in ``directory``; ``None`` when there is none.

    Raises:
        ArgumentError: it belongs to another training; the message says what differs.
    """
    path = directory / FILE
    if not path.exists():
        return None
    with safe_open(path, framework="pt") as file:
        meta = json.loads(file.metadata()["state"])
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dict
    who = json.loads(json.dumps(who))
    if meta["who"] != who:
        differences = [part for part in who if meta["who"].get(part) != who[part]]
        if "config" in differences:
            old, new = meta["who"]["config"], who["config"]
            differences += [f"{name} {old.get(name)} there, {new[name]} here" for name in new if old.get(name) != new[name]]
        raise ArgumentError(
            "checkpoint", "a checkpoint of this training", f"one of another ({'; '.join(differences)}) in {directory}"
        )

    def part(prefix: str) -> dict[str, Tensor]:
        return {name.removeprefix(prefix): t for name, t in tensors.items() if name.startswith(prefix)}

    slots: dict[int, dict[str, Tensor]] = {}
    for name, tensor in part("optimizer.").items():
        i, slot = name.split(".", 1)
        slots.setdefault(int(i), {})[slot] = tensor
    return State(
        step=meta["step"],
        history=History.from_dict(meta["history"]),
        finished=meta["finished"],
        model=part("model."),
        best=part("best."),
        optimizer={"state": slots, "param_groups": meta["groups"]},
        random=tensors["random"],
    )
