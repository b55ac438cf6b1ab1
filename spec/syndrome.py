"""The syndrome words that describe an exception: HSR for Hyp mode, DFSR and IFSR for PL1.

HSR holds the exception class EC[31:26], the instruction length IL[25] and a syndrome ISS[24:0] whose layout depends on
the class. Every layout has a rule that encodes it (`iss_...`) and one that decodes it into a record (`decode_...`).
"""

from enum import IntEnum
from typing import Annotated

from attrs import frozen

from spec.citations import arm, rule
from spec.psr import condition_holds, current_condition, is_thumb
from spec.words import (
    U1,
    U2,
    U3,
    U4,
    U5,
    U6,
    U8,
    U16,
    U32,
    Width,
    bit,
    bits,
    choose,
    either,
    every,
    find,
    member,
    negate,
)

U25 = Annotated[int, Width(25)]
CV_BIT, WALK_BIT, ISV_BIT = 24, 7, 24


class ExceptionClass(IntEnum):
    """HSR.EC: why the exception was taken to Hyp mode."""

    UNKNOWN = 0x00
    WFX = 0x01
    CP15_32 = 0x03
    CP15_64 = 0x04
    CP14_32 = 0x05
    CP14_LS = 0x06
    CP_0_13 = 0x07
    CP10_ID = 0x08
    BXJ = 0x0A
    CP14_64 = 0x0C
    SVC_HYP = 0x11
    HVC = 0x12
    SMC = 0x13
    IABT = 0x20
    IABT_HYP = 0x21
    DABT = 0x24
    DABT_HYP = 0x25


class FaultStatus(IntEnum):
    """Fault status codes of the long-descriptor format: HSR.DFSC and IFSC, and DFSR and IFSR where TTBCR.EAE is 1."""

    TRANSLATION_1 = 0x05
    TRANSLATION_2 = 0x06
    TRANSLATION_3 = 0x07
    ACCESS_FLAG_1 = 0x09
    ACCESS_FLAG_2 = 0x0A
    ACCESS_FLAG_3 = 0x0B
    PERMISSION_1 = 0x0D
    PERMISSION_2 = 0x0E
    PERMISSION_3 = 0x0F
    SYNCHRONOUS_EXTERNAL = 0x10
    ASYNCHRONOUS_EXTERNAL = 0x11
    WALK_EXTERNAL_1 = 0x15
    WALK_EXTERNAL_2 = 0x16
    WALK_EXTERNAL_3 = 0x17
    PARITY = 0x18
    ASYNCHRONOUS_PARITY = 0x19
    WALK_PARITY_1 = 0x1D
    WALK_PARITY_2 = 0x1E
    WALK_PARITY_3 = 0x1F
    ALIGNMENT = 0x21
    DEBUG = 0x22
    TLB_CONFLICT = 0x30
    LOCKDOWN = 0x34
    COPROCESSOR = 0x3A
    DOMAIN_1 = 0x3D
    DOMAIN_2 = 0x3E


SHORT_STATUS: tuple[tuple[int, int], ...] = (
    (FaultStatus.TRANSLATION_1, 0b00101), (FaultStatus.TRANSLATION_2, 0b00111), (FaultStatus.ACCESS_FLAG_1, 0b00011),
    (FaultStatus.ACCESS_FLAG_2, 0b00110), (FaultStatus.DOMAIN_1, 0b01001), (FaultStatus.DOMAIN_2, 0b01011),
    (FaultStatus.PERMISSION_1, 0b01101), (FaultStatus.PERMISSION_2, 0b01111),
    (FaultStatus.SYNCHRONOUS_EXTERNAL, 0b01000), (FaultStatus.ASYNCHRONOUS_EXTERNAL, 0b10110),
    (FaultStatus.WALK_EXTERNAL_1, 0b01100), (FaultStatus.WALK_EXTERNAL_2, 0b01110), (FaultStatus.PARITY, 0b11001),
    (FaultStatus.ASYNCHRONOUS_PARITY, 0b11000), (FaultStatus.WALK_PARITY_1, 0b11100),
    (FaultStatus.WALK_PARITY_2, 0b11110), (FaultStatus.ALIGNMENT, 0b00001), (FaultStatus.DEBUG, 0b00010),
    (FaultStatus.TLB_CONFLICT, 0b10000), (FaultStatus.LOCKDOWN, 0b10100), (FaultStatus.COPROCESSOR, 0b11010),
)  # fmt: skip
"""Each long-descriptor code that the short-descriptor format can express, with its FS[4:0]."""


