"""Which instructions cannot tell two configurations apart: those whose outcome does not depend on the bits that differ.

One run with these bits unknown answers for both configurations, and for guests with and without VFP at once. What may
depend on them is compared under both by `properties.engines.equivalence`.
"""

from typing import Any

from attrs import evolve

from model.actions import GuestExecutes
from model.design import Design
from model.guards import guard
from model.system import step
from properties.engines.assignments import variables
from properties.engines.bases import Base
from properties.engines.explorer import OutOfFuel, Raised, explore
from properties.engines.formulas import formula
from properties.engines.inputs import symbolic
from properties.policy import OWNED, VFP, Owner
from properties.views import view
from properties.world_switch.ends import CONFIGURATION
from spec.coprocessor.row import Effect
from spec.execute import execute
from spec.operations import Barrier, CoprocessorAccess
from spec.processor import Processor
from spec.registers import REGISTERS, read, write, write_all
from spec.words import choose, clear, same

OPEN = "open"
"""What the names of the unknown configuration bits begin with."""
TRAPS_VFP = 0b11 << 10


def opened(mine: Base, theirs: Base) -> Base | None:
    """The first base with every configuration bit in which the two differ unknown; None where they differ otherwise."""
    physical = mine.state.processors[0]
    cpu, other = physical.cpu, theirs.state.processors[0].cpu
    fresh: Processor = symbolic(Processor, OPEN)
    if not all(same(read(cpu, name), read(other, name)) is True for name in REGISTERS if name not in CONFIGURATION):
        return None
    for name in CONFIGURATION:
        differs: Any = read(cpu, name) ^ read(other, name)
        if not isinstance(differs, int) or (name == "hcptr" and differs & TRAPS_VFP):
            return None
        if differs:
            cpu = write(cpu, name, clear(read(cpu, name), differs) | (read(fresh, name) & differs))
    either: Processor = symbolic(Processor, "either")
    used = either.local.exclusive == 1
    cpu = write_all(cpu, VFP, [read(either, name) for name in VFP])
    hcptr = choose(used, clear(cpu.hyp.hcptr, TRAPS_VFP), cpu.hyp.hcptr | TRAPS_VFP)
    cpu = evolve(cpu, hyp=evolve(cpu.hyp, hcptr=hcptr, hcptr_in_force=hcptr))
    state = evolve(mine.state, processors=(evolve(physical, cpu=cpu),))
    return Base("guest under either configuration", state, (*mine.assumptions, *theirs.assumptions))


def indifferent(design: Design, base: Base, action: GuestExecutes, extra: tuple[Any, ...]) -> bool:
    """Whether one instruction's outcome, from an opened base, depends on none of the unknown bits."""

    def run() -> Any:
        if not guard(design, base.state, action):
            return ()
        after = step(design, base.state, action)
        cpu = after.processors[0].cpu
        hosts = tuple(read(cpu, name) for name in OWNED[Owner.HOST])
        return after.processors[0].thread.where, view(design, after, 0), hosts, cpu.local, scope(base, action)

    exploration = explore(run, (*base.assumptions, *map(formula, extra)))
    if exploration.vacuous or exploration.undecided:
        return False
    for path in exploration.paths:
        if isinstance(path.outcome, Raised | OutOfFuel):
            return False
        seen = (path.condition, path.outcome[1:])
        if any(name.startswith(f"{OPEN}.") for name in variables(seen)):
            return False
    return True


def scope(base: Base, action: GuestExecutes) -> Any:
    """How far the instruction reaches, for those kinds that reach beyond the processor."""
    operation = action.instruction.operation
    maintains = isinstance(operation, CoprocessorAccess) and operation.row.effect in (Effect.MAINTENANCE, Effect.TLB)
    if not maintains and not isinstance(operation, Barrier):
        return 0
    return execute(base.state.processors[0].cpu, action.instruction, action.choices).scope
