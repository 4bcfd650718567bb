"""Any model made symmetric: one class, one formula, and each way to do it is a frame."""

from erlangen.actions.ragged import Edges, PerDatum, PerEdge, PerNode, Segment
from erlangen.packages import make_callable
from erlangen.symmetrize.canonical_energy import LieEnergy
from erlangen.symmetrize.canonical_finite import Energy, FiniteShift, Lift, Reference
from erlangen.symmetrize.canonical_labelling import CanonicalLabelling
from erlangen.symmetrize.canonical_order import Ordered
from erlangen.symmetrize.canonical_vectors import ImageVectors, Vectors
from erlangen.symmetrize.centred import Centred
from erlangen.symmetrize.choice import Choice
from erlangen.symmetrize.choose import choose_frame, symmetrize
from erlangen.symmetrize.cloud import CloudFrame
from erlangen.symmetrize.distinct import Distinct
from erlangen.symmetrize.fa_gnn import FAGNN
from erlangen.symmetrize.frames import AllElements, Frame, Haar, Weighted
from erlangen.symmetrize.gram_schmidt import GramSchmidt
from erlangen.symmetrize.image_moments import ImageMoments, LiftedPose
from erlangen.symmetrize.lattice import Lattice
from erlangen.symmetrize.local import Local
from erlangen.symmetrize.orbit import Orbit, OrbitDistance, orbit_distance
from erlangen.symmetrize.pairs import Pairs
from erlangen.symmetrize.phase import Phase
from erlangen.symmetrize.planar import Planar
from erlangen.symmetrize.principal import Principal
from erlangen.symmetrize.sequence import InSequence, Together
from erlangen.symmetrize.shifted import Shifted
from erlangen.symmetrize.sign_fixed import SignFixed
from erlangen.symmetrize.sorting import Sorted
from erlangen.symmetrize.spectral import Spectral
from erlangen.symmetrize.stochastic import Stochastic
from erlangen.symmetrize.symmetrized import Symmetrized
from erlangen.symmetrize.transform import FrameTransform

__all__ = [
    "FAGNN",
    "AllElements",
    "CanonicalLabelling",
    "Centred",
    "Choice",
    "CloudFrame",
    "Distinct",
    "Edges",
    "Energy",
    "FiniteShift",
    "Frame",
    "FrameTransform",
    "GramSchmidt",
    "Haar",
    "ImageMoments",
    "ImageVectors",
    "InSequence",
    "Lattice",
    "LieEnergy",
    "Lift",
    "LiftedPose",
    "Local",
    "Orbit",
    "OrbitDistance",
    "Ordered",
    "Pairs",
    "PerDatum",
    "PerEdge",
    "PerNode",
    "Phase",
    "Planar",
    "Principal",
    "Reference",
    "Segment",
    "Shifted",
    "SignFixed",
    "Sorted",
    "Spectral",
    "Stochastic",
    "Symmetrized",
    "Together",
    "Vectors",
    "Weighted",
    "choose_frame",
    "orbit_distance",
    "symmetrize",
]

make_callable(__name__, symmetrize)
