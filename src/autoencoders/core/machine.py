"""The machine that a process runs on, and whether a process there is still the same one.

Host names tell machines apart badly: containers share them.
"""

import os
import platform
import uuid
from pathlib import Path

import psutil

from autoencoders.core.files import sha256

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
PID_NAMESPACE = Path("/proc/self/ns/pid")
# psutil counts start times from the boot, which seems to move when the clock is set. A process
# number comes back only after all others were used, so that a minute confuses no two processes.
CLOCK_TOLERANCE = 60  # seconds
MACHINE_DIGITS = 16  # hexadecimal: 64 bits tell machines apart


def machine() -> str:
    """The machine since its boot, and the container: there a process number means one process."""
    if BOOT_ID.exists() and PID_NAMESPACE.exists():
        parts = [BOOT_ID.read_text(encoding="ascii").strip(), str(PID_NAMESPACE.readlink())]
    else:
        parts = [platform.node(), str(uuid.getnode()), str(round(psutil.boot_time()))]
    return sha256("\0".join(parts).encode())[:MACHINE_DIGITS]


def usable_cores() -> int:
    """The cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def has_ended(process: int, started: float) -> bool:
    """Whether a process of this machine has ended, also where another one has its number by now.

    started: its start time, in seconds since 1970.
    """
    try:
        return abs(psutil.Process(process).create_time() - started) > CLOCK_TOLERANCE
    except psutil.NoSuchProcess:
        return True
