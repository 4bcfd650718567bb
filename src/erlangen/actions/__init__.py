"""How groups act on data of any kind."""

from erlangen.actions.angles import AngleShifts
from erlangen.actions.axes import OnAxes
from erlangen.actions.base import Action
from erlangen.actions.clouds import AtomBatch
from erlangen.actions.graphs import EdgeList, adjacency, graph, nodes
from erlangen.actions.grid import GridArrays, GridShifts
from erlangen.actions.images import Images
from erlangen.actions.neighbours import neighbours
from erlangen.actions.periodic import Fractional, PeriodicField, Shifts
from erlangen.actions.ragged import Edges, PerDatum, PerEdge, PerNode, Segment
from erlangen.actions.records import Record, as_action
from erlangen.actions.unordered import Unordered

__all__ = [
    "Action",
    "AngleShifts",
    "AtomBatch",
    "EdgeList",
    "Edges",
    "Fractional",
    "GridArrays",
    "GridShifts",
    "Images",
    "OnAxes",
    "PerDatum",
    "PerEdge",
    "PerNode",
    "PeriodicField",
    "Record",
    "Segment",
    "Shifts",
    "Unordered",
    "adjacency",
    "as_action",
    "graph",
    "neighbours",
    "nodes",
]
