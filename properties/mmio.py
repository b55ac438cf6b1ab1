"""Accesses to emulated devices are carried out as the guest's instruction says, each exactly once."""

from model.action import Action
from model.actions import HighvisorHandles, HostRunsVcpu, UserSpaceAnswers, UserSpaceRuns, UserSpaceWrites
from model.design import Design, ExitCode, Skipping
from model.highvisor import mmio
from model.highvisor.emulate import skip_instruction
from model.highvisor.exits import MemoryAnswer
from model.highvisor.mmio import ExitReason
from model.lowvisor.context import Image
from model.state import Standing, State, Vcpu
from properties.property import Kind, Property
from spec.banking import read_below_hyp, write_below_hyp
from spec.psr import T_BIT, Mode, advance_it
from spec.syndrome import DataAbortSyndrome, ExceptionClass, decode_data_abort
from spec.words import U32, add, bit, bits, choose, either, every, implies, member, negate, same, select

ASSUMED = ("mmio.awaited", "mmio.remembered")
"""What the proofs take for granted of the state before a step."""
TRAPS = (ExitCode.HVC, ExitCode.DATA_ABORT, ExitCode.PREF_ABORT)
MASKS = (0xFF, 0xFFFF, 0xFFFFFFFF)
"""The bytes of a register that an access moves, by HSR.SAS."""


def vcpu_of(state: State, action: Action) -> Vcpu:
    """The vCPU that a step is about."""
    number = getattr(action, "vcpu", None)
    return state.vcpus[state.processors[action.cpu].thread.vcpu if number is None else number]


def syndrome_of(image: Image) -> DataAbortSyndrome:
    """The access that the syndrome of the last exit describes."""
    return decode_data_abort(bits(image.hsr, 24, 0))


def accesses_device(before: State, action: Action) -> bool:
    """Whether the highvisor handles an access to a device: outside every memory slot, and described by its syndrome."""
    if not isinstance(action, HighvisorHandles) or action.answer == MemoryAnswer.MAPPED:
        return False
    if before.processors[action.cpu].thread.code not in TRAPS:
        return False
    hsr = vcpu_of(before, action).image.hsr
    access = decode_data_abort(bits(hsr, 24, 0))
    return every(
        bits(hsr, 31, 26) == ExceptionClass.DABT,
        hsr & 0x3C == 0x04,
        access.isv == 1,
        access.external == 0,
        access.walk == 0,
        access.sas != 3,
    )


def leaves_outstanding(before: State, action: Action) -> bool:
    """Whether the highvisor handles an access to a device that user space emulates."""
    user = isinstance(action, HighvisorHandles) and action.answer == MemoryAnswer.DEVICE
    return every(user, accesses_device(before, action))


def awaited_load(before: State, action: Action) -> bool:
    """Whether KVM_RUN is called for a load that is outstanding."""
    vcpu = vcpu_of(before, action)
    waits = isinstance(action, UserSpaceRuns) and vcpu.mmio.needed == 1
    return every(waits, syndrome_of(vcpu.image).write == 0)


def decided(design: Design, before: State, action: Action, after: State) -> bool:
    """The predicate of DECIDED."""
    assert isinstance(action, HighvisorHandles)
    if before.processors[action.cpu].thread.code not in TRAPS:
        return True
    vcpu, left = vcpu_of(before, action), vcpu_of(after, action)
    hsr, access = vcpu.image.hsr, syndrome_of(vcpu.image)
    fetch, data = (bits(hsr, 31, 26) == ec for ec in (ExceptionClass.IABT, ExceptionClass.DABT))
    known = member(hsr & 0x3C, (0x04, 0x0C))
    kept = every(same(left.image, vcpu.image), same(left.run, vcpu.run), same(left.mmio, vcpu.mmio))
    error = every(kept, left.standing is Standing.IN_USER_SPACE)
    if action.answer == MemoryAnswer.MAPPED:
        retried = every(kept, left.standing is Standing.READY)
        return implies(either(fetch, data), choose(known, retried, error))
    given_fetch = every(known, fetch)
    given_data = every(data, hsr & 0x3C == 0x04, access.isv == 1, either(access.external == 1, access.walk == 1))
    rest = negate(either(given_fetch, given_data, accesses_device(before, action)))
    return every(
        implies(given_fetch, every(enters_abort(left, 0x0C), left.image.cp15.ifar == vcpu.image.hxfar)),
        implies(given_data, every(enters_abort(left, 0x10), left.image.cp15.dfar == vcpu.image.hxfar)),
        implies(every(either(fetch, data), rest), error),
    )


