"""`EnergyEncoder`: a network that predicts formation energies of protostructures, whose last features compare sets of them."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from erlangen.errors import ArgumentError
from erlangen.fields.crystals.protostructure import Protostructure
from erlangen.fields.crystals.wyckoffdiff.features import WIDTH, features
from erlangen.fields.crystals.wyckoffdiff.frechet import frechet_distance
from erlangen.training import TrainingConfig, supervised, train

#: Standardised features beyond so many deviations are heavy tails of few crystals.
CLIPPED = 4.0


class EnergyEncoder(nn.Module):
    """120 features of a protostructure to its formation energy, by way of 64 that are compared.

    The published distance takes the features of a Wrenformer, whose trained weights no package has; this network is trained in the run
    on energies of real crystals, and the distance is called FWD[icsd] for it. Distances of different encoders cannot be compared.

    Args:
        crystals: to learn from.
        energies: of formation, eV per atom.
        steps: of training, with 256 crystals each.
        seed: of the weights and batches.
        quiet: no progress bar.

    Raises:
        ArgumentError: fewer than two crystals, or another number of energies.
    """

    def __init__(
        self,
        crystals: Sequence[Protostructure],
        energies: Sequence[float] | Tensor,
        *,
        steps: int = 3000,
        seed: int = 0,
        quiet: bool = False,
    ) -> None:
        super().__init__()
        y = torch.as_tensor(energies, dtype=torch.float64)
        if len(crystals) < 2 or y.shape != (len(crystals),) or not bool(y.isfinite().all()):
            raise ArgumentError(
                "energies", f"a finite number for each of {len(crystals)} crystals, two at least", f"shape {tuple(y.shape)}"
            )
        x = features(crystals)
        self.mean: Tensor
        self.scale: Tensor
        self.energy: Tensor
        self.register_buffer("mean", x.mean(0))
        self.register_buffer("scale", x.std(0).clamp(min=1e-9))
        self.register_buffer("energy", torch.stack([y.mean(), y.std()]))
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            sizes = (WIDTH, 256, 256, 64)
            self.inner = nn.Sequential(*(part for a, b in zip(sizes, sizes[1:]) for part in (nn.Linear(a, b), nn.SiLU())))  # noqa: RUF007
            self.last = nn.Linear(64, 1)
        target = ((y - self.energy[0]) / self.energy[1]).float()
        config = TrainingConfig(steps=steps, batch_size=256, lr=2e-3, seed=seed, weight_decay=1e-4)
        loss = supervised(lambda said, wanted: (said - wanted).abs().mean())
        train(self, (self.standardised(x), target), loss, config, description="formation energies", quiet=quiet)

    def standardised(self, x: Float[Tensor, "n 120"]) -> Float[Tensor, "n 120"]:
        """Features by the training data's mean and deviation, none beyond four."""
        return ((x - self.mean) / self.scale).clamp(-CLIPPED, CLIPPED).float()

    def forward(self, x: Float[Tensor, "n 120"]) -> Float[Tensor, " n"]:
        """Energies of standardised features, standardised."""
        return self.last(self.inner(x)).squeeze(-1)

    @torch.no_grad()
    def energies(self, crystals: Sequence[Protostructure]) -> Float[Tensor, " n"]:
        """Formation energies, eV per atom."""
        return self(self.standardised(features(crystals))).double() * self.energy[1] + self.energy[0]

    @torch.no_grad()
    def embedded(self, crystals: Sequence[Protostructure], trained: bool = True) -> Float[Tensor, "n d"]:
        """The 64 features; or, not ``trained``, the 120 standardised ones that go in."""
        x = self.standardised(features(crystals))
        return self.inner(x) if trained else x

    def distance(self, crystals: Sequence[Protostructure], reference: Sequence[Protostructure], trained: bool = True) -> float:
        """The Fréchet distance of two sets."""
        return frechet_distance(self.embedded(crystals, trained), self.embedded(reference, trained))
