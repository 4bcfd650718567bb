"""`IrrepProduct`: products of irreducible features of SO(3) and O(3), with a weight for every path."""

from __future__ import annotations

import math
from typing import Literal, NamedTuple, get_args

import torch
from jaxtyping import Float
from torch import Tensor, nn

from erlangen.errors import ArgumentError
from erlangen.groups.recognise import recognised
from erlangen.maps.precision import Constants, in_float32, narrow
from erlangen.reps import Rep, clebsch_gordan
from erlangen.reps.irreps3 import Kind, from_irreps, irreducible_blocks, labels_of, standard_order

Connect = Literal["full", "channel"]


class Run(NamedTuple):
    """Neighbouring copies of one kind: degree and parity, how many copies, and where they begin on the last axis."""

    kind: Kind
    copies: int
    start: int

    @property
    def size(self) -> int:
        return 2 * self.kind[0] + 1

    @property
    def width(self) -> int:
        return self.copies * self.size


class Path(NamedTuple):
    """One product: which run of the left factor meets which of the right one, and into which kind and run of the result it goes."""

    left: int
    right: int
    kind: Kind
    out: int


class _Block(NamedTuple):
    """All paths between the left runs of one number of copies and the right runs of one number of copies: one batched product.

    Attributes:
        left, right: the runs.
        copies: of each left and each right run.
        paths: for each run of the result (or kind, where channels are kept) the paths that lead there.
        table: from all components of the right runs to the matrices by which those of the left runs are multiplied: rows are for each
            run of the result its components, for each the paths; ``[sum of b, rows * sum of a]`` in float64.
    """

    left: list[int]
    right: list[int]
    copies: tuple[int, int]
    paths: list[list[int]]
    table: Tensor


