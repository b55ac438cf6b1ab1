"""The command from outside, as its user meets it: what it prints, where, and how it ends."""

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from model.designs.catalogue import DESIGNS
from properties import cli
from properties.catalogue import PROPERTY
from properties.faults.catalogue import FAULT

ROOT = Path(__file__).parent.parent
QUICK = "world_switch.host_restored"
HOLDS, VIOLATED, USAGE, UNDECIDED = range(4)


@pytest.fixture
def kvmarm(tmp_path):
    def run(*arguments, **settings):
        environment = {**os.environ, "PYTHONPATH": str(ROOT), **settings}
        command = [sys.executable, "-m", "properties.cli", *map(str, arguments)]
        return subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120, check=False
        )

    return run


@pytest.fixture
def saved(tmp_path):
    path = tmp_path / "par.json"
    assert cli.run(["trace", "par-not-switched", "--format", "json", "-o", str(path)]) == HOLDS
    return path


@pytest.fixture
def refusal(tmp_path, monkeypatch, capsys):
    """The one line on standard error with which a command, run in this process, refuses what it was given."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments):
        status = cli.run([str(argument) for argument in arguments])
        printed = capsys.readouterr()
        assert (status, printed.out) == (USAGE, ""), printed.err
        (line,) = printed.err.splitlines()
        assert line.startswith("kvmarm: ")
        return line

    return run


# what there is


@pytest.mark.parametrize(("kind", "names"), [("properties", PROPERTY), ("designs", DESIGNS), ("faults", FAULT)])
def test_list_names_everything_of_a_kind(kvmarm, kind, names):
    words = kvmarm("list", kind).stdout.split()
    assert [name for name in names if name not in words] == []


def test_list_names_the_elements_that_why_takes(kvmarm):
    assert re.search(r"^HCR\.TSC +HCR\.TSC is not set", kvmarm("list", "elements").stdout, re.MULTILINE)


def test_list_starts_without_the_solver(kvmarm, tmp_path):
    script = "import sys; from properties.cli import run; run(['list']); sys.exit('z3' in sys.modules)"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    outcome = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, check=False)
    assert outcome.returncode == 0


def test_what_is_no_terminal_gets_plain_text_of_limited_width(kvmarm):
    text = kvmarm("list", FORCE_COLOR="1", CLICOLOR_FORCE="1", COLUMNS="300").stdout
    assert "\x1b" not in text
    assert max(map(len, text.splitlines())) <= 120


# explanations


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("smc_traps", "B1.14.8"),
        ("spec.traps.smc_traps", "def smc_traps"),
        ("enter: HCR", "configure_hyp_role"),
        ("world_switch.host_restored", "Does running a VM disturb the host?"),
        ("SCTLR", "enter: load guest CP15 group A"),
        ("HCR.TSC", "bit 19"),
        ("par-not-switched", "kvmarm trace par-not-switched"),
        ("fiq-bank-saved", "D5"),
    ],
)
def test_explain_knows_rules_steps_properties_registers_elements_faults_and_repairs(kvmarm, name, said):
    outcome = kvmarm("explain", name)
    assert outcome.returncode == HOLDS
    assert said in outcome.stdout


def test_explain_of_a_step_says_which_registers_it_moves(kvmarm):
    text = kvmarm("explain", "exit: VPIDR").stdout
    assert re.search(r"^ +reads +MIDR$", text, re.MULTILINE)
    assert re.search(r"^ +writes +VPIDR$", text, re.MULTILINE)


# counterexamples


def test_why_finds_the_counterexample(kvmarm):
    outcome = kvmarm("why", "HCR.TSC")
    assert outcome.returncode == HOLDS
    assert "SMC" in outcome.stdout
    assert "VIOLATED" in outcome.stdout


def test_trace_shows_the_property_and_the_design(kvmarm):
    outcome = kvmarm("trace", "par-not-switched")
    assert outcome.returncode == HOLDS
    assert "PAR" in outcome.stdout
    assert "with the fault par-not-switched" in outcome.stdout


def test_trace_says_that_there_is_no_counterexample(kvmarm):
    outcome = kvmarm("trace", EQUIVALENT)
    assert outcome.returncode == VIOLATED
    assert "equivalent" in outcome.stdout


EQUIVALENT = "swap/enter-vpidr/enter-vmpidr"


def test_expanded_trace_shows_every_step_of_the_world_switch(kvmarm):
    assert "enter: push host svc bank" in kvmarm("trace", "par-not-switched", "--expand").stdout


def test_trace_in_itf_is_what_its_viewers_open(kvmarm):
    data = json.loads(kvmarm("trace", "par-not-switched", "--format", "itf").stdout)
    assert data["#meta"]["format"] == "ITF"


def test_a_trace_that_still_violates_is_violated(kvmarm, saved):
    outcome = kvmarm("replay", saved)
    assert outcome.returncode == VIOLATED
    assert "VIOLATED" in outcome.stdout


def test_a_trace_that_violates_no_more_holds(kvmarm, saved):
    saved.write_text(saved.read_text().replace('"par-not-switched"', "null"))
    outcome = kvmarm("replay", saved)
    assert outcome.returncode == HOLDS
    assert "holds at every step" in outcome.stdout


def test_a_replayed_trace_becomes_a_regression_test_that_passes(kvmarm, saved, tmp_path):
    module = tmp_path / "test_par.py"
    kvmarm("replay", saved, "--pytest", module)
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "pytest", "-q", str(module)]
    outcome = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, check=False)
    assert outcome.returncode == 0, outcome.stdout


# checks


def test_check_of_what_holds_says_so(kvmarm):
    outcome = kvmarm("check", QUICK)
    assert outcome.returncode == HOLDS
    assert re.search(rf"^{re.escape(QUICK)} +(proved|explored|tested) ", outcome.stdout, re.MULTILINE)


def test_check_of_what_does_not_hold_shows_the_trace(kvmarm):
    outcome = kvmarm("check", "world_switch.guest_preserved", "--fault", "par-not-switched")
    assert outcome.returncode == VIOLATED
    assert re.search(r"^world_switch\.guest_preserved +violated ", outcome.stdout, re.MULTILINE)
    assert "PAR" in outcome.stdout


def test_check_without_time_is_undecided(kvmarm):
    assert kvmarm("check", QUICK, "--budget", "0").returncode == UNDECIDED


def test_an_id_that_is_a_beginning_means_all_that_begin_so(kvmarm):
    outcome = kvmarm("check", "split_mode", "--budget", "0")
    shown = [identifier for identifier in PROPERTY if f"\n{identifier} " in outcome.stdout]
    assert shown == [identifier for identifier in PROPERTY if identifier.startswith("split_mode.")]


def test_results_in_json_name_their_trace_files(kvmarm, tmp_path):
    report = tmp_path / "check.json"
    kvmarm("check", "world_switch.guest_preserved", "--fault", "par-not-switched", "--json", report)
    data = json.loads(report.read_text())
    (result,) = data["results"]
    assert data["design"] == "reference"
    assert {"property", "engine", "verdict", "covers", "seconds", "trace", "deviations"} <= set(result)
    assert kvmarm("replay", result["trace"]).returncode == VIOLATED


def test_results_in_json_have_no_trace_where_nothing_is_violated(kvmarm, tmp_path):
    report = tmp_path / "check.json"
    kvmarm("check", QUICK, "--json", report)
    (result,) = json.loads(report.read_text())["results"]
    assert result["trace"] is None


def test_explain_tells_the_last_verdict(kvmarm):
    kvmarm("check", QUICK)
    assert re.search(r"^  last verdict +(proved|explored|tested) ", kvmarm("explain", QUICK).stdout, re.MULTILINE)


def test_a_design_of_ones_own_is_checked(kvmarm):
    design = ROOT / "docs" / "examples" / "lean_exit.py"
    assert kvmarm("check", "world_switch.configuration", "--design", design).returncode == VIOLATED


def test_obligations_are_written_as_smt_lib(kvmarm, tmp_path):
    kvmarm("check", "world_switch.guest_preserved", "--smt2", tmp_path / "smt")
    scripts = sorted((tmp_path / "smt").iterdir())
    assert scripts
    assert all("(check-sat)" in script.read_text() for script in scripts)


def test_matrix_says_who_catches_a_fault(kvmarm, tmp_path):
    report = tmp_path / "matrix.json"
    outcome = kvmarm("matrix", "par-not-switched", "without/HCR.TSC", "--jobs", "2", "--json", report)
    entries = {entry["fault"]: entry for entry in json.loads(report.read_text())["faults"]}
    assert outcome.returncode == HOLDS
    assert entries["par-not-switched"]["outcome"] == "caught"
    assert "world_switch.guest_preserved" in entries["par-not-switched"]["properties"]
    assert entries["without/HCR.TSC"]["length"] == 2


# what cannot be used


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "Missing command"),
        (("chekc",), "'check'"),
        (("list", "cats"), "'cats'"),
        (("check", "world_swich.host_restored"), "did you mean world_switch.host_restored"),
        (("check", "zebra"), "there is no property 'zebra'"),
        (("check", "--engine", "guess"), "'guess'"),
        (("check", "--design", "refrence"), "did you mean reference"),
        (("check", "--fault", "par-not-swiched"), "did you mean par-not-switched"),
        (("check", "--configuration", "sleping"), "did you mean sleeping"),
        (("check", "--configuration", "sleeping", "--engine", "walk"), "--configuration explores"),
        (("check", "memory", "--configuration", "sleeping"), "no property asked for is about"),
        (("check", "--jobs", "-1"), "'--jobs'"),
        (("check", "--jobs", "0"), "'--jobs'"),
        (("check", "--jobs", "two"), "'--jobs'"),
        (("check", "--budget", "-1"), "not -1"),
        (("check", "--budget", "nan"), "not nan"),
        (("check", "--seed", "-1"), "'--seed'"),
        (("check", "--json", "."), "Is a directory"),
        (("check", "--json", "no/such/place/check.json"), "No such directory"),
        (("check", "--design", "."), "Is a directory"),
        (("check", "--design", "missing.py"), "missing.py: No such file"),
        (("check", "--nonsense"), "--nonsense"),
        (("why", "HCR.TCS"), "HCR.TSC"),
        (("trace", "without/HCR.TCS"), "without/HCR.TSC"),
        (("trace", "par-not-switched", "--format", "html"), "'html'"),
        (("trace", "par-not-switched", "-o", "."), "Is a directory"),
        (("trace", "par-not-switched", "-o", "no/such/place/trace"), "No such directory"),
        (("replay", "missing.json"), "missing.json: No such file"),
        (("replay", "."), "Is a directory"),
        (("matrix", "zebra"), "there is no fault 'zebra'"),
        (("matrix", "--json", "no/such/place/matrix.json"), "No such directory"),
        (("explain", "smc_trap"), "did you mean smc_traps"),
        (("explain", ""), "there is no rule"),
    ],
)
def test_bad_arguments_are_refused_in_one_line(refusal, arguments, said):
    assert said in refusal(*arguments)


def test_a_refusal_ends_the_process_with_its_own_status_and_without_a_traceback(kvmarm):
    outcome = kvmarm("check", "zebra")
    complaint = "kvmarm: there is no property 'zebra'; `kvmarm list properties` names them all\n"
    assert (outcome.returncode, outcome.stdout, outcome.stderr) == (USAGE, "", complaint)


USES = (
    "from model.design import *; from model.routines import *\n"
    "from model.designs.catalogue import *\nfrom model.designs.variations import *\n"
)
VARIED = "v = Variation('v', 'varied', ())\nbase = reference()\n"


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("DESIGN = (", "design.py:1: "),
        ("x = 1\n1 / 0\n", "design.py:2: ZeroDivisionError: division by zero"),
        ("import sys\nsys.exit(0)\n", "design.py:2: SystemExit"),
        ("x = 1\n", "design.py:1: it defines no DESIGN"),
        ("x = 1\nDESIGN = 'reference'\n", "design.py:2: DESIGN: 'reference' is no Design"),
        (f"{USES}DESIGN = reference\n", "is no Design"),
        (f"{USES}{VARIED}DESIGN = vary(base, v, skip=None)\n", "design.py:6: DESIGN.skip: None is no Skip"),
        (f"{USES}{VARIED}DESIGN = vary(base, v, leave=())\n", "design.py:6: TypeError"),
        (
            f"{USES}{VARIED}DESIGN = vary(base, v, exit=without(base.exit, 'exit: VPIRD'))\n",
            "design.py:6: LookupError: no step exit: VPIRD; did you mean exit: VPIDR",
        ),
        (
            f"{USES}DESIGN = switch_registers(reference(), 'sctrl')\n",
            "there is no register 'sctrl'; did you mean sctlr",
        ),
        (f"{USES}DESIGN = without_registers(reference(), 'sctrl')\n", "sctrl"),
        (f"{USES}DESIGN = with_hcr(reference(), 1 << 32)\n", "does not fit the 32 bits of hcr"),
        (f"{USES}{VARIED}DESIGN = vary(base, v, handlers=((99, Handler.BUG),))\n", "0x63 is not below 0x40"),
        ("import no_such_module\n", "design.py:1: ModuleNotFoundError"),
        ("\0", "design.py"),
    ],
)
def test_a_broken_design_file_is_refused_with_its_file_and_line(refusal, tmp_path, source, said):
    (tmp_path / "design.py").write_text(source)
    assert said in refusal("check", QUICK, "--design", "design.py")


def test_a_fault_that_a_design_has_no_place_for_is_refused(refusal):
    assert "linux-3.10" in refusal("check", QUICK, "--design", "linux-3.10", "--fault", "without/exit-clrex")


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda text: text[: len(text) // 2], "no JSON"),
        (lambda text: "", "no JSON"),
        (lambda text: "[]", "no object"),
        (lambda text: text.replace("reference", "refrence"), "there is no design 'refrence'"),
        (lambda text: text.replace("par-not-switched", "par"), "there is no fault 'par'"),
        (lambda text: text.replace("guest_preserved", "guest_reserved"), "there is no property"),
        (lambda text: text.replace("two-vms", "three-vms"), "there is no topology"),
        (lambda text: text.replace('"vcpu": 0', '"vcpu": 7'), "action 1"),
        (lambda text: text.replace('"vcpu": 0', '"vcpu": -1'), "actions[0].vcpu"),
        (lambda text: text.replace('"vcpu": 0', f'"vcpu": {1 << 70}'), "actions[0].vcpu"),
    ],
)
def test_a_damaged_trace_is_refused_with_its_place(refusal, saved, damage, said):
    saved.write_text(damage(saved.read_text()))
    assert said in refusal("replay", saved)


def test_a_register_value_that_is_too_wide_is_refused(refusal, saved):
    instruction = '{"operation": {"class": "Compute", "rd": 0, "value": "0x100000000", "flags": 0}}'
    more = f'[{{"class": "HostExecutes", "cpu": 0, "instruction": {instruction}}},'
    saved.write_text(saved.read_text().replace("[", more, 1))
    assert "value" in refusal("replay", saved)


def test_a_refused_report_leaves_nothing_behind(refusal, tmp_path):
    refusal("trace", "par-not-switched", "-o", "no/such/place/trace")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is full")
def test_output_that_cannot_be_written_is_refused(tmp_path):
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "properties.cli", "list", "designs"]
    with open("/dev/full", "w") as full:
        outcome = subprocess.run(
            command, cwd=tmp_path, env=environment, stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert outcome.returncode == USAGE
    assert outcome.stderr.splitlines() == ["kvmarm: standard output: No space left on device"]


# endings


def test_a_reader_that_leaves_early_is_no_error(tmp_path):
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "properties.cli", "list", "faults"]
    with subprocess.Popen(
        command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        process.stdout.close()
        assert process.stderr.read() == ""


BLOCKED = """
import multiprocessing, signal

def wait():
    while True:
        pass

multiprocessing.get_context("fork").Process(target=wait).start()
print("ready", flush=True)
wait()
"""


def test_an_interrupt_ends_the_command_and_its_workers_with_one_line(tmp_path):
    (tmp_path / "blocked.py").write_text(BLOCKED)
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "properties.cli", "check", "--design", "blocked.py", "--json", "check.json"]
    with subprocess.Popen(
        command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    ) as process:  # fmt: skip
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGINT)
        _, complaint = process.communicate(timeout=60)
    assert (process.returncode, complaint) == (130, "kvmarm: interrupted\n")
    assert [path.name for path in tmp_path.iterdir() if path.suffix == ".json"] == []
