"""The documentation's pages: complete, derived from the code, and free of dead links."""

import inspect
import json
import posixpath
import re
import runpy
from pathlib import Path
from types import MappingProxyType

import pytest

from model.actions import GuestExecutes, HostRunsVcpu
from model.design import ROUTINES, Design
from model.designs.catalogue import DESIGNS, reference
from model.designs.linux_3_12 import LINUX_3_12
from model.designs.variations import REPAIRS
from model.lowvisor import moves
from model.memory.design import ROUTINES as MEMORY_ROUTINES
from properties.catalogue import PROPERTIES
from properties.claims import CLAIMS, Pending, checked_by
from properties.docs import (
    claims,
    deviations,
    differences,
    elements,
    findings,
    machine,
    modules,
    navigation,
    prose,
    site,
    source,
)
from properties.docs import markdown as md
from properties.docs.__main__ import main
from properties.docs.links import page_of
from properties.docs.measured import UNMEASURED, Fate, Finding, Measured, NotReadable, read
from properties.faults.catalogue import DEFERRED, EXCUSES, FAULT, FAULTS
from properties.property import Kind, Property, Trace
from properties.table1 import table
from properties.traces import encode_trace
from spec.coprocessor.decode import ROW, ROWS
from spec.operations import Instruction, Smc
from spec.registers import REGISTERS

ROOT = Path(__file__).parent.parent
PAGES = site.pages(Measured())
RULES = [
    pytest.param(module, function, id=f"{module.__name__}.{function.__name__}")
    for package in source.PACKAGES
    for module in source.modules(package)
    for function in source.functions(module)
    if source.is_rule(function)
]
PROPERTY = Property(
    "room.thing",
    "Something holds.",
    ("C1",),
    "Does it?",
    Kind.STEP,
    about=(),
    holds=lambda *_: True,
    interesting=lambda *_: True,
)


@pytest.mark.parametrize(("module", "rule"), RULES)
def test_every_rule_has_its_docstring_and_signature_on_its_modules_page(module, rule):
    page = PAGES[modules.path(module.__name__)]
    section = page.partition(f"{{ #{md.anchor(rule.__name__)} }}")[2].partition("\n### ")[0]
    assert md.text(inspect.cleandoc(rule.__doc__)) in section
    assert source.signature(rule) in section


@pytest.mark.parametrize(("module", "rule"), RULES)
def test_every_rule_cites_a_document_and_a_section(module, rule):
    assert rule.sources and all(citation.document and citation.section for citation in rule.sources)


@pytest.mark.parametrize("name", PAGES)
def test_no_page_mentions_this_machine(name):
    for place in (str(ROOT), str(Path.home()), "/site-packages/", "0x7f"):
        assert place not in PAGES[name]


@pytest.mark.parametrize("name", PAGES)
def test_every_link_of_a_page_leads_to_a_page_and_a_heading(name):
    for target, _, anchor in re.findall(r"\]\(([^)#]+)(#([^)]+))?\)", _without_code(PAGES[name])):
        page = PAGES[posixpath.normpath(posixpath.join(posixpath.dirname(name), target))]
        assert not anchor or f"#{anchor} }}" in page or f'id="{anchor}"' in page


def _without_code(page):
    return re.sub(r"```.*?```", "", page, flags=re.DOTALL)


def test_the_register_tables_name_every_register_with_its_width():
    for name, register in REGISTERS.items():
        assert f"| `{name}` | {register.width} |" in PAGES["registers.md"]


def test_the_register_tables_name_the_rows_that_reach_a_register():
    (line,) = [line for line in PAGES["registers.md"].splitlines() if line.startswith("| `ttbr0` |")]
    assert "[TTBR0]" in line and "[TTBR0_64]" in line


def test_the_register_tables_have_the_meanings_that_fields_declare():
    assert "The physical count, the same for every observer at one moment." in PAGES["registers.md"]


def test_the_catalogue_shows_every_row_once():
    for row in ROWS:
        assert PAGES["coprocessor.md"].count(f'<span id="{md.anchor(row.name)}">') == 1


def test_an_encoding_is_written_as_the_instruction_has_it():
    assert machine.encoding(ROW["SCTLR"]) == "MCR/MRC p15, 0, c1, c0, 0"
    assert machine.encoding(ROW["TTBR0_64"]) == "MCRR/MRRC p15, 0, c2"


@pytest.mark.parametrize(
    ("values", "written"), [((3,), "3"), ((0, 1, 2), "0-2"), ((4, 7), "{4,7}"), ((0, 1, 5), "{0-1,5}")]
)
def test_neighbouring_values_are_written_as_a_range(values, written):
    assert machine.span(values) == written


