"""Energies and forces of a molecule from quantum-chemical dynamics: attention of rank 1 and 2 beside EGNN, in the same time."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor, nn

from erlangen.fields.molecules import Trajectory, fit_pair_potentials, trajectory
from erlangen.groups import O
from erlangen.nn import EGNNEnergyModel, GAAEnergyModel, Potential
from erlangen.reporting import Claim, Rival, Section, Table
from erlangen.studies.base import Part
from erlangen.studies.gaattention.study import SOURCE, Config
from erlangen.training import TrainingConfig, steps_within, train

TWO, ONE, PEER = "rank 2", "rank 1: distances", "EGNN"
FIELD = "fitted pairs and their products"
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


def run(config: Config, quiet: bool) -> Part:
    """Train all on the same time, and compare."""
    learned, test = split(trajectory(config.molecule), config.frames, config.test, config.seed)
    elements = sorted(set(learned.numbers.tolist()))
    kinds, width = len(elements), config.width
    seconds = 3600.0 if config.full else config.seconds
    makers = {
        TWO: lambda: GAAEnergyModel(kinds, width, config.force_blocks, rank=2),
        ONE: lambda: GAAEnergyModel(kinds, width, config.force_blocks, rank=1),
        PEER: lambda: EGNNEnergyModel(kinds, 2 * width, 4),
    }
    found: dict[str, dict[str, float]] = {}
    models: dict[str, Potential] = {}
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
        settings = replace(settings, steps=steps_within(seconds, task, data, _loss, settings, trial=3))
        before = errors(model, learned[slice(0, 50)])[1]
        started = time.process_time()
        train(task, data, _loss, settings, description=name, quiet=quiet)
        energy, forces = errors(model, test)
        found[name] = {
            "energy": energy, "forces": forces, "before": before, "steps": settings.steps, "seconds": time.process_time() - started,
            "parameters": sum(p.numel() for p in model.parameters()),
        }  # fmt: skip
        models[name] = model
    began = time.process_time()
    penalty, field = force_field(learned)
    by_hand = 1e3 * float((field(test) - test.forces).abs().mean())
    fitting = time.process_time() - began
    rough = 1e3 * float((test.forces - learned.forces.mean((0, 1))).abs().mean())
    flat = 1e3 * float((test.energies - learned.energies.mean()).abs().mean())
    law = conservation(models[TWO], test)
    rows = [[name, *(n[k] for k in ("energy", "forces", "parameters", "steps", "seconds"))] for name, n in found.items()]
    columns = ["network", "energy MAE, meV", "force MAE, meV/A", "parameters", "steps", "CPU seconds"]
    tables = [
        Table(
            f"Errors on {len(test)} frames",
            columns,
            [*rows, [FIELD, None, by_hand, None, None, fitting], ["no forces", flat, rough, 0, 0, 0.0]],
        )
    ]
    about = f"{config.molecule}, {len(learned)} frames at 500 K, GFN2-xTB; single precision"
    scale = f"{len(learned)} frames, {seconds:g} CPU seconds, width {width}"
    two, one, peer = (found[name]["forces"] for name in (TWO, ONE, PEER))
    claims = [
        Claim("rank 2 has at most 0.4 times the error of forces of rank 1", None, two, two <= 0.4 * one, one, scale, "meV/A", key="pairs"),
        Claim("forces of a frame sum to zero, are minus the energy's slope, and turn along: the worst relative error in double precision",
              "conservative by construction", max(law.values()), max(law.values()) <= 1e-6, scale=scale, source=SOURCE, key="conservative"),
        Claim("rank 2 has at most the error of forces of EGNN in the same time", None, two, two <= peer, peer, scale, "meV/A", key="egnn"),
        Claim("rank 2 has at most half the error of no forces at all, and less than at the start", "forces are learnt", two,
              two <= 0.5 * rough and two < found[TWO]["before"], rough, scale, unit="meV/A", source=SOURCE, key="smaller"),
    ]  # fmt: skip
    answer = f"Forces are off by {two:.0f} meV/A with rank 2, {one:.0f} with distances alone, {peer:.0f} with EGNN, {by_hand:.0f} "
    answer += "with a force field fitted to pairs and their products."
    numbers = {"networks": found, "laws": law, "no forces": rough, "force field": by_hand}
    best = min(found, key=lambda name: found[name]["forces"])
    rival = Rival(
        "a force field of pairs and their products", f"the best network ({best})", "mean absolute error of forces",
        found[best]["forces"], by_hand, "lower", seconds=found[best]["seconds"], rival_seconds=fitting,
        settings=f"one least-squares fit, penalty {penalty:g}, chosen of {len(PENALTIES)} on a quarter of the training frames",
        scale=scale, unit="meV/A", note="the network is the best of three by the test, which favours it",
    )  # fmt: skip
    return Part(claims, [Section("What each reached", about, tables=tables)], numbers, answer, rivals=[rival])


def force_field(learned: Trajectory) -> tuple[float, Callable[[Trajectory], Tensor]]:
    """Pairs and their products, fitted to all frames with the penalty that is best on a quarter of them when the others are fitted."""
    cut = len(learned) * 3 // 4
    first, held = learned[slice(0, cut)], learned[slice(cut, None)]

    def off(penalty: float) -> float:
        return float((fit_pair_potentials(first, products=True, penalty=penalty)(held) - held.forces).abs().mean())

    penalty = min(PENALTIES, key=off)
    return penalty, fit_pair_potentials(learned, products=True, penalty=penalty)


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
