# The commands people type. `make help` lists them.

PYTHON ?= python3
VENV ?= .venv
# Another package index for torch alone, for instance one that serves CPU-only builds.
TORCH_INDEX ?=
# The one place that knows where real recordings lie; tests read the variable.
SNN_TEST_DATA ?= $(abspath $(wildcard ../shared/data))
export SNN_TEST_DATA
export TORCH_DEVICE_BACKEND_AUTOLOAD = 0

BIN = $(VENV)/bin
PIP = $(BIN)/python -m pip install --disable-pip-version-check -c constraints.txt
PROJECTS := . $(patsubst %/pyproject.toml,%,$(sort $(wildcard plugins/*/pyproject.toml)))
DEPENDS := constraints.txt $(PROJECTS:%=%/pyproject.toml)
# Two workers share two cores best when each computes on one thread.
PYTEST = SNN_STRICT_PLUGINS=1 OMP_NUM_THREADS=1 $(BIN)/python -m pytest

.PHONY: help demo test test-slow lint format clean

help:  ## this list
	@sed -n 's/^\([a-z-]*\):.*##/\1:/p' $(MAKEFILE_LIST)

$(VENV)/.installed: $(DEPENDS)
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(PIP) $(if $(TORCH_INDEX),--index-url $(TORCH_INDEX)) torch
	$(PIP) hatchling editables
	$(PIP) --no-build-isolation $(PROJECTS:%=-e %)
	touch $@

$(VENV)/.tested: $(VENV)/.installed
	$(PIP) --no-build-isolation -e '.[testing]' pytest-xdist build tensorboard
	# The printer of Triton kernels is tested without a GPU; torch's CPU builds bring no Triton.
	test "$$(uname -s)" != Linux || $(PIP) --no-deps triton
	touch $@

$(VENV)/.linted: $(VENV)/.tested
	$(PIP) ruff basedpyright import-linter
	touch $@

demo: $(VENV)/.installed  ## install all, train the default recipe, print accuracy, draw a picture
	$(BIN)/snn train digits --set run.name=demo --set run.overwrite=true
	$(BIN)/snn train digits_hard --set run.name=demo-hard --set run.overwrite=true

test: $(VENV)/.linted  ## the default suite
	$(PYTEST) -m "not slow" -n auto

test-slow: $(VENV)/.linted  ## what takes longer: real data, wheels, compilers, several processes
	$(BIN)/python -m pytest -m slow

lint: $(VENV)/.linted  ## format, style, types, import contracts
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/basedpyright
	$(BIN)/lint-imports --no-cache

format: $(VENV)/.linted  ## rewrite files in the house format
	$(BIN)/ruff format
	$(BIN)/ruff check --fix

clean:  ## remove the environment and caches
	rm -rf $(VENV) .pytest_cache .ruff_cache .hypothesis .import_linter_cache
