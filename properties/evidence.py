"""What runs of a design show of each register: what the world switch does to it, and what a guest can do with it.

The world switch is run once with a host, a vCPU and a guest that differ in every word. Every class of instruction and
every row of the catalogue is executed in each guest mode, once as it is and once with what is not the guest's inverted.
"""

from collections.abc import Iterator, Mapping
from functools import cache

from attrs import evolve, field, frozen

from model.action import Action
from model.actions import GuestExecutes, HostExecutes, HostRunsVcpu, InterruptTaken, SignalChanges
from model.design import Design
from model.guards import forced, guard
from model.lowvisor.context import Image
from model.state import State, Where
from model.system import step
from model.topology import TOPOLOGIES, distinct, initial
from properties.engines.domain import Executed, everything
from properties.policy import GUEST_STATE, OWNED, VFP, Owner, installed
from properties.traces.describe import operation_text
from properties.views import View, view
from spec.controls import CONTROLS
from spec.operations import CoprocessorAccess, FloatingPoint, Instruction
from spec.processor import Processor
from spec.psr import GUEST_MODES, Mode, mode
from spec.registers import REGISTERS, read, write, write_all
from spec.words import inv

HOST_FLAGS, IMAGE_STATUS, GUEST_STATUS = 0x10000013, 0x8000001F, 0x40000013
TRAP_CONTROLS = frozenset({*CONTROLS, "hcptr_in_force", "cnthctl"})
"""The registers that decide what traps: all that a guest does depends on them, and the entry sets them."""
CALL_RESULTS = ("r0", "r1", "r2", "r3")
"""What the host's call of the lowvisor does not preserve: its arguments and results."""


@frozen
class Evidence:
    """What the runs of a design show of one register; the tuples hold operations in words."""

    loaded: bool = False
    """A guest starts with the value of its vCPU's image."""
    saved: bool = False
    """The image receives what the guest leaves."""
    kept: bool = False
    """The host finds its own value again, whatever the guest left."""
    lazy: bool = False
    """The three hold once the guest has used VFP; until then its VFP instructions trap."""
    cleared: bool = False
    """It is zero when the guest starts and when the host goes on, whatever the other left."""
    given: bool = False
    """The entry writes it with a constant, or with a value of the vCPU's or the VM's."""
    constant: bool = False
    """Nothing that the host or the lowvisor executes changes it."""
    trapping: tuple[str, ...] = field(default=())
    """Accesses of its rows that PL1 may make, and that trap."""
    open: tuple[str, ...] = field(default=())
    """Accesses of its rows that complete in the guest."""
    written: tuple[str, ...] = field(default=())
    """What the guest can do to change it and go on."""
    read: tuple[str, ...] = field(default=())
    """What has another effect for the guest where the register has another value."""


def run_until(design: Design, state: State, where: Where) -> State | None:
    """The state after the processor's forced steps, or None where they do not lead to the place."""
    for _ in range(500):
        if state.processors[0].thread.where is where:
            return state
        action = forced(state, 0)
        if action is None:
            return None
        state = step(design, state, action)
    return None


def with_cpu(state: State, cpu: Processor) -> State:
    """The state with the registers of its first processor replaced."""
    return evolve(state, processors=(evolve(state.processors[0], cpu=cpu), *state.processors[1:]))


def different(owner: int, status: int) -> Processor:
    """A processor whose every word differs from those of other owners, in a status that a guest or host may have."""
    cpu: Processor = distinct(Processor, owner)
    named = {
        "cpsr": status, "vbar": owner << 28, "fpexc": (owner << 26) | 1 << 30, "cntv_ctl": owner & 2, "exclusive": 1,
        "waiting": 1,
    }  # fmt: skip
    return write_all(cpu, tuple(named), tuple(named.values()))


def strangers(design: Design) -> State:
    """A host about to run a vCPU that has no word in common with it."""
    state = initial(TOPOLOGIES["one"], design)
    cpu, other = state.processors[0].cpu, different(0xC, 0)
    names = tuple(
        n for kind in (Owner.WORLD, Owner.GUEST_DEVICE, Owner.HOST) for n in OWNED[kind] if n not in ("cpsr", "pc")
    )
    cpu = write_all(cpu, names, [read(other, name) for name in names])
    cpu = write(write(cpu, "cpsr", cpu.cpsr | HOST_FLAGS), "vmpidr", cpu.identification.mpidr)
    fresh: Image = distinct(Image, 5)
    timer, cp15 = evolve(fresh.timer, cntv_ctl=1), evolve(fresh.cp15, vbar=0x50000000)
    image = evolve(fresh, cpsr=IMAGE_STATUS, timer=timer, cp15=cp15, irq_lines=0)
    return with_cpu(evolve(state, vcpus=(evolve(state.vcpus[0], image=image),)), cpu)


