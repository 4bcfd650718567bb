"""`residual_symmetry_group`: which permutations and scalings of neurons a network's fixed entries and gates have left."""

from __future__ import annotations

import copy
import itertools
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from erlangen.errors import ArgumentError
from erlangen.groups import DirectProduct, PermutationGroup, Symmetric
from erlangen.groups.base import Group
from erlangen.parameters.asymmetric.network import FixedEntries, FixedGate
from erlangen.parameters.check import prepare
from erlangen.parameters.hidden.reading import relu_network
from erlangen.parameters.spec import WeightSpec
from erlangen.parameters.trace import weight_spec

#: Numbers that must stay where they are, coded as integers, and the label (None: fixed) of each of their axes.
Piece = tuple[Tensor, tuple[str | None, ...]]


@dataclass(frozen=True)
class ResidualSymmetry:
    """What is left of a parameter space's symmetries.

    Attributes:
        spec: of the network with its fixed entries written into the weights; its labels are the sets of neurons that are permuted.
        classes: for each label the neurons that may still be exchanged at will, as tuples that together are all of them.
        group: the product of the labels' groups of permutations that remain, in the order of ``spec.labels``; its elements are those
            that ``spec.apply_permutation`` takes.
        order, log10_order: of the group, exactly, and its logarithm.
        exact: no other permutation of the spec remains. Otherwise ones that move several classes at once may; together there are
            ``at_most`` so many.
        at_most: bound of the order by colour refinement.
        scalings: for each label (of a layer of one neuron, which has no label, for the layer) which neurons may be scaled by a positive
            number, and what follows by its inverse; ``None``: the model is no sequence of Linear layers and ReLU (LeakyReLU, PReLU), and
            scalings were not looked for.
    """

    spec: WeightSpec
    classes: Mapping[str, tuple[tuple[int, ...], ...]]
    group: DirectProduct
    order: int
    exact: bool
    at_most: int
    scalings: Mapping[str, Tensor] | None

    @property
    def log10_order(self) -> float:
        return _log10(self.classes)

    @property
    def is_trivial(self) -> bool:
        """No permutation remains, and no scaling of those that were looked for."""
        return self.at_most == 1 and not any(bool(s.any()) for s in (self.scalings or {}).values())

    def __repr__(self) -> str:
        scaled = "" if self.scalings is None else f", {sum(int(s.sum()) for s in self.scalings.values())} scalings"
        order = str(self.order) if self.order < 10**6 else f"10^{self.log10_order:.2f}"
        return f"ResidualSymmetry(order {order}{'' if self.exact else ' or more'}{scaled})"


def residual_symmetry_group(model: nn.Module, example: Any = None) -> ResidualSymmetry:
    """The permutations of neurons, and scalings of ReLU neurons, that leave alone both what a model computes and what is fixed in it.

    The permutations are those of :func:`weight_spec` that map masks and fixed entries (:class:`FixedEntries`) and the matrices of gates
    (:class:`FixedGate`) to themselves, compared bit for bit. From above they are bounded by colour refinement over all labels at once,
    from below by the exchanges of two neurons that change nothing; where the bounds meet the answer is exact. What the spec holds fixed
    for it does not know the layer is taken to be fixed.

    Args:
        model: any module that :func:`weight_spec` can follow; it is left as it is.
        example: an input, or a tuple of them; guessed where the first layer tells it.

    Raises:
        ArgumentError: fixed entries beside another parametrisation of one weight, or as of :func:`weight_spec`.

    Source: of the condition D. Lim et al., arXiv:2405.20231; the algorithm is ours.

    >>> from erlangen.parameters import asymmetrize
    >>> net = nn.Sequential(nn.Linear(20, 8), nn.ReLU(), nn.Linear(8, 2))
    >>> residual_symmetry_group(net)
    ResidualSymmetry(order 40320, 8 scalings)
    >>> residual_symmetry_group(asymmetrize(net)).is_trivial
    True
    """
    plain, args = prepare(model, example)
    fixed = _written_in(plain)
    spec = weight_spec(plain, example=args)
    for name, layer in plain.named_modules():
        if isinstance(layer, FixedGate):
            matrix = layer.fixed_matrix
            fixed[f"{name}.fixed_matrix".removeprefix(".")] = (torch.zeros_like(matrix, dtype=torch.bool), matrix)
    pieces = [piece for name, (mask, values) in fixed.items() for piece in _pieces(spec, name, mask, values)]
    colours = _refined(spec.labels, pieces)
    above = {label: _classes(c) for label, c in colours.items()}
    below = {label: tuple(_exchangeable(label, classes, pieces)) for label, classes in above.items()}
    parts = [_group(spec.labels[label], classes) for label, classes in below.items()]
    group = DirectProduct(*(parts or [Symmetric(1)]))  # without a label as spec.group
    order, at_most = _order(below), _order(above)
    return ResidualSymmetry(spec, below, group, order, order == at_most, at_most, _scalings(plain, spec, fixed))


