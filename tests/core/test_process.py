"""Processes: one at a time holds the lock, whoever dies.

The death of the `dvc` above is noticed.
"""

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import psutil
import pytest

from autoencoders.core.process import ParentDvc, one_process

HOLDER = """
import sys
from pathlib import Path
from autoencoders.core.process import one_process
with one_process(Path(sys.argv[1]), "tunes this type"):
    print("holds", flush=True)
    sys.stdin.readline()
print("released", flush=True)
"""
STAGE = """
import os, sys
from autoencoders.core.errors import Interrupted
from autoencoders.core.process import ParentDvc
parent_dvc = ParentDvc()
print(os.getpid(), parent_dvc.dvc and parent_dvc.dvc.pid, parent_dvc.gone, flush=True)
for _ in sys.stdin:
    try:
        parent_dvc.stop_if_gone()
        print("goes on", flush=True)
    except Interrupted as reason:
        print(reason, flush=True)
"""
DVC = """
import subprocess, sys
print("dvc", flush=True)
subprocess.run(["sh", "-c", f"{sys.executable} {sys.argv[1]}; true"])
"""
WAITING = "waiting: an earlier process still tunes this type; it stops soon if its dvc is gone"


class Conversation:
    """A process that is spoken to line by line."""

    def __init__(self, *command: str | Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, *map(str, command)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.input = self.process.stdin
        self.output = self.process.stdout

    def hear(self) -> str:
        return self.output.readline().rstrip("\n")

    def say(self, text: str = "") -> None:
        self.input.write(f"{text}\n")
        self.input.flush()

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def __enter__(self) -> "Conversation":
        return self

    def __exit__(self, *error: object) -> None:
        self.kill()
        self.input.close()
        self.output.close()


@pytest.fixture
def start() -> Iterator[Callable[..., Conversation]]:
    """Starts processes that end with the test."""
    with ExitStack() as stack:
        yield lambda *command: stack.enter_context(Conversation(*command))


@pytest.mark.parametrize("end", [Conversation.say, Conversation.kill])
def test_the_second_process_says_why_it_waits_and_goes_on_when_the_first_ends_or_dies(
    start, tmp_path, end
):
    lock = tmp_path / "not there yet" / "sparse.lock"
    first = start("-c", HOLDER, lock)
    assert first.hear() == "holds"
    second = start("-c", HOLDER, lock)
    assert second.hear() == WAITING
    end(first)
    assert second.hear() == "holds"


def test_the_lock_is_free_again_after_a_block_that_ends_or_raises(start, tmp_path, capsys):
    lock = tmp_path / "sparse.lock"
    with one_process(lock, "tunes this type"):
        pass
    with pytest.raises(KeyError), one_process(lock, "tunes this type"):
        raise KeyError
    assert capsys.readouterr().out == ""
    assert start("-c", HOLDER, lock).hear() == "holds"


def test_two_locks_do_not_disturb_each_other(start, tmp_path):
    assert start("-c", HOLDER, tmp_path / "sparse.lock").hear() == "holds"
    assert start("-c", HOLDER, tmp_path / "denoising.lock").hear() == "holds"


def test_a_stage_that_no_dvc_started_goes_on():
    parent_dvc = ParentDvc()
    assert parent_dvc.dvc is None
    assert not parent_dvc.gone
    parent_dvc.stop_if_gone()


def test_a_stage_is_interrupted_as_soon_as_the_dvc_above_it_is_gone(start, tmp_path):
    for name, text in (("dvc", DVC), ("stage.py", STAGE)):
        (tmp_path / name).write_text(text)
    dvc = start(tmp_path / "dvc", tmp_path / "stage.py")
    assert dvc.hear() == "dvc"
    pid, above, gone = dvc.hear().split()
    assert (int(above), gone) == (dvc.process.pid, "False")
    dvc.say()
    assert dvc.hear() == "goes on"
    dvc.kill()
    assert psutil.pid_exists(int(pid))  # kill -9 of dvc leaves its stage running
    dvc.say()
    assert dvc.hear() == "the dvc that started this stage is gone"


def test_a_process_is_no_dvc_for_a_folder_of_that_name(start, tmp_path):
    (tmp_path / "dvc").mkdir()
    (tmp_path / "dvc" / "other").write_text(DVC)
    (tmp_path / "stage.py").write_text(STAGE)
    other = start(tmp_path / "dvc" / "other", tmp_path / "stage.py")
    assert other.hear() == "dvc"
    assert other.hear().split()[1:] == ["None", "False"]
