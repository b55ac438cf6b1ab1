"""Stated domains of operations for the engines of concrete steps: all of them, or those that matter to a fault."""

from collections.abc import Iterable
from functools import cache

from attrs import evolve, frozen

from model.action import Action
from model.actions import (
    GuestExecutes,
    GuestTrapsUnforeseen,
    HighvisorHandles,
    HostExecutes,
    HostRunsVcpu,
    HypFaults,
    InterfaceChanges,
    InterruptTaken,
    SignalChanges,
    UserSpaceAnswers,
    UserSpaceRuns,
    UserSpaceWrites,
)
from model.design import Design
from model.guards import forced, guard
from model.highvisor.exits import MemoryAnswer
from model.highvisor.mmio import ExitReason, KvmRun
from model.state import State, Where
from spec.coprocessor.decode import ROW, ROWS, decode
from spec.coprocessor.row import Effect, Form, Row
from spec.operations import (
    Barrier,
    Bkpt,
    Branch,
    Bxj,
    Choices,
    Clrex,
    Compute,
    CoprocessorAccess,
    ExceptionReturn,
    Fetch,
    FloatingPoint,
    Hvc,
    Instruction,
    Isb,
    Load,
    LoadExclusive,
    MemoryOutcome,
    Operation,
    OtherCoprocessor,
    Preload,
    ReadBanked,
    ReadCpsr,
    ReturnForm,
    Sev,
    Smc,
    Store,
    StoreExclusive,
    StoreReturnState,
    Svc,
    Udf,
    Wfe,
    Wfi,
    WriteBanked,
    WriteCpsr,
    Yield,
)
from spec.psr import Mode
from spec.registers import REGISTERS

NEGATIVE = 0x8182838485868788
"""What user space's devices answer: bytes that are negative in every width, and each another one."""
DEVICE_DATA = NEGATIVE & 0xFFFFFFFF
"""What the virtual distributor's registers hold."""

Executed = tuple[Instruction, Choices]


@frozen
class Domain:
    """What may happen in a search: the instructions of guests and host, interrupts, and which vCPUs run."""

    name: str
    guest: tuple[Executed, ...]
    host: tuple[Executed, ...] = ()
    signals: tuple[str, ...] = ()
    reserved: tuple[int, ...] = ()
    answers: tuple[MemoryAnswer, ...] = (MemoryAnswer.MAPPED,)
    interface: tuple[str, ...] = ()
    """The virtual interface's registers that change while a guest runs."""
    data: tuple[int, ...] = (DEVICE_DATA,)
    """What the distributor's registers hold."""
    device: tuple[int, ...] = ()
    """What user space's devices answer."""
    written: tuple[KvmRun, ...] = ()
    """What a hostile user space writes into the structure that it shares with the kernel."""
    interrupted: bool = False
    """Whether signals may make KVM_RUN return at once."""

    def actions(self, design: Design, state: State) -> list[Action]:
        """The actions that somebody may choose now, in a fixed order; processors amid forced steps have none."""
        found: list[Action] = []
        for number, physical in enumerate(state.processors):
            where = physical.thread.where
            if where is Where.HOST:
                found += [action for vcpu in range(len(state.vcpus)) for action in self.called(number, vcpu)]
            elif where is Where.HIGHVISOR and len(self.answers) > 1:
                found += self.handlings(number)
            elif where is Where.LOWVISOR:
                found.append(HypFaults(number))
            found += self.private(number, where)
        return [action for action in found if guard(design, state, action)]

    def called(self, cpu: int, vcpu: int) -> list[Action]:
        """What the host on a processor, with its user space, may do with a vCPU, possible or not."""
        found: list[Action] = [HostRunsVcpu(cpu, vcpu), UserSpaceRuns(cpu, vcpu)]
        found += [UserSpaceRuns(cpu, vcpu, interrupted=True)] if self.interrupted else []
        found += [UserSpaceAnswers(cpu, vcpu, data) for data in self.device]
        return found + [UserSpaceWrites(cpu, vcpu, run) for run in self.written]

    def handlings(self, cpu: int) -> list[HighvisorHandles]:
        """What the highvisor on a processor may meet when it handles an exit."""
        found = []
        for answer in self.answers:
            found += [HighvisorHandles(cpu, answer, data) for data in self.data if answer == MemoryAnswer.IN_KERNEL]
            found += [HighvisorHandles(cpu, answer)] if answer != MemoryAnswer.IN_KERNEL else []
        return found

    def private(self, cpu: int, where: Where) -> list[Action]:
        """What a processor at rest may do on its own, possible or not: all but what is done with a vCPU."""
        found: list[Action] = []
        if where is Where.HOST:
            found += [HostExecutes(cpu, *executed) for executed in self.host]
        elif where is Where.GUEST:
            found += [GuestExecutes(cpu, *executed) for executed in self.guest]
            found += [GuestTrapsUnforeseen(cpu, ec) for ec in self.reserved]
            found += [InterfaceChanges(cpu, register, 0x2000002B) for register in self.interface]
        if where in (Where.HOST, Where.GUEST):
            for signal in self.signals:
                found += [SignalChanges(cpu, signal, 1), InterruptTaken(cpu, signal)]
        return found

    def must(self, state: State) -> Action | None:
        """The forced action of a processor that has no choice, if there is one."""
        for number, physical in enumerate(state.processors):
            if physical.thread.where is Where.HIGHVISOR and len(self.answers) > 1:
                continue
            action = forced(state, number)
            if action is not None:
                return action
        return None


