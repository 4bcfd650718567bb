"""`Traced`: a mapped step, kept as the list of its tensor operations, for a loop in which the interpreter takes longer than arithmetic."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any

import optree
import torch
from torch import Tensor, fx

from erlangen.errors import ArgumentError

#: What a step returns beside its loss, and what it is given again: trees of tensors.
Step = Callable[..., Any]


class Traced:
    """Steps ``step(theta, *args)`` with one ``theta`` each, recorded once for each shape (and stride) of their arguments.

    The first call records the step under ``make_fx`` of torch; later ones run what was recorded. What depends on ``theta`` alone is
    computed once for all steps that share it; what is random is drawn anew. Values are the same to the bit. Only for steps without
    gradients, whose operations depend on shapes alone (those that ``torch.func.vmap`` maps).

    >>> def step(theta, x, y):
    ...     return x + theta["a"].exp() * y, y
    >>> traced, theta, x = Traced(), {"a": torch.tensor(0.5)}, torch.ones(3)
    >>> recorded = traced.steps(step, theta, (x, x))
    >>> torch.equal(recorded(theta, x, 2 * x)[0], step(theta, x, 2 * x)[0]), len(traced.kept)
    (True, 1)
    """

    def __init__(self) -> None:
        self.kept: dict[Any, tuple[fx.GraphModule, fx.GraphModule, Any, list[Tensor]]] = {}

    def steps(self, step: Step, theta: Any, args: Any, of: Hashable = None) -> Step:
        """The recorded step for this ``theta``; it is called as ``step`` is, fastest with the same ``theta`` and shapes.

        Args:
            of: what the step is made of, where it is a new function each time: steps of one such thing are the same; by default the step.

        Raises:
            ArgumentError: what is no tensor is among ``theta`` or ``args``, or gradients of one are asked for; a step reads values of its
                tensors, which may be others the next time.
        """
        fixed: list[Any]
        fixed, fixed_tree = optree.tree_flatten(theta)
        moving: list[Any]
        moving, tree = optree.tree_flatten(args)
        for name, leaves in (("theta", fixed), ("args", moving)):
            _check(name, leaves)
        key = (step if of is None else of, fixed_tree, tree, *((*_kind(t), t.stride()) for t in (*fixed, *moving)))
        if key not in self.kept:
            self.kept[key] = _record(step, fixed, fixed_tree, moving, tree)
        once, each, out, closed = self.kept[key]
        known = once(*fixed)
        kinds = [_kind(t) for t in moving]
        watched = [t for t in (*fixed, *closed) if not t.is_inference()]
        versions = [t._version for t in watched]

        def again(now: Any, *later: Any) -> Any:
            nonlocal known, versions
            leaves: list[Any]
            leaves, their = optree.tree_flatten(later)  # type: ignore[arg-type]
            _check("args", leaves)
            if now is not theta or their != tree or [_kind(t) for t in leaves] != kinds:
                return self.steps(step, now, later, of)(now, *later)
            if [t._version for t in watched] != versions:  # written into since
                known, versions = once(*fixed), [t._version for t in watched]
            return optree.tree_unflatten(out, each(*known, *leaves))

        return again


def _kind(t: Tensor) -> tuple[Any, ...]:
    return t.shape, t.dtype, t.device


def _check(name: str, leaves: list[Any]) -> None:
    for leaf in leaves:
        if not isinstance(leaf, Tensor):
            raise ArgumentError(name, "tensors", repr(leaf))
        if leaf.requires_grad and torch.is_grad_enabled():
            raise ArgumentError(name, "tensors without gradients", repr(leaf), "Call it under torch.no_grad()")


def _record(
    step: Step, fixed: list[Tensor], fixed_tree: Any, moving: list[Tensor], tree: Any
) -> tuple[fx.GraphModule, fx.GraphModule, Any, list[Tensor]]:
    """What depends on the fixed tensors alone, all else, the tree of what is returned, and the tensors that the step itself holds."""
    from torch.fx.experimental.proxy_tensor import make_fx

    shape = None

    def flat(*leaves: Tensor) -> list[Tensor]:
        nonlocal shape
        theta = optree.tree_unflatten(fixed_tree, leaves[: len(fixed)])
        found, shape = optree.tree_flatten(step(theta, *optree.tree_unflatten(tree, leaves[len(fixed) :])))
        return found

    with torch.no_grad():
        # Tensors of their own: make_fx would take one that stands in two places for the same argument.
        # Without values, so that none can become part of the record, and what writes into its arguments does so once.
        record = make_fx(flat, tracing_mode="fake", _allow_non_fake_inputs=True)
        try:
            whole = record(*(t.detach() for t in (*fixed, *moving)))
        except RuntimeError as error:
            raise ArgumentError(
                "step", "operations that depend on shapes alone", f"one that cannot be recorded: {error}"
            ) from error
    whole.graph.eliminate_dead_code()
    nodes = list(whole.graph.nodes)
    given = [node for node in nodes if node.op == "placeholder"]
    early = set(given[: len(fixed)])
    if not any(_writes(node) for node in nodes):  # what is written into cannot be computed beforehand
        for node in nodes:
            if node.op == "get_attr" or (
                node.op == "call_function" and not _draws(node) and all(a in early for a in node.all_input_nodes)
            ):
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
    closed = [getattr(whole, str(node.target)) for node in nodes if node.op == "get_attr"]
    return fx.GraphModule(whole, once), fx.GraphModule(whole, each), shape, [t for t in closed if isinstance(t, Tensor)]


def _draws(node: fx.Node) -> bool:
    return torch.Tag.nondeterministic_seeded in getattr(node.target, "tags", ())


def _writes(node: fx.Node) -> bool:
    schema = getattr(node.target, "_schema", None)
    return schema is not None and bool(schema.is_mutable)
