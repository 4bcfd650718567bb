"""`weight_spec`: the specification of any model, found by following every axis through it, and checked on the model itself."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any, Literal

import optree
import torch
from torch import Tensor, fx, nn

from erlangen.errors import ArgumentError
from erlangen.parameters.check import compare, prepare
from erlangen.parameters.functions import FUNCTIONS
from erlangen.parameters.kinds import Kind
from erlangen.parameters.rules import Typed, rule_for
from erlangen.parameters.spec import WeightSpec
from erlangen.parameters.streams import Stream, fixed, kind_of, reshaped, settle, unify

Ends = Literal["fixed", "permuted"]


def weight_spec(
    model: nn.Module,
    inputs: Ends = "fixed",
    outputs: Ends = "fixed",
    check: bool = True,
    example: Any = None,
) -> WeightSpec:
    """Which axes of a model's weights can be permuted together without changing what it computes.

    The model is traced once on ``example`` with ``torch.fx``; each axis is followed through the layers of ``torch.nn`` and common
    functions. Sums tie their branches, concatenations make blocks, flattening makes groups, shared weights share labels. Axes that meet
    something unknown are fixed, which is never wrong, with a warning that names it. Parameters and floating-point buffers (running
    statistics) are covered; shared parameters appear once, under their first name.

    Args:
        model: any module that ``torch.fx`` can trace, or a single layer of ``torch.nn``.
        inputs: ``"fixed"``: the features of the inputs stay where they are; ``"permuted"``: they may be permuted, too.
        outputs: the same for the outputs.
        check: try random permutations on a copy of the model in double precision, and raise if its outputs change.
        example: an input, or a tuple of them; guessed where the first layer tells it.

    Raises:
        ArgumentError: no example could be guessed, the model cannot be traced, or the check fails.

    >>> spec = weight_spec(nn.Sequential(nn.Linear(64, 16), nn.ReLU(), nn.Linear(16, 10)))
    >>> spec.axes["2.weight"], dict(spec.labels)
    ((None, '0'), {'0': 16})
    """
    for argument, value in (("inputs", inputs), ("outputs", outputs)):
        if value not in ("fixed", "permuted"):
            raise ArgumentError(argument, "'fixed' or 'permuted'", repr(value))
    model, args = prepare(model, example)
    table = _Parameters(model)
    ins = [_placeholder(a, inputs) for a in args]
    with torch.no_grad():
        rule = rule_for(model)
        outs = _Follow(model, table, ins).outputs(*args) if rule is None else _attach(model(*args), rule(model, table.axes, *ins))
    table.fix_unused()
    found = [t for t in optree.tree_leaves(outs, none_is_leaf=True) if isinstance(t, Typed)]
    if outputs == "fixed":
        for t in found:
            t.fix()
    settle([s for streams in table.streams.values() for s in streams])
    names = _Names(table)
    axes = {name: tuple(kind_of(s, names) for s in streams) for name, streams in table.streams.items()}
    spec = WeightSpec({name: tuple(tensor.shape) for name, tensor in table.tensors.items()}, axes, names.sizes)
    if check:
        pieces = [piece for t in found for piece in ([t.layer(i) for i in range(len(t.layers))] if t.layers else [t])]
        verdict = compare(
            spec,
            model,
            args,
            inputs=[_known(t, names) for t in ins] if inputs == "permuted" else None,
            vocabularies=[kind_of(unify(*t.counted), names.known) if isinstance(t, Typed) and t.counted else None for t in ins],
            outputs=[_known(t, names) for t in pieces] if outputs == "permuted" else None,
            layered=[bool(t.layers) for t in found] if outputs == "permuted" else None,
        )
        if not verdict:
            hint = "Write the WeightSpec by hand"
            raise ArgumentError("model", "a model that permuting its weights leaves unchanged", str(verdict), hint)
    return spec


class _Parameters:
    """The axes of all parameters and floating-point buffers; shared ones once."""

    def __init__(self, model: nn.Module) -> None:
        buffers = [(n, b) for n, b in model.named_buffers() if b.is_floating_point() and n in model.state_dict()]
        self.tensors: dict[str, Tensor] = dict([*model.named_parameters(), *buffers])
        self.streams = {name: [Stream(n) for n in tensor.shape] for name, tensor in self.tensors.items()}
        self._name = {id(tensor): name for name, tensor in self.tensors.items()}
        self._used: set[str] = set()

    def axes(self, tensor: Tensor) -> list[Stream]:
        name = self._name[id(tensor)]
        self._used.add(name)
        return self.streams[name]

    def knows(self, tensor: Any) -> bool:
        return id(tensor) in self._name

    def fix_unused(self) -> None:
        for name in set(self.streams) - self._used:
            for stream in self.streams[name]:
                stream.fix()


class _Tracer(fx.Tracer):
    def is_leaf_module(self, module: nn.Module, name: str) -> bool:
        return rule_for(module) is not None or super().is_leaf_module(module, name)


class _Follow(fx.Interpreter):
    """Runs the traced model on numbers and on axes side by side."""

    def __init__(self, model: nn.Module, table: _Parameters, ins: Sequence[Any]) -> None:
        try:
            graph = _Tracer().trace(model)
        except Exception as error:  # torch.fx raises many kinds
            hint = "Write the WeightSpec by hand"
            raise ArgumentError("model", "a model that torch.fx can trace", f"{type(error).__name__}: {error}", hint) from error
        super().__init__(fx.GraphModule(model, graph), garbage_collect_values=False)
        self.table, self.ins = table, list(ins)
        self.typed: dict[fx.Node, Any] = {}

    def run_node(self, node: fx.Node) -> Any:
        result = super().run_node(node)
        given = fx.node.map_arg((node.args, dict(node.kwargs)), lambda n: self.typed[n])
        self.typed[node] = self._follow(node, *given, result)
        return result

    def outputs(self, *args: Any) -> Any:
        """The axes of the outputs, after a run on ``args``."""
        self.run(*args)
        return self.typed[next(node for node in self.graph.nodes if node.op == "output")]

    def _follow(self, node: fx.Node, args: Any, kwargs: Any, result: Any) -> Any:
        if node.op == "placeholder":
            return self.ins.pop(0) if self.ins else result
        if node.op == "output":
            return args[0]
        if node.op == "get_attr":
            return Typed(self.table.axes(result)) if self.table.knows(result) else _attach(result, None)
        if not any(isinstance(t, Tensor) for t in optree.tree_leaves(result)):
            return result
        if node.op == "call_module":
            layer = self.module.get_submodule(str(node.target))
            if isinstance(layer, (nn.Flatten, nn.Unflatten)):
                return Typed(reshaped(args[0].axes, result.shape))
            rule = rule_for(layer)
            answer = None if rule is None else rule(layer, self.table.axes, *args, **kwargs)
            what, owned = type(layer).__name__, [t for t in [*layer.parameters(), *layer.buffers()] if self.table.knows(t)]
        else:
            what, owned = node.target if isinstance(node.target, str) else getattr(node.target, "__name__", str(node.target)), []
            function = FUNCTIONS.get(what.strip("_"))
            answer = None if function is None else function(args, kwargs, result)
        if answer is None:
            given: Any = (args, kwargs)
            leaves = optree.tree_leaves(given, none_is_leaf=True)
            touched = [t for t in leaves if isinstance(t, Typed)]
            touched += [Typed(self.table.axes(t)) for t in owned]
            if any(not s.is_fixed for t in touched for s in t.axes):
                warnings.warn(f"'{what}' is not known to weight_spec: the axes that meet in it are taken to be fixed", stacklevel=5)
            for t in touched:
                t.fix()
        return _attach(result, answer)


def _attach(result: Any, answer: Any) -> Any:
    """The axes of a computed result, in its structure and with its lengths; ``None``: all fixed."""
    if isinstance(result, (tuple, list)):
        parts = answer if isinstance(answer, (tuple, list)) else [answer] * len(result)
        return [_attach(r, a) for r, a in zip(result, parts)]
    if not isinstance(result, Tensor):
        return result
    if not isinstance(answer, Typed):
        return Typed([fixed(n) for n in result.shape])
    layers, axes = answer.layers, answer._axes
    fitted = [s if s.size == n else fixed(n) for s, n in zip(axes, result.shape)]
    return Typed(fitted, layers, answer.counted)


def _placeholder(value: Any, ends: Ends) -> Any:
    if not isinstance(value, Tensor):
        return value
    if ends == "fixed":
        return Typed([fixed(n) for n in value.shape])
    if not value.is_floating_point():
        return Typed([fixed(n) for n in value.shape], counted=[])
    batch = 1 if value.ndim > 1 else 0
    return Typed([fixed(n) if i < batch else Stream(n) for i, n in enumerate(value.shape)])


def _known(value: Any, names: _Names) -> list[Kind]:
    """The kinds of a tensor's axes, as far as they have to do with the weights; of other values none."""
    return [kind_of(s, names.known) for s in value.axes] if isinstance(value, Typed) else []


class _Names:
    """Gives every free stream its label: the layer that makes it, and what it is there."""

    def __init__(self, table: _Parameters) -> None:
        self.sizes: dict[str, int] = {}
        self._given: dict[int, str] = {}
        # First by the axes that layers write (rows, biases), then by those that they read alone.
        for first in (True, False):
            for name, streams in table.streams.items():
                self._owner = name.rpartition(".")[0] or name
                for axis, stream in enumerate(streams):
                    if (axis == 0) == first:
                        self._tail = "" if first else "in"
                        kind_of(stream, self)

    def __call__(self, stream: Stream) -> str:
        if id(stream) not in self._given:
            label = base = ".".join(part for part in (self._owner, stream.hint or self._tail) if part)
            count = 1
            while label in self.sizes:
                count += 1
                label = f"{base}.{count}"
            self._given[id(stream)], self.sizes[label] = label, stream.size
        return self._given[id(stream)]

    def known(self, stream: Stream) -> str:
        """The label of a stream; one that no parameter has is as good as fixed and is given an empty one."""
        return self._given.get(id(stream), "")
