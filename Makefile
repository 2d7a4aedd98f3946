# `make` prints this file's targets. Everything runs from the repository's root with its own virtual environment.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV ?= .venv
BIN := $(VENV)/bin
PY := $(BIN)/python
HOST ?= 127.0.0.1
PORT ?= 8000
ORDERS ?= 0
ARGS ?=
export PYTHONDONTWRITEBYTECODE ?= 1

.DEFAULT_GOAL := help
.PHONY: help sandbox demo-reset test test-postgres browser pictures bench features mutants lint types messages docs lock clean

help: ## Print this help
	@echo "Two commands: 'make sandbox' runs the demo shop, 'make test' the test-suite. Both need Python 3.11+ and no service."
	@echo
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-15s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo
	@echo "Variables: PYTHON=$(PYTHON) VENV=$(VENV) HOST=$(HOST) PORT=$(PORT) ORDERS=$(ORDERS) ARGS='...' (passed on to the tool)"

# A stamp per lock file: installing again happens only when the lock (or the interpreter) changed.
$(VENV)/.python:
	@command -v $(PYTHON) >/dev/null || { echo "$(PYTHON) not found; say which with PYTHON=..."; exit 1; }
	$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.%: requirements/%.txt $(VENV)/.python
	$(PY) -m pip install --disable-pip-version-check --quiet -r $<
	@touch $@

sandbox: $(VENV)/.sandbox ## Run the demo shop (web, worker, mail page) and print its addresses and logins
	$(PY) -m sandbox.run --host $(HOST) --port $(PORT) $(ARGS)

demo-reset: $(VENV)/.sandbox ## Drop the demo data and build it again (ORDERS=2000 adds that many plain orders)
	$(PY) sandbox/manage.py demo_reset --no-input --orders $(ORDERS) $(ARGS)

test: $(VENV)/.test ## Run the test-suite on SQLite (no service, no browser)
	$(PY) -m pytest -m "not browser and not postgres" $(ARGS)

test-postgres: $(VENV)/.test ## Run it on PostgreSQL (PGHOST, PGPORT, PGUSER, PGPASSWORD, PGDATABASE)
	DB=postgres $(PY) -m pytest -m "not browser" $(ARGS)

browser: $(VENV)/.test ## Run the browser tests (CHROMIUM=/path/to/chromium, or playwright's own)
	$(PY) -m pytest -m browser tests/browser $(ARGS)

pictures: $(VENV)/.test ## Take the documentation's pictures anew, from the running sandbox
	PICTURES=docs/images $(PY) -m pytest -q tests/browser/test_sandbox.py -k brazilian $(ARGS)

bench: $(VENV)/.test ## Print the performance ratios (PostgreSQL, see test-postgres)
	DB=postgres $(PY) -m tests.bench $(ARGS)

features: $(VENV)/.test ## Print each feature with the tests that prove it; fail where one is missing
	$(PY) -m tests.features $(ARGS)

mutants: $(VENV)/.test ## Print the mutation score of the kernel and the flows
	$(PY) -m tests.mutants $(ARGS)

lint: $(VENV)/.lint ## Check style, imports and the layers between the packages
	$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/lint-imports

types: $(VENV)/.test $(VENV)/.lint ## Check the types
	$(BIN)/mypy $(ARGS)

messages: $(VENV)/.sandbox ## Bring the translations up to date and compile them; fail when one is missing (no gettext needed)
	$(PY) -m sandbox.messages update
	$(PY) -m sandbox.messages compile
	$(PY) -m sandbox.messages check

docs: $(VENV)/.sandbox ## Write the pages of docs/ that are made from the code
	$(PY) -m sandbox.docs

lock: ## Write uv.lock and requirements/*.txt from pyproject.toml (needs uv)
	uv lock --fork-strategy fewest $(ARGS)
	for set in sandbox test lint; do \
	  { echo "# Locked by \`make lock\` from the dependency groups of pyproject.toml (Python 3.11 to 3.13); do not edit."; \
	    uv export --frozen --no-hashes --no-emit-project --no-annotate --no-default-groups --no-header --group $$set; \
	  } > requirements/$$set.txt; done

clean: ## Remove the environment, caches and the sandbox's data
	rm -rf $(VENV) sandbox/var .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis htmlcov .coverage* build dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
