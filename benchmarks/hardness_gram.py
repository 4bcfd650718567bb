"""The Gram matrix of hard functions averaged over Z_40 beside a naive double loop; a circular layer as one product beside FFTs.

python benchmarks/hardness_gram.py
"""

from __future__ import annotations

import math
import time

import numpy as np
import torch
from _timing import compare, show
from torch import Tensor

import erlangen as er
from erlangen.measure.hardness import CosReLU, OrbitCNN
from erlangen.measure.hardness.alternating import squared_norm

FUNCTIONS, N, K, PAIRS = 500, 40, 6, 50


def naive_entry(a: np.ndarray, b: np.ndarray, group: list[list[int]]) -> float:
    """One entry as the formula reads: a loop over the group, a matrix of arc-cosine kernels in each step."""
    angles = np.arange(1, 2 * K + 1) * np.pi / K
    v = np.stack([np.cos(angles), np.sin(angles)], 1)
    sign = (-1.0) ** np.arange(1, 2 * K + 1)
    total = 0.0
    for g in group:
        c = np.clip(v @ (a @ b[:, g].T) @ v.T, -1, 1)
        kernel = (np.sqrt(1 - c**2) + (np.pi - np.arccos(c)) * c) / (2 * np.pi)
        total += sign @ kernel @ sign
    return total / squared_norm(K)


def gram() -> None:
    family = CosReLU(N, K, er.Cyclic(N))
    labels = family.sample_labels(FUNCTIONS, torch.Generator().manual_seed(0))
    start = time.process_time()
    ours = family.gram_of(labels)
    seconds = time.process_time() - start
    frames, group = labels.numpy(), family.elements.tolist()
    some = np.random.default_rng(0).integers(FUNCTIONS, size=(PAIRS, 2)).tolist()
    start = time.process_time()
    naive = [naive_entry(frames[i], frames[j], group) for i, j in some]
    each = (time.process_time() - start) / PAIRS
    worst = max(abs(value - float(ours[i, j])) for value, (i, j) in zip(naive, some))
    loop = each * FUNCTIONS**2
    print(f"Gram of {FUNCTIONS} functions, n = {N}, |G| = {N}, k = {K}: ours {seconds:.2f} CPU s (target < 10 s)")
    print(f"naive double loop, from {PAIRS} entries: {loop:.0f} CPU s, {loop / seconds:.0f}x ours (target 50x)")
    print(f"largest difference {worst:.1e}")


class FFTLayer(torch.nn.Module):
    """The same network with its circular correlations by fast Fourier transforms."""

    def __init__(self, student: OrbitCNN) -> None:
        super().__init__()
        self.filters, self.bias, self.out = student.filters, student.bias, student.out

    def forward(self, x: Tensor) -> Tensor:
        n = x.shape[1]
        spectrum = torch.fft.rfft(x)[:, None] * torch.fft.rfft(self.filters).conj()
        t = torch.fft.irfft(spectrum, n) + self.bias[:, None]
        return self.out(t.relu().sum(2) / math.sqrt(n)).squeeze(1)


def layer() -> None:
    for n in (20, 40, 50, 64):
        ours = OrbitCNN(er.Cyclic(n).elements(), 128)
        peer = FFTLayer(ours)
        x = torch.randn(256, n)
        assert torch.allclose(ours(x), peer(x), atol=1e-4)

        def step(net: torch.nn.Module, x: Tensor = x) -> None:
            net.zero_grad()
            net(x).square().mean().backward()

        mine, theirs = compare(lambda ours=ours, step=step: step(ours), lambda peer=peer, step=step: step(peer))  # type: ignore[misc]
        show(f"forward and backward, n = {n}, 128 filters, batch 256", mine, theirs, "FFT", "< 1")


def main() -> None:
    torch.set_num_threads(1)
    gram()
    layer()


if __name__ == "__main__":
    main()
