"""Hyp mode's control registers by the host's, as the initialisation code sets them."""

from model.hyp.design import HypDesign, Trait
from spec.citations import linux, rule
from spec.words import U32, clear

INIT = "arch/arm/kvm/init.S"
CACHEABLE = 0x3F00
"""SH0, ORGN0 and IRGN0, at the same place in TTBCR, HTCR and VTCR."""
HTCR_FIELDS = CACHEABLE | 0x7
"""The same and T0SZ."""
VTCR_FIELDS = CACHEABLE | 0xDF
"""The same, SL0, S and T0SZ."""
VTCR_40_BITS = 0x58
"""SL0 = 1: from level 1; S = 1 and T0SZ = -8: 40 bits."""
M, A, C, I, WXN, FI, EE, TE = (1 << n for n in (0, 1, 2, 12, 19, 21, 25, 30))  # noqa: E741
"""Bits of SCTLR and HSCTLR."""


def cleared(design: HypDesign, old: U32, fields: U32) -> U32:
    """What was in a register before, without the fields that are about to be set."""
    return clear(old, fields) if Trait.FIELDS_CLEARED in design.traits else old


@rule(linux(INIT, "__do_hyp_init"))
def htcr(design: HypDesign, old: U32, ttbcr: U32) -> U32:
    """HTCR: walks are cacheable and shareable as the host's are, and all addresses have 32 bits."""
    return cleared(design, old, HTCR_FIELDS) | (ttbcr & CACHEABLE)


@rule(linux(INIT, "__do_hyp_init"))
def vtcr(design: HypDesign, old: U32, hyp_tcr: U32) -> U32:
    """VTCR: walks of stage 2 are as those of Hyp mode; 40 bits of address, from level 1."""
    return cleared(design, old, VTCR_FIELDS) | (hyp_tcr & CACHEABLE) | VTCR_40_BITS


@rule(linux(INIT, "__do_hyp_init"))
def hsctlr(design: HypDesign, old: U32, sctlr: U32) -> U32:
    """HSCTLR: caches, endianness and fast interrupts as the host has them; MMU and alignment checks on, ARM state."""
    kept = cleared(design, old, M | A | C | I | WXN | FI | EE | TE)
    return kept | (sctlr & (EE | FI | I | C)) | M | A


@rule(linux("arch/arm/kernel/hyp-stub.S", "__hyp_stub_install_secondary"))
def hsctlr_of_stub() -> U32:
    """HSCTLR as the stub leaves it: MMU and caches off, ARM state, little-endian."""
    return 0
