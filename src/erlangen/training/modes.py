"""`evaluating`: a model asked in evaluation mode, and given back as it was; `thawed`: one that is to be trained."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from torch import nn

Module = TypeVar("Module", bound=nn.Module)


@contextmanager
def evaluating(model: Any) -> Iterator[None]:
    """A model in evaluation mode, each of its modules afterwards in the mode it was in.

    ``model.train(was)`` afterwards would not do: it thaws every module that was frozen within a model in training mode (batch
    normalisation with ``.eval()``), whose statistics then drift.

    Args:
        model: a module; anything else, plain functions for instance, has no mode and is left alone.

    >>> net = nn.Sequential(nn.BatchNorm1d(2).eval(), nn.Dropout())
    >>> with evaluating(net):
    ...     inside = [module.training for module in net.modules()]
    >>> inside, [module.training for module in net.modules()]
    ([False, False, False], [True, False, True])
    """
    modules = list(model.modules()) if isinstance(model, nn.Module) else []
    flags = [module.training for module in modules]
    try:
        if modules:
            model.eval()
        yield
    finally:
        for module, flag in zip(modules, flags):
            module.training = flag


def thawed(model: Module) -> Module:
    """A model ready to be trained: in training mode, unless only some of its weights' modules are in evaluation mode.

    A model whose modules with weights or statistics are all in evaluation mode was merely used before, and is put in training mode.
    Where some are in training mode and others not, the others were frozen by the model's owner; then every module stays as it is.

    >>> net = thawed(nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2).eval()))
    >>> [module.training for module in net], [module.training for module in thawed(net.eval())]
    ([True, False], [True, True])
    """
    owners = [m for m in model.modules() if any(True for _ in (*m.parameters(recurse=False), *m.buffers(recurse=False)))]
    return model if any(m.training for m in owners) else model.train()
