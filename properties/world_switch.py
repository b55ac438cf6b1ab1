"""The world switch: each world finds again what it left, and neither ever runs with the other's configuration."""

from attrs import evolve

from model.design import Design
from model.state import Physical, State, Where
from model.system import Action, HypFaults, LowvisorSteps, forced, hyp_faults, step, vulnerable, with_physical
from properties.policy import GUEST_STATE, OWNED, VFP, Owner, vfp_given
from properties.property import Kind, Property
from properties.trap_completeness.steps import difference
from spec.processor import Processor
from spec.psr import advance_it, is_hyp, mode
from spec.registers import read
from spec.words import bit, bits, choose, either, every, same

SWITCHED_HOST = tuple(n for n in OWNED[Owner.WORLD] if n not in ("r0", "r1", "r2", "r3", "exclusive", "waiting"))
"""What the host must find again: r0 to r3 are arguments and results of the call."""
CONFIGURATION = ("hcr", "hstr", "hcptr", "hdcr", "vttbr", "vpidr", "vmpidr", "cnthctl", "cntvoff")
HYP_OWN = ("hsctlr", "httbr", "htcr", "hvbar", "hmair0", "hmair1", "sp_hyp", "hactlr", "vtcr")
"""The registers that Hyp mode's own execution depends on."""


def _to(before: State, action: Action, after: State, where: Where) -> bool:
    """Whether this step of the lowvisor returned to a place."""
    return (
        before.processors[action.cpu].thread.where is Where.LOWVISOR
        and after.processors[action.cpu].thread.where is where
    )


def returns_to_host(design: Design, before: State, action: Action, after: State) -> bool:
    """Whether the step ends a stay in Hyp mode in the host."""
    return _to(before, action, after, Where.HIGHVISOR)


def enters_guest(design: Design, before: State, action: Action, after: State) -> bool:
    """Whether the step ends a stay in Hyp mode in a guest."""
    return _to(before, action, after, Where.GUEST)


def host_state_restored(design: Design, before: State, action: Action, after: State) -> bool:
    """The predicate of HOST_RESTORED."""
    if not returns_to_host(design, before, action, after):
        return True
    physical = after.processors[action.cpu]
    called = physical.called_from
    if called is None:
        return False
    names = tuple(n for n in (*SWITCHED_HOST, *OWNED[Owner.HOST]) if n not in ("pc", *VFP))
    rest = (same(read(called, n), read(physical.cpu, n)) for n in names)
    return every(
        *rest,
        physical.cpu.pc == (called.pc + 4) & 0xFFFFFFFF,
        same(physical.stack, physical.called_stack),
        physical.cpu.general.r0 == physical.thread.code,
    )


def _explain_host(design: Design, before: State, action: Action, after: State) -> str:
    physical = after.processors[action.cpu]
    if physical.called_from is None:
        return "the host got back from the lowvisor without having called it"
    names = [n for n in (*SWITCHED_HOST, *OWNED[Owner.HOST]) if n not in ("pc", *VFP)]
    return f"the host called with, and got back: {difference(physical.called_from, physical.cpu, names)}"


HOST_RESTORED = Property(
    id="world_switch.host_restored",
    statement="When the lowvisor returns to the host, every register of the host is as it was when the host called.",
    claims=("C5",),
    question="Does running a VM disturb the host?",
    kind=Kind.COMPOSITE,
    about=(LowvisorSteps,),
    holds=host_state_restored,
    interesting=returns_to_host,
    explain=_explain_host,
)


def configuration_restored(design: Design, before: State, action: Action, after: State) -> bool:
    """The predicate of CONFIGURATION: stage 2 and the traps are on exactly while a guest runs."""
    physical = after.processors[action.cpu]
    if returns_to_host(design, before, action, after):
        return host_configured(physical)
    if enters_guest(design, before, action, after):
        hyp = physical.cpu.hyp
        own = hyp.htpidr == after.vcpus[physical.thread.vcpu].image.address
        return every(bit(hyp.hcr, 0) == 1, bits(hyp.vttbr, 55, 48) != 0, own)
    return True


