"""`match_weights`: the permutation of hidden units after which two networks' weights are closest."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from numbers import Integral
from typing import TypeVar

import torch
from torch import Tensor, nn

from erlangen.errors import ArgumentError
from erlangen.groups.base import Element
from erlangen.parameters.interpolation import unlike_part
from erlangen.parameters.kinds import labels_of
from erlangen.parameters.layers import CHANNELS
from erlangen.parameters.matching.descent import Descent, Pair, profiles
from erlangen.parameters.matching.result import Match, moved_weights, weights_of
from erlangen.parameters.spec import WeightSpec
from erlangen.parameters.trace import weight_spec

Given = TypeVar("Given", nn.Module, dict[str, Tensor])
SWEEPS = 100
NORMS = (*CHANNELS, nn.LayerNorm, nn.RMSNorm, nn.GroupNorm)
STATISTICS = ("running_mean", "running_var")


def match_weights(
    a: Given, b: Given, spec: WeightSpec | None = None, *, restarts: int = 2, seed: int = 0, example: object = None
) -> Match[Given]:
    """Move the hidden units of ``b`` so that its weights are as close to those of ``a`` as coordinate descent brings them.

    One label of the spec after the other has its best permutation, the others held, by a linear assignment over all tensors that it
    touches, until none moves. Residual streams, heads of attention, flattened convolutions and gates are what the spec says they are.
    What is found is a local optimum, the best of several starts: first from the units' sorted weights, then from the order in which
    ``b`` is, then from random permutations. What modules' normalisations hold (scales, shifts, running statistics) is moved along and not
    compared: units before a norm have no size of their own, and products of scales would sort units by these alone. In dicts of tensors
    all but running statistics is compared. Units that stand before fixed gates (:func:`asymmetrize`) stay where they are.

    Args:
        a, b: two modules of one architecture, or their tensors by name; left as they are.
        spec: of both; by default found by :func:`~erlangen.parameters.weight_spec`, which a dict of tensors has none of.
        restarts: how many starts.
        seed: of the orders of labels and of random starts.
        example: an input of the modules, where the spec is to be found and their first layer does not tell one.

    Returns:
        the permutation, ``b`` moved by it, the inner product of the weights, and how it grew.

    Raises:
        ArgumentError: no spec of dicts, tensors that do not fit the spec, networks of other classes, tensors or symmetries, weights that
            are no finite numbers, or no start.

    Source: S. Ainsworth, J. Hayase, S. Srinivasa, "Git Re-Basin", ICLR 2023, arXiv:2209.04836; any spec, the first guess and tensors
    with a label twice are ours.

    >>> a = nn.Sequential(nn.Linear(5, 8), nn.Tanh(), nn.Linear(8, 8), nn.Tanh(), nn.Linear(8, 3))
    >>> spec = weight_spec(a)
    >>> sigma = spec.random_permutation(torch.Generator().manual_seed(0))
    >>> b = spec.apply_permutation(dict(a.named_parameters()), sigma)
    >>> found = match_weights(dict(a.named_parameters()), b, spec)
    >>> all(torch.equal(found.moved[name], w) for name, w in a.named_parameters())
    True
    """
    check_restarts(restarts)
    spec = spec_of(a, b, spec, example)
    pairs = folded(spec, compared(a, spec), weights_of(a), weights_of(b))
    best, history = searched(pairs, movable(spec), restarts, seed)
    sigma = element(whole(spec, best.source))
    return Match(sigma, moved_weights(b, spec, sigma), history[-1], tuple(history), spec)


def check_restarts(restarts: int) -> None:
    """Refuse a number of starts that is none."""
    if isinstance(restarts, bool) or not isinstance(restarts, Integral) or restarts < 1:
        raise ArgumentError("restarts", "a whole number of starts, at least 1", repr(restarts))


def searched(pairs: Sequence[Pair], labels: dict[str, int], restarts: int, seed: int) -> tuple[Descent, list[float]]:
    """The best of several descents and its history."""
    generator = torch.Generator().manual_seed(seed)
    best: tuple[Descent, list[float]] | None = None
    for start in range(restarts):
        descent = Descent(pairs, labels)
        if start != 1:
            guess = (
                profiles(pairs, labels) if start == 0 else {k: torch.randperm(n, generator=generator) for k, n in labels.items()}
            )
            for label, source in guess.items():
                descent.move(label, source)
        history = descent.run(list(labels), generator, SWEEPS)
        if best is None or history[-1] > best[1][-1]:
            best = descent, history
    assert best is not None
    return best


def spec_of(a: Given, b: Given, spec: WeightSpec | None, example: object) -> WeightSpec:
    """The spec that is given, or that of a module, which must be that of the other, too: else ``b`` would become another function."""
    ours: dict[str, Tensor] = weights_of(a)
    theirs: dict[str, Tensor] = weights_of(b)
    hint = "Networks that are alike in their tensors alone can be given as these, with a spec"
    if name := unlike_part(a, b):
        raise ArgumentError("b", "a network of the architecture of a", f"another class of module at '{name}'", hint)
    if isinstance(a, nn.Module) == isinstance(b, nn.Module):
        for key in [*ours, *theirs]:
            if key not in ours or key not in theirs:
                raise ArgumentError("b", "a network with the tensors of a", f"'{key}' in {'a' if key in ours else 'b'} alone")
    if spec is not None:
        return spec
    if not isinstance(a, nn.Module):
        raise ArgumentError("spec", "the WeightSpec of tensors by name", "None", "or give the modules")
    spec = weight_spec(a, example=example)
    for name, shape in spec.shapes.items():
        if name in theirs and theirs[name].shape != shape:
            raise ArgumentError("b", f"'{name}' of shape {shape}, as in a", f"{tuple(theirs[name].shape)}")
    if isinstance(b, nn.Module):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # they are those of a
            other = weight_spec(b, check=False, example=example)
        for name, layout in spec.layouts.items():
            if name not in other.layouts or (spec.axes[name], layout) != (other.axes[name], other.layouts[name]):
                raise ArgumentError("b", "a network whose units can be permuted as those of a", f"other kinds of axes of '{name}'")
    return spec


def movable(spec: WeightSpec) -> dict[str, int]:
    """Labels of the spec, without those of what is fixed (matrices of gates): moved, it would be another."""
    fixed = [kinds for name, kinds in spec.axes.items() if name.rpartition(".")[2].startswith("fixed_")]
    held = {label for kinds in fixed for kind in kinds for label in labels_of(kind)}
    return {label: n for label, n in spec.labels.items() if label not in held}


def whole(spec: WeightSpec, source: dict[str, Tensor]) -> dict[str, Tensor]:
    """Sources of all labels: those that were not searched for stay."""
    return {label: source.get(label, torch.arange(n)) for label, n in spec.labels.items()}


def compared(a: nn.Module | dict[str, Tensor], spec: WeightSpec) -> list[str]:
    """The names of the tensors that are compared."""
    if not isinstance(a, nn.Module):
        return [name for name in spec.shapes if name.rpartition(".")[2] not in STATISTICS]
    norms = {id(p) for layer in a.modules() if isinstance(layer, NORMS) for p in layer.parameters(recurse=False)}
    return [name for name, p in a.named_parameters() if name in spec.shapes and id(p) not in norms]


def folded(spec: WeightSpec, names: Sequence[str], a: dict[str, Tensor], b: dict[str, Tensor]) -> list[Pair]:
    """The typed tensors of both that some label moves, in double precision."""
    pairs = []
    a, b = spec.select(a), spec.select(b)
    for name in names:
        for who, own in (("a", a), ("b", b)):
            if own[name].shape != spec.shapes[name]:
                raise ArgumentError(who, f"'{name}' of shape {spec.shapes[name]}", f"{tuple(own[name].shape)}")
            if not bool(torch.isfinite(own[name]).all()):
                raise ArgumentError(who, "finite weights", f"'{name}' has others")
        layout = spec.layouts[name]
        if any(part.labels for part in layout.parts):
            pieces = [layout.fold(_real(own[name].detach().cpu())) for own in (a, b)]
            pairs += [Pair(part.labels, x, y) for part, x, y in zip(layout.parts, *pieces) if part.labels]
    return pairs


def _real(t: Tensor) -> Tensor:
    """Real numbers with a channel axis before them, of complex ones two channels."""
    return torch.view_as_real(t).movedim(-1, 0).double() if t.is_complex() else t.double().unsqueeze(0)


def element(source: dict[str, Tensor]) -> Element:
    """The group's element that puts unit ``source[i]`` at ``i``."""
    return tuple(s.argsort() for s in source.values()) or (torch.zeros(1, dtype=torch.int64),)
