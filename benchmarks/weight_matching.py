"""Re-basin of two ResNet-20s trained on scikit-learn's digits: the time of weight matching beside `rebasin` (PyPI), and the barrier that
is left of the test loss, batch-norm statistics taken anew on the way.

python benchmarks/weight_matching.py [epochs]
"""

from __future__ import annotations

import copy
import statistics
import sys
import time
from pathlib import Path

import rebasin
import torch
from _timing import show
from torch import Tensor, nn

from erlangen.datasets import split_digits
from erlangen.parameters import barrier, match_activations, match_weights, weight_spec

sys.path.append(str(Path(__file__).parents[1] / "tests/parameters/matching"))
from residual_networks import resnet20


def trained(seed: int, x: Tensor, y: Tensor, epochs: int) -> nn.Module:
    torch.manual_seed(seed)
    net = resnet20(1, 16)
    steps = epochs * (len(x) // 64)
    optimizer = torch.optim.AdamW(net.parameters(), 3e-3, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 3e-3, steps)
    for _ in range(epochs):
        for index in torch.randperm(len(x)).split(64)[: len(x) // 64]:
            optimizer.zero_grad(set_to_none=True)
            nn.functional.cross_entropy(net(x[index]), y[index]).backward()
            optimizer.step()
            schedule.step()
    return net.eval()


def theirs(a: nn.Module, b: nn.Module, x: Tensor) -> nn.Module:
    moved = copy.deepcopy(b)
    descent = rebasin.PermutationCoordinateDescent(copy.deepcopy(a), moved, x)
    descent.rebasin()
    return moved


def cpu(run, repeats: int = 5) -> float:
    """Median CPU seconds; the machine may be shared."""
    times = []
    for _ in range(repeats + 1):
        start = time.process_time()
        run()
        times.append(time.process_time() - start)
    return statistics.median(times[1:])


def main() -> None:
    torch.set_num_threads(1)
    epochs = int(sys.argv[1]) if len(sys.argv) > 1 else 15
    (x, y), (test, truth) = split_digits()
    x, test = x.view(-1, 1, 8, 8), test.view(-1, 1, 8, 8)
    rows: dict[str, list[float]] = {}
    for pair in range(3):
        a, b = (trained(2 * pair + i, x, y, epochs) for i in range(2))
        moved = {
            "as they are": b,
            "rebasin": theirs(a, b, x[:2]),
            "match_weights": match_weights(a, b, example=x[:2]).moved,
            "match_activations": match_activations(a, b, x).moved,
        }
        for name, net in moved.items():
            line = barrier(a, net, lambda m: nn.functional.cross_entropy(m(test), truth), ts=11, inputs=x)
            change = float((net(test) - b(test)).abs().max().detach())
            rows.setdefault(name, []).append(line.height)
            print(f"pair {pair}, {name}: barrier {line.height:.3f}, losses at the ends {line.losses[0]:.3f} and {line.losses[-1]:.3f}, "
                  f"outputs of b moved by {change:.1e}")  # fmt: skip
    for name, heights in rows.items():
        print(f"{name}: mean barrier {statistics.mean(heights):.3f}")
    spec = weight_spec(a, example=x[:2])
    ours, peer = cpu(lambda: match_weights(a, b, example=x[:2])), cpu(lambda: theirs(a, b, x[:2]))
    show("weight matching of two ResNet-20s, CPU time, spec found on the way", ours, peer, "rebasin", "1.0")
    show("the same, spec given", cpu(lambda: match_weights(a, b, spec)), peer, "rebasin", "1.0")


if __name__ == "__main__":
    main()
