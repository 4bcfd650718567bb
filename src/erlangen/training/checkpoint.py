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
from torch import Tensor

from erlangen.errors import ArgumentError
from erlangen.serialization import read_tensors, weights_bytes, write_bytes
from erlangen.training.history import History

FILE = "training.safetensors"


@dataclasses.dataclass
class State:
    """What a training needs to go on as if it had not stopped; batches, rates and random numbers follow from the step.

    Attributes:
        step: the next step.
        histories: one, or one for each member of a stacked training.
        model, best: the model's :func:`~erlangen.training.whole.whole_state` now and at the best evaluation (empty before any).
        optimizer, scaler: their ``state_dict``s; ``scaler`` is ``None`` without fp16.
        told: what the loss says of the first batch with the weights ``model``; ``None`` where it cannot be asked.
    """

    step: int
    histories: list[History]
    finished: bool
    model: dict[str, Tensor]
    best: dict[str, Tensor]
    optimizer: dict[str, Any]
    scaler: dict[str, Any] | None = None
    told: float | None = None


def write(directory: Path, state: State, who: dict[str, Any]) -> None:
    """Replace the checkpoint in ``directory``."""
    slots = {f"optimizer.{i}.{name}": t for i, s in state.optimizer["state"].items() for name, t in s.items()}
    tensors = {
        **{f"model.{name}": t for name, t in state.model.items()},
        **{f"best.{name}": t for name, t in state.best.items()},
        **{name: torch.as_tensor(t) for name, t in slots.items()},
    }
    meta = {
        "step": state.step,
        "finished": state.finished,
        "histories": [history.as_dict() for history in state.histories],
        "groups": state.optimizer["param_groups"],
        "scaler": state.scaler,
        "told": state.told,
        "who": who,
    }
    write_bytes(directory / FILE, weights_bytes(tensors, {"state": json.dumps(meta)}))


def read(directory: Path, who: dict[str, Any]) -> State | None:
    """The checkpoint in ``directory``; ``None`` when there is none.

    Raises:
        ArgumentError: it is damaged, or belongs to another training; the message says what differs.
    """
    path = directory / FILE
    if not path.exists():
        return None
    tensors, meta = read_tensors(path, "state", "checkpoint")
    who = json.loads(json.dumps(who))
    if meta["who"] != who:
        differences = []
        for about in who:
            old, new = meta["who"].get(about), who[about]
            if old != new and isinstance(old, dict) and isinstance(new, dict):
                names = [name for name in {**new, **old} if old.get(name) != new.get(name)]
                differences += [f"{about}: {name} {old.get(name)} there, {new.get(name)} here" for name in names[:4]]
            elif old != new:
                differences.append(about)
        raise foreign(differences, directory)

    def part(prefix: str) -> dict[str, Tensor]:
        return {name.removeprefix(prefix): t for name, t in tensors.items() if name.startswith(prefix)}

    slots: dict[int, dict[str, Tensor]] = {}
    for name, tensor in part("optimizer.").items():
        i, slot = name.split(".", 1)
        slots.setdefault(int(i), {})[slot] = tensor
    return State(
        step=meta["step"],
        histories=[History.from_dict(history) for history in meta["histories"]],
        finished=meta["finished"],
        model=part("model."),
        best=part("best."),
        optimizer={"state": slots, "param_groups": [_tuples(group) for group in meta["groups"]]},
        scaler=meta["scaler"],
        told=meta.get("told"),
    )


def foreign(differences: list[str], directory: Path | None, hint: str = "") -> ArgumentError:
    """What is raised for a checkpoint of another training."""
    return ArgumentError(
        "checkpoint", "a checkpoint of this training", f"one of another ({'; '.join(differences)}) in {directory}", hint
    )


def resume_optimizer(optimizer: torch.optim.Optimizer, state: dict[str, Any]) -> None:
    """Give an optimiser its state back, laid out in memory as the weights are.

    A file holds contiguous tensors, and a fused optimiser goes through weights and moments side by side in memory: beside weights that
    are transposed or in ``channels_last`` it would meet other entries.
    """
    optimizer.load_state_dict(state)
    for weight, slots in optimizer.state.items():
        for name, t in slots.items():
            if isinstance(t, Tensor) and t.shape == weight.shape:
                slots[name] = torch.empty_like(weight, dtype=t.dtype, memory_format=torch.preserve_format).copy_(t)


def sweep(directory: Path) -> None:
    """Remove what a process that was killed while writing left behind."""
    for part in directory.glob(f".{FILE}.*.part"):
        part.unlink(missing_ok=True)


def _tuples(group: dict[str, Any]) -> dict[str, Any]:
    """An optimiser's settings as it wrote them: JSON turned a tuple into a list."""
    return {**group, "betas": tuple(group["betas"])}
