"""A study: opened, continued or joined by what its trials depend on."""

import json
from datetime import datetime
from typing import Any

import optuna
from optuna import Study, pruners
from optuna.storages import BaseStorage
from optuna.study import StudyDirection

from autoencoders.data.prepared import Description
from autoencoders.defaults import DataFacts
from autoencoders.errors import UserError
from autoencoders.files import sha256
from autoencoders.params import Params
from autoencoders.space import dimensions
from autoencoders.stage import code_sha256
from autoencoders.tuning.storage import MADE_OF, UNTUNED
from autoencoders.tuning.work import Repeatable


def trial_params(params: Params, kind: str, facts: DataFacts) -> Params:
    """The parameters that a trial starts from: those of the training, with the trial's epochs where these are fewer."""
    if params.tune.epochs == "full":
        return params
    return params.tuned(kind, {"train.epochs": min(params.tune.epochs, params.train_for(kind, facts).epochs)})


def made_of(params: Params, kind: str, data: Description) -> dict[str, str]:
    """What a study's trials depend on, each as a hash: another one makes another study."""
    tune = params.tune
    settings = [tune.goal, tune.epochs, tune.sampler, tune.seed, tune.pruner if tune.goal == "reconstruct" else ""]
    parts: dict[str, Any] = {
        "the search space": [dimension.model_dump(mode="json") for dimension in dimensions(params, kind, data.facts)],
        "the parameters": [settings, trial_params(params, kind, data.facts).flatten(kind, data.facts)],
        "the data": data.content_sha256,
        "the code": code_sha256("tune"),
    }
    return {name: sha256(json.dumps(value, sort_keys=True).encode())[:16] for name, value in parts.items()}


def described(params: Params, kind: str) -> dict[str, object]:
    """A study's settings and search space, for its MLflow run: what stays the same while it goes on."""
    lines = {d.param: d.model_dump_json(exclude_unset=True, exclude={"param"}) for d in dimensions(params, kind)}
    settings = params.tune.model_dump(include={"goal", "epochs", "sampler", "seed"})
    return {**settings, **{f"space.{name}": line for name, line in lines.items()}}


def study_name(parts: dict[str, str], kind: str, data: Description) -> str:
    """The study's name, the same on every machine."""
    return f"{data.name}-{kind}-{sha256(json.dumps(parts).encode())[:8]}"


def open_study(storage: BaseStorage, kind: str, params: Params, data: Description) -> Study:
    """The study of the present parameters, data and code, made where there is none; says which."""
    parts = made_of(params, kind, data)
    name = study_name(parts, kind, data)
    summaries = optuna.get_all_study_summaries(storage=storage, include_best_trial=False)
    earlier = {s.study_name: s for s in summaries if s.study_name.startswith(name[:-8])}
    if name not in earlier:
        told = f"new study {name}"
        if earlier:
            before = max(earlier.values(), key=lambda s: s.datetime_start or datetime.min).user_attrs.get(MADE_OF, {})
            changed = [part for part, value in parts.items() if before.get(part) != value]
            told += f": {', '.join(changed)} changed; the earlier studies are kept"
        print(told, flush=True)
    directions = [StudyDirection.MINIMIZE] * (2 if params.tune.goal == "compress" else 1)
    study = optuna.create_study(storage=storage, study_name=name, directions=directions, load_if_exists=True)
    study.set_user_attr(MADE_OF, parts)
    if not study.get_trials(deepcopy=False) and (values := _untuned(params, kind, data)) is not None:
        study.enqueue_trial(values, user_attrs={UNTUNED: True})
    return equip(study, params, kind, data.facts)


def join_study(storage: BaseStorage, kind: str, params: Params, data: Description) -> Study:
    """The running study of the present parameters, data and code. Raises UserError where there is none."""
    name = study_name(made_of(params, kind, data), kind, data)
    if name not in optuna.get_all_study_names(storage=storage):
        raise UserError(
            f"{name}: no such study to join; start it with `dvc repro tune@{kind}`, and let parameters, data and code "
            "be the same on all machines"
        )
    return equip(optuna.load_study(study_name=name, storage=storage), params, kind, data.facts)


def equip(study: Study, params: Params, kind: str, facts: DataFacts) -> Study:
    """The study with its sampler and pruner."""
    tune, epochs = params.tune, trial_params(params, kind, facts).train_for(kind, facts).epochs
    study.sampler = Repeatable(tune.sampler, tune.seed, study)
    choices = {
        "none": pruners.NopPruner(),
        "median": pruners.MedianPruner(n_startup_trials=5, n_warmup_steps=epochs // 10),
        "hyperband": pruners.HyperbandPruner(min_resource=max(1, epochs // 9), max_resource=epochs),
    }
    study.pruner = choices[tune.pruner if tune.goal == "reconstruct" else "none"]
    return study


def _untuned(params: Params, kind: str, data: Description) -> dict[str, object] | None:
    """The values of params.yaml, as a first trial to compare with; None where one lies outside of the space."""
    flat, space = trial_params(params, kind, data.facts).flatten(kind, data.facts), dimensions(params, kind, data.facts)
    return {d.param: flat[d.param] for d in space} if all(d.holds(flat[d.param]) for d in space) else None
