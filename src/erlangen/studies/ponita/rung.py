"""Part four: which chains of bodies PONITA tells apart, on a grid, with bonds for orientations, and without orientations."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn

from erlangen.groups import SO
from erlangen.measure.gwl import GeometricGraph, Separation, kchain, probe
from erlangen.nn import PNITA, PONITA, lift_bonds
from erlangen.reporting import Claim, Rival, Section, Table
from erlangen.studies.base import Part
from erlangen.studies.ponita.study import Config

CHAINS = (2, 3, 4)
UNIT = 5.0  # length that networks see as one
GRID, BONDS, PLAIN = "PONITA, ico", "PONITA on bonds", "PNITA"
SORTED = "sorted distances"
ABOUT = (
    "Two chains of k bodies in a line differ only in how their two ends are bent; what tells them apart must be handed on from end to end. "
    "The geometric Weisfeiler-Leman test needs k // 2 + 1 rounds, invariants of distances never do. Random networks are asked; the number "
    "is the median of |f(A) - f(B)| / (|f(A)| + |f(B)|). Who may look at all bodies at once sorts all distances: that tells these chains "
    "apart. A grid is exact under its own symmetries only: the last column is by how much "
    "turning one and the same chain changes the answer.",
)


class OnGraphs(nn.Module):
    """A number for a geometric graph."""

    def __init__(self, net: PONITA | PNITA, bonds: bool) -> None:
        super().__init__()
        self.net, self.bonds = net, bonds

    def forward(self, graph: GeometricGraph) -> Tensor:
        pos = graph.pos.to(next(self.net.parameters())) / UNIT
        if not self.bonds:
            return self.net(pos, edge_index=graph.edge_index)[0]
        up = lift_bonds(pos, graph.edge_index)
        return self.net(up.pos, edge_index=up.edge_index, ori=up.ori)[0]


def run(config: Config, quiet: bool) -> Part:
    """Probe every chain with every network at every depth."""
    turn = SO(3).sample(dtype=torch.float64, generator=torch.Generator().manual_seed(config.seed))
    found: dict[tuple[str, int, int], Separation] = {}
    surely: dict[str, set[int]] = {GRID: set(), BONDS: set(), PLAIN: set(), SORTED: set()}
    took = dict.fromkeys(surely, 0.0)
    rows: list[list[Any]] = []
    for k in CHAINS:
        one, other = kchain(k)
        turned = GeometricGraph(one.pos @ turn.T, one.edge_index, one.labels, one.vectors, one.edge_vec @ turn.T)
        began = time.process_time()
        a, b, c = (torch.pdist(graph.pos).sort().values for graph in (one, other, turned))
        apart, moved = (float((a - x).norm() / (a.norm() + x.norm())) for x in (b, c))
        rows.append([f"k = {k}", SORTED, None, apart, apart > 1e-7, moved])
        surely[SORTED] |= {k} if apart > max(1e-7, moved) else set()
        took[SORTED] += time.process_time() - began
        for name in (GRID, BONDS, PLAIN):
            began = time.process_time()
            for layers in range(1, k // 2 + 2):
                pairs = probe(maker(name, layers), {"pair": (one, other), "turned": (one, turned)}, n_init=config.inits)
                found[name, k, layers] = pairs["pair"]
                rows.append([f"k = {k}", name, layers, pairs["pair"].median, bool(pairs["pair"]), pairs["turned"].median])
                surely[name] |= {k} if pairs["pair"].median > max(1e-7, pairs["turned"].median) else set()
            took[name] += time.process_time() - began
    first = {k: next((n for n in range(1, k // 2 + 2) if found[GRID, k, n]), None) for k in CHAINS}
    wanted = {k: k // 2 + 1 for k in CHAINS}
    scale = f"{config.inits} random networks of 16 channels, float64"
    bonds = {k: max(found[BONDS, k, n].median for n in range(1, k // 2 + 2)) for k in CHAINS}
    plain = max(s.median for (name, _, _), s in found.items() if name == PLAIN)
    claims = [
        Claim(
            "on a grid, chains of k = 2, 3, 4 bodies are told apart from k // 2 + 1 layers on",
            f"{_listed(wanted.values())} layers",
            f"{_listed(first.values())} layers",
            first == wanted,
            scale=scale,
            note="though by less than turning a chain changes the answer, for the grid has only the icosahedron's rotations",
            key="rung-chains",
        ),
        Claim(
            "distances alone never tell them apart",
            0,
            plain,
            plain < 1e-7,
            scale=scale,
            note="the largest separation",
            key="rung-invariant",
        ),
        Claim(
            "with bonds for orientations, chains of two are told apart, those of three and four never",
            None,
            _listed(f"{value:.2g}" for value in bonds.values()),
            bonds[2] > 1e-7 and max(bonds[3], bonds[4]) < 1e-7,
            scale=scale,
            note="the largest separation at any depth; features of a bond do not turn about it, so that a straight chain hands on no angle",
            key="rung-bonds",
        ),
    ]
    heads = ["chain", "network", "layers", "separation", "told apart", "when turned"]
    numbers = {f"{name}, k={k}, {layers} layers": s.median for (name, k, layers), s in found.items()}
    seen = {name: [k for k in CHAINS if any(found[name, k, n] for n in range(1, k // 2 + 2))] for name in (BONDS, PLAIN)}
    answer = (
        f"Chains of {_listed(CHAINS)} bodies are told apart on a grid from {_listed(first.values())} layers on; with bonds for "
        f"orientations those of {_listed(seen[BONDS])}; by distances alone those of {_listed(seen[PLAIN])}."
    )
    best = max((GRID, BONDS), key=lambda name: len(surely[name]))
    rival = Rival(
        "sorting all distances",
        best,
        "chains told apart by more than turning one changes the answer",
        len(surely[best]),
        len(surely[SORTED]),
        "higher",
        seconds=took[best],
        rival_seconds=took[SORTED],
        scale=f"k = {_listed(CHAINS)}; {scale}",
        note="it looks at all bodies at once, where networks hand on along bonds; there are clouds that sorted distances hold equal",
    )
    sections = [Section("Chains", ABOUT, tables=[Table("Separations", heads, rows)])]
    return Part(claims, sections, numbers, answer, rivals=[rival])


def _listed(values: Iterable[Any]) -> str:
    return ", ".join(str(value) for value in values) or "none"


def maker(name: str, layers: int) -> Callable[[], OnGraphs]:
    def make() -> OnGraphs:
        net = PNITA(1, 16, 1, layers) if name == PLAIN else PONITA(1, 16, 1, layers)
        return OnGraphs(net, bonds=name == BONDS)

    return make
