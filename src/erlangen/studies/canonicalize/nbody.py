"""Part two: five charged bodies, their positions a thousand steps later, in a pose that is learned, fixed or random."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

import erlangen as er
from erlangen.fields.mechanics import bodies, nbody
from erlangen.fitting.compare_frames import compare_frames
from erlangen.nn import EGNN, PairGNN, VectorNeurons
from erlangen.reporting import Claim, Section, Table
from erlangen.studies.base import Part
from erlangen.studies.canonicalize.study import Config
from erlangen.symmetrize import SignFixed, Vectors
from erlangen.training import TrainingConfig

PLAIN, FIXED, FROZEN, LEARNED = "plain", "principal axes", "frozen", "learned"
SOURCE = "Kaba et al. 2023, arXiv:2211.06489, table 2"
ABOUT = (
    "From positions, velocities and charges a network that passes messages between all pairs predicts where the bodies will be. It sees "
    "coordinates as plain numbers. It works alone, in the pose of the principal axes with signs by skewness, and in poses made of three "
    "vectors that a small vector-neuron network reads off positions and velocities: random and frozen, or trained with the rest. EGNN "
    "is equivariant by construction.",
    "All have the same CPU time, which favours what takes few steps to learn; the source trains for a thousand epochs.",
)


class Predictor(nn.Module):
    """Later positions as ``x`` plus what a network of pairs says, from coordinates about the centre."""

    def __init__(self, width: int = 60) -> None:
        super().__init__()
        self.net = PairGNN(vectors=2, pairs=2, width=width)

    def forward(self, pos: Tensor, vel: Tensor, charge: Tensor) -> Tensor:
        away = pos.unsqueeze(2) - pos.unsqueeze(1)
        pairs = torch.stack([charge[..., 0].unsqueeze(2) * charge[..., 0].unsqueeze(1), away.square().sum(-1)], -1)
        return pos + self.net(torch.stack([pos - pos.mean(1, keepdim=True), vel], 2), pairs)


class Equivariant(nn.Module):
    """An EGNN, called as the others are."""

    def __init__(self) -> None:
        super().__init__()
        self.net = EGNN(pairs=1)

    def forward(self, pos: Tensor, vel: Tensor, charge: Tensor) -> Tensor:
        return self.net(pos, vel, pairs=(charge * charge.mT).unsqueeze(-1))[0]


def run(config: Config, quiet: bool) -> Part:
    """Simulate, train all, compare."""
    samples = config.samples or (3000 if config.full else 2000)
    seconds = (config.seconds or 30.0) * (20 if config.full else 1)
    train, test = nbody("train", samples, config.seed), nbody("test", max(1, samples // 2), config.seed)
    G = er.E(3)
    inp, out = {"pos": G.point, "vel": G.vector, "charge": G.scalar}, G.point

    def of(data: Any) -> tuple[Any, Any]:
        return bodies(data.x.float()), bodies(data.y.float())["pos"]

    torch.manual_seed(config.seed)
    frames = {
        FIXED: SignFixed(of="pos", degenerate="ignore"),
        FROZEN: Vectors(VectorNeurons(2, 3), of="pos").requires_grad_(False),
        LEARNED: Vectors(VectorNeurons(2, 3), of="pos"),
    }
    shared: dict[str, Any] = {
        "test": of(test),
        "config": TrainingConfig(steps=1000, batch_size=100, lr=1e-3, weight_decay=0.0, seed=config.seed),
        "seconds": seconds,
        "seed": config.seed,
        "quiet": quiet,
        "scale": 5.0,
        "baselines": (PLAIN,),
    }
    found = compare_frames(Predictor(), of(train), inp, out, frames=frames, **shared)
    other = compare_frames(Equivariant(), of(train), inp, out, frames={}, **shared)
    rows = [(row.name, row, found.models[row.name]) for row in found.rows] + [("EGNN", other.rows[0], other.models[PLAIN])]
    return _report(rows, of(test), samples, found.budget, config.full)


def _report(rows: list[Any], test: tuple[Any, Any], samples: int, budget: str, full: bool) -> Part:
    now, later = test
    numbers, lines = {}, []
    for name, row, model in rows:
        with torch.no_grad():
            median = float((model(**now) - later).square().mean((1, 2)).median())
        numbers[name] = {"error": row.error, "moved": row.moved, "median": median, "steps": row.steps}
        lines.append([name, row.error, median, row.moved, row.equivariance, row.steps, row.seconds, 1e3 * row.latency])
    scale = f"{samples} training and {len(later)} test systems, {budget}"
    learned, fixed, frozen = (numbers[name]["moved"] for name in (LEARNED, FIXED, FROZEN))
    apart = max(abs(numbers[name]["moved"] / numbers[name]["error"] - 1) for name in (LEARNED, FROZEN, FIXED))
    most = 0.9 if full else 1.15
    claims = [
        Claim(
            f"the learned pose has at most {most} times the error of the principal axes",
            "learned 0.0043, principal axes about 0.0098",
            learned,
            learned <= most * fixed,
            baseline=fixed,
            scale=scale,
            note="mean squared error on moved systems",
            source=SOURCE,
            key="learned-pose",
        ),
        Claim(
            "the learned pose has at most the error of a frozen random one (within 5 %)",
            "learned 0.0043, frozen about 0.0085",
            learned,
            learned <= 1.05 * frozen,
            baseline=frozen,
            scale=scale,
            source=SOURCE,
            key="learned-pose",
        ),
        Claim(
            "models in a canonical pose have one error on data as they are and on moved data, to three digits",
            "exact",
            apart,
            apart <= 1e-3,
            baseline=abs(numbers[PLAIN]["moved"] / numbers[PLAIN]["error"] - 1),
            scale="rigid motions with translations of size 5; float32",
            note="largest relative difference; baseline: the network alone",
            key="moved-bodies",
        ),
    ]
    heads = ["", "MSE", "median", "MSE, moved", "equivariance error", "steps", "CPU s", "ms / 256"]
    table = Table("Positions 1000 steps later", heads, lines, caption=scale)
    answer = f"Errors on moved systems: {', '.join(f'{name} {row.moved:.4f}' for name, row, _ in rows)}."
    return Part(claims, [Section("Charged bodies", ABOUT, tables=[table])], numbers, answer)
