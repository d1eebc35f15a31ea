SHELL := /bin/bash
.DEFAULT_GOAL := help
ENV := source scripts/env.sh &&
LINTED := ruff-check,ruff-format,codespell,import-linter

.PHONY: help setup setup-torch demo closed-loop test test-all test-pythons lint docs linkcheck fuzz soak clean

help: ## show this
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

setup: ## make .venv with everything the demo needs, and build the ROS workspace
	@scripts/setup.sh

setup-torch: ## setup, and torch
	@scripts/setup.sh torch

demo: setup ## a person in a video, through a ROS graph: see out/demo; with VIEW=1: in a browser
	@$(ENV) python -m smplerx_ros.tools.demo $(if $(VIEW),--view,--out out/demo)

closed-loop: setup-torch ## render people, train a tiny network on them, measure it, let it estimate a clip: see out/closed_loop
	@$(ENV) python benchmarks/closed_loop.py

# $(LINTED) are pre-commit's hooks that the first line runs itself, with and without Git.
lint: setup ## ruff, codespell, the import contracts, mypy, and the file checks of pre-commit
	@$(ENV) ruff check . && ruff format --check . && codespell && lint-imports && mypy
	@$(ENV) if git rev-parse --git-dir >/dev/null; then SKIP=$(LINTED) pre-commit run --all-files; \
	  else echo "no git repository: the file checks of pre-commit were not run"; fi

docs: ## the documentation: out/docs/index.html
	@scripts/docs.sh

linkcheck: ## follow the links of the documentation to other sites; needs the network
	@scripts/docs.sh linkcheck

test: setup-torch lint docs ## every test but the slow ones
	@$(ENV) scripts/test.sh -m "not slow"

test-all: setup-torch lint docs ## every test
	@$(ENV) scripts/test.sh

test-pythons: ## the core's tests with Python 3.10 to 3.13, with the oldest and the newest packages: an hour, needs the network
	@scripts/test_pythons.sh core
	@scripts/test_pythons.sh ros

fuzz: setup ## any message and file, 3000 examples of each kind
	@$(ENV) SMPLERX_FUZZ_EXAMPLES=3000 python -m pytest test/fuzz

soak: setup ## people come and go, cameras drop out, time jumps: an hour, and everything stays level
	@$(ENV) python test/soak/soak.py --seconds 3600

clean: ## remove what setup, demo and tests made
	rm -rf .venv .cache .mypy_cache .pytest_cache .ruff_cache .hypothesis build install log dist mutants out *.egg-info
	find smplerx_ros test -name __pycache__ -type d -prune -exec rm -rf {} +
