"""The study of the neural Fourier transform, one part at a time: `signals`, `compress`, `digits` or `views`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from erlangen.reporting import RIVAL, RIVAL_CLAIM
from erlangen.studies.base import Announced, Study

SOURCE = "Koyama, Fukumizu, Hayashi & Miyato 2024, arXiv:2305.18484"


@dataclass(frozen=True)
class Config:
    """A latent space in which an unknown motion is linear, with the closed forms beside it."""

    part: Literal["signals", "compress", "digits", "views"] = "signals"
    """Which of the four."""
    steps: int = 0
    """Training steps of each network; 0 takes the part's default."""
    samples: int = 0
    """Training sequences or pairs; 0 takes the part's default."""
    seeds: int = 3
    """Data and networks; parts whose claims compare."""
    seed: int = 0
    """The first seed: of data, weights and batches."""
    curve: bool = False
    """Part signals: also how all fare the more the sensor saturates."""
    full: bool = False
    """Towards the source's scale: more samples, and ten times the steps."""

    @property
    def every_seed(self) -> list[int]:
        """The seeds, so far apart that no data meet."""
        return [self.seed + 1000 * i for i in range(self.seeds)]

    def scaled(self, steps: int, samples: int) -> tuple[int, int]:
        """Steps and samples, from a part's defaults."""
        return self.steps or steps * (10 if self.full else 1), self.samples or samples * (4 if self.full else 1)


PARTS = {
    "signals": Announced(
        "The frequencies of warped signals, through sensors",
        {
            RIVAL: RIVAL_CLAIM,
            "spectrum": "the latent spectrum shows the frequencies that move warped signals, which a Fourier transform of "
            "the signals does not",
            "prediction": "the next frame is predicted to a relative squared error of at most 1e-3",
            "closed-form": "the clean signals need no network: quadratic invariants and least squares find the frequencies "
            "and predict to rounding",
            "saturating": "through a saturating sensor the learned transform predicts far better than any linear one",
        },
    ),
    "compress": Announced(
        "Warped signals in 32 numbers",
        {
            RIVAL: RIVAL_CLAIM,
            "compression": "five frequencies go into 32 numbers with far less error than 16 Fourier modes leave",
            "simple-code": "least squares in ten numbers, without training, is enough",
        },
    ),
    "digits": Announced(
        "Invariant features of rotated images",
        {
            RIVAL: RIVAL_CLAIM,
            "amplitudes": "amplitudes of rotated images change less than latents, and classify better than an autoencoder's latents and "
            "the linear closed form's amplitudes",
            "change": "a rotation changes amplitudes by at most a quarter, for equivariance is learned",
            "angle": "the angle between two images is recovered",
        },
    ),
    "views": Announced(
        "A body's view from another side",
        {
            RIVAL: RIVAL_CLAIM,
            "second-view": "a second view of a body is predicted better with a latent rotation than with the pose as an "
            "input, and than by least squares",
        },
    ),
}


STUDY = Study.of_parts(
    "nft",
    system=34,
    title="Neural Fourier transform: unknown motions become matrices, matrices become frequencies",
    source=SOURCE,
    config=Config,
    package="erlangen.studies.nft",
    parts=PARTS,
)
