"""`FAGNN`: a plain graph network whose every layer is averaged over a frame."""

from __future__ import annotations

from collections.abc import Callable

from jaxtyping import Float
from torch import Tensor, nn

from erlangen.actions.ragged import PerDatum
from erlangen.errors import ArgumentError
from erlangen.groups.orthogonal import O
from erlangen.symmetrize.choose import symmetrize
from erlangen.symmetrize.frames import Frame
from erlangen.symmetrize.principal import Principal


class FAGNN(nn.Module):
    """FA-GNN: hidden features are vectors, and each layer sees them in the principal axes of all of them.

    The ``width`` numbers of a node are read as ``width / dim`` vectors. A layer of :class:`erlangen.nn.PairGNN` is averaged over the
    frame of the layer's own input; so are the embedding and the last map. Each is an ordinary module made by :func:`erlangen.symmetrize`,
    which is how one uses frames inside a model of one's own.

    Args:
        vectors, pairs, dim, width, layers: as for :class:`erlangen.nn.PairGNN`; ``dim`` divides ``width``.
        frame: makes the frame of each layer; by default all signs of the principal axes.

    Source: Puny et al., ICLR 2022, arXiv:2110.03336 (width 60, 4 layers); unlike its code, the number of nodes is free and every layer
    may have any frame.

    >>> import torch
    >>> net = FAGNN(vectors=2, pairs=1, width=12, layers=2)
    >>> net(torch.randn(4, 5, 2, 3), torch.ones(4, 5, 5, 1)).shape
    torch.Size([4, 5, 3])
    """

    def __init__(
        self,
        vectors: int = 2,
        pairs: int = 1,
        dim: int = 3,
        width: int = 60,
        layers: int = 4,
        frame: Callable[[], Frame] = Principal,
    ) -> None:
        from erlangen.nn.pair_gnn import PairLayer

        super().__init__()
        if width % dim:
            raise ArgumentError("width", f"a multiple of the dimension {dim}", repr(width))
        G = O(dim)

        def averaged(layer: nn.Module, *, sees_pairs: bool) -> nn.Module:
            inp = (G.vector, PerDatum(G)) if sees_pairs else G.vector
            return symmetrize(layer, inp, G.vector, frame=frame())

        hidden = width // dim
        self.embed = averaged(_OnVectors(nn.Linear(vectors * dim, width), dim), sees_pairs=False)
        self.layers = nn.ModuleList(averaged(_OnVectors(PairLayer(width, pairs), dim), sees_pairs=True) for _ in range(layers))
        last = nn.Sequential(nn.Linear(hidden * dim, width), nn.SiLU(), nn.Linear(width, dim))
        self.last = averaged(_OnVectors(last, dim), sees_pairs=False)

    def forward(self, vectors: Float[Tensor, "B n v d"], pairs: Float[Tensor, "B n n p"]) -> Float[Tensor, "B n d"]:
        """One vector for each node, turning with those that come in; positions must be centred."""
        h = self.embed(vectors)
        for layer in self.layers:
            h = layer(h, pairs)
        return self.last(h).squeeze(2)


class _OnVectors(nn.Module):
    """A layer on ``[B, n, c]`` as one on ``[B, n, c / d, d]``."""

    def __init__(self, layer: nn.Module, dim: int) -> None:
        super().__init__()
        self.layer, self.dim = layer, dim

    def forward(self, vectors: Tensor, *pairs: Tensor) -> Tensor:
        return self.layer(vectors.flatten(2), *pairs).unflatten(-1, (-1, self.dim))
