"""The address translation operations, which ask what an access would meet and leave the answer in PAR.

ATS1C* ask stage 1 of PL1 and PL0, from PL1 or from Hyp mode, and answer with an intermediate physical address;
ATS12NSO* ask both stages, and ATS1H* the regime of Hyp mode, from Hyp mode only. The answer has one of two formats. All
operations translate by the live registers: a hypervisor that asks on behalf of a guest does so before it restores its
own.

Not modelled: external aborts on the walk of an operation, which are taken and not reported; the operations of Secure
state. No property depends on them.
"""

from enum import IntEnum

from attrs import frozen

from spec import exceptions
from spec.citations import arm, rule
from spec.exceptions import AbortKind
from spec.processor import Processor
from spec.psr import is_hyp
from spec.registers import write
from spec.sparse import Memory
from spec.syndrome import iss_data_abort, short_status
from spec.translation.attributes import Attributes, Cacheability, MemoryType, mair_byte
from spec.translation.hyp_regime import hyp_regime, hyp_stage1
from spec.translation.stage1 import Access, Regime, Stage1, denied
from spec.translation.translate import Translation, regime, stage1, translate
from spec.words import U1, U2, U3, U6, U32, U40, U64, bit, bits, choose, every, negate

F, LPAE = 0, 11
"""Bits of PAR: the translation failed, and the 64-bit format."""


class Ats(IntEnum):
    """The operations by name: bit 0 asks for a write and bit 1 for PL0, as opc2 of their encodings does."""

    ATS1CPR = 0
    ATS1CPW = 1
    ATS1CUR = 2
    ATS1CUW = 3
    ATS12NSOPR = 4
    ATS12NSOPW = 5
    ATS12NSOUR = 6
    ATS12NSOUW = 7
    ATS1HR = 8
    ATS1HW = 9


@frozen
class Answer:
    """What an operation finds."""

    status: U6
    """0 where the access may be made, else the `FaultStatus`."""
    second: U1
    """1 where stage 2 faults."""
    walk: U1
    """1 where it does so on the walk of stage 1."""
    pa: U40
    memory: Attributes
    supersection: U1


@rule(arm("B4.2.4"))
def asked(operation: Ats) -> Access:
    """The access that an operation asks about."""
    return Access(write=bit(operation, 0), fetch=0, privileged=bit(operation, 1) ^ 1, unaligned=0)


@rule(arm("B4.1.112"))
def mapped_64(pa: U40, memory: Attributes, unknown: U1) -> U64:
    """PAR in the 64-bit format where an address is mapped; NS is UNKNOWN outside Secure state."""
    return (
        (mair_byte(memory) << 56) | (bits(pa, 39, 12) << 12) | (1 << LPAE) | (unknown << 9) | (memory.shareability << 7)
    )


@rule(arm("B4.1.112"))
def failed_64(status: U6, second: U1, walk: U1) -> U64:
    """PAR in the 64-bit format where a translation fails, by stage 2 or on the walk of stage 1 through stage 2."""
    return (1 << LPAE) | (second << 9) | (walk << 8) | (status << 1) | (1 << F)


@rule(arm("B4.1.112"))
def mapped_32(pa: U40, memory: Attributes, supersection: U1, unknown: U2) -> U64:
    """PAR in the 32-bit format where an address is mapped; it has room for 40 bits of a supersection's address.

    `unknown` is what NS takes (bit 0), and NOS of memory that is not shareable (bit 1).
    """
    wide = (bits(pa, 31, 24) << 24) | (bits(pa, 39, 32) << 16)
    address = choose(supersection == 1, wide, bits(pa, 31, 12) << 12)
    shared = choose(memory.shareability > 0, 1, 0)
    nos = choose(shared == 1, bit(memory.shareability, 0), bit(unknown, 1))
    fields = (nos << 10) | (bit(unknown, 0) << 9) | (shared << 7) | (supersection << 1)
    return address | fields | (inner_32(memory) << 4) | (short_cacheability(memory.outer, memory.outer_hints) << 2)


@rule(arm("B4.1.112"))
def failed_32(status: U6) -> U64:
    """PAR in the 32-bit format where stage 1 faults."""
    return (short_status(status) << 1) | (1 << F)


