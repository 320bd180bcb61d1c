"""The ONNX extra: a trained model as a graph that onnxruntime runs, two to thirty times as fast as torch."""

import logging
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from autoencoders.core.errors import UserError
from autoencoders.core.files import atomic_file
from autoencoders.models.trained.model import OUTPUTS, TrainedModel

ONNX_VARIABLE = "AUTOENCODERS_ONNX"  # the graph that a served model answers by
TOLERANCE = 1e-5  # of the graph's answers, relative to the largest of torch's
ROWS = 257  # that both answer in the check


class Graph(nn.Module):
    """Every output of a model that `score` and the other operations read, for features (rows, features)."""

    def __init__(self, model: TrainedModel) -> None:
        super().__init__()
        self.model = model

    def forward(self, features: Tensor) -> tuple[Tensor, ...]:
        """In the order of OUTPUTS."""
        return tuple(getattr(self.model, name)(features) for name in OUTPUTS)


def export(model: TrainedModel, path: Path) -> None:
    """Writes the graph, after a check against torch on random rows. Raises UserError where the two differ."""
    missing = "needs the extra: pip install onnx onnxscript onnxruntime"
    example = model.unscaled(torch.randn(ROWS, model.description.schema.n_features))
    graph, rows = Graph(model).eval(), torch.export.Dim("rows")
    with atomic_file(path) as new, warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # torch's own use of itself
        logging.getLogger("torch.onnx").setLevel(logging.ERROR)
        try:
            torch.onnx.export(
                graph, (example,), new, dynamo=True, external_data=False, verbose=False,
                input_names=["features"], output_names=list(OUTPUTS), dynamic_shapes=({0: rows},),
            )  # fmt: skip
            other = example[1:]  # another number of rows than that of the export
            found = session(new).run(list(OUTPUTS), {"features": other.numpy()})
        except ImportError as error:
            raise UserError(f"{path.name}: {missing} ({error})") from error
        for name, ours, theirs in zip(OUTPUTS, graph(other), found, strict=True):
            difference = float(np.abs(ours.numpy() - theirs).max() / np.abs(ours.numpy()).max())
            if not difference <= TOLERANCE:
                raise UserError(
                    f"{path.name}: {name} differs from torch's by {difference:.1e} of its largest value"
                )


def session(path: Path) -> Any:
    """A graph that is ready to run, on as many threads as torch would take."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def accelerated(model: TrainedModel, path: Path) -> TrainedModel:
    """The model, answering by its graph where there is one and onnxruntime is installed."""
    if path.exists():
        try:
            model.session = session(path)
        except ImportError:
            print(f"{path} is not used: onnxruntime is not installed")
    return model
