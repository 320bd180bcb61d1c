"""The identity of a stage: values, data and code count.

Comments, docstrings and formatting do not.
"""

import gc
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from autoencoders.core.errors import DataError
from autoencoders.core.identity import code_sha256, fingerprint, syntax

MODULE = '''"""A module."""

RATE = 0.1


class Layer:
    """A layer."""

    def forward(self, x: float, *, scale: float | None = None) -> float:
        """x times the rate."""
        return x * RATE if scale is None else f"{x!r:>{scale}}"


async def wait():
    """Waits."""
'''
SAME = {
    "a comment": MODULE.replace("RATE = 0.1", "RATE = 0.1  # a share"),
    "another docstring": MODULE.replace("A layer.", "Another layer."),
    "an attribute's docstring": MODULE.replace("RATE = 0.1", 'RATE = 0.1\n"""A share."""'),
    "no docstring": MODULE.replace('    """A layer."""\n', ""),
    "another formatting": MODULE.replace("x: float, *", "x: float,\n        *"),
    "other quotes": MODULE.replace('"{x!r', "'{x!r").replace('{scale}}"', "{scale}}'"),
    "another spelling of a number": MODULE.replace("0.1", "1e-1"),
}
DIFFERENT = {
    "a number": MODULE.replace("0.1", "0.2"),
    "a number's type": MODULE.replace("0.1", "'0.1'"),
    "a name": MODULE.replace("Layer", "Level"),
    "a default": MODULE.replace("= None)", "= 1.0)"),
    "an annotation": MODULE.replace("x: float", "x: int"),
    "a branch": MODULE.replace("is None", "is not None"),
}


@pytest.mark.parametrize("change", SAME)
def test_what_python_does_not_run_does_not_count(change):
    assert SAME[change] != MODULE
    assert syntax(SAME[change]) == syntax(MODULE)


@pytest.mark.parametrize("change", DIFFERENT)
def test_what_python_runs_counts(change):
    assert syntax(DIFFERENT[change]) != syntax(MODULE)


def test_the_text_holds_no_empty_field():
    # Python 3.12 added type_params and 3.13 dropped empty lists from ast.dump: both are empty here
    assert (
        syntax("def f(): pass")
        == "Module(body=[FunctionDef(name='f', args=arguments(), body=[Pass()])])"
    )


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A stage with a folder of code, a file of text and data among its dependencies."""
    monkeypatch.chdir(tmp_path)
    for name, text in (
        ("src/a/b.py", "x = 1\n"),
        ("src/a/card.j2", "{{ x }}"),
        ("pipeline/s.py", ""),
        ("data.csv", ""),
    ):
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_text(text)
    Path("dvc.yaml").write_text(
        "stages:\n  s:\n    do:\n      deps: [src/a, pipeline/s.py, data.csv]\n"
    )
    return tmp_path


@pytest.mark.parametrize(
    ("name", "text", "counts"),
    [
        ("src/a/b.py", "x = 1  # one\n", False),
        ("src/a/b.py", '"""B."""\n\nx = 1\n', False),
        ("src/a/b.py", "x = 2\n", True),
        ("src/a/c.py", "", True),
        ("src/a/card.j2", "{{ x }}.", True),
        ("src/a/__pycache__/b.pyc", "", False),
        ("pipeline/s.py", "import a\n", True),
        ("data.csv", "1\n", False),  # its own hash counts as the data's
    ],
)
def test_code_is_hashed_as_code(project, name, text, counts):
    before = code_sha256("s")
    Path(name).parent.mkdir(exist_ok=True)
    Path(name).write_text(text)
    assert (code_sha256("s") != before) is counts


def test_code_that_python_cannot_read_is_named(project):
    Path("src/a/b.py").write_text("def f(:\n")
    with pytest.raises(DataError, match=r"src/a/b\.py: not Python \(invalid syntax"):
        code_sha256("s")


def test_values_data_and_code_make_a_fingerprint(project):
    first = fingerprint("s", {"a": 1, "b": 2}, "data")
    assert fingerprint("s", {"b": 2, "a": 1}, "data") == first
    others = [
        fingerprint("s", {"a": 1, "b": 3}, "data"),
        fingerprint("s", {"a": 1, "b": 2}, "other"),
    ]
    Path("src/a/b.py").write_text("x = 2\n")
    others.append(fingerprint("s", {"a": 1, "b": 2}, "data"))
    assert len({first, *others}) == 4


@pytest.fixture
def threads_meet_in_the_parser() -> Iterator[None]:
    """Lets another thread run wherever Python collects garbage, which it does often."""

    def let_another_run(*_: object) -> None:
        time.sleep(0)

    before = gc.get_threshold()
    gc.callbacks.append(let_another_run)
    gc.set_threshold(10)
    yield
    gc.set_threshold(*before)
    gc.callbacks.remove(let_another_run)


def test_several_threads_can_read_code_at_once(threads_meet_in_the_parser):
    sources = [f"{MODULE}\nN = {number}\n" for number in range(100)]
    with ThreadPoolExecutor(4) as pool:
        texts = list(pool.map(syntax, sources))
    assert len(set(texts)) == len(sources)
