"""`weight_spec`: the specification of any model, found by following every axis through it, and checked on the model itself."""

from __future__ import annotations

import dataclasses
import operator
import warnings
from collections.abc import Callable, Sequence
from typing import Any, Literal

import torch
from torch import Tensor, fx, nn
from torch.nn.utils import parametrize

from erlangen.errors import ArgumentError
from erlangen.parameters.check import InDouble, compare, leaves, prepare
from erlangen.parameters.functions import FUNCTIONS, extreme, same
from erlangen.parameters.kinds import Kind
from erlangen.parameters.layers import is_whole, rule_for
from erlangen.parameters.rules import Constant, Typed, recurrent, recurrent_cell
from erlangen.parameters.spec import WeightSpec
from erlangen.parameters.streams import Stream, fixed, kind_of, reshaped, settle, unify
from erlangen.parameters.table import Parameters

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
    ins = [_placeholder(a, inputs) for a in args]
    with torch.no_grad(), parametrize.cached(), InDouble():
        table = Parameters(model)
        rule = rule_for(model)
        if rule is None:
            outs, results = _Follow(model, table, ins).outputs(*args)
        else:
            results = model(*args)
            outs = _attach(results, rule(model, table.axes, *ins))
    table.fix_unused()
    found = []
    for t, result in zip(leaves(outs), leaves(results)):
        if isinstance(t, Typed) and result.is_floating_point():
            found.append(t)
        elif isinstance(t, Typed):
            t.fix()  # what counts or points has no axes to be compared
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


class _Tracer(fx.Tracer):
    #: Buffers are nodes, too: a mask that is cut to the length of the input, ``self.mask[:t, :t]``.
    proxy_buffer_attributes = True

    def __init__(self) -> None:
        """Of torch's functions those are wrapped that have no tensor among their arguments, but perhaps the length of one."""
        super().__init__(autowrap_functions=InDouble.MADE)
        self._autowrap_search.append(torch)

    def is_leaf_module(self, module: nn.Module, name: str) -> bool:
        return rule_for(module) is not None or is_whole(module) or super().is_leaf_module(module, name)


class _Follow(fx.Interpreter):
    """Runs the traced model on numbers and on axes side by side."""

    def __init__(self, model: nn.Module, table: Parameters, ins: Sequence[Any]) -> None:
        try:
            graph = _Tracer().trace(model)
            for node in graph.nodes:
                node.meta.pop("is_wrapped", None)  # else the module's code wraps the function for every trace to come
            traced = fx.GraphModule(model, graph)  # which has no place for tensors named "code" or "graph"
        except Exception as error:  # torch.fx raises many kinds
            hint = "Write the WeightSpec by hand"
            raise ArgumentError("model", "a model that torch.fx can trace", f"{type(error).__name__}: {error}", hint) from error
        super().__init__(traced, garbage_collect_values=False)
        self.table, self.ins = table, list(ins)
        self.typed: dict[fx.Node, Any] = {}

    def run_node(self, node: fx.Node) -> Any:
        result = super().run_node(node)
        given = fx.node.map_arg((node.args, dict(node.kwargs)), lambda n: self.typed[n])
        self.typed[node] = self._follow(node, *given, result)
        if _in_place(node) and isinstance(node.args[0], fx.Node):
            self.typed[node.args[0]] = self.typed[node]  # its shape may have changed, and what was one number no longer is
        return result

    def outputs(self, *args: Any) -> tuple[Any, Any]:
        """The axes of the outputs, after a run on ``args``, and the outputs."""
        results = self.run(*args)
        return self.typed[next(node for node in self.graph.nodes if node.op == "output")], results

    def _follow(self, node: fx.Node, args: Any, kwargs: Any, result: Any) -> Any:
        if node.op == "placeholder":
            return self.ins.pop(0) if self.ins else result
        if node.op == "output":
            return args[0]
        if node.op == "get_attr":
            return Typed(self.table.axes(result), stored=True) if self.table.knows(result) else _computed(result)
        target: Any = node.target
        if dataclasses.is_dataclass(result) and not args:  # as torch.fx writes one
            return {field.name: kwargs[field.name] for field in dataclasses.fields(result)}
        if not any(isinstance(t, Tensor) for t in leaves(result)):
            return result
        given = leaves([args, kwargs])
        touched = [t for t in given if isinstance(t, Typed)]
        answer: Any = None
        if node.op == "call_module":
            layer = self.module.get_submodule(str(target))
            if type(layer) in (nn.Flatten, nn.Unflatten):
                return Typed(reshaped(args[0].axes, result.shape))
            rule = rule_for(layer)
            what = _called(layer)
            owned = [t for t in [*layer.parameters(), *layer.buffers()] if self.table.knows(t)]
            if rule is not None:
                states = rule in (recurrent, recurrent_cell)  # of which each layer's has axes of its own
                some, named = (args, kwargs) if states else (_one_use(args), _one_use(kwargs))
                answer = self._tried(lambda: rule(layer, self.table.axes, *some, **named))
        else:
            what, owned = target if isinstance(target, str) else getattr(target, "__name__", str(target)), []
            if what.strip("_") in CREATED:
                return _attach(result, Constant(result.shape))
            if all(isinstance(t, Constant) for t in touched):
                return _computed(result)
            function = FUNCTIONS.get(what.strip("_")) if _of_torch(node) else None
            if function is extreme and not _values_alone(node, result):
                function = None
            if function is same:
                return _attach(result, args[0])
            if function is not None:
                some, named = _one_use(args), _one_use(kwargs)
                answer = self._tried(lambda: function(some, named, result))
        if answer is None:
            touched += [Typed(self.table.axes(t)) for t in owned]
            if any(not s.is_fixed for t in touched if not isinstance(t, Constant) for s in t.axes):
                warnings.warn(f"'{what}' is not known to weight_spec: the axes that meet in it are taken to be fixed", stacklevel=5)
            for t in touched:
                t.fix()
        return _attach(result, answer)

    @staticmethod
    def _tried(rule: Callable[[], Any]) -> Any:
        """What a rule says; None where the call is not of the kind that it knows. What it has tied so far is less symmetric, not wrong."""
        try:
            return rule()
        except (ArgumentError, AttributeError, IndexError, KeyError, TypeError):
            return None


