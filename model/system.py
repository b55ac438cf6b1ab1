"""The transition system: what the whole state is after each action.

A step is as small as the code's own atomicity: each step of the lowvisor is one, each exit the highvisor handles is
one, each guest or host instruction is one. `step` is the only way forward.

Not modelled: the time that passes, and what timers do, but in the configurations of `model.timer`; memory slots and
TLBs, but in those of `model.memory`; what the distributor and list registers do, but in those of `model.vgic` (in all
others an access that the distributor accepts is answered with any value); a user space that writes the structure it
shares with the kernel while the kernel reads it, which weakens `mmio.delivered` and `mmio.described`; the exit that
finds a permission fault's address by ATS1CPR always succeeds (its silent retry needs stage 1).
"""

from attrs import evolve

from model.action import Action
from model.actions import (
    GuestExecutes,
    GuestTrapsUnforeseen,
    HighvisorHandles,
    HostExecutes,
    HostRunsVcpu,
    HypFaults,
    InterfaceChanges,
    InterruptTaken,
    LowvisorSteps,
    SignalChanges,
    UserSpaceAnswers,
    UserSpaceRuns,
    UserSpaceWrites,
)
from model.design import Design, ExitCode, Placement, Vector
from model.guards import TAKEN
from model.highvisor import run
from model.highvisor.exits import Exit, MemoryAnswer, Progress, Result, handle_exit
from model.lowvisor import moves
from model.parts import system_part_of
from model.state import Physical, Standing, State, Thread, Vcpu, Where, context
from spec import exceptions
from spec.citations import arm, gic, linux, paper, rule
from spec.execute import execute
from spec.operations import Choices, Instruction
from spec.outcome import Event, Outcome
from spec.processor import Processor
from spec.psr import is_hyp
from spec.registers import write
from spec.words import U32, bits, clear, negate, put, put_all, replaced, sub

INTERRUPTS = "arch/arm/kvm/interrupts.S"


@rule(paper("3.1"), paper("3.2"))
def step(design: Design, state: State, action: Action) -> State:
    """The state after an action whose guard holds."""
    part = system_part_of(action)
    if part is not None:
        return part.stepped(design, state, action)
    physical = state.processors[action.cpu]
    match action:
        case HostRunsVcpu(_, vcpu):
            return with_physical(state, action, host_calls(design, physical, vcpu))
        case UserSpaceAnswers(_, vcpu, value):
            return with_vcpu(state, vcpu, run.answer(state.vcpus[vcpu], value))
        case UserSpaceWrites(_, vcpu, written):
            return with_vcpu(state, vcpu, put(state.vcpus[vcpu], "run", written))
        case UserSpaceRuns(_, vcpu, signalled):
            return with_vcpu(state, vcpu, run.kvm_run(design, state.vcpus[vcpu], signalled))
        case GuestExecutes(_, instruction, choices):
            return with_physical(state, action, guest_executes(design, physical, instruction, choices))
        case GuestTrapsUnforeseen(_, ec):
            taken = exceptions.take_hyp_trap(physical.cpu, (ec << 26) | (1 << 25), physical.cpu.pc)
            left = put(physical, "trapped_from", physical.cpu)
            return with_physical(state, action, at_vector(design, left, taken))
        case HostExecutes(_, instruction, choices):
            return with_physical(state, action, host_executes(physical, instruction, choices))
        case InterfaceChanges(_, register, value):
            changed = interface_changed(physical.cpu, register, value)
            return with_physical(state, action, put(physical, "cpu", changed))
        case SignalChanges(_, signal, level):
            cpu = put(physical.cpu, "signals", put(physical.cpu.signals, signal, level))
            return with_physical(state, action, put(physical, "cpu", cpu))
        case InterruptTaken(_, signal):
            return with_physical(state, action, interrupted(design, physical, signal))
        case LowvisorSteps():
            return lowvisor_steps(design, state, action)
        case HypFaults():
            return with_physical(state, action, hyp_faults(design, physical))
        case HighvisorHandles(_, answer, data):
            return highvisor_handles(design, state, action, answer, data)
    raise AssertionError(action)


