"""CPU seconds of each stage's imports, and the packages that take most of them.

`make bench-cold`. A stage's import statements run in processes of their own: in some, whose CPU
seconds are counted, and in one, in which Python times each module. `writer` is the process that
sends the runs of a `tune` or a `train` to MLflow.
"""

import ast
import os
import re
import resource
import subprocess
import sys
from collections import Counter

from rich.console import Console
from rich.table import Table

from common import ROOT

REPEATS = 3  # of which the fastest counts: others were disturbed
PACKAGES = 4  # the heaviest ones, which are shown
SCRIPTS = {  # with the imports of a stage, those inside of functions included
    "check": ["pipeline/check.py"],
    "download": ["pipeline/download.py"],
    "preprocess": ["pipeline/preprocess.py"],
    "tune": ["pipeline/tune.py", "src/autoencoders/tuning/tune.py"],
    "train": ["pipeline/train.py"],
    "evaluate": ["pipeline/evaluate.py"],
    "register": ["pipeline/register.py"],
    "writer": ["src/autoencoders/tracking/__main__.py"],
}
LINE = re.compile(r"import time: +(\d+) \| +\d+ \| +(\w+)")  # a module's microseconds, its package


def main() -> None:
    """Prints a line for each stage."""
    table = Table("stage", "CPU s", "heaviest packages, by their share of the time", box=None)
    for stage in SCRIPTS:
        code = quick_imports(stage)
        seconds = min(cpu_seconds(code) for _ in range(REPEATS))
        table.add_row(stage, f"{seconds:.2f}", ", ".join(heaviest(code)))
    Console().print(table)


def imports(stage: str) -> list[str]:
    """The import statements of a stage's scripts."""
    statements = []
    for script in SCRIPTS[stage]:
        tree = ast.parse((ROOT / script).read_text(encoding="utf-8"))
        nodes = [node for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)]
        statements += [ast.unparse(node) for node in nodes]
    return statements


def quick_imports(stage: str) -> str:
    """Code that imports what a stage does, in the same way."""
    lines = ["from autoencoders.core.imports import importing", "with importing():"]
    lines += [f"    {statement}" for statement in imports(stage)]
    return "\n".join(lines)


def cpu_seconds(code: str) -> float:
    """User and system seconds of a Python process that runs the code."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    python("-c", code)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def heaviest(code: str) -> list[str]:
    """The packages whose own modules take most of the time of the code's imports."""
    microseconds = Counter[str]()
    for time, package in LINE.findall(python("-X", "importtime", "-c", code)):
        microseconds[package] += int(time)
    total = microseconds.total()
    return [f"{name} {time / total:.0%}" for name, time in microseconds.most_common(PACKAGES)]


def python(*arguments: str) -> str:
    """What a Python process writes to its standard error."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    done = subprocess.run(
        [sys.executable, *arguments], env=environment, capture_output=True, text=True, check=True
    )
    return done.stderr


if __name__ == "__main__":
    main()
