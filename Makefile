# Apportion. `make` alone prints what there is.
# Needs Python 3.11 to 3.13, make and git; everything else goes into .venv on first use.

# Folder of everything that a run makes; the input: your own (LANDING) or a bundled one (DATASET).
DATA ?= data
LANDING ?=
DATASET ?= complete_journey
# Day to judge as of, YYYY-MM-DD; empty: the last day of the data.
DATE ?=
# 1: rebuild every model from raw.
FULL_REFRESH ?=
# Where `make airflow` listens, on 127.0.0.1 only.
PORT ?= 8080
# The interpreter that .venv is made from; empty: the newest that fits.
PYTHON ?=

export DO_NOT_TRACK := 1
export DBT_SEND_ANONYMOUS_USAGE_STATS := false
export GX_ANALYTICS_ENABLED := false
export SCARF_ANALYTICS := false
export PIP_DISABLE_PIP_VERSION_CHECK := 1

BIN := .venv/bin
# Written last: the environment is complete and as new as what it was made from.
ENVIRONMENT := .venv/complete
# Folder of the night on the small world that the tests run.
SMALL := data/test
FITS := import sys, venv, ensurepip; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))

.DEFAULT_GOAL := help
.PHONY: help environment run airflow doctor test faults soak unit accuracy bench bench-load bench-nights bench-training lint format report docs metrics lock audit clean

help: ## Print this
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' Makefile
	@echo
	@echo 'make run takes DATASET=complete_journey or LANDING=dir, and DATA=dir, DATE=YYYY-MM-DD,'
	@echo 'FULL_REFRESH=1. When it stops, the number after "Error" is the exit status of the night:'
	@echo '1 failed, 2 wrong usage, 3 a gate said no (nothing was published), 4 the warehouse is busy.'

environment: $(ENVIRONMENT) ## Make .venv: every package at its version and hash

$(ENVIRONMENT): requirements.txt pyproject.toml
	@python='$(PYTHON)'; \
	for candidate in $$python python3.13 python3.12 python3.11 python3; do \
	    if "$$candidate" -c '$(FITS)' 2> /dev/null; then python=$$candidate; break; fi; \
	    if [ -n '$(PYTHON)' ]; then python=; break; fi; \
	    python=; \
	done; \
	if [ -z "$$python" ]; then \
	    echo 'error: no Python 3.11, 3.12 or 3.13 with venv and ensurepip found $(PYTHON)' >&2; \
	    echo 'next:  install one (Debian: apt install python3 python3-venv), or make PYTHON=path' >&2; \
	    exit 1; \
	fi; \
	echo "making .venv with $$($$python -V); this takes a minute or two, once"; \
	mkdir -p .venv; \
	{ $$python -m venv .venv \
	    && $(BIN)/python -m pip install --no-deps --require-hashes -r requirements.txt \
	    && $(BIN)/python -m pip install --no-deps --no-build-isolation -e .; } \
	    > .venv/install.log 2>&1 \
	    || { tail -n 20 .venv/install.log; echo 'error: .venv is not complete: .venv/install.log' >&2; exit 1; }
	@touch $(ENVIRONMENT)

run: $(ENVIRONMENT) ## One night through Airflow, published, with a summary
	@$(BIN)/apportion run --airflow --data '$(DATA)' \
	    $(if $(LANDING),--landing '$(LANDING)',--dataset '$(DATASET)') \
	    $(if $(DATE),--date '$(DATE)') $(if $(filter 1,$(FULL_REFRESH)),--full-refresh)

airflow: $(ENVIRONMENT) ## Airflow with the DAGs scheduled, on 127.0.0.1, until Ctrl-C
	@$(BIN)/apportion airflow --data '$(DATA)' $(if $(LANDING),--landing '$(LANDING)') --port $(PORT)

test: $(ENVIRONMENT) lint unit ## Lint, a night with unit and data tests on a small world, pytest
	@$(BIN)/python -m pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder

# One night on the small world with every data test, then the unit tests, which read its columns.
unit: $(ENVIRONMENT)
	@rm -rf $(SMALL)
	@$(BIN)/python tests/python/small_world.py $(SMALL)/landing
	@$(BIN)/apportion run --data $(SMALL)
	@$(BIN)/apportion dbt --data $(SMALL) --quiet test --select test_type:unit

soak: $(ENVIRONMENT) ## More than make test: random nights against full refreshes (RUNS=10), fuzzed files (FILES=10000)
	@APPORTION_SOAK=$(or $(RUNS),10) $(BIN)/python -m pytest tests/python/test_nights.py
	@APPORTION_FUZZ=$(or $(FILES),10000) $(BIN)/python -m pytest -s tests/python/test_fuzz.py

