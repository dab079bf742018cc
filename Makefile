# `make` alone lists the targets. Everything is installed into .venv, nothing outside the checkout is touched
# (as root on a Debian machine alone, what Python's packages do not bring is installed: wrk, PostgreSQL, chromium, valgrind).

PORT ?= 8080
VENV := .venv
BIN  := $(VENV)/bin
FOREIGN := build/foreign
PEERS := build/peers
PIP  := $(BIN)/python -m pip install --disable-pip-version-check -q
UV   ?= uv
# What `make run` keeps stays with the checkout, so that no other's cards and feedback are among it.
STATE := $(or $(CDS_SERVICE_STATE),$(CURDIR)/.state)
# PYTHON=/path/to/python3.12 takes that one; else the first of these that is new enough
CANDIDATES := $(PYTHON) python3 python3.14 python3.13 python3.12 python3.11

# Compiled once, not at each start of Python: the tests start it some hundred times.
export PYTHONDONTWRITEBYTECODE :=

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help run test every-test check lint style words types programs node fix bench bench-gate torture charts examples screenshots requirements licenses sbom audit-dependencies wheel clean foreign-judges

# $(call needs,IS IT THERE,PACKAGE): what no package of Python brings. Root on Debian installs it, others are asked to.
needs = @{ $(1); } >/dev/null 2>&1 || { \
	  if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	    echo "Installing $(2)"; export DEBIAN_FRONTEND=noninteractive; \
	    apt-get install -y -qq $(2) >/dev/null 2>&1 || { apt-get update -qq && apt-get install -y -qq $(2) >/dev/null; }; \
	  else \
	    echo "$(2) is missing: install it (on Debian and Ubuntu: sudo apt-get install $(2)) and run make again." >&2; exit 1; \
	  fi; }
