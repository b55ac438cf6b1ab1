"""What the proofs go through: every kind of action from every base, with the predicates of the steps it leads to.

A transaction is one chosen action with symbolic operands and the forced steps behind it. Its run yields, for each
property that speaks about one of its steps, whether it holds there. Together the transactions cover every step of the
system: a guest's and a host's instructions, interrupts, entries, exits by every cause, and the highvisor's handling.
"""

from collections.abc import Callable, Iterable, Iterator
from functools import cache
from typing import Any

from attrs import evolve, frozen

from model.action import Action
from model.actions import (
    RESERVED_CLASSES,
    GuestExecutes,
    GuestTrapsUnforeseen,
    HighvisorHandles,
    HostExecutes,
    HostRunsVcpu,
    InterruptTaken,
    LowvisorSteps,
    UserSpaceAnswers,
    UserSpaceRuns,
    UserSpaceWrites,
)
from model.design import Design
from model.guards import TAKEN, forced, guard
from model.highvisor.exits import MemoryAnswer
from model.highvisor.mmio import KvmRun
from model.state import State, Thread, Where
from model.system import step
from properties.engines.bases import Base, NotEstablished, guest_base, host_base, user_space_base
from properties.engines.inputs import constraints, shapes, symbolic
from properties.property import Property
from properties.trap_completeness.confinement import INDEPENDENT, independent_of
from properties.views import image_of
from spec.operations import (
    Choices,
    Fetch,
    FloatingPoint,
    Hvc,
    Instruction,
    Load,
    MemoryOutcome,
    Smc,
    Store,
    Wfe,
    Wfi,
)
from spec.processor import Processor
from spec.syndrome import ExceptionClass
from spec.words import bits, insert, put

Finding = tuple[str, str, Any]
"""A property's id, the step it was asked about, and whether it holds there."""


@frozen
class Transaction:
    """One obligation of a proof: a name, the assumptions, and a run that yields what holds."""

    name: str
    assumptions: tuple[Any, ...]
    run: Callable[[], tuple[Finding, ...]]
    operation: Any = None
    """The symbolic instruction, where the transaction is one."""
    end: Callable[[], State] | None = None
    """The state in which the transaction ends, for comparisons of designs."""


def asked(
    properties: Iterable[Property], design: Design, before: State, action: Action, after: State, label: str
) -> Iterator[Finding]:
    """What holds of one step, for the properties that speak about it."""
    for prop in properties:
        if isinstance(action, prop.about):
            if prop is INDEPENDENT:
                yield prop.id, label, hidden_twin(design, before, action, after)
            else:
                yield prop.id, label, prop.holds(design, before, action, after)


def hidden_twin(design: Design, before: State, action: Action, after: State) -> Any:
    """INDEPENDENT with an arbitrary second run."""
    assert isinstance(action, GuestExecutes)
    if isinstance(action.instruction.operation, Wfi | Wfe):
        return True
    return independent_of(design, before, action, after, symbolic(Processor, "hidden"))


def run_forced(
    design: Design, properties: tuple[Property, ...], state: State, until: tuple[Where, ...]
) -> tuple[State, list[Finding]]:
    """The forced steps of the processor up to a place, with what holds of each."""
    findings: list[Finding] = []
    for _ in range(500):
        if state.processors[0].thread.where in until:
            break
        action = forced(state, 0)
        if action is None:
            break
        thread = state.processors[0].thread
        after = step(design, state, action)
        findings += asked(properties, design, state, action, after, step_label(design, thread))
        state = after
    return state, findings


def step_label(design: Design, thread: Thread) -> str:
    """The name of the lowvisor's step at a program counter."""
    if thread.where is not Where.LOWVISOR:
        return thread.where.name.lower()
    steps = design.routine(thread.routine)
    return steps[thread.index].name if thread.index < len(steps) else f"{thread.routine}: done"


def at_highvisor(state: State) -> State:
    """The state in which a faithful exit has brought a trap to the highvisor."""
    physical = state.processors[0]
    vcpu = state.vcpus[0]
    assert physical.trapped_from is not None
    image = image_of(physical.trapped_from, physical.cpu, vcpu.image)
    assert physical.called_from is not None
    back = put(physical.called_from, "hyp", physical.cpu.hyp)
    thread = evolve(physical.thread, where=Where.HIGHVISOR, code=7)
    return evolve(
        state,
        processors=(evolve(physical, thread=thread, cpu=back),),
        vcpus=(put(vcpu, "image", image),),
    )


