"""Stays in a guest: what the host masks, loads and saves around them, who ends them, and who wakes whom."""

from collections.abc import Callable
from typing import Any

from model.action import Action
from model.design import Design
from model.state import State
from model.vgic.design import GUEST, Do, VgicDesign, place
from model.vgic.pending import Key, is_edge, key_of
from model.vgic.state import SGIS, Vcpu, VgicState, Wait
from model.vgic.system import GuestActs, GuestPowersOff, GuestStops, UserSignals, VgicAction, VgicSteps
from properties.interrupts.drain import undelivered
from properties.interrupts.steps import (
    between,
    core_of,
    does,
    interrupts_of,
    mine,
    named,
    places_of,
)
from properties.property import Kind, Property
from spec.gic import list_registers as lists
from spec.gic import virtual_interface
from spec.gic.virtual_interface import UIE, maintenance
from spec.words import bit, put


def kick_coming(design: VgicDesign, state: VgicState, vm: int) -> bool:
    """Whether somebody is about to kick vCPUs of a VM: amid a section under its lock, or behind one."""
    kicks = places_of(design, Do.KICK)
    agents = (agent.vm == vm and agent.updated == 1 and agent.at in kicks for agent in state.agents)
    vcpus = (vcpu.vm == vm and vcpu.updated == 1 and vcpu.at in kicks for vcpu in state.vcpus)
    return state.vms[vm].lock != 0 or any(agents) or any(vcpus)


def deliverable(state: VgicState, number: int) -> list[Key]:
    """What waits in the distributor for a vCPU, and is in no list register, its own or that of another vCPU."""
    vm = state.vcpus[number].vm
    listed = {irq for vcpu, irq in state.lr_map.entries if state.vcpus[vcpu].vm == vm}
    return [
        key
        for key, record in state.irqs.entries.items()
        if key[2] not in listed and mine(state, number, key, record) and undelivered(state, key)
    ]


def overslept(design: VgicDesign, state: VgicState) -> list[tuple[int, Key]]:
    """The vCPUs that sleep, each with what waits for it though nobody is about to wake it."""
    return [
        (number, key)
        for number, vcpu in enumerate(state.vcpus)
        if vcpu.wait == Wait.ASLEEP and not kick_coming(design, state, vcpu.vm)
        for key in deliverable(state, number)
    ]


def about_to_sleep(design: Design, before: State, action: Action, after: State) -> Any:
    """Whether a step puts a thread to sleep, or wakes one."""
    return any(
        (old.wait == Wait.ASLEEP) != (new.wait == Wait.ASLEEP)
        for old, new in zip(interrupts_of(before).vcpus, interrupts_of(after).vcpus, strict=True)
    )


WOKEN = Property(
    id="interrupts.woken",
    statement="A vCPU does not sleep while an interrupt waits for it, unless somebody is about to wake it.",
    claims=("C22", "C24"),
    question="Who wakes a guest that waits?",
    kind=Kind.STATE,
    about=(VgicAction,),
    holds=lambda d, b, a, s: not overslept(d.vgic, interrupts_of(s)),
    interesting=about_to_sleep,
    explain=lambda d, b, a, s: "; ".join(
        f"vCPU{number} sleeps, and {named(key)} waits for it" for number, key in overslept(d.vgic, interrupts_of(s))
    ),
)


def unaware(design: VgicDesign, state: VgicState) -> list[tuple[int, Key]]:
    """The vCPUs in their guests, each with what waits for it though nothing will bring it to its list registers."""
    found = []
    for number, vcpu in enumerate(state.vcpus):
        core = core_of(state, number)
        if core is None or vcpu.at != GUEST or kick_coming(design, state, vcpu.vm):
            continue
        leaves = core.ipi == 1 or core.irq == 1 or maintenance(core.gich) == 1 or bit(core.gich.hcr, UIE) == 1
        found += [] if leaves else [(number, key) for key in deliverable(state, number)]
    return found


KICKED = Property(
    id="interrupts.kicked",
    statement="A guest does not run on while an interrupt waits for it outside its list registers, unless something is "
    "about to take it out.",
    claims=("C22", "C24"),
    question="Why does KVM send an interrupt to the processor of a vCPU that gets one?",
    kind=Kind.STATE,
    about=(VgicAction,),
    holds=lambda d, b, a, s: not unaware(d.vgic, interrupts_of(s)),
    interesting=lambda d, b, a, s: does(d.vgic, interrupts_of(b), a) is Do.KICK
    and any(core.ipi == 1 for core in interrupts_of(s).cores),
    explain=lambda d, b, a, s: "; ".join(
        f"vCPU{number} runs on, and {named(key)} waits for it" for number, key in unaware(d.vgic, interrupts_of(s))
    ),
)


