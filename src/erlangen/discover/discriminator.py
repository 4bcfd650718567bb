"""The networks that tell moved data from unmoved data."""

from __future__ import annotations

from functools import partial

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from erlangen.nn.perceptron import perceptron

#: Length of the vector that stands for a class label.
EMBEDDING = 32


class Discriminator(nn.Module):
    """A perceptron with two hidden layers on flattened samples, conditioned on a class label where there is one.

    Args:
        features: length of a flattened sample.
        width: of the hidden layers.
        classes: how many class labels; 0 for none.
        generator: draws the initial weights.

    >>> d = Discriminator(8, 16, 2, torch.Generator().manual_seed(0))
    >>> d(torch.zeros(5, 8), torch.zeros(5, dtype=torch.int64)).shape
    torch.Size([5])
    """

    def __init__(self, features: int, width: int, classes: int, generator: torch.Generator) -> None:
        super().__init__()
        self.embedding = nn.Embedding(classes, EMBEDDING) if classes else None
        inputs = features + (EMBEDDING if classes else 0)
        self.layers = perceptron(inputs, width, width, 1, activation=partial(nn.LeakyReLU, 0.2))
        self.float()  # as the samples are, whatever torch's default is
        draw_weights(self, generator)

    def forward(self, samples: Float[Tensor, "b f"], labels: Int64[Tensor, " b"] | None = None) -> Float[Tensor, " b"]:
        """Logits: positive for unmoved samples."""
        if self.embedding is not None:
            samples = torch.cat([samples, self.embedding(labels)], -1)
        return self.layers(samples).squeeze(-1)


def draw_weights(module: nn.Module, generator: torch.Generator) -> None:
    """PyTorch's default initial law for linear layers and embeddings, drawn from an explicit generator."""
    with torch.no_grad():
        for part in module.modules():
            if isinstance(part, nn.Linear | nn.Conv2d):
                bound = part.weight[0].numel() ** -0.5
                part.weight.uniform_(-bound, bound, generator=generator)
                if part.bias is not None:
                    part.bias.uniform_(-bound, bound, generator=generator)
            elif isinstance(part, nn.Embedding):
                part.weight.normal_(generator=generator)
