"""Independent jobs on several cores or machines, through joblib: one function, and a backend by name."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Any, Literal, TypeVar

from erlangen.errors import ArgumentError, ErlangenError
from erlangen.extras import engine

Item = TypeVar("Item")
Result = TypeVar("Result")
Backend = Literal["sequential", "threading", "loky", "dask"]


@contextmanager
def one_thread() -> Iterator[None]:
    """Keep torch to one thread inside: small networks lose more by dividing their work than they gain.

    >>> import torch
    >>> with one_thread():
    ...     torch.get_num_threads()
    1
    """
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


class JobError(ErlangenError):
    """A job failed; the message names its item and the cause is attached."""


def run_jobs(
    function: Callable[[Item], Result],
    items: Iterable[Item],
    *,
    jobs: int = 1,
    backend: Backend = "loky",
    cluster: str | None = None,
    description: str = "",
) -> list[Result]:
    """Apply ``function`` to each item and return the results in the order of the items.

    Every worker keeps torch to one thread, so that ``jobs`` workers use ``jobs`` cores. Randomness belongs into the items (a seed each).

    Args:
        function: a picklable function for backends with processes.
        items: one argument each.
        jobs: workers; 1 runs them here, one after another, whatever the backend.
        backend: ``"sequential"``, ``"threading"``, ``"loky"`` (processes) or ``"dask"``.
        cluster: address of a Dask scheduler, e.g. ``"tcp://host:8786"``; with ``"dask"`` and no address a local cluster is started.
        description: what the progress bar says; without it there is no bar.

    Raises:
        ArgumentError: an unknown backend or ``jobs`` below 1.
        MissingExtra: ``"dask"`` without ``erlangen[cluster]``.
        JobError: a job raised; it names the item.

    >>> run_jobs(abs, [-1, 2, -3])
    [1, 2, 3]
    """
    if backend not in ("sequential", "threading", "loky", "dask"):
        raise ArgumentError("backend", "'sequential', 'threading', 'loky' or 'dask'", repr(backend))
    if jobs < 1:
        raise ArgumentError("jobs", "at least one worker", repr(jobs))
    work = list(items)
    from erlangen.reporting import progress

    with progress(len(work), description, quiet=not description) as bar:
        results = []
        for result in _results(function, work, jobs, backend, cluster):
            results.append(result)
            bar.advance()
    return results


def _results(function: Callable[[Any], Any], work: list[Any], jobs: int, backend: Backend, cluster: str | None) -> Iterator[Any]:
    """The results in order, each as soon as it and those before it are there."""
    if backend == "sequential" or (jobs == 1 and backend != "dask"):
        yield from (_named(function, item) for item in work)
        return
    import torch
    from joblib import Parallel, delayed, parallel_config

    threads = torch.get_num_threads()
    try:
        with _client(jobs, cluster) if backend == "dask" else nullcontext(), parallel_config(backend=backend, n_jobs=jobs):
            yield from Parallel(return_as="generator")(delayed(_one_thread)(function, item) for item in work)
    finally:
        torch.set_num_threads(threads)  # workers of "threading" are in this process


def _one_thread(function: Callable[[Any], Any], item: Any) -> Any:
    with one_thread():
        return _named(function, item)


def _named(function: Callable[[Any], Any], item: Any) -> Any:
    try:
        return function(item)
    except Exception as error:
        raise JobError(f"the job for {item!r} failed: {type(error).__name__}: {error}") from error


def _client(jobs: int, cluster: str | None) -> Any:
    Client = engine("cluster", "distributed").Client
    return Client(cluster) if cluster else Client(n_workers=jobs, threads_per_worker=1, processes=True, dashboard_address=None)
