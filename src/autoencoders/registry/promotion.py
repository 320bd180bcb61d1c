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
from autoencoders.registry.decision import CHAMPION, PROMOTED, Decision
from autoencoders.registry.registry import CHALLENGER, Registry
from autoencoders.tracking.evaluation import data_notes
from autoencoders.tracking.runs import Runs


def register(runs: Runs, rows: Sequence[Row], data: Prepared, params: Params) -> list[str]:
    """Registers every trained model, and lets the best one challenge the champion.

    Returns lines on what was decided.
    """
    registry = Registry(runs.client, data.description.name)
    versions = register_models(registry, runs, rows, params)
    listed = ", ".join(f"{name} is version {version}" for name, version in versions.items())
    best = winner(rows, params)
    message = f"{best} is the best on validation"
    if registry.champion() is not None and not may_promote(params):
        message += (
            "; an experiment changes no champion (registry.promote); "
            "`ae registry promote --best` compares it"
        )
    else:
        decision = registry.decide(versions[best], MODELS / best, data, params)
        message += outcome(decision, versions[best])
    return [f"{registry.name}: {listed}", message]


def register_models(
    registry: Registry, runs: Runs, rows: Sequence[Row], params: Params
) -> dict[str, str]:
    """Returns the version of each trained type's model, registered where it is not yet."""
    rate = params.evaluate.false_alarm_rate
    notes = data_notes()
    versions = {}
    for row in rows:
        model_type = row.model
        if model_type in params.model_types:
            folder = MODELS / model_type
            run_id = runs.trained(folder)
            versions[model_type] = registry.add(folder, run_id, row, runs.lineage(), rate, notes)
    return versions


def outcome(decision: Decision | None, version: str) -> str:
    """Returns the end of a sentence about the best type: the decision about its version."""
    if decision is None:
        return f" and already @{CHAMPION}: version {version}"
    alias = CHALLENGER
    if decision.action == PROMOTED:
        alias = CHAMPION
    return f" and now @{alias}: version {version}: {decision.reason}"


def promote_best() -> str:
    """Compares the present state's best model with the champion, as a plain `dvc repro` does.

    Returns a line on what was decided. Raises UserError where the present state was not evaluated.
    """
    if not LEADERBOARD.exists():
        raise UserError(f"{LEADERBOARD}: no such file; `dvc repro` makes it")
    params = load_params()
    data = load_prepared(DATA)
    rows = read_rows(LEADERBOARD)
    runs = Runs(data.description)
    registry = Registry(runs.client, data.description.name)
    versions = register_models(registry, runs, rows, params)
    if not versions:
        raise UserError(
            f"{LEADERBOARD}: holds none of the types in params.yaml; `dvc repro` evaluates them"
        )
    best = winner(rows, params)
    decision = registry.decide(versions[best], MODELS / best, data, params)
    message = f"{best} is the best on validation" + outcome(decision, versions[best])
    return f"{registry.name}: {message}"


def winner(rows: Sequence[Row], params: Params) -> str:
    """Returns the best type on validation by `Tune.rank`; of equals, the first by name."""
    ranks = {}
    for row in rows:
        if row.model in params.model_types and isinstance(row.network, TrainedNetwork):
            error = row.value(VALIDATION_SQUARED_ERROR)
            variance = row.value(VALIDATION_EXPLAINED_VARIANCE)
            ranks[row.model] = params.tune.rank(row.network.code_size, error, variance)
    return min(ranks, key=lambda model: (ranks[model], model))


def may_promote(params: Params) -> bool:
    """Whether this run may change the champion.

    A plain `dvc repro` may, an experiment only where `registry.promote` says so.
    """
    promote = params.registry.promote
    if promote == "auto":
        return "DVC_EXP_NAME" not in os.environ
    return promote
