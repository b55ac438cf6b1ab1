"""TLBs and VMIDs: what a translation may lead to, what justifies it, and whose VMID it has."""

from typing import Any

from model.action import Action
from model.design import Design
from model.memory.actions import IpiTaken, MemoryAction, ThreadSteps
from model.memory.design import GUEST, Do, Fact
from model.memory.guards import in_routine, knows
from model.memory.state import DEAD, LEAF, MemoryState, Use
from model.memory.tables import VTCR
from model.state import State
from properties.memory.invariants import translations as invariants
from properties.memory.invariants.terms import is_current, vmid_of
from properties.memory.steps import at_any, does, memory_of
from properties.property import Kind, Property
from properties.quantify import everywhere
from spec.translation.stage2 import walk
from spec.words import bit, bits, either, every, implies, negate


def own(design: Design, before: State, action: Action, after: State) -> Any:
    """The predicate of TRANSLATIONS_OWN."""
    return invariants.translations_own(design.memory, memory_of(after))


def foreign_text(design: Design, before: State, action: Action, after: State) -> str:
    """A translation that leads elsewhere, in words."""
    state = memory_of(after)
    for key, entry in state.tlb.entries.items():
        page = state.pages.get(entry.page)
        if page.vm != entry.vm or page.use not in (Use.RAM, Use.TABLE, Use.DETACHED, Use.GICV):
            what = "translation" if key[3] == LEAF else "pointer to the table"
            place = f"CPU{key[0]}'s {what} of VM{entry.vm}'s gfn {key[2]:#x}"
            return f"{place} leads to page {entry.page:#x}: {Use(page.use).name}"
    return "a translation leads to a page that is not the VM's at that gfn, or is not to be used so"


TRANSLATIONS_OWN = Property(
    id="memory.translations_own",
    statement="A translation that a TLB holds leads to memory or a table of the VM it was loaded for, or to GICV.",
    claims=("C11", "C12"),
    question="Why is a page freed only behind the flush?",
    kind=Kind.STATE,
    about=(MemoryAction,),
    holds=own,
    interesting=lambda d, b, a, s: does(d.memory, memory_of(b), a) is Do.RELEASE_PAGE,
    explain=foreign_text,
)


def justified(design: Design, before: State, action: Action, after: State) -> Any:
    """The predicate of TRANSLATIONS_JUSTIFIED."""
    state = memory_of(after)

    def given(key: tuple[int, int, int, int], entry: Any) -> Any:
        found = [state.allocator.flushing == 1]
        for core in state.cores:
            ours = every(core.vm == entry.vm, core.gfn == key[2], knows(design.memory, core, Fact.OPEN))
            ending = every(core.vm == entry.vm, knows(design.memory, core, Fact.EMPTIED))
            found += [ours, ending]
        # Of further VMs, of which a proof leaves everything open, there are no tables to compare with.
        about = either(*(entry.vm == number for number in range(len(state.vms))))
        for number, vm in enumerate(state.vms):
            tables = walk(state.memory, vm.root << 12, VTCR, key[2] << 12)
            as_now = every(tables.status == 0, bits(tables.pa, 39, 12) == entry.page)
            found.append(every(entry.vm == number, as_now, bit(tables.descriptor, 7) == entry.write))
        return implies(every(entry.valid == 1, key[3] == LEAF, about), either(*found))

    return everywhere(state.tlb, given)


TRANSLATIONS_JUSTIFIED = Property(
    id="memory.translations_justified",
    statement="A translation that a TLB holds is what the current tables give, or its invalidation is outstanding.",
    claims=("C11",),
    question="How long may a TLB remember what the tables do not say any more?",
    kind=Kind.STATE,
    about=(MemoryAction,),
    holds=justified,
    interesting=lambda d, b, a, s: does(d.memory, memory_of(b), a) is Do.INVALIDATE,
    explain=lambda d, b, a, s: "a TLB holds what the tables do not give any more, and no invalidation is to come",
)


def allocating(state: MemoryState, number: int) -> Any:
    """Whether the VMID of a VM is just being published, by the thread that holds kvm_vmid_lock."""
    return either(*(every(state.allocator.lock == n + 1, c.vm == number) for n, c in enumerate(state.cores)))


def distinct(design: Design, before: State, action: Action, after: State) -> Any:
    """The predicate of VMIDS_DISTINCT."""
    state = memory_of(after)
    found = []
    settled = [every(is_current(state, vm), negate(allocating(state, n))) for n, vm in enumerate(state.vms)]
    for number, vm in enumerate(state.vms):
        found.append(implies(settled[number], vmid_of(vm.vttbr) != 0))
        for position in range(number):
            both = every(settled[number], settled[position])
            found.append(implies(both, vmid_of(vm.vttbr) != vmid_of(state.vms[position].vttbr)))

    def tagged(key: tuple[int, int, int, int], entry: Any) -> Any:
        foreign = (
            every(settled[n], entry.vm != n, key[1] == vmid_of(vm.vttbr)) for n, vm in enumerate(state.vms)
        )
        return implies(entry.valid == 1, every(key[1] != 0, negate(either(*foreign))))

    return every(everywhere(state.tlb, tagged), *found)


