"""The machine that a process runs on, and whether a process there is still the same one.

Host names tell machines apart badly: containers share them.
"""

import platform
import uuid
from pathlib import Path

import psutil

from autoencoders.core.files import sha256

BOOT_ID, PID_NAMESPACE = Path("/proc/sys/kernel/random/boot_id"), Path("/proc/self/ns/pid")
CLOCK = 60  # seconds by which a process's start time may seem to move when the clock is set


def machine() -> str:
    """The machine since its last start, and the container: where a process number means one process."""
    if BOOT_ID.exists() and PID_NAMESPACE.exists():
        parts = [BOOT_ID.read_text(encoding="ascii").strip(), str(PID_NAMESPACE.readlink())]
    else:
        parts = [platform.node(), str(uuid.getnode()), str(round(psutil.boot_time()))]
    return sha256("\0".join(parts).encode())[:16]


def has_ended(process: int, started: float) -> bool:
    """Whether the process of this machine that had this number and start time (seconds since 1970) has ended."""
    try:
        return abs(psutil.Process(process).create_time() - started) > CLOCK
    except psutil.NoSuchProcess:
        return True
