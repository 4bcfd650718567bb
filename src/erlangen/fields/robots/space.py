"""`RadialSpace`: bodies of a torso with ``n`` legs as tensors, how the dihedral group moves them, and bodies with a given symmetry."""

from __future__ import annotations

import math
import re
from functools import cached_property
from numbers import Integral

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from erlangen.actions.axes import OnAxes
from erlangen.design import Symmetrizer
from erlangen.errors import ArgumentError
from erlangen.groups import Dihedral, generated, subgroup_lattice
from erlangen.groups.base import Element
from erlangen.groups.finite import orbits_of
from erlangen.groups.haar import planar_rotation
from erlangen.groups.lasting import Lasting
from erlangen.groups.subgroups import Subgroup, SubgroupLattice
from erlangen.reps.basic import Trivial
from erlangen.reps.monomial import InBasis, Induced

#: What the six numbers of a bone are, and the box of each: metres, the last without a unit.
ATTRIBUTES = ("x", "y", "z", "radius", "ext_start", "gear")
LOWER, UPPER = (-0.5, -0.5, -0.5, 0.03, 0.0, 20.0), (0.5, 0.5, 0.5, 0.10, 0.2, 400.0)
#: Bodies from the torso to the end of a leg, and legs, at most: all subgroups are listed, in seconds for so many.
DEEPEST, MOST_LEGS = 4, 40
#: What is left of a bone behind the gap at its joint is at least so long, in metres.
SHORTEST = 0.05


