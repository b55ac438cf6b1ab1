"""From an encoding to its row: the total classification of the coprocessor space.

A row of ALLOCATED holds exactly the encodings that it covers. A row of UNALLOCATED covers a region, and holds the
encodings of the region that no allocated row covers.
"""

from collections.abc import Mapping
from functools import cache
from itertools import product
from types import MappingProxyType

from spec.citations import arm, rule
from spec.coprocessor import cp10, cp14, cp15
from spec.coprocessor.row import Form, Row
from spec.words import U3, U4, either, every, member, negate

ALLOCATED: tuple[Row, ...] = (*cp15.ALLOCATED, *cp14.ALLOCATED, *cp10.ALLOCATED)
UNALLOCATED: tuple[Row, ...] = (*cp15.UNALLOCATED, *cp14.UNALLOCATED, *cp10.UNALLOCATED)

ROWS: tuple[Row, ...] = ALLOCATED + UNALLOCATED
"""Every row of the catalogue, the allocated ones first."""

ROW: Mapping[str, Row] = MappingProxyType({row.name: row for row in ROWS})
"""Every row by its name."""


def _position(opc1: int, crn: int, crm: int, opc2: int) -> int:
    return (opc1 << 11) | (crn << 7) | (crm << 3) | opc2


@cache
def _held(coprocessor: int, form: Form) -> Mapping[int, Row]:
    held: dict[int, Row] = {}
    for row in UNALLOCATED + ALLOCATED:
        if row.coprocessor == coprocessor and row.form == form:
            fields = product(row.opc1, row.crn, row.crm, row.opc2)
            held.update((_position(*encoding), row) for encoding in fields)
    return MappingProxyType(held)


def decode(coprocessor: int, form: Form, opc1: int, crn: int, crm: int, opc2: int) -> Row:
    """The one row that holds a concrete encoding of CP14 or CP15, or of VMRS and VMSR.

    Each field must fit its instruction; fields that the form lacks are ignored. For CP10 opc1 is 7 and CRn the register
    number. KeyError for any other coprocessor, for CP10 with another opc1, and for a form that CP10 does not have.
    """
    if coprocessor == 10:
        crm, opc2 = 0, 0
    if form == Form.DOUBLE:
        crn, opc2 = 0, 0
    elif form == Form.MEMORY:
        opc1, crm, opc2 = 0, 0, 0
    return _held(coprocessor, form)[_position(opc1, crn, crm, opc2)]


@cache
def encodings(row: Row) -> int:
    """How many encodings the row holds."""
    return sum(held.name == row.name for held in _held(row.coprocessor, row.form).values())


@cache
def _allocated_within(row: Row) -> tuple[Row, ...]:
    if row in ALLOCATED:
        return ()
    return tuple(
        other
        for other in ALLOCATED
        if (other.coprocessor, other.form) == (row.coprocessor, row.form)
        and set(other.opc1) & set(row.opc1)
        and set(other.crn) & set(row.crn)
        and set(other.crm) & set(row.crm)
        and set(other.opc2) & set(row.opc2)
    )


def _within(row: Row, opc1: U4, crn: U4, crm: U4, opc2: U3) -> bool:
    return every(member(opc1, row.opc1), member(crn, row.crn), member(crm, row.crm), member(opc2, row.opc2))


@rule(arm("B3.17"))
def holds(row: Row, opc1: U4, crn: U4, crm: U4, opc2: U3) -> bool:
    """Whether the row holds the encoding of its coprocessor and form; fields that the form lacks must be 0."""
    taken = (_within(other, opc1, crn, crm, opc2) for other in _allocated_within(row))
    return every(_within(row, opc1, crn, crm, opc2), negate(either(*taken)))


@rule(arm("B1.14.3"))
def in_tidcp_space(crn: U4, crm: U4) -> bool:
    """Whether HCR.TIDCP traps the MCR or MRC of CP15 with these fields, whatever its opc1 and opc2."""
    return either(*(every(crn == region, member(crm, crms)) for region, crms in cp15.TIDCP_SPACE))
