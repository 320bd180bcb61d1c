"""A time limit for calls that offer none themselves."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def time_limit(seconds: int | None, *, calls: int = 1) -> Iterator[None]:
    """Ends a block that takes too long, whatever it waits for, in a process's main thread.

    seconds: for each of the block's calls; None: no limit. Raises TimeoutError.
    """
    if seconds is None:
        yield
        return
    signal.signal(signal.SIGALRM, _raise_timeout)
    signal.setitimer(signal.ITIMER_REAL, seconds * calls)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def _raise_timeout(number: int, frame: FrameType | None) -> None:  # noqa: ARG001
    raise TimeoutError("no answer in time")
