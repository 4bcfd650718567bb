"""Two processes started by Accelerate give the numbers of one."""

from __future__ import annotations

import pytest

SCRIPT = """
import json, sys, torch
from torch import nn
from accelerate import PartialState
from erlangen.training import TrainingConfig, train
torch.set_num_threads(1)
x = torch.randn(90, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64); y = x.square().sum(1, keepdim=True)
torch.manual_seed(1)
net = nn.Sequential(nn.Linear(4, 16), nn.Tanh(), nn.Linear(16, 1)).double()
config = TrainingConfig(steps=40, batch_size=33, lr=0.01, evaluate_every=10, clip=2.0, seed=3)  # 33: unequal shares
history = train(net, (x[:70], y[:70]), lambda m, a, b: (m(a) - b).square().mean(), config,
                validation=(x[70:], y[70:]), checkpoint=sys.argv[2], quiet=True)
state = PartialState()
if state.is_main_process:
    weights = [t.tolist() for t in net.state_dict().values()]
    with open(sys.argv[1], "w") as file:
        json.dump({"processes": state.num_processes, "losses": history.losses, "best": history.best, "weights": weights}, file)
"""


def flat(value: object) -> list[float]:
    return [x for part in value for x in flat(part)] if isinstance(value, list) else [value]


def test_two_processes_agree_with_one(one_and_two_processes) -> None:
    one, two = one_and_two_processes(SCRIPT)
    assert (one["processes"], two["processes"]) == (1, 2)
    assert two["losses"] == pytest.approx(one["losses"], rel=1e-6)
    assert two["best"] == pytest.approx(one["best"], rel=1e-6)
    assert flat(two["weights"]) == pytest.approx(flat(one["weights"]), abs=1e-6)


UNUSED = """
import json, sys, torch
from torch import nn
from accelerate import PartialState
from erlangen.training import TrainingConfig, train
torch.set_num_threads(1)
state = PartialState()
x = torch.randn(64, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64); y = x.square().sum(1, keepdim=True)
torch.manual_seed(state.process_index)  # processes start from different weights, and must not go on so
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.rare, self.never = nn.Linear(4, 8), nn.Linear(8, 1), nn.Linear(3, 3)
        self.last = nn.Linear(8, 1)
        self.calls = 0
    def forward(self, x):
        return self.last(self.first(x).tanh())
    def penalty(self):
        return self.first.weight.square().mean()
net = Net().double()
torch.manual_seed(7)
if state.is_main_process:
    for p in net.parameters():
        nn.init.normal_(p, std=0.3)
before = [t.detach().clone() for t in net.state_dict().values()]
def loss(m, a, b):
    m.calls += 1
    value = (m(a) - b).square().mean() + m.penalty()  # two uses of the model, and its attributes
    if m.calls == 3 and state.is_main_process:  # a part that only one process uses, in one step
        value = value + 0.0 * m.rare(m.first(a)).sum()
    return value
history = train(net, (x, y), loss, TrainingConfig(steps=12, batch_size=16, lr=0.01, clip=1.0, weight_decay=0.0), quiet=True)
if state.is_main_process:
    weights = [t.tolist() for t in net.state_dict().values()]
    unchanged = [bool((a == b).all()) for a, b in zip(before, net.state_dict().values())]
    with open(sys.argv[1], "w") as file:
        json.dump({"losses": history.losses, "weights": weights, "unchanged": unchanged}, file)
"""


def test_parameters_without_a_part_in_a_step(one_and_two_processes) -> None:
    one, two = one_and_two_processes(UNUSED)
    assert two["losses"] == pytest.approx(one["losses"], rel=1e-6)
    assert flat(two["weights"]) == pytest.approx(flat(one["weights"]), abs=1e-6)
    # Neither what is used once with a zero gradient, nor what is never used, moves.
    assert one["unchanged"] == two["unchanged"] == [False, False, True, True, True, True, False, False]
