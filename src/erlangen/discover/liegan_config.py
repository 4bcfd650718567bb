"""`LieGANConfig`: what decides a search by :class:`~erlangen.discover.liegan.LieGAN`, beside its size and start."""

from __future__ import annotations

from dataclasses import dataclass

from erlangen.discover.coefficients import Coefficients, Law
from erlangen.discover.regularizers import DECORRELATIONS, REGULARIZERS, Decorrelation, Regularizer
from erlangen.discover.samples import TARGETS, Target
from erlangen.errors import ArgumentError


@dataclass(frozen=True)
class LieGANConfig:
    """The choices of a search: they print, compare, and are ready for JSON by ``dataclasses.asdict``.

    Attributes:
        coefficients: the law of ``w``: ``"normal"``, ``"uniform"``, ``"int_grid"`` (for a cyclic group).
        scale: its width.
        homogeneous: divide moved tokens by this component (translations and affine maps).
        regularizer: against trivial generators, with weight ``lam``: ``"cosine"``, ``"rel_diff"``, ``"norm"``.
        lam: its weight.
        decorrelation: against channels that are alike, with weight ``eta``: ``"frobenius"`` or ``"killing"``.
        eta: its weight.
        mu: weight of ``sum |L|``, for sparse matrices.
        target: what ``y`` is: ``"vector"`` (moves like x), ``"scalar"``, ``"class"``; by default as its type says.
        incremental: train the channels one after another, each against those before it.
        fit_distribution: freeze the basis and learn the law of ``w`` (``coefficients_.sigma`` and ``.mu``).
        steps: of both players.
        batch_size: samples per step.
        width: of the discriminator.
        lr_generator: Adam's step for the basis.
        lr_discriminator: Adam's step for the discriminator.
        seed: of everything random.

    Raises:
        ArgumentError: naming the field that does not fit.

    >>> LieGANConfig(eta=0.1) == LieGANConfig(eta=0.1) != LieGANConfig()
    True
    """

    coefficients: Law = "normal"
    scale: float = 1.0
    homogeneous: int | None = None
    regularizer: Regularizer = "cosine"
    lam: float = 1.0
    decorrelation: Decorrelation = "frobenius"
    eta: float = 1.0
    mu: float = 0.0
    target: Target | None = None
    incremental: bool = False
    fit_distribution: bool = False
    steps: int = 3000
    batch_size: int = 128
    width: int = 256
    lr_generator: float = 1e-3
    lr_discriminator: float = 2e-4
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("steps", "batch_size", "width"):
            if getattr(self, name) < 1:
                raise ArgumentError(name, "a whole number of at least 1", repr(getattr(self, name)))
        one_of("regularizer", self.regularizer, REGULARIZERS)
        one_of("decorrelation", self.decorrelation, DECORRELATIONS)
        if self.target is not None:
            one_of("target", self.target, TARGETS)
        Coefficients(1, self.coefficients, self.scale, self.fit_distribution)  # refuses what does not fit together


def one_of(name: str, value: object, known: tuple[str, ...]) -> None:
    """Refuse a value that is not among those known.

    Raises:
        ArgumentError: it is not.
    """
    if value not in known:
        raise ArgumentError(name, f"one of {', '.join(known)}", repr(value))
