"""A design of KVM/ARM: every decision it takes that is data, as one frozen value.

Designs are varied, never copied: `vary` gives a named design that differs from another in a few fields, and keeps the
list of variations it is made of.
"""

from enum import Enum, IntEnum

from attrs import evolve, frozen

from model.hyp.design import HypDesign
from model.lowvisor.moves import Step
from model.memory.design import MemoryDesign
from model.power.design import PowerDesign
from model.timer.design import TimerDesign
from model.vgic.design import VgicDesign
from spec.citations import Citation
from spec.psr import Mode
from spec.words import U32


class ExitCode(IntEnum):
    """What the lowvisor tells the highvisor: ARM_EXCEPTION_* of asm/kvm_asm.h."""

    RESET = 0
    UNDEFINED = 1
    SOFTWARE = 2
    PREF_ABORT = 3
    DATA_ABORT = 4
    IRQ = 5
    FIQ = 6
    HVC = 7


class Vector(Enum):
    """What the code at one Hyp vector does."""

    SPIN = "branches to itself for ever"
    TRAP = "dispatches a synchronous trap from PL1 or PL0"
    IRQ = "leaves the guest with exit code IRQ"
    FIQ = "leaves the guest with exit code FIQ"
    PANIC = "panics the host"
    HIGHVISOR = "runs the highvisor's handler at once, in Hyp mode"
    BAD_UNDEFINED = "panics the host or leaves the guest with exit code UNDEFINED"
    BAD_CALL = "panics the host or leaves the guest with exit code HVC"
    BAD_PREFETCH = "panics the host or leaves the guest with exit code PREF_ABORT"
    BAD_DATA = "panics the host or leaves the guest with exit code DATA_ABORT"


class Handler(Enum):
    """What the highvisor does with a trap of one exception class."""

    WFX = "block the vCPU until it can run (WFI), or yield to another (WFE); the PC stays"
    CP15_32 = "emulate a CP15 access by the table, skip it; inject UNDEF where the table has no entry"
    CP15_64 = "emulate a 64-bit CP15 access by the table"
    INJECT_UNDEF = "inject an Undefined Instruction exception"
    HVC = "perform a PSCI call, or inject an Undefined Instruction exception"
    SMC = "inject an Undefined Instruction exception"
    SMC_CALL = "perform a firmware call and skip the instruction"
    SMC_CALL_UNSKIPPED = "perform a firmware call and leave the PC at the instruction"
    GUEST_ABORT = "map the page and retry, complete the access for a device, or inject an abort"
    HYP_ABORT = "report the error to user space"
    BUG = "stop the machine"


class Emulation(Enum):
    """What the highvisor does with one direction of a trapped coprocessor access."""

    STORED = "read the value kept for the vCPU"
    ZERO = "read zero"
    IGNORE = "ignore the write"
    SET_WAY = "perform the set/way operation here and on every processor the vCPU may run on later"
    SET_WAY_LOCALLY = "perform the set/way operation on this processor"
    UNDEF = "inject an Undefined Instruction exception"


@frozen
class Emulated:
    """One line of the highvisor's coprocessor table: a row of the catalogue, and what reads and writes do."""

    row: str
    reads: Emulation
    writes: Emulation
    stored: str | None = None
    """The field of the image that a STORED read returns."""


@frozen
class Injection:
    """How an exception is put into a vCPU: what the handler adds to the saved PC to make the exception's LR.

    For UNDEF the saved PC is the instruction's address, except after HVC, where it is the next instruction's.
    """

    undef_arm: int
    undef_thumb: int
    undef_call_arm: int
    undef_call_thumb: int
    prefetch_arm: int
    prefetch_thumb: int
    data_arm: int
    data_thumb: int
    to_live_register: bool = False
    """Whether the old CPSR goes to the processor's banked SPSR, where the next entry overwrites it."""


@frozen
class Skip:
    """How an emulated instruction is stepped over."""

    advances_it: bool = True
    checks_condition: bool = True
    """Whether a trapped instruction whose condition fails is stepped over without emulation."""


class Completion(Enum):
    """How KVM_RUN knows that it has to complete an access to a device."""

    EXIT_REASON = "the exit reason in the structure shared with user space says MMIO"
    OUTSTANDING = "a flag of the vCPU says that an access is outstanding"


