"""The stated configurations of power: processors, VMs, and which vCPUs start powered off."""

from attrs import frozen

from model.power.design import PowerDesign, Trait
from model.power.state import NO_CALL, RESET, UNSET, Agent, Core, Exit, PowerState, Vcpu, Vm
from model.programs import OUT
from model.threads import Mode, Wait
from spec.words import put

GUEST_PC = 0x80008000


@frozen
class Layout:
    """A configuration of power."""

    processors: int
    vms: tuple[int, ...]
    """How many vCPUs each VM has."""
    off: tuple[int, ...] = ()
    """The vCPUs that were initialised to be off."""
    initialised: bool = True
    agents: int = 1


def initial_power(layout: Layout, design: PowerDesign) -> PowerState:
    """The state in which every processor is idle, no vCPU has run, and user space has set the entry points."""
    owners = [(vm, number) for vm, count in enumerate(layout.vms) for number in range(count)]
    return PowerState(
        cores=tuple(Core(0, 0, 0, 0, RESET, 0) for _ in range(layout.processors)),
        agents=tuple(Agent(OUT, 0, 0, 0, 0) for _ in range(layout.agents)),
        vcpus=tuple(fresh(layout, design, vm, number, position) for position, (vm, number) in enumerate(owners)),
        vms=tuple(Vm(1, 0) for _ in layout.vms),
        crashed=0,
    )


def fresh(layout: Layout, design: PowerDesign, vm: int, number: int, position: int) -> Vcpu:
    """A vCPU whose thread is in user space."""
    off = int(position in layout.off)
    at_once = Trait.POWER_AT_INIT in design.traits
    return Vcpu(
        vm=vm,
        number=number,
        at=OUT,
        cpu=0,
        mode=Mode.OUTSIDE_GUEST_MODE,
        wait=Wait.NOT,
        signal=0,
        initialised=int(layout.initialised),
        feature=off if not at_once else 0,
        ran=0,
        pause=off if at_once else 0,
        request=0,
        start=NO_CALL,
        exit=Exit.NONE,
        call=NO_CALL,
        result=0,
        registers=UNSET if not layout.initialised else RESET if off else put(RESET, "pc", GUEST_PC),
        timer=0,
        soft=0,
        due=0,
        off=off,
        fresh=0,
        asked=NO_CALL,
        stopped=0,
        started=0,
        cursor=0,
        freed=0,
    )
