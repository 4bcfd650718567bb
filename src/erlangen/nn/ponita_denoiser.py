"""`PONITADenoiser`: PONITA as the network of a diffusion over positions and kinds of points."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from erlangen.errors import ArgumentError
from erlangen.groups.membership import may_look
from erlangen.nn.ponita import PONITA


class PONITADenoiser(nn.Module):
    """What a diffusion asks of a network: for positions a vector of each point whose mean over a cloud is zero, for kinds a score of each.

    The network sees positions from the mean of their cloud, kinds as one-hot numbers, and the time as a number from 0 to 1. It is called
    with the parts of a record by name and returns a dict of two of them, as :class:`erlangen.generate.Diffusion` wants it.

    Args:
        kinds: how many there are.
        steps: of the chain.
        hidden, layers: of the network.
        pos, kind, batch: names of positions, kinds and the cloud of each point in the record.
        options: of :class:`PONITA`; what goes in and comes out, and ``task``, are given.

    Raises:
        ArgumentError: naming the argument.

    Source: Bekkers et al., ICLR 2024, arXiv:2310.02970; Hoogeboom et al., ICML 2022, arXiv:2203.17003 (the mean).

    >>> from erlangen.generate import Categorical, Diffusion, Gaussian, Together
    >>> process = Together({"pos": Gaussian(schedule=20), "kind": Categorical(3, schedule=20)}, segments={"pos": "of", "kind": "of"})
    >>> model = Diffusion(process, PONITADenoiser(kinds=3, steps=20, hidden=16, layers=1, batch="of"))
    >>> data = {"pos": torch.randn(6, 3), "kind": torch.tensor([0, 1, 2, 0, 1, 2]), "of": torch.tensor([0, 0, 0, 1, 1, 1])}
    >>> model.sample(data, generator=torch.Generator().manual_seed(0))["pos"].shape
    torch.Size([6, 3])
    """

    def __init__(
        self,
        kinds: int,
        steps: int,
        hidden: int,
        layers: int,
        *,
        pos: str = "pos",
        kind: str = "kind",
        batch: str = "batch",
        **options: object,
    ) -> None:
        super().__init__()
        for name, number in (("kinds", kinds), ("steps", steps)):
            if not isinstance(number, int) or number < 1:
                raise ArgumentError(name, "a positive whole number", repr(number))
        for name in ("in_scalars", "out_scalars", "out_vectors", "in_vectors", "task"):
            if name in options:
                raise ArgumentError(name, "none, for the diffusion decides what goes in and comes out", repr(options[name]))
        self.kinds, self.steps, self.names = kinds, steps, (pos, kind, batch)
        self.net = PONITA(kinds + 1, hidden, kinds, layers, out_vectors=1, task="node", **options)  # type: ignore[arg-type]

    def forward(self, t: Int[Tensor, " B"], **record: Tensor) -> dict[str, Float[Tensor, "V k"]]:
        """A vector of each point ``[V, dim]`` and the scores of its kinds ``[V, kinds]``, by their names."""
        missing = [name for name in self.names if name not in record]
        if missing:
            raise ArgumentError("record", f"parts {', '.join(map(repr, self.names))}", f"none named {missing[0]!r}")
        pos, kind, batch = (record[name] for name in self.names)
        if kind.dtype != torch.int64:
            raise ArgumentError(self.names[1], "kinds, int64", str(kind.dtype))
        if may_look(kind) and kind.numel() and not 0 <= int(kind.min()) <= int(kind.max()) < self.kinds:
            raise ArgumentError(self.names[1], f"kinds from 0 to {self.kinds - 1}", [int(kind.min()), int(kind.max())])
        if t.ndim != 1 or (may_look(batch) and batch.numel() and len(t) <= int(batch.max())):
            raise ArgumentError("t", "a step of each cloud, [B]", f"shape {list(t.shape)}")
        x = nn.functional.one_hot(kind, self.kinds).to(pos)
        time = (t.to(pos) / self.steps)[batch].unsqueeze(1)
        scores, way = self.net(_centred(pos, batch, len(t)), torch.cat([x, time], 1), batch=batch)
        return {self.names[0]: _centred(way.squeeze(1), batch, len(t)), self.names[1]: scores}


def _centred(pos: Float[Tensor, "V n"], batch: Int[Tensor, " V"], clouds: int) -> Float[Tensor, "V n"]:
    counts = torch.bincount(batch, minlength=clouds).clamp_min(1).to(pos).unsqueeze(1)
    return pos - (pos.new_zeros(clouds, pos.shape[1]).index_add(0, batch, pos) / counts)[batch]