def in_image(image: Image, name: str) -> int | None:
    """The value of a register in an image, where that has a place for it."""
    holder = getattr(image, REGISTERS[name].component or "", image) if name in REGISTERS else None
    value: int | None = getattr(holder, name, None)
    return value


@frozen
class Switch:
    """One stay in a guest: the host that called, the guest as it started and as it was left, and the images."""

    called: Processor
    loaded: Image
    started: Processor
    left: Processor
    saved: Image
    back: Processor

    def evidence(self, name: str, given: bool, lazy: bool) -> Evidence:
        """What the stay shows of one register."""
        called, left, started, back = (read(cpu, name) for cpu in (self.called, self.left, self.started, self.back))
        expected = called + 4 if name == "pc" else called
        return Evidence(
            loaded=started == in_image(self.loaded, name) and started != called,
            saved=left == in_image(self.saved, name) and left != started,
            kept=name in CALL_RESULTS or (back == expected and left != called),
            cleared=started == 0 != called and back == 0 != left,
            lazy=lazy,
            given=given,
        )


def stay(design: Design, vfp: bool) -> Switch | None:
    """A host's call, a guest that changes all that is its own, and an interrupt; None where it goes wrong."""
    start = strangers(design)
    state = run_until(design, step(design, start, HostRunsVcpu(0, 0)), Where.GUEST)
    if state is not None and vfp:
        state = after_vfp_use(design, state)
    if state is None:
        return None
    started, other = state.processors[0].cpu, different(0x6, GUEST_STATUS)
    names = (*OWNED[Owner.WORLD], *OWNED[Owner.GUEST_DEVICE])
    changed = tuple(name for name in names if vfp or name not in VFP)
    left = write_all(started, changed, [read(other, name) for name in changed])
    state = step(design, with_cpu(state, left), SignalChanges(0, "irq", 1))
    state = run_until(design, step(design, state, InterruptTaken(0, "irq")), Where.HIGHVISOR)
    if state is None:
        return None
    physical = state.processors[0]
    assert physical.called_from is not None
    image = start.vcpus[0].image
    return Switch(physical.called_from, image, started, left, state.vcpus[0].image, physical.cpu)


def after_vfp_use(design: Design, state: State) -> State | None:
    """The guest after its first VFP instruction, if that trapped; its own CPSR and CPACR as they were."""
    cpu = state.processors[0].cpu
    ready = with_cpu(state, write_all(cpu, ("cpsr", "cpacr"), (Mode.SVC, 0xF00000)))
    used = step(design, ready, GuestExecutes(0, Instruction(FloatingPoint(0, 0, 0))))
    if used.processors[0].thread.where is not Where.LOWVISOR:
        return None
    back = run_until(design, used, Where.GUEST)
    if back is None:
        return None
    return with_cpu(back, write_all(back.processors[0].cpu, ("cpsr", "cpacr"), (cpu.cpsr, cpu.cp15.cpacr)))


def entered(design: Design, vfp: bool = False) -> State | None:
    """A guest that has just been entered and whose kernel denies User mode nothing; None where the entry fails."""
    start = initial(TOPOLOGIES["one"], design)
    image = start.vcpus[0].image
    image = evolve(image, timer=evolve(image.timer, cntkctl=0x303), cp15=evolve(image.cp15, cpacr=0xF00000))
    start = evolve(start, vcpus=(evolve(start.vcpus[0], image=image),))
    state = run_until(design, step(design, start, HostRunsVcpu(0, 0)), Where.GUEST)
    return after_vfp_use(design, state) if state is not None and vfp else state


def in_mode(state: State, number: int) -> State:
    """The state with its processor in another mode."""
    return with_cpu(state, write(state.processors[0].cpu, "cpsr", number))


def guests(design: Design) -> Iterator[State]:
    """Guests in each mode without VFP, and in Supervisor and User mode with it."""
    for vfp, modes in ((False, GUEST_MODES), (True, (Mode.SVC, Mode.USR))):
        state = entered(design, vfp)
        if state is not None:
            yield from (in_mode(state, number) for number in modes)


def executions(design: Design, state: State) -> Iterator[tuple[Executed, Action]]:
    """Every operation of the domain that is possible in a guest's state."""
    for executed in everything().guest:
        action = GuestExecutes(0, *executed)
        if guard(design, state, action):
            yield executed, action


