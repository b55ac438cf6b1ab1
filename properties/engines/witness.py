"""Witnesses: for each property a reachable step at which the situation that it is about occurs.

A property without one would hold vacuously. A witness is a counterexample of the claim that the property never gets
interesting, and is searched for and shortened as such.
"""

from functools import cache

from attrs import evolve

from model.action import Action
from model.design import Design
from model.designs.catalogue import reference
from model.state import State
from model.topology import TOPOLOGIES, initial
from properties.engines.course import Run
from properties.engines.domain import Domain, split_mode_operations, thumb_block
from properties.engines.explore import DEFAULT, explore
from properties.engines.parts.part import Part
from properties.engines.parts.search import search_part
from properties.parts import part_of
from properties.property import Kind, Property, Trace
from spec.operations import Barrier, Choices, Instruction, Smc

DEPTH = 4
"""The most chosen actions of a witness."""

INTERESTING = Domain(
    "all domains of explore, barriers, a failed condition, IT blocks, kernel operations, GICV, a reserved class",
    (
        *DEFAULT.guest,
        (Instruction(Barrier(0)), Choices()),
        (Instruction(Smc(0), condition=0), Choices(traps_failed_condition=1)),
        *thumb_block(),
    ),
    split_mode_operations(),
    ("irq",),
    (0x02,),
    DEFAULT.answers,
    ("gich_lr0",),
)


def never(prop: Property) -> Property:
    """The claim that nothing a property is about ever happens."""

    def dull(design: Design, before: State, action: Action, after: State) -> bool:
        return not prop.interesting(design, before, action, after)

    return evolve(prop, holds=dull, explain=lambda *_: "", kind=Kind.STEP, settled=None)


@cache
def runs(design: Design, properties: tuple[Property, ...]) -> dict[str, Run]:
    """A shortest run to an interesting step of each property, where there is one within the domain and depth."""
    claims = [never(prop) for prop in properties]
    found = explore(design, claims, TOPOLOGIES["one"], INTERESTING, until="all", depth=DEPTH, loops=False)
    return found.violations


def witness(prop: Property, design: Design | None = None) -> Trace | None:
    """A reachable run whose last step is one the property is about; None where none is found, which makes it red.

    Properties of finite tables have their table and need none.
    """
    if prop.kind is Kind.FINITE:
        return None
    design = design or reference()
    part = part_of(prop)
    if part is not None:
        return witness_in_part(part, prop, design)
    actions = runs(design, (prop,)).get(prop.id)
    return None if actions is None else Trace(design.name, None, "one", prop.id, actions)


def witness_in_part(part: Part, prop: Property, design: Design) -> Trace | None:
    """A shortest run to a step that a property of a part is about, in the first situation that has one."""
    for scenario in part.scenarios.values():
        start = initial(TOPOLOGIES[scenario.topology], design)
        seen = search_part(part, design, start, scenario.domain, (never(prop),), "first", most_states=5000)
        if prop.id in seen.found:
            return Trace(design.name, None, scenario.topology, prop.id, seen.found[prop.id].actions)
    return None