def with_physical(state: State, action: Action, physical: Physical) -> State:
    """The state with the acting processor replaced."""
    return put(state, "processors", replaced(state.processors, action.cpu, physical))


def with_vcpu(state: State, number: int, vcpu: Vcpu) -> State:
    """The state with one vCPU replaced."""
    return put(state, "vcpus", replaced(state.vcpus, number, vcpu))


@rule(gic("5.3.1"))
def interface_changed(cpu: Processor, register: str, value: U32) -> Processor:
    """The processor after the GIC has changed a virtual interface register; of GICH_HCR it changes EOICount alone."""
    if register == "gich_hcr":
        value = (cpu.gich.gich_hcr & 0x07FFFFFF) | (value & 0xF8000000)
    return write(cpu, register, value)


@rule(linux("arch/arm/kvm/init.S", "kvm_call_hyp"), paper("3.1"))
def host_calls(design: Design, physical: Physical, vcpu: int) -> Physical:
    """The highvisor calls the lowvisor by HVC, with everything masked; without a lowvisor it stays in kernel mode."""
    masked = put(physical.cpu, "cpsr", physical.cpu.cpsr | IRQ_MASKED)
    thread = Thread(Where.LOWVISOR, "call", 0, vcpu)
    cpu = masked if design.placement is Placement.NO_LOWVISOR else exceptions.take_hvc(masked, 0)
    return evolve(physical, cpu=cpu, thread=thread, called_from=masked, called_stack=physical.stack)


IRQ_MASKED = 1 << 7
"""CPSR.I, which the run loop sets around the call (local_irq_disable)."""


@rule(paper("3.2"))
def guest_executes(design: Design, physical: Physical, instruction: Instruction, choices: Choices) -> Physical:
    """The guest executes an instruction, which may take it to Hyp mode."""
    outcome = execute(physical.cpu, instruction, choices)
    if outcome.event is Event.SECURE_CALL:
        return evolve(physical, cpu=outcome.cpu, thread=put(physical.thread, "where", Where.SECURE))
    return after_guest(design, physical, outcome)


def after_guest(design: Design, physical: Physical, outcome: Outcome) -> Physical:
    """The processor after a guest's instruction: still in the guest, or at a Hyp vector."""
    if outcome.event in (Event.TRAPPED, Event.CALLED, Event.STAGE2_ABORT):
        return at_vector(design, put(physical, "trapped_from", physical.cpu), outcome.cpu)
    return put(physical, "cpu", outcome.cpu)


@rule(arm("B1.8"))
def host_executes(physical: Physical, instruction: Instruction, choices: Choices) -> Physical:
    """The host executes an instruction; SMC goes to firmware and comes back."""
    return put(physical, "cpu", execute(physical.cpu, instruction, choices).cpu)


@rule(paper("3.5"), arm("B1.8.4"))
def interrupted(design: Design, physical: Physical, signal: str) -> Physical:
    """The processor takes a physical interrupt or abort: the host in its own vectors, a guest at a Hyp vector."""
    cpu = TAKEN[signal][1](physical.cpu)
    if is_hyp(cpu.cpsr):
        return at_vector(design, put(physical, "trapped_from", physical.cpu), cpu)
    return put(physical, "cpu", cpu)


