SHELL := /bin/bash
.DEFAULT_GOAL := help
ENV := source scripts/env.sh &&

.PHONY: help setup setup-torch demo test test-all lint clean

help: ## show this
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

setup: ## make .venv with everything the demo needs, and build the ROS workspace
	@scripts/setup.sh

setup-torch: ## setup, and torch
	@scripts/setup.sh torch

demo: setup ## a person in a video, through a ROS graph: see out/demo; with VIEW=1: in a browser
	@$(ENV) python -m smplerx_ros.ros.demo $(if $(VIEW),--view,--out out/demo)

lint: setup ## ruff and mypy
	@$(ENV) ruff check . && ruff format --check . && mypy

test: setup-torch lint ## every test but the slow ones
	@$(ENV) python -m pytest -m "not slow"

test-all: setup-torch lint ## every test
	@$(ENV) python -m pytest

clean: ## remove what setup, demo and tests made
	rm -rf .venv .cache .mypy_cache .pytest_cache .ruff_cache .hypothesis build install log dist out *.egg-info
	find smplerx_ros test -name __pycache__ -type d -prune -exec rm -rf {} +
