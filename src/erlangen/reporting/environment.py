"""What a run used: package versions and peak memory."""

from __future__ import annotations

import platform
import sys
from importlib.metadata import PackageNotFoundError, version

CORE = ("erlangen", "torch", "numpy", "scipy", "sympy", "plotly")


def versions(*packages: str) -> dict[str, str]:
    """Versions of Python, of the core packages and of ``packages``, read without importing them.

    A package that is not installed is ``"absent"``.

    >>> versions("no-such-package")["no-such-package"]
    'absent'
    """
    found = {"python": platform.python_version()}
    for package in (*CORE, *packages):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "absent"
    return found


def peak_memory_mb() -> float:
    """The largest resident memory of this process so far, in MiB.

    >>> peak_memory_mb() > 1
    True
    """
    if sys.platform == "win32":
        import psutil

        return psutil.Process().memory_info().peak_wset / 2**20
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # KiB on Linux, bytes on macOS
    return peak / 2**20 if sys.platform == "darwin" else peak / 2**10
