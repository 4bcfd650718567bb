"""FAENet on metal surfaces: no symmetry, augmentation, stochastic and full frames, frames of the lattice, on the same CPU time."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from erlangen.actions import AtomBatch
from erlangen.errors import ArgumentError
from erlangen.fields.surfaces import Labelled, emt_oc
from erlangen.groups.axial import AxialE, AxialO
from erlangen.measure import SymmetryReport, symmetry_report
from erlangen.nn import FAENet
from erlangen.parallel import one_thread
from erlangen.reporting import (
    RIVAL,
    RIVAL_CLAIM,
    Claim,
    Claims,
    Crossover,
    KeyNumber,
    Outcome,
    Rival,
    Section,
    Table,
    bars_with_error,
    repeated,
)
from erlangen.studies.base import Study
from erlangen.studies.rivals import ridges, simplest
from erlangen.symmetrize import Haar, Lattice, Planar, Stochastic, symmetrize
from erlangen.training import TrainingConfig, steps_within, train

SOURCE = "Duval, Schmidt, Hernández-García, Miret, Malliaros, Bengio, Rolnick 2023, arXiv:2305.05577"
#: Learning rates to choose from, and where the curve is looked at.
RATES, PLACES = (5e-3, 1e-2, 2e-2), (100, 300, 1000)
NONE, AUGMENTED, STOCHASTIC, FULL, LATTICE = "none", "augmentation", "stochastic frames", "full frames", "stochastic lattice frames"


@dataclass(frozen=True)
class Config:
    """Energies of adsorption and forces from effective-medium theory."""

    train: int = 500
    """Structures to learn from."""
    test: int = 300
    """Structures to judge by."""
    size: int = 2
    """Slabs are so many atoms wide."""
    layers: int = 3
    """And so many deep."""
    seconds: float = 10.0
    """CPU seconds of training for each strategy."""
    seeds: int = 1
    """Networks of each strategy."""
    curve: bool = False
    """Errors over the number of structures to learn from (up to 1000; three seeds at least), beside ridge regression, too."""
    hidden: int = 32
    """Width of atoms' features."""
    filters: int = 32
    """Width of edges' features."""
    interactions: int = 2
    """Blocks."""
    gaussians: int = 24
    """Radial functions."""
    cutoff: float = 4.5
    """Length of the longest edge, angstrom."""
    batch: int = 16
    """Structures in a batch."""
    lr: float = 0.0
    """Learning rate at the start; it falls to zero as a cosine of the time used. 0 chooses one by a tenth of the structures."""
    force_weight: float = 1.0
    """Weight of the forces' error beside the energies'."""
    jobs: int = 1
    """Processes to label structures with, the first time; they are kept."""
    seed: int = 0
    """First seed."""
    full: bool = False
    """20,000 structures of 3 x 3 x 4 slabs, the source's widths, three hours for each strategy."""


#: Structures, energies, forces.
Piece = tuple[AtomBatch, Tensor, Tensor]


@dataclass(frozen=True)
class Task:
    """Structures with edges and normalised targets, one by one, how to undo the normalisation, and what a ridge makes of them.

    Energies less those of a least-squares fit to the composition, in units of their deviation; forces in the same unit.
    """

    train: list[Piece]
    test: list[Piece]
    scale: float
    fit_error: float
    ridge_error: float
    ridge_seconds: float
    ridge_settings: str


