"""Crystals of a space group by a network that knows nothing of it: only what the group leaves free goes back from noise.

Coordinates are those of the orbits: noise and the way back are of each orbit's free coordinates, which place all its atoms; what the
network says of these is taken back and averaged over the orbit. The lattice is as noisy as in training, and the network's guess of what it
will be at the end is replaced by the lattice of the crystal family whose stretch (the logarithm of it) is nearest. So the end has the
group's symmetry to rounding. The network was trained on reduced cells with atoms that were noisy each for itself, and here it sees neither:
that is an approximation, which costs matches but no symmetry. :class:`SymmetricDiffCSP` is trained for it.

Source of the constraint: Jiao et al., "Space group constrained crystal generation", ICLR 2024, arXiv:2402.03992.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from erlangen.fields.crystals.crystal import Crystal
from erlangen.fields.crystals.diffcsp.batches import pieces
from erlangen.fields.crystals.diffcsp.orbits import layout, over_orbits
from erlangen.fields.crystals.lattice import BASIS, from_log_polar
from erlangen.fields.crystals.protostructure import Protostructure
from erlangen.generate import Diffusion, Together

#: Stretches of a guessed lattice are taken to be at least and at most this, in angstrom.
LEAST, MOST = 0.1, 1e4


def along(
    model: Diffusion, protos: Sequence[Protostructure], way: Mapping[str, Any], batch_size: int, generator: Any
) -> list[Crystal]:
    """A crystal of each protostructure, in its primitive cell.

    Args:
        model: of lattice and coordinates, see :class:`DiffCSP`.
        protos: what they shall be.
        way: arguments of :meth:`erlangen.generate.Diffusion.sample`, for ``frac``.
        batch_size: crystals at once, at most.
        generator: source of randomness.
    """
    network = AlongOrbits(model)
    parts = {"lattice": model.process.parts["lattice"], "u": model.process.parts["frac"]}
    free = Diffusion(Together(parts, masks={"u": "u_there"}), network, average=0.0)
    guide = way.get("guide")
    own = {
        **way,
        "corrector": {"u": way["corrector"]["frac"]} if way["corrector"] else {},
        "guide": None if guide is None else lambda record, t: guide(network.crystals(record), t),
    }
    like = next(model.parameters())
    sizes = [one.n_atoms() for one in protos]
    made: list[Crystal | None] = [None] * len(protos)
    for chosen in pieces(sorted(range(len(protos)), key=sizes.__getitem__), sizes, batch_size):
        some = [protos[i] for i in chosen]
        record = {name: part.to(like.device) for name, part in _record(some, like.dtype).items()}
        got = free.sample(record, generator=generator, **own)
        for i, cell, u in zip(chosen, got["lattice"].cpu().double(), got["u"].cpu().double()):
            made[i] = _placed(protos[i], cell, u)
    return [one for one in made if one is not None]


class AlongOrbits(nn.Module):
    """A network of lattice and coordinates as one of lattice and the free coordinates of orbits.

    Args:
        model: whose network is meant, with its running average.
    """

    def __init__(self, model: Diffusion) -> None:
        super().__init__()
        self.model = model
        self.kept: Tensor = model.process.parts["lattice"].kept  # type: ignore[attr-defined]

    def crystals(self, x: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The record of all atoms."""
        own = x["u"].gather(1, x["orbit"].unsqueeze(-1).expand(-1, -1, 3))
        frac = (own.unsqueeze(2) @ x["linear"]).squeeze(2) + x["shift"]
        return {"lattice": x["lattice"], "frac": frac, "mask": x["mask"], "numbers": x["numbers"]}

    def forward(
        self,
        t: Int[Tensor, " B"],
        lattice: Float[Tensor, "B 3 3"],
        u: Float[Tensor, "B s 3"],
        u_there: Bool[Tensor, "B s 3"],
        **x: Tensor,
    ) -> dict[str, Tensor]:
        """What there is noise on both."""
        said = self.model(self.crystals({"lattice": lattice, "u": u, **x}), t)
        kept = self.kept.to(lattice.device)[t].reshape(-1, 1, 1)
        exact = lattice.double()
        guess = (exact - (1 - kept).sqrt() * said["lattice"].double()) / kept.sqrt()
        start = symmetric_lattice(guess, x["basis"].double(), x["lattice_free"], x["lattice_fixed"].double())
        noise = (exact - kept.sqrt() * start) / (1 - kept).sqrt()
        return {"lattice": noise.to(lattice), "u": over_orbits(said["frac"].to(u), x["back"], x["orbit"], x["mask"], u)}


def symmetric_lattice(
    cell: Float[Tensor, "B 3 3"], basis: Float[Tensor, "B 3 3"], free: Bool[Tensor, "B 6"], fixed: Float[Tensor, "B 6"]
) -> Float[Tensor, "B 3 3"]:
    """Primitive cells (rows) whose conventional cells have the stretch of a crystal family, turned as the given ones are.

    >>> cell = torch.tensor([[[4.1, 0.1, 0], [0, 3.9, 0], [0, 0, 4.0]]], dtype=torch.float64)
    >>> free = torch.tensor([[False] * 5 + [True]])
    >>> made = symmetric_lattice(cell, torch.eye(3).double()[None], free, torch.zeros(1, 6).double())
    >>> bool((made @ made.mT - made[0, 0].square().sum() * torch.eye(3).double()).abs().max() < 1e-12)
    True
    """
    k, turn = _stretch(torch.linalg.solve(basis, cell))
    return basis @ from_log_polar(torch.where(free, k, fixed)) @ turn


def _stretch(cell: Float[Tensor, "B 3 3"]) -> tuple[Float[Tensor, "B 6"], Float[Tensor, "B 3 3"]]:
    """``L = exp(S) Q``: the coordinates of ``S`` and ``Q``, of either hand, where ``L`` may be nearly flat."""
    u, values, v = torch.linalg.svd(cell)
    logarithm = (u * values.clamp(LEAST, MOST).log().unsqueeze(-2)) @ u.mT
    basis = BASIS.to(cell)
    return torch.einsum("...ij,kij->...k", logarithm, basis) / basis.square().sum((1, 2)), u @ v


def _record(protos: Sequence[Protostructure], dtype: torch.dtype) -> dict[str, Tensor]:
    """What is known of crystals before lattice and free coordinates are, padded."""
    each = [layout(one) for one in protos]

    def padded(name: str) -> Tensor:
        made = nn.utils.rnn.pad_sequence([one[name] for one in each], batch_first=True)
        return made.to(dtype) if made.is_floating_point() else made

    made = {name: padded(name) for name in ("linear", "shift", "back", "orbit", "numbers")}
    return {
        "lattice": torch.zeros(len(each), 3, 3, dtype=dtype),
        "u": torch.zeros(len(each), max(len(one["free"]) for one in each), 3, dtype=dtype),
        "u_there": padded("free"),
        "mask": made["numbers"] > 0,
        **{name: torch.stack([one[name] for one in each]) for name in ("basis", "lattice_free", "lattice_fixed")},
        **made,
    }


def _placed(proto: Protostructure, cell: Tensor, u: Tensor) -> Crystal:
    """The crystal, its lattice once more of the family, to the last bit."""
    facts = layout(proto)
    k, _ = _stretch(torch.linalg.solve(facts["basis"], cell).unsqueeze(0))
    exact = from_log_polar(torch.where(facts["lattice_free"], k[0], facts["lattice_fixed"]))
    free = facts["free"]
    return proto.place(exact, u[: len(free)][free])
