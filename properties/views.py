"""What a VM experiences of one step: its registers afterwards, and whether the highvisor had a hand in it."""

from typing import Any

from attrs import evolve, frozen

from model.design import Design, ExitCode
from model.highvisor.exits import Exit, MemoryAnswer, handle_exit
from model.lowvisor.context import Image
from model.state import Physical, State, Where
from properties.policy import GUEST_STATE, VFP, vfp_given
from spec.processor import Processor
from spec.registers import read
from spec.words import choose


@frozen
class View:
    """What a VM can tell after a step: what happened to it, its registers, and VFP where it has been given to it."""

    happened: str
    registers: tuple[Any, ...]
    vfp: tuple[Any, ...]


def image_of(cpu: Processor, trapped: Processor, image: Image) -> Image:
    """The image that a faithful exit would leave: the guest's registers as it was left, and the trap's syndrome."""
    return evolve(
        image,
        cpsr=trapped.hyp.spsr_hyp,
        pc=trapped.hyp.elr_hyp,
        general=cpu.general,
        banked=cpu.banked,
        fiq=cpu.fiq,
        cp15=cpu.cp15,
        hsr=trapped.hyp.hsr,
        hxfar=trapped.hyp.hdfar,
        hpfar=trapped.hyp.hpfar,
    )


def registers_of(state: Any) -> tuple[Any, ...]:
    """The registers of `policy.GUEST_STATE` in a processor or an image."""
    return tuple(read(state, name) for name in GUEST_STATE)


def vfp_of(cpu: Processor) -> tuple[Any, ...]:
    """The VFP registers where the guest has been given them, zeros elsewhere."""
    return tuple(choose(vfp_given(cpu), read(cpu, name), 0) for name in VFP)


def handled(design: Design, state: State, cpu: int) -> Exit:
    """What the highvisor would make of the trap that a processor has just taken, after a faithful exit."""
    physical = state.processors[cpu]
    assert physical.trapped_from is not None
    image = image_of(physical.trapped_from, physical.cpu, state.vcpus[physical.thread.vcpu].image)
    return handle_exit(design, image, ExitCode.HVC, MemoryAnswer.MAPPED)


def view(design: Design, state: State, cpu: int) -> View:
    """What the VM on a processor experiences of the step that led to this state."""
    physical: Physical = state.processors[cpu]
    where, routine = physical.thread.where, physical.thread.routine
    if where is Where.LOWVISOR and routine == "trap":
        outcome = handled(design, state, cpu)
        assert physical.trapped_from is not None
        image = evolve(outcome.image, timer=evolve(outcome.image.timer, **_timer(physical.trapped_from)))
        return View(outcome.result.name, registers_of(image), vfp_of(physical.cpu))
    happened = "RESUME" if where is Where.GUEST else f"{where.name} {routine}"
    return View(happened, registers_of(physical.cpu), vfp_of(physical.cpu))


def _timer(cpu: Processor) -> dict[str, int]:
    return {name: read(cpu, name) for name in ("cntkctl", "cntv_ctl", "cntv_cval")}
