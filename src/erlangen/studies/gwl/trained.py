"""The source's protocol beside the probes: networks are trained to name the two chains."""

from __future__ import annotations

import torch
from torch import Tensor

from erlangen.measure.gwl import kchain
from erlangen.measure.gwl.networks import EQUIVARIANT, INVARIANT
from erlangen.measure.scores import accuracy
from erlangen.reporting import PlusMinus, Table, progress
from erlangen.training import TrainingConfig, train

SEEDS, EPOCHS, RATE, BODIES, DEPTHS = 10, 100, 1e-4, 4, range(2, 7)


def accuracies(seed: int, quiet: bool) -> tuple[Table, dict[str, float]]:
    """Accuracy in percent by network and depth: Adam at 1e-4, batches of one, 100 epochs, ten seeds, the best epoch.

    The two chains are the training, the validation and the test set, so that the accuracy is 50 or 100 % for each seed.
    """
    rows, numbers = [], {}
    networks = {**INVARIANT, **EQUIVARIANT}
    with progress(len(networks) * len(DEPTHS), "training on chains", quiet=quiet) as bar:
        for name, make in networks.items():
            row = []
            for layers in DEPTHS:
                values = []
                for k in range(SEEDS):
                    with torch.random.fork_rng(devices=[]):
                        torch.manual_seed(seed + k)
                        values.append(_train(make(layers).double(), seed + k))
                row.append(PlusMinus.of(values))
                numbers[f"{name}, {layers} layers"] = row[-1].value
                bar.advance()
            rows.append([name, *row])
    return Table(f"Accuracy on k = {BODIES}, percent", ["network", *(f"{d} layers" for d in DEPTHS)], rows), numbers


def _train(net: torch.nn.Module, seed: int, epochs: int = EPOCHS) -> float:
    pair, labels = kchain(BODIES), torch.arange(2)

    def logits(net: torch.nn.Module, chosen: Tensor) -> Tensor:
        return torch.cat([net(pair[i]) for i in chosen.tolist()])

    def loss(net: torch.nn.Module, chosen: Tensor) -> Tensor:
        return torch.nn.functional.binary_cross_entropy_with_logits(logits(net, chosen), chosen.double())

    settings = TrainingConfig(
        steps=2 * epochs, batch_size=1, lr=RATE, weight_decay=0.0, schedule="constant", evaluate_every=2, seed=seed
    )
    found = train(
        net, (labels,), loss, settings, validation=(labels,), metric=lambda net, y: 100 * accuracy(logits(net, y), y), quiet=True
    )
    return max(score for _, score in found.evaluations)
