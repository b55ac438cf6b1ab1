"""The engines of a part's concrete steps: what they remember changes nothing of what they find."""

from collections import deque
from collections.abc import Hashable, Iterable
from typing import Any

import pytest
from attrs import evolve, frozen

from model.action import Action
from model.design import Design
from model.designs.catalogue import reference
from model.memory.actions import GuestLeft, ThreadSteps
from model.state import State
from model.system import step
from model.topology import TOPOLOGIES, initial
from properties import memory
from properties.catalogue import PROPERTY
from properties.check_parts import extent, walked
from properties.engines.parts.explore import Explored, explore_part
from properties.engines.parts.judge import Judge
from properties.engines.parts.part import Domain, Part, Situation
from properties.engines.parts.rows import Layout, Projected, Remembered
from properties.faults.catalogue import FAULT
from properties.interrupts.part import INTERRUPTS
from properties.memory.configurations import CONFIGURATIONS
from properties.memory.part import MEMORY
from properties.property import Property, Verdict
from spec.sparse import Sparse, sparse

FAULTS = (
    "D17", "D21", "memslot-delete-keeps-mapping", "s2-block-over-misaligned-slot", "s2-no-break-before-make",
    "tlb-shared-by-sibling-vcpus", "without/fault-lock",
)  # fmt: skip
SMALL = ("slot-deletion", "new-vm", "read-only")


@frozen
class Plain:
    states: int
    transitions: int
    violated: frozenset[str]
    met: frozenset[str]


def possible(part: Part, design: Design, domain: Domain, state: State) -> list[Action]:
    """What may happen in a state where no action belongs to the one before."""
    cpus = range(part.processors(part.of(state)))
    return [action for cpu in cpus for action in domain.of_processor(design, part.of(state), cpu)]


def follows(part: Part, design: Design, domain: Domain, state: State) -> Action | None:
    """The action that belongs to the one before, where there is one."""
    cpus = range(part.processors(part.of(state)))
    found = (domain.follows(design, part.of(state), cpu) for cpu in cpus)
    return next((action for action in found if action is not None), None)


def plainly_explored(part: Part, design: Design, properties: Iterable[Property], situation: Situation) -> Plain:
    """The exploration as it is meant: every step taken, every property asked of every step."""
    start = initial(TOPOLOGIES[situation.topology], design)
    aspects = part.aspects(design, part.of(start))
    seen: set[Hashable] = {tuple(aspect(part.of(start)) for aspect in aspects)}
    waiting: deque[State] = deque([start])
    transitions, violated, met = 0, set[str](), set[str]()
    while waiting:
        state = waiting.popleft()
        for action in possible(part, design, situation.domain, state):
            transitions += 1
            before, following = state, action
            while following is not None:
                after = step(design, before, following)
                about = [prop for prop in properties if isinstance(following, prop.about)]
                violated |= {prop.id for prop in about if not prop.holds(design, before, following, after)}
                met |= {prop.id for prop in about if prop.interesting(design, before, following, after)}
                before, following = after, follows(part, design, situation.domain, after)
            key = tuple(aspect(part.of(before)) for aspect in aspects)
            if key not in seen:
                seen.add(key)
                waiting.append(before)
    return Plain(len(seen), transitions, frozenset(violated), frozenset(met))


@pytest.mark.parametrize("name", SMALL)
@pytest.mark.parametrize("fault", [None, *FAULTS])
def test_an_exploration_sees_what_a_plain_one_sees(fault: str | None, name: str) -> None:
    design = reference() if fault is None else FAULT[fault].plant(reference())
    situation = CONFIGURATIONS[name]
    seen = explore_part(MEMORY, design, memory.ALL, situation.topology, situation.domain)
    found = Plain(seen.states, seen.transitions, frozenset(seen.violations), seen.met)
    assert found == plainly_explored(MEMORY, design, memory.ALL, situation)


@pytest.mark.parametrize("fault", FAULTS)
def test_each_of_these_faults_is_seen_in_one_of_these_configurations(fault: str) -> None:
    design, situations = FAULT[fault].plant(reference()), [CONFIGURATIONS[name] for name in SMALL]
    seen = (explore_part(MEMORY, design, memory.ALL, each.topology, each.domain) for each in situations)
    assert any(one.violations for one in seen)


@frozen
class Pair:
    left: int
    right: int


@frozen
class Small:
    pairs: tuple[Pair, ...]
    words: Sparse[int]
    total: int


