"""Accesses to emulated devices: what the highvisor decides, and what KVM_RUN completes, as recorded on Linux 3.12.9."""

import pytest
from attrs import evolve

from model.actions import (
    GuestExecutes,
    HighvisorHandles,
    HostRunsVcpu,
    UserSpaceAnswers,
    UserSpaceRuns,
    UserSpaceWrites,
)
from model.design import Completion, Design, ExitCode
from model.designs.catalogue import LINUX_3_12, reference
from model.guards import guard
from model.highvisor.exits import MemoryAnswer, Result, handle_exit
from model.highvisor.mmio import Decision, ExitReason, abort_decision
from model.highvisor.run import kvm_run
from model.lowvisor.context import Image
from model.state import Standing, State, Vcpu
from model.system import kept_by
from model.topology import TOPOLOGIES, initial
from properties import mmio
from properties.engines.domain import NEGATIVE, SIGNED_LOAD
from properties.engines.prove import settle
from properties.engines.transactions import transactions
from properties.faults.catalogue import FAULT
from properties.traces.replay import expand
from properties.why import counterexample
from spec.operations import Instruction
from spec.psr import Mode
from spec.registers import read, write

REFERENCE = reference()
LOAD = 0x93800007
"""The syndrome of LDR r0 outside every memory slot."""
FETCH = 0x82000007


@pytest.mark.parametrize(
    ("hsr", "in_slot", "decision"),
    [
        (LOAD, 1, Decision.MAP),
        (LOAD, 0, Decision.MMIO),
        (FETCH, 1, Decision.MAP),
        (FETCH, 0, Decision.INJECT_PREFETCH),
        (LOAD & ~(1 << 24), 0, Decision.ERROR_NOSYS),
        (LOAD & ~(1 << 24) | 1 << 9, 0, Decision.ERROR_NOSYS),
        (LOAD | 1 << 9, 0, Decision.INJECT_DATA),
        (LOAD | 1 << 7, 0, Decision.INJECT_DATA),
        (LOAD | 3 << 22, 0, Decision.ERROR_FAULT),
        (LOAD | 1 << 3, 0, Decision.ERROR_FAULT),
        (LOAD | 1 << 3, 1, Decision.MAP),
        (LOAD | 1 << 4, 0, Decision.ERROR_FAULT),
        (LOAD | 1 << 4, 1, Decision.ERROR_FAULT),
        (FETCH | 1 << 3, 0, Decision.INJECT_PREFETCH),
    ],
)
def test_a_fault_is_decided_by_its_syndrome_and_the_memory_slots(hsr: int, in_slot: int, decision: Decision) -> None:
    assert abort_decision(hsr, in_slot) is decision


DEVICE_BYTES = 0x8899AABBCCDDEEDF
RECORDED_LOADS = (
    (0x93800006, 0x20, DEVICE_BYTES, 4, 0xCCDDEEDF),
    (0x93400006, 0x22, DEVICE_BYTES - 2, 2, 0xEEDD),
    (0x93600006, 0x22, DEVICE_BYTES - 2, 2, 0xFFFFEEDD),
    (0x93000006, 0x23, DEVICE_BYTES - 3, 1, 0xDC),
    (0x93200006, 0x23, DEVICE_BYTES - 3, 1, 0xFFFFFFDC),
)
"""HSR, place in the device, what user space answered, the length it was told, and what the guest found in r0."""
RECORDED_STORES = (
    (0x93800046, 0x10, 4, 0x11223344),
    (0x93400046, 0x14, 2, 0x3344),
    (0x93000046, 0x17, 1, 0x44),
)
"""HSR, place in the device, the length that user space was told, and the bytes of r0 that it was given."""


def left_by(hsr: int, place: int) -> Image:
    """A vCPU's image as the exit of an access to the recorded device at IPA 0xa000000 leaves it."""
    image = initial(TOPOLOGIES["one"], LINUX_3_12).vcpus[0].image
    return evolve(image, hsr=hsr, hxfar=0x0A000000 | place, hpfar=0xA0000)


def told(design: Design, image: Image) -> Vcpu:
    """The vCPU whose access has gone to user space."""
    handled = handle_exit(design, image, ExitCode.HVC, MemoryAnswer.DEVICE)
    assert handled.result is Result.USER_SPACE
    return kept_by(Vcpu(image, 0), handled)


@pytest.mark.parametrize("design", [LINUX_3_12, REFERENCE], ids=lambda design: design.name)
@pytest.mark.parametrize(("hsr", "place", "answer", "length", "value"), RECORDED_LOADS)
def test_a_load_is_told_and_completed_as_recorded(
    design: Design, hsr: int, place: int, answer: int, length: int, value: int
) -> None:
    vcpu = told(design, left_by(hsr, place))
    assert (vcpu.run.phys_addr, vcpu.run.length, vcpu.run.is_write) == (0x0A000000 | place, length, 0)
    completed = kvm_run(design, evolve(vcpu, run=evolve(vcpu.run, data=answer)), interrupted=False)
    assert (completed.image.general.r0, completed.standing) == (value, Standing.READY)


@pytest.mark.parametrize(("hsr", "place", "length", "data"), RECORDED_STORES)
def test_a_store_is_told_as_recorded_and_changes_no_register(hsr: int, place: int, length: int, data: int) -> None:
    image = write(left_by(hsr, place), "r0", 0x11223344)
    vcpu = told(LINUX_3_12, image)
    assert (vcpu.run.phys_addr, vcpu.run.length, vcpu.run.is_write) == (0x0A000000 | place, length, 1)
    assert vcpu.run.data & ((1 << 8 * length) - 1) == data
    completed = kvm_run(LINUX_3_12, evolve(vcpu, run=evolve(vcpu.run, data=NEGATIVE)), interrupted=False)
    assert completed.image == evolve(image, pc=image.pc + 4)