def access(row: Row, read: bool, rt: int = 6) -> Instruction:
    """The access to a row by its first encoding that no other row holds; r6 starts with its low bits set."""
    opc1, crn, crm, opc2 = first_encoding(row)
    return Instruction(CoprocessorAccess(row, read, opc1, crn, crm, opc2, rt, 4))


@cache
def first_encoding(row: Row) -> tuple[int, int, int, int]:
    """The first encoding that decodes to a row."""
    for opc1 in row.opc1:
        for crn in row.crn:
            for crm in row.crm:
                for opc2 in row.opc2:
                    if decode(row.coprocessor, row.form, opc1, crn, crm, opc2) is row:
                        return opc1, crn, crm, opc2
    raise LookupError(f"{row.name} holds no encoding")


def user_mode() -> Instruction:
    """The guest goes to User mode."""
    return Instruction(WriteCpsr(Mode.USR))


PLAIN: tuple[Operation, ...] = (
    Compute(3, 0x5A5A5A5A, 0xF), Compute(9, 0x1234, 0x4), Branch(0x80001000), Load(2, 0x1000, 0x77), Store(2, 0x1000),
    LoadExclusive(2, 5), StoreExclusive(2), Clrex(), Preload(), Barrier(0), Barrier(3), Isb(), Wfi(), Wfe(), Sev(),
    Yield(), Svc(1), Hvc(0), Smc(0), Bkpt(), Udf(), WriteCpsr(0x10), WriteCpsr(0x11), WriteCpsr(0xDF), WriteCpsr(0x1A),
    ReadCpsr(2, 0), ReadCpsr(2, 1), ExceptionReturn(ReturnForm.SUBS_PC_LR, 0x80002000, 0x10),
    ExceptionReturn(ReturnForm.RFE, 0x80002000, 0x10), ExceptionReturn(ReturnForm.LDM, 0x80002000, 0x10),
    ExceptionReturn(ReturnForm.ERET, 0x80002000, 0x10), StoreReturnState(), Bxj(2), FloatingPoint(0, 0, 0x7777),
    FloatingPoint(1, 1, 0x8888), OtherCoprocessor(2), Fetch(MemoryOutcome.STAGE1_FAULT),
    Load(2, 0x2000, 0, MemoryOutcome.STAGE1_FAULT), Load(2, 0x2000, 0, MemoryOutcome.STAGE2_FAULT, 0x90000),
    Store(2, 0x2000, MemoryOutcome.STAGE2_FAULT, 0x90000), Fetch(MemoryOutcome.STAGE2_FAULT, 0x80000),
)  # fmt: skip
"""One instruction of every class but coprocessor accesses, and of some classes the interesting operands."""

BANKED_REGISTERS = tuple(
    name for name, r in REGISTERS.items() if r.component in ("banked", "fiq") or name in ("sp_usr", "r8_usr")
)


