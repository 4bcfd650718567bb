"""Messages in the command line's words: what the library calls ``steps=60`` is ``--steps 60`` here."""

from __future__ import annotations

import dataclasses
import re
import shlex
from collections.abc import Mapping

#: What library functions call a thing that commands have a flag of another name for.
RENAMED = {"root": "out", "out": "out", "widths": "arch"}
_VALUE = r"""('[^']*'|"[^"]*"|[\w.+/-]*\w)"""


def flags_of(command: type) -> dict[str, str]:
    """How each argument of a command is spelled: ``--discover-steps``, or ``DATA`` where it has no flag.

    >>> from erlangen.cli.commands import Fit
    >>> spelled = flags_of(Fit)
    >>> spelled["data"], spelled["discover_steps"], spelled["root"]
    ('DATA', '--discover-steps', '--out')
    """
    found = {
        field.name: field.name.upper() if "Positional" in str(field.type) else f"--{field.name.strip('_').replace('_', '-')}"
        for field in dataclasses.fields(command)
    }
    found |= {name.strip("_"): flag for name, flag in found.items()}
    found |= {name: f"--{flag}" for name, flag in RENAMED.items() if name not in found}
    return found


def in_flags(text: str, flags: Mapping[str, str]) -> str:
    """A message of the library with the names of arguments as the command line has them.

    >>> in_flags("argument 'kind': expected a number. Text is read with kind='class'", {"kind": "--kind"})
    'argument --kind: expected a number. Text is read with --kind class'
    """

    def named(match: re.Match[str]) -> str:
        return f"argument {flags[match[1]]}:" if match[1] in flags else match[0]

    def valued(match: re.Match[str]) -> str:
        name, value = match[1], match[2]
        if name not in flags:
            return match[0]
        plain = value[1:-1] if value[0] in "'\"" else value
        return f"{flags[name]} {shlex.quote(plain)}"

    text = re.sub(r"^argument '(\w+)':", named, text)
    return re.sub(rf"(?<![\w-])(\w+)={_VALUE}", valued, text)


def continued(argv: list[str], directory: object) -> str:
    """The command that goes on where a fit was stopped.

    >>> continued(["fit", "my data.npz", "--resume", "runs/old"], "runs/new")
    "erlangen fit 'my data.npz' --resume runs/new"
    """
    kept = list(argv)
    while "--resume" in kept:
        at = kept.index("--resume")
        del kept[at : at + 2]
    return shlex.join(["erlangen", *(word for word in kept if not word.startswith("--resume=")), "--resume", str(directory)])
