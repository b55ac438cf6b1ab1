"""What hostile guests, devices and a hostile user space might do to interrupts next, for random walks.

Guests use any register of their virtual CPU interface and distributor, of any width and with any value, sensible ones
more often; user space drives lines with any number, and sends signals.
"""

from collections.abc import Callable
from random import Random

from model.design import Design
from model.threads import agent_of, at_of, is_agent
from model.vgic import system as vgic
from model.vgic.design import GUEST, OUT
from model.vgic.guest import Acknowledges, Completes, Deactivates, GuestUse, Loads, Stores
from model.vgic.state import Access, VgicState
from model.vgic.system import VgicAction
from properties.interrupts.grain import next_irq
from spec.gic import list_registers as lists
from spec.gic.state import Choices

OFFSETS = (0, 0x104, 0x184, 0x204, 0x284, 0x428, 0x828, 0xC08, 0xC0C, 0xF00, 0xF10, 0xF20)
BANKS = ((0x100, 32), (0x180, 32), (0x200, 32), (0x280, 32), (0x400, 256), (0x800, 256), (0xC00, 64), (0xF00, 48))
"""Where registers begin that have a field for each interrupt, and how many bytes of them there are."""
INTERFACE = (0, 4, 8, 0xC, 0x10, 0x1C, 0xD0, 0x1000)
NUMBERS = (1, 16, 27, 32, 40, 40, 41, 41, 127, 128, 255, 256, 0xFFFF)


def choices(random: Random) -> Choices:
    """Any of what the architecture leaves open."""
    return Choices(*(random.getrandbits(1) for _ in range(6)))


def use(random: Random, lrs: tuple[int, ...]) -> GuestUse:
    """Something that a guest does with its virtual CPU interface."""
    active = [lists.interrupt_id(lr) for lr in lrs if lr & lists.ACTIVE_BIT]
    made: tuple[Callable[[], GuestUse], ...] = (
        lambda: Acknowledges(choices(random)),
        lambda: Completes(random.choice([*active, random.randrange(1024)]), choices(random)),
        lambda: Deactivates(random.choice([*active, random.getrandbits(32)]), choices(random)),
        lambda: Loads(random.choice(INTERFACE), random.choice((1, 2, 4)), choices(random)),
        lambda: Stores(random.choice(INTERFACE), random.choice((1, 2, 4)), random.getrandbits(32), choices(random)),
        lambda: Stores(4, 4, 0xF8, Choices()),
        lambda: Stores(0, 4, 1, Choices()),
    )
    return random.choice(made)()


def access(random: Random) -> Access:
    """An access to the distributor."""
    value = random.choice((random.getrandbits(32), 1 << random.randrange(32), 0xFFFFFFFF, 0x300, 1))
    base, length = random.choice(BANKS)
    offset = random.choice((random.randrange(0x1000), base + random.randrange(length), *OFFSETS))
    return Access(offset, random.choice((1, 2, 4)), value, random.choice((0, 1, 1)))


def in_guest(random: Random, state: VgicState, cpu: int) -> VgicAction:
    """Something that a guest does, or that happens to it."""
    vcpu = random.randrange(len(state.vcpus))
    made: tuple[Callable[[], VgicAction], ...] = (
        lambda: vgic.GuestInterrupted(cpu),
        lambda: vgic.GuestInterrupted(cpu),
        lambda: vgic.GuestExits(cpu),
        lambda: vgic.GuestWaits(cpu),
        lambda: vgic.GuestActs(cpu, use(random, state.cores[cpu].gich.lrs)),
        lambda: vgic.GuestActs(cpu, use(random, state.cores[cpu].gich.lrs)),
        lambda: vgic.GuestAccessesDistributor(cpu, access(random)),
        lambda: vgic.GuestAccessesDistributor(cpu, access(random)),
        lambda: vgic.GuestPowersOn(cpu, vcpu),
        lambda: vgic.GuestPowersOff(cpu) if random.random() < 0.2 else vgic.GuestStops(cpu),
    )
    return random.choice(made)()


def proposed(random: Random, design: Design, state: VgicState) -> VgicAction:
    """An action that some processor or agent might take next."""
    cpu = random.randrange(len(state.cores) + len(state.agents))
    if is_agent(state, cpu):
        if agent_of(state, cpu).at != OUT:
            return vgic.VgicSteps(cpu, next_irq(design.vgic, state, cpu))
        if random.random() < 0.2:
            return vgic.UserSignals(cpu, random.randrange(len(state.vcpus)))
        vm, vcpu = random.randrange(len(state.vms)), random.randrange(8)
        known = sorted({irq for owner, _, irq in state.irqs.entries if owner == vm})
        irq = random.choice(random.choice((NUMBERS, known)) if known else NUMBERS)
        return vgic.LineChanges(cpu, vm, vcpu, irq, random.getrandbits(1))
    if random.random() < 0.1:
        return random.choice((vgic.InterruptArrives, vgic.HostTakesInterrupts, vgic.HostPreempts))(cpu)
    if state.cores[cpu].busy == 0:
        return vgic.HostRuns(cpu, random.randrange(len(state.vcpus)))
    if at_of(state, cpu) == GUEST:
        return in_guest(random, state, cpu)
    return vgic.VgicSteps(cpu, next_irq(design.vgic, state, cpu))
