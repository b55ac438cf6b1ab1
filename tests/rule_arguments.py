"""The arguments of rules: every rule of the specification and the model, and the frames of what each may get."""

import importlib
import inspect
import pkgutil
from collections.abc import Callable, Iterable, Mapping
from enum import Enum
from functools import cache
from typing import Any, get_type_hints

import attrs

import model
import spec
from model import actions as actions_module
from model import guards
from model.action import Action
from model.design import ROUTINES, Design, Emulated, ExitCode
from model.designs.catalogue import DESIGNS
from model.designs.vgic_variations import stop_siblings
from model.highvisor.mmio import KvmRun
from model.hyp import design as hyp_design
from model.hyp import setup as hyp_setup
from model.hyp.design import HypDesign
from model.hyp.layout import Layout as HypLayout
from model.hyp.layout import initial_hyp
from model.lowvisor.moves import Step
from model.memory import design as memory_design
from model.memory import system as memory_system
from model.memory.design import MemoryDesign
from model.power import design as power_design
from model.power import system as power_system
from model.power.design import PowerDesign
from model.power.layout import Layout as PowerLayout
from model.power.layout import initial_power
from model.power.system import PowerAction
from model.programs import GUEST, OUT, Programs
from model.state import HOST, Physical, State, Thread, Vcpu, Where
from model.timer import design as timer_design
from model.timer import layout as timer_layout
from model.timer import system as timer_system
from model.timer.design import TimerDesign
from model.timer.layout import initial_time
from model.timer.system import TimeAction
from model.topology import TOPOLOGIES, initial
from model.vgic import design as vgic_design
from model.vgic import system as vgic_system
from model.vgic.design import VgicDesign
from model.vgic.guest import Acknowledges
from model.vgic.layout import Layout, initial_vgic
from model.vgic.state import Access
from model.vgic.system import VgicAction
from properties.engines.frames import Constant, Record, Shape, Words, among, one_of
from properties.engines.inputs import banked_names, field_hints, like, shape
from spec.operations import Choices, Instruction
from spec.registers import REGISTERS
from spec.sparse import Memory, sparse
from spec.words import Width

ENTRIES = 1
"""How many doublewords of memory are not zero."""


def rules() -> dict[str, Callable[..., Any]]:
    """Every function marked as a rule, by its full name."""
    found = {}
    for package in (spec, model):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            for name, value in vars(importlib.import_module(module.name)).items():
                if inspect.isfunction(value) and hasattr(value, "sources") and value.__module__ == module.name:
                    found[f"{module.name}.{name}"] = value
    return found


RULES = rules()


@cache
def designs() -> tuple[Design, ...]:
    return tuple(make() for make in DESIGNS.values())


@cache
def steps() -> tuple[Step, ...]:
    return tuple(dict.fromkeys(step for design in designs() for name in ROUTINES for step in design.routine(name)))


def threads(design: Design) -> list[Thread]:
    """Every program counter of a processor that runs the design."""
    inside = [
        Thread(Where.LOWVISOR, name, index) for name in ROUTINES for index in range(len(design.routine(name)) + 1)
    ]
    return [HOST, Thread(Where.GUEST), *(Thread(Where.HIGHVISOR, code=code) for code in ExitCode), *inside]


@cache
def states() -> tuple[Shape, ...]:
    """One processor and one vCPU, at each program counter, everything else free."""
    found = []
    for design in designs()[:2]:
        start = initial(TOPOLOGIES["one"], design)
        for thread in threads(design):
            physical = attrs.evolve(start.processors[0], thread=thread, stack=(0,) * 64)
            found.append(like(attrs.evolve(start, processors=(physical,))))
    return tuple(found)


@cache
def instructions() -> Shape:
    """One instruction of each kind."""
    kinds = {part.label.split()[0]: part for part in shape(Instruction).alternatives() if part.label}
    return one_of(kinds.values())


@cache
def interface_registers() -> Shape:
    """The virtual interface's registers."""
    return among(name for name, register in REGISTERS.items() if register.component == "gich")


