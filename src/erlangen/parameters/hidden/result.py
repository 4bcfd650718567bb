"""`FunctionalDimension`: what is known about the degrees of freedom of a network's function at its parameters."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from erlangen.linalg import null_space, orthonormal_span
from erlangen.parameters.hidden.ranks import Method, decide

Kind = Literal["functional dimension", "batch functional dimension"]
#: Called with what is done and how much there is.
Progress = Callable[[int, int], None]


class Growth(NamedTuple):
    """The rank after some of the inputs."""

    points: int
    scale: float
    rank: int


class LayerRank(NamedTuple):
    """An affine layer: how many parameters it has, and how many degrees of freedom the function has when it alone is moved."""

    params: int
    dim: int


@dataclass(frozen=True, eq=False)
class FunctionalDimension:
    """The local number of degrees of freedom of a network's function.

    Attributes:
        what: ``"functional dimension"`` (over all inputs) or ``"batch functional dimension"`` (on given ones).
        dim: the rank of the Jacobian of the outputs in the parameters.
        num_params: D.
        num_hidden: H, hidden neurons, each with its scaling; 0 for other activations than ReLU, whose symmetries are not continuous.
        orbit_dim: the dimension of the orbit under permutations and scalings, at most H.
        method: how the rank was found.
        gap: the last singular value that counts over the first that does not; ``inf`` where there is no tolerance.
        num_points: inputs that were looked at.
        num_points_used: of these, the ones whose rows were needed.
        num_on_kinks: of these, the ones that were dropped because the function is not smooth there.
        num_regions: linear regions (activation patterns) that were met; 0 where there are none.
        is_lower_bound: whether it may be larger: more inputs could raise it (not on given inputs, nor if all regions were seen), or no
            clear gap of singular values decided. Not at the maximum.
        history: the rank after each batch of inputs.
    """

    what: Kind
    dim: int
    num_params: int
    num_hidden: int
    orbit_dim: int
    method: Method
    gap: float
    num_points: int
    num_points_used: int
    num_on_kinks: int
    num_regions: int
    is_lower_bound: bool
    history: tuple[Growth, ...] = ()
    _factor: Tensor = field(default_factory=lambda: torch.zeros(0, 0), repr=False)
    _sizes: Tensor = field(default_factory=lambda: torch.zeros(0), repr=False)
    _centre: Tensor | None = field(default=None, repr=False)
    _generators: Tensor = field(default_factory=lambda: torch.zeros(0, 0), repr=False)
    _layers: tuple[int, ...] = field(default=(), repr=False)

    @property
    def max_dim(self) -> int:
        """D - H, which no parameters exceed."""
        return self.num_params - self.num_hidden

    @property
    def deficit(self) -> int:
        """Independent hidden infinitesimal symmetries: D, less the orbit's dimension, less ``dim``. Of a batch, also directions that
        only these inputs do not see."""
        return self.num_params - self.orbit_dim - self.dim

    @property
    def is_full(self) -> bool:
        """Whether there is no hidden infinitesimal symmetry."""
        return self.deficit == 0

    @property
    def multiple(self) -> float:
        """Inputs looked at, over the largest dimension; few inputs underestimate."""
        return self.num_points / self.max_dim

    @cached_property
    def singular_values(self) -> Tensor:
        """Descending ``[D]``: of the Jacobian with rows and columns of one size, or of its sketch. The size of a column is that of the
        sums that are formed for it; parameters are those of a balanced member of the orbit, and inputs are centred."""
        values = torch.linalg.svdvals(self._factor)
        return torch.cat([values, values.new_zeros(self.num_params - len(values))])

    @cached_property
    def per_layer(self) -> tuple[LayerRank, ...]:
        """Degrees of freedom of each affine layer alone (none where layers are unknown)."""
        if not self._layers:
            return ()
        return tuple(LayerRank(size, decide(part).rank) for size, part in zip(self._layers, self._factor.split(self._layers, -1)))

    def null_space(self) -> Tensor:
        """Directions of the parameters that leave the function alone to first order: orthonormal columns ``[D, D - dim]``."""
        found = null_space(self._factor, dim=self.num_params - self.dim)
        # J' = J diag(1 / sizes) at the balanced parameters, so a null vector v' of J' is sizes * v; and with centred inputs biases of
        # first neurons were values at the centre.
        basis = found.basis / self._sizes.unsqueeze(-1)
        if self._centre is not None:
            first, inputs = self._layers[0], len(self._centre)
            weights = basis[: first * inputs // (inputs + 1)].unflatten(0, (-1, inputs))
            basis[len(weights) * inputs : first] -= torch.einsum("nkv,k->nv", weights, self._centre)
        return torch.linalg.qr(basis).Q

    def hidden_space(self) -> Tensor:
        """The null space with the scalings projected out: orthonormal columns ``[D, deficit]``."""
        null = self.null_space()
        if self.orbit_dim == 0 or self.deficit == 0:
            return null[:, : self.deficit]
        lengths = self._generators.norm(dim=-1, keepdim=True)
        known = orthonormal_span((self._generators / lengths.clamp_min(1e-300)).mT)
        left, _, _ = torch.linalg.svd(null - known @ (known.mT @ null), full_matrices=False)
        return left[:, : self.deficit]

    def __repr__(self) -> str:
        bound = ">= " if self.is_lower_bound else ""
        gap = "" if self.method == "exact" else f", gap {self.gap:.1g}"
        kinks = f", {self.num_on_kinks} dropped on kinks" if self.num_on_kinks else ""
        regions = f" in {self.num_regions} regions" if self.num_regions else ""
        lines = [
            f"{self.what} {bound}{self.dim} of at most {self.max_dim}",
            f"  {self.num_params} parameters, {self.orbit_dim} known scalings, deficit {self.deficit}",
            f"  {self.num_points} inputs ({self.multiple:.3g} times the maximum){regions}{kinks}, {self.num_points_used} used",
            f"  rank by {self.method}{gap}",
        ]
        if self.per_layer:
            lines.append("  each layer alone: " + ", ".join(f"{layer.dim} of {layer.params}" for layer in self.per_layer))
        if len(self.history) > 1:
            lines.append("  rank by inputs: " + ", ".join(f"{g.points} ({g.scale:g}) {g.rank}" for g in self.history))
        return "\n".join(lines)
