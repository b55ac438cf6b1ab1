"""When two states of interrupts are the same for every future: what a state leaves behind in its key.

A register of GICH is read between its load and its save, and its saved copy is not, but for what a vCPU that waits for
an interrupt reads of another one's list registers. Which processor a vCPU ran on last matters to a kick, and so only
where the vCPU's mode says that it is in the guest; where it runs, the processor says so.
"""

from collections.abc import Hashable
from functools import cache, partial

from model.design import Design
from model.vgic.design import Do, Trait, VgicDesign
from model.vgic.holders import is_unaware
from model.vgic.state import PRIVATE, Core, Saved, Vcpu, VgicState
from properties.engines.parts.part import Aspect
from properties.interrupts.steps import between, places_of
from spec.gic import list_registers as lists
from spec.gic.state import VirtualInterface
from spec.words import put, put_all

SWITCHED = (
    ("hcr", Do.LOAD_HCR, Do.SAVE_HCR), ("vmcr", Do.LOAD_VMCR, Do.SAVE_VMCR), ("apr", Do.LOAD_APR, Do.SAVE_APR),
    ("lrs", Do.LOAD_LRS, Do.SAVE_LRS),
)  # fmt: skip
"""The registers of GICH that the world switch moves."""
STATUS = (("misr", Do.SAVE_MISR), ("eisr", Do.SAVE_EISR), ("elrsr", Do.SAVE_ELRSR))
"""Those that it only saves."""


def aspects(design: Design, state: VgicState) -> tuple[Aspect, ...]:
    """What is left of the states of a configuration without what no step and no property can tell apart."""
    vgic = design.vgic
    cores = tuple(partial(core_of, vgic, number) for number in range(len(state.cores)))
    vcpus = tuple(partial(vcpu_of, vgic, number, is_read(vgic, state, number)) for number in range(len(state.vcpus)))
    return (*cores, *vcpus, agents, vms, irqs, stale, lr_map, crashed)


def core_of(design: VgicDesign, number: int, state: VgicState) -> Hashable:
    """What matters of a processor, where its thread stands."""
    core = state.cores[number]
    return (*at_rest(core), (0,)) if core.busy == 0 else (*at_rest(core), gich_of(design, core, state))


def at_rest(core: Core) -> tuple[int, ...]:
    """What matters of a processor besides GICH."""
    return core.busy, core.vcpu, core.masked, core.ipi, core.irq, core.pins


def gich_of(design: VgicDesign, core: Core, state: VgicState) -> tuple[Hashable, ...]:
    """The registers of GICH that somebody may still read."""
    at = state.vcpus[core.vcpu].at
    return (core.gich.hcr, *(getattr(core.gich, name) for name, places in held(design) if at in places))


def vcpu_of(design: VgicDesign, number: int, read: bool, state: VgicState) -> Hashable:
    """What matters of a vCPU, whose saved list registers others read or not."""
    return live_vcpu(design, state.vcpus[number], read)


def is_read(design: VgicDesign, state: VgicState, number: int) -> bool:
    """Whether other vCPUs read what is saved of a vCPU's list registers."""
    siblings = sum(1 for vcpu in state.vcpus if vcpu.vm == state.vcpus[number].vm)
    return siblings > 1 and Trait.TARGET_FOLLOWED in design.traits


def agents(state: VgicState) -> Hashable:
    """What those that drive lines are doing."""
    return state.agents


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


def live_vcpu(design: VgicDesign, vcpu: Vcpu, read: bool) -> Vcpu:
    """A vCPU in which everything is 0 that nobody reads any more; others read its saved list registers or not."""
    if vcpu.mode == 0 and vcpu.cpu != 0:
        vcpu = put(vcpu, "cpu", 0)
    dead = tuple([name for name, places in overwritten(design) if vcpu.at in places])
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
    for number, vcpu in enumerate(state.vcpus):
        kept = live_vcpu(design, vcpu, is_read(design, state, number))
        vcpus.append(put(kept, "cpu", running[number]) if number in running else kept)
    cores = tuple([live_core(design, core, state) for core in state.cores])
    return put_all(state, ("cores", "vcpus"), (cores, tuple(vcpus)))


def live_core(design: VgicDesign, core: Core, state: VgicState) -> Core:
    """A processor in whose GICH everything is 0 that nobody reads any more."""
    gich = core.gich
    at = state.vcpus[core.vcpu].at if core.busy == 1 else None
    dead = tuple([name for name, places in held(design) if name != "hcr" and at not in places])
    kept: VirtualInterface = put_all(gich, dead, tuple([(0,) * len(gich.lrs) if n == "lrs" else 0 for n in dead]))
    return put(core, "gich", kept)
