"""What holds of every reachable state of the memory system: the invariants that the proofs assume and establish.

Each speaks of one key of a map at a time, and follows a descriptor one step at the most: together they say what no one
of them does, that a table walk from a VM's root stays among the VM's own pages, however many there are.
"""

from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType
from typing import Any

from model.memory.design import GUEST, Do, Fact, MemoryDesign, place
from model.memory.guards import in_routine, knows
from model.memory.state import ALIVE, DEAD, DYING, EMPTY, LEAF, NO_SLOT, POINTER, Core, MemoryState, Page, Use, Vm
from model.memory.tables import access_of, backed, is_table, is_valid, protected, root_word, target, word_in
from properties.quantify import everywhere
from spec.words import bit, bits, choose, either, every, implies, member, negate

Invariant = Callable[[MemoryDesign, MemoryState], Any]
TABLES = (Use.TABLE, Use.DETACHED)
STANDING = (ALIVE, DYING)
"""The lives of a VM in which its tables stand."""


def first_gfn(table: Page, word: int) -> int:
    """The first gfn that a descriptor translates, by the table that it stands in."""
    index = bits(word, 8, 0)
    offset = choose(table.level == 1, index << 18, choose(table.level == 2, index << 9, index))
    return table.base | offset


def translates_from(table: Page, word: int, gfn: int) -> Any:
    """Whether a descriptor translates pages from this gfn on, by the table that it stands in."""
    index = bits(word, 8, 0)
    first = every(bits(gfn, 51, 27) == bits(table.base, 51, 27), bits(gfn, 26, 18) == index, bits(gfn, 17, 0) == 0)
    second = every(bits(gfn, 51, 18) == bits(table.base, 51, 18), bits(gfn, 17, 9) == index, bits(gfn, 8, 0) == 0)
    third = every(bits(gfn, 51, 9) == bits(table.base, 51, 9), bits(gfn, 8, 0) == index)
    return choose(table.level == 1, first, choose(table.level == 2, second, third))


def vmid_of(vttbr: int) -> int:
    """The VMID in a VTTBR."""
    return bits(vttbr, 55, 48)


def is_current(state: MemoryState, vm: Vm) -> Any:
    """Whether the VM has a VMID of the current generation."""
    return every(vm.life != DEAD, vm.generation == state.allocator.generation)


def is_recent(state: MemoryState, vm: Vm) -> Any:
    """Whether the VM's VMID is of the current generation or, while a flush is to come, of the one before."""
    before = every(state.allocator.flushing == 1, vm.generation + 1 == state.allocator.generation)
    return every(vm.life != DEAD, either(vm.generation == state.allocator.generation, before))


def on(core: Core, number: int) -> Any:
    """Whether the processor's thread works on the VM of that number, or its guest is one."""
    return core.vm == number


def is_ram_leaf(state: MemoryState, table: Page, descriptor: int) -> Any:
    """Whether a descriptor maps a page of a VM's memory."""
    return every(table.level == 3, is_valid(descriptor), state.pages.get(target(descriptor)).use == Use.RAM)


def tables_own(design: MemoryDesign, state: MemoryState) -> Any:
    """A valid descriptor leads to the VM's own next table, to its memory at that gfn, or to the GICV page."""

    def own(word: int, descriptor: int) -> Any:
        table, found = state.pages.get(bits(word, 36, 9)), state.pages.get(target(descriptor))
        placed = translates_from(table, word, found.base)
        hidden = either(*(every(core.pending == 1, core.word == word) for core in state.cores))
        linked = either(found.use == Use.TABLE, every(found.use == Use.DETACHED, hidden))
        below = every(
            linked, found.vm == table.vm, found.level == table.level + 1, placed,
            found.parent == word, table.level < 3, table.use == Use.TABLE,
        )  # fmt: skip
        memory = every(found.use == Use.RAM, found.vm == table.vm, placed)
        page = every(table.level == 3, table.use == Use.TABLE, either(memory, found.use == Use.GICV))
        lead = every(is_table(descriptor), either(below, page))
        ruled = implies(every(member(table.use, TABLES), is_valid(descriptor)), lead)
        return every(ruled, implies(table.use == Use.CACHE, negate(is_valid(descriptor))))

    return everywhere(state.memory, own)


def tables_shaped(design: MemoryDesign, state: MemoryState) -> Any:
    """A table has one of three levels, and begins where tables of its level begin."""

    def shaped(_: int, page: Page) -> Any:
        low = choose(page.level == 1, bits(page.base, 26, 0), choose(page.level == 2, bits(page.base, 17, 0), 0))
        low = choose(page.level == 3, bits(page.base, 8, 0), low)
        return implies(member(page.use, TABLES), every(page.level > 0, low == 0, page.base < 1 << 28))

    return everywhere(state.pages, shaped)