@cache
def instruction_shapes() -> tuple[Any, ...]:
    """Every shape of instruction: one for each class of operation, and each row of the coprocessor catalogue."""
    return tuple(shapes(Instruction))


def guest_instruction(design: Design, properties: tuple[Property, ...], base: Base, shape: Any) -> Transaction:
    """One instruction of the guest, with every operand and choice; a trap is handled as well."""
    instruction, choices = shape.symbolic("op"), next(iter(shapes(Choices))).symbolic("choice")
    action = GuestExecutes(0, instruction, choices)

    def run() -> tuple[Finding, ...]:
        if not guard(design, base.state, action):
            return ()
        after = step(design, base.state, action)
        label = shape.label
        findings = list(asked(properties, design, base.state, action, after, label))
        thread = after.processors[0].thread
        if thread.where is Where.LOWVISOR and thread.routine == "trap":
            findings += handling(design, properties, at_highvisor(after), instruction, label)
        return tuple(findings)

    extra = tuple(constraints(instruction)) + tuple(constraints(choices))
    return Transaction(f"{base.name}: {shape.label}", (*base.assumptions, *extra), run, instruction)


def handling(
    design: Design, properties: tuple[Property, ...], state: State, instruction: Instruction, label: str
) -> list[Finding]:
    """What holds of the highvisor's handling of a trap, for each answer that memory slots and devices may give."""
    abort = isinstance(instruction.operation, Load | Store | Fetch)
    findings: list[Finding] = []
    for answer in tuple(MemoryAnswer) if abort else (MemoryAnswer.MAPPED,):
        action = HighvisorHandles(0, answer, symbolic(KvmRun, "device").length)
        after = step(design, state, action)
        findings += asked(properties, design, state, action, after, f"handling of {label}")
    return findings


def any_abort(design: Design, properties: tuple[Property, ...], base: Base, ec: int) -> Transaction:
    """A stage 2 fault with any syndrome of its class, more than the instructions of the specification raise."""
    instruction = Instruction(Load(0, 0, 0, MemoryOutcome.STAGE2_FAULT))
    fresh: Processor = symbolic(Processor, "syndrome")
    syndrome = put(fresh, "hyp", put(fresh.hyp, "hsr", insert(fresh.hyp.hsr, 31, 26, ec)))

    def run() -> tuple[Finding, ...]:
        after = step(design, base.state, GuestExecutes(0, instruction))
        if after.processors[0].thread.routine != "trap":
            return ()
        after = with_syndrome(after, syndrome)
        return tuple(handling(design, properties, at_highvisor(after), instruction, f"any abort of class {ec:#x}"))

    return Transaction(f"{base.name}: any abort of class {ec:#x}", base.assumptions, run)


USER_SPACE: tuple[Action, ...] = (
    UserSpaceAnswers(0, 0, symbolic(KvmRun, "written").data),
    UserSpaceWrites(0, 0, symbolic(KvmRun, "written")),
    UserSpaceRuns(0, 0),
    UserSpaceRuns(0, 0, interrupted=True),
)
"""What user space may do with a vCPU, each with every operand."""


def user_space(design: Design, properties: tuple[Property, ...], base: Base, action: Action) -> Transaction:
    """A step of user space, with a vCPU whose access to a device is outstanding or not."""

    def run() -> tuple[Finding, ...]:
        if not guard(design, base.state, action):
            return ()
        after = step(design, base.state, action)
        return tuple(asked(properties, design, base.state, action, after, type(action).__name__))

    return Transaction(f"{base.name}: {type(action).__name__}", base.assumptions, run)


def host_instruction(design: Design, properties: tuple[Property, ...], base: Base, shape: Any) -> Transaction:
    """One instruction of the host, with every operand and choice."""
    instruction, choices = shape.symbolic("op"), next(iter(shapes(Choices))).symbolic("choice")
    action = HostExecutes(0, instruction, choices)

    def run() -> tuple[Finding, ...]:
        if isinstance(instruction.operation, Hvc) or not guard(design, base.state, action):
            return ()
        after = step(design, base.state, action)
        return tuple(asked(properties, design, base.state, action, after, shape.label))

    extra = tuple(constraints(instruction)) + tuple(constraints(choices))
    return Transaction(f"{base.name}: {shape.label}", (*base.assumptions, *extra), run, instruction)