def test_the_distributor_completes_a_load_at_once() -> None:
    image = left_by(LOAD, 0)
    handled = handle_exit(REFERENCE, image, ExitCode.HVC, MemoryAnswer.IN_KERNEL, 0x27)
    assert handled.result is Result.RESUME
    assert handled.image == evolve(write(image, "r0", 0x27), pc=image.pc + 4)


def test_a_load_fills_the_register_of_the_mode_that_made_it() -> None:
    image = evolve(left_by(LOAD | 13 << 16, 0), cpsr=int(Mode.IRQ))
    completed = kvm_run(REFERENCE, told(REFERENCE, image), interrupted=False).image
    changed = [n for n in ("sp_irq", "sp_usr", "sp_svc") if read(completed, n) != read(image, n)]
    assert changed == ["sp_irq"]


def test_a_vcpu_that_waits_for_user_space_cannot_be_run() -> None:
    assert not guard(REFERENCE, waiting(), HostRunsVcpu(0, 0))


def waiting(*actions: object) -> State:
    """The state in which user space has been told of a load, and some actions have been taken."""
    first = (HostRunsVcpu(0, 0), GuestExecutes(0, Instruction(SIGNED_LOAD)), HighvisorHandles(0, MemoryAnswer.DEVICE))
    return expand(REFERENCE, initial(TOPOLOGIES["one"], REFERENCE), (*first, *actions))[-1].after  # type: ignore[arg-type]


def test_a_signal_lets_kvm_run_complete_the_access_without_running_the_guest() -> None:
    vcpu = waiting(UserSpaceAnswers(0, 0, 0x7F), UserSpaceRuns(0, 0, interrupted=True)).vcpus[0]
    found = (vcpu.image.general.r2, vcpu.standing, vcpu.run.exit_reason)
    assert found == (0x7F, Standing.IN_USER_SPACE, ExitReason.INTR)


def test_the_run_behind_a_signal_completes_nothing_again() -> None:
    once = (UserSpaceAnswers(0, 0, 0x7F), UserSpaceRuns(0, 0, interrupted=True))
    forged = evolve(waiting(*once).vcpus[0].run, exit_reason=ExitReason.MMIO, data=0x11)
    again = waiting(*once, UserSpaceWrites(0, 0, forged), UserSpaceRuns(0, 0))
    assert (again.vcpus[0].image.general.r2, again.vcpus[0].standing) == (0x7F, Standing.READY)


def test_linux_delivers_a_stale_answer_behind_an_error() -> None:
    vcpu = told(LINUX_3_12, left_by(LOAD, 0))
    done = kept_by(vcpu, handle_exit(LINUX_3_12, left_by(LOAD, 0), ExitCode.HVC, MemoryAnswer.IN_KERNEL, 0x27))
    undescribed = evolve(write(done.image, "r0", 5), hsr=LOAD & ~(1 << 24))
    failed = kept_by(done, handle_exit(LINUX_3_12, undescribed, ExitCode.HVC, MemoryAnswer.DEVICE))
    assert failed.standing is Standing.IN_USER_SPACE
    assert (failed.image.general.r0, kvm_run(LINUX_3_12, failed, False).image.general.r0) == (5, 0x27)


def test_a_length_that_no_register_holds_is_refused_behind_the_clearing_of_the_register() -> None:
    vcpu = told(LINUX_3_12, left_by(LOAD, 0))
    forged = evolve(vcpu, run=evolve(vcpu.run, length=5, data=NEGATIVE))
    refused = kvm_run(LINUX_3_12, forged, interrupted=False)
    assert (refused.image.general.r0, refused.standing) == (0, Standing.IN_USER_SPACE)


DEVICE_OBLIGATIONS = ("user space", "any abort")


def failures(design: Design) -> set[str]:
    """The properties of device accesses that some obligation about them refutes."""
    made = [o for o in transactions(design, mmio.PROPERTIES) if o.name.startswith(DEVICE_OBLIGATIONS)]
    assert len(made) == 6
    return {prop for obligation in made for prop, _ in settle(obligation.make()).failures}


def test_every_access_of_the_reference_is_proved() -> None:
    assert failures(REFERENCE) == set()


def test_the_proof_fails_for_linux() -> None:
    assert failures(LINUX_3_12) == {"mmio.delivered", "mmio.completed_once"}


def test_the_flag_alone_does_not_keep_the_width() -> None:
    design = evolve(LINUX_3_12, mmio=evolve(LINUX_3_12.mmio, completion=Completion.OUTSTANDING))
    assert failures(design) == {"mmio.delivered"}


@pytest.mark.parametrize("fault", [fault.id for fault in FAULT.values() if fault.family == "device"])
def test_a_decision_about_accesses_that_is_spoilt_is_found_within_three_actions(fault: str) -> None:
    found = counterexample(fault)
    assert found.length <= 3
    assert any(prop.startswith("mmio.") for prop in found.properties)


@pytest.mark.parametrize("fault", [fault.id for fault in FAULT.values() if fault.family == "device"])
def test_a_decision_about_accesses_that_is_spoilt_is_refuted_by_the_proof(fault: str) -> None:
    assert failures(FAULT[fault].plant(REFERENCE))
