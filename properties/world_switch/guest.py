"""A guest finds again what it left: registers, virtual interface, floating point, and no foreign exclusive monitor."""


from model.action import Action
from model.actions import LowvisorSteps
from model.design import Design
from model.state import Physical, State
from properties.policy import GUEST_STATE, TIMER_OF_GUEST, vfp_given
from properties.property import Kind, Property
from properties.trap_completeness.steps import difference
from properties.world_switch.ends import either_world, enters_guest, returns_to_host
from spec.processor import Processor
from spec.psr import advance_it
from spec.registers import read
from spec.words import bits, choose, either, every, same


def guest_preserved(design: Design, before: State, action: Action, after: State) -> bool:
    """The predicate of GUEST_PRESERVED: the image receives what the guest had, and the guest what the image has."""
    physical = after.processors[action.cpu]
    image = after.vcpus[physical.thread.vcpu].image
    if enters_guest(design, before, action, after):
        if before.processors[action.cpu].thread.routine == "vfp":
            return vfp_returns(physical)
        return every(
            *(same(read(image, n), read(physical.cpu, n)) for n in GUEST_STATE if n not in TIMER_OF_GUEST),
            either(vm_timer(after, physical) == 0, timer_loaded(physical, after)),
        )
    if returns_to_host(design, before, action, after):
        left = physical.trapped_from
        if left is None:
            return False
        words = (same(read(left, n), read(image, n)) for n in GUEST_STATE if n not in (*TIMER_OF_GUEST, "pc", "cpsr"))
        trapped = every(*words, pc_saved(physical, image.pc), same(image.cpsr, spsr_of(physical)))
        return every(trapped, either(vm_timer(after, physical) == 0, timer_saved(left, after, physical)))
    return True


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
