"""What the highvisor does with an exit: the dispatch by exit code and exception class, and each handler."""

from enum import Enum, IntEnum

from attrs import evolve, frozen

from model.design import Design, Emulated, Emulation, ExitCode, Handler, Skipping
from model.highvisor import emulate, mmio
from model.highvisor.mmio import Access, Decision, KvmRun
from model.lowvisor.context import Image
from spec import syndrome
from spec.banking import write_below_hyp
from spec.citations import linux, rule
from spec.coprocessor.decode import ROW
from spec.registers import write
from spec.words import U4, U32, bit, bits, choose, every, member, put

HANDLE_EXIT = "arch/arm/kvm/handle_exit.c"
COPROC = "arch/arm/kvm/coproc.c"
PSCI_FIRST, PSCI_LAST = 0x95C1BA5E, 0x95C1BA61
PSCI_NOT_IMPLEMENTED = 0xFFFFFFFF


class Result(Enum):
    """What the run loop does next."""

    RESUME = "enters the guest again"
    BLOCKED = "sleeps until the vCPU can run"
    YIELDED = "lets another vCPU run, then enters the guest again"
    USER_SPACE = "returns to user space with a request"
    ERROR = "returns to user space with an error"
    HOST_CRASHED = "stops the machine"


class Progress(Enum):
    """How a handler makes sure that the guest does not trap for the same reason for ever."""

    SKIPPED = "the instruction was emulated and stepped over"
    INJECTED = "the guest enters an exception handler of its own"
    RETRIED = "the cause is removed, the instruction executes again"
    WAITS = "the instruction waits for something that will happen"
    CALLED = "the call was performed; its return address is the next instruction"
    LEFT = "user space decides"
    NONE = "nothing changed"


class MemoryAnswer(IntEnum):
    """What the highvisor finds at a faulting IPA: the environment's choice until memory slots are modelled."""

    MAPPED = 0
    """A memory slot holds the page, and maps it."""
    DEVICE = 1
    """No memory slot holds the page: user space has to know the device."""
    IN_KERNEL = 2
    """No memory slot holds the page, and the virtual distributor accepts the access."""


@frozen
class Exit:
    """What came of an exit: the vCPU's new image, what the run loop does next, and why the guest makes progress."""

    image: Image
    result: Result
    progress: Progress
    caches_elsewhere: bool = False
    """Whether every processor that runs this vCPU later cleans its caches first."""
    live_spsr: str | None = None
    """The processor's own register that received the old CPSR in place of the image."""
    run: KvmRun | None = None
    """What user space is told of an access to a device."""
    access: Access | None = None
    """What the vCPU remembers of it."""


@rule(linux(HANDLE_EXIT, "handle_exit"))
def handle_exit(
    design: Design, image: Image, code: int, answer: MemoryAnswer = MemoryAnswer.MAPPED, data: U32 = 0
) -> Exit:
    """The outcome of one exit by its code: an interrupt resumes, a bad exception in Hyp mode stops the machine.

    `answer` and `data` are what a memory access meets: what is at its IPA, and what the distributor's register holds.
    """
    match code:
        case ExitCode.IRQ | ExitCode.FIQ:
            return Exit(image, Result.RESUME, Progress.RETRIED)
        case ExitCode.UNDEFINED:
            return Exit(image, Result.HOST_CRASHED, Progress.NONE)
        case ExitCode.HVC | ExitCode.DATA_ABORT | ExitCode.PREF_ABORT:
            return handle_trap(design, image, answer, data)
    return Exit(image, Result.ERROR, Progress.LEFT)


@rule(linux(HANDLE_EXIT, "handle_exit"), linux("arch/arm/kvm/emulate.c", "kvm_condition_valid"))
def handle_trap(design: Design, image: Image, answer: MemoryAnswer, data: U32) -> Exit:
    """The outcome of a synchronous trap: by its class's handler, or stepped over where its condition fails."""
    if design.skip.checks_condition and not emulate.condition_valid(image):
        return skipped(design, image)
    handler = handler_of(design, bits(image.hsr, 31, 26))
    return run_handler(design, handler, image, answer, data)


