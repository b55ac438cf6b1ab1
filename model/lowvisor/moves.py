"""The alphabet of the world switch: each move reads and writes a few registers, and says which.

Moves are data. `apply` gives them meaning; `accesses` lists the register accesses they make, in order, so that a
recording of the real code can be compared with them.
"""

from enum import Enum

from attrs import field, frozen

from model.lowvisor.context import Context, Image
from spec.citations import Citation, arm, linux, rule
from spec.registers import REGISTERS, read, write, write_all
from spec.words import U32, bit, bits, choose, clear, either, every, mask, put, put_all

INTERRUPTS_HEAD = "arch/arm/kvm/interrupts_head.S"


class When(Enum):
    """The condition under which the lowvisor makes a step."""

    ALWAYS = "always"
    TIMER = "the VM uses the in-kernel timer"
    VGIC = "the VM has an in-kernel interrupt controller"
    VFP_USED = "the guest used VFP since the entry: HCPTR did not trap it any more"
    DATA_ABORT = "the syndrome is a data abort"
    PREFETCH_ABORT = "the syndrome is a prefetch abort"
    CALL = "the syndrome is a hypervisor call"
    ABORT = "the syndrome is an abort"
    ADDRESS_KNOWN = "the syndrome is an abort for which HPFAR is valid"
    ADDRESS_UNKNOWN = "the syndrome is an abort for which HPFAR is UNKNOWN: a permission fault outside a stage-1 walk"


@frozen
class Move:
    """One move of the lowvisor."""


@frozen
class Push(Move):
    """Read registers and push them as one block on the Hyp stack."""

    registers: tuple[str, ...]
    omitted: frozenset[str] = frozenset()
    """Registers whose read is left out: their slots hold whatever the scratch register held."""


@frozen
class Pop(Move):
    """Pop one block from the Hyp stack into registers."""

    registers: tuple[str, ...]
    omitted: frozenset[str] = frozenset()


@frozen
class Save(Move):
    """Copy registers into the vCPU's image."""

    registers: tuple[str, ...]
    omitted: frozenset[str] = frozenset()


@frozen
class Load(Move):
    """Copy registers from the vCPU's image."""

    registers: tuple[str, ...]
    omitted: frozenset[str] = frozenset()


@frozen
class SaveAs(Move):
    """Copy one register into a field of the image that has another name."""

    register: str
    image: str
    held: bool = False
    """Whether an earlier step read the register and its value is still at hand."""


@frozen
class Install(Move):
    """Write one register from a field of the image or, with `vm`, of the VM."""

    register: str
    image: str
    vm: bool = False
    allowed: int | None = None
    """The bits of the field that may reach the register."""


@frozen
class Write(Move):
    """Write a constant to a register."""

    register: str
    value: int


@frozen
class Alter(Move):
    """Read a register, clear some bits, set others, write it back."""

    register: str
    clears: int
    sets: int
    or_lines: bool = False
    """Whether the vCPU's `irq_lines` are set too: the virtual interrupts that user space raised."""


@frozen
class Copy(Move):
    """Write one register with the value of another."""

    register: str
    source: str


@frozen
class SaveVfp(Move):
    """Save VFP state to memory: the host's area, or the guest's image."""

    guest: bool


@frozen
class LoadVfp(Move):
    """Load VFP state from memory: the host's area, or the guest's image."""

    guest: bool


@frozen
class Inspect(Move):
    """Read a register whose value only decides the path."""

    register: str


@frozen
class TranslateFaultAddress(Move):
    """ATS1CPR on the faulting address: find the IPA that HPFAR does not give, and keep the guest's PAR."""


@frozen
class Isb(Move):
    """Synchronise the context: earlier writes of control registers take effect."""


@frozen
class Clrex(Move):
    """Clear the local exclusive monitor."""


@frozen
class Step:
    """One named step of a lowvisor routine: a move, its condition, and the code it stands for."""

    name: str
    move: Move
    sources: tuple[Citation, ...]
    when: When = When.ALWAYS
    scratch: tuple[str, ...] = field(default=())
    """Core registers that the step's instructions use and leave with meaningless values."""


