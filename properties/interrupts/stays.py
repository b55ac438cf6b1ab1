"""Stays in a guest: what the host masks, loads and saves around them, who ends them, and who wakes whom."""

from collections.abc import Callable
from functools import partial
from typing import Any

from model.action import Action
from model.design import Design
from model.state import State
from model.threads import Wait, is_agent
from model.vgic.design import GUEST, Do, VgicDesign, place
from model.vgic.pending import Key
from model.vgic.state import Agent, Core, Saved, Vcpu, VgicState
from model.vgic.system import GuestPowersOff, GuestStops, UserSignals, VgicAction, VgicSteps
from model.vgic.threads import vm_number
from properties.interrupts.invariants.terms import is_noted, runs_low
from properties.interrupts.ranking import others, tells, waits_on
from properties.interrupts.steps import (
    awaited,
    between,
    does,
    has_place,
    interrupts_of,
    named,
    none,
    places_of,
    runs_on,
    those,
    vm_of,
    waiting_for,
)
from properties.property import Kind, Property
from properties.quantify import each, somewhere
from spec.gic import virtual_interface
from spec.gic.state import VirtualInterface
from spec.gic.virtual_interface import maintenance
from spec.words import U8, either, every, member, negate, put, same


def kick_coming(design: VgicDesign, state: VgicState, vm: U8) -> Any:
    """Whether somebody is about to kick vCPUs of a VM: amid a section under its lock, or behind one."""
    kicks = places_of(design, Do.KICK)
    threads: tuple[Agent | Vcpu, ...] = (*state.agents, *state.vcpus)
    due = (every(thread.vm == vm, thread.updated == 1, member(thread.at, kicks)) for thread in threads)
    return either(negate(vm_of(state, vm).lock == 0), *due)


def deliverable(state: VgicState, number: int) -> list[tuple[tuple[int, Key], Any]]:
    """Interrupts with a vCPU, each with whether it waits in the distributor for that one, in no list register."""
    found = []
    for key, record in each(state.irqs):
        listed = either(*(has_place(state, each_one, key) for each_one in range(len(state.vcpus))))
        found.append(((number, key), every(awaited(state, number, key, record), negate(listed))))
    return found


def overslept(design: VgicDesign, state: VgicState) -> list[tuple[tuple[int, Key], Any]]:
    """The vCPUs with interrupts, each with whether it sleeps, though that one waits for it and nobody is about to wake
    it."""
    found: list[tuple[tuple[int, Key], Any]] = []
    for number, vcpu in enumerate(state.vcpus):
        asleep = vcpu.wait == Wait.ASLEEP
        if asleep is not False:
            sleeps = every(asleep, negate(kick_coming(design, state, vcpu.vm)))
            found += [(what, every(sleeps, due)) for what, due in deliverable(state, number)]
    return found


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
    holds=lambda d, b, a, s: none(overslept(d.vgic, interrupts_of(s))),
    interesting=about_to_sleep,
    explain=lambda d, b, a, s: "; ".join(
        f"vCPU{number} sleeps, and {named(key)} waits for it"
        for number, key in those(overslept(d.vgic, interrupts_of(s)))
    ),
)


def unaware(design: VgicDesign, state: VgicState) -> list[tuple[tuple[int, Key], Any]]:
    """The vCPUs with interrupts, each with whether it is in its guest, though that one waits for it and nothing will
    bring it to its list registers."""
    found: list[tuple[tuple[int, Key], Any]] = []
    for number, vcpu in enumerate(state.vcpus):
        inside = vcpu.at == GUEST
        if inside is not False:
            stays = either(*(every(runs_on(core, number), negate(leaves(core))) for core in state.cores))
            alone = every(inside, stays, negate(kick_coming(design, state, vcpu.vm)))
            due = deliverable(state, number) if alone is not False else []
            found += [(what, every(alone, waits)) for what, waits in due]
    return found


def leaves(core: Core) -> Any:
    """Whether something is about to take a processor out of its guest, or will once list registers run low."""
    return either(interrupted(core), maintenance(core.gich) == 1, runs_low(core.gich.hcr, core.gich.lrs))


def interrupted(core: Core) -> Any:
    """Whether a physical interrupt is about to take a processor out of its guest."""
    return either(core.ipi == 1, core.irq == 1)


KICKED = Property(
    id="interrupts.kicked",
    statement="A guest does not run on while an interrupt waits for it outside its list registers, unless something is "
    "about to take it out.",
    claims=("C22", "C24"),
    question="Why does KVM send an interrupt to the processor of a vCPU that gets one?",
    kind=Kind.STATE,
    about=(VgicAction,),
    holds=lambda d, b, a, s: none(unaware(d.vgic, interrupts_of(s))),
    interesting=lambda d, b, a, s: does(d.vgic, interrupts_of(b), a) is Do.KICK
    and any(core.ipi == 1 for core in interrupts_of(s).cores),
    explain=lambda d, b, a, s: "; ".join(
        f"vCPU{number} runs on, and {named(key)} waits for it"
        for number, key in those(unaware(d.vgic, interrupts_of(s)))
    ),
)