@rule(arm("B4.1.112"))
def inner_32(memory: Attributes) -> U3:
    """The Inner field of the 32-bit format, which also holds the memory type."""
    cached = choose(memory.inner > Cacheability.NON_CACHEABLE, 4, 0)
    normal = cached | short_cacheability(memory.inner, memory.inner_hints)
    ordered = choose(memory.type == MemoryType.DEVICE, 3, 1)
    return choose(memory.type == MemoryType.NORMAL, normal, ordered)


@rule(arm("B4.1.112"), arm("B3.8.2"))
def short_cacheability(cacheability: U2, hints: U2) -> U2:
    """Cacheability as PAR's 32-bit format encodes it: 1 Write-Back allocating, 2 Write-Through, 3 Write-Back."""
    back = choose(bit(hints, 0) == 1, 1, 3)
    cached = choose(cacheability == Cacheability.WRITE_BACK, back, 2)
    return choose(cacheability > Cacheability.NON_CACHEABLE, cached, 0)


@rule(arm("B4.2.4"))
def stage1_answer(first: Stage1, access: Access) -> Answer:
    """What an operation on one stage finds."""
    refused = choose(first.status > 0, first.status, denied(first, access))
    return Answer(refused, first.walk, first.walk, first.ipa, first.attributes, first.supersection)


@rule(arm("B4.2.4"))
def stage12_answer(translation: Translation) -> Answer:
    """What an operation on both stages finds."""
    first, second = translation.first, choose(translation.stage == 2, 1, 0)
    return Answer(translation.status, second, first.walk, translation.pa, translation.attributes, first.supersection)


@rule(arm("B4.1.112"))
def par(answer: Answer, long: U1, unknown: U2) -> U64:
    """PAR after an operation; `long` is 1 for the 64-bit format, `unknown` as for `mapped_32`."""
    found = mapped_32(answer.pa, answer.memory, answer.supersection, unknown)
    found = choose(long == 1, mapped_64(answer.pa, answer.memory, bit(unknown, 0)), found)
    failed = choose(long == 1, failed_64(answer.status, answer.second, answer.walk), failed_32(answer.status))
    return choose(answer.status == 0, found, failed)


@rule(arm("B4.2.4"), arm("B4.1.112"))
def asked_from_hyp(memory: Memory, regime: Regime, va: U32, access: Access, unknown: U2) -> U64:
    """PAR after ATS1C* in Hyp mode, always in the 64-bit format: where stage 1 of PL1 and PL0 puts an address.

    This is how a hypervisor learns the address that HPFAR leaves UNKNOWN. A stage 2 fault on the walk is reported.
    """
    return par(stage1_answer(stage1(memory, regime, va, access), access), 1, unknown)


@rule(arm("B4.2.4"), arm("B3.13.6"), arm("B3.13.7"))
def ats1c(cpu: Processor, memory: Memory, va: U32, access: Access, unknown: U64) -> Processor:
    """The processor after ATS1C*, except for PC where it completes.

    From PL1 a stage 2 fault on the walk is no answer but a data abort to Hyp mode, with HSR.CM and S1PTW set and the
    descriptor's address in HPFAR; PAR is then UNKNOWN.
    """
    live = regime(cpu)
    first = stage1(memory, live, va, access)
    if every(first.walk == 1, negate(is_hyp(cpu.cpsr))):
        iss = iss_data_abort(0, 0, 0, 0, 0, 1, 1, 1, first.status)
        spoilt = write(cpu, "par", unknown)
        page = bits(first.ipa, 39, 12)
        return exceptions.take_data_abort(spoilt, AbortKind.STAGE2, iss, va, page, 1, bits(unknown, 31, 0))
    long = choose(is_hyp(cpu.cpsr), 1, live.long)
    return write(cpu, "par", par(stage1_answer(first, access), long, bits(unknown, 1, 0)))


@rule(arm("B4.2.4"))
def address_translation(cpu: Processor, memory: Memory, operation: Ats, va: U32, unknown: U64) -> Processor:
    """The processor after a permitted address translation operation on `va`, except for PC where it completes."""
    access, left = asked(operation), bits(unknown, 1, 0)
    if operation < Ats.ATS12NSOPR:
        return ats1c(cpu, memory, va, access, unknown)
    live = regime(cpu)
    if operation < Ats.ATS1HR:
        long = live.long | live.stage2
        return write(cpu, "par", par(stage12_answer(translate(memory, live, va, access)), long, left))
    first = hyp_stage1(memory, hyp_regime(cpu), va, access)
    return write(cpu, "par", par(stage1_answer(first, access), 1, left))