def tables_linked(design: MemoryDesign, state: MemoryState) -> Any:
    """Each table of a living VM but the first-level ones is what its parent's descriptor points to."""
    linked = []
    for number, vm in enumerate(state.vms):

        def below(key: int, page: Page, number: int = number, vm: Vm = vm) -> Any:
            upper = state.pages.get(bits(page.parent, 36, 9))
            descriptor = state.memory.get(page.parent)
            points = every(is_table(descriptor), target(descriptor) == key, upper.use == Use.TABLE, upper.vm == number)
            placed = every(upper.level + 1 == page.level, translates_from(upper, page.parent, page.base))
            own = every(page.use == Use.TABLE, page.vm == number, member(vm.life, STANDING))
            first = either(key == vm.root, key == vm.root | 1)
            return implies(own, choose(page.level == 1, first, every(points, placed)))

        linked.append(everywhere(state.pages, below))
    return every(*linked)


def roots(design: MemoryDesign, state: MemoryState) -> Any:
    """A living VM's two first-level tables are where its root says, and VTTBR points there."""
    found = []
    for number, vm in enumerate(state.vms):
        low, high = state.pages.get(vm.root), state.pages.get(vm.root | 1)
        both = (
            every(page.use == Use.TABLE, page.vm == number, page.level == 1, page.base == base)
            for page, base in ((low, 0), (high, 1 << 27))
        )
        whole = every(bits(vm.vttbr, 47, 0) == vm.root << 12, bits(vm.vttbr, 63, 56) == 0)
        pointed = either(vm.vttbr == 0, whole)
        found.append(implies(member(vm.life, STANDING), every(bit(vm.root, 0) == 0, pointed, *both)))
    return every(*found)


def leaves_backed(design: MemoryDesign, state: MemoryState) -> Any:
    """A page of memory is mapped only where it is what user space has there, and for writes only if it may be written.

    Main memory holds nothing of its previous owner.
    """

    def covered(word: int, descriptor: int) -> Any:
        table, found = state.pages.get(bits(word, 36, 9)), state.pages.get(target(descriptor))
        backing = state.backing.get((table.vm, found.base))
        same_page = every(backed(backing), bits(backing, 27, 0) == target(descriptor))
        writable = implies(bit(access_of(descriptor), 1) == 1, negate(protected(backing)))
        fresh = found.stale == 0
        mapped = every(table.use == Use.TABLE, is_ram_leaf(state, table, descriptor))
        return implies(mapped, every(same_page, writable, fresh))

    return everywhere(state.memory, covered)


def backing_owned(design: MemoryDesign, state: MemoryState) -> Any:
    """What user space has at a gfn is memory of that VM at that gfn."""

    def owned(key: tuple[int, int], backing: int) -> Any:
        page = state.pages.get(bits(backing, 27, 0))
        return implies(backed(backing), every(page.use == Use.RAM, page.vm == key[0], page.base == key[1]))

    return everywhere(state.backing, owned)


def translations_own(design: MemoryDesign, state: MemoryState) -> Any:
    """A TLB's translation leads to memory of the VM that it was loaded for, or to its table, or to the GICV page."""

    def own(key: tuple[int, int, int, int], entry: Any) -> Any:
        page = state.pages.get(entry.page)
        memory = every(page.use == Use.RAM, page.vm == entry.vm, page.base == key[2])
        table = every(
            member(page.use, TABLES), page.vm == entry.vm, page.level == 3, page.base == bits(key[2], 27, 9) << 9
        )
        leads = choose(key[3] == POINTER, table, either(memory, page.use == Use.GICV))
        writable = implies(
            every(key[3] == LEAF, entry.write == 1, page.use == Use.RAM),
            negate(protected(state.backing.get((entry.vm, key[2])))),
        )
        fresh = implies(every(key[3] == LEAF, page.use == Use.RAM), page.stale == 0)
        return implies(entry.valid == 1, every(leads, writable, fresh, key[1] != 0))

    return everywhere(state.tlb, own)


def translations_justified(design: MemoryDesign, state: MemoryState) -> Any:
    """A translation of a VM's memory is what its tables give, unless a thread is about to invalidate it."""

    def justified(key: tuple[int, int, int, int], entry: Any) -> Any:
        found = []
        memory = every(entry.valid == 1, key[3] == LEAF, state.pages.get(entry.page).use == Use.RAM)
        for number, vm in enumerate(state.vms):
            opened = (
                every(on(core, number), core.gfn == key[2], knows(design, core, Fact.OPEN)) for core in state.cores
            )
            upper = state.memory.get(root_word(vm, key[2]))
            middle = state.memory.get(word_in(target(upper), bits(key[2], 17, 9)))
            leaf = state.memory.get(word_in(target(middle), bits(key[2], 8, 0)))
            mapped = every(is_table(upper), is_table(middle), is_table(leaf), target(leaf) == entry.page)
            given = every(mapped, implies(entry.write == 1, bit(leaf, 7) == 1))
            about = every(memory, entry.vm == number, member(vm.life, STANDING))
            found.append(implies(about, either(given, *opened)))
        return every(*found)

    return everywhere(state.tlb, justified)