@cache
def actions() -> Shape:
    """Every kind of action of the first processor."""
    operands = {
        "cpu": Constant(0),
        "vcpu": Constant(0),
        "instruction": instructions(),
        "choices": shape(Choices),
        "ec": among(actions_module.RESERVED_CLASSES[:2]),
        "signal": among(guards.TAKEN),
        "level": Words(Width(1)),
        "register": interface_registers(),
        "value": Words(Width(32)),
        "answer": shape(actions_module.MemoryAnswer),
        "data": Words(Width(32)),
        "run": shape(KvmRun),
        "interrupted": shape(bool),
    }
    kinds = [kind for kind in vars(actions_module).values() if isinstance(kind, type) and issubclass(kind, Action)]
    return one_of(
        Record(kind, tuple((field.name, operands[field.name]) for field in attrs.fields(kind)), named=True)
        for kind in kinds
        if kind is not Action
    )


def with_part(record: Any, name: str, part: Shape) -> Record:
    """A record's shape with one part replaced."""
    return attrs.evolve(record, parts=tuple((n, part if n == name else p) for n, p in record.parts))


def part_of(record: Any, name: str) -> Any:
    """One part of a record's shape."""
    return dict(record.parts)[name]


@cache
def memory_state(at: int) -> Shape:
    """Two processors, the first at a program counter with the first vCPU of the first VM; everything else is free."""
    design = designs()[0]
    start = initial(TOPOLOGIES["memory-two-vms"], design).memory
    free = like(start)
    cores = part_of(free, "cores")
    acting = cores.parts[0][1]
    for name, value in (("at", at), ("vcpu", 0), ("vm", 0)):
        acting = with_part(acting, name, Constant(value))
    vcpus = part_of(free, "vcpus")
    for number, (place, vcpu) in enumerate(vcpus.parts):
        vcpus = with_part(vcpus, place, with_part(vcpu, "vm", Constant(number)))
    return with_part(with_part(free, "cores", with_part(cores, "0", acting)), "vcpus", vcpus)


@cache
def memory_states(rule: str) -> Shape:
    """The states in which a rule is applied: a step's where its routine has it, any other rule's in a guest."""
    wanted = {do for do, step in memory_system.STEPS.items() if f"{step.__module__}.{step.__name__}" == rule}
    found = {}
    for design in (d.memory for d in designs()):
        for routine in memory_design.ROUTINES:
            for index, step in enumerate(design.steps(routine)):
                if step.do in wanted:
                    found.setdefault(step.do, memory_design.place(routine, index))
    elsewhere = memory_design.place("fault") if wanted else memory_design.GUEST
    return one_of(memory_state(at) for at in found.values() or (elsewhere,))


VGIC_WORDS = ("model.vgic.distributor.shown", "model.vgic.pending.key_of")
"""The rules about interrupts in which a vCPU's number is a word, not the choice of a case."""


OF_AGENTS = ("model.vgic.injection.inject", "model.vgic.threads.set_pin", "model.vgic.threads.kick_one")
"""The steps of agents alone."""


def with_deep(record: Any, path: tuple[str, ...], part: Shape) -> Record:
    """A record's shape with a part of a part replaced."""
    name, *rest = path
    return with_part(record, name, with_deep(part_of(record, name), tuple(rest), part) if rest else part)


def placed(free: Any, words: dict[str, int]) -> Any:
    """A record's shape with single words of it given, by their paths."""
    for path, value in words.items():
        free = with_deep(free, tuple(path.split(".")), Constant(value))
    return free


def kinds_of(rule: str, steps: Mapping[Any, Any]) -> list[Any]:
    """The kinds of step that a rule is about."""
    return [do for do, step in steps.items() if f"{step.__module__}.{step.__name__}" == rule]


def first_places(kinds: Iterable[Any], programs: Programs, parts: Iterable[Any], elsewhere: int = GUEST) -> list[int]:
    """For each kind of step the program counter of the first one that some design has; of none, another one."""
    parts = tuple(parts)
    each = (next((at for part in parts for at in sorted(programs.places(part, (kind,)))), None) for kind in kinds)
    return [at for at in each if at is not None] or [elsewhere]


def actions_of(base: type, module: Any, operands: Mapping[str, Shape]) -> Shape:
    """Every kind of action of a part, with the given shapes of operands and else those of their types."""
    kinds = [kind for kind in vars(module).values() if isinstance(kind, type) and issubclass(kind, base)]
    return one_of(
        Record(kind, tuple((n, operands.get(n) or shape(hint)) for n, hint in field_hints(kind).items()), named=True)
        for kind in kinds
        if kind is not base
    )