@dataclass(frozen=True)
class Pool:
    """Structures of one draw, those to judge by last; a task learns from some of the others.

    Attributes:
        data: with edges.
        content: how many atoms of each element there are.
        columns: what the ridge sees.
        train: how many there are to learn from.
    """

    data: Labelled
    content: Tensor
    columns: Tensor
    made: float
    train: int

    def task(self, chosen: Tensor) -> Task:
        """What is to be learnt from the structures of these numbers."""
        test = torch.arange(self.train, len(self.data.energy))
        per_element = torch.linalg.lstsq(self.content[chosen], self.data.energy[chosen, None], driver="gelsd").solution
        rest = self.data.energy - (self.content @ per_element).squeeze(1)
        scale = float(rest[chosen].std())
        of = Labelled(self.data.batch, rest / scale, self.data.forces / scale).to(torch.float32)
        started = time.process_time()
        known = self.columns[:, self.columns[chosen].std(0) > 1e-9]
        ridge = simplest(
            ridges(alphas=(1e-2, 0.1, 1.0, 10.0, 100.0, 1000.0)),
            known[chosen],
            rest[chosen],
            score=lambda a, b: -float(abs(a - b).mean()),
        )
        error = float((ridge.predict(known[test]) - rest[test]).abs().mean())
        spent = self.made + time.process_time() - started
        return Task(
            [_collated(of, chosen[i : i + 1]) for i in range(len(chosen))],
            [_collated(of, some) for some in test.split(20)],
            scale,
            float(rest[test].abs().mean()),
            error,
            spent,
            ridge.settings,
        )


def make_pool(config: Config) -> Pool:
    """Structures with their edges and labels."""
    data = emt_oc(config.train + config.test, size=config.size, layers=config.layers, seed=config.seed, jobs=config.jobs)
    content = torch.zeros(len(data.energy), 87, dtype=torch.float64).index_put(
        (data.batch.batch, data.batch.numbers), torch.ones(len(data.batch.pos), dtype=torch.float64), accumulate=True
    )
    started = time.process_time()
    x = hand_made(data.batch)
    spent = time.process_time() - started
    edges = data.batch.with_edges(config.cutoff)  # before positions are rounded
    return Pool(Labelled(edges, data.energy, data.forces), content, x, spent, config.train)


def make_task(config: Config) -> Task:
    """Structures, their edges, and targets that are learnt."""
    return make_pool(config).task(torch.arange(config.train))


def hand_made(batch: AtomBatch) -> Tensor:
    """Numbers of structures that no motion changes, ``[B, k]`` in float64.

    How many atoms of each element there are; for pairs of elements of which one atom is of the adsorbate, how many lie at about which
    distance (eight bumps to 5.5 angstrom); for each element sums over its atoms of functions of the density of others about them, which
    is what a metallurgist would think of first.
    """
    elements, kind = batch.numbers.unique(return_inverse=True)
    count, structures = len(elements), int(batch.batch.max()) + 1
    edges = batch.with_edges(6.0)
    assert edges.edge_index is not None
    assert batch.tags is not None
    j, i = edges.edge_index
    r = edges.vectors().double().norm(dim=-1)
    bumps = torch.exp(-((r.unsqueeze(1) - torch.linspace(1.0, 5.5, 8, dtype=torch.float64)) / 0.6).square() / 2)
    bumps = bumps * ((batch.tags[i] == 2) | (batch.tags[j] == 2)).unsqueeze(1)
    pair = torch.minimum(kind[i], kind[j]) * count + torch.maximum(kind[i], kind[j])
    density = torch.stack(
        [torch.zeros(len(kind), dtype=torch.float64).index_add(0, i, torch.exp(-a * r)) for a in (1.0, 1.6, 2.4)], 1
    )
    about = torch.cat([density, density.sqrt(), density.clamp_min(1e-12).log()], 1)

    def summed(which: Tensor, kinds: int, values: Tensor, of: Tensor) -> Tensor:
        into = torch.zeros(structures, kinds, values.shape[1], dtype=torch.float64)
        return into.index_put((of, which), values, accumulate=True).flatten(1)

    numbers = summed(kind, count, torch.ones(len(kind), 1, dtype=torch.float64), batch.batch)
    near = summed(pair, count * count, bumps, batch.batch[i])
    x = torch.cat([numbers, near, summed(kind, count, about, batch.batch)], 1)
    return x[:, x.std(0) > 1e-9]


