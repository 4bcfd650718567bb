"""What every finite group shares."""

from __future__ import annotations

from erlangen.groups.closure import close_matrices

__all__ = ["close_matrices"]