def _written_in(model: nn.Module) -> dict[str, tuple[Tensor, Tensor]]:
    """Write fixed entries into the weights, in place; masks and values by the weight's name."""
    found = {}
    for name, layer in list(model.named_modules()):
        chains: Any = getattr(layer, "parametrizations", {})
        if not any(isinstance(p, FixedEntries) for chain in chains.values() for p in chain):
            continue
        if any(len(chain) > 1 or not isinstance(chain[0], FixedEntries) for chain in chains.values()):
            raise ArgumentError("model", "fixed entries as the only parametrisation of a layer", f"others beside them in '{name}'")
        weights = {weight: getattr(layer, weight).detach().clone() for weight in chains}
        for weight, chain in chains.items():
            found[f"{name}.{weight}".removeprefix(".")] = (chain[0].mask, chain[0].values)
        # torch's remove_parametrizations takes the weight from the class, which the original of this copy has, too.
        plain = parametrize.type_before_parametrizations(layer)
        del layer.parametrizations
        layer.__class__ = plain
        others = dict(layer._parameters)
        layer._parameters.clear()
        layer._parameters.update({**{weight: nn.Parameter(value) for weight, value in weights.items()}, **others})
    return found


def _pieces(spec: WeightSpec, name: str, mask: Tensor, values: Tensor) -> Iterator[Piece]:
    """An array cut along its blocks, each piece with an axis for each factor, as codes of (mask, value)."""
    codes = (
        torch.stack([mask.flatten().double(), values.flatten().double()], 1).unique(dim=0, return_inverse=True)[1].view(mask.shape)
    )
    axes = spec.layouts[name].axes
    parts = [codes]
    for axis, cut in enumerate(axes):
        lengths = [math.prod(n for _, n in segment) for segment in cut]
        parts = [piece for part in parts for piece in part.split(lengths, dim=axis)]
    for part, segments in zip(parts, itertools.product(*axes), strict=True):
        factors = [factor for segment in segments for factor in segment]
        yield part.reshape([n for _, n in factors]), tuple(label for label, _ in factors)


def _refined(labels: Mapping[str, int], pieces: list[Piece]) -> dict[str, Tensor]:
    """Colours of all neurons that every permutation which leaves the pieces alone keeps: those of stable refinement."""
    colours = {label: torch.zeros(n, dtype=torch.int64) for label, n in labels.items()}
    count = -1
    while count != (count := sum(int(c.max()) + 1 for c in colours.values())):
        for entries, names in pieces:
            for axis, label in enumerate(names):
                if label is not None:
                    signature = _signatures(entries, names, axis, colours)
                    rows = torch.cat([colours[label][:, None], signature], 1)
                    colours[label] = rows.unique(dim=0, return_inverse=True)[1]
    return colours


def _signatures(entries: Tensor, names: tuple[str | None, ...], axis: int, colours: Mapping[str, Tensor]) -> Tensor:
    """For each index of an axis the sorted codes of (entry, colours of its other indices, whether one of them is the same neuron)."""
    codes = entries
    for other, label in enumerate(names):
        if other == axis:
            continue
        n = entries.shape[other]
        shape = [n if i == other else 1 for i in range(entries.ndim)]
        colour = (torch.arange(n) if label is None else colours[label]).view(shape)
        codes = _compressed(codes * (int(colour.max()) + 1) + colour)
        if label == names[axis]:
            same = torch.eye(n, dtype=torch.int64).view([n if i in (axis, other) else 1 for i in range(entries.ndim)])
            codes = codes * 2 + same
    return codes.movedim(axis, 0).flatten(1).sort(dim=1).values


