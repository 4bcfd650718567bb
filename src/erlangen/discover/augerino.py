"""`Augerino`: the baseline of learned augmentations: a predictor and the generators it likes, trained together."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from erlangen.discover.augment import Augmented
from erlangen.discover.coefficients import Coefficients
from erlangen.discover.discriminator import draw_weights
from erlangen.discover.exponential import act, is_block_mask
from erlangen.discover.liegan import channel_mask
from erlangen.discover.samples import Target, samples_of
from erlangen.errors import ArgumentError
from erlangen.groups.algebra import LieAlgebra
from erlangen.reporting.progress import progress


class Augerino:
    """A predictor ``f`` and generators L trained on one loss, ``|g^-1 f(g x) - y|^2 - weight * min(|L|, n K)``.

    For vector targets the output is moved back; for scalars and classes it is left as it is. Without an adversary, nothing but the
    prediction keeps L honest, so it is the baseline that :class:`LieGAN` is compared with ("Augerino+" of Yang et al. (2023),
    arXiv:2302.00236, after G. Benton, M. Finzi, P. Izmailov, A. G. Wilson, "Learning Invariances in Neural Networks", NeurIPS
    2020, arXiv:2010.11882).

    Args:
        n: size of a token.
        channels: how many generators.
        mask: 0/1, ``[n, n]`` or ``[K, n, n]``.
        weight: of the reward for large generators.
        target: what ``y`` is; by default as its type says.
        width: of the predictor's three hidden layers.
        steps: of Adam.
        batch_size: samples per step.
        lr: Adam's step.
        seed: of everything random.
        quiet: no progress bar.

    Attributes:
        algebra_: the learned generators at norm ``sqrt(n)``.
        basis_: as trained.
        model_: the predictor, ``[B, T, n]`` to ``[B, T_y, n]`` or ``[B, k]``, in the data's own units.

    >>> x = torch.randn(64, 1, 2, generator=torch.Generator().manual_seed(0))
    >>> Augerino(2, steps=3, width=8).fit(x, 2 * x).algebra_.dim
    1
    """

    algebra_: LieAlgebra
    basis_: Tensor
    model_: nn.Module

    def __init__(
        self,
        n: int,
        channels: int = 1,
        mask: Tensor | None = None,
        weight: float = 0.01,
        target: Target | None = None,
        width: int = 64,
        steps: int = 3000,
        batch_size: int = 128,
        lr: float = 1e-3,
        seed: int = 0,
        quiet: bool = True,
    ) -> None:
        for name, value in {"channels": channels, "steps": steps, "batch_size": batch_size, "width": width}.items():
            if value < 1:
                raise ArgumentError(name, "a whole number of at least 1", value)
        self.n, self.channels, self.mask, self.weight = n, channels, channel_mask(mask, channels, n), weight
        self.target, self.width, self.steps, self.batch_size = target, width, steps, batch_size
        self.lr, self.seed, self.quiet = lr, seed, quiet

    def fit(self, x: Any, y: Any) -> Augerino:
        """Train on ``x`` ``[N, T, n]`` and targets ``y``; see :meth:`LieGAN.fit`.

        Raises:
            ArgumentError: data that do not fit, or no target.
        """
        if y is None:
            raise ArgumentError("y", "a target to predict", "None")
        samples = samples_of(x, y, self.target, self.n)
        data, scale = samples.scaled()
        rng = torch.Generator().manual_seed(self.seed)
        tokens = data.y.shape[1]
        outputs = data.classes or data.scalars.shape[1] or tokens * self.n
        net = _perceptron(data.x.shape[1] * self.n, self.width, outputs)
        draw_weights(net, rng)
        basis = (0.3 * torch.randn(self.channels, self.n, self.n, generator=rng) * self.mask).requires_grad_()
        law = Coefficients(self.channels)
        blocks = is_block_mask(self.mask)
        optimizer = torch.optim.Adam([basis, *net.parameters()], self.lr)
        with progress(self.steps, "Augerino", self.quiet) as bar:
            for _ in range(self.steps):
                batch = data.subset(torch.randint(len(data), (self.batch_size,), generator=rng))
                w = law.sample(self.batch_size, rng)
                masked = basis * self.mask
                out = net(act(masked, w, batch.x, blocks).flatten(1))
                if batch.labels is not None:
                    loss = F.cross_entropy(out, batch.labels)
                elif tokens:
                    loss = F.mse_loss(act(masked, -w, out.unflatten(1, (tokens, self.n)), blocks), batch.y)
                else:
                    loss = F.mse_loss(out, batch.scalars)
                reward = masked.norm().clamp_max(float(self.n * self.channels))
                optimizer.zero_grad(set_to_none=True)
                (loss - self.weight * reward).backward()
                optimizer.step()
                bar.advance(1)
        self.basis_ = (basis * self.mask).detach()
        unit = self.basis_.double() * (self.n**0.5 / self.basis_.double().flatten(1).norm(dim=1).clamp_min(1e-12))[:, None, None]
        self.algebra_ = LieAlgebra(unit, f"learned with a predictor, {self.channels} generators")
        self.model_ = _Units(net, scale, tokens, self.n)
        return self

    def augmented(self, copies: int = 1, seed: int = 0) -> Augmented:
        """The predictor behind its own augmentation (vector targets)."""
        return Augmented(self.model_, LieAlgebra(self.basis_), scale=1.0, copies=copies, seed=seed)


class _Units(nn.Module):
    """The network in the data's own units."""

    def __init__(self, net: nn.Module, scale: float, tokens: int, n: int) -> None:
        super().__init__()
        self.net, self.scale, self.tokens, self.n = net, scale, tokens, n

    def forward(self, x: Tensor) -> Tensor:
        out = self.net((x / self.scale).flatten(1).to(torch.float32))
        return (out.unflatten(1, (self.tokens, self.n)) * self.scale).to(x.dtype) if self.tokens else out


def _perceptron(inputs: int, width: int, outputs: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for size in (inputs, width, width):
        layers += [nn.Linear(size, width), nn.ReLU()]
    return nn.Sequential(*layers, nn.Linear(width, outputs))
