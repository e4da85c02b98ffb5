# Everything a newcomer needs: a machine with Python 3.11 and make.
PYTHON ?= $(shell command -v python3.11 || echo python3)
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: demo up test lint docs lock clean
.DEFAULT_GOAL := demo

demo: $(STAMP)  ## import a simulated month (or DATA=folder), run everything, sum up
	@$(BIN)/ticketintel demo $(if $(DATA),--data "$(DATA)")

up: $(STAMP)  ## the Dagster UI and its schedules, until Ctrl-C
	@$(BIN)/ticketintel up

test: $(STAMP)  ## the whole suite, on two cores
	@$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

lint: $(STAMP)  ## style, format and types
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

docs: $(STAMP)  ## write the data dictionary and the raw contract anew from the declarations
	@$(BIN)/python -m ticketintel_pipelines.documents

lock:  ## pin the dependencies of pyproject.toml anew (needs uv)
	uv pip compile pyproject.toml --extra dev --generate-hashes --no-emit-index-url --no-header --no-strip-extras \
		--python-version 3.11 --output-file requirements.lock

$(STAMP): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' || \
		{ echo "make: $(PYTHON) is not Python 3.11; install that, or name it with make PYTHON=/path/to/python3.11"; exit 2; }
	@echo "installing into $(VENV) (once, a minute or two)"
	@$(PYTHON) -m venv --clear $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $(STAMP)

clean:  ## forget the installation; data stays
	rm -rf $(VENV)