class IrrepProduct(nn.Module):
    """``z_c = sum over paths of w C(x_a, y_b)``, where ``C`` is the Clebsch-Gordan product of a part of x and a part of y into one of z.

    Representations are sums of irreps; neighbouring copies of one kind are its channels, so data are those of e3nn,
    ``[..., copies x components]`` for each run.

    * ``connect="full"``: every channel of z sees every pair of channels of x and y, ``w[u, v, w]`` for each path (e3nn's
      ``FullyConnectedTensorProduct``).
    * ``connect="channel"``: each path keeps the channels of x, ``w[u, v]``, summed over the channels v of y (e3nn's ``"uvu"``): what
      message passing does with the harmonics of an edge and weights from a network. Results stand by degree (parity of polynomials first).

    Weights of a path are in row-major order. Paths are ordered by left run, right run and run of the result, as those of e3nn's
    ``FullyConnectedTensorProduct``, whose ``weight`` can be taken over; with ``"channel"`` as their results. The normalisation is e3nn's by
    default: for independent inputs and weights of variance one, every number of z has variance one,

        z_c = sqrt((2 l_c + 1) / N_c) sum w C(x_a, y_b),

    with C of norm one and ``N_c`` the number of products that meet in z_c.

    Args:
        left, right: representations of SO(3) or O(3) whose parts are irreps.
        target: with ``"full"`` the result; with ``"channel"`` a representation that has the kinds to be kept, ``None``: all there are.
        connect: see above.
        own_weights: whether the module has the weights; else each call is given some, also different ones for each datum.
        generator: for the initial weights, normal of variance one.
        dtype, device: of the weights.

    Attributes:
        output_rep: what comes out.
        weight_numel: how many weights there are.

    Raises:
        ArgumentError: another group, a part that is no irrep, or a target of which a part can never be reached.

    Source: N. Thomas et al., arXiv:1802.08219; M. Geiger and T. Smidt, arXiv:2207.09453 (the conventions).

    >>> from erlangen.groups import O
    >>> features, harmonics = O(3).rep("8x0e+8x1o"), O(3).rep("1x0e+1x1o+1x2e")
    >>> product = IrrepProduct(features, harmonics, features)
    >>> product.weight_numel, product(torch.randn(100, 32), torch.randn(100, 9)).shape
    (320, torch.Size([100, 32]))
    >>> message = IrrepProduct(features, harmonics, features, connect="channel", own_weights=False)
    >>> message.output_rep, message(torch.randn(100, 32), torch.randn(100, 9), torch.randn(100, 40)).shape
    (16x0e+24x1o of O(3), torch.Size([100, 88]))
    """

    def __init__(
        self,
        left: Rep,
        right: Rep,
        target: Rep | None = None,
        *,
        connect: Connect = "full",
        own_weights: bool = True,
        generator: torch.Generator | None = None,
        dtype: torch.dtype | None = None,
        device: torch.device | str | None = None,
    ) -> None:
        super().__init__()
        if connect not in get_args(Connect):
            raise ArgumentError("connect", "'full' or 'channel'", repr(connect))
        if target is None and connect == "full":
            raise ArgumentError("target", "the representation of the result, for connect='full'", None)
        for name, rep in (("right", right), ("target", target)):
            if rep is not None and rep.group != left.group:
                raise ArgumentError(name, f"a representation of {left.group}", f"one of {rep.group}")
        self.left, self.right, self.connect = left, right, connect
        a, b = runs_of(left, "left"), runs_of(right, "right")
        self._a, self._b, full = [r.width for r in a], [r.width for r in b], connect == "full"
        wanted = None if target is None else runs_of(target, "target")
        mirrors = not recognised(left.group).is_proper
        self._shapes: list[tuple[int, ...]]
        if full:
            assert target is not None
            assert wanted is not None
            self._paths, self.output_rep = _full_paths(a, b, wanted, mirrors), target
            self._shapes = [(a[p.left].copies, b[p.right].copies, wanted[p.out].copies) for p in self._paths]
        else:
            self._paths = _channel_paths(a, b, None if wanted is None else {r.kind for r in wanted}, mirrors)
            self.output_rep = from_irreps(left.group, labels_of((p.kind, a[p.left].copies) for p in self._paths))
            self._shapes = [(a[p.left].copies, b[p.right].copies) for p in self._paths]
        self._numels = [math.prod(shape) for shape in self._shapes]
        self.weight_numel = sum(self._numels)
        self._sizes = [2 * kind[0] + 1 for _, kind in sorted({(p.out, p.kind) for p in self._paths})]
        self._blocks = _blocks(a, b, self._paths, len(self._sizes), full)
        self._runs = [(r.copies, r.size) for r in a], [(r.copies, r.size) for r in b]
        self._tables = Constants(*(block.table for block in self._blocks))
        self.weight = nn.Parameter(torch.empty(self.weight_numel, dtype=dtype, device=device)) if own_weights else None
        self.reset_parameters(generator)

    def reset_parameters(self, generator: torch.Generator | None = None) -> None:
        """Draw the module's own weights anew."""
        if self.weight is not None:
            with torch.no_grad():
                self.weight.copy_(torch.randn(self.weight_numel, generator=generator, dtype=torch.float64))

    def forward(
        self, x: Float[Tensor, "*batch left"], y: Float[Tensor, "*batch right"], weight: Float[Tensor, "*b numel"] | None = None
    ) -> Float[Tensor, "*batch out"]:
        """The weighted products of ``x`` [..., left.dim] and ``y`` [..., right.dim]; leading axes are matched.

        Args:
            x, y: features.
            weight: ``[weight_numel]`` or ``[..., weight_numel]``, where the module has none of its own.
        """
        for name, rep, t in (("x", self.left, x), ("y", self.right, y)):
            if t.shape[-1] != rep.dim:
                raise ArgumentError(name, f"shape [..., {rep.dim}]", tuple(t.shape))
        if (weight is None) == (self.weight is None):
            wanted = "weights" if weight is None else "none, for the module has its own"
            raise ArgumentError("weight", wanted, None if weight is None else tuple(weight.shape))
        w = self.weight if weight is None else weight
        assert w is not None
        if w.shape[-1] != self.weight_numel:
            raise ArgumentError("weight", f"shape [..., {self.weight_numel}]", tuple(w.shape))
        low = narrow(x)
        if low is not None:
            return in_float32(self._products, x, y, w).to(low)
        return self._products(x, y, w)

    def _products(self, x: Tensor, y: Tensor, w: Tensor) -> Tensor:
        lead = torch.broadcast_shapes(x.shape[:-1], y.shape[:-1], w.shape[:-1])
        x = x.expand(*lead, x.shape[-1]).reshape(-1, x.shape[-1])
        y = y.expand(*lead, y.shape[-1]).reshape(-1, y.shape[-1])
        if w.ndim > 1:
            w = w.expand(*lead, w.shape[-1]).reshape(-1, w.shape[-1])
        features = self._multiplied(x, y)
        made = self._joined(features, w) if self.connect == "full" else self._kept(features, w)
        return torch.cat(made, 1).reshape(*lead, self.output_rep.dim)

    def _multiplied(self, x: Tensor, y: Tensor) -> list[list[Tensor]]:
        """For each run of the result, and each block that reaches it, all products ``[batch, c, (path, v, u)]``."""
        xs, ys = x.split(self._a, 1), y.split(self._b, 1)
        found: list[list[Tensor]] = [[] for _ in self._sizes]
        for block, table in zip(self._blocks, self._tables.like(x)):
            v = block.copies[1]
            left = [xs[i].unflatten(1, self._runs[0][i]).mT for i in block.left]
            right = [ys[j].unflatten(1, self._runs[1][j]) for j in block.right]
            turned = (torch.cat(right, 2) if len(right) > 1 else right[0]) @ table
            components = sum(self._runs[0][i][1] for i in block.left)
            turned = turned.unflatten(2, (-1, components)).transpose(1, 2).flatten(1, 2)  # [batch, (row, v), a]
            stacked = torch.cat(left, 1) if len(left) > 1 else left[0].contiguous()
            # A contraction of length one is a product of numbers.
            made = turned * stacked if components == 1 else turned @ stacked
            rows = [size * len(paths) * v for size, paths in zip(self._sizes, block.paths)]
            for k, (size, piece) in enumerate(zip(self._sizes, made.split(rows, 1))):
                if rows[k]:
                    found[k].append(piece.unflatten(1, (size, -1)).flatten(2))
        return found

    def _joined(self, features: list[list[Tensor]], w: Tensor) -> list[Tensor]:
        """``connect="full"``: for each run of the result one product with the weights of all paths that lead there."""
        weights = [piece.unflatten(-1, shape) for piece, shape in zip(w.split(self._numels, -1), self._shapes)]
        pieces = []
        for k, found in enumerate(features):
            paths = [n for block in self._blocks for n in block.paths[k]]
            matrix = torch.cat([weights[n].transpose(-3, -2).flatten(-3, -2) for n in paths], -2)
            z = torch.cat(found, 2) if len(found) > 1 else found[0]
            made = (z.flatten(0, 1) @ matrix).unflatten(0, z.shape[:2]) if matrix.ndim == 2 else z @ matrix
            pieces.append(made.mT.flatten(1))
        return pieces

    def _kept(self, features: list[list[Tensor]], w: Tensor) -> list[Tensor]:
        """``connect="channel"``: each path by itself, its channels those of x."""
        blocks = [block for k in range(len(features)) for block in self._blocks if block.paths[k]]
        counts = [len(block.paths[k]) for k in range(len(features)) for block in self._blocks if block.paths[k]]
        weights = w.split([n * math.prod(block.copies) for n, block in zip(counts, blocks)], -1)
        pieces = []
        for z, n, block, own in zip([z for found in features for z in found], counts, blocks, weights):
            u, v = block.copies
            own = own.unflatten(-1, (n, u, v)).mT.unsqueeze(-4)
            z = z.unflatten(2, (n, v, u)) * own  # [batch, c, path, v, u]
            pieces.append((z.squeeze(3) if v == 1 else z.sum(3)).permute(0, 2, 3, 1).flatten(1))
        return pieces

    def extra_repr(self) -> str:
        return (
            f"{self.left.symbol} x {self.right.symbol} -> {self.output_rep.symbol} of {self.left.group}, {len(self._paths)} paths"
        )


