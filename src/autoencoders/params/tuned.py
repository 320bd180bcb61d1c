"""tuned.yaml: the values that a type's study has found, as dotted names."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from autoencoders.core.errors import DataError
from autoencoders.core.files import AGAIN
from autoencoders.core.paths import TUNED, TUNED_VALUES
from autoencoders.params.params import Params


def write_tuned(folder: Path, values: Mapping[str, Any]) -> None:
    """Writes dotted names and values; `{}` where nothing was tuned."""
    folder.mkdir(parents=True, exist_ok=True)
    YAML(typ="safe", pure=True).dump(dict(values), folder / TUNED_VALUES)


def load_tuned(params: Params, model_type: str) -> Params:
    """The parameters with the values that the type's study chose. Raises DataError."""
    return params.with_tuned(model_type, tuned_values(model_type))


def tuned_values(model_type: str) -> dict[str, Any]:
    """The values that the type's study chose, by dotted name. Raises DataError."""
    path = TUNED / model_type / TUNED_VALUES
    try:
        values = YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise DataError(f"{path}: no such file; `dvc repro tune@{model_type}` makes it") from error
    except (ValueError, YAMLError) as error:
        raise DataError(f"{path}: not YAML ({error}); {AGAIN}") from error
    if not isinstance(values, dict) or not all(isinstance(name, str) for name in values):
        raise DataError(f"{path}: not a mapping of dotted names; {AGAIN}")
    return values
