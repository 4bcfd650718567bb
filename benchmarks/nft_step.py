"""A training step of the neural Fourier transform, and the block diagonalisation after it, beside the straightforward ways.

The straightforward step makes every sample on the host, one by one in NumPy, solves each sequence on its own and adds up; data here are
made at once. The straightforward block diagonalisation learns a change of basis with Adam, by the penalty for matrices without blocks.

python benchmarks/nft_step.py
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable

import numpy as np
import torch
from _timing import compare, show
from torch import nn

from erlangen.datasets.signals import warped_signals
from erlangen.discover.nft import NFT, connectedness, frequencies
from erlangen.discover.nft.objective import SequenceObjective
from erlangen.reps.block_diagonalize import block_diagonalize, in_basis, off_block

TRUE = (2, 5, 9, 12, 14)
BATCH, POINTS = 128, 128


def networks() -> tuple[nn.Module, nn.Module]:
    torch.manual_seed(0)

    def net(*sizes: int) -> nn.Sequential:
        layers: list[nn.Module] = []
        for a, b in zip(sizes, sizes[1:]):  # noqa: RUF007 - as short as it is
            layers += [nn.Linear(a, b), nn.Tanh()]
        return nn.Sequential(*layers[:-1])

    return net(POINTS, 256, 256, 160), net(160, 256, 256, POINTS)


def ours() -> Callable[[], object]:
    nft = NFT(*networks(), multiplicity=16)
    objective = SequenceObjective(nft, 2, 10**9, 0.0, 0.0)
    optimizer = torch.optim.Adam(nft.parameters(), 1e-3)
    seeds = iter(range(10**9))

    def step() -> None:
        optimizer.zero_grad()
        objective(warped_signals(BATCH, TRUE, seed=next(seeds)).x).backward()
        optimizer.step()

    return step


def straightforward() -> Callable[[], object]:
    encoder, decoder = networks()
    optimizer = torch.optim.Adam([*encoder.parameters(), *decoder.parameters()], 1e-3)
    rng = np.random.default_rng(0)
    u = (np.arange(POINTS) / POINTS) ** 3

    def sample() -> np.ndarray:
        c = rng.normal(size=len(TRUE))
        c /= np.linalg.norm(c)
        theta = rng.uniform(0, math.pi)
        return np.stack([sum(c[k] * np.sin(2 * np.pi * f * u - t * f * theta) for k, f in enumerate(TRUE)) for t in range(3)])

    def step() -> None:
        x = torch.from_numpy(np.stack([sample() for _ in range(BATCH)])).float()
        optimizer.zero_grad()
        latent = encoder(x.flatten(0, 1)).view(BATCH, 3, 16, 10)
        loss = torch.zeros(())
        for i in range(BATCH):
            first, second = latent[i, 0], latent[i, 1]
            M = torch.linalg.solve(first.mT @ first + 1e-6 * torch.eye(10), first.mT @ second)
            told = decoder((second @ M).reshape(1, -1))[0]
            back = decoder(latent[i, :2].reshape(2, -1))
            loss = loss + (told - x[i, 2]).square().sum() + (back - x[i, :2]).square().sum()
        (loss / BATCH).backward()
        optimizer.step()

    return step


def by_adam(matrices: torch.Tensor, epochs: int) -> torch.Tensor:
    """A change of basis by gradient descent on how far matrices are from blocks."""
    torch.manual_seed(0)
    basis = torch.linalg.qr(torch.randn(matrices.shape[-1], matrices.shape[-1], dtype=matrices.dtype)).Q.requires_grad_()
    optimizer = torch.optim.Adam([basis], 1e-2)
    for _ in range(epochs):
        for part in matrices.split(16):
            optimizer.zero_grad()
            connectedness(torch.linalg.solve(basis, part @ basis)).backward()
            optimizer.step()
    return basis.detach()


def pairs(matrices: torch.Tensor) -> torch.Tensor:
    """An order of coordinates in which those that mix most stand side by side."""
    weight = matrices.square().mean(0)
    weight = (weight + weight.mT).fill_diagonal_(0)
    order: list[int] = []
    while len(order) < len(weight):
        i, j = divmod(int(weight.argmax()), len(weight))
        order += [i, j]
        weight[[i, j]] = -1
        weight[:, [i, j]] = -1
    return torch.tensor(order)


def main() -> None:
    torch.set_num_threads(1)
    show("U-NFT step with its data, batch 128", *compare(ours(), straightforward(), repeats=10), "one by one", "<= 0.1")

    rep = frequencies(range(1, 17))
    rng = torch.Generator().manual_seed(0)
    matrices = rep(rep.group.sample(64, generator=rng, dtype=torch.float64))
    hidden = in_basis(matrices, torch.randn(32, 32, generator=rng, dtype=torch.float64))
    start = time.perf_counter()
    found = block_diagonalize(hidden)
    mine = time.perf_counter() - start
    start = time.perf_counter()
    # The penalty needs orthogonal matrices to do its best: it is given those before the conjugation, turned by a rotation.
    turn = torch.linalg.qr(torch.randn(32, 32, generator=rng, dtype=torch.float64)).Q
    easier = in_basis(matrices, turn)
    basis = by_adam(easier, 50)
    theirs = time.perf_counter() - start
    learned = in_basis(easier, basis)
    order = pairs(learned)
    outside = off_block(learned[:, order][:, :, order], (2,) * 16)
    show("blocks of 64 matrices 32 x 32", mine, theirs, "50 epochs of Adam", "< 1 s")
    print(f"mass outside of {len(found.sizes)} blocks: ours {found.residual:.1e}, Adam {outside:.2f} with the best pairs")


if __name__ == "__main__":
    main()
