"""The neural Fourier transform: a latent space in which an unknown motion of the data is linear, and its frequencies."""

from erlangen.discover.nft.invariants import blocks_of_pairs
from erlangen.discover.nft.kernel import KernelNFT, gaussian
from erlangen.discover.nft.latent import degrees, frequencies
from erlangen.discover.nft.linear import LinearNFT
from erlangen.discover.nft.nft import NFT
from erlangen.discover.nft.objective import connectedness, orthogonality
from erlangen.discover.nft.on_span import OnSpan
from erlangen.discover.nft.solves import plane_matrices, solve_angle, solve_planes, solve_rotation, solve_transition
from erlangen.discover.nft.spectrum import Spectrum, name_frequencies, rep_of, steady
from erlangen.reps.block_diagonalize import BlockDecomposition as Blocks

__all__ = [
    "NFT",
    "Blocks",
    "KernelNFT",
    "LinearNFT",
    "OnSpan",
    "Spectrum",
    "blocks_of_pairs",
    "connectedness",
    "degrees",
    "frequencies",
    "gaussian",
    "name_frequencies",
    "orthogonality",
    "plane_matrices",
    "rep_of",
    "solve_angle",
    "solve_planes",
    "solve_rotation",
    "solve_transition",
    "steady",
]
