"""Promotion: which model becomes the champion."""

import os
from collections.abc import Sequence

from autoencoders.core.errors import UserError
from autoencoders.core.paths import DATA, LEADERBOARD, MODELS
from autoencoders.data.prepared.prepared import Prepared, load_prepared
from autoencoders.evaluation.catalogue import (
    VALIDATION_EXPLAINED_VARIANCE,
    VALIDATION_SQUARED_ERROR,
)
from autoencoders.evaluation.row import Row, TrainedNetwork, read_rows
from autoencoders.params.params import Params, load_params
from autoencoders.registry.ledger import CHAMPION, Decision
from autoencoders.registry.registry import CHALLENGER, Registry
from autoencoders.tracking.runs import Runs


def register(runs: Runs, rows: Sequence[Row], data: Prepared, params: Params) -> list[str]:
    """Registers every trained model, lets the best one challenge the champion, and returns what was decided."""
    registry = Registry(runs.client, data.description.name)
    versions = registered(registry, runs, rows, params)
    listed = ", ".join(f"{kind} is version {version}" for kind, version in versions.items())
    best = winner(rows, params)
    message = f"{best} is the best on validation"
    if registry.champion() is not None and not may_promote(params):
        message += "; an experiment changes no champion (registry.promote); `ae registry promote --best` compares it"
    else:
        message += decided(
            registry.decide(versions[best], MODELS / best, data, params), versions[best]
        )
    return [f"{registry.name}: {listed}", message]


def registered(
    registry: Registry, runs: Runs, rows: Sequence[Row], params: Params
) -> dict[str, str]:
    """Returns each trained type's version, registered where it is not yet."""
    versions = {}
    for row in rows:
        kind = row.model
        if kind in params.kinds:
            run_id = runs.trained(MODELS / kind)
            rate = params.evaluate.false_alarm_rate
            versions[kind] = registry.add(MODELS / kind, run_id, row, runs.lineage(), rate)
    return versions


def decided(decision: Decision | None, version: str) -> str:
    """Returns the end of a sentence about the best type: what was decided of its version."""
    if decision is None:
        return f" and already @{CHAMPION}: version {version}"
    alias = CHAMPION if decision.action == "promoted" else CHALLENGER
    return f" and now @{alias}: version {version}: {decision.reason}"


def promote_best() -> str:
    """Compares the present state's best model with the champion, as a plain `dvc repro` does; returns what was decided.

    Raises UserError where the present state was not evaluated.
    """
    if not LEADERBOARD.exists():
        raise UserError(f"{LEADERBOARD}: no such file; `dvc repro` makes it")
    params, data, rows = load_params(), load_prepared(DATA), read_rows(LEADERBOARD)
    runs = Runs(data.description)
    registry = Registry(runs.client, data.description.name)
    versions = registered(registry, runs, rows, params)
    if not versions:
        raise UserError(
            f"{LEADERBOARD}: holds none of the types in params.yaml; `dvc repro` evaluates them"
        )
    best = winner(rows, params)
    decision = registry.decide(versions[best], MODELS / best, data, params)
    return f"{registry.name}: {best} is the best on validation" + decided(decision, versions[best])


def winner(rows: Sequence[Row], params: Params) -> str:
    """The type that is the best on validation, by `Tune.rank`; of equals, the first by name."""
    ranks = {}
    for row in rows:
        if row.model in params.kinds and isinstance(row.network, TrainedNetwork):
            error = row.value(VALIDATION_SQUARED_ERROR)
            variance = row.value(VALIDATION_EXPLAINED_VARIANCE)
            ranks[row.model] = params.tune.rank(row.network.code_size, error, variance)
    return min(ranks, key=lambda model: (ranks[model], model))


def may_promote(params: Params) -> bool:
    """Whether this run may change the champion: a plain `dvc repro` may, an experiment only where it is told to."""
    promote = params.registry.promote
    return "DVC_EXP_NAME" not in os.environ if promote == "auto" else promote
