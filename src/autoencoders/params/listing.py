"""The values of a type's training as a list: what each one is, and where it comes from."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from autoencoders.core.paths import PARAMS_FILE, TUNED, TUNED_VALUES
from autoencoders.params.architecture import DataFacts
from autoencoders.params.params import Params
from autoencoders.params.sections import TypeSection

AUTO = "auto"


class Line(NamedTuple):
    """One value of a training."""

    key: str  # its dotted name
    value: str
    source: str  # where it comes from


def listed(
    params: Params, model_type: str, facts: DataFacts | None, tuned: Mapping[str, object]
) -> list[Line]:
    """Every value of a type's training.

    facts: of the data, where it is known; tuned: what the type's study has found, by dotted name.
    Raises ParameterError.
    """
    section = params.kind(model_type)
    changed = params.tuned(model_type, tuned)
    resolved = changed.plan(model_type, facts).flat() if facts else {}
    lines = [Line("seed", str(params.seed), str(PARAMS_FILE))]
    for key, value in _written(changed, model_type):
        source = (
            str(TUNED / model_type / TUNED_VALUES)
            if key in tuned
            else _place(section, model_type, key)
        )
        if value != AUTO:
            lines.append(Line(key, str(value), source))
        elif facts is None:
            lines.append(Line(key, AUTO, "auto: waits for the data"))
        elif resolved[key] == AUTO:
            lines.append(Line(key, AUTO, "auto: the machine decides"))
        else:
            lines.append(Line(key, str(resolved[key]), "auto: the data decides"))
    return lines


def _written(params: Params, model_type: str) -> Iterator[tuple[str, Any]]:
    """Each value as it is written, with the type's overrides."""
    for name, value in params.network_of(model_type):
        yield f"network.{name}", value
    for name, value in params.train_of(model_type):
        yield f"train.{name}", value
    for name, value in params.kind(model_type).own().items():
        yield f"models.{model_type}.{name}", value


def _place(section: TypeSection, model_type: str, key: str) -> str:
    """Where params.yaml holds a value: in the type's section, where that overrides it."""
    part, _, name = key.partition(".")
    if part != "models" and name in getattr(section, part).model_fields_set:
        return f"{PARAMS_FILE}, models.{model_type}"
    return str(PARAMS_FILE)
