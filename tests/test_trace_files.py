"""Saved traces: loaded as they were, and refused with one line where they are damaged."""

from pathlib import Path
from typing import Any

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from traced import TRACE

from model.action import Action
from model.actions import GuestExecutes, HighvisorHandles, HostRunsVcpu, HypFaults, LowvisorSteps
from model.topology import TOPOLOGIES
from properties.property import Trace
from properties.traces import BadTrace, decode_trace, dumps, encode_trace, loads, read_trace, write_trace, write_whole
from properties.traces.codec import KINDS, NAMES, NATURAL, WIDTHS
from spec.coprocessor.decode import ROW
from spec.coprocessor.row import Row
from spec.operations import Choices, CoprocessorAccess, Hvc, Instruction, Load, Operation, Unpredictable
from spec.registers import declared
from spec.words import Width, mask


def operands(cls: type, name: str) -> st.SearchStrategy[Any]:
    """Every value that a field of a saved class can have."""
    if (cls.__name__, name) in NAMES:
        return st.sampled_from(sorted(NAMES[cls.__name__, name]))
    kind = WIDTHS.get((cls.__name__, name)) or declared(cls)[name]
    if kind is int:
        kind = NATURAL
    if isinstance(kind, Width):
        return st.integers(0, mask(kind.bits) if kind.limit is None else kind.limit - 1)
    if kind is Row:
        return st.sampled_from(sorted(ROW.values(), key=lambda row: row.name))
    if kind is bool:
        return st.booleans()
    if kind in KINDS:
        return st.one_of(*(records(each) for each in KINDS[kind].values()))
    return records(kind) if attrs.has(kind) else st.sampled_from(list(kind))


def records(cls: type) -> st.SearchStrategy[Any]:
    return st.builds(cls, **{name: operands(cls, name) for name in declared(cls)})


ACTIONS = st.one_of(*(records(action) for action in KINDS[Action].values()))
TRACES = st.builds(
    Trace,
    design=st.text(st.characters(exclude_categories=["Cs"])),
    fault=st.none() | st.text("abc-"),
    topology=st.sampled_from(sorted(TOPOLOGIES)),
    property=st.text("abc.-"),
    actions=st.lists(ACTIONS, max_size=4).map(tuple),
    explanation=st.text(st.characters(exclude_categories=["Cs"])),
)


@settings(deadline=None)
@given(TRACES)
def test_a_saved_trace_is_loaded_as_it_was(trace: Trace) -> None:
    assert loads(dumps(trace)) == trace


def test_every_kind_of_action_and_operation_can_be_saved() -> None:
    assert {GuestExecutes, HypFaults, HighvisorHandles, LowvisorSteps} <= set(KINDS[Action].values())
    assert {CoprocessorAccess, Load, Hvc} <= set(KINDS[Operation].values())


def test_repeated_lowvisor_steps_are_written_once() -> None:
    trace = attrs.evolve(TRACE, actions=(HostRunsVcpu(0, 0), *[LowvisorSteps(0)] * 12))
    assert len(encode_trace(trace)["actions"]) == 2


def test_repeated_lowvisor_steps_are_loaded_as_they_were() -> None:
    trace = attrs.evolve(TRACE, actions=(HostRunsVcpu(0, 0), *[LowvisorSteps(0)] * 12))
    assert loads(dumps(trace)) == trace


def test_choices_that_are_the_default_are_not_written() -> None:
    action = GuestExecutes(0, Instruction(Hvc(0)), Choices(unpredictable=Unpredictable.NOP))
    written = encode_trace(attrs.evolve(TRACE, actions=(action,)))["actions"][0]
    assert written["choices"] == {"unpredictable": "NOP"}


def test_wide_words_are_written_in_hexadecimal() -> None:
    written = encode_trace(attrs.evolve(TRACE, actions=(GuestExecutes(0, Instruction(Hvc(7))),)))
    assert written["actions"][0]["instruction"]["operation"] == {"class": "Hvc", "imm": "0x0007"}


def test_a_symbolic_operand_is_not_written() -> None:
    with pytest.raises(BadTrace, match=r"GuestExecutes.instruction.operation.imm: .* is no concrete word"):
        encode_trace(attrs.evolve(TRACE, actions=(GuestExecutes(0, Instruction(Hvc(object()))),)))  # type: ignore[arg-type]


def test_every_truncation_is_refused_in_one_line() -> None:
    data = dumps(attrs.evolve(TRACE, explanation="naïve → \U0001f600")).rstrip().encode()
    for size in range(len(data)):
        with pytest.raises(BadTrace) as refused:
            loads(data[:size])
        assert len(str(refused.value).splitlines()) == 1


@settings(deadline=None)
@given(st.binary(max_size=40), st.integers(0, 400), st.integers(0, 40))
def test_a_damaged_trace_is_loaded_or_refused_in_one_line(damage: bytes, at: int, size: int) -> None:
    data = dumps(TRACE).encode()
    try:
        loads(data[:at] + damage + data[at + size :])
    except BadTrace as refused:
        assert len(str(refused).splitlines()) == 1


