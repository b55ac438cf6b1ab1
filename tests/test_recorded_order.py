"""The model does to the registers what Linux 3.12.9 was recorded to do: order, values, injected exceptions."""

import pytest
from attrs import evolve

from model.actions import GuestExecutes, HostRunsVcpu
from model.design import Design, ExitCode
from model.designs.catalogue import DESIGNS
from model.guards import forced
from model.highvisor.exits import MemoryAnswer, Result, handle_exit
from model.lowvisor.context import Image
from model.lowvisor.moves import accesses
from model.state import State, Where
from model.system import step
from model.topology import TOPOLOGIES, initial
from properties.recording.orders import (
    Case,
    Injected,
    Made,
    cases,
    difference,
    in_guest,
    injections,
    modelled,
    modelled_entry,
    recorded,
    values,
)
from spec.execute import execute
from spec.operations import Choices, FloatingPoint, Hvc, Instruction, Operation, Smc, Wfi
from spec.registers import read, write

LINUX = DESIGNS["linux-3.12"]()
COMPARED = [case for case in cases().values() if not case.kind.startswith("flush")]
CONTROLS = [(situation, name) for situation in ("in a VM", "in a VM that used VFP") for name in values(situation)]
VBAR = 0x80000020
INSTRUCTIONS: dict[str, Operation] = {
    "wfi": Wfi(),
    "hvc": Hvc(0x140),
    "smc": Smc(0),
    "first vfp use": FloatingPoint(0, 0, 0),
}


def until_free(design: Design, state: State) -> State:
    """The state when the processor next has a choice."""
    while action := forced(state, 0):
        state = step(design, state, action)
    return state


def swapped(design: Design, routine: str, name: str) -> Design:
    """The design in which a step changes places with the one behind it."""
    steps = list(design.routine(routine))
    at = next(position for position, s in enumerate(steps) if s.name == name)
    steps[at], steps[at + 1] = steps[at + 1], steps[at]
    return evolve(design, **{routine: tuple(steps)})  # type: ignore[arg-type]


def without(design: Design, routine: str, name: str) -> Design:
    """The design that lacks a step."""
    return evolve(design, **{routine: tuple(s for s in design.routine(routine) if s.name != name)})  # type: ignore[arg-type]


@pytest.mark.parametrize("case", COMPARED, ids=lambda case: case.name)
def test_model_accesses_registers_in_the_recorded_order(case: Case) -> None:
    assert difference(case.accesses, modelled(LINUX, case)) is None


def test_recorded_exits_and_entries_pair_up() -> None:
    exits = sum(case.count for case in cases().values() if case.kind == "exit")
    assert exits == cases()["entry"].count == 4599


def test_entry_has_118_register_accesses_an_isb_and_a_clrex() -> None:
    registers = [access for access in recorded("entry") if access[0] != "("]
    assert (len(registers), len(recorded("entry"))) == (118, 120)


def test_only_tlb_maintenance_is_recorded_but_not_modelled() -> None:
    assert cases().keys() - {case.name for case in COMPARED} == {"flush one VMID", "flush all VMIDs"}


def test_difference_names_swapped_steps() -> None:
    found = difference(recorded("entry"), modelled_entry(swapped(LINUX, "entry", "enter: VPIDR")))
    assert found == "access 94, after W HDCR: recorded W VPIDR, modelled W VMPIDR (step 'enter: VMPIDR')"


def test_difference_names_what_a_missing_step_leaves_out() -> None:
    found = difference(recorded("irq"), modelled(without(LINUX, "exit", "exit: stop GICH"), cases()["irq"]))
    assert found == "access 90, after R GICH_APR: recorded W GICH_HCR, modelled R GICH_LR0 (step 'exit: save GICH_LR0')"


@pytest.mark.parametrize(("routine", "case"), [("entry", "entry"), ("exit", "hvc, vfp used"), ("vfp", "first vfp use")])
def test_no_step_with_accesses_can_go_unnoticed(routine: str, case: str) -> None:
    named = {s.name for s in LINUX.routine(routine) if accesses(s)}
    unnoticed = {
        n for n in named if not difference(recorded(case), modelled(without(LINUX, routine, n), cases()[case]))
    }
    assert named and not unnoticed


def test_difference_names_an_access_missing_at_the_end() -> None:
    assert difference(("R HSR", "(clrex)"), (Made("R HSR", "a"),)) == (
        "access 2, after R HSR: recorded (clrex), modelled nothing more"
    )


