"""Densities of states of photonic crystals from few labels: what pre-training without labels brings, by which transformation."""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass, field
from typing import NamedTuple

import torch
from torch import Tensor, nn

from erlangen.actions import Action
from erlangen.discover.essl import (
    ESSL,
    GridShifts,
    Moved,
    Sensitivity,
    SimCLR,
    Views,
    cell_encoder,
    mirrors,
    ridge_probe,
    turns,
)
from erlangen.fields.photonics import dos, dos_frequencies, empty_lattice_dos, random_cells
from erlangen.groups import Cyclic, Dihedral
from erlangen.nn.perceptron import perceptron
from erlangen.parallel import run_jobs
from erlangen.reporting import Claim, Rival, Section, Table, bars_with_error, repeated, seeds_said
from erlangen.studies.base import Part
from erlangen.studies.essl.study import SOURCE, Config
from erlangen.training import TrainingConfig, train

NONE, PLAIN, IGNORED, SENSITIVE = "no pre-training", "SimCLR", "SimCLR, transformation ignored", "E-SimCLR"
ARMS = (NONE, PLAIN, IGNORED, SENSITIVE)
TREES = "invariants, a hundred randomised trees"
#: Densities below this sample do not count: they are those of a homogeneous cell.
FIRST = 100
#: Of the loss of sensitivity, and of the cosines.
WEIGHT, TEMPERATURE = 5.0, 0.1


class Cells(NamedTuple):
    """Inputs ``[n, 1, 32, 32]`` and differences of the density from a homogeneous cell's ``[n, 400]``."""

    unlabelled: Tensor
    train: tuple[Tensor, Tensor]
    choose: tuple[Tensor, Tensor]
    test: tuple[Tensor, Tensor]


@dataclass(frozen=True)
class Family:
    """What a family of cells ignores, and what its heads predict: each leaves the density as it is."""

    plane_group: str | None
    ignored: tuple[Action, ...]
    predicted: Action
    about: str


FAMILIES = {
    "blob": Family(None, (turns(Dihedral(4)),), GridShifts(Cyclic(2) * Cyclic(2)), "turns and mirrors ignored, half shifts predicted"),
    "gpm": Family(
        "pm", (GridShifts(Cyclic(32) * Cyclic(32)), mirrors()), turns(Cyclic(4)), "shifts and mirrors ignored, quarter turns predicted"
    ),
}  # fmt: skip


@dataclass(frozen=True)
class Job:
    """An arm with a seed and its cells."""

    arm: str
    seed: int
    config: Config
    cells: Cells = field(repr=False)


def sizes(config: Config) -> tuple[int, int, int, int]:
    """Cells without labels and with labels, epochs of pre-training and of fine-tuning."""
    return (20_000, 3_000, 200, 100) if config.full else (config.cells, config.labelled, config.epochs, config.epochs)