def _compressed(codes: Tensor) -> Tensor:
    return codes.unique(return_inverse=True)[1]


def _classes(colours: Tensor) -> tuple[tuple[int, ...], ...]:
    return tuple(tuple((colours == c).nonzero().flatten().tolist()) for c in colours.unique())


def _exchangeable(label: str, classes: tuple[tuple[int, ...], ...], pieces: list[Piece]) -> Iterator[tuple[int, ...]]:
    """Classes cut into those whose neurons can be exchanged two by two: a relation that is transitive, so one of each is asked."""
    touching = [(entries, [i for i, name in enumerate(names) if name == label]) for entries, names in pieces if label in names]
    for members in classes:
        rest = list(members) if touching else []
        while rest:
            first = rest[0]
            alike = [first, *(i for i in rest[1:] if all(_swaps(entries, axes, first, i) for entries, axes in touching))]
            yield tuple(alike)
            rest = [i for i in rest if i not in alike]
        if not touching:
            yield members


def _swaps(entries: Tensor, axes: list[int], i: int, j: int) -> bool:
    """Whether exchanging i and j on these axes leaves the entries as they are."""
    order = torch.arange(entries.shape[axes[0]])
    order[i], order[j] = j, i
    moved = entries
    for axis in axes:
        moved = moved.index_select(axis, order)
    return torch.equal(moved, entries)


def _group(n: int, classes: tuple[tuple[int, ...], ...]) -> Group:
    """All permutations of ``0 .. n-1`` that keep each class."""
    if len(classes) == 1:
        return Symmetric(n)
    generators = []
    for members in classes:
        for cycle in dict.fromkeys((members[:2], members)):
            generator = torch.arange(n)
            generator[list(cycle)] = torch.tensor([*cycle[1:], cycle[0]])
            if len(cycle) > 1:
                generators.append(generator)
    return PermutationGroup(generators or [torch.arange(n)])


def _order(classes: Mapping[str, tuple[tuple[int, ...], ...]]) -> int:
    return math.prod(math.factorial(len(members)) for each in classes.values() for members in each)


def _log10(classes: Mapping[str, tuple[tuple[int, ...], ...]]) -> float:
    return sum(math.lgamma(len(members) + 1) for each in classes.values() for members in each) / math.log(10)


def _scalings(model: nn.Module, spec: WeightSpec, fixed: Mapping[str, tuple[Tensor, Tensor]]) -> dict[str, Tensor] | None:
    """Neurons of a ReLU network whose row, and whose column in the next layer, holds no fixed entry but zeros."""
    model = _with_relus(copy.deepcopy(model))
    try:
        network = relu_network(model)
    except ArgumentError:
        return None
    layers = {name: m for name, m in model.named_modules() if isinstance(m, nn.Linear)}
    names: list[str] = []
    for weight in network.weights:
        names.append(next(n for n, m in layers.items() if n not in names and torch.equal(m.weight, weight)))
    held = []
    for name in names:
        place = f"{name}.weight".removeprefix(".")
        mask, values = fixed.get(place, (torch.ones(1, 1, dtype=torch.bool), torch.zeros(1, 1)))
        held.append((~mask & (values != 0)).expand(spec.shapes[place]))
    found = {}
    for name, row, column in zip(names, held, held[1:]):
        label = spec.axes[f"{name}.weight"][0]
        found[label if isinstance(label, str) else name] = ~row.any(1) & ~column.any(0)
    return found


def _with_relus(model: nn.Module) -> nn.Module:
    """A network that allows the same scalings and can be read: other activations with ``f(s x) = s f(x)`` are ReLU, biases are there."""
    for name, part in list(model.named_modules()):
        if isinstance(part, (nn.LeakyReLU, nn.PReLU)) and name:
            path, _, last = name.rpartition(".")
            setattr(model.get_submodule(path), last, nn.ReLU())
        elif isinstance(part, nn.Linear) and part.bias is None:
            part.bias = nn.Parameter(part.weight.new_zeros(part.out_features))
    return model
