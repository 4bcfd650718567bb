"""Data sets by name: functions that give data, of a split where there is one, without an engine and without physics."""

from erlangen.datasets.cells import cells
from erlangen.datasets.digits import digits, split_digits
from erlangen.datasets.fashion import fashion, rotated, rotated_fashion
from erlangen.datasets.graphs import connected_graphs, generated_graphs
from erlangen.datasets.leaves import leaves
from erlangen.datasets.mnist import linear_maps, mnist, moved, on_canvas
from erlangen.datasets.parts import machine_parts
from erlangen.datasets.signals import warped_signals
from erlangen.datasets.tables import table
from erlangen.datasets.texts import election_tweets, movie_snippets, newsgroups, reuters
from erlangen.datasets.views import views

__all__ = [
    "cells",
    "connected_graphs",
    "digits",
    "election_tweets",
    "fashion",
    "generated_graphs",
    "leaves",
    "linear_maps",
    "machine_parts",
    "mnist",
    "moved",
    "movie_snippets",
    "newsgroups",
    "on_canvas",
    "reuters",
    "rotated",
    "rotated_fashion",
    "split_digits",
    "table",
    "views",
    "warped_signals",
]
