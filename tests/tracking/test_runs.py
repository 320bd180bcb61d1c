"""Runs: recorded beside the work, found again by fingerprint, and resumed where they ended."""

import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from autoencoders.core.errors import DivergedError, Interrupted
from autoencoders.core.files import write_json
from autoencoders.evaluation.verdict import verdict
from autoencoders.params.params import load_params
from autoencoders.tracking import clone
from autoencoders.tracking.evaluation import TAG_LENGTH
from autoencoders.tracking.recorder import Recorder
from autoencoders.tracking.records import waiting
from autoencoders.tracking.runs import Runs

PARAMS = {"kind": "sparse", "network.code_size": 8, "train.epochs": 3}
CURVE = "val/reconstruction_loss"


@pytest.fixture
def runs(tracked_root, description):
    return Runs(description)


@pytest.fixture
def recorder(tracked_root, description):
    """A recorder without a writer beside it."""
    return Recorder(description)


def run_of(runs, fingerprint):
    runs.sender.finish_all()
    return runs.client.get_run(runs.find(fingerprint))


def status_and_reason(runs, fingerprint):
    run = run_of(runs, fingerprint)
    return run.info.status, run.data.tags.get("reason")


def curve(runs, run_id):
    history = runs.client.get_metric_history(run_id, CURVE)
    return sorted((point.step, point.value) for point in history)


def interrupt(recorder, fingerprint):
    """A training that is interrupted after one epoch."""

    def train(run):
        run.epoch(1, {CURVE: 3.0})
        raise Interrupted("interrupted by SIGINT")

    with pytest.raises(Interrupted), recorder.training(PARAMS, fingerprint, resumed=False) as run:
        train(run)


def test_a_training_that_ends_well_is_finished_under_the_parent_of_its_state(runs, recorder):
    with recorder.training(PARAMS, "f1", resumed=False) as run:
        run.epoch(1, {CURVE: 2.0})
    stored_run = run_of(runs, "f1")
    assert stored_run.info.status == "FINISHED"
    assert stored_run.data.params == {key: str(value) for key, value in PARAMS.items()}
    assert stored_run.data.tags["mlflow.parentRunId"] == runs.parent()
    assert stored_run.data.metrics == {CURVE: 2.0}
    assert waiting() == []


def test_a_failed_training_says_failed_and_why(runs, recorder):
    with pytest.raises(DivergedError), recorder.training(PARAMS, "f2", resumed=False):
        raise DivergedError("train/penalty became nan")
    assert status_and_reason(runs, "f2") == ("FAILED", "DivergedError: train/penalty became nan")


def test_an_interrupted_training_says_killed_and_a_resumed_one_goes_on_in_the_same_run(
    runs, recorder
):
    interrupt(recorder, "f3")
    assert status_and_reason(runs, "f3") == ("KILLED", "interrupted by SIGINT")
    first = runs.find("f3")
    with recorder.training(PARAMS, "f3", resumed=True) as run:
        for epoch, value in enumerate([3.0, 2.0], 1):
            run.epoch(epoch, {CURVE: value})
    assert run_of(runs, "f3").info.run_id == first
    assert curve(runs, first) == [(1, 3.0), (2, 2.0)]


def test_a_finished_run_keeps_no_reason_of_an_earlier_interruption(runs, recorder):
    with pytest.raises(Interrupted), recorder.training(PARAMS, "f3", resumed=False):
        raise Interrupted("interrupted by SIGINT")
    assert "mlflow.note.content" in run_of(runs, "f3").data.tags
    with recorder.training(PARAMS, "f3", resumed=True):
        pass
    run = run_of(runs, "f3")
    assert run.info.status == "FINISHED"
    assert {"reason", "mlflow.note.content"} & set(run.data.tags) == set()


def test_a_run_has_the_times_of_its_training_not_of_the_sending(runs, recorder):
    before = time.time_ns() // 1_000_000
    with recorder.training(PARAMS, "f3", resumed=False):
        pass
    after = time.time_ns() // 1_000_000
    while time.time_ns() // 1_000_000 <= after:  # the sending is later than that
        time.sleep(0.001)
    info = run_of(runs, "f3").info
    assert before <= info.start_time <= info.end_time <= after


