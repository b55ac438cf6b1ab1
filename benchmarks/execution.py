"""The concrete machine: guest operations, and the world switch, from a guest as the reference design enters it."""

from collections.abc import Callable

from benchmarks.figure import Effort, Figure, rate
from model.actions import GuestExecutes, HostRunsVcpu
from model.design import Design
from model.designs.catalogue import DESIGNS
from model.guards import forced
from model.state import State, Where
from model.system import step
from model.topology import TOPOLOGIES, initial
from spec.coprocessor.decode import ROW
from spec.execute import execute
from spec.operations import (
    Barrier,
    Branch,
    Choices,
    Compute,
    CoprocessorAccess,
    ExceptionReturn,
    Instruction,
    Load,
    Operation,
    ReturnForm,
    Smc,
    Store,
    StoreExclusive,
    Svc,
    Wfi,
    WriteCpsr,
)


def _access(name: str, read: bool) -> CoprocessorAccess:
    row = ROW[name]
    return CoprocessorAccess(row, read, row.opc1[0], row.crn[0], row.crm[0], row.opc2[0], 3, 4)


MIX: tuple[tuple[str, Operation], ...] = (
    ("Compute", Compute(2, 0x1234, 4)),
    ("Branch", Branch(0x80009000)),
    ("Load", Load(5, 0x80010000, 7)),
    ("Store", Store(5, 0x80010000)),
    ("MRC SCTLR", _access("SCTLR", True)),
    ("MCR SCTLR", _access("SCTLR", False)),
    ("MRC TPIDRURW", _access("TPIDRURW", True)),
    ("MCR TPIDRURW", _access("TPIDRURW", False)),
    ("MRC TTBR0", _access("TTBR0", True)),
    ("MCR TTBR0", _access("TTBR0", False)),
    ("Barrier", Barrier(1)),
    ("Svc", Svc(1)),
    ("ExceptionReturn", ExceptionReturn(ReturnForm.SUBS_PC_LR, 0, 0x10)),
    ("WriteCpsr", WriteCpsr(0x600000D3)),
    ("StoreExclusive", StoreExclusive(6)),
    ("Wfi, trapped", Wfi()),
    ("Smc, trapped", Smc(0)),
)
"""The mix: each operation as often as the others, executed by a guest's kernel."""


def run_forced(design: Design, state: State, until: Where) -> tuple[State, int]:
    """The state when the processor has come to a place by forced steps, and how many they were."""
    steps = 0
    while state.processors[0].thread.where is not until:
        action = forced(state, 0)
        assert action is not None
        state, steps = step(design, state, action), steps + 1
    return state, steps


def entered(design: Design) -> State:
    """The state in which the design's own entry leaves a processor that runs a guest."""
    state = step(design, initial(TOPOLOGIES["one"], design), HostRunsVcpu(0, 0))
    return run_forced(design, state, Where.GUEST)[0]


def guest_operations(effort: Effort) -> tuple[Figure, ...]:
    """Operations a second of the whole mix, and of each kind alone."""
    cpu, choices = entered(DESIGNS["reference"]()).processors[0].cpu, Choices()

    def repeated(instructions: tuple[Instruction, ...]) -> Callable[[], int]:
        def work() -> int:
            for instruction in instructions:
                execute(cpu, instruction, choices)
            return len(instructions)

        return work

    over = f"{len(MIX)} operations, equally often, by a guest kernel that the reference has entered"
    mixed = repeated(tuple(Instruction(operation) for _, operation in MIX) * 10)
    figures = [Figure("guest operations", rate(mixed, effort.seconds), "/s", over)]
    for name, operation in MIX:
        alone = repeated((Instruction(operation),) * 100)
        figures.append(Figure(f"  {name}", rate(alone, effort.seconds / 8), "/s", "this operation alone"))
    return tuple(figures)


def world_switches(effort: Effort) -> tuple[Figure, ...]:
    """Round trips a second: the host runs a vCPU, the guest traps by SMC, the highvisor handles the exit."""
    design = DESIGNS["reference"]()
    start = initial(TOPOLOGIES["one"], design)
    trap = GuestExecutes(0, Instruction(Smc(0)))

    def trip() -> int:
        state, entry = run_forced(design, step(design, start, HostRunsVcpu(0, 0)), Where.GUEST)
        _, back = run_forced(design, step(design, state, trap), Where.HOST)
        return 2 + entry + back

    steps = trip()
    switches = rate(trip, effort.seconds) / steps
    over = f"host, guest, SMC, host: {steps} steps of the reference"
    return (
        Figure("world switch round trips", switches, "/s", over),
        Figure("world switch round trip", 1000 / switches, "ms", over),
    )