def vmids_allocated(design: MemoryDesign, state: MemoryState) -> Any:
    """A VMID of the current generation is one that the allocator has given out, and belongs to one VM."""
    allocator = state.allocator
    found = [allocator.next <= allocator.last, allocator.last > 0, allocator.generation > allocator.flushing]
    for number, vm in enumerate(state.vms):
        current, vmid = is_current(state, vm), vmid_of(vm.vttbr)
        given = every(vmid != 0, either(allocator.next == 0, vmid < allocator.next))
        found.append(vm.generation <= allocator.generation)
        found.append(implies(current, every(given, allocator.flushing == 0)))
        for other in state.vms[number + 1 :]:
            both = every(is_recent(state, vm), is_recent(state, other))
            found.append(implies(both, vmid != vmid_of(other.vttbr)))
    return every(*found)


def translations_tagged(design: MemoryDesign, state: MemoryState) -> Any:
    """A VM's translations have its VMID, of the current generation unless a flush is to come; no other VM has it."""
    allocator = state.allocator

    def tagged(key: tuple[int, int, int, int], entry: Any) -> Any:
        vmid = key[1]
        given = either(allocator.flushing == 1, allocator.next == 0, vmid < allocator.next)
        found = [given]
        for number, vm in enumerate(state.vms):
            recent = is_recent(state, vm)
            found.append(implies(entry.vm == number, every(vmid == vmid_of(vm.vttbr), recent)))
            found.append(implies(every(entry.vm != number, recent), vmid != vmid_of(vm.vttbr)))
        return implies(entry.valid == 1, every(*found))

    return everywhere(state.tlb, tagged)


def guests_current(design: MemoryDesign, state: MemoryState) -> Any:
    """A guest runs with its VM's own VTTBR, of the current generation unless all guests are being forced out."""
    found = []
    for core in state.cores:
        for number, vm in enumerate(state.vms):
            here = on(core, number)
            current = is_recent(state, vm)
            runs = every(core.vttbr == vm.vttbr, vmid_of(vm.vttbr) != 0, vm.life == ALIVE, current)
            found.append(implies(every(here, core.at == GUEST), runs))
            checked = every(here, knows(design, core, Fact.CHECKED))
            found.append(implies(checked, every(current, vmid_of(vm.vttbr) != 0)))
            threads = either(core.at == GUEST, in_routine(core, "run", "fault"))
            found.append(implies(every(here, threads), vm.life == ALIVE))
            running = in_routine(core, "reclaim", "replace", "delete", "interface")
            found.append(implies(every(here, running), member(vm.life, STANDING)))
    return every(*found)


def allocator_locked(design: MemoryDesign, state: MemoryState) -> Any:
    """Whoever holds kvm_vmid_lock is known by it, and a VMID that was taken belongs to nobody yet."""
    allocator = state.allocator
    found = []
    for number, core in enumerate(state.cores):
        found.append((allocator.lock == number + 1) == knows(design, core, Fact.VMID_LOCK))
        rolling = knows(design, core, Fact.ROLLING)
        found.append(implies(rolling, every(allocator.flushing == 1, allocator.next == 1)))
        found.append(implies(every(allocator.flushing == 1, allocator.lock == number + 1), rolling))
        found.append(implies(allocator.flushing == 1, allocator.lock != 0))
        at_take = either(*(core.at == place("run", n) for n, s in enumerate(design.run) if s.do is Do.TAKE_VMID))
        found.append(implies(every(at_take, allocator.lock == number + 1), allocator.next != 0))
        taken = knows(design, core, Fact.TAKEN)
        free = every(
            core.vmid != 0,
            either(allocator.next == 0, core.vmid < allocator.next),
            *(implies(is_current(state, vm), core.vmid != vmid_of(vm.vttbr)) for vm in state.vms),
            everywhere(state.tlb, partial(has_other_vmid, core)),
            everywhere(state.stage1_tlb, partial(has_other_vmid, core)),
        )
        found.append(implies(taken, free))
        written = knows(design, core, Fact.WRITTEN)
        for index, vm in enumerate(state.vms):
            found.append(implies(every(written, on(core, index)), vmid_of(vm.vttbr) == core.vmid))
            old = every(knows(design, core, Fact.OUTDATED), on(core, index))
            found.append(implies(old, vm.generation != allocator.generation))
    return every(*found)


def has_other_vmid(core: Core, key: tuple[int, ...], entry: Any) -> Any:
    """Whether a translation has another VMID than the one that the processor's thread took."""
    return implies(entry.valid == 1, key[1] != core.vmid)


