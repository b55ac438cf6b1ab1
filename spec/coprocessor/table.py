"""How the catalogue is written: one line for each register, from its encoding, its accesses and its traps."""

from attrs import frozen

from spec.citations import Citation, arm
from spec.coprocessor.controls import SECTIONS
from spec.coprocessor.row import Effect, Form, Gate, Row, Trap

Values = int | tuple[int, ...]
EIGHT = tuple(range(8))
SIXTEEN = tuple(range(16))


@frozen
class Encoding:
    """The encodings of a row: each field's possible values; a field that the form lacks is (0,)."""

    form: Form
    coprocessor: int
    opc1: tuple[int, ...]
    crn: tuple[int, ...]
    crm: tuple[int, ...]
    opc2: tuple[int, ...]


def _values(values: Values) -> tuple[int, ...]:
    return (values,) if isinstance(values, int) else values


def word(coprocessor: int, opc1: Values, crn: Values, crm: Values, opc2: Values) -> Encoding:
    """The encodings of an MCR or MRC; each field is a value or the tuple of its values."""
    return Encoding(Form.WORD, coprocessor, _values(opc1), _values(crn), _values(crm), _values(opc2))


def double(coprocessor: int, opc1: Values, crm: Values) -> Encoding:
    """The encodings of an MCRR or MRRC."""
    return Encoding(Form.DOUBLE, coprocessor, _values(opc1), (0,), _values(crm), (0,))


def memory(coprocessor: int, crd: Values) -> Encoding:
    """The encodings of an LDC or STC, by the coprocessor register CRd."""
    return Encoding(Form.MEMORY, coprocessor, (0,), _values(crd), (0,), (0,))


def register(
    name: str,
    encoding: Encoding,
    pl1: str = "rw",
    pl0: str = "-",
    effect: Effect = Effect.STORAGE,
    state: str | None = None,
    traps: tuple[Trap, ...] = (),
    gate: Gate = Gate.NONE,
    sources: tuple[Citation, ...] = (),
    note: str = "",
) -> Row:
    """A row; it cites `sources`, or else the manual's alphabetical list, and the sections of its traps."""
    described = sources or (arm(f"B4.1 {name.removesuffix('_64')}"),)
    trapped = tuple(dict.fromkeys(SECTIONS[trap] for trap in traps))
    return Row(
        name, encoding.form, encoding.coprocessor, encoding.opc1, encoding.crn, encoding.crm, encoding.opc2,
        pl1, pl0, effect, state, traps, gate, described + trapped, note,
    )  # fmt: skip


def constant(
    name: str, encoding: Encoding, *traps: Trap, pl0: str = "-", gate: Gate = Gate.NONE,
    sources: tuple[Citation, ...] = (),
) -> Row:  # fmt: skip
    """A read-only identification register, whose state carries its name."""
    state = name.removesuffix("_64").lower()
    return register(name, encoding, "r", pl0, Effect.CONSTANT, state, traps, gate, sources)


def undefined(name: str, encoding: Encoding, *sources: Citation, note: str = "") -> Row:
    """An access that is UNDEFINED at Non-secure PL1 and PL0: unallocated, of PL2 only, or of Secure state only."""
    return register(name, encoding, "-", "-", Effect.UNDEFINED, sources=sources, note=note)
