"""`to_lora`: the best low-rank copy of what an adapter does, for programs that know LoRA alone."""

from __future__ import annotations

import dataclasses

import torch

from erlangen.errors import ArgumentError
from erlangen.parameters.adapters.config import LoraConfig
from erlangen.parameters.adapters.model import AdaptedModel


@torch.no_grad()
def to_lora(model: AdaptedModel, rank: int, adapter_name: str, source: str | None = None) -> dict[str, float]:
    """Add a LoRA adapter that comes nearest to another one: ``W' - W``, which has full rank in general, cut to its largest singular values.

    Args:
        model: gets the adapter; :meth:`AdaptedModel.set_adapter` lets it count.
        rank: of the new adapter.
        adapter_name: its name.
        source: the adapter to copy; by default the one that counts.

    Modules that are saved whole are copied along; trained biases are the model's own.

    Returns:
        for each weight the relative error ``|W' - W - s B A| / |W' - W|`` in the Frobenius norm.

    Raises:
        ArgumentError: a rank below 1, or several adapters count and none is named.

    >>> from erlangen.parameters.adapters import BoraConfig, get_peft_model
    >>> model = get_peft_model(torch.nn.Sequential(torch.nn.Linear(6, 5)), BoraConfig(r=2))
    >>> with torch.no_grad():
    ...     for p in model.parameters():
    ...         _ = p.add_(0.1 * p.requires_grad)
    >>> round(to_lora(model, 5, "copy")["0.weight"], 3)
    0.0
    """
    if source is None:
        if len(model.active_adapters) != 1:
            raise ArgumentError("source", "the name of an adapter, where not exactly one counts", repr(source))
        source = model.active_adapters[0]
    given = model.peft_config.get(source)
    if given is None:
        raise ArgumentError("source", f"one of {', '.join(map(repr, model.peft_config))}", repr(source))
    if rank != int(rank) or rank < 1:
        raise ArgumentError("rank", "a whole number from 1 on", repr(rank))
    shared = {f.name: getattr(given, f.name) for f in dataclasses.fields(given)}
    plain = {"method": "lora", "r": rank, "lora_alpha": float(rank), "rank_pattern": {}, "alpha_pattern": {}, "use_rslora": False}
    model.add_adapter(adapter_name, LoraConfig(**{**shared, **plain, "bias": "none"}))
    for module in model.saved():
        if source in module.copies:
            module.copies[adapter_name].load_state_dict(module.copies[source].state_dict())
    errors = {}
    for layer in model.layers():
        if source not in layer.adapters:
            continue
        for (slot, theirs), (_, mine) in zip(layer.factors(source), layer.factors(adapter_name)):
            w = slot.matrix(layer.frozen(slot.name)).to(mine.lora_A.dtype)
            change = theirs.matrix(w) - w
            u, s, v = torch.linalg.svd(change, full_matrices=False)
            k = min(rank, s.shape[-1])
            root = s[..., :k].sqrt()
            mine.lora_A.zero_()
            mine.lora_B.zero_()
            mine.lora_A[..., :k, :] = root.unsqueeze(-1) * v[..., :k, :]
            mine.lora_B[..., :k] = u[..., :k] * root.unsqueeze(-2)
            whole = change.norm()
            errors[f"{layer.name}.{slot.name}"] = float((change - mine.lora_B @ mine.lora_A).norm() / whole) if whole else 0.0
    return errors
