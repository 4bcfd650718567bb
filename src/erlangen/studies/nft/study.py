"""The study of the neural Fourier transform, one part at a time: `signals`, `compress`, `digits` or `views`."""

from __future__ import annotations

from erlangen.reporting import Outcome
from erlangen.studies.base import Study, run_part
from erlangen.studies.nft.config import Config

SOURCE = "Koyama, Fukumizu, Hayashi & Miyato 2024, arXiv:2305.18484"
TITLES = {
    "signals": "The frequencies of warped signals, through sensors",
    "compress": "Warped signals in 32 numbers",
    "digits": "Invariant features of rotated images",
    "views": "A body's view from another side",
}


def run(config: Config, *, quiet: bool = False) -> Outcome:
    """Run the part that is asked for."""
    return run_part("nft", "erlangen.studies.nft", TITLES, config, quiet)


STUDY = Study(
    name="nft",
    system=34,
    title="Neural Fourier transform: unknown motions become matrices, matrices become frequencies",
    source=SOURCE,
    config=Config,
    run=run,
    claims=(
        "the latent spectrum shows the frequencies that move warped signals, which a Fourier transform of the signals does not",
        "the clean signals need no network: quadratic invariants and least squares find the frequencies and predict to rounding",
        "through a saturating sensor the learned transform predicts far better than any linear one",
        "five frequencies go into 32 numbers with far less error than 16 Fourier modes leave",
        "amplitudes of rotated images classify better than an autoencoder's latents, and the angle between two images is recovered",
        "a second view of a body is predicted better with a latent rotation than with the pose as an input",
    ),
)
