"""What holds of every thread by where it stands: its locks, the page and the tables in hand, the slot or VM it ends."""

from typing import Any

from model.memory.design import GUEST, Do, Fact, MemoryDesign
from model.memory.guards import in_routine, knows
from model.memory.state import DEAD, DYING, EMPTY, INVALID_SLOT, LEAF, NO_SLOT, POINTER, Core, MemoryState, Use
from model.memory.tables import backed, is_table, is_valid, protected, ram_descriptor, target
from properties.memory.invariants.terms import descriptors_of, on, translates_from
from properties.memory.steps import at_any
from properties.quantify import everywhere
from spec.words import bits, choose, either, every, implies, member, negate


def locks_held(design: MemoryDesign, state: MemoryState) -> Any:
    """Whoever holds a VM's mmu_lock is known by it; invalidations under way are counted."""
    found = []
    for number, vm in enumerate(state.vms):
        counted: Any = 0
        for position, core in enumerate(state.cores):
            holds = every(on(core, number), knows(design, core, Fact.MMU_LOCK))
            found.append((vm.mmu_lock == position + 1) == holds)
            counted = counted + choose(every(on(core, number), knows(design, core, Fact.COUNTED)), 1, 0)
        found.append(vm.count == counted)
    return every(*found)


def faults_validated(design: MemoryDesign, state: MemoryState) -> Any:
    """A page in hand is what user space has at the gfn, unless an invalidation is under way or has ended since."""
    found = []
    for position, core in enumerate(state.cores):
        for other in state.cores[position + 1 :]:
            host = every(in_routine(core, "reclaim", "replace"), in_routine(other, "reclaim", "replace"))
            found.append(implies(every(host, core.vm == other.vm), core.gfn != other.gfn))
        backing = state.backing.get((core.vm, core.gfn))
        holds = every(backed(backing), bits(backing, 27, 0) == core.page)
        writable = implies(core.read_only == 0, negate(protected(backing)))
        fresh = implies(knows(design, core, Fact.CLEANED), state.pages.get(core.page).stale == 0)
        for number, vm in enumerate(state.vms):
            here = on(core, number)
            undisturbed = every(vm.count == 0, vm.seq == core.seq)
            pinned = every(here, knows(design, core, Fact.PINNED), vm.seq == core.seq)
            changing = either(
                *(
                    every(on(c, number), knows(design, c, Fact.COUNTED), negate(knows(design, c, Fact.NUMBERED_UP)))
                    for c in state.cores
                )
            )
            found.append(implies(pinned, either(changing, every(holds, writable, fresh))))
            found.append(implies(every(here, knows(design, core, Fact.NUMBERED)), core.seq <= vm.seq))
            found.append(implies(every(here, knows(design, core, Fact.VALIDATED)), undisturbed))
        touching = in_routine(core, "fault", "interface", "reclaim", "replace")
        found.append(implies(either(touching, knows(design, core, Fact.ON_PAGE)), core.gfn < 1 << 28))
        still_there = every(backed(backing), state.pages.get(bits(backing, 27, 0)).stale == 0)
        found.append(implies(knows(design, core, Fact.SUBSTITUTED), still_there))
    return every(*found)


def faults_pinned(design: MemoryDesign, state: MemoryState) -> Any:
    """A page that was found for a fault is the VM's at that gfn, or was taken away since, and is given to nobody else;
    for a store it is one that may be written."""
    found = []
    for core in state.cores:
        page = state.pages.get(core.page)
        own = every(page.use == Use.RAM, page.vm == core.vm, page.base == core.gfn)
        pinned = every(either(page.use == Use.FREE, own), implies(core.write == 1, core.read_only == 0))
        found.append(implies(knows(design, core, Fact.PINNED), pinned))
    return every(*found)


def faults_named(design: MemoryDesign, state: MemoryState) -> Any:
    """A fault is decided on the page that faulted."""
    return every(*(implies(at_any(design, core, Do.DECIDE), core.gfn == core.true_gfn) for core in state.cores))


def faults_settled(design: MemoryDesign, state: MemoryState) -> Any:
    """A fault writes a descriptor only where there is another one, and it is there in the end, unless an invalidation
    came in between."""
    found = []
    for core in state.cores:
        for number, vm in enumerate(state.vms):
            upper, middle, leaf = descriptors_of(state, vm, core.gfn)
            there = leaf == ram_descriptor(design, core.page, core.read_only ^ 1)
            settled = either(vm.count != 0, vm.seq != core.seq, every(is_table(upper), is_table(middle), there))
            here = on(core, number)
            found.append(implies(every(here, knows(design, core, Fact.DIFFERS)), negate(there)))
            found.append(implies(every(here, knows(design, core, Fact.SETTLED)), settled))
    return every(*found)


