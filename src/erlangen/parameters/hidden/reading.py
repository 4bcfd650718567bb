"""Reading a ReLU network out of what people have: modules that torch.fx can trace, or lists of weights and biases."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.nn.utils import parametrize

from erlangen.errors import ArgumentError
from erlangen.parameters.check import prepare
from erlangen.parameters.hidden.network import ReluNetwork

#: Layers that are the identity once trained, or that only reshape a sample.
PASSING = (nn.Identity, nn.Dropout, nn.Flatten)
PASSING_FUNCTIONS = {torch.flatten, nn.functional.dropout}
RELUS = {torch.relu, torch.relu_, nn.functional.relu, nn.functional.relu_}
METHODS = {
    "relu": "relu",
    "relu_": "relu",
    "flatten": "pass",
    "view": "pass",
    "reshape": "pass",
    "contiguous": "pass",
    "size": "side",
}
HINT = "batch_functional_dimension takes any module"


class NotReluNetwork(ArgumentError):
    """The model is something else than Linear and ReLU in turns."""

    def __init__(self, found: str) -> None:
        super().__init__("model", "Linear layers with ReLU between them, one after the other", found, HINT)


def relu_network(model: Any) -> ReluNetwork:
    """The ReLU network that a model is, with its parameters copied to float64.

    Args:
        model: a :class:`ReluNetwork`; a module that ``torch.fx`` can trace (``nn.Sequential``, or your own) of Linear layers with ReLU
            between them, with Flatten, Identity and Dropout where they like; or a list of pairs ``(W, b)``, torch or NumPy, whose
            leading axes may be batch axes.

    Raises:
        NotReluNetwork: another layer or another order; it is named.
        ArgumentError: a layer has no bias or is used twice, shapes do not fit, or an entry is not finite.

    >>> relu_network(nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1)))
    ReluNetwork(2-3-1, 13 parameters)
    >>> relu_network([(torch.ones(3, 2), torch.zeros(3)), (torch.ones(1, 3), torch.zeros(1))]).widths
    (2, 3, 1)
    """
    if isinstance(model, ReluNetwork):
        return model
    if isinstance(model, nn.Module):
        return _read(model)
    if not isinstance(model, Sequence) or not all(isinstance(pair, Sequence) and len(pair) == 2 for pair in model):
        raise ArgumentError("model", "a module, or a list of pairs (W, b)", type(model).__name__)
    return ReluNetwork(tuple(_tensor(w) for w, _ in model), tuple(_tensor(b) for _, b in model))


def _tensor(value: Any) -> Tensor:
    return torch.as_tensor(value).detach().clone()


def _read(model: nn.Module) -> ReluNetwork:
    try:
        graph = fx.Tracer().trace(model)
    except Exception as error:  # torch.fx raises many kinds
        raise NotReluNetwork(f"a module that torch.fx cannot trace: {type(error).__name__}: {error}") from error
    walk = _Walk(model)
    for node in graph.nodes:
        walk.visit(node)
    network = walk.network()
    _compare(network, model)
    return network


class _Walk:
    """Follows the one tensor that runs through the graph and collects its affine layers."""

    def __init__(self, model: nn.Module) -> None:
        self.model = model
        self.at: fx.Node | None = None  # the node that holds the running tensor
        self.layers: list[tuple[Tensor, Tensor]] = []
        self.bent = True  # whether a ReLU (or the input) stands behind the last affine layer

    def visit(self, node: fx.Node) -> None:
        if node.op == "placeholder":
            if self.at is None:
                self.at = node
            elif not node.args:  # without a default
                raise NotReluNetwork(f"a second input '{node.target}'")
            return
        if node.op == "get_attr":
            return
        if node.op == "output":
            if node.args[0] is not self.at:
                raise NotReluNetwork("an output that is not the last layer's")
            return
        kind, what = self._kind(node)
        if kind == "side":
            return
        tensors = [n for n in node.all_input_nodes if n.op != "get_attr" and not self._is_size(n)]
        if tensors != [self.at]:
            raise NotReluNetwork(f"branches that meet in {what}")
        self.at = node
        if kind == "relu":
            if self.bent:
                raise NotReluNetwork(f"{what} that does not follow a Linear layer")
            self.bent = True
        elif kind == "linear":
            if not self.bent:
                raise NotReluNetwork(f"two Linear layers with nothing between them at {what}")
            self.layers.append(self._affine(node, what))
            self.bent = False

    @staticmethod
    def _is_size(node: fx.Node) -> bool:
        while node.target is operator.getitem:
            node = node.args[0]  # type: ignore[assignment]
        return node.op == "call_method" and node.target == "size"

    def _kind(self, node: fx.Node) -> tuple[str, str]:
        if node.op == "call_module":
            layer = self.model.get_submodule(str(node.target))
            what = f"{type(layer).__name__} '{node.target}'"
            if isinstance(layer, nn.Linear):
                return "linear", what
            if isinstance(layer, nn.ReLU):
                return "relu", what
            if isinstance(layer, PASSING):
                return "pass", what
            raise NotReluNetwork(what)
        what = node.target if isinstance(node.target, str) else getattr(node.target, "__name__", str(node.target))
        if node.op == "call_method" and node.target in METHODS:
            return METHODS[str(node.target)], str(what)
        if self._is_size(node):
            return "side", str(what)
        if node.target is nn.functional.linear:
            return "linear", str(what)
        if node.target in RELUS:
            return "relu", str(what)
        if node.target in PASSING_FUNCTIONS:
            return "pass", str(what)
        raise NotReluNetwork(f"'{what}'")

    def _affine(self, node: fx.Node, what: str) -> tuple[Tensor, Tensor]:
        if node.op == "call_module":
            layer: Any = self.model.get_submodule(str(node.target))
            if parametrize.is_parametrized(layer):
                raise NotReluNetwork(f"{what} with weights that are computed from other parameters")
            weight, bias = layer.weight, layer.bias
        else:
            given = [*node.args[1:], *(node.kwargs[k] for k in ("weight", "bias") if k in node.kwargs)]
            found = [self._attribute(n) for n in given if isinstance(n, fx.Node)]
            weight, bias = found[0] if found else None, found[1] if len(found) > 1 else None
        if not isinstance(weight, Tensor) or not isinstance(bias, Tensor):
            hint = "A bias of zeros is a parameter, too, and changes the count: set one if that is meant"
            raise ArgumentError("model", "weights and a bias in every Linear layer", f"none in {what}", hint)
        if any(weight is w for w, _ in self.layers):
            raise NotReluNetwork(f"{what} used twice: its parameters are not free")
        return weight, bias

    def _attribute(self, node: fx.Node) -> Any:
        value: Any = self.model
        for name in str(node.target).split("."):
            value = getattr(value, name, None)
        return value

    def network(self) -> ReluNetwork:
        if not self.layers:
            raise NotReluNetwork("no Linear layer")
        if self.bent:
            raise NotReluNetwork("a ReLU behind the last Linear layer")
        return ReluNetwork(tuple(_tensor(w) for w, _ in self.layers), tuple(_tensor(b) for _, b in self.layers))


def _compare(network: ReluNetwork, model: nn.Module) -> None:
    """What was read computes what the model computes: a reading that is wrong must not become a number."""
    x = torch.randn(4, network.widths[0], generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    copy, _ = prepare(model, x)
    with torch.no_grad():
        theirs, ours = copy(x), network(x)
    size = network.formed(x, [z > 0 for z in network.preactivations(x)[:-1]])[-1]
    if theirs.shape != ours.shape or not bool(((theirs - ours).abs() <= network.rounding * size).all()):
        raise NotReluNetwork("layers whose composition is not what the model computes")
