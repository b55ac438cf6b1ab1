"""The proofs about memory: what they establish, that they fail where they should, and that nothing in them is empty."""

import time
from functools import partial
from random import Random

import pytest
import z3
from attrs import evolve

from model.action import Action
from model.design import Design
from model.designs.catalogue import reference
from model.memory.actions import ThreadSteps
from model.memory.design import ROUTINES, MemoryDesign, facts, step_at
from model.memory.guards import in_routine
from model.memory.state import MemoryState
from model.state import State
from model.topology import TOPOLOGIES, initial
from properties.catalogue import PROPERTY
from properties.check_parts import with_proof
from properties.designs import resolve
from properties.engines import prove
from properties.engines.formulas import formula, truth, variable
from properties.engines.induction import cases, likeness
from properties.engines.maps import Arbitrary, Default, Set, Symbolic, in_pieces
from properties.engines.memory_prove import derives, memory_obligations
from properties.engines.parts.walk import walk_part
from properties.engines.questions import (
    ATTEMPTS,
    Asked,
    Question,
    clauses,
    conjuncts,
    decided,
    missed,
    of_attempt,
)
from properties.memory import ALL
from properties.memory.inductive import BASE, INDUCTIVE, LAYERS, Layer
from properties.memory.invariants import INVARIANTS, by_name
from properties.memory.part import MEMORY
from properties.property import Result, Verdict
from properties.quantify import everywhere
from spec.sparse import Of, sparse
from spec.words import U64, Width, bit, every, negate

OBLIGATIONS = {o.name: o for o in memory_obligations(reference(), ALL)}
OF_MEMORY = tuple(topology for topology in TOPOLOGIES.values() if topology.memory is not None)


@pytest.mark.parametrize("name", ["run: publish VTTBR", "run: publish generation", "guest: GuestLeft"])
def test_an_action_of_the_reference_keeps_every_invariant(name: str) -> None:
    found = OBLIGATIONS[f"memory: {name}"].settle()
    assert not found.findings and not found.vacuous
    assert dict(found.asked)[INDUCTIVE.id] >= len(INVARIANTS)


def test_every_completed_access_of_a_guest_is_proved_to_reach_its_own_memory() -> None:
    found = OBLIGATIONS["memory: steps at guest: GuestAccesses"].settle()
    broken = {finding.prop for finding in found.findings}
    assert dict(found.asked)["memory.isolated"] > 1
    assert not broken & {"memory.isolated", "memory.permissions"}


def test_a_fact_that_follows_from_the_invariants_does_not_follow_without_one() -> None:
    assert not derives(reference(), "tables_found").findings
    assert any(f.decided for f in derives(reference(), "tables_found", BASE.without("roots")).findings)


FOLLOWING = {
    "memory, faults: memory.translations_justified in any state": "leaves_accessible",
    "memory, faults: steps at fault: decide": "faults_named",
    "memory, faults: steps at fault: clean the page": "faults_pinned",
    "memory, faults: steps at fault: break": "faults_settled",
    "memory, faults: steps at fault: unlock": "faults_settled",
    "memory, pages: memory.nothing_lost in any state": "pages_kept",
    "memory, slots: memory.slots_only in any state": "slots_emptied",
    "memory: steps at fault: write the descriptor": "unmapping_done",
}
"""What follows from the invariants, and one of them without which it does not."""


@pytest.mark.parametrize("name", FOLLOWING)
def test_a_property_follows_from_the_invariants_and_from_no_fewer(name: str) -> None:
    assert not OBLIGATIONS[name].settle().findings
    fewer = tuple(layer.without(FOLLOWING[name]) for layer in (BASE, *LAYERS))
    obligations = {o.name: o for o in memory_obligations(reference(), ALL, fewer)}
    assert any(finding.decided for finding in obligations[name].settle().findings)


