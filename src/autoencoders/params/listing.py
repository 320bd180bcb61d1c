"""The values of params.yaml as lists: what each one is, where it comes from, and what it means."""

import textwrap
from collections.abc import Iterator, Mapping
from typing import Any, Literal, NamedTuple, get_args, get_origin

from autoencoders.core.paths import PARAMS_FILE, TUNED, TUNED_VALUES
from autoencoders.params.architecture import DataFacts
from autoencoders.params.params import Params
from autoencoders.params.reading import yaml_text
from autoencoders.params.section import Section
from autoencoders.params.type_section import NetworkOverrides, TrainOverrides, TypeSection
from autoencoders.params.types import Models

AUTO = "auto"
DEFAULT = "default"
INDENT = "  "
LINE_LENGTH = 100  # of the comments in a listing


class Line(NamedTuple):
    """One value of a training."""

    key: str  # its dotted name
    value: str
    source: str  # where it comes from


def listed(
    params: Params, model_type: str, facts: DataFacts | None, tuned: Mapping[str, object]
) -> list[Line]:
    """Every value of a type's training.

    facts: of the data, where it is known; tuned: the values that the type's study has chosen, by
    dotted name. Raises ParameterError.
    """
    changed = params.with_tuned(model_type, tuned)
    resolved = changed.plan(model_type, facts).flat() if facts else {}
    lines = [Line("seed", str(params.seed), str(PARAMS_FILE))]
    if params.goal == AUTO:
        lines.append(_auto_line("goal", resolved))
    else:
        lines.append(Line("goal", params.goal, str(PARAMS_FILE)))
    for key, value in _values(changed, model_type):
        if value == AUTO:
            lines.append(_auto_line(key, resolved))
        elif key in tuned:
            lines.append(Line(key, str(value), str(TUNED / model_type / TUNED_VALUES)))
        else:
            lines.append(Line(key, str(value), _source(params, model_type, key)))
    return lines


def _auto_line(key: str, resolved: Mapping[str, object]) -> Line:
    """The line of a value that is `auto`; resolved: the plan's values, empty without data."""
    if not resolved:
        return Line(key, AUTO, "auto: waits for the data")
    if resolved[key] == AUTO:
        return Line(key, AUTO, "auto: the machine decides")
    return Line(key, str(resolved[key]), "auto: the data decides")


def _values(params: Params, model_type: str) -> Iterator[tuple[str, Any]]:
    """Each value with its dotted name, with the type's overrides; `auto` stays."""
    for name, value in params.network_of(model_type):
        yield f"network.{name}", value
    for name, value in params.train_of(model_type):
        yield f"train.{name}", value
    for name, value in params.type_section(model_type).type_values().items():
        yield f"models.{model_type}.{name}", value


def _source(params: Params, model_type: str, key: str) -> str:
    """The place of a value: params.yaml, the type's section there, or the default."""
    section: TypeSection = params.type_section(model_type)
    group, _, name = key.partition(".")
    if group == "models":
        name = name.rpartition(".")[2]
        return str(PARAMS_FILE) if name in section.model_fields_set else DEFAULT
    if name in getattr(section, group).model_fields_set:
        return f"{PARAMS_FILE}, models.{model_type}"
    return str(PARAMS_FILE) if name in getattr(params, group).model_fields_set else DEFAULT


def full_text(params: Params) -> str:
    """Every value that params.yaml may hold, as YAML in the order of the schema.

    Above each value stands its meaning, behind it whether it is the default. A type that is not
    trained stands in comments. A type's overrides of `network` and `train` are listed where
    params.yaml has them.
    """
    return "\n".join(_section_lines(params, "")) + "\n"


def _section_lines(section: Section, indent: str) -> Iterator[str]:
    """Yields the lines of a section's values."""
    for name, field in type(section).model_fields.items():
        value = getattr(section, name)
        if isinstance(value, Section):
            yield from _subsection_lines(name, value, indent)
        elif isinstance(section, Models):
            yield from _untrained_lines(name, indent)
        elif value is not None:  # an override that params.yaml lacks is None
            meaning = field.description or ""
            yield from _comment(f"{meaning} {_choices(field.annotation)}", indent)
            is_default = name not in section.model_fields_set
            yield from _value_lines(name, value, indent, " # default" if is_default else "")


def _subsection_lines(name: str, section: Section, indent: str) -> Iterator[str]:
    """Yields a section's title and lines; nothing of overrides that params.yaml lacks."""
    is_overrides = isinstance(section, NetworkOverrides | TrainOverrides)
    if is_overrides and not section.model_fields_set:
        return
    lines = list(_section_lines(section, indent + INDENT))
    if not indent:
        yield ""
    yield f"{indent}{name}:" if lines else f"{indent}{name}: {{}}"
    yield from lines


def _untrained_lines(model_type: str, indent: str) -> Iterator[str]:
    """Yields, as comments, the lines of a type that params.yaml does not name."""
    section_type, _ = get_args(Models.model_fields[model_type].annotation)
    yield f"{indent}# not trained:"
    for line in _subsection_lines(model_type, section_type(), ""):
        if line:
            yield f"{indent}# {line}"


def _comment(meaning: str, indent: str) -> Iterator[str]:
    """Yields a meaning as lines of comments."""
    prefix = f"{indent}# "
    yield from textwrap.wrap(
        " ".join(meaning.split()), LINE_LENGTH, initial_indent=prefix, subsequent_indent=prefix
    )


def _choices(annotation: object) -> str:
    """A sentence that lists the words which a value may be; nothing where it is no choice."""
    words: list[str] = []
    for member in (annotation, *get_args(annotation)):
        if get_origin(member) is Literal:
            words += [word for word in get_args(member) if word not in words]
    return f"One of {', '.join(words)}." if len(words) > 1 else ""


def _value_lines(name: str, value: object, indent: str, note: str) -> Iterator[str]:
    """Yields a value as YAML: the lines of the search space one by one, all else on one line."""
    if isinstance(value, list) and value and isinstance(value[0], Section):
        yield f"{indent}{name}:{note}"
        for item in value:
            yield f"{indent}{INDENT}- {_flow(item.model_dump(exclude_unset=True))}"
        return
    line = _flow({name: value}).removeprefix("{").removesuffix("}")
    yield f"{indent}{line}{note}"


def _flow(value: Mapping[str, object]) -> str:
    """A mapping as YAML on one line, in braces."""
    return yaml_text(value, flow=True, in_order=True).strip()
