"""Flows to forecast, the networks that forecast them on equal budgets, and how far off their rollouts are."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

import erlangen as er
from erlangen.actions import PeriodicField
from erlangen.equivariance.error import EquivarianceErrors
from erlangen.fields.flows import GaussianRandomField, ns2d, shallow_water
from erlangen.groups import PlaneGroup
from erlangen.nn import GFNO
from erlangen.nn.spectral_symmetry import Field
from erlangen.reps.base import Rep
from erlangen.training import TrainingConfig, relative_l2, rollout, supervised, train

#: Trajectories that are computed together.
TOGETHER = 20
#: Of the test, those that side questions are asked of: single steps, turned flows, finer grids.
ASIDE = 10
WATER = "water"
#: The same map from fields to fields, with one axis more: what a flow does in so many frames.
Solver = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Entry:
    """One network of a comparison.

    Attributes:
        name: for people.
        group: which the network knows.
        kind: what it takes a vorticity for, or both components of a velocity.
        turned: whether its training data are turned at random.
        longer: how many times the steps of the others it has.
    """

    name: str
    group: str
    kind: str = "pseudoscalar"
    turned: bool = False
    longer: int = 1


@dataclass(frozen=True)
class Flows:
    """Trajectories of one flow, ``[trajectories, frames, c, side, side]``, the first for tests also on the grid of the solver."""

    forcing: str
    train: Tensor
    test: Tensor
    fine: Tensor


@dataclass(frozen=True)
class Score:
    """What one network reached, as relative errors.

    Attributes:
        rollout: mean over the frames of a rollout; ``frames``: of each.
        one_step: from true windows; this and what follows of the first test trajectories.
        upright, turned: of rollouts from windows as they are, and turned by elements of the flow's own group.
        fine: of rollouts on the grid of the solver, which the network has not seen.
        parameters: real numbers.
        seconds: CPU time of training.
        example: the first test trajectory's rollout.
    """

    rollout: float
    frames: list[float]
    one_step: float
    upright: float
    turned: float
    fine: float
    parameters: int
    seconds: float
    example: Tensor


def solver(forcing: str, frames: int) -> Solver:
    """From states ``[n, c, side, side]`` to frames: vorticities, or heights above the mean and velocities."""
    if forcing != WATER:
        return lambda w: ns2d(w[:, 0], frames, forcing).unsqueeze(2)

    def water(state: Tensor) -> Tensor:
        mean = torch.tensor([1.0, 0.0, 0.0], dtype=state.dtype).view(3, 1, 1)
        return shallow_water(state + mean, frames) - mean

    return water


def starts(forcing: str, count: int, side: int, generator: torch.Generator) -> Float[Tensor, "n c s s"]:
    """Random states to start from: Gaussian fields, of water half as high as they are and flowing as fast."""
    if forcing != WATER:
        return GaussianRandomField(side).sample(count, 1, generator=generator)
    return 0.5 * GaussianRandomField(side).sample(count, 3, generator=generator)


def make_flows(forcing: str, train: int, test: int, side: int, refine: int, frames: int, seed: int) -> Flows:
    """Simulate on ``refine`` times the side and keep every so many points."""
    generator = torch.Generator().manual_seed(seed)
    solve = solver(forcing, frames)
    coarse, fine = [], []
    for first in range(0, train + test, TOGETHER):
        count = min(TOGETHER, train + test - first)
        # In single precision, as networks see it: its rounding is far below what any forecast is off by.
        made = solve(starts(forcing, count, side * refine, generator).to(torch.float32))
        coarse.append(made[..., ::refine, ::refine].contiguous())
        fine.append(made[max(0, train - first) :][:ASIDE])
    every = torch.cat(coarse)
    return Flows(forcing, every[:train], every[train:], torch.cat(fine)[:ASIDE])


def windows(flows: Float[Tensor, "n t c s s"], length: int) -> tuple[Float[Tensor, "m wc s s"], Float[Tensor, "m c s s"]]:
    """Every window of a trajectory that has a next frame, and that frame."""
    last = range(length, flows.shape[1])
    return torch.cat([flows[:, t - length : t].flatten(1, 2) for t in last]), torch.cat([flows[:, t] for t in last])


def fields_of(forcing: str, kind: str) -> list[Field]:
    """What a state is for a network: a vorticity of some kind; a height and a velocity, or three numbers if its components are scalars."""
    if forcing != WATER:
        return [("vorticity", kind, 1)]
    return [("height", "scalar", 1), ("velocity", "vector", 1)] if kind == "vector" else [("numbers", "scalar", 3)]


def acting(forcing: str, group: str, kind: str, side: int) -> PeriodicField:
    """How a group acts on states."""
    of = PlaneGroup(group)
    value: str | Rep = kind
    if forcing == WATER:
        value = of.scalar + of.vector if kind == "vector" else "scalar"
    return PeriodicField(of, (side, side), value)


def network(entry: Entry, forcing: str, modes: int, width: int, length: int, seed: int) -> GFNO:
    """An operator from windows to the next frame."""
    torch.manual_seed(seed)
    state = fields_of(forcing, entry.kind)
    return GFNO(modes, width, length * state, state, entry.group)


def fit(
    entry: Entry, flows: Flows, modes: int, width: int, length: int, steps: int, batch: int, lr: float, seed: int, quiet: bool
) -> Score:
    """Train one network with teacher forcing, and judge its rollouts."""
    net = network(entry, flows.forcing, modes, width, length, seed)
    turn = acting(flows.forcing, "p4", "vector" if flows.forcing == WATER else "pseudoscalar", flows.train.shape[-1])

    def moved(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        g = turn.group.sample(len(x))
        return turn.act(g, x.unflatten(1, (length, -1))).flatten(1, 2), turn.act(g, y)

    loss = supervised(relative_l2, moved if entry.turned else None)
    steps *= entry.longer
    config = TrainingConfig(steps, batch, lr, weight_decay=1e-4, warmup=steps // 10, seed=seed)
    started = time.process_time()
    train(net, windows(flows.train, length), loss, config, description=f"{flows.forcing}: {entry.name}", quiet=quiet)
    seconds = time.process_time() - started
    some = flows.test[:ASIDE]
    g = turn.group.sample(len(some), generator=torch.Generator().manual_seed(seed))
    made = forecast(net, flows.test, length)
    return Score(
        rollout=float(relative_l2(made, flows.test[:, length:])),
        frames=[float(relative_l2(made[:, t], flows.test[:, length + t])) for t in range(made.shape[1])],
        one_step=net_on(net, *windows(some, length)),
        upright=float(relative_l2(made[:ASIDE], some[:, length:])),
        turned=error_of(net, turn.act(g, some), length),
        fine=error_of(net, flows.fine, length),
        parameters=sum(p.numel() for p in net.parameters()),
        seconds=seconds,
        example=made[0],
    )


@torch.no_grad()
def forecast(net: Callable[[Tensor], Tensor], flows: Float[Tensor, "n t c s s"], length: int) -> Float[Tensor, "n r c s s"]:
    """Rollouts from the first window of each trajectory, a few at a time."""
    steps = flows.shape[1] - length
    return torch.cat([rollout(net, part[:, :length].flatten(1, 2), steps) for part in flows.split(TOGETHER)])


def error_of(net: Callable[[Tensor], Tensor], flows: Float[Tensor, "n t c s s"], length: int) -> float:
    """The mean relative error of rollouts."""
    return float(relative_l2(forecast(net, flows, length), flows[:, length:]))


@torch.no_grad()
def net_on(net: Callable[[Tensor], Tensor], x: Tensor, y: Tensor) -> float:
    """The mean relative error of single steps."""
    return float(relative_l2(torch.cat([net(part) for part in x.split(5 * TOGETHER)]), y))


def still(channels: int) -> Callable[[Tensor], Tensor]:
    """The forecast that nothing changes: the last state of a window."""
    return lambda window: window[:, -channels:]


def symmetries(forcing: str, side: int, frames: int, kinds: Sequence[str]) -> dict[str, list[float]]:
    """For each kind that fields might be, how far the flow itself is from commuting with quarter turns, and with mirrors."""
    start, solve = starts(forcing, 1, side, torch.Generator().manual_seed(0)), solver(forcing, frames)
    found = {}
    for kind in kinds:
        act = acting(forcing, "p4mm", kind, side)
        verdict = er.equivariance_error(lambda state: solve(state)[:, -1], start, act, act)
        errors = verdict.witness
        assert isinstance(errors, EquivarianceErrors)
        mirrors = torch.linalg.det(errors.elements[..., :-1].to(torch.float64)) < 0
        found[kind] = [float(errors.relative[~mirrors].max()), float(errors.relative[mirrors].max())]
    return found


@dataclass(frozen=True)
class Simple:
    """Forecasts of one flow without a network: relative errors of rollouts, and CPU seconds.

    Attributes:
        law: of the law itself, integrated on the coarse grid from the last frame of a window.
        linear: of the best linear map of the window's waves, each by itself.
        alpha: of its ridge.
        law_seconds, linear_seconds: of each.
    """

    law: float
    linear: float
    alpha: float
    law_seconds: float
    linear_seconds: float


def without_network(flows: Flows, length: int) -> Simple:
    """The law, and the linear forecast with the ridge that is best on a quarter of the training trajectories."""
    started = time.process_time()
    test = flows.test.double()
    ahead = solver(flows.forcing, test.shape[1] - length)(test[:, length - 1])
    law = float(relative_l2(ahead, test[:, length:]))
    between = time.process_time()
    train = flows.train.double()
    cut = max(1, 3 * len(train) // 4)
    alphas = (1e-6, 1e-4, 1e-2, 1.0)
    alpha = min(alphas, key=lambda a: error_of(linear(train[:cut], length, a), train[cut:], length))
    error = error_of(linear(train, length, alpha), test, length)
    return Simple(law, error, alpha, between - started, time.process_time() - between)


def linear(flows: Float[Tensor, "n t c s s"], length: int, alpha: float) -> Callable[[Tensor], Tensor]:
    """Each wave of the next frame as a linear function of the same wave in the window: all linear maps that commute with shifts."""
    x, y = (torch.fft.fft2(part).permute(2, 3, 0, 1) for part in windows(flows, length))
    gram = x.mH @ x
    size = gram.diagonal(0, -2, -1).real.mean(-1)[..., None, None] + 1e-9
    weights = torch.linalg.solve(gram + alpha * size * torch.eye(gram.shape[-1], dtype=gram.dtype), x.mH @ y)
    return lambda window: torch.fft.ifft2(torch.einsum("bixy,xyio->boxy", torch.fft.fft2(window), weights)).real
