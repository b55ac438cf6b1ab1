"""An injected exception looks like hardware's, and answers only what a guest may not use."""

from typing import Any

from model.action import Action
from model.actions import HighvisorHandles
from model.design import Design
from model.highvisor.exits import Progress
from model.lowvisor.context import Image
from model.state import State
from model.system import progress_of
from properties.property import Kind, Property
from spec import exceptions, syndrome
from spec.coprocessor.decode import ROW, ROWS
from spec.coprocessor.row import Row
from spec.processor import Processor
from spec.psr import Mode
from spec.registers import read
from spec.syndrome import ExceptionClass
from spec.words import bits, clear, either, every, negate, put, same

MONITORS = tuple(
    row.name for row in ROWS if any(t.name == "TPM" for t in row.traps) and row.name not in ("PMSWINC", "PMOVSSET")
)
"""The performance monitors' registers that a guest's kernel finds, as zeros."""
OFFERED_CLASSES = (ExceptionClass.WFX, ExceptionClass.CP_0_13, ExceptionClass.DABT, ExceptionClass.IABT)
"""Classes whose operations a guest may use, so that UNDEF is never the answer."""


OFFERED_READS = ("ACTLR", "L2CTLR", "L2ECTLR", "CBAR", *MONITORS)


OFFERED_WRITES = ("ACTLR", "L2CTLR", "L2ECTLR", "DCISW", "DCCSW", "DCCISW", *MONITORS)
"""Rows that KVM/ARM emulates for a guest's kernel, by direction: UNDEF is never the answer to them."""


def expected_undef(cpu: Processor) -> Processor:
    """The Undefined Instruction exception as hardware takes it at PL1."""
    return exceptions.take_undefined(put(cpu, "hyp", put(cpu.hyp, "hcr", clear(cpu.hyp.hcr, 1 << 27))))


def injected_like_hardware(design: Design, before: State, action: Action, after: State) -> bool:
    """The predicate of INJECTED: mode, PC, CPSR, LR and SPSR of the injected exception are what hardware would give."""
    assert isinstance(action, HighvisorHandles)
    physical = before.processors[action.cpu]
    if progress_of(design, before, action) is not Progress.INJECTED or physical.trapped_from is None:
        return True
    image, given = after.vcpus[physical.thread.vcpu].image, physical.trapped_from
    if image.cpsr & 0x1F == Mode.UND:
        return every(
            offered_nothing(before.vcpus[physical.thread.vcpu].image),
            same(_entered(expected_undef(given), "und"), _entered(image, "und")),
        )
    prefetch = bits(physical.cpu.hyp.hsr, 31, 26) == 0x20
    offset, vector = (4, exceptions.Vector.PREFETCH_ABORT) if prefetch else (8, exceptions.Vector.DATA_ABORT)
    expected = exceptions.enter_pl1(given, exceptions.ExceptionMode.ABT, vector, (given.pc + offset) & 0xFFFFFFFF)
    return same(_entered(expected, "abt"), _entered(image, "abt"))


def offered_nothing(image: Image) -> bool:
    """Whether UNDEF is a proper answer to the trap at hand: not for an operation that the guest may use."""
    ec = bits(image.hsr, 31, 26)
    word = syndrome.decode_register_transfer(bits(image.hsr, 24, 0))
    accesses = [
        every(word.read == (1 if names is OFFERED_READS else 0), named_by(word, ROW[name]))
        for names in (OFFERED_READS, OFFERED_WRITES)
        for name in names
    ]
    transfer = every(ec == ExceptionClass.CP15_32, either(*accesses))
    kernel = (image.cpsr & 0x1F) != Mode.USR
    return every(*(ec != offered for offered in OFFERED_CLASSES), negate(every(transfer, kernel)))


def named_by(word: syndrome.RegisterTransfer, row: Row) -> bool:
    """Whether a decoded syndrome names the one encoding of a row."""
    fields = (row.opc1[0], row.crn[0], row.crm[0], row.opc2[0])
    return same((word.opc1, word.crn, word.crm, word.opc2), fields)


def _entered(state: Any, mode: str) -> tuple[int, ...]:
    return (state.cpsr, state.pc, read(state, f"lr_{mode}"), read(state, f"spsr_{mode}"))


INJECTED = Property(
    id="trap_completeness.injected_like_hardware",
    statement="An exception that the highvisor injects looks to the guest as if the hardware had raised it, and is "
    "raised only for what the guest may not use.",
    claims=("C31",),
    question="Can a guest's own handlers be misled?",
    kind=Kind.STEP,
    about=(HighvisorHandles,),
    holds=injected_like_hardware,
    interesting=lambda d, b, a, s: progress_of(d, b, a) is Progress.INJECTED,  # type: ignore[arg-type]
    explain=lambda d, b, a, s: injection_explanation(b, a, s),
)


def injection_explanation(before: State, action: Action, after: State) -> str:
    """The return address that the handler finds beside the one that the architecture gives."""
    physical = before.processors[action.cpu]
    image, given = after.vcpus[physical.thread.vcpu].image, physical.trapped_from
    if given is None or image.cpsr & 0x1F != Mode.UND:
        return f"LR_abt is {image.banked.lr_abt:#x}"
    if not offered_nothing(before.vcpus[physical.thread.vcpu].image):
        return "UNDEF was injected for an operation that the guest may use"
    return f"LR_und is {image.banked.lr_und:#x}; the architecture gives {expected_undef(given).banked.lr_und:#x}"