@cache
def everything() -> Domain:
    """Every class of instruction, and every row of the catalogue in both directions, of guests and of the host."""
    instructions: list[Executed] = [(Instruction(operation), Choices()) for operation in PLAIN]
    for row in ROWS:
        choices = Choices(trace_implemented=1 if row.state == "trace" else 0)
        instructions += [(access(row, read), choices) for read in (False, True)]
    for name in BANKED_REGISTERS:
        instructions += [(Instruction(ReadBanked(2, name)), Choices()), (Instruction(WriteBanked(3, name)), Choices())]
    guests = tuple(instructions)
    host = tuple(pair for pair in guests if not isinstance(pair[0].operation, Hvc))
    return Domain("every class of instruction and every catalogue row", guests, host, ("irq", "fiq", "abort"))


CALL: Executed = (Instruction(Hvc(0)), Choices())
VFP = FloatingPoint(0, 0, 0x7777)
ABORTING_LOAD = Load(2, 0x2000, 0, MemoryOutcome.STAGE2_FAULT, 0x90000)
ABORTING_FETCH = Fetch(MemoryOutcome.STAGE2_FAULT, 0x80000)
SIGNED_LOAD = Load(2, 0x2005, 0, MemoryOutcome.STAGE2_FAULT, 0x90000, size=0, sign_extends=1)
STACK_STORE = Store(13, 0x2008, MemoryOutcome.STAGE2_FAULT, 0x90000)
UNDESCRIBED_LOAD = Load(3, 0x2000, 0, MemoryOutcome.STAGE2_FAULT, 0x90000, described=0)
FORGED = (KvmRun(ExitReason.MMIO, 0x90005000, 4, 0, NEGATIVE), KvmRun(ExitReason.UNKNOWN, 0, 1, 0, NEGATIVE))
"""What a hostile user space writes: another width, and another exit reason."""
BY_CONTROL: dict[str, tuple[Operation, ...]] = {
    "HCR.TWI": (Wfi(),), "HCR.TWE": (Wfe(),), "HCR.TSC": (Smc(0),), "HCR.BSU": (Barrier(0),),
    "HCR.VM": (ABORTING_LOAD,), "HCR.TGE": (Svc(1), Udf(), WriteCpsr(0x10)),
    "HCPTR.TCP10": (VFP,), "HCPTR.TCP11": (VFP,), "d0": (VFP,), "fpexc": (VFP,), "hcptr": (VFP,), "fpscr": (VFP,),
    "EC.WFX": (Wfi(),), "EC.HVC": (Hvc(0),), "EC.IABT": (ABORTING_FETCH,), "EC.DABT": (ABORTING_LOAD,),
    "exclusive": (LoadExclusive(2, 5),), "hsr": (Smc(0),), "spsr_hyp": (WriteCpsr(0xDF),),
    "hdfar": (ABORTING_LOAD,), "hifar": (ABORTING_FETCH,), "hpfar": (ABORTING_LOAD,),
    "MMIO.LOAD": (SIGNED_LOAD,), "MMIO.STORE": (STACK_STORE,), "MMIO.UNDESCRIBED": (UNDESCRIBED_LOAD,),
}  # fmt: skip
"""The instructions that a control bit, an exception class or a register is about."""


