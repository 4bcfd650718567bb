"""`Energy`: a property of crystals, learned on noisy ones, that guides their generation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from erlangen.errors import ArgumentError
from erlangen.fields.crystals.dataset import CrystalDataset
from erlangen.fields.crystals.diffcsp.model import DiffCSP
from erlangen.fields.crystals.diffcsp.network import Embedding, mean
from erlangen.fields.crystals.diffcsp.trunk import Trunk
from erlangen.training import History, TrainingConfig, train


class Energy(nn.Module):
    """A number for each crystal, at every step of its noise: invariant under all that :class:`CSPNet` is equivariant under.

    Trained by the absolute error on crystals with the noise of a model, it says what the property will be; so its gradient can be
    followed while that model samples (:meth:`guide`).

    Args:
        model: whose noise is meant.
        width, layers, frequencies: of the trunk, by default the model's; so are device and precision.

    Source: Jiao et al., NeurIPS 2023, arXiv:2309.04475; Dhariwal & Nichol, NeurIPS 2021, arXiv:2105.05233.

    >>> salt = DiffCSP(width=16, layers=1, frequencies=4)
    >>> energy = Energy(salt)
    >>> record = {"lattice": torch.randn(4, 3, 3), "frac": torch.rand(4, 5, 3), "numbers": torch.randint(1, 90, (4, 5))}
    >>> energy(t=torch.full((4,), 10), **record).shape
    torch.Size([4])
    """

    def __init__(self, model: DiffCSP, width: int | None = None, layers: int | None = None, frequencies: int | None = None) -> None:
        super().__init__()
        settings = model.settings
        width = settings.width if width is None else width
        layers = settings.layers if layers is None else layers
        frequencies = settings.frequencies if frequencies is None else frequencies
        self.model = [model]  # not a part of this module
        self.trunk = Trunk(width, layers, frequencies, 9)
        self.embed = Embedding(width, model.noisy_types)
        self.head = nn.Linear(width, 1)
        #: Of the last training.
        self.history: History | None = None
        self.centre: Tensor
        self.spread: Tensor
        self.register_buffer("centre", torch.zeros(()))
        self.register_buffer("spread", torch.ones(()))
        self.to(next(model.diffusion.parameters()))  # its device and precision

    def forward(
        self,
        lattice: Float[Tensor, "B 3 3"],
        frac: Float[Tensor, "B n 3"],
        t: Int[Tensor, " B"],
        mask: Bool[Tensor, "B n"] | None = None,
        numbers: Int[Tensor, "B n"] | None = None,
        types: Float[Tensor, "B n 100"] | None = None,
    ) -> Float[Tensor, " B"]:
        """The property in its own unit."""
        h = self.trunk(self.embed(t, numbers, types), (lattice @ lattice.mT).flatten(1), frac, mask)
        return self.centre + self.spread * self.head(mean(h, mask)).squeeze(-1)  # type: ignore[no-any-return]

    def fit(
        self,
        structures: CrystalDataset | Sequence[Any],
        values: Float[Tensor, " N"] | Sequence[float],
        config: TrainingConfig | None = None,
        *,
        checkpoint: str | None = None,
        quiet: bool = False,
    ) -> Energy:
        """Learn a value of each crystal, at all steps of the noise. Returns the module; :attr:`history` says how it went.

        Raises:
            ArgumentError: other numbers of values than of crystals, or values that are not finite.
        """
        model = self.model[0]
        data = model.record(structures)
        target = torch.as_tensor(values, dtype=data["lattice"].dtype)
        if target.shape != data["lattice"].shape[:1] or not bool(target.isfinite().all()):
            raise ArgumentError(
                "values", f"a finite number for each of {len(data['lattice'])} crystals", f"shape {tuple(target.shape)}"
            )
        self.centre.copy_(target.mean())
        self.spread.copy_(target.std(correction=0).clamp(min=1e-6))
        process, names = model.diffusion.process, list(data)

        def loss(energy: Energy, *batch: Tensor) -> Tensor:
            record, wanted = dict(zip(names, batch[:-1])), batch[-1]
            t = torch.randint(1, process.steps + 1, wanted.shape, device=wanted.device)
            x_t, _ = process.noise(record, t)
            return ((energy(t=t, **x_t) - wanted) / energy.spread).abs().mean()

        self.history = train(self, (*data.values(), target), loss, config, checkpoint=checkpoint, description="energy", quiet=quiet)
        return self

    def guide(self, weight: float, target: float | None = None) -> Callable[[dict[str, Tensor], Tensor], Tensor]:
        """For ``predict`` and ``generate``: minus ``weight`` times the property, or its squared distance from a ``target``."""

        def liked(record: dict[str, Tensor], t: Tensor) -> Tensor:
            said = self(t=t, **record)
            return -weight * (said if target is None else (said - target).square())

        return liked
