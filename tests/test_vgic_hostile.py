"""Random guests and user spaces that do anything: no rule raises, and list registers stay legal in the reference."""

from collections.abc import Iterator
from random import Random

import pytest

from model.threads import at_of
from model.vgic import system as vgic
from model.vgic.design import GUEST
from model.vgic.guest import Acknowledges, Completes, Deactivates, Loads, Stores
from model.vgic.layout import Layout
from model.vgic.state import Access
from properties.interrupts.grain import next_irq
from spec.gic import list_registers as lists
from spec.gic.state import Choices
from spec.gic.virtual_interface import lists_legal
from tests.interrupts import EDGE, LEVEL, LINUX, REFERENCE, SGI, Machine

STEPS = 1500
LAYOUTS = [
    Layout(2, (2,), 2, (SGI, EDGE, LEVEL)),
    Layout(4, (8,), 4, (SGI, EDGE, LEVEL)),
    Layout(1, (2, 1), 64, (SGI,)),
]
IDS = ["two vCPUs", "eight vCPUs", "two VMs and 64 list registers"]


def any_choices(random: Random) -> Choices:
    return Choices(*(random.randrange(2) for _ in range(6)))


def uses(random: Random, lrs: tuple[int, ...]) -> Iterator[vgic.GuestUse]:
    """Something that the guest may do with GICV, sensible or not."""
    active = [lists.interrupt_id(lr) for lr in lrs if lists.state(lr) & 2]
    yield Acknowledges(any_choices(random))
    yield Completes(random.choice([*active, random.randrange(1024)]), any_choices(random))
    yield Deactivates(random.choice([*active, random.getrandbits(32)]), any_choices(random))
    yield Loads(random.randrange(0x2000), random.choice((1, 2, 4)), any_choices(random))
    yield Stores(random.choice((0, 4, 8, 0x1C, 0xD0)), random.choice((1, 2, 4)), random.getrandbits(32))
    yield Stores(4, 4, 0xF8)
    yield Stores(0, 4, 1)


def of_guest(random: Random, machine: Machine, cpu: int) -> vgic.VgicAction:
    """Something that the guest does, or that happens to it."""
    offset = random.choice((random.randrange(0x1000), 0, 0x104, 0x184, 0x204, 0x284, 0x828, 0xC08, 0xF00, 0xF20))
    value = random.choice((random.getrandbits(32), 1 << random.randrange(32), 0xFFFFFFFF))
    return random.choice(
        (
            vgic.GuestInterrupted(cpu),
            vgic.GuestExits(cpu),
            vgic.GuestWaits(cpu),
            vgic.GuestPowersOff(cpu),
            vgic.GuestPowersOn(cpu, random.randrange(8)),
            *(vgic.GuestActs(cpu, use) for use in uses(random, machine.state.cores[cpu].gich.lrs)),
            *(
                vgic.GuestAccessesDistributor(cpu, Access(offset, size, value, write))
                for size in (1, 2, 4)
                for write in (0, 1, 1)
            ),
        )
    )


def anything(random: Random, machine: Machine, vms: tuple[int, ...]) -> vgic.VgicAction:
    """Something that a processor or an agent may do now or not."""
    state = machine.state
    cpu = random.randrange(machine.user + 1)
    if cpu == machine.user:
        vm = random.randrange(len(vms))
        irq = random.choice((1, 27, 32, 40, 41, 128, random.randrange(1 << 16)))
        line = vgic.LineChanges(cpu, vm, random.randrange(8), irq, random.randrange(2))
        signal = vgic.UserSignals(cpu, random.randrange(len(state.vcpus)))
        return random.choice((line, line, signal, vgic.VgicSteps(cpu), vgic.VgicSteps(cpu)))
    happens = (vgic.InterruptArrives(cpu), vgic.HostTakesInterrupts(cpu), vgic.HostPreempts(cpu))
    if random.random() < 0.1:
        return random.choice(happens)
    if state.cores[cpu].busy == 0:
        return vgic.HostRuns(cpu, random.randrange(len(state.vcpus)))
    if at_of(state, cpu) == GUEST:
        return of_guest(random, machine, cpu)
    return vgic.VgicSteps(cpu, next_irq(machine.design, state, cpu))


def walked(machine: Machine, layout: Layout, seed: int) -> Iterator[Machine]:
    """The machine after each of many random actions."""
    random = Random(seed)
    for _ in range(STEPS):
        action = anything(random, machine, layout.vms)
        if vgic.vgic_guard(machine.design, machine.state, action):
            machine.do(action)
            yield machine


@pytest.mark.parametrize("layout", LAYOUTS, ids=IDS)
def test_list_registers_stay_legal_and_the_host_survives(layout: Layout) -> None:
    for machine in walked(Machine(REFERENCE, layout), layout, seed=1):
        assert all(lists_legal(core.gich) for core in machine.state.cores)
        assert machine.state.crashed == 0


@pytest.mark.parametrize("layout", LAYOUTS, ids=IDS)
def test_linux_3_12_has_a_next_state_whatever_happens(layout: Layout) -> None:
    assert sum(1 for _ in walked(Machine(LINUX, layout), layout, seed=2)) > STEPS // 4


@pytest.mark.parametrize("layout", LAYOUTS[:1], ids=IDS[:1])
def test_a_state_is_a_value(layout: Layout) -> None:
    first, second = Machine(REFERENCE, layout), Machine(REFERENCE, layout)
    for one, other in zip(walked(first, layout, 3), walked(second, layout, 3), strict=True):
        assert one.state == other.state
        assert hash(one.state) == hash(other.state)
