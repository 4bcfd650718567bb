"""Training 16 members 40-64-64-64-2 (GELU) as one stack, in CPU time: beside a loop over modules and tabm's packed ensemble.

python benchmarks/stacked_members.py
"""

from __future__ import annotations

import itertools
import statistics
import time
from functools import partial

import torch
from _timing import show
from tabm import TabM
from torch import Tensor, nn

from erlangen.parameters.asymmetric import asymmetrize
from erlangen.parameters.ensembles import Recipe, Stack
from erlangen.parameters.ensembles.training import train_stack
from erlangen.training.batches import Shuffle

MEMBERS, SAMPLES = 16, 5120


def build() -> nn.Module:
    widths = (40, 64, 64, 64)
    hidden = [layer for i, o in itertools.pairwise(widths) for layer in (nn.Linear(i, o), nn.GELU())]
    return nn.Sequential(*hidden, nn.Linear(64, 2))


def asymmetric_build() -> nn.Module:
    return asymmetrize(build())


def losses(outputs: Tensor, y: Tensor) -> Tensor:
    return nn.functional.cross_entropy(outputs, y, reduction="none")


def stacked(x, y, recipe, make):
    train_stack(Stack([make() for _ in range(MEMBERS)]), list(range(MEMBERS)), (x, y), losses, recipe)


def looped(x, y, recipe, fused):
    """As it is written by hand: one member after the other."""
    for seed in range(MEMBERS):
        model, shuffle = build(), Shuffle(len(x), recipe.batch_size, seed)
        optimizer = torch.optim.AdamW(model.parameters(), lr=recipe.lr, weight_decay=recipe.weight_decay, fused=fused)
        for step in range(recipe.epochs * (len(x) // recipe.batch_size)):
            rows = shuffle.batch(step)
            optimizer.zero_grad()
            losses(model(x[rows]), y[rows]).mean().backward()
            optimizer.step()


def packed(x, y, recipe):
    """tabm's plain ensemble of equal size, its batches gathered as ours are."""
    model = TabM.make(
        n_num_features=40, d_out=2, k=MEMBERS, arch_type="tabm-packed", n_blocks=3, d_block=64, dropout=0.0, activation="GELU"
    )
    optimizer = torch.optim.AdamW(model.parameters(), lr=recipe.lr, weight_decay=recipe.weight_decay, fused=True)
    shuffles = [Shuffle(len(x), recipe.batch_size, seed) for seed in range(MEMBERS)]
    for step in range(recipe.epochs * (len(x) // recipe.batch_size)):
        rows = torch.stack([shuffle.batch(step) for shuffle in shuffles], dim=1)
        optimizer.zero_grad()
        losses(model(x[rows]).flatten(0, 1), y[rows].flatten()).mean().mul(MEMBERS).backward()
        optimizer.step()


def cpu_seconds(runs, repeats=5):
    """Median CPU seconds of each run, in turns."""
    times = [[] for _ in runs]
    for turn in range(repeats + 1):
        for run, kept in zip(runs, times):
            start = time.process_time()
            run()
            if turn:
                kept.append(time.process_time() - start)
    return [statistics.median(kept) for kept in times]


def main() -> None:
    torch.set_num_threads(1)
    torch.manual_seed(0)
    for batch, target in ((256, 2.5), (32, 5.0)):
        samples = SAMPLES if batch == 256 else SAMPLES // 4
        x, y = torch.randn(samples, 40), torch.randint(0, 2, (samples,))
        recipe = Recipe(epochs=4, batch_size=batch, patience=0)
        plain, asymmetric, loop, fused, tabm = cpu_seconds(
            [
                partial(stacked, x, y, recipe, build),
                partial(stacked, x, y, recipe, asymmetric_build),
                partial(looped, x, y, recipe, None),
                partial(looped, x, y, recipe, True),
                partial(packed, x, y, recipe),
            ]
        )
        print(f"batch {batch}: a loop over modules takes {loop / plain:.2f} times our CPU time (target {target})")
        print(f"  with fused AdamW in the loop {fused / plain:.2f} times; our asymmetric members {asymmetric / plain:.2f} times")
        show(f"  {MEMBERS} members, batch {batch}", plain, tabm, "tabm packed", "1.0")


if __name__ == "__main__":
    main()
