"""No value read from a run reaches an output.

Each stage gives the same bytes where nothing of a run can be read.
"""

import shutil
from pathlib import Path

import pytest

from autoencoders.core.files import tree_sha256
from repository import QUICK, Repository

MODEL_TYPE = "sparse"
STAGES = (["tune", MODEL_TYPE], ["train", MODEL_TYPE], ["evaluate"])
OUTPUTS = ("tuned", "model", "metrics", "reports")
# stands in for every module of `tracking`: what it gives can be called, entered and asked for
# attributes, no more
UNREADABLE = """
class Unreadable:
    def __call__(self, *arguments, **options):
        return self

    def __getattr__(self, name):
        return self

    def __enter__(self):
        return self

    def __exit__(self, *error):
        return None

    def refused(self, *arguments):
        raise AssertionError("a stage reads a value of a run")

    __str__ = __repr__ = __format__ = __iter__ = __len__ = refused
    __eq__ = __lt__ = __gt__ = __hash__ = refused
    __getitem__ = __contains__ = __int__ = __float__ = __index__ = __bytes__ = __fspath__ = refused


def __getattr__(name):
    return Unreadable()
"""


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Repository:
    """A copy of the repository with prepared data."""
    values = {**QUICK, "tune.n_trials": 2, "tune.epochs": 1}
    repository = Repository(tmp_path_factory.mktemp("written") / "first", values, [MODEL_TYPE])
    for stage in ("check", "download", "preprocess"):
        run(repository, stage)
    return repository


def run(repository: Repository, stage: str, *arguments: str) -> None:
    """Runs a stage's script as dvc.yaml does."""
    repository.run("python", f"pipeline/{stage}.py", *arguments, PYTHONPATH="src")


def without_runs(repository: Repository) -> None:
    """Replaces every module of `tracking` by one that gives nothing to read."""
    folder = repository.folder / "src/autoencoders/tracking"
    for path in folder.glob("*.py"):
        if path.name != "__init__.py":
            path.write_text(UNREADABLE)


def test_stages_give_the_same_bytes_where_no_run_can_be_read(prepared, tmp_path):
    other = Repository.at(shutil.copytree(prepared.folder, tmp_path / "other"))
    without_runs(other)
    for stage in STAGES:
        run(prepared, *stage)
        run(other, *stage)
    page = Path(other.folder, "reports/index.html").read_text(encoding="utf-8")
    assert f'<h3 id="study-{MODEL_TYPE}">' in page  # evaluate reads what tune wrote
    for name in OUTPUTS:
        assert tree_sha256(prepared.folder / name) == tree_sha256(other.folder / name), name
    assert Path(prepared.folder, "mlruns/mlflow.db").exists()
    assert not Path(other.folder, "mlruns/mlflow.db").exists()
