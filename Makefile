# `make demo` shows the avatar, `make test` passes the tests; both set up what they need.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DEMO_ARGS ?=
BENCH_ARGS ?=
TEST_ARGS ?=

# Hundreds of tests start Python: what it compiles is kept, whatever the caller has set.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help setup demo test weights lint bench soak fuzz sanitize lock lock-hashes config dist sbom bundle workflows clean

help:
	@sed -n 's/^## //p' $(MAKEFILE_LIST)

## make setup   a virtual environment in .venv with vtbridge in it
setup: $(VENV)/.installed

## make demo    the avatar, performing by itself, in the browser (DEMO_ARGS="--headless ...")
demo: $(VENV)/.installed
	$(BIN)/vtbridge demo $(DEMO_ARGS)

## make test    lint, types and every test, with a real OBS where it can be installed
test:
	$(MAKE) --no-print-directory --jobs 2 $(VENV)/.installed-dev .cache/.system-checked
	$(MAKE) --no-print-directory --jobs 2 lint weights
	$(BIN)/python -m pytest -n auto --dist loadfile --no-loadscope-reorder $(TEST_ARGS)

weights: $(VENV)/.installed-dev
	$(BIN)/vtbridge weights pull
	$(BIN)/vtbridge weights pull face-landmarker
	$(BIN)/vtbridge weights prepare --for openvino
	$(BIN)/vtbridge weights prepare --for onnxruntime

## make lint    ruff and mypy
lint: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

## make bench   what a frame costs on this machine, added to tests/bench/history.jsonl
bench: $(VENV)/.installed-dev
	@mkdir -p .cache
	$(BIN)/vtbridge bench --compare reference --live 20 --frames 60 --plot .cache/bench.html \
	  --history tests/bench/history.jsonl $(BENCH_ARGS)
	$(BIN)/python -m pytest -q -m bench tests/bench/test_bench_history.py

## make soak    an avatar for an hour while things break (MINUTES=60); build/soak/soak.html
MINUTES ?= 60
soak: $(VENV)/.installed-dev
	$(BIN)/python -m tests.soak --minutes $(MINUTES)

## make fuzz    coverage-guided fuzzing of every parser (SECONDS=300 for each, TARGETS=all)
SECONDS ?= 300
TARGETS ?= all
fuzz: $(VENV)/.installed-dev
	@$(BIN)/python -c 'import atheris' 2>/dev/null || $(BIN)/pip install --quiet 'atheris>=3' || true
	$(BIN)/python -m tests.fuzz $(TARGETS) --seconds $(SECONDS) --jobs 2

## make sanitize  the C extensions and the readers of segments under ASan and UBSan
sanitize: $(VENV)/.installed-dev
	$(BIN)/python -m tests.support.sanitized

