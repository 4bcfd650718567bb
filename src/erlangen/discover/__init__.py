"""Data in, a group out (or the answer that there is none)."""

from erlangen.discover.evidence import evidence
from erlangen.discover.finding import Finding
from erlangen.discover.found import Candidate, Discovered
from erlangen.discover.liegan import LieGAN
from erlangen.discover.liegan_config import LieGANConfig
from erlangen.discover.nft import NFT, KernelNFT, LinearNFT
from erlangen.discover.nft.finding import linear_nft_finding
from erlangen.discover.polarisation import Polarised, polarise
from erlangen.discover.quadric import Quadric, fit_quadric
from erlangen.discover.search import discover
from erlangen.discover.soft import SoftEquivariance, SoftEquivariantRidge, graded_belief
from erlangen.discover.task import TaskSymmetries, task_symmetries
from erlangen.packages import lazy_folders, make_callable

__all__ = [
    "NFT",
    "Candidate",
    "Discovered",
    "Finding",
    "KernelNFT",
    "LieGAN",
    "LieGANConfig",
    "LinearNFT",
    "Polarised",
    "Quadric",
    "SoftEquivariance",
    "SoftEquivariantRidge",
    "TaskSymmetries",
    "discover",
    "evidence",
    "fit_quadric",
    "graded_belief",
    "linear_nft_finding",
    "polarise",
    "task_symmetries",
]

__getattr__ = lazy_folders(__name__)
make_callable(__name__, discover)