@pytest.mark.parametrize("routine", ROUTINES)
def test_the_world_switch_shows_every_step_of_both_designs_in_order(routine):
    lines = list(differences.aligned(reference().routine(routine), LINUX_3_12.routine(routine)))
    assert tuple(left for left, _ in lines if left) == reference().routine(routine)
    assert tuple(right for _, right in lines if right) == LINUX_3_12.routine(routine)
    for step in reference().routine(routine):
        assert f"`{step.name}`" in PAGES["world-switch.md"]


def test_a_changed_step_names_the_variation_that_changed_it():
    assert differences.changed_by()["entry", "enter: HDCR"] == ("debug-registers-trapped",)


def test_an_added_step_is_absent_from_linux_3_12():
    (line,) = [line for line in PAGES["world-switch.md"].splitlines() if "`exit: save guest fiq bank`" in line]
    assert "| absent | [`fiq-bank-saved`]" in line


@pytest.mark.parametrize("repair", REPAIRS, ids=lambda repair: repair.variation.id)
def test_every_repair_changes_something_that_the_pages_show(repair):
    assert differences.changed(LINUX_3_12, repair.apply(LINUX_3_12))


@pytest.mark.parametrize("routine", MEMORY_ROUTINES)
def test_the_page_of_memory_shows_every_step_of_both_designs_and_what_it_does(routine):
    section = PAGES["memory.md"].partition(f"{{ #routine-{routine} }}")[2].partition("\n## ")[0]
    rows = section.partition("??? quote")[0].splitlines()
    for step in reference().memory.steps(routine):
        assert any(f"| `{step.name}` | [{md.cell(step.do.value)}](" in row for row in rows)
    for step in LINUX_3_12.memory.steps(routine):
        own = [row for row in rows if f"| `{step.name}` |" in row]
        assert any(md.cell(step.do.value) in row or "| same |" in row for row in own)


def test_the_page_of_memory_says_what_is_known_before_a_step():
    (line,) = [line for line in PAGES["memory.md"].splitlines() if line.startswith("    | `run: take VMID` |")]
    assert "`VMID_LOCK`" in line and "`TAKEN`" not in line


def test_a_step_of_another_place_is_told_as_moved():
    (before, after) = LINUX_3_12.memory.run[9:11]
    assert differences.moved((before, after), (after, before)) in ((before.name,), (after.name,))
    assert differences.moved((before, after), (before,)) == ()


def test_a_mask_is_told_by_the_bits_that_it_lets_through():
    (line,) = [line for line in PAGES["memory.md"].splitlines() if line.startswith("| `base_mask` |")]
    assert "| `[39:13]` | `[38:12]` | [`whole-base-in-vttbr`]" in line


@pytest.mark.parametrize("name", DESIGNS)
def test_every_design_is_shown_with_its_meaning_and_its_variations(name):
    section = PAGES["designs.md"].partition(f"{{ #design-{md.anchor(name)} }}")[2].partition("\n## ")[0]
    assert section.strip()
    assert all(f"`{variation.id}`" in section for variation in DESIGNS[name]().variations)


def test_a_move_is_told_with_the_names_of_its_bits():
    move = moves.Alter("hcr", 1 << 7, (1 << 13) | 1)
    assert prose.describe(move) == "in HCR clear VI; set VM, TWI"


def test_every_move_has_words_of_its_own():
    for design in (make() for make in DESIGNS.values()):
        for routine in ROUTINES:
            for step in design.routine(routine):
                assert prose.describe(step.move) != type(step.move).__name__


def test_everything_not_modelled_is_collected():
    told = [words for package in source.PACKAGES for m in source.modules(package) for words in source.not_modelled(m)]
    assert told and all(md.cell(words) in PAGES["not-modelled.md"] for words in told)


def test_the_bibliography_sorts_sections_by_number():
    page = PAGES["bibliography.md"]
    assert page.index("| B1.9.7 |") < page.index("| B1.14.9 |")


def test_every_property_is_on_the_page():
    assert all(f"{{ #{entry.id} }}" in PAGES["properties.md"] for entry in PROPERTIES)


def test_a_property_without_measurement_says_so():
    page = findings.properties_page((PROPERTY,), Measured())
    assert f"| Verdict | {UNMEASURED} |" in page


def test_a_property_shows_its_verdict_and_what_it_covers():
    found = Measured(verdicts={PROPERTY.id: (Finding("prove", "proved", "every state"),)})
    assert "| Verdict | *proved* by prove: every state |" in findings.properties_page((PROPERTY,), found)


