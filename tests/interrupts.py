"""Scenarios of interrupts: threads that run on, guests that act, and what list registers hold."""

from attrs import evolve

from model.design import Design
from model.designs.catalogue import reference
from model.designs.linux_3_12 import LINUX_3_12
from model.threads import Wait, at_of, is_agent
from model.topology import TOPOLOGIES, initial
from model.vgic import system as vgic
from model.vgic.design import GUEST, OUT, Do, VgicDesign, step_at
from model.vgic.guest import Acknowledges, Completes
from model.vgic.layout import Layout, initial_vgic
from model.vgic.state import Access, VgicState
from properties.interrupts.grain import next_irq
from spec.gic import list_registers as lists
from spec.gic import virtual_cpu_interface as gicv
from spec.gic.state import Choices

REFERENCE, LINUX = reference(), LINUX_3_12
SGI, EDGE, LEVEL, OTHER = (1, True, 0), (40, True, 0), (41, False, 0), (42, True, 0)
CTLR, ISENABLER1, ICENABLER1, ISPENDR1, ICPENDR1 = 0x000, 0x104, 0x184, 0x204, 0x284
ITARGETSR40, ICFGR3, SGIR, SPENDSGIR = 0x828, 0xC0C, 0xF00, 0xF20


class Machine:
    """A design with a state of interrupts, on which actions happen one after the other."""

    def __init__(self, design: Design, layout: Layout) -> None:
        self.design: VgicDesign = design.vgic
        self.state: VgicState = initial_vgic(layout, self.design)
        self.user = layout.processors

    def do(self, action: vgic.VgicAction) -> None:
        """One action, which must be possible."""
        assert vgic.vgic_guard(self.design, self.state, action), action
        self.state = vgic.vgic_step(self.design, self.state, action)

    def step(self, cpu: int) -> None:
        """The thread's next step."""
        self.do(vgic.VgicSteps(cpu, self.next_irq(cpu)))

    def next_irq(self, cpu: int) -> int:
        """The interrupt that the thread's next step takes."""
        return next_irq(self.design, self.state, cpu)

    def until(self, cpu: int, do: Do) -> None:
        """The thread runs until it stands before a step of a kind."""
        for _ in range(500):
            step = step_at(self.design, at_of(self.state, cpu))
            if step is not None and step.do is do:
                return
            self.step(cpu)
        raise AssertionError(f"{do} is never reached")

    def takes(self, cpu: int) -> bool:
        """Whether the host can take interrupts on a processor."""
        return bool(vgic.vgic_guard(self.design, self.state, vgic.HostTakesInterrupts(cpu)))

    def settle(self, cpu: int) -> None:
        """The thread runs until it is in the guest or has nothing to do; the host takes its interrupts on the way."""
        for _ in range(500):
            if not is_agent(self.state, cpu):
                if self.state.cores[cpu].busy == 0:
                    return
                if self.takes(cpu):
                    self.do(vgic.HostTakesInterrupts(cpu))
            if at_of(self.state, cpu) in (GUEST, OUT):
                return
            self.step(cpu)
        raise AssertionError("the thread never settles")

    def enter(self, cpu: int, vcpu: int) -> None:
        """The host runs the vCPU, up to the guest."""
        self.do(vgic.HostRuns(cpu, vcpu))
        self.settle(cpu)

    def line(self, irq: int, level: int, vcpu: int = 0, vm: int = 0) -> None:
        """User space sets a line."""
        self.do(vgic.LineChanges(self.user, vm, vcpu, irq, level))
        self.settle(self.user)

    def signal(self, vcpu: int) -> None:
        """User space sends a signal to a vCPU's thread."""
        self.do(vgic.UserSignals(self.user, vcpu))

    def interrupted(self, cpu: int) -> bool:
        """Whether something forces the guest out."""
        return bool(vgic.vgic_guard(self.design, self.state, vgic.GuestInterrupted(cpu)))

    def exits(self, cpu: int) -> None:
        """The guest leaves, is handled and, unless it blocks or leaves to user space, entered again."""
        self.do(vgic.GuestInterrupted(cpu) if self.interrupted(cpu) else vgic.GuestExits(cpu))
        self.settle(cpu)

    def store(self, cpu: int, offset: int, value: int, size: int = 4) -> None:
        """The guest stores to its distributor."""
        self.do(vgic.GuestAccessesDistributor(cpu, Access(offset, size, value, 1)))
        self.settle(cpu)

    def load(self, cpu: int, offset: int, size: int = 4) -> int:
        """The guest loads from its distributor; what it gets."""
        self.do(vgic.GuestAccessesDistributor(cpu, Access(offset, size, 0, 0)))
        self.until(cpu, Do.UPDATE)
        value = self.state.vcpus[self.state.cores[cpu].vcpu].access.value
        self.settle(cpu)
        return value

    def acknowledge(self, cpu: int) -> int:
        """The guest acknowledges; what it gets."""
        value = gicv.acknowledge(self.state.cores[cpu].gich, 0, Choices())[1]
        self.do(vgic.GuestActs(cpu, Acknowledges()))
        return value

    def complete(self, cpu: int, value: int) -> None:
        """The guest completes."""
        self.do(vgic.GuestActs(cpu, Completes(value)))

    def wait(self, cpu: int) -> None:
        """The guest executes WFI and traps."""
        self.do(vgic.GuestWaits(cpu))
        self.settle(cpu)

    def listed(self, cpu: int) -> list[tuple[int, int, int]]:
        """What the processor's list registers hold: number, source and state."""
        found = [(lists.virtual_id(lr), lists.cpu_id(lr), lists.state(lr)) for lr in self.state.cores[cpu].gich.lrs]
        return [entry for entry in found if entry[2] != 0]

    def served(self, cpu: int, exits: int = 12) -> list[int]:
        """What the guest gets when it acknowledges and completes all it can, leaving whenever it is interrupted."""
        got = []
        for _ in range(exits):
            while (value := self.acknowledge(cpu)) < 1020 or 1023 < value:
                got.append(value)
                self.complete(cpu, value)
            if not self.interrupted(cpu):
                break
            self.exits(cpu)
        return got

    def asleep(self, vcpu: int) -> bool:
        """Whether the vCPU's thread sleeps."""
        return self.state.vcpus[vcpu].wait == Wait.ASLEEP


def machine(design: Design, *interrupts: tuple[int, bool, int], cpus: int = 2, vcpus: int = 2, lrs: int = 2) -> Machine:
    """A machine with one VM."""
    return Machine(design, Layout(cpus, (vcpus,), lrs, interrupts))


def other(number: int, *pair: int) -> int:
    """The other one of a pair; a number that is none of the two stays."""
    return pair[1 - pair.index(number)] if number in pair else number


def swapped(items: tuple, *pair: int) -> tuple:
    """A tuple in which two items have changed places."""
    return tuple(items[other(n, *pair)] for n in range(len(items)))


def changed_places(state: VgicState) -> VgicState:
    """The state in which the first two processors have changed places."""
    vms = tuple(evolve(vm, lock=other(vm.lock, 1, 2)) for vm in state.vms)
    vcpus = tuple(evolve(vcpu, cpu=other(vcpu.cpu, 0, 1)) for vcpu in state.vcpus)
    return evolve(state, cores=swapped(state.cores, 0, 1), vms=vms, vcpus=vcpus)


__all__ = ["LINUX", "REFERENCE", "TOPOLOGIES", "Machine", "changed_places", "initial", "machine", "other", "swapped"]
