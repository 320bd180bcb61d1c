"""The `tune` stage of one type, the workers that join it, and tuned.yaml, which the training takes.

Heavy imports wait until there is something to tune.
"""

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from autoencoders.data.prepared import load_prepared
from autoencoders.defaults import DataFacts
from autoencoders.errors import DataError
from autoencoders.files import AGAIN, replacing, write_text
from autoencoders.params import Params
from autoencoders.stage import DATA, STUDIES, TRIALS, TUNED, TUNED_VALUES, one_process, repository

if TYPE_CHECKING:
    from autoencoders.tracking.recorder import Recorder
    from autoencoders.tracking.records import Begin


def tune(kind: str, params: Params) -> None:
    """Runs or continues a type's study and writes what it found; with `tune.n_trials: 0`, nothing. Raises UserError."""
    if params.tune.n_trials:
        _study(kind, params)
        return
    with replacing(TUNED / kind) as folder:
        write_tuned(folder, {})
        write_text(folder / TRIALS, "trial\n")
        (folder / "figures").mkdir()


def _study(kind: str, params: Params) -> None:
    from autoencoders.tracking.recorder import Recorder, finish_study
    from autoencoders.tuning import outputs, study, work

    data, settings = load_prepared(DATA), params.tune
    lock = repository() / STUDIES / f"{kind}.lock"
    with one_process(lock, "tunes this type"), study.reporting_database(settings.storage):
        opened = study.open_study(study.open_storage(settings.storage), kind, params, data.description)
        with Recorder(data.description) as recorder:
            above = study_run(recorder, opened.study_name, kind, params, data.description.facts)
            with recorder.studied(above) as run:
                with _workers(kind, settings.workers - 1):
                    work.search(opened, kind, params, data, recorder, above)
                trials = work.finished(opened, settings.n_trials)
                best = outputs.write_study(TUNED / kind, opened.study_name, trials, settings)
                run.metrics({f"best/{name}": value for name, value in best.user_attrs[study.RESULT].items()})
                finish_study(run, kind)
    print(outputs.summary(trials, best, settings))
    print(f"next: `dvc repro train@{kind}` takes {TUNED / kind / TUNED_VALUES}; `make dashboard` shows every trial")


def study_run(recorder: "Recorder", name: str, kind: str, params: Params, facts: DataFacts) -> "Begin":
    """The MLflow run of a study, above its trials': the same for all workers that share the study's storage."""
    from autoencoders.tuning.study import described

    settings = described(params, kind, facts)
    return recorder.study(name, kind, settings, private=params.tune.storage == "journal")


def join(kind: str, params: Params) -> None:
    """Works on the running study of a type until it has all its trials. Raises UserError."""
    import torch

    from autoencoders.tracking.recorder import Recorder
    from autoencoders.tuning import study, work

    torch.set_num_threads(1)
    data = load_prepared(DATA)
    with study.reporting_database(params.tune.storage):
        joined = study.join_study(study.open_storage(params.tune.storage), kind, params, data.description)
        with Recorder(data.description) as recorder:
            above = study_run(recorder, joined.study_name, kind, params, data.description.facts)
            work.search(joined, kind, params, data, recorder, above)
    print(f"{joined.study_name}: all {params.tune.n_trials} trials are finished")


@contextmanager
def _workers(kind: str, n: int) -> Iterator[None]:
    """More workers on this machine, as processes of one thread each; gone when the block ends."""
    import torch

    if n:
        torch.set_num_threads(1)
        print(f"{n + 1} workers: which trial comes when depends on their speed; the outputs may differ from run to run")
    command = [sys.executable, "-m", "autoencoders", "tune", "--join", kind]
    with ExitStack() as ended:
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        processes = [ended.enter_context(subprocess.Popen(command, env=environment)) for _ in range(n)]
        try:
            yield
        except BaseException:
            for process in processes:
                process.terminate()
            raise


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
        raise DataError(f"{path}: not YAML ({error}); {AGAIN}") from error
    if not isinstance(values, dict) or not all(isinstance(name, str) for name in values):
        raise DataError(f"{path}: not a mapping of dotted names; {AGAIN}")
    return params.tuned(kind, values)