@rule(linux(HANDLE_EXIT, "kvm_get_exit_handler"))
def handler_of(design: Design, ec: U32) -> Handler:
    """The handler of an exception class; one branch for each class that the table knows."""
    for candidate, handler in design.handlers:
        if ec == candidate:
            return handler
    return design.unknown_trap


@rule(linux(HANDLE_EXIT, "arm_exit_handlers"))
def run_handler(design: Design, handler: Handler, image: Image, answer: MemoryAnswer, data: U32) -> Exit:
    """The outcome of one handler."""
    match handler:
        case Handler.WFX:
            return wait(image)
        case Handler.CP15_32 | Handler.CP15_64:
            return emulate_cp15(design, image, handler is Handler.CP15_64)
        case Handler.HVC:
            return hypervisor_call(design, image)
        case Handler.SMC | Handler.INJECT_UNDEF:
            return undefined(design, image, after_call=False)
        case Handler.SMC_CALL:
            return skipped(design, write(image, "r0", PSCI_NOT_IMPLEMENTED))
        case Handler.SMC_CALL_UNSKIPPED:
            return Exit(write(image, "r0", PSCI_NOT_IMPLEMENTED), Result.RESUME, Progress.NONE)
        case Handler.GUEST_ABORT:
            return guest_abort(design, image, answer, data)
        case Handler.HYP_ABORT:
            return Exit(image, Result.ERROR, Progress.LEFT)
        case Handler.BUG:
            return Exit(image, Result.HOST_CRASHED, Progress.NONE)


@rule(linux(HANDLE_EXIT, "kvm_handle_wfi"), linux(HANDLE_EXIT, "kvm_handle_wfx", "3.13"))
def wait(image: Image) -> Exit:
    """A trapped WFI blocks the vCPU's thread, a trapped WFE yields; neither moves the PC."""
    if bit(image.hsr, 0) == 1:
        return Exit(image, Result.YIELDED, Progress.WAITS)
    return Exit(image, Result.BLOCKED, Progress.WAITS)


@rule(linux(HANDLE_EXIT, "handle_hvc"), linux("arch/arm/kvm/psci.c", "kvm_psci_call"))
def hypervisor_call(design: Design, image: Image) -> Exit:
    """A PSCI call answers NOT_IMPLEMENTED (power states are not modelled), any other is UNDEFINED in the guest."""
    r0 = image.general.r0
    if (r0 >= PSCI_FIRST) & (r0 <= PSCI_LAST):
        return Exit(write(image, "r0", PSCI_NOT_IMPLEMENTED), Result.RESUME, Progress.CALLED)
    return undefined(design, image, after_call=True)


def undefined(design: Design, image: Image, after_call: bool) -> Exit:
    """The guest enters its Undefined Instruction handler."""
    live = "spsr_und" if design.injection.to_live_register else None
    return Exit(emulate.inject_undef(design, image, after_call), Result.RESUME, Progress.INJECTED, live_spsr=live)


def skipped(design: Design, image: Image) -> Exit:
    """The guest goes on behind the trapped instruction."""
    return Exit(emulate.skip_instruction(image, design.skip.advances_it), Result.RESUME, Progress.SKIPPED)


@rule(linux("arch/arm/kvm/mmu.c", "kvm_handle_guest_abort"))
def guest_abort(design: Design, image: Image, answer: MemoryAnswer, data: U32) -> Exit:
    """A stage 2 fault maps a page and retries, is an access to a device, or goes to the guest as an abort."""
    match mmio.abort_decision(image.hsr, choose(answer == MemoryAnswer.MAPPED, 1, 0)):
        case Decision.MAP:
            return Exit(image, Result.RESUME, Progress.RETRIED)
        case Decision.MMIO:
            return device_access(design, image, answer == MemoryAnswer.IN_KERNEL, data)
        case Decision.INJECT_PREFETCH:
            return aborted(design, image, True)
        case Decision.INJECT_DATA:
            return aborted(design, image, False)
    return Exit(image, Result.ERROR, Progress.LEFT)


