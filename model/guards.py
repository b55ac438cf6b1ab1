"""When an action is possible, and which one a processor must take next."""

from model.action import Action
from model.actions import (
    RESERVED_CLASSES,
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
from model.design import KERNEL_MODE_OF, Design
from model.highvisor.mmio import ExitReason
from model.lowvisor import moves
from model.parts import system_part_of
from model.state import Physical, Standing, State, Where, context
from spec import exceptions, interrupts
from spec.citations import arm, linux, rule
from spec.operations import Hvc, Instruction, MemoryOutcome, is_encodable
from spec.processor import Processor
from spec.psr import T_BIT, mode
from spec.registers import REGISTERS
from spec.words import bit, bits, either, every

TAKEN = {
    "irq": (interrupts.irq_taken, exceptions.take_irq),
    "fiq": (interrupts.fiq_taken, exceptions.take_fiq),
    "abort": (interrupts.abort_taken, lambda cpu: exceptions.take_abort(cpu, 0)),
    "virtual_irq": (interrupts.virtual_irq_taken, exceptions.take_virtual_irq),
    "virtual_fiq": (interrupts.virtual_fiq_taken, exceptions.take_virtual_fiq),
}
"""For each signal, whether the processor takes it now, and how."""
PHYSICAL = ("irq", "fiq", "abort")
"""The signals that are not the GIC's virtual interrupts."""


def guard(design: Design, state: State, action: Action) -> bool:
    """Whether the action is possible now; may be a formula."""
    part = system_part_of(action)
    if part is not None:
        return part.possible(design, state, action)
    physical = state.processors[action.cpu]
    where = physical.thread.where
    match action:
        case HostRunsVcpu(cpu, vcpu):
            ready = where is Where.HOST and free(state, vcpu)
            inside = state.vcpus[vcpu].standing is not Standing.IN_USER_SPACE
            return ready and inside and in_run_loop(design, physical.cpu)
        case UserSpaceAnswers(_, vcpu) | UserSpaceRuns(_, vcpu):
            ready = where is Where.HOST and free(state, vcpu)
            outside = state.vcpus[vcpu].standing is Standing.IN_USER_SPACE
            told = isinstance(action, UserSpaceRuns) or state.vcpus[vcpu].run.exit_reason == ExitReason.MMIO
            return ready and outside and told
        case UserSpaceWrites(_, vcpu):
            return where is Where.HOST and free(state, vcpu)
        case GuestExecutes(_, instruction):
            return where is Where.GUEST and possible(physical, instruction)
        case HostExecutes(_, instruction):
            called = isinstance(instruction.operation, Hvc)
            return where is Where.HOST and not called and possible(physical, instruction)
        case GuestTrapsUnforeseen(_, ec):
            return where is Where.GUEST and ec in RESERVED_CLASSES
        case InterfaceChanges(_, register):
            in_use = state.vms[state.vcpus[physical.thread.vcpu].vm].vgic == 1
            return where is Where.GUEST and REGISTERS[register].component == "gich" and in_use
        case SignalChanges(_, signal, level):
            return where in (Where.HOST, Where.GUEST) and getattr(physical.cpu.signals, signal) != level
        case InterruptTaken(_, signal):
            return where in (Where.HOST, Where.GUEST) and TAKEN[signal][0](physical.cpu)
        case LowvisorSteps():
            return where is Where.LOWVISOR
        case HypFaults(cpu):
            return where is Where.LOWVISOR and vulnerable(design, state, cpu)
        case HighvisorHandles():
            return where is Where.HIGHVISOR
    return False


def free(state: State, vcpu: int) -> bool:
    """Whether no processor is amid running the vCPU."""
    busy = (Where.GUEST, Where.LOWVISOR, Where.HIGHVISOR, Where.HUNG, Where.SECURE)
    return all(p.thread.vcpu != vcpu or p.thread.where not in busy for p in state.processors)


@rule(linux("arch/arm/kvm/arm.c", "kvm_arch_vcpu_ioctl_run"), arm("B9.3.3"))
def in_run_loop(design: Design, cpu: Processor) -> bool:
    """Whether the host is where its run loop can be: in the kernel's own mode and in ARM state."""
    return every(mode(cpu.cpsr) == KERNEL_MODE_OF[design.placement], bit(cpu.cpsr, T_BIT) == 0)


def vulnerable(design: Design, state: State, cpu: int) -> bool:
    """Whether the lowvisor's next step may fault."""
    thread = state.processors[cpu].thread
    steps = design.routine(thread.routine)
    return thread.index < len(steps) and moves.may_fault(steps[thread.index], context(state, cpu))


def possible(physical: Physical, instruction: Instruction) -> bool:
    """Whether the instruction exists and the memory system may answer as it says: stage 2 faults need a stage 2."""
    fault = getattr(instruction.operation, "fault", MemoryOutcome.OK)
    answered = either(fault != MemoryOutcome.STAGE2_FAULT, bits(physical.cpu.hyp.hcr, 0, 0) == 1)
    return every(is_encodable(instruction, physical.cpu.cpsr), answered)


def forced(state: State, cpu: int) -> Action | None:
    """The action that the processor must take next, if any; the highvisor's answer to a fault is a choice."""
    if cpu >= len(state.processors):
        return None
    where = state.processors[cpu].thread.where
    if where is Where.LOWVISOR:
        return LowvisorSteps(cpu)
    if where is Where.HIGHVISOR:
        return HighvisorHandles(cpu)
    return None
