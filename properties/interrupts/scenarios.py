"""The situations in which interrupts are searched: a configuration, and what may happen in it."""

from collections.abc import Mapping
from types import MappingProxyType

from model.vgic.guest import Stores
from model.vgic.state import Access
from model.vgic.system import GuestExits, GuestPowersOff, GuestStops, GuestWaits
from properties.engines.parts.part import Situation
from properties.interrupts.domain import InterruptDomain, load, store

ENABLE, DISABLE, PEND, CLEAR = 0x104, 0x184, 0x204, 0x284
"""GICD_ISENABLER1, GICD_ICENABLER1, GICD_ISPENDR1 and GICD_ICPENDR1."""
EDGE, LEVEL = 1 << 8, 1 << 9
"""The bits of SPIs 40 and 41 in them."""
RISE, FALL = (41, 1), (41, 0)
PULSE = ((40, 1), (40, 0))
OTHER = (42, 1)
SGIR, SPEND, CPEND = 0xF00, 0xF20, 0xF10
TARGET, PRIORITY = 0x828, 0x429
OFF, ON = store(0, 0), store(0, 1)
READ = ((0x004,), (PEND,), (CLEAR + 1, 1), (ENABLE, 2), (0x428,), (TARGET, 2), (0xC0A, 1), (0xE00,), (SPEND,))
"""Offsets, and sizes where they are no words, of what a guest loads."""


def sgi(targets: int, number: int = 1) -> Access:
    """A store to GICD_SGIR with a list of targets."""
    return store(SGIR, targets << 16 | number)


TO_OTHERS, TO_ITSELF = store(SGIR, 1 << 24 | 1), store(SGIR, 2 << 24 | 1)
"""The other ways to send SGI 1."""

