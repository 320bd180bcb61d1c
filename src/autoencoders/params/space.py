"""The search space of `tune.space`: which values of params.yaml a study may change, and why not the others."""

from autoencoders.core.errors import ParameterError
from autoencoders.params.architecture import DataFacts
from autoencoders.params.params import Params, for_some
from autoencoders.params.reading import likely
from autoencoders.params.sections import Dimension, Network, Train, Tune
from autoencoders.params.types import tunable_by_type

FIELDS = {
    f"{section.__name__.lower()}.{name}": field.annotation
    for section in (Network, Train)
    for name, field in section.model_fields.items()
}
FRACTIONS = ("train.trim", *(name for name, annotation in FIELDS.items() if annotation is float))
WHOLE = [name for name in FIELDS if name not in FRACTIONS]  # drawn as whole numbers
TUNABLE = (*(name for name in FIELDS if name != "train.epochs"), *tunable_by_type())


def dimensions(tune: Tune, model_type: str, facts: DataFacts | None = None) -> list[Dimension]:
    """The lines of the search space that concern a type; codes are kept below the number of features, where known."""
    lines = [
        d
        for d in tune.space
        if not d.param.startswith("models.") or d.param.split(".")[1] == model_type
    ]
    return [
        _below(d, facts.n_features) if facts and d.param == "network.code_size" else d
        for d in lines
    ]


def _below(dimension: Dimension, n_features: int) -> Dimension:
    """A range or choices without the codes that reach the number of features; 1 to one less where none is left."""
    largest = max(1, n_features - 1)
    if dimension.choices is not None:
        small = [size for size in dimension.choices if not isinstance(size, int) or size <= largest]
        return dimension.model_copy(update={"choices": small or [largest]})
    if dimension.high <= largest:
        return dimension
    if dimension.low < largest and (steps := (largest - dimension.low) // (dimension.step or 1)):
        return dimension.model_copy(update={"high": dimension.low + steps * (dimension.step or 1)})
    return Dimension(
        param=dimension.param, **({"low": 1, "high": largest} if largest > 1 else {"choices": [1]})
    )


def check_space(params: Params, facts: DataFacts | None) -> None:
    """Raises ParameterError where a line of the search space is unsound, or one of its ends is refused."""
    if not params.tune.n_trials:
        return
    names = [dimension.param for dimension in params.tune.space]
    for i, name in enumerate(names):
        first = names.index(name)
        reason = _reason(params, name) if first == i else f"stands in tune.space[{first}] too"
        if reason:
            raise ParameterError(f"tune.space[{i}].param = {name}: {reason}")
    for_some(facts, lambda facts: _try_ends(params, facts))


def _reason(params: Params, name: str) -> str:
    """Why a value can't be tuned; nothing where it can."""
    reconstruct = params.tune.goal == "reconstruct"
    if name == "train.epochs":
        return "is no part of a space; tune.epochs says how long a trial trains"
    if name == "network.code_size" and reconstruct:
        return "the largest code would always win by the error alone; remove this line, or choose tune.goal: compress"
    if name in ("network.loss", "train.trim") and reconstruct and params.tune.pruner != "none":
        return "pruning would compare different losses; choose tune.pruner: none"
    if name in TUNABLE:
        return ""
    if name in {f"models.{kind}.{key}" for kind in params.kinds for key in params.kind(kind).own()}:
        return "says how strong the type's own constraint is, and none would always win; choose it by its purpose"
    return f"can't be tuned; allowed: {likely(name, TUNABLE)}"


def _try_ends(params: Params, facts: DataFacts) -> None:
    """For each type, each end and choice alone, and all first and all last ones together."""
    for kind in params.kinds:
        space = dimensions(params.tune, kind, facts)
        alone = [{dimension.param: value} for dimension in space for value in dimension.ends]
        for values in (
            *alone,
            *({dimension.param: dimension.ends[end] for dimension in space} for end in (0, -1)),
        ):
            try:
                params.tuned(kind, values).plan(kind, facts)
            except ParameterError as error:
                told = ", ".join(f"{name} = {value}" for name, value in values.items())
                raise ParameterError(f"tune.space: {told} does not fit {kind}: {error}") from None
