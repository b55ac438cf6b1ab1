"""Whether two designs behave alike: the same state at every return from Hyp mode, for any host and any guest."""

from collections.abc import Callable
from typing import Any

import z3

from model.design import Design
from model.state import State, Where
from model.system import GuestExecutes, guard, step
from properties.engines.bases import Base, NotEstablished, drained, entered, guest_base, host_base
from properties.engines.explorer import OutOfFuel, Raised, explore, new_solver
from properties.engines.inputs import constraints, shapes
from properties.engines.symbolic import formula
from properties.engines.transactions import instruction_shapes, interrupt, trap_exit
from properties.policy import GUEST_STATE, OWNED, Owner
from properties.views import view
from properties.world_switch import CONFIGURATION
from spec.execute import execute
from spec.operations import Choices
from spec.registers import REGISTERS, read
from spec.words import every, same

SCRATCH = ("r1", "r2", "r3", "elr_hyp", "spsr_hyp", "htpidr", "hsr")
"""What the caller of the lowvisor expects nothing of, and Hyp mode's own transient registers."""
OBSERVED = tuple(n for n in REGISTERS if n not in SCRATCH and n not in ("hcptr_in_force", "exclusive"))


def equivalent(design: Design, other: Design) -> tuple[bool | None, str]:
    """Whether two designs behave alike, or None where the solver did not say; with what was compared.

    Where the entries leave different configurations behind, every instruction is compared under both.
    """
    try:
        return _equivalent(design, other)
    except NotEstablished as reason:
        return False, f"one design does not reach its guest: {reason}"


def _equivalent(design: Design, other: Design) -> tuple[bool | None, str]:
    host = host_base(design)
    mine, assumptions = entered(design, host)
    theirs, _ = entered(other, host)
    alike = settled(alike_states(mine, theirs, with_configuration=True), assumptions)
    compared = "the states behind entry, exits by interrupt, trap and call, and the first use of VFP"
    if not alike:
        if not settled(alike_states(mine, theirs, with_configuration=False), assumptions):
            return False, "the entries differ"
        answer = same_guests(design, other)
        if answer is not True:
            return answer, "a guest's instruction differs"
        compared += ", and every instruction under both configurations"
    return exits_alike(design, other, compared)


def exits_alike(design: Design, other: Design, compared: str) -> tuple[bool | None, str]:
    """Whether both designs' exits lead to the same state from the same guest."""
    for vfp in (False, True):
        bases = guest_base(design, vfp), guest_base(other, vfp)
        for make in EXITS:
            if settled_runs(lambda d, b, make=make: make(d, b), (design, other), bases) is not True:
                return False, "an exit differs"
    return True, compared


def _trap(call: bool) -> Callable[[Design, Base], Any]:
    return lambda design, base: trap_exit(design, (), base, call)


def _interrupt(signal: str) -> Callable[[Design, Base], Any]:
    return lambda design, base: interrupt(design, (), base, signal)


EXITS = (_trap(False), _trap(True), _interrupt("irq"), _interrupt("fiq"))


def settled_runs(make: Any, designs: tuple[Design, Design], bases: tuple[Base, Base]) -> bool | None:
    """Whether one kind of exit leads both designs to the same states."""
    first, second = (make(design, base) for design, base in zip(designs, bases, strict=True))

    def run() -> Any:
        ends = first.end(), second.end()
        places = tuple(end.processors[0].thread.where for end in ends)
        if places[0] is not places[1]:
            return False
        return alike_states(*ends, with_configuration=places[0] is not Where.GUEST)

    return holds_on_every_path(run, (*first.assumptions, *second.assumptions))


def alike_states(a: State, b: State, with_configuration: bool) -> Any:
    """Whether two states agree in everything that host or guest can come to observe, as one formula."""
    p, q = a.processors[0], b.processors[0]
    skipped = () if with_configuration else (*CONFIGURATION, "pmuserenr")
    words = (same(read(p.cpu, n), read(q.cpu, n)) for n in OBSERVED if n not in skipped)
    rest = (same(p.stack, q.stack), same(a.vcpus[0].image, b.vcpus[0].image), same(p.host_vfp, q.host_vfp))
    return every(*words, *rest, p.thread.where is q.thread.where, p.thread.code == q.thread.code)


def settled(condition: Any, assumptions: tuple[Any, ...]) -> bool:
    """Whether a condition follows from assumptions; an answer `unknown` counts as no."""
    if condition is True or condition is False:
        return bool(condition)
    solver = new_solver()
    solver.add(*map(formula, assumptions), z3.Not(formula(condition)))
    return bool(solver.check() == z3.unsat)


def holds_on_every_path(run: Callable[[], Any], assumptions: tuple[Any, ...]) -> bool | None:
    """Whether a run yields a true condition on every path."""
    exploration = explore(run, assumptions)
    if exploration.vacuous or exploration.undecided:
        return None
    for path in exploration.paths:
        if isinstance(path.outcome, Raised | OutOfFuel):
            return None
        if not settled(path.outcome, (*assumptions, *path.condition)):
            return False
    return True


def same_guests(design: Design, other: Design) -> bool | None:
    """Whether every instruction of a guest has the same effect under both designs' configurations."""
    for vfp in (False, True):
        mine, theirs = guest_base(design, vfp), guest_base(other, vfp)
        for shape in instruction_shapes():
            instruction, choices = shape.symbolic("op"), next(iter(shapes(Choices))).symbolic("choice")
            action = GuestExecutes(0, instruction, choices)

            def run(action: GuestExecutes = action, mine: Base = mine, theirs: Base = theirs) -> Any:
                instruction, choices = action.instruction, action.choices
                if not guard(design, mine.state, action):
                    return True
                a, b = step(design, mine.state, action), step(other, theirs.state, action)
                if a.processors[0].thread.where is not b.processors[0].thread.where:
                    return False
                seen = same(view(design, a, 0), view(other, b, 0))
                reach = [execute(base.state.processors[0].cpu, instruction, choices).scope for base in (mine, theirs)]
                local = same(a.processors[0].cpu.local, b.processors[0].cpu.local)
                kept = [n for n in OWNED[Owner.HOST] if n not in GUEST_STATE and n != "pmuserenr"]
                hosts = (same(read(a.processors[0].cpu, n), read(b.processors[0].cpu, n)) for n in kept)
                return every(seen, *hosts, local, same(*reach))

            extra = (*constraints(instruction), *constraints(choices))
            answer = holds_on_every_path(run, (*mine.assumptions, *map(formula, extra)))
            if answer is not True:
                return answer
    return True


_ = drained
