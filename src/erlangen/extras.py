"""Optional engines, asked for in one way: imported where they are used, or an error that names the extra to install."""

from __future__ import annotations

import importlib
import importlib.util
from pathlib import Path
from types import ModuleType

from erlangen.errors import MissingExtra


def engine(extra: str, module: str) -> ModuleType:
    """The module of an optional engine.

    Args:
        extra: of ``pyproject.toml`` that installs it.
        module: to import, with dots: ``"rdkit.Chem"``.

    Raises:
        MissingExtra: it is not installed. An engine that is there and fails to import raises its own error.

    >>> engine("graphs", "networkx").path_graph(3).number_of_edges()
    2
    >>> engine("jets", "no_such_engine")
    Traceback (most recent call last):
    ...
    erlangen.errors.MissingExtra: the module 'no_such_engine' is needed here; install it with: pip install 'erlangen[jets]'
    """
    package = module.partition(".")[0]
    try:
        importlib.import_module(package)
        return importlib.import_module(module)
    except ModuleNotFoundError as missing:
        if (missing.name or "").partition(".")[0] == package:
            raise MissingExtra(extra, missing.name or package) from missing
        raise


def shipped(extra: str, package: str) -> Path:
    """The folder of an installed package whose files are read; it is not imported.

    Args:
        extra: of ``pyproject.toml`` that installs it.
        package: its top-level module.

    Raises:
        MissingExtra: it is not installed.

    >>> (shipped("zoo", "sklearn") / "datasets").is_dir()
    True
    """
    found = importlib.util.find_spec(package)
    if found is None or not found.submodule_search_locations:
        raise MissingExtra(extra, package)
    return Path(next(iter(found.submodule_search_locations)))
