#!/bin/sh
# Writes requirements.lock (what the pipeline needs) and requirements-dev.lock (what checks and tests add).
# torch's own CUDA packages and build tags are left out, so that pip takes the build that fits the machine.
set -eu
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
python3 -m venv "$scratch/venv"
frozen() { "$scratch/venv/bin/pip" freeze --exclude-editable --exclude autoencoders | grep -viE '^(nvidia-|cuda-|triton)' | sed 's/^torch==\([0-9.]*\).*/torch==\1/'; }
"$scratch/venv/bin/pip" install --quiet "torch==${TORCH:-2.13.0}" .
frozen > "$scratch/run"
"$scratch/venv/bin/pip" install --quiet '.[dev]'
frozen > "$scratch/dev"
cp "$scratch/run" requirements.lock
grep -vxFf "$scratch/run" "$scratch/dev" > requirements-dev.lock
