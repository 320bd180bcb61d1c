"""Figures of a trained model, as PNG files with the same bytes for the same model."""

from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from sklearn.decomposition import PCA

from autoencoders.core.files import atomic_folder
from autoencoders.data.prepared.prepared import Prepared
from autoencoders.models.trained.fidelity import squared_error
from autoencoders.models.trained.model import TrainedModel, interpolated, samples

STEPS = 9  # decoded codes between two images, and along a code unit
SPREAD = 2.0  # standard deviations to either side in a traversal
POINTS = 2000  # rows in the picture of the code
DPI = 100
VALUES = 2**23  # of test rows, a sample of them where there are more


def drawing(size: tuple[float, float], title: str, **settings: Any) -> tuple[Figure, Axes]:
    """A figure of a size in inches, and its axes, set up."""
    figure = Figure(figsize=size, layout="constrained")
    axes = figure.subplots()
    axes.set(**settings)
    axes.set_title(title, loc="left")
    return figure, axes


class Figures:
    """Draws a model's figures. Images in raw scale, from the test split."""

    def __init__(
        self, model: TrainedModel, data: Prepared, history: list[dict[str, float]], columns: int
    ) -> None:
        self.model, self.history, self.columns = model, history, columns
        self.kind = model.description.model_type
        self.shape, most = (
            data.description.schema.shape,
            VALUES // data.description.schema.n_features,
        )
        self.labels = data.labels["test"][data.chosen("test", most)]
        self.names = data.description.labels or ("rows",)
        self.anomalous = data.description.anomaly_labels
        self.black, self.white = min(0.0, data.description.minimum), data.description.maximum
        self.x = data.sample("test", most)
        self.x_hat, self.codes = model.reconstruct(self.x), model.encode(self.x)
        self.errors = squared_error(self.x / data.scale, self.x_hat / data.scale)

    def save(self, folder: Path) -> list[Path]:
        """Writes every figure that the model's type allows and gives their paths."""
        names = ["reconstructions", "worst", "interpolations", "traversal"] if self.shape else []
        if self.shape and self.model.autoencoder.generates:
            names.append("samples")
        names += ["code", "scores", "curves"]
        with atomic_folder(folder) as new:
            for name in names:
                with mpl.rc_context(
                    {**mpl.rcParamsDefault, "font.size": 9}
                ):  # not the user's own settings
                    getattr(self, name)().savefig(
                        new / f"{name}.png", dpi=DPI, metadata={"Software": None}
                    )
        return [folder / f"{name}.png" for name in names]

    def reconstructions(self) -> Figure:
        """The first test images above their reconstructions."""
        return self._pairs(
            np.arange(min(self.columns, len(self.x))), "originals above reconstructions"
        )

    def worst(self) -> Figure:
        """The test images with the largest error above their reconstructions."""
        largest = np.argsort(-self.errors, kind="stable")[: self.columns]
        return self._pairs(largest, "largest errors: originals above reconstructions")

    def _pairs(self, rows: np.ndarray, title: str) -> Figure:
        return self._images(np.concatenate([self.x[rows], self.x_hat[rows]]), title, 2)

    def interpolations(self) -> Figure:
        """Decoded codes on the lines between pairs of test images of different labels."""
        starts = np.arange(min(4, len(self.labels)))
        rows = np.arange(len(self.labels))
        unlike = [
            np.flatnonzero((self.labels != self.labels[i]) if len(self.names) > 1 else rows != i)
            for i in starts
        ]
        others = [
            int(np.resize(rows, i + 1)[i]) for i, rows in enumerate(unlike)
        ]  # again from the start where too few
        pairs = np.stack([self.x[starts], self.x[others]], 1).reshape(2 * len(starts), -1)
        return self._images(
            interpolated(self.model, pairs, STEPS), "between two codes, left to right", len(starts)
        )

    def traversal(self) -> Figure:
        """Each code unit moved around the mean code, the others held."""
        codes = self.model.decoder_codes(self.x)
        mean, deviation = codes.mean(0), codes.std(0)
        units = np.argsort(-deviation, kind="stable")[:16]
        directions = deviation * (np.arange(len(mean)) == units[:, None])  # (units, code)
        steps = np.linspace(-SPREAD, SPREAD, STEPS)[:, None] * directions[:, None]
        title = f"one code unit a row, from -{SPREAD:g} to +{SPREAD:g} deviations"
        lines = (mean + steps).astype(np.float32).reshape(-1, len(mean))
        return self._images(self.model.decode(lines), title, len(units))

    def samples(self) -> Figure:
        """Draws from the prior, decoded."""
        return self._images(
            samples(self.model, 6 * self.columns, seed=0), "samples from the prior", 6
        )

    def _images(self, images: np.ndarray, title: str, rows: int) -> Figure:
        """A grid of so many rows of images, with a gap of one pixel. images: (rows * columns, features), raw scale."""
        (height, width, *colours), columns = self.shape, len(images) // rows
        gap = self.white if colours else np.nan
        tiles = images.reshape(rows, columns, *self.shape).astype(float)
        tiles = np.pad(
            tiles, [(0, 0), (0, 0), (0, 1), (0, 1), *((0, 0) for _ in colours)], constant_values=gap
        )
        sheet = tiles.swapaxes(1, 2).reshape(rows * (height + 1), columns * (width + 1), *colours)[
            :-1, :-1
        ]
        size = 0.6 * columns + 0.2, 0.6 * rows * height / width + 0.5
        figure, axes = drawing(size, f"{self.kind}: {title}")
        shown = (
            np.clip((sheet - self.black) / (self.white - self.black), 0, 1) if colours else sheet
        )
        axes.imshow(
            shown, cmap="gray", vmin=self.black, vmax=self.white, interpolation="nearest"
        )  # of colours: as is
        axes.set_axis_off()
        return figure

    def code(self) -> Figure:
        """The test rows' codes in two dimensions, by label: the code itself, or its two principal components."""
        codes, labels = self.codes[:POINTS], self.labels[:POINTS]
        many = codes.shape[1] > 2
        plane = PCA(2, svd_solver="full").fit_transform(codes) if many else codes
        plane = np.pad(plane, ((0, 0), (0, 2 - plane.shape[1])))
        kind = "principal component" if many else "code unit"
        figure, axes = drawing(
            (6, 5), f"{self.kind}: test codes by label", xlabel=f"{kind} 1", ylabel=f"{kind} 2"
        )
        for label, name in enumerate(self.names):
            points = plane[labels == label]
            axes.scatter(
                points[:, 0],
                points[:, 1],
                s=6,
                label=name,
                color=mpl.colormaps["tab10"](label % 10),
            )
        figure.legend(loc="outside right upper", markerscale=2)
        return figure

    def scores(self) -> Figure:
        """How the test rows' scores are distributed, of anomalies apart where labels tell them."""
        scores = self.model.score(self.x).score
        labels = {"xlabel": "anomaly score, nats", "ylabel": "rows"}
        figure, axes = drawing(
            (6, 3.5), f"{self.kind}: scores of test rows", **labels, xscale="log"
        )
        edges = np.geomspace(max(1e-6, scores.min()), max(1e-5, scores.max()), 60)
        for label, name in enumerate(("normal", "anomaly") if self.anomalous else ("test rows",)):
            chosen = self.labels == label if self.anomalous else slice(None)
            axes.hist(scores[chosen], bins=edges.tolist(), alpha=0.6, label=name)
        axes.set_yscale("log")
        axes.legend()
        return figure

    def curves(self) -> Figure:
        """Training and clean validation error by epoch."""
        loss = f"{self.model.description.architecture.loss}, sum over features"
        figure, axes = drawing(
            (6, 3.5), f"{self.kind}: learning curves", xlabel="epoch", ylabel=loss, yscale="log"
        )
        epochs = range(1, len(self.history) + 1)
        for key in ("train/reconstruction_loss", "val/reconstruction_loss"):
            axes.plot(epochs, [means[key] for means in self.history], label=key)
        axes.axvline(
            self.model.description.best_epoch,
            color="grey",
            linewidth=0.8,
            linestyle=":",
            label="best",
        )
        axes.legend()
        return figure
