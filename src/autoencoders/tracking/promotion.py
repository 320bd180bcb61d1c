"""Which model becomes the champion: ranked on validation, compared with the present champion on the same test rows."""

import os
from collections.abc import Sequence
from pathlib import Path

from autoencoders.checkpoint import load
from autoencoders.data.prepared import Prepared
from autoencoders.evaluation.leaderboard import Row
from autoencoders.evaluation.metrics import Bootstrap, fidelity
from autoencoders.params import Params, Tune
from autoencoders.params import Registry as RegistryParams
from autoencoders.stage import MODELS
from autoencoders.tracking.registry import CHALLENGER, CHAMPION, Decision, Registry
from autoencoders.tracking.runs import Runs

VERDICT = {True: "beats", False: "does not beat"}
RANKED = ("code_size", "validation_squared_error", "validation_explained_variance")


def register(runs: Runs, registry: Registry, rows: Sequence[Row], data: Prepared, params: Params) -> list[str]:
    """Registers every trained model, lets the best one challenge the champion, and tells what was decided."""
    rate, versions = params.evaluate.false_alarm_rate, dict[str, str]()
    for row in rows:
        if (kind := str(row["model"])) in params.kinds:
            run = runs.trained(MODELS / kind)
            versions[kind] = registry.add(MODELS / kind, run.id, row, runs.lineage(), rate)
    known = ", ".join(f"{kind} is version {version}" for kind, version in versions.items())
    best = winner(rows, params.kinds, params.tune)
    told = f"{best} is the best on validation"
    if registry.champion() is not None and not may_promote(params.registry):
        told += "; an experiment changes no champion (registry.promote)"
    elif (decision := decide(registry, versions[best], MODELS / best, data, params)) is None:
        told += f" and already @{CHAMPION}: version {versions[best]}"
    else:
        alias = CHAMPION if decision.action == "promoted" else CHALLENGER
        told += f" and now @{alias}: version {versions[best]}: {decision.reason}"
    return [f"{registry.name}: {known}", told]


def winner(rows: Sequence[Row], kinds: Sequence[str], tune: Tune) -> str:
    """The type that is the best on validation, by `Tune.rank`."""
    ranked = [(tune.rank(*(row[name] for name in RANKED)), str(row["model"])) for row in rows if row["model"] in kinds]
    return min(ranked)[1]


def may_promote(params: RegistryParams) -> bool:
    """Whether this run may change the champion: a plain `dvc repro` may, an experiment only where it is told to."""
    return "DVC_EXP_NAME" not in os.environ if params.promote == "auto" else params.promote


def decide(registry: Registry, version: str, folder: Path, data: Prepared, params: Params) -> Decision | None:
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


def _compare(registry: Registry, champion: str, folder: Path, data: Prepared, params: Params) -> tuple[bool, str]:
    """Whether the model in the folder beats the champion, and why: by the code, as the goal ranks it, then by error."""
    models = [load(folder), registry.load(champion)]
    sizes = [model.description.architecture.code_size for model in models]
    found = [(n, fidelity(m.reconstruct, data, "validation")[1]) for n, m in zip(sizes, models, strict=True)]
    ranks = [params.tune.rank(size, 0, kept)[0] for size, kept in found]
    if ranks[0] != ranks[1]:
        better, told = ranks[0] < ranks[1], [f"code size {size}, which keeps {kept:.1%}" for size, kept in found]
        asked = f"(of the validation variance; tune.explained_variance = {params.tune.explained_variance})"
        return better, f"{told[0]}, {VERDICT[better]} version {champion}'s {told[1]} {asked}"
    errors = [fidelity(model.reconstruct, data, "test")[0] for model in models]
    bootstrap = Bootstrap(len(errors[0]), params.evaluate.bootstrap_samples, params.evaluate.seed)
    mean, low, high = bootstrap.intervals({"difference": errors[0] - errors[1]})["difference"]
    return high < 0, (
        f"test squared error {errors[0].mean():.4f} {VERDICT[high < 0]} version {champion}'s {errors[1].mean():.4f}: "
        f"difference {mean:.4f}, paired 95 % interval {low:.4f} to {high:.4f}"
    )
