"""The proofs about interrupts: what they establish, that they fail where they should, and that nothing is empty."""

from functools import partial

import pytest
from attrs import evolve

from model.designs.catalogue import reference
from model.topology import TOPOLOGIES
from model.vgic import injection, lists
from model.vgic.design import GUEST, OUT, ROUTINES, Trait, VgicDesign, place
from model.vgic.facts import facts
from model.vgic.pending import Key, with_irq
from model.vgic.state import VgicState, VirtualIrq
from model.vgic.system import VgicSteps
from properties.catalogue import PROPERTY
from properties.designs import resolve
from properties.engines import interrupts_prove
from properties.engines.interrupts_induction import LISTS, Case, actions, cases, explored, merged, source_of
from properties.engines.interrupts_progress import AT_REST
from properties.engines.interrupts_prove import follows, interrupt_obligations, judged, whole
from properties.engines.maps import Either
from properties.engines.parts.walk import walk_part
from properties.interrupts import ALL, PROPERTIES
from properties.interrupts.inductive import INDUCTIVE, PROVED
from properties.interrupts.invariants import INVARIANTS
from properties.interrupts.invariants.terms import reached
from properties.interrupts.part import INTERRUPTS
from properties.property import Kind, Property
from properties.quantify import each as each_of
from spec.words import put

OBLIGATIONS = {o.name: o for o in interrupt_obligations(reference(), ALL)}
OF_INTERRUPTS = tuple(each for each in TOPOLOGIES.values() if each.interrupts is not None and "wide" not in each.name)
OF_STATES = tuple(prop for prop in PROVED if prop.kind is Kind.STATE)


@pytest.mark.parametrize(
    "name", ["flush: queue", "flush: end", "inject: line", "access: update", "sync: ended interrupts", "guest: Stores"]
)
def test_an_action_of_the_reference_keeps_every_invariant(name: str) -> None:
    found = OBLIGATIONS[f"interrupts: {name}"].settle()
    assert not found.findings and not found.vacuous
    assert dict(found.asked)[INDUCTIVE.id] == len(INVARIANTS)