def changed(before: Processor, after: Processor) -> Iterator[str]:
    """The names of the registers that differ."""
    return (name for name in REGISTERS if read(before, name) != read(after, name))


def foreign(design: Design) -> tuple[str, ...]:
    """What a guest's operations might read although it is not the guest's, trap controls apart."""
    own = {*GUEST_STATE, *VFP, "exclusive", *TRAP_CONTROLS}
    return tuple(name for name in REGISTERS if name not in own)


def experienced(design: Design, state: State, action: Action) -> View:
    """What the guest sees of an operation, behind the lazy VFP switch where that is what it leads to."""
    after = step(design, state, action)
    if after.processors[0].thread.routine == "vfp":
        after = run_until(design, after, Where.GUEST) or after
    return view(design, after, 0)


def inverted(state: State, names: tuple[str, ...]) -> State:
    """The state with every bit of some registers inverted."""
    cpu = state.processors[0].cpu
    return with_cpu(state, write_all(cpu, names, [inv(read(cpu, name), REGISTERS[name].width) for name in names]))


def readers(
    design: Design, state: State, action: Action, names: tuple[str, ...], other: State, seen: View
) -> Iterator[str]:
    """The registers among these on whose value it depends what the guest sees of an operation.

    `other` is the state with all of them inverted, `seen` what the guest sees in the state as it is.
    """
    if experienced(design, other, action) == seen:
        return
    if len(names) == 1:
        yield names[0]
        return
    half = len(names) // 2
    for part in (names[:half], names[half:]):
        yield from readers(design, state, action, part, inverted(state, part), seen)


@frozen
class Executions:
    """What the operations of the domain did in the guest, by register: the operations in words."""

    trapping: Mapping[str, dict[str, None]]
    open: Mapping[str, dict[str, None]]
    written: Mapping[str, dict[str, None]]
    read: Mapping[str, dict[str, None]]


def observed(design: Design) -> Executions:
    """Every operation in every guest mode: which accesses trap, and which registers it changes and reads."""
    found: tuple[dict[str, dict[str, None]], ...] = tuple({name: {} for name in REGISTERS} for _ in range(4))
    trapping, opened, written, reads = found
    suspects = foreign(design)
    for state in guests(design):
        before, other = state.processors[0].cpu, inverted(state, suspects)
        for (instruction, _), action in executions(design, state):
            after = step(design, state, action)
            cpu, stays = after.processors[0].cpu, after.processors[0].thread.where is Where.GUEST
            text, operation = operation_text(instruction.operation), instruction.operation
            if isinstance(operation, CoprocessorAccess) and operation.row.state is not None:
                if not stays:
                    trapping[operation.row.state][text] = None
                elif cpu.pc == before.pc + 4:
                    opened[operation.row.state][text] = None
            if stays:
                for name in changed(before, cpu):
                    written[name][text] = None
            if mode(before.cpsr) in (Mode.SVC, Mode.USR):
                seen = experienced(design, state, action)
                for name in readers(design, state, action, suspects, other, seen):
                    reads[name][text] = None
    return Executions(trapping, opened, written, reads)


def changed_by_host(design: Design) -> frozenset[str]:
    """The registers that some operation of the host kernel changes."""
    state = initial(TOPOLOGIES["one"], design)
    found: set[str] = set()
    for executed in everything().host:
        action = HostExecutes(0, *executed)
        if guard(design, state, action):
            found.update(changed(state.processors[0].cpu, step(design, state, action).processors[0].cpu))
    return frozenset(found)


@cache
def gather(design: Design) -> Mapping[str, Evidence]:
    """All evidence on every register; empty where the design cannot enter a guest and come back."""
    plain, lazy = stay(design, False), stay(design, True)
    if plain is None:
        return {}
    given, by_host, seen = installed(design), changed_by_host(design), observed(design)
    moved = {name for name in REGISTERS if read(plain.called, name) != read(plain.started, name)}
    result: dict[str, Evidence] = {}
    for name in REGISTERS:
        uses_vfp = name in VFP
        switch = lazy if uses_vfp and lazy is not None else plain
        result[name] = evolve(
            switch.evidence(name, name in given, uses_vfp and lazy is not None),
            constant=name not in by_host and name not in moved,
            trapping=tuple(seen.trapping[name]),
            open=tuple(seen.open[name]),
            written=tuple(seen.written[name]),
            read=tuple(seen.read[name]),
        )
    return result
