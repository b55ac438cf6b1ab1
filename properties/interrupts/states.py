"""When two states of interrupts are the same for every future: what a state leaves behind in its key.

A register of GICH is read between its load and its save, and its saved copy is not, but for what a vCPU that waits for
an interrupt reads of another one's list registers. Which processor a vCPU ran on last matters to a kick, and so only
where the vCPU's mode says that it is in the guest; where it runs, the processor says so. A request counts from where
the thread takes back the earlier ones to where it looks for one; where it is about to find one it backs out, and takes
on the way what else a kick has left. An agent's line is told once. And what an empty list register last held is
nobody's, once its interrupt has none by KVM's map, and its end is not to be processed.
"""

from collections.abc import Hashable
from functools import cache, partial

from model.design import Design
from model.threads import Mode
from model.vgic.design import Do, Trait, VgicDesign, place
from model.vgic.holders import is_unaware
from model.vgic.state import PRIVATE, Agent, Core, Saved, Vcpu, VgicState
from properties.engines.parts.part import Aspect
from properties.interrupts.steps import between, places_of
from spec.gic import list_registers as lists
from spec.gic.state import VirtualInterface
from spec.words import U32, bit, put, put_all

SWITCHED = (
    ("hcr", Do.LOAD_HCR, Do.SAVE_HCR), ("vmcr", Do.LOAD_VMCR, Do.SAVE_VMCR), ("apr", Do.LOAD_APR, Do.SAVE_APR),
    ("lrs", Do.LOAD_LRS, Do.SAVE_LRS),
)  # fmt: skip
"""The registers of GICH that the world switch moves."""
STATUS = (("misr", Do.SAVE_MISR), ("eisr", Do.SAVE_EISR), ("elrsr", Do.SAVE_ELRSR))
"""Those that it only saves."""
TELLS = (Do.LOCK, Do.INJECT, Do.SET_PIN, Do.KICK_ONE)
"""The steps of an agent that read its line, or come before one."""


def aspects(design: Design, state: VgicState) -> tuple[Aspect, ...]:
    """What is left of the states of a configuration without what no step and no property can tell apart."""
    vgic = design.vgic
    cores = tuple(partial(core_of, vgic, number) for number in range(len(state.cores)))
    vcpus = tuple(partial(vcpu_of, vgic, number, is_read(vgic, state, number)) for number in range(len(state.vcpus)))
    return (*cores, *vcpus, partial(agents, vgic), vms, irqs, stale, lr_map, crashed)


def core_of(design: VgicDesign, number: int, state: VgicState) -> Hashable:
    """What matters of a processor, where its thread stands."""
    core = state.cores[number]
    if core.busy == 0:
        return (*at_rest(core), (0,))
    ipi = 0 if turns_back(design, state.vcpus[core.vcpu]) else core.ipi
    return (*at_rest(put(core, "ipi", ipi)), gich_of(design, core, state))


def at_rest(core: Core) -> tuple[int, ...]:
    """What matters of a processor besides GICH."""
    return core.busy, core.vcpu, core.masked, core.ipi, core.irq, core.pins


def gich_of(design: VgicDesign, core: Core, state: VgicState) -> tuple[Hashable, ...]:
    """The registers of GICH that somebody may still read."""
    at = state.vcpus[core.vcpu].at
    names = [name for name, places in held(design) if at in places]
    return (core.gich.hcr, *(lists_of(core, state) if name == "lrs" else getattr(core.gich, name) for name in names))


def lists_of(core: Core, state: VgicState) -> tuple[U32, ...]:
    """The list registers of the vCPU that a processor runs, without what nobody reads any more."""
    return unspent(state, core.vcpu, core.gich.lrs)


def vcpu_of(design: VgicDesign, number: int, read: bool, state: VgicState) -> Hashable:
    """What matters of a vCPU, whose saved list registers others read or not."""
    return live_vcpu(design, state, number, read)


def is_read(design: VgicDesign, state: VgicState, number: int) -> bool:
    """Whether other vCPUs read what is saved of a vCPU's list registers."""
    siblings = sum(1 for vcpu in state.vcpus if vcpu.vm == state.vcpus[number].vm)
    return siblings > 1 and Trait.TARGET_FOLLOWED in design.traits


