"""Address translation on integers: a guest of 64 MiB in 4 KiB pages of stage 2, as KVM/ARM maps one."""

from collections.abc import Callable
from random import Random
from typing import Any

from benchmarks.figure import Effort, Figure, rate
from spec.processor import Processor
from spec.registers import declared
from spec.sparse import sparse
from spec.translation.descriptors import stage2_leaf, table_descriptor
from spec.translation.stage1 import Access, Regime
from spec.translation.stage2 import translated, walk
from spec.translation.translate import regime, translate
from spec.words import Width, put, put_all

PAGES, MEGABYTE = 1 << 14, 1 << 20
IPA, PA, ROOT, SPARE = 0x8000_0000, 0x40_0000_0000, 0x1000_0000, 0x1000_2000
LONG_TABLES, SHORT_TABLES, LONG, VTCR = IPA, IPA + 0x10_0000, 1 << 31, 0x58
READ = Access(write=0, fetch=0, privileged=1, unaligned=0)
SAMPLE = 2_000


def stage2_entries() -> dict[int, int]:
    """Three levels of stage 2 tables, by physical address."""
    entries = {ROOT + (IPA >> 30) * 8: table_descriptor(SPARE)}
    for number in range(PAGES):
        table = SPARE + 0x1000 + (number >> 9) * 0x1000
        entries[SPARE + (number >> 9) * 8] = table_descriptor(table)
        entries[table + (number & 0x1FF) * 8] = stage2_leaf(3, PA + number * 0x1000, 0b1111, 0b11, 0b11, 1, 0)
    return entries


def stage1_entries() -> dict[int, int]:
    """The guest's own tables, by intermediate physical address: 2 MiB and 4 KiB long, 1 MiB short."""
    blocks, pages = LONG_TABLES + 0x1000, LONG_TABLES + 0x2000
    entries = {LONG_TABLES: table_descriptor(blocks), LONG_TABLES + 8: table_descriptor(pages)}
    for number in range(PAGES >> 9):
        table = pages + 0x1000 + number * 0x1000
        entries[blocks + number * 8] = IPA + number * 2 * MEGABYTE | 0x701
        entries[pages + number * 8] = table_descriptor(table)
        for page in range(512):
            entries[table + page * 8] = IPA + (number * 512 + page) * 0x1000 | 0x703
    for number in range(0, 64, 2):
        low, high = (IPA + (number + more) * MEGABYTE | 0x402 for more in (0, 1))
        entries[SHORT_TABLES + number * 4] = high << 32 | low
    return entries


def guest(ttbcr: int, ttbr0: int) -> Regime:
    """How a guest's addresses are translated, stage 2 on."""
    cpu: Any = _zero(Processor)
    cp15 = put_all(cpu.cp15, ("sctlr", "ttbcr", "ttbr0", "dacr"), (1, ttbcr, ttbr0, 1))
    hyp = put_all(cpu.hyp, ("hcr", "vttbr", "vtcr"), (1, ROOT, VTCR))
    return regime(put(put(cpu, "cp15", cp15), "hyp", hyp))


def _zero(cls: type) -> Any:
    return cls(**{name: 0 if isinstance(kind, Width) else _zero(kind) for name, kind in declared(cls).items()})


def memory() -> Any:
    """Physical memory with both stages' tables."""
    placed = {address - IPA + PA: value for address, value in stage1_entries().items()}
    return sparse(0, [(address >> 3, value) for address, value in (stage2_entries() | placed).items()])


def walks() -> dict[str, Callable[[int], Any]]:
    """What is measured, by name, each on one offset into the guest's memory; all translations succeed."""
    contents, long, short = memory(), guest(LONG, LONG_TABLES), guest(0, SHORT_TABLES)
    return {
        "stage 2, from VTTBR and VTCR": lambda at: walk(contents, ROOT, VTCR, IPA + at),
        "stage 2": lambda at: translated(contents, long.second, IPA + at),
        "two stages, 2 MiB blocks": lambda at: translate(contents, long, at, READ),
        "two stages, 4 KiB pages": lambda at: translate(contents, long, (1 << 30) + at, READ),
        "two stages, 1 MiB sections": lambda at: translate(contents, short, at, READ),
    }


def walking(effort: Effort) -> tuple[Figure, ...]:
    """Translations a second, of addresses drawn from all of the guest's memory."""
    random = Random(0)
    offsets = [random.randrange(PAGES << 12) for _ in range(SAMPLE)]

    def measured(translation: Callable[[int], Any]) -> Callable[[], int]:
        def work() -> int:
            for at in offsets:
                translation(at)
            return SAMPLE

        return work

    over = "addresses of 64 MiB in 4 KiB pages of stage 2, three levels"
    return tuple(Figure(name, rate(measured(one), effort.seconds), "/s", over) for name, one in walks().items())
