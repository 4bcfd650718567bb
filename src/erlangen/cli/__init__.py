"""The command line: fit, discover, audit, adapt, expressivity, relu-dimension, crystals, microstructures, stand,
rest-shape, binaries, divide, locate, run, zoo, list.

Thin: each is a few calls.

Nothing heavy is imported before a command is known, so that ``--help`` answers at once.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import Any, NoReturn

import tyro

from erlangen.cli.binaries import run_binaries
from erlangen.cli.commands import (
    Adapt,
    Audit,
    Binaries,
    Command,
    Crystals,
    Discover,
    Divide,
    Expressivity,
    Fit,
    List,
    Locate,
    Microstructures,
    ReluDimension,
    RestShape,
    Run,
    Stand,
    Zoo,
)
from erlangen.cli.crystals import run_crystals
from erlangen.cli.divide import run_divide
from erlangen.cli.handlers import (
    run_adapt,
    run_audit,
    run_discover,
    run_expressivity,
    run_fit,
    run_list,
    run_relu_dimension,
    run_study,
)
from erlangen.cli.locate import run_locate
from erlangen.cli.microstructures import run_microstructures
from erlangen.cli.solids import run_rest_shape, run_stand
from erlangen.cli.words import continued, flags_of, in_flags
from erlangen.cli.zoo import run_zoo
from erlangen.errors import ErlangenError

__all__ = ["main"]


def main(argv: list[str] | None = None) -> None:
    """Parse and run one command; exit code 2 for unusable input and files that cannot be read or written, 130 when interrupted."""
    argv = sys.argv[1:] if argv is None else argv
    flags: dict[str, str] = {}
    try:
        if argv[:1] == ["run"] and argv[1:] and not argv[1].startswith("-"):
            from erlangen.studies import load_study

            flags |= flags_of(Run)
            study = load_study(argv[1])
            flags |= flags_of(study.config)
            run_study(study, argv[2:])
            return
        command = tyro.cli(Command, prog="erlangen", args=argv, description="Symmetry in data, models and designs.")  # type: ignore[arg-type]
        handlers: dict[type, Callable[[Any], None]] = {
            Fit: run_fit,
            Discover: run_discover,
            Audit: run_audit,
            Adapt: run_adapt,
            List: run_list,
            Zoo: run_zoo,
            Crystals: run_crystals,
            Microstructures: run_microstructures,
            Stand: run_stand,
            RestShape: run_rest_shape,
            Binaries: run_binaries,
            Divide: run_divide,
            Locate: run_locate,
            Expressivity: run_expressivity,
            ReluDimension: run_relu_dimension,
        }
        flags |= flags_of(type(getattr(command, "do", command)))  # of commands with commands of their own
        handlers[type(command)](command)
        sys.stdout.flush()
    except ErlangenError as error:
        _end(in_flags(str(error), flags))
    except BrokenPipeError:
        # Who read the output has seen enough (``erlangen list | head -1``); what is left in the buffer would fail once more at the exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(1) from None
    except OSError as error:
        where = f"'{error.filename}': " if error.filename else ""
        _end(f"{where}{error.strerror or error}")
    except KeyboardInterrupt as stop:
        directory = getattr(stop, "directory", None)
        said = str(stop) if directory is None else f"stopped; continue with: {continued(argv, directory)}"
        print(f"\nerlangen: interrupted{f': {said}' if said else ''}", file=sys.stderr)
        raise SystemExit(130) from None
    finally:
        _leave_together()


def _end(message: str) -> NoReturn:
    """One line, and exit code 2."""
    print(f"erlangen: error: {' '.join(message.split())}", file=sys.stderr)
    raise SystemExit(2) from None


def _leave_together() -> None:
    """End the communication of several processes before the first of them exits: the others would abort."""
    distributed = sys.modules.get("torch.distributed")
    if distributed is not None and distributed.is_available() and distributed.is_initialized():
        distributed.destroy_process_group()
