"""Hyp mode's set-up: registers by the host's for any value, wrong set-ups found, and the order that was recorded."""

import pytest
import z3
from attrs import evolve

from model.designs.catalogue import reference
from model.designs.hyp_variations import HYP_REPAIRS
from model.designs.linux_3_12 import LINUX_3_12
from model.hyp.design import PROGRAMS
from model.hyp.registers import hsctlr, htcr, vtcr
from model.hyp.state import Core, Tables, Vectors
from model.hyp.system import HypSteps, hyp_step
from model.programs import OUT
from model.topology import TOPOLOGIES, initial
from properties import hyp
from properties.attribution import in_situation
from properties.catalogue import PROPERTY
from properties.engines.formulas import formula
from properties.engines.inputs import shape
from properties.engines.parts.explore import explore_part
from properties.engines.parts.walk import walk_part
from properties.engines.witness import witness
from properties.faults.catalogue import FAULT
from properties.hyp.part import HYP
from properties.hyp.setup import configured
from properties.why import counterexample
from tests.test_parts import Plain, plainly_explored

DESIGN = reference()
BITES = {
    "hyp.ready_to_run": "without/hyp-cpu-vtcr",
    "hyp.registers": "swap/hyp-cpu-hmair1/cpu-hsctlr",
    "hyp.calls_answered": "hotplugged-cpu-not-hyp-ready",
    "hyp.code_mapped": "boot-tables-freed",
    "hyp.mappings_exact": "idmap-overlaps-hyp-va",
    "hyp.works_without": "without/hyp-init-check-the-mode",
    "hyp.starts": "without/hyp-init-ready",
    "hyp.every_processor": "resumed-cpu-not-hyp-ready",
}
CATALOGUE = {"hotplugged-cpu-not-hyp-ready": 4, "idmap-overlaps-hyp-va": 4}
"""How many steps the shortest sequence of each historical bug has that is known to expose it."""
RECORDED = (
    ("httbr", Tables.BOOT), ("htcr", 0x3500), ("vtcr", 0x3558), ("hmair0", 0xEEAA4400), ("hmair1", 0xFF000004),
    ("hsctlr", 0x1007), ("hvbar", Vectors.RUNTIME), ("httbr", Tables.RUNTIME),
)  # fmt: skip
"""What a run of Linux 3.12.9 on QEMU wrote behind the installation of the initialisation vectors; its record ends with
HVBAR, behind which the code goes on at the trampoline."""


def set_up(core: Core, *left_out: str) -> Core:
    """A processor whose control registers have been set by the host's, but for some."""
    host, tcr = core.host, htcr(DESIGN.hyp, core.htcr, core.host.ttbcr)
    done = {
        "htcr": tcr, "vtcr": vtcr(DESIGN.hyp, core.vtcr, tcr), "hmair0": host.mair0, "hmair1": host.mair1,
        "hsctlr": hsctlr(DESIGN.hyp, core.hsctlr, host.sctlr),
    }  # fmt: skip
    return evolve(core, **{name: value for name, value in done.items() if name not in left_out})


def test_the_registers_are_as_meant_whatever_they_and_the_hosts_held() -> None:
    core = set_up(shape(Core).symbolic("core"))
    assert z3.Solver().check(z3.Not(formula(configured(core)))) == z3.unsat


@pytest.mark.parametrize("left_out", ["htcr", "vtcr", "hsctlr", "hmair0", "hmair1"])
def test_a_register_that_is_not_set_may_be_wrong(left_out: str) -> None:
    core = set_up(shape(Core).symbolic("core"), left_out)
    assert z3.Solver().check(z3.Not(formula(configured(core)))) == z3.sat


def test_the_registers_are_set_in_the_order_and_to_the_values_that_were_recorded() -> None:
    start = initial(TOPOLOGIES["hyp-one"], LINUX_3_12).hyp
    assert start is not None
    zeros = {name: 0 for name in ("htcr", "vtcr", "hmair0", "hmair1", "hsctlr")}
    core = evolve(start.cores[0], at=PROGRAMS.place("cpu"), **zeros)
    state, written = evolve(start, cores=(core,)), []
    while state.cores[0].at != OUT:
        after = hyp_step(LINUX_3_12.hyp, state, HypSteps(0))
        pairs = ((name, getattr(after.cores[0], name)) for name in (*zeros, "httbr", "hvbar"))
        written += [(name, value) for name, value in pairs if getattr(state.cores[0], name) != value]
        state = after
    assert written[0] == ("hvbar", Vectors.INIT)
    assert tuple(written[1:9]) == RECORDED


@pytest.mark.parametrize(("prop", "fault"), BITES.items(), ids=list(BITES))
def test_a_planted_fault_makes_the_property_bite(prop: str, fault: str) -> None:
    assert prop in counterexample(fault).properties


@pytest.mark.parametrize(("fault", "steps"), CATALOGUE.items(), ids=list(CATALOGUE))
def test_a_bug_of_history_has_a_trace_of_at_most_three_times_its_known_length(fault: str, steps: int) -> None:
    found = counterexample(fault, thorough=False)
    assert found.result == "caught"
    assert found.length <= 3 * steps


@pytest.mark.parametrize("fault", [deviation for _, deviation, _ in HYP_REPAIRS])
def test_a_deviation_is_found_on_linux_3_12_itself(fault: str) -> None:
    own = counterexample(fault, thorough=False).properties
    assert any(in_situation(LINUX_3_12.name, None, fault, PROPERTY[prop]) is not None for prop in own)


@pytest.mark.parametrize("prop", hyp.PROPERTIES, ids=lambda prop: prop.id)
def test_what_a_property_is_about_occurs(prop) -> None:  # type: ignore[no-untyped-def]
    assert witness(prop) is not None


@pytest.mark.parametrize("name", HYP.configurations)
@pytest.mark.parametrize("fault", [None, "hotplugged-cpu-not-hyp-ready", "without/hyp-cpu-flush"])
def test_an_exploration_sees_what_a_plain_one_sees(name: str, fault: str | None) -> None:
    design = DESIGN if fault is None else FAULT[fault].plant(DESIGN)
    situation = HYP.configurations[name]
    seen = explore_part(HYP, design, hyp.PROPERTIES, situation.topology, situation.domain)
    found = Plain(seen.states, seen.transitions, frozenset(seen.violations), seen.met)
    assert found == plainly_explored(HYP, design, hyp.PROPERTIES, situation)
    assert fault is not None or not seen.violations


@pytest.mark.parametrize("name", [topology.name for topology in HYP.topologies])
def test_a_hostile_walk_breaks_nothing_and_raises_nothing(name: str) -> None:
    walked = walk_part(HYP, DESIGN, hyp.PROPERTIES, TOPOLOGIES[name], seed=1, steps=1500)
    assert (walked.violations, walked.raised, walked.steps) == ({}, None, 1500)


def test_every_property_of_hyp_mode_stands_in_the_table_above() -> None:
    assert {prop.id for prop in hyp.PROPERTIES} == set(BITES)
