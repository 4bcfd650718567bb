"""A LieGAN step (generator and discriminator) beside the straightforward way to write it.

The straightforward step exponentiates sample by sample through autograd and runs the discriminator three times: on moved data for the
generator, then on data and on moved data for itself.

python benchmarks/liegan_step.py
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from _timing import compare, show
from torch.nn import functional as F

from erlangen.discover.liegan import LieGAN
from erlangen.discover.samples import Samples, samples_of
from erlangen.linalg import matrix_exp

Step = Callable[[], object]


def straightforward(gan: LieGAN, data: Samples) -> Step:
    generator = torch.Generator().manual_seed(0)
    basis, law, judge, maker, judges = gan.players(data, generator)

    def see(tokens: torch.Tensor, labels: torch.Tensor | None) -> torch.Tensor:
        return judge(tokens.flatten(1), labels)

    def step() -> None:
        batch = data.subset(torch.randint(len(data), (gan.config.batch_size,), generator=generator))
        w = law.sample(gan.config.batch_size, generator)
        masked = basis * gan.mask
        g = torch.stack([matrix_exp((wi[:, None, None] * masked).sum(0)) for wi in w])
        moved = batch.tokens @ g.mT
        maker.zero_grad()
        cosine = F.cosine_similarity(batch.x, moved[:, : batch.x.shape[1]], dim=-1).mean().abs()
        (F.softplus(-see(moved, batch.labels)).mean() + gan.config.lam * cosine).backward()
        maker.step()
        judges.zero_grad()
        moved = moved.detach()
        ((F.softplus(-see(batch.tokens, batch.labels)).mean() + F.softplus(see(moved, batch.labels)).mean()) / 2).backward()
        judges.step()

    return step


def ours(gan: LieGAN, data: Samples) -> Step:
    generator = torch.Generator().manual_seed(0)
    players = gan.players(data, generator)
    return lambda: gan.step(data, players, generator)


def main() -> None:
    torch.set_num_threads(1)
    rng = torch.Generator().manual_seed(0)
    planes = torch.kron(torch.eye(4), torch.ones(2, 2))
    orbits = samples_of(torch.randn(10_000, 1, 8, generator=rng), torch.randn(10_000, 1, 8, generator=rng))
    jets = samples_of(torch.randn(4_000, 2, 4, generator=rng), torch.randint(2, (4_000,), generator=rng))
    cases = {
        "planes, n = 8, K = 1, batch 64": (LieGAN(8, mask=planes, batch_size=64), orbits),
        "two tokens, n = 4, K = 7, batch 128": (LieGAN(4, 7), jets),
    }
    for what, (gan, data) in cases.items():
        show(what, *compare(ours(gan, data), straightforward(gan, data)), "straightforward", "<= 0.2")


if __name__ == "__main__":
    main()
