"""What holds of every reachable state of the memory system: the invariants that the proofs assume and establish.

Each speaks of one key of a map at a time, and follows a descriptor one step at the most: together they say what no one
of them does, that a table walk from a VM's root stays among the VM's own pages, however many there are.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from model.memory.design import MemoryDesign
from model.memory.state import MemoryState
from properties.memory.invariants import remains, tables, threads, translations

Invariant = Callable[[MemoryDesign, MemoryState], Any]


def by_name(*functions: Invariant) -> Mapping[str, Invariant]:
    """Invariants by their names."""
    return MappingProxyType({function.__name__: function for function in functions})


INVARIANTS: Mapping[str, Invariant] = by_name(
    tables.tables_own,
    tables.tables_shaped,
    tables.tables_linked,
    tables.roots,
    tables.leaves_backed,
    tables.backing_owned,
    translations.translations_own,
    translations.translations_justified,
    translations.vmids_allocated,
    translations.translations_tagged,
    translations.guests_current,
    translations.allocator_locked,
    translations.stage1_own,
    translations.guests_forced_out,
    threads.locks_held,
    threads.faults_validated,
    threads.unmapping_done,
    threads.stores_pending,
    threads.tables_detached,
    threads.spares_kept,
    threads.paths_there,
    tables.interfaces_mapped,
    threads.slots_apart,
    threads.structures_shared,
    threads.ends_alone,
    tables.tables_of_the_living,
)
"""Those that everything rests on: every action is proved to keep them, and every proof knows them."""
OF_FAULTS: Mapping[str, Invariant] = by_name(
    tables.leaves_accessible,
    threads.faults_named,
    threads.faults_pinned,
    threads.faults_settled,
)
"""What holds besides of faults and of what comes of them: asked and known only where a property needs it."""
OF_PAGES: Mapping[str, Invariant] = by_name(remains.pages_kept, remains.ends_attended)
"""The same of pages that were allocated for a VM."""
OF_SLOTS: Mapping[str, Invariant] = by_name(remains.slots_emptied, remains.deletions_attended)
"""The same of memory slots."""
