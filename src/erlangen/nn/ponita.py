"""`PONITA`: group convolutions on positions and orientations, steered by invariants of pairs; `PNITA`, its twin without orientations."""

from __future__ import annotations

from functools import cached_property
from typing import Any, Literal, get_args

import torch
from jaxtyping import Float
from torch import Tensor, nn

from erlangen.actions.base import Action
from erlangen.actions.orientations import Orientations, orientations
from erlangen.actions.records import Record
from erlangen.errors import ArgumentError
from erlangen.groups.affine import SE, AffineGroup, E
from erlangen.groups.base import Group
from erlangen.nn.ponita_base import PointNetwork, Task
from erlangen.nn.ponita_kernels import Invariants, KernelBasis, by_entry, length, with_each
from erlangen.nn.ponita_layers import Dense, Edges, Neighbourhood, Points

Attributes = Literal["paper", "complete"]


class PONITA(PointNetwork):
    """Scalars and vectors of points in, scalars and vectors out, by convolutions over positions *and* orientations.

    Features stand at every node on a grid of ``N`` orientations shared by all: scalars are lifted to all alike, a vector to its
    components ``v . o_n``. Kernels are functions of what a motion of space does not change of a pair of oriented points, so that weights
    are shared as a group convolution shares them, and directions and angles are seen without products of tensors. Layers are ConvNeXt
    blocks (:class:`~erlangen.nn.ponita_layers.Block`); every layer is read, and reads are averaged: a scalar is a mean over the
    orientations, a vector the mean of ``f_n o_n``.

    **What is exact.** Translations and the order of nodes; rotations and reflections that permute the grid (``net.orientations.group``;
    120 for ``"ico"``): ``er.assert_equivariant(net)`` tests these. Other rotations hold approximately, better with more orientations;
    :func:`erlangen.symmetrize` with ``frame=er.frames.Haar(k)`` averages over random ones. With an orientation given for each node
    (``ori``, e.g. :func:`lift_bonds`) there is no grid and all motions are exact, to rounding.

    Parameters, with ``C = hidden``, ``b = basis``, ``P(m) = m + ... + m^degree``, ``o`` outputs, ``w = widening``, separable kernels of
    the ``"paper"``: ``C in + (P(2) + P(1)) C + 2 C + 2 (C b + b)`` and for each layer ``2 b C + 3 C + (2 w C + w + 1) C + (C + 1) o``,
    and ``C`` more with a ``layer_scale``.

    Args:
        in_scalars, hidden, out_scalars, layers: numbers of each node, channels, numbers that come out, and layers.
        in_vectors, out_vectors: vectors of each node, and of what comes out.
        dim: of space.
        grid: orientations by name (:func:`~erlangen.actions.orientations.orientations`), as vectors ``[N, dim]`` or made; by default
            ``"ico"`` in space and ``"circle(12)"`` in the plane. Below twelve mostly aliasing is seen.
        radius: nodes farther apart do not see each other, and kernels fade out towards it; by default all do.
        attributes: ``"paper"``: ``o . d``, ``|d - (o . d) o|`` (softened, :func:`~erlangen.nn.ponita_kernels.across`), ``o . o'``;
            ``"complete"``: all that tells orbits of pairs apart.
        separable: kernels are products of one in space and one of orientations, or (``False``) joint: exact group convolutions, at
            ``N`` times the cost. Complete attributes need joint kernels, but for SE(2).
        task: ``"graph"``: sums over the nodes of each graph; ``"node"``.
        group: ``E(dim)``, or ``SE(dim)`` where mirror images are to be told apart; that needs complete attributes.
        basis: functions that kernels are combinations of; by default ``hidden``.
        degree: of the polynomials of invariants.
        widening: of the perceptrons.
        layer_scale: each block is scaled by so much at the start; ``None``: not.

    Attributes:
        orientations: the :class:`~erlangen.actions.orientations.Orientations`.
        grid: these, a buffer of the state.
        inp, out: how the grid's symmetries act on ``(pos, x, vec)`` and on what comes out.

    Raises:
        ArgumentError: naming the argument.

    Source: Bekkers, Vadgama, Hesselink, van der Linden & Romero, "Fast, Expressive SE(n) Equivariant Networks through Weight-Sharing in
    Position-Orientation Space", ICLR 2024, arXiv:2310.02970.

    >>> net = PONITA(in_scalars=2, hidden=16, out_scalars=1, layers=2, out_vectors=1, task="node")
    >>> scalars, vectors = net(torch.randn(7, 3), torch.randn(7, 2), batch=torch.tensor([0, 0, 0, 1, 1, 1, 1]))
    >>> scalars.shape, vectors.shape
    (torch.Size([7, 1]), torch.Size([7, 1, 3]))
    >>> import erlangen as er
    >>> bool(er.assert_equivariant(net))          # the symmetries of the icosahedron, and translations
    True
    """

    def __init__(
        self,
        in_scalars: int,
        hidden: int,
        out_scalars: int,
        layers: int,
        in_vectors: int = 0,
        out_vectors: int = 0,
        dim: int = 3,
        grid: str | Orientations | Tensor | None = None,
        radius: float | None = None,
        attributes: Attributes = "paper",
        separable: bool = True,
        task: Task = "graph",
        *,
        group: str | Group | None = None,
        basis: int | None = None,
        degree: int = 3,
        widening: int = 4,
        layer_scale: float | None = None,
    ) -> None:
        super().__init__(
            in_scalars,
            hidden,
            out_scalars,
            layers,
            in_vectors=in_vectors,
            out_vectors=out_vectors,
            dim=dim,
            radius=radius,
            task=task,
            basis=basis,
            widening=widening,
            layer_scale=layer_scale,
            fibre=separable,
        )
        if attributes not in get_args(Attributes):
            raise ArgumentError("attributes", "'paper' or 'complete'", repr(attributes))
        if not isinstance(degree, int) or degree < 1:
            raise ArgumentError("degree", "a positive whole number", repr(degree))
        self.proper = _is_proper(group, dim)
        self.invariants = Invariants(dim, self.proper, attributes == "complete", not separable)
        if grid is None:
            grid = "ico" if dim == 3 else "circle(12)"
        self.orientations = orientations(grid, dim)
        self.grid: Tensor
        self.register_buffer("grid", self.orientations.vectors.to(torch.get_default_dtype()))
        self.register_load_state_dict_post_hook(_take_grid)
        self.separable = separable
        numbers = self.invariants.spatial if separable else self.invariants.joint
        self.near = KernelBasis(numbers, hidden, self.basis, degree)
        self.turn = KernelBasis(self.invariants.angular, hidden, self.basis, degree) if separable else None

    def lift(self, x: Tensor, vec: Tensor | None, ori: Tensor | None) -> Float[Tensor, "*v N f"]:
        count = len(self.grid) if ori is None else 1
        f = x.unsqueeze(-2).expand(*x.shape[:-1], count, x.shape[-1])
        if vec is None:
            return f
        along = vec @ self.grid.T if ori is None else by_entry(vec, ori.unsqueeze(-2)).unsqueeze(-1)
        return torch.cat([f, along.mT], -1)

    def read(self, y: Float[Tensor, "*v N o"], ori: Tensor | None) -> tuple[Tensor, Tensor]:
        scalars, along = y.split([self.out_scalars, self.out_vectors], -1)
        o = self.grid if ori is None else ori.unsqueeze(-2)
        return scalars.mean(-2), along.mT @ o.to(along.dtype) / o.shape[-2]

    def dense(self, d: Tensor, square: Tensor, weight: Tensor | None) -> Neighbourhood | None:
        if self.turn is None:
            return None
        count = len(self.grid) // 2 if self.orientations.antipodal else len(self.grid)
        numbers = self.invariants.along(d, self.grid[:count], square.unsqueeze(-1), with_each)
        near = self.near(numbers)
        near = near if weight is None else near * weight[..., None, None].to(near.dtype)
        return Dense(near, self._turns(), self.orientations.antipodal)

    def edges(self, edges: Tensor, d: Tensor, square: Tensor, weight: Tensor, ori: Tensor | None, nodes: int) -> Neighbourhood:
        if ori is None and self.turn is not None:
            numbers = self.invariants.along(d, self.grid, square.unsqueeze(-1), with_each)
        elif ori is None:
            ways, receiver, sender = d[:, None, None], self.grid[:, None], self.grid
            numbers = self.invariants.all(ways, receiver, sender, square[:, None, None])
        elif self.turn is not None:
            numbers = self.invariants.along(d, ori[edges[0]], square, by_entry).unsqueeze(1)
        else:
            numbers = self.invariants.all(d, ori[edges[1]], ori[edges[0]], square).unsqueeze(1)
        near = self.near(numbers)
        near = near * weight.reshape(-1, *(1,) * (near.ndim - 1)).to(near.dtype)
        if ori is None:
            return Edges(edges, near, self._turns())
        turns = (
            None if self.turn is None else self.turn(self.invariants.between(ori[edges[1]], ori[edges[0]], by_entry).unsqueeze(1))
        )
        return Points(edges, near, turns, nodes)

    def _turns(self) -> Tensor | None:
        """The basis of the kernels of orientations, ``[N, N, b]``: from the first to the second."""
        return None if self.turn is None else self.turn(self.invariants.between(self.grid, self.grid, with_each))

    # ---- what it commutes with ----

    @cached_property
    def symmetry(self) -> AffineGroup:
        """The motions that are exact on the grid: all translations, and the grid's symmetries."""
        linear = self.orientations.rotations if self.proper else self.orientations.group
        return AffineGroup(linear, f"translations and {linear}")

    @property
    def inp(self) -> Action:
        return _inputs(self.symmetry, self.in_scalars, self.in_vectors)

    @property
    def out(self) -> Action:
        return _outputs(self.symmetry, self.out_scalars, self.out_vectors)

    def example(
        self, *batch: int, generator: torch.Generator | None = None, dtype: torch.dtype | None = None
    ) -> tuple[Tensor, ...]:
        """Random graphs of five nodes: what :attr:`inp` acts on."""
        return _example(self, batch, generator, dtype)

    def _apply(self, fn: Any, recurse: bool = True) -> Any:
        # Rounded to another precision and back, a grid would not be symmetric to the last digit.
        super()._apply(fn, recurse)
        self.grid = self.orientations.vectors.to(self.grid)
        return self

    def extra_repr(self) -> str:
        return f"grid={self.orientations.name}, separable={self.separable}, task={self.task}"


