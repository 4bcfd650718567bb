"""What an inadmissible activation costs: networks trained in one orientation and tested in all, with each non-linearity."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
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
from erlangen.reporting import RIVAL, RIVAL_CLAIM, Claim, Claims, KeyNumber, Outcome, Rival, Section, Table, bars_with_error
from erlangen.reps import InBasis, Rep
from erlangen.studies.base import Study
from erlangen.studies.rivals import Simple, VectorRidge, boosters, ridges, simplest
from erlangen.training import TrainingConfig, supervised, train

SOURCE = "Pacini, Dong, Lepri, Santin 2024, arXiv:2401.09235"


FORCES, DISTANCES = "forces, O(3)", "distances, S_5"


@dataclass(frozen=True)
class Config:
    """Six networks on forces in space, four on sets of numbers."""

    steps: int = 300
    """Training steps of each network."""
    samples: int = 1000
    """Training data of each network."""
    full: bool = False
    """Five times the steps."""
    seed: int = 0
    """Seed of data and weights."""


def run(config: Config, *, quiet: bool = False) -> Outcome:
    """Train and compare."""
    started = time.perf_counter()
    with one_thread():
        trained = [*trained_in_space(config, quiet), *trained_on_sets(config, quiet)]
        rivals = [forces_by_hand(config, trained), distances_by_hand(config, trained)]
    wrong, best = trained[0], min((t for t in trained if t.task == trained[0].task and t.exact), key=lambda t: t.moved)
    return Outcome(
        name="pointwise-networks",
        title="What an inadmissible activation costs",
        config=config,
        claims=Claims(_claims(trained)),
        metrics={"trained": [t._asdict() for t in trained]},
        sections=[_section(trained)],
        rivals=rivals,
        seconds=time.perf_counter() - started,
        answer=f"Trained in one orientation, the network with ReLU on vectors has a relative error of {wrong.moved:.2g} in the others, "
        f"the best exact one ({best.name}) {best.moved:.2g}.",
        key_numbers=[
            KeyNumber("error on moved data, ReLU on vectors", wrong.moved, note=f"equivariance error {wrong.equivariance:.2g}"),
            KeyNumber(f"error on moved data, {best.name}", best.moved, note=f"equivariance error {best.equivariance:.2g}"),
        ],
    )


class Trained(NamedTuple):
    """A trained network.

    Attributes:
        task: what it learned.
        name: its non-linearity.
        exact: whether that is admissible for the whole group.
        error: mean square test error, relative to the variance of the targets.
        moved: the same on test data moved by random group elements.
        equivariance: mean relative equivariance error.
        seconds: CPU time of training.
    """

    task: str
    name: str
    exact: bool
    error: float
    moved: float
    equivariance: float
    seconds: float = 0.0


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

    began = time.process_time()
    x, y = forces(config.samples, config.seed)
    fit = simplest({f"alpha {a:g}": lambda a=a: VectorRidge(a, 10) for a in (1e-6, 1e-3, 1.0)}, vectors(x), y)  # type: ignore[misc]
    # It turns along exactly, so that its error is the same on moved data.
    x, y = forces(500, config.seed + 1)
    error = float((fit.predict(vectors(x)) - y).square().mean() / y.var())
    return _beside(FORCES, "ridge regression on ten equivariant vectors", error, fit, time.process_time() - began, trained)


def distances_by_hand(config: Config, trained: list[Trained]) -> Rival:
    """One model for all points, of a point's own number less the mean and of the set's spread."""

    def columns(x: Tensor) -> Tensor:
        off = x - x.mean(-1, keepdim=True)
        return torch.stack([off, off.std(-1, keepdim=True).expand_as(off)], -1).flatten(0, 1)

    began = time.process_time()
    x, y = distances(config.samples, config.seed)
    candidates = {**boosters(False, rates=(0.1,), leaves=(15,)), **ridges(degrees=(4, 8))}
    fit = simplest(candidates, columns(x), y.flatten().double())
    x, y = distances(500, config.seed + 1)
    error = float((fit.predict(columns(x)) - y.flatten()).square().mean() / y.var())
    return _beside(DISTANCES, "one model for all points", error, fit, time.process_time() - began, trained)


def _beside(task: str, name: str, error: float, fit: Simple, seconds: float, trained: list[Trained]) -> Rival:
    best = min((t for t in trained if t.task == task and t.exact), key=lambda t: t.moved)
    return Rival(
        name, f"the best admissible network ({best.name})", f"relative error on moved data, {task}", best.moved, error, "lower",
        seconds=best.seconds, rival_seconds=seconds, settings=fit.settings, scale="one run",
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
    inputs, wanted = data(config.samples, config.seed)
    x, y = data(500, config.seed + 1)
    g = source.group.sample(500, generator=torch.Generator().manual_seed(config.seed + 2))
    x_moved, y_moved = source.act(g, x), target.act(g, y)
    settings = TrainingConfig(
        steps=config.steps * (5 if config.full else 1), batch_size=128, lr=5e-3, weight_decay=0.0, seed=config.seed
    )
    found = []
    for name, make in networks.items():
        torch.manual_seed(config.seed)
        began = time.process_time()
        model = make()
        train(
            model,
            (inputs, wanted),
            supervised(lambda p, y: (p - y).square().mean()),
            settings,
            description=f"{task}: {name}",
            quiet=quiet,
        )
        took = time.process_time() - began
        with torch.no_grad():
            error, moved = (float((model(a) - b).square().mean() / y.var()) for a, b in ((x, y), (x_moved, y_moved)))
            off = equivariance_error(
                model.double(),
                x[:64].double(),
                source,
                target,
                generator=torch.Generator().manual_seed(config.seed),
                tolerance=1e-10,
            )
        found.append(Trained(task, name, bool(off), error, moved, off["mean"], took))
    return found


def _claims(trained: list[Trained]) -> list[Claim]:
    claims = []
    for task in dict.fromkeys(t.task for t in trained):
        here = [t for t in trained if t.task == task]
        exact = [t for t in here if t.exact]
        wrong = here[0]
        best = min(exact, key=lambda t: t.moved)
        claims.append(
            Claim(
                f"{task}: off the training data's orientation, an admissible non-linearity beats an inadmissible ReLU",
                None, best.moved, best.moved < wrong.moved, baseline=wrong.moved, scale="one run each",
                note=f"relative test error on moved data of the best exact one ({best.name})",
                key="admissible",
            )
        )  # fmt: skip
        claims.append(
            Claim(
                f"{task}: gated and norm layers keep the network equivariant to 1e-10",
                None, max(t.equivariance for t in here if t.name in ("gated", "norm")),
                all(t.exact for t in here if t.name in ("gated", "norm")), baseline=wrong.equivariance,
                scale="after training", note="mean relative equivariance error; baseline: inadmissible ReLU",
                key="equivariant",
            )
        )  # fmt: skip
    sampled = [t for t in trained if "rotations" in t.name]
    if sampled:
        off = [t.equivariance for t in sampled]
        claims.append(
            Claim(
                "sampling on more rotations comes nearer to equivariance: 8, 24, 60",
                None, off[-1], off[0] > off[1] > off[2], baseline=off[0], scale="trained on forces",
                note="equivariance error under O(3) at 60 rotations; baseline: at 8. Reflections are not in these groups",
                key="sampling",
            )
        )  # fmt: skip
    return claims


def _section(trained: list[Trained]) -> Section:
    rows = [[t.task, t.name, t.error, t.moved, t.equivariance] for t in trained]
    columns = ["task", "non-linearity", "test error", "on moved data", "equivariance error"]
    tasks = list(dict.fromkeys(t.task for t in trained))
    figures = [
        bars_with_error(
            [t.name for t in trained if t.task == task],
            {
                "test error": [t.error for t in trained if t.task == task],
                "on moved data": [t.moved for t in trained if t.task == task],
            },
            title=f"Learning {task}",
            y_label="mean square error / variance",
            caption="Training data have one orientation (order); moved data have all. One run each.",
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
