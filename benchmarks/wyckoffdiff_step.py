"""WyckoffDiff: a call of the network beside a plain transcription of the published layer, the memory of a step back, sampling a thousand.

python benchmarks/wyckoffdiff_step.py
"""

from __future__ import annotations

import time
from typing import Any

import torch
from _timing import compare, show
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from erlangen.fields.crystals import Protostructure
from erlangen.fields.crystals.wyckoffdiff import WyckoffDiff, WyckoffGNN
from erlangen.fields.crystals.wyckoffdiff.state import position_table, vacant
from erlangen.generate import Categorical
from erlangen.training import TrainingConfig

HIDDEN, BATCH, STEPS = 256, 32, 100
#: Frequent groups of real crystals.
GROUPS = (225, 62, 194, 12, 14, 139, 166, 63, 221, 227, 2, 15, 129, 136, 189, 148)


class Plain(nn.Module):
    """The published layer with the weights of one of ours, pair by pair: ``MLP([y_i, y_j])`` on the concatenation of both."""

    def __init__(self, net: WyckoffGNN) -> None:
        super().__init__()
        self.net = net
        self.first = nn.ModuleList()
        for layer in net.layers:
            first = nn.Linear(2 * layer.left.in_features, layer.left.out_features)
            with torch.no_grad():
                first.weight.copy_(torch.cat([layer.left.weight, layer.right.weight], 1))
                first.bias.copy_(layer.left.bias)
            self.first.append(first)

    def forward(self, t: Tensor, batch: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
        net, table = self.net, position_table()
        at, of = torch.cat([batch["points_at"], batch["counts_at"]]), torch.cat([batch["points_of"], batch["counts_of"]])
        g = batch["group"][of]
        kinds = {"dof": table.dof[g, at], "letter": at, "group": g, "time": t[of], "multiplicity": table.multiplicity[g, at]}
        context = sum(net.context[name](kind) for name, kind in kinds.items())
        h = torch.cat([net.element(batch["points"]), net.counts(net.count(batch["counts"]).squeeze(-1))])
        left, right = (of.unsqueeze(1) == of).nonzero().unbind(1)
        for layer, first in zip(net.layers, self.first):
            y = torch.cat([h, context], -1)
            scores = layer.score(first(torch.cat([y[left], y[right]], -1))).squeeze(-1)
            weights = (scores - scores.max()).exp()
            weights = weights / torch.zeros(len(h)).index_add(0, left, weights)[left]
            message = weights.unsqueeze(1) * layer.message(y[right])
            h = nn.functional.silu(h + torch.zeros_like(h).index_add(0, left, message))
        n = len(batch["points"])
        return net.head_points(h[:n]), net.head_counts(h[n:]).view(len(batch["counts"]), net.elements, -1)


class Largest(TorchDispatchMode):
    """The bytes of the largest tensor that is made."""

    def __init__(self) -> None:
        super().__init__()
        self.bytes = 0

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = function(*args, **(kwargs or {}))
        for one in made if isinstance(made, list | tuple) else [made]:
            if isinstance(one, Tensor):
                self.bytes = max(self.bytes, one.untyped_storage().nbytes())
        return made


def network() -> None:
    batch = vacant(torch.tensor(GROUPS * (BATCH // len(GROUPS))), 94)
    t = torch.full((BATCH,), 50)
    wide = (2 * (HIDDEN + 16),) * 2
    for name, attention in (("the published widths of pairs", wide), ("24 numbers for a pair, our default", (24,))):
        torch.manual_seed(0)
        ours = WyckoffGNN(94, 8, STEPS, hidden=HIDDEN, attention=attention)
        for head in (ours.head_points, ours.head_counts):
            nn.init.normal_(head[-1].weight, std=0.1)
        plain = Plain(ours)
        with torch.no_grad():
            said = ours(t=t, **batch)
            for mine, theirs in zip(said.values(), plain(t, batch)):
                torch.testing.assert_close(mine, theirs, rtol=1e-3, atol=1e-3)
        if attention != wide:  # the peer is the published layer, whose pairs are wide
            plain = Plain(WyckoffGNN(94, 8, STEPS, hidden=HIDDEN, attention=wide))
        with torch.no_grad():
            times = compare(lambda: ours(t=t, **batch), lambda: plain(t, batch), repeats=4, warmup=1)  # noqa: B023
        show(f"call, H = {HIDDEN}, {BATCH} crystals, {name}", *times, "plain transcription", "< 0.33")


def memory() -> None:
    classes, variables = 101, 2000
    process = Categorical(classes, 0, STEPS)
    logits, x_t = torch.randn(variables, 1, classes), torch.zeros(variables, 1, dtype=torch.int64)
    t = torch.full((variables,), 60)
    with Largest() as ours:
        process.law(logits, x_t, t, t - 1)
    dense = variables * classes * classes * 4
    print(f"step back, K = {classes}: largest tensor {ours.bytes / dense:.4f} times the dense K x K form's (target <= 0.05)")


def sampling() -> None:
    crystals = [Protostructure.from_wyckoffs(group, [("a", "Na")]) for group in GROUPS]
    model = WyckoffDiff(steps=STEPS, hidden=128, width=128, relabel=False)
    model.fit(crystals, TrainingConfig(steps=1), quiet=True)
    started = time.process_time()
    model.sample(1000, generator=torch.Generator().manual_seed(0))
    print(f"sampling 1000 protostructures, T = {STEPS}, H = 128: {time.process_time() - started:.1f} s of CPU (target <= 60)")


def main() -> None:
    torch.set_num_threads(1)
    network()
    memory()
    sampling()


if __name__ == "__main__":
    main()
