"""It makes no difference which processor, vCPU, agent or VM acts: proofs let the first one."""

from collections.abc import Callable
from random import Random

import pytest
from attrs import evolve

from model.topology import TOPOLOGIES, initial
from model.vgic.design import OUT
from model.vgic.state import VgicState
from model.vgic.system import HostRuns, LineChanges, UserSignals, VgicAction, vgic_guard, vgic_step
from properties.interrupts.hostile import proposed
from properties.interrupts.progress import drains
from properties.interrupts.ranking import rank
from properties.interrupts.rest import at_rest_nobody_waits_in_vain, at_rest_owes_nothing, leads_on, ways_on
from spec.sparse import Sparse, sparse
from tests.interrupts import REFERENCE, changed_places, other, swapped

DESIGN = REFERENCE.vgic
MOST_LISTS = 3
"""Of how many list registers configurations are taken: with more of them the same takes longer."""
Exchange = Callable[[VgicState, VgicAction], tuple[VgicState, VgicAction]]


def rekeyed(mapping: Sparse, rename: Callable[[tuple[int, ...]], tuple[int, ...]]) -> Sparse:
    """A map with other keys."""
    return sparse(mapping.default, ((rename(key), value) for key, value in mapping.entries.items()))


def processors(state: VgicState, action: VgicAction) -> tuple[VgicState, VgicAction]:
    """The first two processors change places."""
    return changed_places(state), evolve(action, cpu=other(action.cpu, 0, 1))


def vcpus(state: VgicState, action: VgicAction) -> tuple[VgicState, VgicAction]:
    """The first two vCPUs change places; their numbers in their VMs they keep."""
    cores = tuple(evolve(core, vcpu=other(core.vcpu, 0, 1)) if core.busy else core for core in state.cores)
    lr_map = rekeyed(state.lr_map, lambda key: (other(key[0], 0, 1), key[1]))
    changed = evolve(state, cores=cores, vcpus=swapped(state.vcpus, 0, 1), lr_map=lr_map)
    named = isinstance(action, HostRuns | UserSignals)
    return changed, evolve(action, vcpu=other(action.vcpu, 0, 1)) if named else action  # type: ignore[attr-defined]


def agents(state: VgicState, action: VgicAction) -> tuple[VgicState, VgicAction]:
    """The first two agents change places."""
    first = len(state.cores)
    vms = tuple(evolve(vm, lock=other(vm.lock, first + 1, first + 2)) for vm in state.vms)
    changed = evolve(state, agents=swapped(state.agents, 0, 1), vms=vms)
    return changed, evolve(action, cpu=other(action.cpu, first, first + 1))


def machines(state: VgicState, action: VgicAction) -> tuple[VgicState, VgicAction]:
    """The first two VMs change places."""
    irqs, stale = (rekeyed(each, lambda key: (other(key[0], 0, 1), *key[1:])) for each in (state.irqs, state.stale))
    own = tuple(evolve(vcpu, vm=other(vcpu.vm, 0, 1)) for vcpu in state.vcpus)
    busy = tuple(each if each.at == OUT else evolve(each, vm=other(each.vm, 0, 1)) for each in state.agents)
    changed = evolve(state, vms=swapped(state.vms, 0, 1), irqs=irqs, stale=stale, vcpus=own, agents=busy)
    named = isinstance(action, LineChanges)
    return changed, evolve(action, vm=other(action.vm, 0, 1)) if named else action  # type: ignore[attr-defined]


def enough(exchange: Exchange, state: VgicState) -> bool:
    """Whether there are two of what changes places."""
    return len({processors: state.cores, vcpus: state.vcpus, agents: state.agents, machines: state.vms}[exchange]) > 1


CASES = [
    (exchange, name)
    for exchange in (processors, vcpus, agents, machines)
    for name, topology in TOPOLOGIES.items()
    if topology.interrupts is not None and topology.interrupts.lists <= MOST_LISTS
    if enough(exchange, initial(topology, REFERENCE).interrupts)  # type: ignore[arg-type]
]


def test_all_that_may_change_places_does_somewhere() -> None:
    assert {exchange for exchange, _ in CASES} == {processors, vcpus, agents, machines}


@pytest.mark.parametrize(("exchange", "topology"), CASES, ids=lambda case: getattr(case, "__name__", case))
def test_it_makes_no_difference_which_one_acts(exchange: Exchange, topology: str) -> None:
    random, state, taken = Random(11), initial(TOPOLOGIES[topology], REFERENCE).interrupts, 0
    assert state is not None
    for _ in range(250):
        action = proposed(random, REFERENCE, state)
        mirror, mirrored = exchange(state, action)
        assert vgic_guard(DESIGN, mirror, mirrored) == vgic_guard(DESIGN, state, action)
        assert at_rest_owes_nothing(DESIGN, mirror) == at_rest_owes_nothing(DESIGN, state)
        assert at_rest_nobody_waits_in_vain(DESIGN, mirror) == at_rest_nobody_waits_in_vain(DESIGN, state)
        assert rank(DESIGN, mirror) == rank(DESIGN, state)
        for way in ways_on(state):
            assert leads_on(DESIGN, mirror, exchange(state, way)[1]) == leads_on(DESIGN, state, way)
        if vgic_guard(DESIGN, state, action):
            taken += 1
            after = vgic_step(DESIGN, state, action)
            behind = vgic_step(DESIGN, mirror, mirrored)
            assert behind == exchange(after, action)[0], action
            assert drains(DESIGN, mirror, mirrored, behind) == drains(DESIGN, state, action, after)
            state = after
    assert taken > 50
