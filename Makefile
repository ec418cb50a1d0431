# Every target first brings .venv up to date by itself (quick when it already is).
SHELL := /bin/bash
STACK ?= dev
PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin
STAMP := $(VENV)/.installed

.DEFAULT_GOAL := help
.PHONY: help plan render check-stack test check lint types contract format bench lab up requirements refresh clean

help: ## What there is
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  make %-14s %s\n", $$1, $$2}'

# uv installs in seconds what takes pip minutes; it reads no pip.conf, so where it cannot install, pip does.
$(STAMP): requirements.txt requirements-dev.txt requirements-uv.txt pyproject.toml
	@test -x $(RUN)/python || $(PYTHON) -m venv $(VENV)
	@echo "installing into $(VENV) (a minute the first time) ..." >&2
	@$(RUN)/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements-uv.txt
	@UV_DEFAULT_INDEX="$${UV_DEFAULT_INDEX:-$$PIP_INDEX_URL}" $(RUN)/uv pip install -q --python $(RUN)/python \
	    --require-hashes -r requirements.txt -r requirements-dev.txt \
	  || $(RUN)/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements.txt -r requirements-dev.txt
	@$(RUN)/python -m pip install -q --disable-pip-version-check --no-deps --no-build-isolation -e .
	@$(RUN)/python -m compileall -q partner_mesh components lab  # pip compiles what it installs, but not what is editable
	@touch $@

plan: $(STAMP) ## What STACK would deploy: tree, counts, out/STACK/ (no credentials, no Pulumi CLI)
	@$(RUN)/partner-mesh plan $(STACK)

render: $(STAMP) ## Only the Kubernetes objects of STACK, as YAML
	@$(RUN)/partner-mesh render $(STACK)

test: $(STAMP) ## All tests that need no cluster
	@$(RUN)/pytest -n 2 -m "not lab"

check: lint types contract ## Lint, types and the import contract

lint: $(STAMP)
	@$(RUN)/ruff check . && $(RUN)/ruff format --check .

types: $(STAMP)
	@$(RUN)/mypy partner_mesh components lab policies bench tests __main__.py

contract: $(STAMP)
	@$(RUN)/lint-imports

format: $(STAMP) ## Format the code
	@$(RUN)/ruff check --fix . && $(RUN)/ruff format .

bench: $(STAMP) ## Compile and serialise 10, 100, 1,000 partners beside helm template; the analyser's table
	@$(RUN)/python -m bench

lab: $(STAMP) ## Prove STACK on a real API server, istiod and Envoy
	@$(RUN)/partner-mesh lab test $(STACK)

up: $(STAMP) ## pulumi up for STACK (needs the Pulumi CLI and credentials)
	@command -v pulumi >/dev/null || { echo "pulumi is not on PATH: see docs/how-to/deploy.md" >&2; exit 2; }
	@PATH="$(abspath $(RUN)):$$PATH" pulumi up --stack $(STACK)

requirements: ## Pin requirements*.in with hashes
	@test -x $(RUN)/python || $(PYTHON) -m venv $(VENV)
	@$(RUN)/python -m pip install -q --require-hashes -r requirements-uv.txt
	@for each in requirements requirements-dev requirements-uv; do $(RUN)/uv pip compile -q --universal --python-version 3.11 \
	  --generate-hashes --no-emit-index-url --no-header -o $$each.txt $$each.in; done

refresh: $(STAMP) ## Refresh golden files and generated schema and reference; then review the diff
	@$(RUN)/python -m partner_mesh.config.schema
	@$(RUN)/pytest -q -n 2 -m "not lab" --refresh-golden

clean: ## Remove what can be made again
	@rm -rf out .mypy_cache .ruff_cache .pytest_cache .hypothesis
