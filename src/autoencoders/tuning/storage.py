"""Where studies are kept: a journal file or a PostgreSQL database."""

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
from autoencoders.tuning.journal import JOURNAL, UNFIT, broken_journal
from autoencoders.tuning.trials import UNTUNED

VARIABLE = "AUTOENCODERS_STUDY_URL"
EXAMPLE = "postgresql://user:password@host:5432/studies"
HEARTBEAT, GRACE = (
    5,
    20,
)  # seconds from one sign of life to the next, and until a silent worker counts as dead
LOCK_GRACE = (
    10  # seconds until the lock of a writer that was killed is broken; a write takes milliseconds
)


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
            json.loads(
                last
            )  # Optuna leaves out a last line that it can't read, and fails at the next one
        return storages.JournalStorage(backend)
    except UNFIT as error:
        raise UserError(broken_journal(path) or f"{path}: {error}") from error


def _url() -> URL:
    text = os.environ.get(VARIABLE, "")
    with suppress(ArgumentError, ValueError):
        if make_url(text).get_backend_name() == "postgresql":
            return make_url(text).set(drivername="postgresql+psycopg")
    found = (
        "is no PostgreSQL URL" if text else "is not set"
    )  # the text may hold a password: it is not shown
    raise UserError(
        f"{VARIABLE}: {found}, which tune.storage = environment needs; for example {EXAMPLE}"
    )


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
