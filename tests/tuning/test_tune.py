"""The stage: nothing to tune costs nothing.

The results of a study are read with the strictness of params.yaml.
"""

import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import optuna
import pandas as pd
import pytest
from optuna.trial import FrozenTrial
from ruamel.yaml import YAML

from autoencoders.core import identity
from autoencoders.core.errors import DataError, ParameterError
from autoencoders.core.files import AGAIN, read_json, tree_sha256
from autoencoders.core.paths import DATA, RESUME, STUDY, TRIALS, TUNED, TUNED_VALUES
from autoencoders.data.prepared.prepared import load_prepared
from autoencoders.params.architecture import DataFacts
from autoencoders.params.sections import Tune
from autoencoders.params.tuned import load_tuned, write_tuned
from autoencoders.tracking.recorder import TRIALS_SHA256
from autoencoders.tracking.runs import Runs
from autoencoders.tuning import acts
from autoencoders.tuning import tune as module
from autoencoders.tuning.curve import BEST_SO_FAR
from autoencoders.tuning.dashboard import TAKEN
from autoencoders.tuning.decision import Decision
from autoencoders.tuning.finals import Final, Finals
from autoencoders.tuning.first import FirstResults
from autoencoders.tuning.storage import open_storage
from autoencoders.tuning.tune import tune
from repository import ROOT

SHORT = {
    "train.epochs": 3,
    "tune.epochs": 2,
    "tune.pruner": "none",
    "tune.gain_seeds": 0,
    "tune.space": [{"param": "network.code_size", "low": 4, "high": 12}],
}
UNTUNED = """
import sys
from pathlib import Path
from autoencoders.params.params import load_params
from autoencoders.params.sections import Tune
from autoencoders.params.tuned import load_tuned
from autoencoders.tuning.tune import tune
params = load_params(Path(sys.argv[1])).override({"tune.n_trials": 0})
tune("sparse", params)
assert load_tuned(params, "sparse") == params
print(*{"optuna", "torch", "mlflow", "matplotlib"} & set(sys.modules))
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the stage's outputs for `sparse`."""
    monkeypatch.chdir(tmp_path)
    return TUNED / "sparse"


def test_no_trials_leave_no_values_and_import_nothing_heavy(tmp_path):
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", UNTUNED, ROOT / "params.yaml"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "\n", "")
    folder = tmp_path / TUNED / "sparse"
    assert (folder / TUNED_VALUES).read_text() == "{}\n"
    assert (folder / TRIALS).read_text() == "trial\n"
    assert read_json(folder / STUDY) == {}
    names = sorted(["figures", STUDY, TRIALS, TUNED_VALUES])
    assert sorted(path.name for path in folder.iterdir()) == names
    assert list((folder / "figures").iterdir()) == []
    assert sorted(path.name for path in tmp_path.iterdir()) == [TUNED.name]  # no journal, no store


