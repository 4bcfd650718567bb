"""Part three: dipole moments and orbital energies of QM9, by distances along bonds, between all atoms, and with bonds for orientations."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from itertools import islice
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from erlangen.fields.molecules import Molecule, read_qm9
from erlangen.nn import PNITA, PONITA, lift_bonds
from erlangen.reporting import Claim, Rival, Section, Table, repeated, seeds_said
from erlangen.studies.base import Part
from erlangen.studies.ponita.by_hand import predictions
from erlangen.studies.ponita.study import SOURCE, Config
from erlangen.training import TrainingConfig, steps_within, train

SECONDS = 8.0
HELD, STRIDE = 200, 10  # molecules for validation; every tenth is read, for the files go from small to large
ELEMENTS = (1, 6, 7, 8, 9)
UNITS = (1.0, 27211.386)  # debye; meV for a hartree
TARGETS = ("dipole moments", "orbital energies")
ALONG, ALL, LIFTED, FIT = "PNITA, bonds", "PNITA, all pairs", "PONITA, bonds lifted", "composition"
HAND = "by hand"
SOFT = 1e-4  # of squared moments, in units of their spread
ABOUT = (
    "Relaxed molecules; the length of the dipole moment and the energy of the highest occupied orbital, by one network of each kind. "
    "PNITA sees distances, along bonds (--full: between all atoms, too). PONITA has one oriented point for each direction of a bond; two "
    "see each other where their atoms are bonded or the same: angles are there, all motions are exact. All train for the same CPU time "
    "and keep the weights that are best on 200 more molecules. The fit is linear in the numbers of atoms of each element.",
    "A dipole moment is read as what it is, the length of a vector: of PONITA's vectors, which lie along bonds, summed; with PNITA, which "
    "has none, of the sum of charge times position, the charges of a molecule adding up to zero. Orbital energies are sums over nodes, "
    "beside the fit.",
    "By hand: boosting or a support vector machine (which, is chosen on a quarter of the training molecules) on how many atoms have which "
    "surroundings, and on a dipole moment that is the sum of moments of bonds, fitted to those of the training molecules.",
)


class Graph(NamedTuple):
    """A molecule as a network sees it: nodes, their elements, edges, and orientations where there are some."""

    pos: Tensor
    x: Tensor
    edges: Tensor
    ori: Tensor | None


class Properties(nn.Module):
    """Lengths of dipole moments and orbital energies of several molecules, ``[B, 2]``, both in units of their spread.

    Args:
        net: ``PONITA`` with a vector, whose vectors are summed, or ``PNITA``, whose first number is a charge.
    """

    def __init__(self, net: PONITA | PNITA) -> None:
        super().__init__()
        self.net = net

    def forward(self, graphs: list[Graph]) -> Tensor:
        positional, named = arguments(graphs)
        of, count = named["batch"], named.pop("graphs")
        scalars, vectors = self.net(*positional, **named)
        charge, energy = scalars.unbind(-1)
        total = energy.new_zeros(count)
        if self.net.out_vectors:
            along = vectors.squeeze(-2)
        else:
            share = total.index_add(0, of, charge) / torch.bincount(of, minlength=count)
            along = (charge - share[of]).unsqueeze(-1) * positional[0]
        moment = energy.new_zeros(count, 3).index_add(0, of, along)
        # Smooth where a moment is zero: there a length has no gradient.
        length = (moment.square().sum(-1) + SOFT).sqrt()
        return torch.stack([length, total.index_add(0, of, energy)], -1)


class Run(NamedTuple):
    """What one seed gave: both errors, CPU seconds, weights and steps by name; what the rival chose; how many molecules."""

    errors: dict[str, list[float]]
    seconds: dict[str, float]
    weights: dict[str, int]
    steps: dict[str, int]
    settings: list[str]


def run(config: Config, quiet: bool) -> Part:
    """Read, train, compare; for each seed."""
    learn = 110_000 if config.full else 3 * config.samples
    count = learn + HELD + 2 * config.test
    found = list(islice(read_qm9(), count) if config.full else islice(read_qm9(), 0, STRIDE * count, STRIDE))
    runs = [once(replace(config, seed=seed), found, learn, quiet) for seed in range(config.seed, config.seed + config.seeds)]
    seeds = seeds_said(config.seeds)
    scale = f"{learn} training and {len(found) - learn - HELD} test molecules, {_seconds(config):g} CPU seconds each, {seeds}"
    return _report(runs, scale)


def once(config: Config, found: list[Molecule], learn: int, quiet: bool) -> Run:
    """One seed: of the draw of the molecules to learn from, of weights and batches."""
    order = torch.randperm(len(found), generator=torch.Generator().manual_seed(config.seed)).tolist()
    found = [found[k] for k in order]
    y = torch.tensor([[m.dipole * UNITS[0], m.homo * UNITS[1]] for m in found], dtype=torch.float64)
    content = torch.tensor([[m.numbers.count(z) for z in ELEMENTS] + [1] for m in found], dtype=torch.float64)
    composed = content @ torch.linalg.lstsq(content[:learn], y[:learn]).solution
    last = slice(learn + HELD, None)
    errors = {FIT: (composed - y)[last].abs().mean(0).tolist()}
    began = time.process_time()
    by_hand, models = predictions(found, y.numpy(), learn)
    took, weights, steps = {HAND: time.process_time() - began}, {FIT: 12}, {FIT: 0}
    errors[HAND] = (torch.from_numpy(by_hand)[last] - y[last]).abs().mean(0).tolist()
    # Lengths of vectors as they are, energies beside the fit to the composition.
    offset = composed * torch.tensor([0.0, 1.0])
    scale = (y - composed)[:learn].std(0)
    target = ((y - offset) / scale).float()
    width, depth = (128, 5) if config.full else (config.hidden, config.layers)
    for name in (ALONG, ALL, LIFTED) if config.full else (ALONG, LIFTED):
        began = time.process_time()
        graphs = [seen(m, name) for m in found]
        torch.manual_seed(config.seed)
        model = Properties(network(name, width, depth))
        model.net.calibrate(*arguments(graphs[:32])[0], **arguments(graphs[:32])[1])
        steps[name] = fit(model, graphs, target, learn, config, _seconds(config), name, quiet)
        with torch.no_grad():
            made = torch.cat([model(graphs[k : k + 100]) for k in range(learn + HELD, len(graphs), 100)])
        errors[name] = ((made - target[last]).abs().mean(0).double() * scale).tolist()
        took[name], weights[name] = time.process_time() - began, sum(p.numel() for p in model.parameters())
    return Run(errors, took, weights, steps, [model.settings for model in models])


def network(name: str, width: int, depth: int) -> PONITA | PNITA:
    """The network of a kind: two numbers for each node, and with orientations a vector."""
    if name == LIFTED:
        return PONITA(len(ELEMENTS), width, 2, depth, out_vectors=1, task="node")
    return PNITA(len(ELEMENTS), width, 2, depth, task="node")


def seen(m: Molecule, name: str) -> Graph:
    """A molecule as one kind of network sees it."""
    pos, x = m.pos.float(), F.one_hot(torch.tensor([ELEMENTS.index(z) for z in m.numbers]), len(ELEMENTS)).float()
    if name == ALL:
        n = len(pos)
        return Graph(pos, x, (~torch.eye(n, dtype=torch.bool)).nonzero().T, None)
    if name == ALONG:
        return Graph(pos, x, m.bonds(), None)
    up = lift_bonds(pos, m.bonds())
    return Graph(up.pos, up.spread(x), up.edge_index, up.ori)


def arguments(graphs: list[Graph]) -> tuple[tuple[Tensor, Tensor], dict[str, Any]]:
    """What a network is called with, for several."""
    sizes = torch.tensor([len(g.pos) for g in graphs])
    first = (sizes.cumsum(0) - sizes).tolist()
    edges = torch.cat([g.edges + k for g, k in zip(graphs, first)], 1)
    batch = torch.arange(len(graphs)).repeat_interleave(sizes)
    oriented = [g.ori for g in graphs if g.ori is not None]
    named = {"edge_index": edges, "batch": batch, "ori": torch.cat(oriented) if oriented else None, "graphs": len(graphs)}
    return (torch.cat([g.pos for g in graphs]), torch.cat([g.x for g in graphs])), named


def fit(
    model: Properties, graphs: list[Graph], target: Tensor, learn: int, config: Config, seconds: float, name: str, quiet: bool
) -> int:
    """Train for the CPU time; steps made."""

    def loss(model: nn.Module, chosen: Tensor) -> Tensor:
        return (model([graphs[k] for k in chosen.tolist()]) - target[chosen]).abs().mean()

    data, held = (torch.arange(learn),), (torch.arange(learn, learn + HELD),)
    settings = TrainingConfig(batch_size=16, lr=5e-3, weight_decay=0.0, clip=10.0, seed=config.seed)
    steps = steps_within(seconds, model, data, loss, settings, trial=8)
    settings = replace(settings, steps=steps, warmup=steps // 10, evaluate_every=max(1, steps // 10))
    train(model, data, loss, settings, validation=held, description=name, quiet=quiet)
    return steps


def _seconds(config: Config) -> float:
    return config.seconds or (20_000.0 if config.full else SECONDS)


def _report(runs: Sequence[Run], scale: str) -> Part:
    names = [name for name in runs[0].errors if name not in (FIT, HAND)]
    errors = {name: [[one.errors[name][k] for one in runs] for k in (0, 1)] for name in runs[0].errors}
    shown = {name: [repeated(values) for values in of] for name, of in errors.items()}
    mean = {name: [sum(values) / len(values) for values in of] for name, of in errors.items()}
    took = {name: sum(one.seconds[name] for one in runs) / len(runs) for name in runs[0].seconds}
    claims = [
        Claim(
            f"with bonds for orientations errors of {what} are smaller than along bonds by distances",
            reported,
            shown[LIFTED][k],
            all(a < b for a, b in zip(errors[LIFTED][k], errors[ALONG][k])),
            baseline=shown[ALONG][k],
            scale=scale,
            unit=unit,
            note="holds if it does in every seed; steps with orientations cost more, so that there are fewer",
            source=f"{SOURCE}, QM9",
            key="molecules-directions",
        )
        for k, (what, reported, unit) in enumerate(zip(TARGETS, ("0.0115 against 0.0207", "18.6 against 26.1"), ("debye", "meV")))
    ]
    ratio = max(one.errors[name][k] / one.errors[FIT][k] for one in runs for name in names for k in (0, 1))
    claims.append(
        Claim(
            "every network has smaller errors than the fit to the composition",
            None,
            ratio,
            ratio < 1,
            scale=scale,
            note="the largest ratio of all seeds",
            key="molecules-composition",
        )
    )
    first = runs[0]
    rows = [[name, *shown[name], first.weights.get(name), first.steps.get(name), took.get(name)] for name in errors]
    heads = ["", "dipole, debye", "orbital, meV", "parameters", "steps", "CPU seconds"]
    answer = "Errors by " + "; ".join(f"{name}: {a:.2f} debye, {b:.0f} meV" for name, (a, b) in mean.items()) + "."
    numbers: dict[str, Any] = {name: dict(zip(TARGETS, values)) for name, values in mean.items()}
    rivals = []
    for k, (what, unit) in enumerate(zip(TARGETS, ("debye", "meV"))):
        best = min(names, key=lambda name: mean[name][k])
        rivals.append(
            Rival(
                "a count of surroundings with moments of bonds",
                f"the best network ({best})",
                f"mean absolute error of {what}",
                shown[best][k],
                shown[HAND][k],
                "lower",
                seconds=took[best],
                rival_seconds=took[HAND],
                settings=first.settings[k],
                scale=scale,
                unit=unit,
                note="the network is the best by the test, and its seconds are for both targets, as are the rival's",
            )
        )
    sections = [Section("QM9", ABOUT, tables=[Table("Mean absolute errors", heads, rows)])]
    return Part(claims, sections, numbers | {"runs": [one._asdict() for one in runs]}, answer, rivals=rivals)
