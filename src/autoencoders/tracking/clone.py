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
    """This clone's random name, made at its first use. A moved clone keeps it; a copied one gets another."""
    marker, root = folder() / MARKER, str(folder())
    folder().mkdir(parents=True, exist_ok=True)
    with FileLock(folder() / f"{MARKER}.lock"):
        known: dict[str, Any] = read_json(marker) if marker.exists() else {}
        if known and known["root"] == root:
            return str(known["clone"])
        name = str(known["clone"]) if known and not _still_at(known) else uuid.uuid4().hex[:16]
        write_json(marker, {"clone": name, "root": root})
        return name


def _still_at(known: dict[str, Any]) -> bool:
    """Whether the clone that wrote a marker is still at its place, so that this one is a copy of it."""
    there = Path(known["root"]) / MARKER
    return there.exists() and read_json(there) == known


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