class Skipping(Enum):
    """When an instruction that accesses a device is stepped over."""

    AT_EXIT = "when its access is decoded"
    AT_COMPLETION = "when its access is completed"
    NEVER = "never"


@frozen
class DeviceAccess:
    """How an access to an emulated device is carried out."""

    completion: Completion = Completion.EXIT_REASON
    trusts_run: bool = True
    """Whether length and direction of a completed access are read back from the structure that user space writes."""
    reports_in_kernel: bool = True
    """Whether an access that the kernel itself completes sets the exit reason too."""
    signal_clears_reason: bool = True
    """Whether a KVM_RUN that returns at once, for a signal, leaves an exit reason of its own."""
    skips: Skipping = Skipping.AT_EXIT
    lengths: tuple[int, int, int] = (1, 2, 4)
    """The bytes of an access by HSR.SAS."""
    adds_offset: bool = True
    """Whether the place in the page is part of the address that the device is told."""
    banked: bool = True
    """Whether the register of a store is the one that the guest's mode sees."""
    extends_sign: bool = True
    delivers: bool = True
    """Whether a load's register receives what the device answers."""
    awaits: bool = True
    """Whether the vCPU runs only when user space has called KVM_RUN again."""


class Placement(Enum):
    """Which mode the host's kernel and the highvisor run in."""

    KERNEL_MODE = "the host kernel runs in PL1, and a lowvisor alone in Hyp mode: split-mode virtualization"
    HYP_MODE = "the whole host kernel runs in Hyp mode"
    NO_LOWVISOR = "the highvisor switches to the guest from PL1, without code in Hyp mode"


@frozen
class Design:
    """One design, as the tables of its decisions."""

    name: str
    variations: tuple["Variation", ...]
    call: tuple[Step, ...]
    """Hyp vector 0x14, when the host called."""
    entry: tuple[Step, ...]
    """The world switch into the guest."""
    trap: tuple[Step, ...]
    """Hyp vector 0x14, when the guest trapped; before `exit`."""
    interrupt: tuple[Step, ...]
    """Hyp vector 0x18 or 0x1c, while the guest ran; before `exit`."""
    exit: tuple[Step, ...]
    """The world switch out of the guest."""
    back: tuple[Step, ...]
    """The return from a host call."""
    vfp: tuple[Step, ...]
    """The guest's first VFP instruction since the entry; returns to the guest."""
    vectors: tuple[tuple[int, Vector], ...]
    handlers: tuple[tuple[int, Handler], ...]
    unknown_trap: Handler
    emulated: tuple[Emulated, ...]
    injection: Injection
    skip: Skip
    mmio: DeviceAccess
    placement: Placement
    virtualization_extensions: bool
    """False before the Virtualization Extensions: a guest kernel runs at PL0 and nothing traps to Hyp."""
    memory: MemoryDesign
    """Stage 2, VMIDs, faults and what takes memory away."""
    vgic: VgicDesign
    """Virtual interrupts."""
    timer: TimerDesign
    """Virtual time, and the timers of vCPUs."""
    power: PowerDesign
    """How vCPUs start and stop, and what user space may do to them."""
    hyp: HypDesign
    """How Hyp mode is set up on each processor."""

    def routine(self, name: str) -> tuple[Step, ...]:
        """The steps of a lowvisor routine, by its field's name."""
        steps: tuple[Step, ...] = getattr(self, name)
        return steps


ROUTINES = ("call", "entry", "trap", "interrupt", "exit", "back", "vfp")


@frozen
class Variation:
    """One named difference between two designs, with its source and the fact it stands for."""

    id: str
    statement: str
    sources: tuple[Citation, ...]


def vary(design: Design, variation: Variation, **changes: object) -> Design:
    """The design with some of its decisions replaced, and the variation added to its list."""
    return evolve(design, variations=(*design.variations, variation), **changes)  # type: ignore[arg-type]


def renamed(design: Design, name: str) -> Design:
    """The same design under another name."""
    return evolve(design, name=name)


def lookup_handler(design: Design, ec: U32) -> Handler:
    """The highvisor's handler for a concrete exception class."""
    for candidate, handler in design.handlers:
        if candidate == ec:
            return handler
    return design.unknown_trap


KERNEL_MODE_OF = {Placement.KERNEL_MODE: Mode.SVC, Placement.HYP_MODE: Mode.HYP, Placement.NO_LOWVISOR: Mode.SVC}
