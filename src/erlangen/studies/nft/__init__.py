"""The neural Fourier transform: warped signals, compression, rotated images, and views of bodies."""

from erlangen.studies.nft.study import STUDY, Config

__all__ = ["STUDY", "Config"]
