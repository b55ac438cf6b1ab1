"""What the specification owes to everything built on it: encodings that mean one thing, states that hardware can have.

The last two are helper invariants: the symbolic states from which the proofs start assume them.
"""

from collections.abc import Callable, Iterator
from itertools import product
from typing import Any

import attrs

from model.action import Action
from model.actions import GuestExecutes, HighvisorHandles, InterruptTaken, UserSpaceRuns
from model.design import Design
from model.state import Physical, State, Where
from properties.property import Enumeration, Kind, Property
from spec.coprocessor.decode import ROWS, decode, holds
from spec.coprocessor.row import Form, Row
from spec.processor import SystemControl
from spec.psr import GUEST_MODES, T_BIT, is_hyp, it_state, mode
from spec.registers import REGISTERS, declared, read
from spec.words import Width, bit, bits, either, every, member

Encoding = tuple[int, int, int, int]
"""The fields opc1, CRn, CRm and opc2; those that a form lacks are 0."""

SPACES: tuple[tuple[int, Form, tuple[range, range, range, range]], ...] = (
    *((coprocessor, Form.WORD, (range(8), range(16), range(16), range(8))) for coprocessor in (14, 15)),
    *((coprocessor, Form.DOUBLE, (range(16), range(1), range(16), range(1))) for coprocessor in (14, 15)),
    *((coprocessor, Form.MEMORY, (range(1), range(16), range(1), range(1))) for coprocessor in (14, 15)),
    (10, Form.WORD, (range(7, 8), range(16), range(1), range(1))),
)
"""Every encoding of a coprocessor instruction, by coprocessor and form."""


def holders(rows: tuple[Row, ...], coprocessor: int, form: Form) -> dict[Encoding, list[str]]:
    """The rows that hold each encoding of a coprocessor and form, by the rule `holds`."""
    found: dict[Encoding, list[str]] = {}
    for row in rows:
        if row.coprocessor == coprocessor and row.form is form:
            for encoding in product(row.opc1, row.crn, row.crm, row.opc2):
                if holds(row, *encoding):
                    found.setdefault(encoding, []).append(row.name)
    return found


def misclassified(rows: tuple[Row, ...], decoded: Callable[..., Row] = decode) -> Iterator[str]:
    """The encodings that no row holds, that several hold, or that decode to another row than holds them."""
    for coprocessor, form, fields in SPACES:
        held = holders(rows, coprocessor, form)
        for encoding in product(*fields):
            names = held.get(encoding, [])
            if names != [decoded(coprocessor, form, *encoding).name]:
                yield f"{form.name} p{coprocessor} {encoding}: held by {', '.join(names) or 'no row'}"


def encodings_classified(design: Design) -> Enumeration:
    """The enumeration of TOTAL."""
    size = sum(len(a) * len(b) * len(c) * len(d) for _, _, (a, b, c, d) in SPACES)
    return Enumeration("encodings of MCR, MRC, MCRR, MRRC, LDC, STC, VMRS and VMSR", size, tuple(misclassified(ROWS)))


TOTAL = Property(
    id="specification.classification_total",
    statement="Every encoding of a coprocessor access falls into exactly one row of the catalogue.",
    claims=("C31",),
    question="Is any coprocessor register forgotten?",
    kind=Kind.FINITE,
    about=(),
    holds=lambda *_: True,
    interesting=lambda *_: True,
    enumerate=encodings_classified,
)


FIXED = 0x01F0001F
"""The CPSR bits of mode, J and reserved: legal bits that a step leaves alone are legal behind it."""


def still_legal(old: Any, new: Any) -> bool:
    """Whether a context is legal, given that the one before it was; each is a processor or an image."""
    return status_legal(old.cpsr, new.cpsr, old.cp15, new.cp15)


def status_legal(old: int, new: int, before: SystemControl, after: SystemControl) -> bool:
    """Whether a CPSR and a VBAR are legal, given that the ones before them were: what did not change need not be asked.

    It is `policy.legal` wherever `policy.legal` holds of the old ones.
    """
    vectors = True if after.vbar is before.vbar else bits(after.vbar, 4, 0) == 0
    if new is old:
        return vectors
    kept = new & FIXED == old & FIXED
    return every(
        vectors,
        either(kept, every(member(mode(new), GUEST_MODES), new & FIXED & 0xFFFFFFE0 == 0)),
        either(bit(new, T_BIT) == 1, it_state(new) == 0),
    )


