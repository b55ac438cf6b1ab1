"""The decisions of KVM/ARM about interrupts that are data: the run loop step by step, registers, and what it heeds."""

from collections.abc import Mapping
from enum import Enum
from functools import cache
from types import MappingProxyType

from attrs import frozen

from model.programs import GUEST as GUEST
from model.programs import OUT as OUT
from model.programs import Programs, Routines
from spec.citations import Citation
from spec.words import U8, U32


class Do(Enum):
    """What one step of a routine does."""

    CLEAR_REQUESTS = "takes back the request that a kick left"
    AWAIT_POWER = "sleeps while the vCPU is powered off"
    LOCK = "takes the distributor's lock"
    PRUNE = "gives back list registers of interrupts that are not to be delivered here any more"
    CHECK_PENDING = "goes on to the flush's end where nothing is pending"
    FLUSH_ONE = "puts one pending interrupt into a list register"
    FLUSH_END = "asks for a maintenance interrupt where not all fitted, else notes that nothing is pending"
    UNLOCK = "releases the distributor's lock"
    KICK = "wakes or interrupts the vCPUs that have something to flush, where the step before calls for it"
    MASK_IRQS = "masks interrupts"
    CHECK_SIGNAL = "backs out where a signal is pending"
    CHECK_POWER = "backs out where the vCPU was powered off"
    SET_MODE = "says that the vCPU is in the guest, so that kicks interrupt it"
    CHECK_REQUESTS = "backs out where a kick left a request"
    LOAD_HCR = "writes GICH_HCR"
    LOAD_VMCR = "writes GICH_VMCR"
    LOAD_APR = "writes GICH_APR"
    LOAD_LRS = "writes the list registers"
    LOAD_PINS = "sets HCR.VI and HCR.VF as user space has set the vCPU's pins"
    CLEAR_PINS = "clears HCR.VI and HCR.VF"
    ENTER = "enters the guest"
    SAVE_HCR = "reads GICH_HCR"
    SAVE_VMCR = "reads GICH_VMCR"
    SAVE_MISR = "reads GICH_MISR"
    SAVE_EISR = "reads GICH_EISR"
    SAVE_ELRSR = "reads GICH_ELRSR"
    SAVE_APR = "reads GICH_APR"
    STOP = "writes 0 to GICH_HCR"
    SAVE_LRS = "reads the list registers"
    CLEAR_MODE = "says that the vCPU is not in the guest"
    UNMASK_IRQS = "unmasks interrupts"
    SYNC_SAMPLE = "looks which ended interrupts are pending again"
    SYNC_ENDED = "takes back that the ended interrupts are in flight"
    SYNC_UNDERFLOW = "takes back the wish for a maintenance interrupt"
    SYNC_FREE = "frees the list registers that are empty"
    SYNC_PENDING = "notes that there may be something to flush"
    HANDLE_EXIT = "does what the exit asks for"
    PREPARE_WAIT = "puts the thread on the vCPU's wait queue"
    CHECK_RUNNABLE = "goes on where there is something to flush, or a signal"
    SLEEP = "gives the processor away until something wakes the thread"
    FINISH_WAIT = "takes the thread off the wait queue"
    DECODE = "finds the register"
    PERFORM = "carries out the access, or begins to"
    WRITE_ONE = "changes one interrupt"
    RETIRE = "empties this vCPU's list registers of disabled interrupts"
    UPDATE = "computes anew what is pending for whom"
    INJECT = "tells the distributor about the line"
    SET_PIN = "sets or clears a pin of the vCPU"
    KICK_ONE = "wakes or interrupts the vCPU whose pin has changed"