@pytest.mark.parametrize(
    ("fault", "case", "told"),
    [
        ("change-pte-maps-deleted-slot", "slots: replace: map read-only", "memory.slots_only"),
        ("without/fault-done", "pages: fault: page for a second-level table", "memory.nothing_lost"),
        ("without/trap-translate", "faults: guest: GuestAccesses", "memory.fault_address_true"),
    ],
)
def test_what_breaks_a_further_invariant_is_told_of_the_properties_that_rest_on_it(
    fault: str, case: str, told: str
) -> None:
    cases_of = {o.name: o for o in memory_obligations(resolve("reference", fault), ALL)}
    found = cases_of[f"memory, {case}"].settle().findings
    assert told in {finding.prop for finding in found if finding.decided}
    assert INDUCTIVE.id not in {finding.prop for finding in found}


def test_a_case_that_the_invariants_exclude_is_told_to_be_empty() -> None:
    excluded = by_name(*INVARIANTS.values(), nobody_reclaims)
    cases_of = {o.name: o for o in memory_obligations(reference(), ALL, (evolve(BASE, invariants=excluded),))}
    assert cases_of["memory: reclaim: free third level"].settle().vacuous


def nobody_reclaims(design: MemoryDesign, state: MemoryState) -> bool:
    """No thread is in the routine that takes a page away."""
    return every(*(negate(in_routine(core, "reclaim", "replace")) for core in state.cores))


def test_what_no_property_rests_on_is_not_asked() -> None:
    names = [o.name for o in memory_obligations(reference(), (PROPERTY["memory.isolated"], INDUCTIVE))]
    assert names and all(name.startswith("memory: ") for name in names)


@pytest.mark.parametrize(
    ("fault", "case"),
    [
        ("vmid-gen-published-early", "run: publish generation"),
        ("without/reclaim-flush", "reclaim: free the page"),
        ("memslot-delete-keeps-mapping", "delete: give the page back"),
        ("D16", "run: publish VTTBR"),
        ("D21", "interface: map GICV"),
    ],
)
def test_a_planted_fault_breaks_the_induction(fault: str, case: str) -> None:
    design = resolve("reference", fault)
    cases_of = {o.name: o for o in memory_obligations(design, (PROPERTY["memory.inductive"],))}
    assert any(f.decided for f in cases_of[f"memory: {case}"].settle().findings)


def test_every_invariant_holds_at_the_start_of_every_configuration() -> None:
    for topology in OF_MEMORY:
        memory = initial(topology, reference()).memory
        assert memory is not None
        for layer in (BASE, *LAYERS):
            assert [name for name, held in layer.invariants.items() if not held(reference().memory, memory)] == []


@pytest.mark.parametrize("topology", OF_MEMORY, ids=lambda topology: topology.name)
def test_no_run_of_the_reference_breaks_an_invariant(topology: object) -> None:
    every_layer = (BASE, *LAYERS)
    asked = tuple(evolve(INDUCTIVE, id=layer.name, holds=partial(kept, layer), conjuncts=()) for layer in every_layer)
    walked = walk_part(MEMORY, reference(), asked, topology, seed=5, steps=600)
    assert walked.raised is None and not walked.violations


def kept(layer: Layer, design: Design, before: State, action: Action, after: State) -> bool:
    """Whether all invariants of a layer hold of a concrete state."""
    assert after.memory is not None
    return all(invariant(design.memory, after.memory) for invariant in layer.invariants.values())


def test_every_step_of_every_routine_is_a_case() -> None:
    design = reference().memory
    asked = {likeness(design, case.at) for case in cases(design) if isinstance(case.action, ThreadSteps)}
    places = [at for at in facts(design) if step_at(design, at) is not None]
    assert len(places) == sum(len(design.steps(name)) for name in ROUTINES)
    assert {likeness(design, at) for at in places} == asked


def test_what_a_program_counter_tells_changes_with_the_order_of_the_steps() -> None:
    design = reference().memory
    steps = design.reclaim
    late = next(n for n, step in enumerate(steps) if step.name == "reclaim: flush")
    swapped = evolve(design, reclaim=(*steps[: late - 1], steps[late], steps[late - 1], *steps[late + 1 :]))
    assert facts(design) != facts(swapped)


