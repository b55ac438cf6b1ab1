"""What may happen: the actions of the host, user space, guests, the GIC, and KVM/ARM's two halves."""

from attrs import field, frozen

from model.action import Action
from model.highvisor.exits import MemoryAnswer
from model.highvisor.mmio import KvmRun
from spec.operations import Choices, Instruction
from spec.syndrome import ExceptionClass
from spec.words import U32, U64


@frozen
class HostRunsVcpu(Action):
    """The host's thread of a vCPU, in the run loop of KVM_RUN, calls the lowvisor to run it."""

    vcpu: int


@frozen
class UserSpaceAnswers(Action):
    """User space, as the device, writes what the vCPU's access gets (or any bytes, where it is a store)."""

    vcpu: int
    value: U64


@frozen
class UserSpaceWrites(Action):
    """User space writes anything into the structure that it shares with the kernel."""

    vcpu: int
    run: KvmRun


@frozen
class UserSpaceRuns(Action):
    """User space calls KVM_RUN again; with a signal pending it completes an access, but does not run the guest."""

    vcpu: int
    interrupted: bool = False


@frozen
class GuestExecutes(Action):
    """The guest that runs on the processor executes one instruction."""

    instruction: Instruction
    choices: Choices = field(factory=Choices)


@frozen
class HostExecutes(Action):
    """The host executes one instruction other than the call of `HostRunsVcpu`."""

    instruction: Instruction
    choices: Choices = field(factory=Choices)


@frozen
class GuestTrapsUnforeseen(Action):
    """The guest's instruction traps with an exception class that ARMv7 reserves, on a processor newer than the code."""

    ec: int


@frozen
class InterfaceChanges(Action):
    """The GIC changes a virtual interface register while a guest runs: the guest uses GICV, or hardware works."""

    register: str
    value: U32


@frozen
class SignalChanges(Action):
    """An interrupt or abort input of the processor changes: `irq`, `fiq`, `abort`, `virtual_irq` or `virtual_fiq`."""

    signal: str
    level: int


@frozen
class InterruptTaken(Action):
    """The processor takes an asserted interrupt or abort that nothing masks, by the name of its signal.

    A virtual one is taken by the guest that runs, in its own vectors.
    """

    signal: str


@frozen
class LowvisorSteps(Action):
    """The lowvisor makes its next step."""


@frozen
class HighvisorHandles(Action):
    """The highvisor handles the exit; `answer` is what it finds at a faulting address."""

    answer: MemoryAnswer = MemoryAnswer.MAPPED
    data: U32 = 0
    """What the virtual distributor's register holds, where that is what a load reads."""


@frozen
class HypFaults(Action):
    """The lowvisor takes an Undefined Instruction exception: it uses VFP before its own permission is in force."""


RESERVED_CLASSES = tuple(ec for ec in range(1, 64) if ec not in set(ExceptionClass))
"""The exception classes that ARMv7 reserves."""

FORCED = (LowvisorSteps, HighvisorHandles)
"""The kinds of action that nobody chooses: the only way on for their processor."""
