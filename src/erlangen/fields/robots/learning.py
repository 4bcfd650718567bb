"""`PolicyTraining`: the controller of a design learned by proximal policy optimisation, as one part of each epoch of a search."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from erlangen.design import PPO, EvolutionTraining
from erlangen.fields.robots.controller import CLOCK, LegController, mirrored_signs

if TYPE_CHECKING:
    from erlangen.fields.robots.designing import Trial

#: Robots at once, and the deviation of their actions.
ROBOTS, DEVIATION = 8, 0.4


class LegPolicy(nn.Module):
    """A :class:`LegController` as a module: from what the legs see, leg after leg, to the controls of all motors.

    Args:
        controller: its kind.
        parameters: float64 ``[controller.size]``; the module has them as float32 without the last, the clock's rate.

    >>> import numpy as np
    >>> kind = LegController(3)
    >>> numbers = kind.random(np.random.default_rng(0))
    >>> seen = np.random.default_rng(1).standard_normal((1, 3, kind.inputs))
    >>> same = kind.prepared(numbers[None])(seen).reshape(1, -1)
    >>> found = LegPolicy(kind, torch.from_numpy(numbers))(torch.from_numpy(seen).float().flatten(1))
    >>> bool(np.abs(found.detach().numpy() - same).max() < 1e-6)
    True
    """

    seen: Tensor
    answered: Tensor

    def __init__(self, controller: LegController, parameters: Tensor) -> None:
        super().__init__()
        self.kind = controller
        self.numbers = nn.Parameter(parameters[:-1].float())
        seen, answered = mirrored_signs(controller.depth)
        self.register_buffer("seen", torch.from_numpy(seen).float(), persistent=False)
        self.register_buffer("answered", torch.from_numpy(answered).float(), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        kind = self.kind
        k, h, d = kind.inputs, kind.hidden, kind.depth
        first, bias, last, out = self.numbers.split([k * h, h, h * d, d])
        x = x.reshape(len(x), kind.n_legs, k)

        def raw(x: Tensor) -> Tensor:
            hidden = torch.tanh(x @ first.view(k, h) / math.sqrt(k) + bias)
            return hidden @ last.view(h, d) / math.sqrt(h) + out

        both = raw(x) + self.answered * raw(x * self.seen)
        return torch.tanh(both / 2).flatten(1)


class PolicyTraining:
    """The ``train`` of a search: half of an epoch's rollouts by an evolution strategy for body and controller together, half by
    :class:`~erlangen.design.PPO` for the controller, on the body that came out.

    Args:
        trial: how designs are tried.
        evolution: what goes before.
        episodes: of policy optimisation in an epoch.
    """

    def __init__(self, trial: Trial, evolution: EvolutionTraining, episodes: int) -> None:
        self.trial, self.evolution, self.episodes = trial, evolution, episodes

    def __call__(self, design: Any, symmetrize: nn.Module, seed: int) -> Any:
        from erlangen.fields.robots.vector_env import RadialRobots

        design = self.evolution(design, symmetrize, seed)
        trial = self.trial
        with torch.no_grad():
            (body,) = trial.specs(symmetrize(design)["body"][None])
        steps = body.physics.steps(trial.task.seconds)
        robots = min(ROBOTS, self.episodes)
        clock = CLOCK * math.exp(max(-2.0, min(2.0, float(design["controller"][-1]))) / 2)
        env = RadialRobots(robots, task=trial.task, body=body, clock=clock, threads=trial.rollouts.threads.count)
        policy = LegPolicy(trial.controller, design["controller"])
        rounds = max(1, self.episodes // robots)
        ppo = PPO(env, policy=policy, horizon=steps, passes=5, deviation=DEVIATION, rate=1e-3, discount=0.98, seed=seed)
        ppo.learn(rounds * robots * steps)
        env.close()
        trial.rollouts.count += rounds * robots
        trial.rollouts.blown += env.blown
        learned = torch.cat([policy.numbers.detach().double(), design["controller"][-1:]])
        return {**design, "controller": learned}