def test_assumptions_added_as_they_are_missed_give_the_answer_of_all_of_them() -> None:
    x = z3.BitVec("x", 8)
    given = conjuncts([z3.And(z3.ULT(x, 10), x != 3), z3.UGT(x, 2)])
    assert len(given) == 3
    for question, answer in ((x == 3, z3.unsat), (x == 4, z3.sat)):
        for attempt in ATTEMPTS:
            made = of_attempt(attempt)
            made.add(question, *(() if attempt.gradually else given))
            assert (missed(made, given, ()) if attempt.gradually else made.check()) == answer
        assert decided(question, given) == answer
    assert {attempt.gradually for attempt in ATTEMPTS} == {True, False}


def test_a_goal_taken_apart_holds_where_its_parts_do() -> None:
    p, q, r, s, t = z3.Bools("p q r s t")
    for goal in (
        z3.Or(z3.Not(z3.And(p, q)), z3.And(r, z3.If(s, t, p))),
        z3.And(p, z3.Or(q, z3.And(r, s)), z3.If(t, z3.And(p, q), r)),
        z3.Or(z3.And(p, q), z3.And(r, s)),
        z3.Not(z3.And(p, z3.Not(z3.Not(q)))),
    ):
        apart = z3.And(*clauses(goal), z3.BoolVal(True))
        checked = z3.Solver()
        checked.add(apart != goal)
        assert checked.check() == z3.unsat


def test_a_goal_is_refuted_unless_all_of_its_parts_hold() -> None:
    x = z3.BitVec("x", 8)
    asked = Asked([z3.ULT(x, 10)])
    both = Question("", "", (), z3.And(z3.ULT(x, 11), z3.ULT(x, 9)))
    assert asked.answer(evolve(both, goal=z3.And(z3.ULT(x, 11), z3.ULT(x, 10)))) == z3.unsat
    assert asked.answer(both) == z3.sat
    asked.learn(z3.ULT(x, 8))
    assert asked.answer(both) == z3.unsat


def test_of_goals_asked_at_once_those_fail_that_are_false_under_their_condition() -> None:
    x = z3.BitVec("x", 8)
    low, high = (z3.ULT(x, 5),), (z3.UGE(x, 5),)
    questions = [
        Question("small", "less than 5", low, z3.ULT(x, 5)),
        Question("small", "not 3", low, x != 3),
        Question("small", "not 2", low, x != 2),
        Question("other", "less than 9", high, z3.ULT(x, 9)),
        Question("other", "less than 10", high, z3.ULT(x, 10)),
    ]
    asked = Asked([z3.ULT(x, 10)])
    for together in (True, False):
        assert [(each.name, answer) for each, answer in asked.failing(questions, together)] == [
            ("not 3", z3.sat),
            ("less than 9", z3.sat),
        ]
        assert not list(asked.failing([questions[0], questions[4]], together))
    assert asked.plainly_hold([questions[0], questions[4]]) and not asked.plainly_hold(questions)


def test_words_cut_into_pieces_are_read_and_written_as_whole_ones_are() -> None:
    def cuts(name: str) -> tuple[int, ...]:
        return {"x": (1, 4), "memory": (3,), "memory.any0": (1, 4, 6)}.get(name, ())

    whole, pieced = variable("whole", 8), in_pieces("x", 8, cuts, z3.BitVec)
    memory = Symbolic(Arbitrary("memory", Of((Width(8),), Width(8)), cuts))
    for value in (0, 1, 9, 0x5A, 255):
        solver = z3.Solver()
        solver.add(formula(pieced == whole), formula(whole == value))
        assert solver.check() == z3.sat
        solver.add(formula(memory.get(pieced) != memory.get(value)))
        assert solver.check() == z3.unsat
    other = z3.Solver()
    other.add(formula(memory.get(pieced) == 0x5A), formula(memory.get(whole) == 0xA5))
    assert other.check() == z3.sat
    other.add(formula(pieced == whole))
    assert other.check() == z3.unsat


