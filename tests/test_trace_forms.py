"""Traces as people and tools see them: text, the Informal Trace Format, and regression tests."""

import json
import re
import types
from typing import Any

import attrs
import pytest
from traced import CALL, HCR_STAYS, INTERLEAVED, REFERENCE, TRACE, resolve, start

from model.actions import GuestExecutes, HostRunsVcpu
from model.state import Where
from properties.property import Trace
from properties.traces import dumps_itf, expand, itf, module_text, text
from properties.traces.codec import KINDS
from spec.coprocessor.decode import ROW
from spec.operations import Instruction, Operation, ReadBanked

GOLDEN = """\
demo.hcr_stays
  HCR is never cleared once it is set.

  design    reference
  topology  one: 1 processor; VM0 with 1 vCPU
  length    3 chosen actions, N steps in all

  1  CPU0 host       runs vCPU0
         CPSR  0x... -> 0x... (svc -> hyp)
         PC  0x... -> 0x...
         ELR_hyp  0x... -> 0x...
         SPSR_hyp  0x... -> 0x...
         HSR  0x... -> 0x... (EC 0x12 HVC)
         [Linux 3.12 arch/arm/kvm/init.S kvm_call_hyp; ASPLOS 2014 3.1]
     CPU0 lowvisor   world switch in: N steps, N fields changed
  2  CPU0 guest      MCR p15: TPIDRURW <- r3
         TPIDRURW  0x... -> 0x...
         [ARM DDI 0406C B4.1 TPIDRURW]
  3  CPU0 guest      HVC #0 -> called Hyp mode (EC 0x12 HVC)
         CPSR  0x... -> 0x... (svc -> hyp)
         PC  0x... -> 0x...
         ELR_hyp  0x... -> 0x...
         [ARM DDI 0406C B1.9.6, A2.5.2]
   ! CPU0 lowvisor   world switch out: N steps, N fields changed; the property is violated at step N
     CPU0 highvisor  handles exit HVC (EC 0x12 HVC): the guest enters an exception handler of its own; then enters
       the guest again
         CPSR  0x... -> 0x...
         vCPU0 CPSR  0x... -> 0x... (svc -> und)
         vCPU0 PC  0x... -> 0x...
         vCPU0 LR_und  0x... -> 0x...
         vCPU0 SPSR_und  0x... -> 0x...
         [Linux 3.12 arch/arm/kvm/handle_exit.c handle_exit, handle_hvc; Linux 3.12 arch/arm/kvm/psci.c
           kvm_psci_call]

VIOLATED after action 3 (CPU0, lowvisor): exit: HCR
  HCR is 0 while the vCPU is still the current one
    HCR  0x... -> 0x...
  [Linux 3.12 arch/arm/kvm/interrupts_head.S configure_hyp_role]
"""


def test_the_text_of_a_short_trace() -> None:
    shown = text(TRACE, REFERENCE, start(), HCR_STAYS, width=115)
    counted = re.sub(r"\d+(?= (?:steps|fields)\b)|(?<=at step )\d+", "N", shown)
    assert re.sub("0x[0-9a-f]{8}", "0x...", counted) == GOLDEN


@pytest.mark.parametrize("width", [80, 100, 120])
@pytest.mark.parametrize("expanded", [False, True])
@pytest.mark.parametrize("trace", [TRACE, INTERLEAVED])
def test_no_line_is_wider_than_asked_for(trace: Trace, expanded: bool, width: int) -> None:
    shown = text(trace, REFERENCE, start(trace.topology), HCR_STAYS, expanded, width)
    assert max(len(line) for line in shown.splitlines()) <= width


def test_a_changed_register_is_shown_with_both_values() -> None:
    old = start().vcpus[0].image.cp15.tpidrurw
    new = start().vcpus[0].image.general.r3
    assert f"TPIDRURW  0x{old:08x} -> 0x{new:08x}" in text(TRACE, REFERENCE, start(), HCR_STAYS)


def test_two_processors_have_a_lane_each() -> None:
    lines = text(INTERLEAVED, REFERENCE, start("two-processors"), HCR_STAYS).splitlines()
    second = next(line for line in lines if "runs vCPU1" in line)
    assert second.index("host") > second.index("|")


def test_expanding_shows_each_forced_step_with_its_source() -> None:
    shown = text(TRACE, REFERENCE, start(), HCR_STAYS, expanded=True, width=120)
    assert "lowvisor   exit: HCR  [Linux 3.12 arch/arm/kvm/interrupts_head.S configure_hyp_role]" in shown


def test_a_trace_that_holds_says_so() -> None:
    shown = text(attrs.evolve(TRACE, actions=CALL[:2]), REFERENCE, start(), HCR_STAYS)
    assert shown.splitlines()[-1] == "The property holds at every step."


def test_control_characters_of_a_saved_trace_do_not_reach_the_terminal() -> None:
    shown = text(attrs.evolve(TRACE, design="\x1b[31mred\x00"), REFERENCE, start(), HCR_STAYS)
    assert all(c.isprintable() or c == "\n" for c in shown)