def relevant(touches: Iterable[str]) -> Domain:
    """The instructions, interrupts and host operations that matter to what a fault touches, and the hypervisor call."""
    names = set(touches)
    guest: dict[Executed, None] = {CALL: None}
    signals: list[str] = []
    for name in sorted(names):
        for operation in BY_CONTROL.get(name, ()):
            guest[(Instruction(operation), Choices())] = None
        for row in ROWS:
            if concerns(row, name):
                choices = Choices(trace_implemented=1 if row.state == "trace" else 0)
                guest.update({(access(row, read), choices): None for read in (False, True)})
        signals += {"HCR.IMO": ["irq"], "HCR.FMO": ["fiq"], "HCR.AMO": ["abort"], "HOST.IRQ": ["irq"]}.get(name, [])
        register = REGISTERS.get(name)
        if register is not None and (register.component in ("banked", "fiq") or name in ("sp_usr", "lr_usr")):
            guest[(Instruction(WriteBanked(3, name)), Choices())] = None
        elif register is not None and register.component == "general":
            guest[(Instruction(Compute(number_of(name), 0x5A5A5A5A, 0)), Choices())] = None
    if "CONDITION" in names:
        failing = evolve(access(ROW["ACTLR"], True), condition=0x0)
        guest[(failing, Choices(traps_failed_condition=1))] = None
    if names & {"pmuserenr"}:
        guest[(user_mode(), Choices())] = None
    if "IT" in names:
        guest |= dict.fromkeys(thumb_block())
    host = split_mode_operations() if "SPLIT" in names else ()
    if "exclusive" in names:
        host += ((Instruction(LoadExclusive(2, 5)), Choices()),)
    if "d0" in names or "fpexc" in names:
        signals.append("irq")
    reserved = (0x02,) if "EC.RESERVED" in names else ()
    device = any(name.startswith("MMIO.") for name in names)
    answers = tuple(MemoryAnswer) if device or names & {"EC.DABT", "EC.IABT"} else (MemoryAnswer.MAPPED,)
    chosen = tuple(guest)[:MOST_RELEVANT]
    cut = "" if len(chosen) == len(guest) else f" (the first {MOST_RELEVANT} of {len(guest)})"
    interface = tuple(sorted(name for name in names if name in REGISTERS and REGISTERS[name].component == "gich"))
    told = f"the instructions that the fault touches{cut}, and HVC"
    return Domain(
        told, chosen, host, tuple(signals), reserved, answers, interface,
        device=(NEGATIVE,) if "MMIO.ANSWER" in names else (),
        written=FORGED if "MMIO.HOSTILE" in names else (), interrupted="MMIO.SIGNAL" in names,
    )  # fmt: skip


def devices() -> Domain:
    """Accesses to emulated devices, with a hostile user space and signals."""
    return relevant(("MMIO.LOAD", "MMIO.STORE", "MMIO.UNDESCRIBED", "MMIO.ANSWER", "MMIO.HOSTILE", "MMIO.SIGNAL"))


MOST_RELEVANT = 9
"""How many instructions a relevant domain holds at the most: many rows differ only in their names."""


def thumb_block() -> tuple[Executed, ...]:
    """A return to Thumb state inside an IT block, and a trapped instruction there."""
    inside = 0x10000000 | 0x13 | 0x20 | (0xE4 >> 2 << 10)
    back = Instruction(ExceptionReturn(ReturnForm.RFE, 0x80002000, inside))
    return (back, Choices()), (access(ROW["ACTLR"], True), Choices())


def split_mode_operations() -> tuple[Executed, ...]:
    """What a host kernel does all the time and Hyp mode does not do alike."""
    operations = (
        ExceptionReturn(ReturnForm.LDM, 0xC0020000, 0x10), ExceptionReturn(ReturnForm.SUBS_PC_LR, 0xC0020000, 0x10),
        Svc(0), WriteCpsr(0xD3), Compute(13, 0xC0030000, 0),
    )  # fmt: skip
    return tuple((Instruction(operation), Choices()) for operation in operations)


def number_of(register: str) -> int:
    """The number of a core register by its name in `General`."""
    return int(register[1:].partition("_")[0])


def concerns(row: Row, name: str) -> bool:
    """Whether a row of the catalogue is about a register or control bit."""
    if row.state == name or any(trap.id == name for trap in row.traps) or name == f"ROW.{row.name}":
        return True
    if name in ("hstr", "hdcr", "cnthctl") and row.effect is not Effect.UNDEFINED:
        listed = any(trap.register == name.upper() for trap in row.traps)
        return listed if name != "hstr" else row.coprocessor == 15 and 15 in row.crn
    if name == "EC.CP15_32":
        return row.name == "ACTLR"
    if name == "HCR.TIDCP":
        return row.name in ("L2CTLR", "L2ECTLR")
    if name == "HCR.FB":
        return row.effect is Effect.TLB and not row.name.endswith("IS")
    if name == "pmuserenr":
        return row.name == "PMCCNTR"
    if name.startswith("HSTR.T") and name[6:].isdigit():
        number = int(name[6:])
        field = row.crm if row.form is Form.DOUBLE else row.crn
        return row.coprocessor == 15 and field == (number,) and row.effect is not Effect.UNDEFINED
    return False
