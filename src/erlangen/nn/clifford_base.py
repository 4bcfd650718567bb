"""What the layers of geometric-algebra attention share: tuples, their products, logits, values, and the softmax over them."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterable
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from erlangen.actions.ragged import PerDatum
from erlangen.actions.records import Record
from erlangen.errors import ArgumentError
from erlangen.groups import SO, O
from erlangen.groups.membership import may_look
from erlangen.maps.precision import wide
from erlangen.nn.clifford_products import MODES, Mode, MultivectorProducts, Parity, VectorProducts, lengths
from erlangen.nn.clifford_running import held, move_once, running, seeing
from erlangen.nn.clifford_tuples import Block, attention_weights, grid_blocks, pooled, unordered
from erlangen.nn.perceptron import perceptron
from erlangen.nn.precision import check_precision
from erlangen.reps import Multivectors

Net = Callable[[Tensor], Tensor]
#: More tuples of one cloud than this are asked to be taken in chunks.
MOST_TUPLES = 4_000_000


class GeometricAttention(nn.Module):
    """What all layers share; see :class:`~erlangen.nn.VectorAttention` for the method and the arguments."""

    algebra: type[VectorProducts] | type[MultivectorProducts] = VectorProducts
    #: Whether values that do not turn come out, and vectors or multivectors that do.
    gives_values, gives_vectors = True, False
    #: How many representations are joined: invariants and values of the tuple, and labels where there are any.
    joined = 2

    def __init__(
        self,
        n_dim: int,
        score_net: Net | None = None,
        value_net: Net | None = None,
        reduce: bool = True,
        merge_fun: str = "mean",
        join_fun: str = "mean",
        rank: int = 2,
        invariant_mode: Mode = "single",
        include_normalized_products: bool = False,
        linear_mode: Mode = "partial",
        linear_terms: int = 0,
        *,
        dim: int = 3,
        parity: Parity = "so3",
        chunk: int | None = None,
    ) -> None:
        super().__init__()
        for name, number, least in (("n_dim", n_dim, 1), ("rank", rank, 1), ("linear_terms", linear_terms, 0), ("chunk", chunk, 1)):
            if number is not None and (not isinstance(number, int) or isinstance(number, bool) or number < least):
                raise ArgumentError(name, f"an integer, at least {least}", repr(number))
        for name, choice, choices in (
            ("merge_fun", merge_fun, ("mean", "concat")),
            ("join_fun", join_fun, ("mean", "concat")),
            ("invariant_mode", invariant_mode, MODES),
            ("linear_mode", linear_mode, MODES),
            ("parity", parity, ("so3", "o3")),
            ("dim", dim, (2, 3) if self.algebra is VectorProducts else (3,)),
        ):
            if choice not in choices:
                raise ArgumentError(name, " or ".join(map(repr, choices)), repr(choice))
        if linear_terms and (parity == "o3" or dim == 2):
            expected = "0 where reflections count or in the plane, for linear terms mix what turns with what is mirrored"
            raise ArgumentError("linear_terms", expected, repr(linear_terms))
        self.n_dim, self.rank, self.reduce, self.chunk, self.dim, self.parity = n_dim, rank, reduce, chunk, dim, parity
        self.merge_fun, self.join_fun, self.invariant_mode = merge_fun, join_fun, invariant_mode
        self.include_normalized_products, self.linear_mode = include_normalized_products, linear_mode
        self.linear_terms = linear_terms if rank > 1 else 0
        self.products = self.algebra(dim, parity)
        self.value_net = value_net or default_value_net(self.invariant_dims, n_dim)
        self.score_net = score_net or default_scalar_net(n_dim)
        if merge_fun == "concat":
            self.merge_kernels = _kernels(rank, n_dim, rank)
        if join_fun == "concat":
            self.join_kernels = _kernels(self.joined, n_dim, self.joined)
        if self.linear_terms:
            kernels = torch.randn(self.linear_terms, len(lengths(rank, linear_mode)), self.products.operations, 2)
            self.linear_kernels = nn.Parameter(kernels)
        self.group = O(dim) if parity == "o3" else SO(dim)
        vector = Multivectors(self.group) if self.algebra is MultivectorProducts else self.group.vector
        still = PerDatum(self.group)
        self.inp: Any = Record(((vector, still),))
        kinds = [vector] * self.gives_vectors + [still] * self.gives_values
        self.out: Any = Record(tuple(kinds)) if len(kinds) == 2 else kinds[0]

    @property
    def invariant_dims(self) -> int:
        """How many invariants a tuple has: what ``value_net`` takes."""
        size = sum(self.products.size(length) for length in lengths(self.rank, self.invariant_mode))
        size *= 2 if self.include_normalized_products else 1
        return size + self.linear_terms * self.products.size(self.rank, linear=True)

    def forward(self, inputs: tuple[Tensor, ...], mask: Tensor | None = None, return_attention: bool = False) -> Any:
        """The result, and with ``return_attention`` the weights ``[*batch, n, ..., n]`` of all ordered tuples.

        Args:
            inputs: ``(r, v)`` or ``(r, v, w)``: vectors ``[*batch, n, 3]``, values ``[*batch, n, n_dim]``, weights ``[*batch, n]`` of at
                least 0.
            mask: which points are there, booleans ``[*batch, n]``. What is masked is left out exactly; where nothing is left the result
                is zero. Numbers from 0 to 1 say how much a point is there: tuples count by their product in the softmax, so that points
                come and go smoothly.
            return_attention: needs all tuples at once.

        Raises:
            ArgumentError: shapes that do not fit, positions that are integers, more tuples than fit into memory without ``chunk``.
        """
        r, v, w = self._checked(inputs, mask, return_attention)
        return self._attend(r, v, w, None, mask, return_attention)

    def example(self, *batch: int, generator: torch.Generator | None = None, dtype: torch.dtype | None = None) -> Any:
        """Random clouds of four points."""
        shape = (*batch, 4)
        r = torch.randn(*shape, self.products.dim, generator=generator, dtype=dtype)
        return ((r, torch.randn(*shape, self.n_dim, generator=generator, dtype=dtype)),)

    # ---- inside ----

    def _attend(
        self, r: Tensor, v: Tensor, w: Tensor | None, labels: Tensor | None, mask: Tensor | None, return_attention: bool
    ) -> Any:
        n = r.shape[-2]
        if n == 0:
            return self._result(self._nothing(r, v, labels), None, return_attention)
        if mask is not None:
            there = mask if mask.dtype == torch.bool else mask > 0
            r, v = (torch.where(there.unsqueeze(-1), x, 0) for x in (r, v))  # what a missing point holds may be anything
            w = None if w is None else torch.where(there, w, 0)
            present = there if mask.dtype == torch.bool else torch.where(there, mask, 1)
            mask = torch.where(there, wide(present.to(r.dtype)).log(), -math.inf)
        r = self.products.lift(wide(r))
        if self._orders_are_alike(n) and not return_attention:
            return self._result(self._attend_unordered(r, v, w, mask), None, False)
        nodes = [self._node_part(v, p) for p in range(self.rank)]
        labels = None if labels is None else self._join(labels, 0)
        blocks: dict[int, list[tuple[Tensor, Tensor]]] = {}
        attention = None
        on_block = self._on_grid if self.chunk is None else self._once(r, nodes, w, labels, mask)
        for block in grid_blocks(n, self.rank, self.chunk):
            if self.chunk is None:
                logits, values = on_block(r, nodes, w, labels, mask, block)
            else:
                logits, values = checkpoint(on_block, r, nodes, w, labels, mask, block, use_reentrant=False)
            if return_attention:
                batch = logits.shape[: -2 if self.reduce else -3]
                attention = attention_weights(logits).reshape(*batch, *((n,) * self.rank))
            y, whole = pooled(logits, values)
            blocks.setdefault(0 if self.reduce else block[0].start, []).append((y.squeeze(-2), whole.squeeze(-1)))
        rows = [_together(found) for found in blocks.values()]
        y = rows[0] if self.reduce else torch.cat(rows, -2)
        return self._result(y, attention, return_attention)

    def _once(self, *inputs: Any) -> Callable[..., tuple[Tensor, Tensor]]:
        """:meth:`_on_grid` for chunks: running numbers in the networks have moved by all of them, and then hold."""
        layers, on_grid = running(self), cast(Callable[..., tuple[Tensor, Tensor]], self._on_grid)
        if not layers:
            return on_grid

        def through() -> None:
            for block in grid_blocks(inputs[0].shape[-2], self.rank, self.chunk):
                on_grid(*inputs, block)

        def on_block(*args: Any) -> tuple[Tensor, Tensor]:
            with held(layers):
                return on_grid(*args)

        move_once(layers, through)
        return on_block

    def _on_grid(
        self, r: Tensor, nodes: list[Tensor], w: Tensor | None, labels: Tensor | None, mask: Tensor | None, block: Block
    ) -> tuple[Tensor, Tensor]:
        """Logits and values of the ordered tuples of a block, ``[..., G, R]`` and ``[..., R, C]``."""

        def along(x: Tensor, p: int) -> Tensor:
            x = x[..., block[p], :]
            return x[(..., *((None,) * p), slice(None), *((None,) * (self.rank - 1 - p)), slice(None))]

        factors = [along(r, p) for p in range(self.rank)]
        invariants, covariants = self._seen(factors)
        spread = _sum(along(node, p) for p, node in enumerate(nodes))
        present = None if mask is None else _sum(along(mask.unsqueeze(-1), p) for p in range(self.rank))
        layers = running(self)
        with seeing(layers, None if present is None else present.squeeze(-1) > -math.inf):
            m = self._with_seen(self.value_net(invariants.to(nodes[0].dtype)), spread)
        if labels is not None:
            m = m.unsqueeze(-self.rank - 2) + labels[(..., *((None,) * self.rank), slice(None))]
            covariants = [c.unsqueeze(-self.rank - 2) for c in covariants]
            present = None if present is None else present.unsqueeze(-self.rank - 2)
        with seeing(layers, None if present is None else present.squeeze(-1) > -math.inf):
            logits = self._score(m)
        weights = None if w is None else self._root(along(w.unsqueeze(-1), p) for p in range(self.rank))
        if labels is not None and weights is not None:
            weights = weights.unsqueeze(-self.rank - 2)
        if present is not None:
            logits = logits + present.squeeze(-1)
        values = self._values(m, covariants, weights)
        kept = 0 if self.reduce else 1
        logits = logits.flatten(kept - self.rank) if self.rank > kept else logits.unsqueeze(-1)
        values = values.flatten(kept - self.rank - 1, -2) if self.rank > kept else values.unsqueeze(-2)
        return logits.unsqueeze(-2), values

    def _orders_are_alike(self, n: int) -> bool:
        """Whether tuples that differ in order alone have the same value, and leaving the others out pays."""
        simple = self.invariant_mode == "single" and self.merge_fun == "mean" and self.rank in (2, 3) and not self.linear_terms
        kind = self.algebra is VectorProducts and self.dim == 3 and not self.gives_vectors
        return (
            isinstance(self.value_net, OwnNetwork)
            and isinstance(self.score_net, OwnNetwork)
            and simple
            and kind
            and n <= 2 * self.n_dim
        )

    def _attend_unordered(self, r: Tensor, v: Tensor, w: Tensor | None, mask: Tensor | None) -> Tensor:
        members, share, orders = (t.to(r.device) for t in unordered(r.shape[-2], self.rank, self.parity == "so3"))
        share = share.to(v)
        node = self._join(v, 1)
        first = (orders.to(v) if self.reduce else (orders.to(v).unsqueeze(-1) * share).mT).log()

        def on_some(r: Tensor, node: Tensor, w: Tensor | None, some: slice) -> tuple[Tensor, Tensor]:
            index = list(members[:, some])
            invariants, _ = self._seen([r[..., i, :] for i in index])
            m = self._with_seen(self.value_net(invariants.to(node.dtype)), share[some] @ node)
            logits = self._score(m)
            if mask is not None:
                logits = logits + _sum(mask[..., i] for i in index)
            weights = None if w is None else self._root(w[..., i] for i in index).unsqueeze(-1)
            return logits.unsqueeze(-2) + first[..., some], self._values(m, [], weights)

        count = members.shape[1]
        if self.chunk is None:
            y, _ = pooled(*on_some(r, node, w, slice(0, count)))
        else:
            found = []
            for start in range(0, count, self.chunk):
                some = slice(start, min(start + self.chunk, count))
                found.append(pooled(*checkpoint(on_some, r, node, w, some, use_reentrant=False)))
            y = _together(found)
        return y.squeeze(-2) if self.reduce else y

    def _seen(self, factors: list[Tensor]) -> tuple[Tensor, list[Tensor]]:
        """Invariants of the tuple's products ``[..., q]``, and its covariants where they are wanted."""
        terms: dict[Mode, list[Any]] = {}
        for mode in {self.invariant_mode, *self._other_modes()}:
            terms[mode] = self.products.terms(factors, mode)
        linear = []
        if self.linear_terms:
            kernels = self.linear_kernels.softmax(-1)[..., 1]
            linear = [self.products.linear(terms[self.linear_mode], kernel, self.rank) for kernel in kernels]  # type: ignore[arg-type]
        seen = self._completed(terms[self.invariant_mode], linear)
        found = [self.products.invariants(term) for term in seen]
        shape = torch.broadcast_shapes(*(f.shape[:-1] for f in factors))
        invariants = torch.cat([q.expand(*shape, q.shape[-1]) for q in found], -1)
        return invariants, [self.products.covariant(term) for term in self._turning(terms, linear)]

    def _completed(self, terms: list[Any], linear: list[Any]) -> list[Any]:
        normalized = [self.products.normalized(term) for term in terms] if self.include_normalized_products else []
        return [*terms, *normalized, *linear]

    def _other_modes(self) -> set[Mode]:
        return {self.linear_mode} if self.linear_terms else set()

    def _turning(self, terms: dict[Mode, list[Any]], linear: list[Any]) -> list[Any]:
        """Terms whose covariants go into the output."""
        return []

    def _node_part(self, v: Tensor, position: int) -> Tensor:
        """What a point contributes to the value of a tuple at a position: merged and joined before it is spread over tuples."""
        merged = v / self.rank if self.merge_fun == "mean" else v @ self.merge_kernels[position]
        return self._join(merged, self.joined - 1)

    def _join(self, x: Tensor, part: int) -> Tensor:
        return x / self.joined if self.join_fun == "mean" else x @ self.join_kernels[part]

    def _with_seen(self, seen: Tensor, rest: Tensor) -> Tensor:
        """What invariants give, joined to the rest."""
        if self.join_fun == "concat":
            return rest + self._join(seen, self.joined - 2)
        return torch.add(rest, seen, alpha=1 / self.joined) if rest.dtype == seen.dtype else rest + seen / self.joined

    def _score(self, m: Tensor) -> Tensor:
        return wide(self.score_net(m).squeeze(-1))

    def _root(self, factors: Iterable[Tensor]) -> Tensor:
        """The geometric mean."""
        product = functools.reduce(torch.mul, factors)
        zero = product == 0
        return torch.where(zero, 0.0, torch.where(zero, 1.0, product) ** (1 / self.rank))

    def _values(self, m: Tensor, covariants: list[Tensor], weights: Tensor | None) -> Tensor:
        return m if weights is None else m * weights.to(m.dtype)

    def _nothing(self, r: Tensor, v: Tensor, labels: Tensor | None) -> Tensor:
        batch = v.shape[:-2] if labels is None else labels.shape[:-1]
        size = self.n_dim * self.gives_values + self.products.dim * self.gives_vectors
        return v.new_zeros(*batch, *(() if self.reduce else (0,)), size)

    def _result(self, y: Tensor, attention: Tensor | None, return_attention: bool) -> Any:
        result: Any = y
        if self.gives_vectors and self.gives_values:
            result = y.split((self.products.dim, self.n_dim), -1)
        return (result, attention) if return_attention else result

    def _checked(self, inputs: Any, mask: Any, return_attention: bool) -> tuple[Tensor, Tensor, Tensor | None]:
        if not isinstance(inputs, (tuple, list)) or not 2 <= len(inputs) <= 3:
            raise ArgumentError("inputs", "(r, v) or (r, v, w)", type(inputs).__name__)
        r, v, w = (*inputs, None)[:3]
        size = self.products.dim
        if not isinstance(r, Tensor) or not r.is_floating_point():
            raise ArgumentError("r", "floating-point vectors", str(r.dtype) if isinstance(r, Tensor) else type(r).__name__)
        if r.ndim < 2 or r.shape[-1] != size:
            raise ArgumentError("r", f"vectors [*batch, n, {size}]", f"shape {tuple(r.shape)}")
        for name, x in (("v", v), ("w", w), ("mask", mask)):
            if x is not None and not isinstance(x, Tensor):
                raise ArgumentError(name, "a tensor", type(x).__name__)
        if not v.is_floating_point():
            raise ArgumentError("v", "floating-point values", str(v.dtype))
        if v.shape != (*r.shape[:-1], self.n_dim):
            raise ArgumentError("v", f"values {[*r.shape[:-1], self.n_dim]}, as many as vectors", f"shape {tuple(v.shape)}")
        for name, x in (("w", w), ("mask", mask)):
            if x is not None and x.shape != r.shape[:-1]:
                raise ArgumentError(name, f"shape {list(r.shape[:-1])}, one for each point", f"shape {tuple(x.shape)}")
        for name, x in (("r", r), ("v", v)):
            check_precision(name, x, self)
        if mask is not None and not (mask.dtype == torch.bool or mask.is_floating_point()):
            raise ArgumentError("mask", "booleans, or numbers from 0 to 1", str(mask.dtype))
        if mask is not None and mask.is_floating_point() and may_look(mask) and not bool(((mask >= 0) & (mask <= 1)).all()):
            raise ArgumentError("mask", "booleans, or numbers from 0 to 1", mask[~((mask >= 0) & (mask <= 1))][0].item())
        if w is not None and may_look(*(x for x in (w, mask) if x is not None)):
            wrong = ~(w >= 0) if mask is None else ~(w >= 0) & (mask > 0)
            if bool(wrong.any()):
                raise ArgumentError("w", "weights of at least 0", w[wrong][0].item())
        if return_attention and self.chunk is not None:
            raise ArgumentError("return_attention", "False in chunks, which never hold all weights", True)
        if self.chunk is None and r.shape[-2] ** self.rank > MOST_TUPLES:
            hint = "chunk=100_000 evaluates so many at a time"
            got = f"{r.shape[-2]} points, {r.shape[-2] ** self.rank} tuples"
            raise ArgumentError("rank", f"at most {MOST_TUPLES} tuples without chunk", got, hint)
        return r, v, w

    def extra_repr(self) -> str:
        return (
            f"{self.n_dim}, rank={self.rank}, invariant_mode={self.invariant_mode!r}, reduce={self.reduce}, parity={self.parity!r}"
        )


