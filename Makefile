# Every target creates .venv if needed, and again when the locked dependencies change.

.DEFAULT_GOAL := help
.PHONY: help demo test check contract chaos peers browser pictures mutants model bench lock all

# The first of these that is Python 3.11 or newer; override it with `make test PYTHON=/path/to/python`.
PYTHON = $(shell for name in python3.11 python3; do \
	"$$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo "$$name"; break; }; done)
BIN := .venv/bin
INSTALLED := .venv/.installed

# How long `make chaos` injects faults, and the seed that decides which and when.
MINUTES = 1
SEED = 1
COMPARED = connector huey procrastinate dbos
NAME = accept

# The peers, and the benchmarks, have environments of their own.
PEERS := .venv-peers/.installed
BENCH_BIN := .venv-bench/bin
BENCH := .venv-bench/.installed

# The lock holds no registry address: each machine's own settings say where packages come from.
COMPILE := $(BIN)/uv pip compile --quiet --system-certs --universal --python-version 3.11 \
	--generate-hashes --no-emit-index-url --no-emit-find-links --no-header
export REGISTRY := (index-url|find-links)[ =:"']*(https?|file):|pythonhosted\.org|://[^ ]+/simple([/ "']|$$)

help: ## list the targets
	@sed -n 's/^\([a-z]*\):.*## /make \1	/p' $(MAKEFILE_LIST)

demo: $(INSTALLED) ## run everything on this machine and watch orders travel; ARGS=--once exits when done
	$(BIN)/python -m connector demo $(ARGS)

test: $(INSTALLED) ## run the tests; ARGS goes to pytest
	$(BIN)/pytest -n 2 $(ARGS)

check: $(INSTALLED) ## check style, types, the import rules and the dependency lock
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	cp requirements.txt requirements-dev.txt .venv/
	$(COMPILE) pyproject.toml --output-file .venv/requirements.txt
	$(COMPILE) pyproject.toml --output-file .venv/requirements-dev.txt -c requirements.txt --group dev
	diff requirements.txt .venv/requirements.txt
	diff requirements-dev.txt .venv/requirements-dev.txt
	@! git -c safe.directory='*' grep -nIE "$$REGISTRY" || { echo "These lines record a registry's address." >&2; exit 1; }

contract: $(INSTALLED) ## send the running service what /openapi.json allows, and much that it does not; ARGS
	$(BIN)/python -m tests.contract $(ARGS)

chaos: $(INSTALLED) ## kill, stop and cut off real processes while orders arrive, on both engines; MINUTES, SEED, ARGS
	$(BIN)/python -m tests.chaos --engine sqlite --minutes $(MINUTES) --seed $(SEED) $(ARGS)
	$(BIN)/python -m tests.chaos --engine postgresql --minutes $(MINUTES) --seed $(SEED) $(ARGS)

peers: $(INSTALLED) $(PEERS) ## the same against services built on task queues, for comparison; MINUTES, SEED
	for peer in $(COMPARED); do \
		$(BIN)/python -m tests.chaos --store cafe-mx --subject $$peer --minutes $(MINUTES) --seed $(SEED); done; true

browser: $(INSTALLED) ## test the dashboard in a real browser; CHROMIUM names it
	$(BIN)/pytest tests/browser/check_pages.py $(ARGS)

pictures: $(INSTALLED) ## take the pictures in docs/images again
	$(BIN)/pytest tests/browser/pictures.py

mutants: $(INSTALLED) ## break each guarantee in the code, and check that a test fails
	$(BIN)/python -m tests.mutants $(ARGS)

bench: $(BENCH) $(PEERS) ## measure speed; NAME is one of accept, forward, claims, map, whole, growth, start, watching, pages; ARGS=--quick
	$(BENCH_BIN)/python -m benchmarks.$(NAME) $(ARGS)

lock: $(INSTALLED) ## update the dependency lock after a change of pyproject.toml, and nothing else
	$(COMPILE) pyproject.toml --output-file requirements.txt
	$(COMPILE) pyproject.toml --output-file requirements-dev.txt -c requirements.txt --group dev

all: test check ## run everything that must pass before a change is done
	$(MAKE) demo ARGS=--once

$(INSTALLED): requirements.txt requirements-dev.txt
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed: neither python3.11 nor python3 is one." >&2; exit 1; }
	$(PYTHON) -m venv --clear .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-index --no-deps --no-build-isolation -e .
	@touch $@

$(PEERS): benchmarks/requirements-peers.txt
	$(PYTHON) -m venv --clear .venv-peers
	.venv-peers/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $<
	@touch $@

$(BENCH): requirements-dev.txt benchmarks/requirements.txt
	$(PYTHON) -m venv --clear .venv-bench
	$(BENCH_BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes \
		-r requirements-dev.txt -r benchmarks/requirements.txt
	$(BENCH_BIN)/python -m pip install --quiet --disable-pip-version-check --no-index --no-deps --no-build-isolation -e .
	@touch $@
