"""Part one: five charged bodies, their positions a thousand steps later, by one network over different frames at equal CPU time."""

from __future__ import annotations

from dataclasses import dataclass, replace
from statistics import fmean
from typing import Any

import torch
from torch import Tensor, nn

import erlangen as er
from erlangen.fields.mechanics import bodies, nbody
from erlangen.fitting.compare_frames import FrameRow, compare_frames
from erlangen.nn import EGNN, PairGNN
from erlangen.reporting import Claim, Section, Table, format_value, repeated
from erlangen.studies.base import ONLY_FULL, Part
from erlangen.studies.frame_averaging.study import Config
from erlangen.studies.rivals import Charges, beside, charges
from erlangen.symmetrize import Principal, SignFixed, Stochastic
from erlangen.training import TrainingConfig

SFA, FULL, FIXED, GNN, AUGMENTED = "stochastic", "full frame", "signs fixed", "plain", "augmentation"
REPORTED = {"GNN": 0.0107, "EGNN": 0.0071, "FA-GNN": 0.0057}
SOURCE = "Puny et al. 2022, arXiv:2110.03336, table 4"
ABOUT = (
    "Five bodies with charges of either sign; from positions, velocities and charges at step 3100 a network predicts the positions at "
    "step 4100. The network passes messages between all pairs and sees the products of charges and the squared distances; the "
    "coordinates of positions (from their centre) and velocities are plain numbers to it. Rigid motions move what goes in and what "
    "comes out alike. The frames are those of the positions.",
    "All have the same CPU time, so a frame of eight elements, evaluated whole, gets through about an eighth of the steps. EGNN is "
    "equivariant by construction. Each chooses its learning rate on systems held out from those to learn from. The tail of the errors "
    "is heavy (close encounters), hence the median beside the mean.",
)


#: Learning rates that each network chooses from, on systems held out from those to learn from.
RATES = (3e-3, 1e-2, 3e-2)
HELD = 0.1
SECONDS, BATCH, FULL_STEPS = 6.0, 50, 60_000
#: What is trained with every seed; of the others only what is exact is claimed.
SEEDED = (GNN, AUGMENTED, SFA, "EGNN")
#: Parts of systems by name, and their positions later.
Data = tuple[dict[str, Tensor], Tensor]


class Predictor(nn.Module):
    """Positions, velocities and charges to later positions, by a graph network without symmetry or by an EGNN."""

    def __init__(self, net: PairGNN | EGNN) -> None:
        super().__init__()
        self.net = net

    def forward(self, pos: Tensor, vel: Tensor, charge: Tensor) -> Tensor:
        products = (charge * charge.mT).unsqueeze(-1)
        if isinstance(self.net, EGNN):
            return self.net(pos, vel, pairs=products)[0]
        square = (pos.unsqueeze(2) - pos.unsqueeze(1)).square().sum(-1, keepdim=True)
        centred = pos - pos.mean(1, keepdim=True)
        return pos + self.net(torch.stack([centred, vel], 2), torch.cat([products, square], -1))


def run(config: Config, quiet: bool) -> Part:
    """Simulate, train all, compare; with every seed other systems and other weights."""
    seeds = range(config.seed, config.seed + config.seeds)
    ready = [systems(config, seed) for seed in seeds]
    each: dict[str, list[Reached]] = {}
    for name in (GNN, AUGMENTED, SFA, FIXED, FULL, "EGNN"):
        for seed, (learn, test) in zip(seeds, ready):
            found = each.setdefault(name, [])
            if not found or name in SEEDED:
                found.append(one(name, config, seed, learn, test, found[0].row if found else None, quiet))
    simple = [charges(*learn, *test, seed=seed, degree=2) for seed, (learn, test) in zip(seeds, ready)]
    return _report(config, each, [test for _, test in ready], simple)


