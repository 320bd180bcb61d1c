"""The ONNX extra: a model as onnxruntime's graph, two to thirty times as fast as torch."""

import logging
import warnings
from pathlib import Path
from typing import Any, final

import numpy as np
import torch
from torch import Tensor, nn

from autoencoders.core.errors import UserError
from autoencoders.core.files import atomic_file
from autoencoders.models.trained.model import ModelDescription, TrainedModel, batches
from autoencoders.models.trained.scores import Scores, conformal_scores

ONNX_VARIABLE = "AUTOENCODERS_ONNX"  # path of the graph by which a served model answers
OUTPUTS = ("code", "reconstruction", "nats")  # of a graph; nats: TrainedModel.score_parts
TOLERANCE = 1e-5  # of the graph's outputs, relative to the largest of torch's
EXAMPLE_ROWS = 257  # of the export: a number that no layer is likely to have as its size


class Graph(nn.Module):
    """The outputs of a model that an exported graph holds."""

    def __init__(self, model: TrainedModel) -> None:
        super().__init__()
        self.model = model

    def forward(self, features: Tensor) -> tuple[Tensor, ...]:
        """Codes, reconstructions and parts of the score, as OUTPUTS names them.

        features: (rows, features), raw.
        """
        code = self.model.code(features)
        reconstruction = self.model.reconstruction(features)
        score_parts = self.model.score_parts(features)
        return code, reconstruction, score_parts


@final
class GraphModel:
    """A trained model that encodes, reconstructs and scores by its exported graph."""

    def __init__(self, trained: TrainedModel, session: Any) -> None:
        """session: onnxruntime's, of the graph that `export` wrote."""
        self.trained = trained
        self.session = session

    @property
    def description(self) -> ModelDescription:
        """The trained model's description."""
        return self.trained.description

    def encode(self, raw: np.ndarray) -> np.ndarray:
        """Codes: (rows, code)."""
        return self._output("code", raw)

    def reconstruct(self, raw: np.ndarray) -> np.ndarray:
        """Raw-scale reconstructions: (rows, features)."""
        return self._output("reconstruction", raw)

    def score(self, raw: np.ndarray, n_novel: np.ndarray | None = None) -> Scores:
        """Anomaly scores in nats, see TrainedModel.score."""
        parts = self._output("nats", raw)
        novel_part = self.description.novel_part
        return conformal_scores(parts, n_novel, novel_part, self.trained.calibration.numpy())

    def _output(self, name: str, raw: np.ndarray) -> np.ndarray:
        """One of OUTPUTS for any number of rows."""
        parts = []
        for batch in batches(raw):
            (part,) = self.session.run([name], {"features": batch.astype(np.float32)})
            parts.append(part)
        return np.concatenate(parts)


def export(model: TrainedModel, path: Path) -> None:
    """Writes the graph, after a comparison with torch on random rows.

    Raises UserError where the two differ, or the packages of the extra are missing.
    """
    graph = Graph(model).eval()
    example = model.unscaled(torch.randn(EXAMPLE_ROWS, model.description.schema.n_features))
    other = example[1:]  # another number of rows than that of the export
    with atomic_file(path) as new, warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # torch's use of its own functions
        try:
            _write(graph, example, new)
            outputs = session(new).run(list(OUTPUTS), {"features": other.numpy()})
        except ImportError as error:
            missing = "needs the extra: pip install onnx onnxscript onnxruntime"
            raise UserError(f"{path.name}: {missing} ({error})") from error
        for name, expected, output in zip(OUTPUTS, graph(other), outputs, strict=True):
            difference = _relative_difference(output, expected.numpy())
            if not difference <= TOLERANCE:  # NaN is refused too
                raise UserError(
                    f"{path.name}: {name} differs from torch's by {difference:.1e} "
                    "of its largest value"
                )


def _write(graph: Graph, example: Tensor, path: Path) -> None:
    """Writes a graph for any number of rows. Raises ImportError without the extra."""
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    torch.onnx.export(
        graph,
        (example,),
        path,
        dynamo=True,
        external_data=False,
        verbose=False,
        input_names=["features"],
        output_names=list(OUTPUTS),
        dynamic_shapes=({0: torch.export.Dim("rows")},),
    )


def _relative_difference(output: np.ndarray, expected: np.ndarray) -> float:
    """The largest absolute difference, relative to the largest absolute expected value."""
    return float(np.abs(expected - output).max() / np.abs(expected).max())


def session(path: Path) -> Any:
    """A session of onnxruntime for a graph, with torch's number of threads. Raises ImportError."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def accelerated(model: TrainedModel, path: Path) -> TrainedModel | GraphModel:
    """The model by its graph at `path`; the model itself without a graph or onnxruntime."""
    if not path.exists():
        return model
    try:
        return GraphModel(model, session(path))
    except ImportError:
        print(f"{path} is not used: onnxruntime is not installed")
        return model
