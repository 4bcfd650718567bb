"""Data for models that know their types: random ones of the right kind, in several sizes, batch shapes and precisions."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import optree
import torch
from torch import Tensor, nn

from erlangen.actions.base import Action
from erlangen.errors import ArgumentError
from erlangen.verdict import Verdict

#: What random data are multiplied by: a function may be equivariant in first order only, or only where it saturates.
SCALES = (0.1, 1.0, 10.0)
#: Leading axes: a batch, a batch of one, and a batch with spectators that are moved alike.
BATCHES = ((8,), (1,), (4, 2))

Measure = Callable[[Any, Any], Verdict]


def types_of(model: Any, inp: Any, out: Any) -> tuple[Any, Any]:
    """How the group acts on input and output: as said, or as the model says by ``inp`` and ``out``.

    Raises:
        ArgumentError: neither says it.
    """
    said = {"inp": inp, "out": out}
    for argument, given in said.items():
        if given is None:
            said[argument] = getattr(model, argument, None)
            if said[argument] is None:
                name = getattr(model, "__name__", type(model).__name__)
                hint = f"the types of a model without .{argument} must be given, and data with them unless random ones will do"
                raise ArgumentError(argument, f"an action, as {name} does not say by .{argument} what it is made for", "none", hint)
    return said["inp"], said["out"]


def on_made_up_data(model: Any, inp: Action, generator: torch.Generator, measure: Measure) -> Verdict:
    """The worst of the verdicts on random data, relative to what counts as zero.

    Args:
        model: a module or function. In its own precision, a copy in double precision too; one without parameters in single and double.
        inp: what data are; a module's own ``example(*batch, generator, dtype)`` knows better, where it has one.
        generator: of the data.
        measure: the verdict on a model and data.

    Raises:
        ArgumentError: the model takes data of no batch shape.
    """
    verdicts, taken, refusals = [], [], []
    make = getattr(model, "example", None) or inp.example
    for dtype, version in _versions(model):
        for batch in BATCHES:
            x = make(*batch, generator=generator, dtype=dtype)
            x = optree.tree_map(lambda t: t.to(_device(model)) if isinstance(t, Tensor) else t, x, none_is_leaf=True)
            for scale in SCALES:
                try:
                    verdicts.append(measure(version, _scaled(x, scale)))
                except (ValueError, RuntimeError, IndexError, TypeError) as error:
                    refusals.append(f"{_shapes(x)} ({type(error).__name__}: {error})")
                    break
                taken.append((dtype, _shapes(x), scale))
    if not verdicts:
        name = getattr(model, "__name__", type(model).__name__)
        raise ArgumentError("x", f"data, for {name} does not take random ones", f"none; refused were {refusals[0]}")
    worst = max(range(len(verdicts)), key=lambda i: _excess(verdicts[i]))
    dtype, shapes, scale = taken[worst]
    about = f"the worst of {len(verdicts)} random batches, {shapes} times {scale:g} in {str(dtype).removeprefix('torch.')}"
    if refusals:
        about += f"; not taken were {refusals[0]}"
    return replace(
        verdicts[worst],
        holds=all(verdicts),
        tried=sum(v.tried for v in verdicts),
        reason=f"{about}: {verdicts[worst].reason}",
    )


def _versions(model: Any) -> Iterator[tuple[torch.dtype, Any]]:
    """The model in each precision that it is looked at in, its own first."""
    modules = [m for m in (model, getattr(model, "__self__", None)) if isinstance(m, nn.Module)]
    own = next((p.dtype for m in modules for p in m.parameters() if p.is_floating_point()), None)
    if own is None:
        yield from ((dtype, model) for dtype in (torch.float32, torch.float64))
        return
    yield own, model
    if own != torch.float64 and modules[0] is model:
        yield torch.float64, copy.deepcopy(model).double()


def _device(model: Any) -> torch.device:
    tensors = [*model.parameters(), *model.buffers()] if isinstance(model, nn.Module) else []
    return tensors[0].device if tensors else torch.device("cpu")


def _scaled(x: Any, scale: float) -> Any:
    def scaled(t: Any) -> Any:
        return t * scale if isinstance(t, Tensor) and t.is_floating_point() else t

    return optree.tree_map(scaled, x, none_is_leaf=True)


def _shapes(x: Any) -> str:
    return " and ".join(str(list(t.shape)) for t in optree.tree_leaves(x) if isinstance(t, Tensor))


def _excess(verdict: Verdict) -> float:
    """The worst error in parts of the tolerance; NaN is worse than any."""
    ratio = verdict["worst"] / verdict["tolerance"] if verdict["tolerance"] else verdict["worst"]
    return ratio if ratio == ratio else float("inf")
