"""Traces in the Informal Trace Format, which the viewers of the TLA+ world open (Apalache, ADR-015, 2023-09-14).

Every integer is written as `{"#bigint": "..."}`; records, sequences and texts are JSON's own.
"""

import json
from collections.abc import Iterator, Sequence
from typing import Any

from model.actions import LowvisorSteps
from model.design import Design
from model.state import Physical, State, Vcpu
from properties.parts import part_in
from properties.property import Trace
from properties.traces.changes import mode_name
from properties.traces.describe import account, step_name
from properties.traces.replay import Transition, expand
from properties.traces.tellers import TELLERS
from spec.words import field_names

DESCRIPTION = "https://apalache-mc.org/docs/adr/015adr-trace.html"


def itf(trace: Trace, design: Design, state0: State, expanded: bool = False) -> dict[str, Any]:
    """The trace as an ITF object; `expanded` gives a state for each step of the lowvisor instead of one for each run.

    Stuck where an action of the trace is not possible.
    """
    run = expand(design, state0, trace.actions)
    observed = [_variables(design, state0, "initial state")]
    observed += [_variables(design, after, action) for action, after in _observed(design, run, expanded)]
    planted = f" with the fault {trace.fault}" if trace.fault else ""
    return {
        "#meta": {
            "format": "ITF",
            "format-description": DESCRIPTION,
            "description": f"{trace.property} on {trace.design}{planted}, topology {trace.topology}",
            "varTypes": {name: _type(value) for name, value in observed[0].items()},
        },
        "vars": list(observed[0]),
        "states": [{"#meta": {"index": index}, **variables} for index, variables in enumerate(observed)],
    }


def dumps_itf(trace: Trace, design: Design, state0: State, expanded: bool = False) -> str:
    """The trace as the text of an ITF file, one state on each line."""
    written = itf(trace, design, state0, expanded)
    lines = ",\n".join(json.dumps(state) for state in written.pop("states"))
    head = "".join(f"{json.dumps(name)}: {json.dumps(value)},\n" for name, value in written.items())
    return f'{{{head}"states": [\n{lines}\n]}}\n'


def _observed(design: Design, run: Sequence[Transition], expanded: bool) -> Iterator[tuple[str, State]]:
    """The states to show, each with what led to it: the end of a run of lowvisor steps, or of each step."""
    for position, taken in enumerate(run):
        goes_on = (
            isinstance(taken.action, LowvisorSteps)
            and position + 1 < len(run)
            and run[position + 1].action == taken.action
        )
        if expanded or not goes_on:
            told = account(design, taken.before, taken.action, taken.after)
            yield f"CPU{taken.action.cpu} {told.who}: {told.what}", taken.after


def _variables(design: Design, state: State, action: str) -> dict[str, Any]:
    """The state's variables with their values in ITF."""
    variables: dict[str, Any] = {"action": action}
    part = part_in(state)
    if part is not None:
        said = TELLERS[part.name].variables(design, part.of(state))
        return variables | {name: _value(value) for name, value in said.items()}
    for number, physical in enumerate(state.processors):
        for name, value in _processor(design, state, number, physical).items():
            variables[f"cpu{number}_{name}"] = value
    for number, vcpu in enumerate(state.vcpus):
        for name, value in _vcpu(vcpu).items():
            variables[f"vcpu{number}_{name}"] = value
    return variables


def _processor(design: Design, state: State, number: int, physical: Physical) -> dict[str, Any]:
    thread = physical.thread
    return {
        "where": thread.where.name,
        "step": step_name(design, state, number) if thread.routine else "",
        "mode": mode_name(physical.cpu.cpsr),
        "vcpu": _value(thread.vcpu),
        "registers": dict(_leaves(physical.cpu)),
        "stack": [_value(word) for word in physical.stack],
        "host_vfp": dict(_leaves(physical.host_vfp)),
    }


def _vcpu(vcpu: Vcpu) -> dict[str, Any]:
    return {"standing": vcpu.standing.name, "vm": _value(vcpu.vm), "image": dict(_leaves(vcpu.image))}


def _leaves(record: Any) -> Iterator[tuple[str, Any]]:
    """Every word of a record and of the records in it, by its field's name."""
    cls: Any = type(record)
    for name in field_names(cls):
        value = getattr(record, name)
        if hasattr(type(value), "__attrs_attrs__"):
            yield from _leaves(value)
        else:
            yield name, _value(value)


def _value(value: Any) -> Any:
    return value if isinstance(value, bool | str) else {"#bigint": str(int(value))}


def _type(value: Any) -> str:
    """The type of a variable in Apalache's notation."""
    if isinstance(value, bool | str):
        return "Bool" if isinstance(value, bool) else "Str"
    if isinstance(value, list):
        return "Seq(Int)"
    if "#bigint" in value:
        return "Int"
    return "{ " + ", ".join(f"{name}: {_type(inner)}" for name, inner in value.items()) + " }"
