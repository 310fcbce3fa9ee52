# Everything is run as `.venv/bin/python -m ...`: the scripts that pip writes hold the absolute
# path of the checkout, which breaks when it is moved, is long, or has a space in it.

PYTHON ?= python3
PORT ?= 8001
DATA_DIR ?= .data
ONCE ?=
ARGS ?=
MINUTES ?= 10
TASKS ?= 10000
SEED ?=
RABBITMQ ?=
CLUSTER ?=
ROWS ?=
BACKLOG ?=

VENV_PYTHON := .venv/bin/python
PIP := $(VENV_PYTHON) -m pip --disable-pip-version-check
MANAGE := $(VENV_PYTHON) manage.py

.PHONY: help run test conformance chaos image bench bench-quick lint format openapi clean
.DEFAULT_GOAL := help

help:  ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' Makefile
	@echo
	@echo "  Variables: ONCE=1 PORT=8002 DATA_DIR=/path (run)   ARGS='-k name -x' (test)"
	@echo "             MINUTES=10 TASKS=10000 SEED=1 RABBITMQ=4 CLUSTER=1 (chaos)"
	@echo "             ROWS='1000000 10000000' BACKLOG=1000000 ARGS='--bars 1,3' (bench)"
	@echo "             PYTHON=/path/to/python3.12 (whatever makes .venv)"

run: .venv/embedded.stamp  ## Start the service here and show a circuit run; ONCE=1 stops after that
	@exec $(VENV_PYTHON) -m embedded --with-parent \
		--port "$(PORT)" --data-dir "$(DATA_DIR)" $(if $(filter-out 0,$(ONCE)),--once)

# Without that variable: each of some hundred processes would compile all modules anew.
test: .venv/dev.stamp  ## Run the tests against a PostgreSQL and a RabbitMQ of their own
	env -u PYTHONDONTWRITEBYTECODE $(VENV_PYTHON) -m pytest -n 3 $(ARGS)

conformance: .venv/dev.stamp  ## Run tests of Qiskit's and of the IBM Runtime client against the service
	$(VENV_PYTHON) -m pytest client/tests/conformance -m conformance -s -q $(ARGS)

chaos: .venv/dev.stamp  ## Kill, pause and cut off at random for minutes; writes chaos.md
	RABBITMQ="$(RABBITMQ)" MINUTES="$(MINUTES)" TASKS="$(TASKS)" SEED="$(SEED)" SLACK="$${SLACK:-1.2}" FAULTS_TABLE=chaos.md \
		$(VENV_PYTHON) -m pytest tasks_app/tests/faults tasks_app/tests/unit tasks_app/tests/system \
		-m "($(if $(RABBITMQ),long or faults,long)) $(if $(CLUSTER),or cluster,and not (cluster and long))" -s $(ARGS)

image: .venv/dev.stamp  ## Build the image without a registry and run the service from it; root on Debian
	$(VENV_PYTHON) -m pytest tasks_app/tests/system/test_image.py -m long -s $(ARGS)

bench: .venv/dev.stamp .venv-bench/stamp  ## Measure every speed bar; writes docs/performance.*
	$(VENV_PYTHON) -m benchmarks --write $(ARGS)
	$(if $(ROWS)$(BACKLOG),$(VENV_PYTHON) -m benchmarks.rows --write --rows $(ROWS) --backlog $(BACKLOG))
	$(VENV_PYTHON) -m benchmarks.report

bench-quick: .venv/dev.stamp .venv-bench/stamp  ## The same in two minutes; only prints
	$(VENV_PYTHON) -m benchmarks --quick $(ARGS)

# The settings of a production deployment, for the checks that look at settings.
lint: export SECRET_KEY = $(shell head -c 60 /dev/urandom | base64 | tr -d '\n+/=')
lint: export DEBUG = false
lint: export ALLOWED_HOSTS = example.org
lint: export HTTPS_ONLY = true
lint: export DATABASE_URL = postgres://nobody:nothing@127.0.0.1:9/nowhere
lint: export RABBITMQ_URL = amqp://nobody:nothing@127.0.0.1:9/
lint: .venv/dev.stamp  ## Check style, types, imports, migrations, settings and the API's description
	$(VENV_PYTHON) -m ruff check .
	$(VENV_PYTHON) -m ruff format --check .
	$(VENV_PYTHON) -m mypy
	$(VENV_PYTHON) -c "from importlinter.cli import lint_imports_command as check; check()"
	$(VENV_PYTHON) -W "ignore:Got an error checking a consistent migration history" \
		manage.py makemigrations --check --dry-run
	$(MANAGE) check --deploy --fail-level WARNING
	@$(MANAGE) spectacular --validate --fail-on-warn | diff -u docs/openapi.yaml - \
		|| { echo "docs/openapi.yaml is out of date: run 'make openapi'."; exit 1; }

format: .venv/dev.stamp  ## Rewrite the sources in the house style
	$(VENV_PYTHON) -m ruff check --fix .
	$(VENV_PYTHON) -m ruff format .

openapi: export SECRET_KEY = only-to-describe-the-api-0123456789
openapi: export DATABASE_URL = postgres://nobody:nothing@127.0.0.1:9/nowhere
openapi: export RABBITMQ_URL = memory://
openapi: .venv/dev.stamp  ## Write docs/openapi.yaml anew
	$(MANAGE) spectacular --validate --fail-on-warn --file docs/openapi.yaml

clean:  ## Remove what make made, but never your tasks (.data)
	rm -rf .venv .venv-bench .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.venv/embedded.stamp: requirements/base.txt requirements/constraints.txt requirements/embedded.txt
.venv/dev.stamp: requirements/base.txt requirements/constraints.txt requirements/embedded.txt requirements/tracing.txt requirements/dev.txt
.venv/%.stamp:
	@command -v "$(PYTHON)" >/dev/null || { echo "Quantum Tasks needs Python 3.11 or newer, \
	and '$(PYTHON)' is not on the PATH. Install it, or name one: make run PYTHON=/path/to/python3.12"; \
	exit 1; }
	@"$(PYTHON)" -c "import sys; sys.exit(sys.version_info < (3, 11))" || { echo "Quantum Tasks \
	needs Python 3.11 or newer, and '$(PYTHON)' is $$("$(PYTHON)" -V 2>&1). Install a newer one, or \
	name one: make run PYTHON=/path/to/python3.12"; exit 1; }
	@"$(PYTHON)" -c "import ensurepip, venv" 2>/dev/null || { echo "Python's venv module is \
	missing. On Debian and Ubuntu: sudo apt-get install python3-venv"; exit 1; }
	@$(PIP) --version >/dev/null 2>&1 || { echo "Making .venv ..."; "$(PYTHON)" -m venv --clear .venv; }
	@echo "Installing requirements/$*.txt into .venv (once; later starts skip this) ..."
	@$(PIP) install --root-user-action=ignore --requirement requirements/$*.txt
	@touch $@

# The reference service, plots and profiler of `make bench`: nothing that the product imports.
.venv-bench/stamp: benchmarks/requirements.txt requirements/constraints.txt
	@"$(PYTHON)" -m venv --clear .venv-bench
	@echo "Installing $< into .venv-bench (once) ..."
	@.venv-bench/bin/python -m pip --disable-pip-version-check install \
		--root-user-action=ignore --requirement $<
	@touch $@
