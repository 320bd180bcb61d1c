"""tuned.yaml: the values that a study found, by dotted name; the training takes them. Free of optuna and torch."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from autoencoders.errors import DataError
from autoencoders.params import Params
from autoencoders.stage import TUNED, TUNED_VALUES


def write_tuned(folder: Path, values: Mapping[str, Any]) -> None:
    """Writes dotted names and values; `{}` where nothing was tuned."""
    folder.mkdir(parents=True, exist_ok=True)
    YAML(typ="safe", pure=True).dump(dict(values), folder / TUNED_VALUES)


def tuned(params: Params, kind: str) -> Params:
    """The parameters with what the type's study found. Raises DataError, ParameterError."""
    path = TUNED / kind / TUNED_VALUES
    try:
        values = YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise DataError(f"{path}: no such file; `dvc repro tune@{kind}` makes it") from error
    except (ValueError, YAMLError) as error:
        raise DataError(f"{path}: not YAML ({error}); delete it and run `dvc repro`") from error
    if not isinstance(values, dict) or not all(isinstance(name, str) for name in values):
        raise DataError(f"{path}: not a mapping of dotted names; delete it and run `dvc repro`")
    return params.tuned(kind, values)
