"""`ae estimate` before and after a run: the estimate first, then the real times beside it."""

import pytest

from repository import QUICK, Repository

pytestmark = pytest.mark.slow
MODEL_TYPE = "sparse"
STAGES = [
    "check",
    "download",
    "preprocess",
    f"tune@{MODEL_TYPE}",
    f"train@{MODEL_TYPE}",
    "evaluate",
    "register",
]


def columns(text: str) -> dict[str, tuple[str, str]]:
    """What stands below `about` and `last time`, by the line's first column."""
    header, *lines = [line for line in text.partition("\n\n")[0].splitlines() if line]
    about_ends = header.index("about") + len("about")
    trainings_end = header.index("trainings") + len("trainings")
    cells = {}
    for line in lines:
        name = line[: header.index("does")].strip()
        cells[name] = (line[trainings_end:about_ends].strip(), line[about_ends:].strip())
    return cells


def test_the_estimate_comes_before_a_run_and_the_real_times_beside_it(tmp_path):
    values = {**QUICK, "tune.n_trials": 2, "tune.epochs": 1}
    repository = Repository(tmp_path, values, [MODEL_TYPE])
    before = columns(repository.run("ae", "estimate").stdout)
    assert list(before) == [*STAGES, "all stages"]
    assert all(about for about, _ in before.values())
    assert not any(last for _, last in before.values())
    repository.repro()
    lock = repository.hashes()
    shown = repository.run("ae", "estimate").stdout
    after = columns(shown)
    assert list(after) == list(before)
    assert all(about and last for about, last in after.values())
    assert "2 trials of 1 epoch" in shown
    assert repository.hashes() == lock
    assert "Running stage" not in repository.repro()  # DVC sees no change in what was noted


def test_a_broken_file_of_parameters_is_one_message(tmp_path):
    repository = Repository(tmp_path, {**QUICK, "train.epochs": "many"}, [MODEL_TYPE])
    done = repository.run("ae", "estimate", check=False)
    assert done.returncode == 1
    assert done.stdout.startswith("error: params.yaml")
    assert "train.epochs" in done.stdout
    assert "Traceback" not in done.stdout
