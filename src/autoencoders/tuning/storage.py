"""The storage of studies: a journal file or a PostgreSQL database."""

import copy
import json
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import optuna
from optuna import Study, storages
from optuna.storages import BaseStorage, journal
from optuna.trial import FrozenTrial
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from autoencoders.core.errors import UserError
from autoencoders.core.paths import STUDIES, repository
from autoencoders.tuning.journal import JOURNAL, UNREADABLE, broken_journal
from autoencoders.tuning.trials import RETRIES, UNTUNED

VARIABLE = "AUTOENCODERS_STUDY_URL"
EXAMPLE = "postgresql://user:password@host:5432/studies"
HEARTBEAT = 5  # seconds from one sign of life in a database to the next
GRACE = 20  # seconds until a silent worker counts as dead: three signs of life may be late
# Optuna's own attributes of a trial that its repetition has, too: not its constraints, which would
# hide those of the repetition, nor what a sampler drew, which would count as another running trial
REPEATED = ("failed_trial", "fixed_params", RETRIES)
LOCK_GRACE = 10  # seconds until a killed writer's lock is broken; a write takes milliseconds


def open_storage(where: str) -> BaseStorage:
    """`journal` or `environment`. Raises UserError, in which a URL's password is hidden."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)
    if where == "journal":
        return _journal(journal_path())
    with reporting_database(where):
        return storages.RDBStorage(
            _url().render_as_string(hide_password=False),
            engine_kwargs={"pool_pre_ping": True},
            heartbeat_interval=HEARTBEAT,
            grace_period=GRACE,
            heartbeat_stale_trial_callback=queue_again,
        )


def journal_path() -> Path:
    """The journal of the user's repository."""
    return repository() / STUDIES / JOURNAL


def _journal(path: Path) -> BaseStorage:
    path.parent.mkdir(exist_ok=True)
    lock = journal.JournalFileSymlinkLock(str(path), grace_period=LOCK_GRACE)
    backend = journal.JournalFileBackend(str(path), lock_obj=lock)
    # a machine that lost its power can leave half a line, to which the next would be appended
    lock.acquire()
    content = path.read_bytes()
    if not content.endswith(b"\n"):
        os.truncate(path, content.rfind(b"\n") + 1)
    lock.release()
    try:
        # Optuna skips a last line that it can't read, and fails at the one after it
        for last_line in content.split(b"\n")[-2:-1]:
            json.loads(last_line)
        return storages.JournalStorage(backend)
    except UNREADABLE as error:
        raise UserError(broken_journal(path) or f"{path}: {error}") from error


def _url() -> URL:
    """The URL in VARIABLE. Raises UserError, without the text, which may hold a password."""
    text = os.environ.get(VARIABLE, "")
    with suppress(ArgumentError, ValueError):
        url = make_url(text)
        if url.get_backend_name() == "postgresql":
            return url.set(drivername="postgresql+psycopg")
    problem = "is no PostgreSQL URL" if text else "is not set"
    raise UserError(
        f"{VARIABLE}: {problem}, which tune.storage = environment needs; for example {EXAMPLE}"
    )


def queue_again(study: Study, dead: FrozenTrial) -> None:
    """Queues a dead worker's trial for another one, with the same values."""
    trial = copy.deepcopy(dead)
    trial.user_attrs = {}
    trial.system_attrs = {
        name: value for name, value in dead.system_attrs.items() if name in REPEATED
    }
    if UNTUNED in dead.user_attrs:
        trial.user_attrs[UNTUNED] = dead.user_attrs[UNTUNED]
    storages.RetryHeartbeatStaleTrialCallback()(study, trial)


@contextmanager
def reporting_database(where: str) -> Iterator[None]:
    """Raises UserError for a journal's broken line, and for what a database server refuses.

    where: tune.storage. No message shows a password.
    """
    try:
        yield
    except (json.JSONDecodeError, UnicodeDecodeError):
        problem = broken_journal(journal_path()) if where == "journal" else None
        if problem is None:
            raise
        raise UserError(problem) from None
    except (SQLAlchemyError, optuna.exceptions.StorageInternalError) as error:
        if where == "journal":  # an error of another database, such as MLflow's
            raise
        url = _url()
        text = str(error.__cause__ or error)
        if url.password:
            text = text.replace(url.password, "***")
        raise UserError(
            f"{url.render_as_string()}: {text.splitlines()[0]}; no trial is lost: "
            f"start the server, check {VARIABLE}, and run again"
        ) from None


def dashboard(where: str, host: str, port: int) -> None:
    """Serves optuna-dashboard until Ctrl-C."""
    import optuna_dashboard

    storage = open_storage(where)
    print(f"studies on http://{host}:{port}/dashboard, Ctrl-C ends it", flush=True)
    optuna_dashboard.run_server(storage, host=host, port=port)