@rule(linux(mmio.MMIO, "io_mem_abort"), linux("arch/arm/kvm/vgic.c", "vgic_handle_mmio"))
def device_access(design: Design, image: Image, in_kernel: bool, data: U32) -> Exit:
    """An access to a device: the distributor completes it at once, any other device is user space's."""
    access = mmio.decode_hsr(design, image)
    run = mmio.prepare(design, image, access)
    behind = emulate.skip_instruction(image, design.skip.advances_it)
    if in_kernel:
        run = put(run, "data", choose(access.write == 1, run.data, data))
        left = image if design.mmio.skips is Skipping.NEVER else behind
        done = mmio.handle_mmio_return(design, left, run, access)
        told = run if design.mmio.reports_in_kernel else None
        return Exit(done, Result.RESUME, Progress.SKIPPED, run=told, access=mmio.answered(access))
    left = behind if design.mmio.skips is Skipping.AT_EXIT else image
    result = Result.USER_SPACE if design.mmio.awaits else Result.RESUME
    return Exit(left, result, Progress.LEFT, run=run, access=access)


def aborted(design: Design, image: Image, prefetch: bool) -> Exit:
    """The guest enters its abort handler, at the address that faulted."""
    live = "spsr_abt" if design.injection.to_live_register else None
    return Exit(
        emulate.inject_abort(design, image, prefetch, image.hxfar), Result.RESUME, Progress.INJECTED, live_spsr=live
    )


@rule(linux(COPROC, "kvm_handle_cp15_32"), linux(COPROC, "kvm_handle_cp15_64"), linux(COPROC, "emulate_cp15"))
def emulate_cp15(design: Design, image: Image, double: bool) -> Exit:
    """A trapped CP15 access by the table of emulated rows, decoded from the syndrome alone; UNDEF if there is none."""
    if double:
        return undefined(design, image, after_call=False)
    access = syndrome.decode_register_transfer(image.hsr)
    for entry in design.emulated:
        row = ROW[entry.row]
        if every(
            member(access.opc1, row.opc1),
            member(access.crn, row.crn),
            member(access.crm, row.crm),
            member(access.opc2, row.opc2),
        ):
            if access.read == 1:
                return emulate_read(design, image, entry, access.rt)
            return emulate_write(design, image, entry)
    return undefined(design, image, after_call=False)


@rule(linux(COPROC, "access_actlr"), linux(COPROC, "access_l2ctlr"), linux(COPROC, "read_zero"))
def emulate_read(design: Design, image: Image, entry: Emulated, rt: U4) -> Exit:
    """A trapped read delivers the vCPU's stored value or zero; what is not emulated is UNDEFINED in the guest."""
    match entry.reads:
        case Emulation.STORED:
            assert entry.stored is not None
            return skipped(design, write_below_hyp(image, rt, getattr(image, entry.stored)))
        case Emulation.ZERO:
            return skipped(design, write_below_hyp(image, rt, 0))
    return undefined(design, image, after_call=False)


@rule(linux(COPROC, "access_dcsw"), linux(COPROC, "ignore_write"))
def emulate_write(design: Design, image: Image, entry: Emulated) -> Exit:
    """A trapped write is ignored or performs the set/way operation, and is stepped over."""
    match entry.writes:
        case Emulation.IGNORE:
            return skipped(design, image)
        case Emulation.SET_WAY:
            return evolve(skipped(design, image), caches_elsewhere=True)
        case Emulation.SET_WAY_LOCALLY:
            return skipped(design, image)
    return undefined(design, image, after_call=False)
