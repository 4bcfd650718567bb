"""The symmetries that every ReLU network has: permutations of the hidden neurons of a layer, and positive scalings of each neuron.

Layer ``l`` is moved by a positive monomial matrix ``M_l`` (a permutation times a positive diagonal): ``W_l -> M_l W_l M_{l-1}^{-1}``,
``b_l -> M_l b_l``. The derivative along the scaling of one neuron is its generator; the rank of all of them is the dimension of the orbit.
"""

from __future__ import annotations

from collections.abc import Hashable
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from torch import Tensor

from erlangen.actions.base import Action
from erlangen.errors import ArgumentError
from erlangen.groups import DirectProduct, LieAlgebra, MatrixGroup, Symmetric
from erlangen.groups.base import Element, Group
from erlangen.parameters.hidden.network import ReluNetwork
from erlangen.parameters.hidden.reading import relu_network
from erlangen.verdict import Verdict


class PositiveMonomial(MatrixGroup):
    """Permutation matrices times positive diagonal ones. Sampling: a uniform permutation, ``e^s`` with ``s ~ N(0, scale^2)``.

    >>> PositiveMonomial(3).dim
    3
    """

    def __init__(self, n: int) -> None:
        if n < 1:
            raise ArgumentError("n", "a positive number of neurons", repr(n))
        basis = torch.diag_embed(torch.eye(n, dtype=torch.float64))
        turns = [torch.eye(n, dtype=torch.float64).roll(1, 0), _swap(n)] if n > 1 else []
        generators = torch.stack(turns) if turns else None
        super().__init__(
            generators=generators, algebra=LieAlgebra(basis, name=f"diagonal matrices of R^{n}"), name=f"PositiveMonomial({n})"
        )
        self.measure = "uniform permutations times e^s with s ~ N(0, scale^2)"

    def equality_key(self) -> Hashable:
        return self.n

    def inverse(self, g: Tensor) -> Tensor:
        return _inverse(g)

    def exp(self, a: Tensor) -> Tensor:
        return torch.diag_embed(torch.exp(a.diagonal(dim1=-2, dim2=-1)))

    def contains(self, g: Tensor, atol: float | None = None) -> Tensor:
        """Whether each row and column has one entry above ``atol`` (1e-9), and none is below minus that."""
        self.batch_shape(g)
        small = 1e-9 if atol is None else atol
        some = g > small
        return (some.sum(-1) == 1).all(-1) & (some.sum(-2) == 1).all(-1) & (g >= -small).flatten(-2).all(-1)

    def sample(
        self,
        *batch: int,
        generator: torch.Generator | None = None,
        dtype: torch.dtype | None = None,
        device: torch.device | None = None,
        scale: float = 1.0,
    ) -> Tensor:
        dtype = dtype or torch.get_default_dtype()
        sigma = Symmetric(self.n).sample(*batch, generator=generator, device=device)
        size = torch.exp(scale * torch.randn(*batch, self.n, generator=generator, dtype=dtype, device=device))
        moved = torch.zeros(*batch, self.n, self.n, dtype=dtype, device=device)
        return moved.scatter(-2, sigma.unsqueeze(-2), size.unsqueeze(-2))  # column i has its entry in row sigma(i)


