"""The published systems that Erlangen makes one, by number: what each is called, where it lives, and its source."""

from __future__ import annotations

from typing import NamedTuple


class System(NamedTuple):
    """One published system.

    Attributes:
        number: how it is referred to throughout the project.
        name: its short name.
        title: what it does.
        place: the folder it lives in (or will).
        works: whether it is there today.
    """

    number: int
    name: str
    title: str
    place: str
    works: bool = False


SYSTEMS = (
    System(1, "BoRA", "bi-dimensional weight-decomposed low-rank adaptation", "parameters"),
    System(2, "SARD", "symmetry-aware robot design with structured subgroups", "fields/robots"),
    System(3, "WyckoffDiff", "diffusion over crystal symmetry descriptions", "fields/crystals"),
    System(4, "GWL", "geometric Weisfeiler-Leman tests and expressivity", "measure", True),
    System(5, "FAENet", "stochastic frame averaging for materials", "nn, symmetrize", True),
    System(6, "E-SSL", "equivariant self-supervised learning", "discover", True),
    System(7, "explanation robustness", "explanations under the model's symmetry group", "measure", True),
    System(8, "G-FNO", "group-equivariant Fourier neural operators", "nn"),
    System(9, "white-dwarf binaries", "orientations of gravitational-wave binaries", "fields/binaries"),
    System(10, "EQ2PC", "different structures with identical two-point correlation", "fields/microstructures"),
    System(11, "frame averaging", "exact symmetry for any model by a small input-dependent frame", "symmetrize", True),
    System(12, "soft equivariance", "regularisation under mixed approximate symmetries", "discover", True),
    System(13, "facility location", "strategy-proof facility location", "fields/mechanisms"),
    System(14, "point-wise activations", "which activations are exactly equivariant", "reps", True),
    System(15, "DiffCSP", "crystal structure prediction by equivariant diffusion", "fields/crystals"),
    System(16, "geometric algebra attention", "attention for small point clouds", "nn"),
    System(17, "physical compatibility", "solid objects consistent with static equilibrium", "fields/solids"),
    System(18, "PONITA", "group convolutions in position-orientation space", "nn"),
    System(19, "cybloids", "computer-controlled colloids", "fields/colloids"),
    System(20, "UNF", "universal neural functionals on weight spaces", "parameters", True),
    System(21, "LieGAN", "generative adversarial symmetry discovery", "discover", True),
    System(22, "hardness", "statistical-query hardness of learning under symmetries", "measure", True),
    System(23, "Lie-group convolution", "decompositions of GL+(n), SL(n) and affine groups", "groups, nn"),
    System(24, "null infinity", "linking past and future null infinity", "fields/spacetime"),
    System(25, "partition diagrams", "all equivariant linear maps of the symmetric group", "maps", True),
    System(26, "isogenies", "isogenies of elliptic curves as ideals", "fields/curves"),
    System(27, "learned canonicalization", "equivariance with learned canonicalization functions", "symmetrize", True),
    System(28, "hidden symmetries", "functional dimension of ReLU networks", "parameters", True),
    System(29, "orbit distance", "symmetrization by orbit distance minimization", "symmetrize", True),
    System(30, "jellyfish diagrams", "all equivariant linear maps of the alternating group", "maps", True),
    System(31, "asymmetric ensembles", "asymmetric networks in ensembles and mixtures", "parameters"),
    System(32, "mixed manna", "fair division of goods and chores", "fields/mechanisms"),
    System(33, "Brauer diagrams", "all equivariant linear maps of O(n), SO(n), Sp(n)", "maps", True),
    System(34, "neural Fourier transform", "learning a latent linear group action", "discover", True),
)
