"""Runs a script like `python` does and signals itself at one moment.

`signalled.py SIGINT import:120 SCRIPT ...`. Moments are counted from when the script answers
signals: `import:N` is its N-th import of a module, `write:N` the N-th time that it opens a file to
write, makes, renames or removes one. With `count` for the signal nothing is sent; the last line of
the output then says how many of each there were.
"""

import os
import runpy
import signal
import sys
from collections import Counter

WRITES = {"os.mkdir", "os.rename", "os.remove", "os.rmdir", "shutil.rmtree", "os.truncate"}
seen = Counter[str]()


def moment(event: str, arguments: tuple[object, ...]) -> str:
    """`import`, `write`, or nothing."""
    if event == "open" and isinstance(arguments[2], int):
        return "write" if arguments[2] & (os.O_WRONLY | os.O_RDWR) else ""
    return "import" if event == "import" else "write" if event in WRITES else ""


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
            print(f"\n{seen['import']} {seen['write']}")
