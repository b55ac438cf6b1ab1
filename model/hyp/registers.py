"""Hyp mode's control registers by the host's, as the initialisation code sets them."""

from spec.citations import linux, rule
from spec.words import U32, bits, clear

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


@rule(linux(INIT, "__do_hyp_init"))
def htcr(old: U32, ttbcr: U32) -> U32:
    """HTCR: walks are cacheable and shareable as the host's are, and all addresses have 32 bits."""
    return clear(old, HTCR_FIELDS) | (ttbcr & CACHEABLE)


@rule(linux(INIT, "__do_hyp_init"))
def vtcr(old: U32, hyp_tcr: U32) -> U32:
    """VTCR: walks of stage 2 are as those of Hyp mode; 40 bits of address, from level 1."""
    return clear(old, VTCR_FIELDS) | (hyp_tcr & CACHEABLE) | VTCR_40_BITS


@rule(linux(INIT, "__do_hyp_init"))
def hsctlr(old: U32, sctlr: U32) -> U32:
    """HSCTLR: caches, endianness and fast interrupts as the host has them; MMU and alignment checks on, ARM state."""
    kept = clear(old, M | A | C | I | WXN | FI | EE | TE)
    return kept | (sctlr & (EE | FI | I | C)) | M | A


@rule(linux("arch/arm/kernel/hyp-stub.S", "__hyp_stub_install_secondary"))
def hsctlr_of_stub() -> U32:
    """HSCTLR as the stub leaves it: MMU and caches off, ARM state, little-endian."""
    return 0


def is_on(value: U32) -> bool:
    """Whether HSCTLR has the MMU on."""
    return bits(value, 0, 0) == 1
