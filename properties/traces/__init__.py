"""Counterexamples: saved without loss, run again, and shown to people and to other tools."""

from properties.traces.changes import changes
from properties.traces.codec import (
    BadTrace,
    decode_trace,
    dumps,
    encode_trace,
    loads,
    read_trace,
    write_trace,
    write_whole,
)
from properties.traces.itf import dumps_itf, itf
from properties.traces.pytest_export import module_text
from properties.traces.replay import (
    Stuck,
    Transition,
    Violation,
    expand,
    first_violation,
    fold,
    length,
    replayed,
    states,
)
from properties.traces.text import text

__all__ = [
    "BadTrace",
    "Stuck",
    "Transition",
    "Violation",
    "changes",
    "decode_trace",
    "dumps",
    "dumps_itf",
    "encode_trace",
    "expand",
    "first_violation",
    "fold",
    "itf",
    "length",
    "loads",
    "module_text",
    "read_trace",
    "replayed",
    "states",
    "text",
    "write_trace",
    "write_whole",
]
