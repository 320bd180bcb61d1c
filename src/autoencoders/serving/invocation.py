"""A request to MLflow's `/invocations`: refused where MLflow would drop a part of it.

MLflow ignores a query string, unknown keys and unknown settings, and would answer with another
operation or other settings than the client asked for.
"""

import json
from collections import Counter
from collections.abc import Iterable
from reprlib import repr as short
from typing import Any

from mlflow.types import ParamSchema

from autoencoders.core.errors import DataError
from autoencoders.data.prepared.schema import abridged
from autoencoders.serving.settings import check_settings

# MLflow's names of what a request may hold
JSON = "application/json"
CONTENT_TYPES = (JSON, "text/csv", "application/vnd.apache.parquet")
ROWS = ("dataframe_records", "dataframe_split", "inputs", "instances")  # one of them holds the rows
PARAMS = "params"
KEYS = (*ROWS, PARAMS)
DEPTH = 64  # of nested JSON: an array of numpy's has no more dimensions
TOO_DEEP = f"JSON: nested more than {DEPTH} deep"


def check_invocation(content_type: str, query: str, body: bytes, schema: ParamSchema) -> None:
    """Raises DataError where MLflow would drop a part of the request, or fail on it.

    schema: of the model's settings. Rows, and the name of the operation, are left to the model.
    """
    if query:
        raise DataError(
            f"query string {short(query)}: must be empty; "
            f"settings stand in {PARAMS!r} of a JSON body"
        )
    if not content_type:
        raise DataError(f"no content-type: must be one of {', '.join(CONTENT_TYPES)}")
    if content_type.partition(";")[0].strip() == JSON:
        _check_content(_parsed(body), schema)


def _parsed(body: bytes) -> Any:
    """The content of a JSON text. Raises DataError for what MLflow could not read or would drop."""
    try:
        content = json.loads(body, object_pairs_hook=_object)
    except RecursionError as error:
        raise DataError(TOO_DEEP) from error
    except ValueError as error:
        raise DataError(f"JSON: {error}") from error
    if _is_deeper(content, DEPTH):
        raise DataError(TOO_DEEP)
    return content


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object of JSON. Raises ValueError for a name that stands twice, of which one is lost."""
    values = dict(pairs)
    if len(values) < len(pairs):
        names = Counter(name for name, _ in pairs)
        name, count = names.most_common(1)[0]
        raise ValueError(f"{short(name)} stands {count} times in one object")
    return values


def _is_deeper(content: Any, depth: int) -> bool:
    """Whether lists and objects are nested deeper than `depth`."""
    level = [content]
    for _ in range(depth):
        level = [part for whole in level for part in _parts(whole) if isinstance(part, list | dict)]
        if not level:
            return False
    return True


def _parts(whole: Any) -> Iterable[Any]:
    if isinstance(whole, dict):
        return whole.values()
    if isinstance(whole, list):
        return whole
    return ()


def _check_content(content: Any, schema: ParamSchema) -> None:
    """Raises DataError unless rows stand in one of ROWS, and settings in `params`."""
    if not isinstance(content, dict):
        raise DataError(f"JSON: {short(content)}: must be an object with one of {', '.join(ROWS)}")
    names = {spec.name for spec in schema.params}
    misplaced = [name for name in content if name in names]
    if misplaced:
        listed = ", ".join(misplaced)
        raise DataError(f"{listed}: must stand in {PARAMS!r}, not beside the rows")
    unknown = [short(name) for name in content if name not in KEYS]
    if unknown:
        raise DataError(f"unknown key {abridged(unknown)}; allowed are {', '.join(KEYS)}")
    forms = [name for name in ROWS if name in content]
    if len(forms) != 1:
        listed = ", ".join(forms) or "none"
        raise DataError(f"rows: must stand in exactly one of {', '.join(ROWS)}, not in {listed}")
    settings = content.get(PARAMS)
    if settings is not None:
        check_settings(settings, schema)