def enters_abort(vcpu: Vcpu, vector: int) -> bool:
    """Whether the vCPU goes on at one of its own abort vectors."""
    at_vector = every(bits(vcpu.image.pc, 4, 0) == vector, vcpu.image.cpsr & 0x1F == Mode.ABT)
    return every(at_vector, vcpu.standing is Standing.READY)


DECIDED = Property(
    id="mmio.decided",
    statement="A stage 2 fault repeats behind a mapping, is an access to a device, enters the guest's abort handler "
    "or ends in an error, as its syndrome and the memory slots say.",
    claims=("C13", "C14"),
    question="Which stage 2 faults are accesses to devices?",
    kind=Kind.STEP,
    assumes=ASSUMED,
    about=(HighvisorHandles,),
    holds=decided,
    interesting=lambda d, b, a, s: every(
        isinstance(a, HighvisorHandles) and a.answer != MemoryAnswer.MAPPED,
        bits(vcpu_of(b, a).image.hsr, 31, 26) == ExceptionClass.DABT,
    ),
    explain=lambda d, b, a, s: (
        f"HSR is {vcpu_of(b, a).image.hsr:#010x}; the vCPU goes on at {vcpu_of(s, a).image.pc:#x} and "
        f"{vcpu_of(s, a).standing.value}"
    ),
)


def received(data: int, access: DataAbortSyndrome) -> U32:
    """What the register of a load gets of the bytes that the device gave."""
    plain = data & select(MASKS, access.sas)
    top = select((bit(data, 7), bit(data, 15), 0), access.sas)
    above = select((0xFFFFFF00, 0xFFFF0000, 0), access.sas)
    return plain | choose(every(access.sse == 1, top == 1), above, 0)


def behind(image: Image) -> tuple[U32, U32]:
    """PC and CPSR behind the instruction that trapped."""
    narrow = every(bit(image.cpsr, T_BIT) == 1, bit(image.hsr, 25) == 0)
    return add(image.pc, choose(narrow, 2, 4), 32), advance_it(image.cpsr)


def place(image: Image) -> tuple[U32, U32]:
    """PC and CPSR."""
    return image.pc, image.cpsr


def described(design: Design, before: State, action: Action, after: State) -> bool:
    """The predicate of DESCRIBED."""
    assert isinstance(action, HighvisorHandles)
    if action.answer != MemoryAnswer.DEVICE:
        return True
    image, told = vcpu_of(before, action).image, vcpu_of(after, action).run
    access = syndrome_of(image)
    mask = select(MASKS, access.sas)
    stored = read_below_hyp(image, access.srt) & mask
    as_it_is = every(
        told.exit_reason == ExitReason.MMIO,
        told.phys_addr == (bits(image.hpfar, 31, 4) << 12) | bits(image.hxfar, 11, 0),
        told.length == select((1, 2, 4), access.sas),
        choose(access.write == 1, told.is_write != 0, told.is_write == 0),
        implies(access.write == 1, told.data & mask == stored),
    )
    return implies(accesses_device(before, action), as_it_is)


DESCRIBED = Property(
    id="mmio.described",
    statement="User space is told of an access to a device what the guest's instruction does: where, in which "
    "direction, how wide, and of a store the bytes of its register.",
    claims=("C14",),
    question="Can a device take one access for another?",
    kind=Kind.STEP,
    assumes=ASSUMED,
    about=(HighvisorHandles,),
    holds=described,
    interesting=lambda d, b, a, s: leaves_outstanding(b, a),
    explain=lambda d, b, a, s: told_explanation(b, a, s),
)


