# Two commands carry the project: `make demo` and `make test`. They need git, make, a POSIX shell and a Python 3.12 or
# newer somewhere on the machine (scripts/find-python looks); everything else goes into .venv.
#
#   make test ARGS="-k sse"       pass words on to pytest; the same for demo and bench
#   make PYTHON=/path/to/python3.13 test

.DEFAULT_GOAL := help
.PHONY: help demo test test-slow test-openai2 check bench bench-peers conformance format lock clean FORCE

BIN := .venv/bin
DEV := .venv/.stamp-dev
ARGS ?=
# The tests run side by side; more than four workers cost more to start than they save.
PYTEST := $(BIN)/python -m pytest -n auto --maxprocesses 4

help: ## this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' Makefile

demo: $(DEV) ## a model server on this machine and every feature once: no key, no network
	@$(BIN)/nexus demo $(ARGS)

test: $(DEV) ## every test but the slow ones, without network
	@$(PYTEST) -m "not slow" $(ARGS)

test-slow: $(DEV) ## every test, the slow ones too
	@$(PYTEST) $(ARGS)

test-openai2: ## the client's tests on openai 2 and on an anthropic built on httpx
	@scripts/test-openai2 $(ARGS)

check: $(DEV) ## format, lint, types, import directions, dead code, dependencies
	@scripts/check

bench: $(DEV) ## measure, print tables, write build/bench.json (ARGS=--quick: about a minute)
	@$(BIN)/python -m bench --date "$$(date +%F)" $(ARGS)

bench-peers: $(DEV) ## install other gateways below build/peers (network), and measure beside them
	@scripts/bench-peers
	@$(BIN)/python -m bench --only sidecar --peers --date "$$(date +%F)" $(ARGS)

conformance: $(DEV) ## every door, provider and feature: run, print, write into docs/providers.md
	@$(BIN)/python -m tests.conformance $(ARGS)

format: $(DEV) ## rewrite the sources in the project's format
	@$(BIN)/ruff format
	@$(BIN)/ruff check --fix

lock: ## write the lock files anew from pyproject.toml (UPGRADE=1: with the newest versions)
	@"$$(scripts/find-python)" scripts/lock.py $(if $(UPGRADE),--upgrade)

clean: ## remove .venv, caches and build results
	rm -rf .venv build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find src agent tui tests scripts bench -name __pycache__ -type d -prune -exec rm -rf {} +

$(DEV): pyproject.toml requirements.lock requirements-dev.lock
	@scripts/venv dev

# An environment that was copied here together with its folder still points at the folder it came from.
ifneq ($(shell cat .venv/.home 2>/dev/null),$(CURDIR))
$(DEV): FORCE
endif
