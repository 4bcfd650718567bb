"""How groups act on data of any kind."""

from erlangen.actions.axes import OnAxes
from erlangen.actions.base import Action
from erlangen.actions.graphs import EdgeList, adjacency, graph, nodes
from erlangen.actions.images import Images
from erlangen.actions.records import Record, as_action

__all__ = ["Action", "EdgeList", "Images", "OnAxes", "Record", "adjacency", "as_action", "graph", "nodes"]