@pytest.mark.parametrize("prop", OF_STATES, ids=lambda prop: prop.id)
def test_a_property_of_states_follows_from_the_invariants_and_not_without_them(
    prop: Property, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not follows(reference(), prop).findings
    monkeypatch.setattr(interrupts_prove, "INVARIANTS", {})
    assert {finding.decided for finding in follows(reference(), prop).findings} == {True}


@pytest.mark.parametrize(
    ("prop", "invariant"),
    [
        ("interrupts.kicked", "noted_kicked"),
        ("interrupts.kicked", "waiting_noted"),
        ("interrupts.woken", "sleepers_woken"),
        ("interrupts.woken", "waiting_noted"),
        ("interrupts.kicked", "flight_listed"),
        ("interrupts.one_list_register", "one_holder"),
    ],
)
def test_that_nothing_is_forgotten_rests_on_each_link_of_the_chain(
    prop: str, invariant: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    fewer = {name: held for name, held in INVARIANTS.items() if name != invariant}
    monkeypatch.setattr(interrupts_prove, "INVARIANTS", fewer)
    assert {finding.decided for finding in follows(reference(), PROPERTY[prop]).findings} == {True}


def test_each_invariant_is_false_of_some_state(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(interrupts_prove, "INVARIANTS", {})
    design = reference()
    asked = {name: partial(lambda held, _, after: held(design.vgic, after), held) for name, held in INVARIANTS.items()}
    found = judged(design, Case("any state", None, None), asked)
    assert {finding.prop for finding in found.findings if finding.decided} == set(INVARIANTS)


@pytest.mark.parametrize(
    ("fault", "case", "label"),
    [
        ("spi-retarget-without-kick", "flush: prune", "noted_kicked"),
        ("eoied-lr-not-reclaimed", "sync: ended interrupts", "lists_full"),
        ("lr-sync-without-dist-lock", "inject: line", "ends_sampled"),
        ("D2", "inject: kick", "noted_kicked"),
        ("without/vgic-sync-kick", "sync: free list registers", "noted_kicked"),
    ],
)
def test_a_planted_fault_breaks_the_induction(fault: str, case: str, label: str) -> None:
    found = {o.name: o for o in interrupt_obligations(resolve("reference", fault), (INDUCTIVE,))}
    settled = found[f"interrupts: {case}"].settle()
    assert label in [finding.label for finding in settled.findings if finding.decided]


def test_an_update_that_computes_nothing_anew_behind_a_disabled_distributor_breaks_the_induction() -> None:
    vgic = reference().vgic
    traits = vgic.traits - {Trait.DISABLED_SILENT, Trait.DISABLED_UPDATED}
    design = evolve(reference(), vgic=evolve(vgic, traits=traits))
    found = {o.name: o for o in interrupt_obligations(design, (INDUCTIVE,))}
    settled = found["interrupts: access: update"].settle()
    assert "waiting_noted" in [finding.label for finding in settled.findings if finding.decided]


@pytest.mark.parametrize(
    ("fault", "prop", "case"),
    [
        ("level-ap-hides-eoi", "interrupts.level_once", "flush: queue"),
        ("sgi-second-source-hits-active", "interrupts.active_kept", "flush: queue"),
        ("D1", "interrupts.sgi_targets", "access: perform"),
        ("D9", "interrupts.stored_exactly", "access: change interrupts"),
        ("priority-not-stored", "interrupts.stored", "access: perform"),
        ("D8", "interrupts.stored", "access: change interrupts"),
        ("D20", "interrupts.called_for", "access: update"),
        ("holders-told-again", "interrupts.called_for", "flush: end"),
    ],
)
def test_a_planted_fault_refutes_a_property_of_steps(fault: str, prop: str, case: str) -> None:
    found = {o.name: o for o in interrupt_obligations(resolve("reference", fault), (PROPERTY[prop],))}
    settled = found[f"interrupts: steps at {case}"].settle()
    assert [finding.prop for finding in settled.findings if finding.decided] == [prop]


def test_every_invariant_holds_at_the_start_of_every_configuration() -> None:
    assert not OBLIGATIONS["interrupts: at the start"].settle().findings
    lists = [topology.interrupts.lists for topology in OF_INTERRUPTS if topology.interrupts is not None]
    assert len(lists) == len(OF_INTERRUPTS) and max(lists) <= max(LISTS) and min(lists) == min(LISTS)


@pytest.mark.parametrize("topology", OF_INTERRUPTS, ids=lambda topology: topology.name)
def test_no_hostile_run_of_the_reference_breaks_an_invariant(topology: object) -> None:
    walked = walk_part(INTERRUPTS, reference(), (INDUCTIVE,), topology, seed=7, steps=500)  # type: ignore[arg-type]
    assert walked.raised is None and not walked.violations


def test_every_step_of_every_routine_is_a_case_and_every_kind_of_action() -> None:
    design = reference().vgic
    steps = [case.at for case in actions(design) if isinstance(case.action, VgicSteps)]
    assert sorted(steps) == sorted(place(name, n) for name in ROUTINES for n in range(len(design.steps(name))))
    assert set(steps) <= set(facts(design))
    taken = {type(case.action).__name__ for case in actions(design)}
    kinds = {kind.__name__ for kind in INTERRUPTS.action.__subclasses__()}
    assert kinds - taken == {"GuestStops"}


def test_every_case_is_asked_with_several_list_registers_and_with_a_single_one() -> None:
    design = reference().vgic
    every_one, number = [(case.at, case.lists) for case in cases(design)], len(list(actions(design)))
    assert [lists for _, lists in every_one] == [4] * number + [1] * number
    assert [at for at, lists in every_one if lists == 1] == [at for at, lists in every_one if lists == 4]
    assert len({case.name for case in cases(design)}) == 2 * number


def test_what_is_not_proved_is_named() -> None:
    open_ = {prop.id.partition(".")[2] for prop in PROPERTIES} - {prop.id.partition(".")[2] for prop in PROVED}
    assert open_ - {prop.id.partition(".")[2] for prop in AT_REST} == {"loaded"}


@pytest.mark.parametrize("case", ["inject: line", "flush: prune", "flush: queue", "sync: ended interrupts"])
def test_of_paths_that_are_merged_invariants_are_asked_at_the_arbitrary_interrupt(case: str) -> None:
    found = {each.name: each for each in cases(reference().vgic)}
    step = explored(reference().vgic, found[case], {})
    after = merged(whole(step))[1]
    assert isinstance(after.irqs.source, Either)  # type: ignore[attr-defined]
    assert source_of(step.before, "irqs").watched[0] in [key for key, _ in each_of(after.irqs)]


def forgetful(design: VgicDesign, state: VgicState, key: Key, record: VirtualIrq, wanted: int) -> VgicState:
    """What is in flight stays so."""
    return with_irq(design, state, key, put(record, "active", state.irqs.get(key).active), wanted)


@pytest.mark.parametrize(
    ("module", "name", "instead", "case", "label"),
    [
        (injection, "noted", lambda state, cpu, vcpus: state, "inject: line", "waiting_noted"),
        (lists, "noted", lambda state, cpu, vcpus: state, "flush: prune", "waiting_noted"),
        (lists, "noted", lambda state, cpu, vcpus: state, "sync: ended interrupts", "waiting_noted"),
        (lists, "with_irq", forgetful, "sync: ended interrupts", "flight_listed"),
        (lists, "holders", lambda design, state, cpu: 0, "flush: end", "holders_told"),
    ],
)
def test_a_rule_that_forgets_something_breaks_the_induction(
    module: object, name: str, instead: object, case: str, label: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, name, instead)
    settled = OBLIGATIONS[f"interrupts: {case}"].settle()
    assert label in [finding.label for finding in settled.findings if finding.decided]


def test_threads_stand_only_where_there_is_a_step() -> None:
    design = reference().vgic
    steps = {case.at for case in actions(design) if isinstance(case.action, VgicSteps)}
    vcpus, agents = set(reached(design, False)), set(reached(design, True))
    assert vcpus | agents == steps | {GUEST, OUT} and vcpus & agents == {OUT}
