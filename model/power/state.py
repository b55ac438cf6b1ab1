"""The state of power: vCPUs that are on or off with their threads and registers, VMs that live or not, and processors.

Fields marked "history" exist in no machine: properties speak with them.

Not modelled: most registers. r0, PC, CPSR and SCTLR stand for those that a start sets, and all others together are one
word, so `power.saved_and_restored` speaks of these. Interrupts that a vCPU waits for, which the properties of
interrupts cover, so a vCPU that waits is woken by its timer, a signal or CPU_ON alone.
"""

from enum import IntEnum

from attrs import frozen

from spec.psr import A_BIT, F_BIT, I_BIT
from spec.psr import Mode as ProcessorMode
from spec.records import quick
from spec.words import U1, U2, U3, U4, U8, U32

SCTLR_RESET = 0x00C50078
MIDR = 0x412FC0F1
CPSR_RESET = ProcessorMode.SVC | 1 << A_BIT | 1 << I_BIT | 1 << F_BIT


class Function(IntEnum):
    """A call of PSCI, whatever its number."""

    CPU_OFF = 0
    CPU_ON = 1
    SYSTEM_OFF = 2


class Exit(IntEnum):
    """Why a vCPU left the guest, or the run loop backed out."""

    NONE = 0
    """For nothing that concerns power."""
    WAIT = 1
    """WFI."""
    CALL = 2
    SIGNAL = 3
    """A signal takes the thread to user space."""


class Answer(IntEnum):
    """What PSCI answers."""

    SUCCESS = 0
    INVALID_PARAMETERS = 0xFFFFFFFE
    ALREADY_ON = 0xFFFFFFFC


class Error(IntEnum):
    """What an ioctl returns."""

    OK = 0
    ENOENT = 2
    """No such register."""
    ENOEXEC = 8
    """The vCPU has not been initialised."""
    EINVAL = 22


class Reg(IntEnum):
    """A register that user space reads and writes."""

    R0 = 0
    PC = 1
    CPSR = 2
    SCTLR = 3
    REST = 4
    MIDR = 5
    """One of those that always have one value."""


@quick
@frozen
class Registers:
    """A vCPU's registers."""

    r0: U32
    pc: U32
    cpsr: U32
    sctlr: U32
    rest: U32
    """All others as one word, 0 where each has its value at reset."""


RESET = Registers(0, 0, CPSR_RESET, SCTLR_RESET, 0)
"""What they are after a reset."""

UNSET = Registers(0, 0, 0, 0, 0)
"""What they are before the first one."""


@quick
@frozen
class Call:
    """A call of PSCI with its operands."""

    function: U2
    target: U8
    """The number of a vCPU, which there may be or not."""
    entry: U32
    context: U32
    big: U1
    """1 where the caller is big-endian."""


NO_CALL = Call(0, 0, 0, 0, 0)


@quick
@frozen
class Vcpu:
    """One vCPU and its thread."""

    vm: U8
    number: U3
    """Which vCPU of its VM."""
    at: U8
    """The thread's program counter: a step of one of the design's routines, the guest, or user space."""
    cpu: U8
    """The processor that its thread runs on or ran on last."""
    mode: U2
    wait: U2
    signal: U1
    initialised: U1
    feature: U1
    """1 where its initialisation asked for it to be off and its first run has still to see to that."""
    ran: U1
    """has_run_once."""
    pause: U1
    """1 while it is powered off."""
    request: U1
    """1 while it is asked to reset itself."""
    start: Call
    """The CPU_ON by which it is to reset itself."""
    exit: U4
    call: Call
    """The call that its guest has made last."""
    result: U32
    registers: Registers
    timer: U1
    """1 while the guest's virtual timer runs."""
    soft: U1
    """1 while the software timer is armed that stands in for it."""
    due: U1
    """1 while an interrupt waits for its guest."""
    off: U1
    """History: 1 while it is off by what its guest and user space have done."""
    fresh: U1
    """History: 1 from its start by CPU_ON until it runs."""
    asked: Call
    """History: the CPU_ON that has started it."""
    stopped: U1
    """History: 1 since its VM has stopped its machine, until user space or a vCPU that is not stopped starts it."""
    started: U1
    """History: 1 where its own CPU_ON has powered somebody on."""
    cursor: U8
    """The vCPU of its VM that a loop of its thread has reached."""
    freed: U1
    """1 once its memory is the host's again."""


@quick
@frozen
class Vm:
    """One VM."""

    alive: U1
    lock: U8
    """Who holds kvm->lock: 0 nobody, else the vCPU whose thread does, plus 1."""


@quick
@frozen
class Core:
    """One processor."""

    busy: U1
    """1 while a vCPU's thread runs here; else the host does something else."""
    vcpu: U8
    """Which; 0 where none does."""
    masked: U1
    """1 while interrupts are masked for the host."""
    ipi: U1
    """1 while a reschedule interrupt is pending."""
    live: Registers
    """The guest's registers while they are loaded."""
    holds: U8
    """The vCPU whose virtual interface, timer and stage 2 are loaded, plus 1; 0 for none."""


@quick
@frozen
class Agent:
    """A thread of user space that makes ioctls."""

    at: U8
    vm: U8
    cursor: U8
    """The vCPU of the VM that a loop has reached."""
    error: U8
    """What the last ioctl returned."""
    value: U32
    """What it read."""


@quick
@frozen
class PowerState:
    """Everything about power."""

    cores: tuple[Core, ...]
    agents: tuple[Agent, ...]
    vcpus: tuple[Vcpu, ...]
    vms: tuple[Vm, ...]
    crashed: U1
    """History: 1 once the highvisor has used what is not there."""
