"""The obligations of time: its invariants by induction over full 64-bit counts, and under them its properties.

A symbolic state has two processors and three vCPUs of two VMs: the one that acts, one on the other processor and one on
none, with any program counters, counts, compare values and registers. Which of the others are of the acting one's VM is
gone through. No invariant relates more than two vCPUs or processors, so more of them add nothing.

One tick passes at a time: any number of ticks is that many single ones, which is a test. Counts wrap around; only while
a thread is on its way to sleep, or at the end of a wait, its VM's virtual count is taken not to, which would need 2^64
ticks between some steps of a thread.
"""

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

import z3
from attrs import evolve, frozen

from model.design import Design
from model.threads import Wait
from model.timer import system as time
from model.timer.design import GUEST, Do, TimerDesign, step_at
from model.timer.state import Core, TimeState, Vcpu, Vm
from model.timer.system import TimeAction, TimerSteps, time_guard, time_step
from model.timer.timer import virtual_now
from properties.engines.explorer import OutOfFuel, Raised, explore
from properties.engines.formulas import formula, variable
from properties.engines.inputs import constraints, shape, symbolic
from properties.engines.modular import shifted
from properties.engines.obligations import Finding, Obligation, Settled, at_start, holds
from properties.engines.questions import Asked, conjuncts
from properties.engines.symbolic import term_at
from properties.property import Kind, Property
from properties.time.inductive import INDUCTIVE
from properties.time.invariants import INVARIANTS, places, waking
from spec.words import either, every, implies, member, negate

OWNERS = ((0, 1, 0), (0, 0, 1))
"""The VM of each vCPU: the acting one's sibling is on no processor, or on the other one."""
APART = 2
"""In the place of a processor: none."""
COUNT = term_at(variable("now", 64), 64)
OFFSETS = tuple(term_at(symbolic(Vm, f"vm{number}").off, 64) for number in range(2))
VIRTUAL = tuple(z3.BitVec(f"vm{number}.count", 64) for number in range(2))
"""The virtual counts of the VMs, in terms of which z3 is asked: with a count each of them is as good as an offset."""


@frozen
class Case:
    """One action from any state: a name, the acting vCPU's program counter if it matters, and the action."""

    name: str
    at: int | None
    busy: int | None
    action: TimeAction
    ready: int | None = None
    """Whether the acting vCPU's VM has run, where that is a case of its own."""


def symbolic_state(case: Case, owners: tuple[int, ...]) -> TimeState:
    """Any state in which the first processor has the first vCPU, if any, and the second one the second."""
    cores = tuple(evolve(shape(Core).symbolic(f"core{number}"), vcpu=number) for number in range(2))
    if case.busy is not None:
        cores = (evolve(cores[0], busy=case.busy), cores[1])
    vcpus = [evolve(shape(Vcpu).symbolic(f"vcpu{number}"), vm=vm) for number, vm in enumerate(owners)]
    if case.at is not None:
        vcpus[0] = evolve(vcpus[0], at=case.at)
    vms = tuple(shape(Vm).symbolic(f"vm{number}") for number in range(2))
    if case.ready is not None:
        vms = (evolve(vms[0], ready=case.ready), vms[1])
    return TimeState(variable("now", 64), cores, tuple(vcpus), vms)


def cases(design: TimerDesign) -> Iterator[Case]:
    """Every action, with symbolic operands; a thread's step once for each place of the program."""
    for at in places(design):
        step = step_at(design, at)
        if step is not None and step.do is Do.FIRST_RUN:
            yield Case(f"{step.name} of a new VM", at, 1, TimerSteps(0), 0)
            yield Case(f"{step.name} of an old VM", at, 1, TimerSteps(0), 1)
        elif step is not None:
            yield Case(step.name, at, 1, TimerSteps(0))
    word = variable("value", 64)
    for action in (
        time.GuestTakenOut(0), time.GuestTraps(0), time.GuestTraps(0, True), time.GuestIdles(0),
        time.GuestReadsCount(0), time.GuestWritesCtl(0, variable("ctl", 2)), time.GuestWritesCval(0, word),
        time.GuestWritesTval(0, variable("tval", 32)), time.GuestTakes(0), time.GuestCompletes(0),
        time.GuestEnables(0, variable("enabled", 1)),
    ):  # fmt: skip
        yield Case(f"guest: {told(action)}", GUEST, 1, action)
    for host in (
        time.HostResumes(0, 0), time.HostResumes(0, 2), time.HostSuspends(0), time.HostTakesKick(0),
        time.TimerInterruptTaken(0),
    ):  # fmt: skip
        busy = 0 if isinstance(host, time.HostResumes) else 1 if isinstance(host, time.HostSuspends) else None
        yield Case(f"host: {told(host)}", None, busy, host)
    for apart in (
        time.TimePasses(APART, 1), time.ClockStepped(APART, 1), time.SoftTimerExpires(APART, 0),
        time.WorkRuns(APART, 0), time.ThreadSignalled(APART, 0),
    ):  # fmt: skip
        yield Case(f"apart: {told(apart)}", None, None, apart)