class Trait(Enum):
    """Something that the highvisor's code heeds or not."""

    TARGET_LIST = "an SGI to a list of targets goes to these, not to all but the sender"
    SGI_BROADCAST = "an SGI goes to every vCPU of the VM"
    LINE_APART = "the line of a level-sensitive interrupt is told from what the guest writes to the pending registers"
    DISABLED_SILENT = "while the distributor is disabled, none of its interrupts is pending for a vCPU"
    DISABLED_UPDATED = "an update behind a disabled distributor computes anew what is pending, and notes nobody else"
    CONFIG_LANES = "the bytes of GICD_ICFGR are where the architecture has them"
    TARGETS_EXIST = "GICD_ITARGETSR takes no targets but the VM's vCPUs"
    RESERVED_ZERO = "offsets of the distributor without a register read as zero and ignore writes"
    SUMMARY_EXACT = "a line that falls, or a state that changes otherwise, changes what is pending for a vCPU at once"
    LINE_BOUNDED = "KVM_IRQ_LINE refuses numbers that the distributor does not have"
    STATUS_MIRRORED = "the saved GICH_ELRSR, GICH_EISR and GICH_MISR follow what software does to list registers"
    ENDED_FREED = "a list register whose interrupt ended is free, whatever GICH_ELRSR says"
    ONE_PER_SGI = "an SGI has one list register, and its other sources wait"
    SOURCE_OVERWRITTEN = "another source of an SGI takes the place of the one that its list register holds"
    SINGLE_ASKS_AT_END = "a single list register asks for maintenance at its interrupt's end where not all fitted"
    LEVEL_ONCE = "a level-sensitive interrupt in a list register is not made pending there again"
    TARGET_FOLLOWED = "an interrupt is in list registers of one vCPU alone, and whoever waits for that to end is told"
    HOLDERS_TOLD_ONCE = "whoever has in a list register what another vCPU waits for is told so once"
    KICK_REQUESTS = "a kick leaves a request"
    KICKER_SPARED = "a vCPU that kicks those of its VM leaves no request for itself"
    ENDS_REPORTED = "every interrupt asks for a maintenance interrupt at its end"
    ENDS_SILENT = "no interrupt asks for a maintenance interrupt at its end"
    FALLING_EDGES = "a falling line pends an edge-triggered interrupt too"
    EDGE_DROPPED = "an edge that a list register gives back is forgotten"
    SIBLINGS_STOPPED = "a guest that stops its machine stops its other vCPUs"


class Register(Enum):
    """A register of the distributor, or a range of them that are alike."""

    CTLR = "GICD_CTLR"
    TYPER = "GICD_TYPER"
    IIDR = "GICD_IIDR"
    IGROUPR = "GICD_IGROUPR"
    ISENABLER = "GICD_ISENABLER"
    ICENABLER = "GICD_ICENABLER"
    ISPENDR = "GICD_ISPENDR"
    ICPENDR = "GICD_ICPENDR"
    ISACTIVER = "GICD_ISACTIVER"
    ICACTIVER = "GICD_ICACTIVER"
    IPRIORITYR = "GICD_IPRIORITYR"
    ITARGETSR = "GICD_ITARGETSR"
    ICFGR = "GICD_ICFGR"
    SGIR = "GICD_SGIR"
    CPENDSGIR = "GICD_CPENDSGIR"
    SPENDSGIR = "GICD_SPENDSGIR"


@frozen(cache_hash=True)
class VgicStep:
    """One step of a routine, with the code that it stands for."""

    name: str
    do: Do
    sources: tuple[Citation, ...]


@frozen(cache_hash=True)
class Range:
    """A line of the distributor's register map: a register, its offset and its length in bytes."""

    register: Register
    base: U32
    length: U32


@frozen(cache_hash=True)
class VgicDesign(Routines[VgicStep]):
    """How a design virtualizes interrupts: its routines, its register map, and what its code heeds."""

    run: tuple[VgicStep, ...]
    """The run loop of a vCPU: flush, checks, world switch in and out, sync."""
    block: tuple[VgicStep, ...]
    """What follows a trapped WFI; then the run loop."""
    access: tuple[VgicStep, ...]
    """What follows an access to the distributor; then the run loop."""
    inject: tuple[VgicStep, ...]
    """A line changes."""
    registers: tuple[Range, ...]
    updating: tuple[Register, ...]
    """The registers behind whose writes it is computed anew what is pending, and vCPUs are kicked."""
    traits: frozenset[Trait]


ROUTINES = ("run", "block", "access", "inject")
LONGEST = 56

JUMPS: Mapping[Do, Do] = MappingProxyType(
    {
        Do.CHECK_PENDING: Do.FLUSH_END,
        Do.CHECK_SIGNAL: Do.CLEAR_MODE,
        Do.CHECK_POWER: Do.CLEAR_MODE,
        Do.CHECK_REQUESTS: Do.CLEAR_MODE,
        Do.CHECK_RUNNABLE: Do.FINISH_WAIT,
        Do.PERFORM: Do.UPDATE,
    }
)
"""Where a step may go on instead of the next one: to the first such step behind it, or else to the end."""
PROGRAMS = Programs(ROUTINES, LONGEST)
place, routine_at, program, step_at = PROGRAMS.place, PROGRAMS.routine_at, PROGRAMS.program, PROGRAMS.step_at
after, ends = cache(PROGRAMS.after), cache(PROGRAMS.ends)


@cache
def jump_target(design: VgicDesign, at: U8) -> U8:
    """The program counter at which the step there goes on where it does not go on with the next one."""
    step = step_at(design, at)
    assert step is not None
    return PROGRAMS.behind(design, at, (JUMPS[step.do],))
