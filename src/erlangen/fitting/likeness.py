"""`like`: test data in the layout of the training data - the same kind, sizes, target and numbers of classes."""

from __future__ import annotations

import dataclasses

import torch
from torch import Tensor

from erlangen.data import Collection, DataSet
from erlangen.errors import ArgumentError


def like(data: DataSet | Collection, test: DataSet | Collection) -> DataSet | Collection:
    """Test data as a model of the training data takes them: classes have the numbers they have there, smaller sets, graphs and structures
    as much room.

    Raises:
        ArgumentError: another kind of data, sizes, or target; or a class that no training sample has.

    >>> x = torch.arange(8.0).reshape(4, 1, 2)
    >>> train = DataSet("a", x, torch.tensor([0, 1, 2, 2]), "class", classes=("cat", "cow", "dog"))
    >>> like(train, DataSet("b", x, torch.tensor([0, 1, 1, 0]), "class", classes=("cat", "dog"))).y.tolist()
    [0, 2, 2, 0]
    """
    if isinstance(data, Collection) and isinstance(test, Collection) and data.kind == test.kind:
        members = data.x.get("there", data.x.get("numbers"))
        test = test if members is None else test.padded(members.shape[1])
    here, there = (_layout(part) for part in (data, test))
    if here != there:
        raise ArgumentError("test", f"the layout of the training data, {here}", there)
    if data.target != "class":
        return test
    assert data.y is not None
    assert test.y is not None
    known = _names(data, data.y)
    number = {name: i for i, name in enumerate(known)}
    own = _names(test, test.y)
    present = test.y.unique().tolist()
    if strange := [own[label] for label in present if own[label] not in number]:
        raise ArgumentError("test", f"the classes of the training data ({', '.join(known)})", ", ".join(strange))
    numbers = torch.tensor([number.get(name, 0) for name in own])
    return dataclasses.replace(test, y=numbers[test.y], classes=data.classes)


def _names(data: DataSet | Collection, y: Tensor) -> tuple[str, ...]:
    """What each number of a class stands for: itself, where nobody says."""
    return data.classes or tuple(str(i) for i in range(int(y.max()) + 1))


def _layout(data: DataSet | Collection) -> str:
    """Kind and sizes of the inputs and the target of one sample, in words."""
    if isinstance(data, DataSet):
        inputs = f"{data.tokens} token{'s' * (data.tokens > 1)} in R^{data.dim}"
    else:
        inputs = f"{data.kind} with {', '.join(f'{name} {list(part.shape[1:])}' for name, part in data.x.items())}"
    return f"{inputs}, {'no' if data.y is None else f'a {data.target}'} target {'' if data.y is None else list(data.y.shape[1:])}".rstrip()
