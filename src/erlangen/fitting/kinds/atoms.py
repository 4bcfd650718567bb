"""Atoms: molecules and crystals of different sizes, moved in space, their atoms renumbered."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from erlangen.actions import PerDatum, Record
from erlangen.actions.base import Action
from erlangen.actions.graphs import nodes
from erlangen.fitting.kinds.atom_network import AtomNetwork, Reads, edges_of
from erlangen.fitting.kinds.base import Candidate, DataKind
from erlangen.fitting.kinds.order import Through, factors_of
from erlangen.groups import SE, E, Symmetric, Translations
from erlangen.groups.base import Group
from erlangen.groups.products import DirectProduct

#: Atoms nearer than this, in angstrom, send messages to each other, at most from so many neighbours.
CUTOFF, NEIGHBOURS = 5.0, 32


@dataclass(frozen=True)
class Atoms(DataKind):
    """Inputs ``{"pos": [B, size, 3], "numbers": int64 [B, size], "cell": [B, 3, 3], "pbc": bool [B, 3]}``, atomic number 0 for no atom.

    Groups are products ``G x S(size)`` of E(3), SE(3) or the translations and all orders of the atoms. The network sends messages between
    neighbours, periodic images among them, and sums over atoms: translations and orders change nothing, whatever its weights. The
    plain one reads directions as they stand in the file, that for E(3) or SE(3) only what these leave alone.

    >>> kind = Atoms((1,), False, size=9)
    >>> [str(c.group) for c in kind.candidates()]
    ['E(3) x S_9', 'SE(3) x S_9', 'Translations(3) x S_9']
    """

    name: ClassVar[str] = "atoms"
    largest_batch: ClassVar[int | None] = 64

    size: int
    cutoff: float = CUTOFF

    def candidates(self) -> tuple[Candidate, ...]:
        known = "by its kind: no orientation, no origin and no order of the atoms is given"
        order = Symmetric(self.size)
        return (
            Candidate(DirectProduct(E(3), order), known),
            Candidate(DirectProduct(SE(3), order), "the same without reflections, for what tells left from right"),
            Candidate(
                DirectProduct(Translations(3), order), "the same without rotations, for what depends on a direction in space"
            ),
        )

    def input_action(self, group: Group) -> Action | None:
        order, moves = Symmetric(self.size), [factor for factor in factors_of(group) if factor != Symmetric(self.size)]
        if not isinstance(group, DirectProduct) or len(moves) != 1 or moves[0] not in (E(3), SE(3), Translations(3)):
            return None
        which = [factor == order for factor in group.factors]
        turns = [None if is_order else (moves[0].vector if moves[0] != Translations(3) else None) for is_order in which]
        return Record(
            {
                "pos": Through(group, tuple(nodes(order) if o else moves[0].point for o in which), (self.size, 3)),
                "numbers": Through(group, tuple(order.vector if o else None for o in which), (self.size,)),
                "cell": Through(group, tuple(turns), (3, 3)),
                "pbc": PerDatum(group),
            }
        )

    def output_action(self, group: Group) -> Action:
        if not self.vector:
            return group.scalar
        turns = tuple(f.vector if f in (E(3), SE(3)) else None for f in factors_of(group))
        assert isinstance(group, DirectProduct)
        return Through(group, turns, (3,))

    def prepared(self, x: dict[str, Tensor]) -> dict[str, Tensor]:
        return edges_of(x, self.cutoff, NEIGHBOURS)

    def network(self, width: int, depth: int, dropout: float, group: Group | None = None) -> AtomNetwork:
        moves = () if group is None else factors_of(group)
        reads: Reads = "lengths" if E(3) in moves else "turns" if SE(3) in moves else "raw"
        return AtomNetwork(self.shape, self.vector, reads, self.cutoff, NEIGHBOURS, width, depth, dropout)

    def standardise(self, network: AtomNetwork, model: AtomNetwork, x: dict[str, Tensor], y: Tensor, out_scale: float) -> None:
        network.standardise(x, y)

    def __str__(self) -> str:
        return f"structures of up to {self.size} atoms"