def make(config: Config, seed: int, quiet: bool) -> Cells:
    """Random cells; the labelled ones with densities of states."""
    unlabelled, labelled, _, _ = sizes(config)
    half = max(1, labelled // 2)
    counts = (labelled, half, labelled)
    eps = random_cells(unlabelled + sum(counts), FAMILIES[config.family].plane_group, seed=seed)
    density = dos(eps[unlabelled:], quiet=quiet)
    labels = (density - empty_lattice_dos(dos_frequencies())).float()
    x = ((eps - 1) / 19).float().unsqueeze(1)
    return Cells(x[:unlabelled], *zip(x[unlabelled:].split(counts), labels.split(counts)))


def relative_error(prediction: Tensor, label: Tensor) -> float:
    """The mean over cells of ``sum |difference| / sum |density|``, in percent."""
    whole = label + empty_lattice_dos(dos_frequencies()).to(label)
    ratio = (prediction - label)[:, FIRST:].abs().sum(1) / whole[:, FIRST:].abs().sum(1)
    return 100 * float(ratio.mean())


def pretrain(job: Job, encoder: nn.Module) -> None:
    """Self-supervision of an arm."""
    family, (_, _, epochs, _) = FAMILIES[job.config.family], sizes(job.config)
    view = Views(*(Moved(action) for action in family.ignored))
    wide = job.config.full
    sensitivity = None
    if job.arm == SENSITIVE:
        sensitivity = Sensitivity(family.predicted, WEIGHT, view, (1024, 512) if wide else (128,), "batch")
    elif job.arm == IGNORED:
        view = Views(view, Moved(family.predicted))
    invariance = SimCLR(view, (512, 512, 256) if wide else (128, 64), TEMPERATURE, "both views")
    learner = ESSL(encoder, invariance, sensitivity)
    x, batch = job.cells.unlabelled, min(job.config.batch, len(job.cells.unlabelled))
    steps = epochs * (len(x) // batch)
    settings = TrainingConfig(steps=steps, batch_size=batch, lr=job.config.lr, warmup=steps // 20, seed=job.seed)
    learner.fit(x, settings, quiet=True)


def train_arm(job: Job) -> dict[str, float]:
    """Pre-train as the arm says, fine-tune all weights on the labelled cells, measure on others."""
    torch.manual_seed(job.seed)
    wide, (_, labelled, _, epochs) = job.config.full, sizes(job.config)
    encoder = cell_encoder((64, 256, 256), (1024, 1024)) if wide else cell_encoder((8, 32, 32), (128,))
    width, hidden = (1024, (1024, 1024, 512)) if wide else (128, (128, 128))
    clock = time.process_time()
    if job.arm != NONE:
        pretrain(job, encoder)
    seconds = time.process_time() - clock
    torch.manual_seed(job.seed + 1000)
    model = nn.Sequential(encoder, *perceptron(width, *hidden, 400))
    x, y = job.cells.train
    unit = y.std()

    def loss(net: nn.Module, cell: Tensor, label: Tensor) -> Tensor:
        return (net(cell) - label / unit).square().mean()

    def score(net: nn.Module, cell: Tensor, label: Tensor) -> float:
        return -relative_error(net(cell) * unit, label)

    steps = epochs * max(1, labelled // 64)
    settings = TrainingConfig(
        steps=steps, batch_size=64, lr=1e-4 if wide else 1e-3, weight_decay=1e-5, warmup=steps // 20, seed=job.seed,
        evaluate_every=max(1, steps // 20),
    )  # fmt: skip
    clock = time.process_time()
    train(model, (x, y), loss, settings, validation=job.cells.choose, metric=score, quiet=True)
    tuned = time.process_time() - clock
    with torch.no_grad():
        error = relative_error(model(job.cells.test[0]) * unit, job.cells.test[1])
    return {"error": error, "pre-training, s": seconds, "fine-tuning, s": tuned}


def spectrum(x: Tensor, waves: int = 3) -> tuple[Tensor, Tensor]:
    """Numbers that describe cells: low Fourier coefficients of ``eps`` and ``1 / eps`` as they are, and what of them no move changes.

    The moduli ignore shifts, and their means over the four turns and mirrors ignore these too; both come with powers of ``eps`` averaged.
    """
    eps = 1 + 19 * x.squeeze(1).double()
    means = torch.stack(
        [eps.mean((1, 2)), (1 / eps).mean((1, 2)), eps.sqrt().mean((1, 2)), eps.log().mean((1, 2)), eps.std((1, 2))], 1
    )
    raw, fixed = [means], [means]
    for field_ in (eps / eps.mean((1, 2), keepdim=True), 1 / eps):
        z = torch.fft.fft2(field_) / eps[0].numel()
        low = torch.cat([z[:, -waves:], z[:, : waves + 1]], 1)
        low = torch.cat([low[:, :, -waves:], low[:, :, : waves + 1]], 2)
        raw += [low.real.flatten(1), low.imag.flatten(1)]
        modulus = low.abs()
        group = Dihedral(4)
        moved = turns(group).act(group.elements(), modulus.unsqueeze(0).unsqueeze(2)).squeeze(2)
        fixed.append(moved.mean(0).flatten(1))
    return torch.cat(raw, 1), torch.cat(fixed, 1)


def random_layer(train_x: Tensor, test_x: Tensor, seed: int, width: int = 1000) -> tuple[Tensor, Tensor]:
    """One layer of random weights and ReLU on standardised numbers, so that a linear map behind it can bend."""
    generator = torch.Generator().manual_seed(seed)
    mean, scale = train_x.mean(0), train_x.std(0).clamp_min(1e-9)
    weights = torch.randn(train_x.shape[1], width, generator=generator, dtype=torch.float64) / train_x.shape[1] ** 0.5
    offset = torch.randn(width, generator=generator, dtype=torch.float64)
    one, two = (torch.relu((x - mean) / scale @ weights + offset) for x in (train_x, test_x))
    return one, two


def closed_form(cells: Cells, seed: int) -> dict[str, dict[str, float]]:
    """Ridge regression on Fourier coefficients as they are, and on what no move of the cell changes; trees on the latter."""
    from sklearn.ensemble import ExtraTreesRegressor

    found = {"no cell, the mean density": {"error": relative_error(cells.train[1].mean(0).expand_as(cells.test[1]), cells.test[1])}}
    clock = time.process_time()
    pairs = list(zip(spectrum(cells.train[0]), spectrum(torch.cat([cells.choose[0], cells.test[0]]))))
    described = time.process_time() - clock
    for name, (a, b) in zip(("coefficients", "invariants"), pairs):
        for kind, (one, two) in {"ridge": (a, b), "random layer and ridge": random_layer(a, b, seed)}.items():
            clock = time.process_time()
            probe = ridge_probe(None, (one, cells.train[1]), (two, torch.cat([cells.choose[1], cells.test[1]])))
            told = probe.predictions.float().split([len(cells.choose[1]), len(cells.test[1])])
            found[f"{name}, {kind}"] = {
                "error": relative_error(told[1], cells.test[1]),
                "error where chosen": relative_error(told[0], cells.choose[1]),
                "fit, s": described + time.process_time() - clock,
            }
    clock = time.process_time()
    fixed, others = (x.numpy() for x in pairs[1])
    trees = ExtraTreesRegressor(100, random_state=seed).fit(fixed, cells.train[1].numpy())
    told = torch.from_numpy(trees.predict(others)).float().split([len(cells.choose[1]), len(cells.test[1])])
    found[TREES] = {
        "error": relative_error(told[1], cells.test[1]),
        "error where chosen": relative_error(told[0], cells.choose[1]),
        "fit, s": described + time.process_time() - clock,
    }
    return found


def run(config: Config, quiet: bool) -> Part:
    """Cells, labels, four arms and their closed-form companions, for every seed."""
    jobs: list[Job] = []
    table: dict[str, list[dict[str, float]]] = {name: [] for name in ARMS}
    for seed in config.every_seed:
        cells = make(config, seed, quiet)
        jobs += [Job(arm, seed, config, cells) for arm in ARMS]
        for name, row in closed_form(cells, seed).items():
            table.setdefault(name, []).append(row)
    found = run_jobs(train_arm, jobs, jobs=config.jobs, description="" if quiet else "trainings on cells")
    for job, result in zip(jobs, found):
        table[job.arm].append(result)
    return report(table, config)


def report(table: dict[str, list[dict[str, float]]], config: Config) -> Part:
    """Claims about means of relative errors."""
    unlabelled, labelled, before, after = sizes(config)
    family = FAMILIES[config.family]
    scale = (
        f"{unlabelled} cells without and {labelled} with labels, {before} + {after} epochs, {seeds_said(len(config.every_seed))}"
    )
    mean = {name: statistics.fmean(run["error"] for run in runs) for name, runs in table.items()}
    learned = {"blob": 1.0, "gpm": 3.0}[config.family]
    chosen_by = {
        n: statistics.fmean(r["error where chosen"] for r in runs) for n, runs in table.items() if "error where chosen" in runs[0]
    }
    simple = min(chosen_by, key=chosen_by.__getitem__)
    best = min(ARMS, key=mean.__getitem__)
    rival = Rival(
        f"what needs no network ({simple})",
        f"the best network ({best})",
        "relative error of the density of states",
        repeated([run["error"] for run in table[best]]),
        repeated([run["error"] for run in table[simple]]),
        "lower",
        seconds=statistics.fmean(run["pre-training, s"] + run["fine-tuning, s"] for run in table[best]),
        rival_seconds=statistics.fmean(run["fit, s"] for run in table[simple]),
        settings="of five ways without a network the best on the cells that choose the networks' epoch",
        scale=scale,
        unit="%",
        note="the network is the best of four on the test cells, which favours it",
    )
    claims = [
        Claim(
            "E-SimCLR's error is no larger than SimCLR's",
            f"best of four, about {learned:.0f} %", mean[SENSITIVE], mean[SENSITIVE] <= mean[PLAIN],
            baseline=mean[PLAIN], unit="%", scale=scale, note="relative error of the density; the source's figure is for its full scale",
            source=SOURCE,
            key="shifts",
        ),
        Claim(
            "adding the transformation to what SimCLR ignores makes its error larger",
            "worse", mean[IGNORED], mean[IGNORED] > mean[PLAIN], baseline=mean[PLAIN], unit="%", scale=scale, source=SOURCE,
            key="shifts",
        ),
        Claim(
            "pre-training with E-SimCLR lowers the error",
            "lower", mean[SENSITIVE], mean[SENSITIVE] < mean[NONE], baseline=mean[NONE], unit="%", scale=scale, source=SOURCE,
            key="shifts",
        ),
        Claim(
            "the best network's error is lower than the best closed form's",
            None, min(mean[name] for name in ARMS), min(mean[name] for name in ARMS) < mean[simple],
            baseline=mean[simple], unit="%", scale=scale, note=f"closed form: {simple}; where it is not, the simple one is enough",
            key="closed-form",
        ),
    ]  # fmt: skip
    columns = ["error", "pre-training, s", "fine-tuning, s"]
    rows = [
        [name, *(repeated([run[key] for run in runs]) if key in runs[0] else "" for key in columns)] for name, runs in table.items()
    ]
    figure = bars_with_error(
        list(table),
        {"relative error": list(mean.values())},
        title="Error of the density of states",
        y_label="relative error, %",
        caption=f"Means; {scale}. The last six need no network.",
    )
    text = [
        f"Family '{config.family}': {family.about}. Every one of these moves leaves the density of states as it is.",
        "The closed forms are ridge regressions, on low Fourier coefficients of the permittivity and of its inverse, and on invariants: "
        "their moduli, averaged over turns and mirrors; on these also a hundred extremely randomised trees.",
    ]
    section = Section("Photonic crystals", text, tables=[Table("Relative error, %", ["model", *columns], rows)], figures=[figure])
    enough = mean[simple] <= min(mean[name] for name in ARMS)
    answer = (
        f"From {labelled} labelled cells: {mean[NONE]:.2f} % without pre-training, {mean[PLAIN]:.2f} % with SimCLR, {mean[IGNORED]:.2f} % "
        f"with the transformation ignored too, {mean[SENSITIVE]:.2f} % with it predicted; the closed form ({simple}) "
        f"{'is enough here' if enough else 'is behind'} with {mean[simple]:.2f} %."
    )
    return Part(claims, [section], table, answer, rivals=[rival])
