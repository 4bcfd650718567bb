"""Null infinity in three dimensions: the group BMS3, its action on boundary data, charges, and the link of past and future.

Functions on the circle are given as values ``[*batch, N]`` at ``2 pi j / N``, N even, as numbers, as functions of the angles or as
:class:`CircleField`.
"""

from erlangen.fields.spacetime.data import BoundaryData
from erlangen.fields.spacetime.derivation import derive
from erlangen.fields.spacetime.drawing import draw_aspects, draw_charges, draw_history
from erlangen.fields.spacetime.elements import BMS3Element
from erlangen.fields.spacetime.explicit import explicit_flow
from erlangen.fields.spacetime.fields import CircleField
from erlangen.fields.spacetime.group import BMS3, OnData, OnGenerators, OnLinked
from erlangen.fields.spacetime.linking import Proof, conserved, link, link_element, link_generator, link_is_unique, link_values
from erlangen.fields.spacetime.matter import History, evolve
from erlangen.fields.spacetime.monodromy import Rest, monodromy
from erlangen.fields.spacetime.series import Unresolved, circle
from erlangen.fields.spacetime.vectors import BMS3Vector, isometries

__all__ = [
    "BMS3",
    "BMS3Element",
    "BMS3Vector",
    "BoundaryData",
    "CircleField",
    "History",
    "OnData",
    "OnGenerators",
    "OnLinked",
    "Proof",
    "Rest",
    "Unresolved",
    "circle",
    "conserved",
    "derive",
    "draw_aspects",
    "draw_charges",
    "draw_history",
    "evolve",
    "explicit_flow",
    "isometries",
    "link",
    "link_element",
    "link_generator",
    "link_is_unique",
    "link_values",
    "monodromy",
]