## make lock    write the lock files anew from pyproject.toml
PIP_COMPILE := $(BIN)/pip-compile -q --strip-extras --no-header --no-annotate --no-emit-index-url --no-emit-find-links --no-emit-trusted-host
# By hash for every platform. Without torch and what its builds for GPUs bring: which build is
# right depends on the machine, and each has another hash.
UV_COMPILE := $(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --no-emit-index-url --no-emit-find-links
lock: $(VENV)/.installed-dev $(VENV)/.installed-release
	$(PIP_COMPILE) -o requirements.lock pyproject.toml
	$(PIP_COMPILE) --extra dev --extra onnx --extra train --extra cluster -o requirements-dev.lock pyproject.toml
	sed -i 's/^\(torch==[0-9.]*\)+.*/\1/' requirements.lock requirements-dev.lock # any build of it
	sed -i 's/^\(evdev\|python-xlib\)==[0-9.]*$$/& ; sys_platform == "linux"/' requirements-dev.lock
	$(MAKE) --no-print-directory lock-hashes

lock-hashes: $(VENV)/.installed-release
	$(UV_COMPILE) -c requirements.lock -o .cache/all.lock pyproject.toml > /dev/null
	awk '/^[a-z]/ { kept = !/^(torch|triton|nvidia-|cuda-)/ } kept' .cache/all.lock > requirements-hashed.lock
	$(UV_COMPILE) -c requirements-dev.lock --group release -o requirements-release.lock > /dev/null

## make dist    sdist and wheel in dist/, each checked
dist: $(VENV)/.installed-release
	rm -rf dist
	$(BIN)/python -m build --outdir dist
	$(BIN)/twine check --strict dist/*
	$(BIN)/check-wheel-contents dist/*.whl
	$(BIN)/abi3audit --strict dist/*.whl

## make sbom    dist/vtbridge.cdx.json: what a vtbridge consists of (CycloneDX)
sbom: $(VENV)/.installed-release
	@mkdir -p dist
	cat requirements-hashed.lock > dist/.parts.txt
	grep '^torch==' requirements.lock >> dist/.parts.txt
	$(BIN)/cyclonedx-py requirements dist/.parts.txt --pyproject pyproject.toml --output-reproducible \
	  -o dist/.parts.cdx.json
	$(BIN)/python .ci/sbom.py dist/.parts.cdx.json dist/vtbridge.cdx.json
	rm dist/.parts.*

## make bundle  dist/vtbridge-SYSTEM: all of vtbridge but training in one file, which needs no Python
BUNDLE := $(CURDIR)/.cache/bundle
BUNDLE_BIN := $(BUNDLE)/venv/bin
bundle: $(VENV)/.installed-release
	rm -rf $(BUNDLE)
	$(BIN)/python -m build --wheel --outdir $(BUNDLE)
	$(PYTHON) -m venv $(BUNDLE)/venv
	$(BUNDLE_BIN)/pip install --quiet --no-deps --require-hashes -r requirements-hashed.lock
	$(BUNDLE_BIN)/pip install --quiet --no-deps --require-hashes -r requirements-release.lock
	$(BUNDLE_BIN)/pip install --quiet --no-deps $(BUNDLE)/*.whl
	VTBRIDGE_WEIGHTS_DIR=$(BUNDLE)/weights $(BIN)/vtbridge weights pull
	VTBRIDGE_WEIGHTS_DIR=$(BUNDLE)/weights $(BUNDLE_BIN)/pyinstaller --noconfirm --clean --log-level WARN \
	  --distpath $(BUNDLE)/made --workpath $(BUNDLE)/work .ci/bundle.spec
	mkdir $(BUNDLE)/home
	cd $(BUNDLE)/home && HOME=$(BUNDLE)/home $(BUNDLE)/made/vtbridge-* demo --headless --seconds 4 --json
	mkdir -p dist && mv $(BUNDLE)/made/vtbridge-* dist/

## make workflows  whether .github/workflows follows its schema
workflows: $(VENV)/.installed-release
	$(BIN)/check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml

## make config  write config.toml anew from the schema
config: $(VENV)/.installed
	$(BIN)/vtbridge config show > config.toml

## make clean   remove what was built, but not the weights
clean:
	rm -rf $(VENV) build dist .cache *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find vtbridge -name '*.so' -delete

$(VENV)/bin/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "vtbridge needs Python 3.11 or later: make PYTHON=python3.12 ...")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --upgrade pip "setuptools>=77" wheel

C_SOURCES := $(shell find vtbridge integrations -name '*.[ch]')

$(VENV)/.installed: requirements.lock pyproject.toml setup.py $(C_SOURCES) | $(VENV)/bin/python
	$(BIN)/pip install --progress-bar on -r requirements.lock
	$(BIN)/pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

# Installed without what they ask for; the file says why.
PLUGIN_LIBRARIES := tests/data/vts/requirements.txt

$(VENV)/.installed-dev: requirements-dev.lock $(PLUGIN_LIBRARIES) $(VENV)/.installed
	$(BIN)/pip install --quiet -r requirements-dev.lock
	$(BIN)/pip install --quiet --no-deps -r $(PLUGIN_LIBRARIES)
	@touch $@

# The tools that make a release, none of which runs in a user's vtbridge.
$(VENV)/.installed-release: requirements-release.lock $(VENV)/.installed
	$(BIN)/pip install --quiet --require-hashes -r requirements-release.lock
	@touch $@

# The integration tests run a real OBS and a real browser, synthetic voices and other
# people's senders. On Debian and Ubuntu, as root, they are installed; elsewhere the tests
# that need them say that they were skipped.
TEST_PACKAGES := obs-studio obs-plugins libobs-dev cmake xvfb xauth libgl1-mesa-dri libegl1 \
  libegl-mesa0 libglx-mesa0 xdotool espeak-ng libportaudio2 liblo-tools jackd2
APT_INSTALL := DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends

.cache/.system-checked: Makefile
	@mkdir -p .cache
	@if command -v obs >/dev/null && command -v Xvfb >/dev/null && command -v chromium >/dev/null && \
	    command -v espeak-ng >/dev/null && command -v oscsend >/dev/null && \
	    command -v cmake >/dev/null && command -v jackd >/dev/null && command -v xdotool >/dev/null && \
	    test -e /usr/include/obs/obs-module.h && ldconfig -p | grep -q libEGL.so.1; then \
	  touch $@; \
	elif command -v apt-get >/dev/null && [ "$$(id -u)" = 0 ]; then \
	  apt-get update -qq && $(APT_INSTALL) $(TEST_PACKAGES) && touch $@; \
	  $(APT_INSTALL) chromium || echo "No package called chromium here: its tests will be skipped."; \
	else \
	  echo "OBS, its headers, CMake, Xvfb, xdotool, Chromium, espeak-ng, oscsend, jackd or EGL is missing:"; \
	  echo "the tests that need them will be skipped."; \
	  echo "On Debian or Ubuntu: sudo apt-get install $(TEST_PACKAGES) chromium"; \
	fi