@rule(linux(INTERRUPTS, "__kvm_hyp_vector"), linux(INTERRUPTS, "hyp_hvc"), linux(INTERRUPTS, "bad_exception"))
def at_vector(design: Design, physical: Physical, cpu: Processor) -> Physical:
    """The processor at a Hyp vector: the design says which routine the lowvisor starts."""
    offset = sub(cpu.pc, cpu.hyp.hvbar & 0xFFFFFFE0, 32)
    vector = vector_at(design, offset)
    physical = put(physical, "cpu", cpu)
    thread = physical.thread
    match vector:
        case Vector.SPIN:
            return put(physical, "thread", put(thread, "where", Where.HUNG))
        case Vector.PANIC:
            return put(physical, "thread", put(thread, "where", Where.PANICKED))
        case Vector.HIGHVISOR:
            return put(physical, "thread", evolve(thread, where=Where.HIGHVISOR, code=ExitCode.HVC))
        case Vector.TRAP:
            return put(physical, "thread", dispatched(design, cpu, thread))
        case Vector.IRQ:
            return put(physical, "thread", evolve(thread, where=Where.LOWVISOR, routine="interrupt", index=0, code=5))
        case Vector.FIQ:
            return put(physical, "thread", evolve(thread, where=Where.LOWVISOR, routine="interrupt", index=0, code=6))
    if bits(cpu.hyp.vttbr, 55, 48) == 0:
        return put(physical, "thread", put(thread, "where", Where.PANICKED))
    code = BAD_EXCEPTION[vector]
    return put(physical, "thread", evolve(thread, where=Where.LOWVISOR, routine="interrupt", index=0, code=code))


BAD_EXCEPTION = {
    Vector.BAD_UNDEFINED: ExitCode.UNDEFINED,
    Vector.BAD_CALL: ExitCode.HVC,
    Vector.BAD_PREFETCH: ExitCode.PREF_ABORT,
    Vector.BAD_DATA: ExitCode.DATA_ABORT,
}


def vector_at(design: Design, offset: int) -> Vector:
    """The design's vector at an offset from HVBAR."""
    for candidate, vector in design.vectors:
        if offset == candidate:
            return vector
    return Vector.SPIN


@rule(linux(INTERRUPTS, "hyp_hvc"))
def dispatched(design: Design, cpu: Processor, thread: Thread) -> Thread:
    """What vector 0x14 does: the lazy VFP switch, a call of the host (VMID 0), or a trap of the guest."""
    ec = bits(cpu.hyp.hsr, 31, 26)
    if ec == 0x07:
        return evolve(thread, where=Where.LOWVISOR, routine="vfp" if design.vfp else "trap", index=0, code=7)
    if ec == 0x12 and bits(cpu.hyp.vttbr, 55, 48) == 0:
        return evolve(thread, where=Where.LOWVISOR, routine="call", index=0)
    return evolve(thread, where=Where.LOWVISOR, routine="trap", index=0, code=7)


@rule(linux(INTERRUPTS, "__kvm_vcpu_run"), linux(INTERRUPTS, "__kvm_vcpu_return"), paper("3.2"))
def lowvisor_steps(design: Design, state: State, action: Action) -> State:
    """The lowvisor makes one step of its routine; behind the last it goes on to what follows."""
    physical = state.processors[action.cpu]
    thread = physical.thread
    steps = design.routine(thread.routine)
    if thread.index >= len(steps):
        return with_physical(state, action, finished(physical))
    here = context(state, action.cpu)
    if moves.needs_hyp_mode(steps[thread.index]) and negate(is_hyp(physical.cpu.cpsr)):
        return with_physical(state, action, undefined_in_kernel(physical))
    if moves.must_fault(steps[thread.index], here):
        return with_physical(state, action, hyp_faults(design, physical))
    after = moves.apply(steps[thread.index], here)
    moved = put_all(
        physical,
        ("cpu", "stack", "host_vfp", "old_hcptr", "thread"),
        (after.cpu, after.stack, after.host_vfp, after.old_hcptr, put(thread, "index", thread.index + 1)),
    )
    vcpu = put(state.vcpus[thread.vcpu], "image", after.image)
    processors, vcpus = replaced(state.processors, action.cpu, moved), replaced(state.vcpus, thread.vcpu, vcpu)
    return put_all(state, ("processors", "vcpus"), (processors, vcpus))


