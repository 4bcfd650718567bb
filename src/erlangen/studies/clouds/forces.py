"""Task two: the forces of ethanol at 500 K, by energies whose gradient they are and by networks that say them directly."""

from __future__ import annotations

import importlib.util
import time

import torch
from torch import Tensor, nn

import erlangen as er
from erlangen.actions import AtomBatch
from erlangen.fields.molecules import Trajectory, fit_pair_potentials, trajectory
from erlangen.nn import PNITA, PONITA, EGNNEnergyModel, FAENet, GAAEnergyModel, PairGNN, Potential
from erlangen.reporting import Rival
from erlangen.studies.base import Part
from erlangen.studies.clouds.contest import Contender, Contest, Row, closed_form
from erlangen.studies.clouds.study import Config
from erlangen.studies.clouds.tensors import Tensors, all_pairs
from erlangen.studies.clouds.verdicts import part_of, shown
from erlangen.symmetrize import Principal, Stochastic, symmetrize

FITTED, PEER = "fitted pair potentials", "e3nn, l <= 1"
UNIT = "meV/angstrom"  # of the length of the error of a force
ELEMENTS = [1, 6, 8]
REACH = 6.0  # angstrom, of FAENet's radial functions; ethanol is smaller
ABOUT = (
    "Frames of ethanol with forces by GFN2-xTB, on all pairs of its nine atoms. EGNN and PNITA see distances, PONITA directions on twelve "
    "orientations, attention products of pairs of differences, e3nn scalars and vectors mixed by tensor products; each says an energy, "
    "whose gradient the forces are, so that they sum to zero and do no work on a closed way. FAENet and the plain graph network see "
    "coordinates as numbers and say forces directly, behind the eight frames of the principal axes, one at random for each frame of the "
    "trajectory in training. That is cheaper by a gradient, and the forces are no gradient.",
    "All learn from the same frames, turned and reflected at random, for the same CPU time; each tries four learning rates (0.001"
    " to 0.03) for a fifth of it, and keeps the weights that are best on validation frames. Fitted pair potentials: for each of "
    "the 36 pairs a curve of five numbers (powers of 1 / r), all by one least-squares fit. Errors are the mean length of the "
    "error of a force.",
)


class Said(nn.Module):
    """Forces ``[B, n, 3]`` of positions ``[B, n, 3]`` of one molecule, by a network of atoms.

    Args:
        net: takes an :class:`AtomBatch`, gives ``forces``.
        numbers: of the molecule's atoms.
        scale: what the network's forces are in units of.
        edges: whether the network is given all pairs, or makes its own.
    """

    numbers: Tensor

    def __init__(self, net: nn.Module, numbers: Tensor, scale: float = 1.0, edges: bool = False) -> None:
        super().__init__()
        self.net, self.scale, self.edges = net, scale, edges
        self.register_buffer("numbers", numbers)

    def forward(self, pos: Tensor) -> Tensor:
        of = torch.arange(len(pos)).repeat_interleave(len(self.numbers))
        pairs = all_pairs(of) if self.edges else None
        batch = AtomBatch.of(pos.flatten(0, 1), self.numbers.repeat(len(pos)), batch=of, edge_index=pairs)
        return self.scale * self.net(batch)["forces"].unflatten(0, pos.shape[:2])


class Plain(nn.Module):
    """Forces by a graph network without symmetry, but that positions are from the centre; pairs have their elements and distance."""

    kinds: Tensor

    def __init__(self, numbers: Tensor, scale: float, width: int) -> None:
        super().__init__()
        self.net, self.scale = PairGNN(vectors=1, pairs=1 + 2 * len(ELEMENTS), width=width), scale
        self.register_buffer("kinds", (numbers.unsqueeze(1) == torch.tensor(ELEMENTS)).float())

    def forward(self, pos: Tensor) -> Tensor:
        distance = (pos.unsqueeze(2) - pos.unsqueeze(1)).square().sum(-1, keepdim=True)
        shape = (*distance.shape[:3], len(ELEMENTS))
        pairs = torch.cat([distance, self.kinds.unsqueeze(1).expand(shape), self.kinds.unsqueeze(0).expand(shape)], -1)
        return self.scale * self.net((pos - pos.mean(1, keepdim=True)).unsqueeze(2), pairs)


