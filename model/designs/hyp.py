"""Hyp mode's set-up as Linux 3.12 has it, step by step."""

from model.hyp.design import Do, HypDesign, HypStep, Trait
from spec.citations import linux

ARM = "arch/arm/kvm/arm.c"
INIT = "arch/arm/kvm/init.S"
MMU = "arch/arm/kvm/mmu.c"


def step(name: str, do: Do, function: str, file: str = ARM, version: str = "3.12") -> HypStep:
    """A step with the function of the code that it stands for."""
    return HypStep(name, do, (linux(file, function, version),))


START = (
    step("init: check the mode", Do.CHECK_MODE, "kvm_arch_init"),
    step("init: identity map", Do.MAP_IDENTITY, "kvm_mmu_init", MMU),
    step("init: boot trampoline", Do.MAP_BOOT_TRAMPOLINE, "kvm_mmu_init", MMU),
    step("init: trampoline", Do.MAP_TRAMPOLINE, "kvm_mmu_init", MMU),
    step("init: code", Do.MAP_TEXT, "init_hyp_mode"),
    step("init: stacks", Do.MAP_STACKS, "init_hyp_mode"),
    step("init: VFP areas", Do.MAP_CONTEXTS, "init_hyp_mode"),
    step("init: call every processor", Do.CALL_ALL, "init_hyp_mode"),
    step("init: await them", Do.AWAIT_ALL, "init_hyp_mode"),
    step("init: GICH", Do.MAP_GICH, "kvm_vgic_hyp_init", "virt/kvm/arm/vgic.c"),
    step("init: hotplug", Do.REGISTER_HOTPLUG, "kvm_arch_init"),
    step("init: ready", Do.READY, "kvm_init", "virt/kvm/kvm_main.c"),
)
CPU = (
    step("cpu: init vectors", Do.SET_INIT_VECTORS, "cpu_init_hyp_mode"),
    step("cpu: boot tables", Do.SET_BOOT_TABLES, "__do_hyp_init", INIT),
    step("cpu: HTCR", Do.SET_HTCR, "__do_hyp_init", INIT),
    step("cpu: VTCR", Do.SET_VTCR, "__do_hyp_init", INIT),
    step("cpu: HMAIR0", Do.SET_HMAIR0, "__do_hyp_init", INIT),
    step("cpu: HMAIR1", Do.SET_HMAIR1, "__do_hyp_init", INIT),
    step("cpu: HSCTLR", Do.SET_HSCTLR, "__do_hyp_init", INIT),
    step("cpu: stack", Do.SET_STACK, "__do_hyp_init", INIT),
    step("cpu: vectors", Do.SET_VECTORS, "__do_hyp_init", INIT),
    step("cpu: trampoline", Do.TO_TRAMPOLINE, "__do_hyp_init", INIT),
    step("cpu: runtime tables", Do.SET_TABLES, "__do_hyp_init", INIT),
    step("cpu: flush", Do.FLUSH, "__do_hyp_init", INIT),
    step("cpu: return", Do.RETURN, "__do_hyp_init", INIT),
)
HYP_3_12 = HypDesign(init=START, cpu=CPU, traits=frozenset({Trait.FIELDS_CLEARED, Trait.TWO_TABLES}))
