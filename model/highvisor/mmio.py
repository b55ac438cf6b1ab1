"""Accesses to emulated devices: which stage 2 faults are such accesses, what the device is told, what the guest gets.

A guest's load or store outside every memory slot is carried out by a device that the highvisor or user space emulates.
User space hears of it in a structure that it shares with the kernel (struct kvm_run), and calls KVM_RUN again when it
has put its answer there. The kernel remembers in the vCPU which register waits (mmio_decode).

Not modelled: the byte order of a guest with CPSR.E set (Linux has reversed the data since 3.14; `mmio.delivered` and
`mmio.described` speak of bytes in the host's order); a user space that changes registers by KVM_SET_ONE_REG while an
access is outstanding, which weakens `mmio.delivered`, but harms its own VM alone.
"""

from enum import Enum, IntEnum

from attrs import evolve, frozen

from model.design import Completion, Design
from model.highvisor import emulate
from model.lowvisor.context import Image
from spec import syndrome
from spec.banking import read_below_hyp, write_below_hyp
from spec.citations import linux, rule
from spec.syndrome import ExceptionClass
from spec.words import U1, U3, U4, U8, U32, U40, U64, bit, bits, choose, either, every, find, member, negate, select

MMIO = "arch/arm/kvm/mmio.c"
MMU = "arch/arm/kvm/mmu.c"
TRANSLATION, PERMISSION = 0x04, 0x0C
"""The fault status of stage 2 faults, without their level."""


class Decision(Enum):
    """What the highvisor does with a stage 2 fault."""

    MAP = "maps the page of the memory slot"
    MMIO = "carries out the access for an emulated device"
    INJECT_PREFETCH = "gives the guest a prefetch abort"
    INJECT_DATA = "gives the guest a data abort"
    ERROR_NOSYS = "returns -ENOSYS to user space: no instruction is decoded in software"
    ERROR_FAULT = "returns -EFAULT to user space"


class ExitReason(IntEnum):
    """Why KVM_RUN returned, as user space reads it: KVM_EXIT_* of linux/kvm.h."""

    UNKNOWN = 0
    MMIO = 6
    INTR = 10


@frozen
class KvmRun:
    """What the kernel and user space share about a vCPU (struct kvm_run); user space may write anything there."""

    exit_reason: U32
    phys_addr: U40
    length: U32
    """The bytes of `data` that the access is about."""
    is_write: U8
    data: U64
    """The bytes of the access, the first lowest."""


@frozen
class Access:
    """What the kernel remembers of a vCPU's last access to a device."""

    rt: U4
    sign_extend: U1
    length: U3
    write: U1
    needed: U1
    """1 while the access is outstanding; Linux 3.12 has no such flag, and there it is history for the properties."""
    pc: U32
    """History: the PC behind the instruction whose access is outstanding."""
    cpsr: U32
    """History: CPSR behind that instruction."""


NO_RUN = KvmRun(ExitReason.UNKNOWN, 0, 0, 0, 0)
NO_ACCESS = Access(0, 0, 0, 0, 0, 0, 0)


@rule(linux(MMU, "kvm_handle_guest_abort"))
def abort_decision(hsr: U32, in_slot: U1) -> Decision:
    """What follows from a stage 2 fault's syndrome and from whether a memory slot holds its page."""
    if negate(member(hsr & 0x3C, (TRANSLATION, PERMISSION))):
        return Decision.ERROR_FAULT
    if in_slot == 1:
        return Decision.MAP
    if bits(hsr, 31, 26) == ExceptionClass.IABT:
        return Decision.INJECT_PREFETCH
    if hsr & 0x3C == PERMISSION:
        return Decision.ERROR_FAULT
    return device_decision(hsr)


@rule(linux(MMIO, "io_mem_abort"), linux(MMIO, "decode_hsr"))
def device_decision(hsr: U32) -> Decision:
    """What follows from a data abort outside every memory slot."""
    access = syndrome.decode_data_abort(bits(hsr, 24, 0))
    if access.isv == 0:
        return Decision.ERROR_NOSYS
    if (access.external == 1) | (access.walk == 1):
        return Decision.INJECT_DATA
    if access.sas == 3:
        return Decision.ERROR_FAULT
    return Decision.MMIO