class Products(nn.Module):
    """A number for each atom by e3nn's products along all edges: the network of a potential."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.net = Tensors(f"{len(ELEMENTS)}x0e", "1x0e", width=width)

    def forward(self, pos: Tensor, x: Tensor, edge_index: None, batch: Tensor, edge_shift: None) -> Tensor:
        return self.net(pos, x, all_pairs(batch))


def contenders(learn: Trajectory, size: float) -> list[Contender]:
    """All networks, their own widths times ``size``."""
    kinds, unit, G = len(ELEMENTS), rms(learn), er.E(3)

    def width(own: int) -> int:
        return max(4, round(own * size))

    def energy(net: nn.Module) -> nn.Module:
        potential = Potential(net, ELEMENTS).fit_units(learn.batch(), learn.energies, learn.forces.flatten(0, 1))
        return Said(potential, learn.numbers)

    def framed(net: nn.Module) -> nn.Module:
        frame = Stochastic(Principal(degenerate="ignore"))
        return symmetrize(net, {"pos": G.point}, G.vector, frame=frame)

    def faenet() -> nn.Module:
        net = FAENet(
            cutoff=REACH,
            hidden_channels=width(64),
            num_filters=width(64),
            num_interactions=3,
            num_gaussians=24,
            tag_hidden_channels=0,
            pg_hidden_channels=width(8),
            graph_norm=False,
            regress_forces="direct",
        )
        return framed(Said(net, learn.numbers, unit, edges=True))

    found = [
        Contender("EGNN", "built in", lambda: energy(EGNNEnergyModel(kinds, width(64)))),
        Contender("PNITA", "built in", lambda: energy(PNITA(kinds, width(32), 1, 3, task="node"))),
        Contender("PONITA", "on a grid", lambda: energy(PONITA(kinds, width(32), 1, 3, task="node"))),
        Contender("GA attention", "built in", lambda: energy(GAAEnergyModel(kinds, width(32)))),
        Contender("FAENet, frames", "frame", faenet),
        Contender("plain, frames", "frame", lambda: framed(Plain(learn.numbers, unit, width(60)))),
    ]
    if importlib.util.find_spec("e3nn") is not None:
        found.append(Contender(PEER, "built in", lambda: energy(Products(width(32)))))
    return found


def rms(frames: Trajectory) -> float:
    """Root mean square of the components of forces."""
    return float(frames.forces.square().mean().sqrt())


def off(found: Tensor, y: Tensor) -> Tensor:
    """The mean length of a force's error in each frame, meV per angstrom: unlike that of components, it does not turn along."""
    return 1e3 * (found - y).norm(dim=-1).mean(1)


def split(config: Config) -> tuple[Trajectory, Trajectory, Trajectory]:
    """Frames to learn from, to choose by, to judge by, at random."""
    frames = trajectory("ethanol")
    order = torch.randperm(len(frames), generator=torch.Generator().manual_seed(config.seed))
    held, test = min(100, config.held), min(300, config.test)
    count = min(config.samples, len(frames) - held - test)
    return frames[order[:count]], frames[order[count : count + held]], frames[order[len(frames) - test :]]


def fitted(learn: Trajectory, test: Trajectory) -> Row:
    """What pair potentials by least squares reach."""
    errors = off(fit_pair_potentials(learn)(test), test.forces)
    return closed_form(FITTED, errors, 5 * len(learn.numbers) * (len(learn.numbers) - 1) // 2)


def field_of_products(learn: Trajectory, hold: Trajectory, test: Trajectory) -> tuple[float, float, str]:
    """What pair potentials and products of them reach by least squares: mean error, CPU seconds, settings."""
    started = time.process_time()
    fields = {penalty: fit_pair_potentials(learn, products=True, penalty=penalty) for penalty in (1e-10, 1e-7, 1e-5, 1e-3)}
    best = min(fields, key=lambda penalty: float(off(fields[penalty](hold), hold.forces).mean()))
    error = float(off(fields[best](test), test.forces).mean())
    return error, time.process_time() - started, f"least squares, penalty {best:g}, best of {len(fields)} on validation frames"


def run(config: Config, quiet: bool) -> Part:
    """Let all take part, compare."""
    learn, hold, test = split(config)
    G = er.E(3)
    first, second, third = (({"pos": part.positions.float()}, part.forces.float()) for part in (learn, hold, test))
    task = Contest(er.actions.Record({"pos": G.point}), G.vector, first, second, third, rms(learn), off, 10, config.seed)
    taking_part = contenders(learn, config.size)
    seconds = 600.0 if config.full else config.seconds
    rows = task.run(taking_part, seconds, config.seeds, quiet)
    scale = f"{len(learn)} training and {len(test)} test frames, {seconds:g} CPU seconds each, seeds: {config.seeds}"
    force_field, spent, settings = field_of_products(learn, hold, test)

    def beside(best: Row) -> list[Rival]:
        return [
            Rival("a force field of pairs and their products", best.name, "mean error of a force", shown(best), force_field,
                  "lower", best.seconds, spent, settings, scale, UNIT,
                  "for one molecule in one order of its atoms; a network can be trained on many")
        ]  # fmt: skip

    missing = "" if any(c.name == PEER for c in taking_part) else "e3nn is not installed (extra `bench`)"
    return part_of("Forces of ethanol", ABOUT, taking_part, rows, fitted(learn, test), quantity="error of a force", unit=UNIT,
                   scale=scale, peer=PEER, missing=missing, beside=beside)  # fmt: skip