def unmapping_done(design: MemoryDesign, state: MemoryState) -> Any:
    """A page that is being unmapped has no descriptor, then none that anybody sees, then no translation.

    The virtual CPU interface may come to be mapped there once the lock is free.
    """
    found = []
    for core in state.cores:
        waits, locked = core.pending, knows(design, core, Fact.MMU_LOCK)

        def leafless(word: int, descriptor: int, core: Core = core, waits: int = waits, locked: Any = locked) -> Any:
            table = state.pages.get(bits(word, 36, 9))
            ours = every(table.use == Use.TABLE, table.vm == core.vm, table.level == 3)
            about = either(locked, state.pages.get(target(descriptor)).use == Use.RAM)
            leaf = every(ours, is_valid(descriptor), translates_from(table, word, core.gfn), about)
            hidden = every(waits == 1, core.word == word)
            unseen = implies(every(leaf, knows(design, core, Fact.CLEARED)), hidden)
            return every(unseen, implies(leaf, negate(knows(design, core, Fact.SEEN))))

        def unknown(key: tuple[int, int, int, int], entry: Any, core: Core = core, locked: Any = locked) -> Any:
            ours = every(entry.valid == 1, key[3] == LEAF, entry.vm == core.vm, key[2] == core.gfn)
            about = either(locked, state.pages.get(entry.page).use == Use.RAM)
            return implies(every(ours, about), negate(knows(design, core, Fact.UNMAPPED)))

        found += [everywhere(state.memory, leafless), everywhere(state.tlb, unknown)]
    return every(*found)


def stores_pending(design: MemoryDesign, state: MemoryState) -> Any:
    """A cleared descriptor waits only while its VM's mmu_lock is held; it pointed to no table that is still in use."""
    found = []
    for core in state.cores:
        table = state.pages.get(bits(core.word, 36, 9))
        descriptor = state.memory.get(core.word)
        below = every(table.level < 3, is_valid(descriptor))
        unlinked = implies(below, state.pages.get(target(descriptor)).use == Use.DETACHED)
        holds = every(knows(design, core, Fact.STORING), knows(design, core, Fact.MMU_LOCK))
        opened = every(knows(design, core, Fact.OPEN), negate(knows(design, core, Fact.SEEN)))
        leaf = implies(table.level == 3, every(opened, translates_from(table, core.word, core.gfn)))
        own = every(holds, table.use == Use.TABLE, table.vm == core.vm, unlinked, leaf)
        found.append(implies(core.pending == 1, own))
    return every(*found)


def tables_detached(design: MemoryDesign, state: MemoryState) -> Any:
    """A table that was unlinked is pointed to by no descriptor that is seen, and then by no translation."""
    found = []
    for core in state.cores:
        page = state.pages.get(core.table)
        descriptor = state.memory.get(page.parent)
        hidden = every(core.pending == 1, core.word == page.parent)
        upper = state.pages.get(bits(page.parent, 36, 9))
        above = every(upper.use == Use.TABLE, upper.vm == core.vm)
        detached = every(page.use == Use.DETACHED, page.vm == core.vm, page.level > 1, above)
        found.append(
            implies(knows(design, core, Fact.DETACHING), every(detached, either(hidden, negate(is_valid(descriptor)))))
        )
        found.append(implies(knows(design, core, Fact.DETACHED_SEEN), negate(is_valid(descriptor))))

        def unknown(key: tuple[int, int, int, int], entry: Any, core: Core = core) -> Any:
            points = every(entry.valid == 1, key[3] == POINTER, entry.page == core.table)
            return implies(points, negate(knows(design, core, Fact.DETACHED_FLUSHED)))

        found.append(everywhere(state.tlb, unknown))
    return every(*found)


def spares_kept(design: MemoryDesign, state: MemoryState) -> Any:
    """A page that a vCPU keeps for a table is its own; there is one where a table may be linked."""
    found = []
    for number, core in enumerate(state.cores):
        for spare, fact in zip(core.spare, (Fact.SECOND, Fact.THIRD), strict=True):
            kept = state.pages.get(spare)
            found.append(implies(spare != 0, every(kept.use == Use.CACHE, kept.vm == core.vm)))
            found.append(implies(knows(design, core, fact), spare != 0))
        found.append(implies(core.spare[0] != 0, core.spare[0] != core.spare[1]))
        for other in state.cores[number + 1 :]:
            for spare in core.spare:
                found.append(implies(spare != 0, negate(member(spare, other.spare))))
    return every(*found)


