"""The registered model that people call: an MLflow pyfunc.

MLflow loads it from this file (models-from-code) and the weights from safetensors, without pickle.
"""

import os
from pathlib import Path
from typing import Any

from mlflow.exceptions import MlflowException
from mlflow.models import set_model
from mlflow.protos.databricks_pb2 import INVALID_PARAMETER_VALUE
from mlflow.pyfunc.model import PythonModel, PythonModelContext

from autoencoders.core.errors import DataError
from autoencoders.models.trained.saved import load
from autoencoders.serving.inference import FALSE_ALARMS, OPERATIONS, SETTINGS, answer
from autoencoders.serving.onnx import ONNX_VARIABLE, accelerated
from autoencoders.serving.settings import check_settings, settings_schema


class ServedAutoencoder(PythonModel):
    """predict(rows, params={"op": ...}), see `inference.answer`.

    rows: an array, or a DataFrame of raw columns.
    """

    def load_context(self, context: PythonModelContext) -> None:
        """Reads the weights, and the exported graph where ONNX_VARIABLE names one."""
        graph = Path(os.environ.get(ONNX_VARIABLE, "none"))
        self.model = accelerated(load(Path(context.artifacts["model"])), graph)

    # without type hints, which mlflow would take for a signature
    def predict(  # type: ignore[no-untyped-def]  # noqa: ANN201
        self,
        context,  # noqa: ANN001, ARG002
        model_input,  # noqa: ANN001
        params=None,  # noqa: ANN001
    ):
        """The operation's answer. Raises MlflowException for misuse, over HTTP status 400."""
        if params is None:
            params = {}
        try:
            check_settings(params, settings_schema())
            op = params.get("op", OPERATIONS[0])
            rate = float(params.get("false_alarm_rate", FALSE_ALARMS))
            settings: dict[str, Any] = {
                name: int(params.get(name, default)) for name, default in SETTINGS.items()
            }
            return answer(self.model, op, model_input, rate=rate, **settings)
        except DataError as error:
            raise MlflowException(str(error), error_code=INVALID_PARAMETER_VALUE) from error


set_model(ServedAutoencoder())
