# Everything a newcomer needs: `make demo` runs the product, `make test` passes its tests.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: demo test test-core lint format bench guard interop vectors clean

$(VENV)/.installed: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --editable '.[trio,migrate]' --group dev
	touch $@

$(VENV): $(VENV)/.installed

demo: $(VENV)/.installed
	$(BIN)/nymproxy-migrate demo --report build/parity.html

# Three processes, also on two cores: many tests wait for the timers of the network most of the time.
test: $(VENV)/.installed
	$(BIN)/python -m pytest -n 3

# The rooms that decide without sockets, and the recorded vectors: what another Python may break.
CORE := tests/vectors tests/sphinx tests/messages tests/traffic tests/gateway tests/directory \
	tests/storage tests/channel tests/test_public_names.py tests/test_layers.py
test-core: $(VENV)/.installed
	$(BIN)/python -m pytest -n 3 $(CORE)

lint: $(VENV)/.installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(VENV)/.installed
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(VENV)/.installed
	$(BIN)/python -m benchmarks --quick

# Does a packet cost more CPU time than in the committed baseline? A minute and a half.
GUARDED := build/guarded.jsonl
guard: $(VENV)/.installed
	mkdir -p build
	$(BIN)/python -m benchmarks --only W7,W8,W15 --quick --runs 2 --json $(GUARDED) >/dev/null
	$(BIN)/python -m benchmarks compare benchmarks/baseline.jsonl $(GUARDED)

# Real Rust peers: needs cargo (Rust 1.87 or later); the first build takes about half an hour.
interop: $(VENV)/.installed
	$(BIN)/python -m interop

# The vector files of the tests, made anew by the published crates; needs cargo, like the above.
vectors: $(VENV)/.installed
	$(BIN)/python -m interop --vectors build/vectors

clean:
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache build *.egg-info
