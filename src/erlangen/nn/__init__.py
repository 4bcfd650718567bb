"""Networks that are symmetric by construction."""

from erlangen.nn.lie_gnn import LieGNN

__all__ = ["LieGNN"]
