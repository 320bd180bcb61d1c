"""The settings of a request to a registered model: their names, types and defaults."""

from collections.abc import Mapping
from reprlib import repr as short

from mlflow import MlflowException
from mlflow.types import DataType, ParamSchema, ParamSpec

from autoencoders.core.errors import DataError
from autoencoders.data.prepared.schema import abridged
from autoencoders.serving.inference import FALSE_ALARMS, OPERATIONS, SETTINGS

TYPES: dict[object, str] = {  # MLflow's types of settings, in words
    DataType.string: "text",
    DataType.double: "a number",
    DataType.long: "a whole number of 64 bits",
}


def settings_schema(rate: float = FALSE_ALARMS) -> ParamSchema:
    """Returns the settings of `predict`.

    rate: of false alarms, the default of a score's verdict.
    """
    specs = [
        ParamSpec("op", "string", OPERATIONS[0]),
        ParamSpec("false_alarm_rate", "double", rate),
    ]
    for name, default in SETTINGS.items():
        specs.append(ParamSpec(name, "long", default))
    return ParamSchema(specs)


def check_settings(settings: object, schema: ParamSchema) -> None:
    """Raises DataError for an unknown setting, and for a value of another type than the schema's.

    MLflow alone drops an unknown setting and takes null for a value.
    """
    if not isinstance(settings, Mapping):
        raise DataError(f"params = {short(settings)}: must be an object of settings")
    specs = {spec.name: spec for spec in schema.params}
    unknown = [short(name) for name in settings if name not in specs]
    if unknown:
        allowed = ", ".join(specs)
        raise DataError(f"params: unknown setting {abridged(unknown)}; allowed are {allowed}")
    for name, value in settings.items():
        spec = specs[name]
        if not _is_of_type(value, spec):
            expected = TYPES.get(spec.dtype, str(spec.dtype))
            raise DataError(f"params: {name} = {short(value)}: must be {expected}")


def _is_of_type(value: object, spec: ParamSpec) -> bool:
    """Whether MLflow takes the value for one of the type, and a whole number has 64 bits."""
    if value is None:
        return False
    try:
        ParamSpec.validate_param_spec(value, spec)
    except MlflowException:
        return False
    return not isinstance(value, int) or -(2**63) <= value < 2**63