def host_configured(physical: Physical) -> bool:
    """Whether a processor has the configuration of the host: nothing traps, stage 2 and the virtual devices are off."""
    cpu, called = physical.cpu, physical.called_from
    if called is None:
        return True
    return every(
        *(same(read(called, n), read(cpu, n)) for n in CONFIGURATION),
        bit(cpu.gich.gich_hcr, 0) == 0,
        bit(cpu.timer.cntv_ctl, 0) == 0,
    )


def _explain_configuration(design: Design, before: State, action: Action, after: State) -> str:
    physical = after.processors[action.cpu]
    if enters_guest(design, before, action, after):
        hyp = physical.cpu.hyp
        return f"the guest runs with HCR={hyp.hcr:#x} and VTTBR={hyp.vttbr:#x}: stage 2 is not its own"
    if physical.called_from is None:
        return "the host got back from the lowvisor without having called it"
    found = difference(physical.called_from, physical.cpu, CONFIGURATION)
    return f"the host runs with a guest's configuration: {found or 'the virtual timer or GICH is still enabled'}"


CONFIGURED = Property(
    id="world_switch.configuration",
    statement="A guest never runs with the host's configuration, nor the host with a guest's: stage 2, traps, virtual "
    "timer and virtual interface are on exactly while a guest runs.",
    claims=("C8", "C9", "C28"),
    question="Is the guest confined from its first instruction, and the host free from its first?",
    kind=Kind.STEP,
    about=(LowvisorSteps,),
    holds=configuration_restored,
    interesting=returns_to_host,
    explain=_explain_configuration,
)


def guest_preserved(design: Design, before: State, action: Action, after: State) -> bool:
    """The predicate of GUEST_PRESERVED: the image receives what the guest had, and the guest what the image has."""
    physical = after.processors[action.cpu]
    image = after.vcpus[physical.thread.vcpu].image
    if enters_guest(design, before, action, after):
        if before.processors[action.cpu].thread.routine == "vfp":
            return vfp_returns(physical)
        return every(
            *(same(read(image, n), read(physical.cpu, n)) for n in GUEST_STATE if n not in TIMER),
            either(vm_timer(after, physical) == 0, timer_loaded(physical, after)),
        )
    if returns_to_host(design, before, action, after):
        left = physical.trapped_from
        if left is None:
            return False
        words = (same(read(left, n), read(image, n)) for n in GUEST_STATE if n not in (*TIMER, "pc", "cpsr"))
        trapped = every(*words, pc_saved(physical, image.pc), same(image.cpsr, spsr_of(physical)))
        return every(trapped, either(vm_timer(after, physical) == 0, timer_saved(left, after, physical)))
    return True


TIMER = ("cntv_ctl", "cntv_cval")


def vm_timer(state: State, physical: Physical) -> int:
    """Whether the VM whose vCPU runs on a processor uses the in-kernel timer."""
    return state.vms[state.vcpus[physical.thread.vcpu].vm].timer_enabled


def timer_loaded(physical: Physical, state: State) -> bool:
    """Whether the virtual timer holds the vCPU's values and its VM's offset."""
    vcpu = state.vcpus[physical.thread.vcpu]
    timer = physical.cpu.timer
    return every(
        timer.cntv_ctl == vcpu.image.timer.cntv_ctl & 3,
        timer.cntv_cval == vcpu.image.timer.cntv_cval,
        timer.cntvoff == state.vms[vcpu.vm].cntvoff,
    )


def timer_saved(left: Processor, state: State, physical: Physical) -> bool:
    """Whether the image holds the virtual timer as the guest left it."""
    kept = state.vcpus[physical.thread.vcpu].image.timer
    return every(left.timer.cntv_ctl == kept.cntv_ctl, left.timer.cntv_cval == kept.cntv_cval)


def vfp_returns(physical: Physical) -> bool:
    """Whether the lazy VFP switch returned to the guest with every other register as it was."""
    left = physical.trapped_from
    assert left is not None
    return every(*(same(read(left, n), read(physical.cpu, n)) for n in GUEST_STATE))


