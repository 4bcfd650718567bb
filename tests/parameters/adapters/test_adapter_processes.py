"""Adapters in torch's DistributedDataParallel: two processes on gloo take the steps of one."""

import os
import subprocess
import sys

import pytest
import torch

SCRIPT = """
import sys, torch
from torch import nn
from erlangen.parameters.adapters import BoraConfig, get_peft_model
rank, port = int(sys.argv[1]), sys.argv[2]
torch.set_num_threads(1)
torch.distributed.init_process_group("gloo", f"tcp://127.0.0.1:{port}", rank=rank, world_size=2)
def step(data, wrap):
    torch.manual_seed(0)
    model = get_peft_model(nn.Sequential(nn.Linear(5, 7), nn.Tanh(), nn.Linear(7, 2)), BoraConfig(r=2))
    for p in model.parameters():
        if p.requires_grad:
            p.data.add_(0.1 * torch.randn_like(p))
    net = nn.parallel.DistributedDataParallel(model) if wrap else model
    net(data).square().mean().backward()
    return [p.grad for p in model.parameters() if p.requires_grad]
x = torch.randn(8, 5, generator=torch.Generator().manual_seed(1))
for mine, whole in zip(step(x[rank::2], True), step(x, False)):
    torch.testing.assert_close(mine, whole)
torch.distributed.destroy_process_group()
print("same")
"""


@pytest.mark.skipif(not torch.distributed.is_available(), reason="torch without distributed")
def test_two_processes_have_the_gradients_of_one():
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    env = {**os.environ, "OMP_NUM_THREADS": "1"}
    started = [
        subprocess.Popen(
            [sys.executable, "-c", SCRIPT, str(rank), port], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env
        )
        for rank in range(2)
    ]
    ended = [process.communicate(timeout=240) for process in started]
    assert [out.strip() for out, _ in ended] == ["same", "same"], ended[0][1] + ended[1][1]
