# `make demo` and `make test` need Python >= 3.11 and a C++17 compiler; each sets up .venv by itself.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
COMPILED := setup.py $(wildcard $(foreach room,ampcli/amplitudes/native ampcli/features/compiled ampcli/phasespace/compiled \
    ampcli/training/compiled ampcli/inference/compiled ampcli/simd ampcli/library,$(room)/*.cpp $(room)/*.h $(room)/*.map))

.PHONY: demo test faults lint docs completions package wheel-test lower-bounds clean

$(READY): pyproject.toml constraints.txt $(COMPILED)
	$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13) and "ampcli needs Python 3.11 to 3.13; try: make PYTHON=python3.12")'
	@$(CXX) --version > /dev/null || { echo "ampcli compiles its amplitudes: install a C++ compiler (Debian: apt-get install g++)"; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --upgrade-strategy only-if-needed -c constraints.txt torch
	$(BIN)/pip install --quiet --upgrade-strategy only-if-needed -c constraints.txt -e '.[dev]'
	touch $(READY)

demo: $(READY)
	$(BIN)/ampcli demo demo

test: $(READY)
	$(BIN)/python -m pytest -n 2 --dist worksteal

# About half an hour on two cores; as root it mounts small disks.
faults: $(READY)
	PYTHONPATH=tests $(BIN)/python -m faults --out faults-results
	PYTHONPATH=tests $(BIN)/python -m faults --out faults-results --report docs/results/faults.md

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# As a site in site/; index.html needs no server.
docs: $(READY)
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

completions: $(READY)
	$(BIN)/ampcli completion bash > completions/ampcli.bash
	$(BIN)/ampcli completion zsh > completions/_ampcli
	$(BIN)/ampcli completion fish > completions/ampcli.fish

# A wheel, built from the sdist, in a clean environment outside the checkout.
package:
	.ci/package $(PYTHON)

wheel-test:
	for python in python3.11 python3.12 python3.13; do .ci/package $$python || exit 1; done

lower-bounds:
	.ci/lower-bounds $(PYTHON)

clean:
	rm -rf $(VENV) .cache demo build dist site *.egg-info
