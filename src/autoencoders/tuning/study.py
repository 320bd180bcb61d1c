"""A study: where it is kept, opened or joined by what its trials depend on, and how their values are drawn."""

import copy
import json
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import optuna
from optuna import Study, pruners, storages
from optuna.samplers import BaseSampler, RandomSampler, TPESampler
from optuna.storages import BaseStorage, journal
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from autoencoders.data.prepared import Description
from autoencoders.defaults import DataFacts
from autoencoders.errors import UserError
from autoencoders.files import sha256
from autoencoders.identity import code_sha256
from autoencoders.params import Params
from autoencoders.space import dimensions
from autoencoders.stage import STUDIES, repository
from autoencoders.tuning.journal import JOURNAL, UNFIT, broken_journal

MADE_OF = "made_of"  # a study's attribute: what its trials depend on
WORKER = "worker"  # a trial's attributes: host, process, when that began, and machine
REASON, RESULT, UNTUNED = "reason", "result", "untuned"  # of a failed, of a complete, and of the first trial
RETRIES = "retry_history"  # Optuna's own attribute of a trial
VARIABLE = "AUTOENCODERS_STUDY_URL"
EXAMPLE = "postgresql://user:password@host:5432/studies"
HEARTBEAT, GRACE = 5, 20  # seconds from one sign of life to the next, and until a silent worker counts as dead
LOCK_GRACE = 10  # seconds until the lock of a writer that was killed is broken; a write takes milliseconds
STARTUP = 5  # random trials before TPE learns from them: short studies gain from few


def open_storage(where: str) -> BaseStorage:
    """`journal` or `environment`. Raises UserError, in which a URL's password is hidden."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)
    if where == "journal":
        return _journal(repository() / STUDIES / JOURNAL)
    with reporting_database(where):
        return storages.RDBStorage(
            _url().render_as_string(hide_password=False),
            engine_kwargs={"pool_pre_ping": True},
            heartbeat_interval=HEARTBEAT,
            grace_period=GRACE,
            heartbeat_stale_trial_callback=queue_again,
        )


def _journal(path: Path) -> BaseStorage:
    path.parent.mkdir(exist_ok=True)
    lock = journal.JournalFileSymlinkLock(str(path), grace_period=LOCK_GRACE)
    backend = journal.JournalFileBackend(str(path), lock_obj=lock)
    lock.acquire()  # a machine that lost its power can leave half a line, to which the next one would be added
    content = path.read_bytes()
    if not content.endswith(b"\n"):
        os.truncate(path, content.rfind(b"\n") + 1)
    lock.release()
    try:
        for last in content.split(b"\n")[-2:-1]:
            json.loads(last)  # Optuna leaves out a last line that it can't read, and fails at the next one
        return storages.JournalStorage(backend)
    except UNFIT as error:
        raise UserError(broken_journal(path) or f"{path}: {error}") from error


def _url() -> URL:
    text = os.environ.get(VARIABLE, "")
    with suppress(ArgumentError, ValueError):
        if make_url(text).get_backend_name() == "postgresql":
            return make_url(text).set(drivername="postgresql+psycopg")
    found = "is no PostgreSQL URL" if text else "is not set"  # the text may hold a password: it is not shown
    raise UserError(f"{VARIABLE}: {found}, which tune.storage = environment needs; for example {EXAMPLE}")


def queue_again(study: Study, dead: FrozenTrial) -> None:
    """Queues a dead worker's trial for another one, with the same values."""
    trial = copy.deepcopy(dead)
    trial.user_attrs = {name: value for name, value in dead.user_attrs.items() if name == UNTUNED}
    storages.RetryHeartbeatStaleTrialCallback()(study, trial)


@contextmanager
def reporting_database(where: str) -> Iterator[None]:
    """Turns what a database server refuses into a UserError without the password, and names a journal's broken line."""
    try:
        yield
    except (json.JSONDecodeError, UnicodeDecodeError):
        told = broken_journal(repository() / STUDIES / JOURNAL) if where == "journal" else None
        if told is None:
            raise
        raise UserError(told) from None
    except (SQLAlchemyError, optuna.exceptions.StorageInternalError) as error:
        if where == "journal":  # not about studies
            raise
        url = _url()
        told = str(error.__cause__ or error).replace(url.password or "\0", "***").splitlines()[0]
        raise UserError(
            f"{url.render_as_string()}: {told}; no trial is lost: start the server, check {VARIABLE}, and run again"
        ) from None


def dashboard(where: str, host: str, port: int) -> None:
    """Serves optuna-dashboard until Ctrl-C."""
    import optuna_dashboard

    storage = open_storage(where)
    print(f"studies on http://{host}:{port}/dashboard, Ctrl-C ends it", flush=True)
    optuna_dashboard.run_server(storage, host=host, port=port)


def trial_params(params: Params, kind: str, facts: DataFacts) -> Params:
    """The parameters that a trial starts from: those of the training, with the trial's epochs where these are fewer."""
    if params.tune.epochs == "full":
        return params
    return params.tuned(kind, {"train.epochs": min(params.tune.epochs, params.train_for(kind, facts).epochs)})