NEEDS_WRK        = $(call needs,command -v wrk,wrk)
# Its programs alone: the tests make a cluster of their own, whatever Debian's does.
NEEDS_POSTGRESQL = $(call needs,ls /usr/lib/postgresql/*/bin/initdb || command -v initdb,postgresql)
NEEDS_VALGRIND   = $(call needs,command -v callgrind_control,valgrind)
NEEDS_NODE       = $(call needs,command -v npm && { command -v node || command -v nodejs; },nodejs npm)
# Any chromium will do; without windows it takes less than half the time, so that root installs that one.
NEEDS_CHROMIUM   = $(call needs,command -v chromium-headless-shell || { [ "$$(id -u)" != 0 ] && \
	  { command -v chromium || command -v chromium-browser || command -v google-chrome; }; },chromium-headless-shell)

NPM_CI = npm ci --ignore-scripts --no-audit --no-fund --no-update-notifier --loglevel=error

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-18s %s\n", $$1, $$2 }' Makefile

run: $(VENV)/.runtime ## start the service on http://127.0.0.1:8080/ (another port: make run PORT=8123)
	@echo "Starting on http://127.0.0.1:$(PORT)/ (Ctrl-C stops it); what it keeps is in $(STATE)"
	@CDS_SERVICE_STATE="$(STATE)" exec $(BIN)/cds-service serve --host 127.0.0.1 --port $(PORT)

# Among the tests is what `check` finds of the policies (tests/test_policy_content.py): once is enough. What takes long is
# made beside each other: the types take one processor a minute the first time, in which the others would wait.
test: ## the checks and every test (some of them: make test ARGS='-k bmi')
	@$(MAKE) --no-print-directory -j3 $(VENV)/.dev programs $(FOREIGN)/.installed
	@$(MAKE) --no-print-directory style
	@$(MAKE) --no-print-directory -j3 types words every-test

check: lint types ## linter, formatting, types, spelling, words and rule sets; never edits
	$(BIN)/cds-service check

lint: style words

style: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/codespell

words: $(VENV)/.dev
	$(BIN)/python -m tests.prose

types: $(VENV)/.dev
	$(BIN)/mypy

# Two of these at a time would wait for each other's lock.
programs: node
	$(NEEDS_POSTGRESQL)
	$(NEEDS_CHROMIUM)
	$(NEEDS_VALGRIND)

node:
	$(NEEDS_NODE)

# Tests that call make get no share of its jobs, of which it would warn them.
every-test: $(VENV)/.dev $(FOREIGN)/.installed
	env -u MAKEFLAGS -u MFLAGS $(BIN)/python -m pytest -n auto --maxprocesses 4 --dist worksteal $(ARGS)

fix: $(VENV)/.dev ## let the linter and the formatter repair what they can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# A peer that cannot be installed is no error: the table says why.
bench: $(VENV)/.dev ## measure the service beside its floor and its peers (needs wrk; peers: the network once)
	$(NEEDS_WRK)
	@mkdir -p $(PEERS)
	@for peer in $(if $(findstring --trusted,$(ARGS)),,healthchain express-cql); do \
	  $(MAKE) -s --no-print-directory $(PEERS)/$$peer/.installed 2> $(PEERS)/$$peer.log || \
	    echo "  $$peer could not be installed; the table says why" >&2; \
	done
	$(BIN)/python -m tests.bench $(ARGS)

bench-gate: $(VENV)/.dev ## count the instructions of each kind of call, fail at +2% (KEEP=1 keeps the new ratios)
	$(NEEDS_VALGRIND)
	$(BIN)/python -m tests.bench.gate $(if $(KEEP),--keep)

torture: $(VENV)/.dev ## kill workers 500 times under feedback, then overload and soak (minutes; ARGS=--postgresql for that store)
	$(BIN)/python -m tests.torture $(ARGS)
	$(BIN)/python -m tests.chaos

charts: $(VENV)/.runtime ## evaluate each patient of the FHIR files in DIR=FOLDER, and report what was read
	@test -n "$(DIR)" || { echo "Name the folder of charts: make charts DIR=FOLDER" >&2; exit 2; }
	$(BIN)/cds-service charts "$(DIR)" $(ARGS)

examples: $(VENV)/.dev ## write the answers of fhir_examples/ and what the documentation shows again
	$(BIN)/python -m tests.examples
	$(BIN)/python -m tests.test_docs

screenshots: $(VENV)/.dev ## take the pictures of docs/images/ again (needs chromium)
	$(NEEDS_CHROMIUM)
	$(BIN)/python -m tests.screenshots

# Pins stay as they are where they still fit; `make requirements UPGRADE=1` takes the newest.
COMPILE = $(UV) pip compile -q pyproject.toml --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-emit-find-links --custom-compile-command "make requirements" $(if $(UPGRADE),--upgrade)

requirements: ## pin the dependencies of pyproject.toml again (needs uv)
	@command -v $(UV) >/dev/null || { echo "make requirements needs uv: pip install uv, or name it with UV=." >&2; exit 1; }
	$(COMPILE) -o requirements.txt
	$(COMPILE) --extra traces -c requirements.txt -o requirements-traces.txt
	$(COMPILE) --extra postgresql -c requirements-traces.txt -o requirements-postgresql.txt
	$(COMPILE) --all-extras --group dev --group build -c requirements-traces.txt -c requirements-postgresql.txt \
	  -o requirements-dev.txt
	$(subst pyproject.toml,--group build,$(COMPILE)) -c requirements-dev.txt -o requirements-build.txt
	$(subst pyproject.toml,--group peers,$(COMPILE)) -o tests/bench/peers/requirements.txt

licenses: $(VENV)/.dev ## write THIRD_PARTY_LICENSES.md again: the license of each package that the service runs with
	$(BIN)/python -m tests.licenses

sbom: $(VENV)/.dev ## write build/sbom.cdx.json: what is installed, with hashes (CycloneDX)
	@mkdir -p build
	@PYTHONWARNINGS=ignore $(BIN)/cyclonedx-py requirements --pyproject pyproject.toml --output-reproducible \
	  -o build/sbom.cdx.json requirements.txt

# Another advisory service: make audit-dependencies AUDIT='-s osv --osv-url https://…'
audit-dependencies: $(VENV)/.dev ## ask for known vulnerabilities of what is pinned (needs the network)
	@mkdir -p build
	@status=0; $(BIN)/pip-audit --strict --require-hashes --disable-pip --progress-spinner off $(AUDIT) \
	  -r requirements.txt -r requirements-traces.txt -r requirements-postgresql.txt 2> build/audit.log || status=$$?; \
	if grep -qE '^Traceback|Could not connect' build/audit.log; then \
	  echo "The advisories could not be asked for, so that nothing is known: $$(tail -n 1 build/audit.log | cut -c 1-300)" >&2; exit 2; \
	fi; \
	cat build/audit.log >&2; exit $$status

wheel: $(VENV)/.dev ## build dist/*.whl and dist/*.tar.gz
	$(BIN)/python -m build --no-isolation

clean: ## remove .venv and everything that was built
	rm -rf $(VENV) build dist .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find cds_service tests -name __pycache__ -type d -prune -exec rm -rf {} +

# $(call pip,REQUIREMENTS,WHAT,PYTHON): installs pins, into .venv where no other PYTHON is named, and shows which one pip
# is at, in one line of a terminal, in few of a log.
# The pins are complete, so that pip resolves nothing: a dependency that pyproject.toml excludes stays away. Of what is
# installed the smaller part is ever imported, so that Python compiles that when it first is.
define pip
total=$$(grep -c == $(1)); { $(or $(3),$(BIN)/python) -m pip install --disable-pip-version-check --progress-bar off --require-hashes --no-deps \
	  --no-compile -r $(1) 2>&1 || echo "pip failed: $$?"; } | awk -v what="$(2)" -v total="$$total" -v terminal="$$([ -t 1 ] && echo 1)" ' \
	  { said = said $$0 "\n" } /^pip failed: / { failed = 1 } \
	  /^(Collecting|Requirement already satisfied)/ { \
	    if ($$0 ~ /^Coll/) name = $$2; else name = $$4; sub(/[=;].*/, "", name); seen += 1; \
	    if (terminal) printf "\r\033[K  %s (%d of %d at most: %s)", what, seen, total, name; \
	    else if (seen % 10 == 1) printf "  %s (%d of %d at most: %s)\n", what, seen, total, name; fflush() } \
	  /^Installing collected/ { if (terminal) printf "\r\033[K"; printf "  %s: unpacking\n", what; fflush() } \
	  END { if (terminal) printf "\r\033[K"; if (failed) { printf "%s", said > "/dev/stderr"; exit 1 } }'
