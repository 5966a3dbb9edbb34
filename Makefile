# Outward. `make run` starts everything, `make test` tests everything; both install what they need.
# PYTHON: a Python of 3.11 or newer. OUTWARD_PORT, OUTWARD_VAR and the rest: see README.md.

SHELL := /bin/sh
OLD := import sys; sys.exit(sys.version_info < (3, 11))
ifndef PYTHON
PYTHON := $(shell for python in python3 python3.11 python3.12 python3.13 python3.14; do \
	"$$python" -c "$(OLD)" 2>/dev/null && { command -v "$$python"; break; }; done)
endif
BIN := .venv/bin
PYTEST := $(BIN)/python -m pytest

.PHONY: run test check bench fmt setup clean

run: setup
	@OUTWARD_STOP_WITH_PARENT=1 exec $(BIN)/python manage.py up

test: setup
	@mkdir -p var/coverage
	@$(PYTEST) -n 2 --dist loadfile --no-loadscope-reorder --cov --cov-report=term --cov-report=html $(ARGS)

check: setup
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/djlint --lint --quiet templates
	$(BIN)/python manage.py makemigrations --check --dry-run
	OUTWARD_PRODUCTION=1 OUTWARD_BASE_DOMAIN=example.org \
	OUTWARD_DATABASE_URL=postgresql://outward@db.example.org/outward \
	OUTWARD_KEYS_DATABASE_URL=postgresql://outward@keys.example.org/outward_keys \
	OUTWARD_REDIS_URL=redis://stream.example.org/0 \
	OUTWARD_TRUSTED_PROXIES=10.0.0.0/8 \
	OUTWARD_SECRET_KEY=$$($(BIN)/python -c 'import secrets; print(secrets.token_urlsafe(64))') \
	OUTWARD_ROOT_KEY=$$($(BIN)/python -c 'import base64, os; print(base64.b64encode(os.urandom(32)).decode())') \
	$(BIN)/python manage.py check --deploy --fail-level WARNING

bench: setup
	@$(BIN)/python manage.py bench $(ARGS)

fmt: setup
	$(BIN)/ruff check --fix-only --quiet .
	$(BIN)/ruff format .

setup:
	@if [ -z "$(PYTHON)" ] || ! "$(PYTHON)" -c "$(OLD)" 2>/dev/null; then \
		echo "Outward needs Python 3.11 or newer; $(or $(PYTHON),python3) is $$("$(or $(PYTHON),python3)" -c 'import platform; print(platform.python_version())' 2>/dev/null || echo missing). Install one, or name it: make run PYTHON=/path/to/python3.11" >&2; \
		exit 1; \
	fi
	@"$(PYTHON)" -I agency/bootstrap.py

clean:
	@printf 'This deletes var/ with all databases and keys of this checkout. Type yes: '; \
	read -r answer && [ "$$answer" = yes ] || { echo 'Nothing deleted.'; exit 1; }; \
	rm -rf var .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache && echo 'Deleted.'