def test_a_symbolic_map_answers_as_a_concrete_one() -> None:
    random = Random(3)
    for _ in range(50):
        pairs = [(random.randrange(4), random.randrange(4)) for _ in range(3)]
        concrete, symbolic = sparse(0), Symbolic(Default(0))
        for key, value in pairs:
            concrete, symbolic = concrete.set(key, value), symbolic.set(key, value)
        assert [concrete.get(key) for key in range(4)] == [symbolic.get(key) for key in range(4)]
        odd = [lambda _, value: value & 1 == 1, lambda key, _: key == 2]
        for condition in odd:
            assert concrete.none_where(condition) == symbolic.none_where(condition)
            left, other = concrete.clear_where(condition), symbolic.clear_where(condition)
            assert [left.get(key) for key in range(4)] == [other.get(key) for key in range(4)]


def test_nothing_is_known_of_arbitrary_contents_but_that_equal_keys_have_equal_values() -> None:
    memory = Symbolic(Arbitrary("memory", Of((Width(8),), U64)))
    x, y = variable("x", 8), variable("y", 8)
    solver = z3.Solver()
    solver.add(formula(memory.get(x) != memory.get(y)))
    assert solver.check() == z3.sat
    solver.add(formula(x == y))
    assert solver.check() == z3.unsat


def test_an_empty_table_is_known_to_be_empty_only_where_a_proof_watches() -> None:
    source = Arbitrary("memory", Of((Width(8),), U64))
    memory, watched, other = Symbolic(source), variable("watched", 8), variable("unwatched", 8)
    source.watched = [watched]
    empty = memory.none_where(lambda _, value: bit(value, 0) == 1)
    solver = z3.Solver()
    solver.add(formula(empty), formula(bit(memory.get(other), 0) == 1))
    assert solver.check() == z3.sat
    solver.add(formula(bit(memory.get(watched), 0) == 1))
    assert solver.check() == z3.unsat


def test_where_a_condition_holds_of_some_key_a_proof_may_have_a_witness() -> None:
    source = Arbitrary("memory", Of((Width(8),), U64))
    source.witnesses = True
    memory = Symbolic(source).set(3, 2)
    empty = memory.none_where(lambda key, value: every(key < 4, bit(value, 0) == 1))
    solver = z3.Solver()
    solver.add(*map(formula, source.said), z3.Not(formula(empty)))
    assert solver.check() == z3.sat
    solver.add(*(formula(bit(memory.get(key), 0) == 0) for key in (0, 1, 2)))
    assert solver.check() == z3.unsat


def test_of_one_of_two_maps_the_keys_of_both_are_watched() -> None:
    source = Arbitrary("memory", Of((Width(8),), U64))
    x, y, condition = variable("x", 8), variable("y", 8), truth(z3.Bool("c"))
    source.watched = [x]
    arbitrary = Symbolic(source).set(y, 1).merged(condition, Symbolic(source))
    assert arbitrary.watched == [x]
    known = Symbolic(Default(0)).set(x, 1).merged(condition, Symbolic(Default(0)).set(y, 1))
    assert [key is each for key, each in zip(known.watched, (x, y), strict=True)] == [True, True]
    solver = z3.Solver()
    solver.add(formula(everywhere(known, lambda key, value: value == 0)))
    assert solver.check() == z3.unsat


def test_a_value_that_was_set_is_read_back_and_hides_nothing_else() -> None:
    memory = Symbolic(Arbitrary("memory", Of((Width(8),), U64)))
    x, y = variable("x", 8), variable("y", 8)
    after = memory.set(x, 5)
    assert any(isinstance(update, Set) for update in after.updates)
    solver = z3.Solver()
    solver.add(z3.Or(formula(after.get(x) != 5), z3.And(formula(x != y), formula(after.get(y) != memory.get(y)))))
    assert solver.check() == z3.unsat


def test_cases_that_time_does_not_reach_leave_everything_about_memory_unproved(
    monkeypatch: pytest.MonkeyPatch, tmp_path: object
) -> None:
    monkeypatch.setenv("KVMARM_CACHE", str(tmp_path))
    settled = prove.induction(reference(), (PROPERTY["memory.isolated"],), "memory", 0, 1, time.monotonic() - 1)
    explored = Result("reference", "memory.isolated", "explore", Verdict.EXPLORED, "all", 0.0)
    told = with_proof(explored, settled, 0.0)
    assert told.verdict is Verdict.EXPLORED
    assert "cases not reached" in told.unproved
