# Every target works as the first command in a fresh clone: it makes .venv and installs what it needs.
#
#   make demo SECONDS=15          make test PYTEST_ARGS="-k ring"
#   make bench BENCH_ARGS="..."   make test PYTHON=python3.13   (for a fresh .venv)
#   make simulate SIMULATE_ARGS="--seeds 1000"

PYTHON ?= python3
PYTEST_ARGS ?=
BENCH_ARGS ?=
SIMULATE_ARGS ?=
SECONDS ?=

VENV := .venv
BIN := $(VENV)/bin
CODE := ring middleware sidecar tests bench compose examples docs
MANIFEST := pyproject.toml constraints.txt
# pip prints nothing but errors; the first line of each recipe says what is going on
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check
INSTALL := $(PIP) install -c constraints.txt
# From nothing each time, so that a link to what is gone is noticed.
DOCS := $(BIN)/sphinx-build --quiet --fail-on-warning --keep-going --fresh-env \
	-c docs/reference -d build/doctrees -b html . build/docs

# The project names its own virtual environment; one that happens to be active has no say.
unexport VIRTUAL_ENV
# Whoever starts a sidecar compiles 600 modules otherwise, each time: half of what that takes.
unexport PYTHONDONTWRITEBYTECODE
# pyright runs on the node of its own wheel, and doesn't ask npm whether there is a newer one.
export PYRIGHT_PYTHON_GLOBAL_NODE := 0
export PYRIGHT_PYTHON_IGNORE_WARNINGS := 1
# Sets of strings have the same order each time, so a seed of the simulator that fails fails again (make simulate sees to it itself).
test: export PYTHONHASHSEED := 0
.DELETE_ON_ERROR:
.NOTPARALLEL: # two pips must not work on one .venv
.DEFAULT_GOAL := help
.PHONY: help demo test simulate check docs bench pictures format build pin clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(VENV)/.demo ## three sidecars, three apps, one of them killed; SECONDS=15 ends it by itself
	@$(BIN)/sidegate demo $(if $(SECONDS),--seconds $(SECONDS))

test: $(VENV)/.test ## all tests; PYTEST_ARGS for pytest
	@$(BIN)/python -m pytest $(PYTEST_ARGS)

simulate: $(VENV)/.test ## thousands of clusters on simulated networks; SIMULATE_ARGS for its options
	@$(BIN)/python -m tests.simulation $(SIMULATE_ARGS)

check: $(VENV)/.check ## lint, format, types, imports, the documentation, and the built wheel
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/pyright
	$(BIN)/lint-imports
	$(DOCS)
	$(BIN)/python tests/wheel/check_wheel.py

docs: $(VENV)/.docs ## the pages and the reference of all public names, in build/docs; a warning is an error
	@$(DOCS)
	@echo "docs: build/docs/index.html"

bench: $(VENV)/.peers ## side by side with what else you could use; BENCH_ARGS for the benchmark
	@$(BIN)/python -m bench $(BENCH_ARGS)

pictures: $(VENV)/.test ## the page in a browser, idle, under load and while a node is killed, into docs/running/pictures
	@$(BIN)/python -m tests.support.browser.pictures docs/running/pictures

format: $(VENV)/.check ## format the code, and fix what ruff can fix
	@$(BIN)/ruff check --fix-only --quiet
	@$(BIN)/ruff format

build: $(VENV)/.check ## sdist and wheel, into dist/
	@rm -rf dist
	@$(BIN)/python -m build --outdir dist

pin: ## resolve all dependencies anew, and write them to constraints.txt
	@echo "pin: resolving everything in a fresh environment"
	@rm -rf $(VENV)-pin && $(PYTHON) -m venv $(VENV)-pin
	@$(VENV)-pin/bin/python -m pip --quiet install --upgrade pip
	@$(VENV)-pin/bin/python -m pip --quiet install -e ".[sidecar]" --group dev
	@{ sed -n '/^#/p' constraints.txt; \
	   $(VENV)-pin/bin/python -m pip list --format=freeze --exclude-editable --exclude pip --exclude setuptools; \
	} > constraints.new
	@mv constraints.new constraints.txt
	@rm -rf $(VENV)-pin

clean: ## remove everything that make made
	@rm -rf $(VENV) $(VENV)-* build dist .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis
	@find $(CODE) -name __pycache__ -prune -exec rm -rf {} +

# One stamp for each set of dependencies, so that the second run installs nothing.

$(VENV)/.made:
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit( \
	    "sidegate needs Python 3.11 or newer, and $(PYTHON) is " + sys.version.split()[0] + \
	    ": try make $(MAKECMDGOALS) PYTHON=python3.13")'
	@echo "setup: making $(VENV)"
	@$(PYTHON) -m venv $(VENV) || { echo "no venv module? On Debian: apt-get install python3-venv" >&2; exit 1; }
	@$(PIP) install --upgrade "pip>=25.1" # the first that knows --group
	@touch $@

$(VENV)/.demo: $(MANIFEST) | $(VENV)/.made
	@echo "setup: installing sidegate with its sidecar"
	@$(INSTALL) -e ".[sidecar]"
	@touch $@

$(VENV)/.test $(VENV)/.check $(VENV)/.docs $(VENV)/.bench: $(VENV)/.%: $(VENV)/.demo
	@echo "setup: installing what make $* needs"
	@$(INSTALL) --group $*
	@touch $@

# Built by Go and cargo where these are there, else skipped by name: minutes, once. Pins are in the module.
$(VENV)/.peers: bench/peers/build.py | $(VENV)/.bench
	@$(BIN)/python -m bench.peers.build
	@touch $@
