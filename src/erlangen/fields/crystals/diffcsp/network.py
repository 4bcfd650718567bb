"""`CSPNet`: what there is noise on a crystal's lattice, coordinates and, where they are unknown, types of atoms."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from erlangen.actions.ragged import to_dense
from erlangen.errors import ArgumentError
from erlangen.fields.crystals.diffcsp.trunk import TabulatedTrunk, Trunk
from erlangen.generate import TimeFeatures

#: Elements up to fermium.
ELEMENTS = 100
#: Numbers that tell the step.
TIME = 256


class CSPNet(nn.Module):
    """Noisy crystals ``[B, n]`` to the noise on each of their parts.

    The noise on the lattice is an invariant matrix times the lattice, that on the coordinates three invariant numbers for each atom. So
    with ``L`` turned or mirrored (rows: ``L Q``) the first turns along and the second stays; shifts of all coordinates, and of each by
    whole cells, change nothing; atoms may come in any order.

    Args:
        width, layers, frequencies: of the :class:`Trunk`.
        types: whether the types of atoms are noisy, too: the network is then given vectors ``types`` ``[B, n, 100]`` instead of
            ``numbers``, and says what noise there is on them.
        inner_product: ``False`` shows the network the lattice itself instead of its inner products, and takes the noise as nine numbers:
            an ablation, not invariant under rotations.
        fourier: ``False`` for the other ablation, see :class:`Trunk`.
        chirality: show the network the sign of ``det L``: mirror images may then be told apart.

    Source: Jiao et al., NeurIPS 2023, arXiv:2309.04475.

    >>> net = CSPNet(32, 2, 8)
    >>> record = {"lattice": torch.randn(4, 3, 3), "frac": torch.rand(4, 5, 3), "numbers": torch.randint(1, 90, (4, 5))}
    >>> {name: tuple(part.shape) for name, part in net(t=torch.full((4,), 10), **record).items()}
    {'lattice': (4, 3, 3), 'frac': (4, 5, 3)}
    """

    def __init__(
        self,
        width: int = 512,
        layers: int = 6,
        frequencies: int = 128,
        *,
        types: bool = False,
        inner_product: bool = True,
        fourier: bool = True,
        chirality: bool = False,
    ) -> None:
        super().__init__()
        self.trunk = Trunk(width, layers, frequencies, 9 + chirality, fourier)
        self.noisy_types, self.inner_product, self.chirality = types, inner_product, chirality
        self.embed = Embedding(width, types)
        self.lattice = nn.Linear(width, 9, bias=False)
        self.frac = nn.Linear(width, 3, bias=False)
        self.types = nn.Linear(width, ELEMENTS) if types else None

    def forward(
        self,
        lattice: Float[Tensor, "B 3 3"],
        frac: Float[Tensor, "B n 3"],
        t: Int[Tensor, " B"],
        mask: Bool[Tensor, "B n"] | None = None,
        numbers: Int[Tensor, "B n"] | None = None,
        types: Float[Tensor, "B n 100"] | None = None,
    ) -> dict[str, Tensor]:
        """What there is noise on each part."""
        _check_numbers(numbers, mask)
        shown = lattice @ lattice.mT if self.inner_product else lattice
        cell = shown.flatten(1)
        if self.chirality:
            cell = torch.cat([cell, torch.linalg.det(lattice).sign().unsqueeze(1)], 1)
        h = self.trunk(self.embed(t, numbers, types), cell, frac, mask)
        factor = self.lattice(mean(h, mask)).unflatten(1, (3, 3))
        said = {"lattice": factor @ lattice if self.inner_product else factor, "frac": self.frac(h)}
        if self.types is not None:
            said["types"] = self.types(h)
        return said

    def flat(
        self,
        lattice: Float[Tensor, "B 3 3"],
        frac: Float[Tensor, "A 3"],
        t: Int[Tensor, " B"],
        batch: Int[Tensor, " A"],
        numbers: Int[Tensor, " A"] | None = None,
        types: Float[Tensor, "A 100"] | None = None,
    ) -> dict[str, Tensor]:
        """The same of atoms one after another, as graph libraries have them; ``batch``, ascending, says whose each is.

        >>> net = CSPNet(16, 1, 4)
        >>> said = net.flat(torch.randn(2, 3, 3), torch.rand(5, 3), torch.tensor([3, 9]), torch.tensor([0, 0, 0, 1, 1]), torch.arange(1, 6))
        >>> said["lattice"].shape, said["frac"].shape
        (torch.Size([2, 3, 3]), torch.Size([5, 3]))
        """
        if bool((batch.diff() < 0).any()) or not torch.equal(batch.unique(), torch.arange(len(lattice), device=batch.device)):
            raise ArgumentError(
                "batch", f"the numbers of {len(lattice)} crystals, ascending, none without atoms", repr(batch.tolist()[:10])
            )
        padded, mask = to_dense(frac, batch)
        kinds = {name: to_dense(part, batch)[0] for name, part in (("numbers", numbers), ("types", types)) if part is not None}
        said = self(lattice, padded, t, mask, **kinds)
        return {name: part if name == "lattice" else part[mask] for name, part in said.items()}

    def tabulated(self) -> CSPNet:
        """The same network with its waves tabulated, for sampling; see :class:`TabulatedTrunk`. Weights are shared."""
        return tabulated(self)


class Embedding(nn.Module):
    """Types of atoms and the step of noise as features of atoms: a linear map of both."""

    def __init__(self, width: int, types: bool) -> None:
        super().__init__()
        self.kinds = nn.Linear(ELEMENTS, width) if types else nn.Embedding(ELEMENTS, width)
        self.time = TimeFeatures(TIME)
        self.join, self.join_time = nn.Linear(width, width), nn.Linear(TIME, width, bias=False)

    def forward(self, t: Tensor, numbers: Tensor | None, types: Tensor | None) -> Float[Tensor, "B n H"]:
        noisy = isinstance(self.kinds, nn.Linear)
        given = types if noisy else numbers
        if given is None:
            raise ArgumentError("types" if noisy else "numbers", "what the atoms are", "None")
        if not noisy:
            given = (given - 1).clamp(0, ELEMENTS - 1)  # there is 0 where a mask says that there is nothing
        return self.join(self.kinds(given)) + self.join_time(self.time(t)).unsqueeze(1)  # type: ignore[no-any-return]


def _check_numbers(numbers: Tensor | None, mask: Tensor | None) -> None:
    """Raise ArgumentError for atomic numbers that the network does not know, where there are atoms."""
    if numbers is None or torch.compiler.is_compiling():
        return
    strange = (numbers < 1) | (numbers > ELEMENTS)
    if mask is not None:
        strange = strange & mask
    if bool(strange.any()):
        raise ArgumentError("numbers", f"atomic numbers from 1 to {ELEMENTS}", repr(numbers[strange].unique().tolist()[:10]))


def mean(h: Float[Tensor, "B n H"], mask: Bool[Tensor, "B n"] | None) -> Float[Tensor, "B H"]:
    """The mean over atoms that there are."""
    if mask is None:
        return h.mean(1)
    there = mask.to(h.dtype).unsqueeze(-1)
    return (h * there).sum(1) / there.sum(1).clamp(min=1)


def tabulated(network: Any) -> Any:
    """A network that shares all with another but its trunk, whose waves are tabulated."""
    copy = network.__class__.__new__(network.__class__)
    nn.Module.__init__(copy)
    copy.__dict__.update({name: value for name, value in vars(network).items() if name not in ("_modules", "training")})
    copy._modules = {**network._modules, "trunk": TabulatedTrunk(network.trunk)}
    return copy.train(network.training)