OF_A_THREAD = {"cores.0.busy": 1, "cores.0.vcpu": 0, "vcpus.0.vm": 0, "vcpus.1.vm": 0, "agents.0.vm": 0}
"""Of two processors and two vCPUs of one VM: the first processor has the first vCPU's thread."""


@cache
def vgic_states(rule: str) -> Shape:
    """The states in which a rule about interrupts is applied: a step's where its routine has it, others' in a guest."""
    parts = (*(d.vgic for d in designs()), stop_siblings(designs()[0].vgic))
    free: Any = like(initial_vgic(Layout(2, (2,)), designs()[0].vgic))
    places = first_places(kinds_of(rule, vgic_system.STEPS), vgic_design.PROGRAMS, parts)
    return one_of(placed(free, {**OF_A_THREAD, "vcpus.0.at": at, "agents.0.at": at}) for at in places)


@cache
def vgic_actions() -> Shape:
    """Every kind of action of the first processor that concerns interrupts."""
    one = Constant(0)
    words = {"irq": Words(Width(10)), "level": Words(Width(1)), "access": shape(Access), "use": shape(Acknowledges)}
    return actions_of(VgicAction, vgic_system, {"cpu": one, "vm": one, "vcpu": one, **words})


TIMER_JUMPS = ("model.timer.threads.check_signal", "model.timer.threads.check_runnable")
"""The rules of time that need a design which has them where the thread stands."""


@cache
def time_states(rule: str) -> Shape:
    """Two processors and three vCPUs, the first with the first vCPU's thread at the rule's step, or in a guest."""
    timer = designs()[0].timer
    at = first_places(kinds_of(rule, timer_system.STEPS), timer_design.PROGRAMS, (timer,))[0]
    free: Any = like(initial_time(timer_layout.Layout(2, ((2, True), (1, True))), timer))
    threads_at = {"cores.0.vcpu": 0, "cores.1.vcpu": 1, "vcpus.0.at": at}
    return placed(free, {**threads_at, "vcpus.0.vm": 0, "vcpus.1.vm": 0, "vcpus.2.vm": 1})


@cache
def time_actions() -> Shape:
    """Every kind of action of the first processor that concerns time."""
    words = {"value": Words(Width(1)), "ticks": Words(Width(64))}
    return actions_of(TimeAction, timer_system, {"cpu": Constant(0), "vcpu": Constant(0), **words})


@cache
def power_states(rule: str) -> Shape:
    """The states in which a rule about power is applied: a step's where its routine has it, others' in a guest."""
    places = first_places(kinds_of(rule, power_system.STEPS), power_design.PROGRAMS, (d.power for d in designs()))
    free: Any = like(initial_power(PowerLayout(2, (2,)), designs()[0].power))
    return one_of(placed(free, {**OF_A_THREAD, "vcpus.0.at": at, "agents.0.at": at}) for at in places)


@cache
def power_actions() -> Shape:
    """Every kind of action of the first processor, or of the agent, that concerns power."""
    return actions_of(PowerAction, power_system, dict.fromkeys(("cpu", "vcpu", "vm"), Constant(0)))


STARTING = {step.do for design in designs() for step in design.hyp.init}
OF_STARTING = tuple(step for do, step in hyp_setup.STEPS.items() if do in STARTING)
"""The steps of the thread that starts KVM."""


@cache
def hyp_states(rule: str) -> Shape:
    """The states in which a rule about Hyp mode's set-up is applied: a step's where a routine has it, others' idle."""
    free: Any = like(initial_hyp(HypLayout(2), designs()[0].hyp))
    at = first_places(kinds_of(rule, hyp_setup.STEPS), hyp_design.PROGRAMS, (d.hyp for d in designs()), OUT)[0]
    return placed(free, {"cores.0.at": at, "agents.0.at": at})