def pc_saved(physical: Physical, pc: int) -> bool:
    """Whether a saved PC is the preferred return address of the exception that left the guest."""
    left = physical.trapped_from
    assert left is not None
    following = (left.pc + 4) & 0xFFFFFFFF
    call = bits(physical.cpu.hyp.hsr, 31, 26) == 0x12
    return either(pc == left.pc, every(call, physical.thread.code == 7, pc == following))


def spsr_of(physical: Physical) -> int:
    """CPSR as the exception that left the guest saved it: behind the instruction for a call, else at it."""
    left = physical.trapped_from
    assert left is not None
    call = every(bits(physical.cpu.hyp.hsr, 31, 26) == 0x12, physical.thread.code == 7)
    return choose(call, advance_it(left.cpsr), left.cpsr)


def _explain_guest(design: Design, before: State, action: Action, after: State) -> str:
    physical = after.processors[action.cpu]
    image = after.vcpus[physical.thread.vcpu].image
    if enters_guest(design, before, action, after):
        source = physical.trapped_from if before.processors[action.cpu].thread.routine == "vfp" else image
        return f"the guest should have, and has: {difference(source, physical.cpu, GUEST_STATE)}"
    if physical.trapped_from is None:
        return "the lowvisor left a guest that did not run"
    names = tuple(name for name in GUEST_STATE if name not in ("pc", "cpsr"))
    found = difference(physical.trapped_from, image, names) or difference(physical.trapped_from, image, ("pc", "cpsr"))
    return f"the guest left with, and its image got: {found}"


GUEST_PRESERVED = Property(
    id="world_switch.guest_preserved",
    statement="A guest finds every register again as it left it, across any exit and re-entry.",
    claims=("C6", "C16"),
    question="Can a VM be stopped anywhere without noticing?",
    kind=Kind.COMPOSITE,
    about=(LowvisorSteps,),
    holds=guest_preserved,
    interesting=enters_guest,
    explain=_explain_guest,
)


def vgic_preserved(design: Design, before: State, action: Action, after: State) -> bool:
    """The predicate of VGIC_PRESERVED."""
    physical = after.processors[action.cpu]
    image = after.vcpus[physical.thread.vcpu].image
    if after.vms[after.vcpus[physical.thread.vcpu].vm].vgic == 0:
        return True
    if enters_guest(design, before, action, after) and before.processors[action.cpu].thread.routine == "entry":
        return every(*(same(read(image, n), read(physical.cpu, n)) for n in ("gich_hcr", *INTERFACE)))
    if returns_to_host(design, before, action, after):
        left = physical.trapped_from
        if left is None:
            return False
        return every(*(same(read(left, n), read(image, n)) for n in ("gich_hcr", *INTERFACE, *STATUS)))
    return True


INTERFACE = ("gich_vmcr", "gich_apr", "gich_lr0", "gich_lr1", "gich_lr2", "gich_lr3")
STATUS = ("gich_misr", "gich_eisr0", "gich_eisr1", "gich_elrsr0", "gich_elrsr1")

VGIC_PRESERVED = Property(
    id="world_switch.virtual_interface_preserved",
    statement="The virtual interface is loaded from the vCPU on entry; its list registers and status reach it on exit.",
    claims=("C23",),
    question="Why is all VGIC state switched, at the price of slow accesses?",
    kind=Kind.COMPOSITE,
    about=(LowvisorSteps,),
    holds=vgic_preserved,
    interesting=returns_to_host,
    explain=lambda d, b, a, s: "the virtual interface and the vCPU disagree",
)


def vfp_isolated(design: Design, before: State, action: Action, after: State) -> bool:
    """The predicate of VFP_ISOLATED."""
    physical = after.processors[action.cpu]
    image = after.vcpus[physical.thread.vcpu].image
    if enters_guest(design, before, action, after):
        return either(vfp_given(physical.cpu) ^ True, same(physical.cpu.vfp, image.vfp))
    if returns_to_host(design, before, action, after):
        called, left = physical.called_from, physical.trapped_from
        if called is None or left is None:
            return False
        saved = either(vfp_given(left) ^ True, same(left.vfp, image.vfp))
        return every(saved, same(called.vfp, physical.cpu.vfp))
    return True


