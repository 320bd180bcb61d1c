"""Tests the tests: `python tools/mutants.py SCRATCH SEED NUMBER`.

A mutant is the source with one small change. The script draws a random sample of the mutants of
FOLDERS, applies one at a time in SCRATCH/repository, a copy of the working tree, and runs the test
file that mirrors the changed module, and for a module of models/ the contract tests. A mutant that
survives makes no difference (it is equivalent), is killed by another module's tests, or shows what
no test claims.

SCRATCH/results.json holds the results: an interrupted run of the same code goes on from there.
"""

import ast
import copy
import hashlib
import importlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeGuard

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = Path("src/autoencoders")
FOLDERS = ("models", "training", "evaluation", "tuning")
CONTRACT = Path("tests/models/test_contract.py")
TIMEOUT = 900  # seconds for one mutant's tests; a mutant that takes longer is killed
POLL = 0.1  # seconds between two looks at the tests' process
LIBRARIES = (  # imported once: a process that starts anew needs several seconds for them
    "hypothesis", "matplotlib.pyplot", "optuna", "pandas", "pytorch_lightning", "scipy.stats",
    "sklearn.ensemble", "sklearn.linear_model", "torch",
)  # fmt: skip
# of operators, each of which is exchanged for the other
PAIRS: tuple[tuple[type[ast.AST], type[ast.AST]], ...] = (
    (ast.Lt, ast.LtE), (ast.Gt, ast.GtE), (ast.Eq, ast.NotEq), (ast.Is, ast.IsNot),
    (ast.In, ast.NotIn), (ast.And, ast.Or), (ast.Add, ast.Sub), (ast.Mult, ast.Div),
)  # fmt: skip
EXCHANGED = {**dict(PAIRS), **{other: one for one, other in PAIRS}, ast.FloorDiv: ast.Mult}


@dataclass(frozen=True)
class Mutant:
    """One change: the bytes from start to stop of a file, `old`, become `new`."""

    path: Path
    line: int
    start: int
    stop: int
    old: str
    new: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.old} -> {self.new}"


def mutants_of(path: Path, source: bytes) -> Iterator[Mutant]:
    """Every mutant of a file, in the order of its syntax tree."""
    line_starts = [0]
    for line in source.splitlines(keepends=True):
        line_starts.append(line_starts[-1] + len(line))
    for node in _nodes(ast.parse(source)):
        for changed, replacement in _changes(node):
            start = line_starts[changed.lineno - 1] + changed.col_offset
            end_line, end_column = changed.end_lineno, changed.end_col_offset
            if end_line is None or end_column is None:  # of trees that no parser has made
                continue
            stop = line_starts[end_line - 1] + end_column
            old = " ".join(source[start:stop].decode().split())
            yield Mutant(path, changed.lineno, start, stop, old, replacement)


def _nodes(node: ast.AST) -> Iterator[ast.AST]:
    """The nodes of a tree without f-strings, which are messages, and without annotations."""
    yield node
    for child in ast.iter_child_nodes(node):
        is_annotation = isinstance(node, ast.AnnAssign | ast.arg) and child is node.annotation
        if not is_annotation and not isinstance(child, ast.JoinedStr):
            yield from _nodes(child)


def _changes(node: ast.AST) -> Iterator[tuple[ast.expr | ast.stmt, str]]:
    """The part of a node that is replaced, and the source that replaces it."""
    if isinstance(node, ast.Compare | ast.BinOp | ast.BoolOp):
        operator: ast.AST = node.ops[0] if isinstance(node, ast.Compare) else node.op
        if type(operator) in EXCHANGED:
            yield node, _with_operator(node, EXCHANGED[type(operator)]())
    elif isinstance(node, ast.Constant):
        if isinstance(node.value, bool):
            yield node, repr(not node.value)
        elif isinstance(node.value, int | float):
            yield node, repr(node.value + 1)
    elif isinstance(node, ast.If | ast.While | ast.IfExp):
        yield node.test, f"(not ({ast.unparse(node.test)}))"
    elif _is_removable(node):
        yield node, "pass"


def _with_operator(node: ast.Compare | ast.BinOp | ast.BoolOp, operator: Any) -> str:
    """The source of a comparison or operation with another operator, the first one of several.

    operator: of the class that such a node has.
    """
    changed = copy.deepcopy(node)
    if isinstance(changed, ast.Compare):
        changed.ops[0] = operator
    else:
        changed.op = operator
    return f"({ast.unparse(changed)})"


