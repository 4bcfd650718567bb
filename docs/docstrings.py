"""Show the examples of docstrings as code: a Griffe extension for the reference pages.

The docstrings' examples are doctests that stand without a heading or a fence. Markdown would read `>>>` as a quotation.
"""

from __future__ import annotations

from typing import Any

from griffe import Extension, Object


class FenceExamples(Extension):
    """Put a fence around every doctest of a docstring."""

    def on_object(self, *, obj: Object, **_: Any) -> None:
        if obj.docstring is not None:
            obj.docstring.value = fence(obj.docstring.value)


def fence(text: str) -> str:
    """Fence each block that starts at a line with `>>>` and ends at a blank line.

    >>> print(fence("Doubles.\\n>>> double(2)\\n4").replace("`", "'"))
    Doubles.
    <BLANKLINE>
    '''pycon
    >>> double(2)
    4
    '''
    <BLANKLINE>
    """
    lines: list[str] = []
    fence_indent: str | None = None
    for line in [*text.splitlines(), ""]:
        if fence_indent is None and line.lstrip().startswith(">>>"):
            fence_indent = line[: len(line) - len(line.lstrip())]
            lines += ["", f"{fence_indent}```pycon"]
        elif fence_indent is not None and not line.strip():
            lines.append(f"{fence_indent}```")
            fence_indent = None
        lines.append(line)
    return "\n".join(lines)
