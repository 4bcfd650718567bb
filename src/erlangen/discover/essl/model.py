"""`ESSL`: an encoder that learns without labels, blind to some transformations and sensitive to others."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from erlangen.discover.essl.invariance import Invariance
from erlangen.discover.essl.networks import width_of
from erlangen.discover.essl.overlap import overlap
from erlangen.discover.essl.sensitivity import Sensitivity
from erlangen.discover.essl.targets import Classes
from erlangen.discover.essl.transforms import Factors
from erlangen.errors import ArgumentError, UnsupportedError
from erlangen.training import History, TrainingConfig, train
from erlangen.training.batches import Samples
from erlangen.training.modes import evaluating

Images = Tensor | Dataset[Any] | DataLoader[Any]


class ESSL(nn.Module):
    """Equivariant self-supervised learning: a loss of invariance plus ``weight`` times a loss of sensitivity.

    Features become *invariant* to the views (crops, colours) and *sensitive* to a group (four-fold rotations): from the features of a
    moved image a head must tell by which element it was moved. The views' features and those of the moved copies are separate passes of
    the encoder, since a batch norm that sees small moved crops among whole views would mix their statistics.

    Args:
        encoder: any module that makes features ``[batch, d]`` of samples ``[batch, ...]``; it is what the training is for.
        invariance: :class:`SimCLR`, :class:`SimSiam`, :class:`BarlowTwins`, one of your own, or ``None``.
        sensitivity: a :class:`Sensitivity` or ``None``; with weight 0 it is left out, and the training is bit for bit the one without.
        features: how many features the encoder gives; by default what its last layer says.

    Attributes:
        encoder: the encoder given.
        networks: projector and predictor, which only the loss of invariance uses.
        heads: of the sensitivity's factors, on the encoder's features.

    Raises:
        ArgumentError: neither loss is given; or (in a step) the encoder gives other features, or a batch of one.

    Source: R. Dangovski, L. Jing, C. Loh, S. Han, A. Srivastava, B. Cheung, P. Agrawal, M. Soljacic, ICLR 2022, arXiv:2111.00899.

    >>> from erlangen.discover.essl import SimCLR
    >>> from erlangen.groups import Cyclic
    >>> encoder = nn.Sequential(nn.Conv2d(1, 8, 3, 2), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    >>> model = ESSL(encoder, SimCLR(projector=(16, 8)), Sensitivity(Cyclic(4), head=(16,)))
    >>> sorted(model.training_step(torch.rand(8, 1, 28, 28)))
    ['invariance', 'loss', 'sensitivity']
    >>> history = model.fit(torch.rand(64, 1, 28, 28), TrainingConfig(steps=3, batch_size=16), quiet=True)
    >>> encoder(torch.rand(2, 1, 28, 28)).shape
    torch.Size([2, 8])
    """

    def __init__(
        self,
        encoder: nn.Module,
        invariance: Invariance | None = None,
        sensitivity: Sensitivity | None = None,
        *,
        features: int | None = None,
    ) -> None:
        super().__init__()
        if sensitivity is not None and not sensitivity.weight:
            sensitivity = None
        if invariance is None and sensitivity is None:
            raise ArgumentError("sensitivity", "a loss of invariance, or one of sensitivity with a positive weight", "neither")
        self.features = width_of(encoder) if features is None else features
        self.encoder, self.invariance, self.sensitivity = encoder, invariance, sensitivity
        self.networks = nn.ModuleDict({} if invariance is None else invariance.networks(self.features))
        self.heads = nn.ModuleList() if sensitivity is None else sensitivity.heads(self.features)

    def forward(self, x: Tensor, generator: torch.Generator | None = None) -> dict[str, Tensor]:
        """The losses of a batch; the features are ``encoder(x)``."""
        return self.training_step(x, generator)

    def training_step(self, x: Tensor, generator: torch.Generator | None = None) -> dict[str, Tensor]:
        """The losses of a batch ``[batch, ...]`` of samples.

        Args:
            generator: source of the views' and the elements' random numbers; torch's global one by default.

        Returns:
            ``"loss"``, to minimise, and of its parts ``"invariance"`` and ``"sensitivity"`` those that there are.
        """
        if not x.is_floating_point():
            raise ArgumentError("x", "samples of a floating-point type", x.dtype, "images from 0 to 255 are divided by 255 first")
        if len(x) < 2:
            raise ArgumentError("x", "a batch of at least two samples, for batches are compared and normalised", len(x))
        losses: dict[str, Tensor] = {}
        if self.invariance is not None:
            one, two = (self._features(self.invariance.view(x, generator)) for _ in range(2))
            losses["invariance"] = self.invariance.loss(dict(self.networks.items()), one, two)
        total = losses.get("invariance", x.new_zeros(()))
        if self.sensitivity is not None:
            moved, truths = self.sensitivity.moved(x, generator)
            losses["sensitivity"] = self.sensitivity.loss(self._outputs(moved), truths)
            total = total + self.sensitivity.weight * losses["sensitivity"]
        return {"loss": total, **losses}

    def fit(
        self,
        data: Images,
        config: TrainingConfig | None = None,
        *,
        checkpoint: str | Path | None = None,
        description: str = "self-supervised",
        quiet: bool = False,
    ) -> History:
        """Train in place with :func:`erlangen.training.train`: with a progress bar, on Accelerate's device, resumable to the bit.

        Args:
            data: samples ``[N, ...]``; or a map-style dataset, whose samples may be tuples of which the first entry counts; or a loader
                of one, whose batch size is taken when no config is given.
            checkpoint: a directory; the same call with it goes on where a training was stopped.

        Warns:
            UserWarning: an element to be predicted is among what the views ignore (:meth:`check`).
        """
        if isinstance(data, DataLoader):
            config = config or TrainingConfig(batch_size=data.batch_size or 256)
            data = data.dataset
        if self.sensitivity is not None:
            sample = data[:1] if isinstance(data, Tensor) else Samples(data)[torch.arange(1)][0]
            self.check(sample)
        return train(
            self,
            [data] if isinstance(data, Tensor) else data,
            lambda model, x, *labels: model(x)["loss"],
            config,
            checkpoint=checkpoint,
            description=description,
            quiet=quiet,
        )

    def check(self, x: Tensor) -> None:
        """Warn when a transformation is to be predicted and ignored at once, on samples ``x`` ``[batch, ...]``.

        Raises:
            ArgumentError: the factors of the sensitivity do not commute on ``x``, or its group cannot act on it.
        """
        if self.sensitivity is None:
            return
        action = self.sensitivity.action
        with torch.no_grad():
            third = self.sensitivity.view(x[:1], torch.Generator().manual_seed(0)).cpu()
            action.act(action.group.identity(dtype=x.dtype), third)
            if isinstance(action, Factors) and not action.commute(third):
                raise ArgumentError("of", "factors whose actions commute", f"{action} on samples {tuple(third.shape[1:])}")
            # A relative head compares two copies of one view: in which pose the view is does not matter to it.
            own = () if self.sensitivity.relative else self.sensitivity.view.actions
            ignored = (*own, *(self.invariance.view.actions if self.invariance is not None else ()))
            both = overlap(action, list(dict.fromkeys(ignored)), third.shape[1:])
        if both is not None:
            names = " and ".join(map(repr, both[1]))
            warnings.warn(
                f"{both[0]!r} is to be predicted, but elements of it are among what the views ignore ({names}); "
                "take them out of one of the two lists",
                stacklevel=2,
            )

    @torch.no_grad()
    def group_accuracy(self, data: Images, *, seed: int = 0, batch_size: int = 256) -> float:
        """The share of moved views (all elements of every image) of which all heads name the right element.

        Raises:
            UnsupportedError: the group is infinite, so that :meth:`group_error` is the question; or there is no sensitivity.
        """
        if self.sensitivity is None or not self.sensitivity.finite:
            raise UnsupportedError("no finite group is predicted here; for a continuous one ask group_error(data)")
        wrong = self._errors(data, seed, batch_size)
        return 1 - float(torch.stack(wrong).amax(0).mean())

    @torch.no_grad()
    def group_error(
        self, data: Images, *, seed: int = 0, batch_size: int = 256, of: Literal["mean", "median"] = "mean"
    ) -> tuple[float, ...]:
        """The error of each head: an angle in radians for a continuous factor, the share of wrong classes for a finite one.

        Args:
            data: images.
            seed: of the moves.
            batch_size: images at a time.
            of: over all moved views. A few angles that are off by half a turn weigh in the mean, hardly in the median; of classes,
                right or wrong, the median says only which are more, so a finite factor has its mean in either.

        Raises:
            UnsupportedError: no group is predicted here.
            ArgumentError: ``of`` is something else.
        """
        if self.sensitivity is None:
            raise UnsupportedError("no group is predicted here")
        if of not in ("mean", "median"):
            raise ArgumentError("of", "'mean' or 'median'", repr(of))
        errors = zip(self._errors(data, seed, batch_size), self.sensitivity.targets)
        return tuple(float(e.median() if of == "median" and not isinstance(t, Classes) else e.mean()) for e, t in errors)

    def _errors(self, data: Images, seed: int, batch_size: int) -> list[Tensor]:
        sensitivity = self.sensitivity
        assert sensitivity is not None
        first = next(self.parameters())
        generator = torch.Generator().manual_seed(seed)
        errors: list[list[Tensor]] = []
        with evaluating(self):
            for x in batches(data, batch_size):
                moved, truths = sensitivity.moved(x.to(first.device), generator, every=True)
                outputs = self._outputs(moved)
                errors.append([t.error(o, truth).flatten() for t, o, truth in zip(sensitivity.targets, outputs, truths)])
        return [torch.cat(parts) for parts in zip(*errors)]

    def _outputs(self, moved: Tensor) -> list[Tensor]:
        assert self.sensitivity is not None
        return self.sensitivity.outputs(self._features, self.heads, moved)

    def _features(self, x: Tensor) -> Tensor:
        features = self.encoder(x)
        if features.ndim != 2 or features.shape[1] != self.features:
            raise ArgumentError(
                "features", f"an encoder's output [batch, {self.features}]", tuple(features.shape), "say features=, or flatten it"
            )
        return features


def batches(data: Images, size: int) -> Iterator[Tensor]:
    """The samples of a tensor, of a dataset or of a loader's dataset, in order and in parts; labels are left out."""
    if isinstance(data, DataLoader):
        data = data.dataset
    samples = Samples([data] if isinstance(data, Tensor) else data)
    for part in torch.arange(samples.length).split(size):
        yield samples[part][0]
