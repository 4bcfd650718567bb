"""What installed packages offer by name, found without importing them: data sets, studies."""

from __future__ import annotations

from importlib.metadata import EntryPoint, entry_points

from erlangen.errors import ArgumentError


def offered(group: str) -> tuple[str, ...]:
    """The names in a group of entry points, sorted.

    Args:
        group: of entry points, e.g. ``"erlangen.data"``.

    >>> "two-body" in offered("erlangen.data")
    True
    """
    return tuple(sorted({entry.name for entry in entry_points(group=group)}))


def offer(group: str, name: str) -> EntryPoint | None:
    """What is offered under a name; ``None`` where nothing is.

    Raises:
        ArgumentError: different things are. Other names are not touched by that: one package does not shut out all.

    >>> offer("erlangen.data", "two-body").value
    'erlangen.fields.mechanics:two_body_forecast'
    """
    found = {entry.value: entry for entry in entry_points(group=group) if entry.name == name}
    if len(found) > 1:
        raise ArgumentError(group, f"one thing of the name '{name}'", " and ".join(found))
    return next(iter(found.values()), None)


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