def accesses(step: Step) -> tuple[str, ...]:
    """The system and banked register accesses of a step in the notation of the recording: `R SCTLR`, `W HCR`."""
    match step.move:
        case Push(registers, omitted) | Save(registers, omitted):
            return tuple(f"R {n}" for r in registers if r not in omitted for n in _recorded(r, reads=True))
        case Pop(registers, omitted) | Load(registers, omitted):
            return tuple(f"W {n}" for r in registers if r not in omitted for n in _recorded(r, reads=False))
        case SaveAs(_, _, held) if held:
            return ()
        case SaveAs(register, _) | Inspect(register):
            return tuple(f"R {n}" for n in _recorded(register, reads=True))
        case Install(register) | Write(register, _):
            return tuple(f"W {n}" for n in _recorded(register, reads=False))
        case Alter(register):
            return tuple(f"R {n}" for n in _recorded(register, True)) + tuple(
                f"W {n}" for n in _recorded(register, False)
            )
        case Copy(register, source):
            return (*(f"R {n}" for n in _recorded(source, True)), *(f"W {n}" for n in _recorded(register, False)))
        case SaveVfp():
            return ("R FPEXC", "W FPEXC", "R FPSCR", "R MVFR0")
        case LoadVfp():
            return ("R MVFR0", "W FPSCR", "W FPEXC")
        case TranslateFaultAddress():
            return ("R PAR", "W ATS1CPR", "(isb)", "R PAR", "W PAR")
        case Isb():
            return ("(isb)",)
        case Clrex():
            return ("(clrex)",)
    return ()


def _recorded(register: str, reads: bool) -> tuple[str, ...]:
    """The recording's name of a register; core registers reached without a system instruction have none."""
    if register == "lr_usr" or (register[0] == "r" and not register.endswith("_fiq")):
        return ()
    if register == "spsr_hyp":
        return ("SPSR",) if reads else ("SPSR_fsxc",)
    if register == "elr_hyp":
        return ("ELR_hyp",)
    stem, _, mode = register.partition("_")
    return (f"{stem.upper()}_{mode}",) if mode in BANKS else (register.upper(),)


BANKS = ("usr", "svc", "abt", "und", "irq", "fiq")


VFP = frozenset(name for name, register in REGISTERS.items() if register.component == "vfp")
OF_HYP_MODE = frozenset(name for name, register in REGISTERS.items() if register.component == "hyp") | {
    "cntvoff",
    "cnthctl",
}
"""The registers that only Hyp mode may access."""


@rule(arm("B1.14.12"), arm("B3.15.5"))
def touches_vfp(step: Step) -> bool:
    """Whether the step executes a VFP instruction, which HCPTR can make UNDEFINED in Hyp mode too."""
    match step.move:
        case SaveVfp() | LoadVfp():
            return True
        case Push(registers) | Pop(registers) | Save(registers) | Load(registers):
            return not VFP.isdisjoint(registers)
        case Alter(register) | Write(register, _):
            return register in VFP
    return False


@rule(arm("B1.14.12"), arm("B3.15.5"), linux("arch/arm/kvm/interrupts.S", "__kvm_vcpu_return"))
def may_fault(step: Step, context: Context) -> bool:
    """Whether the step may take an Undefined Instruction exception in Hyp mode.

    HCPTR.TCP10 applies to Hyp mode itself, and a write to HCPTR need not be in force before an ISB.
    """
    if not touches_vfp(step):
        return False
    hyp = context.cpu.hyp
    return every(holds(step.when, context), either(bit(hyp.hcptr, 10) == 1, bit(hyp.hcptr_in_force, 10) == 1))


@rule(arm("B3.15.2"), arm("B9.3.9"))
def needs_hyp_mode(step: Step) -> bool:
    """Whether the step reaches a register that only Hyp mode may access."""
    names: tuple[str, ...] = ()
    match step.move:
        case Push(registers) | Pop(registers) | Save(registers) | Load(registers):
            names = registers
        case Alter(register) | Write(register, _) | Copy(register, _) | Install(register) | SaveAs(register):
            names = (register,)
        case Inspect(register):
            names = (register,)
    return not OF_HYP_MODE.isdisjoint(names)


@rule(arm("B1.14.12"))
def must_fault(step: Step, context: Context) -> bool:
    """Whether the step takes an Undefined Instruction exception in Hyp mode whatever the processor has synchronised."""
    if not touches_vfp(step):
        return False
    hyp = context.cpu.hyp
    return every(holds(step.when, context), bit(hyp.hcptr, 10) == 1, bit(hyp.hcptr_in_force, 10) == 1)


@rule(linux("arch/arm/kvm/interrupts.S", "hyp_hvc"), arm("B3.13.6"))
def holds(when: When, context: Context) -> bool:
    """Whether the condition of a step holds, as one formula."""
    ec = bits(context.cpu.hyp.hsr, 31, 26)
    hsr = context.cpu.hyp.hsr
    permission = every(hsr & 0x3C == 0x0C, bit(hsr, 7) == 0)
    abort = either(ec == 0x20, ec == 0x24)
    match when:
        case When.ALWAYS:
            return True
        case When.TIMER:
            return context.vm.timer_enabled == 1
        case When.VGIC:
            return context.vm.vgic == 1
        case When.VFP_USED:
            return bits(context.old_hcptr, 11, 10) == 0
        case When.DATA_ABORT:
            return ec == 0x24
        case When.PREFETCH_ABORT:
            return ec == 0x20
        case When.CALL:
            return ec == 0x12
        case When.ABORT:
            return abort
        case When.ADDRESS_KNOWN:
            return every(abort, permission ^ True)
        case When.ADDRESS_UNKNOWN:
            return every(abort, permission)