def told_explanation(before: State, action: Action, after: State) -> str:
    """What user space is told, beside the syndrome."""
    told, image = vcpu_of(after, action).run, vcpu_of(before, action).image
    kind = "store" if told.is_write else "load"
    told_data = f" of {told.data:#x}" if told.is_write else ""
    return (
        f"told: exit reason {told.exit_reason}, {kind} of {told.length} bytes at {told.phys_addr:#x}{told_data}; "
        f"HSR is {image.hsr:#010x}, HPFAR {image.hpfar:#010x}, HDFAR {image.hxfar:#010x}, "
        f"the register {read_below_hyp(image, syndrome_of(image).srt):#x}"
    )


def delivered(design: Design, before: State, action: Action, after: State) -> bool:
    """The predicate of DELIVERED."""
    vcpu = vcpu_of(before, action)
    image, now, access = vcpu.image, vcpu_of(after, action).image, syndrome_of(vcpu.image)
    if isinstance(action, HighvisorHandles):
        about, gets = accesses_device(before, action), every(action.answer == MemoryAnswer.IN_KERNEL, access.write == 0)
        data: int = action.data
    else:
        about, gets, data = True, every(vcpu.mmio.needed == 1, access.write == 0), vcpu.run.data
    expected = choose(gets, write_below_hyp(image, access.srt, received(data, access)), image)
    apart = tuple(same(getattr(now, n), getattr(expected, n)) for n in COMPARED)
    return implies(about, every(*apart))


COMPARED = tuple(name for name in Image.__annotations__ if name not in ("pc", "cpsr"))
"""All that a vCPU has besides its place in the program."""


DELIVERED = Property(
    id="mmio.delivered",
    statement="A completed load leaves in its register, as the guest's mode sees it, the bytes that the device gave, "
    "in the width and with the sign that the instruction asks for; no other register changes, and none by a store.",
    claims=("C14",),
    question="Can a device's answer end up in another register, or as another value?",
    kind=Kind.STEP,
    assumes=ASSUMED,
    about=(HighvisorHandles, UserSpaceRuns),
    holds=delivered,
    interesting=lambda d, b, a, s: awaited_load(b, a),
    explain=lambda d, b, a, s: delivery_explanation(b, a, s),
)


def delivery_explanation(before: State, action: Action, after: State) -> str:
    """What the register got, beside what it should get."""
    vcpu, now = vcpu_of(before, action), vcpu_of(after, action).image
    access = syndrome_of(vcpu.image)
    data = action.data if isinstance(action, HighvisorHandles) else vcpu.run.data
    due = isinstance(action, HighvisorHandles) or vcpu.mmio.needed == 1
    if not due:
        return f"no access is outstanding, but r{vcpu.mmio.rt} of the guest's mode or another register changed"
    register = f"r{access.srt} of the guest's mode"
    if access.write == 1:
        return f"a store of {register} changed a register"
    return f"{register} is {read_below_hyp(now, access.srt):#x}; the load gives {received(data, access):#x}"


def stepped_over(design: Design, before: State, action: Action, after: State) -> bool:
    """The predicate of STEPPED_OVER."""
    vcpu, now = vcpu_of(before, action), vcpu_of(after, action).image
    if isinstance(action, HighvisorHandles):
        later = design.mmio.skips is Skipping.AT_COMPLETION and action.answer == MemoryAnswer.DEVICE
        expected = place(vcpu.image) if later else behind(vcpu.image)
        return implies(accesses_device(before, action), same(place(now), expected))
    completed = same(place(now), (vcpu.mmio.pc, vcpu.mmio.cpsr))
    return choose(vcpu.mmio.needed == 1, completed, same(place(now), place(vcpu.image)))


STEPPED_OVER = Property(
    id="mmio.stepped_over_once",
    statement="An instruction that accesses a device is stepped over once, whether the kernel or user space completes "
    "it, and however often user space calls KVM_RUN.",
    claims=("C14",),
    question="Can the guest lose an instruction behind an access to a device, or make the access twice?",
    kind=Kind.STEP,
    assumes=ASSUMED,
    about=(HighvisorHandles, UserSpaceRuns),
    holds=stepped_over,
    interesting=lambda d, b, a, s: every(isinstance(a, UserSpaceRuns), vcpu_of(b, a).mmio.needed == 1),
    explain=lambda d, b, a, s: f"the PC was {vcpu_of(b, a).image.pc:#x} and is {vcpu_of(s, a).image.pc:#x}",
)


