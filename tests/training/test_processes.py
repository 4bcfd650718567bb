"""Two processes started by Accelerate give the numbers of one: a plain model, one with unused parameters, and a symmetrized one."""

from __future__ import annotations

import json
import os
import runpy
import socket
import subprocess
import sys
from typing import Any

import pytest

#: Scripts that write JSON to their first argument and may keep files in their second, a new folder.
PLAIN = """
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

SYMMETRIZED = """
import json, sys, torch, erlangen as er
from torch import nn
from accelerate import PartialState
from erlangen.training import TrainingConfig, train
torch.set_num_threads(1)
G = er.E(3)
x = torch.randn(70, 5, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64); y = torch.cdist(x, x).sum((1, 2))[:, None]
torch.manual_seed(1)
net = nn.Sequential(nn.Flatten(), nn.Linear(15, 16), nn.Tanh(), nn.Linear(16, 1)).double()
model = er.symmetrize(net, G.point, G.scalar)
history = train(model, (x, y), lambda m, a, b: (m(a) - b).square().mean(), TrainingConfig(steps=15, batch_size=33, lr=0.01), quiet=True)
state = PartialState()
if state.is_main_process:
    weights = torch.cat([t.flatten() for t in model.state_dict().values()]).tolist()
    error = er.equivariance_error(model, x, G.point, G.scalar)["worst"]
    with open(sys.argv[1], "w") as file:
        json.dump({"processes": state.num_processes, "losses": history.losses, "weights": weights, "error": error}, file)
"""

FIT = """
import json, sys, torch
from pathlib import Path
from erlangen.data import DataSet
from erlangen.fitting import FitConfig, fit
from erlangen.training.processes import by_main, is_main
torch.set_num_threads(1)
x = torch.randn(120, 2, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64); y = x.prod(1).sum(1).sign().clamp_min(0).long()
config = FitConfig(group="SO(2)", seeds=1, steps=5, moves=1, width=8, dropout=0.0)
fitted = fit(DataSet("both", x, y, "class"), config=config, root=sys.argv[2], quiet=True)
by_main(lambda: None)  # the main process has written
if is_main():
    runs = [str(path) for path in (Path(sys.argv[2]) / "both").iterdir()]
    with open(sys.argv[1], "w") as file:
        json.dump({"runs": runs, "here": str(fitted.directory), "scores": fitted.assessments["symmetrized"].scores}, file)
"""

SCRIPTS = {"plain": PLAIN, "unused": UNUSED, "symmetrized": SYMMETRIZED, "fit": FIT}

#: All scripts, one after the other. The processes leave together: one whose peers are gone aborts in its communication threads. The first
#: one out of the barrier waits until the others, too, have surely left it.
ALL = """
import runpy, sys, time
from pathlib import Path
folder, count = Path(sys.argv[1]), sys.argv[2]
for script in sorted(folder.glob("*.py")):
    sys.argv[1:] = [str(folder / f"{script.stem}-{count}.json"), str(folder / f"{script.stem}-{count}")]
    runpy.run_path(str(script), run_name="__main__")
from accelerate import PartialState
state = PartialState()
state.wait_for_everyone()
time.sleep(1.0)
state.destroy_process_group()
"""


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[dict[str, Any], dict[str, Any]]]:
    """What every script writes alone and in two processes, which run all of them, for they take longer to start than to train."""
    folder, runner = tmp_path_factory.mktemp("scripts"), tmp_path_factory.mktemp("runner") / "all.py"
    runner.write_text(ALL)
    for name, text in SCRIPTS.items():
        (folder / f"{name}.py").write_text(text)
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    two = [sys.executable, "-m", "accelerate.commands.launch", "--multi_gpu", "--num_processes", "2", "--num_machines", "1"]
    two += ["--mixed_precision", "no", "--dynamo_backend", "no", "--main_process_port", str(port)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo", "ACCELERATE_USE_CPU": "true"}
    done = subprocess.run([*two, str(runner), str(folder), "two"], env=environment, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr[-2000:]
    with pytest.MonkeyPatch.context() as patch:
        for name in SCRIPTS:  # alone, in this process
            patch.setattr(sys, "argv", ["", str(folder / f"{name}-one.json"), str(folder / f"{name}-one")])
            runpy.run_path(str(folder / f"{name}.py"))
    read = {
        (name, count): json.loads((folder / f"{name}-{count}.json").read_text()) for name in SCRIPTS for count in ("one", "two")
    }
    return {name: (read[name, "one"], read[name, "two"]) for name in SCRIPTS}


def flat(value: object) -> list[float]:
    return [x for part in value for x in flat(part)] if isinstance(value, list) else [value]


def test_two_processes_agree_with_one(found) -> None:
    one, two = found["plain"]
    assert (one["processes"], two["processes"]) == (1, 2)
    assert two["losses"] == pytest.approx(one["losses"], rel=1e-6)
    assert two["best"] == pytest.approx(one["best"], rel=1e-6)
    assert flat(two["weights"]) == pytest.approx(flat(one["weights"]), abs=1e-6)


def test_parameters_without_a_part_in_a_step(found) -> None:
    one, two = found["unused"]
    assert two["losses"] == pytest.approx(one["losses"], rel=1e-6)
    assert flat(two["weights"]) == pytest.approx(flat(one["weights"]), abs=1e-6)
    # Neither what is used once with a zero gradient, nor what is never used, moves.
    assert one["unchanged"] == two["unchanged"] == [False, False, True, True, True, True, False, False]


def test_a_symmetrized_model_trains_in_two_processes_as_in_one(found) -> None:
    one, two = found["symmetrized"]
    assert (one["processes"], two["processes"]) == (1, 2)
    assert two["losses"] == pytest.approx(one["losses"], rel=1e-6)
    assert two["weights"] == pytest.approx(one["weights"], abs=1e-6)
    assert max(one["error"], two["error"]) < 1e-10


def test_a_fit_of_two_processes_is_one_run(found):
    one, two = found["fit"]
    assert two["runs"] == [two["here"]]
    assert two["scores"] == pytest.approx(one["scores"], abs=1e-5)
