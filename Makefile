# Everything happens in .venv, which `make setup` makes; Python 3.11 or newer and make are enough.
PYTHON ?= python3
# To install torch without CUDA: make setup TORCH_INDEX=https://download.pytorch.org/whl/cpu
TORCH_INDEX ?=
VENV := .venv
# For make test-oldest; OLDEST_TORCH=2.13.0 leaves torch as it is tested with.
OLDEST := .venv-oldest
OLDEST_PYTHON ?= python3.11
OLDEST_TORCH ?= 2.6.0
OLDEST_PIP := $(OLDEST)/bin/python -m pip install --quiet --disable-pip-version-check
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-long test-oldest check lint types bench bench-peers docs wheel clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(VENV)/.runtime: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit("narrows needs Python 3.11 or newer, this is " + sys.version.split()[0] if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv $(VENV)
	$(if $(TORCH_INDEX),$(PIP) --index-url $(TORCH_INDEX) torch)
	$(PIP) --editable .
	@touch $@

$(VENV)/.dev: $(VENV)/.runtime
	$(PIP) --editable '.[dev]'
	@touch $@

setup: $(VENV)/.runtime ## make .venv with narrows and what it needs

demo: setup ## train on handwritten digits and write out/demo/index.html
	$(BIN)/narrows demo --out out/demo --overwrite

test: $(VENV)/.dev ## run lint, types and the tests with coverage
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest --numprocesses 2 --dist worksteal --cov --cov-report=term:skip-covered

test-long: $(VENV)/.dev ## run the tests that make test leaves out because they take long
	$(BIN)/python -m pytest -m long

$(OLDEST)/.dev: pyproject.toml constraints-oldest.txt
	$(OLDEST_PYTHON) -m venv $(OLDEST)
	$(OLDEST_PIP) $(if $(TORCH_INDEX),--index-url $(TORCH_INDEX)) torch==$(OLDEST_TORCH)
	$(OLDEST_PIP) --constraint constraints-oldest.txt torch==$(OLDEST_TORCH) --editable '.[dev]'
	@touch $@

test-oldest: $(OLDEST)/.dev ## run the tests with the oldest versions that narrows takes
	$(OLDEST)/bin/python -m pytest --numprocesses 2 --dist worksteal -m "long or not long"

check: $(VENV)/.dev ## run the tests alone, stopping at the first failure
	$(BIN)/python -m pytest -x

lint: $(VENV)/.dev ## check style
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.dev ## check types
	$(BIN)/mypy

docs: $(VENV)/.dev ## run every command and snippet of the documents
	$(BIN)/python -m pytest tests/test_documents.py -m "long or not long"

wheel: $(VENV)/.dev ## build the wheel into dist/
	$(BIN)/python -m build --wheel --no-isolation --outdir dist .

bench: $(VENV)/.dev ## run the benchmarks (hours; peers too after bench-peers)
	$(BIN)/python benchmarks/run.py

bench-peers: ## make .venv-peers with the programs that benchmarks run beside narrows
	$(PYTHON) -m venv .venv-peers
	.venv-peers/bin/python -m pip install --quiet $(if $(TORCH_INDEX),--index-url $(TORCH_INDEX)) torch==2.13.0
	.venv-peers/bin/python -m pip install --quiet --requirement benchmarks/requirements-peers.txt
	.venv-peers/bin/python -m pip install --quiet --constraint benchmarks/requirements-peers.txt --editable .

clean: ## remove .venv and everything that was made
	rm -rf $(VENV) $(OLDEST) .venv-peers out dist build .coverage .mypy_cache .pytest_cache .ruff_cache
