"""Whether two designs behave alike: the same state at every return from Hyp mode, for any host and any guest."""

from collections.abc import Callable
from typing import Any

import z3

from model.actions import GuestExecutes
from model.design import Design
from model.guards import guard
from model.state import State, Where
from model.system import step
from properties.engines.bases import Base, NotEstablished, entered, guest_base, host_base
from properties.engines.explorer import OutOfFuel, Raised, explore, new_solver
from properties.engines.formulas import formula
from properties.engines.indifference import indifferent, opened, scope
from properties.engines.inputs import constraints, shapes
from properties.engines.transactions import instruction_shapes, interrupt, trap_exit
from properties.policy import GUEST_STATE, OWNED, Owner
from properties.views import view
from properties.world_switch.ends import CONFIGURATION
from spec.operations import Choices
from spec.registers import REGISTERS, read
from spec.words import every, same

SCRATCH = ("r1", "r2", "r3", "elr_hyp", "spsr_hyp", "htpidr", "hsr")
"""What the caller of the lowvisor expects nothing of, and Hyp mode's own transient registers."""
OBSERVED = tuple(n for n in REGISTERS if n not in SCRATCH and n != "hcptr_in_force")


def equivalent(design: Design, other: Design) -> tuple[bool | None, str]:
    """Whether two designs behave alike, or None where the solver did not say; with what was compared.

    Where the entries leave different configurations behind, or the tables of handlers differ, every instruction of a
    guest is compared under both, its handling included.
    """
    try:
        return _equivalent(design, other)
    except NotEstablished as reason:
        return False, f"one design does not reach its guest: {reason}"


def _equivalent(design: Design, other: Design) -> tuple[bool | None, str]:
    compared: list[str] = []
    entries = entries_alike(design, other, compared)
    if entries is None:
        return False, "the entries differ"
    if not entries or not unchanged(design, other, HANDLING_PARTS):
        answer = same_guests(design, other)
        if answer is not True:
            return answer, "a guest's instruction differs"
        compared.append("every instruction of a guest with its handling")
    if not entries or not unchanged(design, other, LEAVING_PARTS):
        if not exits_alike(design, other, with_configuration=entries):
            return False, "an exit differs"
        compared.append("the states behind exits by interrupt, trap and call")
    return True, ", ".join(compared) or "the same tables"


def entries_alike(design: Design, other: Design, compared: list[str]) -> bool | None:
    """Whether the entries leave the same state, or one that differs in the configuration alone; None where in more."""
    if unchanged(design, other, ENTERING_PARTS):
        return True
    host = host_base(design)
    mine, assumptions = entered(design, host)
    theirs, _ = entered(other, host)
    compared.append("the states behind entry")
    if settled(alike_states(mine, theirs, with_configuration=True), assumptions):
        return True
    return False if settled(alike_states(mine, theirs, with_configuration=False), assumptions) else None


ENTERING_PARTS = ("call", "entry", "placement")
LEAVING_PARTS = ("trap", "interrupt", "exit", "back", "vfp")
HANDLING_PARTS = ("vectors", "handlers", "unknown_trap", "emulated", "injection", "skip", "mmio", "placement")


def unchanged(design: Design, other: Design, parts: tuple[str, ...]) -> bool:
    """Whether two designs have the same tables in some of their parts."""
    return all(getattr(design, part) == getattr(other, part) for part in parts)


def exits_alike(design: Design, other: Design, with_configuration: bool) -> bool:
    """Whether both designs' exits, and first uses of VFP, lead to the same states from the same guest."""
    for vfp in (False, True):
        bases = guest_base(design, vfp), guest_base(other, vfp)
        if vfp and not settled(alike_states(bases[0].state, bases[1].state, with_configuration), bases[0].assumptions):
            return False
        for make in EXITS:
            if settled_runs(lambda d, b, make=make: make(d, b), (design, other), bases) is not True:
                return False
    return True


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
    """Whether every instruction of a guest has the same effect and handling in both designs."""
    bases = [(guest_base(design, vfp), guest_base(other, vfp)) for vfp in (False, True)]
    one_table = unchanged(design, other, HANDLING_PARTS)
    either = opened(*bases[0]) if one_table and opened(*bases[1]) is not None else None
    for shape in instruction_shapes():
        instruction, choices = shape.symbolic("op"), next(iter(shapes(Choices))).symbolic("choice")
        action = GuestExecutes(0, instruction, choices)
        extra = (*constraints(instruction), *constraints(choices))
        if either is not None and indifferent(design, either, action, extra):
            continue
        for mine, theirs in bases:
            answer = same_step(design, other, mine, theirs, action, extra)
            if answer is not True:
                return answer
    return True


def same_step(
    design: Design, other: Design, mine: Base, theirs: Base, action: GuestExecutes, extra: tuple[Any, ...]
) -> bool | None:
    """Whether one instruction of a guest has the same effect and handling in both designs."""

    def run() -> Any:
        possible = bool(guard(design, mine.state, action)), bool(guard(other, theirs.state, action))
        if not all(possible):
            return possible[0] == possible[1]
        a, b = step(design, mine.state, action), step(other, theirs.state, action)
        if a.processors[0].thread.where is not b.processors[0].thread.where:
            return False
        seen = same(view(design, a, 0), view(other, b, 0))
        local = same(a.processors[0].cpu.local, b.processors[0].cpu.local)
        kept = [n for n in OWNED[Owner.HOST] if n not in GUEST_STATE and n != "pmuserenr"]
        hosts = (same(read(a.processors[0].cpu, n), read(b.processors[0].cpu, n)) for n in kept)
        return every(seen, *hosts, local, same(scope(mine, action), scope(theirs, action)))

    return holds_on_every_path(run, (*mine.assumptions, *map(formula, extra)))
