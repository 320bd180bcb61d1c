"""The identity of a stage's execution: a hash of its values, its data and its code."""

import ast
import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from threading import Lock

from ruamel.yaml import YAML

from autoencoders.core.errors import DataError
from autoencoders.core.files import sha256, tree_sha256

CODE = ("src/", "pipeline/", "requirements")  # beginnings of the dependencies that are code
FINGERPRINT_LENGTH = 32  # hexadecimal digits: 128 bits
ONE_AT_A_TIME = Lock()  # Python 3.11's parser fails where a second thread enters it meanwhile
DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


def fingerprint(stage: str, values: Mapping[str, object], data_sha256: str) -> str:
    """Hash of a stage's parameters, data and code: equal for equal executions on any machine."""
    identity = [values, data_sha256, code_sha256(stage)]
    return sha256(json.dumps(identity, sort_keys=True).encode())[:FINGERPRINT_LENGTH]


def code_sha256(stage: str) -> str:
    """Hash of the code that dvc.yaml, the one place where it is listed, declares for a stage.

    Python counts by its syntax tree: a comment, a docstring or another formatting changes nothing.
    """
    declared = YAML(typ="safe", pure=True).load(Path("dvc.yaml"))["stages"][stage]
    dependencies = declared.get("do", declared)["deps"]
    code = [Path(path) for path in dependencies if path.startswith(CODE)]
    return tree_sha256(*code, content=_significant)


def _significant(path: Path) -> bytes:
    """The bytes of a code file that count. Raises DataError where Python can't read it."""
    content = path.read_bytes()
    if path.suffix != ".py":
        return content
    try:
        return syntax(content).encode()
    except (SyntaxError, ValueError) as error:
        raise DataError(f"{path}: not Python ({error})") from error


@cache
def syntax(source: str | bytes) -> str:
    """The syntax tree of Python source as text, without docstrings and empty fields.

    `ast.dump` would not do: which empty fields it prints differs between versions of Python.
    """
    with ONE_AT_A_TIME:
        tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, DOCUMENTED):
            node.body = [statement for statement in node.body if not _is_text(statement)]
    return _as_text(tree)


def _is_text(statement: ast.stmt) -> bool:
    """Whether a statement is a text, which does nothing: a docstring, also one of an attribute."""
    if not isinstance(statement, ast.Expr):
        return False
    return isinstance(statement.value, ast.Constant) and isinstance(statement.value.value, str)


def _as_text(value: object) -> str:
    """A node with its fields that are not empty, a list of nodes, or a constant."""
    if isinstance(value, ast.AST):
        fields: list[str] = []
        for name, field in ast.iter_fields(value):
            if field is not None and field != []:
                fields.append(f"{name}={_as_text(field)}")
        return f"{type(value).__name__}({', '.join(fields)})"
    if isinstance(value, list):
        return f"[{', '.join(map(_as_text, value))}]"
    return ascii(value)
