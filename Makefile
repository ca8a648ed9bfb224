# Python 3.11+ and make are the only prerequisites; everything else comes from the package index into this folder.
PYTHON ?= python3
VENV := .venv
UV := .uv/bin/uv
UV_VERSION := $(shell sed -n 's/^ *"uv==\(.*\)",/\1/p' pyproject.toml)
# One uv cache serves every environment of the checkout; pythons are never downloaded.
export UV_PYTHON_DOWNLOADS := never
IMAGE_LOCKS := $(wildcard pipelines/*/requirements.lock pipelines/*/*/requirements.lock pipelines/*/*/*/requirements.lock)

.PHONY: setup up test check bench down clean lock help

help: ## this list
	@awk -F':.*## ' '/^[a-z]+:.*## /{printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(VENV)/.ready ## install everything the project needs into .venv

up: setup ## deploy the platform on this machine and run the spine on real flights
	@$(VENV)/bin/mlp up --stack local --yes
	@$(VENV)/bin/mlp deploy --stack local
	@$(VENV)/bin/mlp run spine --stack local
	@$(VENV)/bin/mlp local status

test: setup ## every test that needs no account
	@$(VENV)/bin/pytest -n 2 --dist loadgroup -m "not aws and not gpu"

check: setup ## format, lint, types, import arrows
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/ruff check .
	$(VENV)/bin/lint-imports
	$(VENV)/bin/pyright

bench: setup ## measure; results under tests/bench/results
	@$(VENV)/bin/python -m tests.bench $(ONLY)

down: ## destroy the local platform and stop what runs
	@$(VENV)/bin/mlp destroy --stack local --yes
	@$(VENV)/bin/mlp local stop

clean: ## remove everything that setup and up made
	@if [ -x $(VENV)/bin/mlp ]; then $(VENV)/bin/mlp local stop; fi
	rm -rf $(VENV) .uv .mlp .pytest_cache .ruff_cache .hypothesis .import_linter_cache
	find pipelines -name .venv -type d -prune -exec rm -rf {} +

lock: setup ## resolve requirements.lock anew, here and in every image folder
	$(UV) pip compile -q pyproject.toml --group dev --universal --generate-hashes --no-annotate --custom-compile-command "make lock" -o requirements.lock
	@for lock in $(IMAGE_LOCKS); do \
		(cd $$(dirname $$lock) && $(abspath $(UV)) pip compile -q pyproject.toml --universal --generate-hashes --no-annotate --custom-compile-command "make lock" -o requirements.lock) || exit 1; done
	$(VENV)/bin/python -m tests.support.kafka lock

$(UV): pyproject.toml
	@echo "setup: uv $(UV_VERSION) into .uv"
	@$(PYTHON) -c 'import sys; sys.exit("mlp needs Python 3.11 or newer, got %d.%d: call make PYTHON=python3.11" % sys.version_info[:2] if sys.version_info < (3, 11) else 0)'
	@$(PYTHON) -m venv .uv && .uv/bin/pip install -q --disable-pip-version-check "uv==$(UV_VERSION)" && touch $@

$(VENV)/.ready: requirements.lock pyproject.toml $(UV)
	@echo "setup: packages into $(VENV)"
	@test -x $(VENV)/bin/python || $(UV) venv -q --python $(PYTHON) $(VENV)
	@$(UV) pip sync --python $(VENV) --require-hashes requirements.lock
	@$(UV) pip install -q --python $(VENV) --no-deps --no-build-isolation -e .
	@touch $@