def stage1_own(design: MemoryDesign, state: MemoryState) -> Any:
    """A processor's stage 1 translations under a VM's VMID are those of the vCPU of it that ran there last."""
    allocator = state.allocator

    def tagged(key: tuple[int, int], entry: Any) -> Any:
        given = either(allocator.flushing == 1, allocator.next == 0, key[1] < allocator.next)
        found = [every(given, key[1] != 0)]
        for number, vm in enumerate(state.vms):
            for position, core in enumerate(state.cores):
                here = every(key[0] == position, key[1] == vmid_of(vm.vttbr), is_recent(state, vm))
                found.append(implies(here, entry.vcpu + 1 == vm.ran_last[position]))
                loads = every(on(core, number), knows(design, core, Fact.APART))
                found.append(implies(every(here, loads), entry.vcpu == core.vcpu))
        return implies(entry.valid == 1, every(*found))

    ran = []
    for position, core in enumerate(state.cores):
        for number, vm in enumerate(state.vms):
            runs = either(core.at == GUEST, knows(design, core, Fact.LOADED))
            ran.append(implies(every(on(core, number), runs), vm.ran_last[position] == core.vcpu + 1))
    return every(everywhere(state.stage1_tlb, tagged), *ran)


def guests_forced_out(design: MemoryDesign, state: MemoryState) -> Any:
    """Once a new generation has sent its interrupts, who has not taken one yet is the only one still in a guest."""
    found = []
    for number, core in enumerate(state.cores):
        for other in state.cores[:number] + state.cores[number + 1 :]:
            inside = either(other.at == GUEST, knows(design, other, Fact.CHECKED))
            found.append(implies(knows(design, core, Fact.SENT), either(other.ipi == 1, negate(inside))))
            found.append(implies(knows(design, core, Fact.KICKED), negate(inside)))
    return every(*found)


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
                    every(
                        on(c, number), knows(design, c, Fact.COUNTED), negate(knows(design, c, Fact.NUMBERED_UP))
                    )
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


def unmapping_done(design: MemoryDesign, state: MemoryState) -> Any:
    """A page that is being unmapped has no descriptor, then none that anybody sees, then no translation."""
    found = []
    for core in state.cores:
        waits = core.pending

        def leafless(word: int, descriptor: int, core: Core = core, waits: int = waits) -> Any:
            table = state.pages.get(bits(word, 36, 9))
            at_hand = state.pages.get(target(descriptor)).base == core.gfn
            ours = every(table.use == Use.TABLE, table.vm == core.vm, at_hand)
            leaf = every(ours, is_ram_leaf(state, table, descriptor))
            hidden = every(waits == 1, core.word == word)
            unseen = implies(every(leaf, knows(design, core, Fact.CLEARED)), hidden)
            return every(unseen, implies(leaf, negate(knows(design, core, Fact.SEEN))))

        def unknown(key: tuple[int, int, int, int], entry: Any, core: Core = core) -> Any:
            ours = every(entry.valid == 1, key[3] == LEAF, entry.vm == core.vm, key[2] == core.gfn)
            memory = every(ours, state.pages.get(entry.page).use == Use.RAM)
            return implies(memory, negate(knows(design, core, Fact.UNMAPPED)))

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
            first = root_word(vm, core.gfn)
            upper = state.memory.get(first)
            middle = state.memory.get(word_in(target(upper), bits(core.gfn, 17, 9)))
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
            found.append(implies(deleting, slot.state == 2))
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
    """The end of a VM has no company, and leaves neither descriptor nor translation of it."""
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
    return every(*found)


def tables_of_the_living(design: MemoryDesign, state: MemoryState) -> Any:
    """A VM that is gone, or whose tables were freed, has no table."""

    def living(_: int, page: Page) -> Any:
        found = []
        for number, vm in enumerate(state.vms):
            found.append(implies(page.vm == number, vm.life != DEAD))
        for core in state.cores:
            found.append(implies(page.vm == core.vm, negate(knows(design, core, Fact.UNTABLED))))
        return implies(page.use == Use.TABLE, every(*found))

    return everywhere(state.pages, living)


INVARIANTS: Mapping[str, Invariant] = MappingProxyType(
    {
        function.__name__: function
        for function in (
            tables_own, tables_shaped, tables_linked, roots, leaves_backed, backing_owned, translations_own,
            translations_justified, vmids_allocated, translations_tagged, guests_current, allocator_locked, stage1_own,
            guests_forced_out, locks_held, faults_validated, unmapping_done, stores_pending, tables_detached,
            spares_kept, paths_there, slots_apart, structures_shared, ends_alone, tables_of_the_living,
        )
    }
)  # fmt: skip
"""Every invariant by its name."""