def agents(design: VgicDesign, state: VgicState) -> Hashable:
    """What those that drive lines are doing."""
    return tuple([live_agent(design, agent) for agent in state.agents])


def vms(state: VgicState) -> Hashable:
    """The distributors' own registers, locks and summaries."""
    return state.vms


def irqs(state: VgicState) -> Hashable:
    """The interrupts of the distributors."""
    return state.irqs.entries


def stale(state: VgicState) -> Hashable:
    """Where the summary is not what it would be if it were computed now."""
    return state.stale.entries


def lr_map(state: VgicState) -> Hashable:
    """Which interrupt has which list register."""
    return state.lr_map.entries


def crashed(state: VgicState) -> Hashable:
    """Whether the host has been harmed."""
    return state.crashed


@cache
def held(design: VgicDesign) -> tuple[tuple[str, frozenset[int]], ...]:
    """For each register that the world switch moves, where GICH's own may still be read: always, if not both ways."""
    steps = {step.do for step in design.run}
    never_moved = frozenset(range(256))
    return tuple(
        (name, read_from(design, load) if {load, save} <= steps else never_moved) for name, load, save in SWITCHED
    )


def read_from(design: VgicDesign, load: Do) -> frozenset[int]:
    """The program counters from a register's load until the world switch is over; not behind it, where a vCPU comes to
    that backed out before the load."""
    return between(design, load, Do.CLEAR_MODE) - places_of(design, Do.CLEAR_MODE)


@cache
def overwritten(design: VgicDesign) -> tuple[tuple[str, frozenset[int]], ...]:
    """For each saved register, where it will be saved before anybody reads it again."""
    steps = {step.do for step in design.run}
    saves = (*((name, save) for name, _, save in SWITCHED), *STATUS)
    return tuple((name, between(design, Do.ENTER, save)) for name, save in saves if save in steps)


@cache
def asked(design: VgicDesign) -> frozenset[int]:
    """The program counters at which a request of a kick may still be found: everywhere, where none is taken back."""
    steps = [step.do for step in design.run]
    taken, looks = Do.CLEAR_REQUESTS, Do.CHECK_REQUESTS
    if taken not in steps or looks not in steps or steps.index(looks) < steps.index(taken):
        return frozenset(range(256))
    last = len(steps) - steps[::-1].index(looks)
    return frozenset(place("run", index) for index in range(steps.index(taken) + 1, last))


@cache
def masked(design: VgicDesign) -> bool:
    """Whether a vCPU whose mode says that it is in the guest runs, since interrupts are masked all the while."""
    order = (Do.MASK_IRQS, Do.SET_MODE, Do.CLEAR_MODE, Do.UNMASK_IRQS)
    return [step.do for step in design.run if step.do in order] == list(order)


@cache
def leaving(design: VgicDesign) -> frozenset[int]:
    """The program counters at which a vCPU has backed out or left its guest, and soon takes what kicks it."""
    steps = [step.do for step in design.run]
    places = zip(steps, steps[1:], range(len(steps)), strict=False)
    both = [n for do, behind, n in places if (do, behind) == (Do.CLEAR_MODE, Do.UNMASK_IRQS)]
    return frozenset(place("run", index) for n in both if masked(design) for index in (n, n + 1))


def turns_back(design: VgicDesign, vcpu: Vcpu) -> bool:
    """Whether a vCPU is out of its guest, or about to find a request and back out, whoever kicks it now."""
    finds = vcpu.requests == 1 and vcpu.at in places_of(design, Do.CHECK_REQUESTS) and bool(leaving(design))
    return finds or vcpu.at in leaving(design)


@cache
def telling(design: VgicDesign) -> frozenset[int]:
    """The program counters of agents from which on the line that they tell of is read."""
    ends = [index for index, step in enumerate(design.inject) if step.do in TELLS]
    return frozenset(place("inject", index) for index in range(max(ends, default=-1) + 1))