def runs_of(rep: Rep, argument: str) -> list[Run]:
    """The runs of equal neighbours in a sum of irreps of SO(3) or O(3)."""
    found: list[Run] = []
    for block in irreducible_blocks(rep):
        if not block.is_whole:
            raise ArgumentError(argument, "a sum of irreps", repr(rep), "erlangen.reps.to_irreps takes tensors apart")
        if found and found[-1].kind == block.kind:
            found[-1] = found[-1]._replace(copies=found[-1].copies + 1)
        else:
            found.append(Run(block.kind, 1, block.start))
    return found


def _products(x: Kind, y: Kind, mirrors: bool) -> list[Kind]:
    """The kinds into which two kinds multiply."""
    return [(l, x[1] * y[1] if mirrors else (-1) ** l) for l in range(abs(x[0] - y[0]), x[0] + y[0] + 1)]


def _full_paths(a: list[Run], b: list[Run], out: list[Run], mirrors: bool) -> list[Path]:
    paths = [
        Path(i, j, run.kind, k)
        for i, x in enumerate(a)
        for j, y in enumerate(b)
        for k, run in enumerate(out)
        if run.kind in _products(x.kind, y.kind, mirrors)
    ]
    for k, run in enumerate(out):
        if not any(p.out == k for p in paths):
            reached = "parts into which those of left and right multiply"
            raise ArgumentError("target", reached, f"degree {run.kind[0]}, parity {run.kind[1]}")
    return paths


