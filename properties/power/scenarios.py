"""The situations in which power is searched: a configuration, and what may happen in it."""

from collections.abc import Mapping
from types import MappingProxyType

from model.power.state import CPSR_RESET, MIDR, Function, Reg
from model.power.system import VcpuCalls
from properties.engines.parts.part import Situation
from properties.power.domain import PowerDomain
from spec.psr import Mode

ENTRY, OTHER_ENTRY = 0x80010001, 0x80020000
HYP_CPSR, SYSTEM_CPSR = 0x1DA, 0x1DF


def on(target: int, entry: int = ENTRY, context: int = 7, big: int = 0) -> VcpuCalls:
    """A call of CPU_ON."""
    return VcpuCalls(0, Function.CPU_ON, target, entry, context, big)


OFF, STOP = VcpuCalls(0, Function.CPU_OFF), VcpuCalls(0, Function.SYSTEM_OFF)
TWO = ((0, 0), (1, 1))
THREE = ((0, 0), (1, 1), (2, 2))
TURNS = ((0, 0), (1, 1), (0, 2))
"""The third vCPU runs where the first one does not any more."""

SCENARIOS: Mapping[str, Situation] = MappingProxyType(
    {
        "new": Situation(
            "power-new",
            PowerDomain(
                "user space uses a vCPU before and after its initialisation", runs=((0, 0),),
                inits=((0, 0, 0), (0, 1, 0), (0, 0, 9)), gets=((0, Reg.PC), (0, 99)), sets=((0, Reg.PC, ENTRY),),
            ),
        ),
        "again": Situation(
            "power-one",
            PowerDomain(
                "user space initialises a vCPU again that has run", runs=((0, 0),), signals=(0,), calls=((0, OFF),),
                inits=((0, 0, 0), (0, 1, 0)),
            ),
        ),
        "values": Situation(
            "power-one",
            PowerDomain(
                "user space reads and writes the registers of a vCPU", runs=((0, 0),), signals=(0,),
                modes=((0, Mode.SYS),),
                gets=tuple((0, reg) for reg in (*Reg, 99)),
                sets=(
                    (0, Reg.CPSR, HYP_CPSR), (0, Reg.CPSR, CPSR_RESET), (0, Reg.CPSR, SYSTEM_CPSR), (0, Reg.R0, 1),
                    (0, Reg.MIDR, MIDR), (0, Reg.MIDR, 0), (0, 99, 0),
                ),
            ),
        ),
        "end": Situation(
            "power-one",
            PowerDomain(
                "a VM ends whose vCPU has waited with its timer running", runs=((0, 0),), signals=(0,), waits=((0, 1),),
                ends=(0,),
            ),
        ),
        "starting": Situation(
            "power", PowerDomain("a vCPU starts another one that is off", runs=TWO, calls=((0, on(1)),))
        ),
        "starting as asked": Situation(
            "power",
            PowerDomain("a big-endian vCPU starts another one that is off", runs=TWO, calls=((0, on(1, big=1)),)),
        ),
        "nobody there": Situation(
            "power", PowerDomain("a vCPU starts one that there is not", runs=TWO, calls=((0, on(5)),))
        ),
        "off and on": Situation(
            "power-on",
            PowerDomain("a vCPU goes off, and another one starts it", runs=TWO, calls=((0, on(1)), (1, OFF))),
        ),
        "a sleeper": Situation(
            "power-on",
            PowerDomain("a vCPU waits, and another one starts it", runs=TWO, calls=((0, on(1)),), waits=((1, 0),)),
        ),
        "racing": Situation(
            "power-three-vcpus",
            PowerDomain(
                "two vCPUs start a third one", runs=THREE,
                calls=((0, on(2)), (1, on(2, OTHER_ENTRY, 8))),
            ),
        ),
        "stopping": Situation(
            "power-on",
            PowerDomain("a vCPU switches the machine off while another one runs", runs=TWO, calls=((0, STOP),)),
        ),
        "stopping and starting": Situation(
            "power-three-vcpus",
            PowerDomain(
                "a vCPU switches the machine off while another one starts a third, which runs in its place", runs=TURNS,
                calls=((0, STOP), (1, on(2))),
            ),
        ),
        "signals": Situation(
            "power",
            PowerDomain("signals reach a vCPU that is off", runs=TWO, calls=((0, on(1)),), signals=(1,)),
        ),
        "restoring": Situation(
            "power",
            PowerDomain(
                "user space writes the registers of a vCPU that is being started", runs=TWO, calls=((0, on(1)),),
                signals=(1,), sets=((1, Reg.PC, OTHER_ENTRY),),
            ),
        ),
        "saving": Situation(
            "power",
            PowerDomain(
                "user space reads the registers of a vCPU that was started", runs=TWO, calls=((0, on(1)),),
                signals=(1,), gets=((1, Reg.PC),),
            ),
        ),
    }
)  # fmt: skip
"""Every situation by its name."""
