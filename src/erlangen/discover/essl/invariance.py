"""What makes features invariant to the views: SimCLR, SimSiam, Barlow Twins; another method is a subclass of `Invariance`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from jaxtyping import Float
from torch import Tensor, nn

from erlangen.discover.essl.losses import barlow_twins_loss, info_nce, nt_xent, simsiam_loss
from erlangen.discover.essl.networks import mlp
from erlangen.discover.essl.views import View, image_view
from erlangen.errors import ArgumentError


class Invariance(ABC):
    """A loss that is small when two views of a sample have features alike: settings only, the networks belong to the model.

    Attributes:
        view: the random view, drawn twice.
    """

    view: View

    @abstractmethod
    def networks(self, features: int) -> dict[str, nn.Module]:
        """The networks, by name, that the loss puts behind an encoder with so many features."""

    @abstractmethod
    def loss(self, networks: Mapping[str, nn.Module], one: Float[Tensor, "n d"], two: Float[Tensor, "n d"]) -> Tensor:
        """The loss of both views' features."""


@dataclass(frozen=True)
class SimCLR(Invariance):
    """Tell each sample's other view from the views of other samples.

    Attributes:
        view: the random view.
        projector: widths of the layers behind the encoder.
        temperature: of the cosines; 0.5 for CIFAR, 0.2 for ImageNet, 0.1 for photonic crystals.
        negatives: ``"other view"``: the rows of the other view (:func:`~erlangen.discover.essl.info_nce`); ``"both views"``: of both
            (:func:`~erlangen.discover.essl.nt_xent`).

    Source: Chen, Kornblith, Norouzi & Hinton 2020, arXiv:2002.05709; as used by Dangovski et al. 2022, arXiv:2111.00899.
    """

    view: View = field(default_factory=image_view)
    projector: tuple[int, ...] = (2048, 2048)
    temperature: float = 0.5
    negatives: Literal["other view", "both views"] = "other view"

    def __post_init__(self) -> None:
        if not self.temperature > 0:
            raise ArgumentError("temperature", "a positive number", repr(self.temperature))
        if self.negatives not in ("other view", "both views"):
            raise ArgumentError("negatives", "'other view' or 'both views'", repr(self.negatives))

    def networks(self, features: int) -> dict[str, nn.Module]:
        return {"projector": mlp([features, *self.projector], "batch", last_norm=True)}

    def loss(self, networks: Mapping[str, nn.Module], one: Tensor, two: Tensor) -> Tensor:
        function = info_nce if self.negatives == "other view" else nt_xent
        return function(networks["projector"](one), networks["projector"](two), self.temperature)


@dataclass(frozen=True)
class SimSiam(Invariance):
    """Predict each view's projection from the other's, without negatives: the gradient through the predicted side is stopped.

    Attributes:
        view: the random view.
        projector: widths of the layers behind the encoder.
        predictor: width of the predictor's hidden layer.

    Source: Chen & He 2021, arXiv:2011.10566.
    """

    view: View = field(default_factory=image_view)
    projector: tuple[int, ...] = (2048, 2048)
    predictor: int = 512

    def networks(self, features: int) -> dict[str, nn.Module]:
        width = self.projector[-1]
        return {
            "projector": mlp([features, *self.projector], "batch", last_norm=True),
            "predictor": mlp([width, self.predictor, width], "batch"),
        }

    def loss(self, networks: Mapping[str, nn.Module], one: Tensor, two: Tensor) -> Tensor:
        z1, z2 = networks["projector"](one), networks["projector"](two)
        return simsiam_loss(networks["predictor"](z1), z1, networks["predictor"](z2), z2)


@dataclass(frozen=True)
class BarlowTwins(Invariance):
    """Make the cross-correlation of the two views' projections the identity.

    Attributes:
        view: the random view.
        projector: widths of the layers behind the encoder.
        off_diagonal: weight of the correlations between different features.

    Source: Zbontar, Jing, Misra, LeCun & Deny 2021, arXiv:2103.03230.
    """

    view: View = field(default_factory=image_view)
    projector: tuple[int, ...] = (2048, 2048)
    off_diagonal: float = 0.0051

    def networks(self, features: int) -> dict[str, nn.Module]:
        return {"projector": mlp([features, *self.projector], "batch")}

    def loss(self, networks: Mapping[str, nn.Module], one: Tensor, two: Tensor) -> Tensor:
        return barlow_twins_loss(networks["projector"](one), networks["projector"](two), self.off_diagonal)
