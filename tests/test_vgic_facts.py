"""What a program counter of the interrupt model tells, in the reference and in designs that lack a step."""

from attrs import evolve

from model.designs.catalogue import reference
from model.routines import without
from model.vgic import system as vgic
from model.vgic.design import GUEST, ROUTINES, Do, VgicDesign, place, step_at
from model.vgic.facts import Fact, facts, places
from properties.interrupts.grain import merged, next_irq
from tests.interrupts import EDGE, REFERENCE, machine

DESIGN = reference().vgic


def at(design: VgicDesign, name: str) -> int:
    """The program counter of a named step of the run loop."""
    return next(place("run", index) for index, step in enumerate(design.run) if step.name == name)


def lacking(*names: str) -> VgicDesign:
    """The reference without steps of the run loop."""
    run = DESIGN.run
    for name in names:
        run = without(run, name)
    return evolve(DESIGN, run=run)


def test_in_a_guest_interrupts_are_masked_and_kicks_interrupt() -> None:
    assert {Fact.MASKED, Fact.IN_MODE, Fact.CHECKED} <= facts(DESIGN)[GUEST]


def test_the_sync_knows_the_guest_s_state_and_holds_the_lock() -> None:
    known = facts(DESIGN)[at(DESIGN, "sync: ended interrupts")]
    assert {Fact.LOCKED, Fact.SAMPLED, Fact.STOPPED} <= known


def test_behind_the_world_switch_everything_is_saved() -> None:
    known = facts(DESIGN)[at(DESIGN, "run: outside guest mode") - 1]
    assert {Fact.STATUS_SAVED, Fact.VMCR_SAVED, Fact.APR_SAVED} <= known


def test_without_its_lock_the_sync_is_known_to_hold_none() -> None:
    design = lacking("sync: lock", "sync: unlock")
    assert Fact.LOCKED not in facts(design)[at(design, "sync: ended interrupts")]


def test_without_the_check_for_requests_nothing_is_known_of_them() -> None:
    design = lacking("run: check requests")
    assert Fact.CHECKED not in facts(design)[GUEST]


def test_without_the_stop_a_host_may_run_with_the_virtual_interface_on() -> None:
    design = lacking("exit: stop GICH")
    assert Fact.STOPPED not in facts(design)[at(design, "sync: lock")]


def test_what_is_known_is_so_on_the_way_of_a_delivery() -> None:
    m = machine(REFERENCE, EDGE)
    m.line(40, 1)
    m.do(vgic.HostRuns(0, 0))
    for _ in range(120):
        core, vcpu = m.state.cores[0], m.state.vcpus[0]
        assert (core.masked == 1) == (vcpu.at in places(m.design, Fact.MASKED))
        assert (m.state.vms[0].lock == 1) == (vcpu.at in places(m.design, Fact.LOCKED))
        assert vcpu.at not in places(m.design, Fact.IN_MODE) or vcpu.mode > 0
        assert vcpu.at not in places(m.design, Fact.STOPPED) or core.gich.hcr == 0
        assert vcpu.at not in places(m.design, Fact.LRS_LOADED) or core.gich.lrs == vcpu.saved.lrs
        if vcpu.at == GUEST:
            m.do(vgic.GuestExits(0))
        else:
            m.step(0)


def test_no_step_of_the_reference_is_out_of_reach() -> None:
    steps = [place(name, index) for name in ROUTINES for index in range(len(DESIGN.steps(name)))]
    assert set(steps) <= set(facts(DESIGN))


def test_a_merged_step_ends_where_its_small_steps_end() -> None:
    m = machine(REFERENCE, EDGE)
    m.line(40, 1)
    m.do(vgic.HostRuns(0, 0))
    state = m.state
    for _ in range(12):
        if state.vcpus[0].at == GUEST:
            break
        state = merged(m.design, state, vgic.VgicSteps(0, next_irq(m.design, state, 0)))
    m.settle(0)
    assert state == m.state


def test_a_merged_step_ends_before_what_others_see() -> None:
    m = machine(REFERENCE, EDGE)
    m.do(vgic.HostRuns(0, 0))
    m.until(0, Do.LOCK)
    state = merged(m.design, m.state, vgic.VgicSteps(0))
    step = step_at(m.design, state.vcpus[0].at)
    assert step is not None and step.do is Do.MASK_IRQS
    assert state.vms[0].lock == 0