class PNITA(PointNetwork):
    """:class:`PONITA` without orientations: kernels see distances only. Exactly invariant under E(dim), and blind to angles.

    Args:
        in_scalars, hidden, out_scalars, layers, dim, radius, task, basis, degree, widening, layer_scale: as for :class:`PONITA`.
        in_vectors, out_vectors: none; they are there to be refused by name.

    Raises:
        ArgumentError: naming the argument.

    >>> net = PNITA(in_scalars=2, hidden=16, out_scalars=1, layers=2)
    >>> net(torch.randn(5, 7, 3), torch.randn(5, 7, 2))[0].shape
    torch.Size([5, 1])
    """

    def __init__(
        self,
        in_scalars: int,
        hidden: int,
        out_scalars: int,
        layers: int,
        in_vectors: int = 0,
        out_vectors: int = 0,
        dim: int = 3,
        radius: float | None = None,
        task: Task = "graph",
        *,
        basis: int | None = None,
        degree: int = 3,
        widening: int = 4,
        layer_scale: float | None = None,
    ) -> None:
        for name, number in (("in_vectors", in_vectors), ("out_vectors", out_vectors)):
            if number:
                raise ArgumentError(name, "0: without orientations there are no vectors", number, "PONITA has them")
        super().__init__(
            in_scalars,
            hidden,
            out_scalars,
            layers,
            in_vectors=0,
            out_vectors=0,
            dim=dim,
            radius=radius,
            task=task,
            basis=basis,
            widening=widening,
            layer_scale=layer_scale,
            fibre=False,
        )
        self.near = KernelBasis(1, hidden, self.basis, degree)

    def lift(self, x: Tensor, vec: Tensor | None, ori: Tensor | None) -> Float[Tensor, "*v 1 f"]:
        return x.unsqueeze(-2)

    def read(self, y: Float[Tensor, "*v 1 o"], ori: Tensor | None) -> tuple[Tensor, Tensor]:
        return y.squeeze(-2), y.new_zeros(*y.shape[:-2], 0, self.dim)

    def dense(self, d: Tensor, square: Tensor, weight: Tensor | None) -> Neighbourhood | None:
        near = self.near(length(square)[..., None, None])
        return Dense(near if weight is None else near * weight[..., None, None].to(near.dtype), None, False)

    def edges(self, edges: Tensor, d: Tensor, square: Tensor, weight: Tensor, ori: Tensor | None, nodes: int) -> Neighbourhood:
        if ori is not None:
            raise ArgumentError("ori", "none: the network has no orientations", "some")
        near = self.near(length(square)[:, None, None])
        return Edges(edges, near * weight[:, None, None].to(near.dtype), None)

    @property
    def inp(self) -> Action:
        return _inputs(E(self.dim), self.in_scalars, 0)

    @property
    def out(self) -> Action:
        return _outputs(E(self.dim), self.out_scalars, 0)

    def example(
        self, *batch: int, generator: torch.Generator | None = None, dtype: torch.dtype | None = None
    ) -> tuple[Tensor, ...]:
        """Random graphs of five nodes: what :attr:`inp` acts on."""
        return _example(self, batch, generator, dtype)


