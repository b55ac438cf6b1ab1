"""The virtual interface control, GICH: what it derives from the list registers, and the maintenance interrupt.

Not modelled: the time between a change and the maintenance interrupt, which is level-sensitive here and follows at
once, so no property sees software that relies on a delay.
"""

from collections.abc import Sequence

from spec.citations import gic, rule, trm
from spec.gic.list_registers import EOI, HW, ListState, legal, state, virtual_id
from spec.gic.state import VirtualInterface
from spec.words import U1, U32, U64, bit, bits, choose, either, every, negate

EN, UIE, LRENPIE, NPIE, VGRP0EIE, VGRP0DIE, VGRP1EIE, VGRP1DIE = range(8)
"""Bits of GICH_HCR. The bits of GICH_MISR are those of their enables, with the one for EOI in the place of EN."""
EOI_COUNT = 27
"""The lowest bit of EOICount in GICH_HCR."""
HCR_WRITABLE, VMCR_WRITABLE = 0xF80000FF, 0xF8FC021F
VM_GRP0_EN, VM_GRP1_EN, VM_ACK_CTL, VM_FIQ_EN, VM_CBPR, VEM = 0, 1, 2, 3, 4, 9
"""Bits of GICH_VMCR, and of GICV_CTLR."""
LEVELS = 0x90000000
"""GICH_VTR.PRIbits and PREbits: five of each."""


@rule(gic("5.3.2"), trm("8.3.2"))
def vtr(interface: VirtualInterface) -> U32:
    """GICH_VTR: the number of list registers less one, and five bits of priority and of preemption."""
    return LEVELS | (len(interface.lrs) + 63 & 63)


def _flags(conditions: Sequence[bool]) -> U64:
    word = 0
    for position, condition in enumerate(conditions):
        word = word | choose(condition, 1 << position, 0)
    return word


@rule(gic("5.3.5"))
def eisr(interface: VirtualInterface) -> U64:
    """GICH_EISR0 and GICH_EISR1: bit n where list register n is invalid and its end asked for a maintenance interrupt.

    Nothing but a write to the list register takes it back.
    """
    wanted, kept = 1 << EOI, (1 << HW) | (1 << EOI) | (3 << 28)
    return _flags([lr & kept == wanted for lr in interface.lrs])


@rule(gic("5.3.6"))
def elrsr(interface: VirtualInterface) -> U64:
    """GICH_ELRSR0 and GICH_ELRSR1: bit n where list register n is free, so that nothing is lost by writing to it."""
    quiet = [either(bit(lr, HW) == 1, bit(lr, EOI) == 0) for lr in interface.lrs]
    return _flags([every(state(lr) == ListState.INVALID, no) for lr, no in zip(interface.lrs, quiet, strict=True)])


@rule(gic("5.3.4"))
def underflow(interface: VirtualInterface) -> bool:
    """Whether at most one list register holds an interrupt."""
    one, two = False, False
    for lr in interface.lrs:
        valid = negate(state(lr) == ListState.INVALID)
        one, two = either(one, valid), either(two, every(one, valid))
    return negate(two)


@rule(gic("5.3.4"))
def misr(interface: VirtualInterface) -> U32:
    """GICH_MISR: the reasons for a maintenance interrupt that GICH_HCR enables and that hold now."""
    hcr, vmcr = interface.hcr, interface.vmcr
    none_pending = negate(either(*(state(lr) == ListState.PENDING for lr in interface.lrs)))
    grp0, grp1 = bit(vmcr, VM_GRP0_EN) == 1, bit(vmcr, VM_GRP1_EN) == 1
    reasons = (
        (UIE, underflow(interface)),
        (LRENPIE, bits(hcr, 31, EOI_COUNT) > 0),
        (NPIE, none_pending),
        (VGRP0EIE, grp0),
        (VGRP0DIE, negate(grp0)),
        (VGRP1EIE, grp1),
        (VGRP1DIE, negate(grp1)),
    )
    status = choose(eisr(interface) > 0, 1, 0)
    for position, reason in reasons:
        status = status | choose(every(bit(hcr, position) == 1, reason), 1 << position, 0)
    return status


@rule(gic("5.3.1"), gic("5.3.4"))
def maintenance(interface: VirtualInterface) -> U1:
    """The level of the maintenance interrupt."""
    return choose(every(bit(interface.hcr, EN) == 1, misr(interface) > 0), 1, 0)


@rule(gic("5.3.8"))
def lists_legal(interface: VirtualInterface) -> bool:
    """Whether the list registers have a meaning: each has, and no two hold one number; all else is UNPREDICTABLE."""
    conditions: list[bool] = []
    seen: list[tuple[bool, int]] = []
    for lr in interface.lrs:
        valid = negate(state(lr) == ListState.INVALID)
        twice = either(*(every(valid, held, virtual_id(lr) == number) for held, number in seen))
        conditions.append(every(legal(lr), negate(twice)))
        seen.append((valid, virtual_id(lr)))
    return every(*conditions)