@pytest.fixture
def stage_root(tracked_root: Path, digits: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with prepared digits and a store, in which a stage can run."""
    for name in ("src", "pipeline", "requirements.lock", "params.yaml", "dvc.yaml"):
        (tracked_root / name).symlink_to(ROOT / name)
    shutil.copytree(digits, tracked_root / DATA)
    monkeypatch.chdir(tracked_root)
    return tracked_root


def test_the_stage_runs_n_trials_and_leaves_their_table_the_values_of_one_and_a_run(
    stage_root, params, capsys
):
    quick = params.override({**SHORT, "tune.n_trials": 2, "tune.pruner": "none"})
    tune("undercomplete", quick)
    folder = TUNED / "undercomplete"
    trials = pd.read_csv(folder / TRIALS)
    assert list(trials["state"]) == ["complete", "complete"]
    values = YAML(typ="safe").load(folder / TUNED_VALUES)
    study_json = read_json(folder / STUDY)
    assert values == study_json["taken"]["values"]
    plan = quick.plan("undercomplete", load_prepared(DATA).description.facts).with_values(values)
    assert study_json["taken"]["code_size"] == plan.network.code_size
    assert "`dvc repro train@undercomplete` takes " in capsys.readouterr().out
    # the checkpoint of the training that is taken alone is left, for the stage `train`
    description = load_prepared(DATA).description
    fingerprint = identity.fingerprint("train", plan.flat(), description.content_sha256)
    left = [path.name for path in (stage_root / RESUME).iterdir() if path.is_dir()]
    assert left == [fingerprint]
    runs = Runs(description)
    (study,) = runs.client.search_runs([runs.experiment], "tags.stage = 'tune'")
    assert study.data.tags[TRIALS_SHA256] == tree_sha256(folder / TRIALS)
    artifacts = {artifact.path for artifact in runs.client.list_artifacts(study.info.run_id)}
    assert artifacts == {path.name for path in folder.iterdir()}
    curve = runs.client.get_metric_history(study.info.run_id, f"{BEST_SO_FAR}/code_size")
    assert [point.step for point in curve] == [1, 2]


def test_the_taken_trial_is_marked_in_mlflow_and_in_the_study_and_no_other_one(
    stage_root, params, monkeypatch, capsys
):
    quick = params.override({**SHORT, "tune.n_trials": 3})
    for number in (1, 2, None):
        decide_for(monkeypatch, number)
        tune("undercomplete", quick)
        runs = Runs(load_prepared(DATA).description)
        assert taken(runs, "yes") == ([] if number is None else [f"trial {number}"])
    assert sorted(taken(runs, "no")) == ["trial 1", "trial 2"]
    assert runs.client.search_runs([runs.experiment], "tags.restored LIKE '%'") == []
    (name,) = optuna.get_all_study_names(storage=open_storage("journal"))
    study = optuna.load_study(study_name=name, storage=open_storage("journal"))
    assert study.user_attrs[TAKEN].startswith("untuned values: code size ")
    assert "taken: untuned values: " in capsys.readouterr().out


def decide_for(monkeypatch: pytest.MonkeyPatch, number: int | None) -> None:
    """Lets a trial be taken, or the untuned values, whatever they achieve."""

    def decide(
        trials: Sequence[FrozenTrial], tune: Tune, first: FirstResults, finals: Finals
    ) -> Decision:
        values = {} if number is None else trials[number].params
        assert first.untuned is not None
        taken = Final(number, values, first.untuned)
        return Decision(taken, [taken], None, None)

    monkeypatch.setattr(acts, "decide", decide)


def taken(runs: Runs, answer: str) -> list[str]:
    """The names of the trials' runs with this tag."""
    found = runs.client.search_runs([runs.experiment], f"tags.taken = '{answer}'")
    return [str(run.info.run_name) for run in found]


def test_a_study_that_minutes_end_says_so_and_repeats_its_outputs(stage_root, params, capsys):
    quick = params.override({**SHORT, "tune.n_trials": 50, "tune.minutes": 1e-6})
    tune("undercomplete", quick)
    output = capsys.readouterr().out
    assert "tune.minutes: 1e-06: how many trials this allows depends on the machine's" in output
    assert "tune.minutes: over after 1 of 50 trials" in output
    before = tree_sha256(TUNED / "undercomplete")
    tune("undercomplete", quick)
    assert "goes on after 1 of 50 trials" in capsys.readouterr().out
    assert tree_sha256(TUNED / "undercomplete") == before


def test_a_goal_of_anomalies_has_no_study_unless_trials_are_asked_for(
    stage_root, params, monkeypatch
):
    monkeypatch.setattr(module, "_study", lambda *_: pytest.fail("a study began"))
    anomaly = params.override({"goal": "anomaly", "tune.n_trials": "auto"})
    tune("sparse", anomaly)
    assert (TUNED / "sparse" / TUNED_VALUES).read_text() == "{}\n"
    studies = []
    monkeypatch.setattr(module, "_study", lambda *study: studies.append(study))
    tune("sparse", anomaly.override({"tune.n_trials": 1}))
    tune("sparse", anomaly.override({"goal": "reconstruct"}))
    assert len(studies) == 2


def test_what_a_study_found_reaches_the_training_unchanged(folder, params):
    values = {
        "network.code_size": 5,
        "network.activation": "relu",
        "train.learning_rate": 0.1 + 0.2,
    }
    write_tuned(folder, values)
    assert load_tuned(params, "sparse") == params.with_tuned("sparse", values)
    flat = load_tuned(params, "sparse").plan("sparse", DataFacts(64, unit_interval=True)).flat()
    assert {name: flat[name] for name in values} == values


def test_a_missing_file_is_refused_with_the_stage_that_makes_it(folder, params):
    with pytest.raises(
        DataError,
        match=r"^tuned/sparse/tuned.yaml: no such file; `dvc repro tune@sparse` makes it$",
    ):
        load_tuned(params, "sparse")


DAMAGED = [
    (b"", "not a mapping of dotted names"),
    (b"- network.code_size\n", "not a mapping of dotted names"),
    (b"network.code_size\n", "not a mapping of dotted names"),
    (b"network.code_size: [5\n", "not YAML"),
    (b"network.code_size: \xff\n", "not YAML"),
    (b"<<<<<<< HEAD\nnetwork.code_size: 5\n=======\n", "not YAML"),
    (b"5: 5\n", "not a mapping of dotted names"),
]


@pytest.mark.parametrize(("content", "message"), DAMAGED)
def test_a_damaged_file_is_refused_with_its_name_and_what_to_do(folder, params, content, message):
    folder.mkdir(parents=True)
    (folder / TUNED_VALUES).write_bytes(content)
    with pytest.raises(DataError) as caught:
        load_tuned(params, "sparse")
    assert str(caught.value).startswith(f"{folder / TUNED_VALUES}: {message}")
    assert str(caught.value).endswith(f"; {AGAIN}")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("network.code_size: 0", "models.sparse: network.code_size = 0: must be "),
        ("network.code_size: '5'", "models.sparse: network.code_size = '5': must be "),
        ("network.codesize: 5", "models.sparse: network.codesize: unknown key; "),
        ("network: 5", "models.sparse: network = 5: must be "),
        ("seed: 5", "models.sparse: seed: unknown key; "),
        ("models.variational.warmup: 0.5", "models.sparse: models: unknown key; "),
    ],
)
def test_a_value_that_no_study_can_have_written_is_refused_like_one_of_the_file(
    folder, params, text, message
):
    folder.mkdir(parents=True)
    (folder / TUNED_VALUES).write_text(text)
    with pytest.raises(ParameterError) as caught:
        load_tuned(params, "sparse")
    assert str(caught.value).startswith(message)
