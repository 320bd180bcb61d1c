"""The search space of `tune.space`: the values that a study may change, and why not the others."""

from typing import get_args

from autoencoders.core.errors import ParameterError
from autoencoders.params.architecture import DataFacts
from autoencoders.params.dimension import Dimension
from autoencoders.params.params import Params, check_data
from autoencoders.params.plan import Plan
from autoencoders.params.reading import likely
from autoencoders.params.section import LARGEST_CODE
from autoencoders.params.sections import Network, Train, Tune
from autoencoders.params.types import tunable_by_type


def _holds(annotation: object, value_type: type) -> bool:
    """Whether values of an annotation, such as `Literal["auto"] | float`, may be of a type."""
    if annotation is value_type:
        return True
    return any(_holds(part, value_type) for part in get_args(annotation))


CODE_SIZE = "network.code_size"
FIELDS = {
    f"{section.__name__.lower()}.{name}": field.annotation
    for section in (Network, Train)
    for name, field in section.model_fields.items()
}
WHOLE = [name for name in FIELDS if not _holds(FIELDS[name], float)]  # drawn as whole numbers
TUNABLE = (*(name for name in FIELDS if name != "train.epochs"), *tunable_by_type())


def dimensions(tune: Tune, plan: Plan) -> list[Dimension]:
    """The lines of the search space that concern a type, as ranges and choices for its data.

    plan: untuned. Code sizes are kept below the number of features. Raises ParameterError where a
    value has no multiples.
    """
    untuned = plan.flat()
    lines = []
    for dimension in tune.space:
        section, name, *_ = dimension.param.split(".")
        if section == "models" and name != plan.model_type:
            continue
        if dimension.of:
            dimension = _around(dimension, untuned[dimension.param])
        if dimension.param == CODE_SIZE:
            dimension = _below(dimension, plan.facts.n_features)
        lines.append(dimension)
    return lines


def _around(dimension: Dimension, untuned: object) -> Dimension:
    """The dimension with multiples of the untuned value. Raises ParameterError without any."""
    if isinstance(untuned, bool) or not isinstance(untuned, int | float):
        raise ParameterError(
            f"tune.space: {dimension.param} = {untuned}: has no multiples; give choices, or low "
            "and high without of, or remove the line"
        )
    around = dimension.around(untuned, whole=dimension.param in WHOLE)
    if around.param == CODE_SIZE:
        return _below(around, LARGEST_CODE + 1)
    return around


def _below(dimension: Dimension, limit: int) -> Dimension:
    """The dimension without the code sizes that reach a limit, such as the number of features.

    1 to one less than the limit where none is left.
    """
    largest = max(1, limit - 1)
    if dimension.choices is not None:
        return _choices_up_to(dimension, largest)
    if dimension.high <= largest:
        return dimension
    step = dimension.step or 1
    steps = (largest - dimension.low) // step
    if steps > 0:
        return dimension.model_copy(update={"high": dimension.low + steps * step})
    if largest > 1:
        return Dimension(param=dimension.param, low=1, high=largest)
    return Dimension(param=dimension.param, choices=[1])


def _choices_up_to(dimension: Dimension, largest: int) -> Dimension:
    """The dimension with its choices up to a largest number; that number where none is left."""
    choices = dimension.choices or []
    small = [size for size in choices if not isinstance(size, int) or size <= largest]
    return dimension.model_copy(update={"choices": small or [largest]})


def check_space(params: Params, facts: DataFacts | None) -> None:
    """Checks each line of the search space, and that every type can be trained at its ends.

    Raises ParameterError.
    """
    if params.tune.n_trials == 0:
        return
    lines: dict[str, int] = {}
    for i, dimension in enumerate(params.tune.space):
        name = dimension.param
        reason = f"stands in tune.space[{lines[name]}] too" if name in lines else ""
        reason = reason or _reason(params, name)
        if reason:
            raise ParameterError(f"tune.space[{i}].param = {name}: {reason}")
        lines[name] = i
    check_data(facts, lambda facts: _try_ends(params, facts))


def _reason(params: Params, name: str) -> str:
    """Why a value can't be tuned; nothing where it can."""
    by_error = params.tune.objective == "smallest_error"
    prunes = params.tune.pruner != "none"
    if name == "train.epochs":
        return "is no part of a space; tune.epochs says how long a trial trains"
    if name == CODE_SIZE and by_error:
        return (
            "the largest code would always win by the error alone; "
            "remove this line, or choose tune.objective: smallest_code"
        )
    if name in ("network.loss", "train.trim") and by_error and prunes:
        return "pruning would compare different losses; choose tune.pruner: none"
    if name in TUNABLE:
        return ""
    if name in _strengths(params):
        return (
            "says how strong the type's own constraint is, and none would always win; "
            "choose it by its purpose"
        )
    return f"can't be tuned; allowed: {likely(name, TUNABLE)}"


def _strengths(params: Params) -> set[str]:
    """The dotted names of the types' own parameters."""
    names = set()
    for model_type in params.model_types:
        for name in params.type_section(model_type).type_values():
            names.add(f"models.{model_type}.{name}")
    return names


def _try_ends(params: Params, facts: DataFacts) -> None:
    """For each type, plans each end and choice alone, and all first and all last ones together."""
    for model_type in params.model_types:
        space = dimensions(params.tune, params.plan(model_type, facts))
        for dimension in space:
            for value in dimension.ends:
                _try(params, model_type, facts, {dimension.param: value})
        _try(params, model_type, facts, {line.param: line.ends[0] for line in space})
        _try(params, model_type, facts, {line.param: line.ends[-1] for line in space})


def _try(params: Params, model_type: str, facts: DataFacts, values: dict[str, object]) -> None:
    """Raises ParameterError where a type's training can't have these values."""
    try:
        params.with_tuned(model_type, values).plan(model_type, facts)
    except ParameterError as error:
        tried = ", ".join(f"{name} = {value}" for name, value in values.items())
        raise ParameterError(f"tune.space: {tried} does not fit {model_type}: {error}") from None