@pytest.mark.parametrize("cls", sorted(KINDS[Operation].values(), key=lambda cls: cls.__name__))
def test_every_operation_has_words(cls: type) -> None:
    given_values: dict[str, Any] = {"row": ROW["TPIDRURW"], "register": "sp_svc", "read": True}
    required = (field.name for field in attrs.fields(cls) if field.default is attrs.NOTHING)
    operation = cls(**{name: given_values.get(name, 0) for name in required})
    trace = attrs.evolve(TRACE, actions=(HostRunsVcpu(0, 0), GuestExecutes(0, Instruction(operation))))
    assert "\n  2  CPU0 guest" in text(trace, REFERENCE, start(), HCR_STAYS)


def test_a_banked_register_is_named_as_the_manual_names_it() -> None:
    actions = (HostRunsVcpu(0, 0), GuestExecutes(0, Instruction(ReadBanked(1, "sp_irq"))))
    assert "MRS r1 <- SP_irq" in text(attrs.evolve(TRACE, actions=actions), REFERENCE, start(), HCR_STAYS)


def is_expression(value: Any) -> bool:
    """Whether a value is one of ADR-015: no JSON number, and names with # only in the forms it defines."""
    if isinstance(value, bool | str):
        return True
    if isinstance(value, list):
        return all(map(is_expression, value))
    if not isinstance(value, dict):
        return False
    if set(value) == {"#bigint"}:
        return re.fullmatch(r"-?[0-9]+", value["#bigint"]) is not None
    return all(not name.startswith("#") and is_expression(inner) for name, inner in value.items())


@pytest.fixture(scope="module", params=[TRACE, INTERLEAVED])
def written(request: pytest.FixtureRequest) -> dict[str, Any]:
    return itf(request.param, REFERENCE, start(request.param.topology))


def test_itf_names_its_format(written: dict[str, Any]) -> None:
    assert written["#meta"]["format"] == "ITF"


def test_itf_states_are_numbered_from_zero(written: dict[str, Any]) -> None:
    assert [state["#meta"]["index"] for state in written["states"]] == list(range(len(written["states"])))


def test_itf_states_give_a_value_to_every_variable(written: dict[str, Any]) -> None:
    assert all(set(state) - {"#meta"} == set(written["vars"]) for state in written["states"])


def test_itf_values_are_expressions(written: dict[str, Any]) -> None:
    assert all(is_expression(state[name]) for state in written["states"] for name in written["vars"])


def test_itf_variables_have_types(written: dict[str, Any]) -> None:
    assert list(written["#meta"]["varTypes"]) == written["vars"]


def test_itf_keeps_every_register() -> None:
    record = itf(TRACE, REFERENCE, start())["states"][0]["cpu0_registers"]
    assert record["tpidrurw"] == {"#bigint": str(start().processors[0].cpu.cp15.tpidrurw)}


def test_itf_folds_the_lowvisors_steps() -> None:
    where = [state["cpu0_where"] for state in itf(TRACE, REFERENCE, start())["states"]]
    expected = (Where.HOST, Where.LOWVISOR, Where.GUEST, Where.GUEST, Where.LOWVISOR, Where.HIGHVISOR, Where.HOST)
    assert where == [place.name for place in expected]


def test_itf_text_is_the_object() -> None:
    assert json.loads(dumps_itf(TRACE, REFERENCE, start())) == itf(TRACE, REFERENCE, start())


def test_itf_expanded_has_a_state_for_each_step() -> None:
    shown = itf(TRACE, REFERENCE, start(), expanded=True)
    assert len(shown["states"]) == 1 + len(expand(REFERENCE, start(), CALL))


def run_exported(monkeypatch: pytest.MonkeyPatch, source: str) -> None:
    setting = types.ModuleType("setting_of_traces")
    setting.resolve = resolve  # type: ignore[attr-defined]
    monkeypatch.setitem(__import__("sys").modules, "setting_of_traces", setting)
    names: dict[str, Any] = {}
    exec(compile(source, "exported.py", "exec"), names)
    tests = [function for name, function in names.items() if name.startswith("test_")]
    assert len(tests) == 1
    tests[0]()


def test_an_exported_test_passes_while_the_trace_violates(monkeypatch: pytest.MonkeyPatch) -> None:
    run_exported(monkeypatch, module_text(TRACE, violates=True, resolver="setting_of_traces:resolve"))


def test_an_exported_test_fails_once_the_trace_does_not_violate(monkeypatch: pytest.MonkeyPatch) -> None:
    trace = attrs.evolve(TRACE, actions=CALL[:2])
    with pytest.raises(AssertionError):
        run_exported(monkeypatch, module_text(trace, violates=True, resolver="setting_of_traces:resolve"))


def test_an_exported_test_can_assert_that_a_trace_no_longer_violates(monkeypatch: pytest.MonkeyPatch) -> None:
    trace = attrs.evolve(TRACE, actions=CALL[:2], property='odd """ {name} \\')
    run_exported(monkeypatch, module_text(trace, violates=False, resolver="setting_of_traces:resolve"))