SCENARIOS: Mapping[str, Situation] = MappingProxyType(
    {
        "edge": Situation(
            "interrupts-edge",
            InterruptDomain(
                "a guest gets an edge-triggered interrupt, and is left for other reasons",
                runs=((0, 0),), lines=PULSE, guests=(GuestExits, GuestWaits),
            ),
        ),
        "level": Situation(
            "interrupts-level",
            InterruptDomain(
                "a guest gets a level-sensitive interrupt, and is left for other reasons",
                runs=((0, 0),), lines=(RISE, FALL), guests=(GuestExits,),
            ),
        ),
        "signal": Situation(
            "interrupts-overflow",
            InterruptDomain(
                "signals reach a vCPU whose list registers are filled",
                runs=((0, 0),), lines=PULSE, signals=(0,), guests=(GuestExits,),
            ),
        ),
        "overflow": Situation(
            "interrupts-overflow",
            InterruptDomain(
                "two interrupts share a list register",
                runs=((0, 0),), lines=(*PULSE, RISE, FALL),
            ),
        ),
        "one list register": Situation(
            "interrupts-one-list",
            InterruptDomain(
                "two interrupts share the only list register",
                runs=((0, 0),), lines=(PULSE[0], RISE),
            ),
        ),
        "sleep": Situation(
            "interrupts-edge",
            InterruptDomain(
                "an interrupt wakes a guest that waits, whose distributor is on or off",
                runs=((0, 0),), lines=PULSE, guests=(GuestWaits,), accesses=((0, OFF), (0, ON)),
            ),
        ),
        "power": Situation(
            "interrupts-sgi",
            InterruptDomain(
                "vCPUs are powered off and on, and stop their machine",
                runs=((0, 0), (1, 1)), guests=(GuestPowersOff, GuestStops), powers=((0, 1),),
            ),
        ),
        "physical": Situation(
            "interrupts-edge",
            InterruptDomain(
                "a physical interrupt arrives, and the host takes the processor away",
                runs=((0, 0),), lines=PULSE[:1], arrivals=(0,), preempts=(0,), guests=(GuestExits,),
            ),
        ),
        "registers": Situation(
            "interrupts-one",
            InterruptDomain(
                "a guest writes its distributor: no register, SGIs' pending registers, configurations, targets",
                runs=((0, 0),), serves=False,
                accesses=(
                    (0, store(0xE00, 1)), (0, store(SPEND, 0x0101)), (0, store(0xC0C, 0b10)), (0, store(0xC08, 0b10)),
                    (0, store(TARGET, 0x80, 1)),
                ),
            ),
        ),
        "loading": Situation(
            "interrupts-moving",
            InterruptDomain(
                "a guest reads its distributor, whole words and parts of them, and where there is no register",
                runs=((0, 0),), lines=(RISE, FALL), serves=False,
                accesses=((0, store(PEND, LEVEL)), (0, store(PRIORITY, 0xA0, 1)), *((0, load(*at)) for at in READ)),
            ),
        ),
        "pins": Situation(
            "interrupts-one",
            InterruptDomain(
                "a guest whose interrupt controller user space emulates is interrupted", runs=((0, 0),),
                lines=((1, 1), (1, 0)),
            ),
        ),
        "enabling": Situation(
            "interrupts-one",
            InterruptDomain(
                "a guest disables, clears and enables a level-sensitive interrupt, and its distributor",
                runs=((0, 0),), lines=(RISE, FALL),
                accesses=(
                    (0, store(DISABLE, LEVEL)), (0, store(CLEAR, LEVEL)), (0, store(ENABLE, LEVEL)), (0, OFF), (0, ON),
                ),
            ),
        ),
        "enabling an edge": Situation(
            "interrupts-edge",
            InterruptDomain(
                "a guest disables, pends and enables an edge-triggered interrupt, and its distributor",
                runs=((0, 0),), lines=PULSE[:1],
                accesses=(
                    (0, store(DISABLE, EDGE)), (0, store(PEND, EDGE)), (0, store(ENABLE, EDGE)), (0, OFF), (0, ON),
                ),
            ),
        ),
        "clearing before a wait": Situation(
            "interrupts-one",
            InterruptDomain(
                "a guest clears a level-sensitive interrupt, and waits for it",
                runs=((0, 0),), lines=(RISE,), accesses=((0, store(CLEAR, LEVEL)),), guests=(GuestWaits,),
            ),
        ),
        "numbers": Situation(
            "interrupts-one",
            InterruptDomain(
                "user space raises lines that do not exist, or whose target does not",
                runs=((0, 0),), lines=((300, 1), (41, 1)), accesses=((0, store(0x829, 0x80, 1)),), serves=False,
            ),
        ),
        "moving": Situation(
            "interrupts-moving",
            InterruptDomain(
                "a guest makes another vCPU the target of an SPI",
                runs=((0, 0), (1, 1)), lines=PULSE[:1], guests=(GuestWaits,),
                accesses=((0, store(TARGET, 0b10, 1)), (0, store(TARGET, 0b01, 1))),
            ),
        ),
        "moving while active": Situation(
            "interrupts-moving",
            InterruptDomain(
                "a guest makes another vCPU the target of an SPI that is active",
                runs=((0, 0), (1, 1)), lines=PULSE[:1], accesses=((0, store(TARGET, 0b10, 1)),),
            ),
        ),
        "waiting for another vCPU": Situation(
            "interrupts-moving",
            InterruptDomain(
                "the new target of an SPI that is active waits for its end, flush after flush",
                runs=((0, 0), (1, 1)), lines=PULSE[:1], accesses=((0, store(TARGET, 0b10, 1)),), coarse=True,
            ),
        ),
        "moving in turns": Situation(
            "interrupts-moving",
            InterruptDomain(
                "two vCPUs take turns on a processor, and an SPI that is active moves to the one that waits",
                runs=((0, 0), (0, 1)), lines=PULSE[:1], guests=(GuestWaits,), preempts=(0,),
                accesses=((0, store(TARGET, 0b10, 1)),),
            ),
        ),
        "moving a level": Situation(
            "interrupts-moving",
            InterruptDomain(
                "a guest makes another vCPU the target of a level-sensitive SPI",
                runs=((0, 0), (1, 1)), lines=(RISE,),
                accesses=((0, store(TARGET + 1, 0b10, 1)), (0, store(DISABLE, LEVEL))),
            ),
        ),
        "SGI": Situation(
            "interrupts-sgi",
            InterruptDomain(
                "two vCPUs send SGIs to each other and to themselves",
                runs=((0, 0), (1, 1)), accesses=((0, sgi(0b10)), (0, sgi(0b01)), (1, sgi(0b01))),
                guests=(GuestWaits,),
            ),
        ),
        "two sources": Situation(
            "interrupts-sgi",
            InterruptDomain(
                "a vCPU gets one SGI from itself and from another one, which do not name it in a list",
                runs=((0, 0), (1, 1)), accesses=((0, TO_ITSELF), (1, TO_OTHERS)),
            ),
        ),
        "two VMs": Situation(
            "interrupts-two-vms",
            InterruptDomain(
                "two VMs take turns on a processor, each with an interrupt",
                runs=((0, 0), (0, 1)), lines=(RISE, FALL), guests=(GuestExits, GuestWaits), vms=(0, 1), preempts=(0,),
            ),
        ),
        "taking turns": Situation(
            "interrupts-two-vms",
            InterruptDomain(
                "two VMs take turns on a processor while one has acknowledged an interrupt",
                runs=((0, 0), (0, 1)), lines=(RISE,), guests=(GuestExits,), preempts=(0,),
            ),
        ),
        "spurious ends": Situation(
            "interrupts-edge",
            InterruptDomain(
                "a guest completes what is not active", runs=((0, 0),), lines=PULSE[:1], completes=(41,),
                guests=(GuestExits,),
            ),
        ),
        "interface": Situation(
            "interrupts-edge",
            InterruptDomain(
                "a guest sets its priority mask", runs=((0, 0),), uses=(Stores(4, 4, 0x80),), guests=(GuestExits,),
            ),
        ),
    }
)  # fmt: skip
"""Every situation by its name."""
