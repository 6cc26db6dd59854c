# Everything here makes its own virtual environment and builds the Rust core: no step before `make`.
VENV   := .venv
PYTHON ?= python3
BIN    := $(VENV)/bin
# Of each test of the load engine that goes by time; the others' cases, which take as long. 256 is the usual number.
FUZZ_SECONDS ?= 300
FUZZ_CASES   ?= 12800
CORE   := $(shell find crates -name '*.rs' -o -name Cargo.toml 2>/dev/null) Cargo.toml Cargo.lock pyproject.toml

.DEFAULT_GOAL := help
.PHONY: help up test lint check-rust check-python vm bench docs fuzz lock clean

help:            ## What there is
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 12

up: $(VENV)/.core  ## Bring up a deception network on loopback
	@$(BIN)/chaffinch up $(ARGS)

test: lint check-rust check-python  ## Everything CI checks

lint: $(VENV)/.core  ## Formatting, lints, types, stubs
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m mypy.stubtest chaffinch._core
	@cargo fmt --version >/dev/null 2>&1 && cargo clippy --version >/dev/null 2>&1 || { echo "linting the core needs rustfmt and clippy: rustup component add rustfmt clippy" >&2; exit 1; }
	cargo fmt --all --check
	cargo clippy --locked --workspace --all-targets -- -D warnings

check-rust: $(VENV)/.tools
	cargo test --locked --workspace --exclude chaffinch-python --quiet

# With ARGS, such as a file, it is one plain run.
check-python: $(VENV)/.core
	$(if $(ARGS),,tests/run.sh )$(BIN)/python -m pytest $(ARGS)

# The load engine takes 7 minutes, its control API 5, scenario files 4, importers 6; decoys and chains come besides.
fuzz: $(VENV)/.core  ## Longer runs of the property and fuzz tests
	CHAFFINCH_SECONDS=$(FUZZ_SECONDS) PROPTEST_CASES=$(FUZZ_CASES) cargo test --release --locked --quiet -p chaffinch-load --lib
	CHAFFINCH_TEST_FUZZ=long $(BIN)/python -m pytest --showlocals --timeout=1800 tests/fuzz tests/chain/http/test_fuzz.py tests/load/serve/test_fuzz.py tests/load/scenario/test_fuzz.py tests/load/importing/test_fuzz.py $(ARGS)

# Exit code 77 says that the machine lacks what a guest needs.
vm: $(VENV)/.core  ## Tests that need cgroup v2 with memory, or ipvlan, on a kernel of their own (qemu, root)
	tests/vm/boot.sh env CHAFFINCH_TEST_PATIENCE=8 $(BIN)/python -m pytest -p no:cacheprovider --timeout 600 -k "cgroup or units_limit or ipvlan_answers" tests/fleet tests/network $(ARGS) || [ $$? = 77 ]

bench: $(VENV)/.core  ## Measure what the README states; writes docs/benchmarks.md
	$(BIN)/python -m bench $(ARGS)

docs: $(VENV)/.core  ## Write the generated reference pages and check the links
	$(BIN)/python docs/generate.py

lock:  ## Pin the dependencies again, with hashes (needs uv)
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url --all-extras --group dev pyproject.toml -o requirements/dev.txt
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url --extra fleet pyproject.toml -o requirements/fleet.txt
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url --extra load pyproject.toml -o requirements/load.txt

clean:  ## Remove what was built
	rm -rf $(VENV) target src/chaffinch/_core*.so .mypy_cache .ruff_cache .pytest_cache .hypothesis

$(VENV)/.tools: requirements/dev.txt
	@command -v $(PYTHON) >/dev/null || { echo "chaffinch needs Python 3.11 or newer: apt-get install python3 python3-venv" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "chaffinch needs Python 3.11 or newer; $(PYTHON) is older: name another with PYTHON=..." >&2; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { echo "this Python has no venv module: apt-get install python3-venv" >&2; exit 1; }
	@command -v cc >/dev/null || { echo "chaffinch needs a C compiler to link its core: apt-get install gcc libc6-dev" >&2; exit 1; }
	@command -v cargo >/dev/null || { echo "chaffinch needs cargo 1.89 or newer to build its core: https://rustup.rs, or your distribution's rustup package" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	@touch $@

$(VENV)/.core: $(VENV)/.tools $(CORE)
	PATH="$(abspath $(BIN)):$$PATH" $(BIN)/pip install --quiet --disable-pip-version-check --no-index --no-deps --no-build-isolation --editable . --config-settings=build-args=--locked
	@touch $@
