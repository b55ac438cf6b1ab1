"""The fair drain: what becomes of a state when nothing new happens and everybody does what is due.

The host takes interrupts, runs every vCPU that may run, and agents end what they do. Guests acknowledge and complete
what they get, unless something takes them out first, and a device lowers its line once its interrupt was acknowledged.
A guest that gets nothing stays as it is, and waits (WFI) only where another vCPU needs the processor: so nothing but
KVM's own kicks and maintenance interrupts brings list registers up to date. The drain has one next step in each state,
so what becomes of a state is remembered, and shared by all states on the way.
"""

from attrs import frozen

from model.threads import at_of, is_agent
from model.vgic import system as vgic
from model.vgic.design import GUEST, OUT, VgicDesign
from model.vgic.guest import Acknowledges, Completes
from model.vgic.pending import is_edge, key_of
from model.vgic.state import VgicState
from model.vgic.system import VgicAction, VgicSteps
from properties.interrupts.grain import forced, merged, next_irq
from properties.interrupts.rest import owed, willing
from properties.interrupts.states import live
from properties.interrupts.steps import named, those
from spec.gic import list_registers as lists
from spec.words import field_names

MOST_STEPS = 5000
"""How many steps of the drain may follow a state; it goes in circles long before."""
ENDLESS = f"whatever waits: the drain took more than {MOST_STEPS} steps"
MOST_REMEMBERED = 400_000


@frozen
class Drained:
    """What became of a state: the interrupts that nobody has got, and the vCPUs that wait without ever sleeping."""

    lost: tuple[str, ...] = ()
    restless: tuple[int, ...] = ()


REMEMBERED: dict[VgicDesign, dict[VgicState, Drained]] = {}
"""What the drain has found out, by design."""


def outcome(design: VgicDesign, state: VgicState) -> Drained:
    """What becomes of a state; of one amid a step of the stated grain nothing is said, its end has the same outcome."""
    state = VgicState(*(getattr(state, name) for name in field_names(VgicState)))
    return Drained() if forced(design, state) is not None else drained(design, state)


def drained(design: VgicDesign, state: VgicState) -> Drained:
    """What becomes of a state."""
    known = REMEMBERED.setdefault(design, {})
    if len(known) > MOST_REMEMBERED:
        known.clear()
    way: dict[VgicState, None] = {}
    state = live(design, state)
    found = known.get(state)
    while found is None:
        way[state] = None
        after = next_state(design, state)
        if after is None:
            found = Drained(lost(design, state), restless(design, state))
        else:
            state = live(design, after)
            found = Drained(lost(design, state)) if state in way else known.get(state)
            found = Drained((ENDLESS,)) if found is None and len(way) > MOST_STEPS else found
    for passed in way:
        known[passed] = found
    return found


def next_state(design: VgicDesign, state: VgicState) -> VgicState | None:
    """The state after the next step of the drain; None where nothing is due any more."""
    action = next_action(design, state)
    return None if action is None else merged(design, state, action)


def next_action(design: VgicDesign, state: VgicState) -> VgicAction | None:
    """The next step of the drain; None where nothing is due any more."""
    for cpu in range(len(state.cores) + len(state.agents)):
        action = due(design, state, cpu)
        if action is not None:
            return action
    return scheduled(design, state)


def scheduled(design: VgicDesign, state: VgicState) -> VgicAction | None:
    """What the host does where nobody has anything to do: it runs who may run, and guests wait where one has to."""
    for cpu, core in enumerate(state.cores):
        if core.busy == 0:
            waiting = next((n for n in range(len(state.vcpus)) if runnable(state, n)), None)
            if waiting is not None:
                return vgic.HostRuns(cpu, waiting)
    if any(runnable(state, number) for number in range(len(state.vcpus))):
        for cpu, core in enumerate(state.cores):
            if core.busy == 1 and state.vcpus[core.vcpu].at == GUEST:
                return vgic.GuestWaits(cpu)
    return None


def runnable(state: VgicState, number: int) -> bool:
    """Whether a vCPU may run, and is powered on."""
    return state.vcpus[number].pause == 0 and vgic.may_run(state, number)


def due(design: VgicDesign, state: VgicState, cpu: int) -> VgicAction | None:
    """What a processor or agent has to do next; None where it has nothing to do, or waits."""
    if is_agent(state, cpu) or (state.cores[cpu].busy == 1 and at_of(state, cpu) != GUEST):
        if at_of(state, cpu) == OUT:
            return None
        step = VgicSteps(cpu, next_irq(design, state, cpu))
        return step if vgic.vgic_guard(design, state, step) else None
    core = state.cores[cpu]
    if core.busy == 0:
        taken = vgic.HostTakesInterrupts(cpu)
        return taken if vgic.vgic_guard(design, state, taken) else None
    leaves = vgic.GuestInterrupted(cpu)
    if vgic.vgic_guard(design, state, leaves):
        return leaves
    for lr in core.gich.lrs:
        if lr & lists.ACTIVE_BIT:
            return completed(state, cpu, lr)
    if vgic.has_interface(design) and vgic.signals(state, cpu):
        return vgic.GuestActs(cpu, Acknowledges())
    return None


def completed(state: VgicState, cpu: int, lr: int) -> VgicAction | None:
    """The guest completes what is active; before that, a device whose interrupt it is lowers its line, once it can."""
    vcpu = state.vcpus[state.cores[cpu].vcpu]
    key = key_of(vcpu.vm, vcpu.number, lists.virtual_id(lr))
    record, agent = state.irqs.get(key), len(state.cores)
    if is_edge(key[2], record) or record.line == 0 or not state.agents:
        return vgic.GuestActs(cpu, Completes(lists.interrupt_id(lr)))
    return vgic.LineChanges(agent, vcpu.vm, vcpu.number, key[2], 0) if at_of(state, agent) == OUT else None


def lost(design: VgicDesign, state: VgicState) -> tuple[str, ...]:
    """The interrupts that are owed still where nothing is due any more, in words."""
    return tuple(dict.fromkeys(named(key) for key in sorted(those(owed(design, state)))))


def restless(design: VgicDesign, state: VgicState) -> tuple[int, ...]:
    """The vCPUs in their guests that, where nothing is due any more, do not sleep when they wait."""
    found = []
    for cpu, core in enumerate(state.cores):
        inside = core.busy == 1 and state.vcpus[core.vcpu].at == GUEST and willing(design, state, core.vcpu)
        if inside and not sleeps(design, state, cpu):
            found.append(core.vcpu)
    return tuple(found)


def sleeps(design: VgicDesign, state: VgicState, cpu: int) -> bool:
    """Whether a guest that waits gives its processor away, at once or at its second try, when all that is due by then
    is done."""
    for _ in range(2):
        after: VgicState | None = merged(design, state, vgic.GuestWaits(cpu))
        for _ in range(MOST_AWAKE):
            if after is None:
                break
            state = after
            if state.cores[cpu].busy == 0:
                return True
            after = next_state(design, state)
    return False


MOST_AWAKE = 300
"""How many steps a guest that waits may keep its processor for."""
