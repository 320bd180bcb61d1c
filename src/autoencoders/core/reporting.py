"""How a process ends: one message for a mistake, a fault of the machine or an interruption, never a traceback.

Nothing slow is imported here: until a script is inside of `reporting`, Python itself answers a signal. Hence `_signal`,
which is there when Python starts; `signal` takes ten times as long as all the rest.
"""

import _signal  # type: ignore[import-not-found]  # has no types
import sys
import time

from autoencoders.core.errors import Interrupted, UserError

ANSWERED = {_signal.SIGINT: "SIGINT", _signal.SIGTERM: "SIGTERM"}
AGAIN = 0.001  # seconds until a signal that was swallowed comes again: not where it was swallowed
ONCE = (
    2.0  # seconds in which another signal means the same: from the terminal, and from the dvc above
)


class Asked(Interrupted):
    """Raised by a signal. Where something swallows it, such as a library's broad `except`, the signal comes again."""

    def __init__(self, reason: str, answer: "Reporting") -> None:
        super().__init__(reason)
        self.answer = answer

    def __del__(self) -> None:
        self.answer.swallowed()


class Reporting:
    """A context in which a signal raises Interrupted, and whose error ends the process."""

    def __init__(self, command: str) -> None:
        self.command, self.over = command, False
        self.reason, self.unwinding, self.asked = (
            "",
            False,
            0.0,
        )  # of the last signal: told, on its way up, and when

    def __enter__(self) -> None:
        sys.unraisablehook = self._unraisable
        for number in (_signal.SIGALRM, *ANSWERED):
            _signal.signal(number, self._interrupt)

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        self.over = True
        for number in (_signal.SIGALRM, *ANSWERED):
            _signal.signal(number, _signal.SIG_IGN)  # what was asked for is done
        if isinstance(error, Interrupted):
            self.reason = str(error)
        if isinstance(error, KeyboardInterrupt):
            self.reason = "interrupted by SIGINT"  # where a library took the signal for itself
        if self.reason:  # whatever was made of it on its way up
            _end(f"{self.reason}; {self.command} goes on from here", 130)
        if isinstance(error, Exception):
            _end_by_fault(error)

    def swallowed(self) -> None:
        """Has the signal come again, unless the block has ended."""
        self.unwinding = False
        if not self.over:
            _signal.setitimer(_signal.ITIMER_REAL, AGAIN)

    def _interrupt(self, number: int, frame: object) -> None:  # noqa: ARG002
        now = time.monotonic()
        if self.unwinding and now - self.asked < ONCE:
            return
        self.reason = (
            self.reason if number == _signal.SIGALRM else f"interrupted by {ANSWERED[number]}"
        )
        self.unwinding, self.asked = True, now
        raise Asked(self.reason, self)

    def _unraisable(self, unraisable: "sys.UnraisableHookArgs") -> None:
        """Tells what Python can't raise, such as an error in a destructor; an interruption comes again by itself."""
        if not isinstance(unraisable.exc_value, Interrupted):
            sys.__unraisablehook__(unraisable)


def reporting(command: str = "`dvc repro`") -> Reporting:
    """A context that shows a user's mistake as one message, and ends the process with code 1.

    Ctrl-C and SIGTERM raise Interrupted in it; the code is then 130. command: which goes on after these.
    """
    return Reporting(command)


def _end_by_fault(error: Exception) -> None:
    """Ends the process by a user's mistake, or by a fault of the machine; any other error is one of the code."""
    from autoencoders.core import faults

    told = faults.told(error) or (str(error) if isinstance(error, UserError) else "")
    if told:
        _end(f"error: {told}", 1)


def _end(message: str, code: int) -> None:
    sys.stdout.flush()
    print(message, file=sys.stderr)
    raise SystemExit(code) from None
