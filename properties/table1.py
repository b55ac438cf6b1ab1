"""Table 1 of the paper, derived from a design: what the world switch exchanges, and what traps and is emulated.

Where the model counts otherwise than the paper, the difference is data: the registers concerned, how many they are, and
why. A count agrees only if its differences account for it exactly.
"""

from collections.abc import Iterator

from attrs import field, frozen

from model.actions import GuestExecutes
from model.design import Design
from model.guards import guard
from model.lowvisor.moves import Install, LoadVfp, Save, SaveAs, SaveVfp, When
from model.lowvisor.moves import Load as LoadMove
from model.state import Where
from model.system import step
from properties.engines.domain import Executed, access
from properties.evidence import entered
from properties.policy import VFP
from properties.property import Enumeration, Kind, Property
from properties.traces.describe import operation_text
from spec.citations import Citation, arm, linux, paper
from spec.coprocessor.decode import ROWS
from spec.coprocessor.row import Effect
from spec.operations import Choices, Instruction, Smc, Wfi
from spec.registers import REGISTERS


@frozen
class Difference:
    """Registers that only one side counts, and why."""

    registers: tuple[str, ...]
    words: int
    """How many of its units the paper's count has for them: more than the model's where positive, else fewer."""
    reason: str
    sources: tuple[Citation, ...]


@frozen
class Row:
    """One row of Table 1: what is exchanged or emulated, the paper's number beside the model's."""

    action: str
    state: str
    paper: int | None
    """None where the paper gives no number: the row says that something traps."""
    model: int
    """Registers, 32-bit words of control registers, or the operations that trap."""
    registers: tuple[str, ...]
    """What the model counts: registers, or the operations in words."""
    differences: tuple[Difference, ...] = field(default=())
    missing: tuple[str, ...] = field(default=())
    """Operations of a trapping row that do not trap."""

    @property
    def explanation(self) -> str:
        """Why the two numbers differ, in words; empty where they agree."""
        return "; ".join(difference.reason for difference in self.differences)

    @property
    def accounted(self) -> bool:
        """Whether the numbers agree once every difference is taken into account, and all that should trap does."""
        expected = self.model + sum(difference.words for difference in self.differences)
        return not self.missing and (self.paper is None or self.paper == expected)


HEAD = "arch/arm/kvm/interrupts_head.S"
KVM_ASM = "arch/arm/include/asm/kvm_asm.h"

PADDING = Difference(
    ("orig_r0",), 1,
    "the paper's 38 are the words of the structure that holds them, which has a place for ORIG_R0 that nobody uses",
    (linux("arch/arm/include/uapi/asm/ptrace.h", "struct pt_regs", "3.10"),),
)  # fmt: skip
NOT_LOADED = Difference(
    ("mpidr", "actlr", "l2ctlr"), 3,
    "three words of the vCPU's array are no switched registers: MPIDR goes to VMPIDR, ACTLR and L2CTLR are emulated",
    (linux(KVM_ASM, "c0_MPIDR", "3.10"),),
)  # fmt: skip
SINCE = (
    Difference(("par",), -2, "PAR joined the switch in Linux 3.11", (linux(HEAD, "read_cp15_state", "3.11"),)),
    Difference(("teecr", "teehbr"), -2, "the ThumbEE registers are a repair of the reference", (arm("B1.14.11"),)),
    Difference(
        ("amair0", "amair1"), -2, "the AMAIRs joined the switch in Linux 3.15",
        (linux(HEAD, "read_cp15_state", "3.15"),),
    ),
)  # fmt: skip
GICH_OTHERS = Difference(
    (), 8,
    "the code of Linux 3.10 and the model move these eight; which sixteen the paper counts is not reproduced",
    (paper("Table 1"), linux(HEAD, "save_vgic_state", "3.10")),
)  # fmt: skip
NO_SUBARCHITECTURE = Difference(
    ("fpinst", "fpinst2"), 2,
    "FPINST and FPINST2 exist only where the VFP subarchitecture does, which the Cortex-A15 lacks",
    (arm("B4.1 FPINST"), linux(HEAD, "store_vfp_state", "3.10")),
)  # fmt: skip


def exchanged(design: Design) -> tuple[str, ...]:
    """The registers that the entry loads from the vCPU's image and the exit saves into it, VFP at its first use."""
    loaded: set[str] = set()
    saved: set[str] = set()
    for moved in (*design.entry, *design.vfp):
        match moved.move:
            case LoadMove(registers, omitted):
                loaded.update(name for name in registers if name not in omitted)
            case Install(_, image, False):
                loaded.add(image)
            case LoadVfp(True):
                loaded.update(VFP)
    for moved in design.exit:
        match moved.move:
            case Save(registers, omitted):
                saved.update(name for name in registers if name not in omitted)
            case SaveAs(_, image):
                saved.add(image)
            case SaveVfp(True):
                saved.update(VFP)
    return tuple(name for name in REGISTERS if name in saved and name in loaded)


