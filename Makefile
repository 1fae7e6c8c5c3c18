# Ember: what a person types. Everything it needs it installs itself, outside the tree where it is large.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
PY := .venv/bin/python
LOCAL := $(PY) -m local

.PHONY: help setup up down purge status images reload install demo test unit contract apiserver e2e lint generate bench bench-start bench-stages bench-rate bench-refill soak kubeconfig store-env

help: ## this list
	@awk -F':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# The stamp holds the hash of what it was made from, so that a changed requirement makes it anew.
.venv/.stamp: pyproject.toml requirements.txt
	@python3 -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Ember needs Python 3.11 or later")'
	@echo "installing the Python packages of the development environment" >&2
	@python3 -m venv .venv
	@.venv/bin/python -m pip install --quiet --disable-pip-version-check uv
	@.venv/bin/uv pip install --quiet --python .venv/bin/python --requirement requirements.txt
	@.venv/bin/uv pip install --quiet --python .venv/bin/python --no-deps --editable .
	@touch $@

setup: .venv/.stamp ## the Python environment (.venv)

up: setup ## a Kubernetes cluster on this machine
	@$(LOCAL) up

down: setup ## remove that cluster, leaving nothing behind
	@$(LOCAL) down

purge: setup ## remove the cluster and the images it keeps between starts
	@$(LOCAL) down --purge

status: setup ## what of the cluster runs
	@$(LOCAL) status

kubeconfig: setup ## print the path of its kubeconfig
	@$(LOCAL) kubeconfig

store-env: setup ## print the demo store's endpoint and keys as AWS_...= lines
	@$(LOCAL) store-env

images: up ## build and push Ember's images
	@$(LOCAL) images

install: up ## images, demo store and the chart on the cluster
	@$(LOCAL) install

reload: setup ## bring a change of Ember's Python code into the running cluster
	@$(LOCAL) reload

demo: setup ## the main job, for real: cluster, Ember, a store with data, three Spark runs
	@$(LOCAL) demo

test: lint unit contract cluster-tests ## all tests; needs what `make demo` needs

unit: setup ## tests without a cluster
	@$(PY) -m pytest tests/unit -q

contract: setup ## tests against real Spark and a real S3 server, without a cluster
	@$(PY) -m pytest tests/contract -q

.PHONY: cluster-tests
cluster-tests: install ## tests on the cluster: the API server's and end to end
	@$(PY) -m pytest tests/apiserver tests/e2e -q

apiserver: install ## the API server's tests only
	@$(PY) -m pytest tests/apiserver -q

e2e: install ## the end-to-end tests only
	@$(PY) -m pytest tests/e2e -q

lint: setup ## ruff, mypy --strict, import-linter, generated files up to date
	@.venv/bin/ruff check --quiet . && .venv/bin/ruff format --check --quiet .
	@.venv/bin/mypy operator/src local tests charts
	@.venv/bin/lint-imports
	@$(PY) -m ember.model.crd --check
	@$(PY) charts/generate.py --check

generate: setup ## make the CRDs and the reference documentation from the models again
	@$(PY) -m ember.model.crd
	@$(PY) -m ember.telemetry.reference > docs/reference/metrics.md
	@$(PY) charts/generate.py

bench: bench-start bench-stages bench-rate bench-refill ## all benchmarks of a quiet machine

bench-start: install ## time from a JobRun's creation to its first task, beside plain spark-submit
	@$(PY) -m tests.bench.start

bench-stages: install ## executors over time beside what the stages of a job can use
	@$(PY) -m tests.bench.stages

bench-rate: install ## runs per minute when many are submitted at once
	@$(PY) -m tests.bench.rate

bench-refill: install ## how much a refill of a pool slows down a job beside it
	@$(PY) -m tests.bench.refill

soak: install ## 200 mixed runs with faults (20 minutes of faults, about 45 on two cores), and what must hold over their whole history
	@$(PY) -m tests.soak.soak