def live_agent(design: VgicDesign, agent: Agent) -> Agent:
    """An agent without the line that it has told of."""
    return agent if agent.at in telling(design) else put_all(agent, ("vcpu", "irq", "level"), (0, 0, 0))


def unspent(state: VgicState, number: int, lrs: tuple[U32, ...]) -> tuple[U32, ...]:
    """The list registers of a vCPU without what empty ones hold of interrupts that have none any more."""
    return tuple([0 if spent(state, number, n, lr) else lr for n, lr in enumerate(lrs)])


def spent(state: VgicState, number: int, position: int, lr: U32) -> bool:
    """Whether nobody reads what a list register holds: it is empty and free, and KVM looks for no end there."""
    if lr == 0 or lists.state(lr) != lists.ListState.INVALID or lists.eoi(lr) == 1:
        return False
    vcpu = state.vcpus[number]
    known = bit(vcpu.used, position) == 1 or bit(vcpu.saved.eisr, position) == 1
    return not known and state.lr_map.none_where(lambda key, lr_of: key[0] == number and lr_of == position + 1)


def live_vcpu(design: VgicDesign, state: VgicState, number: int, read: bool) -> Vcpu:
    """A vCPU in which everything is 0 that nobody reads any more; others read its saved list registers or not."""
    vcpu = state.vcpus[number]
    if vcpu.cpu != 0 and (vcpu.mode == Mode.OUTSIDE_GUEST_MODE or masked(design)):
        vcpu = put(vcpu, "cpu", 0)
    if vcpu.requests == 1 and vcpu.at not in asked(design):
        vcpu = put(vcpu, "requests", 0)
    if turns_back(design, vcpu) and vcpu.mode == Mode.EXITING_GUEST_MODE:
        vcpu = put(vcpu, "mode", Mode.IN_GUEST_MODE)
    dead = tuple([name for name, places in overwritten(design) if vcpu.at in places])
    vcpu = put(vcpu, "saved", put(vcpu.saved, "lrs", unspent(state, number, vcpu.saved.lrs)))
    return put(vcpu, "saved", without(vcpu.saved, dead, read)) if dead else vcpu


def without(saved: Saved, names: tuple[str, ...], read: bool) -> Saved:
    """The saved registers without some of them, but for what others read of list registers."""
    lrs = tuple([awareness(lr) if read else 0 for lr in saved.lrs])
    return put_all(saved, names, tuple([lrs if name == "lrs" else 0 for name in names]))


def awareness(lr: int) -> int:
    """A list register that tells another vCPU no less of an SPI than this one: whether its holder knows who waits."""
    return 1 << lists.EOI if lists.virtual_id(lr) >= PRIVATE and not is_unaware(lr) else 0


def live(design: VgicDesign, state: VgicState) -> VgicState:
    """The state in which everything is 0 that nobody reads any more: it has the same futures."""
    running = {core.vcpu: number for number, core in enumerate(state.cores) if core.busy == 1}
    vcpus = []
    for number in range(len(state.vcpus)):
        kept = live_vcpu(design, state, number, is_read(design, state, number))
        vcpus.append(put(kept, "cpu", running[number]) if number in running else kept)
    cores = tuple([live_core(design, core, state) for core in state.cores])
    told = tuple([live_agent(design, agent) for agent in state.agents])
    return put_all(state, ("cores", "agents", "vcpus"), (cores, told, tuple(vcpus)))


def live_core(design: VgicDesign, core: Core, state: VgicState) -> Core:
    """A processor in whose GICH everything is 0 that nobody reads any more."""
    gich = core.gich
    at = state.vcpus[core.vcpu].at if core.busy == 1 else None
    dead = tuple([name for name, places in held(design) if name != "hcr" and at not in places])
    if "lrs" not in dead and core.busy == 1:
        gich = put(gich, "lrs", lists_of(core, state))
    kept: VirtualInterface = put_all(gich, dead, tuple([(0,) * len(gich.lrs) if n == "lrs" else 0 for n in dead]))
    ipi = 0 if core.busy == 1 and turns_back(design, state.vcpus[core.vcpu]) else core.ipi
    return put_all(core, ("gich", "ipi"), (kept, ipi))