def _channel_paths(a: list[Run], b: list[Run], wanted: set[Kind] | None, mirrors: bool) -> list[Path]:
    """Ordered by kind, and among these as the blocks will stand."""
    found = [
        (kind, x.copies, y.copies, i, j)
        for i, x in enumerate(a)
        for j, y in enumerate(b)
        for kind in _products(x.kind, y.kind, mirrors)
        if wanted is None or kind in wanted
    ]
    if not found:
        raise ArgumentError("target", "a part into which those of left and right multiply", "none")
    first = (
        {c: n for n, c in enumerate(dict.fromkeys(r.copies for r in a))},
        {c: n for n, c in enumerate(dict.fromkeys(r.copies for r in b))},
    )
    kinds = sorted({kind for kind, *_ in found}, key=standard_order)
    found.sort(key=lambda p: (kinds.index(p[0]), first[0][p[1]], first[1][p[2]], p[3], p[4]))
    return [Path(i, j, kind, kinds.index(kind)) for kind, _, _, i, j in found]


def _blocks(a: list[Run], b: list[Run], paths: list[Path], outs: int, full: bool) -> list[_Block]:
    met = [0] * outs  # how many products meet in a number of each run of the result
    for p in paths:
        met[p.out] += a[p.left].copies * b[p.right].copies
    found = []
    for u in dict.fromkeys(r.copies for r in a):
        for v in dict.fromkeys(r.copies for r in b):
            mine = [n for n, p in enumerate(paths) if (a[p.left].copies, b[p.right].copies) == (u, v)]
            if not mine:
                continue
            left, right = (sorted({side(paths[n]) for n in mine}) for side in (lambda p: p.left, lambda p: p.right))
            rows = []
            for k in range(outs):
                tables = []
                for n in (n for n in mine if paths[n].out == k):
                    p = paths[n]
                    size = 2 * p.kind[0] + 1
                    own = clebsch_gordan(a[p.left].kind[0], b[p.right].kind[0], p.kind[0]) * (size / (met[k] if full else v)) ** 0.5
                    before = sum(a[i].size for i in left if i < p.left), sum(b[j].size for j in right if j < p.right)
                    whole = torch.zeros(sum(b[j].size for j in right), size, sum(a[i].size for i in left), dtype=torch.float64)
                    whole[before[1] : before[1] + own.shape[1], :, before[0] : before[0] + own.shape[0]] = own.permute(1, 2, 0)
                    tables.append(whole)
                if tables:
                    rows.append(torch.stack(tables, 2).flatten(1, 2))  # [b, (c, path), a]
            per_out = [[n for n in mine if paths[n].out == k] for k in range(outs)]
            found.append(_Block(left, right, (u, v), per_out, torch.cat(rows, 1).flatten(1)))
    return found
