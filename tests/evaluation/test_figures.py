"""Figures: the same bytes again, and what they show is what the model says."""

import copy
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure
from matplotlib.patches import StepPatch
from PIL import Image

from autoencoders.data.preparation.prepare import prepare
from autoencoders.data.prepared.blocks import Blocks
from autoencoders.data.prepared.prepared import Prepared, load_prepared
from autoencoders.data.sources.source import download
from autoencoders.evaluation import figures
from autoencoders.evaluation.figures import LINE_CODES, Figures
from autoencoders.models import AUTOENCODERS, build
from autoencoders.models.trained.model import TrainedModel
from autoencoders.params.architecture import Architecture
from autoencoders.params.params import Params

COLUMNS = 5
NAMES = {"reconstructions", "worst", "code", "interpolations", "traversal", "scores", "curves"}
HISTORY = [
    {"train/reconstruction_loss": 30 / epoch, "val/reconstruction_loss": 32 / epoch}
    for epoch in (1, 2, 3)
]

Draw = Callable[..., Figures]


@pytest.fixture(scope="module")
def data(digits: Path) -> Prepared:
    return load_prepared(digits)


@pytest.fixture
def of(untrained: dict[str, TrainedModel], data: Prepared) -> Draw:
    """The figures of a type, by name."""

    def drawn(model_type: str) -> Figures:
        model = copy.copy(untrained[model_type])
        model.description = replace(model.description, epochs=len(HISTORY))
        return Figures(model, data, HISTORY, COLUMNS, "reconstruct")

    return drawn


def with_code_size(model: TrainedModel, code_size: int) -> TrainedModel:
    """An untrained undercomplete model with another code size."""
    architecture = Architecture(64, code_size, (16,), "silu", "identity", "bce")
    description = replace(
        model.description, model_type="undercomplete", architecture=architecture, type_values={}
    )
    made = TrainedModel(
        description, build("undercomplete", architecture, {}), model.shift, model.scale
    )
    made.calibrate(*2 * [np.eye(64, dtype=np.float32)])  # any rows: no score is looked at
    return made