def test_difference_names_an_access_too_many_at_the_end() -> None:
    assert difference((), (Made("R HSR", "a"),)) == (
        "access 1, after the start: recorded nothing more, modelled R HSR (step 'a')"
    )


def test_linux_3_10_lacks_the_switch_of_par() -> None:
    found = difference(recorded("entry"), modelled_entry(DESIGNS["linux-3.10"]()))
    assert found is not None and "recorded R PAR" in found


@pytest.mark.parametrize(("situation", "name"), CONTROLS)
def test_control_register_has_its_recorded_value_while_the_vm_runs(situation: str, name: str) -> None:
    cpu = in_guest(LINUX, vfp_used="VFP" in situation).processors[0].cpu
    assert hex(read(cpu, name.lower())) == hex(values(situation)[name])


@pytest.mark.parametrize("name", values("in the host"))
def test_control_register_has_its_recorded_value_behind_an_exit(name: str) -> None:
    after = until_free(LINUX, step(LINUX, in_guest(LINUX), GuestExecutes(0, Instruction(Wfi()))))
    assert hex(read(after.processors[0].cpu, name.lower())) == hex(values("in the host")[name])


@pytest.mark.parametrize("name", INSTRUCTIONS)
def test_trapped_instruction_has_the_recorded_syndrome(name: str) -> None:
    cpu = in_guest(LINUX).processors[0].cpu
    trapped = execute(cpu, Instruction(INSTRUCTIONS[name]), Choices()).cpu
    assert hex(trapped.hyp.hsr) == hex(cases()[name].hsr or 0)


def left_with(case: Injected) -> Image:
    """A vCPU's image as the recorded exit left it."""
    image = initial(TOPOLOGIES["one"], LINUX).vcpus[0].image
    image = evolve(image, hsr=case.hsr, pc=case.pc, cpsr=case.cpsr, hxfar=case.pc)
    return write(write(image, "vbar", VBAR), "sctlr", 0x00C50078)


@pytest.mark.parametrize("case", injections(), ids=lambda case: f"hsr-{case.hsr:08x}")
def test_injected_exception_is_the_recorded_one(case: Injected) -> None:
    after = handle_exit(LINUX, left_with(case), ExitCode.HVC, MemoryAnswer.DEVICE).image
    observed = (read(after, f"lr_{case.exception}"), read(after, f"spsr_{case.exception}"), after.pc, after.cpsr)
    assert [hex(v) for v in observed] == [hex(v) for v in (case.lr, case.cpsr, case.new_pc, case.new_cpsr)]


def test_recorded_lr_of_injected_undefined_is_four_below_the_saved_pc_for_every_class() -> None:
    # The saved PC is behind an HVC but at a trapped instruction, so only for HVC is this the instruction's address.
    below = {case.hsr >> 26: case.pc - case.lr for case in injections() if case.exception == "und"}
    assert below == {0x12: 4, 0x03: 4, 0x04: 4, 0x13: 4}


def test_undefined_call_of_the_guest_enters_its_handler_at_the_next_entry() -> None:
    state = in_guest(LINUX)
    at = state.processors[0].cpu.pc
    left = until_free(LINUX, step(LINUX, state, GuestExecutes(0, Instruction(Hvc(0x11)))))
    again = until_free(LINUX, step(LINUX, left, HostRunsVcpu(0, 0))).processors[0].cpu
    assert (read(again, "lr_und"), again.pc) == (at, read(again, "vbar") + 4)


def test_waiting_guest_is_entered_again_at_its_wfi() -> None:
    state = in_guest(LINUX)
    left = until_free(LINUX, step(LINUX, state, GuestExecutes(0, Instruction(Wfi()))))
    again = until_free(LINUX, step(LINUX, left, HostRunsVcpu(0, 0))).processors[0]
    assert (again.thread.where, again.cpu.pc) == (Where.GUEST, state.processors[0].cpu.pc)


def test_recorded_wfi_blocks_the_vcpu() -> None:
    hsr = cases()["wfi"].hsr or 0
    image = evolve(initial(TOPOLOGIES["one"], LINUX).vcpus[0].image, hsr=hsr)
    assert handle_exit(LINUX, image, ExitCode.HVC).result is Result.BLOCKED
