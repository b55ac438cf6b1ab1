"""The decisions of KVM/ARM about power that are data: the run loop and PSCI step by step, and what the code heeds."""

from enum import Enum

from attrs import frozen

from model.programs import Programs, Routines
from spec.citations import Citation


class Do(Enum):
    """What one step of a routine does."""

    CHECK_INITIALISED = "goes back to user space, with an error, where the vCPU has no target yet"
    FIRST_RUN = "on the first run, powers the vCPU off where its initialisation asked for that"
    AWAIT_POWER = "sleeps while the vCPU is powered off"
    RESET_SELF = "resets the vCPU's registers as the CPU_ON asked that started it"
    DISARM = "cancels the software timer"
    MASK_IRQS = "masks interrupts"
    CHECK_SIGNAL = "backs out where a signal is pending"
    SET_MODE = "says that the vCPU is in the guest, so that kicks interrupt it"
    CHECK_POWER = "backs out where the vCPU was powered off"
    LOAD = "loads the vCPU's registers"
    SWITCH_ON = "loads the vCPU's virtual interface, timer and stage 2"
    ENTER = "enters the guest"
    SWITCH_OFF = "stops the virtual interface, the virtual timer and stage 2"
    SAVE = "saves the vCPU's registers"
    CLEAR_MODE = "says that the vCPU is not in the guest"
    UNMASK_IRQS = "unmasks interrupts"
    ARM = "arms the software timer where the guest's timer is running"
    HANDLE_EXIT = "does what the exit asks for"
    BLOCK = "sleeps until something wakes the thread"
    FINISH_WAIT = "takes the thread off the wait queue"
    PAUSE_SELF = "powers the vCPU off"
    LOCK = "takes the VM's lock"
    UNLOCK = "releases the VM's lock"
    CHECK_CALLER = "drops the call where the calling vCPU has been powered off meanwhile"
    FIND_TARGET = "refuses a vCPU that there is not"
    CHECK_ASLEEP = "refuses a vCPU whose thread does not sleep"
    CHECK_OFF = "refuses a vCPU that is not powered off"
    RESET_TARGET = "resets the target's registers"
    SET_ENTRY = "sets the target's registers to what the call asks for"
    RECORD = "notes what the call asks for"
    REQUEST = "asks the target to reset itself"
    CLEAR_PAUSE = "powers the target on"
    WAKE = "wakes the target's thread"
    RESULT = "puts the call's result into r0"
    PAUSE_ONE = "powers one vCPU of the VM off"
    KICK_ONE = "wakes or interrupts that vCPU, and goes on with the next one"
    LEAVE = "goes to user space, with the event that the machine is off"
    DISARM_ONE = "cancels the software timer of one vCPU of the VM"
    FREE_ONE = "frees that vCPU, and goes on with the next one"
    FREE_VM = "frees the VM"


class Trait(Enum):
    """Something that the highvisor's code heeds or not."""

    CONTEXT_PASSED = "a vCPU starts with the context of its CPU_ON in r0"
    ENDIANNESS_PASSED = "a vCPU starts in the endianness of the vCPU that starts it"
    THUMB_PASSED = "a vCPU starts in Thumb state where bit 0 of its entry point is 1"
    POWER_AT_INIT = "each initialisation of a vCPU powers it on or off"
    TARGET_CHECKED = "a vCPU cannot be initialised with a target that there is not"
    RESET_AT_INIT = "each initialisation of a vCPU resets its registers"
    INIT_CHECKED = "the registers of a vCPU that has no target yet cannot be read or written"
    MODES_CHECKED = "user space cannot set a processor mode that no guest may have"
    SYSTEM_MODE = "user space can set System mode"
    RESET_BEFORE_ACCESS = "a vCPU that was started is reset before user space reads or writes its registers"
    INVARIANTS_CHECKED = "user space cannot set a register that always has one value to another one"


@frozen(cache_hash=True)
class PowerStep:
    """One step of a routine, with the code that it stands for."""

    name: str
    do: Do
    sources: tuple[Citation, ...]


@frozen(cache_hash=True)
class PowerDesign(Routines[PowerStep]):
    """How a design starts and stops vCPUs: its routines, and what its code heeds."""

    run: tuple[PowerStep, ...]
    """KVM_RUN: the run loop of a vCPU."""
    block: tuple[PowerStep, ...]
    """What follows a trapped WFI; then the run loop."""
    off: tuple[PowerStep, ...]
    """PSCI CPU_OFF."""
    on: tuple[PowerStep, ...]
    """PSCI CPU_ON."""
    stop: tuple[PowerStep, ...]
    """PSCI SYSTEM_OFF; empty where the call is unknown."""
    destroy: tuple[PowerStep, ...]
    """The last reference to a VM is gone."""
    traits: frozenset[Trait]


ROUTINES = ("run", "block", "off", "on", "stop", "destroy")
PROGRAMS = Programs(ROUTINES, 40)

GIVES_UP = (Do.UNLOCK, Do.RESULT)
"""Where a PSCI call that is refused goes on: to the first such step."""
JUMPS = {
    Do.CHECK_SIGNAL: (Do.CLEAR_MODE,),
    Do.CHECK_POWER: (Do.CLEAR_MODE,),
    Do.CHECK_CALLER: GIVES_UP,
    Do.FIND_TARGET: GIVES_UP,
    Do.CHECK_ASLEEP: GIVES_UP,
    Do.CHECK_OFF: GIVES_UP,
}
"""Where a step may go on instead of the next one: to the first step of these kinds behind it, or else to the end."""