START = Small((Pair(1, 2), Pair(3, 4)), sparse(0, [(1, 2)]), 5)


def first_pair(state: Small) -> int:
    return state.pairs[0].left + state.words.get(1) if state.pairs[0].left else state.pairs[1].right


def evaluations(states: Iterable[Small], attributes: bool) -> tuple[list[int], int]:
    """The values of `first_pair`, and how often it was evaluated to its end."""
    layout, ends = Layout(START), list[int]()

    def ending(state: Small) -> int:
        ends.append(first_pair(state))
        return ends[-1]

    function: Any
    if attributes:
        function = Projected(layout.numbers, layout.classes, lambda parts: ending(layout.built(parts)))
    else:
        function = Remembered(layout, lambda row, read: ending(layout.built(layout.filled(row, read))))
    return [function(layout.row(state)) for state in states], len(ends)


@pytest.mark.parametrize("attributes", [False, True])
def test_what_is_remembered_is_what_would_be_evaluated(attributes: bool) -> None:
    pairs = [(Pair(a, 2), Pair(3, b)) for a in range(3) for b in range(3)]
    states = [Small(both, sparse(0, [(1, c)]), c) for both in pairs for c in range(3)]
    assert evaluations(states, attributes)[0] == [first_pair(state) for state in states]


def test_a_function_is_not_evaluated_again_where_only_components_differ_that_it_did_not_read() -> None:
    states = [START, evolve(START, pairs=(Pair(1, 2), Pair(9, 9)))]
    assert evaluations(states, attributes=False) == ([3, 3], 1)


def test_a_condition_is_not_evaluated_again_where_only_attributes_differ_that_it_did_not_read() -> None:
    states = [START, evolve(START, pairs=(Pair(1, 8), Pair(3, 4)))]
    assert evaluations(states, attributes=True) == ([3, 3], 1)


def test_an_attribute_that_no_component_has_is_an_error() -> None:
    layout = Layout(START)
    wrong: Any = Remembered(layout, lambda row, read: layout.built(layout.filled(row, read)).pairs[0].middle)
    with pytest.raises(AttributeError, match="middle"):
        wrong(layout.row(START))


def test_a_state_that_was_broken_by_another_kind_of_action_is_judged_at_the_next_step_that_is_spoken_of() -> None:
    prop = PROPERTY["memory.hyp_exact"]
    start = initial(TOPOLOGIES["memory"], reference())
    assert start.memory is not None
    broken = evolve(start, memory=evolve(start.memory, hyp=start.memory.hyp.set(0x205, 1)))
    judge = Judge(MEMORY, reference(), (prop,))
    steps = ((start, ThreadSteps(0), start), (start, GuestLeft(0), broken), (broken, ThreadSteps(0), broken))
    assert [bool(judge.wrong(*each)) for each in steps] == [False, False, True]


def test_a_verdict_names_the_configurations_of_which_all_was_seen_and_the_others() -> None:
    all_of = Explored(10, 20, 1.0, True, {}, frozenset(), frozenset())
    seen = {"new-vm": all_of, "read-only": all_of, "vmids": evolve(all_of, complete=False)}
    assert extent(seen, "one step") == (
        "all 20 states, 40 transitions of 2 configurations: new-vm, read-only; "
        "and the first 10 states, 20 transitions of 1 incomplete configuration: vmids; at the grain of one step"
    )


def test_the_steps_of_a_walk_are_shared_among_the_configurations() -> None:
    count = len(MEMORY.topologies)
    results = walked("reference", None, (PROPERTY["memory.locks"],), 1, None, 1, lambda _: None, 10 * count - 1)
    assert results[0].covers == f"{10 * count} steps in {count} configurations, seed 1"


def test_a_walk_says_the_same_however_many_processes_share_it() -> None:
    asked = (PROPERTY["hyp.every_processor"], PROPERTY["hyp.calls_answered"])
    one, two = (walked("linux-3.12", None, asked, 2, None, jobs, lambda _: None, 900) for jobs in (1, 2))
    assert Verdict.VIOLATED in [result.verdict for result in one]
    assert [evolve(result, seconds=0.0) for result in one] == [evolve(result, seconds=0.0) for result in two]


def test_a_configuration_that_takes_long_is_explored_only_by_its_name() -> None:
    assert "three-interrupts" not in INTERRUPTS.explored(None)
    assert set(INTERRUPTS.explored("three-interrupts")) == {"three-interrupts"}
    assert set(MEMORY.explored(None)) == set(MEMORY.configurations)
