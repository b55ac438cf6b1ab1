"""Stage 1 with short descriptors, where TTBCR.EAE is 0: the walk, domains, permissions and memory attributes.

Not modelled: what `spec.translation.short_descriptors` leaves out; how TTBR0 and TTBR1 say the walk itself is cached.
"""

from spec.citations import arm, rule
from spec.sparse import Memory
from spec.syndrome import FaultStatus
from spec.translation.descriptors import DOMAIN, Locate
from spec.translation.short_descriptors import (
    CLIENT,
    DEFAULT_BYTES,
    MANAGER,
    TABLE,
    ShortLeaf,
    default_shareability,
    first_entry,
    first_level,
    page,
    second_entry,
    section,
    short_leaf_status,
    word_at,
)
from spec.translation.stage1 import Access, Regime, Stage1, allowed, never_executed, new_stage1, own_fault, walk_fault
from spec.words import U2, U3, U8, U32, U40, bit, choose, select

PL1_RIGHTS = (0, 3, 3, 3, 0, 1, 1, 1)
"""By AP[2:0], what PL1 may do: bit 0 reads, bit 1 writes. 0b100 is reserved and taken as no access."""
PL0_RIGHTS = (0, 0, 1, 3, 0, 0, 1, 1)
"""The same for PL0."""


def walk_short(memory: Memory, regime: Regime, va: U32, access: Access, locate: Locate | None = None) -> Stage1:
    """What short descriptors make of a virtual address."""
    table = first_level(regime.short_regions, va)
    if table.disabled == 1:
        return own_fault(FaultStatus.TRANSLATION_1, 1)
    first, blocked = _read(memory, first_entry(table, va), locate)
    if blocked is not None:
        return blocked
    if first & 3 != TABLE:
        return section_stage1(regime, first, va, access)
    second, blocked = _read(memory, second_entry(first, va), locate)
    return page_stage1(regime, first, second, va, access) if blocked is None else blocked


def _read(memory: Memory, ipa: U40, locate: Locate | None) -> tuple[U32, Stage1 | None]:
    if locate is None:
        return word_at(memory.get(ipa >> 3), ipa), None
    refused, pa = locate(ipa)
    if refused != 0:
        return 0, walk_fault(refused, ipa)
    return word_at(memory.get(pa >> 3), ipa), None


@rule(arm("B3.5.1"), arm("B3.5.5"))
def section_stage1(regime: Regime, first: U32, va: U32, access: Access) -> Stage1:
    """What a first-level descriptor that is no table makes of an address."""
    return mapped(regime, 1, first, section(first, va), access)


@rule(arm("B3.5.1"), arm("B3.5.5"))
def page_stage1(regime: Regime, first: U32, second: U32, va: U32, access: Access) -> Stage1:
    """What a second-level descriptor makes of an address; `first` is the table descriptor above it."""
    return mapped(regime, 2, second, page(first, second, va), access)


@rule(arm("B3.5.1"), arm("B3.13.3"), arm("B3.13.5"))
def mapped(regime: Regime, level: U2, descriptor: U32, leaf: ShortLeaf, access: Access) -> Stage1:
    """What the last descriptor, read into a leaf, makes of an address; a Domain fault is found last."""
    rights = select(regime.domains, leaf.domain)
    open_to = choose(rights & CLIENT > 0, 0, DOMAIN | level)
    invalid = short_leaf_status(level, descriptor, leaf.ap, regime.afe)
    allows = short_allows(regime, leaf, rights, access)
    attr, sh = short_memory(regime, leaf)
    wide = bit(descriptor, 18) if level == 1 else 0
    return new_stage1(choose(invalid > 0, invalid, open_to), level, 0, leaf.pa, allows, attr, sh, leaf.ng, wide)


@rule(arm("B3.7.1"), arm("B3.7.2"), arm("B3.7.3"))
def short_allows(regime: Regime, leaf: ShortLeaf, rights: U2, access: Access) -> U3:
    """What the access's privilege may do; a manager of the domain may do everything, XN and PXN notwithstanding.

    With SCTLR.AFE the permissions are AP[2:1], which mean what AP[2:0] does where AP[0], the access flag, is 1.
    """
    user, privileged = select(PL0_RIGHTS, leaf.ap), access.privileged
    granted = choose(privileged == 1, select(PL1_RIGHTS, leaf.ap), user)
    read, write = granted & 1, granted >> 1
    never = leaf.xn | (leaf.pxn & privileged) | never_executed(regime, privileged, write, user >> 1)
    return choose(rights == MANAGER, 7, allowed(read, write, read & (never ^ 1)))


@rule(arm("B3.8.2"), arm("B3.8.3"), arm("B4.1.130"))
def short_memory(regime: Regime, leaf: ShortLeaf) -> tuple[U8, U2]:
    """The byte of MAIR and the `Shareability` that a leaf states, by SCTLR.TRE through PRRR and NMRR or not."""
    if regime.tre == 1:
        region = leaf.texcb & 7
        return select(regime.remapped, region), select(regime.shared, (region << 1) | leaf.s)
    return select(DEFAULT_BYTES, leaf.texcb), default_shareability(leaf.s)
