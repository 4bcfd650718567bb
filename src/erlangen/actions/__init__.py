"""How groups act on data of any kind."""

from erlangen.actions.base import Action
from erlangen.actions.records import Record, as_action

__all__ = ["Action", "Record", "as_action"]