def called_for_nothing(
    design: VgicDesign, before: VgicState, action: Action, after: VgicState
) -> list[tuple[int, Any]]:
    """The vCPUs, each with whether a device or an access notes it as having something to flush, though no interrupt
    waits for it."""
    if does(design, before, action) is Do.FLUSH_END:
        return told_for_nothing(design, before, action, after)
    if does(design, before, action) not in (Do.INJECT, Do.UPDATE):
        return []
    own, found = vm_number(before, action.cpu), []
    for number, vcpu in enumerate(after.vcpus):
        called = every(vcpu.vm == own, is_new(before, after, vcpu))
        found.append((number, every(called, negate(somewhere(after.irqs, partial(waiting_for, after, number))))))
    return found


def told_for_nothing(
    design: VgicDesign, before: VgicState, action: Action, after: VgicState
) -> list[tuple[int, Any]]:
    """The vCPUs, each with whether the end of a flush notes or kicks it, though the one that flushes has to tell it
    nothing."""
    own, found = before.cores[action.cpu].vcpu, []
    kicks = after.vcpus[own].updated > before.vcpus[own].updated
    for other in others(before, own):
        sibling = after.vcpus[other].vm == after.vcpus[own].vm
        called = either(is_new(before, after, after.vcpus[other]), every(kicks, negate(tells(design, before, own))))
        found.append((other, every(sibling, called, negate(waits_on(design, before, own, other)))))
    return found


def is_new(before: VgicState, after: VgicState, vcpu: Vcpu) -> Any:
    """Whether a vCPU is noted as having something to flush, and was not before."""
    return every(is_noted(after, vcpu), negate(is_noted(before, vcpu)))


CALLED_FOR = Property(
    id="interrupts.called_for",
    statement="What a guest stores in its distributor, or a device says, calls for no vCPU but those for which an "
    "interrupt waits, and a flush for none but those that hold what it waits for: no other one is kicked.",
    claims=("C22", "C24"),
    question="Does a vCPU leave its guest for an interrupt that is none of its own?",
    kind=Kind.STEP,
    about=(VgicSteps,),
    holds=lambda d, b, a, s: none(called_for_nothing(d.vgic, interrupts_of(b), a, interrupts_of(s))),
    interesting=lambda d, b, a, s: does(d.vgic, interrupts_of(b), a) is Do.UPDATE
    and any(new.oracle != old.oracle for old, new in zip(interrupts_of(b).vms, interrupts_of(s).vms, strict=True)),
    explain=lambda d, b, a, s: ", ".join(
        f"vCPU{number}" for number in those(called_for_nothing(d.vgic, interrupts_of(b), a, interrupts_of(s)))
    )
    + " is called for, and has nothing to do",
)


def executing(state: VgicState, condition: Callable[[Vcpu], Any]) -> list[tuple[int, Any]]:
    """The vCPUs, each with whether something holds of it though it executes its guest, and no interrupt is about to
    take it out."""
    found = []
    for number, vcpu in enumerate(state.vcpus):
        stays = (every(runs_on(core, number), negate(interrupted(core))) for core in state.cores)
        found.append((number, every(condition(vcpu), vcpu.at == GUEST, either(*stays))))
    return found


def powered(state: VgicState) -> list[tuple[int, Any]]:
    """The vCPUs, each with whether it executes though it is powered off."""
    return executing(state, lambda vcpu: vcpu.pause == 1)


OFF_IS_OFF = Property(
    id="interrupts.off_is_off",
    statement="A vCPU that is powered off does not execute its guest, unless its processor is about to be interrupted.",
    claims=("C24",),
    question="Can a vCPU run that another one has just stopped?",
    kind=Kind.STATE,
    about=(VgicAction,),
    holds=lambda d, b, a, s: none(powered(interrupts_of(s))),
    interesting=lambda d, b, a, s: isinstance(a, GuestPowersOff | GuestStops),
    explain=lambda d, b, a, s: ", ".join(f"vCPU{number}" for number in those(powered(interrupts_of(s))))
    + " executes though it is powered off",
)


def unheard(state: VgicState) -> list[tuple[int, Any]]:
    """The vCPUs, each with whether it executes though a signal waits for its thread."""
    return executing(state, lambda vcpu: vcpu.signal == 1)


SIGNAL_HEARD = Property(
    id="interrupts.signal_heard",
    statement="A vCPU does not execute its guest while a signal waits for its thread, unless its processor is about to "
    "be interrupted.",
    claims=("C17",),
    question="Can user space always get its vCPU back?",
    kind=Kind.STATE,
    about=(VgicAction,),
    holds=lambda d, b, a, s: none(unheard(interrupts_of(s))),
    interesting=lambda d, b, a, s: isinstance(a, UserSignals),
    explain=lambda d, b, a, s: ", ".join(f"vCPU{number}" for number in those(unheard(interrupts_of(s))))
    + " executes though a signal waits for its thread",
)