def completed_once(design: Design, before: State, action: Action, after: State) -> bool:
    """The predicate of COMPLETED_ONCE."""
    vcpu = vcpu_of(before, action)
    completes, needed = mmio.completes(design, vcpu.run, vcpu.mmio), vcpu.mmio.needed == 1
    return every(implies(completes, needed), implies(needed, completes))


COMPLETED_ONCE = Property(
    id="mmio.completed_once",
    statement="KVM_RUN completes an access exactly where one is outstanding, whatever user space has written.",
    claims=("C14",),
    question="Can an access be completed twice, or never?",
    kind=Kind.STEP,
    assumes=ASSUMED,
    about=(UserSpaceRuns,),
    holds=completed_once,
    interesting=lambda d, b, a, s: vcpu_of(b, a).mmio.needed == 1,
    explain=lambda d, b, a, s: completion_explanation(design=d, vcpu=vcpu_of(b, a)),
)


def completion_explanation(design: Design, vcpu: Vcpu) -> str:
    """Which of the two went wrong, with the exit reason that user space left."""
    reason = f"the exit reason is {vcpu.run.exit_reason}"
    if mmio.completes(design, vcpu.run, vcpu.mmio):
        return f"no access is outstanding, and KVM_RUN completes one into r{vcpu.mmio.rt}: {reason}"
    return f"an access is outstanding, and KVM_RUN does not complete it: {reason}"


def awaited(design: Design, before: State, action: Action, after: State) -> bool:
    """The predicate of AWAITED."""
    if isinstance(action, HostRunsVcpu):
        return vcpu_of(before, action).mmio.needed == 0
    vcpu = vcpu_of(after, action)
    return either(vcpu.mmio.needed == 0, vcpu.standing is Standing.IN_USER_SPACE)


AWAITED = Property(
    id="mmio.awaited",
    statement="A vCPU whose access to a device is outstanding does not run.",
    claims=("C14",),
    question="Can a guest run on before its device has answered?",
    kind=Kind.STEP,
    assumes=ASSUMED,
    about=(HighvisorHandles, UserSpaceAnswers, UserSpaceWrites, UserSpaceRuns, HostRunsVcpu),
    holds=awaited,
    interesting=lambda d, b, a, s: leaves_outstanding(b, a),
    explain=lambda d, b, a, s: "the vCPU can run although its access is outstanding",
)


def as_remembered(design: Design, vcpu: Vcpu) -> bool:
    """Whether what a vCPU remembers of an outstanding access is what its syndrome describes."""
    kept, access, image = vcpu.mmio, syndrome_of(vcpu.image), vcpu.image
    if design.mmio.skips is Skipping.AT_COMPLETION:
        image = skip_instruction(image, design.skip.advances_it)
    return implies(
        kept.needed == 1,
        every(
            same((kept.rt, kept.sign_extend, kept.write), (access.srt, access.sse, access.write)),
            kept.length == select((1, 2, 4), access.sas),
            negate(access.sas == 3),
            either(design.mmio.skips is Skipping.NEVER, same(place(image), (kept.pc, kept.cpsr))),
        ),
    )


REMEMBERED = Property(
    id="mmio.remembered",
    statement="While an access to a device is outstanding, the kernel remembers it as the guest's instruction says.",
    claims=("C14",),
    question="On what do the proofs of the completion rest?",
    kind=Kind.STEP,
    assumes=ASSUMED,
    about=(HighvisorHandles, UserSpaceAnswers, UserSpaceWrites, UserSpaceRuns),
    holds=lambda d, b, a, s: as_remembered(d, vcpu_of(s, a)),
    interesting=lambda d, b, a, s: vcpu_of(s, a).mmio.needed == 1,
    explain=lambda d, b, a, s: f"remembered: {vcpu_of(s, a).mmio}; HSR is {vcpu_of(s, a).image.hsr:#010x}",
)

PROPERTIES = (DESCRIBED, DECIDED, DELIVERED, STEPPED_OVER, COMPLETED_ONCE, AWAITED, REMEMBERED)
