# Everything a newcomer needs: `make demo` runs the product, `make test` passes its tests.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: demo test test-core coverage fuzz lint types docs wheel dist format bench guard interop vectors clean

$(VENV)/.installed: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	PYTHONWARNINGS=ignore $(BIN)/python -m pip install --quiet --editable '.[cli,trio,metrics,migrate]' --group dev
	# An editable install of two roots is a hook that type checkers cannot follow; they read this.
	printf '%s\n' '$(CURDIR)' '$(CURDIR)/migrate' > "$$($(BIN)/python -c \
		'import sysconfig; print(sysconfig.get_path("purelib"))')/nymproxy-sources.pth"
	touch $@

$(VENV): $(VENV)/.installed

demo: $(VENV)/.installed
	$(BIN)/nymproxy-migrate demo --report build/parity.html

# Three processes, also on two cores: many tests wait for the timers of the network most of the time.
# The first to have nothing left takes some of what waits at another.
test: $(VENV)/.installed
	$(BIN)/python -m pytest -n 3 --dist worksteal

# What decides without sockets, and the recorded vectors: what another Python may break. Together
# these cover the wire and the machines wholly, or this fails.
CORE := tests/vectors tests/sphinx tests/messages tests/machine tests/traffic tests/gateway tests/directory \
	tests/storage tests/channel tests/stream/nx2 tests/stream/test_codec.py \
	tests/stream/test_traits.py tests/forward tests/legacy/test_codec.py tests/legacy/test_message.py \
	tests/legacy/test_order.py tests/legacy/test_pacing.py tests/legacy/test_quirks.py tests/legacy/test_session_book.py \
	tests/legacy/test_session_totals.py \
	tests/legacy/test_traits.py tests/legacy/test_turns.py tests/legacy/test_wire_choice.py tests/client/test_records.py \
	tests/client/test_randomness.py \
	$(filter-out tests/test_code_blocks.py tests/test_console_blocks.py tests/test_examples.py tests/test_migrating_guide.py\
	tests/test_readme.py,$(wildcard tests/test_*.py))
COVERED := rm -rf build/coverage && $(BIN)/coverage run -m pytest -n 3 --dist worksteal
test-core: $(VENV)/.installed
	$(COVERED) $(CORE)
	$(BIN)/coverage combine --quiet
	$(BIN)/python -m tests.coverage_gate --core

# All tests under measurement, which takes several times as long, and the table of rooms.
coverage: $(VENV)/.installed
	$(COVERED)
	$(BIN)/coverage combine --quiet
	$(BIN)/python -m tests.coverage_gate

# CASES inputs made for the decoders, guided by what they reach: 10^5 take some 10 s, 10^7 a quarter
# of an hour.
CASES ?= 10000000
fuzz: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --group fuzz
	nice $(BIN)/python -m tests.fuzz --cases $(CASES)

lint: $(VENV)/.installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# Every public name has a type that every type checker knows. Pyright's Node comes with it.
types: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --group types
	$(BIN)/python .ci/public_types.py

# The documentation as a site in build/site, made and read without a network. Seconds.
docs: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --group docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet
	$(BIN)/python .ci/check_site.py build/site

# What `pip install` makes of these sources, tried in a new environment of each Python here, and with
# both demos on the oldest.
wheel: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --group types
	rm -rf build/wheel build/lib build/bdist.*
	$(BIN)/python -m pip wheel --quiet --no-deps --wheel-dir build/wheel .
	$(BIN)/python .ci/try_wheel.py --demos-on-first build/wheel/*.whl $$(python3 .ci/pythons.py --all)

# Sources and wheel into dist/, looked at, and the wheel tried in new environments.
dist: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --group dist --group types
	rm -rf dist build/lib build/bdist.*
	$(BIN)/python -m build --outdir dist .
	$(BIN)/twine check --strict dist/*
	$(BIN)/check-wheel-contents dist/*.whl
	$(BIN)/python .ci/try_wheel.py dist/*.whl $$(python3 .ci/pythons.py --all)

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

# The vector files of the tests, made anew by the crates of 1.21.6 and by those of 2.0.0; needs cargo,
# like the above.
vectors: $(VENV)/.installed
	$(BIN)/python -m interop --vectors build/vectors

clean:
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache build *.egg-info
