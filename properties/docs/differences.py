"""In what designs differ, decision by decision, and which repair of the reference makes the difference."""

from collections.abc import Iterator, Mapping, Sequence
from difflib import SequenceMatcher
from functools import cache
from types import MappingProxyType
from typing import TypeVar

import attrs

from model.design import ROUTINES, Design
from model.designs.linux_3_12 import LINUX_3_12
from model.designs.variations import REPAIRS
from model.hyp.design import ROUTINES as HYP_ROUTINES
from model.hyp.design import Trait as HypTrait
from model.memory.design import ROUTINES as MEMORY_ROUTINES
from model.memory.design import MemoryDesign
from model.power.design import ROUTINES as POWER_ROUTINES
from model.power.design import Trait as PowerTrait
from model.routines import Named
from model.timer.design import ROUTINES as TIMER_ROUTINES
from model.timer.design import Trait as TimerTrait
from model.vgic.design import ROUTINES as VGIC_ROUTINES
from model.vgic.design import Trait
from properties.docs import markdown as md

Key = tuple[str, str]
"""A field of a design, and the name of an element of it: a step, an offset, a class or a row."""
MEMORY, VGIC, TIMER, POWER, HYP = "memory", "vgic", "timer", "power", "hyp"
REGISTERS, TRAITS = f"{VGIC}.registers", f"{VGIC}.traits"
TIMER_TRAITS, POWER_TRAITS = f"{TIMER}.traits", f"{POWER}.traits"


Step = TypeVar("Step", bound=Named)


def memory_field(routine: str) -> str:
    """The field of a key that names a step of memory management."""
    return f"{MEMORY}.{routine}"


def vgic_field(routine: str) -> str:
    """The field of a key that names a step of virtual interrupts."""
    return f"{VGIC}.{routine}"


def timer_field(routine: str) -> str:
    """The field of a key that names a step of virtual time."""
    return f"{TIMER}.{routine}"


def power_field(routine: str) -> str:
    """The field of a key that names a step of power."""
    return f"{POWER}.{routine}"


def hyp_field(routine: str) -> str:
    """The field of a key that names a step of Hyp mode's set-up."""
    return f"{HYP}.{routine}"


def routines(design: Design) -> Iterator[tuple[str, Sequence[Named]]]:
    """Every routine of a design, of the lowvisor and of each part of the system, by its field."""
    for routine in ROUTINES:
        yield routine, design.routine(routine)
    for routine in MEMORY_ROUTINES:
        yield memory_field(routine), design.memory.steps(routine)
    for routine in VGIC_ROUTINES:
        yield vgic_field(routine), design.vgic.steps(routine)
    for routine in TIMER_ROUTINES:
        yield timer_field(routine), design.timer.steps(routine)
    for routine in POWER_ROUTINES:
        yield power_field(routine), design.power.steps(routine)
    for routine in HYP_ROUTINES:
        yield hyp_field(routine), design.hyp.steps(routine)


def elements(design: Design) -> dict[Key, object]:
    """Every decision of a design by its field and name, as fine as a variation can change it."""
    found: dict[Key, object] = {}
    for field, steps in routines(design):
        found.update(((field, step.name), step) for step in steps)
    found.update((("vectors", f"{offset:#04x}"), vector) for offset, vector in design.vectors)
    found.update((("handlers", f"{ec:#04x}"), handler) for ec, handler in design.handlers)
    found.update((("emulated", entry.row), entry) for entry in design.emulated)
    for record in ("injection", "skip", "mmio"):
        values = attrs.asdict(getattr(design, record))
        found.update(((record, name), value) for name, value in values.items())
    found.update(((MEMORY, name), getattr(design.memory, name)) for name in constants())
    for line in design.vgic.registers:
        found[REGISTERS, line.register.value] = (line, line.register in design.vgic.updating)
    found.update(((TRAITS, trait.name), trait in design.vgic.traits) for trait in Trait)
    found.update(((TIMER_TRAITS, trait.name), trait in design.timer.traits) for trait in TimerTrait)
    found.update(((POWER_TRAITS, trait.name), trait in design.power.traits) for trait in PowerTrait)
    found.update(((f"{HYP}.traits", trait.name), trait in design.hyp.traits) for trait in HypTrait)
    for field in ("unknown_trap", "placement", "virtualization_extensions"):
        found[field, ""] = getattr(design, field)
    return found


def constants() -> tuple[str, ...]:
    """The fields of memory management that are no routines."""
    return tuple(name for name in attrs.fields_dict(MemoryDesign) if name not in MEMORY_ROUTINES)


def changed(before: Design, after: Design) -> tuple[Key, ...]:
    """The decisions in which two designs differ: another value, or another place in its routine."""
    old, new = elements(before), elements(after)
    found = [key for key in {**old, **new} if old.get(key) != new.get(key)]
    for (field, left), (_, right) in zip(routines(before), routines(after), strict=True):
        found += [(field, name) for name in moved(left, right)]
    return tuple(dict.fromkeys(found))


def moved(left: Sequence[Named], right: Sequence[Named]) -> tuple[str, ...]:
    """The steps that both routines have, at another place among the others."""
    pairs = list(aligned(left, right))
    gone = {step.name for step, other in pairs if step is not None and other is None}
    return tuple(other.name for step, other in pairs if step is None and other is not None and other.name in gone)


def aligned(left: Sequence[Step], right: Sequence[Step]) -> Iterator[tuple[Step | None, Step | None]]:
    """Two routines side by side: steps of one name in one line, as far as their order allows."""
    matcher = SequenceMatcher(a=[s.name for s in left], b=[s.name for s in right], autojunk=False)
    for tag, i1, i2, j1, j2 in matcher.get_opcodes():
        if tag == "equal":
            yield from zip(left[i1:i2], right[j1:j2], strict=True)
        else:
            yield from ((step, None) for step in left[i1:i2])
            yield from ((None, step) for step in right[j1:j2])


@cache
def changed_by() -> Mapping[Key, tuple[str, ...]]:
    """By decision, the repairs of the reference that change it."""
    design = LINUX_3_12
    found: dict[Key, tuple[str, ...]] = {}
    for repair in REPAIRS:
        repaired = repair.apply(design)
        for key in changed(design, repaired):
            found[key] = (*found.get(key, ()), repair.variation.id)
        design = repaired
    return MappingProxyType(found)


def variations(key: Key) -> str:
    """Links to the repairs that change a decision, as a cell of a table."""
    return ", ".join(md.link(md.code(name), "designs.md", name) for name in changed_by().get(key, ()))
