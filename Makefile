# The commands of the project. Everything is installed into .venv, with pip only.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check
BUILD := build

# What `make designs` may take for each design, in seconds; what it does not reach is told with each verdict.
BUDGET ?= 900

.PHONY: check designs test matrix bench docs clean

check: $(VENV)/installed
	@mkdir -p $(BUILD)
	$(BIN)/kvmarm check --json $(BUILD)/check.json

# An exit status of 1 says that a property is violated, 3 that one is undecided: these designs are there for that.
designs: $(VENV)/installed
	@mkdir -p $(BUILD)
	for design in linux-3.12 without-vgic; do \
	  $(BIN)/kvmarm check --design $$design --budget $(BUDGET) --json $(BUILD)/check-$$design.json || test $$? -ne 2; \
	done

test: $(VENV)/installed-test
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pytest -n auto

matrix: $(VENV)/installed
	@mkdir -p $(BUILD)
	$(BIN)/kvmarm matrix --json $(BUILD)/matrix.json

bench: $(VENV)/installed-bench
	$(BIN)/python -m benchmarks

docs: $(VENV)/installed-docs
	rm -rf docs/generated site
	$(BIN)/python -m properties.docs \
	  $(addprefix --results ,$(wildcard $(BUILD)/check.json)) $(addprefix --matrix ,$(wildcard $(BUILD)/matrix.json)) \
	  $(addprefix --other ,$(wildcard $(BUILD)/check-without-vgic.json $(BUILD)/check-linux-3.12.json))
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

clean:
	rm -rf $(BUILD) site docs/generated .venv .kvmarm-cache .hypothesis .mypy_cache .pytest_cache .ruff_cache \
	  .import_linter_cache *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(None if sys.version_info >= (3, 11) else "Python 3.11 or newer is needed: make PYTHON=...")'
	$(PYTHON) -m venv $(VENV)

$(VENV)/installed: pyproject.toml | $(VENV)/bin/python
	$(PIP) --editable .
	@touch $@

$(VENV)/installed-%: $(VENV)/installed
	$(PIP) --editable '.[$*]'
	@touch $@
