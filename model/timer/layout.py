"""The stated configurations of time: processors, VMs, and which VMs have the in-kernel timer."""

from attrs import frozen

from model.threads import Wait
from model.timer.design import OUT, TimerDesign
from model.timer.state import Core, Exit, TimeState, Vcpu, Vm

LAST = (1 << 64) - 3
"""The physical count at the start: soon it wraps around."""


@frozen
class Layout:
    """A configuration of time."""

    processors: int
    vms: tuple[tuple[int, bool], ...]
    """How many vCPUs each VM has, and whether it has the in-kernel timer."""


def initial_time(layout: Layout, design: TimerDesign) -> TimeState:
    """The state in which every processor is idle and no vCPU has run; guests have enabled interrupt 27."""
    owners = (vm for vm, (count, _) in enumerate(layout.vms) for _ in range(count))
    return TimeState(
        now=LAST,
        cores=tuple(Core(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 3) for _ in range(layout.processors)),
        vcpus=tuple(fresh(vm) for vm in owners),
        vms=tuple(Vm(int(timer), 0, 0) for _, timer in layout.vms),
    )


def fresh(vm: int) -> Vcpu:
    """A vCPU whose thread is in user space, and whose guest has not used its timer."""
    return Vcpu(
        at=OUT, vm=vm, wait=Wait.NOT, exit=Exit.NONE, signal=0, ctl=0, cval=0, armed=0, running=0, left=0, queued=0,
        enabled=1, line=0, pending=0, listed=0, own_ctl=0, own_cval=0,
    )  # fmt: skip