def legal_kept(design: Design, before: State, action: Action, after: State) -> bool:
    """The predicate of LEGAL_STATE: what a guest does, and what the highvisor does to it, keeps its context legal."""
    old, new = before.processors[action.cpu], after.processors[action.cpu]
    if isinstance(action, HighvisorHandles | UserSpaceRuns):
        vcpu = action.vcpu if isinstance(action, UserSpaceRuns) else old.thread.vcpu
        return still_legal(before.vcpus[vcpu].image, after.vcpus[vcpu].image)
    if old.thread.where is not Where.GUEST:
        return True
    if is_hyp(new.cpu.cpsr):
        return status_legal(old.cpu.cpsr, new.cpu.hyp.spsr_hyp, old.cpu.cp15, new.cpu.cp15)
    return still_legal(old.cpu, new.cpu)


def _explain_illegal(design: Design, before: State, action: Action, after: State) -> str:
    cpu = after.processors[action.cpu].cpu
    context = after.vcpus[after.processors[action.cpu].thread.vcpu].image if is_hyp(cpu.cpsr) else cpu
    return f"the context has CPSR={context.cpsr:#x} and VBAR={context.cp15.vbar:#x}, which no hardware can have"


LEGAL_STATE = Property(
    id="specification.legal_state",
    statement="Nothing that a guest does, and nothing that the highvisor does for it, leads to a mode or an execution "
    "state that hardware cannot have.",
    claims=(),
    question="What do the proofs assume of a guest's state, and is it so?",
    kind=Kind.STATE,
    about=(GuestExecutes, InterruptTaken, HighvisorHandles, UserSpaceRuns),
    holds=legal_kept,
    interesting=lambda d, b, a, s: b.processors[a.cpu].thread.where is Where.GUEST,
    explain=_explain_illegal,
)


def fit(before: Any, after: Any) -> bool:
    """Whether every word of a record that changed fits its declared width, as one formula."""
    if after is before:
        return True
    found: Any = True
    cls: Any = type(after)
    for name, kind in declared(cls).items():
        old, new = getattr(before, name), getattr(after, name)
        if new is old:
            continue
        if isinstance(kind, Width):
            found = found & every(new >= 0, new < (kind.limit or 1 << kind.bits))
        elif attrs.has(type(new)):
            found = found & fit(old, new)
    return found  # type: ignore[no-any-return]


def words_fit(design: Design, before: State, action: Action, after: State) -> bool:
    """The predicate of WORDS_FIT: of the processor, its stack and VFP area, and of the vCPU."""
    old, new = before.processors[action.cpu], after.processors[action.cpu]
    number = getattr(action, "vcpu", new.thread.vcpu)
    given, left = before.vcpus[number], after.vcpus[number]
    pushed = () if new.stack is old.stack else new.stack[_shared(old, new) :]
    return every(
        fit(old.cpu, new.cpu),
        fit(given.image, left.image),
        fit(given.run, left.run),
        fit(given.mmio, left.mmio),
        fit(old.host_vfp, new.host_vfp),
        *(every(word >= 0, word < 1 << 32) for word in pushed),
    )


def _shared(old: Physical, new: Physical) -> int:
    """How many words at the bottom of two stacks are the very same."""
    depth = 0
    for a, b in zip(old.stack, new.stack, strict=False):
        if a is not b:
            break
        depth += 1
    return depth


def _explain_wide(design: Design, before: State, action: Action, after: State) -> str:
    cpu = after.processors[action.cpu].cpu
    wide = [f"{n.upper()}={read(cpu, n):#x}" for n, r in REGISTERS.items() if not 0 <= read(cpu, n) < 1 << r.width]
    return f"too wide for their registers: {', '.join(wide[:4]) or 'a word of the stack or the image'}"


WORDS_FIT = Property(
    id="specification.words_fit",
    statement="After every step each register holds a word of its declared width.",
    claims=(),
    question="Does the arithmetic of the rules stay within the registers?",
    kind=Kind.STATE,
    about=(Action,),
    holds=words_fit,
    interesting=lambda d, b, a, s: s.processors[a.cpu].cpu is not b.processors[a.cpu].cpu,
    explain=_explain_wide,
)

PROPERTIES = (TOTAL, LEGAL_STATE, WORDS_FIT)
