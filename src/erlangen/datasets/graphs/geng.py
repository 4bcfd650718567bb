"""All connected graphs of a size beyond the atlas, by nauty's generator; and what one-dimensional Weisfeiler-Leman tells apart."""

from __future__ import annotations

import shutil
import subprocess
from importlib import metadata
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from erlangen.errors import ArgumentError, MissingExtra


def generated_graphs(nodes: int) -> Float[Tensor, "graphs nodes nodes"]:
    """Adjacency matrices, in float64, of all connected graphs with so many nodes, one of each isomorphism class, by ``geng``.

    The program comes with the Python package ``passagemath-nauty`` (or with a system's package ``nauty``).

    Raises:
        ArgumentError: ``nodes`` is not from 1 to 9 (10 nodes have eleven million graphs).
        MissingExtra: there is no ``geng``.

    >>> len(generated_graphs(8))  # doctest: +SKIP
    11117
    """
    if nodes not in range(1, 10):
        raise ArgumentError("nodes", "a number from 1 to 9", repr(nodes))
    run = subprocess.run([str(_geng()), "-cq", str(nodes)], capture_output=True, check=True, timeout=120)
    return torch.from_numpy(graph6(run.stdout.split(), nodes))


def graph6(lines: list[bytes], nodes: int) -> np.ndarray:
    """Adjacency matrices from lines in the format graph6 of graphs with so many (at most 62) nodes.

    The upper triangle, column by column, six bits in a byte, after a byte with the number of nodes (B. McKay, "graph6 formats").

    >>> graph6([b"Bw"], 3)[0].tolist()
    [[0.0, 1.0, 1.0], [1.0, 0.0, 1.0], [1.0, 1.0, 0.0]]
    """
    if not lines:
        return np.zeros((0, nodes, nodes))
    symbols = np.frombuffer(b"".join(lines), np.uint8).reshape(len(lines), -1) - 63
    if (symbols[:, 0] != nodes).any():
        raise ArgumentError("lines", f"graphs with {nodes} nodes", f"one with {int(symbols[symbols[:, 0] != nodes][0, 0])}")
    bits = np.unpackbits(symbols[:, 1:, None], axis=-1)[..., 2:].reshape(len(lines), -1)
    column, row = np.tril_indices(nodes, -1)
    a = np.zeros((len(lines), nodes, nodes))
    a[:, row, column] = bits[:, : len(row)]
    return a + a.transpose(0, 2, 1)


def colours(a: Float[Tensor, "graphs n n"]) -> list[tuple[int, ...]]:
    """The stable colouring of each graph by one-dimensional Weisfeiler-Leman: equal exactly for graphs that it cannot tell apart.

    Two triangles and a hexagon, both regular of degree two:

    >>> two = torch.block_diag(1 - torch.eye(3), 1 - torch.eye(3))
    >>> ring = torch.roll(torch.eye(6), 1, 0) + torch.roll(torch.eye(6), -1, 0)
    >>> first, second = colours(torch.stack([two, ring]))
    >>> first == second
    True
    """
    neighbours = [[np.flatnonzero(row).tolist() for row in graph] for graph in a.cpu().numpy()]
    colour = [[0] * len(graph) for graph in neighbours]
    for _ in range(a.shape[-1]):
        names: dict[tuple[int, tuple[int, ...]], int] = {}  # shared by all graphs, so that colours compare
        colour = [
            [names.setdefault((mine[i], tuple(sorted(mine[j] for j in around))), len(names)) for i, around in enumerate(graph)]
            for mine, graph in zip(colour, neighbours)
        ]
    return [tuple(sorted(mine)) for mine in colour]


def alike(a: Float[Tensor, "graphs n n"]) -> list[tuple[int, int]]:
    """All pairs of graphs that one-dimensional Weisfeiler-Leman cannot tell apart; of connected graphs with eight nodes, 312."""
    classes: dict[tuple[int, ...], list[int]] = {}
    for i, key in enumerate(colours(a)):
        classes.setdefault(key, []).append(i)
    return [(i, j) for members in classes.values() for n, i in enumerate(members) for j in members[n + 1 :]]


def _geng() -> Path:
    """Where the program is."""
    if on_path := shutil.which("geng") or shutil.which("nauty-geng"):
        return Path(on_path)
    try:
        files = metadata.distribution("passagemath-nauty").files or []
    except metadata.PackageNotFoundError:
        files = []
    for file in files:
        if file.name == "geng":
            return Path(str(file.locate()))
    raise MissingExtra("nauty", "passagemath-nauty")