class OwnNetwork(nn.Sequential):
    """A network that sees each tuple alone, so that one of all its orders is enough; of networks that are given this is not known."""


def default_value_net(invariants: int, n_dim: int) -> nn.Module:
    """``invariants -> n_dim`` with one normalised hidden layer."""
    return OwnNetwork(nn.Linear(invariants, 2 * n_dim), nn.LayerNorm(2 * n_dim), nn.ReLU(), nn.Linear(2 * n_dim, n_dim))


def default_scalar_net(n_dim: int) -> nn.Module:
    """``n_dim -> 1`` with one hidden layer."""
    return OwnNetwork(*perceptron(n_dim, 2 * n_dim, 1))


def _sum(parts: Iterable[Tensor]) -> Tensor:
    return functools.reduce(torch.add, parts)


def _kernels(count: int, n_dim: int, parts: int) -> nn.ParameterList:
    stdev = math.sqrt(2 / (parts * n_dim))
    return nn.ParameterList([nn.Parameter(stdev * torch.randn(n_dim, n_dim)) for _ in range(count)])


def _together(found: list[tuple[Tensor, Tensor]]) -> Tensor:
    """What several blocks of the same tuples' softmax give, as one."""
    if len(found) == 1:
        return found[0][0]
    y, whole = (torch.stack(list(part), axis) for part, axis in zip(zip(*found), (-2, -1)))
    return pooled(whole.unsqueeze(-2), y)[0].squeeze(-2)