def systems(config: Config, seed: int) -> tuple[Data, Data]:
    """Systems to learn from and to judge by, in single precision."""
    count = 3000 if config.full else config.samples or 2000
    drawn: list[Any] = [nbody("train", count, seed), nbody("test", max(1, count // (2 if config.full else 4)), seed)]
    learn, test = ((bodies(data.x.float()), bodies(data.y.float())["pos"]) for data in drawn)
    return learn, test


def some(data: Data, which: slice) -> Data:
    """Of the systems those."""
    return {name: part[which] for name, part in data[0].items()}, data[1][which]


@dataclass(frozen=True)
class Reached:
    """What one network with one seed reached, and the median error over the test systems."""

    row: FrameRow
    median: float


def one(name: str, config: Config, seed: int, learn: Data, test: Data, first: FrameRow | None, quiet: bool) -> Reached:
    """Train one network: the first seed finds its rate and how many steps the time buys, others take both from there."""
    G, whole = er.E(3), Principal(of="pos", degenerate="ignore")
    frames = {SFA: Stochastic(whole), FIXED: SignFixed(of="pos", degenerate="ignore"), FULL: whole}
    torch.manual_seed(seed)
    net = Predictor(EGNN(pairs=1) if name == "EGNN" else PairGNN(vectors=2, pairs=2))
    settings = TrainingConfig(steps=FULL_STEPS, batch_size=BATCH, warmup=20, clip=1.0, weight_decay=0.0, seed=seed)
    if first is not None:
        settings = replace(settings, steps=first.steps, lr=first.lr)
    held = max(1, round(HELD * len(learn[1])))
    found = compare_frames(
        net,
        some(learn, slice(held, None)),
        {"pos": G.point, "vel": G.vector, "charge": G.scalar},
        G.point,
        test=test,
        frames={name: frames[name]} if name in frames else {},
        baselines=() if name in frames else (GNN if name == "EGNN" else name,),
        config=settings,
        seconds=None if first or config.full else config.seconds or SECONDS,
        rates=() if first else RATES,
        validation=some(learn, slice(held)),
        seed=seed,
        scale=5.0,
        quiet=quiet,
    )
    (row,), (model,) = found.rows, found.models.values()
    with torch.no_grad():
        return Reached(row, float((model(**test[0]) - test[1]).square().mean((1, 2)).median()))


def _report(config: Config, each: dict[str, list[Reached]], tests: list[Data], simple: list[Charges]) -> Part:
    samples, count = 3000 if config.full else config.samples or 2000, len(tests[0][1])
    rows: list[list[Any]] = []
    numbers: dict[str, Any] = {}
    for name, found in each.items():
        measured = {
            "error": [one.row.error for one in found],
            "median": [one.median for one in found],
            "moved": [one.row.moved for one in found],
            "equivariance": [one.row.equivariance for one in found],
        }
        row, seconds = found[0].row, fmean(one.row.seconds for one in found)
        epochs = round(row.steps * BATCH / samples)
        rows.append([name, *map(repeated, measured.values()), row.lr, row.steps, epochs, seconds, 1e3 * row.latency])
        numbers[name] = {**measured, "rate": row.lr, "steps": row.steps, "epochs": epochs, "seconds": seconds}
    budget = f"{FULL_STEPS} steps each" if config.full else f"about {config.seconds or SECONDS:g} CPU seconds each"
    scale = f"{samples} training and {count} test systems, {budget}, {config.seeds} seed{'s' * (config.seeds > 1)}"
    exact = (SFA, FIXED, FULL, "EGNN")
    apart = max(abs(m / e - 1) for name in exact for m, e in zip(numbers[name]["moved"], numbers[name]["error"]))
    gnn, augmented, sfa = (numbers[name]["moved"] for name in (GNN, AUGMENTED, SFA))
    claims = [
        Claim(
            "on moved test data, stochastic frames have at most 0.85 times the error of the same network without a frame",
            "FA-GNN 0.0057, GNN 0.0107",
            repeated(sfa),
            fmean(sfa) <= 0.85 * fmean(gnn),
            baseline=repeated(gnn),
            scale=scale,
            note="mean squared error, by the means over seeds; stochastic: one element a step in training, all eight in evaluation",
            source=SOURCE,
            key="stochastic-frames",
        ),
        Claim(
            "stochastic frames are as good as augmentation or better (within 5 %)",
            None,
            repeated(sfa),
            fmean(sfa) <= 1.05 * fmean(augmented),
            baseline=repeated(augmented),
            scale=scale,
            note="by the means over seeds",
            key="stochastic-frames",
        ),
        Claim(
            "models over frames, and EGNN, have one error on data as they are and on moved data, to four digits",
            "exact",
            apart,
            apart <= 1e-3,
            baseline=max(abs(m / e - 1) for m, e in zip(gnn, numbers[GNN]["error"])),
            scale="rigid motions with translations of size 5; float32",
            note="largest relative difference; baseline: the network without a frame",
            key="moved-bodies",
        ),
    ]
    if config.full:
        whole = numbers[FULL]["moved"][0]
        claims.append(
            Claim(
                "trained for as many epochs, the full frame has an error at least 1.3 times smaller than the network without",
                REPORTED["GNN"] / REPORTED["FA-GNN"],
                gnn[0] / whole,
                gnn[0] >= 1.3 * whole,
                scale=f"{scale}; of the first seed",
                source=SOURCE,
                key="full-frame",
            )
        )
    heads = ["", "MSE", "median", "MSE, moved", "equivariance error", "rate", "steps", "epochs", "CPU s", f"ms / {min(256, count)}"]
    line = [float((x["pos"] + x["vel"] - later).square().mean()) for x, later in tests]
    caption = f"{scale}; of {FIXED} and {FULL} one. A straight line has {format_value(repeated(line))}."
    numbers["straight line"] = {"error": line}
    sections = [Section("Charged bodies", ABOUT, tables=[Table("Positions 1000 steps later", heads, rows, caption=caption)])]
    said = {"stochastic frames": SFA, AUGMENTED: AUGMENTED, "no frame": GNN, FULL: FULL, "EGNN": "EGNN"}
    reached = ", ".join(f"{word} {format_value(repeated(numbers[name]['moved']))}" for word, name in said.items())
    return Part(
        claims,
        sections,
        numbers,
        f"At equal CPU time, errors on moved systems: {reached}.",
        {} if config.full else {"full-frame": ONLY_FULL},
        beside(simple, "the network over stochastic frames", repeated(sfa), numbers[SFA]["seconds"], scale),
    )