class RadialSpace:
    """The designs ``[*batch, n_legs, depth, 6]`` of robots with legs around a torso, and the dihedral group ``D_n`` that moves them.

    A bone has six numbers: the offset ``x, y, z`` to its end in metres (``x, y`` in the robot's horizontal plane, not in the leg's), the
    radius of its capsule, the gap ``ext_start`` between its joint and its capsule, and the gear of its motor. An element takes leg ``i`` to
    leg ``k + i`` or ``k - i`` and turns or mirrors ``x, y``; heights, radii, gaps and gears go along with the leg.

    Args:
        n_legs: 1 to 40.
        depth: bones of a leg, 1 to 4.
        x_axis_index: to which half step between legs the x axis points: 0, leg 0; 1, between legs 0 and 1 (legs as an X instead of a +).

    Attributes:
        group: ``er.Dihedral(n_legs)``.
        action: how it acts on designs.
        legs, plane: how it acts on one number of each leg, and on horizontal vectors.
        angles: of the legs, in radians from the x axis, ``[n_legs]``.

    Source: H. Dong, J. Zhang, T. Wang, C. Zhang, "Symmetry-aware robot design with structured subgroups", ICML 2023, arXiv:2306.00036.

    >>> space = RadialSpace(4)
    >>> design = space.random(1000, generator=torch.Generator().manual_seed(0))
    >>> frog = space.clamp(space.symmetrizer("K_0")(design))         # mirrored at the x axis
    >>> mirror = space.group.element(0, 1)
    >>> float((space.action.act(mirror, frog) - frog).abs().max()) < 1e-4, space.dim("K_0")
    (True, (3, 4))
    """

    def __init__(self, n_legs: int, depth: int = 2, x_axis_index: int = 0) -> None:
        for name, value, most in (("n_legs", n_legs, MOST_LEGS), ("depth", depth, DEEPEST)):
            if not _is_whole(value) or not 1 <= value <= most:
                raise ArgumentError(name, f"a whole number from 1 to {most}", repr(value))
        if not _is_whole(x_axis_index):
            raise ArgumentError("x_axis_index", "a whole number of half steps between legs", repr(x_axis_index))
        n_legs, depth, x_axis_index = int(n_legs), int(depth), int(x_axis_index)
        self.n_legs, self.depth, self.x_axis_index = n_legs, depth, x_axis_index
        self.group = G = Dihedral(n_legs)
        # Legs are where the group takes leg 0: cosets of what keeps it, the mirror along it.
        self.legs = Induced(generated(G, G.element(torch.tensor([0]), torch.tensor([1]))))
        first = -math.pi * x_axis_index / n_legs
        self.angles = first + 2 * math.pi / n_legs * torch.arange(n_legs, dtype=torch.float64)
        back = planar_rotation(torch.tensor(-first, dtype=torch.float64))
        self.plane = InBasis(G.plane, back) if x_axis_index else G.plane
        one = Trivial(G)
        self.action = OnAxes({-3: self.legs, -2: depth * one, -1: self.plane + 4 * one})
        self._planar = OnAxes({-3: self.legs, -2: depth * one, -1: self.plane})

    def __repr__(self) -> str:
        return f"RadialSpace({self.n_legs}, depth={self.depth}, x_axis_index={self.x_axis_index})"

    # ---- subgroups ----

    @cached_property
    def lattice(self) -> SubgroupLattice:
        """All subgroups of ``D_n``."""
        return subgroup_lattice(self.group)

    def subgroup(self, of: Subgroup | str) -> Subgroup:
        """A subgroup by its name: ``H_d``, ``H_d_l``; of one mirror also ``K_l``, the source's name of ``H_n_l``.

        Raises:
            ArgumentError: there is none of that name, or it is of another group; the message lists the names.
        """
        if isinstance(of, Subgroup):
            if of.parent != self.group:
                raise ArgumentError("subgroup", f"a subgroup of {self.group}, for {self.n_legs} legs", f"one of {of.parent}")
            return of
        mirror = re.fullmatch(r"K_(\d+)", str(of))
        name = f"H_{self.n_legs}_{mirror[1]}" if mirror else of
        if name not in self.lattice.names:
            mirrors = ", ".join(f"K_{i}" for i in range(self.n_legs))
            raise ArgumentError("subgroup", f"one of {', '.join(self.lattice.names)}, {mirrors}", repr(of))
        return self.lattice.subgroups[self.lattice.place(name)]

    def leg_permutation(self, g: Element) -> Int[Tensor, "*batch n_legs"]:
        """Where elements take the legs: leg ``i`` to ``leg_permutation(g)[..., i]``."""
        return self.legs.matrix(g).argmax(-2)

    def orbits(self, subgroup: Subgroup | str) -> list[list[int]]:
        """Legs that a subgroup takes to each other, each orbit ascending, by their first."""
        return [orbit.tolist() for orbit in orbits_of(self.leg_permutation(self.subgroup(subgroup).elements))]

    def dim(self, subgroup: Subgroup | str) -> tuple[int, int]:
        """How many numbers are free in one scalar and in one horizontal vector of all legs: the means of the two characters.

        >>> RadialSpace(4).dim("H_2_0"), RadialSpace(4, x_axis_index=1).dim("H_2_1")
        ((2, 2), (1, 2))
        """
        every = self.subgroup(subgroup).elements
        kept = self.legs.character(every).to(torch.float64)
        return round(float(kept.mean())), round(float((kept * self.plane.character(every)).mean()))

    def in_words(self, subgroup: Subgroup | str) -> str:
        """What a subgroup does, the turn by nothing left out.

        >>> [RadialSpace(4).in_words(name) for name in ("H_4", "H_2", "K_1", "H_1_0")]
        ['no symmetry', 'a half turn', '1 mirror', 'turns by 90 degrees and 4 mirrors']
        """
        _, reflected = self.group.parts(self.subgroup(subgroup).elements)
        mirrors = int(reflected.sum())
        turns = len(reflected) - mirrors
        parts = [] if turns == 1 else ["a half turn"] if turns == 2 else [f"turns by {360 / turns:g} degrees"]
        parts += [f"{mirrors} mirror{'s' * (mirrors > 1)}"] if mirrors else []
        return " and ".join(parts) or "no symmetry"

    def symmetrizer(self, subgroup: Subgroup | str, mode: str = "projection") -> nn.Module:
        """The map that gives designs the symmetry of a subgroup.

        Args:
            subgroup: or its name.
            mode: ``"projection"``: the mean over the subgroup, :class:`erlangen.design.Symmetrizer`; ``"paper"``: as in the source's code,
                :class:`PaperSymmetrizer`.
        """
        found = self.subgroup(subgroup)
        if mode not in ("projection", "paper"):
            raise ArgumentError("mode", "'projection' or 'paper'", repr(mode))
        return Symmetrizer(found, self.action) if mode == "projection" else PaperSymmetrizer(self, found)

    # ---- designs ----

    @property
    def scale(self) -> Float[Tensor, " 6"]:
        """Half the width of each box, float64: the unit of a change of a design, as :func:`erlangen.design.evolve` takes it."""
        low, high = (torch.tensor(box, dtype=torch.float64) for box in (LOWER, UPPER))
        return (high - low) / 2

    def from_raw(self, raw: Float[Tensor, "*batch n d 6"]) -> Float[Tensor, "*batch n d 6"]:
        """Any numbers, of which ``[-1, 1]`` is enough, as designs in the boxes: the middle and ``sin(pi raw / 2)`` half widths.

        >>> RadialSpace(3, 1).from_raw(torch.zeros(3, 1, 6))[0, 0].tolist()[-1]
        210.0
        """
        self._checked(raw, "raw")
        low, high = self._box(raw)
        return (low + high) / 2 + (high - low) / 2 * torch.sin(math.pi / 2 * raw)

    def random(
        self, *batch: int, generator: torch.Generator | None = None, dtype: torch.dtype | None = None
    ) -> Float[Tensor, "*batch n d 6"]:
        """Designs of uniform raw numbers, clamped."""
        raw = 2 * torch.rand(*batch, self.n_legs, self.depth, 6, generator=generator, dtype=dtype) - 1
        return self.clamp(self.from_raw(raw))

    def clamp(self, design: Float[Tensor, "*batch n d 6"]) -> Float[Tensor, "*batch n d 6"]:
        """The design with what cannot be built mended, by rules that the group does not notice: a symmetric design stays symmetric.

        Scalars are clamped to their boxes, horizontal offsets to the disc of radius 0.5 m, which all turns keep inside the box. A bone
        shorter than its gap and 5 cm is made that long: away from a point on the inner side of its joint, so that a bone of length zero,
        the average of opposite ones, points outward along its leg, and one that is nearly so nearly there.

        Raises:
            ArgumentError: another shape, or NaN or infinity in the design.
        """
        self._checked(design, "design")
        low, high = self._box(design)
        flat = design[..., :2]
        flat = flat / flat.detach().abs().amax(-1, keepdim=True).clamp_min(1.0)  # squares of large numbers would be infinite
        size = flat.square().sum(-1, keepdim=True).clamp_min(UPPER[0] ** 2).sqrt()  # no root of zero, which has no gradient
        flat = flat * (UPPER[0] / size)
        rest = design[..., 2:].clamp(low[2:], high[2:])
        offset = torch.cat([flat, rest[..., :1]], -1)
        least = rest[..., 2:3] + SHORTEST
        outward = torch.stack([self.angles.cos(), self.angles.sin(), torch.zeros_like(self.angles)], -1).to(design).unsqueeze(-2)
        longer = _pushed_out(offset, outward, least)
        short = offset.square().sum(-1, keepdim=True) < least.square()
        return torch.cat([torch.where(short, longer, offset), rest[..., 1:]], -1)

    def _box(self, like: Tensor) -> tuple[Tensor, Tensor]:
        return like.new_tensor(LOWER), like.new_tensor(UPPER)

    def _checked(self, design: Tensor, argument: str) -> None:
        self.action.check(design, argument)
        if not design.is_floating_point():
            raise ArgumentError(argument, "floating-point numbers", design.dtype)
        bad = ~torch.isfinite(design)
        if bool(bad.any()):
            where = ", ".join(sorted({ATTRIBUTES[i] for i in bad.nonzero()[:, -1].tolist()}, key=ATTRIBUTES.index))
            raise ArgumentError(argument, "finite numbers", f"NaN or infinity in {where}")


