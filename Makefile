# Everything a newcomer needs is one `make` away; each target sets up what it needs.
# `make` alone lists the targets.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
# The first Python of 3.11 or newer; name another one by `make PYTHON=python3.12`.
PYTHON ?= $(shell for p in python3 python3.11 python3.12 python3.13 python3.14; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
CONFIG ?= experiments/vta_gan.yaml
TESTS ?= tests
# One thread a process: two test processes with two threads each are slower than with one. What is compiled is kept, since
# many tests start processes. Each worker takes one half of the tests, and of the other one's when it is through: data that
# tests of a folder share are made once, and none waits long at the end.
TESTING := PYTHONDONTWRITEBYTECODE= OMP_NUM_THREADS=1
PYTEST := $(TESTING) $(BIN)/python -m pytest --timeout 300
WORKERS := -n 2 --dist worksteal

.PHONY: help install run test test-slow soak test-gpu test-oldest test-newest dashboard lint types audit format bench scaling ablation docs pictures wheel lock clean

help: ## list these targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | \
		awk -F'\t' '{printf "  make %-12s %s\n", $$1, $$2}'

install: $(INSTALLED) ## set up .venv with the pinned packages (about 2 minutes, 6 GB)

# Safe to interrupt and repeat: the stamp is written last, and pip keeps what it has. With editable_mode=compat the clone is
# a folder on Python's path; a finder, the default, loses to a folder of the same name, as seen from beside the clone.
$(INSTALLED): requirements.lock pyproject.toml setup.py
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed; name it by: make PYTHON=/path/to/python3.11"; exit 2; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --config-settings editable_mode=compat -e .
	@touch $@

run: $(INSTALLED) ## train and test VTA-GAN, or CONFIG=experiments/..., on generated data (at most 15 minutes on 2 cores)
	$(BIN)/lightning fit --config $(CONFIG)
	$(BIN)/lightning test --config $(CONFIG) --ckpt_path best

dashboard: $(INSTALLED) ## show the newest training in the terminal, or RUN=..., a run or an experiment
	$(BIN)/lightning dashboard $(RUN)

test: lint types ## check style, types, and all tests but the slow ones (about 8 minutes on 2 cores)
	$(PYTEST) $(WORKERS) -m "not slow and not gpu"

test-slow: $(INSTALLED) ## the slow tests
	$(PYTEST) $(WORKERS) -m "slow and not gpu"

soak: $(INSTALLED) ## try every promise about reliability many times and print a table (at most an hour on 2 cores)
	OMP_NUM_THREADS=1 $(BIN)/python -m tests.soak

test-gpu: $(INSTALLED) ## the tests that need a CUDA device
	@$(BIN)/python -c 'import sys, torch; sys.exit(None if torch.cuda.is_available() else "no CUDA device is visible")'
	$(PYTEST) -m gpu

# Both in environments of their own beside .venv; uv shares the files of packages between them.
test-oldest: $(INSTALLED) ## the tests with the oldest versions that pyproject.toml allows, in .venv-oldest
	$(call test_with,oldest,lowest-direct)

test-newest: $(INSTALLED) ## the tests with the newest versions that pyproject.toml allows, in .venv-newest
	$(call test_with,newest,highest)

define test_with
	$(BIN)/python -m pip install --quiet uv
	test -d .venv-$(1) || $(BIN)/uv venv --quiet --python $(BIN)/python .venv-$(1)
	$(BIN)/uv pip install --quiet --upgrade --resolution $(2) --python .venv-$(1)/bin/python -e '.[dev]'
	$(TESTING) .venv-$(1)/bin/python -m pytest --timeout 300 $(WORKERS) -m "not slow and not gpu" $(TESTS)
endef

lint: $(INSTALLED) ## check style
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(INSTALLED) ## check types
	$(BIN)/mypy

audit: $(INSTALLED) ## compare the pinned packages with published advisories (needs the network)
	$(BIN)/python -m pip install --quiet uv
	$(BIN)/uv tool run pip-audit --requirement requirements.lock --require-hashes --disable-pip --strict

format: $(INSTALLED) ## correct style
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(INSTALLED) ## measure speed and print tables
	for module in $(filter-out common,$(basename $(notdir $(wildcard benchmarks/[a-z]*.py)))); do \
		$(BIN)/python -m benchmarks.$$module; done

scaling: $(INSTALLED) ## measure how every system grows, and draw it into docs/measured (a quarter of an hour on 2 cores)
	$(BIN)/python -m benchmarks.scaling --out docs/measured

ablation: $(INSTALLED) ## train VTA-GAN with each part left out and print a table (a quarter of an hour on 2 cores)
	$(BIN)/python -m benchmarks.trainings.vta_gan_ablation --config $(CONFIG) --config experiments/vta_gan/small.yaml

docs: $(INSTALLED) ## write docs/metrics.md anew and build the documents as a site, site/index.html
	$(BIN)/python -m tools.metrics_page
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --quiet

pictures: $(INSTALLED) ## train all systems and draw the pictures of the README (more than an hour on 2 cores)
	$(BIN)/python -m tools.pictures

wheel: $(INSTALLED) ## build dist/*.whl, which holds the experiments too
	rm -rf build
	$(BIN)/python -m pip wheel --quiet --no-deps --no-build-isolation --wheel-dir dist .
	rm -rf build

lock: $(INSTALLED) ## pin the newest packages that pyproject.toml allows
	$(BIN)/python -m pip install --quiet uv
	$(BIN)/uv pip compile pyproject.toml --extra dev --extra docs --extra workspace --extra sweep \
		--extra slurm --extra ray --extra export --universal --fork-strategy fewest --python-version 3.11 \
		--upgrade --generate-hashes --custom-compile-command "make lock" --quiet -o requirements.lock

clean: ## remove caches and build folders; .venv and runs/ stay
	rm -rf build dist site .pytest_cache .mypy_cache .ruff_cache
	find . -path ./$(VENV) -prune -o -name __pycache__ -type d -exec rm -rf {} +