def told(action: TimeAction) -> str:
    """An action's kind, and which vCPU it names."""
    further = " to user space" if getattr(action, "to_user", False) else ""
    return f"{type(action).__name__}{getattr(action, 'vcpu', '')}{further}"


def assumptions(design: TimerDesign, state: TimeState, action: TimeAction) -> list[Any]:
    """What is taken for granted of any state: its words fit, threads are somewhere, and slow threads do not exist."""
    given = [*constraints(state.cores), *constraints(state.vcpus), *constraints(state.vms), *constraints(action)]
    given += [member(vcpu.at, places(design)) for vcpu in state.vcpus]
    given += [vcpu.wait < 3 for vcpu in state.vcpus]
    if isinstance(action, time.TimePasses):
        for number, vcpu in enumerate(state.vcpus):
            given.append(
                implies(
                    every(member(vcpu.at, waking(design)), either(negate(vcpu.wait == Wait.ASLEEP), vcpu.queued == 1)),
                    virtual_now(state, number) + action.ticks < 1 << 64,
                )
            )
    return given


def time_obligations(design: Design, properties: tuple[Property, ...]) -> list[Obligation]:
    """The induction's beginning and its cases, each with the properties that it has to show; none without such ones."""
    asked = tuple(p for p in properties if p.about and all(issubclass(kind, TimeAction) for kind in p.about))
    if not asked:
        return []
    proving = tuple(p for p in asked if p is not INDUCTIVE and p.id not in EXPLORED_ONLY)
    found = [Obligation("time: at the start", partial(begun, design))]
    for case in cases(design.timer):
        for owners in OWNERS:
            label = f"time: {case.name}, {'sibling away' if owners == OWNERS[0] else 'sibling runs'}"
            found.append(Obligation(label, partial(settled, design, proving, case, owners), depends=True))
    return found


EXPLORED_ONLY = ("time.delivered",)
"""The properties of which proofs say nothing: what becomes of a state in the end."""


def begun(design: Design) -> Settled:
    """Whether the invariants hold of each stated configuration at its start."""
    return at_start("time", design, design.timer, (INDUCTIVE.id,), INVARIANTS)


def settled(design: Design, asked: tuple[Property, ...], case: Case, owners: tuple[int, ...]) -> Settled:
    """What comes of an action from any state in which the invariants hold: they hold behind it, and properties do."""
    state, timer = symbolic_state(case, owners), design.timer

    def run() -> Mapping[str, Any] | None:
        if not time_guard(timer, state, case.action):
            return None
        after = time_step(timer, state, case.action)
        wanted = {name: invariant(timer, after) for name, invariant in INVARIANTS.items()}
        return wanted | {
            prop.id: holds("time", design, prop, case.action, state, after)
            for prop in asked
            if prop.kind is Kind.STATE or isinstance(case.action, prop.about)
        }

    given = [*assumptions(timer, state, case.action), *(held(timer, state) for held in INVARIANTS.values())]
    exploration = explore(run, given)
    counts: dict[str, int] = {}
    findings: list[Finding] = []
    reached = 0
    for path in exploration.paths:
        if isinstance(path.outcome, Raised | OutOfFuel):
            findings.append(Finding(INDUCTIVE.id, case.name, f"{path.outcome}", False))
        elif path.outcome is not None:
            reached += 1
            for name in path.outcome:
                prop = INDUCTIVE.id if name in INVARIANTS else name
                counts[prop] = counts.get(prop, 0) + 1
            findings += refuted(case, given, path)
    if exploration.undecided:
        findings.append(Finding(INDUCTIVE.id, case.name, "a branch could not be decided", False))
    return Settled(len(exploration.paths), tuple(counts.items()), tuple(findings), not reached)


def refuted(case: Case, given: list[Any], path: Any) -> Iterator[Finding]:
    """What is false somewhere on a path, or is not decided."""
    known = conjuncts([*map(formula, given), *path.condition])
    same = {term.get_id() for term in known}
    goals = [
        (name, goal)
        for name, truth in path.outcome.items()
        if truth is not True
        for goal in conjuncts([formula(truth)])
        if goal.get_id() not in same
    ]
    tidy = shifted([*known, *(goal for _, goal in goals)], [(OFFSETS[n], COUNT - VIRTUAL[n]) for n in range(2)])
    asked = Asked(tidy[: len(known)])
    answers = [(name, asked.holds(goal)) for (name, _), goal in zip(goals, tidy[len(known) :], strict=True)]
    for name in dict.fromkeys(name for name, answer in answers if answer != z3.unsat):
        prop = INDUCTIVE.id if name in INVARIANTS else name
        yield Finding(prop, case.name, name, (name, z3.sat) in answers)
