# Needs make and Python 3.11 or later with venv; everything else is fetched once.
# Another Python: make PYTHON=python3.12 demo

PYTHON ?= python3
PY := .venv/bin/python
TESTS ?= tests
WORKERS ?= 2
SEED ?= 0
RECORDS ?= 1000000
PLAYHEAD_CACHE ?= $(HOME)/.cache/playhead
AIRFLOW = $(PLAYHEAD_CACHE)/airflow-$(shell ($(PYTHON) -V; cat requirements-airflow.txt) | cksum | cut -d " " -f 1)

.DEFAULT_GOAL := help
.PHONY: help setup ready airflow demo test check chaos bench fuzz package clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: .venv/installed ## Install into .venv, find or install Java, fetch the jars (part of demo, test, bench)
	@$(PY) -m jobs.setup

ready: setup
	@$(PY) -m jobs.setup --class-archive

demo: setup ## Everything, on real viewing data; ends with build/demo/report.html
	$(PY) -m jobs.demo

airflow: setup ## Airflow, for scheduling, into an environment of its own in the cache (part of test)
	@test -e $(AIRFLOW)/installed || $(MAKE) --no-print-directory $(AIRFLOW)/installed
	@ln -sfn $(AIRFLOW) .venv-airflow
	@$(PY) -m jobs.setup --spark-conf build/spark >/dev/null

test: airflow ready ## All tests, slow ones included; some of them: make test TESTS=tests/unit
	$(PY) -m pytest --numprocesses $(WORKERS) --dist loadfile --no-loadscope-reorder \
		--durations 40 --durations-min 20 $(TESTS)

check: .venv/installed ## Format, lint, types, contracts, and that every test can be imported
	$(PY) -m ruff format --check .
	$(PY) -m ruff check .
	$(PY) -m mypy
	$(PY) -m jobs.contracts check
	$(PY) -m pytest --collect-only --quiet --quiet tests

chaos: ready ## Kill jobs and broker at random, then compare with the oracle: make chaos SEED=7
	$(PY) -m tests.e2e.chaos --seed $(SEED)

bench: ready ## Benchmarks, each writing build/bench/<name>.json; one of them: make bench SCENARIO=ingest
	$(PY) -m tests.benchmarks.run $(SCENARIO)

fuzz: ready ## Broken and sound records through refine, judged once more: make fuzz SEED=2 RECORDS=200000
	$(PY) -m tests.e2e.fuzz --seed $(SEED) --records $(RECORDS)

package: setup ## What spark-submit needs in build/package, and the lines that submit each kind of job
	@$(PY) -m jobs.package

clean: ## Remove what was built here, .venv included; the jars in the cache stay
	rm -rf .venv .venv.lock .venv-airflow build dist *.egg-info .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.venv/installed: pyproject.toml constraints.txt install.py
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	{ echo 'error: playhead needs Python 3.11 or later -> install one, or: make PYTHON=python3.12' >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
	{ echo 'error: this Python has no venv -> Debian, Ubuntu: apt-get install python3-venv' >&2; exit 1; }
	$(PYTHON) install.py .venv -c constraints.txt -e '.[dev]'

$(AIRFLOW)/installed:
	$(PYTHON) install.py $(@D) --no-deps -r requirements-airflow.txt
