"""An interrupted dvc: its leavings are named, and mended without a loss.

Dvc works again.
"""

import json
import logging
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from dvc.exceptions import DvcException
from dvc.repo import Repo

from autoencoders.core.dvclock import problem_of, read_lock

slow = pytest.mark.slow


def aside(path: str) -> list[Path]:
    return sorted(Path().glob(f"{path}.broken-*"))


def test_a_project_in_which_all_is_well_has_nothing_wrong(project):
    assert project.wrong() == {}
    assert project.doctor("--fix")[0] == 0
    assert project.git("status", "--porcelain") == ""


def test_half_a_lock_is_mended_by_the_kept_copy_and_nothing_runs(project):
    whole = Path("dvc.lock").read_text()
    assert read_lock() is not None
    half = whole[: whole.rindex("- path") + 4]
    Path("dvc.lock").write_text(half)
    assert project.run("dvc", "status", check=False).returncode != 0
    assert "no dvc command works" in project.wrong()["dvc.lock"]
    assert project.doctor("--fix")[0] == 0
    assert Path("dvc.lock").read_text() == whole
    assert [path.read_text() for path in aside("dvc.lock")] == [half]
    assert "up to date" in project.repro()


@slow
def test_a_lock_is_broken_exactly_where_dvc_cannot_work_with_it(project, monkeypatch):
    monkeypatch.setattr(logging.root.manager, "disable", logging.CRITICAL)  # DVC logs what is cut
    whole = Path("dvc.lock").read_text()
    delicate = [match.end() for match in re.finditer(r"hash: m|hash: md|md5: \S{3}", whole)]
    for length in {*range(0, len(whole) + 1, 13), *delicate, len(whole)}:
        Path("dvc.lock").write_text(whole[:length])
        try:
            with Repo() as repo:
                repo.status()
            works = True
        except (
            DvcException,
            NotImplementedError,
            AttributeError,
        ):  # the last two: what DVC itself did not foresee
            works = False
        assert (problem_of(whole[:length]) is None) == works, whole[:length]


def test_half_a_lock_without_a_kept_copy_is_mended_by_dvcs_run_cache_and_nothing_runs(project):
    ran = Path("ran.log").read_text()
    Path("dvc.lock").write_text("schema: '2.0'\nstages:\n  one:\n")
    assert project.doctor("--fix")[0] == 0
    assert "is cached - skipping run" in project.repro()
    assert Path("ran.log").read_text() == ran
    assert project.git("status", "--porcelain") == ""


@slow
def test_a_killed_experiment_leaves_a_detached_head_and_staged_parameters_that_are_mended(project):
    project.killed("dvc", "exp", "run", "-S", "a=2")
    ours = Path("params.yaml").read_text()
    assert project.git("status", "--porcelain", "params.yaml").startswith("M ")
    wrong = project.wrong()
    assert set(wrong) == {"experiment", "params.yaml"}
    assert "git switch main" in wrong["experiment"]
    assert "staged in git" in wrong["params.yaml"]
    assert "a: 2" in wrong["params.yaml"]
    assert "git restore --staged --worktree params.yaml" in wrong["params.yaml"]
    assert project.doctor("--fix")[0] == 0
    assert project.git("symbolic-ref", "HEAD") == "refs/heads/main\n"
    assert Path("params.yaml").read_text() == "a: 1\n"
    assert [path.read_text() for path in aside("params.yaml")] == [ours]
    ran = Path("ran.log").read_text()
    assert "is cached - skipping run" in project.repro()
    assert Path("ran.log").read_text() == ran
    assert "Ran experiment" in project.run("dvc", "exp", "run", "-S", "a=3").stdout


@slow
def test_the_commands_that_doctor_names_mend_a_killed_experiment_as_well(project):
    project.killed("dvc", "exp", "run", "-S", "a=2", number=signal.SIGTERM)
    for line in project.wrong().values():
        project.run("sh", "-c", line.partition("; mend: ")[2])
    assert project.wrong() == {}
    assert "cached" in project.repro()


@slow
def test_an_experiment_interrupted_by_the_keyboard_leaves_an_edited_file_which_is_told(project):
    project.killed("dvc", "exp", "run", "-S", "a=2", number=signal.SIGINT)
    assert project.wrong() == {}
    assert project.doctor()[1]["params.yaml"] == "ok: edited, not committed: a: 2"


