"""Task one: five charged bodies; from positions, velocities and charges, the positions a thousand steps later."""

from __future__ import annotations

import importlib.util
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

import erlangen as er
from erlangen.fields.mechanics import bodies, nbody
from erlangen.nn import EGNN, PONITA, PairGNN, Vector2VectorAttention, VectorAttention, VectorNeurons
from erlangen.nn.perceptron import perceptron
from erlangen.studies.base import Part
from erlangen.studies.clouds.contest import Contender, Contest, Row, closed_form
from erlangen.studies.clouds.curve import curve
from erlangen.studies.clouds.study import Config
from erlangen.studies.clouds.tensors import Tensors, all_pairs
from erlangen.studies.clouds.verdicts import part_of, shown
from erlangen.studies.rivals import beside, charges
from erlangen.symmetrize import Principal, Stochastic, Vectors, symmetrize

LINE, PEER = "straight lines", "e3nn, l <= 1"
ABOUT = (
    "Five bodies with charges of either sign; from positions, velocities and charges at step 3100 a network predicts the positions at "
    "step 4100. EGNN moves bodies along differences and velocities; PONITA sees vectors on twelve orientations; attention sees products "
    "of pairs among a body's differences to the others and its velocity; e3nn mixes scalars and vectors by tensor products. The plain "
    "graph network sees coordinates as numbers, behind the eight frames of the principal axes (one at random for each system in "
    "training) or in a pose that a network of vector neurons learns.",
    "All learn from the same systems, turned, reflected and moved at random, for the same CPU time; each tries four learning "
    "rates (0.001 to 0.03) for a fifth of it, and keeps the weights that are best on validation systems. Straight lines go on "
    "with the velocity, for a time fitted by least squares. Close encounters give errors a heavy tail: hence the median. Errors "
    "on moved data are after random rigid motions.",
)


class Moved(nn.Module):
    """An EGNN, which moves positions itself."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.net = EGNN(pairs=1, width=width)

    def forward(self, pos: Tensor, vel: Tensor, charge: Tensor) -> Tensor:
        return self.net(pos, vel, pairs=(charge * charge.mT).unsqueeze(-1))[0]


class Oriented(nn.Module):
    """PONITA: a vector for each body."""

    def __init__(self, width: int, learn: dict[str, Tensor]) -> None:
        super().__init__()
        self.net = PONITA(1, width, 0, 3, in_vectors=1, out_vectors=1, task="node")
        some = {name: part[:100] for name, part in learn.items()}
        self.net.calibrate(some["pos"], some["charge"], some["vel"].unsqueeze(-2))

    def forward(self, pos: Tensor, vel: Tensor, charge: Tensor) -> Tensor:
        return pos + self.net(pos, charge, vel.unsqueeze(-2))[1].squeeze(-2)


class Attending(nn.Module):
    """Attention over pairs in the cloud that each body sees: differences to the others and its own velocity, with values that tell which.

    What comes out of pairs of them is a vector without the axial ones; the velocity goes on for a time that is learnt.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.up = nn.Linear(4, width)
        options: dict[str, Any] = {"merge_fun": "concat", "join_fun": "concat", "invariant_mode": "full", "parity": "o3"}
        options["include_normalized_products"] = True
        self.attend = VectorAttention(width, reduce=False, rank=2, **options)
        self.then = perceptron(width, 2 * width, width, activation=nn.SiLU)
        self.turn = Vector2VectorAttention(width, reduce=True, rank=2, covariant_mode="full", **options)
        self.time = nn.Parameter(torch.ones(()))

    def forward(self, pos: Tensor, vel: Tensor, charge: Tensor) -> Tensor:
        n = pos.shape[1]
        own = torch.eye(n).to(pos).expand(len(pos), n, n)
        r = pos.unsqueeze(1) - pos.unsqueeze(2) + own.unsqueeze(-1) * vel.unsqueeze(2)  # of [B, i, j, 3], from i to j
        mine, theirs = charge.expand(-1, n, n), charge.mT.expand(-1, n, n)
        v = self.up(torch.stack([mine * theirs, theirs, own, 1 - own], -1))
        v = v + self.then(self.attend((r, v)))
        return pos + self.time * vel + self.turn((r, v))


