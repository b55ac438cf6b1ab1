"""What is installed: every package, with every library that it imports, and the files around the code."""

import ast
import os
import re
import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
PACKAGES = ("spec", "model", "properties")
SOURCES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))


def _distributions(requirements):
    return {re.split(r"[<>=!~\[ ;]", requirement)[0].lower() for requirement in requirements}


def _imported():
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                yield from (alias.name.partition(".")[0] for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
                yield node.module.partition(".")[0]


def test_every_folder_with_code_is_a_package():
    assert [path for path in SOURCES if not (path.parent / "__init__.py").exists()] == []


def test_every_imported_library_is_a_declared_dependency():
    libraries = {name for name in _imported() if name not in sys.stdlib_module_names and name not in PACKAGES}
    extras = PROJECT["optional-dependencies"].values()
    declared = _distributions(PROJECT["dependencies"]).union(*(_distributions(extra) for extra in extras))
    known = packages_distributions()
    undeclared = {name for name in libraries if not declared & {dist.lower() for dist in known.get(name, [name])}}
    assert undeclared == set()


def test_what_only_developers_need_is_an_extra():
    developers = {"pytest", "mypy", "ruff", "import-linter", "mkdocs", "mkdocs-material", "crosshair-tool"}
    assert not developers & _distributions(PROJECT["dependencies"])


def test_the_licence_that_is_declared_is_there():
    assert PROJECT["license"] == "MIT"
    assert "MIT License" in (ROOT / PROJECT["license-files"][0]).read_text()


@pytest.mark.parametrize("target", ["check", "test", "docs", "matrix", "bench", "clean"])
def test_make_knows_its_targets(target):
    outcome = subprocess.run(["make", "--dry-run", target], cwd=ROOT, capture_output=True, text=True, check=False)
    assert outcome.returncode == 0, outcome.stderr


def test_ci_stops_at_the_first_failure():
    script = ROOT / ".ci" / "run"
    assert os.access(script, os.X_OK)
    assert "set -euo pipefail" in script.read_text()


def test_tests_lint_types_and_contracts_are_what_make_test_runs():
    outcome = subprocess.run(["make", "--dry-run", "test"], cwd=ROOT, capture_output=True, text=True, check=True)
    for tool in ("ruff", "mypy", "lint-imports", "pytest"):
        assert f".venv/bin/{tool}" in outcome.stdout
