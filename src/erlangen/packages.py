"""Packages that are called like their verb, and whose folders are there without having been imported before."""

from __future__ import annotations

import importlib
import inspect
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any


def make_callable(package: str, verb: Callable[..., Any]) -> None:
    """Let a package be called: ``erlangen.symmetrize(...)`` beside ``erlangen.symmetrize.Frame``.

    Args:
        package: its name, imported already.
        verb: what a call of it calls; it lends the package its signature, and the first line of its documentation.

    >>> import erlangen as er
    >>> import erlangen.symmetrize as s
    >>> callable(s), s is er.symmetrize, s.Frame is er.Frame
    (True, True, True)
    """
    module = sys.modules[package]

    class Called(ModuleType):
        __call__ = staticmethod(verb)  # no frame between: its warnings name the caller's line

        def __reduce__(self) -> tuple[Any, ...]:
            return importlib.import_module, (package,)  # functions that use it go to other processes

    module.__class__ = Called
    module.__dict__["__signature__"] = inspect.signature(verb)
    about = (inspect.getdoc(verb) or "").partition("\n")[0]
    module.__doc__ = f"{module.__doc__}\n\nCalled, it is :func:`{package}.{verb.__name__}`: {about}\n"


def lazy_folders(package: str) -> Callable[[str], ModuleType]:
    """A package's ``__getattr__`` that imports a folder in it when it is first asked for: ``er.measure.gwl``, ``er.fields.beams``.

    >>> import erlangen as er
    >>> er.fields.beams.__name__
    'erlangen.fields.beams'
    """
    here = Path(str(sys.modules[package].__file__)).parent

    def folder(name: str) -> ModuleType:
        if name.startswith("_") or not (here / name / "__init__.py").is_file():
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        return importlib.import_module(f"{package}.{name}")

    return folder
