"""What holds of every TLB entry and every VMID: what it leads to, what justifies it, and whose it is."""

from functools import partial
from typing import Any

from model.memory.design import GUEST, Do, Fact, MemoryDesign, place
from model.memory.guards import in_routine, knows
from model.memory.state import ALIVE, LEAF, POINTER, Core, MemoryState, Use
from model.memory.tables import is_table, protected, target
from properties.memory.invariants.terms import STANDING, TABLES, descriptors_of, is_current, is_recent, on, vmid_of
from properties.memory.steps import at_any
from properties.quantify import everywhere
from spec.words import bit, bits, choose, either, every, implies, member, negate


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
    """A translation that a VM may use is what its tables give, unless a thread is about to invalidate it."""

    def justified(key: tuple[int, int, int, int], entry: Any) -> Any:
        found = []
        whole = every(entry.valid == 1, key[3] == LEAF)
        for number, vm in enumerate(state.vms):
            opened = (
                every(on(core, number), core.gfn == key[2], knows(design, core, Fact.OPEN)) for core in state.cores
            )
            upper, middle, leaf = descriptors_of(state, vm, key[2])
            mapped = every(is_table(upper), is_table(middle), is_table(leaf), target(leaf) == entry.page)
            given = every(mapped, bit(leaf, 7) == entry.write)
            about = every(whole, entry.vm == number, member(vm.life, STANDING))
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
            done = every(on(core, index), at_any(design, core, Do.UNLOCK_VMID))
            found.append(implies(done, is_current(state, vm)))
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