endef

# --- the environment: made once, brought up to date only when a pin or the project file changes ---

$(VENV)/.created:
	@found=; old=; bare=; \
	for candidate in $(CANDIDATES); do \
	  version=$$("$$candidate" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null) || continue; \
	  "$$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { old="$$old $$candidate ($$version)"; continue; }; \
	  "$$candidate" -c 'import ensurepip, venv' 2>/dev/null || { bare="$$candidate"; continue; }; \
	  found="$$candidate"; break; \
	done; \
	if [ -z "$$found" ] && [ -n "$$bare" ]; then \
	  echo "$$bare cannot make a virtual environment: install its venv module (on Debian and Ubuntu: sudo apt-get install python3-venv) and run make again." >&2; exit 1; \
	elif [ -z "$$found" ]; then \
	  echo "Python 3.11 or newer is needed and was not found$${old:+; too old:$$old}. Install one, or name it: make run PYTHON=/path/to/python3" >&2; exit 1; \
	fi; \
	echo "Making $(VENV) with $$found ($$version)"; \
	"$$found" -m venv $(VENV) || { rm -rf $(VENV); exit 1; }
	@touch $@

$(VENV)/.runtime: requirements.txt requirements-build.txt pyproject.toml | $(VENV)/.created
	@echo "Installing the pinned dependencies (a minute or two, once)"
	@$(call pip,requirements-build.txt,1 of 3: what installs and builds)
	@$(call pip,requirements.txt,2 of 3: what the service needs)
	@echo "  3 of 3: the service itself"; $(PIP) --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.dev: requirements-dev.txt $(VENV)/.runtime
	@echo "Installing the pinned development tools"
	@$(call pip,requirements-dev.txt,1 of 1: tools)
	@touch $@

# Programs of others that judge our forms in tests (tests/test_foreign_judges.py). In the lock LHC-Forms (lforms) has no
# dependencies: it comes built, and what it is built from has half a gigabyte.
foreign-judges: $(FOREIGN)/.installed

$(FOREIGN)/.installed: tests/foreign/package.json tests/foreign/package-lock.json | node
	@echo "Installing the programs of others that judge forms (Node.js)"
	@mkdir -p $(FOREIGN) && cp $^ $(FOREIGN)/
	@cd $(FOREIGN) && $(NPM_CI)
	@touch $@

# Services of other makers that the benchmark measures (tests/bench/peers), each in an environment of its own.
$(PEERS)/healthchain/.installed: tests/bench/peers/requirements.txt | $(VENV)/.created
	@echo "Installing what the benchmark measures beside the service: HealthChain"
	@rm -rf $(@D) && $(BIN)/python -m venv $(@D)
	@$(call pip,$<,1 of 1: HealthChain,$(@D)/bin/python)
	@touch $@

$(PEERS)/express-cql/.installed: tests/bench/peers/package.json tests/bench/peers/package-lock.json | node
	@echo "Installing what the benchmark measures beside the service: Express with cql-execution"
	@rm -rf $(@D) && mkdir -p $(@D) && cp $^ $(@D)/
	@cd $(@D) && $(NPM_CI)
	@touch $@
