"""The command `kvmarm`: it reads the arguments, and `properties.command` does the work."""

import os
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from properties.command.interrupt import end_on_interrupt
from properties.command.output import PipeClosed, clear_progress, complain, emit
from properties.command.status import BadInput, Status

app = typer.Typer(
    name="kvmarm",
    help="The executable specification of KVM/ARM: check it, break it, and see why it is as it is.",
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Exit status: 0 what was asked for holds (why, trace: the counterexample was found), 1 something is "
    "violated (why, trace: there is none), 2 usage or input error, 3 undecided.",
)


class Kind(StrEnum):
    """What can be listed."""

    PROPERTIES = "properties"
    FAULTS = "faults"
    ELEMENTS = "elements"
    DESIGNS = "designs"


class Engine(StrEnum):
    """What finds out whether a property holds."""

    PROVE = "prove"
    WALK = "walk"
    EXPLORE = "explore"
    ALL = "all"


class Format(StrEnum):
    """How a trace is written."""

    TEXT = "text"
    ITF = "itf"
    JSON = "json"


def _show_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version as installed_version

        emit(f"kvmarm {installed_version('kvmarm-spec')}")
        raise typer.Exit()


def _number(value: float | None) -> float | None:
    if value is not None and not 0 <= value < float("inf"):
        raise typer.BadParameter(f"it is a number of seconds, 0 or more, not {value:g}.")
    return value


Jobs = Annotated[int | None, typer.Option(min=1, help="Worker processes; one for each processor if not given.")]
Report = Annotated[Path | None, typer.Option("--json", metavar="FILE", help="Also write the results as JSON.")]


@app.callback()
def kvmarm(
    version: Annotated[bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show it.")] = False,
) -> None:
    """The executable specification of KVM/ARM: check it, break it, and see why it is as it is."""


@app.command("list")
def list_(what: Annotated[Kind | None, typer.Argument(help="One kind alone.")] = None) -> Status:
    """List the properties, faults, design elements and designs."""
    from properties.command import listing

    listing.show(what.value if what else None)
    return Status.HOLDS


@app.command()
def check(
    ids: Annotated[
        list[str] | None, typer.Argument(metavar="[ID]...", help="Properties, or how their ids begin.")
    ] = None,
    engine: Annotated[
        Engine | None, typer.Option(help="prove where it applies, else explore, else walk, if not given.")
    ] = None,
    design: Annotated[str, typer.Option(metavar="NAME|FILE.py", help="What to check.")] = "reference",
    fault: Annotated[str | None, typer.Option(metavar="ID", help="A fault to plant into the design.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Where random walks start.")] = 0,
    steps: Annotated[
        int | None, typer.Option(min=1, help="How many actions a random walk chooses, over all its configurations.")
    ] = None,
    configuration: Annotated[
        str | None, typer.Option(metavar="NAME", help="Explore this configuration of a part alone.")
    ] = None,
    budget: Annotated[
        float | None, typer.Option(metavar="SECONDS", callback=_number, help="What the whole call may take.")
    ] = None,
    jobs: Jobs = None,
    json: Report = None,
    smt2: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Also write each obligation of the proofs as an SMT-LIB file.")
    ] = None,
) -> Status:
    """Check properties of a design: all of the reference if nothing is given."""
    from properties.command import checking

    chosen = engine.value if engine else None
    return checking.check(
        tuple(ids or ()), chosen, design, fault, seed, steps, configuration, budget, _jobs(jobs), json, smt2
    )


@app.command()
def why(element: Annotated[str, typer.Argument(help="A design element, such as HCR.TSC or 'exit: VTTBR'.")]) -> Status:
    """Show what happens when a design element is removed."""
    from properties.command import counterexamples

    return counterexamples.why(element)


@app.command()
def trace(
    fault: Annotated[str, typer.Argument(help="The id of a fault.")],
    format: Annotated[
        Format, typer.Option(help="For people, for viewers of traces, or for `kvmarm replay`.")
    ] = Format.TEXT,
    expand: Annotated[bool, typer.Option("--expand", help="Show every step of the world switch.")] = False,
    output: Annotated[Path | None, typer.Option("-o", "--output", metavar="FILE", help="Write into a file.")] = None,
) -> Status:
    """Show the shortest counterexample of a planted fault."""
    from properties.command import counterexamples

    return counterexamples.trace(fault, format.value, expand, output)


@app.command()
def replay(
    file: Annotated[Path, typer.Argument(help="A trace that `check --json` or `trace --format json` wrote.")],
    pytest: Annotated[
        Path | None, typer.Option("--pytest", metavar="FILE", help="Also write it as a regression test.")
    ] = None,
) -> Status:
    """Run a saved trace again: does it still violate its property?"""
    from properties.command import counterexamples

    return counterexamples.replay(file, pytest)


@app.command()
def matrix(
    ids: Annotated[list[str] | None, typer.Argument(metavar="[ID]...", help="Faults, or how their ids begin.")] = None,
    jobs: Jobs = None,
    json: Report = None,
) -> Status:
    """Find out which property catches each fault and each removed element."""
    from properties.command import checking

    return checking.matrix(tuple(ids or ()), _jobs(jobs), json)


@app.command()
def explain(
    name: Annotated[str, typer.Argument(help="A rule, a step, a property, a register, a fault or a design element.")],
) -> Status:
    """Explain a name: its text, its sources, who reads and writes it, and what was found out."""
    from properties.command import explain

    return explain.show(name)


def _jobs(given: int | None) -> int:
    if given is not None:
        return given
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1


def run(arguments: list[str] | None = None) -> int:
    """The exit status of the command with these arguments; what is wrong with them is one line on standard error."""
    try:
        return int(app(arguments, standalone_mode=False, prog_name="kvmarm") or 0)
    except PipeClosed:
        return Status.PIPE_CLOSED
    except KeyboardInterrupt:
        complain("interrupted")
        return Status.INTERRUPTED
    except OSError as error:
        complain(f"{error.filename}: {error.strerror}" if error.filename else str(error.strerror or error))
        return Status.USAGE
    except Exception as error:
        if hasattr(error, "format_message"):
            complain(_usage(error))
        elif isinstance(error, _refusals()):
            complain(str(error))
        else:
            return _fail(error)
        return Status.USAGE


def _refusals() -> tuple[type[Exception], ...]:
    from properties.designs import BadDesign, Unknown
    from properties.traces import BadTrace

    return (BadInput, BadDesign, BadTrace, Unknown)


def _usage(error: Any) -> str:
    """What is wrong with the arguments, and where to read how they should be."""
    context = getattr(error, "ctx", None)
    command = context.command_path if context is not None else "kvmarm"
    words = " ".join(error.format_message().split()).replace(": Value error, ", ": ").rstrip(".")
    return f"{words}. See `{command} --help`."


def _fail(error: Exception) -> int:
    import traceback

    clear_progress()
    traceback.print_exception(error)
    complain("this is a defect of kvmarm itself, and nothing was decided")
    return Status.UNDECIDED


def main() -> None:
    """Run the command and end the process with its status."""
    end_on_interrupt()
    status = run()
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except OSError:
        status = Status.PIPE_CLOSED if status == Status.HOLDS else status
    if sys.stdout is not None and status in (Status.PIPE_CLOSED, Status.USAGE):
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    sys.exit(int(status))


if __name__ == "__main__":
    main()
