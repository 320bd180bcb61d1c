"""Drawings in matplotlib: figures with axes, set up, and PNG files of the same bytes again."""

from pathlib import Path
from typing import Any, NamedTuple

from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import LogFormatter

DPI = 100  # dots per inch of the PNG files


class Margins(NamedTuple):
    """Inches between a figure's edges and its axes."""

    left: float
    right: float
    bottom: float
    top: float


CHART_MARGINS = Margins(left=0.85, right=0.15, bottom=0.5, top=0.3)
IMAGE_MARGINS = Margins(left=0.1, right=0.1, bottom=0.1, top=0.35)


def drawing(size: tuple[float, float], title: str, **settings: Any) -> tuple[Figure, Axes]:
    """A figure of a size in inches, and its axes, set up. Labels may be of any length."""
    figure = Figure(figsize=size, dpi=DPI, layout="constrained")
    axes = figure.subplots()
    axes.set(**settings)
    axes.set_title(title, loc="left")
    return figure, axes


def placed_drawing(
    size: tuple[float, float], margins: Margins, title: str, **settings: Any
) -> tuple[Figure, Axes]:
    """The same with axes that fill what the margins leave.

    Drawing it takes half as long as where matplotlib measures each label first.
    """
    width, height = size
    figure = Figure(figsize=size, dpi=DPI)
    axes = figure.subplots()
    figure.subplots_adjust(
        left=margins.left / width,
        right=1 - margins.right / width,
        bottom=margins.bottom / height,
        top=1 - margins.top / height,
    )
    axes.set(**settings)
    axes.set_title(title, loc="left", y=1)  # without y, it is moved above all that is in its way
    return figure, axes


class PlainLogFormatter(LogFormatter):
    """Labels a logarithmic axis with 20 or 0.015 instead of 2 x 10^1, which is set as a formula.

    matplotlib's own rounds 0.015 and 0.016, where an axis shows less than a decade, to 2e-02.
    """

    def __call__(self, x: float, pos: int | None = None) -> str:
        """The label; empty where matplotlib leaves it out."""
        label = super().__call__(x, pos)
        if not label:
            return ""
        return f"{x:g}"


def plain_numbers(axis: Axis) -> None:
    """Labels a logarithmic axis without formulas."""
    axis.set_major_formatter(PlainLogFormatter())
    axis.set_minor_formatter(PlainLogFormatter())


def write_png(figure: Figure, path: Path) -> None:
    """Writes the same bytes as `savefig`, which draws twice."""
    canvas: Any = FigureCanvasAgg(figure)  # its methods have no types
    canvas.print_png(path, metadata={"Software": None})
