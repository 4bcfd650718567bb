"""Graphs: every small connected graph, and what graph theory counts on it."""

from erlangen.fields.graphs.atlas import TARGETS, connected_graphs, intensive, relabelled, targets

__all__ = ["TARGETS", "connected_graphs", "intensive", "relabelled", "targets"]
