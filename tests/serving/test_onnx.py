"""A model's ONNX graph: it answers as the model does, or is refused.

Without a graph, the model itself answers.
"""

import copy
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import torch
from click.testing import CliRunner

from autoencoders import cli
from autoencoders.core.errors import UserError
from autoencoders.data.prepared.features import encode
from autoencoders.data.prepared.prepared import load_prepared
from autoencoders.models.trained.model import BATCH_ROWS, TrainedModel
from autoencoders.models.trained.saved import save
from autoencoders.registry.answering import load_answering, locate
from autoencoders.serving.inference import OPERATIONS, Answer, answer
from autoencoders.serving.onnx import (
    EXAMPLE_ROWS,
    ONNX_VARIABLE,
    TOLERANCE,
    GraphModel,
    accelerated,
    export,
)
from pyfuncs import served_autoencoder
from tables import table_of
from workshop import Workshop

IMAGE_TYPES = ("undercomplete", "sparse", "contractive", "denoising")
BATCH_SIZES = (1, 2, 100, EXAMPLE_ROWS, 1000)  # the graph was traced with EXAMPLE_ROWS


@pytest.fixture(scope="module")
def graphs(
    tmp_path_factory: pytest.TempPathFactory,
    untrained: dict[str, TrainedModel],
    table_models: dict[str, TrainedModel],
) -> dict[str, Path]:
    """The graphs of models of images by type, and of the variational model of a table."""
    folder = tmp_path_factory.mktemp("graphs")
    models = {model_type: untrained[model_type] for model_type in IMAGE_TYPES}
    models["table"] = table_models["variational"]
    for name, model in models.items():
        export(model, folder / f"{name}.onnx")
    return {name: folder / f"{name}.onnx" for name in models}


@pytest.fixture
def model(table_models: dict[str, TrainedModel]) -> TrainedModel:
    """A trained variational model of a table, which answers every operation."""
    return copy.copy(table_models["variational"])


@pytest.fixture
def features(model: TrainedModel, frame: pd.DataFrame) -> np.ndarray:
    """Rows of the table as the model reads them."""
    return encode(model.description.schema, pa.Table.from_pandas(frame))


def assert_near(result: Answer, expected: Answer) -> None:
    """Asserts that values differ by at most TOLERANCE of the largest one."""
    assert result.shape == expected.shape
    np.testing.assert_allclose(result, expected, rtol=0, atol=TOLERANCE * np.abs(expected).max())


# --- the graph


@pytest.mark.parametrize("n_rows", BATCH_SIZES)
@pytest.mark.parametrize("model_type", IMAGE_TYPES)
def test_a_graph_answers_as_the_model_for_any_number_of_rows(
    model_type, n_rows, graphs, untrained, digits
):
    model = untrained[model_type]
    images = load_prepared(digits).rows["train"].read(0, n_rows)
    fast = accelerated(copy.copy(model), graphs[model_type])
    assert_near(fast.encode(images), model.encode(images))
    assert_near(fast.reconstruct(images), model.reconstruct(images))
    assert_near(fast.score(images).contributions, model.score(images).contributions)


@pytest.mark.parametrize("n_rows", [2, 100])
@pytest.mark.parametrize("op", OPERATIONS)
def test_every_operation_answers_by_the_graph_as_by_the_model(op, n_rows, graphs, model, frame):
    fast = accelerated(copy.copy(model), graphs["table"])
    rows: Any = frame.head(n_rows)
    rows = rows.assign(length=rows["length"] + 0.01)  # no score ties with a validation row's
    if op == "decode":
        rows = answer(model, "encode", rows)
    result, expected = answer(fast, op, rows), answer(model, op, rows)
    if op == "encode":
        assert_near(result, expected)
        return
    result, expected = table_of(result), table_of(expected)
    numbers = expected.select_dtypes("number").columns
    for name in numbers:
        assert_near(result[name].to_numpy(float), expected[name].to_numpy(float))
    others = expected.columns.difference(numbers)
    pd.testing.assert_frame_equal(result[others], expected[others])


