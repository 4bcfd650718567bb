"""How a command ends that has written a report: in JSON, or in its answer and where files lie."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from erlangen.reporting import Outcome


def tell(outcome: Outcome, path: Path, as_json: bool, *after: str, before: Iterable[str] = ()) -> None:
    """Print what was found.

    Args:
        outcome: its answer, and its metrics in JSON.
        path: the report's.
        as_json: print JSON alone.
        after, before: lines after and before the answer.
    """
    from erlangen.reporting import plain

    if as_json:
        print(json.dumps(plain({"answer": outcome.answer, **outcome.metrics, "report": str(path)}), indent=2))
        return
    print(*before, outcome.answer, *after, f"report: {path}", sep="\n")
