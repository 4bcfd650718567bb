"""`Factors`: what an adapter trains for one matrix, and the matrix that comes of it."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

from erlangen.parameters.adapters.config import AdapterConfig
from erlangen.parameters.adapters.norms import Side, scales
from erlangen.parameters.adapters.slots import Slot


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
                nn.init.uniform_(a, -1 / math.sqrt(inp), 1 / math.sqrt(inp))
            if r:
                self.lora_A, self.lora_B = nn.Parameter(a), nn.Parameter(b)
            else:  # nothing to train, which distributed training would miss in the backward pass
                self.register_buffer("lora_A", a, persistent=False)
                self.register_buffer("lora_B", b, persistent=False)
            for side in config.sides:
                axis = -1 if side == "row" else -2
                length = torch.linalg.vector_norm(w.to(dtype), dim=axis)
                if side == "col":
                    length = length.unflatten(-1, (-1, slot.group)).norm(dim=-1)
                setattr(self, f"magnitude_{side}", nn.Parameter(length))
        self.r, self.scaling, self.group = r, scaling, slot.group
        self.sides, self.detach = config.sides, config.detach_norms
        self._kept: tuple[Any, dict[Side, Tensor]] | None = None

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
        tensors = (w, *self.parameters())
        if any(t.is_inference() for t in tensors):  # they count no versions
            return self._scales(w)
        key = tuple((t.data_ptr(), t._version, t.dtype, t.device) for t in tensors)
        if self._kept is None or self._kept[0] != key:
            self._kept = key, self._scales(w)
        return self._kept[1]

    def _scales(self, w: Tensor) -> dict[Side, Tensor]:
        return scales(w, self.lora_A, self.lora_B, self.scaling, self.magnitudes(), self.detach, self.group)

    def matrix(self, w: Tensor) -> Tensor:
        """The adapted matrix ``[..., out, in]`` of the frozen ``w``, in its dtype."""
        wide = torch.promote_types(w.dtype, self.lora_A.dtype)
        v = w.to(wide) + self.scaling * (self.lora_B @ self.lora_A) if self.r else w.to(wide)
        found = self.scales(w)
        if "col" in found:
            v = v * found["col"].unsqueeze(-2)
        if "row" in found:
            v = v * found["row"].unsqueeze(-1)
        return v.to(w.dtype)

    def extra_repr(self) -> str:
        return f"r={self.r}, scaling={self.scaling:g}, sides={', '.join(self.sides) or 'none'}"
