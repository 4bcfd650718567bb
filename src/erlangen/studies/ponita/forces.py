"""Part two: forces of ethanol at 500 K, by distances alone and with directions, on bonds and on all pairs."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from erlangen.actions import AtomBatch
from erlangen.fields.molecules import Trajectory, fit_pair_potentials, trajectory
from erlangen.nn import PNITA, PONITA, Potential
from erlangen.reporting import Claim, Crossover, Rival, Section, Table, repeated, seeds_said
from erlangen.studies.base import Part
from erlangen.studies.ponita.study import SOURCE, Config
from erlangen.studies.rivals import force_kernel
from erlangen.training import TrainingConfig, steps_within, train

BOND = 1.7  # angstrom
SECONDS = 7.0
HELD, FRAMES = 100, 1600
FITTED, KERNEL, ZERO = "fitted pair potentials and their products", "a kernel on inverse distances", "zero"
PLAIN, ICO, OCTA = "PNITA", "PONITA, ico", "PONITA, octa"
KINDS = {PLAIN: None, OCTA: "octa", ICO: "ico"}
GRAPHS = {"bonds": BOND, "all pairs": None}
PENALTIES = (1e-10, 1e-7, 1e-5, 1e-3)
#: Frames to learn from along the curve, CPU seconds of the network at each, and frames of the kernel's largest solve.
PLACES, CURVE_SECONDS, LARGEST = (50, 150, 500, 1000), 7.0, 500
ABOUT = (
    "Frames of ethanol with forces by GFN2-xTB. A network's energy is a sum over atoms, its forces are the gradient; it learns from forces "
    "alone. PNITA's kernels see distances, PONITA's directions too, on a grid of 12 orientations (--full: of 6, too). Along bonds (pairs "
    "below 1.7 angstrom, without a window: energies jump where two hydrogens come so near) distances leave the angles open; between all "
    "pairs of nine atoms they leave nothing open. All train for the same CPU time, at random orientations, and keep the weights that are "
    "best on 100 more frames.",
    "What one would fit by hand is a force field: for each of the 36 pairs of atoms a curve of five numbers (powers of 1 / r), and a "
    "weight for the product 1 / (r s) of each two pairs, all by one least-squares fit to the forces. The strongest simple model is a "
    "kernel: energies are a Gaussian process over all 1 / r, the same for all exchanges of like atoms that keep the bonds, and its weights "
    "are the solution of one linear system of 21 equations for each frame.",
)


class Run(NamedTuple):
    """What one seed gave: errors of forces (meV per angstrom), CPU seconds, steps and weights by name; the largest net force."""

    errors: dict[str, float]
    seconds: dict[str, float]
    steps: dict[str, int]
    weights: dict[str, int]
    net_force: float
    settings: dict[str, str]


def run(config: Config, quiet: bool) -> Part:
    """Fit, train, compare; for each seed."""
    started = time.perf_counter()
    runs = [once(replace(config, seed=seed), quiet) for seed in range(config.seed, config.seed + config.seeds)]
    found = curve(config, quiet) if config.curve else None
    numbers = {"seconds": time.perf_counter() - started, "runs": [one._asdict() for one in runs]}
    learn, _, test = split(config, config.samples)
    scale = f"{len(learn)} training and {len(test)} test frames, {_seconds(config):g} CPU seconds each, "
    part = _report(runs, numbers, scale + seeds_said(config.seeds))
    if found is not None:
        part.numbers["crossover"] = found.as_dict()
        part.sections.append(found.section())
    return part


def once(config: Config, quiet: bool) -> Run:
    """One seed."""
    learn, hold, test = split(config, config.samples)
    errors, seconds, steps, weights, net_force = {ZERO: 1e3 * float(test.forces.abs().mean())}, {}, {}, {}, 0.0
    settings = {}
    for name, fit in ((FITTED, fitted), (KERNEL, force_kernel)):
        began = time.process_time()
        field, settings[name] = fit(learn, hold)
        errors[name] = _off(field(test), test)
        seconds[name] = time.process_time() - began
    for kind, grid in KINDS.items():
        for graph, cutoff in GRAPHS.items():
            if kind == OCTA and not config.full:
                continue
            name, began = f"{kind}, {graph}", time.process_time()
            model = make(config, grid, cutoff, learn)
            steps[name] = learn_forces(model, learn, hold, config, _seconds(config), name, quiet)
            forces = predicted(model, test)
            errors[name] = _off(forces, test)
            net_force = max(net_force, float(forces.sum(1).abs().max()))
            seconds[name] = time.process_time() - began
            weights[name] = sum(p.numel() for p in model.parameters())
    return Run(errors, seconds, steps, weights, net_force, settings)


def split(config: Config, samples: int) -> tuple[Trajectory, Trajectory, Trajectory]:
    """Frames to learn from, to choose by, to judge by, at random."""
    frames = trajectory("ethanol")
    order = torch.randperm(FRAMES, generator=torch.Generator().manual_seed(config.seed))
    count = min(samples, FRAMES - HELD - 300)
    first, held = order[:count], order[count : count + HELD]
    return frames[first], frames[held], frames[order[FRAMES - min(300, config.test) :]]


def fitted(learn: Trajectory, hold: Trajectory) -> tuple[Callable[[Trajectory], Tensor], str]:
    """The force field with the penalty that is best on the frames to choose by, and its settings."""
    fields = {penalty: fit_pair_potentials(learn, products=True, penalty=penalty) for penalty in PENALTIES}
    best = min(fields, key=lambda p: float((fields[p](hold) - hold.forces).abs().mean()))
    return fields[best], f"one least-squares fit of 846 numbers, penalty {best:g}, chosen of 4 on the networks' validation frames"


def curve(config: Config, quiet: bool) -> Crossover:
    """The network that sees all distances, the kernel and the force field over the number of frames to learn from."""
    ours = f"PNITA on all pairs, {CURVE_SECONDS:g} CPU s"
    curves: dict[str, list[list[float]]] = {ours: [], KERNEL: [], FITTED: []}
    for count in PLACES:
        for runs in curves.values():
            runs.append([])
        for seed in range(config.seed, config.seed + config.seeds):
            one = replace(config, seed=seed)
            learn, hold, test = split(one, count)
            model = make(one, None, None, learn)
            learn_forces(model, learn, hold, one, config.seconds or CURVE_SECONDS, f"{count} frames", quiet)
            curves[ours][-1].append(_off(predicted(model, test), test))
            curves[KERNEL][-1].append(_off(force_kernel(learn, hold, LARGEST)[0](test), test))
            curves[FITTED][-1].append(_off(fitted(learn, hold)[0](test), test))
    note = f"The kernel solves for {LARGEST} frames at most. All choose on 100 frames more."
    return Crossover("frames to learn from", PLACES, "error of forces, meV/angstrom", "lower", ours, curves, log_y=True, note=note)


def make(config: Config, grid: str | None, cutoff: float | None, learn: Trajectory) -> Potential:
    """A potential by a network with or without directions, calibrated, in the units of the training frames."""
    torch.manual_seed(config.seed)
    width, depth = (128, 5) if config.full else (config.hidden, config.layers)
    net = PNITA(3, width, 1, depth, task="node") if grid is None else PONITA(3, width, 1, depth, grid=grid, task="node")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # jumps where bonds begin: the report says so
        model = Potential(net, [1, 6, 8], cutoff=cutoff)
    some = learn[:30].batch(torch.float32)
    some = some if cutoff is None else some.with_edges(cutoff)
    kinds = (some.numbers.unsqueeze(1) == torch.tensor(model.elements)).float()
    net.calibrate(some.pos, kinds, edge_index=some.edge_index, batch=some.batch)
    batch = learn.batch(torch.float32)
    return model.fit_units(batch, learn.energies, learn.forces.flatten(0, 1))


def learn_forces(
    model: Potential, learn: Trajectory, hold: Trajectory, config: Config, seconds: float, name: str, quiet: bool
) -> int:
    """Train on forces, at random orientations, for the CPU time; steps made."""
    scale, rng = float(model.scale), torch.Generator().manual_seed(config.seed)

    def loss(model: nn.Module, pos: Tensor, forces: Tensor) -> Tensor:
        if model.training:
            from erlangen.groups import O

            g = O(3).sample(len(pos), generator=rng)
            pos, forces = pos @ g.mT, forces @ g.mT
        found = model(_batch(learn.numbers, pos))["forces"].unflatten(0, pos.shape[:2])
        return (found - forces).square().mean() / scale**2

    data, held = ((part.positions.float(), part.forces.float()) for part in (learn, hold))
    settings = TrainingConfig(batch_size=10, lr=1e-2, weight_decay=0.0, clip=10.0, seed=config.seed)
    steps = steps_within(seconds, model, data, loss, settings, trial=8)
    settings = replace(settings, steps=steps, warmup=steps // 10, evaluate_every=max(1, steps // 10))
    train(model, data, loss, settings, validation=held, description=name, quiet=quiet)
    return steps


def predicted(model: Potential, frames: Trajectory) -> Float[Tensor, "F n 3"]:
    """Forces of a potential, eV per angstrom."""
    return model(_batch(frames.numbers, frames.positions.float()))["forces"].detach().double().unflatten(0, frames.forces.shape[:2])


def _batch(numbers: Tensor, pos: Float[Tensor, "F n 3"]) -> AtomBatch:
    of = torch.arange(len(pos)).repeat_interleave(len(numbers))
    return AtomBatch.of(pos.flatten(0, 1), numbers.repeat(len(pos)), batch=of)


def _off(forces: Tensor, test: Trajectory) -> float:
    return 1e3 * float((forces - test.forces).abs().mean())


def _seconds(config: Config) -> float:
    return config.seconds or (7200.0 if config.full else SECONDS)


def _report(runs: Sequence[Run], numbers: dict[str, Any], scale: str) -> Part:
    errors = {name: [one.errors[name] for one in runs] for name in runs[0].errors}
    shown = {name: repeated(values) for name, values in errors.items()}
    mean = {name: sum(values) / len(values) for name, values in errors.items()}
    took = {name: sum(one.seconds[name] for one in runs) / len(runs) for name in runs[0].seconds}
    numbers |= {"errors": mean, "seconds of each": took}
    bonds, pairs = ({kind: f"{kind}, {graph}" for kind in (PLAIN, ICO)} for graph in GRAPHS)
    net_force, zero = 1e3 * max(one.net_force for one in runs), mean[ZERO]
    claims = [
        Claim(
            "on the graph of bonds, directions on twelve orientations have at most 0.6 times the error of distances alone",
            "0.3 to 0.6 times, all pairs, after 10^6 steps",
            shown[bonds[ICO]],
            all(a <= 0.6 * b for a, b in zip(errors[bonds[ICO]], errors[bonds[PLAIN]])),
            baseline=shown[bonds[PLAIN]],
            scale=scale,
            unit="meV/angstrom",
            note="holds if it does in every seed",
            source=f"{SOURCE}, rMD17",
            key="forces-bonds",
        ),
        Claim(
            "on all pairs, too, directions have the smaller error",
            "2.5 against 4.1 for ethanol, after 10^6 steps",
            shown[pairs[ICO]],
            all(a < b for a, b in zip(errors[pairs[ICO]], errors[pairs[PLAIN]])),
            baseline=shown[pairs[PLAIN]],
            scale=scale,
            unit="meV/angstrom",
            note="in every seed; in a short training distances, which are enough here, are expected to win",
            source=f"{SOURCE}, rMD17",
            key="forces-complete",
        ),
        Claim(
            "forces on a molecule sum to zero: at most 1e-3 of the mean force",
            "exact",
            net_force,
            net_force <= 1e-3 * zero,
            baseline=zero,
            scale="float32",
            unit="meV/angstrom",
            note="the largest of all networks and seeds",
            key="forces-conservative",
        ),
    ]
    first = runs[0]
    rows: list[list[Any]] = [[name, shown[name], first.weights.get(name), first.steps.get(name), took.get(name)] for name in errors]
    table = Table("Mean absolute errors of forces", ["", "meV/angstrom", "parameters", "steps", "CPU seconds"], rows, caption=scale)
    answer = (
        f"On bonds PNITA {mean[bonds[PLAIN]]:.0f}, PONITA {mean[bonds[ICO]]:.0f} meV/angstrom; on all pairs {mean[pairs[PLAIN]]:.0f} and "
        f"{mean[pairs[ICO]]:.0f}; a kernel {mean[KERNEL]:.0f}, a fitted force field {mean[FITTED]:.0f}."
    )
    best = min(first.steps, key=mean.__getitem__)
    rivals = [
        Rival(name, f"the best network ({best})", "mean absolute error of forces", shown[best], shown[key], "lower", took[best],
              took[key], first.settings[key], scale, "meV/angstrom", note="the network is the best by the test, which favours it")
        for key, name in ((KERNEL, KERNEL), (FITTED, "a force field of pairs and their products"))
    ]  # fmt: skip
    return Part(claims, [Section("Forces of ethanol", ABOUT, tables=[table])], numbers, answer, rivals=rivals)