class Plain(nn.Module):
    """A graph network without symmetry, but that positions are from the centre."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.net = PairGNN(vectors=2, pairs=2, width=width)

    def forward(self, pos: Tensor, vel: Tensor, charge: Tensor) -> Tensor:
        square = (pos.unsqueeze(2) - pos.unsqueeze(1)).square().sum(-1, keepdim=True)
        pairs = torch.cat([(charge * charge.mT).unsqueeze(-1), square], -1)
        return pos + self.net(torch.stack([pos - pos.mean(1, keepdim=True), vel], 2), pairs)


class Products(nn.Module):
    """e3nn's products along all edges."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.net = Tensors("1x0e+1x1o", "1x1o", pairs=1, width=width)

    def forward(self, pos: Tensor, vel: Tensor, charge: Tensor) -> Tensor:
        count, n = pos.shape[:2]
        edges = all_pairs(torch.arange(count).repeat_interleave(n))
        q, x = charge.flatten(0, 1), torch.cat([charge, vel], -1).flatten(0, 1)
        found = self.net(pos.flatten(0, 1), x, edges, q[edges[0]] * q[edges[1]])
        return pos + found.unflatten(0, (count, n))


def contenders(learn: dict[str, Tensor], size: float) -> list[Contender]:
    """All networks, their own widths times ``size``."""
    G = er.E(3)
    inp, out = {"pos": G.point, "vel": G.vector, "charge": G.scalar}, G.point

    def width(own: int) -> int:
        return max(4, round(own * size))

    def framed(frame: er.Frame) -> nn.Module:
        return symmetrize(Plain(width(60)), inp, out, frame=frame)

    found = [
        Contender("EGNN", "built in", lambda: Moved(width(64))),
        Contender("PONITA", "on a grid", lambda: Oriented(width(32), learn)),
        Contender("GA attention", "built in", lambda: Attending(width(32))),
        Contender("plain, frames", "frame", lambda: framed(Stochastic(Principal(of="pos", degenerate="ignore")))),
        Contender(
            "plain, vector neurons", "frame", lambda: framed(Vectors(VectorNeurons(2, 3, width=width(16)), of="pos"))
        ),
    ]  # fmt: skip
    if importlib.util.find_spec("e3nn") is not None:
        found.append(Contender(PEER, "built in", lambda: Products(width(32))))
    return found


def contest(config: Config) -> Contest:
    """The systems, and what is asked of them."""
    count = 3000 if config.full else config.samples
    data: list[Any] = [nbody("train", count + config.held, config.seed), nbody("test", config.test, config.seed)]
    (x, y), held_out = ((bodies(d.x.float()), bodies(d.y.float())["pos"]) for d in data)
    learn, hold = (({name: part[rows] for name, part in x.items()}, y[rows]) for rows in (slice(count), slice(count, None)))
    G = er.E(3)
    inp = er.actions.Record({"pos": G.point, "vel": G.vector, "charge": G.scalar})
    return Contest(inp, G.point, learn, hold, held_out, 1.0, squared, 50, config.seed)


def squared(found: Tensor, y: Tensor) -> Tensor:
    """The mean squared error of each system."""
    return (found - y).square().mean((1, 2))


def straight(task: Contest) -> Row:
    """Velocities go on for a fitted time."""
    (x, y), (now, later) = task.learn, task.test
    time = float(((y - x["pos"]) * x["vel"]).sum() / x["vel"].square().sum())
    return closed_form(LINE, squared(now["pos"] + time * now["vel"], later), 1)


def run(config: Config, quiet: bool) -> Part:
    """Simulate, let all take part, compare."""
    task = contest(config)
    taking_part = contenders(task.learn[0], config.size)
    seconds = 600.0 if config.full else config.seconds
    rows = task.run(taking_part, seconds, config.seeds, quiet)
    scale = (
        f"{len(task.learn[1])} training and {len(task.test[1])} test systems, {seconds:g} CPU seconds each, seeds: {config.seeds}"
    )
    simple = charges(*task.learn, *task.test, seed=config.seed)
    missing = "" if any(c.name == PEER for c in taking_part) else "e3nn is not installed (extra `bench`)"
    part = part_of("Charged bodies", ABOUT, taking_part, rows, straight(task), quantity="mean squared error", unit="", scale=scale,
                   peer=PEER, missing=missing,
                   beside=lambda best: beside([simple], best.name, shown(best), best.seconds, scale))  # fmt: skip
    if not config.curve:
        return part
    along = curve(config, contest, contenders, seconds, quiet)
    return replace(part, sections=[*part.sections, along.section()], numbers={**part.numbers, "crossover": along.as_dict()})
