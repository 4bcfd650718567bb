"""`Potential`: an interatomic potential, energies and conservative forces, from any network of points."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from erlangen.actions.clouds import AtomBatch
from erlangen.errors import ArgumentError
from erlangen.nn.gradient_forces import with_forces


class Potential(nn.Module):
    """Energies of structures as sums over atoms, and forces as their gradient.

    The network is called ``network(pos, x, edge_index=, batch=, edge_shift=)`` with positions ``[N, 3]``, one-hot elements
    ``[N, len(elements)]``, directed edges from ``j`` (first row) to ``i`` and the lattice translation ``[E, 3]`` by which ``j`` is seen,
    and returns a number for each atom, ``[N, 1]``, or a tuple that begins with it. With ``cutoff=None`` it gets no edges: all pairs of
    atoms of one structure belong together. Where the network is invariant under motions of space, energies are, and forces turn along;
    their sum over a structure is zero.

    Args:
        network: as above; symmetric by itself.
        elements: the atomic numbers that occur.
        cutoff: length of the longest edge, angstrom, where structures come without edges; ``None``: all pairs. Energies are continuous
            there only if the network lets its messages fade by itself: ``PONITA(radius=)``, ``GAAEnergyModel(cutoff=)``, as long.

    Warns:
        UserWarning: the network says by an attribute ``radius`` or ``cutoff`` that its messages have not faded where edges end, so that
            energies jump there.

    Attributes:
        scale, per_element: the energy is ``scale`` times the network's sum, plus ``per_element`` of each atom: see :meth:`fit_units`.

    Raises:
        ArgumentError: elements that are none, or repeated; structures with other elements, or periodic ones without a cutoff.

    >>> import erlangen as er
    >>> class Springs(nn.Module):
    ...     def forward(self, pos, x, edge_index, batch, edge_shift):
    ...         j, i = edge_index
    ...         return torch.zeros_like(pos[:, :1]).index_add(0, i, (pos[j] + edge_shift - pos[i]).square().sum(-1, keepdim=True))
    >>> model = Potential(Springs(), [1, 8], cutoff=3.0).eval()
    >>> with torch.no_grad():
    ...     y = model(AtomBatch.of(torch.tensor([[0.0, 0, 0], [0, 0, 1]]), [1, 8]))
    >>> y["energy"].item(), y["forces"][:, 2].tolist()
    (2.0, [4.0, -4.0])
    """

    scale: Tensor
    per_element: Tensor
    _row: Tensor

    def __init__(self, network: nn.Module, elements: Sequence[int], cutoff: float | None = None) -> None:
        super().__init__()
        if not elements or len(set(elements)) < len(elements) or min(elements) < 1:
            raise ArgumentError("elements", "different atomic numbers, from 1 up", list(elements))
        if cutoff is not None and (isinstance(cutoff, bool) or not isinstance(cutoff, (int, float)) or not cutoff > 0):
            raise ArgumentError("cutoff", "a positive length, or None for all pairs", repr(cutoff))
        if cutoff is not None:
            _warn_of_jumps(network, cutoff)
        self.network, self.elements, self.cutoff = network, tuple(int(z) for z in elements), cutoff
        row = torch.full((max(self.elements) + 1,), -1)
        row[list(self.elements)] = torch.arange(len(self.elements))
        self.register_buffer("_row", row, persistent=False)
        self.register_buffer("scale", torch.ones(()))
        self.register_buffer("per_element", torch.zeros(len(self.elements)))

    def forward(self, batch: AtomBatch | Mapping[str, Tensor] | Any) -> dict[str, Tensor]:
        """``energy [B, 1]`` and ``forces [N, 3]``, differentiable in training mode.

        Args:
            batch: an :class:`AtomBatch`, its record, or a PyG batch; edges are made where it has none.
        """
        data = batch if isinstance(batch, AtomBatch) else AtomBatch.from_pyg(batch)
        if self.cutoff is None:
            if bool(data.pbc.any()):
                raise ArgumentError("cutoff", "a length, for structures that repeat", None)
        elif data.edge_index is None:
            data = data.with_edges(self.cutoff)
        kinds = self._kinds(data)
        return with_forces(lambda pos: {"energy": self._energies(data.replace(pos=pos), kinds)}, data.pos, self.training)

    def fit_units(self, batch: AtomBatch, energies: Float[Tensor, " B"], forces: Float[Tensor, "N 3"]) -> Potential:
        """Set ``per_element`` by least squares to the energies, and ``scale`` to the forces' root mean square; of training data.

        The network then learns numbers of order one. Where several choices fit alike (one molecule), it is the smallest.
        """
        counts = self._counts(batch, self._kinds(batch))
        fitted = torch.linalg.lstsq(counts, energies.double().cpu().unsqueeze(1), driver="gelsd").solution.squeeze(1)
        rms = forces.double().square().mean().sqrt()
        if not float(rms) > 0:
            raise ArgumentError("forces", "forces that are not all zero", "zeros")
        with torch.no_grad():
            self.per_element.copy_(fitted)
            self.scale.copy_(rms)
        return self

    def _energies(self, data: AtomBatch, kinds: Tensor) -> Tensor:
        x = F.one_hot(kinds, len(self.elements)).to(data.pos)
        shift = None if self.cutoff is None else data.shifts()
        y = self.network(
            data.pos, x, edge_index=data.edge_index if self.cutoff is not None else None, batch=data.batch, edge_shift=shift
        )
        y = y[0] if isinstance(y, tuple) else y
        if y.shape != (len(data.pos), 1):
            raise ArgumentError("network", f"a number for each atom, [{len(data.pos)}, 1]", f"shape {tuple(y.shape)}")
        # Large constants are added last, and in the offsets' own precision.
        learned = y.new_zeros(len(data), 1).index_add(0, data.batch, y) * self.scale.to(y)
        offsets = self.per_element[kinds].unsqueeze(1)
        return learned + offsets.new_zeros(len(data), 1).index_add(0, data.batch, offsets).to(y)

    def _counts(self, data: AtomBatch, kinds: Tensor) -> Tensor:
        ones = torch.ones(len(kinds), dtype=torch.float64)
        counts = torch.zeros(len(data), len(self.elements), dtype=torch.float64)
        return counts.index_put((data.batch.cpu(), kinds.cpu()), ones, accumulate=True)

    def _kinds(self, data: AtomBatch) -> Tensor:
        inside = data.numbers < len(self._row)
        kinds = torch.where(inside, self._row[torch.where(inside, data.numbers, 0)], -1)
        if not torch.compiler.is_compiling() and bool((kinds < 0).any()):
            raise ArgumentError("numbers", f"elements {list(self.elements)}", sorted(set(data.numbers[kinds < 0].tolist())))
        return kinds


def _warn_of_jumps(network: nn.Module, cutoff: float) -> None:
    for name in ("radius", "cutoff"):
        reach = getattr(network, name, cutoff)
        if reach is None or reach > cutoff:
            warnings.warn(
                f"energies jump where atoms come within {cutoff:g} of each other: {type(network).__name__} has {name}={reach}; with "
                f"{name}={cutoff:g} its messages fade out until there",
                UserWarning,
                stacklevel=3,
            )
