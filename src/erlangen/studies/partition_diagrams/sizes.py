"""Other sizes: weights trained on graphs with seven nodes, on smaller ones that they never saw."""

from __future__ import annotations

import statistics
from dataclasses import dataclass, field
from functools import partial

import torch

from erlangen.datasets.graphs import connected_graphs, intensive, targets
from erlangen.reporting import Claim, PlusMinus, Section, Table, repeated, seeds_said
from erlangen.studies.partition_diagrams.compare import SETS
from erlangen.studies.partition_diagrams.networks import NODES, Config, GraphNet, fit, r2, split


@dataclass
class Transfer:
    """R2 of each target at one number of nodes, a list for each seed; that of the counts as such, and of the training mean."""

    relative: list[list[float]] = field(default_factory=list)
    counts: list[list[float]] = field(default_factory=list)
    constant: list[float] = field(default_factory=list)


def transfer(config: Config, quiet: bool) -> dict[int, Transfer]:
    """Train with means on 7 nodes, judge on 7, 6 and 5."""
    parts = [split(seed, SETS[-1]) for seed in config.every_seed]
    make = partial(GraphNet, NODES, 2, config.channels, "mean")
    nets, _ = fit(lambda seed: make(seed=seed), parts, config, 'S_7, normalize="mean"', quiet)
    # At 7 nodes counts are an affine function of the intensive targets, so that the same network also predicts them.
    full_graph = intensive(torch.tensor([[0.0, 0.0, 0.0], [1.0, 1.0, 1.0]], dtype=torch.float64), NODES)
    shift, slope = full_graph[0], full_graph[1] - full_graph[0]
    found = {nodes: Transfer() for nodes in (NODES, 6, 5)}
    for net, part in zip(nets, parts):
        for nodes, here in found.items():
            graphs = connected_graphs(nodes)
            raw = targets(graphs)
            with torch.no_grad():
                if nodes == NODES:
                    prediction, truth, counted = net(part.x_test), part.y_test, part.y_test
                else:
                    prediction = net.over(nodes)(graphs.float())
                    truth = ((intensive(raw, nodes) - part.scale[0]) / part.scale[1]).float()
                    counted = ((raw * slope + shift - part.scale[0]) / part.scale[1]).float()
            here.relative.append(r2(prediction, truth))
            here.counts.append(r2(prediction, counted))
            here.constant.append(statistics.fmean(r2(torch.zeros_like(truth), truth)))
    return found


def claim_of(found: dict[int, Transfer]) -> Claim:
    """That it works on the smaller graphs, in every seed."""
    others = [here for nodes, here in found.items() if nodes != NODES]
    worst = [min(statistics.fmean(here.relative[k]) for here in others) for k in range(len(others[0].relative))]
    return Claim(
        'weights trained with normalize="mean" on 7 nodes work on 6 and on 5 nodes, untouched: R2 at least 0.8 in every seed',
        None,
        repeated(worst),
        min(worst) >= 0.8,
        baseline=min(statistics.fmean(here.constant) for here in others),
        scale=f"{SETS[-1]} training graphs; 112 and 21 connected graphs; {seeds_said(len(worst))}",
        note="the worse of the two sizes, mean over targets relative to the complete graph's; baseline: the training mean",
        key="other-sizes",
    )


def section_of(found: dict[int, Transfer]) -> Section:
    """What goes over, and what does not."""

    def cells(runs: list[list[float]]) -> list[PlusMinus | float]:
        return [repeated(list(column)) for column in zip(*runs)]

    rows = [[f"{n} nodes", *cells(here.relative), *cells(here.counts)[1:]] for n, here in found.items()]
    columns = ["graphs", "connectivity / n", "log trees per node", "triangle density", "log trees as such", "triangles as such"]
    caption = "Test graphs at 7 nodes; all connected graphs at 6 and 5."
    return Section(
        "Other sizes",
        [
            'With normalize="mean" weights mean the same for every n. Trained on 7 nodes, judged on smaller graphs that it '
            "never saw. Relative to the complete graph, targets go over: connectivity / n, (log trees - (n - 2) log n) / (n - 1), "
            "triangles as a fraction of all triples. Counts as such do not, for nothing in the training says how they grow with n.",
        ],
        tables=[Table("R2, trained on 7 nodes", columns, rows, caption=caption)],
    )