def test_a_graph_counts_values_that_no_training_row_had_as_the_model_does(graphs, model, frame):
    fast = accelerated(copy.copy(model), graphs["table"])
    rows = frame.head(20).assign(unit=8)
    result, expected = (table_of(answer(answering, "score", rows)) for answering in (fast, model))
    assert_near(result["score"].to_numpy(), expected["score"].to_numpy())
    assert result["anomaly"].all()
    pd.testing.assert_frame_equal(result[["p_value"]], expected[["p_value"]])


@pytest.mark.parametrize("value", [-9999.0, 1e12])
def test_a_graph_clips_gross_outliers_as_the_model_does(value, graphs, model, frame):
    fast = accelerated(copy.copy(model), graphs["table"])
    rows = frame.head(20).assign(length=value)
    assert_near(answer(fast, "encode", rows), answer(model, "encode", rows))
    result, expected = (table_of(answer(answering, "score", rows)) for answering in (fast, model))
    assert_near(result["score"].to_numpy(), expected["score"].to_numpy())
    assert result["anomaly"].all()
    assert result["reasons"].str.startswith("length").all()


def test_rows_of_several_batches_are_answered_in_their_order(graphs, untrained, digits):
    model = untrained["undercomplete"]
    images = np.resize(load_prepared(digits).rows["train"].read(0, 500), (BATCH_ROWS + 3, 64))
    fast = accelerated(copy.copy(model), graphs["undercomplete"])
    assert_near(fast.encode(images), model.encode(images))


def test_exporting_neither_changes_the_model_nor_leaves_more_than_the_graph(graphs, untrained):
    assert not untrained["undercomplete"].training
    names = {path.name for path in graphs["undercomplete"].parent.iterdir()}
    assert names == {f"{name}.onnx" for name in graphs}


# --- what is refused


def test_a_graph_that_differs_is_refused_and_not_written(untrained, tmp_path, monkeypatch):
    """The graph's last output is the model's times 1 + 2 TOLERANCE, while torch's is as before."""

    def score_parts(self: TrainedModel, raw: torch.Tensor) -> torch.Tensor:
        parts = original(self, raw)
        if torch.compiler.is_exporting():
            return parts * (1 + 2 * TOLERANCE)
        return parts

    original = TrainedModel.score_parts
    monkeypatch.setattr(TrainedModel, "score_parts", score_parts)
    with pytest.raises(UserError, match=r"^model\.onnx: nats differs from torch's by 2\.\de-05"):
        export(untrained["undercomplete"], tmp_path / "model.onnx")
    assert list(tmp_path.iterdir()) == []


def test_a_model_that_answers_nan_is_refused(untrained, tmp_path):
    model = copy.deepcopy(untrained["undercomplete"])
    model.shift[0] = torch.nan
    with pytest.raises(UserError, match="code differs from torch's by nan"):
        export(model, tmp_path / "model.onnx")
    assert list(tmp_path.iterdir()) == []


WITHOUT_A_PACKAGE = """
import sys
from pathlib import Path
sys.modules[sys.argv[1]] = None  # its import fails, as where it is not installed
from autoencoders.core.errors import UserError
from autoencoders.models.trained.saved import load
from autoencoders.serving.onnx import export
try:
    export(load(Path("model")), Path("graphs/model.onnx"))
except UserError as error:
    print(error)
"""


@pytest.mark.parametrize("package", ["onnx", "onnxscript", "onnxruntime"])
def test_an_export_without_the_extra_says_what_to_install(package, untrained, tmp_path):
    save(untrained["undercomplete"], [{"val/reconstruction_loss": 1.0}], tmp_path / "model")
    command = [sys.executable, "-W", "ignore", "-c", WITHOUT_A_PACKAGE, package]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    extra = "model.onnx: needs the extra: pip install onnx onnxscript onnxruntime ("
    assert done.stdout.startswith(extra)
    assert package in done.stdout.removeprefix(extra)
    assert list((tmp_path / "graphs").iterdir()) == []


# --- which of the two answers


