"""Reading params.yaml: YAML in, values out, one message for each wrong key."""

import difflib
import io
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

from pydantic import ValidationError
from pydantic_core import ErrorDetails
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from autoencoders.core.errors import ParameterError
from autoencoders.params.sections import S, Section


def read_text(path: Path) -> str:
    """The text of a file of parameters. Raises ParameterError."""
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise ParameterError(
            f"{path}: {str(error.strerror).lower()}; run from the repository's root"
        ) from error
    except UnicodeDecodeError as error:
        raise ParameterError(
            f"{path}: not UTF-8 text ({error.reason} at byte {error.start})"
        ) from error


def yaml_tree(text: str, name: str, sections: Iterable[str]) -> dict[str, Any]:
    """The values of a YAML text, not validated; its name and the sections stand in messages. Raises ParameterError."""
    try:
        tree = YAML(typ="safe", pure=True).load(io.StringIO(text))  # YAML 1.2, as DVC reads it
    except (
        YAMLError,
        ValueError,
    ) as error:  # ValueError: a date that isn't one, a number of thousands of digits
        mark = getattr(error, "problem_mark", None)
        place = f", line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise ParameterError(
            f"{name}: not valid YAML: {getattr(error, 'problem', error)}{place}"
        ) from error
    if not isinstance(tree, dict):
        raise ParameterError(f"{name}: must be a mapping of sections ({', '.join(sections)})")
    return tree


def put(tree: dict[str, Any], values: Mapping[str, object]) -> None:
    """Sets values of a tree by dotted key; sections that it lacks are made. Raises ParameterError."""
    for key, value in values.items():
        *parents, last = key.split(".")
        node = tree
        for parent in parents:
            node = node.setdefault(parent, {})
            if not isinstance(node, dict):
                raise ParameterError(f"{key}: {parent} = {node!r} is a value, not a section")
        node[last] = value


def validated(schema: type[S], tree: object, name: str) -> S:
    """The section. Raises ParameterError: one line a key, what was found and every rule that would accept it."""
    try:
        return schema.model_validate(tree)
    except ValidationError as error:
        rules: dict[str, list[str]] = {}
        for details in error.errors():
            found, rule = _found_and_rule(schema, details)
            rules.setdefault(found, []).append(rule)
        lines = [
            f"{name}: {found}: {' or '.join(dict.fromkeys(allowed))}"
            for found, allowed in rules.items()
        ]
        raise ParameterError("\n".join(lines)) from None


def _found_and_rule(schema: type[Section], details: ErrorDetails) -> tuple[str, str]:
    """The dotted key with its value, and what is allowed there; pydantic's marks of union members are left out."""
    key, allowed = "", list(schema.model_fields)
    section: type[Section] | None = schema
    for part in details["loc"]:
        if isinstance(part, int) and key:
            key += f"[{part}]" if section else f".{part}"
        elif section:
            key, allowed = f"{key}.{part}".removeprefix("."), list(section.model_fields)
            field = section.model_fields.get(str(part))
            members = (field.annotation, *get_args(field.annotation)) if field else ()
            section = next(
                (m for m in members if isinstance(m, type) and issubclass(m, Section)), None
            )
    if details["type"] == "extra_forbidden":
        return key, f"unknown key; allowed here: {likely(key.rpartition('.')[2], allowed)}"
    if details["type"] == "missing":
        return key, "missing; params.yaml holds every value"
    rule = (
        details["msg"]
        .replace("Input should be", "must be")
        .replace("a valid integer", "a whole number")
    )
    return f"{key} = {details['input']!r}", rule.replace("a valid ", "a ")


def likely(name: str, allowed: Sequence[str]) -> str:
    """The names that are allowed, and the one that was probably meant."""
    close = difflib.get_close_matches(name, allowed, n=1)
    return ", ".join(allowed) + "".join(f"; did you mean {meant}?" for meant in close)