def tiles(figure: Figure) -> np.ndarray:
    """The images of a grid, (rows, columns, pixels), without the gaps of one pixel between them."""
    (image,) = figure.axes[0].images
    drawn = image.get_array()
    assert drawn is not None
    sheet = np.ma.filled(drawn, np.nan)
    rows, columns = ((side + 1) // 9 for side in sheet.shape)
    assert sheet.shape == (9 * rows - 1, 9 * columns - 1)
    assert np.isnan(sheet[8::9]).all()
    assert np.isnan(sheet[:, 8::9]).all()
    cut = [
        [sheet[9 * r : 9 * r + 8, 9 * c : 9 * c + 8].ravel() for c in range(columns)]
        for r in range(rows)
    ]
    return np.array(cut)


# --- files ---


@pytest.mark.parametrize("model_type", sorted(AUTOENCODERS))
def test_every_figure_of_a_type_is_a_picture_with_something_on_it(
    of: Draw, tmp_path: Path, model_type: str
):
    paths = of(model_type).save(tmp_path / "figures" / model_type)
    samples = {"samples"} if AUTOENCODERS[model_type].generates else set()
    assert {path.stem for path in paths} == NAMES | samples
    assert set(paths) == set((tmp_path / "figures" / model_type).iterdir())
    for path in paths:
        with Image.open(path) as image:
            image.load()
            assert image.format == "PNG"
            assert min(image.size) > 50
            assert np.ptp(np.asarray(image.convert("L"))) > 100


def test_for_anomalies_the_scores_come_first_and_then_the_most_unusual_images(
    untrained: dict[str, TrainedModel], data: Prepared, tmp_path: Path
):
    model = untrained["sparse"]
    drawn = Figures(model, data, HISTORY, COLUMNS, "anomaly")
    names = [path.stem for path in drawn.save(tmp_path / "figures")]
    assert names[:3] == ["scores", "unusual", "reconstructions"]
    assert set(names) == NAMES | {"unusual"}
    originals, rebuilt = tiles(drawn.unusual())
    test = data.sample("test")
    highest = np.argsort(-model.score(test).score, kind="stable")[:COLUMNS]
    np.testing.assert_array_equal(originals, test[highest])
    np.testing.assert_allclose(rebuilt, model.reconstruct(test[highest]), rtol=1e-5)


def test_the_same_model_gives_the_same_bytes_again(of: Draw, tmp_path: Path):
    content = [
        {p.name: p.read_bytes() for p in of("variational").save(tmp_path / name)}
        for name in ("a", "b")
    ]
    assert content[0] == content[1]
    assert set(content[0]) == {f"{name}.png" for name in NAMES | {"samples"}}


def test_no_figure_says_when_or_with_what_it_was_made(of: Draw, tmp_path: Path):
    for path in of("sparse").save(tmp_path):
        with Image.open(path) as image:
            assert not {"Software", "Creation Time", "date"} & set(image.info)


# --- what they show ---


@pytest.fixture(scope="module")
def coloured(params: Params, tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    """Random coloured images of 8 x 8 pixels, as a user's array."""
    folder = tmp_path_factory.mktemp("coloured")
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (100, 8, 8, 3), dtype=np.uint8)
    np.savez(folder / "images.npz", X=images, y=np.arange(100) % 2)
    path = str(folder / "images.npz")
    data = params.override({"data.name": "images", "data.path": path}).data
    download(data, folder / "raw")
    prepare(folder / "raw", folder / "prepared", data)
    return load_prepared(folder / "prepared")


def test_coloured_images_are_shown_in_their_colours_with_white_gaps(
    coloured: Prepared, untrained_on: Callable[[str, Prepared], TrainedModel]
):
    model = untrained_on("undercomplete", coloured)
    figure = Figures(model, coloured, HISTORY, COLUMNS, "reconstruct").reconstructions()
    (image,) = figure.axes[0].images
    sheet = np.asarray(image.get_array())
    assert sheet.shape == (17, 9 * COLUMNS - 1, 3)
    assert (sheet[8] == 1).all()
    assert (sheet[:, 8::9] == 1).all()
    originals = coloured.sample("test")[:COLUMNS]
    for row, images in enumerate([originals, model.reconstruct(originals)]):
        for column, pixels in enumerate(images.reshape(-1, 8, 8, 3)):
            tile = sheet[9 * row : 9 * row + 8, 9 * column : 9 * column + 8]
            np.testing.assert_allclose(tile, (pixels / 255).clip(0, 1), rtol=1e-5)


def test_of_more_test_rows_than_memory_holds_a_sample_is_drawn(
    untrained: dict[str, TrainedModel], data: Prepared, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(figures, "FIGURE_VALUES", 20 * 64)
    few = Figures(untrained["undercomplete"], data, HISTORY, COLUMNS, "reconstruct")
    (axes,) = few.code().axes
    assert sum(len(np.asarray(points.get_offsets())) for points in axes.collections) == 20
    originals = tiles(few.reconstructions())[0]
    np.testing.assert_array_equal(originals, data.sample("test", 20)[:COLUMNS])


def test_scores_show_how_many_test_rows_have_which_score_on_logarithmic_axes(
    of: Draw, data: Prepared
):
    (axes,) = of("undercomplete").scores().axes
    (histogram,) = [patch for patch in axes.patches if isinstance(patch, StepPatch)]
    assert histogram.get_data()[0].sum() == len(data.rows["test"])
    assert (axes.get_xscale(), axes.get_yscale()) == ("log", "log")


def test_scores_that_are_all_the_same_are_one_bar(of: Draw, data: Prepared):
    figures_of_one_score = of("undercomplete")
    figures_of_one_score.row_scores = np.full(len(data.rows["test"]), 5.0)
    (axes,) = figures_of_one_score.scores().axes
    (histogram,) = [patch for patch in axes.patches if isinstance(patch, StepPatch)]
    assert histogram.get_data()[0].max() == len(data.rows["test"])


@pytest.mark.parametrize("shape", [(8, 8), (1, 64), (64, 1), (4, 16)])
def test_a_grid_of_images_fills_its_axes(of: Draw, shape: tuple[int, ...]):
    drawn = of("undercomplete")
    drawn.shape = shape
    figure = drawn.reconstructions()
    (axes,) = figure.axes
    (image,) = axes.images
    height, width = image.get_size()
    inches = figure.get_size_inches() * axes.get_position(original=True).size
    assert inches[1] / inches[0] == pytest.approx(height / width)


def test_reconstructions_are_the_first_test_images_above_what_the_model_makes_of_them(
    of: Draw, untrained: dict[str, TrainedModel], data: Prepared
):
    originals, rebuilt = tiles(of("denoising").reconstructions())
    first = data.sample("test")[:COLUMNS]
    np.testing.assert_array_equal(originals, first)
    np.testing.assert_allclose(rebuilt, untrained["denoising"].reconstruct(first), rtol=1e-5)


@pytest.mark.parametrize(
    "name", ["reconstructions", "worst", "interpolations", "traversal", "samples"]
)
def test_images_run_from_black_at_0_to_white_at_the_brightest_pixel(of: Draw, name: str):
    (image,) = getattr(of("variational"), name)().axes[0].images
    assert image.get_clim() == (0, 16)
    assert image.cmap(0.0)[:3] == (0, 0, 0)
    assert image.cmap(1.0)[:3] == (1, 1, 1)


def test_worst_are_the_images_with_the_largest_errors_the_largest_first(
    of: Draw, untrained: dict[str, TrainedModel], data: Prepared
):
    originals, rebuilt = tiles(of("sparse").worst())
    test = data.sample("test")
    errors = np.sort(((test / 16 - untrained["sparse"].reconstruct(test) / 16) ** 2).sum(1))[::-1]
    np.testing.assert_allclose(
        ((originals - rebuilt) ** 2).sum(1) / 16**2, errors[:COLUMNS], rtol=1e-5
    )
    assert all((test == original).all(1).any() for original in originals)


def test_interpolations_go_from_one_images_reconstruction_to_that_of_another_label(
    of: Draw, untrained: dict[str, TrainedModel], data: Prepared
):
    grid = tiles(of("undercomplete").interpolations())
    model, test, labels = untrained["undercomplete"], data.sample("test"), data.labels["test"]
    rebuilt = model.reconstruct(test)
    np.testing.assert_allclose(grid[:, 0], rebuilt[:4], rtol=1e-5)
    ends = [int(np.abs(rebuilt - end).sum(1).argmin()) for end in grid[:, -1]]
    np.testing.assert_allclose(grid[:, -1], rebuilt[ends], rtol=1e-5)
    assert (labels[ends] != labels[:4]).all()
    middle = model.decode((model.encode(test[:4]) + model.encode(test[ends])) / 2)
    np.testing.assert_allclose(grid[:, LINE_CODES // 2], middle, rtol=1e-4)


def test_a_traversal_passes_through_the_mean_code_and_moves_one_unit_by_two_deviations(
    of: Draw, untrained: dict[str, TrainedModel], data: Prepared
):
    grid, model = tiles(of("contractive").traversal()), untrained["contractive"]
    codes = model.encode(data.sample("test"))
    mean, deviation = codes.mean(0), codes.std(0)
    assert len(grid) == codes.shape[1]
    np.testing.assert_allclose(
        grid[:, LINE_CODES // 2], np.tile(model.decode(mean[None]), (len(grid), 1)), rtol=1e-4
    )
    widest = int(deviation.argmax())
    ends = mean + np.outer([-2, 2], np.eye(len(mean))[widest] * deviation)
    np.testing.assert_allclose(grid[0, [0, -1]], model.decode(ends), rtol=1e-4)


def test_samples_are_decoded_draws_that_differ_from_each_other_and_stay_the_same(of: Draw):
    grid = tiles(of("variational").samples())
    assert grid.shape[1:] == (COLUMNS, 64)
    assert len(np.unique(grid.reshape(-1, 64), axis=0)) == grid.shape[0] * COLUMNS
    assert grid.min() >= 0
    assert grid.max() <= 16
    np.testing.assert_array_equal(grid, tiles(of("variational").samples()))


def test_samples_are_in_raw_scale(untrained: dict[str, TrainedModel], data: Prepared):
    model = copy.deepcopy(untrained["variational"])
    logits = torch.linspace(-3, 3, 64)
    last = list(model.autoencoder.decoder.children())[-1]
    assert isinstance(last, torch.nn.Linear)
    last.weight.data.zero_()
    last.bias.data.copy_(logits)  # whatever the code, the same image
    grid = tiles(Figures(model, data, HISTORY, COLUMNS, "reconstruct").samples())
    np.testing.assert_allclose(
        grid, np.broadcast_to(16 * logits.sigmoid().numpy(), grid.shape), rtol=1e-5
    )


def test_samples_do_not_depend_on_the_global_random_stream(of: Draw):
    before = torch.get_rng_state()
    grid = tiles(of("variational").samples())
    assert torch.equal(torch.get_rng_state(), before)
    with torch.random.fork_rng():
        torch.manual_seed(1234)
        np.testing.assert_array_equal(grid, tiles(of("variational").samples()))


@pytest.mark.parametrize("code_size", [1, 2, 3])
def test_the_code_shows_every_test_row_under_its_label_whatever_its_size(
    untrained: dict[str, TrainedModel], data: Prepared, code_size: int
):
    model = with_code_size(untrained["undercomplete"], code_size)
    (axes,) = Figures(model, data, HISTORY, COLUMNS, "reconstruct").code().axes
    points = {heap.get_label(): np.ma.getdata(heap.get_offsets()) for heap in axes.collections}
    assert tuple(points) == data.description.labels
    codes = model.encode(data.sample("test"))
    for label, name in enumerate(data.description.labels):
        own = codes[data.labels["test"] == label]
        assert len(points[name]) == len(own)
        if code_size <= 2:
            np.testing.assert_allclose(points[name][:, :code_size], own, rtol=1e-5)
    everything = np.concatenate(list(points.values()))
    if code_size == 3:  # the two directions of largest variance
        variances = np.sort(np.linalg.eigvalsh(np.cov(codes.T)))[::-1]
        np.testing.assert_allclose(everything.var(0, ddof=1), variances[:2], rtol=1e-4)


def test_curves_show_both_losses_over_the_epochs_and_the_best_one(of: Draw):
    (axes,) = of("undercomplete").curves().axes
    train, validation, best = axes.lines
    for line, key in (
        (train, "train/reconstruction_loss"),
        (validation, "val/reconstruction_loss"),
    ):
        np.testing.assert_array_equal(line.get_xdata(), [1, 2, 3])
        np.testing.assert_array_equal(line.get_ydata(), [means[key] for means in HISTORY])
    assert np.unique(best.get_xdata()).tolist() == [1]  # the untrained models' best_epoch


def test_curves_of_a_training_that_started_as_pca_begin_with_epoch_0(
    untrained: dict[str, TrainedModel], data: Prepared
):
    model = copy.copy(untrained["undercomplete"])
    model.description = replace(model.description, epochs=len(HISTORY) - 1)
    (axes,) = Figures(model, data, HISTORY, COLUMNS, "reconstruct").curves().axes
    np.testing.assert_array_equal(axes.lines[0].get_xdata(), [0, 1, 2])


@pytest.mark.parametrize(
    ("rows", "labels"), [(2, [3, 3]), (2, [3, 4]), (3, [0, 0, 1]), (5, [0, 1, 1, 1, 1])]
)
def test_a_handful_of_test_rows_is_enough(
    untrained: dict[str, TrainedModel], data: Prepared, tmp_path: Path, rows: int, labels: list[int]
):
    np.save(tmp_path / "few.npy", data.rows["test"].read(0, rows))
    few = replace(
        data,
        rows={**data.rows, "test": Blocks(tmp_path / "few.npy")},
        labels={**data.labels, "test": np.array(labels, np.uint8)},
    )
    of_few = Figures(untrained["undercomplete"], few, HISTORY, COLUMNS, "reconstruct")
    assert tiles(of_few.reconstructions()).shape == (2, min(rows, COLUMNS), 64)
    grid = tiles(of_few.interpolations())
    assert grid.shape == (min(4, rows), LINE_CODES, 64)
    if len(set(labels)) == 1:  # there is no image of another label: all go to the first one
        np.testing.assert_allclose(grid[:, -1], np.tile(grid[0, 0], (len(grid), 1)), rtol=1e-5)
    for draw in (of_few.worst, of_few.traversal, of_few.code):
        assert draw().axes
