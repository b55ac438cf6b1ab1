"""Stage 2 tables: whose they are, what they map, and how the highvisor changes them."""

from typing import Any

from model.action import Action
from model.design import Design
from model.memory.actions import ThreadSteps
from model.memory.design import Do, MemoryDesign
from model.memory.fault import wanted
from model.memory.state import Core, MemoryState, Use
from model.memory.tables import VALID, access_of, is_valid, look_up, protected, target
from model.state import State
from properties.memory.invariants import remains
from properties.memory.invariants import tables as invariants
from properties.memory.invariants.terms import TABLES, covers, first_gfn, is_device_only, is_ram_leaf
from properties.memory.steps import at_any, does, memory_of, routine
from properties.property import Kind, Property
from properties.quantify import everywhere
from spec.words import U1, bit, bits, either, every, implies, member, negate

READ_WRITE = 3
"""HAP of a page that may be read and written."""
LOOKS_UP = (
    Do.LINK_SECOND, Do.LINK_THIRD, Do.COMPARE, Do.BREAK, Do.SET_LEAF, Do.SET_LEAF_BLOCK, Do.CLEAR_LEAF, Do.DETACH_THIRD,
    Do.DETACH_SECOND, Do.SET_REPLACED, Do.SET_INTERFACE,
)  # fmt: skip
"""The steps that walk a VM's tables."""


def own(design: Design, before: State, action: Action, after: State) -> Any:
    """The predicate of TABLES_OWN."""
    return invariants.tables_own(design.memory, memory_of(after))


def broken_descriptor(design: Design, before: State, action: Action, after: State) -> str:
    """A descriptor that leads elsewhere, in words."""
    state = memory_of(after)
    for word, descriptor in state.memory.entries.items():
        table, found = state.pages.get(word >> 9), state.pages.get(target(descriptor))
        tables = member(table.use, TABLES)
        right = every(found.use == Use.RAM, found.vm == table.vm, found.base == first_gfn(table, word))
        below = every(member(found.use, TABLES), found.vm == table.vm)
        if tables and is_valid(descriptor) and not either(right, below, found.use == Use.GICV):
            place = f"VM{table.vm}'s descriptor of gfn {first_gfn(table, word):#x} at level {table.level}"
            return f"{place} leads to page {target(descriptor):#x}: {Use(found.use).name}"
    return "a descriptor does not lead to the VM's own next table, to its memory, or to its CPU interface"


TABLES_OWN = Property(
    id="memory.tables_own",
    statement="A valid descriptor leads to the VM's own next table, to its memory at that gfn, or to the GICV page.",
    claims=("C11", "C12"),
    question="What can a VM's stage 2 tables reach?",
    kind=Kind.STATE,
    about=(ThreadSteps,),
    holds=own,
    interesting=lambda d, b, a, s: does(d.memory, memory_of(b), a) is Do.SET_LEAF,
    explain=broken_descriptor,
)


def within_slots(design: Design, before: State, action: Action, after: State) -> Any:
    """The predicate of SLOTS_ONLY."""
    state = memory_of(after)
    found = []
    for number, vm in enumerate(state.vms):

        def covered(word: int, descriptor: int, number: int = number, slots: Any = vm.slots) -> Any:
            table = state.pages.get(bits(word, 36, 9))
            gfn = first_gfn(table, word)
            ours = every(table.use == Use.TABLE, table.vm == number, is_ram_leaf(state, table, descriptor))
            return implies(ours, either(*(covers(slot, gfn) for slot in slots)))

        found.append(everywhere(state.memory, covered))
    return every(remains.deletions_attended(design.memory, state), *found)


SLOTS_ONLY = Property(
    id="memory.slots_only",
    statement="A page of memory is mapped only where a slot of the VM has it, and a deleted slot is gone in the end.",
    claims=("C11",),
    question="What becomes of a VM's translations when user space deletes its memory slot?",
    kind=Kind.STATE,
    about=(ThreadSteps,),
    holds=within_slots,
    interesting=lambda d, b, a, s: does(d.memory, memory_of(b), a) is Do.REMOVE_SLOT,
    explain=lambda d, b, a, s: "a page is mapped that no slot of the VM has, or a slot stays marked invalid for ever",
)


def backed_by_user(design: Design, before: State, action: Action, after: State) -> Any:
    """The predicate of TABLES_BACKED."""
    state = memory_of(after)

    def covered(word: int, descriptor: int) -> Any:
        table = state.pages.get(bits(word, 36, 9))
        backing = state.backing.get((table.vm, first_gfn(table, word)))
        writable = implies(bit(access_of(descriptor), 1) == 1, negate(protected(backing)))
        mapped = every(table.use == Use.TABLE, is_ram_leaf(state, table, descriptor))
        hidden = either(*(every(c.pending == 1, c.word == word) for c in state.cores))
        return implies(every(mapped, negate(hidden)), every(bits(backing, 27, 0) == target(descriptor), writable))

    return everywhere(state.memory, covered)


