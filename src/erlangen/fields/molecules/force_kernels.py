"""A kernel model of one molecule's forces: one linear solve, and the strongest thing there is for a few hundred frames."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import islice

import torch
from jaxtyping import Float, Int
from torch import Tensor

from erlangen.errors import ArgumentError
from erlangen.extras import engine
from erlangen.fields.molecules.qm9 import Molecule
from erlangen.fields.molecules.trajectories import Trajectory
from erlangen.groups.membership import may_look

#: Permutations of a molecule that are summed over, at most: methyl groups have six each.
MOST = 200
#: Frames whose blocks are made at once.
CHUNK = 8


def fit_force_kernel(
    learn: Trajectory, length: float = 4.0, noise: float = 1e-6, permutations: Int[Tensor, "k n"] | None = None
) -> Callable[[Trajectory], Float[Tensor, "F n 3"]]:
    """Forces as the gradient of an energy that is a Gaussian process over inverse distances, conditioned on forces alone.

    The covariance of two energies is a Matern function (``nu = 5/2``) of the distance between their lists of ``1 / r`` of all pairs of
    atoms, summed over ``permutations`` of the second; that of two forces is its second derivative. Energies are invariant under
    motions of space and, to rounding, under these permutations. Weights are the solution of ``frames (3 n - 6)`` linear equations (of
    ``3 n`` components of forces six say nothing, for energies do not see motions): 8 seconds for 300 frames of nine atoms, 0.3 GB.

    Args:
        learn: frames, at least one.
        length: over which energies vary, in units of ``1 / r`` (1 / angstrom).
        noise: variance of the forces' errors, relative to their variance.
        permutations: of atoms; by default all that keep elements and bonds, the identity among them (:func:`bond_permutations`).

    Returns:
        A function of frames of the same molecule: forces ``[F, n, 3]``, eV per angstrom; differentiable in their positions.

    Raises:
        ArgumentError: a length or a noise that is not positive, or too little noise to solve the equations; permutations that are none,
            that do not keep elements or are no group; frames that are not finite, or where two atoms coincide; when it is called,
            frames of another molecule.
        MissingExtra: networkx, which finds the permutations, is not installed (extra ``graphs``).

    Source: Chmiela, Sauceda, Mueller & Tkatchenko, "Towards exact molecular dynamics simulations with machine-learned force fields",
    Nature Communications 2018, arXiv:1802.09238.

    >>> from erlangen.fields.molecules import trajectory
    >>> ethanol = trajectory("ethanol")
    >>> fitted = fit_force_kernel(ethanol[:1000:20])
    >>> off = (fitted(ethanol[1000:1200]) - ethanol[1000:1200].forces).abs().mean()
    >>> bool(off < 0.12 * ethanol.forces.abs().mean())
    True
    """
    for name, value in (("length", length), ("noise", noise)):
        if not 0 < value < math.inf:
            raise ArgumentError(name, "a positive number", repr(value))
    if not len(learn) or len(learn.numbers) < 3:
        raise ArgumentError("learn", "at least one frame of three atoms or more", f"{len(learn)} of {len(learn.numbers)}")
    found = bond_permutations(learn) if permutations is None else permutations
    of_pairs = _of_pairs(found, learn.numbers)
    if not (learn.positions.isfinite().all() and learn.forces.isfinite().all()):
        raise ArgumentError("learn", "finite positions and forces", "others")
    x, slopes = _inverse_distances(learn.positions.detach(), "learn")
    # The directions in which a frame's distances change: all others have no forces.
    inner = torch.linalg.svd(slopes, full_matrices=False).Vh[:, : 3 * len(learn.numbers) - 6].mT
    along = slopes @ inner
    wanted = (inner.mT @ learn.forces.detach().to(x).flatten(1).unsqueeze(-1)).flatten()
    gram = _gram(x, along, of_pairs, length)
    gram.diagonal().add_(noise * gram.diagonal().mean())
    root, failed = torch.linalg.cholesky_ex(gram)
    if failed:
        raise ArgumentError("noise", "more, for equations that can be solved to rounding", repr(noise))
    solved = torch.cholesky_solve(wanted.unsqueeze(1), root).view(len(x), -1, 1)
    weights = (along @ solved).squeeze(-1)

    def forces(frames: Trajectory) -> Float[Tensor, "F n 3"]:
        if not torch.equal(frames.numbers, learn.numbers):
            raise ArgumentError("frames", f"atoms {learn.numbers.tolist()}", frames.numbers.tolist())
        there, moved = _inverse_distances(frames.positions.to(x), "frames")
        total = torch.zeros_like(there)
        for pairs in of_pairs:
            a, w = x[:, pairs], weights[:, pairs]
            flat, bent = _matern(torch.cdist(there, a), length)
            bent = bent * (there @ w.T - (a * w).sum(1))
            total = total + flat @ w - bent.sum(1, keepdim=True) * there + bent @ a
        return (moved.mT @ total.unsqueeze(-1)).view(frames.positions.shape).to(frames.positions)

    return forces


def bond_permutations(frames: Trajectory) -> Int[Tensor, "k n"]:
    """All permutations of the atoms that keep elements and bonds; bonds are told by median distances, as those of QM9.

    Raises:
        ArgumentError: there are more than 200.
        MissingExtra: networkx is not installed (extra ``graphs``).

    >>> from erlangen.fields.molecules import trajectory
    >>> len(bond_permutations(trajectory("ethanol")))            # of three hydrogens and of two
    12
    """
    nx = engine("graphs", "networkx")
    median = (frames.positions.unsqueeze(1) - frames.positions.unsqueeze(2)).norm(dim=-1).median(0).values
    graph = nx.Graph()
    graph.add_nodes_from((k, {"element": z}) for k, z in enumerate(frames.numbers.tolist()))
    graph.add_edges_from(Molecule.bonded(frames.numbers.tolist(), median).T.tolist())
    matcher = nx.isomorphism.GraphMatcher(graph, graph, node_match=nx.isomorphism.categorical_node_match("element", 0))
    found = [[image[k] for k in range(len(frames.numbers))] for image in islice(matcher.isomorphisms_iter(), MOST + 1)]
    if len(found) > MOST:
        raise ArgumentError("permutations", f"at most {MOST}", "more", "Give those that occur, e.g. the identity alone")
    return torch.tensor(found)


def _of_pairs(permutations: Int[Tensor, "k n"], numbers: Int[Tensor, " n"]) -> Int[Tensor, "k p"]:
    """What permutations of atoms do to their pairs."""
    atoms = len(numbers)
    shaped = permutations.ndim == 2 and len(permutations) and permutations.dtype == torch.int64
    if not shaped or not torch.equal(permutations.sort(1).values, torch.arange(atoms).expand(len(permutations), -1)):
        raise ArgumentError("permutations", f"orders of {atoms} atoms, [k, {atoms}]", repr(permutations))
    if not torch.equal(numbers[permutations], numbers.expand(len(permutations), -1)):
        raise ArgumentError("permutations", f"such as keep the elements {numbers.tolist()}", repr(permutations))
    # Sums over others are not symmetric in the two frames: no covariance, and no energy that they leave alone.
    have = set(map(tuple, permutations.tolist()))
    if len(have) < len(permutations) or any(tuple(p[k] for k in q) not in have for p in have for q in have):
        raise ArgumentError("permutations", "a group: each once, and with two their product", repr(permutations))
    i, j = torch.triu_indices(atoms, atoms, 1)
    number = torch.zeros(atoms, atoms, dtype=torch.int64)
    number[i, j] = number[j, i] = torch.arange(len(i))
    return number[permutations[:, i], permutations[:, j]]


def _inverse_distances(pos: Float[Tensor, "F n 3"], name: str) -> tuple[Float[Tensor, "F p"], Float[Tensor, "F p n3"]]:
    """``1 / r`` of all pairs, and their derivatives by the positions."""
    atoms = pos.shape[1]
    i, j = torch.triu_indices(atoms, atoms, 1)
    d = pos[:, j] - pos[:, i]
    r = d.norm(dim=-1)
    if may_look(r) and not bool((r > 0).all()):
        raise ArgumentError(name, "atoms in different places", f"atoms at a distance of {float(r.min()):g}")
    x = 1 / r
    slope = d * x.unsqueeze(-1) ** 3
    signs = torch.zeros(len(i), atoms, dtype=pos.dtype, device=pos.device)
    signs[torch.arange(len(i)), i], signs[torch.arange(len(i)), j] = 1.0, -1.0
    return x, (slope.unsqueeze(2) * signs.unsqueeze(-1)).flatten(2)


def _matern(distance: Tensor, length: float) -> tuple[Tensor, Tensor]:
    """Second derivatives of the covariance, but for a constant: ``flat`` times the identity less ``bent`` times ``d d^T``."""
    s = math.sqrt(5) / length * distance
    e = (-s).exp()
    return (1 + s) * e, 5 / length**2 * e


def _gram(x: Tensor, along: Float[Tensor, "F p m"], of_pairs: Int[Tensor, "k p"], length: float) -> Tensor:
    """Covariances of forces, ``[F m, F m]``; of the blocks of two frames those above the diagonal are left as zeros."""
    frames, pairs, free = along.shape
    back = of_pairs.argsort(1)
    out = x.new_zeros(frames, free, frames, free)
    own = torch.arange(pairs)
    for first in range(0, frames, CHUNK):
        last = min(first + CHUNK, frames)
        d = x[first:last, None, None] - x[:last, of_pairs]  # [a, b, k, p]
        flat, bent = _matern(d.norm(dim=-1), length)
        turned = d.gather(-1, back.expand(d.shape))
        middle = -(d * bent.unsqueeze(-1)).mT @ turned
        for k, where in enumerate(of_pairs):
            middle[:, :, own, where] += flat[:, :, k, None]
        right = middle @ along[:last]
        out[first:last, :, :last] = (along[first:last, None].mT @ right).transpose(1, 2)
    return out.view(frames * free, -1)
