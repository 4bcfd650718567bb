"""Energies and forces of a molecule from quantum-chemical dynamics: attention of rank 1 and 2 beside EGNN, in the same time."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import NamedTuple

import torch
from torch import Tensor, nn

from erlangen.fields.molecules import Trajectory, fit_pair_potentials, trajectory
from erlangen.groups import O
from erlangen.nn import EGNNEnergyModel, GAAEnergyModel, Potential
from erlangen.reporting import Claim, Rival, Section, Table, repeated, seeds_said
from erlangen.studies.base import Part
from erlangen.studies.gaattention.study import SOURCE, Config
from erlangen.studies.rivals import force_kernel
from erlangen.training import TrainingConfig, steps_within, train

TWO, ONE, PEER = "rank 2", "rank 1: distances", "EGNN"
KERNEL, FIELD = "a kernel on inverse distances", "fitted pairs and their products"
SECONDS = 40.0
PENALTIES = (1e-10, 1e-7, 1e-5, 1e-3)


def split(data: Trajectory, frames: int, test: int, seed: int) -> tuple[Trajectory, Trajectory]:
    """Frames to learn from, and others to judge by, at random."""
    order = torch.randperm(len(data), generator=torch.Generator().manual_seed(seed))
    return data[order[test:][:frames]], data[order[:test]]


class Task(nn.Module):
    """A potential with its data, so that a step asks for frames by number."""

    def __init__(self, model: Potential, data: Trajectory) -> None:
        super().__init__()
        self.model, self.data = model, data

    def forward(self, chosen: Tensor) -> Tensor:
        """Squared errors of energies and of components of forces, in units of the forces' deviation."""
        some = self.data[chosen]
        y = self.model(some.batch(torch.float32))
        energies, forces = some.energies.float().unsqueeze(1), some.forces.flatten(0, 1).float()
        scale = self.model.scale
        return ((y["energy"] - energies) / scale).square().mean() * 0.1 + ((y["forces"] - forces) / scale).square().mean()


def errors(model: Potential, data: Trajectory) -> tuple[float, float]:
    """Mean absolute errors of energies (meV) and of components of forces (meV per angstrom)."""
    model.eval()
    off: list[Tensor] = []
    wrong: list[Tensor] = []
    for start in range(0, len(data), 50):
        some = data[slice(start, start + 50)]
        y = model(some.batch(torch.float32))
        off.append((y["energy"].detach().squeeze(1).double() - some.energies).abs())
        wrong.append((y["forces"].detach().double() - some.forces.flatten(0, 1)).abs().flatten())
    return 1e3 * float(torch.cat(off).mean()), 1e3 * float(torch.cat(wrong).mean())


class Run(NamedTuple):
    """What one seed gave: numbers of each network by name, errors by hand, their CPU seconds and settings, and how laws are kept."""

    found: dict[str, dict[str, float]]
    by_hand: dict[str, float]
    seconds: dict[str, float]
    settings: dict[str, str]
    laws: dict[str, float]


def run(config: Config, quiet: bool) -> Part:
    """Train all on the same time, and compare; for each seed."""
    config = replace(config, seeds=config.seeds or 1)
    return _report([once(replace(config, seed=seed), quiet) for seed in range(config.seed, config.seed + config.seeds)], config)