def _is_removable(node: ast.AST) -> TypeGuard[ast.stmt]:
    """Whether a file without this statement still has all of its names."""
    if isinstance(node, ast.Expr):
        return not isinstance(node.value, ast.Constant)  # a docstring
    if isinstance(node, ast.Assign):
        return not isinstance(node.targets[0], ast.Name | ast.Tuple)
    return isinstance(node, ast.AugAssign | ast.Raise)


def tests_of(module: Path, root: Path) -> list[str]:
    """The test file that mirrors a module, or its folder of tests; for models/ the contract too."""
    inside = module.relative_to(PACKAGE)
    mirror = "tests" / inside.with_name(f"test_{inside.name}")
    if not (root / mirror).exists():
        mirror = mirror.parent
    tests = [mirror.as_posix()]
    if inside.parts[0] == "models":
        tests.append(CONTRACT.as_posix())
    return tests


def copy_working_tree(target: Path) -> None:
    """Copies the files that git does not ignore; a copy that is there already is replaced."""
    shutil.rmtree(target, ignore_errors=True)
    listing = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listing, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in names.split("\0"):
        if (ROOT / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, target / name)


def passes(tests: list[str], root: Path) -> bool:
    """Whether the tests pass in the copy. Tests that take longer than TIMEOUT do not.

    They run in a fork of this process, which has imported LIBRARIES but nothing of the package.
    """
    child = os.fork()
    if child == 0:
        os._exit(_run_pytest(tests, root))
    end = time.monotonic() + TIMEOUT
    while time.monotonic() < end:
        finished, status = os.waitpid(child, os.WNOHANG)
        if finished:
            return status == 0
        time.sleep(POLL)
    os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return False


def _run_pytest(tests: list[str], root: Path) -> int:
    """Turns this process into one that runs the tests in the copy, and says nothing."""
    os.setsid()
    os.chdir(root)
    silence = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(silence, stream)
    os.environ |= {"PYTHONPATH": str(root / "src"), "PYTHONDONTWRITEBYTECODE": "1"}
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    sys.dont_write_bytecode = True
    sys.path[0] = str(root / "src")
    options = ["-x", "-q", "-p", "no:cacheprovider", "-m", "not slow and not browser"]
    try:
        return int(pytest.main([*options, *tests]))
    except BaseException:  # noqa: BLE001  (an error outside of a test is a failure as well)
        return 1


def survives(mutant: Mutant, tests: list[str], root: Path) -> bool:
    """Whether the tests pass in the copy with the mutant. The copy is as before afterwards."""
    file = root / mutant.path
    source = file.read_bytes()
    try:
        file.write_bytes(source[: mutant.start] + mutant.new.encode() + source[mutant.stop :])
        return passes(tests, root)
    finally:
        file.write_bytes(source)


def hash_of(folder: Path) -> str:
    """The hash of a folder's Python files."""
    contents = [file.read_bytes() for file in sorted(folder.rglob("*.py"))]
    return hashlib.sha256(b"".join(contents)).hexdigest()


def all_mutants(root: Path) -> list[Mutant]:
    """Every mutant of FOLDERS, always in the same order."""
    mutants: list[Mutant] = []
    for folder in FOLDERS:
        for module in sorted((root / PACKAGE / folder).rglob("*.py")):
            mutants += mutants_of(module.relative_to(root), module.read_bytes())
    return mutants


def main(scratch: Path, seed: int, number: int) -> None:
    """Runs the sample, and prints each survivor and how many there are."""
    if scratch.resolve().is_relative_to(ROOT):
        sys.exit("SCRATCH must lie outside of the working tree")
    root = scratch.resolve() / "repository"
    copy_working_tree(root)
    mutants = all_mutants(root)
    random.Random(seed).shuffle(mutants)  # noqa: S311  (no secret)
    sample = mutants[:number]
    state = f"{hash_of(root / PACKAGE)} {hash_of(root / 'tests')}"
    for library in LIBRARIES:
        importlib.import_module(library)
    file = scratch / "results.json"
    results: dict[str, bool] = json.loads(file.read_text()) if file.exists() else {}
    survivors = 0
    for mutant in sample:
        tests = tests_of(mutant.path, root)
        unchanged = f"{state} {tests}"
        if unchanged not in results:
            results[unchanged] = passes(tests, root)
        if not results[unchanged]:
            sys.exit(f"{' '.join(tests)} fail without a mutant")
        changed = f"{state} {mutant.start} {mutant}"
        if changed not in results:
            results[changed] = survives(mutant, tests, root)
            file.write_text(json.dumps(results, indent=0))
        if results[changed]:
            survivors += 1
            print(f"survived: {mutant}", flush=True)
    print(f"{len(mutants)} mutants, {len(sample)} drawn, {survivors} survived")


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
