# `make demo` and `make test` need Python >= 3.11 and a C++17 compiler; each sets up .venv by itself.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
COMPILED := setup.py $(wildcard $(foreach room,ampcli/amplitudes/native ampcli/features/compiled ampcli/phasespace/compiled \
    ampcli/training/compiled ampcli/inference/compiled ampcli/simd ampcli/library,$(room)/*.cpp $(room)/*.h $(room)/*.map))

.PHONY: demo test lint docs completions clean

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

clean:
	rm -rf $(VENV) .cache demo build site *.egg-info
