"""`kvmarm why`, `kvmarm trace` and `kvmarm replay`: one counterexample, found or run again."""

from pathlib import Path

from properties.command.checking import shown
from properties.command.output import check_writable, emit, write_file
from properties.command.status import BadInput, Status, of_outcome
from properties.designs import setting, unknown


def why(element: str) -> Status:
    """Show the counterexample that appears when a design element is removed: that of its first fault that has one."""
    from properties.faults.catalogue import FAULT
    from properties.why import counterexample, elements
    from properties.why import element as faults_of

    try:
        faults = faults_of(element)
    except LookupError:
        raise unknown("design element", element, elements(), "elements") from None
    settled = []
    for fault in faults:
        found = counterexample(fault, thorough=False)
        if found.trace is not None:
            emit(f"What if {FAULT[fault].statement}? ({fault})\n\n{shown(found.trace)}")
            others = [other for other in faults if other != fault]
            emit(f"\nOther faults of {FAULT[fault].element}: {', '.join(others)}\n" if others else "")
            return Status.HOLDS
        emit(f"{fault}: {found.result}: {found.reason}")
        settled.append(of_outcome(found.result))
    return Status.UNDECIDED if Status.UNDECIDED in settled else Status.VIOLATED


def trace(fault: str, form: str, expanded: bool, output: Path | None) -> Status:
    """Show or write the shortest counterexample of a fault."""
    from properties.faults.catalogue import FAULT

    if fault not in FAULT:
        raise unknown("fault", fault, FAULT, "faults")
    if output is not None:
        check_writable(output)
    from properties.traces import dumps, dumps_itf, text
    from properties.why import counterexample

    found = counterexample(fault, thorough=False)
    if found.trace is None:
        emit(f"{fault}: {found.result}: {found.reason}")
        return of_outcome(found.result)
    design, start, wanted = setting(found.trace)
    if form == "json":
        written = dumps(found.trace)
    elif form == "itf":
        written = dumps_itf(found.trace, design, start, expanded)
    elif expanded:
        written = text(found.trace, design, start, wanted, expanded=True)
    else:
        written = shown(found.trace)
    if output is None:
        emit(written)
    else:
        write_file(output, written)
    return Status.HOLDS


def replay(file: Path, module: Path | None) -> Status:
    """Run a saved trace again and say whether it still violates its property."""
    from properties.traces import BadTrace, module_text, read_trace, replayed

    if module is not None:
        check_writable(module)
    saved = read_trace(file)
    design, start, wanted = setting(saved)
    try:
        violates = replayed(saved, design, start, wanted) is not None
    except BadTrace as error:
        raise BadInput(f"{file}: {error}") from None
    if module is not None:
        write_file(module, module_text(saved, violates, "properties.designs:setting"))
    emit(shown(saved))
    return Status.VIOLATED if violates else Status.HOLDS