def erased(model: TrainedModel) -> TrainedModel:
    """A copy whose weights are 0: what it still answers rightly comes from a graph."""
    changed = copy.deepcopy(model)
    for weight in changed.autoencoder.parameters():
        torch.nn.init.zeros_(weight)
    return changed


def test_with_a_graph_codes_reconstructions_and_scores_come_from_it(graphs, model, features):
    fast = accelerated(erased(model), graphs["table"])
    assert_near(fast.encode(features), model.encode(features))
    assert_near(fast.reconstruct(features), model.reconstruct(features))
    assert_near(fast.score(features).score, model.score(features).score)


def test_with_a_graph_the_decoder_and_its_codes_are_the_models(graphs, model, features):
    fast, plain = accelerated(erased(model), graphs["table"]), erased(model)
    codes = model.encode(features)
    assert isinstance(fast, GraphModel)
    decoder = fast.trained
    np.testing.assert_array_equal(decoder.decode(codes), plain.decode(codes))
    np.testing.assert_array_equal(decoder.decoder_codes(features), plain.decoder_codes(features))


def test_without_a_graph_the_model_answers(model, tmp_path, capsys):
    assert accelerated(model, tmp_path / "none.onnx") is model
    assert capsys.readouterr().out == ""


def test_with_a_graph_but_without_onnxruntime_the_model_answers_and_a_message_says_so(
    graphs, model, monkeypatch, capsys
):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)  # its import fails
    assert accelerated(model, graphs["table"]) is model
    message = f"{graphs['table']} is not used: onnxruntime is not installed\n"
    assert capsys.readouterr().out == message


def served(model: TrainedModel, folder: Path) -> Any:
    """The model as MLflow's server loads it."""
    save(model, [{"val/reconstruction_loss": 1.0}], folder)
    server = served_autoencoder()
    from mlflow.pyfunc.model import PythonModelContext  # which warns where it is imported first

    server.load_context(PythonModelContext({"model": str(folder)}, None))
    return server


def test_a_served_model_answers_by_the_graph_that_the_variable_names(
    graphs, model, frame, tmp_path, monkeypatch
):
    monkeypatch.setenv(ONNX_VARIABLE, str(graphs["table"]))
    codes = served(erased(model), tmp_path / "model").predict(None, frame, {"op": "encode"})
    assert_near(codes, answer(model, "encode", frame))


@pytest.mark.parametrize("variable", [None, "a file that is not there"])
def test_a_served_model_without_a_graph_answers_itself(
    variable, model, frame, tmp_path, monkeypatch
):
    monkeypatch.delenv(ONNX_VARIABLE, raising=False)
    if variable is not None:
        monkeypatch.setenv(ONNX_VARIABLE, str(tmp_path / variable))
    codes = served(model, tmp_path / "model").predict(None, frame, {"op": "encode"})
    np.testing.assert_array_equal(codes, answer(model, "encode", frame))


# --- `ae export`


@pytest.fixture
def registered(workshop: Workshop) -> str:
    """The URI of a registered model of a table."""
    version = workshop.add("undercomplete")
    return f"models:/autoencoder-table/{version}"


def test_ae_export_writes_the_graph_by_which_commands_answer_from_then_on(
    workshop, registered, frame
):
    before = load_answering(locate(registered))
    assert isinstance(before, TrainedModel)
    done = CliRunner().invoke(cli.ae, ["export", "--model", registered])
    assert done.exit_code == 0, done.output
    (graph,) = (workshop.folder / ".checkpoints/onnx").iterdir()
    assert done.output == f"{graph}: agrees with torch\n"
    after = load_answering(locate(registered))
    assert isinstance(after, GraphModel)
    assert_near(answer(after, "encode", frame), answer(before, "encode", frame))


def test_ae_export_names_a_model_that_is_not_registered(workshop):
    with pytest.raises(UserError, match="models:/autoencoder-table/999"):
        CliRunner().invoke(
            cli.ae, ["export", "--model", "models:/autoencoder-table/999"], catch_exceptions=False
        )
