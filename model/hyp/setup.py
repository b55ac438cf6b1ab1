"""How Hyp mode is set up: what KVM maps when it starts, and what each processor's initialisation code does."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from model.hyp import registers
from model.hyp.design import PROGRAMS, Do, HypDesign, Trait
from model.hyp.state import CONTEXTS, GICH, STACKS, TEXT, TRAMPOLINE, Core, HypState, Tables, Use, Vectors
from model.programs import OUT
from spec.citations import linux, paper, rule
from spec.sparse import sparse
from spec.words import U8, choose, either, negate, put, put_all, replaced

ARM = "arch/arm/kvm/arm.c"
INIT = "arch/arm/kvm/init.S"
MMU = "arch/arm/kvm/mmu.c"

Step = Callable[[HypDesign, HypState, int], HypState]
"""A step of a thread: the design, the state, and the processor or agent; agents are numbered behind the processors."""


def is_agent(state: HypState, cpu: int) -> bool:
    """Whether the number is an agent's."""
    return cpu >= len(state.cores)


def at_of(state: HypState, cpu: int) -> U8:
    """The program counter of a processor or agent."""
    return state.agents[cpu - len(state.cores)].at if is_agent(state, cpu) else state.cores[cpu].at


def with_core(state: HypState, cpu: int, core: Core) -> HypState:
    """The state with one processor replaced."""
    return put(state, "cores", replaced(state.cores, cpu, core))


def moved(state: HypState, cpu: int, at: U8) -> HypState:
    """The thread goes on elsewhere."""
    if is_agent(state, cpu):
        number = cpu - len(state.cores)
        return put(state, "agents", replaced(state.agents, number, put(state.agents[number], "at", at)))
    return with_core(state, cpu, put(state.cores[cpu], "at", at))


def advanced(state: HypState, cpu: int) -> HypState:
    """The thread goes on with the next step."""
    return moved(state, cpu, at_of(state, cpu) + 1)


def mapped(state: HypState, cpu: int, tables: str, pages: tuple[int, ...], use: Use) -> HypState:
    """The state in which some pages are mapped; the thread goes on."""
    found = getattr(state, tables)
    for page in pages:
        found = found.set(page, use)
    return advanced(put(state, tables, found), cpu)


def boot_tables(design: HypDesign) -> str:
    """The field with the tables that have the identity map."""
    return "boot" if Trait.TWO_TABLES in design.traits else "runtime"


@rule(linux(ARM, "kvm_arch_init"), paper("4"))
def check_mode(design: HypDesign, state: HypState, cpu: int) -> HypState:
    """KVM does not start in a kernel that was not started in Hyp mode; the kernel works on."""
    return moved(state, cpu, choose(state.hyp == 1, at_of(state, cpu) + 1, OUT))


@rule(linux(ARM, "kvm_arch_init", "3.15"), linux("kernel/cpu.c", "cpu_notifier_register_begin", "3.15"))
def lock_hotplug(design: HypDesign, state: HypState, cpu: int) -> HypState:
    """No processor comes or goes from now on."""
    return advanced(put(state, "hotplug", 1), cpu)


@rule(linux(ARM, "kvm_arch_init", "3.15"), linux("kernel/cpu.c", "cpu_notifier_register_done", "3.15"))
def unlock_hotplug(design: HypDesign, state: HypState, cpu: int) -> HypState:
    """Processors come and go again."""
    return advanced(put(state, "hotplug", 0), cpu)


@rule(linux(MMU, "kvm_mmu_init"))
def map_identity(design: HypDesign, state: HypState, cpu: int) -> HypState:
    """The initialisation code is mapped where it executes before the MMU is on."""
    return mapped(state, cpu, boot_tables(design), (state.init_page,), Use.INIT_CODE)


@rule(linux(MMU, "kvm_mmu_init"))
def map_boot_trampoline(design: HypDesign, state: HypState, cpu: int) -> HypState:
    """The initialisation code is mapped at an address that both tables have, too."""
    return mapped(state, cpu, boot_tables(design), (TRAMPOLINE,), Use.INIT_CODE)


@rule(linux(MMU, "kvm_mmu_init"))
def map_trampoline(design: HypDesign, state: HypState, cpu: int) -> HypState:
    """The same in the runtime tables."""
    return mapped(state, cpu, "runtime", (TRAMPOLINE,), Use.INIT_CODE)


@rule(linux(ARM, "init_hyp_mode"))
def map_text(design: HypDesign, state: HypState, cpu: int) -> HypState:
    """The lowvisor's code is mapped."""
    return mapped(state, cpu, "runtime", (TEXT,), Use.TEXT)


@rule(linux(ARM, "init_hyp_mode"))
def map_stacks(design: HypDesign, state: HypState, cpu: int) -> HypState:
    """Each processor's Hyp stack is mapped, whether it is online or not."""
    return mapped(state, cpu, "runtime", tuple(STACKS + n for n in range(len(state.cores))), Use.STACK)


