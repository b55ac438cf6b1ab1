"""Stated domains of interrupts for the engines of concrete steps: which actions, where, and with which interrupts."""

from collections.abc import Iterator

from attrs import frozen

from model.design import Design
from model.threads import agent_of, is_agent
from model.vgic import system as vgic
from model.vgic.design import GUEST, OUT, VgicDesign
from model.vgic.guest import Acknowledges, Completes, GuestUse
from model.vgic.state import Access, VgicState
from model.vgic.system import VgicAction
from properties.interrupts.grain import forced_on, next_irq, taken_on
from spec.gic import list_registers as lists

Kinds = tuple[type[VgicAction], ...]


def store(offset: int, value: int, size: int = 4) -> Access:
    """A guest's store to its distributor."""
    return Access(offset, size, value, 1)


def load(offset: int, size: int = 4) -> Access:
    """A guest's load from its distributor, into a register that holds something else."""
    return Access(offset, size, 0xDEADBEEF, 0)


@frozen
class InterruptDomain:
    """What may happen in a search over interrupts; empty tuples leave kinds of action out."""

    name: str
    runs: tuple[tuple[int, int], ...] = ()
    """Which processor may run which vCPU."""
    lines: tuple[tuple[int, int], ...] = ()
    """What agents do to lines of VM 0: the number, and the level."""
    signals: tuple[int, ...] = ()
    """The vCPUs that get signals."""
    serves: bool = True
    """Whether guests acknowledge and complete interrupts."""
    guests: Kinds = ()
    """What guests do without operands: `GuestExits`, `GuestWaits`, `GuestPowersOff`, `GuestStops`."""
    accesses: tuple[tuple[int, Access], ...] = ()
    """Which vCPU accesses its distributor how."""
    powers: tuple[tuple[int, int], ...] = ()
    """Which vCPU powers on which one."""
    completes: tuple[int, ...] = ()
    """What guests write to GICV_EOIR besides the interrupts that are active."""
    uses: tuple[GuestUse, ...] = ()
    """What else guests do with their virtual CPU interface."""
    arrivals: tuple[int, ...] = ()
    """The processors at which physical interrupts arrive."""
    preempts: tuple[int, ...] = ()
    """The processors that the host takes from a vCPU's thread."""
    vms: tuple[int, ...] = (0,)
    """The VMs whose lines change."""
    merges: bool = True
    """Whether steps are merged to the stated grain."""
    coarse: bool = False
    """Whether that is the coarse one (`properties/interrupts/grain.py`)."""

    def of_processor(self, design: Design, state: VgicState, cpu: int) -> list[VgicAction]:
        """What may happen on one processor or agent now, in a fixed order."""
        if is_agent(state, cpu):
            found = list(self.agent(design.vgic, state, cpu))
        elif state.cores[cpu].busy == 0:
            found = [*self.arrives(cpu), *(vgic.HostRuns(cpu, vcpu) for core, vcpu in self.runs if core == cpu)]
        else:
            found = [*self.arrives(cpu), *self.thread(design.vgic, state, cpu)]
        return [action for action in found if vgic.vgic_guard(design.vgic, state, action)]

    def follows(self, design: Design, state: VgicState, cpu: int) -> VgicAction | None:
        """The step of a processor or agent that belongs to the one before, at the stated grain."""
        if self.merges:
            return forced_on(design.vgic, state, cpu, self.quiet, self.coarse)
        return taken_on(design.vgic, state, cpu)

    @property
    def quiet(self) -> bool:
        """Whether nothing comes that could be early or late for the masking of interrupts."""
        return not (self.signals or self.arrivals or self.preempts)

    def alike(self, processors: int, vcpus: int) -> bool:
        """Whether on each processor the same may happen."""
        everywhere = {(cpu, vcpu) for cpu in range(processors) for vcpu in range(vcpus)}
        either_way = [not cpus or set(cpus) == set(range(processors)) for cpus in (self.preempts, self.arrivals)]
        return set(self.runs) == everywhere and all(either_way)

    def arrives(self, cpu: int) -> Iterator[VgicAction]:
        """Physical interrupts, and the host that takes them."""
        yield vgic.HostTakesInterrupts(cpu)
        if cpu in self.arrivals:
            yield vgic.InterruptArrives(cpu)

    def agent(self, design: VgicDesign, state: VgicState, cpu: int) -> Iterator[VgicAction]:
        """What an agent may do: its next step, or begin something."""
        if agent_of(state, cpu).at != OUT:
            yield vgic.VgicSteps(cpu)
            return
        for vm in self.vms:
            for irq, level in self.lines:
                yield vgic.LineChanges(cpu, vm, 0, irq, level)
        for vcpu in self.signals:
            if state.vcpus[vcpu].signal == 0:
                yield vgic.UserSignals(cpu, vcpu)

    def thread(self, design: VgicDesign, state: VgicState, cpu: int) -> Iterator[VgicAction]:
        """What may happen to a vCPU's thread that runs."""
        if cpu in self.preempts:
            yield vgic.HostPreempts(cpu)
        core = state.cores[cpu]
        if state.vcpus[core.vcpu].at != GUEST:
            yield vgic.VgicSteps(cpu, next_irq(design, state, cpu))
            return
        yield vgic.GuestInterrupted(cpu)
        if self.serves:
            if vgic.signals(state, cpu):
                yield vgic.GuestActs(cpu, Acknowledges())
            for lr in core.gich.lrs:
                if lr & lists.ACTIVE_BIT:
                    yield vgic.GuestActs(cpu, Completes(lists.interrupt_id(lr)))
        for value in self.completes:
            yield vgic.GuestActs(cpu, Completes(value))
        for use in self.uses:
            yield vgic.GuestActs(cpu, use)
        for kind in self.guests:
            yield kind(cpu)
        for vcpu, access in self.accesses:
            if vcpu == core.vcpu:
                yield vgic.GuestAccessesDistributor(cpu, access)
        for vcpu, number in self.powers:
            if vcpu == core.vcpu:
                yield vgic.GuestPowersOn(cpu, number)
