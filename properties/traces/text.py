"""A trace as text for the terminal: one entry for each chosen action, one lane for each processor."""

import textwrap
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any

from attrs import frozen

from model.action import Action
from model.actions import LowvisorSteps
from model.design import Design
from model.state import State
from model.topology import TOPOLOGIES, Topology
from properties.parts import PARTS, part_in, part_taking
from properties.property import Property, Trace
from properties.traces.changes import Change, changes, in_words
from properties.traces.describe import account, cited
from properties.traces.replay import Transition, Violation, expand, first_violation, is_forced, length, thread_runs
from properties.traces.tellers import TELLERS

MOST_CHANGES = 8
THREAD = Action
"""Stands for the kinds of action that are the next step of a thread."""
NUMBER = 5
"""The columns before the first lane: the number of the action, and a mark where the property is violated."""
ROUTINES = (
    ("entry", "exit", "world switch in and out"),
    ("entry", "", "world switch in"),
    ("exit", "", "world switch out"),
    ("vfp", "", "lazy switch of VFP"),
)
"""What a run of lowvisor steps is called, by the routines in it; the first line that fits."""


@frozen
class Entry:
    """What stands in one lane: its text lines, the number of its action or none, and whether it violates."""

    cpu: int
    number: int | None
    violates: bool
    head: str
    body: tuple[str, ...]
    """Lines below the head, indented."""


def text(
    trace: Trace, design: Design, state0: State, property: Property, expanded: bool = False, width: int = 100
) -> str:
    """The trace as text of at most `width` columns (80 or more); `expanded` shows each forced step by itself.

    Stuck where an action of the trace is not possible.
    """
    run = expand(design, state0, trace.actions)
    violation = first_violation(design, property, run)
    lines = [
        *_header(trace, property, run, width),
        "",
        *_lanes(design, run, violation, expanded, state0, width),
        "",
        *_verdict(trace, design, run, violation, width),
    ]
    return "".join(f"{_plain(line)}\n" for line in lines)


def _plain(line: str) -> str:
    return "".join(c if c.isprintable() else "?" for c in line).rstrip()


def _wrapped(line: str, width: int, first: str = "", rest: str = "") -> list[str]:
    return textwrap.wrap(line, width, initial_indent=first, subsequent_indent=rest) or [first]


def _header(trace: Trace, property: Property, run: Sequence[Transition], width: int) -> Iterator[str]:
    yield from _wrapped(property.id, width)
    yield from _wrapped(property.statement, width, "  ", "  ")
    yield ""
    fault = f", with the fault {trace.fault}" if trace.fault else ""
    actions = length(trace.actions)
    rows = (
        ("design", f"{trace.design}{fault}"),
        ("topology", _topology(trace.topology)),
        ("length", f"{_count(actions, 'chosen action')}, {_count(len(run), 'step')} in all"),
    )
    for name, value in rows:
        yield from _wrapped(value, width, f"  {name:<10}", " " * 12)


def _topology(name: str) -> str:
    topology: Topology | None = TOPOLOGIES.get(name)
    if topology is None:
        return name
    layouts = (getattr(topology, part.name) for part in PARTS)
    layout: Any = next((found for found in layouts if found is not None), topology)
    vcpus = (_vcpus(*vm) if isinstance(vm, tuple) else _vcpus(vm) for vm in layout.vms)
    vms = (f"VM{number} with {said}" for number, said in enumerate(vcpus))
    return "; ".join((f"{name}: {_count(layout.processors, 'processor')}", *vms))


def _vcpus(count: int, timer: bool = True) -> str:
    return f"{_count(count, 'vCPU')}{'' if timer else ' and no in-kernel timer'}"


def _processors(state: State) -> int:
    part = part_in(state)
    return len(state.processors) if part is None else part.processors(part.of(state))


def _lane_name(state: State, cpu: int) -> str:
    part = part_in(state)
    if part is None or cpu < len(part.of(state).cores):
        return f"CPU{cpu}"
    return TELLERS[part.name].APART.format(cpu)


def _changed(before: State, after: State) -> list[Change]:
    part = part_in(before)
    if part is None:
        return in_words(changes(before, after))
    return TELLERS[part.name].changes(part.of(before), part.of(after))


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _lanes(
    design: Design, run: Sequence[Transition], violation: Violation | None, expanded: bool, state0: State, width: int
) -> Iterator[str]:
    processors = _processors(state0)
    lane = (width - NUMBER - 3 * (processors - 1)) // processors
    if processors > 1:
        yield _row("", [_lane_name(state0, cpu) for cpu in range(processors)], lane)
        yield _row("", ["-" * lane] * processors, lane)
    for entry in _entries(design, run, violation, expanded):
        head = f"CPU{entry.cpu} {entry.head}" if processors == 1 else entry.head
        lines = _wrapped(head, lane, "", "  ")
        for line in entry.body:
            lines += _wrapped(line, lane, "    ", "      ")
        mark = f"{'' if entry.number is None else entry.number:>3}{'!' if entry.violates else ''}"
        for line in lines:
            yield _row(mark, [line if cpu == entry.cpu else "" for cpu in range(processors)], lane)
            mark = ""


