"""`Factors`: what an adapter trains for one matrix, and the matrix that comes of it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from erlangen.parameters.adapters.config import AdapterConfig
from erlangen.parameters.adapters.norms import Side, scales, side_lengths, unrounded
from erlangen.parameters.adapters.slots import Slot

#: Entries of a frozen matrix that are looked at to tell whether it is still the same.
SAMPLE = 1024


def transformed(t: Tensor) -> bool:
    """Whether a tensor stands for many or carries a tangent: then nothing can be kept of it, and no step of our own taken."""
    return torch._C._functorch.is_functorch_wrapped_tensor(t) or torch._C._functorch.is_legacy_batchedtensor(t)


class Kept:
    """Scales in evaluation, and what they were made of: copies, for counters of versions do not see what is written through ``.data``.

    Of the frozen matrix, which is large, the version, the place and some of the entries are compared.
    """

    def __init__(self, w: Tensor, own: Sequence[Tensor], scales: dict[Side, Tensor]) -> None:
        self.scales, self.own, self.w = scales, [t.detach().clone() for t in own], _mark(w)

    def holds(self, w: Tensor, own: Sequence[Tensor]) -> bool:
        """Whether nothing has changed since."""
        (key, some), (mine, before) = _mark(w), self.w
        same = all(t.dtype == k.dtype and t.device == k.device and torch.equal(t, k) for t, k in zip(own, self.own, strict=True))
        return same and key == mine and torch.equal(some, before)


def _mark(w: Tensor) -> tuple[Any, Tensor]:
    flat = w.reshape(-1) if w.is_contiguous() else w.mT.reshape(-1)
    return (w.data_ptr(), w._version, w.dtype, w.device, w.shape), flat[:: max(1, len(flat) // SAMPLE)].clone()


class Factors(nn.Module):
    """The low-rank update and the magnitudes of one matrix.

    Attributes:
        lora_A: ``[r, in]``, of a fused layer ``[parts, r, in]``.
        lora_B: ``[out, r]``. It is zero at first, and ``lora_A`` uniform as the weight of ``nn.Linear``; of an embedding ``lora_A`` is
            zero and ``lora_B`` normal.
        magnitude_row: ``[out]``, the lengths of the rows, where the method has it.
        magnitude_col: ``[in]``, the lengths of the columns.

    >>> config = AdapterConfig(method="bora", r=2)
    >>> w = torch.randn(6, 4)
    >>> factors = Factors(Slot("weight", (6, 4)), config, 2, 8.0, w)
    >>> torch.allclose(factors.matrix(w), w, atol=1e-6), sum(p.numel() for p in factors.parameters())
    (True, 30)
    """

    lora_A: Tensor
    lora_B: Tensor
    magnitude_row: Tensor
    magnitude_col: Tensor

    def __init__(self, slot: Slot, config: AdapterConfig, r: int, scaling: float, w: Tensor) -> None:
        super().__init__()
        out, inp = slot.sizes
        # Half precision is for weights that stand still: steps of a small learning rate would be rounded away.
        dtype = torch.promote_types(w.dtype, torch.float32)
        with torch.no_grad():
            a = torch.empty(*slot.lead, r, inp, dtype=dtype, device=w.device)
            b = torch.zeros(*slot.lead, out, r, dtype=dtype, device=w.device)
            if slot.lookup:  # a column of A is trained only where its token occurs: there it must not have to grow from a small one
                a.zero_()
                nn.init.normal_(b)
            else:
                nn.init.uniform_(a, -1 / math.sqrt(max(inp, 1)), 1 / math.sqrt(max(inp, 1)))
            if r:
                self.lora_A, self.lora_B = nn.Parameter(a), nn.Parameter(b)
            else:  # nothing to train, which distributed training would miss in the backward pass
                self.register_buffer("lora_A", a, persistent=False)
                self.register_buffer("lora_B", b, persistent=False)
            for side in config.sides:
                setattr(self, f"magnitude_{side}", nn.Parameter(side_lengths(w, side, slot.group)))
        self.r, self.scaling, self.group = r, scaling, slot.group
        self.sides, self.detach = config.sides, config.detach_norms
        self._kept: Kept | None = None

    def magnitudes(self) -> list[tuple[Side, Tensor]]:
        """Side and magnitude of each step of the normalisation, one number for each row or column."""
        return [
            (side, self.magnitude_row if side == "row" else self.magnitude_col.repeat_interleave(self.group, -1))
            for side in self.sides
        ]

    def scales(self, w: Tensor) -> dict[Side, Tensor]:
        """The diagonal matrices before and behind ``w + s B A``; in evaluation without gradients they are kept until a weight changes."""
        if not self.sides:
            return {}
        if self.training or torch.is_grad_enabled() or torch.compiler.is_compiling():
            return self._scales(w)
        own = list(self.parameters())
        if any(t.is_inference() or t.is_meta or transformed(t) for t in (w, *own)):  # of them nothing can be kept
            return self._scales(w)
        if self._kept is None or not self._kept.holds(w, own):
            self._kept = Kept(w, own, self._scales(w))
        return self._kept.scales

    def _scales(self, w: Tensor) -> dict[Side, Tensor]:
        return scales(w, self.lora_A, self.lora_B, self.scaling, self.magnitudes(), self.detach, self.group)

    def matrix(self, w: Tensor) -> Tensor:
        """The adapted matrix ``[..., out, in]`` of the frozen ``w``, in its dtype."""
        with unrounded(w):
            return self._scaled(w.to(self._wide(w)) + self._update() if self.r else w.to(self._wide(w)), w)

    def both(self, w: Tensor) -> tuple[Tensor, Tensor]:
        """The two matrices whose sum is :meth:`matrix`: what comes of ``w``, and what comes of ``s B A``."""
        with unrounded(w):
            return self._scaled(w.to(self._wide(w)), w), self._scaled(self._update().to(self._wide(w)), w)

    def _wide(self, w: Tensor) -> torch.dtype:
        return torch.promote_types(w.dtype, self.lora_A.dtype)

    def _update(self) -> Tensor:
        return self.scaling * (self.lora_B @ self.lora_A)

    def _scaled(self, v: Tensor, w: Tensor) -> Tensor:
        found = self.scales(w)
        if "col" in found:
            v = v * found["col"].unsqueeze(-2)
        if "row" in found:
            v = v * found["row"].unsqueeze(-1)
        return v.to(w.dtype)

    def extra_repr(self) -> str:
        return f"r={self.r}, scaling={self.scaling:g}, sides={', '.join(self.sides) or 'none'}"