def _collated(data: Labelled, numbers: Tensor) -> Piece:
    some = data.select(numbers)
    return some.batch, some.energy, some.forces


def strategies(network: Callable[[], FAENet]) -> dict[str, tuple[nn.Module, nn.Module]]:
    """For each strategy what is trained and what is evaluated; the networks have the same weights."""
    frames, turns = AxialE("z"), AxialO("z")
    principal, lattice = Planar(degenerate="ignore"), Lattice(periodic=(True, True, False))
    framed = {STOCHASTIC: Stochastic(principal), FULL: principal, LATTICE: Stochastic(lattice)}
    made: dict[str, tuple[nn.Module, nn.Module]] = {}
    for name in (NONE, AUGMENTED, STOCHASTIC, FULL, LATTICE):
        net = network()
        if name == NONE:
            made[name] = (net, net)
        elif name == AUGMENTED:
            made[name] = (symmetrize(net, *net.records(turns), frame=Haar(1), check=False), net)
        else:
            model = symmetrize(net, *net.records(frames), frame=framed[name], check=False)
            made[name] = (model, model)
    return made


def learn(model: nn.Module, task: Task, config: Config, seed: int, name: str, quiet: bool) -> tuple[int, float]:
    """Train for the CPU time: steps made, and CPU seconds."""

    def loss(model: nn.Module, chosen: Tensor) -> Tensor:
        x, energy, forces = _together([task.train[i] for i in chosen.tolist()])
        y = model(x.record())
        return (y["energy"].squeeze(1) - energy).abs().mean() + config.force_weight * (y["forces"] - forces).abs().mean()

    data = (torch.arange(len(task.train)),)
    settings = TrainingConfig(batch_size=config.batch, lr=config.lr, clip=10.0, seed=seed)
    settings = replace(settings, steps=steps_within(config.seconds, model, data, loss, settings, trial=5))
    started = time.process_time()
    train(model, data, loss, settings, description=name, quiet=quiet)
    return settings.steps, time.process_time() - started


def _together(parts: list[Piece]) -> Piece:
    return AtomBatch.concat([x for x, _, _ in parts]), torch.cat([e for _, e, _ in parts]), torch.cat([f for _, _, f in parts])


def evaluate(model: nn.Module, task: Task) -> tuple[float, float]:
    """Mean absolute errors of energies (eV) and of components of forces (eV per angstrom)."""
    model.eval()
    energy, forces = [], []
    with torch.no_grad():
        for x, e, f in task.test:
            y = model(x.record())
            energy.append((y["energy"].squeeze(1) - e).abs())
            forces.append((y["forces"] - f).abs().flatten())
    return task.scale * float(torch.cat(energy).mean()), task.scale * float(torch.cat(forces).mean())