def masks(design: VgicDesign, state: VgicState) -> list[tuple[str, Any]]:
    """What may be wrong with the masks of the host's interrupts, each with whether it is."""
    found: list[tuple[str, Any]] = []
    calm = places_of(design, Do.HANDLE_EXIT, Do.PREPARE_WAIT, Do.CHECK_RUNNABLE, Do.SLEEP, Do.AWAIT_POWER, Do.LOCK)
    for cpu, core in enumerate(state.cores):
        inside = (every(runs_on(core, number), vcpu.at == GUEST) for number, vcpu in enumerate(state.vcpus))
        rests = (every(runs_on(core, number), member(vcpu.at, calm)) for number, vcpu in enumerate(state.vcpus))
        unmasked = every(core.masked == 0, either(*inside))
        found.append((f"CPU{cpu} went to its guest with interrupts unmasked", unmasked))
        left = every(core.masked == 1, either(core.busy == 0, *rests))
        found.append((f"CPU{cpu} goes on in the host with interrupts masked", left))
    return found


MASKED = Property(
    id="interrupts.masked",
    statement="The host masks interrupts on the way into a guest, and nowhere else: what arrives in between takes the "
    "guest out, and what arrives later reaches the host.",
    claims=("C17", "C18", "C19"),
    question="Can a physical interrupt be missed between the last check and the guest?",
    kind=Kind.STATE,
    about=(VgicAction,),
    holds=lambda d, b, a, s: none(masks(d.vgic, interrupts_of(s))),
    interesting=lambda d, b, a, s: does(d.vgic, interrupts_of(b), a) is Do.ENTER,
    explain=lambda d, b, a, s: "; ".join(those(masks(d.vgic, interrupts_of(s)))),
)


def left_on(design: VgicDesign, state: VgicState) -> list[tuple[int, Any]]:
    """The processors, each with whether its virtual interface is on, or its virtual interrupts are, while the host
    runs."""
    within = between(design, Do.LOAD_HCR, Do.STOP) | between(design, Do.LOAD_PINS, Do.CLEAR_PINS)
    found = []
    for cpu, core in enumerate(state.cores):
        inside = (every(runs_on(core, number), member(vcpu.at, within)) for number, vcpu in enumerate(state.vcpus))
        silent = every(core.gich.hcr == 0, core.pins == 0)
        found.append((cpu, negate(either(silent, *inside))))
    return found


INTERFACE_OFF = Property(
    id="interrupts.interface_off",
    statement="While the host runs, no processor's virtual interface is on: it gets neither virtual interrupts nor "
    "maintenance interrupts of a guest that it has left.",
    claims=("C8", "C18"),
    question="Does a guest's virtual interface disturb the host?",
    kind=Kind.STATE,
    about=(VgicAction,),
    holds=lambda d, b, a, s: none(left_on(d.vgic, interrupts_of(s))),
    interesting=lambda d, b, a, s: does(d.vgic, interrupts_of(b), a) in (Do.STOP, Do.CLEAR_PINS),
    explain=lambda d, b, a, s: ", ".join(f"CPU{cpu}" for cpu in those(left_on(d.vgic, interrupts_of(s))))
    + " runs the host with a virtual interface that is on",
)


def unequal(design: VgicDesign, before: VgicState, action: VgicAction, after: VgicState) -> list[tuple[str, Any]]:
    """The registers that the world switch has to have moved at its end in each direction, each with whether it has
    not."""
    if not isinstance(action, VgicSteps) or is_agent(before, action.cpu) or before.cores[action.cpu].busy == 0:
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
    found = [(name, negate(same(getattr(core.gich, name), getattr(vcpu.saved, name)))) for name in names]
    return found + (status(core.gich, vcpu.saved) if names[:1] == ("vmcr",) else [])


def status(gich: VirtualInterface, saved: Saved) -> list[tuple[str, Any]]:
    """The saved status registers, each with whether it is not what it was when GICH was stopped."""
    on = put(gich, "hcr", saved.hcr)
    derived = (
        ("misr", virtual_interface.misr(on)),
        ("eisr", virtual_interface.eisr(on)),
        ("elrsr", virtual_interface.elrsr(on)),
    )
    return [(name, negate(getattr(saved, name) == value)) for name, value in derived]


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
    return none(unequal(design.vgic, interrupts_of(before), action, interrupts_of(after)))


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
    + ", ".join(those(unequal(d.vgic, interrupts_of(b), a, interrupts_of(s)))),  # type: ignore[arg-type]
)


PROPERTIES = (WOKEN, KICKED, CALLED_FOR, OFF_IS_OFF, SIGNAL_HEARD, MASKED, INTERFACE_OFF, SWITCHED)
