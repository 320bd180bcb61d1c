"""Versions of a registered model: how they are logged, fetched and loaded."""

import tempfile
import warnings
from collections.abc import Mapping
from importlib.metadata import version as installed_version
from pathlib import Path

import mlflow
from mlflow import MlflowException
from mlflow.models import Model, ModelSignature
from mlflow.models.model import ModelInfo

import autoencoders
from autoencoders.core.errors import DataError, UserError
from autoencoders.core.files import copied, tree_sha256
from autoencoders.core.paths import REGISTERED
from autoencoders.models.trained.model import TrainedModel
from autoencoders.models.trained.saved import DESCRIPTION, load
from autoencoders.serving.settings import settings_schema
from autoencoders.tracking import address
from autoencoders.tracking.failures import is_outage
from autoencoders.tracking.scratch import scratch_folder

REQUIREMENTS = ("mlflow", "numpy", "safetensors", "torch")
model_sha256 = tree_sha256  # the identity of a saved model: the hash of its files


def log_model(
    folder: Path, run_id: str, model_type: str, card: str, tags: Mapping[str, str], rate: float
) -> ModelInfo:
    """Logs a model's folder to the run of its training, whose state and times stay as they are."""
    package = Path(autoencoders.__file__).parent
    # mlflow wants type hints, and warns where there are none
    without_warnings = warnings.catch_warnings(record=True, action="ignore")
    with tempfile.TemporaryDirectory() as scratch, without_warnings:
        card_file = Path(scratch, "model_card.md")
        card_file.write_text(card, encoding="utf-8")
        code = copied(package, Path(scratch))
        return Model.log(
            artifact_path=None,
            name=model_type,
            flavor=mlflow.pyfunc,
            run_id=run_id,
            python_model=str(package / "serving" / "pyfunc.py"),
            code_paths=[str(code)],
            artifacts={"model": str(folder.resolve()), "card": str(card_file)},
            pip_requirements=_requirements(),
            signature=signature(rate),
            metadata=dict(tags),
            flavor_name="pyfunc.ModelFromCode",
        )


def _requirements() -> list[str]:
    """The packages that a served model needs, in the versions installed here."""
    requirements = []
    for package in REQUIREMENTS:
        version = installed_version(package).split("+")[0]
        requirements.append(f"{package}=={version}")
    return requirements


def fetch(uri: str) -> Path:
    """Returns the folder of the saved model behind a registered version or alias.

    Raises UserError where there is none.
    """
    destination = None
    if address.is_server(address.uri()):
        destination = scratch_folder()
    try:
        artifacts = Path(mlflow.artifacts.download_artifacts(uri, dst_path=destination))
        return next(artifacts.glob(f"artifacts/*/{DESCRIPTION}")).parent
    except (MlflowException, OSError, StopIteration) as error:
        if isinstance(error, MlflowException) and is_outage(error):
            raise
        raise UserError(f"{uri}: {error}; `ae registry history` tells what there is") from error


def load_fetched(uri: str, folder: Path) -> TrainedModel:
    """Loads a registered model from the folder that `fetch` returned.

    Raises UserError where its files are damaged.
    """
    try:
        return load(folder)
    except DataError as error:
        problem = str(error).partition("; ")[0]
        raise UserError(
            f"{uri} is damaged in the registry: {problem}; take another version, or delete this "
            f"one in MLflow and {REGISTERED} here, and `dvc repro` registers it anew"
        ) from error


def signature(rate: float) -> ModelSignature:
    """Returns the parameters of `predict`.

    Rows have no signature, as they may be columns, features, images or codes.
    """
    return ModelSignature(params=settings_schema(rate))