@rule(arm("B3.13.6"))
def length_is_reported(ec: U6, iss: U25) -> bool:
    """Whether HSR.IL is valid: not for UNKNOWN, prefetch aborts, and data aborts with ISV = 0."""
    data_abort = member(ec, (ExceptionClass.DABT, ExceptionClass.DABT_HYP))
    never = member(ec, (ExceptionClass.UNKNOWN, ExceptionClass.IABT, ExceptionClass.IABT_HYP))
    return negate(either(never, every(data_abort, bit(iss, ISV_BIT) == 0)))


@rule(arm("B3.13.6"))
def hsr(ec: U6, il: U1, iss: U25) -> U32:
    """The syndrome word; `il` is 1 for a 32-bit instruction, and is reported as 0 where the class leaves it unknown."""
    return (ec << 26) | (choose(length_is_reported(ec, iss), il, 0) << 25) | iss


@rule(arm("B3.13.6"))
def exception_class(syndrome: U32) -> U6:
    """EC, the reason for the exception."""
    return bits(syndrome, 31, 26)


@rule(arm("B3.13.6"))
def instruction_length(syndrome: U32) -> U1:
    """IL: 1 for a 32-bit instruction."""
    return bit(syndrome, 25)


@rule(arm("B3.13.6"))
def instruction_syndrome(syndrome: U32) -> U25:
    """ISS, the part whose layout depends on the exception class."""
    return bits(syndrome, 24, 0)


@rule(arm("B3.13.6"))
def iss_condition(cv: U1, cond: U4) -> U25:
    """CV and COND, which every trapped instruction's syndrome starts with; COND is 0 where it is not valid."""
    return (cv << CV_BIT) | (choose(cv == 1, cond, 0) << 20)


@rule(arm("B3.13.6"))
def reported_condition(condition: U4, cpsr: U32, thumb_valid: U1, as_is: U1) -> U25:
    """CV and COND of a trapped instruction with this condition field, executed with this CPSR.

    `thumb_valid` and `as_is` are IMPLEMENTATION DEFINED choices: whether CV is 1 in Thumb state, and whether a
    condition that passes is reported as it is rather than as 0b1110.
    """
    actual = current_condition(condition, cpsr)
    exact = either(as_is == 1, negate(condition_holds(actual, cpsr)))
    cond = choose(every(exact, negate(actual == 0xF)), actual, 0xE)
    return iss_condition(choose(is_thumb(cpsr) == 1, thumb_valid, 1), cond)


@frozen
class WaitSyndrome:
    """A trapped WFI or WFE."""

    cv: U1
    cond: U4
    wfe: U1


@rule(arm("B3.13.6"))
def iss_wfx(cv: U1, cond: U4, wfe: U1) -> U25:
    """The syndrome of class WFX; `wfe` is 1 for WFE and 0 for WFI."""
    return iss_condition(cv, cond) | wfe


@rule(arm("B3.13.6"))
def decode_wfx(iss: U25) -> WaitSyndrome:
    """The fields of a syndrome of class WFX."""
    return WaitSyndrome(bit(iss, CV_BIT), bits(iss, 23, 20), bit(iss, 0))


@frozen
class RegisterTransfer:
    """A trapped MCR, MRC or VMRS."""

    cv: U1
    cond: U4
    opc2: U3
    opc1: U3
    crn: U4
    rt: U4
    crm: U4
    read: U1


@rule(arm("B3.13.6"))
def iss_register_transfer(cv: U1, cond: U4, opc2: U3, opc1: U3, crn: U4, rt: U4, crm: U4, read: U1) -> U25:
    """The syndrome of classes CP15_32, CP14_32 and CP10_ID; `read` is 1 for MRC and 0 for MCR."""
    return iss_condition(cv, cond) | (opc2 << 17) | (opc1 << 14) | (crn << 10) | (rt << 5) | (crm << 1) | read