def test_an_edit_after_staging_is_kept_beside_what_was_staged(project):
    Path("params.yaml").write_text("a: 5\n")
    project.git("add", "params.yaml")
    Path("params.yaml").write_text("a: 6\n")
    assert project.doctor("--fix")[0] == 0
    assert Path("params.yaml").read_text() == "a: 1\n"
    assert [path.read_text() for path in aside("params.yaml")] == ["a: 6\n", "a: 5\n"]


@slow
def test_changes_that_a_killed_experiment_set_aside_are_named(project):
    Path("params.yaml").write_text("a: 7\n")
    process = project.start("dvc", "exp", "run", "-S", "a=2")
    while not Path(".git/refs/stash").exists() or Path(".git/HEAD").read_text().startswith("ref:"):
        assert process.poll() is None, Path("command.log").read_text()
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    for lock in Path(".git").glob("*.lock"):
        lock.unlink()  # git itself says so
    assert "git stash pop" in project.wrong()["experiment"]
    assert project.doctor("--fix")[1]["experiment"].startswith("ok")
    assert project.git("symbolic-ref", "HEAD") == "refs/heads/main\n"
    project.git("checkout", "-q", "-f", "main")
    project.git("stash", "pop")
    assert Path("params.yaml").read_text() == "a: 7\n"


def test_a_head_that_the_user_detached_is_well(project):
    project.git("checkout", "-q", "--detach")
    assert project.wrong() == {}


@slow
def test_a_commit_after_a_killed_experiment_is_not_left_without_a_branch(project):
    project.killed("dvc", "exp", "run", "-S", "a=2")
    project.git("commit", "-q", "-m", "on no branch")
    assert "git switch -c" in project.wrong()["experiment"]
    before = project.git("rev-parse", "HEAD")
    assert project.doctor("--fix")[0] == 1
    assert project.git("rev-parse", "HEAD") == before


@slow
def test_a_dvc_at_work_is_named_and_nothing_is_mended_meanwhile(project):
    project.gate()
    process = project.start("dvc", "exp", "run", "-S", "a=2")
    project.wait_for_the_stage()
    try:
        code, lines = project.doctor()
        assert code == 0
        assert f"process {process.pid} (" in lines["dvc"]
        assert "dvc exp run -S a=2" in lines["dvc"]
        assert lines["experiment"] == "ok: one is running"
        Path(".dvc/tmp/exps/run").mkdir(exist_ok=True)
        (project.folder / "mlruns").mkdir()
        (project.folder / "mlruns/registered.json").write_text("{")
        refused = project.run("ae", "doctor", "--fix", check=False)
        assert refused.returncode == 1
        assert "nothing is mended while a dvc is at work" in refused.stdout
    finally:
        project.pipe.close()
        process.wait(60)


@slow
def test_the_lock_of_a_dvc_that_reads_the_repository_is_seen(project):
    code = (
        "import sys; from dvc.repo import Repo\n"
        "with Repo().lock: print('held', flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", code]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdin is not None
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        assert f"process {holder.pid} (" in project.doctor()[1]["dvc"]
        holder.stdin.close()
    assert project.doctor()[1]["dvc"] == "ok"


def held_by_a_living_process(folder: Path) -> str:
    """DVC's lock file as another dvc that is at work on one.txt writes it."""
    return json.dumps(
        {"write": {str(folder / "one.txt"): {"pid": os.getpid(), "cmd": "dvc repro"}}}
    )


@slow
@pytest.mark.parametrize("content", ["empty", "cut", "held by a living process"])
def test_a_lock_file_that_stops_every_dvc_is_moved_aside(project, content):
    texts = {
        "empty": "",
        "cut": '{"read": {',
        "held by a living process": held_by_a_living_process(project.folder),
    }
    text = texts[content]
    Path(".dvc/tmp/rwlock").write_text(text)
    Path("params.yaml").write_text("a: 9\n")
    assert project.run("dvc", "repro", check=False).returncode != 0
    assert ".dvc/tmp/rwlock" in project.wrong()["dvc"]
    assert project.doctor("--fix")[0] == 0
    assert [path.read_text() for path in aside(".dvc/tmp/rwlock")] == [text]
    project.repro()


def test_a_folder_without_git_is_well(project):
    Path(".git").rename("git")
    assert project.wrong() == {}