class KnownSymmetries(Action):
    """The known group of a network on its parameters by name (:attr:`ReluNetwork.params`), axis by axis as its ``WeightSpec`` says.

    >>> net = ReluNetwork((torch.eye(2), torch.ones(1, 2)), (torch.zeros(2), torch.zeros(1)))
    >>> act = KnownSymmetries(net)
    >>> act.group
    PositiveMonomial(2)
    >>> g = act.group.sample(generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    >>> moved = ReluNetwork.from_params(act.act(g, net.params))
    >>> x = torch.randn(5, 2, dtype=torch.float64)
    >>> bool(torch.allclose(moved(x), net(x)))
    True
    """

    def __init__(self, network: ReluNetwork) -> None:
        self.spec = network.spec
        factors: list[Group] = [PositiveMonomial(n) for n in self.spec.labels.values()]
        if not factors:
            raise ArgumentError("network", "a network with a hidden layer", repr(network))
        super().__init__(DirectProduct(*factors) if len(factors) > 1 else factors[0])

    def act(self, g: Element, x: Any) -> dict[str, Tensor]:
        """Parameters moved by an element (a matrix for each hidden layer; the matrix itself where there is one layer)."""
        matrices = dict(zip(self.spec.labels, g if isinstance(g, tuple) else (g,)))
        moved = {}
        for name, kinds in self.spec.axes.items():
            tensor = x[name]
            out = matrices.get(kinds[0])  # type: ignore[arg-type]
            if out is not None:
                tensor = (out @ tensor.unsqueeze(-1)).squeeze(-1) if len(kinds) == 1 else out @ tensor
            if len(kinds) == 2 and kinds[1] in matrices:
                tensor = tensor @ _inverse(matrices[kinds[1]])  # type: ignore[index]
            moved[name] = tensor
        return moved


def _inverse(g: Tensor) -> Tensor:
    """Of a positive monomial matrix: the transpose with entries inverted, so that nothing is solved and zeros stay zeros."""
    return torch.where(g > 0, 1 / torch.where(g > 0, g, 1.0), 0.0).mT


def _swap(n: int) -> Tensor:
    swap = torch.eye(n, dtype=torch.float64)
    swap[[0, 1]] = swap[[1, 0]]
    return swap


def generators(network: ReluNetwork) -> Tensor:
    """Derivatives of the parameters along the scaling of each hidden neuron: ``[*batch, H, D]``.

    The row of a neuron holds its incoming weights and bias, and its outgoing weights with the opposite sign.
    """
    vector = network.vector
    found = vector.new_zeros(*network.batch, network.num_hidden, network.num_params)
    neuron = start = 0
    for layer in range(len(network.weights) - 1):
        n, m = network.weights[layer].shape[-2:]
        after = network.weights[layer + 1].shape[-2]
        index = torch.arange(n)
        own = found[..., neuron : neuron + n, start : start + n * m].unflatten(-1, (n, m))
        own[..., index, index, :] = network.weights[layer]
        bias = found[..., neuron : neuron + n, start + n * m : start + n * (m + 1)]
        bias[..., index, index] = network.biases[layer]
        start += n * (m + 1)
        onward = found[..., neuron : neuron + n, start : start + after * n].unflatten(-1, (after, n))
        onward[..., index, :, index] = -network.weights[layer + 1].mT.movedim(-2, 0)
        neuron += n
    return found


def orbit_dimension(model: Any) -> int:
    """The dimension of the orbit of the parameters under permutations and scalings: the rank of :func:`generators`.

    It is the number H of hidden neurons, less one for each set of neurons that scale together and move nothing: neurons joined by weights
    that are not zero, none of which has a bias, a weight from an input or one to an output. Most often that is a neuron whose parameters
    are all zero. Scales do not matter: only which parameters are zero.

    >>> from torch import nn
    >>> orbit_dimension(nn.Sequential(nn.Linear(2, 5), nn.ReLU(), nn.Linear(5, 1)))
    5
    """
    network = relu_network(model).one()
    # A weight between two neurons moves unless both scale alike; a bias, a first and a last weight unless its neuron does not scale. So
    # the scalings that move nothing are one for each component that is not joined to node 0, which does not scale.
    starts = np.cumsum([1, *network.widths[1:-1]])
    joined = [np.zeros((0, 2), dtype=np.int64)]
    for layer, w in enumerate(network.weights):
        to, off = np.nonzero(w.numpy())
        joined.append(
            np.stack(
                [to + starts[layer] if layer + 1 < len(network.weights) else 0 * to, off + starts[layer - 1] if layer else 0 * off],
                1,
            )
        )
    for start, b in zip(starts, network.biases[:-1]):
        own = np.nonzero(b.numpy())[0] + start
        joined.append(np.stack([own, 0 * own], 1))
    edges, count = np.concatenate(joined), network.num_hidden + 1
    graph = coo_array((np.ones(len(edges)), (edges[:, 0], edges[:, 1])), shape=(count, count))
    return count - int(connected_components(graph, directed=False, return_labels=False))


