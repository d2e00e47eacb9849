# One door to everything. `PYTHON=python3.13 make test` chooses the interpreter; the folder is always .venv.
# A stamp says what is installed, so a second run installs nothing until pyproject.toml changes.

PYTHON ?= python3
ARGS ?=
PIP := .venv/bin/python -m pip --disable-pip-version-check --quiet
CODE := src tests examples benchmarks conftest.py

.DEFAULT_GOAL := help
.PHONY: help demo test docs lint

help: ## Say what one can make.
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# Its folder is made anew: what another version left there would be another run.
demo: .venv/.installed-demo ## The whole method on embedded data, a minute or so.
	@rm -rf masktune-demo
	.venv/bin/masktune demo $(ARGS)

# One thread a process: the two processes have the cores to themselves. What shares a Ray cluster shares one.
test: .venv/.installed-dev ## All tests, then every example in the documents (ARGS="-k masker" for some).
	OMP_NUM_THREADS=1 .venv/bin/pytest -n 2 --dist loadgroup $(ARGS)
	@$(MAKE) --no-print-directory docs

# A page is read from top to bottom, so its examples run in that order, and in a run of their own.
docs: .venv/.installed-dev ## Run every example in the documents.
	OMP_NUM_THREADS=1 .venv/bin/pytest -p no:randomly -p no:xdist README.md ARCHITECTURE.md CONTRIBUTING.md docs src

lint: .venv/.installed-dev ## Format, lint, types, directions of import, spelling; changes nothing.
	.venv/bin/ruff format --check $(CODE)
	.venv/bin/ruff check $(CODE)
	.venv/bin/mypy
	.venv/bin/lint-imports
	.venv/bin/typos

# Not bin/python: it exists before pip does, and a set-up that was interrupted would pass for a whole one.
.venv/bin/pip:
	@$(PYTHON) -c 'import sys; sys.exit("error: masktune needs Python 3.11 or newer, PYTHON is " + sys.version.split()[0] if sys.version_info < (3, 11) else 0)'
	@echo "Making .venv with $(PYTHON)."
	@$(PYTHON) -m venv .venv

.venv/.installed-demo: pyproject.toml | .venv/bin/pip
	@echo "Installing masktune into .venv. torch is large: a minute or two on a fast line, only once."
	@$(PIP) install --editable .
	@touch $@

# One call, so that torch and torchvision are chosen to fit each other. The core is in it: both stamps.
.venv/.installed-dev: pyproject.toml | .venv/bin/pip
	@echo "Installing masktune and the tools for developers into .venv. torch is large: a minute or two, only once."
	@$(PIP) install --upgrade "pip>=25.1"
	@$(PIP) install --editable ".[all]" --group dev
	@touch .venv/.installed-demo $@