def _identity(params: Params, kind: str, data: Description) -> tuple[str, dict[str, str]]:
    """A study's name, the same on every machine, and the hashes of what its trials depend on, which make the name."""
    tune = params.tune
    settings = [tune.goal, tune.epochs, tune.sampler, tune.seed, tune.pruner if tune.goal == "reconstruct" else ""]
    parts: dict[str, Any] = {
        "the search space": [dimension.model_dump(mode="json") for dimension in dimensions(params, kind, data.facts)],
        "the parameters": [settings, trial_params(params, kind, data.facts).flatten(kind, data.facts)],
        "the data": data.content_sha256,
        "the code": code_sha256("tune"),
    }
    hashes = {name: sha256(json.dumps(value, sort_keys=True).encode())[:16] for name, value in parts.items()}
    return f"{data.name}-{kind}-{sha256(json.dumps(hashes).encode())[:8]}", hashes


def described(params: Params, kind: str, facts: DataFacts) -> dict[str, object]:
    """A study's settings and search space, for its MLflow run: what stays the same while it goes on."""
    space = dimensions(params, kind, facts)
    lines = {d.param: d.model_dump_json(exclude_unset=True, exclude={"param"}) for d in space}
    settings = params.tune.model_dump(include={"goal", "epochs", "sampler", "seed"})
    return {**settings, **{f"space.{name}": line for name, line in lines.items()}}


def open_study(storage: BaseStorage, kind: str, params: Params, data: Description) -> Study:
    """The study of the present parameters, data and code, made where there is none; says which."""
    name, parts = _identity(params, kind, data)
    summaries = optuna.get_all_study_summaries(storage=storage, include_best_trial=False)
    earlier = {s.study_name: s for s in summaries if s.study_name.startswith(name[:-8])}
    if name not in earlier:
        told = f"new study {name}"
        if earlier:
            before = max(earlier.values(), key=lambda s: s.datetime_start or datetime.min).user_attrs.get(MADE_OF, {})
            changed = [part for part, value in parts.items() if before.get(part) != value]
            told += f": {', '.join(changed)} changed; the earlier studies are kept"
        print(told, flush=True)
    directions = [optuna.study.StudyDirection.MINIMIZE] * (2 if params.tune.goal == "compress" else 1)
    study = optuna.create_study(storage=storage, study_name=name, directions=directions, load_if_exists=True)
    study.set_user_attr(MADE_OF, parts)
    if not study.get_trials(deepcopy=False) and (values := _untuned(params, kind, data.facts)) is not None:
        study.enqueue_trial(values, user_attrs={UNTUNED: True})
    return _equipped(study, params, kind, data.facts)


def join_study(storage: BaseStorage, kind: str, params: Params, data: Description) -> Study:
    """The running study of the present parameters, data and code. Raises UserError where there is none."""
    name, _ = _identity(params, kind, data)
    if name not in optuna.get_all_study_names(storage=storage):
        raise UserError(
            f"{name}: no such study to join; start it with `dvc repro tune@{kind}`, and let parameters, data and code "
            "be the same on all machines"
        )
    return _equipped(optuna.load_study(study_name=name, storage=storage), params, kind, data.facts)


def _equipped(study: Study, params: Params, kind: str, facts: DataFacts) -> Study:
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


def _untuned(params: Params, kind: str, facts: DataFacts) -> dict[str, object] | None:
    """The values of params.yaml, as a first trial to compare with; None where one lies outside of the space."""
    flat, space = trial_params(params, kind, facts).flatten(kind, facts), dimensions(params, kind, facts)
    return {d.param: flat[d.param] for d in space} if all(d.holds(flat[d.param]) for d in space) else None


def attempts(study: Study) -> list[FrozenTrial]:
    """The trials that count towards `n_trials`, in order: not those whose worker died, nor surplus ones.

    A trial that failed counts, and has its reason; one whose worker was killed has none, or was retried.
    """
    trials = study.get_trials(deepcopy=False)
    retried = {number for trial in trials for number in trial.system_attrs.get(RETRIES, ())}
    dead = {t.number for t in trials if t.state == TrialState.FAIL and REASON not in t.user_attrs}
    return [trial for trial in trials if trial.number not in retried | dead]


def rank(study: Study, number: int) -> int:
    """How many of the trials that count come before one."""
    return sum(trial.number < number for trial in attempts(study))


class Repeatable(BaseSampler):
    """Draws a trial's values from the seed, the number of trials before it that count, and their results.

    So one worker repeats its study, a study that was killed or is given more trials goes on as if it had never stopped,
    and several workers draw the same first trials, before which TPE has nothing to learn from.
    """

    def __init__(self, name: str, seed: int, study: Study) -> None:
        """name: tpe or random. study: with all its trials; Hyperband shows a sampler those of one bracket alone."""
        self.name, self.seed, self.study = name, seed, study

    def _sampler(self, trial: FrozenTrial, drawn: str) -> BaseSampler:
        """A sampler for what is drawn: of each value its own, as a retried trial has some of them already."""
        entropy = [self.seed, rank(self.study, trial.number), *drawn.encode()]
        seed = int(np.random.SeedSequence(entropy).generate_state(1)[0])
        return TPESampler(seed=seed, n_startup_trials=STARTUP) if self.name == "tpe" else RandomSampler(seed=seed)

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, Any]:
        """As the trial's own sampler says."""
        return self._sampler(trial, "").infer_relative_search_space(study, trial)

    def sample_relative(self, study: Study, trial: FrozenTrial, search_space: dict[str, Any]) -> Any:
        """As the trial's own sampler says."""
        return self._sampler(trial, "").sample_relative(study, trial, search_space)

    def sample_independent(self, study: Study, trial: FrozenTrial, param_name: str, dist: Any) -> Any:
        """As the value's own sampler says."""
        return self._sampler(trial, param_name).sample_independent(study, trial, param_name, dist)