@rule(linux("arch/arm/kvm/interrupts.S", "__kvm_vcpu_run"), linux("arch/arm/kvm/interrupts.S", "__kvm_vcpu_return"))
def apply(step: Step, context: Context) -> Context:
    """The context after one step of the lowvisor; a step whose condition does not hold changes nothing."""
    if step.scratch:
        spoilt = write_all(context.cpu, step.scratch, (context.scratch,) * len(step.scratch))
        context = put(context, "cpu", spoilt)
    if step.when is When.ALWAYS:
        return _move(step.move, context)
    return choose(holds(step.when, context), _move(step.move, context), context)


def _move(move: Move, context: Context) -> Context:
    cpu, image = context.cpu, context.image
    match move:
        case Push(registers, omitted):
            return _push(registers, omitted, context)
        case Pop(registers, omitted):
            return _pop(registers, omitted, context)
        case Save(registers, omitted):
            moved = registers if not omitted else tuple(n for n in registers if n not in omitted)
            return put(context, "image", write_all(image, moved, [read(cpu, name) for name in moved]))
        case Load(registers, omitted):
            moved = registers if not omitted else tuple(n for n in registers if n not in omitted)
            return put(context, "cpu", write_all(cpu, moved, [read(image, name) for name in moved]))
        case SaveVfp(guest):
            return put(context, "image", put(image, "vfp", cpu.vfp)) if guest else put(context, "host_vfp", cpu.vfp)
        case LoadVfp(guest):
            return put(context, "cpu", put(cpu, "vfp", image.vfp if guest else context.host_vfp))
        case SaveAs(register, name):
            return put(context, "image", put(image, name, read(cpu, register)))
        case TranslateFaultAddress():
            return put(context, "image", put(image, "hpfar", context.scratch))
        case Clrex():
            return put(context, "cpu", put(cpu, "local", put(cpu.local, "exclusive", 0)))
        case Isb():
            return put(context, "cpu", put(cpu, "hyp", put(cpu.hyp, "hcptr_in_force", cpu.hyp.hcptr)))
        case Inspect():
            return context
    if isinstance(move, Alter) and move.register == "hcptr":
        context = put(context, "old_hcptr", cpu.hyp.hcptr)
    return put(context, "cpu", write(cpu, _target(move), _value(move, context)))


def _target(move: Move) -> str:
    assert isinstance(move, Install | Write | Alter | Copy)
    return move.register


def _value(move: Move, context: Context) -> U32:
    match move:
        case Install(_, name, vm, allowed):
            value = getattr(context.vm, name) if vm else kept(context.image, name)
            return value if allowed is None else value & allowed
        case Write(_, value):
            return value
        case Alter(register, clears, sets, or_lines):
            lines = context.image.irq_lines & 0xC0 if or_lines else 0
            return clear(read(context.cpu, register), clears) | sets | lines
        case Copy(_, source):
            return read(context.cpu, source)
    raise AssertionError(move)


def kept(image: Image, name: str) -> int:
    """A field of the image by name, whether a register or one of its own fields."""
    if name in REGISTERS and not hasattr(image, name):
        return read(image, name)
    return getattr(image, name)  # type: ignore[no-any-return]


def _push(registers: tuple[str, ...], omitted: frozenset[str], context: Context) -> Context:
    pushed: list[int] = []
    for name in registers:
        value = context.scratch if name in omitted else read(context.cpu, name)
        pushed.append(value & mask(32))
        if REGISTERS[name].width == 64:
            pushed.append(context.scratch if name in omitted else value >> 32)
    return put(context, "stack", context.stack + tuple(pushed))


def _pop(registers: tuple[str, ...], omitted: frozenset[str], context: Context) -> Context:
    size = sum(REGISTERS[name].width // 32 for name in registers)
    block = context.stack[len(context.stack) - size :] if size <= len(context.stack) else context.stack
    block = (context.scratch,) * (size - len(block)) + block
    values: list[int] = []
    position = 0
    for name in registers:
        value = block[position]
        position += 1
        if REGISTERS[name].width == 64:
            value = value | (block[position] << 32)
            position += 1
        values.append(read(context.cpu, name) if name in omitted else value)
    rest = context.stack[: len(context.stack) - size] if size <= len(context.stack) else ()
    return put_all(context, ("cpu", "stack"), (write_all(context.cpu, registers, values), rest))