VMIDS_DISTINCT = Property(
    id="memory.vmids_distinct",
    statement="A VMID of the current generation belongs to one VM, is not 0, and tags no other VM's translations.",
    claims=("C11",),
    question="What if there are more VMs than VMIDs?",
    kind=Kind.STATE,
    about=(MemoryAction,),
    holds=distinct,
    interesting=lambda d, b, a, s: does(d.memory, memory_of(b), a) is Do.FLUSH_ALL,
    explain=lambda d, b, a, s: vmids_text(memory_of(s)),
)


def vmids_text(state: MemoryState) -> str:
    """Who has which VMID, in words."""
    vms = (
        f"VM{number} has VMID {vmid_of(vm.vttbr)} of {'this' if is_current(state, vm) else 'an old'} generation"
        for number, vm in enumerate(state.vms)
        if vm.life != DEAD
    )
    tags = (f"CPU{key[0]} holds a translation of VM{e.vm} under VMID {key[1]}" for key, e in state.tlb.entries.items())
    return "; ".join((*vms, *tags))


def one_vmid(design: Design, before: State, action: Action, after: State) -> Any:
    """The predicate of ONE_VMID."""
    state = memory_of(after)
    found = []
    for core in state.cores:
        for number, vm in enumerate(state.vms):
            runs = every(core.vm == number, core.at == GUEST)
            current = either(is_current(state, vm), state.allocator.flushing == 1)
            found.append(implies(runs, every(core.vttbr == vm.vttbr, vmid_of(vm.vttbr) != 0, current)))
    return every(*found)


ONE_VMID = Property(
    id="memory.one_vmid",
    statement="All vCPUs of a VM run with its VTTBR, of this generation unless every guest is being forced out.",
    claims=("C11",),
    question="Can two vCPUs of one VM run with different VMIDs?",
    kind=Kind.STATE,
    about=(ThreadSteps, IpiTaken),
    holds=one_vmid,
    interesting=lambda d, b, a, s: does(d.memory, memory_of(b), a) is Do.ENTER,
    explain=lambda d, b, a, s: "; ".join(
        f"CPU{n} runs VM{c.vm} with VMID {vmid_of(c.vttbr)}, the VM has {vmid_of(memory_of(s).vms[c.vm].vttbr)}"
        for n, c in enumerate(memory_of(s).cores)
        if c.at == GUEST
    ),
)


def root_used(design: Design, before: State, action: Action, after: State) -> Any:
    """The predicate of ROOT_USED."""
    found = []
    for vm in memory_of(after).vms:
        whole = every(bits(vm.vttbr, 47, 0) == vm.root << 12, bits(vm.vttbr, 63, 56) == 0)
        found.append(implies(vm.life != DEAD, either(vm.vttbr == 0, whole)))
    return every(*found)


ROOT_USED = Property(
    id="memory.root_used",
    statement="VTTBR points to the VM's own first-level tables, wherever in 40 bits of address space these are.",
    claims=("C11",),
    question="Does the hardware walk the tables that the highvisor built?",
    kind=Kind.STATE,
    about=(ThreadSteps,),
    holds=root_used,
    interesting=lambda d, b, a, s: does(d.memory, memory_of(b), a) is Do.SET_VTTBR,
    explain=lambda d, b, a, s: "; ".join(
        f"VM{n}: tables at {vm.root << 12:#x}, VTTBR says {bits(vm.vttbr, 39, 0):#x}"
        for n, vm in enumerate(memory_of(s).vms)
    ),
)


def vmid_assigned(design: Design, before: State, action: Action, after: State) -> Any:
    """The predicate of VMID_ASSIGNED."""
    state = memory_of(before)
    core = state.cores[action.cpu]
    found = []
    for number, vm in enumerate(state.vms):
        done = every(core.vm == number, at_any(design.memory, core, Do.UNLOCK_VMID))
        found.append(implies(done, every(is_current(state, vm), vmid_of(vm.vttbr) != 0)))
    now = memory_of(after).cores[action.cpu]
    goes_on = either(in_routine(now, "run"), now.at == GUEST)
    return every(*found, implies(in_routine(core, "run"), goes_on))


VMID_ASSIGNED = Property(
    id="memory.vmid_assigned",
    statement="Who leaves the allocator has a VMID of the current generation, and the run loop leads into the guest.",
    claims=("C13",),
    question="Does every vCPU that is run get into its guest?",
    kind=Kind.STEP,
    about=(ThreadSteps,),
    holds=vmid_assigned,
    interesting=lambda d, b, a, s: does(d.memory, memory_of(b), a) is Do.UNLOCK_VMID,
    explain=lambda d, b, a, s: "the VM is left without a VMID of this generation, or its vCPU never enters the guest",
)

PROPERTIES = (
    TRANSLATIONS_OWN, TRANSLATIONS_JUSTIFIED, VMIDS_DISTINCT, ONE_VMID, ROOT_USED, VMID_ASSIGNED,
)  # fmt: skip

