"""Two processes started by Accelerate give the numbers of one."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = """
import json, sys, time, torch
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
# Leave together: a process whose peers are gone aborts in its communication threads. The first one out of the barrier waits until the
# others, too, have surely left it.
state.wait_for_everyone()
time.sleep(1.0)
state.destroy_process_group()
"""


def flat(value: object) -> list[float]:
    return [x for part in value for x in flat(part)] if isinstance(value, list) else [value]


def test_two_processes_agree_with_one(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    launch = [sys.executable, "-m", "accelerate.commands.launch", "--multi_gpu", "--num_processes", "2", "--num_machines", "1"]
    launch += ["--mixed_precision", "no", "--dynamo_backend", "no", "--main_process_port", str(port)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo", "ACCELERATE_USE_CPU": "true"}
    found = []
    for name, command in (("one", [sys.executable]), ("two", launch)):
        out = tmp_path / f"{name}.json"
        done = subprocess.run(
            [*command, str(script), str(out), str(tmp_path / name)], env=environment, capture_output=True, text=True, timeout=120
        )
        assert done.returncode == 0, done.stderr[-2000:]
        found.append(json.loads(out.read_text()))
    one, two = found
    assert (one["processes"], two["processes"]) == (1, 2)
    assert two["losses"] == pytest.approx(one["losses"], rel=1e-6)
    assert two["best"] == pytest.approx(one["best"], rel=1e-6)
    assert flat(two["weights"]) == pytest.approx(flat(one["weights"]), abs=1e-6)