@cache
def stated_type(hint: Any) -> Shape | None:
    """The stated values of a type of which not every combination of fields is a value."""
    stated: dict[Any, Callable[[], Shape]] = {
        Design: lambda: among(designs()),
        MemoryDesign: lambda: among(dict.fromkeys(design.memory for design in designs())),
        TimeAction: time_actions,
        TimerDesign: lambda: among(dict.fromkeys(design.timer for design in designs())),
        VgicAction: vgic_actions,
        PowerAction: power_actions,
        HypDesign: lambda: among(dict.fromkeys(design.hyp for design in designs()[:2])),
        PowerDesign: lambda: among(dict.fromkeys(design.power for design in designs()[:2])),
        VgicDesign: lambda: among(dict.fromkeys(design.vgic for design in designs()[:2])),
        Memory: lambda: attrs.evolve(shape(Memory), size=ENTRIES),
        Step: lambda: among(steps()),
        Emulated: lambda: among(dict.fromkeys(entry for design in designs() for entry in design.emulated)),
        State: lambda: one_of(states()),
        Physical: lambda: one_of(part.parts[0][1].parts[0][1] for part in states() if isinstance(part, Record)),
        Thread: lambda: among(threads(designs()[0])),
        Vcpu: lambda: like(initial(TOPOLOGIES["one"], designs()[0]).vcpus[0]),
        Action: actions,
    }
    return stated[hint]() if hint in stated else None


def stated_parameter(name: str) -> Shape | None:
    """The stated values of parameters whose type does not say them: names, exit codes, positions."""
    rule, _, parameter = name.rpartition(".")
    if rule.startswith("model.memory.") and parameter in ("cpu", "number"):
        return Constant(0)
    if rule.startswith("model.memory.") and parameter == "state":
        return memory_states(rule)
    if rule.startswith("model.vgic.") and parameter in ("cpu", "number") and rule not in VGIC_WORDS:
        return Constant(2 if rule in OF_AGENTS else 0)
    if rule.startswith("model.vgic.") and parameter == "state":
        return vgic_states(rule)
    if rule.startswith("model.threads.") and parameter in ("cpu", "number"):
        return Constant(0)
    if rule.startswith("model.threads.") and parameter == "state":
        return one_of((vgic_states(rule), power_states(rule)))
    if rule.startswith("model.power.") and parameter in ("cpu", "number"):
        return Constant(2 if rule.startswith("model.power.user.") and parameter == "cpu" else 0)
    if rule.startswith("model.power.") and parameter == "state":
        return power_states(rule)
    if rule.startswith("model.hyp.") and parameter == "cpu":
        of_agent = rule.startswith("model.hyp.setup.") and RULES[rule] in OF_STARTING
        return Constant(2 if of_agent else 0)
    if rule.startswith("model.hyp.") and parameter == "state":
        return hyp_states(rule)
    if rule.startswith("model.timer.") and parameter in ("cpu", "number"):
        return Constant(0)
    if rule.startswith("model.timer.") and parameter == "state":
        return time_states(rule)
    if rule in TIMER_JUMPS and parameter == "design":
        return Constant(designs()[0].timer)
    stated: dict[str, Callable[[], Shape]] = {
        "model.memory.system.slot_set.slot": lambda: among((0, 1)),
        "spec.transfers.delivered.value": lambda: Words(Width(64)),
        "spec.translation.descriptors.descend.locate": lambda: Constant(None),
        "spec.translation.stage1_long.walk.locate": lambda: Constant(None),
        "spec.translation.ats.asked_from_hyp.memory": lambda: Constant(sparse(0)),
        "spec.translation.ats.ats1c.memory": lambda: Constant(sparse(0)),
        "spec.translation.ats.address_translation.memory": lambda: Constant(sparse(0)),
        "spec.status.banked_access.register": lambda: among(banked_names()),
        "spec.status.names_current.suffix": lambda: among(("usr", "fiq", "irq", "svc", "abt", "und", "hyp")),
        "model.highvisor.exits.handle_exit.code": lambda: among(ExitCode),
        "model.system.host_calls.vcpu": lambda: Constant(0),
        "model.system.interrupted.signal": lambda: among(guards.TAKEN),
        "model.system.interface_changed.register": interface_registers,
    }
    return stated[name]() if name in stated else None


def parameter_shapes(name: str) -> list[list[Shape]]:
    """The alternatives of each parameter; an enumeration as a parameter is a distinction of cases, not a word."""
    hints = get_type_hints(RULES[name], include_extras=True)
    listed = []
    for parameter in inspect.signature(RULES[name]).parameters:
        hint = hints[parameter]
        found = stated_parameter(f"{name}.{parameter}") or stated_type(hint)
        if found is None:
            found = among(hint) if isinstance(hint, type) and issubclass(hint, Enum) else shape(hint)
        listed.append(list(found.alternatives()))
    return listed