def fated(**catchers):
    return Measured(fates={name: Fate("caught" if by else "equivalent", by) for name, by in catchers.items()})


def test_a_property_shows_the_faults_that_only_it_catches():
    found = fated(lonely=(PROPERTY.id,), shared=(PROPERTY.id, "room.other"))
    assert "| Faults only it catches | `lonely` |" in findings.properties_page((PROPERTY,), found)


def test_a_property_has_a_score_of_the_faults_it_catches():
    found = fated(lonely=(PROPERTY.id,), shared=(PROPERTY.id, "room.other"), other=("room.other",), alike=())
    page = findings.properties_page((PROPERTY,), found)
    assert "| Faults it catches | 2 of 4 that were planted |" in page


def test_many_faults_that_only_one_property_catches_are_folded():
    found = fated(**{f"fault{number}": (PROPERTY.id,) for number in range(findings.FEW + 1)})
    page = findings.properties_page((PROPERTY,), found)
    assert '??? quote "The 9 faults that only it catches"' in page


@pytest.mark.parametrize("claim", CLAIMS)
def test_every_claim_shows_the_properties_that_check_it(claim):
    section = PAGES["claims.md"].partition(f"{{ #claim-{claim.lower()} }}")[2].partition("\n## ")[0]
    assert all(f"| [`{identifier}`]" in section for identifier in checked_by(claim))
    assert CLAIMS[claim].pending is None or CLAIMS[claim].pending.value in section


def of_designs(**verdicts):
    """What was measured of the properties of C17 on some designs, by the designs' names."""
    return Measured(others={name.replace("_", "-"): found for name, found in verdicts.items()})


def claim_of(page, claim):
    """The line of a claim in the table of all claims."""
    return next(line for line in page.splitlines() if f"[{claim}](#claim-{claim.lower()})" in line)


def test_a_claim_has_the_verdict_of_its_property_that_fares_worst():
    first, second, *_ = checked_by("C17")
    found = of_designs(without_vgic={first: (Finding("prove", "proved", ""),), second: (Finding("x", "unknown", ""),)})
    assert "| *unknown*, in part |" in claim_of(claims.page(found), "C17")


def test_a_claim_of_a_design_that_was_not_checked_says_so():
    page = claims.page(of_designs(without_vgic={}))
    assert "Not measured in this build: `reference`, `linux-3.12`." in page
    assert claim_of(page, "C17").count(UNMEASURED) == 3


def test_a_claim_that_fails_leads_to_the_deviation_that_makes_it_fail():
    name = checked_by("C22")[0]
    found = Measured(others={"linux-3.12": {name: (Finding("explore", "violated", "", ("D2",)),)}})
    assert "*violated*: [`D2`](found-in-linux.md#deviation-d2)" in claims.page(found)


def test_a_violation_leads_to_its_run_and_says_of_which_design_that_is():
    name, trace = checked_by("C22")[0], {"design": "reference", "fault": "D2"}
    found = Measured(others={"linux-3.12": {name: (Finding("explore", "violated", "", ("D2",), trace),)}})
    page = claims.page(found)
    place = f"run-{name}-linux-3.12-0"
    assert f"([run](#{place}))" in page and f'<span id="{place}">' in page
    assert f'"{name} on linux-3.12: D2, shown on the reference with that alone"' in page


def test_a_table_that_fails_says_where():
    name, covers = "table1.derived", "by enumeration: all 13 of rows; fails for CPSR: it is 38; SPSR: it is 29"
    found = Measured(others={"linux-3.12": {name: (Finding("prove", "violated", covers),)}})
    assert "*violated*: fails for CPSR: it is 38 |" in claims.page(found)


def test_an_unknown_verdict_says_why():
    name = checked_by("C22")[0]
    found = of_designs(without_vgic={name: (Finding("explore", "unknown", "nothing was reached"),)})
    assert "| *unknown*: nothing was reached |" in claims.page(found)


def test_a_claim_shows_the_faults_that_only_one_property_catches():
    name = checked_by("C22")[0]
    found = fated(D1=(name,), D2=(name, "room.other"))
    section = claims.page(found).partition("{ #claim-c22 }")[2].partition("\n## ")[0]
    assert "[`D1`]" in section and "[`D2`]" not in section


def test_the_claim_about_cost_is_marked_as_to_come():
    assert "nothing checks it yet" in claim_of(claims.page(of_designs(**{"linux-3.12": {}})), "C29")
    assert CLAIMS["C29"].pending is Pending.COST