def executing(state: VgicState, condition: Callable[[Vcpu], bool]) -> list[int]:
    """The vCPUs of which something holds that execute their guests, and that no interrupt is about to take out."""
    found = []
    for number, vcpu in enumerate(state.vcpus):
        core = core_of(state, number)
        if core is not None and vcpu.at == GUEST and condition(vcpu) and core.ipi == 0 and core.irq == 0:
            found.append(number)
    return found


def powered(state: VgicState) -> list[int]:
    """The vCPUs that execute though they are powered off."""
    return executing(state, lambda vcpu: vcpu.pause == 1)


OFF_IS_OFF = Property(
    id="interrupts.off_is_off",
    statement="A vCPU that is powered off does not execute its guest, unless its processor is about to be interrupted.",
    claims=("C24",),
    question="Can a vCPU run that another one has just stopped?",
    kind=Kind.STATE,
    about=(VgicAction,),
    holds=lambda d, b, a, s: not powered(interrupts_of(s)),
    interesting=lambda d, b, a, s: isinstance(a, GuestPowersOff | GuestStops),
    explain=lambda d, b, a, s: ", ".join(f"vCPU{number}" for number in powered(interrupts_of(s)))
    + " executes though it is powered off",
)


def unheard(state: VgicState) -> list[int]:
    """The vCPUs that execute though a signal waits for their thread."""
    return executing(state, lambda vcpu: vcpu.signal == 1)


SIGNAL_HEARD = Property(
    id="interrupts.signal_heard",
    statement="A vCPU does not execute its guest while a signal waits for its thread, unless its processor is about to "
    "be interrupted.",
    claims=("C17",),
    question="Can user space always get its vCPU back?",
    kind=Kind.STATE,
    about=(VgicAction,),
    holds=lambda d, b, a, s: not unheard(interrupts_of(s)),
    interesting=lambda d, b, a, s: isinstance(a, UserSignals),
    explain=lambda d, b, a, s: ", ".join(f"vCPU{number}" for number in unheard(interrupts_of(s)))
    + " executes though a signal waits for its thread",
)


def masks(design: VgicDesign, state: VgicState) -> list[str]:
    """The processors on which the host's interrupts are masked where they should not be, or the other way round."""
    found = []
    calm = places_of(design, Do.HANDLE_EXIT, Do.PREPARE_WAIT, Do.CHECK_RUNNABLE, Do.SLEEP, Do.AWAIT_POWER, Do.LOCK)
    for cpu, core in enumerate(state.cores):
        at = state.vcpus[core.vcpu].at if core.busy == 1 else None
        if core.masked == 0 and at == GUEST:
            found.append(f"CPU{cpu} went to its guest with interrupts unmasked")
        if core.masked == 1 and (at is None or at in calm):
            found.append(f"CPU{cpu} goes on in the host with interrupts masked")
    return found


MASKED = Property(
    id="interrupts.masked",
    statement="The host masks interrupts on the way into a guest, and nowhere else: what arrives in between takes the "
    "guest out, and what arrives later reaches the host.",
    claims=("C17", "C18", "C19"),
    question="Can a physical interrupt be missed between the last check and the guest?",
    kind=Kind.STATE,
    about=(VgicAction,),
    holds=lambda d, b, a, s: not masks(d.vgic, interrupts_of(s)),
    interesting=lambda d, b, a, s: does(d.vgic, interrupts_of(b), a) is Do.ENTER,
    explain=lambda d, b, a, s: "; ".join(masks(d.vgic, interrupts_of(s))),
)


def left_on(design: VgicDesign, state: VgicState) -> list[int]:
    """The processors whose virtual interface is on, or whose virtual interrupts are, while the host runs."""
    within = between(design, Do.LOAD_HCR, Do.STOP) | between(design, Do.LOAD_PINS, Do.CLEAR_PINS)
    found = []
    for cpu, core in enumerate(state.cores):
        inside = core.busy == 1 and state.vcpus[core.vcpu].at in within
        if not inside and (core.gich.hcr != 0 or core.pins != 0):
            found.append(cpu)
    return found


INTERFACE_OFF = Property(
    id="interrupts.interface_off",
    statement="While the host runs, no processor's virtual interface is on: it gets neither virtual interrupts nor "
    "maintenance interrupts of a guest that it has left.",
    claims=("C8", "C18"),
    question="Does a guest's virtual interface disturb the host?",
    kind=Kind.STATE,
    about=(VgicAction,),
    holds=lambda d, b, a, s: not left_on(d.vgic, interrupts_of(s)),
    interesting=lambda d, b, a, s: does(d.vgic, interrupts_of(b), a) in (Do.STOP, Do.CLEAR_PINS),
    explain=lambda d, b, a, s: ", ".join(f"CPU{cpu}" for cpu in left_on(d.vgic, interrupts_of(s)))
    + " runs the host with a virtual interface that is on",
)


