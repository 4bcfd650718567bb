"""A fitted model on disk: weights as safetensors, and what is needed to build it again as JSON."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import torch
from torch import nn

from erlangen.errors import ArgumentError
from erlangen.fitting.columns import Columns
from erlangen.fitting.companions import Boosted
from erlangen.fitting.invariant_network import InvariantNetwork
from erlangen.fitting.kinds import DataKind, kind_from_dict
from erlangen.fitting.soft_network import SoftNetwork
from erlangen.fitting.trees import Trees
from erlangen.groups.affine import AffineGroup, AffineSubgroup
from erlangen.groups.base import Group
from erlangen.groups.matrix import MatrixGroup
from erlangen.groups.names import parse_group
from erlangen.groups.orthogonal import Isometries
from erlangen.groups.products import DirectProduct
from erlangen.groups.recognise import recognised
from erlangen.serialization import load_weights, read_json, save_weights, write_json
from erlangen.symmetrize import Symmetrized


def save_fitted(model: nn.Module, group: Group | None, kind: DataKind) -> dict[str, Callable[[Path], object]]:
    """The files that keep a fitted model, each with a function that writes it; ``group`` is the one that it was symmetrized with."""
    on_invariants = isinstance(model, InvariantNetwork)
    network: Any = model.model if group is not None and isinstance(model, Symmetrized) else model
    if isinstance(network, SoftNetwork):
        # The penalty has done its work; what is kept is the network alone.
        network = copy.copy(network)
        network._modules = {**network._modules, "soft": None}
    about = {
        "kind": kind.as_dict(),
        "network": network.settings,
        "soft": isinstance(network, SoftNetwork),
        "on invariants": on_invariants,
        "group": None if group is None else group_to_dict(group),
    }
    return {"model.safetensors": lambda path: save_weights(network, path), "model.json": lambda path: write_json(path, about)}


def save_companion(model: Boosted) -> dict[str, Callable[[Path], object]]:
    """The files that keep a companion: trees as arrays, and which columns they look at."""
    columns = model.columns
    about = {
        "columns": {"tokens": columns.tokens, "dim": columns.dim, "arrangement": columns.arrangement},
        "group": None if columns.group is None else group_to_dict(columns.group),
        "trees": model.trees.settings,
        "shape": list(model.shape),
    }
    return {"companion.safetensors": lambda path: save_weights(model, path), "companion.json": lambda path: write_json(path, about)}


def load_fitted(directory: str | Path, which: Literal["model", "companion"] = "model") -> nn.Module:
    """The model that :func:`erlangen.fit` wrote to a directory, in evaluation mode; or its companion, gradient boosting on invariants.

    Raises:
        ArgumentError: the directory does not hold one.
    """
    if which not in ("model", "companion"):
        raise ArgumentError("which", "'model' or 'companion'", repr(which))
    path = Path(directory) / f"{which}.json"
    if not path.is_file():
        raise ArgumentError("directory", f"a directory with {which}.json and {which}.safetensors", directory)
    if which == "companion":
        return _companion(path)
    about = read_json(path, "directory")
    kind, settings = kind_from_dict(about["kind"]), about["network"]
    group = None if about["group"] is None else group_from_dict(about["group"])
    if about["on invariants"]:
        assert group is not None
        own = kind.on_invariants(group, **settings)
        load_weights(own, Path(directory) / "model.safetensors")
        return own.eval()
    network = (
        SoftNetwork(**{**settings, "shape": tuple(settings["shape"])}) if about["soft"] else kind.network(**settings, group=group)
    )
    load_weights(network, Path(directory) / "model.safetensors")
    model = network if group is None else kind.symmetrized(network, group)
    return model.eval()


def imposed_on(directory: str | Path) -> tuple[Group, bool]:
    """The group that the model of a directory was symmetrized with, and whether predictions are vectors that move along.

    Raises:
        ArgumentError: the directory does not hold a model, or one without a group.
    """
    path = Path(directory) / "model.json"
    if not path.is_file():
        raise ArgumentError("directory", "a directory with model.json and model.safetensors", directory)
    about = read_json(path, "directory")
    if about["group"] is None:
        raise ArgumentError("group", "a name, for this model was fitted without a group", "none")
    return group_from_dict(about["group"]), kind_from_dict(about["kind"]).vector


def _companion(path: Path) -> Boosted:
    about = read_json(path, "directory")
    group = None if about["group"] is None else group_from_dict(about["group"])
    columns = Columns(group=group, **about["columns"])
    model = Boosted(columns, Trees(**about["trees"]), tuple(about["shape"]))
    load_weights(model, path.with_suffix(".safetensors"))
    return model.eval()


def group_to_dict(group: Group) -> dict[str, Any]:
    """A group in numbers and names: by name where that suffices, else by its form, its linear group, or by algebra and generators.

    >>> from erlangen.groups import SO
    >>> group_from_dict(group_to_dict(SO(1, 3, connected=True)))
    SO+(1,3)
    """
    if isinstance(group, DirectProduct):
        return {"factors": [group_to_dict(factor) for factor in group.factors]}
    group = recognised(group)
    try:
        if parse_group(group.name) == group:
            return {"name": group.name}
    except ArgumentError:
        pass
    if isinstance(group, Isometries):
        return {"form": group.form.tolist(), "connected": group.generators is None}
    if type(group) is AffineGroup:
        return {"linear": group_to_dict(group.linear_group), "name": group.name}
    if isinstance(group, AffineGroup | AffineSubgroup) and group.generators is None and group.algebra is not None:
        return {"affine": group.algebra.basis[:, :-1].tolist(), "name": group.name}
    if not isinstance(group, MatrixGroup):
        raise ArgumentError("group", "a matrix group", repr(group))
    generators = group.generators
    return {
        "name": group.name,
        "algebra": None if group.algebra is None else group.algebra.basis.tolist(),
        "generators": None if generators is None else generators.tolist(),
    }


def group_from_dict(data: dict[str, Any]) -> Group:
    """The inverse of :func:`group_to_dict`."""
    if "factors" in data:
        return DirectProduct(*(group_from_dict(factor) for factor in data["factors"]))
    if "linear" in data:
        return AffineGroup(group_from_dict(data["linear"]), data["name"])  # type: ignore[arg-type]
    if "affine" in data:
        return AffineSubgroup(torch.tensor(data["affine"], dtype=torch.float64), data["name"])
    if "form" in data:
        return Isometries(torch.tensor(data["form"], dtype=torch.float64), connected=data["connected"])
    if "algebra" not in data:
        return parse_group(data["name"])

    def tensor(rows: Any) -> Any:
        return None if rows is None else torch.tensor(rows, dtype=torch.float64)

    return MatrixGroup(tensor(data["generators"]), tensor(data["algebra"]), name=data["name"])
