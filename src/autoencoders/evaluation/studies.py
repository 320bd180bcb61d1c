"""The studies of the trained types, as the `tune` stage wrote them, for the report."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from autoencoders.core.errors import DataError
from autoencoders.core.files import AGAIN, read_json
from autoencoders.core.paths import STUDY, TUNED

Value = TypeVar("Value")

FIGURES = "figures"  # in a study's folder
MAIN_FIGURES = {"smallest_code": "code_and_share", "smallest_error": "history"}  # by objective
IMPORTANCES = "importances"  # of a study with enough trials
CAPTIONS = {  # of figures, by name
    "code_and_share": "share of the variance kept, by code size",
    "history": "squared errors of the trials, in their order",
    IMPORTANCES: "importances of the parameters",
}


@dataclass(frozen=True)
class FullTraining:
    """A training in full by which a study decided, with its result on validation rows."""

    trial: int | None  # whose values it has; None: the untuned ones
    code_size: int
    explained_variance: float  # share
    squared_error: float  # summed over features, mean over rows, on the model's scale

    @property
    def title(self) -> str:
        """The values of a trial, or the untuned ones, in words."""
        return "untuned values" if self.trial is None else f"values of trial {self.trial}"


@dataclass(frozen=True)
class Study:
    """The study of a type: what it took and why."""

    model_type: str
    objective: str  # smallest_code or smallest_error
    asked: float  # share of the variance, of smallest_code
    taken: FullTraining
    values: Mapping[str, Any]  # that are taken, by dotted name
    in_full: list[FullTraining]  # the smallest code first; of equal codes the untuned one
    summary: list[str]  # a finding each
    figures: list[Path]  # PNG files

    @property
    def sentences(self) -> list[str]:
        """The findings as sentences. A name such as models.sparse.sparsity keeps its small letter.

        For example, "taken: untuned values" becomes "Taken: untuned values."
        """
        return [_sentence(line) for line in self.summary]

    @property
    def settings(self) -> list[str]:
        """The values that are taken, as in params.yaml."""
        return [f"{name}: {_shown(value)}" for name, value in self.values.items()]


def _sentence(line: str) -> str:
    first_word = line.partition(" ")[0]
    if "." in first_word:
        return f"{line}."
    return f"{line[:1].upper()}{line[1:]}."


def _shown(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def load_studies(model_types: Iterable[str]) -> list[Study]:
    """The studies of those types that had one. Raises DataError where a file is missing or broken.

    A type without a study has an empty study.json.
    """
    studies = [_load(model_type) for model_type in model_types]
    return [study for study in studies if study is not None]


def _load(model_type: str) -> Study | None:
    folder = TUNED / model_type
    path = folder / STUDY
    try:
        written = read_json(path)
    except FileNotFoundError as error:
        raise _missing(path, model_type) from error
    except DataError as error:
        raise DataError(f"{error}: stage tune@{model_type}") from error
    if written == {}:
        return None
    try:
        study = _study(model_type, written)
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(f"{path}: not what tune@{model_type} wrote ({error!r}); {AGAIN}") from error
    for figure in study.figures:
        if not figure.is_file():
            raise _missing(figure, model_type)
    return study


def _missing(path: Path, model_type: str) -> DataError:
    return DataError(f"{path}: no such file; `dvc repro tune@{model_type}` makes it")


def _study(model_type: str, written: Mapping[str, Any]) -> Study:
    """The study in a study.json. Raises KeyError, TypeError or ValueError."""
    objective = _value(written, "objective", str)
    main_figure = MAIN_FIGURES[objective]
    has_importances = _value(written, "importances", dict) != {}
    names = [main_figure, IMPORTANCES] if has_importances else [main_figure]
    taken = _value(written, "taken", dict)
    in_full = [_full_training(values) for values in _value(written, "in_full", list)]
    if _full_training(taken) not in in_full:
        raise ValueError("the training that is taken is none of those in full")
    summary = _value(written, "summary", list)
    if not all(isinstance(line, str) for line in summary):
        raise TypeError("summary: not lines of text")
    return Study(
        model_type=model_type,
        objective=objective,
        asked=_value(written, "asked", float),
        taken=_full_training(taken),
        values=_value(taken, "values", dict),
        in_full=sorted(in_full, key=_place),
        summary=summary,
        figures=[TUNED / model_type / FIGURES / f"{name}.png" for name in names],
    )


def _full_training(written: Mapping[str, Any]) -> FullTraining:
    return FullTraining(
        trial=None if written["trial"] is None else _value(written, "trial", int),
        code_size=_value(written, "code_size", int),
        explained_variance=_value(written, "explained_variance", float),
        squared_error=_value(written, "squared_error", float),
    )


def _place(training: FullTraining) -> tuple[int, int]:
    """A pair to sort by: the code size, then the trial's number; untuned values come first."""
    return training.code_size, -1 if training.trial is None else training.trial


def _value(values: Mapping[str, Any], name: str, value_type: type[Value]) -> Value:
    """A named value of a type. Raises KeyError or TypeError."""
    value = values[name]
    if not isinstance(value, value_type):
        raise TypeError(f"{name}: {value!r} is no {value_type.__name__}")
    return value
