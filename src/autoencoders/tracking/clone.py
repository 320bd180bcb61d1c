"""The identity of this process, its machine and this clone of the repository: who writes a run.

Host names tell neither apart: containers share them, and so do two clones on one machine.
"""

import os
import platform
import uuid
from pathlib import Path
from typing import Any

import psutil
from filelock import FileLock

from autoencoders.core.files import read_json, write_json
from autoencoders.core.machine import has_ended, machine
from autoencoders.tracking.address import folder

MARKER = "clone.json"  # in mlruns/


def clone() -> str:
    """This clone's random name, made at its first use.

    A moved clone keeps its name; a copied one gets another.
    """
    marker = folder() / MARKER
    root = str(folder())
    folder().mkdir(parents=True, exist_ok=True)
    with FileLock(folder() / f"{MARKER}.lock"):
        written = {}
        if marker.exists():
            written = read_json(marker)
        if written and written["root"] == root:
            return str(written["clone"])
        name = uuid.uuid4().hex[:16]
        if written and not _is_copied(written):
            name = str(written["clone"])
        write_json(marker, {"clone": name, "root": root})
        return name


def _is_copied(written: dict[str, Any]) -> bool:
    """Whether the clone that wrote a marker is still at its place, so that this is a copy of it."""
    original = Path(written["root"]) / MARKER
    return original.exists() and read_json(original) == written


def process() -> dict[str, str]:
    """The tags by which a run names the process that writes it."""
    started = psutil.Process().create_time()
    return {
        "host": platform.node(),
        "pid": str(os.getpid()),
        "process_started": f"{started:.2f}",
        "machine": machine(),
        "clone": clone(),
    }


def is_gone(tags: dict[str, str]) -> bool:
    """Whether a run's process was one of this machine and clone, and has ended."""
    if tags.get("machine") != machine() or tags.get("clone") != clone():
        return False
    return has_ended(int(tags["pid"]), float(tags["process_started"]))