def _row(mark: str, cells: Sequence[str], lane: int) -> str:
    return f"{mark:<{NUMBER}}" + " | ".join(f"{cell:<{lane}}" for cell in cells)


def _entries(design: Design, run: Sequence[Transition], violation: Violation | None, expanded: bool) -> Iterator[Entry]:
    at = -1 if violation is None else violation.position
    number, position = 0, 0

    def together(taken: Transition) -> tuple[int, type | None]:
        if thread_runs(taken.action):
            return taken.action.cpu, THREAD
        return taken.action.cpu, LowvisorSteps if isinstance(taken.action, LowvisorSteps) else None

    for (_, folded), group in groupby(run, together):
        steps = list(group)
        number += folded is THREAD
        if folded and not expanded:
            yield _folded(design, steps, at - position) if folded is LowvisorSteps else _thread(
                design, steps, at - position, number
            )
            position += len(steps)
            continue
        if folded is THREAD:
            for taken in steps:
                yield _single(design, taken, number if taken is steps[0] else None, position == at, expanded)
                position += 1
            continue
        for taken in steps:
            number += not is_forced(taken.action)
            shown = None if is_forced(taken.action) else number
            yield _single(design, taken, shown, position == at, expanded)
            position += 1


def _single(design: Design, taken: Transition, number: int | None, violates: bool, expanded: bool) -> Entry:
    told = account(design, taken.before, taken.action, taken.after)
    changed = _changed(taken.before, taken.after)
    if not expanded:
        changed = [change for change in changed if not _is_advance(change)]
    head, sources = f"{told.who:<10} {told.what}", f"[{cited(told.sources)}]" if told.sources else ""
    if isinstance(taken.action, LowvisorSteps):
        return Entry(taken.action.cpu, number, violates, f"{head}  {sources}", tuple(_listed(changed)))
    body = (*_listed(changed), *([sources] if sources else []))
    return Entry(taken.action.cpu, number, violates, head, body)


def _is_advance(change: Change) -> bool:
    """Whether the change is the program counter's, to the next instruction."""
    return change.label == "PC" and int(change.new, 16) - int(change.old, 16) in (2, 4)


def _listed(changed: Sequence[Change]) -> list[str]:
    lines = [str(change) for change in changed[:MOST_CHANGES]]
    return lines if len(changed) <= MOST_CHANGES else [*lines, f"and {len(changed) - MOST_CHANGES} more"]


def _folded(design: Design, steps: Sequence[Transition], at: int) -> Entry:
    cpu = steps[0].action.cpu
    routines = {taken.before.processors[cpu].thread.routine for taken in steps}
    name = next((name for a, b, name in ROUTINES if a in routines and (not b or b in routines)), "in Hyp mode")
    changed = _changed(steps[0].before, steps[-1].after)
    what = f"{name}: {_count(len(steps), 'step')}, {_count(len(changed), 'field')} changed"
    violates = 0 <= at < len(steps)
    if violates:
        what += f"; the property is violated at step {at + 1}"
    return Entry(cpu, None, violates, f"{'lowvisor':<10} {what}", ())


def _thread(design: Design, steps: Sequence[Transition], at: int, number: int) -> Entry:
    """A run of a thread's steps: the routine, its steps by name, and what it changed in the end."""
    cpu = steps[0].action.cpu
    named = [account(design, taken.before, taken.action, taken.after).what for taken in steps]
    runs = [(name, [step.partition(": ")[2] for step in group]) for name, group in groupby(named, _routine)]
    what = "; ".join(f"{name}: {', '.join(inner)}" for name, inner in runs)
    if 0 <= at < len(steps):
        what += f"; the property is violated at '{named[at]}'"
    changed = _changed(steps[0].before, steps[-1].after)
    return Entry(cpu, number, 0 <= at < len(steps), f"{'highvisor':<10} {what}", tuple(_listed(changed)))


def _routine(step: str) -> str:
    return step.partition(":")[0]


def _verdict(
    trace: Trace, design: Design, run: Sequence[Transition], violation: Violation | None, width: int
) -> Iterator[str]:
    if violation is None:
        yield "The property holds at every step."
        return
    taken = violation.transition
    told = account(design, taken.before, taken.action, taken.after)
    until = [step.action for step in run[: violation.position + 1]]
    in_part = part_taking(taken.action) is not None
    number = length(until) if in_part else sum(not is_forced(action) for action in until)
    when = "after" if taken.forced else "at"
    culprit = f"CPU{taken.action.cpu}, {told.who}"
    yield from _wrapped(f"VIOLATED {when} action {number} ({culprit}): {told.what}", width, "", "  ")
    explanation = violation.explanation or trace.explanation
    if explanation:
        yield from _wrapped(explanation, width, "  ", "  ")
    for line in _listed(_changed(taken.before, taken.after)):
        yield from _wrapped(line, width, "    ", "      ")
    if told.sources:
        yield from _wrapped(f"[{cited(told.sources)}]", width, "  ", "   ")
