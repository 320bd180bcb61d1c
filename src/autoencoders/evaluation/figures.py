"""Figures of a trained model, as PNG files with the same bytes for the same model."""

from collections.abc import Callable
from pathlib import Path

import matplotlib as mpl
import numpy as np
import torch
from matplotlib.figure import Figure
from sklearn.decomposition import PCA

from autoencoders.checkpoint import TrainedModel
from autoencoders.data.prepared import Prepared
from autoencoders.evaluation.metrics import squared_error
from autoencoders.models.variational import Variational

STEPS = 9  # decoded codes between two images, and along a code unit
SPREAD = 2.0  # standard deviations to either side in a traversal
POINTS = 2000  # rows in the picture of the code
DPI = 100


class Figures:
    """Draws a model's figures. Images in raw scale, from the test split."""

    def __init__(self, model: TrainedModel, data: Prepared, history: list[dict[str, float]], columns: int) -> None:
        self.model, self.history, self.columns = model, history, columns
        self.shape, self.labels = data.description.schema.shape, data.labels["test"][data.chosen("test")]
        self.names = data.description.labels or ("rows",)
        self.anomalous = data.description.anomaly_labels
        self.white = float(data.description.maximum)
        self.x = data.sample("test")
        self.x_hat, self.codes = model.reconstruct(self.x), model.encode(self.x)
        self.scores, self.scale = model.score(self.x).score, data.scale

    def save(self, folder: Path) -> list[Path]:
        """Writes every figure that the model's type allows and gives their paths."""
        drawings: dict[str, Callable[[], Figure]] = {
            "reconstructions": self.reconstructions,
            "worst": self.worst,
            "interpolations": self.interpolations,
            "traversal": self.traversal,
        }
        if isinstance(self.model.autoencoder, Variational):
            drawings["samples"] = self.samples
        drawings = {} if not self.shape else drawings
        drawings |= {"code": self.code, "scores": self.distribution, "curves": self.curves}
        folder.mkdir(parents=True, exist_ok=True)
        paths = []
        for name, draw in drawings.items():
            path = folder / f"{name}.png"
            with mpl.rc_context({**mpl.rcParamsDefault, "font.size": 9}):  # not the user's own settings
                draw().savefig(path, dpi=DPI, metadata={"Software": None})
            paths.append(path)
        return paths

    def reconstructions(self) -> Figure:
        """The first test images above their reconstructions."""
        return self._pairs(np.arange(min(self.columns, len(self.x))), "originals above reconstructions")

    def worst(self) -> Figure:
        """The test images with the largest error above their reconstructions."""
        error = squared_error(self.x / self.scale, self.x_hat / self.scale)
        chosen = np.argsort(-error, kind="stable")[: self.columns]
        return self._pairs(chosen, "largest errors: originals above reconstructions")

    def _pairs(self, rows: np.ndarray, title: str) -> Figure:
        return self._images(np.stack([self.x[rows], self.x_hat[rows]]), title)

    def interpolations(self) -> Figure:
        """Decoded codes on the lines between pairs of test images of different labels."""
        starts = np.arange(min(4, len(self.labels)))
        rows = np.arange(len(self.labels))
        unlike = [np.flatnonzero((self.labels != self.labels[i]) if len(self.names) > 1 else rows != i) for i in starts]
        others = [int(np.resize(rows, i + 1)[i]) for i, rows in enumerate(unlike)]  # again from the start where too few
        t = np.linspace(0, 1, STEPS, dtype=np.float32)[None, :, None]
        lines = (1 - t) * self.codes[starts][:, None] + t * self.codes[others][:, None]
        return self._images(self._decoded(lines), "between two codes, left to right")

    def traversal(self) -> Figure:
        """Each code unit moved around the mean code, the others held."""
        mean, deviation = self.codes.mean(0), self.codes.std(0)
        units = np.argsort(-deviation, kind="stable")[:16]
        lines = np.tile(mean, (len(units), STEPS, 1)).astype(np.float32)
        steps = np.linspace(-SPREAD, SPREAD, STEPS)
        for row, unit in enumerate(units):
            lines[row, :, unit] += steps * deviation[unit]
        return self._images(self._decoded(lines), f"one code unit a row, from -{SPREAD:g} to +{SPREAD:g} deviations")

    def samples(self) -> Figure:
        """Draws from the prior, decoded."""
        assert isinstance(self.model.autoencoder, Variational)  # noqa: S101  (`save` asks for them only then)
        rows = 6
        with torch.no_grad():
            x = self.model.autoencoder.sample(rows * self.columns, torch.Generator().manual_seed(0))
            images = self.model.unscaled(x).numpy()
        return self._images(images.reshape(rows, self.columns, -1), "samples from the prior")

    def _decoded(self, lines: np.ndarray) -> np.ndarray:
        rows, steps, code = lines.shape
        return self.model.decode(lines.reshape(rows * steps, code)).reshape(rows, steps, -1)

    def _images(self, images: np.ndarray, title: str) -> Figure:
        """A grid of images. images: (rows, columns, features), raw scale."""
        rows, columns = images.shape[:2]
        height, width, *colours = self.shape
        sheet = np.full(
            (rows * (height + 1) - 1, columns * (width + 1) - 1, *colours), self.white if colours else np.nan
        )
        for r in range(rows):
            for c in range(columns):
                top, left = r * (height + 1), c * (width + 1)
                sheet[top : top + height, left : left + width] = images[r, c].reshape(self.shape)
        figure = Figure(figsize=(0.6 * columns + 0.2, 0.6 * rows * height / width + 0.5), layout="constrained")
        axes = figure.subplots()
        shown = np.clip(sheet / self.white, 0, 1) if colours else sheet
        axes.imshow(shown, cmap="gray", vmin=0, vmax=1 if colours else self.white, interpolation="nearest")
        axes.set_axis_off()
        axes.set_title(f"{self.model.description.kind}: {title}", loc="left")
        return figure

    def code(self) -> Figure:
        """The test rows' codes in two dimensions, by label: the code itself, or its two principal components."""
        codes, labels = self.codes[:POINTS], self.labels[:POINTS]
        plane = PCA(2, svd_solver="full").fit_transform(codes) if codes.shape[1] > 2 else codes
        plane = np.pad(plane, ((0, 0), (0, max(0, 2 - plane.shape[1]))))
        figure = Figure(figsize=(6, 5), layout="constrained")
        axes = figure.subplots()
        for label, name in enumerate(self.names):
            points = plane[labels == label]
            axes.scatter(points[:, 0], points[:, 1], s=6, label=name, color=mpl.colormaps["tab10"](label % 10))
        kind = "principal component" if codes.shape[1] > 2 else "code unit"
        axes.set(xlabel=f"{kind} 1", ylabel=f"{kind} 2")
        axes.set_title(f"{self.model.description.kind}: test codes by label", loc="left")
        figure.legend(loc="outside right upper", markerscale=2)
        return figure

    def distribution(self) -> Figure:
        """How the test rows' scores are distributed, of anomalies apart where labels tell them."""
        figure = Figure(figsize=(6, 3.5), layout="constrained")
        axes = figure.subplots()
        edges = np.geomspace(max(1e-6, self.scores.min()), max(1e-5, self.scores.max()), 60)
        for label, name in enumerate(("normal", "anomaly") if self.anomalous else ("test rows",)):
            chosen = self.labels == label if self.anomalous else slice(None)
            axes.hist(self.scores[chosen], bins=edges.tolist(), alpha=0.6, label=name)
        axes.set(xlabel="anomaly score, nats", ylabel="rows", xscale="log", yscale="log")
        axes.set_title(f"{self.model.description.kind}: scores of test rows", loc="left")
        axes.legend()
        return figure

    def curves(self) -> Figure:
        """Training and clean validation error by epoch."""
        figure = Figure(figsize=(6, 3.5), layout="constrained")
        axes = figure.subplots()
        epochs = range(1, len(self.history) + 1)
        for key in ("train/reconstruction_loss", "val/reconstruction_loss"):
            axes.plot(epochs, [means[key] for means in self.history], label=key)
        axes.axvline(self.model.description.best_epoch, color="grey", linewidth=0.8, linestyle=":", label="best")
        axes.set(xlabel="epoch", ylabel=f"{self.model.description.architecture.loss}, sum over features", yscale="log")
        axes.set_title(f"{self.model.description.kind}: learning curves", loc="left")
        axes.legend()
        return figure
