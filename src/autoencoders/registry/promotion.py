"""Promotion: which model becomes the champion."""

import os
from collections.abc import Sequence

from autoencoders.core.errors import UserError
from autoencoders.core.paths import DATA, LEADERBOARD, MODELS
from autoencoders.data.prepared.prepared import Prepared, load_prepared
from autoencoders.evaluation.ranking import Ranking, earns, ranking
from autoencoders.evaluation.row import Row, read_rows
from autoencoders.evaluation.verdict import unearned
from autoencoders.params.params import Params, load_params
from autoencoders.registry.decision import CHAMPION, PROMOTED, Decision
from autoencoders.registry.registry import CHALLENGER, Registry
from autoencoders.tracking.evaluation import data_notes
from autoencoders.tracking.runs import Runs

NO_CHAMPION = (
    "No version becomes the champion; with registry.promote: true, or by "
    "`ae registry promote VERSION`, one does."
)


def register(runs: Runs, rows: Sequence[Row], data: Prepared, params: Params) -> list[str]:
    """Registers every trained model, and lets the best one challenge the champion.

    Returns lines on what was decided.
    """
    registry = Registry(runs.client, data.description.name)
    versions = register_models(registry, runs, rows, params)
    listed = ", ".join(f"{name} is version {version}" for name, version in versions.items())
    order = types_in_order(rows, params)
    best = candidate(order, params)
    if best is None:
        return [f"{registry.name}: {listed}", *unearned(order.rows), NO_CHAMPION]
    message = f"{best} is the best {order.criterion}"
    if unearned(order.rows):
        message += ", though PCA rebuilds the validation rows as well or better"
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
        return f"; it is already @{CHAMPION}: version {version}"
    alias = CHALLENGER
    if decision.action == PROMOTED:
        alias = CHAMPION
    return f"; it is now @{alias}: version {version}: {decision.reason}"


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
    order = types_in_order(rows, params)
    best = candidate(order, params)
    if best is None:
        return "\n".join([f"{registry.name}:", *unearned(order.rows), NO_CHAMPION])
    decision = registry.decide(versions[best], MODELS / best, data, params)
    message = f"{best} is the best {order.criterion}" + outcome(decision, versions[best])
    return f"{registry.name}: {message}"


def types_in_order(rows: Sequence[Row], params: Params) -> Ranking:
    """The order of the types that params.yaml trains."""
    return ranking([row for row in rows if row.model in params.model_types], params.tune)


def candidate(order: Ranking, params: Params) -> str | None:
    """The best type that may become the champion.

    None where no type earns it, as PCA rebuilds better than each, and registry.promote is not true.
    """
    for row in order.rows:
        if earns(row) or params.registry.promote is True:
            return row.model
    return None


def may_promote(params: Params) -> bool:
    """Whether this run may change the champion.

    A plain `dvc repro` may, an experiment only where `registry.promote` says so.
    """
    promote = params.registry.promote
    if promote == "auto":
        return "DVC_EXP_NAME" not in os.environ
    return promote
