"""`EGNNEnergyModel`: EGNN as the network of an interatomic potential."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from erlangen.actions.ragged import to_dense
from erlangen.errors import ArgumentError
from erlangen.nn.egnn import EGNN
from erlangen.nn.perceptron import perceptron


class EGNNEnergyModel(nn.Module):
    """A number for each atom from EGNN's scalars: the network of a :class:`~erlangen.nn.Potential` without a cutoff.

    All atoms of a structure see each other, and all structures of a batch have as many atoms.

    Args:
        features: numbers of each atom: of one-hot elements, how many there are.
        width, layers: of :class:`~erlangen.nn.EGNN`.

    Source: Satorras, Hoogeboom & Welling, ICML 2021, arXiv:2102.09844.

    >>> from erlangen.actions import AtomBatch
    >>> from erlangen.nn import Potential
    >>> model = Potential(EGNNEnergyModel(2, width=16, layers=2), [1, 8]).eval()
    >>> water = AtomBatch.of(torch.tensor([[0.0, 0, 0.12], [0, 0.76, -0.48], [0, -0.76, -0.48]]), [8, 1, 1])
    >>> y = model(water)
    >>> y["energy"].shape, y["forces"].shape
    (torch.Size([1, 1]), torch.Size([3, 3]))
    """

    def __init__(self, features: int, width: int = 64, layers: int = 4) -> None:
        super().__init__()
        self.net = EGNN(scalars=features, width=width, layers=layers, moving=False)
        self.last = perceptron(width, width, 1, activation=nn.SiLU)

    def forward(
        self,
        pos: Float[Tensor, "N 3"],
        x: Float[Tensor, "N f"],
        edge_index: Int[Tensor, "2 E"] | None = None,
        batch: Int[Tensor, " N"] | None = None,
        edge_shift: Float[Tensor, "E 3"] | None = None,
    ) -> Float[Tensor, "N 1"]:
        """One number for each atom.

        Args:
            pos, x: positions and features.
            batch: the structure of each atom; by default all are one.
            edge_index, edge_shift: ``None``: all pairs belong together.

        Raises:
            ArgumentError: edges; structures of different sizes.
        """
        if edge_index is not None or edge_shift is not None:
            raise ArgumentError(
                "edge_index", "none, for all pairs of atoms belong together", "edges", "Potential(..., cutoff=None)"
            )
        batch = torch.zeros(len(pos), dtype=torch.int64, device=pos.device) if batch is None else batch
        dense, there = to_dense(pos, batch)
        if not bool(there.all()):
            raise ArgumentError("batch", "structures of one size", there.sum(1).tolist())
        scalars, _ = to_dense(x, batch)
        return self.last(self.net(dense, scalars=scalars)[1]).flatten(0, 1)
