"""`Outcome`: what a study, a fit or an audit returns, and how it is kept on disk."""

from __future__ import annotations

import datetime
import os
import secrets
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from erlangen.errors import ArgumentError
from erlangen.reporting.claims import Claims
from erlangen.reporting.environment import peak_memory_mb, versions
from erlangen.reporting.figures import Figure
from erlangen.reporting.parts import KeyNumber, Section, Table
from erlangen.reporting.plain import plain, to_json
from erlangen.reporting.rivals import Rival


def _now() -> str:
    return datetime.datetime.now().astimezone().isoformat(timespec="seconds")


@dataclass(frozen=True)
class Outcome:
    """Everything a run has to say.

    Args:
        name: short name, as in ``erlangen run NAME``.
        title: the report's headline.
        config: what the run was asked to do: a mapping or a config dataclass.
        claims: what was claimed, what was measured.
        left_out: announced claims that this run did not measure: the reason, by key.
        metrics: every number that was measured, nested by name.
        figures, tables: those that belong to no section.
        sections: the body of the report, in order.
        seconds: wall-clock time.
        peak_memory_mb: largest resident memory in MiB.
        versions: package versions.
        answer: the result in one sentence. Where there are rivals, it begins with who won, and the table of claims with their rows.
        key_numbers: the three to six numbers to see first.
        created: when, ISO 8601.
        rivals: the method beside the simplest strong thing that a user would pick instead.
        glossary: what the report's words mean, by word; those that occur in the report are explained at its end.

    >>> out = Outcome("demo", "A demonstration", {"seed": 0}, Claims(), metrics={"auc": 0.9})
    >>> out.as_dict()["metrics"]
    {'auc': 0.9}
    """

    name: str
    title: str
    config: Any
    claims: Claims = field(default_factory=Claims)
    metrics: Mapping[str, Any] = field(default_factory=dict)
    figures: Sequence[Figure] = ()
    sections: Sequence[Section] = ()
    tables: Sequence[Table] = ()
    seconds: float | None = None
    peak_memory_mb: float = field(default_factory=peak_memory_mb)
    versions: Mapping[str, str] = field(default_factory=versions)
    answer: str = ""
    key_numbers: Sequence[KeyNumber] = ()
    left_out: Mapping[str, str] = field(default_factory=dict)
    created: str = field(default_factory=_now)
    glossary: Mapping[str, str] = field(default_factory=dict)
    rivals: Sequence[Rival] = ()

    def __post_init__(self) -> None:
        if not isinstance(self.claims, Claims):
            object.__setattr__(self, "claims", Claims(self.claims))
        rows = [row for row in (rival.claim() for rival in self.rivals) if row not in self.claims]
        if rows:
            object.__setattr__(self, "claims", Claims((*rows, *self.claims)))
        if self.rivals and not self.answer.startswith(first := self.rivals[0].sentence()):
            object.__setattr__(self, "answer", f"{first} {self.answer}".strip())
        config = plain(self.config)
        if not isinstance(config, dict):
            raise ArgumentError("config", "a mapping or a dataclass", type(self.config).__name__)
        object.__setattr__(self, "config", config)

    def as_dict(self) -> dict[str, Any]:
        """Every number, those of claims, tables, matrices and figures included, ready for JSON."""
        return {
            "name": self.name,
            "title": self.title,
            "created": self.created,
            "answer": self.answer,
            "seconds": self.seconds,
            "peak_memory_mb": self.peak_memory_mb,
            "key_numbers": [plain(number) for number in self.key_numbers],
            "metrics": plain(self.metrics),
            "claims": self.claims.as_dict(),
            "left_out": dict(self.left_out),
            "tables": [table.as_dict() for table in self.tables],
            "sections": [section.as_dict() for section in self.sections],
            "figures": [figure.as_dict() for figure in self.figures],
            "versions": dict(self.versions),
        }

    def save(self, directory: str | os.PathLike[str], files: Mapping[str, Callable[[Path], object]] | None = None) -> Path:
        """Write ``config.json``, ``metrics.json``, ``claims.json`` and ``report.html``, all or nothing.

        They are written beside ``directory`` first and moved there when all of them are complete. A new or empty
        directory appears in one step; in one that holds something already (checkpoints), each file is replaced in one
        step, the report last.

        Args:
            directory: where to; its parents are made.
            files: more files to write with them: a name and a function that writes to the path it is given,
                e.g. ``{"model.safetensors": lambda path: save_file(weights, path)}``.

        Returns:
            The path of the report.
        """
        from erlangen.reporting.html import render

        target = Path(directory)
        with _beside(target) as temporary:
            temporary.mkdir()
            (temporary / "config.json").write_text(to_json(self.config), encoding="utf-8")
            (temporary / "metrics.json").write_text(to_json(self.as_dict()), encoding="utf-8")
            (temporary / "claims.json").write_text(to_json(self.claims), encoding="utf-8")
            for name, write in (files or {}).items():
                if Path(name).name != name:
                    raise ArgumentError("files", "names without folders", repr(name))
                write(temporary / name)
            (temporary / "report.html").write_text(render(self), encoding="utf-8", newline="\n")
            try:
                os.replace(temporary, target)
            except OSError:
                if not target.is_dir():
                    raise
                for path in sorted(temporary.iterdir(), key=lambda p: p.name == "report.html"):
                    os.replace(path, target / path.name)
        return target / "report.html"

    def report(self, path: str | os.PathLike[str]) -> Path:
        """Write only the HTML report, to ``path``, in one step; its folder is made."""
        from erlangen.reporting.html import render

        target = Path(path)
        with _beside(target) as temporary:
            temporary.write_text(render(self), encoding="utf-8", newline="\n")
            os.replace(temporary, target)
        return target


@contextmanager
def _beside(target: Path) -> Iterator[Path]:
    """A fresh path next to ``target`` (so that a move is one step), which is gone afterwards whatever happens."""
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.parent / f".{target.name}.{secrets.token_hex(4)}.part"
    try:
        yield temporary
    finally:
        if temporary.is_dir():
            shutil.rmtree(temporary, ignore_errors=True)
        else:
            temporary.unlink(missing_ok=True)
