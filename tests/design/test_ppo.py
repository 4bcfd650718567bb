"""PPO: the advantages by hand, a linear-quadratic problem whose best controller is known, episodes that end or are cut, files, refusals."""

from __future__ import annotations

import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from erlangen.design.ppo import PPO, Running, advantages
from erlangen.errors import ArgumentError


def box(shape, low=-np.inf, high=np.inf):
    return SimpleNamespace(shape=shape, low=np.full(shape, low, np.float32), high=np.full(shape, high, np.float32))


class Points:
    """Points on a line that are pushed back to 0: ``x' = x + push / 2``, costs ``x'^2 + push^2 / 4``; cut off after twenty steps."""

    length, push = 20, 0.5

    def __init__(self, count: int = 16, mode: str = "NEXT_STEP", reach: float = 2.0, ends: bool = False) -> None:
        self.num_envs, self.metadata, self.ends = count, {"autoreset_mode": SimpleNamespace(name=mode)}, ends
        self.single_observation_space, self.single_action_space = box((1,)), box((1,), -reach, reach)
        self.mode, self.given = mode, []

    def reset(self, *, seed=None, options=None):
        self.random = np.random.default_rng(seed)
        self.x, self.t, self.done = self.begin(self.num_envs), np.zeros(self.num_envs, int), np.zeros(self.num_envs, bool)
        return self.x.copy(), {}

    def begin(self, count):
        return self.random.uniform(-2, 2, (count, 1)).astype(np.float32)

    def step(self, action):
        self.given.append(action)
        again = self.done if self.mode == "NEXT_STEP" else np.zeros_like(self.done)
        self.x = self.x + self.push * action
        reward = -(self.x[:, 0] ** 2 + action[:, 0] ** 2 / 4).astype(float)
        self.t += 1
        self.x[again], self.t[again], reward[again] = self.begin(int(again.sum())), 0, 0.0
        over = (self.t >= self.length) & ~again
        self.done, info = over.copy(), {}
        if self.mode == "SAME_STEP" and over.any():
            info = {"final_obs": np.array([self.x[i].copy() if over[i] else None for i in range(self.num_envs)], dtype=object)}
            self.x[over], self.t[over] = self.begin(int(over.sum())), 0
        end, cut = (over, np.zeros_like(over)) if self.ends else (np.zeros_like(over), over)
        return self.x.copy(), reward, end, cut, info


def best_gain(push: float, discount: float) -> float:
    """Of the best controller ``-gain x`` of the discounted problem without end, by the Riccati iteration."""
    cost = 0.0
    for _ in range(500):
        total = 1 + discount * cost  # of the next position squared
        gain = total * push / (0.25 + total * push**2)
        cost = total * (1 - push * gain) ** 2 + gain**2 / 4
    return gain


def test_advantages_are_the_sums_of_their_definition() -> None:
    draw = torch.Generator().manual_seed(0)
    reward, value, after = (torch.randn(9, 3, generator=draw, dtype=torch.float64) for _ in range(3))
    ended, cut = (torch.rand(9, 3, generator=draw) < 0.2 for _ in range(2))
    found = advantages(reward, value, after, ended, cut, 0.9, 0.7)
    for t in range(9):
        for e in range(3):
            total, weight = 0.0, 1.0
            for u in range(t, 9):
                total += weight * float(reward[u, e] + (0 if ended[u, e] else 0.9 * after[u, e]) - value[u, e])
                weight *= 0.9 * 0.7
                if ended[u, e] or cut[u, e]:
                    break
            assert float(found[t, e]) == pytest.approx(total, abs=1e-12)


