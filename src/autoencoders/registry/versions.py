"""Versions of a registered model: how they are logged, fetched and loaded."""

import tempfile
import warnings
from collections.abc import Mapping
from importlib.metadata import version as installed
from pathlib import Path

import mlflow
from mlflow import MlflowException, types
from mlflow.models import Model, ModelSignature
from mlflow.models.model import ModelInfo

import autoencoders
from autoencoders.core.errors import DataError, UserError
from autoencoders.core.files import copied, tree_sha256
from autoencoders.core.paths import REGISTERED
from autoencoders.models.trained.model import TrainedModel
from autoencoders.models.trained.saved import DESCRIPTION, load
from autoencoders.serving.inference import OPERATIONS, SETTINGS
from autoencoders.tracking import address, store

REQUIREMENTS = ("mlflow", "numpy", "safetensors", "torch")
model_sha256 = tree_sha256  # the identity of a saved model: the hash of its files


def log_model(
    folder: Path, run_id: str, kind: str, card: str, tags: Mapping[str, str], rate: float
) -> ModelInfo:
    """Logs a model's folder to the run of its training, whose state and times stay as they are."""
    quiet = warnings.catch_warnings(
        record=True, action="ignore"
    )  # mlflow wants hints, and warns of them
    with tempfile.TemporaryDirectory() as scratch, quiet:
        path = Path(scratch, "model_card.md")
        path.write_text(card, encoding="utf-8")
        return Model.log(
            artifact_path=None,
            name=kind,
            flavor=mlflow.pyfunc,
            run_id=run_id,
            python_model=str(Path(autoencoders.__file__).with_name("serving") / "pyfunc.py"),
            code_paths=[str(copied(Path(autoencoders.__file__).parent, Path(scratch)))],
            artifacts={"model": str(folder.resolve()), "card": str(path)},
            pip_requirements=[
                f"{package}=={installed(package).split('+')[0]}" for package in REQUIREMENTS
            ],
            signature=signature(rate),
            metadata=dict(tags),
            flavor_name="pyfunc.ModelFromCode",
        )


def fetched(uri: str) -> Path:
    """The folder of the saved model behind a registered version or alias. Raises UserError where there is none."""
    scratch = None
    if address.is_server(address.uri()):
        scratch = store.scratch_folder()
    try:
        artifacts = Path(mlflow.artifacts.download_artifacts(uri, dst_path=scratch))
        return next(artifacts.glob(f"artifacts/*/{DESCRIPTION}")).parent
    except (MlflowException, OSError, StopIteration) as error:
        if isinstance(error, MlflowException) and store.is_outage(error):
            raise
        raise UserError(f"{uri}: {error}; `ae registry history` tells what there is") from error


def loaded(uri: str, folder: Path) -> TrainedModel:
    """A registered model, from the folder where `fetched` has put it. Raises UserError where its files are damaged."""
    try:
        return load(folder)
    except DataError as error:
        found = str(error).partition("; ")[0]
        raise UserError(
            f"{uri} is damaged in the registry: {found}; take another version, or delete this one in MLflow and "
            f"{REGISTERED} here, and `dvc repro` registers it anew"
        ) from error


def signature(rate: float) -> ModelSignature:
    """What `predict` may be told; of rows it says nothing, as they may be columns, features, images or codes."""
    specs = [
        types.ParamSpec("op", "string", OPERATIONS[0]),
        types.ParamSpec("false_alarm_rate", "double", rate),
    ]
    specs += [types.ParamSpec(name, "long", default) for name, default in SETTINGS.items()]
    return ModelSignature(params=types.ParamSchema(specs))
