"""Objects that outlive the mode they are made in: what groups, representations and maps keep serves training also after inference."""

from __future__ import annotations

from abc import ABCMeta
from typing import TYPE_CHECKING, Any

import torch


class Lasting(ABCMeta):
    """The class of classes whose objects are made outside of ``torch.inference_mode``.

    Tensors made in that mode can never be saved for a backward pass, so a group made there would break whatever is trained with it.

    >>> from erlangen.groups import SO
    >>> with torch.inference_mode():
    ...     group = SO(3)
    >>> group.algebra.basis.is_inference()
    False
    """

    if not TYPE_CHECKING:  # the signature is that of the class

        def __call__(cls, *args: Any, **kwargs: Any) -> Any:
            if not torch.is_inference_mode_enabled():
                return super().__call__(*args, **kwargs)
            with torch.inference_mode(False):
                return super().__call__(*args, **kwargs)
