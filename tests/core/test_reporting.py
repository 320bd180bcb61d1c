"""The end of a process that is signalled or fails.

The processes are real, and seen by their exit code and their one message.
"""

import subprocess
import sys

import pytest

BEGIN = """
import os, signal, sys
from autoencoders.core.errors import UserError
from autoencoders.core.reporting import reporting
def ask():
    os.kill(os.getpid(), signal.SIGINT)
    for _ in range(1000):
        pass
class Destructor:
    def __del__(self):
        ask()
"""
MESSAGE = "interrupted by SIGINT; `dvc repro` goes on from here\n"
FOREVER = "\n    while True:\n        pass"
TRY = "try:\n        ask()\n    "
SWALLOWED = {
    "nothing": "ask()",
    "a broad except": f"{TRY}except BaseException:\n        pass{FOREVER}",
    "another error": f"{TRY}except BaseException:\n        raise ImportError('half')",
    "an error of the user": f"{TRY}finally:\n        raise UserError('no')",
    "a destructor": f"Destructor(){FOREVER}",
    "SystemExit": f"{TRY}finally:\n        sys.exit(0)",
    "a second signal while it is on its way": f"{TRY}finally:\n        ask()",
}


def run(body: str) -> subprocess.CompletedProcess[str]:
    code = f"{BEGIN}with reporting():\n    {body}\n    print('went on')\n"
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False
    )


@pytest.mark.parametrize("by", SWALLOWED)
def test_a_signal_ends_the_process_with_one_message_whatever_swallows_it(by):
    done = run(SWALLOWED[by])
    assert (done.returncode, done.stderr, done.stdout) == (130, MESSAGE, "")


def test_a_signal_after_the_work_is_done_changes_nothing():
    code = f"{BEGIN}with reporting():\n    pass\nask()\nprint('done')"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stderr, done.stdout) == (0, "", "done\n")


def test_a_users_mistake_is_one_message():
    done = run("raise UserError('params.yaml: seed = x')")
    assert (done.returncode, done.stderr) == (1, "error: params.yaml: seed = x\n")


def test_an_error_of_the_code_keeps_its_traceback():
    done = run("raise KeyError('x')")
    assert done.returncode == 1
    assert "Traceback" in done.stderr


def test_nothing_slow_is_imported_before_signals_are_answered():
    code = (
        "import sys\nbefore = {*sys.modules}\n"
        "import autoencoders.core.imports, autoencoders.core.reporting\n"
        "print(*{*sys.modules} - before)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert set(done.stdout.split()) - {*sys.builtin_module_names} == {
        "autoencoders",
        "autoencoders.core",
        *(f"autoencoders.core.{name}" for name in ("errors", "imports", "reporting")),
    }
