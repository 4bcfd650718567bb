# Every target sets itself up: a fresh clone needs Python >= 3.11 (with venv) and make, nothing else.
#   make fit       the main job on real collider jets: discover, symmetrize, train, audit, report
#   make test      everything a change must pass;  make test-all adds the slow studies
#   make bench     our speed against the peers';   make docs builds the site;  make lint, make clean

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c

PYTHON ?= python3
WORKERS ?= 2

VENV := .venv
BIN := $(VENV)/bin
INSTALL := $(BIN)/python -m pip install -qq --disable-pip-version-check -c constraints.txt
# What is compiled is kept, whatever the shell says: every process would compile the package and the tests anew.
unexport PYTHONDONTWRITEBYTECODE
# Workers share the cores among themselves; each keeps to one thread.
ONE_THREAD := OMP_NUM_THREADS=1 MKL_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1
PYTEST := $(ONE_THREAD) $(BIN)/python -m pytest -q -n $(WORKERS)

.DEFAULT_GOAL := help
.PHONY: help fit test test-all bench docs lint doctest clean
# Parallel make would interleave the steps' output and overload the machine; pytest has its own workers.
.NOTPARALLEL:

help:
	@sed -n 's/^#   //p' Makefile

# ---- set-up, once for each state of the two files that decide what is installed ----

$(BIN)/python:
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.installed-%: pyproject.toml constraints.txt | $(BIN)/python
	@echo "setting up $(VENV) [$*] ..."
	@$(INSTALL) -e $(if $(filter base,$*),.,".[$*]")
	@touch $@

# ---- what people run ----

fit: $(VENV)/.installed-base
	@$(BIN)/erlangen fit jets

test: lint docs doctest
	@$(PYTEST) -m "not slow"

test-all: lint docs doctest
	@$(PYTEST) -m "slow or not slow"

bench: $(VENV)/.installed-bench
	@for script in benchmarks/[!_]*.py; do echo "== $$script"; $(BIN)/python "$$script"; done

docs: $(VENV)/.installed-dev
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

lint: $(VENV)/.installed-dev
	@$(BIN)/ruff format --check --output-format concise --quiet . || { echo "run: ruff format ."; exit 1; }
	@$(BIN)/ruff check --output-format concise --quiet .
	@$(BIN)/mypy --no-error-summary
	@$(BIN)/lint-imports --no-logo

doctest: $(VENV)/.installed-dev
	@$(PYTEST) --doctest-modules src/erlangen

clean:
	rm -rf $(VENV) site build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
