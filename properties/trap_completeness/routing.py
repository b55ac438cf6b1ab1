"""What must enter Hyp mode does, and nothing else: waiting, interrupts, maintenance, a guest's affairs, the host."""

from attrs import evolve

from model.action import Action
from model.actions import GuestExecutes, GuestTrapsUnforeseen, HostExecutes, InterruptTaken, LowvisorSteps
from model.design import Design
from model.guards import PHYSICAL, TAKEN
from model.highvisor.exits import handle_exit
from model.state import State, Where
from properties.property import Kind, Property
from properties.trap_completeness.steps import always, cpu_of, operation_of, where
from spec.coprocessor.row import Effect
from spec.execute import execute
from spec.operations import (
    Barrier,
    Bkpt,
    CoprocessorAccess,
    ExceptionReturn,
    Hvc,
    Load,
    MemoryOutcome,
    Operation,
    ReadBanked,
    ReadCpsr,
    Store,
    Svc,
    Udf,
    Wfe,
    Wfi,
    WriteBanked,
    WriteCpsr,
)
from spec.outcome import Event
from spec.psr import is_hyp
from spec.words import every, implies, negate


def waits(design: Design, before: State, action: Action, after: State) -> bool:
    """The predicate of WAITS."""
    return cpu_of(after, action).local.waiting == 0


WAITS = Property(
    id="trap_completeness.waits_yield",
    statement="A guest that waits for an interrupt or an event gives the processor back to the host.",
    claims=("C31",),
    question="Why are WFI and WFE trapped?",
    kind=Kind.STEP,
    about=(GuestExecutes,),
    holds=waits,
    interesting=lambda d, b, a, s: isinstance(operation_of(a), Wfi | Wfe) and where(s, a) is Where.LOWVISOR,
    explain=lambda d, b, a, s: "the guest suspended the physical processor: nothing else runs on it until an interrupt",
)


def interrupts_reach_host(design: Design, before: State, action: Action, after: State) -> bool:
    """The predicate of INTERRUPTS: while a guest runs, an asserted interrupt can be taken, and leaves the guest."""
    if isinstance(action, InterruptTaken):
        goes = Where.LOWVISOR if action.signal in PHYSICAL else Where.GUEST
        return where(before, action) is not Where.GUEST or where(after, action) is goes
    if where(after, action) is not Where.GUEST:
        return True
    cpu = cpu_of(after, action)
    return every(*(implies(getattr(cpu.signals, name) == 1, TAKEN[name][0](cpu)) for name in PHYSICAL))


INTERRUPTS = Property(
    id="trap_completeness.interrupts_reach_host",
    statement="A physical interrupt or abort that arrives while a guest runs takes it out, whatever it has masked.",
    claims=("C17", "C19"),
    question="Why do physical interrupts trap to Hyp mode?",
    kind=Kind.STEP,
    about=(GuestExecutes, InterruptTaken, LowvisorSteps),
    holds=interrupts_reach_host,
    interesting=lambda d, b, a, s: isinstance(a, InterruptTaken) and where(b, a) is Where.GUEST,
    explain=lambda d, b, a, s: f"a physical interrupt did not reach the host: the processor runs {where(s, a).value}",
)


def maintenance_reaches(design: Design, before: State, action: Action, after: State) -> bool:
    """The predicate of MAINTENANCE."""
    assert isinstance(action, GuestExecutes)
    operation = operation_of(action)
    local = isinstance(operation, Barrier) or (
        isinstance(operation, CoprocessorAccess) and operation.row.effect in (Effect.MAINTENANCE, Effect.TLB)
    )
    if not local:
        return True
    outcome = execute(cpu_of(before, action), action.instruction, action.choices)
    return outcome.scope >= 1 if outcome.event is Event.COMPLETED else True


MAINTENANCE = Property(
    id="trap_completeness.maintenance_reaches_every_processor",
    statement="A guest's TLB, branch predictor and instruction cache maintenance and its barriers reach every "
    "processor its vCPU may have run on.",
    claims=("C15",),
    question="Why HCR.FB and HCR.BSU?",
    kind=Kind.STEP,
    about=(GuestExecutes,),
    holds=maintenance_reaches,
    interesting=lambda d, b, a, s: isinstance(operation_of(a), Barrier) and where(s, a) is Where.GUEST,
    explain=lambda d, b, a, s: "it stayed on this processor; after a migration the vCPU would see stale entries",
)


