"""Steps remembered by the components that they read: the same pure functions as `model.system`, many times faster.

What one processor does touches that processor and the vCPU that it runs. Both are kept as a row of interned components
(the general registers, the timer, the image's CP15 registers ...), each a number. To run a step on a row it has not
met, the components that it is not known to read are replaced by hollow ones, records whose attributes are not set.
Where the step or a predicate reads one, that component joins what the step is remembered by, and the step runs again. A
step that reads or changes another processor or another vCPU raises `NotPrivate`: merging it would hide an order.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache, partial
from operator import itemgetter
from typing import Any, NamedTuple

from attrs import define, field, fields, frozen, has

from model.action import Action
from model.actions import HostRunsVcpu, HypFaults, LowvisorSteps
from model.design import Design
from model.guards import guard
from model.lowvisor.context import Image
from model.state import Physical, State, Thread, Vcpu, Where
from model.system import step
from properties.engines.course import concerned
from properties.property import Property
from spec.processor import Processor

Row = tuple[int, ...]
"""One processor and one vCPU: the number of each component, in the order of `Layout.slots`."""
CONTAINERS = (Physical, Processor, Vcpu, Image)
HISTORY = ("called_from", "trapped_from")


class NotPrivate(Exception):
    """A step or predicate reached past the acting processor and its vCPU, or read history that it should not."""


def hollow(cls: type) -> Any:
    """A record of a class whose attributes are not set: it may be passed on, and reading it raises AttributeError."""
    return object.__new__(cls)


FORGOTTEN: Processor = hollow(Processor)
"""The history of a processor that the next step will overwrite."""


@frozen
class Slot:
    """One component of a row: its attribute path, and its class where it is a record that can be hollow."""

    path: tuple[str, ...]
    cls: type | None


def slots_of(value: Any, path: tuple[str, ...]) -> list[Slot]:
    """The slots of a record of records."""
    if path and path[-1] in HISTORY:
        return [Slot(path, Processor)]
    if isinstance(value, CONTAINERS):
        return [slot for f in fields(type(value)) for slot in slots_of(getattr(value, f.name), (*path, f.name))]
    return [Slot(path, type(value) if has(type(value)) and not isinstance(value, Thread) else None)]


Plan = tuple[type, tuple[Any, ...]]
"""How a record is put together from a row: its class, and for each field a slot's position or a plan."""


def plan_of(value: Any, path: tuple[str, ...], positions: Mapping[tuple[str, ...], int]) -> Plan:
    """The plan of a record of records with the frame of a given one."""
    paths = [(*path, f.name) for f in fields(type(value))]
    inner = (positions[p] if p in positions else plan_of(getattr(value, p[-1]), p, positions) for p in paths)
    return type(value), tuple(inner)


def built(plan: Plan, parts: Sequence[Any]) -> Any:
    """A record from the components of a row."""
    return plan[0](*[parts[part] if type(part) is int else built(part, parts) for part in plan[1]])


def differences(plan: Plan, old: Any, new: Any) -> Iterator[tuple[int, Any]]:
    """The slots in which a record is not the very same, with their new components."""
    if new is not old:
        for part, name in zip(plan[1], names_of(plan[0]), strict=True):
            before, after = getattr(old, name), getattr(new, name)
            if type(part) is int:
                if after is not before:
                    yield part, after
            else:
                yield from differences(part, before, after)


@cache
def names_of(cls: Any) -> tuple[str, ...]:
    """The names of the fields of a record class."""
    return tuple(f.name for f in fields(cls))


@define
class Interner:
    """Numbers for values, equal for equal ones."""

    numbers: dict[Any, int] = field(factory=dict)
    values: list[Any] = field(factory=list)

    def number(self, value: Any) -> int:
        """The number of a value; that of a processor is found by its components' numbers."""
        if value is FORGOTTEN:
            key: Any = FORGOTTEN.__class__
        elif isinstance(value, Processor):
            key = (Processor, *(self.number(getattr(value, name)) for name in names_of(Processor)))
        else:
            key = (int if isinstance(value, int) and not isinstance(value, bool) else type(value), value)
        known = self.numbers.get(key)
        if known is None:
            known = self.numbers[key] = len(self.values)
            self.values.append(value)
        return known


@frozen
class Effect:
    """What a step does to every row with the components it is remembered by."""

    changes: tuple[tuple[int, Any], ...]
    """For each slot that changes: a number, or a function of the row that gives one."""
    violated: tuple[str, ...]
    """The properties that do not hold of it, of those whose predicates read no more than the step itself."""
    undecided: tuple[Property, ...]
    """Those whose predicates read more, and are remembered by themselves; amid the lowvisor there are none."""
    vulnerable: bool
    """Whether an Undefined Instruction exception could strike in place of the step."""


UNKNOWN = Effect((), (), (), False)
"""Stands for what is not remembered."""


class Taken(NamedTuple):
    """A step of a row: the row after it, the properties that do not hold of it, and `Effect.vulnerable`."""

    row: Row
    violated: tuple[str, ...]
    vulnerable: bool


