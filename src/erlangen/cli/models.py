"""A user's model at the prompt: the module that a Python file builds, and how the group acts on what goes in and comes out."""

from __future__ import annotations

import importlib.util
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

from erlangen.errors import ArgumentError

#: What an audited file is called as a module.
NAME = "audited_model"


def build_model(spec: str, weights: Path | None, dtype: Any = None) -> Any:
    """The module that ``FILE.py:FACTORY`` builds, in a precision, with weights from a safetensors file.

    The file is loaded as ``python FILE.py`` would: it can import what lies beside it. Its ``__name__`` is another, so that what it does
    as a script is left out.

    Raises:
        ArgumentError: there is no such file or function, either fails (with the line), or the weights are not the module's.
    """
    import torch

    from erlangen.serialization import load_weights

    path, _, factory = spec.rpartition(":")
    if not factory or not path.endswith(".py"):
        raise ArgumentError("model", "FILE.py:FACTORY", f"'{spec}'")
    if not Path(path).is_file():
        raise ArgumentError("model", "an existing Python file before the colon", f"'{path}'")
    module = _loaded(Path(path))
    if not callable(getattr(module, factory, None)):
        own = [
            name
            for name, value in vars(module).items()
            if callable(value) and not name.startswith("_") and getattr(value, "__module__", NAME) == NAME
        ]
        raise ArgumentError("model", f"a function of '{path}' after the colon ({', '.join(own) or 'it has none'})", f"'{factory}'")
    with explained(Path(path), f"{factory}() to build a module"):
        model = getattr(module, factory)()
    if not isinstance(model, torch.nn.Module):
        raise ArgumentError("model", f"{factory}() to return a torch.nn.Module", type(model).__name__)
    model = model if dtype is None else model.to(dtype)
    if weights is not None:
        load_weights(model, weights)
    return model


def _loaded(path: Path) -> ModuleType:
    """The module that a file is, known to Python by name, as its classes need."""
    loaded = importlib.util.spec_from_file_location(NAME, path)
    assert loaded is not None
    assert loaded.loader is not None
    module = importlib.util.module_from_spec(loaded)
    sys.modules[NAME] = module
    sys.path.insert(0, str(path.resolve().parent))
    with explained(path, "a Python file that can be imported"):
        loaded.loader.exec_module(module)
    return module


@contextmanager
def explained(path: Path, expected: str) -> Iterator[None]:
    """What a user's file raises, as one error that names the line."""
    try:
        yield
    except (Exception, SystemExit) as error:
        if isinstance(error, SyntaxError):
            file, line = error.filename or str(path), error.lineno
        else:
            frames = [frame for frame in traceback.extract_tb(error.__traceback__) if _is_users(frame.filename, path)]
            file, line = (frames[-1].filename, frames[-1].lineno) if frames else (str(path), None)
        where = f"in line {line} of '{Path(file).name}'" if line else f"from '{path.name}'"
        said = error.msg if isinstance(error, SyntaxError) else str(error)
        raise ArgumentError("model", expected, f"{type(error).__name__} {where}{f': {said}' if said else ''}") from error


def _is_users(file: str, path: Path) -> bool:
    """Whether a file is the user's own, or lies beside it."""
    return Path(file).resolve().parent == path.resolve().parent


def action_named(group: Any, name: str, argument: str) -> Any:
    known = ("scalar", "pseudoscalar", "vector", "point")
    if name not in known:
        raise ArgumentError(argument, f"one of {', '.join(known)}", f"'{name}'")
    return getattr(group, name)
