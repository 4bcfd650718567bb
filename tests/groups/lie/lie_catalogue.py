"""Every Lie group the tests of this folder look at, with the dimension and compactness that textbooks give."""

from __future__ import annotations

import torch

from erlangen.groups.affine import SE, AffineGroup, E, Translations
from erlangen.groups.linear import SL, Affine, GLplus, Scalings
from erlangen.groups.matrix import MatrixGroup
from erlangen.groups.orthogonal import SO, Isometries, O
from erlangen.groups.symplectic import Sp
from erlangen.groups.torus import U1, Torus

SKEWED = torch.tensor([[2.0, 0.3], [0.3, -1.0]])
ELLIPSOID = torch.tensor([[2.0, 0.3, 0.0], [0.3, 1.0, 0.1], [0.0, 0.1, 3.0]])

#: (group, dimension, compact)
GROUPS: list[tuple[MatrixGroup, int, bool]] = [
    (SO(2), 1, True),
    (SO(3), 3, True),
    (SO(5), 10, True),
    (O(1), 0, True),
    (O(2), 1, True),
    (O(3), 3, True),
    (O(4), 6, True),
    (SO(2, axis="y"), 1, True),
    (SO(2, axis=(1.0, 2.0, 3.0)), 1, True),
    (SO(1, 3), 6, False),
    (SO(1, 3, connected=True), 6, False),
    (SO(2, 2), 6, False),
    (O(1, 3), 6, False),
    (O(2, 3), 10, False),
    (Isometries(SKEWED), 1, False),
    (Isometries(ELLIPSOID), 3, True),
    (Isometries(ELLIPSOID, connected=False), 3, True),
    (E(2), 3, False),
    (E(3), 6, False),
    (SE(2), 3, False),
    (SE(3), 6, False),
    (Translations(3), 3, False),
    (AffineGroup(O(1, 3), name="Poincare"), 10, False),
    (Affine(2), 6, False),
    (GLplus(1), 1, False),
    (GLplus(3), 9, False),
    (SL(2), 3, False),
    (SL(4), 15, False),
    (Scalings(3), 1, False),
    (Sp(2), 3, False),
    (Sp(4), 10, False),
    (U1(), 1, True),
    (Torus(3), 3, True),
]
IDS = [str(group) for group, _, _ in GROUPS]


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)
