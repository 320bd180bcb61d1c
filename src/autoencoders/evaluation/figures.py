"""Figures of a trained model, as PNG files with the same bytes for the same model."""

from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from sklearn.decomposition import PCA

from autoencoders.core.files import atomic_folder
from autoencoders.data.prepared.prepared import Prepared
from autoencoders.evaluation.drawing import (
    CHART_MARGINS,
    IMAGE_MARGINS,
    drawing,
    placed_drawing,
    plain_numbers,
    write_png,
)
from autoencoders.models.trained.fidelity import squared_error
from autoencoders.models.trained.model import TrainedModel, interpolated, samples
from autoencoders.models.trained.saved import TRAIN_LOSS, VALIDATION_LOSS
from autoencoders.params.goal import Goal

LINE_CODES = 9  # decoded codes between two images, and along a code unit
SPREAD = 2.0  # standard deviations to either side in a traversal
POINTS = 2000  # rows in the picture of the code
PAIRS = 4  # pairs of images that are interpolated
UNITS = 16  # code units in a traversal, those that vary most
SAMPLE_ROWS = 6  # rows of images drawn from the prior
BINS = 60  # edges of the scores' histogram
# nats: the histogram's axis is a logarithm, and a score may be 0
LOWEST_EDGE = 1e-6
LOWEST_LAST_EDGE = 1e-5  # so that there is room between the edges where all scores are 0
LEAST_SPREAD = 1.01  # of the edges, so that there is room where all scores are the same
IMAGE_INCHES = 0.6  # width of an image in a grid
CURVES_SIZE = (6, 3.5)  # inches
FONT_SIZE = 9  # points
COLOURS = 10  # of matplotlib's palette tab10, after which they come again
FIGURE_VALUES = 2**23  # of the test rows that figures are drawn from, 32 MB; else of a sample


