"""What installed packages offer by name, found without importing them: data sets, studies."""

from __future__ import annotations

from importlib.metadata import EntryPoint, entry_points

from erlangen.errors import ArgumentError


def offered(group: str) -> dict[str, EntryPoint]:
    """The entry points of a group, by name, sorted.

    Args:
        group: of entry points, e.g. ``"erlangen.data"``.

    Raises:
        ArgumentError: different things are offered under one name.

    >>> "two-body" in offered("erlangen.data")
    True
    """
    found: dict[str, EntryPoint] = {}
    for entry in entry_points(group=group):
        other = found.setdefault(entry.name, entry)
        if other.value != entry.value:
            raise ArgumentError(group, f"one thing of the name '{entry.name}'", f"{other.value} and {entry.value}")
    return dict(sorted(found.items()))


def refusal(group: str, argument: str, what: str, name: str, hint: str = "") -> ArgumentError:
    """The error for a name that nobody offers: it lists those there are.

    Args:
        group: of entry points.
        argument: that has the name.
        what: is expected, e.g. ``"a built-in data set"``.
        name: which came.
        hint: what else may be done. Where nothing at all is offered, not even by Erlangen, it is to install again.
    """
    known = ", ".join(offered(group))
    if not known:
        hint = REFRESH
    return ArgumentError(argument, f"{what} ({known or 'none is installed'})", repr(name), hint)


REFRESH = "Erlangen's entry points are older than its code; install it again (in a clone: pip install -e .)"
