"""A study: opened or joined by what its trials depend on."""

import json
from datetime import datetime
from typing import Any

import optuna
from optuna import Study, pruners
from optuna.storages import BaseStorage

from autoencoders.core.errors import UserError
from autoencoders.core.files import sha256
from autoencoders.core.identity import code_sha256
from autoencoders.data.prepared.prepared import Description
from autoencoders.params.plan import Plan
from autoencoders.params.sections import Tune
from autoencoders.params.space import dimensions
from autoencoders.tuning.sampler import Repeatable
from autoencoders.tuning.trials import MADE_OF, UNTUNED


def trial_plan(plan: Plan, tune: Tune) -> Plan:
    """The plan that a trial starts from: that of the training, with the trial's epochs where these are fewer."""
    if tune.epochs == "full":
        return plan
    return plan.with_values({"train.epochs": min(tune.epochs, plan.train.epochs)})


def _identity(plan: Plan, tune: Tune, data: Description) -> tuple[str, dict[str, str]]:
    """A study's name, the same on every machine, and the hashes of what its trials depend on, which make the name."""
    pruner = tune.pruner if tune.goal == "reconstruct" else ""
    settings = [tune.goal, tune.epochs, tune.sampler, tune.seed, pruner]
    space = dimensions(tune, plan.model_type, plan.facts)
    parts: dict[str, Any] = {
        "the search space": [dimension.model_dump(mode="json") for dimension in space],
        "the parameters": [settings, trial_plan(plan, tune).flat()],
        "the data": data.content_sha256,
        "the code": code_sha256("tune"),
    }
    hashes = {
        name: sha256(json.dumps(value, sort_keys=True).encode())[:16]
        for name, value in parts.items()
    }
    return f"{data.name}-{plan.model_type}-{sha256(json.dumps(hashes).encode())[:8]}", hashes


def described(plan: Plan, tune: Tune) -> dict[str, object]:
    """A study's settings and search space, for its MLflow run: what stays the same while it goes on."""
    space = dimensions(tune, plan.model_type, plan.facts)
    lines = {d.param: d.model_dump_json(exclude_unset=True, exclude={"param"}) for d in space}
    settings = tune.model_dump(include={"goal", "epochs", "sampler", "seed"})
    return {**settings, **{f"space.{name}": line for name, line in lines.items()}}


def open_study(storage: BaseStorage, plan: Plan, tune: Tune, data: Description) -> Study:
    """The study of the present parameters, data and code, made where there is none; says which."""
    name, parts = _identity(plan, tune, data)
    summaries = optuna.get_all_study_summaries(storage=storage, include_best_trial=False)
    earlier = {s.study_name: s for s in summaries if s.study_name.startswith(name[:-8])}
    if name not in earlier:
        told = f"new study {name}"
        if earlier:
            before = max(
                earlier.values(), key=lambda s: s.datetime_start or datetime.min
            ).user_attrs.get(MADE_OF, {})
            changed = [part for part, value in parts.items() if before.get(part) != value]
            told += f": {', '.join(changed)} changed; the earlier studies are kept"
        print(told, flush=True)
    directions = [optuna.study.StudyDirection.MINIMIZE] * (2 if tune.goal == "compress" else 1)
    study = optuna.create_study(
        storage=storage, study_name=name, directions=directions, load_if_exists=True
    )
    study.set_user_attr(MADE_OF, parts)
    if not study.get_trials(deepcopy=False) and (values := _untuned(plan, tune)) is not None:
        study.enqueue_trial(values, user_attrs={UNTUNED: True})
    return _equipped(study, plan, tune)


def join_study(storage: BaseStorage, plan: Plan, tune: Tune, data: Description) -> Study:
    """The running study of the present parameters, data and code. Raises UserError where there is none."""
    name, _ = _identity(plan, tune, data)
    if name not in optuna.get_all_study_names(storage=storage):
        raise UserError(
            f"{name}: no such study to join; start it with `dvc repro tune@{plan.model_type}`, and let parameters, "
            "data and code be the same on all machines"
        )
    return _equipped(optuna.load_study(study_name=name, storage=storage), plan, tune)


def _equipped(study: Study, plan: Plan, tune: Tune) -> Study:
    """The study with its sampler and pruner."""
    epochs = trial_plan(plan, tune).train.epochs
    study.sampler = Repeatable(tune.sampler, tune.seed, study)
    choices = {
        "none": pruners.NopPruner(),
        "median": pruners.MedianPruner(n_startup_trials=5, n_warmup_steps=epochs // 10),
        "hyperband": pruners.HyperbandPruner(min_resource=max(1, epochs // 9), max_resource=epochs),
    }
    study.pruner = choices[tune.pruner if tune.goal == "reconstruct" else "none"]
    return study


def _untuned(plan: Plan, tune: Tune) -> dict[str, object] | None:
    """The values of params.yaml, as a first trial to compare with; None where one lies outside of the space."""
    flat = trial_plan(plan, tune).flat()
    space = dimensions(tune, plan.model_type, plan.facts)
    if all(dimension.holds(flat[dimension.param]) for dimension in space):
        return {dimension.param: flat[dimension.param] for dimension in space}
    return None
