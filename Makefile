# Everything a developer or a newcomer runs.  Needs Python >= 3.11 and nothing else; makes its own .venv.
PYTHON ?= python3
# Every run draws its own seed and shows it in the command line; repeat one with: make unit SEED=...
SEED ?= $(shell od -An -N3 -tu4 /dev/urandom | tr -d " ")
VENV := .venv
BIN := $(VENV)/bin
RUN := $(BIN)/python -m
# The tools that check infrastructure code: about 1.5 GB, so they have an environment of their own.
IAC := .venv-iac
NODE := tests/iac/node
ENGINES := .venv-engines

.PHONY: demo test test-iac test-engines coverage lint type imports unit packaging bench lock lock-iac lock-engines clean format goldens
.DEFAULT_GOAL := test

# One environment for users' extras and development, made anew when the lock or the metadata change.
$(VENV)/.ready: requirements-dev.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "mantle-iam needs Python 3.11 or newer; use: make PYTHON=python3.12 ...")'
	$(PYTHON) -m venv --clear $(VENV)
	$(RUN) pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	$(RUN) pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

demo: $(VENV)/.ready ## set everything up and run the main job, without an AWS account
	@$(BIN)/mantle-iam demo

test: lint type imports unit packaging ## all checks

lint: $(VENV)/.ready
	$(RUN) ruff check .
	$(RUN) ruff format --check .

type: $(VENV)/.ready
	$(RUN) mypy

imports: $(VENV)/.ready
	$(BIN)/lint-imports

# Tests that start processes and servers are left to the stage below, so that this one stays within minutes.
unit: $(VENV)/.ready
	$(RUN) pytest -n 2 -m "not slow" --hypothesis-seed=$(SEED) --ignore=tests/test_packaging.py

# Tracing branches doubles the time of the tests, which is more than everybody should wait for.
coverage: $(VENV)/.ready ## all tests, the slow ones too, with branch coverage
	$(RUN) pytest -n 2 --hypothesis-seed=0 --cov --cov-report=term --ignore=tests/test_packaging.py

packaging: $(VENV)/.ready
	$(RUN) pytest tests/test_packaging.py

# What a machine does not have (terraform, node) is named in the last lines; with STRICT=1 that is a failure.
test-iac: $(VENV)/.ready $(IAC)/.ready $(NODE)/node_modules/.ready ## the heavy checks: terraform, cfn-lint, CDK, Pulumi, real scripts
	MANTLE_IAM_IAC_ENV=$(abspath $(IAC)) MANTLE_IAM_IAC_STRICT=$(STRICT) $(RUN) pytest -n 2 --dist loadgroup -m iac tests/iac

$(IAC)/.ready: requirements-iac.lock
	$(PYTHON) -m venv --clear $(IAC)
	$(IAC)/bin/python -m pip install --quiet --disable-pip-version-check --no-compile --require-hashes -r requirements-iac.lock
	@touch $@

$(NODE)/node_modules/.ready: $(NODE)/package-lock.json
	@if ! command -v npm >/dev/null; then echo "no npm: what needs it is not checked" >&2; \
	elif npm ci --prefix $(NODE) --ignore-scripts --no-audit --no-fund --loglevel=error \
	  --fetch-retries=3 --fetch-retry-maxtimeout=10000 --fetch-timeout=60000; then touch $@; \
	else echo "npm could not install the packages: what needs them is not checked" >&2; rm -rf $(@D); fi

test-engines: $(VENV)/.ready $(ENGINES)/.ready ## Ray and Parquet, in an environment of their own
	MANTLE_IAM_ENGINES_ENV=$(abspath $(ENGINES)) $(RUN) pytest tests/engines

$(ENGINES)/.ready: requirements-engines.lock
	$(PYTHON) -m venv --clear $(ENGINES)
	$(ENGINES)/bin/python -m pip install --quiet --disable-pip-version-check --no-compile --require-hashes -r requirements-engines.lock
	@touch $@

bench: $(VENV)/.ready ## figures: ratios within one run
	$(RUN) benchmarks

format: $(VENV)/.ready
	$(RUN) ruff check --fix .
	$(RUN) ruff format .

goldens: $(VENV)/.ready ## renew golden files, then read the diff
	MANTLE_IAM_RENEW_GOLDENS=1 $(RUN) pytest -q -m "not slow"

lock: ## renew requirements-dev.lock
	$(PYTHON) -m venv --clear .venv-lock
	.venv-lock/bin/pip install --quiet --disable-pip-version-check uv
	.venv-lock/bin/uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-emit-find-links --python-version 3.11 \
	  --extra emulator --extra iac --extra dask --group dev --custom-compile-command "make lock" -o requirements-dev.lock pyproject.toml
	rm -rf .venv-lock

lock-iac: ## renew requirements-iac.lock
	$(PYTHON) -m venv --clear .venv-lock
	.venv-lock/bin/pip install --quiet --disable-pip-version-check uv
	.venv-lock/bin/uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-emit-find-links --python-version 3.11 \
	  --custom-compile-command "make lock-iac" -o requirements-iac.lock tests/iac/requirements.in
	rm -rf .venv-lock

lock-engines: ## renew requirements-engines.lock
	$(PYTHON) -m venv --clear .venv-lock
	.venv-lock/bin/pip install --quiet --disable-pip-version-check uv
	.venv-lock/bin/uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-emit-find-links --python-version 3.11 \
	  --custom-compile-command "make lock-engines" -o requirements-engines.lock pyproject.toml tests/engines/requirements.in
	rm -rf .venv-lock

clean:
	rm -rf $(IAC) $(ENGINES) $(NODE)/node_modules
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis dist build
