"""Runs a script like `python` does and signals itself at one moment.

`signalled.py SIGINT import:120 SCRIPT ...`. Moments are counted from when the script answers
signals: `import:N` is its N-th import of a module, `write:N` the N-th time that it opens a file to
write, makes, renames or removes one, and `checkpoint:N` likewise of a training's checkpoints, whose
number depends on the machine's speed. With `count` for the signal nothing is sent; the last line of
the output then says how many of each there were.
"""

import os
import runpy
import signal
import sys
from collections import Counter

WRITES = {"os.mkdir", "os.rename", "os.remove", "os.rmdir", "shutil.rmtree", "os.truncate"}
CHECKPOINTS = ".checkpoints"  # in the paths of a training's checkpoints
seen = Counter[str]()


def moment(event: str, arguments: tuple[object, ...]) -> str:
    """`import`, `write`, `checkpoint`, or nothing."""
    if event == "import":
        return "import"
    writes = event in WRITES
    if event == "open" and isinstance(arguments[2], int):
        writes = bool(arguments[2] & (os.O_WRONLY | os.O_RDWR))
    if not writes:
        return ""
    return "checkpoint" if CHECKPOINTS in str(arguments[0]) else "write"


def watch(event: str, arguments: tuple[object, ...]) -> None:
    """An audit hook."""
    kind = moment(event, arguments)
    if kind and signal.getsignal(signal.SIGTERM) not in (signal.SIG_DFL, signal.SIG_IGN):
        seen[kind] += 1
        if name != "count" and f"{kind}:{seen[kind]}" == at:
            os.kill(os.getpid(), signal.Signals[name])


if __name__ == "__main__":
    name, at, *sys.argv = sys.argv[1:]
    sys.path[0] = os.path.dirname(sys.argv[0])  # noqa: PTH120  (before the script no module that it imports)
    sys.addaudithook(watch)
    try:
        runpy.run_path(sys.argv[0], run_name="__main__")
    finally:
        if name == "count":
            print(f"\n{seen['import']} {seen['write']} {seen['checkpoint']}")
