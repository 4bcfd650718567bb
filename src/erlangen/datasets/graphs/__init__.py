"""Graphs: every small connected graph, and what graph theory counts on it."""

from erlangen.datasets.graphs.atlas import TARGETS, connected_graphs, intensive, relabelled, targets
from erlangen.datasets.graphs.geng import alike, colours, generated_graphs

__all__ = ["TARGETS", "alike", "colours", "connected_graphs", "generated_graphs", "intensive", "relabelled", "targets"]
