"""Every fault against the properties: who finds what."""

from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ProcessPoolExecutor, as_completed

from properties.faults.catalogue import FAULTS
from properties.why import Found, counterexample


def matrix(
    ids: tuple[str, ...], jobs: int, progress: Callable[[str], None], executor: Executor | None = None
) -> Iterator[Found]:
    """What becomes of each fault, all of them where none are named, in the order in which they are settled.

    Work goes to `executor`, or to as many processes as there are jobs; workers receive ids.
    """
    chosen = ids or tuple(fault.id for fault in FAULTS)
    if executor is None and jobs == 1:
        for number, identifier in enumerate(chosen, 1):
            progress(f"{number}/{len(chosen)} {identifier}")
            yield counterexample(identifier)
        return
    with executor or ProcessPoolExecutor(jobs) as pool:
        futures = [pool.submit(counterexample, identifier) for identifier in chosen]
        for number, future in enumerate(as_completed(futures), 1):
            found = future.result()
            progress(f"{number}/{len(chosen)} {found.fault}")
            yield found
