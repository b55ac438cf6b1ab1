"""The state of the whole system as one frozen value: processors, their threads, vCPUs and VMs."""

from enum import Enum

from attrs import field, frozen

from model.highvisor.mmio import NO_ACCESS, NO_RUN, Access, KvmRun
from model.hyp.state import HypState
from model.lowvisor.context import Context, Image, Vm
from model.memory.state import MemoryState
from model.power.state import PowerState
from model.timer.state import TimeState
from model.vgic.state import VgicState
from spec.processor import Processor, Vfp
from spec.words import U32


class Where(Enum):
    """What a physical processor is executing."""

    HOST = "the host, below the highvisor's run loop or in it"
    LOWVISOR = "a step of the lowvisor"
    GUEST = "a VM"
    HIGHVISOR = "the highvisor, with an exit to handle"
    PANICKED = "nothing: the host kernel has panicked"
    HUNG = "nothing: the processor spins in Hyp mode"
    SECURE = "firmware in Monitor mode, outside this specification"


@frozen
class Thread:
    """The program counter of what runs on a processor: a place, and inside the lowvisor a routine and a step of it."""

    where: Where
    routine: str = ""
    index: int = 0
    vcpu: int = 0
    """The vCPU that is being run or was run last."""
    code: int = 0
    """The exit code that the lowvisor returns."""


HOST = Thread(Where.HOST)


@frozen
class Physical:
    """One physical processor with its thread, its Hyp stack and its memory area for the host's VFP state."""

    cpu: Processor
    thread: Thread
    stack: tuple[U32, ...]
    host_vfp: Vfp
    scratch: U32 = 0
    """What the lowvisor's own use leaves in core registers: UNKNOWN to everybody else."""
    old_hcptr: U32 = 0
    """HCPTR before the lowvisor's last change of it."""
    called_from: Processor | None = field(default=None)
    """History: the processor when the host called the lowvisor."""
    trapped_from: Processor | None = field(default=None)
    """History: the processor when the guest was last left, just before Hyp mode was entered."""
    called_stack: tuple[U32, ...] = ()
    """History: the Hyp stack when the host called the lowvisor."""


class Standing(Enum):
    """Why a vCPU does not run."""

    READY = "can run"
    BLOCKED = "sleeps in WFI"
    IN_USER_SPACE = "waits for user space"


@frozen
class Vcpu:
    """One vCPU: its image, its VM and whether its thread can run."""

    image: Image
    vm: int
    standing: Standing = Standing.READY
    cleaned_elsewhere: bool = False
    """Whether the processors it runs on later clean their caches first, after a set/way operation."""
    run: KvmRun = NO_RUN
    """What the kernel and user space share about it."""
    mmio: Access = NO_ACCESS
    """Its last access to a device."""


@frozen
class State:
    """The whole system."""

    processors: tuple[Physical, ...]
    vcpus: tuple[Vcpu, ...]
    vms: tuple[Vm, ...]
    memory: MemoryState | None = None
    """The memory system, in configurations that are about it."""
    interrupts: VgicState | None = None
    """Virtual interrupts, in configurations that are about them."""
    time: TimeState | None = None
    """Virtual time, in configurations that are about it."""
    power: PowerState | None = None
    """vCPUs that start and stop, in configurations that are about that."""
    hyp: HypState | None = None
    """How Hyp mode is set up, in configurations that are about that."""


def context(state: State, cpu: int) -> Context:
    """What the lowvisor on one processor can touch."""
    physical = state.processors[cpu]
    vcpu = state.vcpus[physical.thread.vcpu]
    return Context(
        physical.cpu,
        physical.stack,
        vcpu.image,
        state.vms[vcpu.vm],
        physical.host_vfp,
        physical.scratch,
        physical.old_hcptr,
    )