def test_runs_of_a_resumed_training_that_were_never_sent_are_one_run(runs, recorder):
    interrupt(recorder, "f3")
    with recorder.training(PARAMS, "f3", resumed=True) as run:
        for epoch, value in enumerate([3.0, 2.0], 1):
            run.epoch(epoch, {CURVE: value})
    assert len(waiting()) == 2
    runs.sender.finish_all()
    (stored_run,) = runs.stored.search(runs.experiment, "tags.fingerprint = 'f3'")
    assert stored_run.info.status == "FINISHED"
    assert curve(runs, stored_run.info.run_id) == [(1, 3.0), (2, 2.0)]


def test_a_record_that_was_sent_in_part_or_in_whole_may_be_sent_again(runs, recorder, description):
    with recorder.training(PARAMS, "f3", resumed=False) as run:
        run.epoch(1, {CURVE: 3.0})
        run.tag(colour="red")
        runs.sender.send(run.path)  # by a writer that is killed then
        run.epoch(2, {CURVE: 2.0})
    other = Runs(description)
    (stored_run,) = other.stored.search(other.experiment, "tags.fingerprint = 'f3'")
    assert stored_run.info.status == "FINISHED"
    assert stored_run.data.tags["colour"] == "red"
    assert curve(other, stored_run.info.run_id) == [(1, 3.0), (2, 2.0)]


def test_a_run_whose_process_was_killed_is_completed_as_killed(runs, recorder, description):
    record = recorder.training(PARAMS, "f4", resumed=False)
    record.epoch(1, {CURVE: 3.0})
    assert Runs(description).find("f4") is None  # its process lives
    record.file.close()  # as its death would
    assert Runs(description).find("f4", "KILLED") is not None
    assert status_and_reason(runs, "f4") == ("KILLED", "its process is gone")


def test_a_half_written_last_line_of_a_killed_process_is_left_out(runs, recorder):
    record = recorder.training(PARAMS, "f4", resumed=False)
    record.epoch(1, {CURVE: 3.0})
    record.file.write(b'{"metrics": [["val')
    record.file.close()
    assert status_and_reason(runs, "f4") == ("KILLED", "its process is gone")
    assert curve(runs, runs.find("f4")) == [(1, 3.0)]