@rule(linux(ARM, "init_hyp_mode"))
def map_contexts(design: HypDesign, state: HypState, cpu: int) -> HypState:
    """Each processor's area for the host's VFP state is mapped."""
    return mapped(state, cpu, "runtime", tuple(CONTEXTS + n for n in range(len(state.cores))), Use.CONTEXT)


@rule(linux("virt/kvm/arm/vgic.c", "kvm_vgic_hyp_init"))
def map_gich(design: HypDesign, state: HypState, cpu: int) -> HypState:
    """The virtual interface's registers are mapped."""
    return mapped(state, cpu, "runtime", (GICH,), Use.DEVICE)


@rule(linux(ARM, "init_hyp_mode"), linux("kernel/smp.c", "on_each_cpu"))
def call_all(design: HypDesign, state: HypState, cpu: int) -> HypState:
    """Every processor that is online gets an interrupt that has it set its Hyp mode up."""
    cores = tuple(put(core, "called", choose(core.online == 1, 1, core.called)) for core in state.cores)
    return advanced(put(state, "cores", cores), cpu)


@rule(linux("kernel/smp.c", "on_each_cpu"))
def await_all(design: HypDesign, state: HypState, cpu: int) -> HypState:
    """Every processor that was asked has set its Hyp mode up."""
    return advanced(state, cpu)


@rule(linux(MMU, "free_boot_hyp_pgd"))
def free_boot(design: HypDesign, state: HypState, cpu: int) -> HypState:
    """The boot tables are the host's memory again: whoever uses them finds anything."""
    return advanced(put(state, "boot", sparse(0)), cpu)


@rule(linux(ARM, "kvm_arch_init"))
def register_hotplug(design: HypDesign, state: HypState, cpu: int) -> HypState:
    """A processor that comes online sets its Hyp mode up."""
    return advanced(put(state, "notifier", 1), cpu)


@rule(linux(ARM, "hyp_cpu_pm_init", "3.14"))
def register_resume(design: HypDesign, state: HypState, cpu: int) -> HypState:
    """A processor that resumes sets its Hyp mode up."""
    return advanced(put(state, "resumer", 1), cpu)


@rule(linux("virt/kvm/kvm_main.c", "kvm_init"))
def make_ready(design: HypDesign, state: HypState, cpu: int) -> HypState:
    """User space may make VMs."""
    return advanced(put(state, "ready", 1), cpu)


def core_put(state: HypState, cpu: int, names: tuple[str, ...], values: tuple[int, ...]) -> HypState:
    """The state with fields of a processor replaced; it goes on with the next step."""
    return advanced(with_core(state, cpu, put_all(state.cores[cpu], names, values)), cpu)


def reached(state: HypState, cpu: int, expected: bool) -> HypState:
    """The state after an HVC that reaches the code that it is for, where the condition holds."""
    return put(state, "crashed", choose(expected, state.crashed, 1))


@rule(linux(ARM, "hyp_init_cpu_notify", "3.14"))
def check_vectors(design: HypDesign, state: HypState, cpu: int) -> HypState:
    """A processor whose vectors are not the stub's has been set up already."""
    own = negate(state.cores[cpu].hvbar == Vectors.STUB)
    at, end = at_of(state, cpu), PROGRAMS.place("cpu", len(design.cpu))
    return moved(state, cpu, choose(own, end, at + 1))


@rule(linux(ARM, "cpu_init_hyp_mode"), linux("arch/arm/kernel/hyp-stub.S", "__hyp_set_vectors"))
def set_init_vectors(design: HypDesign, state: HypState, cpu: int) -> HypState:
    """The host's HVC has the stub install the initialisation vectors; other vectors take it for another call."""
    found = state.cores[cpu].hvbar == Vectors.STUB
    hvbar = choose(found, Vectors.INIT, state.cores[cpu].hvbar)
    return core_put(reached(state, cpu, found), cpu, ("hvbar",), (hvbar,))


@rule(linux(INIT, "__do_hyp_init"))
def set_boot_tables(design: HypDesign, state: HypState, cpu: int) -> HypState:
    """The host's second HVC reaches the initialisation code, which sets HTTBR; the MMU is still off."""
    state = reached(state, cpu, state.cores[cpu].hvbar == Vectors.INIT)
    return core_put(state, cpu, ("httbr",), (Tables.BOOT,))


@rule(linux(INIT, "__do_hyp_init"))
def set_htcr(design: HypDesign, state: HypState, cpu: int) -> HypState:
    """HTCR is set."""
    core = state.cores[cpu]
    return core_put(state, cpu, ("htcr",), (registers.htcr(design, core.htcr, core.host.ttbcr),))


