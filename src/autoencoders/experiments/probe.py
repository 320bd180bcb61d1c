"""The probe behind `ae estimate`: the data's size, and the pace of this machine's trainings.

It takes a few seconds. The trainings are real ones by the types' own plans, stopped after some
epochs; where the data is not prepared yet, or large, they see random rows of its shape.
"""

import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from autoencoders.core.errors import DataError, ParameterError
from autoencoders.core.paths import DATA, DESCRIPTION, MODELS, TUNED, TUNED_VALUES
from autoencoders.data.prepared.blocks import Blocks
from autoencoders.data.prepared.prepared import (
    SPLITS,
    Description,
    Prepared,
    load_description,
    load_prepared,
)
from autoencoders.data.prepared.schema import Column, Schema
from autoencoders.data.sources.source import download, facts
from autoencoders.experiments.estimate import REFERENCE_SECONDS, Pace, Trainings
from autoencoders.params.architecture import DataFacts
from autoencoders.params.params import Params
from autoencoders.params.plan import Plan
from autoencoders.params.sections import Data
from autoencoders.params.tuned import load_tuned

PROBED_VALUES = 2**21  # of the rows that a probe trains on, at most: an epoch takes half a second
MOST_READ_BYTES = 2**24  # of a file that is prepared for the probe: a second or two
LEAST_EPOCHS = 2  # that are timed, after the first one
EPOCHS_SECONDS = 0.2  # of a type's epochs, after which its probe ends
REFERENCE_REPEATS = 20  # a fifth of a second in all
PUBLISHED_TEST_ROWS = {"mnist": 10_000, "fashion_mnist": 10_000}


class Size(NamedTuple):
    """The size of the data."""

    facts: DataFacts
    rows: Mapping[str, int]  # by split

    @classmethod
    def of(cls, description: Description) -> "Size":
        """The size of prepared data."""
        return cls(description.facts, description.rows)


class Moment(NamedTuple):
    """A moment of this process."""

    wall: float  # seconds on the clock
    processor: float  # seconds of a processor since it began


class ProbeOver(Exception):  # noqa: N818  (no error)
    """Raised in a training whose epochs were timed."""


def known_size(data: Data) -> Size | None:
    """The size of the data of params.yaml; None where it has to be fetched or is too large to read.

    Prepared data states it, and so do data sets by name; a file of the user's is prepared in a
    temporary folder. Raises DataError where that is refused.
    """
    if DESCRIPTION.exists():
        description = load_description(DATA)
        if _is_of(description, data):
            return Size.of(description)
    stated = facts(data)
    if stated is not None:
        return _stated_size(data, stated)
    if data.openml or "://" in data.path or _bytes(Path(data.path)) > MOST_READ_BYTES:
        return None
    return _rehearsed_size(data)


def _is_of(description: Description, data: Data) -> bool:
    """Whether prepared data is that of params.yaml, as far as its description tells."""
    named = description.name == data.title
    split = description.protocol == data.protocol and description.split_values == data.split_values
    return named and split and data.scaling in ("auto", description.scaling)


def _stated_size(data: Data, stated: DataFacts) -> Size:
    """The size of a data set by name. stated: of all rows that are not the publisher's for test."""
    test = PUBLISHED_TEST_ROWS.get(data.name, 0)
    rest = stated.rows
    if not test:
        test = round(data.test_fraction * rest)
        rest -= test
    validation = round(data.validation_fraction * rest)
    rows = {"train": rest - validation, "validation": validation, "test": test}
    return Size(stated._replace(rows=rows["train"]), rows)


def _bytes(path: Path) -> int:
    """The bytes of a file, or of all files in a folder."""
    if path.is_dir():
        return sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
    return path.stat().st_size


def _rehearsed_size(data: Data) -> Size:
    """The size of the user's own data, prepared in a temporary folder."""
    from autoencoders.data.preparation.prepare import prepare

    with tempfile.TemporaryDirectory() as scratch:
        raw = Path(scratch) / "raw"
        download(data, raw)
        return Size.of(prepare(raw, Path(scratch) / "prepared", data))


def now() -> Moment:
    """The present moment."""
    return Moment(time.perf_counter(), time.process_time())


def slowness(begin: Moment) -> float:
    """This machine's time for the work of a stage, in that of the machine of the constants.

    It grows with the processor's own time for the reference work, and with the time that this
    process has waited for other ones since a moment: seconds of a busy machine are longer.
    """
    end = now()
    waiting = (end.wall - begin.wall) / (end.processor - begin.processor)
    for _ in range(REFERENCE_REPEATS):
        reference_work()
    seconds = (time.process_time() - end.processor) / REFERENCE_REPEATS
    return seconds / REFERENCE_SECONDS * max(1.0, waiting)


def reference_work() -> int:
    """Work of Python's interpreter, as imports are."""
    return sum(number * number % 7 for number in range(200_000))


def paces(plans: Sequence[Plan], size: Size) -> dict[str, Pace]:
    """The pace of each plan's training, by model type."""
    with tempfile.TemporaryDirectory() as scratch:
        data = _probe_rows(size, Path(scratch))
        probed_rows = data.description.rows
        _end_seconds(plans[0], data)  # what a process does once
        result = {}
        for plan in plans:
            probed = pace(plan, data)
            epoch = probed.epoch * size.rows["train"] / probed_rows["train"]
            end = probed.end * _calibration_rows(size.rows) / _calibration_rows(probed_rows)
            result[plan.model_type] = probed._replace(epoch=epoch, end=end)
        return result