@define
class Memory:
    """One kind of step, or one predicate of it, at one place of the program: what it reads, and what it found there."""

    reads: set[int]
    key: Callable[[Row], Any] = field(init=False)
    found: dict[Any, Any] = field(factory=dict)

    def __attrs_post_init__(self) -> None:
        self.key = itemgetter(*sorted(self.reads))

    def add(self, position: int) -> None:
        """One more slot that it reads; what was remembered without it is not known to be complete."""
        self.reads.add(position)
        self.key = itemgetter(*sorted(self.reads))
        self.found.clear()


@define
class Components:
    """The steps of one design on rows of interned components, for one configuration of processors and vCPUs."""

    design: Design
    properties: tuple[Property, ...]
    initial: State
    interner: Interner = field(factory=Interner)
    memories: dict[Any, Memory] = field(factory=dict)
    taken: dict[type[Action], bool] = field(factory=dict)
    evaluations: int = 0
    lookups: int = 0
    slots: tuple[Slot, ...] = field(init=False)
    divide: int = field(init=False)
    """The number of slots of a row that belong to the processor; the vCPU's follow."""
    blanks: tuple[Any, ...] = field(init=False)
    places: dict[int, int] = field(init=False)
    """The slot of each hollow component, by its identity."""
    positions: dict[tuple[str, ...], int] = field(init=False)
    plans: tuple[Plan, Plan] = field(init=False)
    program_counter: int = field(init=False)
    """The slot of the thread."""
    visible: frozenset[int] = field(init=False)
    concerned: Callable[[type[Action]], tuple[Property, ...]] = field(init=False)

    def __attrs_post_init__(self) -> None:
        of_physical = slots_of(self.initial.processors[0], ("physical",))
        self.slots = (*of_physical, *slots_of(self.initial.vcpus[0], ("vcpu",)))
        self.divide = len(of_physical)
        self.blanks = tuple(hollow(slot.cls) if slot.cls else None for slot in self.slots)
        self.places = {id(blank): n for n, blank in enumerate(self.blanks) if blank is not None}
        self.positions = {slot.path: n for n, slot in enumerate(self.slots)}
        self.program_counter = self.positions["physical", "thread"]
        self.plans = (
            plan_of(self.initial.processors[0], ("physical",), self.positions),
            plan_of(self.initial.vcpus[0], ("vcpu",), self.positions),
        )
        self.visible = frozenset(n for n, slot in enumerate(self.slots) if slot.cls is None)
        self.concerned = concerned(self.properties)

    def row(self, physical: Physical, vcpu: Vcpu) -> Row:
        """A processor and a vCPU as a row."""
        values = {"physical": physical, "vcpu": vcpu}
        return tuple(self.interner.number(_at(values[slot.path[0]], slot.path[1:])) for slot in self.slots)

    def thread(self, row: Row) -> Thread:
        """What the row's processor executes."""
        thread: Thread = self.interner.values[row[self.program_counter]]
        return thread

    def pc(self, row: Row) -> int:
        """The PC of the row's processor."""
        pc: int = self.interner.values[row[self.positions["physical", "cpu", "pc"]]]
        return pc

    def cpsr(self, row: Row) -> int:
        """The CPSR of the row's processor."""
        cpsr: int = self.interner.values[row[self.positions["physical", "cpu", "cpsr"]]]
        return cpsr

    def forgetting(self, row: Row) -> Row:
        """The row without the history that is overwritten before it is read again: at rest, where the guest was left.

        In the host also where the host called. What reads it all the same raises `NotPrivate`.
        """
        forgotten = self.interner.number(FORGOTTEN)
        names = ("called_from", "trapped_from") if self.thread(row).where is Where.HOST else ("trapped_from",)
        changed = list(row)
        for name in names:
            changed[self.positions["physical", name]] = forgotten
        return tuple(changed)

    def after(self, row: Row, action: Action, number: int, vcpu: int, others: tuple[Thread, ...] = ()) -> Taken | None:
        """A step of the row's processor; None where the guard does not hold.

        `number` stands for the action in the memory; `others` are the threads of the other processors, for guards that
        depend on where they are.
        """
        self.lookups += 1
        place = (number, row[self.program_counter], vcpu, others)
        memory = self.memories.get(place) or self.memory(place, self.visible)
        effect: Effect | None = memory.found.get(memory.key(row), UNKNOWN)
        if effect is UNKNOWN:
            effect = self.recalled(memory, row, lambda reads: self.effect(row, action, vcpu, others, reads))
        if effect is None:
            return None
        violated = effect.violated
        for prop in effect.undecided:
            judging = self.memory((prop.id, *place), memory.reads)
            if not self.recalled(judging, row, partial(self.judged, prop, row, action, vcpu, others)):
                violated = (*violated, prop.id)
        changed = list(row)
        for slot, change in effect.changes:
            changed[slot] = change if type(change) is int else change(row)
        return Taken(tuple(changed), violated, effect.vulnerable)

    def memory(self, place: Any, reads: Iterable[int]) -> Memory:
        """The memory of a place, which starts with what is read there at least."""
        found = self.memories.get(place)
        if found is None:
            found = self.memories[place] = Memory(set(reads))
        return found

    def recalled(self, memory: Memory, row: Row, evaluate: Callable[[set[int]], Any]) -> Any:
        """What is remembered of a row, or else evaluated with the components that are known to be read."""
        key = memory.key(row)
        if key in memory.found:
            return memory.found[key]
        while True:
            self.evaluations += 1
            try:
                result = memory.found[memory.key(row)] = evaluate(memory.reads)
                return result
            except AttributeError as missing:
                place = self.places.get(id(missing.obj))
                if place is None or place in memory.reads:
                    raise NotPrivate(str(missing)) from missing
                memory.add(place)

    def kinds(self) -> frozenset[type[Action]]:
        """The kinds of action that were possible somewhere."""
        return frozenset(self.taken)

    def state(self, row: Row, action: Action, vcpu: int, others: tuple[Thread, ...], reads: set[int]) -> State:
        """A state in which only the components of a row that a step may read have a content."""
        values = self.interner.values
        parts = [values[n] if p in reads else self.blanks[p] for p, n in enumerate(row)]
        processors = [hollow(Physical) for _ in self.initial.processors]
        for stub, thread in zip(processors[: action.cpu] + processors[action.cpu + 1 :], others, strict=False):
            object.__setattr__(stub, "thread", thread)
        processors[action.cpu] = built(self.plans[0], parts)
        vcpus = [hollow(Vcpu) for _ in self.initial.vcpus]
        vcpus[vcpu] = built(self.plans[1], parts)
        return State(tuple(processors), tuple(vcpus), self.initial.vms)

    def judged(
        self, prop: Property, row: Row, action: Action, vcpu: int, others: tuple[Thread, ...], reads: set[int]
    ) -> bool:
        """Whether a property holds of a step, on a state with hollow components."""
        before = self.state(row, action, vcpu, others, reads)
        return bool(prop.holds(self.design, before, action, step(self.design, before, action)))

    def effect(self, row: Row, action: Action, vcpu: int, others: tuple[Thread, ...], reads: set[int]) -> Effect | None:
        """The effect of an action on a state with hollow components; None where it is not possible."""
        before = self.state(row, action, vcpu, others, reads)
        if not guard(self.design, before, action):
            return None
        vulnerable = isinstance(action, LowvisorSteps) and guard(self.design, before, HypFaults(action.cpu))
        after = step(self.design, before, action)
        self.taken[type(action)] = True
        self.check_private(before, action, after, vcpu)
        amid = isinstance(action, LowvisorSteps) and after.processors[action.cpu].thread.where is Where.LOWVISOR
        violated, undecided = [], []
        for prop in self.concerned(type(action)):
            try:
                if not prop.holds(self.design, before, action, after):
                    violated.append(prop.id)
            except AttributeError:
                if amid:
                    raise
                undecided.append(prop)
        physical, image = self.plans
        changed = [
            *differences(physical, before.processors[action.cpu], after.processors[action.cpu]),
            *differences(image, before.vcpus[vcpu], after.vcpus[vcpu]),
        ]
        changes = tuple((position, self.source(value)) for position, value in changed)
        return Effect(changes, tuple(violated), tuple(undecided), bool(vulnerable))

    def source(self, value: Any) -> Any:
        """Where a new component comes from: its number, or a function of the row where it consists of hollow ones."""
        place = self.places.get(id(value))
        if place is not None:
            return itemgetter(place)
        if not isinstance(value, Processor) or value is FORGOTTEN:
            return self.interner.number(value)
        parts = tuple(self.source(getattr(value, name)) for name in names_of(Processor))
        interner = self.interner

        def whole(row: Row) -> int:
            numbers = tuple(part if type(part) is int else part(row) for part in parts)
            known = interner.numbers.get((Processor, *numbers))
            return interner.number(Processor(*map(interner.values.__getitem__, numbers))) if known is None else known

        return whole

    def check_private(self, before: State, action: Action, after: State, vcpu: int) -> None:
        """Raise NotPrivate where a step changed anything but its processor and the vCPU of its row."""
        processors = zip(before.processors, after.processors, strict=True)
        vcpus = zip(before.vcpus, after.vcpus, strict=True)
        changed = [n != action.cpu and a is not b for n, (a, b) in enumerate(processors)]
        changed += [n != vcpu and a is not b for n, (a, b) in enumerate(vcpus)]
        if after.vms is not before.vms or any(changed):
            raise NotPrivate(f"{type(action).__name__} changes more than its own processor and vCPU")
        if after.processors[action.cpu].thread.vcpu != vcpu and isinstance(action, HostRunsVcpu):
            raise NotPrivate(f"{type(action).__name__} runs another vCPU than the one it names")


def _at(value: Any, path: tuple[str, ...]) -> Any:
    for name in path:
        value = getattr(value, name)
    return value
