"""Which model becomes the champion: ranked on validation, compared with the present champion on the same test rows."""

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from autoencoders.checkpoint import load
from autoencoders.data.prepared import Prepared
from autoencoders.evaluation.leaderboard import Row
from autoencoders.evaluation.metrics import Bootstrap, squared_error
from autoencoders.params import Evaluate, Params
from autoencoders.params import Registry as RegistryParams
from autoencoders.stage import MODELS
from autoencoders.tracking.registry import CHALLENGER, CHAMPION, Decision, Registry
from autoencoders.tracking.runs import Runs


def register(runs: Runs, registry: Registry, rows: Sequence[Row], data: Prepared, params: Params) -> list[str]:
    """Registers every trained model, lets the best one challenge the champion, and tells what was decided."""
    versions, example = {}, np.asarray(data.rows["test"][:2])
    for row in rows:
        if (kind := str(row["model"])) in params.kinds:
            folder = MODELS / kind
            versions[kind] = registry.add(folder, runs.trained(folder).id, row, example, runs.lineage())
    told = [f"{registry.name}: " + ", ".join(f"{kind} is version {version}" for kind, version in versions.items())]
    best = winner(rows, params.kinds)
    if not may_promote(params.registry):
        return [*told, f"{best} is the best on validation; an experiment changes no champion (registry.promote)"]
    decision = decide(registry, versions[best], MODELS / best, data, params.evaluate)
    if decision is None:
        return [*told, f"{best} is the best on validation and already @{CHAMPION}: version {versions[best]}"]
    alias = CHAMPION if decision.action == "promoted" else CHALLENGER
    return [*told, f"{best} is the best on validation and now @{alias}: version {versions[best]}: {decision.reason}"]


def winner(rows: Sequence[Row], kinds: Sequence[str]) -> str:
    """The type with the lowest validation error."""
    ranked = sorted(
        (float(row["validation_squared_error"]), str(row["model"])) for row in rows if row["model"] in kinds
    )
    return ranked[0][1]


def may_promote(params: RegistryParams) -> bool:
    """Whether this run may change the champion: a plain `dvc repro` may, an experiment only where it is told to."""
    return "DVC_EXP_NAME" not in os.environ if params.promote == "auto" else params.promote


def decide(registry: Registry, version: str, folder: Path, data: Prepared, params: Evaluate) -> Decision | None:
    """Promotes the winner's version, or makes it the challenger; None where it is the champion already."""
    with registry.lock():
        champion = registry.champion()
        if champion == version:
            return None
        if champion is None:
            return registry.promote(version, "the first champion")
        split = registry.tags(champion).get("split_sha256")
        if split != data.description.split_sha256:
            return registry.keep(
                version,
                f"the champion, version {champion}, was trained on another split and may have seen these test rows, so "
                f"it is not scored on them; `ae registry promote {version}` makes version {version} the champion",
            )
        better, told = _compare(registry, champion, folder, data, params)
        return registry.promote(version, told) if better else registry.keep(version, told)


def _compare(registry: Registry, champion: str, folder: Path, data: Prepared, params: Evaluate) -> tuple[bool, str]:
    """Whether the model in the folder beats the champion on the test rows, and the figures."""
    raw = np.asarray(data.rows["test"], np.float32)
    errors = [
        squared_error(raw / data.scale, rebuilt / data.scale)
        for rebuilt in (load(folder).reconstruct(raw), registry.load(champion).predict(raw))
    ]
    bootstrap = Bootstrap(len(raw), params.bootstrap_samples, params.seed)
    mean, low, high = bootstrap.intervals({"difference": errors[0] - errors[1]})["difference"]
    verdict = "beats" if high < 0 else "does not beat"
    return high < 0, (
        f"test squared error {errors[0].mean():.4f} {verdict} version {champion}'s {errors[1].mean():.4f}: "
        f"difference {mean:.4f}, paired 95 % interval {low:.4f} to {high:.4f}"
    )
