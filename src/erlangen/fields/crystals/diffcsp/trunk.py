"""`Trunk`: messages between all atoms of a cell, through the waves of their differences modulo 1."""

from __future__ import annotations

import math

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from erlangen.errors import ArgumentError

#: Points of a table for each wave of the highest frequency.
POINTS = 64


class Trunk(nn.Module):
    """Features of atoms, of the cell and the differences of fractional coordinates to features of atoms.

    For each layer, on all pairs of atoms, ``i = j`` included, with ``h`` normed first::

        m_ij = phi_m(h_i, h_j, g, psi(f_j - f_i)),     h_i <- h_i + phi_h(h_i, mean_j m_ij)

    where ``psi`` has sines and cosines of ``2 pi k`` times each coordinate's difference, ``k = 1 ... K - 1`` (the constant ``k = 0`` is in
    the bias). So shifts of all atoms, and of each by whole cells, change nothing, and atoms may come in any order.

    The first linear map of ``phi_m`` is never applied to a pair's long vector: what belongs to one atom is computed once for each atom,
    and of ``psi`` half of the pairs is enough, for sines are odd and cosines even. Waves are computed once for all layers.

    Args:
        width: ``H``, features of an atom.
        layers: how many.
        frequencies: ``K``.
        invariants: numbers that describe the cell.
        fourier: ``False`` takes the differences themselves, not modulo 1, instead of waves: an ablation, which does not know that 0 is 1.

    Raises:
        ArgumentError: a size that is not positive, or fewer than 2 frequencies.

    Source: Jiao et al., "Crystal structure prediction by joint equivariant diffusion", NeurIPS 2023, arXiv:2309.04475.

    >>> trunk = Trunk(16, 2, 4, invariants=6)
    >>> trunk(torch.randn(5, 3, 16), torch.randn(5, 6), torch.rand(5, 3, 3)).shape
    torch.Size([5, 3, 16])
    """

    def __init__(self, width: int, layers: int, frequencies: int, invariants: int, fourier: bool = True) -> None:
        super().__init__()
        for name, size, least in (("width", width, 1), ("layers", layers, 1), ("frequencies", frequencies, 2)):
            if not isinstance(size, int) or isinstance(size, bool) or size < least:
                raise ArgumentError(name, f"a whole number of at least {least}", repr(size))
        self.width, self.frequencies, self.fourier = width, frequencies, fourier
        waves = 3 * (frequencies - 1)
        self.layers = nn.ModuleList(Layer(width, invariants, waves if fourier else 3, fourier) for _ in range(layers))
        self.norm = nn.LayerNorm(width)

    def forward(
        self,
        h: Float[Tensor, "B n H"],
        cell: Float[Tensor, "B c"],
        frac: Float[Tensor, "B n 3"],
        mask: Bool[Tensor, "B n"] | None = None,
    ) -> Float[Tensor, "B n H"]:
        """Features after all layers, normed; those of atoms outside of the ``mask`` mean nothing and reach no other."""
        if not frac.shape[1]:
            raise ArgumentError("frac", "at least one atom", f"shape {tuple(frac.shape)}")
        if mask is not None:  # whatever stands where there is no atom
            frac = frac.masked_fill(~mask.unsqueeze(-1), 0.0)
        bases = self.bases(frac)
        share = h.new_full((1, 1, h.shape[1]), 1 / h.shape[1]) if mask is None else _shares(mask, h)
        for index, layer in enumerate(self.layers):
            h = layer(h, cell, self.between(bases, index), share)  # type: ignore[operator]
        return self.norm(h)  # type: ignore[no-any-return]

    def bases(self, frac: Float[Tensor, "B n 3"]) -> tuple[Tensor, ...]:
        """What all layers need to know of the differences of coordinates."""
        count = frac.shape[1]
        if not self.fourier:
            return (frac.unsqueeze(1) - frac.unsqueeze(2),)
        i, j = torch.triu_indices(count, count, 1, device=frac.device)
        d = frac[:, j] - frac[:, i]
        k = torch.arange(1, self.frequencies, device=frac.device)
        angle = ((d - d.round()).unsqueeze(-1) * (2 * math.pi * k.to(d.dtype))).flatten(-2)
        return angle.sin(), angle.cos(), _places(i, j, count)

    def between(self, bases: tuple[Tensor, ...], index: int) -> Float[Tensor, "B n n H"]:
        """What one layer's first map makes of the differences, at ``[i, j]`` for ``f_j - f_i``."""
        layer: Layer = self.layers[index]  # type: ignore[assignment]
        if not self.fourier:
            return layer.odd(bases[0])  # type: ignore[no-any-return]
        sine, cosine, places = bases
        odd, even = layer.odd(sine), layer.even(cosine)  # type: ignore[misc]
        same = layer.even.weight.sum(1).expand(len(odd), 1, -1)  # type: ignore[union-attr, operator]
        count = math.isqrt(len(places))
        return torch.cat([even + odd, even - odd, same], 1).index_select(1, places).unflatten(1, (count, count))


