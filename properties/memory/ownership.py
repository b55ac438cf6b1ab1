"""Who owns what while VMs come and go: locks, pages that nobody may lose, Hyp mode's tables, and other VMs."""

from typing import Any

from model.action import Action
from model.design import Design
from model.memory.actions import (
    GuestAccesses,
    GuestRemaps,
    HostReclaims,
    HostReplaces,
    InterfaceMapped,
    StoreDrains,
    ThreadSteps,
    UserCreatesVm,
    UserDeletesSlot,
    UserDestroysVm,
    UserSetsSlot,
    UserTouches,
    VcpuRuns,
)
from model.memory.design import GUEST, IDLE, Do, Fact
from model.memory.guards import knows
from model.memory.state import DEAD, MemoryState, Use
from model.state import State
from properties.memory.invariants import remains, threads
from properties.memory.invariants.terms import OWNED
from properties.memory.steps import at_any, does, memory_of, routine
from properties.property import Kind, Property
from properties.quantify import everywhere
from spec.words import bits, either, every, implies, member, negate, same

UNDER_MMU_LOCK = (
    Do.VALIDATE, Do.LINK_SECOND, Do.LINK_THIRD, Do.COMPARE, Do.BREAK, Do.SET_LEAF, Do.SET_LEAF_BLOCK, Do.COUNT_UP,
    Do.CLEAR_LEAF, Do.DETACH_THIRD, Do.DETACH_SECOND, Do.SET_REPLACED, Do.SEQ_UP, Do.COUNT_DOWN, Do.SET_INTERFACE,
    Do.UNLOCK_MMU,
)  # fmt: skip
UNDER_VMID_LOCK = (Do.ROLL_OVER, Do.FLUSH_ALL, Do.TAKE_VMID, Do.SET_GENERATION, Do.SET_VTTBR, Do.UNLOCK_VMID)


def locked(design: Design, before: State, action: Action, after: State) -> Any:
    """The predicate of LOCKS."""
    old, state = memory_of(before), memory_of(after)
    core = old.cores[action.cpu]
    found = [implies(at_any(design.memory, core, *UNDER_VMID_LOCK), old.allocator.lock == action.cpu + 1)]
    for number, vm in enumerate(old.vms):
        changes = every(core.vm == number, at_any(design.memory, core, *UNDER_MMU_LOCK))
        found.append(implies(changes, vm.mmu_lock == action.cpu + 1))
    for position, now in enumerate(state.cores):
        rests = member(now.at, (IDLE, GUEST))
        vmid = state.allocator.lock == position + 1
        found.append(implies(vmid, negate(either(rests, at_any(design.memory, now, Do.LOCK_VMID)))))
        for vm in state.vms:
            held = vm.mmu_lock == position + 1
            found.append(implies(held, negate(either(rests, at_any(design.memory, now, Do.LOCK_MMU)))))
    return every(*found)


LOCKS = Property(
    id="memory.locks",
    statement="Tables and VMIDs change under their locks; nobody waits for a lock he holds, or keeps one at rest.",
    claims=("C13",),
    question="What do mmu_lock and kvm_vmid_lock protect?",
    kind=Kind.STEP,
    about=(ThreadSteps,),
    holds=locked,
    interesting=lambda d, b, a, s: does(d.memory, memory_of(b), a) in (*UNDER_MMU_LOCK, *UNDER_VMID_LOCK),
    explain=lambda d, b, a, s: "a step changes what a lock protects without it, or a lock is never released",
)


def counted(design: Design, before: State, action: Action, after: State) -> Any:
    """The predicate of INVALIDATIONS_COUNTED."""
    state = memory_of(after)
    found = []
    for number, vm in enumerate(state.vms):
        under_way = (every(c.vm == number, knows(design.memory, c, Fact.COUNTED)) for c in state.cores)
        found.append(implies(vm.life != DEAD, (vm.count == 0) == negate(either(*under_way))))
    return every(*found)


INVALIDATIONS_COUNTED = Property(
    id="memory.invalidations_counted",
    statement="mmu_notifier_count is 0 exactly while no invalidation is under way: then faults are handled again.",
    claims=("C13",),
    question="How long do faults wait for an MMU notifier?",
    kind=Kind.STATE,
    about=(ThreadSteps,),
    holds=counted,
    interesting=lambda d, b, a, s: does(d.memory, memory_of(b), a) is Do.COUNT_DOWN,
    explain=lambda d, b, a, s: "mmu_notifier_count does not say whether an invalidation is under way",
)


def nothing_lost(design: Design, before: State, action: Action, after: State) -> Any:
    """The predicate of NOTHING_LOST."""
    state = memory_of(after)

    def kept(number: int, page: Any) -> Any:
        holders = [every(c.at != IDLE, c.at != GUEST, member(number, c.spare)) for c in state.cores]
        unlinked = [every(c.at != IDLE, c.at != GUEST, c.table == number) for c in state.cores]
        dead = (every(page.vm == n, vm.life == DEAD) for n, vm in enumerate(state.vms))
        return every(
            implies(page.use == Use.CACHE, either(*holders)),
            implies(page.use == Use.DETACHED, either(*unlinked)),
            implies(member(page.use, OWNED), negate(either(*dead))),
        )

    return every(everywhere(state.pages, kept), remains.ends_attended(design.memory, state))


