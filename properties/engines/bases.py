"""Symbolic states from which the proofs start: any host, any guest, each as the world switch itself establishes them.

A guest base is what the design's own entry makes of an arbitrary host and an arbitrary vCPU, with everything that the
guest owns replaced by arbitrary values. That is inductive: the entry establishes it, `trap_completeness.confined` says
that no operation of the guest leaves it, and the exit is proved from it.

Assumed, and not proved here: a VM's VMID is not 0, which the highvisor's allocator sees to (it comes with memory). That
contexts are legal is assumed and proved by `specification.legal_state`; that no vCPU in the run loop has an access to a
device outstanding, by `mmio.awaited`; that one in user space is remembered rightly, by `mmio.remembered`.
"""

from collections.abc import Callable
from typing import Any

from attrs import evolve, frozen

from model.actions import GuestExecutes, HostRunsVcpu
from model.design import KERNEL_MODE_OF, Design
from model.guards import forced
from model.highvisor.mmio import Access, KvmRun
from model.lowvisor.context import Image, Vm
from model.state import HOST, Physical, Standing, State, Vcpu, Where
from model.system import interface_changed, step
from model.topology import HYP_VECTORS
from properties.engines.explorer import Exploration, explore
from properties.engines.formulas import formula
from properties.engines.inputs import symbolic
from properties.mmio import as_remembered
from properties.policy import GUEST_STATE, TIMER_OF_GUEST, VFP, legal
from spec.operations import FloatingPoint, Instruction
from spec.processor import Processor, Vfp
from spec.registers import REGISTERS, read, write_all
from spec.words import bits, choose, put


@frozen
class Base:
    """A symbolic state with the assumptions under which it stands for states of the system."""

    name: str
    state: State
    assumptions: tuple[Any, ...]


INTERFACE = tuple(name for name, register in REGISTERS.items() if register.component == "gich")
"""What the GIC changes by itself while a guest runs."""


class NotEstablished(Exception):
    """The design does not reach the base: the run to it ended elsewhere, or forked."""


def host_base(design: Design) -> Base:
    """Any host: every register arbitrary, the configuration that the host runs with, any vCPU to be run."""
    cpu: Processor = symbolic(Processor, "host")
    mode = KERNEL_MODE_OF[design.placement]
    flags = cpu.cpsr & 0xF80F01C0
    cpu = evolve(
        cpu,
        cpsr=flags | mode,
        hyp=evolve(
            cpu.hyp,
            hcr=0,
            hstr=0,
            hcptr=0,
            hcptr_in_force=0,
            hdcr=cpu.hyp.hdcr & 0x1F,
            vttbr=0,
            hvbar=HYP_VECTORS,
            hsctlr=0x30C5187D,
            vpidr=cpu.identification.midr,
            vmpidr=cpu.identification.mpidr,
        ),
        timer=evolve(cpu.timer, cnthctl=3, cntvoff=0, cntv_ctl=cpu.timer.cntv_ctl & 2),
        gich=evolve(cpu.gich, gich_hcr=0),
        local=evolve(cpu.local, waiting=0),
    )
    image: Image = symbolic(Image, "image")
    vm: Vm = symbolic(Vm, "vm")
    host_vfp: Vfp = symbolic(Vfp, "area")
    scratch = symbolic(Image, "scratch").hsr
    last: Access = symbolic(Access, "access")
    vcpu = Vcpu(image, 0, run=symbolic(KvmRun, "run"), mmio=evolve(last, needed=0))
    state = State((Physical(cpu, HOST, (), host_vfp, scratch),), (vcpu,), (vm,))
    assumptions = (formula(legal(image)), formula(bits(vm.vttbr, 55, 48) != 0))
    return Base("host", state, assumptions)


def user_space_base(design: Design) -> Base:
    """Any host with a vCPU whose thread is in user space, an access to a device outstanding or not."""
    host = host_base(design)
    vcpu = evolve(host.state.vcpus[0], standing=Standing.IN_USER_SPACE, mmio=symbolic(Access, "access"))
    assumed = (*host.assumptions, formula(as_remembered(design, vcpu)))
    return Base("user space", evolve(host.state, vcpus=(vcpu,)), assumed)


def single(run: Callable[[], State], assumptions: tuple[Any, ...]) -> tuple[State, tuple[Any, ...]]:
    """The one outcome of a run that must not fork."""
    exploration: Exploration = explore(run, assumptions)
    if len(exploration.paths) != 1 or not isinstance(exploration.paths[0].outcome, State):
        raise NotEstablished(f"{len(exploration.paths)} outcomes: {[p.outcome for p in exploration.paths][:2]}"[:200])
    path = exploration.paths[0]
    return path.outcome, (*assumptions, *path.condition)


def drained(design: Design, state: State, until: Where) -> State:
    """The state after the processor's forced steps, up to a place."""
    for _ in range(500):
        if state.processors[0].thread.where is until:
            return state
        action = forced(state, 0)
        if action is None:
            return state
        state = step(design, state, action)
    return state


def entered(design: Design, base: Base) -> tuple[State, tuple[Any, ...]]:
    """The state in which the host's vCPU has just been entered."""

    def run() -> State:
        return drained(design, step(design, base.state, HostRunsVcpu(0, 0)), Where.GUEST)

    return single(run, base.assumptions)


def guest_base(design: Design, vfp: bool) -> Base:
    """Any guest, as the design's entry leaves the processor; with `vfp`, after its first VFP instruction."""
    host = host_base(design)
    state, assumptions = entered(design, host)
    if state.processors[0].thread.where is not Where.GUEST:
        raise NotEstablished(f"the entry ends in {state.processors[0].thread.where.value}")
    if vfp:
        state, assumptions = used_vfp(design, state, assumptions)
    physical = state.processors[0]
    fresh: Processor = symbolic(Processor, "guest")
    names = (*GUEST_STATE, *TIMER_OF_GUEST, *(VFP if vfp else ()), "exclusive")
    cpu = write_all(physical.cpu, names, [read(fresh, name) for name in names])
    used = cpu
    for name in INTERFACE:
        used = interface_changed(used, name, read(fresh, name))
    cpu = put(cpu, "gich", choose(state.vms[0].vgic == 1, used.gich, cpu.gich))
    state = evolve(state, processors=(evolve(physical, cpu=cpu),))
    return Base("guest with VFP" if vfp else "guest", state, (*assumptions, formula(legal(cpu))))


def used_vfp(design: Design, state: State, assumptions: tuple[Any, ...]) -> tuple[State, tuple[Any, ...]]:
    """The state after the guest's first VFP instruction since its entry has been let through."""
    physical = state.processors[0]
    cpu = physical.cpu
    granted = evolve(cpu, cpsr=0x13, cp15=evolve(cpu.cp15, cpacr=0x00F00000))
    ready = evolve(state, processors=(evolve(physical, cpu=granted),))
    use = GuestExecutes(0, Instruction(FloatingPoint(0, 0, 0)))

    def run() -> State:
        return drained(design, step(design, ready, use), Where.GUEST)

    return single(run, assumptions)
