"""A trace as a regression test: a pytest module that holds the trace and asks whether it still violates."""

import re
from pprint import pformat

from properties.property import Trace
from properties.traces.codec import encode_trace

RESOLVER = "properties.catalogue:resolve"
"""The function that gives a trace its design, its initial state and its property, as `module:function`."""

MODULE = '''"""{title}"""

from {module} import {function}

from properties.traces import decode_trace, replayed

TRACE = {trace}


def test_{name}() -> None:
    trace = decode_trace(TRACE)
    design, state0, wanted = {function}(trace)
    assert replayed(trace, design, state0, wanted) is {answer}
'''


def module_text(trace: Trace, violates: bool, resolver: str = RESOLVER) -> str:
    """The source of a test module which asserts that the trace violates its property, or that it does not any more.

    `resolver` names the function, as `module:function`, that takes the trace and gives its design, its initial state
    and its property.
    """
    module, _, function = resolver.partition(":")
    subject = f"{trace.property} on {trace.design}" + (f" with the fault {trace.fault}" if trace.fault else "")
    verb = "violates" if violates else "no longer violates"
    return MODULE.format(
        title=_printable(f"A counterexample to {subject}, which {verb} it."),
        module=module,
        function=function,
        trace=pformat(encode_trace(trace), width=110, sort_dicts=False),
        name=f"{_identifier(f'{verb} {subject}')}",
        answer="not None" if violates else "None",
    )


def _printable(line: str) -> str:
    """The line as part of a docstring."""
    return "".join(c for c in line if c.isprintable() and c not in '"\\')


def _identifier(subject: str) -> str:
    return re.sub(r"\W+", "_", subject, flags=re.ASCII).strip("_").lower() or "trace"
