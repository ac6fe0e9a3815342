# Everything runs in .venv, made from requirements.lock. Needs Python 3.11 or later, git and make.
PYTHON ?= python3
BIN := .venv/bin
ONCE ?=

.DEFAULT_GOAL := help
.PHONY: help setup demo test quick lint types bench lock clean

help: ## Says what there is
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /  make \1	/' | expand -t 16

.venv/.ready: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Mayfly needs Python 3.11 or later; this is " + sys.version.split()[0] + ". Try: make PYTHON=python3.12")'
	@echo "Setting up .venv (once, about half a minute)"
	@$(PYTHON) -m venv --clear .venv
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements.lock
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

setup: .venv/.ready ## Makes .venv

demo: .venv/.ready ## Plays the story on examples/shop, then serves the dashboard (ONCE=1: and exits; FORGE=fake-github)
	@$(BIN)/mayfly demo $(if $(ONCE),--once) $(if $(PLATFORM),--platform $(PLATFORM)) $(if $(IMAGE),--image $(IMAGE)) $(if $(FORGE),--forge $(FORGE))

quick: .venv/.ready lint types ## Lint, types and the tests that need no server or browser, about a minute
	@$(BIN)/python -m pytest -q -n 2 -m 'not processes and not postgres and not browser and not docker and not cluster'

test: .venv/.ready lint types ## Everything that CI runs
	@$(BIN)/python -m coverage erase
	@$(BIN)/python -m pytest -n 2 --dist loadgroup --cov --cov-report=term --cov-report=json:.coverage.json
	@$(BIN)/python -m tests.floors .coverage.json

lint: .venv/.ready
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/lint-imports

types: .venv/.ready
	@$(BIN)/mypy

bench: .venv/.ready ## Measures, side by side with a peer or the physical limit
	@$(BIN)/python -m benchmarks $(BENCH)

lock: ## Makes requirements.lock anew (needs uv)
	uv pip compile pyproject.toml --extra embedded --extra browser --extra kubernetes --extra github --group dev --universal --python-version 3.11 \
	  --generate-hashes --no-emit-index-url --no-emit-find-links --no-header --quiet --output-file requirements.lock

clean: ## Removes what was made here
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage* benchmarks/results