class Layer(nn.Module):
    """One round of messages."""

    def __init__(self, width: int, invariants: int, waves: int, fourier: bool) -> None:
        super().__init__()
        fan = 2 * width + invariants + (2 if fourier else 1) * waves
        self.norm = nn.LayerNorm(width)
        self.receiver, self.sender = _part(width, width, fan), _part(width, width, fan, bias=True)
        self.cell, self.odd = _part(invariants, width, fan), _part(waves, width, fan)
        self.even = _part(waves, width, fan) if fourier else None
        self.message = nn.Linear(width, width)
        self.update = nn.Sequential(nn.Linear(2 * width, width), nn.SiLU(), nn.Linear(width, width), nn.SiLU())

    def forward(self, h: Tensor, cell: Tensor, between: Tensor, share: Tensor) -> Tensor:
        """``share`` ``[B, 1, n]`` is what each sender counts for in the mean."""
        normed = self.norm(h)
        to = self.receiver(normed) + self.cell(cell).unsqueeze(1)
        x = between + to.unsqueeze(2) + self.sender(normed).unsqueeze(1)
        m = nn.functional.silu(self.message(nn.functional.silu(x)))
        mean = (share.unsqueeze(2) @ m).squeeze(2)
        return h + self.update(torch.cat([normed, mean], -1))  # type: ignore[no-any-return]


class TabulatedTrunk(Trunk):
    """A trunk for sampling, with its maps of the waves tabulated.

    What a layer's first map makes of the waves is a sum of three functions of period 1, one for each coordinate. Here they are read
    from tables, by cubic interpolation between ``64 K`` points; so the cost does not depend on how many waves there are.
    Weights are those of the trunk it was made of, which must not be trained on meanwhile; the interpolation takes no gradients.

    >>> trunk = Trunk(16, 2, 4, invariants=6).double()
    >>> at = torch.randn(5, 3, 16).double(), torch.randn(5, 6).double(), torch.rand(5, 3, 3).double()
    >>> bool((TabulatedTrunk(trunk)(*at) - trunk(*at)).abs().max() < 1e-5)
    True
    """

    def __init__(self, trunk: Trunk) -> None:
        nn.Module.__init__(self)
        if not trunk.fourier:
            raise ArgumentError("trunk", "a trunk with waves (fourier=True)", "one without")
        self.width, self.frequencies, self.fourier = trunk.width, trunk.frequencies, True
        self.layers, self.norm, self.count = trunk.layers, trunk.norm, POINTS * trunk.frequencies
        self.tables = [_table(layer, trunk.frequencies, self.count) for layer in trunk.layers]

    def bases(self, frac: Float[Tensor, "B n 3"]) -> tuple[Tensor, ...]:
        d = frac.unsqueeze(1) - frac.unsqueeze(2)
        place = (d - d.floor()) * self.count
        start = place.floor()
        u = place - start
        axis = torch.arange(3, device=frac.device) * self.count
        four = torch.stack([(start.long() + step) % self.count + axis for step in (-1, 0, 1, 2)], -1)
        # Lagrange's polynomials on -1, 0, 1, 2.
        lower, upper = u + 1, u - 1
        weights = [-u * upper * (u - 2) / 6, lower * upper * (u - 2) / 2, -lower * u * (u - 2) / 2, lower * u * upper / 6]
        return four.flatten(-2), torch.stack(weights, -1).flatten(-2), frac.new_empty(frac.shape[1], 0)

    def between(self, bases: tuple[Tensor, ...], index: int) -> Float[Tensor, "B n n H"]:
        rows, weights, like = bases
        read = nn.functional.embedding_bag(
            rows.flatten(0, 2), self.tables[index], per_sample_weights=weights.flatten(0, 2), mode="sum"
        )
        return read.view(-1, len(like), len(like), self.width)


@torch.no_grad()
def _table(layer: nn.Module, frequencies: int, count: int) -> Float[Tensor, "3*count H"]:
    odd, even = layer.odd.weight, layer.even.weight  # type: ignore[union-attr]
    turns = torch.arange(count, dtype=torch.float64, device=odd.device) / count  # type: ignore[arg-type, union-attr]
    k = torch.arange(1, frequencies, dtype=torch.float64, device=turns.device)
    angle = 2 * math.pi * ((turns.unsqueeze(1) * k) % 1)
    sine, cosine = angle.sin(), angle.cos()
    each = zip(odd.double().unflatten(1, (3, -1)).unbind(1), even.double().unflatten(1, (3, -1)).unbind(1))  # type: ignore[operator, union-attr]
    return torch.cat([sine @ a.mT + cosine @ b.mT for a, b in each]).to(odd.dtype)  # type: ignore[arg-type, union-attr]


def _part(inp: int, out: int, fan: int, bias: bool = False) -> nn.Linear:
    """Columns of a linear map with ``fan`` inputs, with the initial numbers that they have in one piece."""
    part, bound = nn.Linear(inp, out, bias=bias), 1 / math.sqrt(fan)
    for weight in part.parameters():
        nn.init.uniform_(weight, -bound, bound)
    return part


def _shares(mask: Tensor, h: Tensor) -> Tensor:
    there = mask.to(h.dtype)
    return (there / there.sum(1, keepdim=True).clamp(min=1)).unsqueeze(1)


def _places(i: Tensor, j: Tensor, count: int) -> Tensor:
    """Where each entry of an ``n x n`` table stands in a list of its upper half, its lower half, and one entry for the diagonal."""
    pairs = len(i)
    table = torch.full((count, count), 2 * pairs, device=i.device)
    order = torch.arange(pairs, device=i.device)
    table[i, j], table[j, i] = order, order + pairs
    return table.flatten()
