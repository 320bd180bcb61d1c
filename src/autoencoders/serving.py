"""The registered model that people call: an MLflow pyfunc, loaded from this file (models-from-code) and safetensors."""

from pathlib import Path
from typing import Any

import numpy as np
from mlflow.models import set_model
from mlflow.pyfunc import PythonModel

from autoencoders.checkpoint import load

OPERATIONS = ("reconstruct", "encode", "decode")


class ServedAutoencoder(PythonModel):  # type: ignore[misc]  # mlflow's class is untyped
    """predict(rows, params={"op": "reconstruct" | "encode" | "decode"}).

    rows: float32, (-1, features) in raw scale; codes, (-1, code), for "decode". Gives float32 rows.
    """

    def load_context(self, context: Any) -> None:
        """Reads the weights."""
        self.model = load(Path(context.artifacts["model"]))

    def predict(self, context: Any, model_input: np.ndarray, params: dict[str, Any] | None = None) -> np.ndarray:  # noqa: ARG002
        """The operation's answer. Raises ValueError for an unknown operation or a wrong width, which it names."""
        op = (params or {}).get("op", OPERATIONS[0])
        if op not in OPERATIONS:
            raise ValueError(f"op = {op!r}: must be one of {', '.join(OPERATIONS)}")
        rows = np.asarray(model_input, dtype=np.float32)
        shape = self.model.description.architecture
        width, name = (shape.code_size, "code units") if op == "decode" else (shape.n_features, "features")
        if rows.ndim != 2 or rows.shape[1] != width:
            raise ValueError(f"op = {op}: rows of shape {rows.shape}, expected (-1, {width}): {width} {name} a row")
        answer: np.ndarray = getattr(self.model, op)(rows)
        return answer


set_model(ServedAutoencoder())