UNTRAPPED_ROWS = (
    "SCTLR", "TTBR0", "TTBR1", "TTBCR", "TTBR0_64", "TTBR1_64", "DACR", "CONTEXTIDR", "CPACR", "VBAR", "MAIR0", "MAIR1",
    "TPIDRURW", "TPIDRURO", "TPIDRPRW", "DFSR", "IFSR", "DFAR", "IFAR", "PAR", "CSSELR", "CTR", "CLIDR", "CCSIDR",
    "ID_PFR0", "ID_PFR1", "ID_MMFR0", "ID_MMFR1", "ID_ISAR0", "TLBTR", "MIDR", "MPIDR", "TLBIALL", "TLBIMVA",
    "TLBIALLIS",
    "ICIALLU", "ICIALLUIS", "ICIMVAU", "DCCMVAC", "DCCIMVAC", "DCIMVAC", "DCCMVAU", "BPIALL", "CNTVCT", "CNTV_CTL",
    "CNTV_TVAL", "CNTV_CVAL", "CNTPCT", "CNTKCTL",
)  # fmt: skip
"""Registers that a guest kernel uses all the time: the paper's design gives direct access to them (C15, C25)."""


def needs_no_trap(operation: Operation) -> bool:
    """Whether an operation is the guest's own affair, and must cost no exit."""
    if isinstance(operation, CoprocessorAccess):
        return operation.row.name in UNTRAPPED_ROWS
    if isinstance(operation, Load | Store):
        return operation.fault != MemoryOutcome.STAGE2_FAULT
    return isinstance(
        operation, Svc | Udf | Bkpt | WriteCpsr | ReadCpsr | ExceptionReturn | ReadBanked | WriteBanked | Barrier
    )


def no_needless_trap(design: Design, before: State, action: Action, after: State) -> bool:
    """The predicate of NEEDLESS."""
    return where(after, action) is Where.GUEST or negate(needs_no_trap(operation_of(action)))


NEEDLESS = Property(
    id="trap_completeness.no_needless_trap",
    statement="A guest's system calls, exceptions, mode changes, stage 1 registers and virtual timer never trap.",
    claims=("C15", "C25"),
    question="Why is trapping in kernel mode useful?",
    kind=Kind.STEP,
    about=(GuestExecutes,),
    holds=no_needless_trap,
    interesting=lambda d, b, a, s: isinstance(operation_of(a), Svc) and where(s, a) is Where.GUEST,
    explain=lambda d, b, a, s: "the guest was left for something that is its own affair",
)


def host_untrapped(design: Design, before: State, action: Action, after: State) -> bool:
    """The predicate of HOST_UNTRAPPED."""
    if isinstance(action, HostExecutes) and isinstance(operation_of(action), Hvc):
        return True
    if where(before, action) is not Where.HOST:
        return True
    return negate(is_hyp(cpu_of(after, action).cpsr))


HOST_UNTRAPPED = Property(
    id="trap_completeness.host_untrapped",
    statement="While the host runs, nothing but HVC enters Hyp mode: no instruction, exception or interrupt.",
    claims=("C4", "C18"),
    question="What does KVM/ARM cost the host while no VM runs?",
    kind=Kind.STEP,
    about=(HostExecutes, InterruptTaken),
    holds=host_untrapped,
    interesting=lambda d, b, a, s: isinstance(a, HostExecutes),
    explain=lambda d, b, a, s: "the host's operation entered Hyp mode",
)


def survives_unforeseen(design: Design, before: State, action: Action, after: State) -> bool:
    """The predicate of UNFORESEEN: with the trap's class in the image, the dispatch does not stop the machine."""
    physical = after.processors[action.cpu]
    if physical.thread.where is not Where.LOWVISOR:
        return physical.thread.where is Where.GUEST
    image = evolve(after.vcpus[physical.thread.vcpu].image, hsr=physical.cpu.hyp.hsr)
    return handle_exit(design, image, 7).result.name != "HOST_CRASHED"


UNFORESEEN = Property(
    id="trap_completeness.unforeseen_survived",
    statement="An exception class that ARMv7 reserves does not stop the machine when a newer processor raises it.",
    claims=("C3",),
    question="What if the processor knows a trap that the code does not?",
    kind=Kind.STEP,
    about=(GuestTrapsUnforeseen,),
    holds=survives_unforeseen,
    interesting=always,
    explain=lambda d, b, a, s: "the dispatch table has a hole, and hitting it stops the machine",
)
