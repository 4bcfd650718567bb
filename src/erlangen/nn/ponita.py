"""`PONITA`: group convolutions on positions and orientations, steered by invariants of pairs; `PNITA`, its twin without orientations."""

from __future__ import annotations

from functools import cached_property
from typing import Any, Literal, get_args

import torch
from jaxtyping import Float
from torch import Tensor, nn

from erlangen.actions.base import Action
from erlangen.actions.orientations import Orientations, Zonal, orientations
from erlangen.actions.records import Record
from erlangen.errors import ArgumentError
from erlangen.groups.affine import SE, AffineGroup, E
from erlangen.groups.base import Group
from erlangen.nn.ponita_base import PointNetwork, Task
from erlangen.nn.ponita_kernels import Invariants, KernelBasis, by_entry, length, with_each
from erlangen.nn.ponita_layers import AllTurns, Dense, Edges, Neighbourhood, Points, ZonalTurns

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
        for name in Zonal._fields:
            self.register_buffer(name, None, persistent=False)
        self.register_load_state_dict_post_hook(_take_grid)
        self.separable = separable
        numbers = self.invariants.spatial if separable else self.invariants.joint
        self.near = KernelBasis(numbers, hidden, self.basis, degree)
        self.turn = KernelBasis(self.invariants.angular, hidden, self.basis, degree) if separable else None
        self._set_zonal()

    def _set_zonal(self) -> None:
        """What the grid's :class:`Zonal` says, beside the grid; nothing where kernels see more than the angle, or it has none."""
        zonal = self.orientations.zonal if self.separable and not self.invariants.signed else None
        self.pairs: Tensor | None = None if zonal is None else zonal.pairs.to(self.grid.device)
        self.modes: Tensor | None = None if zonal is None else zonal.modes.to(self.grid)
        self.values: Tensor | None = None if zonal is None else zonal.values.to(self.grid)

    def lift(self, x: Tensor, vec: Tensor | None, ori: Tensor | None) -> Float[Tensor, "N *v C"]:
        if ori is not None:
            return self.embed(x if vec is None else torch.cat([x, by_entry(vec, ori.unsqueeze(-2))], -1)).unsqueeze(0)
        scalars, vectors = self.embed.weight.split([self.in_scalars, self.in_vectors], 1)
        even = nn.functional.linear(x, scalars)
        if vec is None:
            return even.expand(len(self.grid), *even.shape)
        # Linear in the vectors, so that their components along the axes are embedded, and not those along each orientation.
        parts = torch.cat([even.unsqueeze(0), nn.functional.linear(vec.movedim(-1, 0), vectors)])
        ways = torch.cat([torch.ones_like(self.grid[:, :1]), self.grid], 1)
        return (ways @ parts.flatten(1)).view(len(ways), *even.shape)

    def read(self, y: Float[Tensor, "N *v o"], ori: Tensor | None) -> tuple[Tensor, Tensor]:
        scalars, along = y.split([self.out_scalars, self.out_vectors], -1)
        if ori is None:
            way = (self.grid.T.to(along.dtype) @ along.flatten(1)).view(self.dim, *along.shape[1:]).movedim(0, -1)
            return scalars.mean(0), way / len(self.grid)
        return scalars[0], along[0].unsqueeze(-1) * ori.unsqueeze(-2).to(along.dtype)

    def dense(self, d: Tensor, square: Tensor, weight: Tensor | None) -> Neighbourhood | None:
        if self.turn is None:
            return None
        count = len(self.grid) // 2 if self.orientations.antipodal else len(self.grid)
        numbers = self.invariants.along(d, self.grid[:count], square, with_each)
        near = self.near(numbers)
        near = near if weight is None else near * weight.unsqueeze(-1).to(near.dtype)
        return Dense(near, self._turns(), self.orientations.antipodal)

    def edges(self, edges: Tensor, d: Tensor, square: Tensor, weight: Tensor, ori: Tensor | None, nodes: int) -> Neighbourhood:
        if ori is None and self.turn is not None:
            numbers = self.invariants.along(d, self.grid, square, with_each)
        elif ori is None:
            numbers = self.invariants.all(d, self.grid[:, None, None], self.grid[:, None], square)
        elif self.turn is not None:
            numbers = self.invariants.along(d, ori[edges[0]], square, by_entry).unsqueeze(0)
        else:
            numbers = self.invariants.all(d, ori[edges[1]], ori[edges[0]], square).unsqueeze(0)
        near = self.near(numbers)
        near = near * weight.unsqueeze(-1).to(near.dtype)
        if ori is None:
            return Edges(edges, near, self._turns())
        turns = (
            None if self.turn is None else self.turn(self.invariants.between(ori[edges[1]], ori[edges[0]], by_entry).unsqueeze(0))
        )
        return Points(edges, near, turns, nodes)

    def _turns(self) -> AllTurns | ZonalTurns | None:
        """The second step, with the basis of its kernels."""
        if self.turn is None:
            return None
        if self.pairs is None or self.modes is None or self.values is None:
            return AllTurns(self.turn(self.invariants.between(self.grid, self.grid, with_each)))
        o, p = self.grid[self.pairs]
        return ZonalTurns(self.turn(self.invariants.between(o, p, by_entry)), self.modes, self.values)

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
        self._set_zonal()
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

    def lift(self, x: Tensor, vec: Tensor | None, ori: Tensor | None) -> Float[Tensor, "1 *v C"]:
        return self.embed(x).unsqueeze(0)

    def read(self, y: Float[Tensor, "1 *v o"], ori: Tensor | None) -> tuple[Tensor, Tensor]:
        return y[0], y.new_zeros(*y.shape[1:-1], 0, self.dim)

    def dense(self, d: Tensor, square: Tensor, weight: Tensor | None) -> Neighbourhood | None:
        near = self.near(length(square)[None, ..., None])
        return Dense(near if weight is None else near * weight.unsqueeze(-1).to(near.dtype), None, False)

    def edges(self, edges: Tensor, d: Tensor, square: Tensor, weight: Tensor, ori: Tensor | None, nodes: int) -> Neighbourhood:
        if ori is not None:
            raise ArgumentError("ori", "none: the network has no orientations", "some")
        near = self.near(length(square)[None, :, None])
        return Edges(edges, near * weight.unsqueeze(-1).to(near.dtype), None)

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
    net._set_zonal()
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