def _is_proper(group: str | Group | None, dim: int) -> bool:
    """Whether it is SE(dim); E(dim) by default."""
    from erlangen.groups.names import parse_group

    if group is None:
        return False
    found = parse_group(group) if isinstance(group, str) else group
    for proper, known in ((True, SE(dim)), (False, E(dim))):
        if found == known:
            return proper
    raise ArgumentError("group", f"E({dim}) or SE({dim})", repr(group))


def _take_grid(net: nn.Module, _: Any) -> None:
    """After weights were loaded: the grid is theirs; where it is the own one but for rounding, the own one is more exact."""
    assert isinstance(net, PONITA)
    if torch.equal(net.orientations.vectors.to(net.grid), net.grid):
        return
    loaded = net.grid.detach().double().cpu()
    found = Orientations(loaded, "loaded orientations")
    if not torch.allclose(found.vectors, loaded, atol=1e-2 if net.grid.dtype == torch.bfloat16 else 1e-3):
        expected = "a grid of unit vectors, the second half the negatives of the first where it is antipodal"
        raise ArgumentError("state_dict", expected, "another")
    found.vectors = loaded  # to the last bit, as they were trained
    net.orientations = found
    net.__dict__.pop("symmetry", None)


def _inputs(group: Any, scalars: int, vectors: int) -> Action:
    parts = (group.point, scalars * group.scalar if scalars else None, group.vector)
    return Record(parts if vectors else parts[:2])


def _outputs(group: Any, scalars: int, vectors: int) -> Action:
    return Record((scalars * group.scalar if scalars else None, group.vector if vectors else None))


def _example(
    net: PointNetwork, batch: tuple[int, ...], generator: torch.Generator | None, dtype: torch.dtype | None
) -> tuple[Tensor, ...]:
    shapes = [(net.dim,), (net.in_scalars,), (net.in_vectors, net.dim)]
    made = tuple(torch.randn(*batch, 5, *shape, generator=generator, dtype=dtype) for shape in shapes)
    return made if net.in_vectors else made[:2]