def fresh(config: Config, seed: int) -> FAENet:
    """A network that says nearly nothing at the start.

    Sums over atoms of what a new network says are ten times as large as the targets, and to unlearn them takes as long as a short
    training lasts: so the last layers start small.
    """
    torch.manual_seed(seed)
    net = FAENet(
        cutoff=config.cutoff,
        hidden_channels=config.hidden,
        num_filters=config.filters,
        num_interactions=config.interactions,
        num_gaussians=config.gaussians,
        tag_hidden_channels=min(32, config.hidden // 6),
        pg_hidden_channels=min(32, config.hidden // 6),
        # Sums over atoms grow with the structure; normalisation over its atoms hides its size.
        graph_norm=False,
        skip_co="add",
        regress_forces="direct",
    )
    assert net.force_head is not None
    last = net.force_head.last[-1]
    assert isinstance(last, nn.Linear)
    with torch.no_grad():
        net.head.lin2.weight *= 0.02
        last.weight *= 0.2
    return net


def chosen_rate(config: Config, task: Task, quiet: bool) -> float:
    """The rate that leaves the smallest energy error on a tenth of the structures to learn from, by the network without symmetry.

    Each is tried for a third of the time; all strategies train with it.
    """
    held = max(1, len(task.train) // 10)
    parts = [_together(task.train[i : i + 20]) for i in range(0, held, 20)]
    inner = replace(task, train=task.train[held:], test=parts)

    def tried(rate: float) -> float:
        net = fresh(config, config.seed)
        try:
            learn(net, inner, replace(config, lr=rate, seconds=config.seconds / 3), config.seed, f"rate {rate:g}", quiet)
        except ArgumentError:  # the loss was not finite
            return math.inf
        return evaluate(net, inner)[0]

    return min(RATES, key=tried)


def curve(config: Config, quiet: bool) -> Crossover:
    """Errors over the number of structures to learn from, of stochastic frames and of the ridge, with every seed on others of them."""
    pool = make_pool(replace(config, train=PLACES[-1]))
    frames, ridge = f"{STOCHASTIC}, {config.seconds:g} s", "ridge on counts, distances, densities"
    curves: dict[str, list[list[float]]] = {frames: [], ridge: []}
    for place in PLACES:
        rate, ours, theirs = 0.0, list[float](), list[float]()
        for seed in range(config.seed, config.seed + max(3, config.seeds)):
            order = torch.randperm(PLACES[-1], generator=torch.Generator().manual_seed(seed))[:place]
            task = pool.task(order)
            here = replace(config, train=place)
            rate = rate or chosen_rate(here, task, quiet)
            model, judged = strategies(lambda: fresh(here, seed))[STOCHASTIC]  # noqa: B023
            learn(model, task, replace(here, lr=rate), seed, f"{place} structures", quiet)
            ours.append(evaluate(judged, task)[0])
            theirs.append(task.ridge_error)
        curves[frames].append(ours)
        curves[ridge].append(theirs)
    return Crossover(
        "structures to learn from", PLACES, "mean absolute error of energies, eV", "lower", frames, curves, log_y=True,
        note=f"{config.test} test structures. Rates of the network and penalties of the ridge are chosen on held-out structures.",
    )  # fmt: skip


@dataclass(frozen=True)
class Row:
    """What one strategy reached with one seed."""

    energy: float
    forces: float
    symmetry: SymmetryReport
    epochs: float
    seconds_per_epoch: float


def compare(config: Config, task: Task, seed: int, quiet: bool) -> dict[str, Row]:
    """Every strategy with one seed."""

    def network() -> FAENet:
        return fresh(config, seed)

    rows = {}
    group = AxialE("z")
    for name, (trained, judged) in strategies(network).items():
        steps, used = learn(trained, task, config, seed, name, quiet)
        energy, forces = evaluate(judged, task)
        inp, _ = network().records(group)
        found = symmetry_report(
            judged, [task.test[0][0].record()], group, inp, elements=2, generator=torch.Generator().manual_seed(seed)
        )
        epochs = steps * config.batch / len(task.train)
        rows[name] = Row(energy, forces, found, epochs, used / max(epochs, 1e-9))
    return rows


def run(config: Config, *, quiet: bool = False) -> Outcome:
    """Train every strategy with every seed, and compare."""
    started = time.perf_counter()
    if config.full:
        sizes: dict[str, Any] = {
            "train": 18_000,
            "test": 2_000,
            "size": 3,
            "layers": 4,
            "hidden": 256,
            "filters": 192,
            "interactions": 5,
        }
        config = Config(**{**vars(config), **sizes, "gaussians": 64, "seconds": 10_800.0, "lr": config.lr or 2e-3})
    with one_thread():
        task = make_task(config)
        config = replace(config, lr=config.lr or chosen_rate(config, task, quiet))
        runs = [compare(config, task, seed, quiet) for seed in range(config.seed, config.seed + config.seeds)]
        along = curve(config, quiet) if config.curve else None
    return _outcome(config, task, runs, along, time.perf_counter() - started)


def _outcome(config: Config, task: Task, runs: list[dict[str, Row]], along: Crossover | None, seconds: float) -> Outcome:
    names = list(runs[0])

    def each(name: str, read: Callable[[Row], float]) -> list[float]:
        return [read(rows[name]) for rows in runs]

    energy = {name: each(name, lambda row: row.energy) for name in names}
    forces = {name: each(name, lambda row: row.forces) for name in names}
    turned = {name: each(name, lambda row: task.scale * (row.symmetry.rotation_energy or 0.0)) for name in names}
    moved = {name: each(name, lambda row: task.scale * (row.symmetry.rotation_forces or 0.0)) for name in names}
    exact = turned[STOCHASTIC] + turned[FULL] + turned[LATTICE]
    epoch = {name: statistics.median(each(name, lambda row: row.seconds_per_epoch)) for name in names}
    epochs = {name: each(name, lambda row: row.epochs) for name in names}
    mean = {name: statistics.mean(values) for name, values in energy.items()}

    def mostly(better: Callable[[dict[str, Row]], bool]) -> bool:
        return sum(map(better, runs)) * 3 >= 2 * len(runs)

    scale = f"{config.train} structures, {config.seconds:.0f} CPU seconds, {'one seed' if config.seeds == 1 else f'{config.seeds} seeds'}, "
    scale += f"rate {config.lr:g}"
    claims = [
        Claim(
            "on the same time stochastic frames have at most 0.97 times the energy error of no symmetry",
            "errors fall",
            repeated(energy[STOCHASTIC]),
            mostly(lambda rows: rows[STOCHASTIC].energy <= 0.97 * rows[NONE].energy),
            baseline=repeated(energy[NONE]),
            scale=scale,
            unit="eV",
            source=f"{SOURCE}, ablations",
            key="energies",
        ),
        Claim(
            "and at most 1.05 times that of random rotations",
            "lower errors",
            repeated(energy[STOCHASTIC]),
            mostly(lambda rows: rows[STOCHASTIC].energy <= 1.05 * rows[AUGMENTED].energy),
            baseline=repeated(energy[AUGMENTED]),
            scale=scale,
            unit="eV",
            source=f"{SOURCE}, ablations",
            key="energies",
        ),
        Claim(
            "stochastic frames from the lattice have at most 0.97 times the error of no symmetry and of random rotations",
            None,
            repeated(energy[LATTICE]),
            mostly(lambda rows: rows[LATTICE].energy <= 0.97 * min(rows[NONE].energy, rows[AUGMENTED].energy)),
            baseline=min(mean[NONE], mean[AUGMENTED]),
            scale=scale,
            unit="eV",
            note="not in the source; whether it pays depends on how long training lasts",
            key="lattice",
        ),
        Claim(
            "evaluated over all frames energies do not change when structures are turned: at most 1e-5 of an eV",
            "invariant to rounding",
            max(exact),
            max(exact) <= 1e-5 * max(1.0, task.scale),
            baseline=min(turned[NONE]),
            scale=f"{scale}; single precision",
            unit="eV",
            key="invariant",
        ),
        Claim(
            "without frames they do, augmented or not: at least 1e-3 of an eV",
            None,
            min(turned[NONE] + turned[AUGMENTED]),
            min(turned[NONE] + turned[AUGMENTED]) >= 1e-3,
            scale=scale,
            unit="eV",
            key="invariant",
        ),
        Claim(
            "an epoch over full frames takes 2.5 to 4.5 times that of stochastic frames",
            "4 passes instead of 1",
            epoch[FULL] / epoch[STOCHASTIC],
            2.5 <= epoch[FULL] / epoch[STOCHASTIC] <= 4.5,
            scale=scale,
            key="cost",
        ),
        Claim(
            "every strategy that costs one pass learns: energies better than the fit to the composition",
            None,
            max(mean[name] for name in names if name != FULL),
            all(max(energy[name]) < task.fit_error for name in names if name != FULL),
            baseline=task.fit_error,
            scale=scale,
            unit="eV",
            key="learns",
        ),
    ]
    rows = [[name, *(repeated(part[name]) for part in (energy, forces, turned, moved, epochs)), epoch[name]] for name in names]
    columns = ["strategy", "energy MAE", "force MAE", "energy when turned", "forces when turned", "epochs", "seconds an epoch"]
    return Outcome(
        name="faenet",
        title="Stochastic frames for a network of energies and forces",
        config=config,
        claims=Claims(claims),
        metrics={
            "energy": energy,
            "forces": forces,
            "rotation_energy": turned,
            "rotation_forces": moved,
            "epochs": epochs,
            "seconds_per_epoch": epoch,
            "composition_fit": task.fit_error,
            "ridge": task.ridge_error,
            "scale": task.scale,
            **({} if along is None else {"crossover": along.as_dict()}),
        },
        sections=[
            Section(
                "Five strategies on the same time",
                [
                    "One network, FAENet, which has no symmetry of its own, learns energies of adsorption and forces on metal surfaces. "
                    "Structures come in all orientations about the normal, so that training without symmetry is augmentation with one "
                    "draw for each structure. Frames are principal axes across the normal, with reflections, four of them; or the shortest "
                    "vectors of the surface's lattice, with reflections, four to twelve. Stochastic frames draw one in training. All are "
                    "evaluated over the whole frame."
                ],
                tables=[Table("Errors (eV, eV per angstrom) and costs (CPU seconds)", columns, rows)],
                figures=[
                    bars_with_error(
                        names,
                        {"energy": [mean[name] for name in names]},
                        title="Errors of energies on unseen surfaces",
                        y_label="eV",
                        caption=f"A fit to the composition alone has {task.fit_error:.3f} eV.",
                    )
                ],
            ),
            *([] if along is None else [along.section()]),
        ],
        seconds=seconds,
        rivals=[_rival(config, task, energy, scale)],
        answer=f"On {config.seconds:.0f} CPU seconds each, stochastic frames reach {mean[STOCHASTIC]:.3f} eV, from the lattice "
        f"{mean[LATTICE]:.3f}, no symmetry {mean[NONE]:.3f}, augmentation {mean[AUGMENTED]:.3f}, full frames {mean[FULL]:.3f}.",
        key_numbers=[
            KeyNumber("energy error, lattice frames", repeated(energy[LATTICE]), "eV", note=f"no symmetry: {mean[NONE]:.3f}"),
            KeyNumber("energy error, stochastic frames", repeated(energy[STOCHASTIC]), "eV", note=f"no symmetry: {mean[NONE]:.3f}"),
            KeyNumber("energy change when turned", max(turned[STOCHASTIC]), "eV", note=f"no symmetry: {min(turned[NONE]):.2g}"),
        ],
    )


def _rival(config: Config, task: Task, energy: dict[str, list[float]], scale: str) -> Rival:
    best = min(energy, key=lambda name: statistics.mean(energy[name]))
    return Rival(
        "ridge regression on counts, distances and densities",
        f"the best network ({best})",
        "mean absolute error of energies",
        repeated(energy[best]),
        task.ridge_error,
        "lower",
        seconds=config.seconds,
        rival_seconds=task.ridge_seconds,
        settings=task.ridge_settings,
        scale=scale,
        unit="eV",
        note="the network is the best of five by the test, and gives forces, too; who has effective-medium theory needs none",
    )


STUDY = Study(
    name="faenet",
    system=5,
    title="Stochastic frames for FAENet on metal surfaces, against none, augmentation and full frames",
    source=SOURCE,
    config=Config,
    run=run,
    claims={
        RIVAL: RIVAL_CLAIM,
        "energies": "at equal time better than no symmetry, as good as augmentation",
        "lattice": "frames from the lattice, too",
        "invariant": "exactly invariant in evaluation; the others are not",
        "cost": "full frames cost about four times as much per epoch",
        "learns": "every strategy learns more than the composition tells",
    },
)