def reported(design: Design) -> tuple[str, ...]:
    """The registers of the virtual interface that the exit saves, among them those that only report."""
    steps = (moved.move for moved in design.exit if moved.when is When.VGIC)
    return tuple(
        name for move in steps if isinstance(move, Save) for name in move.registers if name not in move.omitted
    )


def words(names: tuple[str, ...]) -> int:
    """How many 32-bit words registers have."""
    return sum(REGISTERS[name].width // 32 for name in names)


def context_switched(design: Design) -> Iterator[Row]:
    """The rows of what is context-switched."""
    both = exchanged(design)

    def of(*components: str | None) -> tuple[str, ...]:
        return tuple(name for name in both if REGISTERS[name].component in components)

    general = of(None, "general", "banked", "fiq")
    control = (*of("cp15"), *(name for name in both if name == "cntkctl"))
    interface = reported(design)
    lists = tuple(name for name in interface if name.startswith("gich_lr") and name in both)
    others = tuple(name for name in interface if not name.startswith("gich_lr"))
    timer = tuple(name for name in both if name.startswith("cntv_"))
    data = tuple(name for name in of("vfp") if not name.startswith("fp"))
    status = tuple(name for name in of("vfp") if name.startswith("fp"))
    since = tuple(d for d in SINCE if set(d.registers) <= set(control))
    yield Row("context switch", "general purpose registers", 38, len(general), general, (PADDING,))
    yield Row("context switch", "control registers, in words", 26, words(control), control, (NOT_LOADED, *since))
    yield Row("context switch", "VGIC control registers", 16, len(others), others, (GICH_OTHERS,))
    yield Row("context switch", "VGIC list registers", 4, len(lists), lists)
    yield Row("context switch", "timer control registers", 2, len(timer), timer)
    yield Row("context switch", "64-bit VFP registers", 32, len(data), data)
    yield Row("context switch", "32-bit VFP control registers", 4, len(status), status, (NO_SUBARCHITECTURE,))


def accesses(*names: str, effect: Effect | None = None) -> tuple[Executed, ...]:
    """Every access that PL1 may make to rows named, or with an effect; trace registers exist."""
    rows = tuple(row for row in ROWS if row.name in names or row.effect is effect)
    choices = Choices(trace_implemented=1)
    return tuple((access(row, letter == "r"), choices) for row in rows for letter in row.pl1)


def emulated() -> tuple[tuple[str, tuple[Executed, ...]], ...]:
    """The rows of what traps and is emulated, with their operations."""
    return (
        ("CP14 trace registers", accesses("TRACE")),
        ("WFI instructions", ((Instruction(Wfi()), Choices()),)),
        ("SMC instructions", ((Instruction(Smc(0)), Choices()),)),
        ("ACTLR access", accesses("ACTLR")),
        ("cache operations by set and way", accesses(effect=Effect.SET_WAY)),
        ("L2CTLR and L2ECTLR", accesses("L2CTLR", "L2ECTLR")),
    )


def trap_and_emulate(design: Design) -> Iterator[Row]:
    """The rows of what traps, tried in a guest's kernel that has just been entered."""
    state = entered(design)
    for title, operations in emulated():
        trapped: list[str] = []
        missing: list[str] = []
        for executed in operations:
            action = GuestExecutes(0, *executed)
            traps = False
            if state is not None and guard(design, state, action):
                thread = step(design, state, action).processors[0].thread
                traps = thread.where is Where.LOWVISOR and thread.routine == "trap"
            (trapped if traps else missing).append(operation_text(executed[0].operation))
        yield Row("trap and emulate", title, None, len(trapped), tuple(trapped), (), tuple(missing))


def table(design: Design) -> tuple[Row, ...]:
    """Table 1 as the design has it, in the paper's order."""
    return (*context_switched(design), *trap_and_emulate(design))


def unexplained(rows: tuple[Row, ...]) -> Iterator[str]:
    """The rows whose count is not accounted for, and those of which something does not trap."""
    for row in rows:
        if row.missing:
            yield f"{row.state}: not trapped: {', '.join(row.missing)}"
        elif not row.accounted:
            yield f"{row.state}: the paper has {row.paper}, the model {row.model}, and {row.explanation or 'no reason'}"


def derived(design: Design) -> Enumeration:
    """The enumeration of DERIVED."""
    rows = table(design)
    return Enumeration("rows of the paper's Table 1", len(rows), tuple(unexplained(rows)))


DERIVED = Property(
    id="table1.derived",
    statement="The design exchanges and traps what the paper's Table 1 lists, but for differences that are named.",
    claims=("C5", "C6", "C16", "C31"),
    question="What is VM state on the Cortex-A15?",
    kind=Kind.FINITE,
    about=(),
    holds=lambda *_: True,
    interesting=lambda *_: True,
    enumerate=derived,
)

PROPERTIES = (DERIVED,)