#: Operators that change what stands on their left.
IN_PLACE = {getattr(operator, f"i{name}") for name in ("add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "matmul")}
#: Functions that make tensors of one number, or of none that is meant.
CREATED = {f"{kind}_like" for kind in ("zeros", "ones", "empty", "full")} | {
    f"new_{kind}" for kind in ("zeros", "ones", "empty", "full")
}
CREATED.add("empty")


def _of_torch(node: fx.Node) -> bool:
    """Whether a function is one of torch or of Python, and not another of the same name."""
    if isinstance(node.target, str):
        return True
    where = getattr(node.target, "__module__", None) or "torch"
    return where.partition(".")[0] in ("torch", "_operator", "builtins", "math")


def _in_place(node: fx.Node) -> bool:
    """Whether a node changes its first argument: ``x.add_(y)``, ``x += y``."""
    if node.op == "call_method":
        return str(node.target).endswith("_") and not str(node.target).endswith("__")
    return node.op == "call_function" and node.target in IN_PLACE


def _values_alone(node: fx.Node, result: Any) -> bool:
    """Whether of a result of values and places only the values are used."""
    return isinstance(result, Tensor) or all(
        (user.target, *user.args[1:]) in ((operator.getitem, 0), (getattr, "values")) for user in node.users
    )


def _called(layer: nn.Module) -> str:
    """The name of a layer's class, and of the package unless that is torch."""
    kind = parametrize.type_before_parametrizations(layer)
    package = kind.__module__.partition(".")[0]
    return kind.__name__ if package in ("torch", "__main__") else f"{package}.{kind.__name__}"


def _one_use(value: Any) -> Any:
    """Arguments, in which tensors of one number have got axes for this use."""
    if isinstance(value, (list, tuple)):
        parts = [_one_use(part) for part in value]
        return parts if isinstance(value, list) else tuple(parts)
    if isinstance(value, dict):
        return {key: _one_use(part) for key, part in value.items()}
    return Typed(value.axes) if isinstance(value, Constant) else value


def _computed(result: Any) -> Any:
    """The axes of what is made of no input and no weight."""
    if isinstance(result, Tensor) and result.numel() and bool((result == result.flatten()[0]).all()):
        return Constant(result.shape)
    return _attach(result, None)


def _attach(result: Any, answer: Any) -> Any:
    """The axes of a computed result, in its structure and with its lengths; ``None``: all fixed."""
    if isinstance(result, (tuple, list)):
        parts = answer if isinstance(answer, (tuple, list)) else [answer] * len(result)
        return [_attach(r, a) for r, a in zip(result, parts)]
    if isinstance(result, dict):
        return {key: _attach(r, answer[key] if isinstance(answer, dict) else answer) for key, r in result.items()}
    if not isinstance(result, Tensor):
        return result
    if isinstance(answer, Constant):
        return Constant(result.shape)
    if not isinstance(answer, Typed):
        return Typed([fixed(n) for n in result.shape])
    layers, axes = answer.layers, answer._axes
    if len(axes) != result.ndim:
        answer.fix()
        return Typed([fixed(n) for n in result.shape])
    for s, n in zip(axes, result.shape):
        if s.size != n:
            s.fix()
    return Typed([s if s.size == n else fixed(n) for s, n in zip(axes, result.shape)], layers, answer.counted)


def _placeholder(value: Any, ends: Ends) -> Any:
    if isinstance(value, (tuple, list)):
        return [_placeholder(part, "fixed") for part in value]
    if isinstance(value, dict):
        return {key: _placeholder(part, "fixed") for key, part in value.items()}
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

    def __init__(self, table: Parameters) -> None:
        self.sizes: dict[str, int] = {}
        self._given: dict[int, str] = {}
        # First by the axes that layers write (rows, biases), then by those that they read alone.
        for first in (True, False):
            for name, streams in table.streams.items():
                self._owner = (
                    name.partition(".parametrizations.")[0] if ".parametrizations." in name else name.rpartition(".")[0] or name
                )
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
