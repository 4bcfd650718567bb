"""How groups act linearly on the last axis of a tensor."""

from erlangen.reps.base import Rep
from erlangen.reps.basic import Defining, Determinant, MatrixRep, Permutation, Sign, Trivial
from erlangen.reps.combine import DirectSum, Dual, TensorProduct
from erlangen.reps.pullback import Pullback

__all__ = [
    "Defining",
    "Determinant",
    "DirectSum",
    "Dual",
    "MatrixRep",
    "Permutation",
    "Pullback",
    "Rep",
    "Sign",
    "TensorProduct",
    "Trivial",
]
