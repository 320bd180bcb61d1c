"""The end of a process: one message on a mistake, a fault of the machine or an interruption.

Nothing slow is imported here: until a script is inside of `reporting`, Python itself answers a
signal. Hence `_signal`, which is loaded when Python starts; importing `signal` takes ten times as
long as all the rest.
"""

import _signal  # type: ignore[import-not-found]  # has no types
import gc
import sys
import time

from autoencoders.core.errors import Interrupted, UserError

ASKING = {_signal.SIGINT: "SIGINT", _signal.SIGTERM: "SIGTERM"}  # signals that ask for the end
ANSWERED = (_signal.SIGALRM, *ASKING)  # SIGALRM is this module's own: it repeats another one
# seconds: a swallowed signal is not raised again at once, where it was swallowed
REPEAT_AFTER = 0.001
INTERRUPTED_CODE = 130  # as shells have it: 128 and SIGINT's number
SAME_REQUEST = 2.0  # seconds in which the terminal and the dvc above may send the same request


class Signalled(Interrupted):
    """Raised by a signal. Where something swallows it, such as a broad `except`, it is repeated."""

    def __init__(self, reason: str, answer: "Reporting") -> None:
        super().__init__(reason)
        self.answer = answer

    def __del__(self) -> None:
        self.answer.swallowed()


class Reporting:
    """A context in which a signal raises Interrupted, and whose error ends the process."""

    def __init__(self, command: str) -> None:
        self.command = command
        self.over = False  # whether the block has ended
        self.reason = ""  # the message on the last signal
        self.unwinding = False  # whether that signal's exception is on its way up
        self.raised_at = 0.0  # when it was raised, in seconds of the monotonic clock

    def __enter__(self) -> None:
        sys.unraisablehook = self._unraisable
        for number in ANSWERED:
            _signal.signal(number, self._interrupt)

    def __exit__(self, error_type: object, error: BaseException | None, trace: object) -> None:
        self.over = True
        for number in ANSWERED:
            _signal.signal(number, _signal.SIG_IGN)  # the work is done, or about to be reported
        if isinstance(error, Interrupted):
            self.reason = str(error)
        if isinstance(error, KeyboardInterrupt):  # a library took the signal for itself
            self.reason = f"interrupted by {ASKING[_signal.SIGINT]}"
        if self.reason:  # also where another error was made of the signal on its way up
            _end(f"{self.reason}; {self.command} goes on from here", INTERRUPTED_CODE)
        if isinstance(error, Exception):
            _end_by_fault(error)

    def swallowed(self) -> None:
        """Repeats the signal, unless the block has ended."""
        self.unwinding = False
        if not self.over:
            _signal.setitimer(_signal.ITIMER_REAL, REPEAT_AFTER)

    def _interrupt(self, number: int, frame: object) -> None:  # noqa: ARG002
        now = time.monotonic()
        if self.unwinding and now - self.raised_at < SAME_REQUEST:
            return
        if number != _signal.SIGALRM:
            self.reason = f"interrupted by {ASKING[number]}"
        self.unwinding = True
        self.raised_at = now
        gc.enable()  # it finds a swallowed interruption that is in a cycle
        raise Signalled(self.reason, self)

    def _unraisable(self, unraisable: "sys.UnraisableHookArgs") -> None:
        """Prints an error that Python can't raise, such as one in a destructor.

        An interruption is not printed: it is repeated.
        """
        if not isinstance(unraisable.exc_value, Interrupted):
            sys.__unraisablehook__(unraisable)


def reporting(command: str = "`dvc repro`") -> Reporting:
    """A context that shows a user's mistake as one message, and ends the process with code 1.

    Ctrl-C and SIGTERM raise Interrupted in it; the code is then 130. command: what the user runs to
    go on after an interruption.
    """
    return Reporting(command)


def _end_by_fault(error: Exception) -> None:
    """Ends the process on a fault of the machine or a user's mistake; not on other errors."""
    from autoencoders.core import faults

    message = faults.message(error)
    if message is None and isinstance(error, UserError):
        message = str(error)
    if message:
        _end(f"error: {message}", 1)


def _end(message: str, code: int) -> None:
    sys.stdout.flush()
    print(message, file=sys.stderr)
    raise SystemExit(code) from None