class PaperSymmetrizer(nn.Module, metaclass=Lasting):
    """The symmetrising map of the source's code: no projector, kept to compare with.

    Heights, radii and gaps are copied from the leg of smallest number in each orbit; horizontal offsets become the mean over the subgroup
    times ``sqrt(2) / 2``, which keeps them in their box however they are turned, and makes them shorter each time; gears stay as they are.

    >>> space = RadialSpace(4, 1)
    >>> design = space.random(generator=torch.Generator().manual_seed(0))
    >>> found = space.symmetrizer("H_2", mode="paper")(design)
    >>> bool((found[2, 0, 2:5] == design[0, 0, 2:5]).all()), bool((found[..., 5] == design[..., 5]).all())
    (True, True)
    """

    source: Tensor

    def __init__(self, space: RadialSpace, subgroup: Subgroup) -> None:
        super().__init__()
        self.space, self.subgroup = space, subgroup
        self.mean = Symmetrizer(subgroup, space._planar)
        source = torch.arange(space.n_legs)
        for orbit in space.orbits(subgroup):
            source[orbit] = orbit[0]
        self.register_buffer("source", source, persistent=False)

    def forward(self, design: Float[Tensor, "*batch n d 6"]) -> Float[Tensor, "*batch n d 6"]:
        self.space.action.check(design, "design")
        copied = design[..., 2:5].index_select(-3, self.source)
        return torch.cat([self.mean(design[..., :2]) * (math.sqrt(2) / 2), copied, design[..., 5:]], -1)


