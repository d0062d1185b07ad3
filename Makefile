# make demo   the main job on the bundled sample crawl; ends with a report and a tiny trained model
# make test   lint and the whole test suite
# make bench  what the job and the filters cost, measured beside a peer (an hour); docs/SIGNALS.md anew
# Each builds .venv from pinned versions first; PYTHON chooses the interpreter (3.11 to 3.13).

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: demo test bench lint format clean

demo: $(VENV)/.installed
	$(BIN)/joeira demo --output demo-output

test: $(VENV)/.tested-with lint
	$(BIN)/python -m pytest

bench: $(VENV)/.tested-with
	$(BIN)/python -m tests.benchmarks.job
	$(BIN)/python -m tests.benchmarks.heuristics
	$(BIN)/python -m tests.benchmarks.dedup
	$(BIN)/python -m tests.benchmarks.consent
	$(BIN)/python -m tests.benchmarks.trainer
	$(BIN)/python -m tests.benchmarks.signals

lint: $(VENV)/.tested-with
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/pydoclint --quiet pipeline filters model
	$(BIN)/lint-imports

format: $(VENV)/.tested-with
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

$(VENV)/.installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[report,train]'
	touch $@

$(VENV)/.tested-with: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[report,train,aws,dags,dev]'
	touch $@

clean:
	rm -rf $(VENV) demo-output build *.egg-info
