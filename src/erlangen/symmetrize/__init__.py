"""Any model made symmetric: one class, one formula, and each way to do it is a frame."""

from erlangen.symmetrize.choose import choose_frame
from erlangen.symmetrize.frames import AllElements, Frame, Haar, Weighted
from erlangen.symmetrize.gram_schmidt import GramSchmidt
from erlangen.symmetrize.phase import Phase
from erlangen.symmetrize.principal import Principal
from erlangen.symmetrize.symmetrized import Symmetrized, symmetrize

__all__ = ["AllElements", "Frame", "GramSchmidt", "Haar", "Phase", "Principal", "Symmetrized", "Weighted", "choose_frame", "symmetrize"]