def links(a: RadialSpace, b: RadialSpace) -> list[tuple[str, str]]:
    """Subgroups of two numbers of legs that are the same turns and mirrors of the plane, by their names: where a search may change ``n``.

    >>> links(RadialSpace(4), RadialSpace(6))
    [('H_4', 'H_6'), ('H_2', 'H_3'), ('H_4_0', 'H_6_0'), ('H_4_2', 'H_6_3'), ('H_2_0', 'H_3_0')]
    """
    there = {_matrices(b, subgroup): name for name, subgroup in zip(b.lattice.names, b.lattice.subgroups)}
    pairs = ((name, there.get(_matrices(a, subgroup))) for name, subgroup in zip(a.lattice.names, a.lattice.subgroups))
    return [(name, other) for name, other in pairs if other is not None]


def _is_whole(value: object) -> bool:
    return isinstance(value, Integral) and not isinstance(value, bool)


def _matrices(space: RadialSpace, subgroup: Subgroup) -> frozenset[tuple[float, ...]]:
    """The matrices of a subgroup in the plane, to nine digits: those of so few legs differ by far more."""
    rounded = space.plane.matrix(subgroup.elements).flatten(1).round(decimals=9) + 0.0  # no -0
    return frozenset(map(tuple, rounded.tolist()))


def _pushed_out(offset: Tensor, outward: Tensor, radius: Tensor) -> Tensor:
    """Where the ray from ``-outward radius / 2`` through the offset meets the sphere of that radius; ``outward`` itself from its start."""
    start = -outward * radius / 2
    ray = offset - start
    square = ray.square().sum(-1, keepdim=True)
    least = torch.finfo(square.dtype).tiny
    ray = torch.where(square > least, ray / square.clamp_min(least).sqrt(), outward)
    along = (start * ray).sum(-1, keepdim=True)
    return start + ray * (-along + (along.square() + 0.75 * radius.square()).clamp_min(0).sqrt())