@rule(arm("B3.13.6"))
def decode_register_transfer(iss: U25) -> RegisterTransfer:
    """The fields of a syndrome of class CP15_32, CP14_32 or CP10_ID."""
    return RegisterTransfer(
        cv=bit(iss, CV_BIT), cond=bits(iss, 23, 20), opc2=bits(iss, 19, 17), opc1=bits(iss, 16, 14),
        crn=bits(iss, 13, 10), rt=bits(iss, 8, 5), crm=bits(iss, 4, 1), read=bit(iss, 0),
    )  # fmt: skip


@frozen
class DoubleTransfer:
    """A trapped MCRR or MRRC."""

    cv: U1
    cond: U4
    opc1: U4
    rt2: U4
    rt: U4
    crm: U4
    read: U1


@rule(arm("B3.13.6"))
def iss_double_transfer(cv: U1, cond: U4, opc1: U4, rt2: U4, rt: U4, crm: U4, read: U1) -> U25:
    """The syndrome of classes CP15_64 and CP14_64; `read` is 1 for MRRC and 0 for MCRR."""
    return iss_condition(cv, cond) | (opc1 << 16) | (rt2 << 10) | (rt << 5) | (crm << 1) | read


@rule(arm("B3.13.6"))
def decode_double_transfer(iss: U25) -> DoubleTransfer:
    """The fields of a syndrome of class CP15_64 or CP14_64."""
    return DoubleTransfer(
        cv=bit(iss, CV_BIT), cond=bits(iss, 23, 20), opc1=bits(iss, 19, 16), rt2=bits(iss, 13, 10),
        rt=bits(iss, 8, 5), crm=bits(iss, 4, 1), read=bit(iss, 0),
    )  # fmt: skip


@frozen
class LoadStoreCoprocessor:
    """A trapped LDC or STC."""

    cv: U1
    cond: U4
    imm8: U8
    rn: U4
    upwards: U1
    addressing: U3
    read: U1


@rule(arm("B3.13.6"))
def iss_load_store_coprocessor(cv: U1, cond: U4, imm8: U8, rn: U4, upwards: U1, addressing: U3, read: U1) -> U25:
    """The syndrome of class CP14_LS.

    `upwards` is 1 where the offset is added; `addressing` is 0 unindexed, 1 post-indexed, 2 offset, 3 pre-indexed,
    4 literal unindexed, 6 literal offset; `read` is 1 for STC, which reads the coprocessor, and 0 for LDC.
    """
    return iss_condition(cv, cond) | (imm8 << 12) | (rn << 5) | (upwards << 4) | (addressing << 1) | read


@rule(arm("B3.13.6"))
def decode_load_store_coprocessor(iss: U25) -> LoadStoreCoprocessor:
    """The fields of a syndrome of class CP14_LS."""
    return LoadStoreCoprocessor(
        cv=bit(iss, CV_BIT), cond=bits(iss, 23, 20), imm8=bits(iss, 19, 12), rn=bits(iss, 8, 5),
        upwards=bit(iss, 4), addressing=bits(iss, 3, 1), read=bit(iss, 0),
    )  # fmt: skip


@frozen
class CoprocessorUse:
    """An instruction for one of the coprocessors 0 to 13 that HCPTR does not permit."""

    cv: U1
    cond: U4
    simd: U1
    coprocessor: U4


@rule(arm("B3.13.6"))
def iss_coprocessor(cv: U1, cond: U4, simd: U1, coprocessor: U4) -> U25:
    """The syndrome of class CP_0_13.

    `simd` is 1 where HCPTR.TASE traps an Advanced SIMD instruction, and the coprocessor is then reported as 0; VFP
    reports 10 whether the instruction names CP10 or CP11.
    """
    number = choose(coprocessor == 11, 10, coprocessor)
    return iss_condition(cv, cond) | (simd << 5) | choose(simd == 1, 0, number)


@rule(arm("B3.13.6"))
def decode_coprocessor(iss: U25) -> CoprocessorUse:
    """The fields of a syndrome of class CP_0_13."""
    return CoprocessorUse(bit(iss, CV_BIT), bits(iss, 23, 20), bit(iss, 5), bits(iss, 3, 0))


@frozen
class BxjSyndrome:
    """A trapped BXJ."""

    cv: U1
    cond: U4
    rm: U4


@rule(arm("B3.13.6"))
def iss_bxj(cv: U1, cond: U4, rm: U4) -> U25:
    """The syndrome of class BXJ; `rm` is the number of the register that holds the target."""
    return iss_condition(cv, cond) | rm


