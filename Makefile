# Two commands from a fresh clone with Python 3.11 or newer and make:  make demo   make test
# Each sets up .venv the first time and uses it again after that. Everything else is in CONTRIBUTING.md.

VENV := .venv
BIN := $(VENV)/bin
# The newest pins hold for builds in isolation too.
export PIP_CONSTRAINT := $(CURDIR)/constraints.txt
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: demo test check lint types wheel notebooks browser clean

demo: $(VENV)/.ready-run
	$(BIN)/staffcast plan data/tickets.csv.gz --scenario data/scenario.toml --roster data/roster.csv.gz --output demo-output

test: $(VENV)/.ready-test browser
	$(BIN)/python -m pytest --numprocesses auto

check: lint types

lint: $(VENV)/.ready-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.ready-dev
	$(BIN)/mypy

wheel: $(VENV)/.ready-test
	$(BIN)/python -m hatchling build -t wheel -d dist

# One test looks at the report in a browser. Where we may, install it; else the test says how.
browser:
	@for name in chromium chromium-browser google-chrome; do command -v $$name >/dev/null 2>&1 && exit 0; done; \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then \
		echo "installing chromium for the browser test"; \
		{ apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq chromium; } >/dev/null 2>&1 \
		|| echo "chromium could not be installed; the browser test will be skipped"; \
	else \
		echo "no chromium here; the browser test will be skipped (Debian: apt install chromium)"; \
	fi

$(VENV)/bin/python:
	@for name in python3 python3.13 python3.12 python3.11 python; do \
		if $$name -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then \
			echo "setting up $(VENV) with $$($$name --version)"; exec $$name -m venv $(VENV); \
		fi; \
	done; echo "staffcast needs Python 3.11 or newer; none was found on PATH" >&2; exit 1

$(VENV)/.ready-run: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --editable .
	@touch $@

$(VENV)/.ready-test: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --editable '.[test]'
	@touch $@ $(VENV)/.ready-run

$(VENV)/.ready-dev: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --editable '.[dev]'
	@touch $@ $(VENV)/.ready-test $(VENV)/.ready-run

clean:
	rm -rf $(VENV) demo-output dist build .pytest_cache .mypy_cache .ruff_cache .hypothesis