def once(config: Config, quiet: bool) -> Run:
    """One seed: of the draw of the frames, of weights and batches."""
    learned, test = split(trajectory(config.molecule), config.frames, config.test, config.seed)
    elements = sorted(set(learned.numbers.tolist()))
    kinds, width = len(elements), config.width
    makers = {
        TWO: lambda: GAAEnergyModel(kinds, width, config.force_blocks, rank=2),
        ONE: lambda: GAAEnergyModel(kinds, width, config.force_blocks, rank=1),
        PEER: lambda: EGNNEnergyModel(kinds, 2 * width, 4),
    }
    found: dict[str, dict[str, float]] = {}
    laws: dict[str, float] = {}
    for name, make in makers.items():
        torch.manual_seed(config.seed)
        model = Potential(make(), elements).fit_units(learned.batch(), learned.energies, learned.forces.flatten(0, 1))
        task, data = Task(model, learned), (torch.arange(len(learned)),)
        settings = TrainingConfig(
            batch_size=max(1, config.batch // 8),
            lr=config.lr,
            weight_decay=0.0,
            clip=10.0,
            seed=config.seed,
            evaluate_every=10**9,
        )
        settings = replace(settings, steps=steps_within(_seconds(config), task, data, _loss, settings, trial=3))
        before = errors(model, learned[slice(0, 50)])[1]
        started = time.process_time()
        train(task, data, _loss, settings, description=name, quiet=quiet)
        used = time.process_time() - started
        energy, forces = errors(model, test)
        found[name] = {
            "energy": energy, "forces": forces, "before": before, "steps": settings.steps, "seconds": used,
            "parameters": sum(p.numel() for p in model.parameters()),
        }  # fmt: skip
        if name == TWO:
            laws = conservation(model, test)
    by_hand: dict[str, float] = {}
    seconds: dict[str, float] = {}
    chosen: dict[str, str] = {}
    cut = len(learned) * 3 // 4
    for name, fit in ((KERNEL, lambda: force_kernel(learned[:cut], learned[cut:])), (FIELD, lambda: force_field(learned))):
        began = time.process_time()
        field, chosen[name] = fit()
        by_hand[name] = 1e3 * float((field(test) - test.forces).abs().mean())
        seconds[name] = time.process_time() - began
    by_hand["no forces"] = 1e3 * float((test.forces - learned.forces.mean((0, 1))).abs().mean())
    return Run(found, by_hand, seconds, chosen, laws)


def _seconds(config: Config) -> float:
    return config.seconds or (3600.0 if config.full else SECONDS)


def _report(runs: Sequence[Run], config: Config) -> Part:
    names = list(runs[0].found)
    off = {name: [one.found[name]["forces"] for one in runs] for name in names}
    off |= {name: [one.by_hand[name] for one in runs] for name in runs[0].by_hand}
    shown = {name: repeated(values) for name, values in off.items()}
    mean = {name: sum(values) / len(values) for name, values in off.items()}
    took = {name: sum(one.found[name]["seconds"] for one in runs) / len(runs) for name in names}
    took |= {name: sum(one.seconds[name] for one in runs) / len(runs) for name in runs[0].seconds}
    rows: list[list[object]] = []
    for name in off:
        first = runs[0].found.get(name, {})
        energy = repeated([one.found[name]["energy"] for one in runs]) if name in names else None
        rows.append([name, energy, shown[name], first.get("parameters"), first.get("steps"), took.get(name)])
    columns = ["", "energy MAE, meV", "force MAE, meV/A", "parameters", "steps", "CPU seconds"]
    about = f"{config.molecule}, {config.frames} frames at 500 K, GFN2-xTB; networks in single precision"
    seeds = seeds_said(len(runs))
    scale = f"{config.frames} frames, {_seconds(config):g} CPU seconds, width {config.width}, {seeds}"
    two, one_, peer = off[TWO], off[ONE], off[PEER]
    worst = max(value for one in runs for value in one.laws.values())
    each = "holds if it does in every seed"
    claims = [
        Claim("rank 2 has at most 0.4 times the error of forces of rank 1", None, shown[TWO], all(a <= 0.4 * b for a, b in zip(two, one_)),
              shown[ONE], scale, "meV/A", note=each, key="pairs"),
        Claim("forces of a frame sum to zero, are minus the energy's slope, and turn along: the worst relative error in double precision",
              "conservative by construction", worst, worst <= 1e-6, scale=scale, source=SOURCE, key="conservative"),
        Claim("rank 2 has at most the error of forces of EGNN in the same time", None, shown[TWO], all(a <= b for a, b in zip(two, peer)),
              shown[PEER], scale, "meV/A", note=each, key="egnn"),
        Claim("rank 2 has at most half the error of no forces at all, and less than at the start", "forces are learnt", shown[TWO],
              all(one.found[TWO]["forces"] <= min(0.5 * one.by_hand["no forces"], one.found[TWO]["before"]) for one in runs),
              shown["no forces"], scale, unit="meV/A", note=each, source=SOURCE, key="smaller"),
    ]  # fmt: skip
    answer = (
        f"Forces are off by {mean[TWO]:.0f} meV/A with rank 2, {mean[ONE]:.0f} with distances alone, {mean[PEER]:.0f} with EGNN, "
        f"{mean[KERNEL]:.0f} with a kernel, {mean[FIELD]:.0f} with a force field fitted to pairs and their products."
    )
    numbers = {"mean": mean, "runs": [one._asdict() for one in runs]}
    best = min(names, key=mean.__getitem__)
    rivals = [
        Rival(
            name, f"the best network ({best})", "mean absolute error of forces", shown[best], shown[key], "lower", seconds=took[best],
            rival_seconds=took[key], settings=runs[0].settings[key], scale=scale, unit="meV/A",
            note="the network is the best of three by the test, which favours it",
        )
        for key, name in ((KERNEL, KERNEL), (FIELD, "a force field of pairs and their products"))
    ]  # fmt: skip
    tables = [Table(f"Errors on {config.test} frames", columns, rows)]
    return Part(claims, [Section("What each reached", about, tables=tables)], numbers, answer, rivals=rivals)


def force_field(learned: Trajectory) -> tuple[Callable[[Trajectory], Tensor], str]:
    """Pairs and their products, fitted to all frames with the penalty that is best on a quarter of them when the others are fitted."""
    cut = len(learned) * 3 // 4
    first, held = learned[:cut], learned[cut:]

    def off(penalty: float) -> float:
        return float((fit_pair_potentials(first, products=True, penalty=penalty)(held) - held.forces).abs().mean())

    penalty = min(PENALTIES, key=off)
    settings = f"one least-squares fit, penalty {penalty:g}, chosen of {len(PENALTIES)} on a quarter of the training frames"
    return fit_pair_potentials(learned, products=True, penalty=penalty), settings


def conservation(model: Potential, data: Trajectory) -> dict[str, float]:
    """How far forces are from the laws that they obey, in double precision, relative to their size."""
    model.double().eval()
    some = data[slice(0, 3)]
    batch = some.batch(torch.float64)
    y = model(batch)
    forces = y["forces"].detach().unflatten(0, some.forces.shape[:2])
    size = float(forces.abs().max())
    along = torch.randn(batch.pos.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    step = 1e-5
    ahead, behind = (model(batch.replace(pos=batch.pos + s * along))["energy"].detach().sum() for s in (step, -step))
    slope = float((ahead - behind) / (2 * step))
    work = -float((y["forces"].detach() * along).sum())
    g = O(3).sample(1, dtype=torch.float64, generator=torch.Generator().manual_seed(1))[0]
    turned = model(batch.replace(pos=batch.pos @ g.mT))["forces"].detach()
    found = {
        "sum": float(forces.sum(1).abs().max()) / size,
        "slope": abs(slope - work) / abs(work),
        "turned": float((turned - y["forces"].detach() @ g.mT).abs().max()) / size,
    }
    model.float()
    return found


def _loss(model: nn.Module, chosen: Tensor) -> Tensor:
    return model(chosen)