@rule(arm("B3.13.6"))
def decode_bxj(iss: U25) -> BxjSyndrome:
    """The fields of a syndrome of class BXJ."""
    return BxjSyndrome(bit(iss, CV_BIT), bits(iss, 23, 20), bits(iss, 3, 0))


@rule(arm("B3.13.6"))
def iss_call(imm16: U16) -> U25:
    """The syndrome of classes SVC_HYP and HVC: the low 16 bits of the immediate."""
    return imm16


@rule(arm("B3.13.6"))
def decode_call(iss: U25) -> U16:
    """The immediate that a syndrome of class SVC_HYP or HVC carries."""
    return bits(iss, 15, 0)


@frozen
class PrefetchAbortSyndrome:
    """A prefetch abort taken to Hyp mode."""

    external: U1
    walk: U1
    status: U6


@rule(arm("B3.13.6"))
def iss_prefetch_abort(external: U1, walk: U1, status: U6) -> U25:
    """The syndrome of classes IABT and IABT_HYP.

    `external` classifies an external abort (EA), `walk` is 1 for a stage 2 fault of a stage 1 table walk (S1PTW), and
    `status` is a `FaultStatus`.
    """
    return (external << 9) | (walk << WALK_BIT) | status


@rule(arm("B3.13.6"))
def decode_prefetch_abort(iss: U25) -> PrefetchAbortSyndrome:
    """The fields of a syndrome of class IABT or IABT_HYP."""
    return PrefetchAbortSyndrome(bit(iss, 9), bit(iss, WALK_BIT), bits(iss, 5, 0))


@frozen
class DataAbortSyndrome:
    """A data abort taken to Hyp mode, with the load or store that caused it where `isv` is 1."""

    isv: U1
    sas: U2
    sse: U1
    srt: U4
    external: U1
    maintenance: U1
    walk: U1
    write: U1
    status: U6


@rule(arm("B3.13.6"))
def iss_data_abort(
    isv: U1, sas: U2, sse: U1, srt: U4, external: U1, maintenance: U1, walk: U1, write: U1, status: U6
) -> U25:
    """The syndrome of classes DABT and DABT_HYP.

    `isv` says that `sas` (0 byte, 1 halfword, 2 word), `sse` (1 sign-extends) and `srt` (the register) describe the
    access; they are reported as 0 otherwise. `maintenance` is CM, `write` is WnR, the rest as for a prefetch abort.
    """
    access = choose(isv == 1, (sas << 22) | (sse << 21) | (srt << 16), 0)
    cause = (external << 9) | (maintenance << 8) | (walk << WALK_BIT) | (write << 6) | status
    return (isv << ISV_BIT) | access | cause


@rule(arm("B3.13.6"))
def decode_data_abort(iss: U25) -> DataAbortSyndrome:
    """The fields of a syndrome of class DABT or DABT_HYP."""
    return DataAbortSyndrome(
        isv=bit(iss, ISV_BIT), sas=bits(iss, 23, 22), sse=bit(iss, 21), srt=bits(iss, 19, 16), external=bit(iss, 9),
        maintenance=bit(iss, 8), walk=bit(iss, WALK_BIT), write=bit(iss, 6), status=bits(iss, 5, 0),
    )  # fmt: skip


@rule(arm("B3.13.3"))
def short_status(status: U6) -> U5:
    """FS[4:0] of the short-descriptor format for a `FaultStatus`; 0 for a code that the format cannot express."""
    return find(SHORT_STATUS, status, 0)


@rule(arm("B4.1.52"), arm("B3.13.3"), arm("B3.13.4"))
def dfsr(long_format: U1, status: U6, write: U1, external: U1, maintenance: U1) -> U32:
    """DFSR after a data abort taken to PL1; `long_format` is TTBCR.EAE. The domain field, deprecated, reads 0."""
    short = short_status(status)
    in_short = (bit(short, 4) << 10) | bits(short, 3, 0)
    code = choose(long_format == 1, (1 << 9) | status, in_short)
    return (maintenance << 13) | (external << 12) | (write << 11) | code


@rule(arm("B4.1.96"), arm("B3.13.3"), arm("B3.13.4"))
def ifsr(long_format: U1, status: U6, external: U1) -> U32:
    """IFSR after a prefetch abort taken to PL1; `long_format` is TTBCR.EAE."""
    return dfsr(long_format, status, 0, external, 0)