NOTHING_LOST = Property(
    id="memory.nothing_lost",
    statement="Every page that was allocated for a VM's tables is in use or held by a thread, and no page is left of a "
    "VM that is gone.",
    claims=("C12",),
    question="Does the host get back all the memory that it gave to a VM?",
    kind=Kind.STATE,
    about=(ThreadSteps,),
    holds=nothing_lost,
    interesting=lambda d, b, a, s: does(d.memory, memory_of(b), a) is Do.KEEP_SPARES,
    explain=lambda d, b, a, s: "a page is allocated that nobody uses and nobody will free",
)


def hyp_exact(design: Design, before: State, action: Action, after: State) -> Any:
    """The predicate of HYP_EXACT."""
    return threads.structures_shared(design.memory, memory_of(after))


HYP_EXACT = Property(
    id="memory.hyp_exact",
    statement="Hyp mode's tables map the lowvisor and the structures of living VMs, and nothing else.",
    claims=("C12",),
    question="What can code in Hyp mode reach?",
    kind=Kind.STATE,
    about=(ThreadSteps, UserCreatesVm),
    holds=hyp_exact,
    interesting=lambda d, b, a, s: does(d.memory, memory_of(b), a) is Do.UNMAP_STRUCTURE,
    explain=lambda d, b, a, s: "; ".join(
        f"Hyp mode maps page {number:#x}: {Use(memory_of(s).pages.get(number).use).name}"
        for number in memory_of(s).hyp.entries
        if memory_of(s).pages.get(number).use not in (Use.HYP, Use.STRUCTURE)
    )
    or "Hyp mode does not map what it needs",
)


def ready(design: Design, before: State, action: Action, after: State) -> Any:
    """The predicate of INTERFACE_READY."""
    core = memory_of(before).cores[action.cpu]
    if does(design.memory, memory_of(before), action) is not Do.KEEP_SPARES or routine(core) != "interface":
        return True
    return memory_of(after).vms[core.vm].ready == 1


INTERFACE_READY = Property(
    id="memory.interface_ready",
    statement="When the first run has seen to a VM's CPU interface, the VM has it and its vCPUs may run.",
    claims=("C13",),
    question="When may a VM's first vCPU run?",
    kind=Kind.STEP,
    about=(ThreadSteps,),
    holds=ready,
    interesting=lambda d, b, a, s: does(d.memory, memory_of(b), a) is Do.SET_INTERFACE,
    explain=lambda d, b, a, s: "the VM has no CPU interface, and its vCPUs never run",
)

BY_NUMBER = (
    HostReclaims, HostReplaces, UserTouches, UserSetsSlot, UserDeletesSlot, UserCreatesVm, UserDestroysVm,
    InterfaceMapped,
)  # fmt: skip


def concerned(state: MemoryState, action: Action) -> int:
    """The VM that an action is about: the one it names, or that of the processor's thread or guest."""
    if isinstance(action, BY_NUMBER):
        return action.vm
    if isinstance(action, VcpuRuns):
        return state.vcpus[action.vcpu].vm
    return state.cores[action.cpu].vm


def private(design: Design, before: State, action: Action, after: State) -> Any:
    """The predicate of PRIVATE."""
    old, new = memory_of(before), memory_of(after)
    owner = concerned(old, action)
    found = []
    for number, vm in enumerate(old.vms):
        found.append(implies(owner != number, same(vm, new.vms[number])))

    def theirs(page: Any) -> Any:
        return either(every(member(page.use, OWNED), page.vm != owner), member(page.use, (Use.HOST, Use.HYP)))

    def word_kept(word: int, value: int) -> Any:
        return implies(theirs(old.pages.get(bits(word, 36, 9))), new.memory.get(word) == value)

    def word_there(word: int, value: int) -> Any:
        return implies(theirs(old.pages.get(bits(word, 36, 9))), old.memory.get(word) == value)

    def page_kept(number: int, page: Any) -> Any:
        return implies(theirs(page), same(new.pages.get(number), page))

    def backing_kept(key: tuple[int, int], value: int) -> Any:
        return implies(key[0] != owner, new.backing.get(key) == value)

    if old.memory is not new.memory:
        found += [everywhere(old.memory, word_kept), everywhere(new.memory, word_there)]
    if old.pages is not new.pages:
        found.append(everywhere(old.pages, page_kept))
    if old.backing is not new.backing:
        found.append(everywhere(old.backing, backing_kept))
    return every(*found)


PRIVATE = Property(
    id="memory.private",
    statement="What is done for a VM changes no page, slot or VMID of another VM, and no page of the host or Hyp mode.",
    claims=("C11", "C12"),
    question="What can one VM do to another, other than take its time and flush its translations?",
    kind=Kind.STEP,
    about=(ThreadSteps, GuestAccesses, GuestRemaps, StoreDrains, UserTouches, UserSetsSlot, UserCreatesVm),
    holds=private,
    interesting=lambda d, b, a, s: len(memory_of(b).vms) > 1 and isinstance(a, GuestAccesses | ThreadSteps),
    explain=lambda d, b, a, s: f"an action for VM{concerned(memory_of(b), a)} changes what is not its own",
)

PROPERTIES = (LOCKS, INVALIDATIONS_COUNTED, NOTHING_LOST, HYP_EXACT, INTERFACE_READY, PRIVATE)