VFP_ISOLATED = Property(
    id="world_switch.vfp_isolated",
    statement="Lazy VFP switching never shows one world's floating-point registers to the other, and loses none.",
    claims=("C5", "C6", "C16"),
    question="Is it safe to switch VFP only when it is used?",
    kind=Kind.COMPOSITE,
    about=(LowvisorSteps,),
    holds=vfp_isolated,
    interesting=lambda d, b, a, s: enters_guest(d, b, a, s) and b.processors[a.cpu].thread.routine == "vfp",
    explain=lambda d, b, a, s: "the VFP registers are not those of the world that runs",
)


def monitor_cleared(design: Design, before: State, action: Action, after: State) -> bool:
    """The predicate of MONITOR_CLEARED."""
    left = either_world(design, before, action, after)
    return after.processors[action.cpu].cpu.local.exclusive == 0 if left else True


def either_world(design: Design, before: State, action: Action, after: State) -> bool:
    """Whether the step ends a stay in Hyp mode."""
    return enters_guest(design, before, action, after) or returns_to_host(design, before, action, after)


MONITOR_CLEARED = Property(
    id="world_switch.monitor_cleared",
    statement="No exclusive monitor that one context has set is still set when another runs.",
    claims=("C6",),
    question="Why CLREX before every return from Hyp mode?",
    kind=Kind.STEP,
    about=(LowvisorSteps,),
    holds=monitor_cleared,
    interesting=either_world,
    explain=lambda d, b, a, s: "the local monitor is still set: a store-exclusive may succeed without its own load",
)


def shadow_ids(design: Design, before: State, action: Action, after: State) -> bool:
    """The predicate of SHADOW_IDS."""
    physical = after.processors[action.cpu]
    hyp, own = physical.cpu.hyp, physical.cpu.identification
    if enters_guest(design, before, action, after):
        image = after.vcpus[physical.thread.vcpu].image
        return every(hyp.vpidr == image.midr, hyp.vmpidr == image.mpidr)
    if returns_to_host(design, before, action, after):
        return every(hyp.vpidr == own.midr, hyp.vmpidr == own.mpidr)
    return True


SHADOW_IDS = Property(
    id="world_switch.shadow_ids",
    statement="A guest reads its VM's MIDR and MPIDR, the host the processor's own.",
    claims=("C10",),
    question="Why shadow ID registers?",
    kind=Kind.STEP,
    about=(LowvisorSteps,),
    holds=shadow_ids,
    interesting=enters_guest,
    explain=lambda d, b, a, s: f"VPIDR={_hyp(s, a).vpidr:#x}, VMPIDR={_hyp(s, a).vmpidr:#x}",
)


def _hyp(state: State, action: Action):  # type: ignore[no-untyped-def]
    return state.processors[action.cpu].cpu.hyp


def hyp_unaffected(design: Design, before: State, action: Action, after: State) -> bool:
    """The predicate of HYP_UNAFFECTED."""
    old, new = before.processors[action.cpu], after.processors[action.cpu]
    if new.thread.where is not Where.LOWVISOR:
        return True
    return every(
        *(same(read(old.cpu, n), read(new.cpu, n)) for n in HYP_OWN),
        mode(new.cpu.cpsr) == mode(old.cpu.cpsr),
        new.cpu.cpsr & 0x1C0 == old.cpu.cpsr & 0x1C0,
    )


HYP_UNAFFECTED = Property(
    id="world_switch.hyp_unaffected",
    statement="Loading another world's registers does not change what Hyp mode itself executes with.",
    claims=("C7",),
    question="Why may the switch load a guest's SCTLR while it runs?",
    kind=Kind.STEP,
    about=(LowvisorSteps,),
    holds=hyp_unaffected,
    interesting=lambda d, b, a, s: True,
    explain=lambda d, b, a, s: difference(b.processors[a.cpu].cpu, s.processors[a.cpu].cpu, HYP_OWN),
)


