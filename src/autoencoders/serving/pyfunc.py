"""The registered model that people call: an MLflow pyfunc, loaded from this file (models-from-code) and safetensors."""

import os
from pathlib import Path
from typing import Any

from mlflow.exceptions import MlflowException
from mlflow.models import set_model
from mlflow.protos.databricks_pb2 import INVALID_PARAMETER_VALUE
from mlflow.pyfunc import PythonModel

from autoencoders.core.errors import DataError
from autoencoders.models.trained.saved import load
from autoencoders.serving.inference import OPERATIONS, SETTINGS, answer
from autoencoders.serving.onnx import ONNX_VARIABLE, accelerated


class ServedAutoencoder(PythonModel):  # type: ignore[misc]  # mlflow's class is untyped
    """predict(rows, params={"op": ...}): see `operations.answer`. rows: an array, or a DataFrame of raw columns."""

    def load_context(self, context: Any) -> None:
        """Reads the weights."""
        self.model = accelerated(
            load(Path(context.artifacts["model"])), Path(os.environ.get(ONNX_VARIABLE, "none"))
        )

    def predict(self, context, model_input, params=None):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201, ARG002  (mlflow takes hints for a signature)
        """The operation's answer. Raises MlflowException (over HTTP: status 400) that says what is wrong."""
        given = params or {}
        settings = {name: int(given.get(name, default)) for name, default in SETTINGS.items()}
        rate = float(given.get("false_alarm_rate", 0.05))
        try:
            return answer(
                self.model, given.get("op", OPERATIONS[0]), model_input, rate=rate, **settings
            )
        except DataError as error:
            raise MlflowException(str(error), error_code=INVALID_PARAMETER_VALUE) from error


set_model(ServedAutoencoder())