@rule(arm("B3.15.2"), arm("B1.3.1"), paper("3.1"))
def undefined_in_kernel(physical: Physical) -> Physical:
    """An access to a Hyp register from the kernel's own mode: UNDEFINED, and the host panics."""
    cpu = exceptions.take_undefined(physical.cpu)
    return evolve(physical, cpu=cpu, thread=put(physical.thread, "where", Where.PANICKED))


@rule(linux(INTERRUPTS, "__kvm_vcpu_run"), arm("B9.3.3"))
def finished(physical: Physical) -> Physical:
    """The end of a lowvisor routine: the next routine, or ERET to the guest or the host."""
    thread = physical.thread
    match thread.routine:
        case "call":
            return put(physical, "thread", evolve(thread, routine="entry", index=0))
        case "entry" | "vfp":
            cpu = exceptions.return_from_hyp(physical.cpu)
            return evolve(physical, cpu=cpu, thread=put(thread, "where", Where.GUEST))
        case "trap" | "interrupt":
            return put(physical, "thread", evolve(thread, routine="exit", index=0))
        case "exit":
            return put(physical, "thread", evolve(thread, routine="back", index=0))
    cpu = write(write(exceptions.return_from_hyp(physical.cpu), "r0", thread.code), "r1", 0)
    return evolve(physical, cpu=cpu, thread=put(thread, "where", Where.HIGHVISOR))


@rule(linux(INTERRUPTS, "bad_exception"), arm("B1.8.4"))
def hyp_faults(design: Design, physical: Physical) -> Physical:
    """An Undefined Instruction exception taken in Hyp mode from the lowvisor's own code."""
    cpu = exceptions.take_in_hyp(physical.cpu, exceptions.Vector.UNDEFINED, 0x1E00000A, physical.cpu.pc)
    return at_vector(design, physical, cpu)


@rule(linux("arch/arm/kvm/arm.c", "kvm_arch_vcpu_ioctl_run"), linux("arch/arm/kvm/handle_exit.c", "handle_exit"))
def highvisor_handles(design: Design, state: State, action: Action, answer: MemoryAnswer, data: U32) -> State:
    """The highvisor handles the exit and the host decides what to run next."""
    physical = state.processors[action.cpu]
    thread = physical.thread
    vcpu = state.vcpus[thread.vcpu]
    handled = handle_exit(design, vcpu.image, thread.code, answer, data)
    cpu = put(physical.cpu, "cpsr", clear(physical.cpu.cpsr, IRQ_MASKED))
    if handled.live_spsr is not None:
        cpu = write(cpu, handled.live_spsr, vcpu.image.cpsr)
    where = Where.PANICKED if handled.result is Result.HOST_CRASHED else Where.HOST
    moved = evolve(physical, cpu=cpu, thread=evolve(thread, where=where))
    processors = replaced(state.processors, action.cpu, moved)
    return evolve(state, processors=processors, vcpus=replaced(state.vcpus, thread.vcpu, kept_by(vcpu, handled)))


STANDING = {
    Result.BLOCKED: Standing.BLOCKED,
    Result.USER_SPACE: Standing.IN_USER_SPACE,
    Result.ERROR: Standing.IN_USER_SPACE,
}
"""Where an exit leaves the vCPU's thread, unless it stays in the run loop."""


def kept_by(vcpu: Vcpu, handled: Exit) -> Vcpu:
    """The vCPU behind a handled exit."""
    return evolve(
        vcpu,
        image=handled.image,
        standing=STANDING.get(handled.result, Standing.READY),
        cleaned_elsewhere=vcpu.cleaned_elsewhere | handled.caches_elsewhere,
        run=vcpu.run if handled.run is None else handled.run,
        mmio=vcpu.mmio if handled.access is None else handled.access,
    )


def progress_of(design: Design, state: State, action: HighvisorHandles) -> Progress:
    """How the handler of the exit at hand makes progress."""
    physical = state.processors[action.cpu]
    image = state.vcpus[physical.thread.vcpu].image
    return handle_exit(design, image, physical.thread.code, action.answer, action.data).progress
