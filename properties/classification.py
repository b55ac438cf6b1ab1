"""What becomes of each register while a guest runs: each belongs to exactly one class, derived and not declared."""

from collections.abc import Iterator, Mapping
from enum import Enum
from types import MappingProxyType

from attrs import frozen

from model.design import ROUTINES, Design
from model.lowvisor.moves import (
    Alter,
    Clrex,
    Copy,
    Install,
    Load,
    LoadVfp,
    Move,
    Pop,
    Push,
    Save,
    SaveAs,
    SaveVfp,
    Write,
)
from properties.evidence import Evidence, gather
from properties.policy import DECLASSIFIED, VFP, Declassification, Owner, owner
from properties.property import Enumeration, Kind, Property
from properties.sensitive import NOT_VIRTUALIZABLE
from properties.world_switch.guest import STATUS
from spec.coprocessor.decode import ROW
from spec.coprocessor.row import Effect
from spec.registers import REGISTERS, Register


class Class(Enum):
    """How a register is virtualised, or why it need not be."""

    SWITCHED = "switched: the entry loads the guest's value and the exit saves it; the host finds its own again"
    LAZY = "lazily switched: at the guest's first VFP instruction, and on the exit behind it"
    CLEARED = "cleared: zero whenever a world starts to run"
    DEVICE = "a guest's device: loaded and saved for the vCPU, stopped while the host runs"
    TRAPPED = "trapped: every access that a guest may make leaves the guest"
    VIRTUALISED = "virtualised by hardware: a guest sees what Hyp mode or the virtual interface supplies"
    DECLASSIFIED = "declassified: the policy lets guests observe it"
    CONSTANT = "constant: guests read it, and nothing ever changes it"
    HYP = "Hyp mode's own: nothing below Hyp mode reaches it"
    UNAFFECTED = "unaffected: nothing that a guest can do reads or writes it"


@frozen
class Classified:
    """One register with its class, and what shows it."""

    name: str
    cls: Class | None
    """None where the evidence fits no class."""
    reason: str


ACCEPTED: Mapping[str, tuple[Declassification, tuple[str, ...]]] = MappingProxyType(
    {
        "cntpct": (DECLASSIFIED[0], ("CNTPCT", "CNTVCT", "CNTV_TVAL", "CNTV_CTL")),
        **{name: (DECLASSIFIED[1], ("WFI", "WFE")) for name in ("irq", "fiq", "abort")},
        "event": (DECLASSIFIED[2], ("WFE", "SEV")),
    }
)
"""What guests may observe, with the policy's reason and the operations that may show it."""

FITTING: Mapping[Owner, tuple[Class, ...]] = MappingProxyType(
    {
        Owner.WORLD: (Class.SWITCHED, Class.LAZY, Class.CLEARED),
        Owner.GUEST_DEVICE: (Class.DEVICE,),
        Owner.HOST: (Class.TRAPPED, Class.VIRTUALISED, Class.HYP),
        Owner.PUBLIC: (Class.CONSTANT, Class.DECLASSIFIED, Class.TRAPPED),
        Owner.HYP: (Class.HYP, Class.VIRTUALISED),
        Owner.HINT: (Class.DECLASSIFIED,),
        Owner.INPUT: (Class.VIRTUALISED, Class.DECLASSIFIED),
    }
)
"""The classes that keep what the policy says of an owner's registers."""
NOT_ENTERED = "the design does not enter a guest and come back"


def class_of(name: str, register: Register, seen: Evidence) -> Class | None:
    """The class that the evidence on a register shows, or None."""
    untouched = not seen.written and not seen.read and not seen.open
    if seen.loaded and seen.saved and seen.kept:
        return Class.LAZY if seen.lazy else Class.SWITCHED
    if seen.cleared:
        return Class.CLEARED
    if seen.saved and (seen.loaded or name in STATUS):
        return Class.DEVICE
    if name in ACCEPTED and all(_accepted(name, text) for text in (*seen.read, *seen.written)):
        return Class.DECLASSIFIED
    if seen.written:
        return None
    if seen.trapping and not seen.open and (seen.given or not seen.read):
        return Class.TRAPPED
    if _supplied(register, seen):
        return Class.VIRTUALISED
    if seen.read:
        return Class.CONSTANT if seen.constant and not seen.given else None
    if untouched and (register.component == "hyp" or _only_hyp(name)):
        return Class.HYP
    return Class.UNAFFECTED if untouched and not seen.trapping else None


def _accepted(name: str, text: str) -> bool:
    return any(word in text.split() for word in ACCEPTED[name][1])


def _supplied(register: Register, seen: Evidence) -> bool:
    """Whether guests see something in a register's place, see what the entry put there, or a virtual interrupt."""
    shadowed = bool(seen.open) and not seen.read
    virtual = register.component == "signals" and any(text.endswith(" ISR") for text in seen.read)
    return shadowed or (seen.given and bool(seen.read)) or virtual


def _only_hyp(name: str) -> bool:
    row = ROW.get(name.upper())
    return row is not None and row.effect is Effect.UNDEFINED


