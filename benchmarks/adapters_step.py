"""A training step of an adapted layer (forward, backward) beside peft's, at 32 x 64 inputs, rank 8, and the most memory that it takes.

python benchmarks/adapters_step.py
"""

from __future__ import annotations

import copy
import os

import torch
from _timing import compare, show
from torch import nn

os.environ.setdefault("HF_HUB_OFFLINE", "1")
import peft

from erlangen.parameters.adapters import BoraConfig, DoraConfig, LoraConfig, get_peft_model


def peak_mb(step) -> float:
    """The most that tensors took beyond what was there before, in MB."""
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU], profile_memory=True) as profile:
        step()
    now = low = most = 0
    for event in profile.profiler.kineto_results.events():
        if event.name() == "[memory]":
            now += event.nbytes()
            low = min(low, now)  # the last step's gradients go first
            most = max(most, now - low)
    return most / 1e6


def stepper(model, x, g):
    """A step without the optimiser."""

    def step():
        for p in (x, *model.parameters()):
            p.grad = None
        model(x).backward(g)

    return step


def main() -> None:
    torch.set_num_threads(1)
    torch.manual_seed(0)
    for inp, out in ((384, 1536), (1024, 4096)):
        base = nn.Sequential(nn.Linear(inp, out))
        x, g = torch.randn(32, 64, inp, requires_grad=True), torch.randn(32, 64, out)

        ours = {
            name: stepper(get_peft_model(copy.deepcopy(base), make(r=8)), x, g)
            for name, make in (("LoRA", LoraConfig), ("DoRA", DoraConfig), ("BoRA", BoraConfig))
        }
        theirs = {
            name: stepper(peft.get_peft_model(copy.deepcopy(base), peft.LoraConfig(r=8, use_dora=dora, target_modules=["0"])), x, g)
            for name, dora in (("LoRA", False), ("DoRA", True))
        }
        size = f"{inp} -> {out}"
        show(f"BoRA, {size}", *compare(ours["BoRA"], ours["LoRA"], repeats=8), "our LoRA", "1.25")
        show(f"BoRA, {size}", *compare(ours["BoRA"], theirs["DoRA"], repeats=8), "peft's DoRA", "1.0")
        show(f"DoRA, {size}", *compare(ours["DoRA"], theirs["DoRA"], repeats=8), "peft's DoRA", "0.8")
        show(f"LoRA, {size}", *compare(ours["LoRA"], theirs["LoRA"], repeats=8), "peft's LoRA", "1.0")
        most = {name: peak_mb(step) for name, step in ours.items()} | {f"peft's {name}": peak_mb(s) for name, s in theirs.items()}
        print(f"peak memory, {size}:", ", ".join(f"{name} {mb:.0f} MB" for name, mb in most.items()))
        print(f"  BoRA over LoRA {most['BoRA'] / most['LoRA']:.2f} (target 1.1)")


if __name__ == "__main__":
    main()