@rule(linux(MMU, "kvm_handle_guest_abort"), linux("arch/arm/include/asm/kvm_emulate.h", "kvm_vcpu_get_fault_ipa"))
def fault_ipa(design: Design, image: Image) -> U40:
    """The IPA of a data abort: its page from HPFAR, the place in the page from the faulting address."""
    page = bits(image.hpfar, 31, 4) << 12
    return page | bits(image.hxfar, 11, 0) if design.mmio.adds_offset else page


@rule(linux(MMIO, "decode_hsr"))
def decode_hsr(design: Design, image: Image) -> Access:
    """The access that a data abort's syndrome describes, outstanding."""
    access = syndrome.decode_data_abort(bits(image.hsr, 24, 0))
    behind = emulate.skip_instruction(image, design.skip.advances_it)
    length = select((*design.mmio.lengths, 0), access.sas)
    return Access(access.srt, access.sse, length, access.write, 1, behind.pc, behind.cpsr)


@rule(linux(MMIO, "io_mem_abort"), linux("arch/arm/include/asm/kvm_mmio.h", "kvm_prepare_mmio"))
def prepare(design: Design, image: Image, access: Access) -> KvmRun:
    """What a device is told of an access; of a store, the low bytes of its register as the guest's mode sees it.

    Linux leaves the bytes of `data` beyond the length as they were; here they are 0.
    """
    user = evolve(image, cpsr=0x10)
    value = read_below_hyp(image if design.mmio.banked else user, access.rt)
    data = choose(access.write == 1, low_bytes(value, access.length), 0)
    return KvmRun(ExitReason.MMIO, fault_ipa(design, image), access.length, access.write, data)


def low_bytes(value: U64, length: U32) -> U32:
    """The first bytes of a value as a number; 0 where more than four are asked for."""
    table = ((1, value & 0xFF), (2, value & 0xFFFF), (3, value & 0xFFFFFF), (4, value & 0xFFFFFFFF))
    return find(table, length, 0)


@rule(linux(MMIO, "kvm_handle_mmio_return"))
def extended(value: U32, length: U32) -> U32:
    """A value of less than four bytes with its sign in the bytes above."""
    top = find(((1, bit(value, 7)), (2, bit(value, 15)), (3, bit(value, 23))), length, 0)
    above = find(((1, 0xFFFFFF00), (2, 0xFFFF0000), (3, 0xFF000000)), length, 0)
    return value | choose(top == 1, above, 0)


@rule(linux(MMIO, "kvm_handle_mmio_return"))
def handle_mmio_return(design: Design, image: Image, run: KvmRun, access: Access) -> Image:
    """The vCPU whose access the device has answered: a load's register has the bytes, zero or sign extended.

    A length of more than four is refused behind the clearing of the register.
    """
    table = design.mmio
    length = run.length if table.trusts_run else access.length
    write = (run.is_write != 0) if table.trusts_run else (access.write == 1)
    plain = low_bytes(run.data, length)
    signed = every(access.sign_extend == 1, table.extends_sign)
    value = choose(signed, extended(plain, length), plain)
    kept = either(write, negate(table.delivers))
    return choose(kept, image, write_below_hyp(image, access.rt, value))


@rule(linux(MMIO, "kvm_handle_mmio_return"))
def refused(design: Design, run: KvmRun) -> bool:
    """Whether the completion ends in -EINVAL: user space has written a length that no register holds."""
    return every(design.mmio.trusts_run, run.is_write == 0, run.length > 4)


@rule(linux("arch/arm/kvm/arm.c", "kvm_arch_vcpu_ioctl_run"))
def completes(design: Design, run: KvmRun, access: Access) -> bool:
    """Whether KVM_RUN starts with the completion of an access."""
    if design.mmio.completion is Completion.EXIT_REASON:
        return run.exit_reason == ExitReason.MMIO
    return access.needed == 1


def answered(access: Access) -> Access:
    """The access when it is no longer outstanding."""
    return evolve(access, needed=0, pc=0, cpsr=0)