def test_verdicts_of_further_designs_are_read_with_their_runs(tmp_path):
    (tmp_path / "run.trace.json").write_text('{"format": "kvmarm-trace"}')
    entry = {"property": "a", "engine": "explore", "verdict": "violated", "covers": "c", "deviations": ["D2"]}
    report = {"design": "linux-3.12", "results": [{**entry, "trace": "elsewhere/run.trace.json"}]}
    path = tmp_path / "check.json"
    path.write_text(json.dumps(report))
    (finding,) = read(None, None, [path]).others["linux-3.12"]["a"]
    assert (finding.deviations, finding.trace) == (("D2",), {"format": "kvmarm-trace"})


def test_every_fault_is_on_the_page_of_its_family_once():
    anchors = [f'<span id="{md.anchor(fault.id)}"></span>' for fault in FAULTS]
    assert len(set(anchors)) == len(anchors)
    for fault, place in zip(FAULTS, anchors, strict=True):
        assert PAGES[f"elements/{page_of(fault)}.md"].count(place) == 1


def test_a_fault_without_measurement_says_so():
    assert f"Outcome: {UNMEASURED}." in elements.family("trap-bits", [FAULT["without/HCR.TSC"]], Measured())


def test_a_caught_fault_names_the_properties_that_catch_it():
    fate = Fate("caught", ("trap_completeness.confined",), 2)
    assert elements.outcome(fate, "../") == (
        "*caught* by [`trap_completeness.confined`](../properties.md#trap_completeness.confined)."
    )


def test_a_fault_that_nothing_catches_shows_why():
    assert elements.outcome(Fate("equivalent", reason="proved by z3: all states"), "") == (
        "*equivalent*: proved by z3: all states."
    )


def run_of(fault, *actions):
    trace = Trace("reference", fault, "two-vms", "trap_completeness.confined", actions)
    return Fate("caught", (trace.property,), len(actions), "", encode_trace(trace))


def test_the_shortest_run_of_a_fault_is_folded_below_it():
    fate = run_of("without/HCR.TSC", HostRunsVcpu(0, 0), GuestExecutes(0, Instruction(Smc(0))))
    page = elements.family("trap-bits", [FAULT["without/HCR.TSC"]], Measured(fates={"without/HCR.TSC": fate}))
    assert '??? quote "The shortest run: 2 chosen actions"' in page
    assert "the guest reached the secure firmware" in page


@pytest.mark.parametrize("fault", ["without/HCR.TSC", "no-such-fault"])
def test_a_run_that_the_code_cannot_take_any_more_is_said_to_be_such(fault):
    fate = run_of(fault, GuestExecutes(0, Instruction(Smc(0))))
    assert elements.told(fate).startswith("Measured with other code")


def test_open_faults_are_listed_in_the_overview():
    name = FAULTS[0].id
    page = elements.pages(FAULTS, Measured(fates={name: Fate("open", reason="nothing found")}))["elements/index.md"]
    assert f"`{name}`" in page.partition("{ #open }")[2]


@pytest.mark.parametrize("repair", REPAIRS, ids=lambda repair: repair.deviation)
def test_every_deviation_of_linux_3_12_shows_its_repair_and_sources(repair):
    section = PAGES["found-in-linux.md"].partition(f"{{ #deviation-{md.anchor(repair.deviation)} }}")[2]
    section = section.partition("\n## ")[0]
    assert md.cell(repair.variation.statement) in section
    assert all(md.text(str(citation)) in section for citation in repair.variation.sources)


def test_every_deviation_was_known_in_exactly_one_way():
    named = [repair.deviation for repair in REPAIRS if not deviations.LISTED.fullmatch(repair.deviation)]
    assert sorted(named) == sorted((*deviations.KNOWN_BUGS, *deviations.FOUND_HERE))


def test_a_deviation_of_no_list_says_what_goes_wrong():
    section = PAGES["found-in-linux.md"].partition("{ #deviation-change-pte-maps-deleted-slot }")[2]
    assert md.cell(deviations.FOUND_HERE["change-pte-maps-deleted-slot"]) in section.partition("\n## ")[0]


def test_a_deviation_shows_what_goes_wrong_in_its_run():
    fate = Fate("caught", (PROPERTY.id,), 3, "", MappingProxyType({"explanation": "R8_FIQ is lost"}))
    assert "| In the run | R8_FIQ is lost |" in deviations.page(Measured(fates={"D5": fate}))


def test_table_1_shows_the_papers_numbers_beside_the_models():
    for row in table(reference()):
        assert f"| {row.state} | {'it traps' if row.paper is None else row.paper} |" in PAGES["table-1.md"]


