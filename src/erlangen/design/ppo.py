"""`PPO`: proximal policy optimisation of a controller, for vector environments with the interface of gymnasium 1."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from erlangen.design.designs import real_number, seed_from, whole_number
from erlangen.errors import ArgumentError
from erlangen.reporting import progress
from erlangen.serialization import read_tensors, weights_bytes, write_bytes

#: Ratios that an update may not reward to leave: 1 -+ CLIP. Gradients are cut at this norm. Normalised observations at so many deviations.
CLIP, LARGEST_GRADIENT, FARTHEST = 0.2, 0.5, 10.0
#: Returns change as the policy learns: each round counts for at least this part of their mean and variance.
RENEWED = 0.2


@dataclass(frozen=True)
class Iteration:
    """One round of collecting and updating.

    Attributes:
        steps: of the environments so far.
        episodes: that ended in this round.
        mean_return: their mean undiscounted return; NaN where none ended.
        kl: how far the policy moved, as the mean over the last pass of ``r - 1 - log r`` for ratios ``r`` of probabilities.
        skipped: minibatches that were left out because the policy had moved too far already.
    """

    steps: int
    episodes: int
    mean_return: float
    kl: float
    skipped: int


class Running(nn.Module):
    """Mean and variance of all that it was shown, of each number apart; centres and scales by them.

    >>> running = Running(())
    >>> running.show(torch.tensor([1.0, 3.0]))
    >>> float(running.mean), float(running.variance), running(torch.tensor(4.0)).item()
    (2.0, 1.0, 2.0)
    """

    mean: Tensor
    variance: Tensor
    count: Tensor

    def __init__(self, shape: Sequence[int]) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(tuple(shape), dtype=torch.float64))
        self.register_buffer("variance", torch.ones(tuple(shape), dtype=torch.float64))
        self.register_buffer("count", torch.zeros((), dtype=torch.float64))

    @torch.no_grad()
    def show(self, rows: Tensor, least: float = 0.0) -> None:
        """Take in some more, ``[n, *shape]``, which count for at least so large a part of all."""
        if not len(rows):
            return
        rows = rows.to(self.mean)
        total = self.count + len(rows)
        variance, off, part = rows.var(0, correction=0), rows.mean(0) - self.mean, (len(rows) / total).clamp_min(least)
        spread = (1 - part) * self.variance + part * variance + part * (1 - part) * off.square()
        self.mean.add_(part * off)
        self.variance.copy_(spread)
        self.count.copy_(total)

    def deviation(self) -> Tensor:
        """The root of the variance; 1 for what never changed."""
        return torch.where(self.variance > 1e-12, self.variance, torch.ones_like(self.variance)).sqrt()

    def forward(self, x: Tensor) -> Tensor:
        return ((x - self.mean.to(x)) / self.deviation().to(x)).clamp(-FARTHEST, FARTHEST)

    def restored(self, x: Tensor) -> Tensor:
        """Back to the numbers as they were shown."""
        return x * self.deviation().to(x) + self.mean.to(x)


class PPO:
    """A controller learned by proximal policy optimisation.

    Each round runs the environments under the policy, a Gaussian around what its network says, and then improves the policy on what was
    seen in several passes. Advantages are generalised (GAE) and normalised over the round, the returns that the critic predicts by all
    that was seen so far, so that no reward needs a scale. An episode that is cut off goes on in the critic's eyes; one that ends does not.

    Args:
        env: a vector environment, ``gymnasium.make_vec(...)`` or anything with its interface: observations and actions are boxes.
            Actions of ``[-1, 1]`` fill a bounded box of actions, and what lies beyond is cut off.
        policy, value: networks, from observations ``[b, *shape]`` to actions ``[b, *shape]``, ``[-1, 1]`` being the box, and to values
            ``[b]``, which need no scale; by default perceptrons of normalised observations. Own networks see observations as they are, for
            means and variances of what was seen do not have the symmetry that a policy may have.
        horizon: steps of each environment in a round.
        minibatch, passes: transitions of a gradient step, and how often a round is gone through.
        rate: of Adam.
        discount, trace: ``gamma`` and ``lambda`` of the advantages.
        deviation: of the Gaussian at the start, in units of actions; it is learned.
        entropy: how much a wide Gaussian is worth.
        largest_kl: minibatches for which the policy has already moved so far are left out.
        seed: every other seed follows from it, the environments' too.

    Raises:
        ArgumentError: an environment of another kind, or settings that make no sense.

    Source: J. Schulman et al., "Proximal policy optimization algorithms", 2017, arXiv:1707.06347; "High-dimensional continuous control
    using generalized advantage estimation", 2016, arXiv:1506.02438.
    """

    def __init__(
        self,
        env: Any,
        *,
        policy: nn.Module | None = None,
        value: nn.Module | None = None,
        horizon: int = 256,
        minibatch: int = 256,
        passes: int = 10,
        rate: float = 3e-4,
        discount: float = 0.99,
        trace: float = 0.95,
        deviation: float = 1.0,
        entropy: float = 0.0,
        largest_kl: float = 0.1,
        seed: int = 0,
    ) -> None:
        self.env, self.mode, self.seed = env, _reset_mode(env), whole_number(seed, 0, "seed")
        self.horizon, self.minibatch = whole_number(horizon, 1, "horizon"), whole_number(minibatch, 1, "minibatch")
        self.passes, self.entropy = whole_number(passes, 1, "passes"), real_number(entropy, -math.inf, math.inf, "entropy")
        self.discount, self.trace = real_number(discount, 0.0, 1.0, "discount"), real_number(trace, 0.0, 1.0, "trace")
        rate, deviation, self.largest_kl = (
            real_number(size, 0.0, math.inf, name, open_below=True)
            for name, size in (("rate", rate), ("deviation", deviation), ("largest_kl", largest_kl))
        )
        observed, acted = (_box(getattr(env, f"single_{what}_space", None), what) for what in ("observation", "action"))
        self.observation_shape, self.action_shape = observed.shape, acted.shape
        low, high = np.broadcast_to(acted.low, acted.shape), np.broadcast_to(acted.high, acted.shape)
        bounded = np.isfinite(low) & np.isfinite(high)
        self.middle = np.where(bounded, (np.where(bounded, low, 0) + np.where(bounded, high, 0)) / 2, 0.0)
        self.half = np.where(bounded, (np.where(bounded, high, 0) - np.where(bounded, low, 0)) / 2, 1.0)
        self.low, self.high = low, high
        self.observations, self.returns = Running(self.observation_shape), Running(())
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed_from(self.seed, 0))
            self.policy = policy or _perceptron(self.observations, self.action_shape, 0.01)
            self.value = value or _perceptron(self.observations, (), 1.0)
        self.log_deviation = nn.Parameter(torch.full(self.action_shape, math.log(deviation)))
        self._whole = nn.ModuleDict(
            {"policy": self.policy, "value": self.value, "observations": self.observations, "returns": self.returns}
        )
        self._whole.register_parameter("log_deviation", self.log_deviation)
        self.optimizer = torch.optim.Adam(self._whole.parameters(), rate, eps=1e-5)
        self.draw = torch.Generator().manual_seed(seed_from(self.seed, 1))
        self.history: list[Iteration] = []
        self._at: np.ndarray | None = None  # the observations where the environments stand

    # ---- use ----

    @torch.no_grad()
    def act(self, observation: Any) -> np.ndarray:
        """The mean action of the policy, as the environment takes it, for observations ``[*batch, *shape]``."""
        x = torch.as_tensor(np.asarray(observation), dtype=torch.float32)
        split = x.ndim - len(self.observation_shape)
        if split < 0 or tuple(x.shape[split:]) != self.observation_shape:
            raise ArgumentError("observation", f"shape [*batch, {', '.join(map(str, self.observation_shape))}]", tuple(x.shape))
        mean = self.policy(x.reshape(-1, *self.observation_shape))
        return self._given(mean.reshape((*x.shape[:split], *self.action_shape)))

    def learn(self, steps: int, *, quiet: bool = True) -> list[Iteration]:
        """Go on for so many steps of the environments, in whole rounds; returns the history.

        Raises:
            ArgumentError: the environment's rewards or observations are no longer finite.
        """
        steps = whole_number(steps, 1, "steps")
        begun = self.history[-1].steps if self.history else 0
        with progress(steps, "policy optimisation", quiet=quiet) as bar:
            done = begun
            while done < begun + steps:
                batch, ended = self._collect()
                kl, skipped = self._update(batch)
                self.observations.show(batch["observation"])
                self.returns.show(batch["target"], RENEWED)
                mean = sum(ended) / len(ended) if ended else math.nan
                self.history.append(Iteration(done + self.horizon * self.env.num_envs, len(ended), mean, kl, skipped))
                bar.advance(self.horizon * self.env.num_envs, value=mean)
                done = self.history[-1].steps
        return self.history

    def save(self, path: str | Path) -> Path:
        """Write networks, running means, Adam's moments and the history as one safetensors file."""
        slots = {f"adam.{i}.{name}": t for i, s in self.optimizer.state_dict()["state"].items() for name, t in s.items()}
        tensors = {**{f"net.{name}": t for name, t in self._whole.state_dict().items()}, **slots, "draw": self.draw.get_state()}
        meta = {"history": [asdict(one) for one in self.history], "shapes": self._shapes()}
        return write_bytes(path, weights_bytes(tensors, {"ppo": json.dumps(meta)}))

    def load(self, path: str | Path) -> None:
        """Take up what :meth:`save` wrote; the environments begin new episodes.

        Raises:
            ArgumentError: the file is damaged, or of other networks.
        """
        tensors, meta = read_tensors(path, "ppo", "path")
        if meta.get("shapes") != self._shapes():
            raise ArgumentError("path", f"a policy with tensors of {self._shapes()}", f"one of {meta.get('shapes')}")
        self._whole.load_state_dict({n.removeprefix("net."): t for n, t in tensors.items() if n.startswith("net.")})
        state: dict[int, dict[str, Tensor]] = {}
        for name, tensor in tensors.items():
            if name.startswith("adam."):
                _, i, slot = name.split(".", 2)
                state.setdefault(int(i), {})[slot] = tensor
        self.optimizer.load_state_dict({**self.optimizer.state_dict(), "state": state})
        self.draw.set_state(tensors["draw"])
        self.history = [Iteration(**one) for one in meta["history"]]
        self._at = None

    # ---- one round ----

    def _shapes(self) -> dict[str, list[int]]:
        return {name: list(t.shape) for name, t in self._whole.state_dict().items()}

    def _given(self, action: Tensor) -> np.ndarray:
        return np.clip(self.middle + self.half * action.double().numpy(), self.low, self.high).astype(np.float32)

    def _likelihood(self, mean: Tensor, action: Tensor) -> Tensor:
        normal = torch.distributions.Normal(mean, self.log_deviation.exp().expand_as(mean), validate_args=False)
        return normal.log_prob(action).reshape(len(mean), -1).sum(1)

    @torch.no_grad()
    def _collect(self) -> tuple[dict[str, Tensor], list[float]]:
        """Run the environments; what counts of it as rows, and the returns of the episodes that ended."""
        count = self.env.num_envs
        if self._at is None:
            rounds = len(self.history)
            self._at = self.env.reset(seed=seed_from(self.seed, 2, rounds) % 2**31)[0]
            self._fresh, self._sums = np.zeros(count, bool), np.zeros(count)
        seen: dict[str, list[Any]] = {name: [] for name in ("observation", "action", "after", "reward", "ended", "cut", "counts")}
        ended: list[float] = []
        for _ in range(self.horizon):
            x = torch.as_tensor(np.array(self._at), dtype=torch.float32)  # a copy: environments may write over theirs
            mean = self.policy(x)
            if tuple(mean.shape) != (count, *self.action_shape) or not bool(torch.isfinite(mean).all()):
                got = f"shape {tuple(mean.shape)}" if bool(torch.isfinite(mean).all()) else "NaN or infinity"
                raise ArgumentError("policy", f"a network with finite actions {(count, *self.action_shape)}", got, "lower the rate")
            action = mean + self.log_deviation.exp() * torch.randn(mean.shape, generator=self.draw)
            after, reward, end, cut, info = self.env.step(self._given(action))
            real = _last_seen(after, info, end | cut) if self.mode == "SAME_STEP" else after
            # After an episode's end the environment takes no action: it returns the first observation of the next one.
            counts = ~self._fresh if self.mode == "NEXT_STEP" else np.ones(count, bool)
            flags = map(torch.as_tensor, (np.array(reward, float), np.array(end), np.array(cut), counts))
            for kept, value in zip(seen.values(), (x, action, torch.as_tensor(np.array(real), dtype=torch.float32), *flags)):
                kept.append(value)
            self._sums += np.where(counts, reward, 0.0)
            for i in np.nonzero(end | cut)[0]:
                ended.append(float(self._sums[i]))
                self._sums[i] = 0.0
            self._at, self._fresh = after, np.asarray(end | cut)
        rows: dict[str, Tensor] = {name: torch.stack(values) for name, values in seen.items()}
        for name in ("observation", "after", "reward"):
            if not bool(torch.isfinite(rows[name]).all()):
                what = "rewards" if name == "reward" else "observations"
                raise ArgumentError(
                    "env", f"an environment with finite {what}", "NaN or infinity", "end such episodes, with a penalty"
                )
        shape = rows["reward"].shape
        now, then = (
            self.returns.restored(self.value(rows[name].flatten(0, 1))).view(shape).double() for name in ("observation", "after")
        )
        advantage = advantages(rows["reward"], now, then, rows["ended"], rows["cut"], self.discount, self.trace)
        real_steps = rows["counts"].flatten()
        batch = {name: rows[name].flatten(0, 1)[real_steps] for name in ("observation", "action")}
        batch["advantage"] = advantage.flatten()[real_steps].float()
        batch["target"] = (advantage + now).flatten()[real_steps].float()
        batch["likelihood"] = self._likelihood(self.policy(batch["observation"]), batch["action"])
        return batch, ended

    def _update(self, batch: dict[str, Tensor]) -> tuple[float, int]:
        """Several passes of gradient steps; how far the policy moved, and how many minibatches were left out."""
        target, moved, skipped = self.returns(batch["target"]), [], 0
        advantage = batch["advantage"] - batch["advantage"].mean()
        advantage = advantage / (advantage.square().mean().sqrt() + 1e-8)
        for number in range(self.passes):
            for rows in torch.randperm(len(target), generator=self.draw).split(self.minibatch):
                x = batch["observation"][rows]
                log_ratio = self._likelihood(self.policy(x), batch["action"][rows]) - batch["likelihood"][rows]
                ratio = log_ratio.exp()
                kl = float((ratio.detach() - 1 - log_ratio.detach()).mean())
                if number == self.passes - 1:
                    moved.append(kl)
                if not kl <= self.largest_kl:
                    skipped += 1
                    continue
                gain = torch.minimum(ratio * advantage[rows], ratio.clamp(1 - CLIP, 1 + CLIP) * advantage[rows]).mean()
                miss = (self.value(x) - target[rows]).square().mean()
                loss = miss / 2 - gain - self.entropy * self.log_deviation.sum()
                self.optimizer.zero_grad()
                loss.backward()
                nn.utils.clip_grad_norm_(self._whole.parameters(), LARGEST_GRADIENT)
                self.optimizer.step()
        return sum(moved) / len(moved), skipped