def unequal(design: VgicDesign, before: VgicState, action: VgicAction, after: VgicState) -> list[str]:
    """The registers that the world switch has not moved where it should have, at its end in each direction."""
    if not isinstance(action, VgicSteps) or action.cpu >= len(before.cores) or before.cores[action.cpu].busy == 0:
        return []
    core, vcpu = before.cores[action.cpu], before.vcpus[before.cores[action.cpu].vcpu]
    step = does(design, before, action)
    names: tuple[str, ...] = ()
    if not any(each.do is Do.LOAD_LRS or each.do is Do.SAVE_LRS for each in design.run):
        return []
    if step is Do.ENTER:
        names = ("hcr", "vmcr", "apr", "lrs")
    elif step is Do.STOP:
        names = ("hcr",)
    elif vcpu.at == last_save(design):
        vcpu, core, names = after.vcpus[core.vcpu], after.cores[action.cpu], ("vmcr", "apr", "lrs")
    found = [name for name in names if getattr(core.gich, name) != getattr(vcpu.saved, name)]
    return found + (status(core.gich, vcpu.saved) if names[:1] == ("vmcr",) else [])


def status(gich: Any, saved: Any) -> list[str]:
    """The saved status registers that are not what they were when GICH was stopped."""
    on = put(gich, "hcr", saved.hcr)
    derived = (
        ("misr", virtual_interface.misr(on)),
        ("eisr", virtual_interface.eisr(on)),
        ("elrsr", virtual_interface.elrsr(on)),
    )
    return [name for name, value in derived if getattr(saved, name) != value]


def last_save(design: VgicDesign) -> int:
    """The program counter of the last step of the world switch out; -1 where there is none."""
    steps = [step.do for step in design.run]
    if Do.CLEAR_MODE not in steps or Do.ENTER not in steps:
        return -1
    at = steps.index(Do.CLEAR_MODE) - 1
    return place("run", at) if at > steps.index(Do.ENTER) else -1


def switched(design: Design, before: State, action: Action, after: State) -> Any:
    """The predicate of SWITCHED."""
    assert isinstance(action, VgicAction)
    return not unequal(design.vgic, interrupts_of(before), action, interrupts_of(after))


SWITCHED = Property(
    id="interrupts.switched",
    statement="A guest is entered with the virtual interface of its vCPU, and left with all of it saved, its status "
    "before it is stopped.",
    claims=("C6", "C23"),
    question="Which registers of GICH does the world switch have to move, and when?",
    kind=Kind.STEP,
    about=(VgicSteps,),
    holds=switched,
    interesting=lambda d, b, a, s: does(d.vgic, interrupts_of(b), a) is Do.ENTER,
    explain=lambda d, b, a, s: "not moved: "
    + ", ".join(unequal(d.vgic, interrupts_of(b), a, interrupts_of(s))),  # type: ignore[arg-type]
)


def needless(design: VgicDesign, before: VgicState, action: GuestActs, after: VgicState) -> bool:
    """Whether a guest that uses its interface is taken out by that, though KVM has nothing to do for it."""
    old, new = before.cores[action.cpu], after.cores[action.cpu]
    if maintenance(new.gich) == 0 or maintenance(old.gich) == 1 or bit(new.gich.hcr, UIE) == 1:
        return False
    vcpu = before.vcpus[old.vcpu]
    for was, now in zip(old.gich.lrs, new.gich.lrs, strict=True):
        key = key_of(vcpu.vm, vcpu.number, lists.virtual_id(was))
        ended = bool(was & lists.ACTIVE_BIT) and not now & lists.ACTIVE_BIT and lists.eoi(was) == 1
        record = before.irqs.get(key)
        awaited = key[2] < SGIS or not is_edge(key[2], record) or record.target != vcpu.number
        if ended and awaited:
            return False
    return True


def exitless(design: Design, before: State, action: Action, after: State) -> Any:
    """The predicate of EXITLESS."""
    assert isinstance(action, GuestActs)
    old, new = interrupts_of(before), interrupts_of(after)
    others = old.vcpus == new.vcpus and old.irqs == new.irqs and old.vms == new.vms
    return others and not needless(design.vgic, old, action, new)


EXITLESS = Property(
    id="interrupts.exitless",
    statement="A guest acknowledges and completes interrupts without an exit, but where a level-sensitive one ends, "
    "another source of an SGI or another target waits, or list registers ran out.",
    claims=("C20",),
    question="Why do list registers save exits?",
    kind=Kind.STEP,
    about=(GuestActs,),
    holds=exitless,
    interesting=lambda d, b, a, s: isinstance(a, GuestActs),
    explain=lambda d, b, a, s: "the guest is taken out for nothing, or changes more than its own interface",
)

PROPERTIES = (WOKEN, KICKED, OFF_IS_OFF, SIGNAL_HEARD, MASKED, INTERFACE_OFF, SWITCHED, EXITLESS)