def gone() -> psutil.Process:
    """A process that has ended."""
    process = subprocess.Popen(
        [sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE
    )
    ended = psutil.Process(process.pid)
    ended.create_time()
    process.communicate()
    return ended


@pytest.mark.parametrize(
    ("changed", "status"),
    [
        ({}, "KILLED"),
        ({"machine": "another machine or container"}, "RUNNING"),
        ({"clone": "another clone"}, "RUNNING"),
        ({"host": "another name"}, "KILLED"),
    ],
)
def test_only_a_run_of_a_gone_process_of_this_machine_and_clone_is_marked_killed(
    runs, description, changed, status
):
    process = gone()
    tags = {
        **clone.process(),
        "pid": str(process.pid),
        "process_started": str(process.create_time()),
        **changed,
    }
    run = runs.client.create_run(runs.experiment, tags={"fingerprint": "f4", **tags})
    assert Runs(description).client.get_run(run.info.run_id).info.status == status


def test_the_run_of_a_living_process_is_left_alone(runs, description):
    run = runs.client.create_run(runs.experiment, tags=clone.process())
    assert Runs(description).client.get_run(run.info.run_id).info.status == "RUNNING"


def test_another_process_with_the_dead_ones_number_is_not_taken_for_it(runs, description):
    tags = clone.process()
    tags["process_started"] = str(float(tags["process_started"]) - 1000)
    run = runs.client.create_run(runs.experiment, tags=tags)
    assert Runs(description).client.get_run(run.info.run_id).info.status == "KILLED"


def test_a_new_training_of_the_same_state_is_a_new_run_and_the_one_that_is_found(runs, recorder):
    for _ in range(2):
        with recorder.training(PARAMS, "f5", resumed=False):
            pass
    runs.sender.finish_all()
    newest, oldest = runs.stored.search(runs.experiment, "tags.fingerprint = 'f5'")
    assert newest.info.start_time >= oldest.info.start_time
    assert runs.find("f5", "FINISHED") == newest.info.run_id


def test_the_parent_is_one_for_each_state_of_the_data(runs, description):
    assert runs.parent() == Runs(description).parent()
    assert runs.parent() != Runs(replace(description, content_sha256="c" * 64)).parent()


def test_of_two_parents_that_were_made_at_once_the_oldest_stays(runs, description, monkeypatch):
    begin = runs.recorder.parent()
    search = type(runs.stored).search
    rival: list[str] = []

    def blind(self, experiment, query, order="DESC"):
        """The answer to a clone that asks a moment before another one has made its run."""
        result = search(self, experiment, query, order)
        if not rival:
            tags = {**begin.tags, "fingerprint": begin.fingerprint}
            rival.append(
                self.client.create_run(
                    experiment, start_time=begin.start - 1, tags=tags
                ).info.run_id
            )
        return result

    monkeypatch.setattr(type(runs.stored), "search", blind)
    assert runs.parent() == rival[0]
    monkeypatch.undo()
    (left,) = runs.stored.search(runs.experiment, f"tags.fingerprint = '{begin.fingerprint}'")
    assert left.info.run_id == rival[0]


def test_two_clones_that_run_the_same_study_by_their_own_journals_have_a_study_run_each(
    runs, recorder, monkeypatch, tmp_path_factory
):
    ours = recorder.study("s", "sparse", {}, private=True)
    shared = recorder.study("s", "sparse", {}, private=False)
    monkeypatch.setenv("DVC_ROOT", str(tmp_path_factory.mktemp("another clone")))
    theirs = recorder.study("s", "sparse", {}, private=True)
    assert ours.fingerprint != theirs.fingerprint
    assert recorder.study("s", "sparse", {}, private=False).fingerprint == shared.fingerprint == "s"


def test_more_metrics_than_one_call_may_hold_are_all_logged(runs, recorder):
    with recorder.training(PARAMS, "f6", resumed=False) as run:
        for epoch in range(1, 601):
            run.epoch(epoch, {CURVE: float(epoch), "val/penalty": 0.0})
    stored_run = run_of(runs, "f6")
    assert [step for step, _ in curve(runs, stored_run.info.run_id)] == list(range(1, 601))


@pytest.fixture
def evaluation_files(tracked_root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The working folder has the code and the files of an evaluation, but for its numbers."""
    for name in ("src", "pipeline", "requirements.lock", "params.yaml", "dvc.yaml"):
        (tracked_root / name).symlink_to(Path(name).resolve())
    monkeypatch.chdir(tracked_root)
    for name in ("reports/index.html", "metrics/leaderboard.json", "data/prepared/report.json"):
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_text("{}")


@pytest.mark.usefixtures("evaluation_files")
def test_an_evaluation_is_logged_again_where_the_run_holds_other_numbers(runs):
    for error in (1.5, 2.5, 2.5):
        write_json(Path("metrics/metrics.json"), {"pca": {"test_squared_error": error}})
        runs.log_evaluation()
        assert runs.client.get_run(runs.parent()).data.metrics == {"pca/test/squared_error": error}
    history = runs.client.get_metric_history(runs.parent(), "pca/test/squared_error")
    assert [point.value for point in history] == [1.5, 2.5]
    assert {file.path for file in runs.client.list_artifacts(runs.parent())} == {
        "index.html",
        "leaderboard.json",
        "report.json",
    }


@pytest.mark.usefixtures("evaluation_files")
def test_a_report_is_logged_again_where_the_run_has_another_one_with_the_same_numbers(
    runs, tmp_path
):
    write_json(Path("metrics/metrics.json"), {"pca": {"test_squared_error": 1.5}})
    for page in ("<p>one</p>", "<p>two</p>"):
        Path("reports/index.html").write_text(page)
        runs.log_evaluation()
        logged = runs.client.download_artifacts(runs.parent(), "index.html", tmp_path)
        assert Path(logged).read_text() == page


def test_the_notes_on_the_data_are_a_tag_of_the_parent_run_cut_to_what_a_server_takes(
    runs, tracked_root, monkeypatch
):
    for name in ("src", "pipeline", "requirements.lock", "params.yaml", "dvc.yaml"):
        (tracked_root / name).symlink_to(Path(name).resolve())
    monkeypatch.chdir(tracked_root)
    for name in ("reports/index.html", "metrics/leaderboard.json"):
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_text("{}")
    Path("data/prepared").mkdir(parents=True)
    for error, told in (
        (1.5, ["left out, as dates: when", "column x: filled"]),
        (2.5, ["a" * 9000]),
    ):
        write_json(Path("data/prepared/report.json"), {"told": told})
        write_json(Path("metrics/metrics.json"), {"pca": {"test_squared_error": error}})
        runs.log_evaluation()
        tags = runs.client.get_run(runs.parent()).data.tags
        assert tags["data_notes"] == "\n".join(told)[:TAG_LENGTH]


def test_the_verdict_is_a_tag_of_the_parent_run(runs, tracked_root, leaderboard, monkeypatch):
    for name in ("src", "pipeline", "requirements.lock", "params.yaml", "dvc.yaml"):
        (tracked_root / name).symlink_to(Path(name).resolve())
    tune = load_params().tune
    monkeypatch.chdir(tracked_root)
    for name in ("reports/index.html", "data/prepared/report.json"):
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_text("{}")
    write_json(Path("metrics/leaderboard.json"), [row.written() for row in leaderboard])
    write_json(Path("metrics/metrics.json"), {"pca": {"test_squared_error": 1.5}})
    runs.log_evaluation()
    tags = runs.client.get_run(runs.parent()).data.tags
    assert tags["verdict"] == "\n".join(verdict(leaderboard, tune))


def test_a_record_for_another_store_waits_for_that_store(
    runs, recorder, description, monkeypatch, tmp_path
):
    with recorder.training(PARAMS, "f7", resumed=False):
        pass
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/other.db")
    assert Runs(description).find("f7") is None
    assert len(waiting()) == 1
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "")
    assert Runs(description).find("f7", "FINISHED") is not None
    assert waiting() == []


def test_a_record_that_the_store_refuses_is_moved_aside_and_holds_up_no_other(
    runs, recorder, tracked_root, capsys
):
    with recorder.training({**PARAMS, "a name with = and ( )": 1}, "f8", resumed=False):
        pass
    with recorder.training(PARAMS, "f9", resumed=False):
        pass
    assert run_of(runs, "f9").info.status == "FINISHED"
    assert "MLflow does not take the run sparse" in capsys.readouterr().out
    assert waiting() == []
    assert len(list((tracked_root / "mlruns/pending/refused").glob("*.jsonl"))) == 1


# trials


@pytest.fixture
def trial(recorder):
    """The second trial of a study, which Optuna counts as its third."""
    study = recorder.study("s", "sparse", {}, private=True)
    return recorder.trial_run(study, 1, 2, {"network.code_size": 8})


def tagged(runs, recorder, trial):
    """The run of a trial after more of it was recorded; it is the only one."""
    with recorder.finished_trial(trial, {"val/squared_error": 1.5}) as run:
        run.tag(taken="yes")
    runs.sender.finish_all()
    (found,) = runs.stored.search(runs.experiment, "tags.stage = 'trial'")
    assert found.info.run_name == "trial 1"
    assert found.data.tags["taken"] == "yes"
    return found


def test_more_of_a_finished_trial_goes_to_its_run_however_often(runs, recorder, trial):
    with recorder.trial(trial) as run:
        run.metrics({"val/squared_error": 2.5})
    for _ in range(2):
        found = tagged(runs, recorder, trial)
    assert found.info.status == "FINISHED"
    assert found.data.metrics == {"val/squared_error": 2.5}
    assert "restored" not in found.data.tags


def test_more_of_a_trial_whose_end_another_machine_has_not_sent_leaves_its_run_open(
    runs, recorder, trial
):
    runs.stored.run_of(trial)
    found = tagged(runs, recorder, trial)
    assert found.info.status == "RUNNING"
    assert found.data.metrics == {}


def test_more_of_a_trial_without_a_run_makes_one_with_its_metrics_once(runs, recorder, trial):
    for _ in range(2):
        found = tagged(runs, recorder, trial)
    assert found.info.status == "FINISHED"
    assert found.data.metrics == {"val/squared_error": 1.5}
    assert found.data.params == {"network.code_size": "8"}
    assert "restored" in found.data.tags


def test_a_trial_names_its_type_and_its_data_set_also_when_it_is_made_again(recorder, trial):
    study = recorder.restored_study("f", "sparse")
    with recorder.restored_trial(study, "1", {}) as restored:
        pass
    for begin in (trial, restored.begin):
        tags = {"stage": "trial", "kind": "sparse", "data": recorder.data.name}
        assert begin.tags == begin.tags | tags
