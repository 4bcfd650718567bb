"""Columns by name: "q1 q2, p1 p2" as tokens, names in quotes where they hold blanks, and patterns for many at once."""

from __future__ import annotations

import difflib
import itertools
import re
from collections import Counter
from collections.abc import Sequence

from erlangen.errors import ArgumentError

#: So many names a message lists.
LISTED = 12
_PARTS = re.compile(r"""\s*(?:'(?P<single>[^']*)'|"(?P<double>[^"]*)"|(?P<comma>,)|(?P<bare>[^\s,'"][^\s,]*))""")


def select(argument: str, text: str, names: Sequence[str], file: str) -> list[list[str]]:
    """The columns of each token that a text names.

    Blanks stand between the columns of one token and commas between tokens; a name with blanks or commas stands in quotes. ``*`` and ``?``
    stand for any text and any letter: a pattern by itself means all columns that fit, in one token; several patterns go together, and
    make a token for each text that all of them have in place of the ``*``.

    Raises:
        ArgumentError: a name or pattern without a column, a column twice, or tokens of unequal length.

    >>> select("tokens", "q1 q2, 'p 1' p2", ["q1", "q2", "p 1", "p2"], "a.csv")
    [['q1', 'q2'], ['p 1', 'p2']]
    >>> select("tokens", "E_* PX_*", ["E_0", "PX_0", "E_1", "PX_1", "y"], "a.csv")
    [['E_0', 'PX_0'], ['E_1', 'PX_1']]
    """
    if text.strip() in names:  # a column's name may itself hold blanks, commas and stars
        return [[text.strip()]]
    groups = [token for part in _split(argument, text) for token in _expanded(argument, part, names, file)]
    for name, count in Counter(name for group in groups for name in group).items():
        if count > 1:
            raise ArgumentError(argument, "each column once", f"'{name}' {count} times")
    if len({len(group) for group in groups}) > 1:
        lengths = ", ".join(f"'{' '.join(group)}' of length {len(group)}" for group in groups)
        raise ArgumentError(argument, "tokens of equal length", lengths)
    return groups


def listed(names: Sequence[str], near: str = "") -> str:
    """Names for a message: all of few, of many the most similar ones and how many there are.

    >>> listed([f"x{i}" for i in range(30)], "x29a")
    'x29, x9, x2, ... (30 in all)'
    """
    if len(names) <= LISTED:
        return ", ".join(names) or "none"
    first = difflib.get_close_matches(near, names, 5) or list(names[:LISTED])
    return f"{', '.join(first)}, ... ({len(names)} in all)"


def component(parts: Sequence[str]) -> str:
    """What the same component of all tokens is called: ``q1/p1``, or of many what their names share.

    >>> component(["q1", "p1"]), component([f"E_{i}" for i in range(20)])
    ('q1/p1', 'E_*')
    """
    shared = "".join(letters[0] for letters in itertools.takewhile(lambda letters: len(set(letters)) == 1, zip(*parts)))
    return f"{shared}*" if len(parts) > 4 and shared else "/".join(parts)


def _split(argument: str, text: str) -> list[list[tuple[str, bool]]]:
    """The names of each token, and whether they stood in quotes."""
    groups: list[list[tuple[str, bool]]] = [[]]
    at = 0
    while text[at:].strip():
        found = _PARTS.match(text, at)
        if found is None:
            raise ArgumentError(argument, "an end to every quote", repr(text))
        at = found.end()
        if found["comma"]:
            groups.append([])
        elif found["bare"] is not None:
            groups[-1].append((found["bare"], False))
        else:
            groups[-1].append((found["single"] if found["double"] is None else found["double"], True))
    if not all(groups):
        raise ArgumentError(argument, "column names between the commas", repr(text))
    return groups


def _expanded(argument: str, group: list[tuple[str, bool]], names: Sequence[str], file: str) -> list[list[str]]:
    """A group of names and patterns as tokens of names."""
    known = set(names)
    patterns = [name for name, quoted in group if not quoted and name not in known and ("*" in name or "?" in name)]
    for name, _ in group:
        if name not in known and name not in patterns:
            hint = "A name with blanks or commas stands in quotes" if any(name in other.split() for other in names) else ""
            raise ArgumentError(argument, f"columns of '{file}' ({listed(names, name)})", f"'{name}'", hint)
    fits = {pattern: _fits(argument, pattern, names, file) for pattern in patterns}
    if len(patterns) < 2:
        return [[column for name, _ in group for column in (list(fits[name].values()) if name in fits else [name])]]
    if len(patterns) < len(group):
        alone = next(name for name, _ in group if name not in fits)
        raise ArgumentError(argument, "patterns only, where there are several in one token", f"'{alone}' among them")
    texts = fits[patterns[0]]
    for pattern, found in fits.items():
        if odd := sorted(set(texts) ^ set(found)):
            got = f"'{'/'.join(odd[0])}' for one of '{patterns[0]}' and '{pattern}' alone"
            raise ArgumentError(argument, "patterns that have the same texts in place of their stars", got)
    return [[found[key] for found in fits.values()] for key in texts]


def _fits(argument: str, pattern: str, names: Sequence[str], file: str) -> dict[tuple[str, ...], str]:
    """The columns that fit a pattern, by what stands in them for its stars."""
    expression = re.compile("".join({"*": "(.*)", "?": "(.)"}.get(letter, re.escape(letter)) for letter in pattern), re.DOTALL)
    found = {match.groups(): name for name in names if (match := expression.fullmatch(name))}
    if not found:
        raise ArgumentError(
            argument, f"a pattern of columns of '{file}' ({listed(names, pattern)})", f"'{pattern}', which fits none"
        )
    return found