def paths_there(design: MemoryDesign, state: MemoryState) -> Any:
    """Where a thread has seen to a table for the page in hand, there is one."""
    found = []
    for core in state.cores:
        for number, vm in enumerate(state.vms):
            upper, middle, _ = descriptors_of(state, vm, core.gfn)
            second = every(is_table(upper), state.pages.get(target(upper)).use == Use.TABLE)
            third = every(is_table(middle), state.pages.get(target(middle)).use == Use.TABLE)
            here = on(core, number)
            found.append(implies(every(here, knows(design, core, Fact.HAS_SECOND)), second))
            found.append(implies(every(here, knows(design, core, Fact.HAS_THIRD)), third))
    return every(*found)


def slots_apart(design: MemoryDesign, state: MemoryState) -> Any:
    """The slots of a VM do not overlap; while one is being deleted no fault handler works on it."""
    found = []
    for number, vm in enumerate(state.vms):
        first, second = vm.slots
        for slot in vm.slots:
            found.append(implies(slot.state != NO_SLOT, every(slot.pages != 0, slot.base + slot.pages <= 1 << 28)))
        apart = either(first.base + first.pages <= second.base, second.base + second.pages <= first.base)
        found.append(implies(every(first.state != NO_SLOT, second.state != NO_SLOT), apart))
        for position, core in enumerate(state.cores):
            slot = choose(core.slot == 0, first, second)
            deleting = every(on(core, number), knows(design, core, Fact.SYNCHRONIZED))
            inside = every(core.gfn >= slot.base, core.gfn < slot.base + slot.pages)
            marked = every(on(core, number), knows(design, core, Fact.MARKED))
            found.append(implies(marked, slot.state == INVALID_SLOT))
            found.append(implies(every(on(core, number), in_routine(core, "delete")), slot.state != NO_SLOT))
            found.append(implies(every(on(core, number), knows(design, core, Fact.ON_PAGE)), inside))
            for other in state.cores[:position] + state.cores[position + 1 :]:
                handles = every(on(other, number), knows(design, other, Fact.HANDLING))
                elsewhere = negate(every(other.gfn >= slot.base, other.gfn < slot.base + slot.pages))
                found.append(implies(every(deleting, handles), elsewhere))
                both = every(on(core, number), on(other, number), in_routine(core, "delete", "destroy", "interface"))
                found.append(implies(both, negate(in_routine(other, "delete", "destroy", "interface"))))
    return every(*found)


def structures_shared(design: MemoryDesign, state: MemoryState) -> Any:
    """Hyp mode's tables map the lowvisor's own pages and the structures of VMs that there are, and nothing else."""
    found = []
    for number, vm in enumerate(state.vms):
        page = state.pages.get(vm.structure)
        found.append(implies(vm.life != DEAD, every(page.use == Use.STRUCTURE, page.vm == number)))
        for core in state.cores:
            unshared = every(on(core, number), knows(design, core, Fact.UNSHARED))
            found.append(implies(unshared, state.hyp.get(vm.structure) == 0))

    def intended(key: int, mapped: int) -> Any:
        return implies(mapped == 1, member(state.pages.get(key).use, (Use.HYP, Use.STRUCTURE)))

    return every(everywhere(state.hyp, intended), *found)


def ends_alone(design: MemoryDesign, state: MemoryState) -> Any:
    """The end of a VM has no company, and leaves neither descriptor nor translation of it; a thread that has emptied it
    sees to the rest."""
    found = []
    for position, core in enumerate(state.cores):
        alone = knows(design, core, Fact.ALONE)
        for number, vm in enumerate(state.vms):
            ending = every(on(core, number), in_routine(core, "destroy"))
            emptied = knows(design, core, Fact.EMPTIED)
            found.append(implies(ending, choose(emptied, vm.life == EMPTY, vm.life == DYING)))
        for other in state.cores[:position] + state.cores[position + 1 :]:
            company = every(other.vm == core.vm, in_routine(other, "run", "fault", "reclaim", "replace", "interface"))
            found.append(implies(alone, negate(either(company, every(other.vm == core.vm, other.at == GUEST)))))

        def empty(word: int, descriptor: int, core: Core = core) -> Any:
            table = state.pages.get(bits(word, 36, 9))
            ours = every(table.use == Use.TABLE, table.vm == core.vm, is_valid(descriptor))
            return implies(ours, negate(knows(design, core, Fact.EMPTIED)))

        def forgotten(key: tuple[int, int, int, int], entry: Any, core: Core = core) -> Any:
            return implies(every(entry.valid == 1, entry.vm == core.vm), negate(knows(design, core, Fact.FORGOTTEN)))

        found += [everywhere(state.memory, empty), everywhere(state.tlb, forgotten)]
    for number, vm in enumerate(state.vms):
        ends = (every(on(core, number), knows(design, core, Fact.EMPTIED)) for core in state.cores)
        found.append(implies(vm.life == EMPTY, either(*ends)))
    return every(*found)
