# Everything runs from a clean clone: each target that needs the environment builds it first.
# Nothing is written outside this folder, except by the package installers, and by tests while they run: in memory,
# where /dev/shm is.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory

# Compiled once, wherever the caller's environment would have every process compile the program anew.
unexport PYTHONDONTWRITEBYTECODE
export PYTHONPYCACHEPREFIX := $(CURDIR)/.cache/pycache

BIN := .venv/bin
STAMP := .venv/.installed
# The first Python of at least 3.11; `make PYTHON=/path/to/python test` takes another.
PYTHON ?= $(shell for python in python3 python3.14 python3.13 python3.12 python3.11; do \
	"$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo "$$python"; break; }; done)
# Code that the checks read: what is there of these folders.
CODE := $(wildcard sync_protocol server client_sdk migrations demo benchmarks examples tests)
PIP := $(BIN)/python -m pip -qq --disable-pip-version-check --no-input
UV := .cache/uv/bin/uv
AUDIT := .cache/audit/bin/pip-audit
LOCK := $(UV) --no-config --quiet pip compile pyproject.toml --universal --python-version 3.11 \
	--generate-hashes --no-annotate --no-emit-index-url --no-emit-find-links \
	--custom-compile-command "make lock" $(if $(UPGRADE),--upgrade)
# Processes of the test run, one more than there are processors, since many a test waits for something, and
# arguments for pytest: make test WORKERS=0 ARGS="-k merge"
WORKERS ?= $(shell echo $$(($$(getconf _NPROCESSORS_ONLN) + 1)))
ARGS ?=

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

.PHONY: demo
demo: $(STAMP) ## one village round, then the service stays up (SEED=3 for another round, ONCE=1 to end after it)
	@$(BIN)/roundbook demo $(if $(SEED),--seed $(SEED)) $(if $(ONCE),--once)

.PHONY: test
test: $(STAMP) ## all tests, on SQLite and on PostgreSQL (WORKERS=0 for one process, ARGS="..." for pytest)
	@bash .ci/browser
	@$(BIN)/python -m pytest -n $(WORKERS) --dist loadgroup $(ARGS)

.PHONY: test-split
test-split: $(STAMP) ## the tests on a PostgreSQL whose township tables are split by hash, as over several nodes
	@bash .ci/browser
	@TEST_PARTITIONS=4 $(BIN)/python -m pytest -n $(WORKERS) --dist loadgroup -m postgres $(ARGS)

.PHONY: check
check: $(STAMP) ## format, lint, types, layer contract
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy $(CODE)
	@$(BIN)/lint-imports --cache-dir .cache/import-linter

.PHONY: fmt
fmt: $(STAMP) ## format, and mend what the linter can mend
	@$(BIN)/ruff check --quiet --fix-only .
	@$(BIN)/ruff format .

.PHONY: bench
bench: $(STAMP) ## the measured works, each beside its floor, and charts in .cache/bench (ARGS="--only W1 W5")
	@$(BIN)/python -m benchmarks --json .cache/bench.json --pictures .cache/bench $(ARGS)

.PHONY: dictionary
dictionary: $(STAMP) ## train another dictionary for small messages (FILE=...); docs/decisions says when
	@$(BIN)/python -m benchmarks.training $(FILE)

.PHONY: bench-peers
bench-peers: $(STAMP) ## other sync servers that are installed on the same works (ARGS="kinto --records 5000")
	@$(BIN)/python -m benchmarks.peers $(ARGS)

.PHONY: bench-growth
bench-growth: $(STAMP) ## W1 and W5 in small and large databases, memory of the server (ARGS="--million")
	@$(BIN)/python -m benchmarks.growth $(ARGS)

.PHONY: load
load: $(STAMP) ## 300 devices of a township, 5,000 of a county in the same minutes (MINUTES=10: evening after evening)
	@$(BIN)/python -m benchmarks.load $(if $(MINUTES),--minutes $(MINUTES)) $(ARGS)

.PHONY: ledger-scale
ledger-scale: $(STAMP) ## every filter of the ledger at 200,000 matters, on both databases (ARGS="--only sqlite")
	@$(BIN)/python -m benchmarks.ledger $(ARGS)

.PHONY: pictures
pictures: $(STAMP) ## the pictures of docs/office-guide.zh.md, taken anew by the browser tests
	@bash .ci/browser
	@$(BIN)/python -m pytest -q -n 0 tests/browser/tasks/test_every_page.py -k sqlite
	@mkdir -p docs/pictures/office
	@cp .cache/pictures/*.png docs/pictures/office/

.PHONY: serve
serve: $(STAMP) ## the service on SQLite under data/ (ARGS="--port 9000" is passed on)
	@$(BIN)/roundbook serve $(ARGS)

.PHONY: mutants
mutants: $(STAMP) ## break the code on purpose, and see each guarantee's test fail
	@$(BIN)/python -m tests.mutants $(ARGS)
	@$(BIN)/python -m tests.mutants.simulated $(ARGS)

.PHONY: simulate
simulate: $(STAMP) ## whole townships in one process, with every fault (SEEDS=300; SEED=7 shows one with its trace)
	@$(BIN)/python -m tests.simulation $(if $(SEED),--seed $(SEED)) $(if $(SEEDS),--seeds $(SEEDS)) $(ARGS)

.PHONY: judge
judge: $(STAMP) ## histories of devices that sync at once, judged as Elle does (SEED=7; ARGS="--export FILE" for elle-cli)
	@$(BIN)/python -m tests.judge $(if $(SEED),--seed $(SEED)) $(ARGS)

.PHONY: chaos
chaos: $(STAMP) ## real processes killed, failed over and upgraded while devices work (MINUTES=5, SEED=7)
	@$(BIN)/python -m tests.chaos $(if $(SEED),--seed $(SEED)) $(if $(MINUTES),--minutes $(MINUTES)) $(ARGS)

.PHONY: lock
lock: $(UV) ## resolve the dependencies again (UPGRADE=1 for the newest)
	@$(LOCK) --output-file requirements/device.txt
	@$(LOCK) --output-file requirements/server.txt --extra server
	@$(LOCK) --output-file requirements/dev.txt --extra server --group dev

# It asks the service of published advisories, so it needs the internet; nothing else of the project does.
.PHONY: audit
audit: $(AUDIT) ## compare the locked dependencies with the published advisories (needs the internet)
	@for lock in requirements/*.txt; do echo "$$lock"; \
		$(AUDIT) --progress-spinner off --strict --disable-pip --require-hashes --requirement "$$lock"; done

.PHONY: clean
clean: ## remove the environment, caches and what tests left (not data/)
	@rm -rf .venv .cache dist build server/console/frontend/node_modules server/console/static/vendor
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

.PHONY: install
install: $(STAMP) ## the environment alone

# The environment. Its installation takes a lock, so that two makes at once do not build it twice.
$(STAMP): requirements/dev.txt pyproject.toml server/console/frontend/package-lock.json
	@mkdir -p .cache
	@PYTHON="$(PYTHON)" PIP="$(PIP)" STAMP="$@" bash .ci/environment

$(AUDIT):
	@"$(PYTHON)" -m venv .cache/audit
	@.cache/audit/bin/python -m pip -qq --disable-pip-version-check install 'pip-audit>=2.10,<3'
	@touch $@

$(UV):
	@"$(PYTHON)" -m venv .cache/uv
	@.cache/uv/bin/python -m pip -qq --disable-pip-version-check install 'uv>=0.9'
	@touch $@
