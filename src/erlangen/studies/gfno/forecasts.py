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
from erlangen.fields.flows import GaussianRandomField, ns2d
from erlangen.groups import PlaneGroup
from erlangen.nn import GFNO
from erlangen.training import TrainingConfig, relative_l2, rollout, supervised, train

#: Trajectories that are computed together.
TOGETHER = 20


@dataclass(frozen=True)
class Entry:
    """One network of a comparison.

    Attributes:
        name: for people.
        group: which the network knows.
        kind: what it takes a vorticity for.
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
    """Trajectories of one forcing: vorticities ``[trajectories, frames, side, side]``, those for tests also on the grid of the solver."""

    forcing: str
    train: Tensor
    test: Tensor
    fine: Tensor


@dataclass(frozen=True)
class Score:
    """What one network reached, as relative errors.

    Attributes:
        rollout: mean over the frames of a rollout; ``frames``: of each.
        one_step: from true windows.
        turned: of rollouts from windows turned by elements of the flow's own group.
        fine: of rollouts on the grid of the solver, which the network has not seen.
        parameters: real numbers.
        seconds: CPU time of training.
        example: the first test trajectory's rollout.
    """

    rollout: float
    frames: list[float]
    one_step: float
    turned: float
    fine: float
    parameters: int
    seconds: float
    example: Tensor


def make_flows(forcing: str, train: int, test: int, side: int, refine: int, frames: int, seed: int) -> Flows:
    """Simulate on ``refine`` times the side and keep every so many points."""
    generator = torch.Generator().manual_seed(seed)
    field = GaussianRandomField(side * refine)
    coarse, fine = [], []
    for first in range(0, train + test, TOGETHER):
        count = min(TOGETHER, train + test - first)
        w = ns2d(field.sample(count, generator=generator), frames, forcing).to(torch.float32)
        coarse.append(w[..., ::refine, ::refine].contiguous())
        fine.append(w[max(0, train - first) :])
    every = torch.cat(coarse)
    return Flows(forcing, every[:train], every[train:], torch.cat(fine))


def windows(flows: Float[Tensor, "n t s s"], length: int) -> tuple[Float[Tensor, "m w s s"], Float[Tensor, "m 1 s s"]]:
    """Every window of a trajectory that has a next frame, and that frame."""
    last = range(length, flows.shape[1])
    return torch.cat([flows[:, t - length : t] for t in last]), torch.cat([flows[:, t : t + 1] for t in last])


def network(entry: Entry, modes: int, width: int, length: int, seed: int) -> GFNO:
    """An operator from windows to the next frame."""
    torch.manual_seed(seed)
    return GFNO(modes, width, [("vorticity", entry.kind, length)], [("vorticity", entry.kind, 1)], entry.group)


def fit(
    entry: Entry, flows: Flows, modes: int, width: int, length: int, steps: int, batch: int, lr: float, seed: int, quiet: bool
) -> Score:
    """Train one network with teacher forcing, and judge its rollouts."""
    net = network(entry, modes, width, length, seed)
    turn = PeriodicField(PlaneGroup("p4"), tuple(flows.train.shape[-2:]))

    def moved(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        g = turn.group.sample(len(x))
        return turn.act(g, x), turn.act(g, y)

    loss = supervised(relative_l2, moved if entry.turned else None)
    steps *= entry.longer
    config = TrainingConfig(steps, batch, lr, weight_decay=1e-4, warmup=steps // 10, seed=seed)
    started = time.process_time()
    train(net, windows(flows.train, length), loss, config, description=f"{flows.forcing}: {entry.name}", quiet=quiet)
    seconds = time.process_time() - started
    g = turn.group.sample(len(flows.test), generator=torch.Generator().manual_seed(seed))
    made = forecast(net, flows.test, length)
    one_step = net_on(net, *windows(flows.test, length))
    return Score(
        rollout=float(relative_l2(made, flows.test[:, length:])),
        frames=[float(relative_l2(made[:, t], flows.test[:, length + t], axes=2)) for t in range(made.shape[1])],
        one_step=one_step,
        turned=error_of(net, turn.act(g, flows.test), length),
        fine=error_of(net, flows.fine, length),
        parameters=sum(p.numel() for p in net.parameters()),
        seconds=seconds,
        example=made[0],
    )


@torch.no_grad()
def forecast(net: Callable[[Tensor], Tensor], flows: Float[Tensor, "n t s s"], length: int) -> Float[Tensor, "n r s s"]:
    """Rollouts from the first window of each trajectory, a few at a time."""
    steps = flows.shape[1] - length
    return torch.cat([rollout(net, part[:, :length], steps).squeeze(2) for part in flows.split(TOGETHER)])


def error_of(net: Callable[[Tensor], Tensor], flows: Float[Tensor, "n t s s"], length: int) -> float:
    """The mean relative error of rollouts."""
    return float(relative_l2(forecast(net, flows, length), flows[:, length:]))


@torch.no_grad()
def net_on(net: Callable[[Tensor], Tensor], x: Tensor, y: Tensor) -> float:
    """The mean relative error of single steps."""
    return float(relative_l2(torch.cat([net(part) for part in x.split(5 * TOGETHER)]), y))


def still(window: Float[Tensor, "b w s s"]) -> Float[Tensor, "b 1 s s"]:
    """The forecast that nothing changes."""
    return window[:, -1:]


def symmetries(forcing: str, side: int, frames: int, kinds: Sequence[str]) -> dict[str, list[float]]:
    """For each kind that a vorticity might be, how far the flow itself is from commuting with quarter turns, and with mirrors."""
    w0 = GaussianRandomField(side).sample(1, 1, generator=torch.Generator().manual_seed(0))
    found = {}
    for kind in kinds:
        act = PeriodicField(PlaneGroup("p4mm"), (side, side), kind)
        verdict = er.equivariance_error(lambda w: ns2d(w[:, 0], frames, forcing)[:, -1:], w0, act, act)
        errors = verdict.witness
        assert isinstance(errors, EquivarianceErrors)
        mirrors = torch.linalg.det(errors.elements[..., :-1].to(torch.float64)) < 0
        found[kind] = [float(errors.relative[~mirrors].max()), float(errors.relative[mirrors].max())]
    return found
