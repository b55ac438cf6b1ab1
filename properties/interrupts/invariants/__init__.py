"""What holds of every reachable state of interrupts: the invariants that the proofs assume and establish.

Those of maps speak of one key at a time. Together they say where an interrupt may be between its device and its guest,
and that whoever has to look for it will. Of a concrete state most premises are plainly false: what would follow from
one of these is not evaluated, since list registers are many. Formulas are the same without it.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from model.vgic.design import VgicDesign
from model.vgic.state import VgicState
from properties.interrupts.invariants import accesses, delivery, interface, lists, threads

Invariant = Callable[[VgicDesign, VgicState], Any]
INVARIANTS: Mapping[str, Invariant] = MappingProxyType(
    {
        function.__name__: function
        for function in (
            threads.threads_placed,
            threads.threads_sleep,
            threads.interrupts_masked,
            threads.lock_held,
            threads.mode_told,
            threads.signals_heard,
            threads.power_awaited,
            accesses.access_begun,
            accesses.accesses_performed,
            interface.interface_off,
            interface.interface_moved,
            interface.lists_worn,
            interface.status_saved,
            interface.interface_enabled,
            lists.numbers_apart,
            lists.lists_known,
            lists.map_true,
            lists.one_holder,
            lists.status_true,
            lists.lists_full,
            lists.overflow_full,
            lists.flight_listed,
            lists.interrupts_formed,
            delivery.waiting_noted,
            delivery.holders_told,
            delivery.flush_complete,
            delivery.lists_pruned,
            delivery.ends_sampled,
            delivery.noted_kicked,
            delivery.sleepers_woken,
            delivery.occupied_noted,
        )
    }
)
"""Every invariant by its name."""