TABLES_BACKED = Property(
    id="memory.tables_backed",
    statement="A page is mapped only while user space has it there, and for stores only while it may be written.",
    claims=("C11",),
    question="Why does the fault path read mmu_notifier_seq before it asks the host for a page?",
    kind=Kind.STATE,
    about=(ThreadSteps,),
    holds=backed_by_user,
    interesting=lambda d, b, a, s: does(d.memory, memory_of(b), a) is Do.VALIDATE,
    explain=lambda d, b, a, s: "a descriptor maps a page that user space does not have there (any more) in that way",
)


def broken_first(design: Design, before: State, action: Action, after: State) -> Any:
    """The predicate of BREAK_BEFORE_MAKE."""
    old, new = memory_of(before), memory_of(after)
    if old.memory is new.memory:
        return True

    def made(word: int, descriptor: int) -> Any:
        was = old.memory.get(word)
        table = old.pages.get(bits(word, 36, 9)).use == Use.TABLE
        return implies(every(table, is_valid(was), is_valid(descriptor)), was == descriptor)

    return everywhere(new.memory, made)


BREAK_BEFORE_MAKE = Property(
    id="memory.break_before_make",
    statement="No step puts a valid descriptor in the place of another one: it is cleared and flushed in between.",
    claims=("C11",),
    question="Why is a descriptor cleared before another one takes its place?",
    kind=Kind.STEP,
    about=(ThreadSteps,),
    holds=broken_first,
    interesting=lambda d, b, a, s: does(d.memory, memory_of(b), a) is Do.BREAK,
    explain=lambda d, b, a, s: "a valid descriptor is replaced by another one: TLBs may hold both at once",
)


def unchurned(design: Design, before: State, action: Action, after: State) -> Any:
    """The predicate of NO_CHURN."""
    state = memory_of(before)
    if does(design.memory, state, action) is not Do.BREAK:
        return True
    core = state.cores[action.cpu]
    found = look_up(state, core, state.vms[core.vm], core.gfn)
    return negate(every(found.mapped, found.leaf == wanted(design.memory, state, action.cpu)))


NO_CHURN = Property(
    id="memory.no_churn",
    statement="No descriptor is cleared to be written again as it was, so that siblings do not fault for nothing.",
    claims=("C13",),
    question="What if two vCPUs fault on one page at the same time?",
    kind=Kind.STEP,
    about=(ThreadSteps,),
    holds=unchurned,
    interesting=lambda d, b, a, s: does(d.memory, memory_of(b), a) is Do.COMPARE,
    explain=lambda d, b, a, s: "the descriptor is there already: cleared, it makes siblings fault, and they clear it",
)


def resolves(descriptor: int, write: U1) -> bool:
    """Whether a descriptor permits what a fault in hand asked for."""
    access = access_of(descriptor)
    return every(is_valid(descriptor), bits(access, 0, 0) == VALID, implies(write == 1, bits(access, 1, 1) == 1))


def fault_resolved(design: Design, before: State, action: Action, after: State) -> Any:
    """The predicate of FAULT_RESOLVED."""
    state = memory_of(before)
    core = state.cores[action.cpu]
    do = does(design.memory, state, action)
    vm = state.vms[core.vm]
    if do is Do.UNLOCK_MMU and routine(core) == "fault":
        leaf = look_up(state, core, vm, core.gfn).leaf
        return implies(every(vm.count == 0, vm.seq == core.seq), resolves(leaf, core.write))
    if do is Do.SET_INTERFACE:
        now = memory_of(after)
        return access_of(look_up(now, now.cores[action.cpu], vm, core.gfn).leaf) == READ_WRITE
    return True


FAULT_RESOLVED = Property(
    id="memory.fault_resolved",
    statement="A fault that was handled does not recur: the descriptor permits the access, or the host interfered.",
    claims=("C13",),
    question="Does a guest whose fault was handled get on?",
    kind=Kind.STEP,
    about=(ThreadSteps,),
    holds=fault_resolved,
    interesting=lambda d, b, a, s: (
        does(d.memory, memory_of(b), a) is Do.UNLOCK_MMU and routine(memory_of(b).cores[a.cpu]) == "fault"
    ),
    explain=lambda d, b, a, s: "the descriptor does not permit what the guest tried: the same fault follows, for ever",
)


def true_address(design: Design, before: State, action: Action, after: State) -> Any:
    """The predicate of FAULT_ADDRESS_TRUE."""
    state = memory_of(before)
    core = state.cores[action.cpu]
    return implies(at_any(design.memory, core, Do.DECIDE), core.gfn == core.true_gfn)