def damaged(**changed: Any) -> dict[str, Any]:
    return {**encode_trace(TRACE), **changed}


def with_action(**action: Any) -> dict[str, Any]:
    return damaged(actions=[action])


def with_operation(**operation: Any) -> dict[str, Any]:
    return with_action(**{"class": "GuestExecutes", "cpu": 0, "instruction": {"operation": operation}})


MCR = {"class": "CoprocessorAccess", "row": "TPIDRURW", "read": False, "opc1": 0, "crn": 13, "crm": 0, "opc2": 2}


@pytest.mark.parametrize(
    ("data", "complaint"),
    [
        ([], "trace: a list is no object"),
        ({}, "trace: format is missing"),
        (damaged(version=2), "format: 'kvmarm-trace' version 2 is not kvmarm-trace version 1"),
        (damaged(topology="three"), "topology: there is no topology 'three'"),
        (damaged(colour="red"), "trace: 'colour' is no field of it"),
        (damaged(design=1), "design: 1 is no text"),
        (damaged(design="\ud800"), "design: the text is not valid Unicode"),
        (damaged(actions={}), "actions: an object is no list"),
        (damaged(actions=[1]), "actions[0]: 1 is no object with a class"),
        (with_action(**{"class": "Flies", "cpu": 0}), "actions[0].class: 'Flies' is no Action"),
        (with_action(**{"class": "Action", "cpu": 0}), "actions[0].class: 'Action' is no Action"),
        (with_action(**{"class": "HostRunsVcpu", "cpu": 0}), "actions[0]: vcpu is missing"),
        (with_action(**{"class": "HypFaults", "cpu": "zero"}), "actions[0].cpu: 'zero' is no whole number"),
        (with_action(**{"class": "HypFaults", "cpu": 0.0}), "actions[0].cpu: 0.0 is no whole number"),
        (with_action(**{"class": "HypFaults", "cpu": True}), "actions[0].cpu: True is no whole number"),
        (with_action(**{"class": "HypFaults", "cpu": 0, "times": 2}), "actions[0]: 'times' is no field of it"),
        (
            with_action(**{"class": "LowvisorSteps", "cpu": 0, "times": 10**9}),
            "actions[0].times: 0x3b9aca00 does not fit 0 to 0x186a0",
        ),
        (
            with_action(**{"class": "SignalChanges", "cpu": 0, "signal": "smell", "level": 1}),
            "actions[0].signal: 'smell' is no name that SignalChanges takes",
        ),
        (
            with_action(**{"class": "SignalChanges", "cpu": 0, "signal": "irq", "level": 2}),
            "actions[0].level: 0x2 does not fit 0 to 0x1",
        ),
        (
            with_action(**{"class": "HighvisorHandles", "cpu": 0, "answer": "MAYBE"}),
            "actions[0].answer: 'MAYBE' is no MemoryAnswer",
        ),
        (with_operation(**{"class": "Dance"}), "actions[0].instruction.operation.class: 'Dance' is no Operation"),
        (
            with_operation(**{"class": "Hvc", "imm": "0x10000"}),
            "actions[0].instruction.operation.imm: 0x10000 does not fit 0 to 0xffff",
        ),
        (
            with_operation(**{"class": "Hvc", "imm": -1}),
            "actions[0].instruction.operation.imm: the value does not fit 0",
        ),
        (with_operation(**MCR, rt=15, rt2=0), "actions[0].instruction.operation.rt: 0xf does not fit 0 to 0xe"),
        (
            with_operation(**{**MCR, "row": "TPIDRXX"}, rt=3, rt2=0),
            "actions[0].instruction.operation.row: 'TPIDRXX' is no row of the catalogue",
        ),
        (
            with_operation(**{**MCR, "read": 0}, rt=3, rt2=0),
            "actions[0].instruction.operation.read: 0 is neither true nor false",
        ),
    ],
)
def test_bad_input_is_refused_with_its_place(data: Any, complaint: str) -> None:
    with pytest.raises(BadTrace) as refused:
        decode_trace(data)
    assert str(refused.value).startswith(complaint)


@pytest.mark.parametrize("text", ["[" * 100_000, "1" * 5000, '{"a": 1, "a": 2}', "\x00", "NaN"])
def test_a_text_that_is_no_trace_is_refused(text: str) -> None:
    with pytest.raises(BadTrace):
        loads(text)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadTrace, match=r"absent\.json: No such file"):
        read_trace(tmp_path / "absent.json")


def test_a_written_file_is_read_back(tmp_path: Path) -> None:
    write_trace(tmp_path / "trace.json", TRACE)
    assert read_trace(tmp_path / "trace.json") == TRACE


def test_writing_leaves_no_other_file(tmp_path: Path) -> None:
    write_trace(tmp_path / "trace.json", TRACE)
    write_trace(tmp_path / "trace.json", TRACE)
    assert [path.name for path in tmp_path.iterdir()] == ["trace.json"]


def test_writing_that_fails_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("old")
    with pytest.raises(UnicodeEncodeError):
        write_whole(tmp_path / "file", "new\ud800")
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"file": "old"}
