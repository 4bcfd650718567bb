"""`Traced`: a mapped step, kept as the list of its tensor operations, for a loop in which the interpreter takes longer than arithmetic."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import optree
import torch
from torch import Tensor, fx

#: What a step returns beside its loss, and what it is given again: trees of tensors.
Step = Callable[..., Any]


class Traced:
    """Steps ``step(theta, *args)`` with one ``theta`` each, recorded once for each shape (and stride) of their arguments.

    The first call runs the step under ``make_fx`` of torch; later ones run what it recorded. What depends on ``theta`` alone is computed
    once for all steps that share it. Values are the same to the bit. Only for steps without gradients, whose operations depend on shapes
    alone (those that ``torch.func.vmap`` maps).

    >>> def step(theta, x, y):
    ...     return x + theta["a"].exp() * y, y
    >>> traced, theta, x = Traced(), {"a": torch.tensor(0.5)}, torch.ones(3)
    >>> recorded = traced.steps(step, theta, (x, x))
    >>> torch.equal(recorded(theta, x, 2 * x)[0], step(theta, x, 2 * x)[0]), len(traced.kept)
    (True, 1)
    """

    def __init__(self) -> None:
        self.kept: dict[Any, tuple[fx.GraphModule, fx.GraphModule, Any]] = {}

    def steps(self, step: Step, theta: Any, args: Any) -> Step:
        """The recorded step for this ``theta``; it is called as ``step`` is, and takes no notice of another ``theta``."""
        fixed, fixed_tree = optree.tree_flatten(theta)
        moving: list[Any]
        moving, tree = optree.tree_flatten(args)
        key = (fixed_tree, tree, *((t.shape, t.stride(), t.dtype, t.device) for t in (*fixed, *moving)))
        if key not in self.kept:
            self.kept[key] = _record(step, fixed, fixed_tree, moving, tree)
        once, each, out = self.kept[key]
        known = once(*fixed)

        def again(_: Any, *later: Any) -> Any:
            leaves: list[Any] = optree.tree_leaves(later)  # type: ignore[arg-type]
            return optree.tree_unflatten(out, each(*known, *leaves))

        return again


def _record(
    step: Step, fixed: list[Tensor], fixed_tree: Any, moving: list[Tensor], tree: Any
) -> tuple[fx.GraphModule, fx.GraphModule, Any]:
    """What depends on the fixed tensors alone, all else, and the tree of what is returned."""
    from torch.fx.experimental.proxy_tensor import make_fx

    shape = None

    def flat(*leaves: Tensor) -> list[Tensor]:
        nonlocal shape
        theta = optree.tree_unflatten(fixed_tree, leaves[: len(fixed)])
        found, shape = optree.tree_flatten(step(theta, *optree.tree_unflatten(tree, leaves[len(fixed) :])))
        return found

    with torch.no_grad():
        # Tensors of their own: make_fx would take one that stands in two places for the same argument.
        whole = make_fx(flat)(*(t.detach() for t in (*fixed, *moving)))
    whole.graph.eliminate_dead_code()
    nodes = list(whole.graph.nodes)
    given = [node for node in nodes if node.op == "placeholder"]
    early = set(given[: len(fixed)])
    if not any(_writes(node) for node in nodes):  # what is written into cannot be computed beforehand
        for node in nodes:
            if node.op == "get_attr" or (node.op == "call_function" and all(a in early for a in node.all_input_nodes)):
                early.add(node)
    known = [node for node in early if any(user not in early for user in node.users)]
    once, each = fx.Graph(), fx.Graph()
    first: dict[fx.Node, fx.Node] = {}
    for node in nodes:
        if node in early:
            first[node] = once.node_copy(node, lambda n: first[n])
    once.output([first[node] for node in known])
    then = {node: each.placeholder(f"known_{i}") for i, node in enumerate(known)}
    for node in nodes:
        if node not in early:
            then[node] = each.node_copy(node, lambda n: then[n])
    return fx.GraphModule(whole, once), fx.GraphModule(whole, each), shape


def _writes(node: fx.Node) -> bool:
    schema = getattr(node.target, "_schema", None)
    return schema is not None and bool(schema.is_mutable)
