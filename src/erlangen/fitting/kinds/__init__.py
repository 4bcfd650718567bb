"""Kinds of data that can be fitted, one file each: how groups act on them, and the networks for them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from erlangen.actions.base import Action
from erlangen.data import Collection, DataSet
from erlangen.errors import ArgumentError
from erlangen.fitting.kinds.atoms import Atoms
from erlangen.fitting.kinds.base import Candidate, DataKind
from erlangen.fitting.kinds.graphs import Graphs
from erlangen.fitting.kinds.images import Images
from erlangen.fitting.kinds.order import factors_of
from erlangen.fitting.kinds.sequences import Sequences
from erlangen.fitting.kinds.sets import Sets
from erlangen.fitting.kinds.tokens import Tokens
from erlangen.fitting.kinds.weights import Weights
from erlangen.groups.base import Group
from erlangen.groups.permutation import PermutationGroup

__all__ = [
    "Atoms",
    "Candidate",
    "DataKind",
    "Graphs",
    "Images",
    "Sequences",
    "Sets",
    "Tokens",
    "Weights",
    "actions_of",
    "kind_from_dict",
    "kind_of",
]

_KINDS: tuple[type[DataKind], ...] = (Tokens, Images, Sequences, Sets, Graphs, Atoms, Weights)


def kind_of(data: DataSet | Collection, shape: tuple[int, ...] = (1,)) -> DataKind:
    """The kind of some data, of which outputs of a shape are predicted.

    >>> import torch
    >>> kind_of(Collection("digits", "images", {"image": torch.rand(64, 1, 8, 8)}))
    Images(shape=(1,), vector=False, channels=1, height=8, width=8)
    """
    vector = data.target == "vector"
    if isinstance(data, DataSet):
        return Tokens(shape, vector, tokens=data.tokens, dim=data.dim)
    x = data.x
    if data.kind == "images":
        return Images(shape, vector, *x["image"].shape[1:])
    if data.kind == "sequences":
        return Sequences(shape, vector, *x["sequence"].shape[1:])
    if data.kind == "sets":
        return Sets(shape, vector, *x["members"].shape[1:])
    if data.kind == "graphs":
        size, channels = x["nodes"].shape[1:]
        return Graphs(shape, vector, size, channels, edge_channels=x["edges"].shape[-1])
    if data.kind == "atoms":
        return Atoms(shape, vector, x["numbers"].shape[1])
    return Weights(shape, vector, tuple((name, tuple(part.shape[2:])) for name, part in x.items()))


def actions_of(data: DataSet | Collection, group: Group, vector: bool = False) -> tuple[Any, Action, Action]:
    """Inputs, and how a group moves them and what is predicted of them: ``er.audit(model, *actions_of(data, group))``.

    Args:
        data: of any kind; sets, graphs and atoms with fewer members than the group numbers get room for as many.
        group: one that acts on it: ``parse_group("E(3) x S(9)")``.
        vector: whether predictions are vectors that move with the data; else they are numbers that do not.

    Raises:
        ArgumentError: the group does not act on such data.

    >>> import torch
    >>> from erlangen.groups import Dihedral
    >>> x, inp, out = actions_of(Collection("digits", "images", {"image": torch.rand(64, 1, 8, 8)}), Dihedral(4))
    >>> x.shape, inp
    (torch.Size([64, 1, 8, 8]), Images(scalars on ρ1 of D_4))
    """
    if isinstance(data, Collection):  # a model of structures of up to nine atoms takes smaller ones
        data = data.padded(max((factor.n for factor in factors_of(group) if isinstance(factor, PermutationGroup)), default=0))
    kind = replace(kind_of(data), vector=vector)
    return kind.inputs(data.x), *kind.moved_by(group)


def kind_from_dict(about: dict[str, Any]) -> DataKind:
    """The inverse of :meth:`DataKind.as_dict`.

    Raises:
        ArgumentError: there is no kind of this name.

    >>> kind_from_dict(Tokens((2,), False, tokens=5, dim=3).as_dict())
    Tokens(shape=(2,), vector=False, tokens=5, dim=3)
    """
    found = next((kind for kind in _KINDS if kind.name == about["name"]), None)
    if found is None:
        raise ArgumentError("kind", f"one of {', '.join(kind.name for kind in _KINDS)}", repr(about["name"]))
    sizes: dict[str, Any] = {key: _tuples(value) for key, value in about.items() if key != "name"}
    return found(**sizes)


def _tuples(value: Any) -> Any:
    return tuple(_tuples(part) for part in value) if isinstance(value, list | tuple) else value