def interrupt(design: Design, properties: tuple[Property, ...], base: Base, signal: str) -> Transaction:
    """A physical interrupt or abort, and from a guest the whole exit behind it."""
    physical = base.state.processors[0]
    cpu = put(physical.cpu, "signals", put(physical.cpu.signals, signal, 1))
    state = evolve(base.state, processors=(put(physical, "cpu", cpu),))
    action = InterruptTaken(0, signal)

    def run() -> tuple[Finding, ...]:
        if not guard(design, state, action):
            return ()
        after = step(design, state, action)
        findings = list(asked(properties, design, state, action, after, signal))
        _, rest = run_forced(design, properties, after, (Where.HIGHVISOR,))
        return tuple(findings + rest)

    def end() -> State:
        if not guard(design, state, action):
            return state
        return run_forced(design, (), step(design, state, action), (Where.HIGHVISOR,))[0]

    return Transaction(f"{base.name}: {signal}", base.assumptions, run, end=end)


def entry(design: Design, properties: tuple[Property, ...], base: Base) -> Transaction:
    """The host runs a vCPU: the whole world switch in."""
    action = HostRunsVcpu(0, 0)

    def run() -> tuple[Finding, ...]:
        after = step(design, base.state, action)
        findings = list(asked(properties, design, base.state, action, after, "entry"))
        _, rest = run_forced(design, properties, after, (Where.GUEST,))
        return tuple(findings + rest)

    return Transaction("entry", base.assumptions, run)


def trap_exit(design: Design, properties: tuple[Property, ...], base: Base, call: bool) -> Transaction:
    """A guest's trap with an arbitrary syndrome, or its hypervisor call: the whole world switch out."""
    physical = base.state.processors[0]
    kernel = put(physical.cpu, "cpsr", (physical.cpu.cpsr & 0xFFFFFFE0) | 0x13)
    state = evolve(base.state, processors=(put(physical, "cpu", kernel),))
    instruction = Instruction(Hvc(symbolic(Processor, "op").pc & 0xFFFF) if call else Smc(0))
    action = GuestExecutes(0, instruction)
    fresh: Processor = symbolic(Processor, "syndrome")

    def run() -> tuple[Finding, ...]:
        after = step(design, state, action)
        if not call:
            after = with_syndrome(after, fresh)
            ec = bits(fresh.hyp.hsr, 31, 26)
            if (ec == 0x12) | (ec == 0x07):
                return ()
        _, findings = run_forced(design, properties, after, (Where.HIGHVISOR,))
        return tuple(findings)

    def end() -> State:
        after = step(design, state, action)
        if not call:
            after = with_syndrome(after, fresh)
            ec = bits(fresh.hyp.hsr, 31, 26)
            if (ec == 0x12) | (ec == 0x07):
                return state
        return run_forced(design, (), after, (Where.HIGHVISOR,))[0]

    return Transaction(f"{base.name}: exit by {'call' if call else 'trap'}", base.assumptions, run, end=end)


def with_syndrome(state: State, fresh: Processor) -> State:
    """The state with arbitrary fault registers."""
    physical = state.processors[0]
    hyp = evolve(
        physical.cpu.hyp, hsr=fresh.hyp.hsr, hdfar=fresh.hyp.hdfar, hifar=fresh.hyp.hifar, hpfar=fresh.hyp.hpfar
    )
    return evolve(state, processors=(put(physical, "cpu", put(physical.cpu, "hyp", hyp)),))


def first_vfp_use(design: Design, properties: tuple[Property, ...], base: Base) -> Transaction:
    """The guest's first VFP instruction since its entry: the lazy switch, back into the guest."""
    physical = base.state.processors[0]
    cpu = evolve(physical.cpu, cp15=evolve(physical.cpu.cp15, cpacr=0x00F00000))
    state = evolve(base.state, processors=(put(physical, "cpu", cpu),))
    instruction = Instruction(FloatingPoint(0, 0, symbolic(Processor, "op").vfp.d0))

    def run() -> tuple[Finding, ...]:
        action = GuestExecutes(0, instruction)
        after = step(design, state, action)
        findings = list(asked(properties, design, state, action, after, "first VFP use"))
        _, rest = run_forced(design, properties, after, (Where.GUEST, Where.HIGHVISOR))
        return tuple(findings + rest)

    return Transaction("guest: first VFP use", base.assumptions, run)