def advantages(
    reward: Float[Tensor, "steps envs"],
    value: Float[Tensor, "steps envs"],
    after: Float[Tensor, "steps envs"],
    ended: Bool[Tensor, "steps envs"],
    cut: Bool[Tensor, "steps envs"],
    discount: float,
    trace: float,
) -> Float[Tensor, "steps envs"]:
    """Generalised advantages ``sum_k (gamma lambda)^k delta_{t+k}`` up to the end of the episode or of the round.

    ``delta = r + gamma v(after) - v``, where nothing comes after an episode that ended, but after one that was cut off something does.

    >>> one, none = torch.ones(3, 1), torch.zeros(3, 1, dtype=torch.bool)
    >>> advantages(one, 0 * one, 0 * one, none, none, 0.5, 1.0).flatten().tolist()
    [1.75, 1.5, 1.0]
    """
    delta = reward + discount * after * ~ended - value
    found, carried = torch.empty_like(delta), torch.zeros_like(delta[0])
    for t in range(len(delta) - 1, -1, -1):
        carried = delta[t] + discount * trace * carried * ~(ended[t] | cut[t])
        found[t] = carried
    return found


class _Shaped(nn.Module):
    """The numbers of each row in another shape: observations as one axis, outputs as an action or as one value."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.shape = shape

    def forward(self, x: Tensor) -> Tensor:
        return x.reshape(len(x), *self.shape)


def _perceptron(observations: Running, shape: tuple[int, ...], gain: float, width: int = 64) -> nn.Module:
    """Two hidden layers with tanh on normalised observations, orthogonal to begin with, the last one small."""
    layers = [nn.Linear(observations.mean.numel(), width), nn.Linear(width, width), nn.Linear(width, math.prod(shape))]
    for layer, size in zip(layers, (math.sqrt(2), math.sqrt(2), gain)):
        nn.init.orthogonal_(layer.weight, size)
        nn.init.zeros_(layer.bias)
    flat = _Shaped((observations.mean.numel(),))
    return nn.Sequential(observations, flat, layers[0], nn.Tanh(), layers[1], nn.Tanh(), layers[2], _Shaped(shape))


def _box(space: Any, what: str) -> Any:
    if not all(hasattr(space, name) for name in ("shape", "low", "high")):
        hint = "gymnasium.make_vec makes one; gymnasium.wrappers.FlattenObservation flattens observations"
        raise ArgumentError("env", f"a vector environment with a box of {what}s", repr(space), hint)
    return space


def _reset_mode(env: Any) -> str:
    """How the environment begins the next episode: ``NEXT_STEP`` or ``SAME_STEP``."""
    if not isinstance(getattr(env, "num_envs", None), int):
        raise ArgumentError("env", "a vector environment (gymnasium.make_vec(...))", type(env).__name__)
    mode = (getattr(env, "metadata", None) or {}).get("autoreset_mode", "NEXT_STEP")
    name = getattr(mode, "name", str(mode))
    if name not in ("NEXT_STEP", "SAME_STEP"):
        raise ArgumentError("env", "one that begins the next episode by itself (autoreset)", f"autoreset_mode {name}")
    return name


def _last_seen(after: Any, info: dict[str, Any], done: Any) -> np.ndarray:
    """What was seen before an episode gave way to the next one in the same step."""
    real = np.array(after)
    final = info.get("final_obs", info.get("final_observation"))
    if final is None and np.any(done):
        raise ArgumentError("env", "one that tells in info['final_obs'] how an episode ended", ", ".join(info) or "nothing")
    for i in np.nonzero(done)[0]:
        real[i] = final[i]  # type: ignore[index]
    return real
