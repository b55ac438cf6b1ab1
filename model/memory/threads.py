"""What a thread's step changes of itself: its program counter, its locks, its stores on their way to memory."""

from collections.abc import Callable

from model.memory.design import LONGEST, ROUTINES, Do, MemoryDesign, jump_target, loop_start, place, step_at
from model.memory.state import Core, MemoryState, PageNumber, Vm, WordNumber
from spec.citations import arm, linux, rule
from spec.words import choose, put, put_all, replaced

Step = Callable[[MemoryDesign, MemoryState, int, PageNumber], MemoryState]
"""A step of a thread: the design, the state, the processor, and the page that the host's allocator gives if asked."""


def vm_of(state: MemoryState, cpu: int) -> Vm:
    """The VM that the processor's thread works on."""
    return state.vms[state.cores[cpu].vm]


def with_core(state: MemoryState, cpu: int, core: Core) -> MemoryState:
    """The state with one processor replaced."""
    return put(state, "cores", replaced(state.cores, cpu, core))


def with_vm(state: MemoryState, cpu: int, vm: Vm) -> MemoryState:
    """The state with the VM replaced that the processor's thread works on."""
    return put(state, "vms", replaced(state.vms, state.cores[cpu].vm, vm))


def advanced(state: MemoryState, cpu: int) -> MemoryState:
    """The thread goes on with the next step."""
    core = state.cores[cpu]
    return with_core(state, cpu, put(core, "at", core.at + 1))


def branched(design: MemoryDesign, state: MemoryState, cpu: int, jumps: bool) -> MemoryState:
    """The thread goes on with the next step or, where the condition holds, where this step jumps to."""
    core = state.cores[cpu]
    routine, index = divmod(core.at, LONGEST)
    steps = design.steps(ROUTINES[routine])
    target = place(ROUTINES[routine], jump_target(steps, index))
    return with_core(state, cpu, put(core, "at", choose(jumps, target, core.at + 1)))


def repeated(design: MemoryDesign, state: MemoryState, cpu: int, again: bool) -> MemoryState:
    """The thread goes on with the next step or, where the condition holds, from where its loop starts."""
    core = state.cores[cpu]
    start = place("delete", loop_start(design.delete))
    return with_core(state, cpu, put(core, "at", choose(again, start, core.at + 1)))


@rule(arm("A3.8.3"), linux("arch/arm/include/asm/spinlock.h", "arch_spin_unlock"))
def drained(state: MemoryState, cpu: int) -> MemoryState:
    """The processor's cleared descriptor reaches memory, where every table walk sees it."""
    core = state.cores[cpu]
    if core.pending == 0:
        return state
    return put(with_core(state, cpu, put(core, "pending", 0)), "memory", state.memory.set(core.word, 0))


@rule(linux("arch/arm/include/asm/kvm_mmu.h", "kvm_set_pte"), arm("A3.8.3"))
def cleared(state: MemoryState, cpu: int, word: WordNumber) -> MemoryState:
    """The processor clears a descriptor, which waits in its store buffer."""
    state = drained(state, cpu)
    return with_core(state, cpu, put_all(state.cores[cpu], ("pending", "word"), (1, word)))


def blocked_by(design: MemoryDesign, state: MemoryState, cpu: int) -> bool:
    """Whether the step that comes next has to wait."""
    step = step_at(design, state.cores[cpu].at)
    wait = None if step is None else WAITS.get(step.do)
    return False if wait is None else wait(design, state, cpu)


def vmid_lock_held(design: MemoryDesign, state: MemoryState, cpu: int) -> bool:
    """Whether kvm_vmid_lock is taken."""
    return state.allocator.lock != 0


def first_check_waits(design: MemoryDesign, state: MemoryState, cpu: int) -> bool:
    """Whether the first check of the generation has to wait for kvm_vmid_lock."""
    return design.generation_checked_under_lock and vmid_lock_held(design, state, cpu)


def mmu_lock_held(design: MemoryDesign, state: MemoryState, cpu: int) -> bool:
    """Whether the VM's mmu_lock is taken."""
    return vm_of(state, cpu).mmu_lock != 0


WAITS: dict[Do, Callable[[MemoryDesign, MemoryState, int], bool]] = {
    Do.LOCK_VMID: vmid_lock_held,
    Do.CHECK_GENERATION: first_check_waits,
    Do.LOCK_MMU: mmu_lock_held,
}
"""The steps that may have to wait, and whether they do."""