def unforeseen(design: Design, properties: tuple[Property, ...], base: Base, ec: int) -> Transaction:
    """A trap with a reserved exception class."""
    action = GuestTrapsUnforeseen(0, ec)

    def run() -> tuple[Finding, ...]:
        after = step(design, base.state, action)
        return tuple(asked(properties, design, base.state, action, after, f"class {ec:#x}"))

    return Transaction(f"guest: reserved class {ec:#x}", base.assumptions, run)


REACHING = ("placement", "call", "entry", "vectors", "virtualization_extensions")
"""The parts of a design that decide how its guests run; every obligation depends on them."""
HANDLING = (*REACHING, "vfp", "handlers", "unknown_trap", "emulated", "injection", "skip", "mmio")
LEAVING = (*REACHING, "vfp", "trap", "interrupt", "exit", "back")


@frozen
class Obligation:
    """One transaction before it is made: its name, and the parts of the design that it depends on."""

    name: str
    parts: tuple[str, ...]
    make: Callable[[], Transaction]


def unreachable(reason: NotEstablished) -> Callable[[], Transaction]:
    """The obligation of a design whose guests cannot be reached: it cannot be made."""

    def make() -> Transaction:
        raise reason

    return make


def transactions(design: Design, properties: tuple[Property, ...]) -> list[Obligation]:
    """Every obligation of a design; those that no property speaks about are left out."""
    kinds = tuple({kind for prop in properties for kind in prop.about})

    def about(*actions: type[Action]) -> bool:
        return any(issubclass(action, kinds) for action in actions)

    host = host_base(design)
    guests: list[Base] = []
    found: list[Obligation] = []

    def add(name: str, parts: tuple[str, ...], function: Callable[..., Transaction], *operands: Any) -> None:
        found.append(Obligation(name, parts, lambda: function(design, properties, *operands)))

    if about(HostExecutes):
        for shape in instruction_shapes():
            add(f"host: {shape.label}", ("placement",), host_instruction, host, shape)
    if about(HostExecutes, InterruptTaken):
        for signal in SIGNALS:
            add(f"host: {signal}", ("placement",), interrupt, host, signal)
    for number, action in enumerate(USER_SPACE):
        if about(type(action)):
            parts = ("placement", "skip", "mmio")
            add(f"user space {number}", parts, user_space, user_space_base(design), action)
    if about(HostRunsVcpu, LowvisorSteps):
        add("entry", (*LEAVING, *HANDLING), entry, host)
    try:
        guests = [guest_base(design, vfp) for vfp in (False, True)]
    except NotEstablished as reason:
        found.append(Obligation(f"base: {reason}", (*HANDLING, *LEAVING), unreachable(reason)))
        return found
    for base in guests:
        if about(LowvisorSteps):
            for call in (False, True):
                add(f"{base.name}: exit by {'call' if call else 'trap'}", LEAVING, trap_exit, base, call)
        if about(InterruptTaken, LowvisorSteps):
            for signal in SIGNALS:
                add(f"{base.name}: {signal}", LEAVING, interrupt, base, signal)
    if about(LowvisorSteps):
        add("first VFP use", LEAVING, first_vfp_use, guests[0])
    if about(GuestTrapsUnforeseen):
        for ec in RESERVED_CLASSES:
            add(f"class {ec}", HANDLING, unforeseen, guests[0], ec)
    if about(HighvisorHandles):
        for ec in (ExceptionClass.IABT, ExceptionClass.DABT):
            add(f"any abort of class {ec:#x}", HANDLING, any_abort, guests[0], int(ec))
    if about(GuestExecutes, HighvisorHandles):
        for base in guests:
            for shape in instruction_shapes():
                add(f"{base.name}: {shape.label}", HANDLING, guest_instruction, base, shape)
    return found


SIGNALS = tuple(TAKEN)