def reason_of(design: Design, name: str, cls: Class | None, seen: Evidence) -> str:
    """What shows that a register belongs to its class, in words."""
    match cls:
        case Class.SWITCHED | Class.LAZY | Class.DEVICE | Class.CLEARED:
            return "; ".join(steps_of(design, name)) or "every exception clears it"
        case Class.TRAPPED:
            return f"these trap: {listed(seen.trapping)}"
        case Class.DECLASSIFIED:
            return ACCEPTED[name][0].reason
        case Class.VIRTUALISED:
            return f"{listed(seen.read or seen.open)}, which {'shows' if seen.read else 'does not show'} it"
        case Class.CONSTANT:
            return f"read by {listed(seen.read)}"
        case Class.HYP:
            return "; ".join(steps_of(design, name)) or "no access below Hyp mode reaches it"
        case Class.UNAFFECTED:
            return "no operation of a guest reads or writes it"
    return lacking(seen)


def lacking(seen: Evidence) -> str:
    """Why evidence shows no class."""
    if seen.loaded or seen.saved or seen.written:
        parts = (
            ("the entry does not load it", seen.loaded),
            ("the exit does not save it", seen.saved),
            ("the host does not find its own value again", seen.kept),
        )
        if not (seen.loaded or seen.saved):
            return f"a guest changes it ({seen.written[0]}), and it is no part of the world switch"
        writer = f"a guest changes it ({seen.written[0]}), but " if seen.written else ""
        return writer + " and ".join(text for text, held in parts if not held)
    if seen.read:
        return f"a guest reads it ({seen.read[0]})"
    return f"some accesses trap ({listed(seen.trapping)}), others do not ({listed(seen.open)})"


def listed(texts: tuple[str, ...]) -> str:
    """The first few of many, and how many more there are."""
    more = f" and {len(texts) - 3} more" if len(texts) > 3 else ""
    return "; ".join(texts[:3]) + more


def steps_of(design: Design, name: str) -> Iterator[str]:
    """The lowvisor's steps that move a register or a field of that name in the image."""
    for routine in ROUTINES:
        for step in design.routine(routine):
            if name in names_moved(step.move):
                yield step.name


def names_moved(move: Move) -> tuple[str, ...]:
    """The registers that a move reads or writes, and the fields of the image by which they are known."""
    match move:
        case Push(registers, omitted) | Pop(registers, omitted) | Save(registers, omitted) | Load(registers, omitted):
            return tuple(register for register in registers if register not in omitted)
        case Install(register, image) | SaveAs(register, image):
            return (register,) if image in ("midr", "mpidr") else (register, image)
        case Write(register) | Alter(register):
            return (register,)
        case Copy(register, source):
            return (register, source)
        case SaveVfp() | LoadVfp():
            return VFP
        case Clrex():
            return ("exclusive",)
    return ()


def classify(
    design: Design, registers: Mapping[str, Register] = REGISTERS, evidence: Mapping[str, Evidence] | None = None
) -> tuple[Classified, ...]:
    """Every register with its class; none has one in a design that cannot enter a guest and come back."""
    seen = gather(design) if evidence is None else evidence
    if not seen:
        return tuple(Classified(name, None, NOT_ENTERED) for name in registers)
    found: list[Classified] = []
    for name, register in registers.items():
        shown = seen.get(name, Evidence())
        cls = class_of(name, register, shown)
        found.append(Classified(name, cls, reason_of(design, name, cls, shown)))
    return tuple(found)


def unclassified(classes: tuple[Classified, ...], registers: Mapping[str, Register] = REGISTERS) -> Iterator[str]:
    """The registers without a class, and those whose class breaks what the policy says of their owner."""
    for entry in classes:
        if entry.cls is None:
            yield f"{entry.name.upper()}: {entry.reason}"
            continue
        try:
            whose = owner(entry.name)
        except KeyError:
            yield f"{entry.name.upper()}: the policy knows no owner of {registers[entry.name].path}"
            continue
        if entry.cls not in FITTING[whose]:
            yield f"{entry.name.upper()} is {entry.cls.name.lower()}, but {whose.value}"


def every_register(design: Design) -> Enumeration:
    """The enumeration of CLASSIFIED."""
    classes = classify(design)
    failures = tuple(unclassified(classes)) if gather(design) else (NOT_ENTERED,)
    return Enumeration("registers of the processor", len(classes), failures)


CLASSIFIED = Property(
    id="classification.every_attribute_classified",
    statement="Every register is either exchanged between the worlds, trapped, virtualised by hardware, out of a "
    "guest's reach, or no secret: exactly one of them, as the policy says.",
    claims=("C5", "C6", "C12", "C31"),
    question="Is any state of the processor forgotten?",
    kind=Kind.FINITE,
    about=(),
    holds=lambda *_: True,
    interesting=lambda *_: True,
    enumerate=every_register,
)

PROPERTIES = (CLASSIFIED, NOT_VIRTUALIZABLE)
