"""What an optimiser should know of adapters: LoRA+, and no weight decay on magnitudes."""

from __future__ import annotations

import math
from typing import Any

from torch import nn

from erlangen.errors import ArgumentError


def parameter_groups(model: nn.Module, lr: float, *, ratio: float = 1.0, weight_decay: float = 0.0) -> list[dict[str, Any]]:
    """Groups of the trained parameters for an optimiser of ``torch.optim``.

    Magnitudes and biases are not decayed: the length of the first magnitudes of BoRA does not matter, so shrinking it regularises nothing.

    Args:
        model: an adapted one.
        lr: learning rate.
        ratio: of the learning rate of ``B`` over that of the rest (LoRA+ takes 16).
        weight_decay: of the matrices.

    Raises:
        ArgumentError: nothing is trained, or a number out of range.

    Source: S. Hayou, N. Ghosh, B. Yu, "LoRA+", ICML 2024, arXiv:2402.12354.

    >>> import torch
    >>> from erlangen.parameters.adapters import BoraConfig, get_peft_model
    >>> model = get_peft_model(nn.Sequential(nn.Linear(4, 3)), BoraConfig(r=2))
    >>> [(g["lr"], g["weight_decay"], len(g["params"])) for g in parameter_groups(model, 0.5, ratio=16, weight_decay=0.1)]
    [(0.5, 0.1, 1), (8.0, 0.1, 1), (0.5, 0.0, 2)]
    >>> optimizer = torch.optim.AdamW(parameter_groups(model, 1e-3))
    """
    if not 0 <= lr < math.inf:
        raise ArgumentError("lr", "a learning rate, not negative", repr(lr))
    if not 0 < ratio < math.inf:
        raise ArgumentError("ratio", "a positive ratio of learning rates", repr(ratio))
    if not weight_decay >= 0:
        raise ArgumentError("weight_decay", "zero or a positive number", repr(weight_decay))
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    for name, p in model.named_parameters():
        if p.requires_grad:
            own = name.rpartition(".")[2]
            rate = lr * ratio if own == "lora_B" else lr
            decay = weight_decay if p.ndim > 1 else 0.0
            groups.setdefault((rate, decay), []).append(p)
    if not groups:
        raise ArgumentError("model", "a model with something to train", "none")
    return [{"params": ps, "lr": rate, "weight_decay": decay} for (rate, decay), ps in groups.items()]