FAULT_ADDRESS_TRUE = Property(
    id="memory.fault_address_true",
    statement="The highvisor acts on the page that faulted, or that stage 1 now gives; never on an UNKNOWN HPFAR.",
    claims=("C13",),
    question="Why does the lowvisor translate the address of a permission fault once more?",
    kind=Kind.STEP,
    about=(ThreadSteps,),
    holds=true_address,
    interesting=lambda d, b, a, s: does(d.memory, memory_of(b), a) is Do.DECIDE,
    explain=lambda d, b, a, s: (
        f"the fault path handles gfn {memory_of(b).cores[a.cpu].gfn:#x}, "
        f"but gfn {memory_of(b).cores[a.cpu].true_gfn:#x} faulted"
    ),
)


def table_at(state: MemoryState, word: int, core: Core, level: int) -> Any:
    """Whether a descriptor stands in a table of the thread's VM at a level."""
    page = state.pages.get(bits(word, 36, 9))
    return every(page.use == Use.TABLE, page.vm == core.vm, page.level == level)


def touched(design: MemoryDesign, state: MemoryState, cpu: int) -> Any:
    """Whether every descriptor that the thread's next step looks at stands in a table of its VM."""
    core = state.cores[cpu]
    found = look_up(state, core, state.vms[core.vm], core.gfn)
    links_second = every(at_any(design, core, Do.LINK_SECOND), negate(found.has_second))
    links_third = every(at_any(design, core, Do.LINK_THIRD), negate(found.has_third))
    sets = at_any(design, core, Do.SET_LEAF, Do.SET_INTERFACE)
    return every(
        table_at(state, found.first, core, 1),
        implies(either(found.has_second, at_any(design, core, Do.LINK_THIRD)), table_at(state, found.second, core, 2)),
        implies(either(found.has_third, sets), table_at(state, found.third, core, 3)),
        implies(links_second, state.pages.get(core.spare[0]).use == Use.CACHE),
        implies(links_third, state.pages.get(core.spare[1]).use == Use.CACHE),
    )


def own_touched(design: Design, before: State, action: Action, after: State) -> Any:
    """The predicate of OWN_TABLES_TOUCHED."""
    state = memory_of(before)
    core = state.cores[action.cpu]
    table = state.pages.get(core.table)
    unlinked = every(table.use == Use.DETACHED, table.vm == core.vm)
    frees = implies(at_any(design.memory, core, Do.FREE_TABLE), unlinked)
    if negate(at_any(design.memory, core, *LOOKS_UP)):
        return frees
    return every(frees, touched(design.memory, state, action.cpu))


OWN_TABLES_TOUCHED = Property(
    id="memory.own_tables_touched",
    statement="The highvisor reads and writes for a VM only descriptors in its tables, and frees only unlinked ones.",
    claims=("C11", "C12"),
    question="Does the highvisor ever walk out of a VM's tables?",
    kind=Kind.STEP,
    about=(ThreadSteps,),
    holds=own_touched,
    interesting=lambda d, b, a, s: does(d.memory, memory_of(b), a) in LOOKS_UP,
    explain=lambda d, b, a, s: (
        f"the walk for gfn {memory_of(b).cores[a.cpu].gfn:#x} of VM{memory_of(b).cores[a.cpu].vm} "
        "touches, or frees, a page that is none of its tables of that kind"
    ),
)


def interface_device(design: Design, before: State, action: Action, after: State) -> Any:
    """The predicate of INTERFACE_DEVICE."""
    state = memory_of(after)

    def device(word: int, descriptor: int) -> Any:
        table, page = state.pages.get(bits(word, 36, 9)), state.pages.get(target(descriptor))
        mapped = every(table.use == Use.TABLE, table.level == 3, is_valid(descriptor))
        return implies(mapped, is_device_only(page, descriptor))

    return everywhere(state.memory, device)


INTERFACE_DEVICE = Property(
    id="memory.interface_device",
    statement="The CPU interface is mapped as Device memory that is not executed, and no other device is mapped.",
    claims=("C12",),
    question="How does a VM get at its virtual CPU interface?",
    kind=Kind.STATE,
    about=(ThreadSteps,),
    holds=interface_device,
    interesting=lambda d, b, a, s: does(d.memory, memory_of(b), a) is Do.SET_INTERFACE,
    explain=lambda d, b, a, s: "a device's page is mapped as no Device memory, or holds another device too",
)

PROPERTIES = (
    TABLES_OWN, SLOTS_ONLY, TABLES_BACKED, BREAK_BEFORE_MAKE, NO_CHURN, FAULT_RESOLVED, FAULT_ADDRESS_TRUE,
    OWN_TABLES_TOUCHED, INTERFACE_DEVICE,
)  # fmt: skip