class Figures:
    """Draws a model's figures. Images in raw scale, from the test split."""

    def __init__(
        self,
        model: TrainedModel,
        data: Prepared,
        history: list[dict[str, float]],
        columns: int,
        goal: Goal,
    ) -> None:
        """Encodes and reconstructs the test rows. columns: images side by side."""
        self.model = model
        self.goal = goal
        self.history = history
        self.columns = columns
        self.model_type = model.description.model_type
        description = data.description
        n_rows = FIGURE_VALUES // description.schema.n_features
        self.shape = description.schema.shape
        chosen = data.chosen("test", n_rows)
        self.labels = data.labels["test"][chosen]
        self.n_novel = data.n_novel["test"][chosen]
        self.names = description.labels or ("rows",)
        self.anomalous = description.anomaly_labels
        self.black = min(0.0, description.minimum)
        self.white = description.maximum
        self.x = data.sample("test", n_rows)
        self.x_hat = model.reconstruct(self.x)
        self.codes = model.encode(self.x)
        self.errors = squared_error(self.x / data.scale, self.x_hat / data.scale)
        in_full = data.rows["test"].in_full().take(chosen)
        self.row_scores = model.score(in_full, self.n_novel).score

    def save(self, folder: Path) -> list[Path]:
        """Writes every figure that the model's type allows and gives their paths."""
        names = self._names()
        # the user's own settings of matplotlib change nothing
        settings = {**mpl.rcParamsDefault, "font.size": FONT_SIZE}
        with atomic_folder(folder) as new, mpl.rc_context(settings):
            for name in names:
                write_png(getattr(self, name)(), new / f"{name}.png")
        return [folder / f"{name}.png" for name in names]

    def _names(self) -> list[str]:
        """The methods that draw a figure of this model, those that show the goal first."""
        images = []
        if self.shape:
            images = ["reconstructions", "worst", "interpolations", "traversal"]
        if self.shape and self.model.autoencoder.generates:
            images.append("samples")
        if self.goal == "reconstruct":
            return [*images, "code", "scores", "curves"]
        if self.shape:
            images.insert(0, "unusual")
        return ["scores", *images, "code", "curves"]

    def reconstructions(self) -> Figure:
        """The first test images above their reconstructions."""
        first = np.arange(min(self.columns, len(self.x)))
        return self._pairs(first, "originals above reconstructions")

    def worst(self) -> Figure:
        """The test images with the largest error above their reconstructions."""
        largest = np.argsort(-self.errors, kind="stable")[: self.columns]
        return self._pairs(largest, "largest errors: originals above reconstructions")

    def unusual(self) -> Figure:
        """The test images with the highest score above their reconstructions."""
        highest = np.argsort(-self.row_scores, kind="stable")[: self.columns]
        return self._pairs(highest, "most unusual: originals above reconstructions")

    def _pairs(self, rows: np.ndarray, title: str) -> Figure:
        images = np.concatenate([self.x[rows], self.x_hat[rows]])
        return self._images(images, title, 2)

    def interpolations(self) -> Figure:
        """Decoded codes on the lines between pairs of test images of different labels."""
        starts = range(min(PAIRS, len(self.labels)))
        pairs = []
        for start in starts:
            pairs += [self.x[start], self.x[self._partner(start)]]
        images = interpolated(self.model, np.stack(pairs), LINE_CODES)
        return self._images(images, "between two codes, left to right", len(starts))

    def _partner(self, start: int) -> int:
        """The row to interpolate to: of another label, or any other row where there is one label.

        The n-th image has the n-th such row, counted from the start again where there are fewer;
        where there is none at all, the first row.
        """
        is_other = self.labels != self.labels[start]
        if len(self.names) == 1:
            is_other = np.arange(len(self.labels)) != start
        others = np.flatnonzero(is_other)
        if len(others) == 0:
            return 0
        return int(others[start % len(others)])

    def traversal(self) -> Figure:
        """Each code unit moved around the mean code, the others held."""
        codes = self.model.decoder_codes(self.x)
        mean = codes.mean(0)
        deviation = codes.std(0)
        units = np.argsort(-deviation, kind="stable")[:UNITS]
        directions = deviation * (np.arange(len(mean)) == units[:, None])  # (units, code)
        positions = np.linspace(-SPREAD, SPREAD, LINE_CODES)[:, None]
        steps = positions * directions[:, None]  # (units, positions, code)
        lines = (mean + steps).astype(np.float32).reshape(-1, len(mean))
        title = f"one code unit a row, from -{SPREAD:g} to +{SPREAD:g} deviations"
        return self._images(self.model.decode(lines), title, len(units))

    def samples(self) -> Figure:
        """Draws from the prior, decoded."""
        images = samples(self.model, SAMPLE_ROWS * self.columns, seed=0)
        return self._images(images, "samples from the prior", SAMPLE_ROWS)

    def _images(self, images: np.ndarray, title: str, rows: int) -> Figure:
        """A grid of images in so many rows, with a gap of one pixel between them.

        images: (rows * columns, features), raw scale.
        """
        columns = len(images) // rows
        sheet = self._sheet(images, rows)
        sheet_height, sheet_width = sheet.shape[:2]
        inches = IMAGE_INCHES * columns
        margins = IMAGE_MARGINS
        size = (
            inches + margins.left + margins.right,
            inches * sheet_height / sheet_width + margins.bottom + margins.top,
        )
        figure, axes = placed_drawing(size, margins, f"{self.model_type}: {title}")
        if sheet.ndim == 3:  # matplotlib scales grey images alone
            sheet = np.clip((sheet - self.black) / (self.white - self.black), 0, 1)
        axes.imshow(sheet, cmap="gray", vmin=self.black, vmax=self.white, interpolation="nearest")
        axes.set_axis_off()
        return figure

    def _sheet(self, images: np.ndarray, rows: int) -> np.ndarray:
        """The pixels of a grid, with the channels of coloured images last; the gaps are white."""
        height, width, *channels = self.shape
        columns = len(images) // rows
        tiles = images.reshape(rows, columns, *self.shape).astype(float)
        # one pixel below and to the right of each image; matplotlib draws NaN as background
        gap = self.white if channels else np.nan
        unpadded = [(0, 0)] * len(channels)
        tiles = np.pad(tiles, [(0, 0), (0, 0), (0, 1), (0, 1), *unpadded], constant_values=gap)
        by_line = tiles.swapaxes(1, 2)  # (rows, height, columns, width, channels)
        sheet = by_line.reshape(rows * (height + 1), columns * (width + 1), *channels)
        return sheet[:-1, :-1]  # without the last gaps

    def code(self) -> Figure:
        """The test rows' codes in two dimensions, by label.

        Codes of at most two units are drawn as they are, others by their two principal components.
        """
        codes = self.codes[:POINTS]
        labels = self.labels[:POINTS]
        axis = "code unit"
        if codes.shape[1] > 2:
            axis = "principal component"
            codes = PCA(2, svd_solver="full").fit_transform(codes)
        plane = np.pad(codes, ((0, 0), (0, 2 - codes.shape[1])))
        title = f"{self.model_type}: test codes by label"
        figure, axes = drawing((6, 5), title, xlabel=f"{axis} 1", ylabel=f"{axis} 2")
        for label, name in enumerate(self.names):
            x, y = plane[labels == label].T
            axes.scatter(x, y, s=6, label=name, color=mpl.colormaps["tab10"](label % COLOURS))
        figure.legend(loc="outside right upper", markerscale=2)
        return figure

    def scores(self) -> Figure:
        """The distribution of the test rows' scores, apart for anomalies where labels name them."""
        scores = self.row_scores
        groups = {"test rows": scores}
        if self.anomalous:
            groups = {"normal": scores[self.labels == 0], "anomaly": scores[self.labels == 1]}
        figure, axes = placed_drawing(
            CURVES_SIZE,
            CHART_MARGINS,
            f"{self.model_type}: scores of test rows",
            xlabel="anomaly score, nats",
            ylabel="rows",
            xscale="log",
        )
        lowest = max(LOWEST_EDGE, scores.min())
        highest = max(LOWEST_LAST_EDGE, scores.max(), LEAST_SPREAD * lowest)
        edges = np.geomspace(lowest, highest, BINS)
        for name, values in groups.items():
            rows, _ = np.histogram(values, edges)
            axes.stairs(rows, edges, fill=True, alpha=0.6, label=name)
        axes.set_yscale("log")
        plain_numbers(axes.xaxis)
        plain_numbers(axes.yaxis)
        axes.legend()
        return figure

    def curves(self) -> Figure:
        """Training and clean validation error by epoch."""
        description = self.model.description
        figure, axes = placed_drawing(
            CURVES_SIZE,
            CHART_MARGINS,
            f"{self.model_type}: learning curves",
            xlabel="epoch",
            ylabel=f"{description.architecture.loss}, sum over features",
            yscale="log",
        )
        plain_numbers(axes.yaxis)
        epochs = range(description.epochs - len(self.history) + 1, description.epochs + 1)
        for key in (TRAIN_LOSS, VALIDATION_LOSS):
            axes.plot(epochs, [means[key] for means in self.history], label=key)
        axes.axvline(
            description.best_epoch, color="grey", linewidth=0.8, linestyle=":", label="best"
        )
        axes.legend()
        return figure
