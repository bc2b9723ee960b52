# The commands people type. `make help` lists them.

PYTHON ?= python3
VENV ?= .venv
# Where the libraries live that the benchmarks compare with.
PEERS ?= .venv-peers
# Where `make gpu-check` runs, on top of the machine's own packages, and the extra for its CUDA.
GPU ?= .venv-gpu
CUDA ?= cuda12
# Where `make verify-lava` puts Intel's software, which wants no torch.
LAVA ?= .venv-lava
# Added to every benchmark; --write puts the pages into docs/benchmarks.
BENCH ?=
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
# A plugin that fails to load is an error, and so is a neuron that falls back from a kernel.
STRICT = SNN_STRICT_PLUGINS=1 SNN_KERNELS_STRICT=1
# Two workers share two cores best when each computes on one thread.
PYTEST = $(STRICT) OMP_NUM_THREADS=1 $(BIN)/python -m pytest

.PHONY: help demo test test-slow bench bench-peers peers gpu-check verify-lava lint format clean

help:  ## this list
	@sed -n 's/^\([a-z-]*\):.*##/\1:/p' $(MAKEFILE_LIST)

$(VENV)/.installed: $(DEPENDS)
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(PIP) $(if $(TORCH_INDEX),--index-url $(TORCH_INDEX)) torch
	$(PIP) hatchling editables
	$(PIP) --no-build-isolation $(PROJECTS:%=-e %)
	touch $@

$(VENV)/.tested: $(VENV)/.installed
	$(PIP) --no-build-isolation -e '.[testing]' -e 'plugins/snn-datasets[testing]' pytest-xdist build tensorboard
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
	$(PYTEST) -m "not slow" -n auto --dist worksteal

test-slow: $(VENV)/.linted  ## what takes longer: real data, wheels, compilers, several processes
	SNN_KERNELS_STRICT=1 OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m slow -n auto --dist worksteal

bench-peers: $(PEERS)/.installed  ## the libraries to compare with, in an environment of their own

$(PEERS)/.installed: VENV = $(PEERS)
$(PEERS)/.installed: constraints.txt pyproject.toml plugins/snn-neurons/pyproject.toml plugins/snn-datasets/pyproject.toml benchmarks/peers.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(PIP) $(if $(TORCH_INDEX),--index-url $(TORCH_INDEX)) torch
	$(PIP) hatchling editables
	$(PIP) --no-build-isolation -e '.[testing]' -e plugins/snn-neurons -e 'plugins/snn-datasets[testing]'
	$(PIP) --no-deps -r benchmarks/peers.txt
	$(BIN)/python benchmarks/peers.py
	touch $@

peers: $(PEERS)/.installed  ## the same numbers as other libraries? writes docs/peers.md
	$(STRICT) OMP_NUM_THREADS=1 $(PEERS)/bin/python -m pytest tests/peers
	OMP_NUM_THREADS=1 PYTHONPATH=tests/peers $(PEERS)/bin/python -m oracle

bench: $(PEERS)/.installed  ## speed and memory beside other libraries, a quarter of an hour
	$(PEERS)/bin/python benchmarks/lif_multistep.py --most 16777216 --seconds 4 $(BENCH)
	$(PEERS)/bin/python benchmarks/complex_neurons.py --seconds 4 $(BENCH)
	$(PEERS)/bin/python benchmarks/recurrent.py --seconds 8 $(BENCH)
	$(PEERS)/bin/python benchmarks/compile_cost.py $(BENCH)
	$(PEERS)/bin/python benchmarks/saving.py --seconds 2 $(BENCH)
	OMP_NUM_THREADS=1 $(PEERS)/bin/python benchmarks/datasets.py --seconds 4 $(BENCH)

gpu-check: $(GPU)/.installed  ## on a CUDA device: test kernels, then time them (docs/benchmarks/gpu.md)
	$(STRICT) $(GPU)/bin/python benchmarks/gpu.py --write $(BENCH)

$(GPU)/.installed: VENV = $(GPU)
$(GPU)/.installed: PIP = $(BIN)/python -m pip install --disable-pip-version-check
$(GPU)/.installed: pyproject.toml plugins/snn-neurons/pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv --system-site-packages $(VENV)
	# Without constraints: a torch and a CuPy that are there fit the machine's driver.
	$(PIP) hatchling editables
	$(PIP) --no-build-isolation -e '.[testing,$(CUDA)]' -e plugins/snn-neurons
	touch $@

verify-lava: $(VENV)/.tested $(LAVA)/.installed  ## our simulator of Loihi beside Lava's, to the bit (docs/lava.md)
	SNN_LAVA_PYTHON=$(abspath $(LAVA))/bin/python $(PYTEST) plugins/snn-lava/tests/verify

$(LAVA)/.installed: VENV = $(LAVA)
$(LAVA)/.installed: constraints.txt plugins/snn-lava/lava.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(PIP) --no-deps --ignore-requires-python -r plugins/snn-lava/lava.txt
	touch $@

lint: $(VENV)/.linted  ## format, style, types, import contracts
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/basedpyright
	$(BIN)/lint-imports --no-cache

format: $(VENV)/.linted  ## rewrite files in the house format
	$(BIN)/ruff format
	$(BIN)/ruff check --fix

clean:  ## remove the environment and caches
	rm -rf $(VENV) $(PEERS) $(GPU) $(LAVA) .pytest_cache .ruff_cache .hypothesis .import_linter_cache
