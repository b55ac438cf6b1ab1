"""Why two steps of interrupts may be left out: what shows that nobody could tell."""

import pytest

from model.action import Action
from model.design import Design
from model.designs.catalogue import reference
from model.state import State
from model.topology import TOPOLOGIES
from model.vgic.design import GUEST, Do, place, step_at
from model.vgic.facts import ways_on
from model.vgic.lists import flush_end, to_flush
from model.vgic.system import VgicSteps
from properties.engines.parts.explore import explore_part
from properties.engines.parts.walk import walk_part
from properties.interrupts.configurations import CONFIGURATIONS
from properties.interrupts.part import INTERRUPTS
from properties.interrupts.steps import does, interrupts_of
from properties.property import Kind, Property
from spec.gic.virtual_interface import UIE
from spec.words import put
from tests.interrupts import EDGE, LEVEL, REFERENCE, machine

DESIGN = reference()


def skips_nothing(design: Design, before: State, action: Action, after: State) -> bool:
    """Whether a look for something to flush that finds nothing noted would have found nothing at all."""
    old, new = interrupts_of(before), interrupts_of(after)
    if does(design.vgic, old, action) is not Do.CHECK_PENDING:
        return True
    found = step_at(design.vgic, new.vcpus[old.cores[action.cpu].vcpu].at)
    jumped = found is not None and found.do is Do.FLUSH_END
    return not (jumped and any(to_flush(design.vgic, new, action.cpu, key) for key in new.irqs.entries))


SKIPS = Property(
    id="test.skips_nothing",
    statement="Where a vCPU is not noted as having something to flush, nothing of it is to be flushed.",
    claims=(),
    question="",
    kind=Kind.STEP,
    about=(VgicSteps,),
    holds=skips_nothing,
    interesting=lambda d, b, a, s: does(d.vgic, interrupts_of(b), a) is Do.CHECK_PENDING,
)


@pytest.mark.parametrize("name", ["registers", "overflow", "sgi", "moving"])
def test_a_flush_that_is_skipped_would_have_found_nothing(name: str) -> None:
    situation = CONFIGURATIONS[name]
    seen = explore_part(INTERRUPTS, DESIGN, (SKIPS,), situation.topology, situation.domain)
    assert (seen.complete, seen.violations, seen.met) == (True, {}, {SKIPS.id})


@pytest.mark.parametrize("name", ["interrupts", "interrupts-wide-3", "interrupts-wide-5"])
def test_whatever_guests_do_a_flush_that_is_skipped_would_have_found_nothing(name: str) -> None:
    assert walk_part(INTERRUPTS, DESIGN, (SKIPS,), TOPOLOGIES[name], seed=3, steps=3000).violations == {}


@pytest.mark.parametrize("overflow", [0, 1])
def test_the_end_of_a_flush_forgets_whether_an_underflow_was_asked_for(overflow: int) -> None:
    m = machine(REFERENCE, EDGE, LEVEL)
    m.enter(0, 0)
    vcpu, others = put(m.state.vcpus[0], "overflow", overflow), m.state.vcpus[1:]
    for hcr in (0, 1, 0xF8000001):
        asked = (put(vcpu, "saved", put(vcpu.saved, "hcr", hcr | bit)) for bit in (0, 1 << UIE))
        first, second = (flush_end(m.design, put(m.state, "vcpus", (each, *others)), 0, 0) for each in asked)
        assert first == second


def test_behind_a_sync_the_saved_gich_hcr_is_not_loaded_before_the_end_of_a_flush() -> None:
    run = [step.do for step in DESIGN.vgic.run]
    waiting, seen = [place("run", run.index(Do.SYNC_UNDERFLOW))], set[int]()
    while waiting:
        at = waiting.pop()
        step = step_at(DESIGN.vgic, at) if at != GUEST else None
        assert at != GUEST
        assert step is None or step.do is not Do.LOAD_HCR
        if at not in seen and (step is None or step.do is not Do.FLUSH_END):
            seen.add(at)
            waiting += [target for target, _ in ways_on(DESIGN.vgic, at)]
    assert seen
