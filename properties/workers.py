"""Tasks for several processes, which end with the budget; workers receive names."""

import time
from collections.abc import Callable, Hashable, Mapping
from concurrent.futures import Future, ProcessPoolExecutor, wait
from typing import Any, TypeVar

K = TypeVar("K", bound=Hashable)
R = TypeVar("R")
Task = tuple[Callable[..., R], tuple[Any, ...]]
"""A function of a module, and what it is called with."""


def performed(
    tasks: Mapping[K, Task[R]], jobs: int, deadline: float | None, progress: Callable[[int, int], None]
) -> dict[K, R]:
    """What comes of tasks, by their names, in the order in which they are begun; without those that end too late.

    `deadline` is on the clock `time.monotonic`. `progress` is told how many are done, and of how many.
    """
    if deadline is None and (jobs == 1 or len(tasks) < 2):
        done: dict[K, R] = {}
        for name, (function, arguments) in tasks.items():
            progress(len(done), len(tasks))
            done[name] = function(*arguments)
        return done
    if not tasks:
        return {}
    pool = ProcessPoolExecutor(min(jobs, len(tasks)))
    futures = {name: pool.submit(function, *arguments) for name, (function, arguments) in tasks.items()}
    pending: set[Future[R]] = set(futures.values())
    try:
        while pending and (deadline is None or time.monotonic() < deadline):
            left = 1.0 if deadline is None else min(1.0, max(0.0, deadline - time.monotonic()))
            pending = wait(pending, left).not_done
            progress(len(tasks) - len(pending), len(tasks))
        return {name: future.result() for name, future in futures.items() if future not in pending}
    finally:
        stop(pool, complete=not pending)


def stop(pool: ProcessPoolExecutor, complete: bool) -> None:
    """Let the workers go, at once where their work is not wanted any more."""
    if not complete:
        for process in list((getattr(pool, "_processes", None) or {}).values()):
            process.terminate()
    pool.shutdown(wait=complete, cancel_futures=True)
