"""Interruption: the interrupt key ends the command at once, with its workers, wherever its threads are.

A handler would run only between two instructions of the main thread, which may be inside the solver for minutes, and
the solver takes the signal for itself meanwhile. So every thread and worker blocks the signal, and one thread waits
for it.
"""

import multiprocessing
import os
import signal
import threading

from properties.command.output import WRITING, complain
from properties.command.status import Status


def end_on_interrupt() -> None:
    """Start the thread that ends the command; a command that ignores interrupts goes on ignoring them."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        return
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    threading.Thread(target=_wait, name="interrupt", daemon=True).start()


def _wait() -> None:
    signal.sigwait({signal.SIGINT})
    with WRITING:
        for worker in multiprocessing.active_children():
            worker.kill()
        complain("interrupted")
        os._exit(Status.INTERRUPTED)
