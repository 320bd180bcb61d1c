"""The writer beside a stage: `python -m autoencoders.tracking` sends its records to MLflow.

The stage names its records on standard input, a path a line, and closes it when it ends. The writer
is a process of its own, so that neither a server that hangs nor mlflow's imports hold up the work,
and so that a stage that is killed has its last epochs in MLflow all the same.
"""

import os
import sys
import threading
from pathlib import Path

from mlflow import MlflowException

from autoencoders.core.errors import UserError
from autoencoders.tracking import address, store
from autoencoders.tracking.failures import StoreError, explained, is_outage
from autoencoders.tracking.records import first_line, is_open
from autoencoders.tracking.sending import Postponed, Sender
from autoencoders.tracking.time_limit import time_limit

PAUSE = 2.0  # seconds between two writes, or two attempts to reach a store that did not answer
WRITE = 5  # seconds in which a write of metrics or tags has to be answered
LATER = "nothing is lost: the next stage or `ae` command that reaches it completes what is missing"


class Names:
    """The records that the stage has begun, read by a thread as they come."""

    def __init__(self) -> None:
        self.new: list[Path] = []
        self.ended = False  # whether the stage has
        self.event = threading.Event()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        for line in sys.stdin:
            self.new.append(Path(line.rstrip("\n")))
            self.event.set()
        self.ended = True
        self.event.set()

    def take(self) -> list[Path]:
        """Returns the names that have come since."""
        self.event.clear()
        names = []
        for _ in range(len(self.new)):  # the thread may append to them meanwhile
            names.append(self.new.pop(0))
        return names

    def wait(self) -> None:
        """Waits for a name, for the end, or for PAUSE."""
        self.event.wait(PAUSE)


class Writer:
    """Sends the stage's records until it has ended, and all was sent or nothing answers."""

    def __init__(self, names: Names) -> None:
        self.names = names
        self.sender: Sender | None = None
        self.open: list[Path] = []
        # whether the user's own limits hold
        self.patient = store.users_limit() is not None or store.RETRIES in os.environ
        self.silent = False  # whether the store did not answer, and this was reported

    def run(self) -> None:
        """Works as long as the stage does."""
        while True:
            ended = self.names.ended
            self.open += self.names.take()
            answered = self._attempt(ended=ended)
            if self.names.ended and (ended or not answered):
                return
            if not self.names.ended:
                self.names.wait()

    def _attempt(self, *, ended: bool) -> bool:
        """Sends what there is, and returns whether the store took it."""
        try:
            self._send(ended=ended)
        except (*StoreError, UserError, OSError, ImportError) as error:
            self._report_silence(error)
            return False
        if self.silent:
            self.silent = False
            _warn(f"MLflow at {address.hidden(address.uri())} answers again")
        return True

    def _report_silence(self, error: Exception) -> None:
        """Prints why the store did not answer, once until it answers again."""
        if self.silent:
            return
        self.silent = True
        reason = str(error)
        if not isinstance(error, UserError):
            reason = explained(error)
        _warn(f"{reason}. The work goes on; {LATER}")

    def _send(self, *, ended: bool) -> None:
        """Sends the records' new lines; at the stage's end also what other processes have left."""
        if self.sender is None:
            self.sender = self._connected()
        for path in list(self.open):
            self._send_record(self.sender, path)
        if ended:
            self.sender.finish_all()

    def _connected(self) -> Sender:
        """Connects to the store, and first sends what earlier processes have left."""
        is_local = address.uri() == address.local()
        first_contact = None if is_local or self.patient else store.FIRST_CONTACT
        with time_limit(first_contact):
            client = store.open_store(seconds=WRITE)
        sender = Sender(client, seconds=None if self.patient else WRITE)
        sender.finish_all()
        if self.open:
            begin = first_line(self.open[0])
            if begin is not None:
                sender.close_abandoned(begin.experiment)
        return sender

    def _send_record(self, sender: Sender, path: Path) -> None:
        """Sends one record; one that the store refuses is left to the end and moved aside there."""
        if not sender.take(path):  # another process completes it, or has done so
            self.open.remove(path)
            return
        try:
            complete = sender.send(path)
        except Postponed:
            return
        except MlflowException as error:
            if is_outage(error):
                raise
            self.open.remove(path)
            return
        if complete and not is_open(path) and sender.finish(path):
            self.open.remove(path)


def _warn(message: str) -> None:
    print(message, file=sys.stderr, flush=True)


def main() -> None:
    """The work of the process."""
    Writer(Names()).run()