def test_every_register_is_in_the_table_of_its_class():
    page = PAGES["classification.md"]
    assert all(f"| [`{prose.register_name(name)}`](registers.md) |" in page for name in REGISTERS)


def test_the_silent_operations_are_listed():
    assert all(f"| {name} |" in PAGES["silent-operations.md"] for name in ("MRS CPSR", "CPS, MSR CPSR"))


@pytest.mark.parametrize("name", [*DEFERRED, *EXCUSES])
def test_what_waits_for_a_part_of_the_model_is_told(name):
    assert f"`{name}`" in PAGES["not-modelled.md"]


def test_results_are_read_from_the_files_of_check_and_matrix(tmp_path):
    check, matrix = tmp_path / "check.json", tmp_path / "matrix.json"
    entry = {"property": "a.b", "engine": "prove", "verdict": "proved", "covers": "all"}
    check.write_text(json.dumps({"design": "linux-3.12", "results": [entry]}))
    fault = {"fault": "f", "outcome": "caught", "properties": ["a.b"], "length": 2, "reason": "", "trace": None}
    matrix.write_text(json.dumps({"faults": [fault]}))
    found = read(check, matrix)
    assert found.verdicts == {"a.b": (Finding("prove", "proved", "all"),)}
    assert found.design == "linux-3.12"
    assert found.fates == {"f": Fate("caught", ("a.b",), 2)}


def test_an_unusable_matrix_is_refused(tmp_path):
    path = tmp_path / "matrix.json"
    fault = {"fault": "f", "outcome": "caught", "properties": "a.b", "length": 2, "reason": "", "trace": None}
    path.write_text(json.dumps({"faults": [fault]}))
    with pytest.raises(NotReadable):
        read(None, path)


@pytest.mark.parametrize("content", ["", "[]", '{"results": 3}', '{"results": [{"property": "a.b"}]}'])
def test_an_unusable_results_file_is_refused(tmp_path, content):
    path = tmp_path / "check.json"
    path.write_text(content)
    with pytest.raises(NotReadable):
        read(path, None)


def test_a_missing_results_file_is_one_line_on_stderr_and_status_2(tmp_path, capsys):
    assert main(["--output", str(tmp_path / "out"), "--results", str(tmp_path / "none.json")]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_the_generator_writes_every_page(tmp_path):
    assert main(["--output", str(tmp_path)]) == 0
    assert {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.md")} == set(PAGES)


def test_the_navigation_puts_a_directorys_pages_in_its_place(tmp_path):
    (tmp_path / "generated").mkdir()
    for name in ("b.md", "a.md", "index.md"):
        (tmp_path / "generated" / name).touch()
    entries = ["start.md", {"Part": ["generated/"]}]
    pages = ["generated/index.md", "generated/a.md", "generated/b.md"]
    assert navigation.expanded(entries, tmp_path) == ["start.md", {"Part": pages}]


def test_the_navigation_puts_a_package_before_its_modules(tmp_path):
    (tmp_path / "generated").mkdir()
    for name in ("room.md", "room.attic.md", "room.wall.md"):
        (tmp_path / "generated" / name).touch()
    pages = ["generated/room.md", "generated/room.attic.md", "generated/room.wall.md"]
    assert navigation.expanded(["generated/"], tmp_path) == pages


@pytest.mark.parametrize("page", sorted((ROOT / "docs").glob("*.md")), ids=lambda page: page.name)
def test_every_link_of_a_hand_written_page_leads_somewhere(page):
    for target, _, anchor in re.findall(r"\]\(([^)#]+)(#([^)]+))?\)", page.read_text()):
        if target.startswith("generated/"):
            text = PAGES[target.removeprefix("generated/")]
            assert not anchor or f"#{anchor} }}" in text
        else:
            assert (page.parent / target).exists()


def test_the_architecture_names_only_files_that_exist():
    text = (ROOT / "docs" / "architecture.md").read_text()
    named = [name for name in re.findall(r"`([\w./]+)`", text) if "/" in name and name != "docs/generated"]
    assert named and [name for name in named if not (ROOT / name).exists()] == []


@pytest.mark.parametrize("file", sorted((ROOT / "docs" / "examples").glob("*.py")), ids=lambda file: file.name)
def test_an_example_of_a_users_design_is_a_design(file):
    design = runpy.run_path(str(file))["DESIGN"]
    assert isinstance(design, Design)
    assert design.variations[-1].id == file.stem.replace("_", "-")
    assert differences.changed(reference(), design)
