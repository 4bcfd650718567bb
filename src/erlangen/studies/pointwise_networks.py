"""What an inadmissible activation costs: networks trained in one orientation and tested in all, with each non-linearity."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from statistics import fmean, stdev
from typing import NamedTuple

import torch
from torch import Tensor, nn

from erlangen.equivariance import equivariance_error
from erlangen.groups import MatrixGroup, O, Symmetric
from erlangen.linalg import matrix_exp
from erlangen.nn.gated import Gated
from erlangen.nn.linear import EquivariantLinear
from erlangen.nn.norm_activation import NormActivation
from erlangen.nn.pointwise import PointwiseActivation
from erlangen.nn.tensor_product import TensorProduct
from erlangen.parallel import one_thread
from erlangen.reporting import (
    RIVAL,
    RIVAL_CLAIM,
    Claim,
    Claims,
    KeyNumber,
    Outcome,
    Rival,
    Section,
    Table,
    bars_with_error,
    repeated,
    seeds_said,
)
from erlangen.reps import InBasis, Rep
from erlangen.studies.base import Study
from erlangen.studies.rivals import Simple, VectorRidge, boosters, ridges, simplest
from erlangen.training import TrainingConfig, supervised, train_members

SOURCE = "Pacini, Dong, Lepri, Santin 2024, arXiv:2401.09235"


FORCES, DISTANCES = "forces, O(3)", "distances, S_5"


@dataclass(frozen=True)
class Config:
    """Six networks on forces in space, four on sets of numbers."""

    steps: int = 300
    """Training steps of each network."""
    samples: int = 1000
    """Training data of each network."""
    seeds: int = 3
    """Repetitions with other data and other weights."""
    full: bool = False
    """Five times the steps."""
    seed: int = 0
    """First seed."""

    @property
    def every_seed(self) -> range:
        """The seeds of this run, two apart: the one between is that of the test data."""
        return range(self.seed, self.seed + 2 * self.seeds, 2)


def run(config: Config, *, quiet: bool = False) -> Outcome:
    """Train and compare."""
    started = time.perf_counter()
    with one_thread():
        trained = [*trained_in_space(config, quiet), *trained_on_sets(config, quiet)]
        rivals = [forces_by_hand(config, trained), distances_by_hand(config, trained)]
    wrong, best = trained[0], _best(trained, trained[0].task)
    return Outcome(
        name="pointwise-networks",
        title="What an inadmissible activation costs",
        config=config,
        claims=Claims(_claims(trained)),
        metrics={"trained": [t._asdict() for t in trained]},
        sections=[_section(trained)],
        rivals=rivals,
        seconds=time.perf_counter() - started,
        answer=f"Trained in one orientation, the network with ReLU on vectors has a relative error of {fmean(wrong.moved):.2g} in the "
        f"others, the best exact one ({best.name}) {fmean(best.moved):.2g}.",
        key_numbers=[
            KeyNumber("error on moved data, ReLU on vectors", repeated(wrong.moved), note=f"equivariance error {wrong.off:.2g}"),
            KeyNumber(f"error on moved data, {best.name}", repeated(best.moved), note=f"equivariance error {best.off:.2g}"),
        ],
    )


class Trained(NamedTuple):
    """A network, trained once for each seed.

    Attributes:
        task: what it learned.
        name: its non-linearity.
        exact: whether that is admissible for the whole group; of every seed.
        error: mean square test error, relative to the variance of the targets.
        moved: the same on test data moved by random group elements.
        equivariance: mean relative equivariance error.
        seconds: CPU time of one training.
    """

    task: str
    name: str
    exact: bool
    error: list[float]
    moved: list[float]
    equivariance: list[float]
    seconds: float = 0.0

    @property
    def off(self) -> float:
        """The largest equivariance error of a seed."""
        return max(self.equivariance)


def _best(trained: list[Trained], task: str) -> Trained:
    """The exact one with the smallest error on moved data, in the mean over seeds."""
    return min((t for t in trained if t.task == task and t.exact), key=lambda t: fmean(t.moved))


class Network(nn.Module):
    """Equivariant linear layers with a non-linearity between, made by ``step(rep)``; optionally products of features."""

    def __init__(self, source: Rep, hidden: Rep, target: Rep, width: int, step: Callable[[Rep], nn.Module], products: bool) -> None:
        super().__init__()
        self.steps = nn.ModuleList(step(hidden) for _ in range(2))
        wanted = [getattr(s, "input_rep", hidden) for s in self.steps]
        self.product = TensorProduct(hidden, hidden) if products else None
        middle = hidden + self.product.output_rep if self.product else hidden
        self.linears = nn.ModuleList(
            [
                EquivariantLinear(source, wanted[0], (1, width)),
                EquivariantLinear(middle, wanted[1], (width, width)),
                EquivariantLinear(middle, target, (width, 1)),
            ]
        )

    def forward(self, x: Tensor) -> Tensor:
        x = x.unsqueeze(-2)
        for linear, step in zip(self.linears, self.steps):
            x = step(linear(x))
            if self.product is not None:
                x = torch.cat([x, self.product(x, x)], -1)
        return self.linears[-1](x).squeeze(-2)


def forces(count: int, seed: int) -> tuple[Tensor, Tensor]:
    """Places of four charges and the charges, ``[count, 16]``, and the force on a probe, ``[count, 3]``."""
    draw = torch.Generator().manual_seed(seed)
    places, charges = torch.randn(count, 4, 3, generator=draw), torch.randn(count, 4, generator=draw)
    # Training data look one way: the first charge lies in a cone about the z axis.
    places[:, 0] = torch.tensor([0.0, 0.0, 1.0]) + 0.3 * places[:, 0]
    force = (charges[..., None] * places / (places.square().sum(-1, keepdim=True) + 1) ** 1.5).sum(1)
    return torch.cat([places.flatten(1), charges], 1), force


def distances(count: int, seed: int) -> tuple[Tensor, Tensor]:
    """Five numbers, in ascending order, and the distance of each from their mean."""
    x = torch.randn(count, 5, generator=torch.Generator().manual_seed(seed)).sort(-1).values
    return x, (x - x.mean(-1, keepdim=True)).abs()


def forces_by_hand(config: Config, trained: list[Trained]) -> Rival:
    """Ridge regression of the force by vectors: places times bumps of their length, with and without the charge."""

    def vectors(x: Tensor) -> Tensor:
        places, charges = x[:, :12].double().unflatten(1, (4, 3)), x[:, 12:].double()
        square = places.square().sum(-1)
        bumps = torch.stack([torch.ones_like(square), *(torch.exp(-square / (2 * s * s)) for s in (0.5, 1.0, 2.0, 4.0))], -1)
        weights = torch.cat([bumps, charges.unsqueeze(-1) * bumps], -1)  # [count, 4, 10]
        return torch.einsum("nip,nic->npc", weights, places).unsqueeze(1)

    errors, seconds = [], 0.0
    for seed in config.every_seed:
        began = time.process_time()
        x, y = forces(config.samples, seed)
        fit = simplest({f"alpha {a:g}": lambda a=a: VectorRidge(a, 10) for a in (1e-6, 1e-3, 1.0)}, vectors(x), y)  # type: ignore[misc]
        seconds += (time.process_time() - began) / config.seeds
        # It turns along exactly, so that its error is the same on moved data.
        x, y = forces(500, seed + 1)
        errors.append(float((fit.predict(vectors(x)) - y).square().mean() / y.var()))
    return _beside(FORCES, "ridge regression on ten equivariant vectors", errors, fit, seconds, trained)


def distances_by_hand(config: Config, trained: list[Trained]) -> Rival:
    """One model for all points, of a point's own number less the mean and of the set's spread."""

    def columns(x: Tensor) -> Tensor:
        off = x - x.mean(-1, keepdim=True)
        return torch.stack([off, off.std(-1, keepdim=True).expand_as(off)], -1).flatten(0, 1)

    candidates, errors, seconds = {**boosters(False, rates=(0.1,), leaves=(15,)), **ridges(degrees=(4, 8))}, [], 0.0
    for seed in config.every_seed:
        began = time.process_time()
        x, y = distances(config.samples, seed)
        fit = simplest(candidates, columns(x), y.flatten().double())
        seconds += (time.process_time() - began) / config.seeds
        x, y = distances(500, seed + 1)
        errors.append(float((fit.predict(columns(x)) - y.flatten()).square().mean() / y.var()))
    return _beside(DISTANCES, "one model for all points", errors, fit, seconds, trained)


def _beside(task: str, name: str, errors: list[float], fit: Simple, seconds: float, trained: list[Trained]) -> Rival:
    best = _best(trained, task)
    return Rival(
        name, f"the best admissible network ({best.name})", f"relative error on moved data, {task}", repeated(best.moved),
        repeated(errors), "lower", seconds=best.seconds, rival_seconds=seconds, settings=fit.settings, scale=seeds_said(len(errors)),
    )  # fmt: skip


def trained_in_space(config: Config, quiet: bool) -> list[Trained]:
    """Forces of four charges on a probe, learned with point-wise ReLU on vectors, gates, norms, and functions on finite rotation groups."""
    G = O(3)
    source, target = 4 * G.vector + 4 * G.scalar, G.vector

    hidden = 2 * G.vector + 2 * G.scalar
    steps: dict[str, Callable[[Rep], nn.Module]] = {
        "ReLU on vectors (inadmissible)": _relu_all_the_same,
        "gated": Gated,
        "norm": lambda rep: NormActivation(rep, nn.SiLU()),
    }
    networks: dict[str, Callable[[], nn.Module]] = {
        name: partial(Network, source, hidden, target, 8, step, True) for name, step in steps.items()
    }
    for order, group in rotation_groups().items():
        features = 4 * group.vector + 4 * group.scalar
        networks[f"ReLU on {order} rotations"] = partial(Network, features, group.regular, group.vector, 8, _relu, False)
    return _train_all(FORCES, networks, source, target, forces, config, quiet)


def trained_on_sets(config: Config, quiet: bool) -> list[Trained]:
    """Distances from the mean of five numbers, each: ReLU in the basis of irreps (inadmissible) and in that of the points, gates, norms."""
    V = Symmetric(5).vector
    adapted = InBasis(V, torch.linalg.qr(torch.cat([torch.ones(5, 1), torch.eye(5)[:, :4]], 1).double())[0])

    networks: dict[str, Callable[[], nn.Module]] = {
        "ReLU on irreps (inadmissible)": partial(Network, V, 2 * adapted, V, 8, _relu_all_the_same, False),
        "ReLU on points": partial(Network, V, 2 * V, V, 8, _relu, False),
        "gated": partial(Network, V, 2 * V + 2 * V.group.scalar, V, 8, Gated, False),
        "norm": partial(Network, V, 2 * V, V, 8, lambda rep: NormActivation(rep, nn.SiLU()), False),
    }
    return _train_all(DISTANCES, networks, V, V, distances, config, quiet)


def _relu(rep: Rep) -> nn.Module:
    return PointwiseActivation(rep, "relu")


def _relu_all_the_same(rep: Rep) -> nn.Module:
    return PointwiseActivation(rep, "relu", allow_inexact=True)


def rotation_groups() -> dict[int, MatrixGroup]:
    """The rotations of a square prism (8), a cube (24) and an icosahedron (60)."""

    def turn(axis: list[float], fold: int) -> Tensor:
        x, y, z = (torch.tensor(axis, dtype=torch.float64) / math.hypot(*axis) * (2 * math.pi / fold)).tolist()
        return matrix_exp(torch.tensor([[0, -z, y], [z, 0, -x], [-y, x, 0]], dtype=torch.float64))

    golden = (1 + math.sqrt(5)) / 2
    return {
        8: MatrixGroup([turn([0.0, 0.0, 1.0], 4), turn([1.0, 0.0, 0.0], 2)], name="D_4 in space"),
        24: MatrixGroup([turn([0.0, 0.0, 1.0], 4), turn([1.0, 0.0, 0.0], 4)], name="rotations of the cube"),
        60: MatrixGroup([turn([0.0, 1.0, golden], 5), turn([1.0, 1.0, 1.0], 3)], name="rotations of the icosahedron"),
    }


def _train_all(
    task: str,
    networks: dict[str, Callable[[], nn.Module]],
    source: Rep,
    target: Rep,
    data: Callable[[int, int], tuple[Tensor, Tensor]],
    config: Config,
    quiet: bool,
) -> list[Trained]:
    parts = [data(config.samples, seed) for seed in config.every_seed]
    everything = [torch.cat([part[k] for part in parts]) for k in (0, 1)]
    settings = TrainingConfig(steps=config.steps * (5 if config.full else 1), batch_size=128, lr=5e-3, weight_decay=0.0)
    loss = supervised(lambda p, y: (p - y).square().mean())
    found = []
    for name, make in networks.items():
        began = time.process_time()
        models, _ = train_members(
            lambda seed: make(), config.every_seed, everything, loss, settings, apart=True, description=f"{task}: {name}", quiet=quiet  # noqa: B023
        )  # fmt: skip
        one = Trained(task, name, True, [], [], [], (time.process_time() - began) / config.seeds)
        for seed, model in zip(config.every_seed, models):
            x, y = data(500, seed + 1)
            g = source.group.sample(500, generator=torch.Generator().manual_seed(seed + 2))
            with torch.no_grad():
                error, moved = (
                    float((model(a) - b).square().mean() / y.var()) for a, b in ((x, y), (source.act(g, x), target.act(g, y)))
                )
                off = equivariance_error(
                    model.double(),
                    x[:64].double(),
                    source,
                    target,
                    generator=torch.Generator().manual_seed(seed),
                    tolerance=1e-10,
                )
            one.error.append(error)
            one.moved.append(moved)
            one.equivariance.append(off["mean"])
            one = one._replace(exact=one.exact and bool(off))
        found.append(one)
    return found


def _claims(trained: list[Trained]) -> list[Claim]:
    claims = []
    for task in dict.fromkeys(t.task for t in trained):
        here = [t for t in trained if t.task == task]
        wrong, best = here[0], _best(trained, task)
        scale = seeds_said(len(wrong.moved))
        claims.append(
            Claim(
                f"{task}: off the training data's orientation, an admissible non-linearity beats an inadmissible ReLU in every seed",
                None, repeated(best.moved), all(a < b for a, b in zip(best.moved, wrong.moved)), baseline=repeated(wrong.moved),
                scale=scale,
                note=f"relative test error on moved data of the best exact one ({best.name})",
                key="admissible",
            )
        )  # fmt: skip
        claims.append(
            Claim(
                f"{task}: gated and norm layers keep the network equivariant to 1e-10",
                None, max(t.off for t in here if t.name in ("gated", "norm")),
                all(t.exact for t in here if t.name in ("gated", "norm")), baseline=wrong.off, scale=f"after training, {scale}",
                note="mean relative equivariance error, the largest of the seeds; baseline: inadmissible ReLU",
                key="equivariant",
            )
        )  # fmt: skip
    sampled = [t for t in trained if "rotations" in t.name]
    if sampled:
        off = [fmean(t.equivariance) for t in sampled]
        claims.append(
            Claim(
                "sampling on more rotations comes nearer to equivariance: 8, 24, 60, in the mean over seeds",
                None, repeated(sampled[-1].equivariance), off[0] > off[1] > off[2], baseline=repeated(sampled[0].equivariance),
                scale=f"trained on forces, {seeds_said(len(sampled[0].moved))}",
                note="equivariance error under O(3) at 60 rotations; baseline: at 8. Reflections are not in these groups",
                key="sampling",
            )
        )  # fmt: skip
    return claims


def _section(trained: list[Trained]) -> Section:
    rows = [[t.task, t.name, *map(repeated, (t.error, t.moved, t.equivariance))] for t in trained]
    columns = ["task", "non-linearity", "test error", "on moved data", "equivariance error"]
    tasks = list(dict.fromkeys(t.task for t in trained))
    figures = [
        bars_with_error(
            [t.name for t in trained if t.task == task],
            {
                "test error": [fmean(t.error) for t in trained if t.task == task],
                "on moved data": [fmean(t.moved) for t in trained if t.task == task],
            },
            {
                "test error": [_spread(t.error) for t in trained if t.task == task],
                "on moved data": [_spread(t.moved) for t in trained if t.task == task],
            },
            title=f"Learning {task}",
            y_label="mean square error / variance",
            caption="Training data have one orientation (order); moved data have all. Mean and standard deviation over seeds.",
        )
        for task in tasks
    ]
    return Section(
        "What a wrong activation costs",
        [
            "The same skeleton with each non-linearity; training data in one orientation only, so that equivariance must do the rest."
        ],
        tables=[Table("Trained networks", columns, rows)],
        figures=figures,
    )


def _spread(runs: list[float]) -> float:
    return stdev(runs) if len(runs) > 1 else 0.0


STUDY = Study(
    name="pointwise-networks",
    system=14,
    title="What an inadmissible activation costs: trained in one orientation, tested in all",
    source=SOURCE,
    config=Config,
    run=run,
    claims={
        RIVAL: RIVAL_CLAIM,
        "admissible": "networks with admissible non-linearities beat an inadmissible ReLU in orientations that they were not "
        "trained in",
        "equivariant": "gated and norm layers keep the network equivariant to 1e-10",
        "sampling": "sampling on more rotations comes nearer to equivariance",
    },
)
