"""The networks of the study: a few convolutions for images; and how all networks are trained."""

from __future__ import annotations

from torch import nn

from erlangen.training import TrainingConfig


def image_encoder(side: int, out: int, width: int = 16) -> nn.Sequential:
    """Images ``[B, 1, side, side]`` to ``out`` numbers."""
    return nn.Sequential(
        nn.Conv2d(1, width, 4, 2, 1),
        nn.SiLU(),
        nn.Conv2d(width, 2 * width, 4, 2, 1),
        nn.SiLU(),
        nn.Flatten(),
        nn.Linear(2 * width * (side // 4) ** 2, 256),
        nn.SiLU(),
        nn.Linear(256, out),
    )


def image_decoder(side: int, into: int, width: int = 16) -> nn.Sequential:
    """``into`` numbers to images ``[B, 1, side, side]``."""
    return nn.Sequential(
        nn.Linear(into, 256),
        nn.SiLU(),
        nn.Linear(256, 2 * width * (side // 4) ** 2),
        nn.SiLU(),
        nn.Unflatten(1, (2 * width, side // 4, side // 4)),
        nn.ConvTranspose2d(2 * width, width, 4, 2, 1),
        nn.SiLU(),
        nn.ConvTranspose2d(width, 1, 4, 2, 1),
    )


def settings(steps: int, seed: int, lr: float = 2e-3, batch: int = 128) -> TrainingConfig:
    """One rise and fall of the learning rate."""
    return TrainingConfig(steps=steps, batch_size=batch, lr=lr, weight_decay=0.0, warmup=int(0.3 * steps), seed=seed)
