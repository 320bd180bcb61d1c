"""Reading params.yaml: YAML in, values out, one message for each wrong key."""

import difflib
import io
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

from pydantic import ValidationError
from pydantic_core import ErrorDetails
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from autoencoders.core.errors import ParameterError
from autoencoders.params.section import S, Section

RENAMED = {  # keys of earlier versions, and what takes their place
    "tune.goal": "is now tune.objective: smallest_code (was compress) or smallest_error "
    "(was reconstruct)",
}
PLAIN_WORDS = {  # of pydantic's messages
    "Input should be": "must be",
    "a valid integer": "a whole number",
    "a valid ": "a ",
}


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
    """The values of a YAML text, not validated.

    name: of the file, and its sections, for messages. Raises ParameterError.
    """
    try:
        tree = YAML(typ="safe", pure=True).load(io.StringIO(text))  # YAML 1.2, as DVC reads it
    except (YAMLError, ValueError) as error:
        # ValueError: a date that isn't one, a number of thousands of digits
        mark = getattr(error, "problem_mark", None)
        place = f", line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise ParameterError(
            f"{name}: not valid YAML: {getattr(error, 'problem', error)}{place}"
        ) from error
    if not isinstance(tree, dict):
        raise ParameterError(f"{name}: must be a mapping of sections ({', '.join(sections)})")
    return tree


def yaml_text(
    values: Mapping[str, object], *, flow: bool | None = None, in_order: bool = False
) -> str:
    """Values as YAML.

    flow: in braces on one line, or as lines; None: only the innermost ones in braces. in_order:
    names in the order of the mapping, else sorted.
    """
    yaml = YAML(typ="safe", pure=True)
    yaml.default_flow_style = flow
    if in_order:  # ruamel.yaml types this setting by its default, None
        yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment]
    if flow:
        yaml.width = sys.maxsize
    stream = io.StringIO()
    yaml.dump(dict(values), stream)
    return stream.getvalue()


def put(tree: dict[str, Any], values: Mapping[str, object]) -> None:
    """Sets values of a tree by dotted key, and makes sections that it lacks.

    Raises ParameterError.
    """
    for key, value in values.items():
        *parents, last = key.split(".")
        node = tree
        for parent in parents:
            node = node.setdefault(parent, {})
            if not isinstance(node, dict):
                raise ParameterError(f"{key}: {parent} = {node!r} is a value, not a section")
        node[last] = value


def validated(schema: type[S], tree: object, name: str) -> S:
    """The values as a section.

    name: of the file, for messages. Raises ParameterError with one line a key: the value that
    stands there, and every rule that would accept it.
    """
    try:
        return schema.model_validate(tree)
    except ValidationError as error:
        rules: dict[str, list[str]] = {}
        for details in error.errors():
            key, section = _place(schema, details["loc"])
            value, rule = _value_and_rule(key, section, details)
            rules.setdefault(value, []).append(rule)
        lines = []
        for value, alternatives in rules.items():
            distinct = dict.fromkeys(alternatives)
            lines.append(f"{name}: {value}: {' or '.join(distinct)}")
        raise ParameterError("\n".join(lines)) from None


def _place(schema: type[Section], location: tuple[int | str, ...]) -> tuple[str, type[Section]]:
    """The dotted key of an error's location, and the section that it lies in.

    The location also names the members of a union, which are no part of the key.
    """
    key = ""
    parent = schema
    section: type[Section] | None = schema
    for part in location:
        if isinstance(part, int) and key:
            key += f"[{part}]" if section else f".{part}"
        elif section:
            key = f"{key}.{part}" if key else str(part)
            parent = section
            section = _section_in(section, str(part))
    return key, parent


def _section_in(section: type[Section], name: str) -> type[Section] | None:
    """The section that a value holds, alone, or as a member of a union or list."""
    field = section.model_fields.get(name)
    if field is None:
        return None
    for member in (field.annotation, *get_args(field.annotation)):
        if isinstance(member, type) and issubclass(member, Section):
            return member
    return None


def _value_and_rule(key: str, section: type[Section], details: ErrorDetails) -> tuple[str, str]:
    """The key with its value, and the rule that would accept it."""
    if details["type"] == "extra_forbidden":
        if key in RENAMED:
            return key, RENAMED[key]
        name = key.rpartition(".")[2]
        return key, f"unknown key; allowed here: {likely(name, list(section.model_fields))}"
    if details["type"] == "missing":
        return key, "missing; params.yaml must hold it"
    rule = details["msg"]
    for words, plain in PLAIN_WORDS.items():
        rule = rule.replace(words, plain)
    return f"{key} = {details['input']!r}", rule


def likely(name: str, allowed: Sequence[str]) -> str:
    """The names that are allowed, and the one that was probably meant."""
    listed = ", ".join(allowed)
    close = difflib.get_close_matches(name, allowed, n=1)
    return f"{listed}; did you mean {close[0]}?" if close else listed
