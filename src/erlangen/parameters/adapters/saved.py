"""`SavedModule`: a module that is trained whole beside the adapters, a copy for each of them."""

from __future__ import annotations

import copy
from typing import Any

from torch import nn


class SavedModule(nn.Module):
    """A module with a trained copy for each adapter that saves it.

    Attributes:
        original: the module as it was.
        copies: the copy of each adapter.
        active: whose copy computes; None: the original does.
        merged: adapters that are merged into the model: where there are any, one of theirs computes.
        enabled: False: the original does.
    """

    def __init__(self, original: nn.Module) -> None:
        super().__init__()
        self.original = original
        self.copies = nn.ModuleDict()
        self.active: str | None = None
        self.merged: list[str] = []
        self.enabled = True

    def add(self, adapter: str) -> None:
        """A copy for one more adapter."""
        self.copies[adapter] = copy.deepcopy(self.original)

    def remove(self, adapter: str) -> None:
        """Forget the copy of an adapter, if there is one."""
        if adapter in self.copies:
            del self.copies[adapter]

    @property
    def current(self) -> nn.Module:
        """The module that computes."""
        who = next((n for n in self.merged if n in self.copies), None) if self.merged else self.active
        return self.copies[who] if self.enabled and who is not None else self.original

    def _load_from_state_dict(self, *args: Any) -> None:
        self.merged = []
        super()._load_from_state_dict(*args)

    def forward(self, *inputs: Any, **named: Any) -> Any:
        return self.current(*inputs, **named)

    def __getattr__(self, name: str) -> Any:
        try:
            return super().__getattr__(name)
        except AttributeError:
            if name in ("original", "copies"):
                raise
            return getattr(self.current, name)
