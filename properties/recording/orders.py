"""The recorded orders of the world switch's register accesses, and the orders in which a design makes them.

A modelled order is executed, not written down: the system runs from its initial state, and every step of the lowvisor
whose condition holds contributes its accesses.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from importlib import resources
from itertools import zip_longest
from types import MappingProxyType
from typing import Any

from attrs import evolve, frozen

from model.actions import HostRunsVcpu, LowvisorSteps
from model.design import Design
from model.lowvisor.moves import accesses, holds
from model.state import State, Where, context
from model.system import at_vector, step
from model.topology import TOPOLOGIES, initial
from spec import exceptions

LINUX_3_12_9 = "linux-3.12.9.json"
FIRST_VFP_USE = "first vfp use"


@frozen
class Case:
    """One recorded reason to be in Hyp mode, with the order of register accesses that was always seen for it."""

    name: str
    kind: str
    """What the order is: `entry`, `vfp`, `exit`, or one of the flushes, `flush` and `flush-all`."""
    count: int
    """How often the order was seen for this reason."""
    hsr: int | None
    """The most frequent syndrome; None for interrupts and for calls of the host."""
    vfp_used: bool
    """Whether the guest had used VFP since the entry."""
    accesses: tuple[str, ...]


@frozen
class Injected:
    """One recorded injection of an exception: the vCPU as the exit left it, and as the next entry loaded it."""

    exception: str
    """The mode of the exception, `und` or `abt`."""
    hsr: int
    pc: int
    cpsr: int
    lr: int
    new_pc: int
    new_cpsr: int


@frozen
class Made:
    """One register access that a design makes, and the step of the lowvisor that makes it."""

    access: str
    step: str


@cache
def recording() -> Mapping[str, Any]:
    """The recording of Linux 3.12.9 as committed: its source, orders, values and injections."""
    text = resources.files("properties.recording").joinpath(LINUX_3_12_9).read_text(encoding="utf-8")
    return MappingProxyType(json.loads(text))


@cache
def cases() -> Mapping[str, Case]:
    """Every recorded case by its name."""
    found: dict[str, Case] = {}
    for order in recording()["orders"]:
        sequence = tuple(access for line in order["accesses"] for access in line.split(", "))
        for case in order["cases"]:
            hsr = int(case["hsr"], 16) if "hsr" in case else None
            found[case["name"]] = Case(
                case["name"], order["kind"], case["count"], hsr, case.get("vfp_used", False), sequence
            )
    return MappingProxyType(found)


def recorded(name: str) -> tuple[str, ...]:
    """The recorded order of a case: `R` or `W` and a register, or `(isb)` and the like; KeyError without the case."""
    return cases()[name].accesses


def values(situation: str) -> dict[str, int]:
    """The recorded values of Hyp mode's control registers: `in a VM`, `in a VM that used VFP` or `in the host`."""
    return {name: int(value, 16) for name, value in recording()["values"][situation].items()}


def injections() -> tuple[Injected, ...]:
    """Every recorded injection of an exception."""
    return tuple(
        Injected(row["exception"], *(int(row[name], 16) for name in ("hsr", "pc", "cpsr", "lr", "new_pc", "new_cpsr")))
        for row in recording()["injected"]
    )


def in_guest(design: Design, vfp_used: bool = False) -> State:
    """The one-processor system of a design where its VM runs, if wanted behind the guest's first VFP instruction."""
    state = _ended(_run(design, _called(design)))
    if vfp_used:
        state = _ended(_run(design, _trapped(design, state, _syndrome(FIRST_VFP_USE))))
    return state


def modelled_entry(design: Design) -> tuple[Made, ...]:
    """The accesses of a host's call that enters the VM."""
    return _made(_run(design, _called(design)))


def modelled_first_vfp_use(design: Design) -> tuple[Made, ...]:
    """The accesses of the guest's first VFP instruction since the entry."""
    return _made(_run(design, _trapped(design, in_guest(design), _syndrome(FIRST_VFP_USE))))


def modelled_exit(design: Design, hsr: int | None, vfp_used: bool = False) -> tuple[Made, ...]:
    """The accesses of an exit for a trap with this syndrome, or for a physical IRQ where there is none."""
    return _made(_run(design, _trapped(design, in_guest(design, vfp_used), hsr)))


def modelled(design: Design, case: Case) -> tuple[Made, ...]:
    """The accesses that a design makes in a recorded case; LookupError where the model has no such routine."""
    match case.kind:
        case "entry":
            return modelled_entry(design)
        case "vfp":
            return modelled_first_vfp_use(design)
        case "exit":
            return modelled_exit(design, case.hsr, case.vfp_used)
    raise LookupError(f"the model has no routine for {case.name}")


def difference(recorded: Sequence[str], modelled: Sequence[Made]) -> str | None:
    """The first place where a modelled order leaves the recorded one, in one line; None where they agree."""
    last = "the start"
    for position, (expected, made) in enumerate(zip_longest(recorded, modelled), start=1):
        actual = made.access if made else "nothing more"
        if expected != actual:
            where = f" (step {made.step!r})" if made else ""
            return f"access {position}, after {last}: recorded {expected or 'nothing more'}, modelled {actual}{where}"
        last = actual
    return None


def _syndrome(name: str) -> int:
    hsr = cases()[name].hsr
    assert hsr is not None
    return hsr


def _called(design: Design) -> State:
    return step(design, initial(TOPOLOGIES["one"], design), HostRunsVcpu(0, 0))


def _trapped(design: Design, state: State, hsr: int | None) -> State:
    physical = state.processors[0]
    cpu = physical.cpu
    taken = exceptions.take_irq(cpu) if hsr is None else exceptions.take_hyp_trap(cpu, hsr, cpu.pc)
    return evolve(state, processors=(at_vector(design, physical, taken),))


def _run(design: Design, state: State) -> Iterator[tuple[State, tuple[Made, ...]]]:
    """Each state behind a step of the lowvisor until it is left, with the accesses of the step."""
    while (thread := state.processors[0].thread).where is Where.LOWVISOR:
        steps = design.routine(thread.routine)
        made: tuple[Made, ...] = ()
        if thread.index < len(steps):
            current = steps[thread.index]
            if holds(current.when, context(state, 0)):
                made = tuple(Made(access, current.name) for access in accesses(current))
        state = step(design, state, LowvisorSteps(0))
        yield state, made


def _ended(run: Iterator[tuple[State, tuple[Made, ...]]]) -> State:
    return list(run)[-1][0]


def _made(run: Iterator[tuple[State, tuple[Made, ...]]]) -> tuple[Made, ...]:
    return tuple(access for _, made in run for access in made)