def host_survives(design: Design, before: State, action: Action, after: State) -> bool:
    """The predicate of HOST_SURVIVES."""
    return after.processors[action.cpu].thread.where not in (Where.PANICKED, Where.HUNG)


HOST_SURVIVES = Property(
    id="world_switch.host_survives",
    statement="No action of a guest, an interrupt or the switch itself panics the host or hangs a processor in Hyp.",
    claims=("C3", "C17"),
    question="Can a guest or an interrupt stop the machine?",
    kind=Kind.STEP,
    about=(Action,),
    holds=host_survives,
    interesting=either_world,
    explain=lambda d, b, a, s: f"the processor now runs {s.processors[a.cpu].thread.where.value}",
)


def no_exception_in_hyp(design: Design, before: State, action: Action, after: State) -> bool:
    """The predicate of NO_EXCEPTION: the step just made could not fault, and asynchronous exceptions were masked."""
    masked = before.processors[action.cpu].cpu.cpsr & 0x1C0 == 0x1C0
    return every(masked, vulnerable(design, before, action.cpu) ^ True)


NO_EXCEPTION = Property(
    id="world_switch.no_exception_in_hyp",
    statement="No exception can be taken in Hyp mode while the lowvisor works.",
    claims=("C7",),
    question="Can the world switch be interrupted half-way?",
    kind=Kind.STEP,
    about=(LowvisorSteps, HypFaults),
    holds=lambda d, b, a, s: False if isinstance(a, HypFaults) else no_exception_in_hyp(d, b, a, s),
    interesting=lambda d, b, a, s: True,
    explain=lambda d, b, a, s: f"the step '{_step_name(d, b, a)}' may be UNDEFINED in Hyp mode",
)


def _step_name(design: Design, state: State, action: Action) -> str:
    thread = state.processors[action.cpu].thread
    steps = design.routine(thread.routine)
    return steps[thread.index].name if thread.index < len(steps) else thread.routine


def fault_contained(design: Design, before: State, action: Action, after: State) -> bool:
    """The predicate of CONTAINED: were the step to fault, the host would panic or get back all that is its own."""
    physical = before.processors[action.cpu]
    if negated_hyp(physical.cpu):
        return True
    state = with_physical(before, action, hyp_faults(design, evolve(physical, trapped_from=physical.cpu)))
    for _ in range(200):
        where = state.processors[action.cpu].thread.where
        if where is Where.PANICKED:
            return True
        if where is not Where.LOWVISOR:
            break
        chosen = forced(state, action.cpu)
        assert chosen is not None
        previous, following, state = state, chosen, step(design, state, chosen)
    reached = state.processors[action.cpu]
    if reached.thread.where is not Where.HIGHVISOR:
        return False
    return every(host_state_restored(design, previous, following, state), host_configured(reached))


def negated_hyp(cpu: Processor) -> bool:
    """Whether the processor is below Hyp mode."""
    return is_hyp(cpu.cpsr) ^ True


CONTAINED = Property(
    id="world_switch.hyp_fault_contained",
    statement="If an exception is forced at any step of the lowvisor, the host panics or is restored; it never runs on "
    "with a guest's configuration.",
    claims=("C5", "C8"),
    question="What if the lowvisor itself faults?",
    kind=Kind.COMPOSITE,
    about=(LowvisorSteps,),
    holds=fault_contained,
    interesting=lambda d, b, a, s: True,
    explain=lambda d, b, a, s: f"an exception at '{_step_name(d, b, a)}' leaves the host with what is not its own",
)

PROPERTIES = (
    HOST_RESTORED,
    CONFIGURED,
    GUEST_PRESERVED,
    VGIC_PRESERVED,
    VFP_ISOLATED,
    MONITOR_CLEARED,
    SHADOW_IDS,
    HYP_UNAFFECTED,
    HOST_SURVIVES,
    NO_EXCEPTION,
    CONTAINED,
)
