# Every target creates .venv if it is missing or the locked dependencies have changed.

.DEFAULT_GOAL := help
.PHONY: help demo test pythons coverage lint format typecheck check check-lock contract chaos peers browser pictures mutants \
	bench docs lock sbom audit all

# The first of these that is Python 3.11 or newer; override it with `make test PYTHON=/path/to/python`.
PYTHON = $(shell for name in python3.11 python3; do \
	"$$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo "$$name"; break; }; done)
BIN := .venv/bin
INSTALLED := .venv/.installed
# Tests take from a millisecond to ten seconds: a process that has run its share takes over some of the other's.
PYTEST := $(BIN)/pytest -n 4 --dist worksteal

# Where this is set, each of the many processes that tests start compiles all the code again.
unexport PYTHONDONTWRITEBYTECODE

# How long `make chaos` injects faults, and the seed that decides which and when.
MINUTES = 1
SEED = 1
COMPARED = connector huey procrastinate dbos
NAME = accept

# The peers and the benchmarks have virtual environments of their own.
# As installed by users: what the SBOM lists.
SERVICE := .venv-service/.installed
AUDIT_BIN := .venv-audit/bin
AUDIT := .venv-audit/.installed
PEERS := .venv-peers/.installed
BENCH_BIN := .venv-bench/bin
BENCH := .venv-bench/.installed

# The documents, and the files that they link to.
SITE := *.md connector.example.toml app.json compose.yaml deploy docs benchmarks mappings/order.py connector/database/sql \
	tests/addresses/README.md tests/database/test_query_growth.py

# The lock names no package registry: each machine's own settings do.
COMPILE := $(BIN)/uv pip compile --quiet --system-certs --universal --python-version 3.11 \
	--generate-hashes --no-emit-index-url --no-emit-find-links --no-header
export REGISTRY := (index-url|find-links)[ =:"']*(https?|file):|pythonhosted\.org|://[^ ]+/simple([/ "']|$$)

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## /make \1	/p' $(MAKEFILE_LIST)

demo: $(INSTALLED) ## run the service on this machine and watch orders travel; ARGS=--once exits when done
	$(BIN)/python -m connector demo $(ARGS)

test: $(INSTALLED) ## run the tests; ARGS goes to pytest
	$(PYTEST) $(ARGS)

pythons: $(INSTALLED) ## run the short tests on the other versions of Python that this machine has
	.ci/pythons

coverage: $(INSTALLED) ## run the tests and measure which lines and branches they run; ARGS goes to pytest
	$(PYTEST) --cov --cov-report=term $(ARGS)

lint: $(INSTALLED) ## check style and the import rules
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/lint-imports

format: $(INSTALLED) ## format the code, and fix what ruff can fix
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

typecheck: $(INSTALLED) ## check the types
	$(BIN)/mypy

check: lint typecheck ## check style, the import rules and the types

check-lock: $(INSTALLED) ## check that the dependency lock is up to date, which needs the network, and names no registry
	cp requirements.txt requirements-dev.txt requirements-build.txt requirements-audit.txt .venv/
	$(COMPILE) pyproject.toml --output-file .venv/requirements.txt
	$(COMPILE) pyproject.toml --output-file .venv/requirements-dev.txt -c requirements.txt --group dev
	diff requirements.txt .venv/requirements.txt
	$(COMPILE) --group build --output-file .venv/requirements-build.txt -c requirements-dev.txt
	diff requirements-dev.txt .venv/requirements-dev.txt
	$(COMPILE) --group audit --output-file .venv/requirements-audit.txt
	diff requirements-build.txt .venv/requirements-build.txt
	diff requirements-audit.txt .venv/requirements-audit.txt
	@! git -c safe.directory='*' grep -nIE "$$REGISTRY" || { echo "These lines name a package registry." >&2; exit 1; }

contract: $(INSTALLED) ## test the API against /openapi.json, with valid and invalid requests; ARGS
	$(BIN)/python -m tests.contract $(ARGS)

chaos: $(INSTALLED) ## kill, pause and disconnect real processes while orders arrive, on both databases; MINUTES, SEED, ARGS
	$(BIN)/python -m tests.chaos --engine sqlite --minutes $(MINUTES) --seed $(SEED) $(ARGS)
	$(BIN)/python -m tests.chaos --engine postgresql --minutes $(MINUTES) --seed $(SEED) $(ARGS)

peers: $(INSTALLED) $(PEERS) ## do the same to services built on task queues, for comparison; MINUTES, SEED
	for peer in $(COMPARED); do \
		$(BIN)/python -m tests.chaos --store cafe-mx --subject $$peer --minutes $(MINUTES) --seed $(SEED); done; true

browser: $(INSTALLED) ## test the dashboard in Chromium; CHROMIUM is its path
	$(BIN)/pytest tests/browser/check_pages.py $(ARGS)

pictures: $(INSTALLED) ## take the screenshots in docs/images again
	$(BIN)/pytest tests/browser/pictures.py

mutants: $(INSTALLED) ## break each guarantee in the code, and check that a test fails; ARGS
	$(BIN)/python -m tests.mutants $(ARGS)

bench: $(BENCH) $(PEERS) ## measure speed; NAME is one of accept, forward, drain, claims, map, whole, growth, start, monitoring, pages; ARGS=--quick
	$(BENCH_BIN)/python -m benchmarks.$(NAME) $(ARGS)

docs: $(INSTALLED) ## build the documents as a site, in site/
	rm -rf build/site && mkdir -p build/site
	tar cf - --exclude __pycache__ --exclude docs/theme/partials $(SITE) | tar xf - -C build/site
	$(BIN)/zensical build --strict
	@! grep -rlE '<(script|link|img|iframe)[^>]+(src|href)="https?:' site || \
		{ echo "These pages load something from elsewhere." >&2; exit 1; }

lock: $(INSTALLED) ## update the dependency lock after a change in pyproject.toml
	$(COMPILE) pyproject.toml --output-file requirements.txt
	$(COMPILE) pyproject.toml --output-file requirements-dev.txt -c requirements.txt --group dev
	$(COMPILE) --group build --output-file requirements-build.txt -c requirements-dev.txt

	$(COMPILE) --group audit --output-file requirements-audit.txt

sbom: $(AUDIT) $(SERVICE) ## list the locked dependencies and their licences in build/sbom.json (CycloneDX), the same for the same lock
	mkdir -p build
	$(AUDIT_BIN)/cyclonedx-py environment .venv-service/bin/python --pyproject pyproject.toml --mc-type application \
		--output-reproducible --output-format JSON --output-file build/sbom.json

audit: $(AUDIT) ## look the locked dependencies up among known vulnerabilities, which needs pypi.org
	$(AUDIT_BIN)/pip-audit --strict --requirement requirements.txt --require-hashes --disable-pip

all: test check ## run what must pass before every commit
	$(MAKE) demo ARGS=--once

$(INSTALLED): requirements.txt requirements-dev.txt
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is required; set PYTHON=/path/to/python." >&2; exit 1; }
	$(PYTHON) -m venv --clear .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-index --no-deps --no-build-isolation -e .
	@touch $@

$(AUDIT): requirements-audit.txt
	$(PYTHON) -m venv --clear .venv-audit
	$(AUDIT_BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $<
	@touch $@

$(SERVICE): requirements.txt $(AUDIT)
	$(PYTHON) -m venv --clear --without-pip .venv-service
	$(AUDIT_BIN)/python -m pip --python .venv-service/bin/python install --quiet --disable-pip-version-check \
		--require-hashes -r $<
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
