"""The source's protocol beside the probes: networks are trained to name the two chains."""

from __future__ import annotations

import torch

from erlangen.measure.gwl import kchain
from erlangen.measure.gwl.networks import EQUIVARIANT, INVARIANT
from erlangen.reporting import PlusMinus, Table, progress

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
                        values.append(_train(make(layers).double()))
                row.append(PlusMinus.of(values))
                numbers[f"{name}, {layers} layers"] = row[-1].value
                bar.advance()
            rows.append([name, *row])
    return Table(f"Accuracy on k = {BODIES}, percent", ["network", *(f"{d} layers" for d in DEPTHS)], rows), numbers


def _train(net: torch.nn.Module, epochs: int = EPOCHS) -> float:
    pair = kchain(BODIES)
    optimizer = torch.optim.Adam(net.parameters(), lr=RATE)
    best = 0.0
    for _ in range(epochs):
        for label in torch.randperm(2).tolist():
            logit = net(pair[label]).squeeze()
            loss = torch.nn.functional.binary_cross_entropy_with_logits(logit, logit.new_tensor(float(label)))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        with torch.no_grad():
            best = max(best, 50.0 * sum((float(net(graph)) > 0) == bool(label) for label, graph in enumerate(pair)))
    return best