bench-load: $(ENVIRONMENT) ## Loading and staging 10 million events against DuckDB merely reading them
	@$(BIN)/python tests/bench/bench_load.py

bench-nights: $(ENVIRONMENT) ## One more day against a full refresh of 10 million events (USERS=24000 DAYS=365)
	@$(BIN)/python tests/bench/bench_nights.py --users $(or $(USERS),24000) --days $(or $(DAYS),365)

bench-training: $(ENVIRONMENT) ## The weekly training of 200,000 people, and a million clusters told by SQL (PEOPLE=200000)
	@$(BIN)/python tests/bench/bench_training.py --people $(or $(PEOPLE),200000)

bench: $(ENVIRONMENT) data/bench/peers/complete ## Time and memory next to the peers, into docs/benchmarks.md (SIZES='100000 1000000')
	@$(BIN)/python tests/bench/bench.py $(SIZES)

data/bench/peers/complete: tests/bench/peers.txt
	@mkdir -p data/bench && python3 -m venv data/bench/peers
	@data/bench/peers/bin/python -m pip install -q -r tests/bench/peers.txt
	@touch $@

accuracy: $(ENVIRONMENT) ## How well predictions tell buyers (FILE=online_shoppers_intention.csv), 20 minutes
	@$(BIN)/python tests/bench/accuracy_segments.py '$(FILE)'

lint: $(ENVIRONMENT) audit ## ruff, sqlfluff, dbt parse and known weaknesses of packages; changes nothing
	@mkdir -p $(SMALL)
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/apportion dbt --data $(SMALL) --quiet --warn-error parse
	@mkdir -p data/lint && APPORTION_DATA=data/lint $(BIN)/sqlfluff lint --disable-progress-bar models $(wildcard tests/*/assert_*.sql)

format: $(ENVIRONMENT) ## Rewrite Python and SQL in the style that lint asks for
	@$(BIN)/ruff check --fix
	@$(BIN)/ruff format
	@mkdir -p data/lint && APPORTION_DATA=data/lint $(BIN)/sqlfluff fix --disable-progress-bar models $(wildcard tests/*/assert_*.sql)

doctor: $(ENVIRONMENT) ## Is everything there that a night needs? Each line says how to mend it
	@$(BIN)/apportion doctor --data '$(DATA)' $(if $(LANDING),--landing '$(LANDING)')

faults: $(ENVIRONMENT) ## Kill real nights at random (COUNT=200 SEED=1), and each step at every fault point
	@$(BIN)/python tests/python/faults.py --count $(or $(COUNT),200) --seed $(or $(SEED),1)
	@APPORTION_FAULTS=all $(BIN)/python -m pytest -s tests/python/test_faults.py

report: $(ENVIRONMENT) ## Open the report of the published version in the browser
	@$(BIN)/apportion report --data '$(DATA)'

docs: $(ENVIRONMENT) ## Open the documentation of every model, of the published version
	@$(BIN)/apportion docs --data '$(DATA)'

# MetricFlow shares the packages of .venv and brings eight of its own, in a folder of its own: nothing else needs them.
METRICFLOW := data/metricflow
metrics: $(METRICFLOW)/complete ## Ask the published version's metrics (QUERY='--metrics cpa,roas --group-by channel')
	@cd '$(DATA)/published/semantic' && DBT_TARGET_PATH='$(abspath $(METRICFLOW))/target' \
	    DBT_LOG_PATH='$(abspath $(METRICFLOW))/logs' '$(abspath $(METRICFLOW))/bin/mf' $(if $(QUERY),query $(QUERY),list metrics)

$(METRICFLOW)/complete: $(ENVIRONMENT) tests/python/metricflow.txt
	@rm -rf $(METRICFLOW) && mkdir -p data && $(BIN)/python -m venv $(METRICFLOW)
	@$(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))' \
	    > "$$($(METRICFLOW)/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/base.pth"
	@$(METRICFLOW)/bin/python -m pip install -q --no-deps -r tests/python/metricflow.txt
	@touch $@

# uv is taken from the package index into a folder of its own: it is needed for this alone.
lock: ## Compile pyproject.toml to requirements.txt, with every version and hash
	@python3 -m venv data/lock && data/lock/bin/pip install -q uv==0.13.9
	@data/lock/bin/uv pip compile -q --universal --python-version 3.11 --generate-hashes \
	    --no-strip-extras --no-emit-index-url --no-header --extra dev pyproject.toml -o requirements.txt

audit: $(ENVIRONMENT) ## Known weaknesses of the packages in requirements.txt; passes where it cannot ask
	@$(BIN)/python tests/audit.py

clean: ## Remove caches and what tests made; never the warehouse
	@rm -rf $(SMALL) data/faults data/lint data/lock target logs .pytest_cache .ruff_cache .hypothesis