def test_running_means_are_those_of_all_rows() -> None:
    rows = 5 + 3 * torch.randn(100, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    running = Running((2,))
    for part in (rows[:1], rows[1:40], rows[40:40], rows[40:]):
        running.show(part)
    assert torch.allclose(running.mean, rows.mean(0), atol=1e-12)
    assert torch.allclose(running.variance, rows.var(0, correction=0), atol=1e-12)
    assert torch.allclose(running.restored(running(rows)), rows, atol=1e-12)
    still = Running(())
    still.show(torch.full((9,), 2.0))
    assert float(still(torch.tensor(2.5))) == pytest.approx(0.5)  # never changed: only centred


@pytest.mark.parametrize("mode", ["NEXT_STEP", "SAME_STEP"])
def test_the_known_best_controller_is_learned(mode: str) -> None:
    env = Points(mode=mode, reach=4.0)
    linear = nn.Linear(1, 1)
    nn.init.zeros_(linear.weight)
    nn.init.zeros_(linear.bias)
    agent = PPO(env, policy=linear, horizon=64, minibatch=256, passes=6, rate=3e-3, discount=0.9, deviation=0.2)
    agent.learn(25_000)
    gain = best_gain(env.push, 0.9)
    assert -4 * float(linear.weight.detach()) == pytest.approx(gain, abs=0.15)  # actions are in units of half the box
    assert float(linear.bias.detach()) == pytest.approx(0, abs=0.05)


def test_returns_improve_and_episodes_that_end_are_over() -> None:
    agent = PPO(Points(), horizon=64, passes=6, rate=2e-3, discount=0.9, deviation=0.5)
    history = agent.learn(20_000)
    assert history[-1].steps >= 20_000
    returns = [one.mean_return for one in history if one.episodes]
    assert returns[-1] > returns[0] / 3  # costs, so less negative

    class Paid(Points):
        """One for each step, until the episode ends: with a clock to see, values are known."""

        def step(self, action):
            after, reward, *rest = super().step(action)
            return after, np.where(reward == 0, 0.0, 1.0), *rest

    values = []
    for ends in (False, True):
        env = Paid(ends=ends)
        env.length = 5
        paid = PPO(env, horizon=64, passes=6, rate=2e-3, discount=0.9)
        paid.learn(20_000)
        with torch.no_grad():
            values.append(float(paid.returns.restored(paid.value(torch.zeros(1, 1)))))
    assert values[0] == pytest.approx(1 / (1 - 0.9), rel=0.1)
    over = sum((1 - 0.9**left) / (1 - 0.9) for left in range(1, 6)) / 5  # the mean over the clock, which it does not see
    assert values[1] == pytest.approx(over, rel=0.15)


def test_the_start_is_worse_than_the_end_also_where_rewards_are_huge() -> None:
    class Huge(Points):
        def step(self, action):
            after, reward, *rest = super().step(action)
            return after, 1e5 * reward, *rest

    history = PPO(Huge(), horizon=64, passes=6, rate=2e-3, discount=0.9, deviation=0.5).learn(15_000)
    returns = [one.mean_return for one in history if one.episodes]
    assert returns[-1] > returns[0] / 2


def test_a_network_of_one_s_own_and_the_same_seed() -> None:
    def make(seed):
        torch.manual_seed(0)
        return PPO(Points(), policy=nn.Linear(1, 1, bias=False), horizon=32, minibatch=128, seed=seed, deviation=0.3)

    first, second, other = make(1), make(1), make(2)
    for agent in (first, second, other):
        agent.learn(1_500)
    assert first.history == second.history
    assert torch.equal(first.policy.weight, second.policy.weight)
    assert first.history != other.history
    assert first.act(np.zeros(1)).tolist() == [0.0]  # without a bias it is odd, as the problem is
    assert first.act(np.zeros((2, 3, 1))).shape == (2, 3, 1)


def test_a_policy_that_moved_too_far_waits_for_the_next_round() -> None:
    history = PPO(Points(), horizon=64, rate=0.3, passes=10, minibatch=256, largest_kl=0.02).learn(4_096)
    assert all(0 < one.skipped <= 10 * 4 for one in history[:1])
    calm = PPO(Points(), horizon=64, rate=1e-4, passes=10, minibatch=256, largest_kl=0.02).learn(4_096)
    assert all(one.skipped == 0 for one in calm)
    assert max(one.kl for one in calm) < 0.02


def test_actions_stay_in_their_box() -> None:
    env = Points(reach=0.25)
    PPO(env, horizon=32, deviation=3.0).learn(512)
    assert max(float(np.abs(a).max()) for a in env.given) == 0.25
    free = Points(reach=np.inf)
    PPO(free, horizon=32, deviation=3.0).learn(512)
    assert max(float(np.abs(a).max()) for a in free.given) > 1


def test_a_policy_is_kept_and_taken_up(tmp_path) -> None:
    agent = PPO(Points(), horizon=32, minibatch=128)
    agent.learn(2_000)
    path = agent.save(tmp_path / "policy.safetensors")
    again = PPO(Points(), horizon=32, minibatch=128, seed=5)
    again.load(path)
    x = np.linspace(-2, 2, 7).reshape(-1, 1)
    assert np.array_equal(again.act(x), agent.act(x))
    assert again.history == agent.history
    # Both go on alike: with new episodes, Adam's moments and random numbers where they were.
    third = PPO(Points(), horizon=32, minibatch=128, seed=5)
    third.load(path)
    assert again.learn(1_000) == third.learn(1_000)
    assert again.history[-1].steps == agent.history[-1].steps + 1_024
    with pytest.raises(ArgumentError, match="'path'"):
        PPO(Points(), policy=nn.Linear(1, 1)).load(path)
    path.write_bytes(b"no")
    with pytest.raises(ArgumentError, match="damaged"):
        again.load(path)


def test_gymnasium_s_own_environments() -> None:
    gymnasium = pytest.importorskip("gymnasium")
    for mode in gymnasium.vector.AutoresetMode.NEXT_STEP, gymnasium.vector.AutoresetMode.SAME_STEP:
        env = gymnasium.make_vec("Pendulum-v1", num_envs=4, vectorization_mode="sync", vector_kwargs={"autoreset_mode": mode})
        agent = PPO(env, horizon=250, minibatch=500, passes=2)
        agent.learn(1_000)
        assert agent.history[-1].episodes == 4
        assert math.isfinite(agent.history[-1].mean_return)
        assert env.single_action_space.contains(agent.act(np.zeros(3, np.float32)))
    off = {"autoreset_mode": gymnasium.vector.AutoresetMode.DISABLED}
    with pytest.raises(ArgumentError, match="autoreset"):
        PPO(gymnasium.make_vec("Pendulum-v1", num_envs=2, vectorization_mode="sync", vector_kwargs=off))
    with pytest.raises(ArgumentError, match="box of actions"):
        PPO(gymnasium.make_vec("CartPole-v1", num_envs=2, vectorization_mode="sync"))
    with pytest.raises(ArgumentError, match="vector environment"):
        PPO(gymnasium.make("Pendulum-v1"))


def test_what_cannot_be_learned_is_refused() -> None:
    for options in (
        {"horizon": 0}, {"minibatch": 0}, {"passes": 1.5}, {"discount": 1.1}, {"trace": -0.1}, {"rate": 0.0}, {"deviation": 0.0},
        {"largest_kl": float("nan")},
    ):  # fmt: skip
        with pytest.raises(ArgumentError, match=f"'{next(iter(options))}'"):
            PPO(Points(), **options)
    with pytest.raises(ArgumentError, match="'steps'"):
        PPO(Points()).learn(0)

    class Broken(Points):
        def step(self, action):
            after, reward, *rest = super().step(action)
            return after, reward * np.nan, *rest

    with pytest.raises(ArgumentError, match="'env'.*finite rewards"):
        PPO(Broken(), horizon=8).learn(8)
