"""`UNFLinear` on a zoo of 64 perceptrons 784-128-10, 16 -> 16 channels, against PyPI `nfn`'s NP layer and a term-by-term layer.

The peer works with the same torch, so both run in one process, in turns:

    pip install nfn==0.1.2          # needs torch and einops alone; in an environment with this library

The NP layer has the same maps (more parameters, some of them dependent). The term-by-term layer is what the formula says: for each pair of
tensors and each valid partition one contraction, one matrix of channels, one broadcast, one sum. It computes the same function as ours from
the same weights, which is checked. Targets: at least 3 times faster than term by term, not slower than the NP layer, memory of
forward at most twice the output's.
"""

from __future__ import annotations

import torch
from _timing import compare, show
from nfn.common import NetworkSpec, WeightSpaceFeatures
from nfn.common.data import ArraySpec
from nfn.layers import NPLinear
from torch import Tensor, nn
from torch.profiler import ProfilerActivity, profile

from erlangen.parameters import UNFLinear, weight_spec

BATCH, CHANNELS, WIDTHS = 64, 16, (784, 128, 10)
#: Labels of the axes of each tensor of the perceptron: input, hidden, output.
AXES = {"0.weight": "hi", "0.bias": "h", "2.weight": "oh", "2.bias": "o"}


def partitions(out: str, inp: str) -> list[tuple[str, str]]:
    """All ways to name the output's and the input's axes so that equal names mean one block of a valid partition.

    Here a label occurs at most once in a tensor, so a shared label is either one block (same letter) or two (upper case on the input).
    """
    found = [""]
    for label in inp:
        found = [names + choice for names in found for choice in ((label, label.upper()) if label in out else (label.upper(),))]
    return [(out, names) for names in found]


class TermByTerm(nn.Module):
    """The sum over pairs of tensors and partitions, each term on its own."""

    def __init__(self) -> None:
        super().__init__()
        self.terms = [(l, m, names) for l in AXES for m in AXES for _, names in partitions(AXES[l], AXES[m])]
        self.theta = nn.ParameterList(nn.Parameter(torch.randn(CHANNELS, CHANNELS) / CHANNELS**0.5) for _ in self.terms)
        self.bias = nn.ParameterDict({l.replace(".", "_"): nn.Parameter(torch.zeros(CHANNELS)) for l in AXES})

    def forward(self, params: dict[str, Tensor]) -> dict[str, Tensor]:
        sizes = dict(zip("iho", WIDTHS))
        outs: dict[str, Tensor] = {}
        for theta, (l, m, names) in zip(self.theta, self.terms):
            x = params[m]
            gone = [2 + i for i, letter in enumerate(names) if letter.isupper()]
            kept = [letter for letter in names if letter.islower()]
            x = x.mean(gone) if gone else x
            x = torch.einsum("oc,bc...->bo...", theta, x)
            order = sorted(range(len(kept)), key=lambda i: AXES[l].index(kept[i]))
            x = x.permute(0, 1, *[2 + i for i in order])
            view = [sizes[a] if a in kept else 1 for a in AXES[l]]
            full = x.reshape(BATCH, CHANNELS, *view).expand(BATCH, CHANNELS, *[sizes[a] for a in AXES[l]])
            outs[l] = outs[l] + full if l in outs else full.clone()
        return {l: y + self.bias[l.replace(".", "_")].view(-1, *[1] * len(AXES[l])) for l, y in outs.items()}


def share_weights(direct: TermByTerm, layer: UNFLinear) -> None:
    """Give the direct layer the weights of ours: a term's letters say which input axes its diagram joins to output axes."""
    pairs, names = layer.linear.pairs(), list(AXES)
    with torch.no_grad():
        for (l, m), diagrams in layer.linear.maps.terms.items():
            for t, diagram in enumerate(diagrams):
                if m < len(names):  # the last input is the constant of the bias
                    joined = {v - diagram.top for block in diagram.blocks if block[0] < diagram.top for v in block}
                    letters = "".join(a if i in joined else a.upper() for i, a in enumerate(AXES[names[m]]))
                    direct.theta[direct.terms.index((names[l], names[m], letters))].copy_(pairs[l, m][t])


def peak_memory(run: object) -> int:
    """The largest sum of live bytes that a call allocates on top of what was there."""
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as recorded:
        kept = run()  # type: ignore[operator]
    del kept
    live = top = 0
    for event in recorded.profiler.kineto_results.events():
        if event.name() == "[memory]":
            live += event.nbytes()
            top = max(top, live)
    return top


def main() -> None:
    torch.manual_seed(0)
    torch.set_num_threads(1)
    model = nn.Sequential(nn.Linear(WIDTHS[0], WIDTHS[1]), nn.ReLU(), nn.Linear(WIDTHS[1], WIDTHS[2]))
    spec = weight_spec(model, inputs="permuted", outputs="permuted")
    params = {name: torch.randn(BATCH, CHANNELS, *p.shape) for name, p in model.named_parameters()}
    layer, direct = UNFLinear(spec, CHANNELS, CHANNELS), TermByTerm()
    share_weights(direct, layer)
    with torch.no_grad():
        mine, plain = layer(params), direct(params)
        worst = max(float((mine[n] - plain[n]).abs().max() / plain[n].abs().max()) for n in AXES)
    del mine, plain
    assert worst < 1e-5, f"the two layers differ by {worst:.2g}"
    shapes = [tuple(p.shape) for p in model.parameters()]
    network = NetworkSpec([ArraySpec(s) for s in shapes[::2]], [ArraySpec(s) for s in shapes[1::2]])
    peer = NPLinear(network, CHANNELS, CHANNELS)
    names = list(params)
    features = WeightSpaceFeatures([params[n] for n in names[::2]], [params[n] for n in names[1::2]])
    print(f"terms: ours {sum(layer.terms.values())}, term by term {len(direct.terms)}")
    print(
        "parameters:", {n: sum(p.numel() for p in m.parameters()) for n, m in (("ours", layer), ("nfn", peer), ("direct", direct))}
    )

    def step(module: nn.Module, data: object) -> None:
        out = module(data)
        tensors = out.values() if isinstance(out, dict) else [*out.weights, *out.biases]
        sum(y.square().mean() for y in tensors).backward()

    with torch.no_grad():
        for what, other, data, target in (
            ("nfn NPLinear", peer, features, "<= 1"),
            ("term by term", direct, params, "<= 0.33"),
        ):
            times = compare(lambda: layer(params), lambda other=other, data=data: other(data), repeats=8, warmup=1)
            show("forward", *times, what, target)
        size = sum(p.numel() * p.element_size() for p in params.values())
        for what, run in (
            ("ours", lambda: layer(params)),
            ("nfn", lambda: peer(features)),
            ("term by term", lambda: direct(params)),
        ):
            print(
                f"peak memory of forward, {what}: {peak_memory(run) / size:.2f} times the output's {size / 2**20:.0f} MiB (target <= 2)"
            )
    for what, other, data, target in (("nfn NPLinear", peer, features, "<= 1"), ("term by term", direct, params, "<= 0.33")):
        times = compare(lambda: step(layer, params), lambda other=other, data=data: step(other, data), repeats=4, warmup=1)
        show("forward + backward", *times, what, target)


if __name__ == "__main__":
    main()
