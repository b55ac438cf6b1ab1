"""The host finds again what it left, and its own configuration."""


from model.action import Action
from model.actions import LowvisorSteps
from model.design import Design
from model.state import Physical, State
from properties.policy import OWNED, VFP, Owner
from properties.property import Kind, Property
from properties.trap_completeness.steps import difference
from properties.world_switch.ends import CONFIGURATION, SWITCHED_HOST, enters_guest, returns_to_host
from spec.registers import read
from spec.words import bit, bits, every, same


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
