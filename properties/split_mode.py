"""Split-mode virtualization: a lowvisor alone in Hyp mode, and the unmodified host kernel in kernel mode.

Which type of hypervisor is this? A hosted one (type 2): the host kernel schedules, allocates and drives devices, and is
trusted with everything; the lowvisor protects VMs from each other and the host from VMs, never a VM from the host.
"""

from model.action import Action
from model.actions import HostExecutes, HostRunsVcpu, LowvisorSteps
from model.design import Design
from model.state import State, Where
from properties.property import Kind, Property
from spec.execute import execute
from spec.psr import Mode, is_hyp
from spec.words import insert, negate, put


def only_lowvisor_in_hyp(design: Design, before: State, action: Action, after: State) -> bool:
    """The predicate of ONLY_LOWVISOR."""
    physical = after.processors[action.cpu]
    if physical.thread.where in (Where.PANICKED, Where.HUNG, Where.SECURE):
        return True
    if physical.thread.where is Where.LOWVISOR:
        return is_hyp(physical.cpu.cpsr)
    return negate(is_hyp(physical.cpu.cpsr))


ONLY_LOWVISOR = Property(
    id="split_mode.only_lowvisor_in_hyp",
    statement="A processor is in Hyp mode exactly while the lowvisor runs: host, highvisor and guests never are.",
    claims=("C1",),
    question="Which code is privileged above the kernel?",
    kind=Kind.STATE,
    about=(Action,),
    holds=only_lowvisor_in_hyp,
    interesting=lambda d, b, a, s: s.processors[a.cpu].thread.where is Where.LOWVISOR,
    explain=lambda d, b, a, s: (
        f"CPSR={s.processors[a.cpu].cpu.cpsr:#x} while the processor runs {s.processors[a.cpu].thread.where.value}"
    ),
)


def double_trap(design: Design, before: State, action: Action, after: State) -> bool:
    """The predicate of DOUBLE_TRAP."""
    old, new = before.processors[action.cpu].thread.where, after.processors[action.cpu].thread.where
    host = (Where.HOST, Where.HIGHVISOR)
    return not ((old in host and new is Where.GUEST) or (old is Where.GUEST and new in host))


DOUBLE_TRAP = Property(
    id="split_mode.double_trap",
    statement="Every change between highvisor and guest passes Hyp mode, by a trap into it and a return out of it.",
    claims=("C2", "C24"),
    question="What does split mode cost on every exit?",
    kind=Kind.STEP,
    about=(Action,),
    holds=double_trap,
    interesting=lambda d, b, a, s: (
        b.processors[a.cpu].thread.where is Where.GUEST and s.processors[a.cpu].thread.where is Where.LOWVISOR
    ),
    explain=lambda d, b, a, s: "the worlds changed without the lowvisor",
)


def host_unmodified(design: Design, before: State, action: Action, after: State) -> bool:
    """The predicate of UNMODIFIED: what the kernel executes does what it does in Supervisor mode."""
    assert isinstance(action, HostExecutes)
    cpu = before.processors[action.cpu].cpu
    if negate(is_hyp(cpu.cpsr)):
        return True
    kernel = put(cpu, "cpsr", insert(cpu.cpsr, 4, 0, Mode.SVC))
    as_written = execute(kernel, action.instruction, action.choices)
    here = execute(cpu, action.instruction, action.choices)
    same_effect = here.cpu.cp15 == as_written.cpu.cp15 and here.cpu.general == as_written.cpu.general
    return here.event is as_written.event and same_effect


UNMODIFIED = Property(
    id="split_mode.host_kernel_unmodified",
    statement="Whatever the host kernel executes does what it was written to do in kernel mode.",
    claims=("C1", "C30"),
    question="Why split-mode: why not run the whole kernel in Hyp mode?",
    kind=Kind.STEP,
    about=(HostExecutes,),
    holds=host_unmodified,
    interesting=lambda d, b, a, s: True,
    explain=lambda d, b, a, s: "the instruction behaves differently in Hyp mode: the kernel would not run unmodified",
)


def entry_possible(design: Design, before: State, action: Action, after: State) -> bool:
    """The predicate of ENTRY_POSSIBLE: the steps that configure the guest are executed where they may be."""
    return after.processors[action.cpu].thread.where is not Where.PANICKED


ENTRY_POSSIBLE = Property(
    id="split_mode.needs_lowvisor",
    statement="The steps that enter a guest are executed in a mode that may execute them.",
    claims=("C1", "C3"),
    question="Why does the highvisor need a part in Hyp mode?",
    kind=Kind.STEP,
    about=(LowvisorSteps, HostRunsVcpu),
    holds=entry_possible,
    interesting=lambda d, b, a, s: s.processors[a.cpu].thread.where is Where.GUEST,
    explain=lambda d, b, a, s: "the kernel executed an access to a Hyp register: UNDEFINED, and the host panicked",
)

PROPERTIES = (ONLY_LOWVISOR, DOUBLE_TRAP, UNMODIFIED, ENTRY_POSSIBLE)