def balanced(network: ReluNetwork) -> tuple[ReluNetwork, Tensor]:
    """A network in the same orbit whose incoming and outgoing weights are of one size, and what each parameter was multiplied by ``[D]``.

    Factors are powers of two, so that nothing is rounded. Ranks do not depend on the member of the orbit, but their conditioning does.
    """
    sizes = [torch.ones(network.widths[0], dtype=torch.float64)]
    for layer in range(len(network.weights) - 1):
        w, b, onward = network.weights[layer] / sizes[-1], network.biases[layer], network.weights[layer + 1]
        inward = torch.cat([w, b.unsqueeze(-1)], -1).norm(dim=-1)
        outward = onward.norm(dim=-2)
        both = (inward > 0) & (outward > 0)
        exponent = torch.where(both, 0.5 * torch.log2(outward.clamp_min(1e-300) / inward.clamp_min(1e-300)), 0.0)
        sizes.append(torch.exp2(exponent.round()))
    sizes.append(torch.ones(network.widths[-1], dtype=torch.float64))
    factors = [(out.unsqueeze(-1) / into, out) for into, out in pairwise(sizes)]
    moved = ReluNetwork(
        tuple(w * f for w, (f, _) in zip(network.weights, factors)), tuple(b * f for b, (_, f) in zip(network.biases, factors))
    )
    return moved, torch.cat([t.flatten() for pair in factors for t in pair])


def canonical_form(model: Any) -> ReluNetwork:
    """The member of the orbit whose hidden neurons have incoming rows ``[w, b]`` of length one, sorted by their entries.

    Two networks whose neurons have distinct incoming rows are in one orbit exactly when their canonical forms agree.
    """
    network = relu_network(model).one()
    weights, biases = list(network.weights), list(network.biases)
    for layer in range(len(weights) - 1):
        rows = torch.cat([weights[layer], biases[layer].unsqueeze(-1)], -1)
        size = rows.norm(dim=-1)
        size = torch.where(size > 0, size, 1.0)
        rows = rows / size.unsqueeze(-1)
        onward = weights[layer + 1] * size
        # Sorted by rounded entries, each on the scale of its column: the last digits may differ between members of one orbit.
        level = torch.cat([rows, onward.mT], -1)
        keys = (1e6 * level / level.abs().amax(0).clamp_min(1e-300)).round().tolist()
        order = torch.tensor(sorted(range(len(keys)), key=keys.__getitem__))
        weights[layer], biases[layer] = rows[order, :-1], rows[order, -1]
        weights[layer + 1] = onward[:, order]
    return ReluNetwork(tuple(weights), tuple(biases))


def same_orbit(first: Any, second: Any, tolerance: float = 1e-8) -> Verdict:
    """Whether two networks differ by permutations and positive scalings alone: their canonical forms are compared.

    The weights that read one input or neuron, and the biases of a layer, are compared on their own scale.

    >>> net = ReluNetwork((torch.eye(2), torch.ones(1, 2)), (torch.zeros(2), torch.zeros(1)))
    >>> twice = ReluNetwork((2 * torch.eye(2), torch.ones(1, 2) / 2), (torch.zeros(2), torch.zeros(1)))
    >>> bool(same_orbit(net, twice))
    True
    """
    a, b = canonical_form(first), canonical_form(second)
    if a.widths != b.widths:
        return Verdict(False, "one orbit", how="exact", reason=f"widths {a.widths} and {b.widths}")
    far = max(
        _far(p, q) for p, q in zip((*a.weights, *(v[:, None] for v in a.biases)), (*b.weights, *(v[:, None] for v in b.biases)))
    )
    return Verdict(far <= tolerance, "one orbit of permutations and scalings", how="exact", numbers={"distance": far})


def _far(a: Tensor, b: Tensor) -> float:
    """The largest difference ``[n, m]`` relative to the largest entry of its column."""
    size = torch.maximum(a.abs(), b.abs()).amax(0)
    return float(((a - b).abs() / torch.where(size > 0, size, 1.0)).max())
