"""Traces and a property for the tests of traces."""

from model.action import Action
from model.actions import GuestExecutes, HostRunsVcpu, LowvisorSteps
from model.design import Design
from model.designs.catalogue import DESIGNS
from model.state import State
from model.topology import TOPOLOGIES, initial
from properties.property import Kind, Property, Trace
from spec.coprocessor.decode import ROW
from spec.operations import CoprocessorAccess, Hvc, Instruction, Wfi

REFERENCE = DESIGNS["reference"]()


def start(topology: str = "one", design: Design = REFERENCE) -> State:
    return initial(TOPOLOGIES[topology], design)


def access(name: str, read: bool = False, rt: int = 3) -> Instruction:
    row = ROW[name]
    return Instruction(CoprocessorAccess(row, read, row.opc1[0], row.crn[0], row.crm[0], row.opc2[0], rt, 0))


def hcr_stays(design: Design, before: State, action: Action, after: State) -> bool:
    old, new = before.processors[action.cpu].cpu.hyp.hcr, after.processors[action.cpu].cpu.hyp.hcr
    return not (old and not new)


HCR_STAYS = Property(
    id="demo.hcr_stays",
    statement="HCR is never cleared once it is set.",
    claims=(),
    question="",
    kind=Kind.STEP,
    about=(LowvisorSteps,),
    holds=hcr_stays,
    interesting=lambda *_: True,
    explain=lambda *_: "HCR is 0 while the vCPU is still the current one",
)
CALL = (HostRunsVcpu(0, 0), GuestExecutes(0, access("TPIDRURW")), GuestExecutes(0, Instruction(Hvc(0))))
TRACE = Trace("reference", None, "one", "demo.hcr_stays", CALL)
INTERLEAVED = Trace(
    "reference",
    "left-out",
    "two-processors",
    "demo.hcr_stays",
    (
        HostRunsVcpu(0, 0),
        HostRunsVcpu(1, 1),
        GuestExecutes(1, Instruction(Wfi())),
        GuestExecutes(0, access("TTBR0_64", read=True)),
    ),
)


def resolve(trace: Trace) -> tuple[Design, State, Property]:
    """The setting of a trace of these tests."""
    return REFERENCE, start(trace.topology), HCR_STAYS
