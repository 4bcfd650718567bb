"""Hidden states below the lowest adapted block, computed once: a frozen block says the same of a text in every step."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from erlangen.fitting.adapting.text_model import CHUNK, TextModel, Tokens, blocks_of, trimmed

#: Most bytes of hidden states that are kept.
MOST_BYTES = 1 << 30


def lowest_trained(encoder: nn.Module) -> int:
    """The number of the lowest block below whose end something is trained; 0 where something outside of the blocks is.

    >>> from types import SimpleNamespace
    >>> net = nn.Sequential(nn.Linear(2, 2), nn.ModuleList([nn.Linear(2, 2) for _ in range(3)])).requires_grad_(False)
    >>> net.config, _ = SimpleNamespace(num_hidden_layers=3), net[1][2].requires_grad_(True)
    >>> lowest_trained(net)
    2
    """
    name, blocks = blocks_of(encoder)
    first = len(blocks)
    for own, p in encoder.named_parameters():
        if p.requires_grad:
            rest = own.removeprefix(f"{name}.")
            if rest == own:
                return 0
            first = min(first, int(rest.split(".")[0]))
    return first


class Recall:
    """The states that enter block ``first`` of an encoder, for texts that were looked at once.

    Args:
        encoder: whose blocks below ``first`` are frozen; with adapters or without.
        first: number of a block, from 1 on.
    """

    def __init__(self, encoder: nn.Module, first: int) -> None:
        self.encoder, self.first = encoder, first
        self.blocks = blocks_of(encoder)[1]
        self.in_tuple = False

    @torch.no_grad()
    def states(self, tokens: Tokens) -> Tensor:
        """What enters the block ``[N, T, d]``; zero where there is no token."""
        found: list[Tensor] = []

        def keep(module: nn.Module, args: Any, output: Any) -> None:
            self.in_tuple = isinstance(output, tuple)
            raise _Enough(output[0] if self.in_tuple else output)

        hook = self.blocks[self.first - 1].register_forward_hook(keep)
        order = tokens.mask.sum(1).argsort(stable=True)
        try:
            for part in order.split(CHUNK):
                ids, mask = trimmed(tokens.ids[part], tokens.mask[part])
                try:
                    self.encoder(input_ids=ids, attention_mask=mask)
                except _Enough as stop:
                    states = stop.states * mask.unsqueeze(-1)
                    found.append(nn.functional.pad(states, (0, 0, 0, tokens.ids.shape[1] - mask.shape[1])))
        finally:
            hook.remove()
        return torch.cat(found)[order.argsort()]

    @contextmanager
    def given(self, states: Tensor) -> Iterator[None]:
        """Inside, the blocks below compute nothing: the states ``[N, T, d]`` are what they give."""

        def say(*_: Any, **__: Any) -> Any:
            return (states,) if self.in_tuple else states

        below = list(self.blocks[: self.first])
        try:
            for block in below:
                block.forward = say  # type: ignore[assignment]
            yield
        finally:
            for block in below:
                del block.forward


class _Enough(Exception):
    """The states are there; the blocks above need not compute."""

    def __init__(self, states: Tensor) -> None:
        super().__init__()
        self.states = states


def recall_of(model: TextModel, tokens: Tokens, first: int | None = None) -> Recall | None:
    """How a model's lower blocks are left out, those below ``first`` or by default those below whatever is trained; None where nothing
    stands still, states take too much memory, or the model does not give the same with them (its blocks pass on more than states)."""
    first = lowest_trained(model.encoder) if first is None else first
    config: Any = model.encoder.config
    if first < 1 or tokens.ids.numel() * config.hidden_size * next(model.encoder.parameters()).element_size() > MOST_BYTES:
        return None
    recall = Recall(model.encoder, first)
    some = Tokens(*trimmed(tokens.ids[:4], tokens.mask[:4]))
    try:
        with torch.no_grad():
            whole = model(*some)
            with recall.given(recall.states(some)):
                short = model(*some)
    except Exception:  # whatever a foreign model says to blocks that give states alone
        return None
    return recall if torch.allclose(whole, short, rtol=1e-3, atol=1e-4) else None


def applied(model: TextModel, recall: Recall | None, read: Callable[..., Tensor] | None = None) -> Callable[..., Tensor]:
    """The model (or what of it is to be read) on ``ids, mask`` and, with a recall, the states behind them."""
    read = read or model

    def apply(ids: Tensor, mask: Tensor, *states: Tensor) -> Tensor:
        tokens = trimmed(ids, mask)
        if recall is None:
            return read(*tokens)
        with recall.given(states[0][:, : tokens.ids.shape[1]]):
            return read(*tokens)

    return apply
