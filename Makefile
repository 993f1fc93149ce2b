# Two commands carry the rest: `make demo` and `make test`. Both do all set-up themselves.
PYTHON ?= python3.11
# pyenv leaves shims of versions that it cannot start: try each.
WEBUI_PYTHON ?= $(shell for p in python3.10 $$HOME/.pyenv/versions/3.10.*/bin/python python3.11; do "$$p" -c 'import sys' >/dev/null 2>&1 && echo "$$p" && break; done)
BIN := .venv/bin
# One thread per test process: two processes with two threads each only get in each other's way on two cores.
TEST_ENV := OMP_NUM_THREADS=1 MKL_NUM_THREADS=1 HF_HUB_OFFLINE=1 TOKENIZERS_PARALLELISM=false
PYTEST := $(TEST_ENV) $(BIN)/python -m pytest -n 2 --dist loadfile

.PHONY: setup ui demo test test-slow test-webui-env test-tab test-ui lint bench docs lock clean

setup: .venv/ready

.venv/ready: requirements/standalone.lock requirements/no-deps.lock
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements/standalone.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps -r requirements/no-deps.lock
	touch $@

demo: setup
	OMP_WAIT_POLICY=PASSIVE HF_HUB_OFFLINE=1 $(BIN)/python -m demo.film --out out

test: setup
	$(PYTEST) -m "not slow"

test-slow: setup
	$(PYTEST) -m slow

# The rooms that live inside the WebUI, with the WebUI's versions of gradio, fastapi, pydantic and numpy.
.venv-webui/ready: requirements/webui.lock
	$(WEBUI_PYTHON) -m venv .venv-webui
	.venv-webui/bin/python -m pip install --quiet --disable-pip-version-check -r requirements/webui.lock
	touch $@

test-webui-env: .venv-webui/ready
	$(TEST_ENV) .venv-webui/bin/python -m pytest -m "not slow" tests/timeline tests/settings tests/media tests/api tests/ui tests/webui

# A page, its server and the test share two cores: what has waited in vain is tried again, by itself, twice. In a process
# of its own, so that a test whose browser answers no more ends with that process and counts as failed.
BROWSER := -n 1 -o timeout=180 -o timeout_method=thread
define in-browser
$(TEST_ENV) $(1) -m pytest $(BROWSER) $(2) \
	|| $(TEST_ENV) $(1) -m pytest $(BROWSER) $(2) --last-failed --last-failed-no-failures none \
	|| $(TEST_ENV) $(1) -m pytest $(BROWSER) $(2) --last-failed --last-failed-no-failures none
endef

# The tab in a browser, every test, with the WebUI's gradio and an engine that paints.
.venv-tab/ready: requirements/webui.lock requirements/webui-torch.lock
	$(PYTHON) -m venv .venv-tab
	.venv-tab/bin/python -m pip install --quiet --disable-pip-version-check -r requirements/webui.lock
	.venv-tab/bin/python -m pip install --quiet --disable-pip-version-check --no-deps -r requirements/webui-torch.lock
	touch $@

test-tab: .venv-tab/ready
	$(call in-browser,.venv-tab/bin/python,tests/ui tests/browser)

# The tab without a WebUI, on current gradio.
ui: .venv/ui-ready

.venv/ui-ready: .venv/ready requirements/ui.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps -r requirements/ui.lock
	touch $@

test-ui: ui
	$(call in-browser,$(BIN)/python,tests/ui tests/browser/test_first_film.py tests/browser/test_first_screen.py tests/browser/test_presets.py)

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m lib_anim reference docs/reference --check

docs: setup
	$(BIN)/python -m lib_anim reference docs/reference

bench: setup
	for bench in $(filter-out benchmarks/films.py benchmarks/memory.py,$(wildcard benchmarks/*.py)); do echo "== $$bench"; PYTHONPATH=. $(BIN)/python $$bench || exit 1; done

clean:
	rm -rf .venv .venv-webui .venv-tab out
