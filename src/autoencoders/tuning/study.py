"""A study: opened or joined by what its trials depend on."""

import json
from collections.abc import Mapping
from datetime import datetime

import optuna
from optuna import Study, pruners
from optuna.storages import BaseStorage

from autoencoders.core.errors import UserError
from autoencoders.core.files import sha256
from autoencoders.core.identity import code_sha256
from autoencoders.data.prepared.prepared import Description
from autoencoders.params import defaults
from autoencoders.params.plan import Plan
from autoencoders.params.sections import Tune
from autoencoders.params.space import dimensions
from autoencoders.tuning.dashboard import describe
from autoencoders.tuning.sampler import Repeatable
from autoencoders.tuning.trials import MADE_OF, UNTUNED

NAME_DIGITS = 8  # hexadecimal, at the end of a study's name: enough for the studies of one data set
HASH_DIGITS = 16  # hexadecimal, of each part that a study depends on
MEDIAN_STARTUP = 5  # trials before the median pruner stops one: a median of fewer says little
MEDIAN_SHARE = 10  # one tenth of a trial's epochs is over before the median pruner stops it
# one ninth of a trial's epochs is hyperband's smallest budget: three brackets, as its factor is 3
HYPERBAND_SHARE = 9


def trial_plan(plan: Plan, tune: Tune) -> Plan:
    """A trial's plan: that of the training, with the trial's epochs where these are fewer."""
    epochs = tune.epochs
    if epochs == "full":
        return plan
    if epochs == "auto":
        epochs = defaults.trial_epochs(plan.train.epochs)
    return plan.with_values({"train.epochs": min(epochs, plan.train.epochs)})


def _identity(plan: Plan, tune: Tune, data: Description) -> tuple[str, dict[str, str]]:
    """A study's name, the same on every machine, and the hashes that make it.

    These are of what the trials depend on, by its name in a message.
    """
    share = tune.explained_variance if tune.objective == "smallest_code" else 0
    settings = [tune.objective, tune.epochs, tune.sampler, tune.seed, tune.pruner, share]
    space = dimensions(tune, plan)
    parts: dict[str, object] = {
        "the search space": [dimension.model_dump(mode="json") for dimension in space],
        "the parameters": [settings, plan.flat(), trial_plan(plan, tune).flat()],
        "the data": data.content_sha256,
        "the code": code_sha256("tune"),
    }
    hashes: dict[str, str] = {}
    for name, value in parts.items():
        hashes[name] = sha256(json.dumps(value, sort_keys=True).encode())[:HASH_DIGITS]
    digits = sha256(json.dumps(hashes).encode())[:NAME_DIGITS]
    return f"{data.name}-{plan.model_type}-{digits}", hashes


def described(plan: Plan, tune: Tune) -> dict[str, object]:
    """A study's settings and search space, for its MLflow run: they stay the same as it goes on."""
    settings = tune.model_dump(include={"objective", "epochs", "sampler", "seed"})
    for dimension in dimensions(tune, plan):
        line = dimension.model_dump_json(exclude_unset=True, exclude={"param"})
        settings[f"space.{dimension.param}"] = line
    return settings


def open_study(storage: BaseStorage, plan: Plan, tune: Tune, data: Description) -> Study:
    """The study of the present parameters, data and code, made if there is none.

    Prints the name of a new study, and what differs from the one before it.
    """
    name, hashes = _identity(plan, tune, data)
    earlier = _earlier(storage, name)
    if name not in earlier:
        print(f"new study {name}{_changes(earlier, hashes)}", flush=True)
    study = optuna.create_study(
        storage=storage, study_name=name, direction="minimize", load_if_exists=True
    )
    study.set_user_attr(MADE_OF, hashes)
    describe(study, plan.model_type, data, tune)
    if not study.get_trials(deepcopy=False):
        _queue_untuned(study, plan, tune)
    return _equipped(study, plan, tune)


def _earlier(storage: BaseStorage, name: str) -> dict[str, optuna.study.StudySummary]:
    """The studies of the same data and type, by name."""
    prefix = name[:-NAME_DIGITS]
    summaries = optuna.get_all_study_summaries(storage=storage, include_best_trial=False)
    return {s.study_name: s for s in summaries if s.study_name.startswith(prefix)}


def _changes(earlier: Mapping[str, optuna.study.StudySummary], hashes: Mapping[str, str]) -> str:
    """The parts of a new study that changed since the last one; empty for the first."""
    if not earlier:
        return ""
    last = max(earlier.values(), key=lambda study: study.datetime_start or datetime.min)
    before = last.user_attrs.get(MADE_OF, {})
    changed = [part for part, value in hashes.items() if before.get(part) != value]
    line = f": {', '.join(changed)} changed; the earlier studies are kept"
    two = [name for name, study in earlier.items() if len(study.directions) == 2]
    if two:
        line += (
            f", and those with two objectives, of an earlier version, are left aside: "
            f"{', '.join(two)}"
        )
    return line


def join_study(storage: BaseStorage, plan: Plan, tune: Tune, data: Description) -> Study:
    """The running study of the present parameters, data and code. Raises UserError without one."""
    name, _ = _identity(plan, tune, data)
    if name not in optuna.get_all_study_names(storage=storage):
        raise UserError(
            f"{name}: no such study to join; start it with `dvc repro tune@{plan.model_type}`, "
            "and let parameters, data and code be the same on all machines"
        )
    return _equipped(optuna.load_study(study_name=name, storage=storage), plan, tune)


def _equipped(study: Study, plan: Plan, tune: Tune) -> Study:
    """The study with its sampler and pruner."""
    study.sampler = Repeatable(tune, plan.model_type, study)
    study.pruner = _pruner(tune, trial_plan(plan, tune).train.epochs)
    return study


def _pruner(tune: Tune, epochs: int) -> pruners.BasePruner:
    """The pruner of the settings; the objective stops trials of smallest_code by itself.

    epochs: of a trial.
    """
    if tune.pruner == "none" or tune.objective == "smallest_code":
        return pruners.NopPruner()
    if tune.pruner == "median":
        return pruners.MedianPruner(
            n_startup_trials=MEDIAN_STARTUP, n_warmup_steps=epochs // MEDIAN_SHARE
        )
    return pruners.HyperbandPruner(
        min_resource=max(1, epochs // HYPERBAND_SHARE), max_resource=epochs
    )


def _queue_untuned(study: Study, plan: Plan, tune: Tune) -> None:
    """Queues the values of params.yaml as the first trial, if they lie inside of the space."""
    flat = trial_plan(plan, tune).flat()
    values: dict[str, object] = {}
    for dimension in dimensions(tune, plan):
        value = flat[dimension.param]
        if not dimension.holds(value):
            return
        values[dimension.param] = value
    study.enqueue_trial(values, user_attrs={UNTUNED: True})