@rule(linux(INIT, "__do_hyp_init"))
def set_vtcr(design: HypDesign, state: HypState, cpu: int) -> HypState:
    """VTCR is set, once and for all."""
    core = state.cores[cpu]
    return core_put(state, cpu, ("vtcr",), (registers.vtcr(design, core.vtcr, core.htcr),))


@rule(linux(INIT, "__do_hyp_init"))
def set_hmair0(design: HypDesign, state: HypState, cpu: int) -> HypState:
    """HMAIR0 is the host's MAIR0."""
    return core_put(state, cpu, ("hmair0",), (state.cores[cpu].host.mair0,))


@rule(linux(INIT, "__do_hyp_init"))
def set_hmair1(design: HypDesign, state: HypState, cpu: int) -> HypState:
    """HMAIR1 is the host's MAIR1."""
    return core_put(state, cpu, ("hmair1",), (state.cores[cpu].host.mair1,))


@rule(linux(INIT, "__do_hyp_init"))
def set_hsctlr(design: HypDesign, state: HypState, cpu: int) -> HypState:
    """HSCTLR is set: from the next instruction on the code executes by the boot tables, which the TLB may keep."""
    core = state.cores[cpu]
    values = (registers.hsctlr(design, core.hsctlr, core.host.sctlr), 1, state.init_page)
    return core_put(state, cpu, ("hsctlr", "stale", "page"), values)


@rule(linux(INIT, "__do_hyp_init"))
def set_stack(design: HypDesign, state: HypState, cpu: int) -> HypState:
    """The host's third HVC passes the Hyp stack."""
    return core_put(reached(state, cpu, state.cores[cpu].hvbar == Vectors.INIT), cpu, ("stack",), (1,))


@rule(linux(INIT, "__do_hyp_init"))
def set_vectors(design: HypDesign, state: HypState, cpu: int) -> HypState:
    """HVBAR points to KVM's own vectors, which the tables in force do not map yet."""
    return core_put(state, cpu, ("hvbar",), (Vectors.RUNTIME,))


@rule(linux(INIT, "__do_hyp_init"))
def to_trampoline(design: HypDesign, state: HypState, cpu: int) -> HypState:
    """The code goes on at the address that both tables map it at."""
    return core_put(state, cpu, ("page",), (TRAMPOLINE,))


@rule(linux(INIT, "__do_hyp_init"))
def set_tables(design: HypDesign, state: HypState, cpu: int) -> HypState:
    """HTTBR points to the runtime tables."""
    return core_put(state, cpu, ("httbr",), (Tables.RUNTIME,))


@rule(linux(INIT, "__do_hyp_init"))
def flush(design: HypDesign, state: HypState, cpu: int) -> HypState:
    """What the TLB kept of the boot tables is gone, where others are in force."""
    core = state.cores[cpu]
    return core_put(state, cpu, ("stale",), (choose(core.httbr == Tables.BOOT, core.stale, 0),))


@rule(linux(INIT, "__do_hyp_init"))
def back(design: HypDesign, state: HypState, cpu: int) -> HypState:
    """The initialisation code returns to the host."""
    return core_put(state, cpu, ("page",), (0,))


STEPS: Mapping[Do, Step] = MappingProxyType(
    {
        Do.CHECK_MODE: check_mode,
        Do.LOCK_HOTPLUG: lock_hotplug,
        Do.MAP_IDENTITY: map_identity,
        Do.MAP_BOOT_TRAMPOLINE: map_boot_trampoline,
        Do.MAP_TRAMPOLINE: map_trampoline,
        Do.MAP_TEXT: map_text,
        Do.MAP_STACKS: map_stacks,
        Do.MAP_CONTEXTS: map_contexts,
        Do.REGISTER_HOTPLUG: register_hotplug,
        Do.REGISTER_RESUME: register_resume,
        Do.CALL_ALL: call_all,
        Do.AWAIT_ALL: await_all,
        Do.MAP_GICH: map_gich,
        Do.FREE_BOOT: free_boot,
        Do.UNLOCK_HOTPLUG: unlock_hotplug,
        Do.READY: make_ready,
        Do.CHECK_VECTORS: check_vectors,
        Do.SET_INIT_VECTORS: set_init_vectors,
        Do.SET_BOOT_TABLES: set_boot_tables,
        Do.SET_HTCR: set_htcr,
        Do.SET_VTCR: set_vtcr,
        Do.SET_HMAIR0: set_hmair0,
        Do.SET_HMAIR1: set_hmair1,
        Do.SET_HSCTLR: set_hsctlr,
        Do.SET_STACK: set_stack,
        Do.SET_VECTORS: set_vectors,
        Do.TO_TRAMPOLINE: to_trampoline,
        Do.SET_TABLES: set_tables,
        Do.FLUSH: flush,
        Do.RETURN: back,
    }
)
"""The rule of each step."""


def all_set_up(state: HypState) -> bool:
    """Whether no processor has still to set its Hyp mode up that was asked to."""
    return negate(either(*(core.called == 1 for core in state.cores)))
