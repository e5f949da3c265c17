# Each installs into .venv first what is missing there.
# make run    starts the server (options: make run ARGS="--port 9000")
# make test   runs all checks (also alone: make check) and tests: at most three minutes on two idle cores
# make test-all  the same with all variations and rounds of the kills, many more random examples, what is installed,
#                and the other Pythons: half an hour, as root
# make test-pythons  the tests on each other Python from 3.11 on that is found: on 3.12 and 3.13, six minutes
# make cluster  starts three NATS servers and three nodes on loopback, and kills and starts what one names
# make test-compiled  the same as make test on the compiled build, which it makes first: a C compiler, five minutes
# make test-cluster  tests the cluster on NATS servers of its own: ten minutes
# make deb    builds a Debian package in dist/
# make test-install  installs it on a machine of its own, starts, upgrades and removes it: three minutes, as root
# make release  builds what is published in dist/: source distribution, wheels, Debian package, SHA256SUMS
# make bench  measures all that docs/performance.md shows, and writes it anew: an idle machine, an hour, a C compiler
# make bench-quick  what a message takes of a processor, in a few minutes: for before and after a change
# make format writes the code as the formatter wants it

# The newest of those that the tests are run on, before any other.
PYTHON ?= $(firstword $(foreach p,python3.13 python3.12 python3.11 python3.14 python3,$(if $(shell $(p) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo yes),$(p))))
VENV := .venv
BIN := $(VENV)/bin
ARGS ?=

# What was compiled is kept, whatever the environment says: the tests start hundreds of programs.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: run cluster deb release test test-all test-pythons test-compiled test-cluster test-install check unit format bench bench-quick clean

run: $(VENV)/installed
	@exec $(BIN)/chat-server $(ARGS)

cluster: $(VENV)/installed
	@exec $(BIN)/python -m tests.cluster

# The checks run on one core while the tests begin on the other.
test: $(VENV)/installed
	@$(MAKE) --no-print-directory -j 2 check unit

test-all: check
	@TESTS=all HYPOTHESIS_PROFILE=thorough $(MAKE) --no-print-directory unit
	@$(MAKE) --no-print-directory test-install test-pythons

# The newest Python of each minor version that is found, also by pyenv, but for that of $(VENV): in an environment of
# its own. A pyenv that has a version set for another folder alone leaves a command that does not run.
PYENV_ROOT ?= $(HOME)/.pyenv
MINOR = $(1) -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null
PYTHONS = $(foreach minor,11 12 13 14,$(firstword \
    $(shell ls -d $(PYENV_ROOT)/versions/3.$(minor).*/bin/python 2>/dev/null | sort -rV) \
    $(if $(shell $(call MINOR,python3.$(minor))),python3.$(minor))))

test-pythons: $(VENV)/installed
	@failed=; own=$$($(call MINOR,$(BIN)/python)); for python in $(PYTHONS); do \
	    version=$$($(call MINOR,$$python)); \
	    [ $$version != $$own ] || continue; \
	    echo "Python $$version ($$python)"; \
	    $(MAKE) --no-print-directory VENV=.venv-$$version PYTHON=$$python unit || failed="$$failed $$version"; \
	done; \
	[ -z "$$failed" ] || { echo "failed on Python$$failed" >&2; exit 1; }

check: $(VENV)/installed
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

unit: $(VENV)/collected
	$(BIN)/pytest -n 6 --dist worksteal --ignore tests/cluster --ignore tests/install

test-compiled:
	PYTHON=$(PYTHON) packaging/test-compiled $(ARGS)

test-cluster: $(VENV)/installed
	$(BIN)/pytest tests/cluster
	ON_NATS=yes $(BIN)/pytest -n 2 --dist worksteal tests/conformance

test-install: $(VENV)/installed
	$(BIN)/pytest tests/install

deb: $(VENV)/installed
	@packaging/deb/build $(BIN)/python dist

release: $(VENV)/installed
	@packaging/release $(BIN)/python dist

format: $(VENV)/installed
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

REPORT := docs/performance.md
PARTS ?= bench arrivals search growth client

bench: $(VENV)/installed
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r benchmarks/requirements.txt
	@failed=; for part in $(PARTS); do \
	    echo "$$(date +%T) $$part"; \
	    $(BIN)/python -m benchmarks.$$part --write $(REPORT) $$([ $$part != bench ] || echo --instructions) || failed="$$failed $$part"; \
	done; \
	[ -z "$$failed" ] || { echo "failed:$$failed" >&2; exit 1; }

bench-quick: $(VENV)/installed
	@$(BIN)/python -m benchmarks.bench --quick --instructions

clean:
	rm -rf $(VENV) .venv-* build

# The tests are compiled once, not by six workers at the same time: in a fresh clone that saves 30 s of processor time.
# What cannot be compiled is told by the tests themselves.
$(VENV)/collected: $(VENV)/installed $(shell find tests -name '*.py')
	@$(BIN)/pytest --collect-only --ignore tests/cluster --ignore tests/install >/dev/null 2>&1 || true
	@touch $@

$(VENV)/installed: requirements.txt pyproject.toml
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed; none was found" >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { echo "python3 -m venv failed; on Debian: apt-get install python3-venv" >&2; exit 1; }
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	@touch $@
