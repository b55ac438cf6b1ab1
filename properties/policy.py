"""The security policy on one page: who owns each attribute of a processor, and what each party may observe.

The domains are the host (with the highvisor), each VM, and the hardware. A VM may change and observe what it owns while
it runs, and observe what is public. Everything else is hidden from it, except through the declassifications below.
"""

from collections.abc import Mapping
from enum import Enum
from types import MappingProxyType
from typing import Any

from attrs import frozen

from model.design import Design
from model.lowvisor.moves import Install, Write
from spec.processor import Processor
from spec.psr import is_legal_guest
from spec.registers import REGISTERS, read, write_all
from spec.words import bits, choose, either, every, implies, put, same


class Owner(Enum):
    """Whose an attribute is."""

    WORLD = "each world has its own value; the world switch must exchange it"
    GUEST_DEVICE = "a device that the host has given up to guests; stopped while the host runs"
    HOST = "the host's; no guest may reach it"
    PUBLIC = "the same for every observer, and no secret"
    HYP = "the lowvisor's own"
    HINT = "a wake-up hint that anybody may set and that may be spurious"
    INPUT = "an input from the interrupt controller"


@frozen
class Declassification:
    """Something a VM may observe although it depends on others, and why that is accepted."""

    subject: str
    reason: str


DECLASSIFIED = (
    Declassification("CNTPCT", "time is the same for all; the paper gives guests direct access to the counters"),
    Declassification("WFI, WFE", "both may complete spuriously, so that they did tells nothing that they may tell"),
    Declassification("event register", "SEV of any processor sets it; the architecture permits spurious events"),
)

PHYSICAL_ADDRESSES = ("cbar", "dbgdrar", "dbgdsar")
"""Identification registers that reveal the host's physical memory map."""

BY_COMPONENT: Mapping[str | None, Owner] = MappingProxyType(
    {
        None: Owner.WORLD,
        "general": Owner.WORLD,
        "banked": Owner.WORLD,
        "fiq": Owner.WORLD,
        "cp15": Owner.WORLD,
        "vfp": Owner.WORLD,
        "implementation": Owner.HOST,
        "identification": Owner.PUBLIC,
        "hyp": Owner.HYP,
        "timer": Owner.HOST,
        "gich": Owner.GUEST_DEVICE,
        "debug": Owner.HOST,
        "monitors": Owner.HOST,
        "local": Owner.HOST,
        "signals": Owner.INPUT,
    }
)

BY_NAME: Mapping[str, Owner] = MappingProxyType(
    {
        "cntkctl": Owner.WORLD,
        "cntv_ctl": Owner.GUEST_DEVICE,
        "cntv_cval": Owner.GUEST_DEVICE,
        "cntvoff": Owner.HYP,
        "cnthctl": Owner.HYP,
        "cntpct": Owner.PUBLIC,
        "midr": Owner.HOST,
        "mpidr": Owner.HOST,
        "exclusive": Owner.WORLD,
        "event": Owner.HINT,
        "waiting": Owner.WORLD,
        **{name: Owner.HOST for name in PHYSICAL_ADDRESSES},
    }
)


def owner(name: str) -> Owner:
    """Whose an attribute is, by its name; raises KeyError for a component that nobody has classified."""
    return BY_NAME.get(name) or BY_COMPONENT[REGISTERS[name].component]


OWNED: Mapping[Owner, tuple[str, ...]] = MappingProxyType(
    {kind: tuple(name for name in REGISTERS if owner(name) is kind) for kind in Owner}
)
VFP = tuple(name for name in REGISTERS if REGISTERS[name].component == "vfp")
REACHED_BY_EXCEPTIONS = ("elr_hyp", "spsr_hyp", "hsr", "hdfar", "hifar", "hpfar", "hcptr_in_force", "hcr")
"""Hyp registers that an exception to Hyp mode, or a virtual abort, writes by itself."""
TIMER_OF_GUEST = ("cntv_ctl", "cntv_cval")
GUEST_STATE = tuple(
    n for n in (*OWNED[Owner.WORLD], *TIMER_OF_GUEST) if n not in VFP and n not in ("exclusive", "waiting")
)
"""What a VM must find again when it runs again, VFP apart."""
HIDDEN = tuple(
    name for name in REGISTERS if owner(name) in (Owner.HOST, Owner.GUEST_DEVICE) and name not in TIMER_OF_GUEST
)


def legal(context: Any) -> bool:
    """Whether a guest's context, running or saved, is one that hardware can have: its mode and state, and RAZ bits."""
    return every(is_legal_guest(context.cpsr), bits(context.cp15.vbar, 4, 0) == 0)


def vfp_given(cpu: Processor) -> bool:
    """Whether the VFP registers hold the running guest's values: HCPTR does not trap them."""
    return bits(cpu.hyp.hcptr, 11, 10) == 0


def changed_only(before: Processor, after: Processor, trapped: bool) -> bool:
    """Whether a guest's step changed nothing but what the guest owns, as one formula.

    An exception to Hyp mode also writes the Hyp registers that report it.
    """
    allowed = {*OWNED[Owner.WORLD], *OWNED[Owner.HINT], *TIMER_OF_GUEST} - set(VFP)
    if trapped:
        allowed |= set(REACHED_BY_EXCEPTIONS)
    rest = (name for name in REGISTERS if name not in allowed and name not in VFP)
    untouched = (same(read(before, name), read(after, name)) for name in rest)
    return every(*untouched, either(vfp_given(before), same(before.vfp, after.vfp)))


def observe_guest(cpu: Processor, trapped: bool) -> Any:
    """What the running VM sees of its processor: what it owns, and VFP where it has been given to it.

    After a trap the highvisor acts for the VM on the syndrome, so the syndrome counts as seen.
    """
    seen = tuple(read(cpu, name) for name in GUEST_STATE)
    vfp = tuple(choose(vfp_given(cpu), read(cpu, name), 0) for name in VFP)
    reported = (cpu.hyp.hsr, cpu.hyp.elr_hyp, cpu.hyp.spsr_hyp) if trapped else ()
    return (seen, vfp, reported, cpu.local.exclusive)


def installed(design: Design) -> frozenset[str]:
    """The registers to which the entry gives a value of the VM's or of its own: nothing of the host is left there."""
    moves = (step.move for step in design.entry)
    return frozenset(move.register for move in moves if isinstance(move, Write | Install))


def with_hidden(design: Design, cpu: Processor, other: Processor) -> Processor:
    """The processor with all that is hidden from the running VM replaced by another's: a comparison's second run."""
    given = installed(design)
    names = tuple(name for name in HIDDEN if name not in given)
    changed = write_all(cpu, names, [read(other, name) for name in names])
    unseen = put(other.vfp, "fpexc", cpu.vfp.fpexc) if "fpexc" in given else other.vfp
    vfp = choose(vfp_given(cpu), cpu.vfp, unseen)
    return put(changed, "vfp", vfp)


def equivalent_for_guest(a: Processor, b: Processor) -> bool:
    """Whether a running VM cannot tell two processors apart: equal in what it owns and in what is public."""
    public = every(*(same(read(a, name), read(b, name)) for name in OWNED[Owner.PUBLIC]))
    given = same(vfp_given(a), vfp_given(b))
    seen = same(observe_guest(a, False), observe_guest(b, False))
    return every(public, given, implies(given, seen))