def _calibration_rows(rows: Mapping[str, int]) -> int:
    """The rows that prepare a trained model to score. rows: of the data by split."""
    from autoencoders.training.fit import CALIBRATION_ROWS

    return sum(min(rows[split], CALIBRATION_ROWS) for split in ("train", "validation"))


def _probe_rows(size: Size, folder: Path) -> Prepared:
    """The prepared rows where they are small, else random ones of the same shape."""
    values = size.rows["train"] * size.facts.n_features
    if values <= PROBED_VALUES and DESCRIPTION.exists():
        data = load_prepared(DATA)
        if Size.of(data.description) == size:
            return data
    return random_rows(size, min(1.0, PROBED_VALUES / values), folder)


def random_rows(size: Size, share: float, folder: Path) -> Prepared:
    """Random rows of the data's shape, in a folder. share: of its rows."""
    n_features = size.facts.n_features
    names = [f"x{i}" for i in range(n_features)]
    columns = () if size.facts.shape else tuple(map(Column, names))
    random = np.random.default_rng(0)
    rows: dict[str, Blocks] = {}
    labels: dict[str, np.ndarray] = {}
    for split in SPLITS:
        n = max(2, round(size.rows[split] * share))
        path = folder / f"{split}.npy"
        np.save(path, random.random((n, n_features), np.float32), allow_pickle=False)
        rows[split] = Blocks(path)
        labels[split] = np.zeros(n, np.int64)
    description = Description(
        name="random",
        schema=Schema(size.facts.shape, columns),
        rows={split: len(blocks) for split, blocks in rows.items()},
        minimum=0.0,
        maximum=1.0,
        unit_interval=True,
        binarise=False,
        scaling="none",
        protocol="split",
        labels=("0",),
        anomaly_labels=False,
        split_sha256="",
        content_sha256="",
        source="",
        source_sha256="",
    )
    zeros = np.zeros(n_features, np.float32)
    return Prepared(
        description,
        rows,
        labels,
        n_novel=labels,
        shift=zeros,
        scale=zeros + 1,
        mean=zeros + 0.5,
        test_numbers=np.empty(0, np.uint64),
    )


def pace(
    plan: Plan, data: Prepared, *, least: int = LEAST_EPOCHS, seconds: float = EPOCHS_SECONDS
) -> Pace:
    """The pace of a plan's training on these rows, which is stopped, and begun again for its end.

    least: epochs after the first one; seconds: after which it ends, if these are over. A training
    of fewer epochs is timed as if it had one more than these.
    """
    from autoencoders.training.fit import fit

    longer = _changed(plan, epochs=max(plan.train.epochs, least + 1), patience=0)
    ends: list[float] = []  # of the epochs

    def log(epoch: int, means: Mapping[str, float]) -> None:  # noqa: ARG001
        if epoch == 0:
            return  # the start as PCA
        ends.append(time.perf_counter())
        if len(ends) > least and ends[-1] - ends[0] >= seconds:
            raise ProbeOver

    begin = time.perf_counter()
    with suppress(ProbeOver):
        fit(longer, data, log=log, trial=True)
    epoch = (ends[-1] - ends[0]) / (len(ends) - 1)
    start = max(0.0, ends[0] - begin - epoch)
    return Pace(start, epoch, _end_seconds(plan, data))


def _end_seconds(plan: Plan, data: Prepared) -> float:
    """The seconds of a training's end: the choice of its weights, and what scores need."""
    from autoencoders.training.fit import fit

    ends = [0.0]  # of the start as PCA, and of the epoch
    fit(_changed(plan, epochs=1), data, log=lambda *_: ends.append(time.perf_counter()))
    return time.perf_counter() - ends[-1]


def _changed(plan: Plan, **values: int) -> Plan:
    """The plan with other values of `train`, on one device."""
    train = plan.train.model_copy(update={"devices": 1, "num_nodes": 1, **values})
    return replace(plan, train=train)


def trainings(params: Params, facts: DataFacts) -> list[Trainings]:
    """The trainings of each type, with the values that its last study chose, if they still fit."""
    from autoencoders.tuning.study import trial_plan

    result = []
    for model_type in params.model_types:
        plan = params.plan(model_type, facts)
        trial = trial_plan(plan, params.tune)
        if params.study(facts).n_trials and (TUNED / model_type / TUNED_VALUES).exists():
            with suppress(ParameterError, DataError):  # of other parameters or data: tuned anew
                plan = load_tuned(params, model_type).plan(model_type, facts)
        result.append(Trainings.of(params, plan, trial, last_epochs(plan)))
    return result


def last_epochs(plan: Plan) -> int:
    """The epochs that the last training by this plan took; 0 where there was none.

    The precision is left out: a model's description says the one that was chosen.
    """
    from autoencoders.models.trained.saved import load_description as model_description

    try:
        description = model_description(MODELS / plan.model_type)
    except DataError:
        return 0
    if {**description.params, "train.precision": ""} != {**plan.flat(), "train.precision": ""}:
        return 0
    return description.epochs
