"""The class group of an order on the curves that have it for their endomorphisms: an :class:`erlangen.Action`, free and transitive."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from erlangen.actions.base import Action
from erlangen.errors import ArgumentError
from erlangen.extras import engine
from erlangen.fields.curves.class_groups import ClassGroup, class_group
from erlangen.fields.curves.curve import Curve
from erlangen.fields.curves.ideals import Ideal
from erlangen.fields.curves.kernel_ideals import eigenvalue
from erlangen.fields.curves.orders import check_prime, square_root
from erlangen.fields.curves.walk import walk
from erlangen.reps.points import PointSet
from erlangen.verdict import Verdict


class ClassGroupAction(Action):
    """``a * E = E/E[a]`` for the classes of invertible ideals, on the curves with one order of endomorphisms and one trace.

    Elements are residues of ``group`` (see :class:`erlangen.groups.FiniteAbelian`), data are curves; an element moves a curve by the
    cheapest word in small prime ideals. Orbits, stabilizers and representatives are those of every action.

    Args:
        E: a curve; the group is the class group of its endomorphisms.

    Attributes:
        curve: the one that was given.
        order: the quadratic order.
        classes: the class group with forms and words (:class:`~erlangen.fields.curves.ClassGroup`).

    >>> E = Curve.montgomery(419, 0)
    >>> action = class_group_action(E)
    >>> action.group, [curve.montgomery_coefficient for curve in action.orbit(E)[:6]]
    (Z/27, [0, 158, 410, 368, 404, 75])
    >>> action.stabilizer(E).tolist(), action.points().is_transitive
    ([[0]], True)
    """

    def __init__(self, E: Curve) -> None:
        if not isinstance(E, Curve):
            raise ArgumentError("E", "a Curve", repr(E))
        self.curve, self.order = E, E.endomorphism_order()
        self.classes: ClassGroup = class_group(self.order, avoiding=E.p * E.frobenius_order.f)
        super().__init__(self.classes.group)

    def act(self, g: Tensor, x: Curve) -> Curve:
        self.check_curve(x)
        steps = []
        for (ell, b), k in self.classes.word(g).items():
            steps += [(ell, eigenvalue(x, ell, b if k > 0 else -b))] * abs(k)
        return walk(x, steps)[-1] if steps else x

    def act_ideal(self, ideal: Ideal, x: Curve) -> Curve:
        """What the class of an invertible ideal makes of a curve.

        Raises:
            ArgumentError: an ideal of another order, or one that is not invertible.
        """
        return self.act(self.classes.element(ideal), x)

    def compared(self, x: Curve) -> Any:
        return x.key

    def check_curve(self, x: Curve, argument: str = "x") -> None:
        """Raise ArgumentError unless the class group acts on a curve: same field, trace and endomorphisms."""
        expected = f"a curve over the field of {self.curve.p} elements of trace {self.curve.trace}, with endomorphisms {self.order}"
        if not isinstance(x, Curve) or (x.p, x.trace) != (self.curve.p, self.curve.trace):
            got = repr(x) if not isinstance(x, Curve) else f"{x} of trace {x.trace}"
            raise ArgumentError(argument, expected, got)
        if x.endomorphism_order() != self.order:
            raise ArgumentError(argument, expected, f"{x} with {x.endomorphism_order()}")

    def points(self) -> PointSet:
        """The curves as a finite set that the group exchanges, with its Schreier graph (``.schreier_graph()``)."""
        return PointSet.closed(self, [self.curve])

    def is_torsor(self) -> Verdict:
        """Whether the action is free and transitive: the orbit has as many curves as there are classes, and all curves of an isogeny class
        with these endomorphisms are in it.

        Goes through the whole field where that has up to 10 000 elements; else only freeness is decided, with its own claim.
        """
        from erlangen.fields.curves.curve import curves_with_trace

        orbit = set(self.orbit(self.curve))
        free = len(orbit) == int(self.group.order)
        if self.curve.p > 10_000:
            return Verdict(free, f"the class group of {self.order} acts freely", "exhaustive", len(orbit), {"orbit": len(orbit)})
        there = {E for E in curves_with_trace(self.curve.p, self.curve.trace) if E.endomorphism_order() == self.order}
        return Verdict(
            free and orbit == there,
            f"the class group of {self.order} acts freely and transitively on the curves of trace {self.curve.trace}",
            how="exhaustive",
            tried=len(there),
            numbers={"orbit": len(orbit), "curves": len(there), "classes": int(self.group.order)},
            witness=next(iter(orbit ^ there), None),
        )

    def graph(self, primes: tuple[int, ...] = ()) -> Any:
        """The Cayley graph of the class group on the curves: an arrow ``E -> E/E[l]`` for each of some small primes.

        Args:
            primes: which; by default the three smallest.

        Returns:
            a ``networkx.MultiDiGraph`` of curves; arrows have ``ell``.

        Raises:
            ArgumentError: a prime that does not split, or divides the conductor of ``Z[pi]``.
        """
        graph = engine("isogeny", "networkx").MultiDiGraph()
        chosen = self.letters(primes)
        graph.add_nodes_from(self.orbit(self.curve))
        for E in list(graph):
            for ell, b in chosen:
                graph.add_edge(E, walk(E, [(ell, eigenvalue(E, ell, b))])[-1], ell=ell)
        return graph

    def letters(self, primes: tuple[int, ...] = ()) -> list[tuple[int, int]]:
        """Some primes with the ``b`` of their ideals ``(ell, (-b + sqrt D)/2)``."""
        for ell in primes:
            check_prime(ell, "primes")
            if (self.curve.p * self.curve.frobenius_order.f) % ell == 0:
                raise ArgumentError("primes", "primes that do not divide the conductor of Z[pi]", repr(ell))
        return [(ell, square_root(self.order.discriminant, ell)) for ell in primes] or list(self.classes.primes[:3])


def class_group_action(E: Curve) -> ClassGroupAction:
    """How the class group of a curve's endomorphisms acts on the curves that share them.

    Raises:
        ArgumentError: not a :class:`~erlangen.fields.curves.Curve`.
        UnsupportedError: the order of its endomorphisms, or a class group of this size, is out of reach; the message says which.
    """
    return ClassGroupAction(E)
